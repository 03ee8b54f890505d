
/*
 * Copyright (C) The e-mage authors
 *
 * Bearer tokens: every way to be refused, the public JOSE vectors through the
 * very same functions, and no memory at every point.
 */


#include <emage/token.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "oom.h"
#include "tap.h"


#define NOW       1795508130000
#define NOW_S     "1795508130"
#define ALL_ALGS  (EMAGE_ALG_RS256|EMAGE_ALG_PS256|EMAGE_ALG_ES256)

#define CLAIMS(more)                                                          \
    "{\"iss\":\"https://op.example\",\"aud\":\"emage\",\"exp\":1795508190,"   \
    "\"iat\":" NOW_S ",\"sub\":\"810101201234\"" more "}"


static emage_buf_t      keys[3];             /* RSA RS256, EC, RSA PS256 */
static emage_buf_t      sets[3];
static emage_jwks_t    *jwks[3];
static emage_issuer_t   issuers[2];
static emage_buf_t      store;
static emage_subject_t  subject;

static const char *const  algs[] = { "RS256", "ES256", "PS256" };


static emage_str_t str(const emage_buf_t *b);
static void base64(emage_buf_t *out, emage_str_t in);
static void compact(emage_buf_t *out, const char *header, const char *payload,
    const char *signature);
static emage_token_result_t verify_text(const char *token);
static emage_token_result_t verify(const char *claims, const char *typ);
static void setup(void);
static void test_header(void);
static void test_shape(void);
static void test_times(void);
static void test_claims(void);
static void test_subject(void);
static void test_type(void);
static void test_keys(void);
static void test_mutations(void);
static void test_vectors(const char *name);
static void test_oom(void);
static void test_speed(void);


static emage_str_t
str(const emage_buf_t *b)
{
    return (emage_str_t) { b->data, b->len };
}


static void
base64(emage_buf_t *out, emage_str_t in)
{
    size_t    i, k, n;
    uint32_t  v;

    static const char  set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                               "uvwxyz0123456789-_";

    for (i = 0; i < in.len; i += 3) {
        n = (in.len - i > 3) ? 3 : in.len - i;
        v = 0;

        for (k = 0; k < 3; k++) {
            v = v << 8 | (k < n ? (unsigned char) in.data[i + k] : 0);
        }

        for (k = 0; k <= n; k++) {
            (void) emage_buf_add(out, &set[v >> (18 - 6 * k) & 63], 1);
        }
    }
}


/* A token with a signature that is none, unless one is given. */

static void
compact(emage_buf_t *out, const char *header, const char *payload,
    const char *signature)
{
    emage_buf_reset(out);

    base64(out, emage_str_c(header));
    (void) emage_buf_add_c(out, ".");
    base64(out, emage_str_c(payload));
    (void) emage_buf_add_c(out, ".");
    (void) emage_buf_add_c(out, signature);
    (void) emage_buf_cstr(out);
}


static emage_token_result_t
verify_text(const char *token)
{
    return emage_token_verify(issuers, 2, emage_str_c(token), NOW, &store,
                              &subject);
}


static emage_token_result_t
verify(const char *claims, const char *typ)
{
    emage_buf_t            token;
    emage_error_t          err;
    emage_token_result_t   result;

    emage_buf_init(&token, 4 * EMAGE_TOKEN_MAX);

    result = EMAGE_TOKEN_NOMEM;

    if (emage_token_sign(str(&keys[1]), "ES256", typ, emage_str_c(claims),
                         &token, &err)
        == EMAGE_OK)
    {
        result = emage_token_verify(issuers, 2, str(&token), NOW, &store,
                                    &subject);

    } else {
        printf("# sign: %s\n", err.text);
    }

    emage_buf_free(&token);

    return result;
}


