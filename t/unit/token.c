
/*
 * Copyright (C) The e-mage authors
 *
 * Bearer tokens: every way to be refused, and who a good one makes.
 */


#include "token_issuer.h"


static void base64(emage_buf_t *out, emage_str_t in);
static void compact(emage_buf_t *out, const char *header, const char *payload,
    const char *signature);
static emage_token_result_t verify_text(const char *token);
static void test_header(void);
static void test_shape(void);
static void test_times(void);
static void test_claims(void);
static void test_subject(void);
static void test_type(void);


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


int
main(void)
{
    setup();
    test_header();
    test_shape();
    test_times();
    test_claims();
    test_subject();
    test_type();
    teardown();

    return tap_done();
}
