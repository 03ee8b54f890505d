
/*
 * Copyright (C) The e-mage authors
 *
 * Sessions: ids, cookies, and who a record makes.
 */


#include "token_issuer.h"

#include <emage/session.h>


#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASH  "a8ae6e6ee929abea3afcfc5258c8ccd6f85273e0d4626d26c7279f3250f77c8e"

#define RECORD(more, expires)                                                 \
    "{\"version\":1,\"epoch\":\"e\",\"claims\":" CLAIMS(more) ",\"created\":" \
    NOW_S "000,\"idle\":1800000,\"expires\":" expires "}"


static void test_hash(void);
static void test_cookie(void);
static void test_record(void);
static void test_rules(void);
static emage_token_result_t subject_of(const char *record);


static void
test_hash(void)
{
    char    hash[EMAGE_SESSION_HASH + 1];
    size_t  i;

    static const char *const  bad[] = {
        "", "0", ID "0", "0123456789abcdef", " " ID,
        "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "0123456789abcdeg0123456789abcdef0123456789abcdef0123456789abcdef",
        "0123456789abcde\xff" "0123456789abcdef0123456789abcdef0123456789abcdef"
    };

    memset(hash, 0, sizeof(hash));

    tap_ok(emage_session_hash(emage_str(ID), hash), "an id");
    tap_is_str(hash, HASH, "is kept under its SHA-256");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tap_ok(!emage_session_hash(emage_str_c(bad[i]), hash),
               "no id: \"%s\"", bad[i]);
    }

    tap_ok(!emage_session_hash(emage_null_str, hash), "nothing is no id");
    tap_ok(!emage_session_hash((emage_str_t) { ID, 63 }, hash),
           "nor is a part of one");
}


static void
test_cookie(void)
{
    size_t       i;
    unsigned     n;
    emage_str_t  id;

    static const struct {
        const char  *header;
        unsigned     n;
        const char  *id;
    } cases[] = {
        { "", 0, "" },
        { ";", 0, "" },
        { "=", 0, "" },
        { "__Host-emage", 0, "" },
        { "__Host-emage=", 1, "" },
        { "__Host-emage=a", 1, "a" },
        { "__Host-emage=a;", 1, "a" },
        { "__Host-emage=a; b=c", 1, "a" },
        { "b=c; __Host-emage=a", 1, "a" },
        { "b=c;__Host-emage=a", 1, "a" },
        { "b=c;\t __Host-emage=a=b", 1, "a=b" },
        { "b=c,__Host-emage=a", 0, "" },
        { "__Host-emage =a", 1, "a" },
        { "__Host-emage= a ", 1, " a " },
        { "__Host-emage=\"a\"", 1, "\"a\"" },
        { "b=\"; __Host-emage=a", 1, "a" },
        { "__Host-emage=a; __Host-emage=b", 2, "b" },
        { "__Host-emage=a; __Host-emage", 1, "a" },
        { "__Host-emage=a; __Host-emage=; __Host-emage=c", 3, "c" },
        { "__host-emage=a; __HOST-EMAGE=a; Host-emage=a", 0, "" },
        { "__Host-emage2=a; x__Host-emage=a; __Host-emag=a", 0, "" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        id = emage_null_str;
        n = emage_session_cookie(emage_str_c(cases[i].header), &id);

        tap_ok(n == cases[i].n && emage_str_eq(id, emage_str_c(cases[i].id)),
               "cookies of \"%s\"", cases[i].header);
    }

    tap_ok(emage_session_cookie(emage_null_str, &id) == 0, "no header");
}


static emage_token_result_t
subject_of(const char *record)
{
    return emage_session_subject(issuers, 2, emage_str_c(record),
                                 emage_str(HASH), NOW, &store, &subject);
}


static void
test_record(void)
{
    size_t  i;

    static const char *const  bad[] = {
        "", "{}", "[]", "null", "{\"version\":1}",
        "{\"version\":1,\"claims\":{},\"expires\":\"1795508190000\"}",
        "{\"version\":1,\"claims\":[],\"expires\":1795508190000}",
        "{\"version\":1,\"claims\":{},\"expires\":-1}",
        "{\"version\":1,\"claims\":{},\"expires\":1e300}",
        "{\"version\":2,\"claims\":" CLAIMS("") ",\"expires\":1795508190000}",
        "{\"version\":1,\"claims\":" CLAIMS("") ",\"claims\":" CLAIMS("")
        ",\"expires\":1795508190000}",
        RECORD("", "1795508190000") "x"
    };

    tap_ok(subject_of(RECORD(",\"org\":\"75\",\"teams\":[\"r\"]",
                             "1795508180000"))
           == EMAGE_TOKEN_OK, "a record");
    tap_ok(subject.kind == EMAGE_SUBJECT_PROFESSIONAL, "a professional");
    tap_ok(emage_str_eq(subject.id, emage_str("urn:oid:1.2|810101201234")),
           "whom its claims name");
    tap_ok(emage_str_eq(subject.teams[0], emage_str("urn:team|r")),
           "with a team");
    tap_ok(emage_str_eq(subject.session, (emage_str_t) { HASH, 32 }),
           "named by half of the hash");
    tap_ok(subject.expires == 1795508180000, "to the end of the record");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tap_ok(subject_of(bad[i]) == EMAGE_TOKEN_MALFORMED
               && subject.kind == EMAGE_SUBJECT_NONE,
               "malformed: %s", bad[i]);
    }

    tap_ok(emage_session_subject(issuers, 2,
                                 emage_str(RECORD("", "1795508190000")),
                                 (emage_str_t) { HASH, 63 }, NOW, &store,
                                 &subject)
           == EMAGE_TOKEN_MALFORMED, "half a hash");
}


static void
test_rules(void)
{
    tap_ok(subject_of(RECORD("", "1795509999000")) == EMAGE_TOKEN_OK
           && subject.expires == 1795508195000,
           "exp and skew, if they come first");
    tap_ok(subject_of(RECORD("", NOW_S "000")) == EMAGE_TOKEN_EXPIRED,
           "a record that has expired");
    tap_ok(subject_of(RECORD("", NOW_S "001")) == EMAGE_TOKEN_OK,
           "one that has not");
    tap_ok(subject_of(RECORD(",\"nbf\":1795508190", "1795509999000"))
           == EMAGE_TOKEN_NOT_YET, "claims that are not valid yet");
    tap_ok(subject_of(RECORD(",\"teams\":[1]", "1795509999000"))
           == EMAGE_TOKEN_CLAIMS, "a team that is none");

    issuers[1].audience = emage_str("else");
    tap_ok(subject_of(RECORD("", "1795509999000")) == EMAGE_TOKEN_AUDIENCE,
           "another audience");
    issuers[1].audience = emage_str("emage");

    issuers[1].issuer = emage_str("https://else.example");
    tap_ok(subject_of(RECORD("", "1795509999000")) == EMAGE_TOKEN_ISSUER
           && subject.kind == EMAGE_SUBJECT_NONE, "another issuer");
    issuers[1].issuer = emage_str("https://op.example");

    issuers[1].max_age = 1;
    tap_ok(subject_of(RECORD("", "1795509999000")) == EMAGE_TOKEN_OK
           && subject.expires == NOW + 6000, "the age that the issuer allows");
    issuers[1].max_age = 0;
}


int
main(void)
{
    setup();
    test_hash();
    test_cookie();
    test_record();
    test_rules();
    teardown();

    return tap_done();
}