static void
setup(void)
{
    int            i;
    emage_error_t  err;

    emage_buf_init(&store, 65536);

    for (i = 0; i < 3; i++) {
        emage_buf_init(&keys[i], 65536);
        emage_buf_init(&sets[i], 65536);

        tap_ok(emage_jwk_generate(i == 1 ? "EC" : "RSA", algs[i], &keys[i],
                                  &err) == EMAGE_OK, "a key for %s", algs[i]);
        tap_ok(emage_jwk_public(str(&keys[i]), &sets[i], &err) == EMAGE_OK
               && strstr(emage_buf_cstr(&sets[i]), "\"d\":") == NULL,
               "its public half");
        tap_ok(emage_jwks_load(str(&sets[i]), ALL_ALGS, &jwks[i], &err)
               == EMAGE_OK && emage_jwks_count(jwks[i]) == 1, "as a key set");
    }

    for (i = 0; i < 2; i++) {
        issuers[i].name = emage_str("other");
        issuers[i].issuer = emage_str("https://other.example");
        issuers[i].audience = emage_str("emage");
        issuers[i].algs = ALL_ALGS;
        issuers[i].kind = EMAGE_SUBJECT_PROFESSIONAL;
        issuers[i].jwks = jwks[0];
    }

    issuers[1].name = emage_str("psc");
    issuers[1].issuer = emage_str("https://op.example");
    issuers[1].skew = 5;
    issuers[1].jwks = jwks[1];
    issuers[1].claim_purpose = emage_str("purpose");
    issuers[1].claim_profession = emage_str("ext.profession");
    issuers[1].claim_organisation = emage_str("org");
    issuers[1].organisation_system = emage_str("urn:finess");
    issuers[1].claim_teams = emage_str("teams");
    issuers[1].team_system = emage_str("urn:team");
    issuers[1].subject_system = emage_str("urn:oid:1.2");
}


static void
test_header(void)
{
    size_t       i;
    emage_buf_t  b;

    static const struct {
        const char            *header;
        emage_token_result_t   result;
    } cases[] = {
        { "{\"alg\":\"none\"}", EMAGE_TOKEN_ALGORITHM },
        { "{\"alg\":\"None\"}", EMAGE_TOKEN_ALGORITHM },
        { "{\"alg\":\"HS256\"}", EMAGE_TOKEN_ALGORITHM },
        { "{\"alg\":\"RS384\"}", EMAGE_TOKEN_ALGORITHM },
        { "{\"alg\":\"ES256K\"}", EMAGE_TOKEN_ALGORITHM },
        { "{\"alg\":\"es256\"}", EMAGE_TOKEN_ALGORITHM },
        { "{\"alg\":\"RS256\"}", EMAGE_TOKEN_ALGORITHM },
        { "{\"alg\":\"PS256\"}", EMAGE_TOKEN_ALGORITHM },
        { "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", EMAGE_TOKEN_CRITICAL },
        { "{\"alg\":\"ES256\",\"crit\":[]}", EMAGE_TOKEN_CRITICAL },
        { "{\"alg\":\"ES256\",\"crit\":null}", EMAGE_TOKEN_CRITICAL },
        { "{\"alg\":\"none\",\"crit\":[\"b64\"],\"b64\":false}",
          EMAGE_TOKEN_CRITICAL },
        { "{\"typ\":\"JWT\"}", EMAGE_TOKEN_MALFORMED },
        { "{\"alg\":7}", EMAGE_TOKEN_MALFORMED },
        { "{\"alg\":\"none\",\"alg\":\"ES256\"}", EMAGE_TOKEN_MALFORMED },
        { "{\"alg\":\"ES256\",\"kid\":1}", EMAGE_TOKEN_MALFORMED },
        { "{\"alg\":\"ES256\",\"typ\":[]}", EMAGE_TOKEN_MALFORMED },
        { "{\"alg\":\"ES256\"} ", EMAGE_TOKEN_SIGNATURE },
        { "{\"alg\":\"ES256\"}x", EMAGE_TOKEN_MALFORMED },
        { "{\"alg\":\"ES256\\u0000\"}", EMAGE_TOKEN_MALFORMED },
        { "[\"alg\",\"ES256\"]", EMAGE_TOKEN_MALFORMED },
        { "{\"alg\":\"ES256\",\"kid\":\"unknown\"}", EMAGE_TOKEN_KEY },
        { "{\"alg\":\"ES256\",\"kid\":\"\"}", EMAGE_TOKEN_KEY },
        { "{\"alg\":\"ES256\",\"jku\":\"http://127.0.0.1:1/\"}",
          EMAGE_TOKEN_SIGNATURE },
        { "{\"alg\":\"ES256\"}", EMAGE_TOKEN_SIGNATURE }
    };

    emage_buf_init(&b, 65536);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        compact(&b, cases[i].header, CLAIMS(""), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

        tap_is_str(emage_token_result_name(verify_text(b.data)).data,
                   emage_token_result_name(cases[i].result).data,
                   "header %s", cases[i].header);
    }

    emage_buf_free(&b);
}


