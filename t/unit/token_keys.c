
/*
 * Copyright (C) The e-mage authors
 *
 * Key sets and signatures: what is no key, every changed bit, the public JOSE
 * vectors through the very same functions, and no memory at every point.
 */


#include "token_issuer.h"

#include <time.h>

#include <jansson.h>

#include "oom.h"


static void test_keys(void);
static void test_mutations(void);
static void test_vectors(const char *name);
static void test_oom(void);
static void test_speed(void);


static void
test_keys(void)
{
    size_t          i;
    emage_rc_t      rc;
    emage_jwks_t   *set;
    emage_error_t   err;

#define X  "\"kty\":\"EC\",\"crv\":\"P-256\","                                \
           "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","           \
           "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""

    static const struct {
        const char  *json;
        unsigned     n;
    } cases[] = {
        { "{\"keys\":[{" X "}]}", 1 },
        { "{\"keys\":[{" X ",\"use\":\"sig\",\"kid\":\"a\"},"
          "{" X ",\"kid\":\"b\",\"key_ops\":[\"sign\",\"verify\"]}]}", 2 },
        { "{\"keys\":[{" X "},{" X "}]}", 2 },
        { "{\"keys\":[{" X ",\"kid\":\"a\"},{" X ",\"kid\":\"a\"}]}", 0 },
        { "{\"keys\":[{" X ",\"kid\":\"a\"},{" X ",\"kid\":\"a\","
          "\"use\":\"enc\"}]}", 1 },
        { "{\"keys\":[{" X ",\"use\":\"enc\"}]}", 0 },
        { "{\"keys\":[{" X ",\"use\":1}]}", 0 },
        { "{\"keys\":[{" X ",\"key_ops\":[\"sign\"]}]}", 0 },
        { "{\"keys\":[{" X ",\"key_ops\":\"verify\"}]}", 0 },
        { "{\"keys\":[{" X ",\"alg\":\"ES384\"}]}", 0 },
        { "{\"keys\":[{" X ",\"alg\":\"RS256\"}]}", 0 },
        { "{\"keys\":[{" X ",\"d\":\"AAAA\"}]}", 0 },
        { "{\"keys\":[{" X ",\"kid\":7}]}", 0 },
        { "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii"
          "11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"MKBCTNIcKUSDii11ySs3526iDZ8"
          "AiTo7Tu6KPAqv7D4\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\","
          "\"y\":\"AA\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"AAAA\"}]}",
          0 },
        { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", 0 },
        { "{\"keys\":[7,null,{" X "}]}", 1 },
        { "{\"keys\":[]}", 0 },
        { "{\"keys\":{}}", 0 },
        { "{}", 0 },
        { "[]", 0 },
        { "{\"keys\":[{" X "}]} x", 0 },
        { "{\"keys\":[{" X ",\"x\":\"AA\"}]}", 0 },
        { "", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rc = emage_jwks_load(emage_str_c(cases[i].json), ALL_ALGS, &set, &err);

        tap_ok((rc == EMAGE_OK) == (cases[i].n != 0)
               && emage_jwks_count(set) == cases[i].n,
               "key set %zu: %u keys%s%s", i, cases[i].n,
               (rc == EMAGE_OK) ? "" : ": ",
               (rc == EMAGE_OK) ? "" : err.text);

        emage_jwks_free(set);
    }

    tap_ok(emage_jwks_load(str(&sets[0]), EMAGE_ALG_ES256, &set, &err)
           == EMAGE_ERROR, "a key of an algorithm that is not allowed");
    tap_ok(emage_jwks_load(str(&keys[0]), ALL_ALGS, &set, &err)
           == EMAGE_ERROR, "a private key is no key set");

    issuers[1].algs = EMAGE_ALG_RS256;
    tap_ok(verify(CLAIMS(""), NULL) == EMAGE_TOKEN_ALGORITHM,
           "an algorithm that the issuer may not use");
    issuers[1].algs = ALL_ALGS;

    issuers[1].jwks = jwks[0];
    tap_ok(verify(CLAIMS(""), NULL) == EMAGE_TOKEN_KEY,
           "the key of another issuer");
    issuers[1].jwks = NULL;
    tap_ok(verify(CLAIMS(""), NULL) == EMAGE_TOKEN_KEY, "no keys");
    issuers[1].jwks = jwks[1];
}


/* Every byte of a good token, changed in every bit: nothing else is good. */

static void
test_mutations(void)
{
    int            bit, k;
    size_t         i, good, tried;
    emage_buf_t    token, payload;
    emage_error_t  err;

    emage_buf_init(&token, EMAGE_TOKEN_MAX);
    emage_buf_init(&payload, EMAGE_TOKEN_MAX);

    for (k = 0; k < 3; k++) {
        good = 0;
        tried = 0;

        emage_buf_reset(&token);
        (void) emage_token_sign(str(&keys[k]), algs[k], "JWT",
                                emage_str_c(CLAIMS("")), &token, &err);

        tap_ok(emage_jws_verify(jwks[k], str(&token), &payload)
               == EMAGE_TOKEN_OK
               && payload.len == strlen(CLAIMS("")), "%s verifies", algs[k]);
        emage_buf_reset(&payload);

        for (i = 0; i < token.len; i++) {
            for (bit = 0; bit < 7; bit++) {
                token.data[i] ^= (char) (1 << bit);
                tried++;
                good += emage_jws_verify(jwks[k], str(&token), &payload)
                        == EMAGE_TOKEN_OK;
                token.data[i] ^= (char) (1 << bit);
            }
        }

        for (i = 0; i < token.len; i++) {
            tried++;
            good += emage_jws_verify(jwks[k],
                                     (emage_str_t) { token.data, i }, &payload)
                    == EMAGE_TOKEN_OK;
        }

        tap_ok(good == 0 && payload.len == 0, "%s: %zu changes, all refused",
               algs[k], tried);
    }

    emage_buf_free(&token);
    emage_buf_free(&payload);
}


static void
test_vectors(const char *name)
{
    char           *text, path[512];
    json_t         *file, *groups, *group, *tests, *test, *key, *set;
    size_t          i, k;
    unsigned        n[2], wrong, accepted, refused;
    const char     *shared, *jws;
    emage_buf_t     payload;
    emage_jwks_t   *keyset;
    emage_token_result_t  result;

    shared = getenv("EMAGE_SHARED");

    (void) snprintf(path, sizeof(path), "%s/jose/%s",
                    (shared != NULL) ? shared : "../shared", name);

    file = json_load_file(path, 0, NULL);

    if (file == NULL) {
        tap_ok(true, "%s # SKIP not there", path);
        return;
    }

    n[0] = n[1] = wrong = accepted = refused = 0;
    groups = json_object_get(file, "testGroups");
    emage_buf_init(&payload, 65536);

    json_array_foreach(groups, i, group) {

        key = json_object_get(group, "public");
        key = (key != NULL) ? key : json_object_get(group, "private");

        set = (json_object_get(key, "keys") != NULL)
              ? json_incref(key) : json_pack("{s:[O]}", "keys", key);

        text = json_dumps(set, 0);
        (void) emage_jwks_load(emage_str_c(text), ALL_ALGS, &keyset, NULL);

        tests = json_object_get(group, "tests");

        json_array_foreach(tests, k, test) {
            jws = json_string_value(json_object_get(test, "jws"));

            result = (keyset == NULL) ? EMAGE_TOKEN_KEY
                     : emage_jws_verify(keyset, emage_str_c(jws), &payload);

            if (strcmp(json_string_value(json_object_get(test, "result")),
                       "valid") != 0)
            {
                n[0]++;

                if (result != EMAGE_TOKEN_OK) {
                    continue;
                }

            } else {
                n[1]++;

                if (result == EMAGE_TOKEN_OK) {
                    accepted++;
                    continue;
                }

                if (result == EMAGE_TOKEN_ALGORITHM || keyset == NULL) {
                    refused++;
                    continue;
                }
            }

            wrong++;
            printf("# %s test %lld: %s\n", name, (long long) json_integer_value(
                   json_object_get(test, "tcId")),
                   emage_token_result_name(result).data);
        }

        emage_jwks_free(keyset);
        free(text);
        json_decref(set);
    }

    tap_ok(wrong == 0 && n[0] + n[1] > 0, "%s: %u invalid, all refused; %u "
           "valid: %u accepted, %u of other algorithms or keys", name, n[0],
           n[1], accepted, refused);

    emage_buf_free(&payload);
    json_decref(file);
}


static void
test_oom(void)
{
    int             k;
    long            n, live;
    bool            ok, all;
    emage_rc_t      rc;
    emage_buf_t     token;
    emage_jwks_t   *set;
    emage_error_t   err;
    emage_token_result_t  result;

    if (!OOM_READY) {
        return;
    }

    emage_buf_init(&token, EMAGE_TOKEN_MAX);

    for (k = 0; k < 4; k++) {
        all = k & 1;
        ok = true;
        set = NULL;

        /* 0, 1: an RSA set, 2, 3: EC */

        for (n = 0; n < 10000; n++) {
            live = oom_live;
            oom_all = all;
            oom_after = n;
            rc = emage_jwks_load(str(&sets[k / 2]), ALL_ALGS, &set, &err);

            if (all ? rc == EMAGE_OK : oom_after >= 0) {
                oom_after = -1;
                ok = ok && rc == EMAGE_OK;
                break;
            }

            oom_after = -1;

            ok = ok && rc == EMAGE_NOMEM && set == NULL && oom_live == live;
        }

        emage_jwks_free(set);

        tap_ok(ok && n > 5 && n < 10000,
               "key set: %s to the %ldth allocation fails",
               all ? "every one from the first" : "the first", n);
    }

    for (k = 0; k < 2; k++) {
        ok = true;

        emage_buf_reset(&token);
        (void) emage_token_sign(str(&keys[1]), "ES256", NULL, emage_str_c(
                                CLAIMS(",\"teams\":[\"t1\",\"t2\"]")),
                                &token, &err);

        for (n = 0; n < 10000; n++) {
            emage_buf_free(&store);
            live = oom_live;
            oom_all = k;
            oom_after = n;
            result = emage_token_verify(issuers, 2, str(&token), NOW, &store,
                                        &subject);

            if (k ? result == EMAGE_TOKEN_OK : oom_after >= 0) {
                oom_after = -1;
                ok = ok && result == EMAGE_TOKEN_OK;
                break;
            }

            oom_after = -1;
            emage_buf_free(&store);

            ok = ok && result == EMAGE_TOKEN_NOMEM && oom_live == live
                 && subject.kind == EMAGE_SUBJECT_NONE;
        }

        tap_ok(ok && n > 5 && n < 10000,
               "token: %s to the %ldth allocation fails",
               k ? "every one from the first" : "the first", n);
    }

    emage_buf_free(&token);
}


static void
test_speed(void)
{
    int              i, k;
    double           us;
    emage_buf_t      token;
    emage_error_t    err;
    struct timespec  from, to;

    emage_buf_init(&token, EMAGE_TOKEN_MAX);

    for (k = 0; k < 3; k++) {
        emage_buf_reset(&token);
        (void) emage_token_sign(str(&keys[k]), algs[k], "at+jwt",
                                emage_str_c(CLAIMS(",\"teams\":[\"t1\"]")),
                                &token, &err);
        issuers[1].jwks = jwks[k];

        (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);

        for (i = 0; i < 1000; i++) {
            if (emage_token_verify(issuers, 2, str(&token), NOW, &store,
                                   &subject) != EMAGE_TOKEN_OK)
            {
                break;
            }
        }

        (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);

        us = ((double) (to.tv_sec - from.tv_sec) * 1e9
              + (double) (to.tv_nsec - from.tv_nsec)) / 1e3 / 1000;

        tap_ok(i == 1000, "%s verified 1,000 times", algs[k]);
        printf("# %s, %zu bytes: %.1f us a token\n", algs[k], token.len, us);
    }

    issuers[1].jwks = jwks[1];
    emage_buf_free(&token);
}


int
main(void)
{
    setup();
    test_keys();
    test_mutations();
    test_vectors("json_web_signature_test.json");
    test_vectors("json_web_key_test.json");
    test_oom();
    test_speed();
    teardown();

    return tap_done();
}