static void
test_shape(void)
{
    char         big[EMAGE_TOKEN_MAX + 2];
    size_t       i;
    emage_buf_t  b;

    static const char *const  bad[] = {
        "", ".", "..", "...", "a.b", "e30.e30.", ".e30.AA", "e30.e30.e30.e30",
        "eyJhbGciOiJFUzI1NiJ9.e30.AA.AA.AA", "eyJhbGciOiJFUzI1NiJ9.e30=.AA",
        "eyJhbGciOiJFUzI1NiJ9. e30.AA", "eyJhbGciOiJFUzI1NiJ9.e30.A",
        "eyJhbGciOiJFUzI1NiJ9.e30.AB", "eyJhbGciOiJFUzI1NiJ9.e30.A+AA",
        "eyJhbGciOiJFUzI1NiJ9\n.e30.AA", "eyJhbGciOiJFUzI1NiJ9.e31.AA",
        "eyJhbGciOiJFUzI1NiJ9.e30.A\xc3\xa9", "{\"payload\":\"e30\"}"
    };

    emage_buf_init(&b, 65536);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tap_ok(verify_text(bad[i]) == EMAGE_TOKEN_MALFORMED,
               "shape %zu is malformed", i);
    }

    tap_ok(emage_token_verify(issuers, 2, emage_null_str, NOW, &store,
                              &subject) == EMAGE_TOKEN_MALFORMED, "nothing");

    memset(big, 'A', EMAGE_TOKEN_MAX + 1);
    big[4] = big[9] = '.';
    big[EMAGE_TOKEN_MAX + 1] = '\0';
    tap_ok(verify_text(big) == EMAGE_TOKEN_MALFORMED, "over 8 KiB");

    (void) snprintf(big, sizeof(big), "{\"alg\":\"ES256\",\"a\":%.32s1%.32s}",
                    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
                    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    compact(&b, big, "{}", "AA");
    tap_ok(verify_text(b.data) == EMAGE_TOKEN_MALFORMED, "nested 33 levels");

    compact(&b, "{\"alg\":\"ES256\"}", "not json", "AA");
    tap_ok(verify_text(b.data) == EMAGE_TOKEN_MALFORMED, "claims not JSON");

    compact(&b, "{\"alg\":\"ES256\"}", "{\"iss\":\"a\",\"iss\":\"b\"}", "AA");
    tap_ok(verify_text(b.data) == EMAGE_TOKEN_MALFORMED, "claims given twice");

    emage_buf_free(&b);
}


static void
test_times(void)
{
    size_t  i;

    static const struct {
        const char            *name;
        const char            *times;
        emage_token_result_t   result;
    } cases[] = {
        { "exp in the future", "\"exp\":1795508131", EMAGE_TOKEN_OK },
        { "exp as a real number", "\"exp\":1795508130.5", EMAGE_TOKEN_OK },
        { "exp past, within the skew", "\"exp\":1795508126", EMAGE_TOKEN_OK },
        { "exp past by the skew", "\"exp\":1795508125", EMAGE_TOKEN_EXPIRED },
        { "exp 0", "\"exp\":0", EMAGE_TOKEN_EXPIRED },
        { "exp missing", "\"x\":1", EMAGE_TOKEN_CLAIMS },
        { "exp null", "\"exp\":null", EMAGE_TOKEN_CLAIMS },
        { "exp a string", "\"exp\":\"1795508131\"", EMAGE_TOKEN_CLAIMS },
        { "exp negative", "\"exp\":-1", EMAGE_TOKEN_CLAIMS },
        { "exp the largest", "\"exp\":9223372036854775807",
          EMAGE_TOKEN_CLAIMS },
        { "exp 1e300", "\"exp\":1e300", EMAGE_TOKEN_CLAIMS },
        { "nbf within the skew", "\"exp\":1795508190,\"nbf\":1795508135",
          EMAGE_TOKEN_OK },
        { "nbf later", "\"exp\":1795508190,\"nbf\":1795508136",
          EMAGE_TOKEN_NOT_YET },
        { "nbf a string", "\"exp\":1795508190,\"nbf\":\"0\"",
          EMAGE_TOKEN_CLAIMS },
        { "iat later", "\"exp\":1795508190,\"iat\":1795508136",
          EMAGE_TOKEN_NOT_YET },
        { "iat not a number", "\"exp\":1795508190,\"iat\":{}",
          EMAGE_TOKEN_CLAIMS }
    };

    char  claims[512];

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) snprintf(claims, sizeof(claims), "{\"iss\":\"https://op.example"
                        "\",\"aud\":\"emage\",\"sub\":\"a\",%s}",
                        cases[i].times);

        tap_is_str(emage_token_result_name(verify(claims, NULL)).data,
                   emage_token_result_name(cases[i].result).data,
                   "%s", cases[i].name);
    }

    issuers[1].max_age = 10;

    tap_ok(verify(CLAIMS(""), NULL) == EMAGE_TOKEN_OK
           && subject.expires == NOW + 15000, "max_age shortens the token");
    tap_ok(verify("{\"iss\":\"https://op.example\",\"aud\":\"emage\",\"sub\":"
                  "\"a\",\"exp\":1795508190}", NULL) == EMAGE_TOKEN_CLAIMS,
           "max_age without iat");
    tap_ok(verify("{\"iss\":\"https://op.example\",\"aud\":\"emage\",\"sub\":"
                  "\"a\",\"exp\":1795508190,\"iat\":1795508115}", NULL)
           == EMAGE_TOKEN_EXPIRED, "older than max_age");

    issuers[1].max_age = 0;
    issuers[1].skew = 4000000;

    tap_ok(verify("{\"iss\":\"https://op.example\",\"aud\":\"emage\",\"sub\":"
                  "\"a\",\"exp\":1795508070}", NULL) == EMAGE_TOKEN_EXPIRED,
           "no skew over a minute");

    issuers[1].skew = 5;
}


static void
test_claims(void)
{
    size_t  i;
    char    id[200], claims[512];

    static const struct {
        const char            *claims;
        emage_token_result_t   result;
    } cases[] = {
        { "{\"aud\":\"emage\"}", EMAGE_TOKEN_ISSUER },
        { "{\"iss\":null}", EMAGE_TOKEN_ISSUER },
        { "{\"iss\":\"https://op.example/\"}", EMAGE_TOKEN_ISSUER },
        { "{\"iss\":\"https://op.exampl\"}", EMAGE_TOKEN_ISSUER },
        { "{\"iss\":\"HTTPS://op.example\"}", EMAGE_TOKEN_ISSUER },
        { "{\"iss\":[\"https://op.example\"]}", EMAGE_TOKEN_ISSUER },
        { "{\"iss\":\"https://other.example\"}", EMAGE_TOKEN_KEY },
        { "{\"iss\":\"https://op.example\"}", EMAGE_TOKEN_AUDIENCE },
        { "{\"iss\":\"https://op.example\",\"aud\":\"emag\"}",
          EMAGE_TOKEN_AUDIENCE },
        { "{\"iss\":\"https://op.example\",\"aud\":[]}",
          EMAGE_TOKEN_AUDIENCE },
        { "{\"iss\":\"https://op.example\",\"aud\":[\"emage\",1]}",
          EMAGE_TOKEN_AUDIENCE },
        { "{\"iss\":\"https://op.example\",\"aud\":{\"emage\":1}}",
          EMAGE_TOKEN_AUDIENCE },
        { CLAIMS(",\"teams\":[\"t1\",\"t2\"]"), EMAGE_TOKEN_OK },
        { CLAIMS(",\"teams\":[\"t1\",2]"), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"teams\":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7]"),
          EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"teams\":{}"), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"org\":\"a|b\""), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"org\":\"\""), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"org\":\"a\\nb\""), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"org\":\"a\\u0085\""), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"org\":\"a\\u007f\""), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"org\":\"h\\u00f4pital\""), EMAGE_TOKEN_OK },
        { CLAIMS(",\"purpose\":\"ETREAT\""), EMAGE_TOKEN_OK },
        { CLAIMS(",\"purpose\":\"treat\""), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"purpose\":\"HMARKT\""), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"purpose\":[\"TREAT\"]"), EMAGE_TOKEN_CLAIMS },
        { CLAIMS(",\"acr\":3"), EMAGE_TOKEN_OK },
        { "{\"iss\":\"https://op.example\",\"aud\":[\"x\",\"emage\"],"
          "\"exp\":1795508190,\"sub\":\"a\"}", EMAGE_TOKEN_OK },
        { "{\"iss\":\"https://op.example\",\"aud\":\"emage\","
          "\"exp\":1795508190}", EMAGE_TOKEN_CLAIMS },
        { "{\"iss\":\"https://op.example\",\"aud\":\"emage\","
          "\"exp\":1795508190,\"sub\":7}", EMAGE_TOKEN_CLAIMS },
        { "{\"iss\":\"https://op.example\",\"aud\":\"emage\","
          "\"exp\":1795508190,\"sub\":\"\"}", EMAGE_TOKEN_CLAIMS }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_is_str(emage_token_result_name(verify(cases[i].claims, NULL)).data,
                   emage_token_result_name(cases[i].result).data,
                   "claims %s", cases[i].claims);
    }

    memset(id, 'x', sizeof(id));

    (void) snprintf(claims, sizeof(claims), CLAIMS(",\"org\":\"%.128s\""), id);
    tap_ok(verify(claims, NULL) == EMAGE_TOKEN_OK, "an id of 128 bytes");

    (void) snprintf(claims, sizeof(claims), CLAIMS(",\"org\":\"%.129s\""), id);
    tap_ok(verify(claims, NULL) == EMAGE_TOKEN_CLAIMS, "an id of 129 bytes");

    tap_ok(subject.kind == EMAGE_SUBJECT_NONE && subject.id.len == 0,
           "a refused token leaves nobody");
}


static void
test_subject(void)
{
    emage_token_result_t  result;

    result = verify(CLAIMS(",\"ext\":{\"profession\":\"physician\"},\"org\":"
                           "\"750000001\",\"teams\":[\"t1\",\"t2\"],"
                           "\"acr\":\"eidas2\""), "JWT");

    tap_ok(result == EMAGE_TOKEN_OK, "a token of a professional");
    tap_ok(subject.kind == EMAGE_SUBJECT_PROFESSIONAL
           && emage_str_eq(subject.issuer, emage_str("psc"))
           && emage_str_eq(subject.id, emage_str("urn:oid:1.2|810101201234"))
           && emage_str_eq(subject.profession, emage_str("physician"))
           && emage_str_eq(subject.organisation,
                           emage_str("urn:finess|750000001"))
           && emage_str_eq(subject.purpose, emage_str("TREAT"))
           && emage_str_eq(subject.acr, emage_str("eidas2"))
           && subject.nteams == 2
           && emage_str_eq(subject.teams[1], emage_str("urn:team|t2"))
           && subject.session.len == 32
           && subject.expires == 1795508195000, "its subject");
    tap_ok(subject.id.data >= store.data
           && subject.teams[1].data + subject.teams[1].len
              <= store.data + store.len, "lies in the store");

    (void) verify(CLAIMS(",\"ext.profession\":\"nurse\",\"ext\":"
                         "{\"profession\":\"physician\"},\"teams\":\"t9\""),
                  NULL);
    tap_ok(emage_str_eq(subject.profession, emage_str("nurse"))
           && subject.nteams == 1, "a name with a dot, literally first");

    issuers[1].organisation = emage_str("urn:x|y");
    (void) verify(CLAIMS(",\"org\":\"z\""), NULL);
    tap_ok(emage_str_eq(subject.organisation, emage_str("urn:x|y")),
           "a fixed organisation");
    issuers[1].organisation = emage_null_str;

    issuers[1].kind = EMAGE_SUBJECT_NONE;
    issuers[1].claim_kind = emage_str("kind");
    issuers[1].subject_system = emage_null_str;

    (void) verify(CLAIMS(",\"kind\":\"patient\""), NULL);
    tap_ok(subject.kind == EMAGE_SUBJECT_PATIENT
           && emage_str_eq(subject.purpose, emage_str("PATRQT"))
           && emage_str_eq(subject.id,
                           emage_str("https://op.example|810101201234")),
           "a kind by claim; the system is the issuer");
    (void) verify(CLAIMS(",\"kind\":\"representative\""), NULL);
    tap_ok(emage_str_eq(subject.purpose, emage_str("FAMRQT")), "FAMRQT");
    (void) verify(CLAIMS(",\"kind\":\"support\""), NULL);
    tap_ok(emage_str_eq(subject.purpose, emage_str("HSYSADMIN")), "HSYSADMIN");
    tap_ok(verify(CLAIMS(",\"kind\":\"none\""), NULL) == EMAGE_TOKEN_CLAIMS,
           "kind none");
    tap_ok(verify(CLAIMS(",\"kind\":\"doctor\""), NULL) == EMAGE_TOKEN_CLAIMS,
           "an unknown kind");
    tap_ok(verify(CLAIMS(""), NULL) == EMAGE_TOKEN_CLAIMS, "no kind");

    issuers[1].kind = EMAGE_SUBJECT_PROFESSIONAL;
    issuers[1].subject_system = emage_str("urn:oid:1.2");

    store.max = 40;
    tap_ok(verify(CLAIMS(""), NULL) == EMAGE_TOKEN_NOMEM, "a full store");
    store.max = 65536;
}


static void
test_type(void)
{
    size_t  i;

    static const struct {
        const char  *rule;
        const char  *typ;
        bool         ok;
    } cases[] = {
        { "", NULL, true }, { "", "JWT", true }, { "", "jwt", true },
        { "", "at+jwt", true }, { "", "application/at+jwt", true },
        { "", "logout+jwt", false }, { "", "dpop+jwt", false },
        { "", "", false }, { "at+jwt", "at+jwt", true },
        { "at+jwt", "application/AT+JWT", true }, { "at+jwt", "JWT", false },
        { "at+jwt", NULL, false }, { "JWT", "JWT", true },
        { "JWT", "at+jwt", false }, { "JWT", NULL, false },
        { "JWT", "JWTx", false }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        issuers[1].typ = emage_str_c(cases[i].rule);

        tap_ok(verify(CLAIMS(""), cases[i].typ)
               == (cases[i].ok ? EMAGE_TOKEN_OK : EMAGE_TOKEN_TYPE),
               "typ %s, rule \"%s\"", cases[i].typ ? cases[i].typ : "missing",
               cases[i].rule);
    }

    issuers[1].typ = emage_null_str;
}


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
    int  i;

    setup();
    test_header();
    test_shape();
    test_times();
    test_claims();
    test_subject();
    test_type();
    test_keys();
    test_mutations();
    test_vectors("json_web_signature_test.json");
    test_vectors("json_web_key_test.json");
    test_oom();
    test_speed();

    for (i = 0; i < 3; i++) {
        emage_jwks_free(jwks[i]);
        emage_buf_free(&keys[i]);
        emage_buf_free(&sets[i]);
    }

    emage_buf_free(&store);

    return tap_done();
}
