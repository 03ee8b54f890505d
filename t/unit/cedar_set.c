/*
 * Copyright (C) The e-mage authors
 *
 * Sets and requests: loading, names, digest, reasons and errors, limits, and
 * that whatever does not fit denies.
 */


#include <emage/cedar.h>

#include <stdlib.h>

#include "tap.h"


#define ENOUGH  4096


static uint64_t  block[ENOUGH / 8], scratch[ENOUGH / 8];


static const char  schema[] =
    "entity User { age: Long }; entity Doc;\n"
    "action read, write appliesTo { principal: User, resource: Doc,\n"
    "    context: { tags: Set<String> } };";

static const char  policies[] =
    "@id(\"adult\") @basis(\"art. 1\")\n"
    "permit (principal, action, resource) when { principal.age >= 18 };\n"
    "@id(\"tagged\")\n"
    "permit (principal, action, resource)\n"
    "when { context.tags.contains(\"open\") };\n"
    "forbid (principal == User::\"eve\", action, resource);\n"
    "forbid (principal, action == Action::\"write\", resource)\n"
    "when { principal.age + 9223372036854775000 > 0 };";


static cedar_set_t *
load(const char *name, const char *text, bool ids)
{
    cedar_set_t    *set;
    emage_error_t   err;

    if (cedar_set_create(&set, &(cedar_options_t) { 0, ids }, &err)
        != EMAGE_OK
        || cedar_set_add_schema(set, emage_str("s"), emage_str_c(schema),
                                &err) != EMAGE_OK
        || cedar_set_add_policies(set, emage_str_c(name), emage_str_c(text),
                                  &err) != EMAGE_OK
        || cedar_set_finish(set, &err) != EMAGE_OK)
    {
        printf("# %s\n", err.text);
        exit(1);
    }

    return set;
}


static void
build(cedar_set_t *set, cedar_request_t *req, const char *who,
    const char *action, int64_t age, size_t tags)
{
    size_t           i;
    cedar_record_t  *rec;
    cedar_symbol_t   user;
    emage_str_t      list[32];

    cedar_request_reset(req);
    user = cedar_set_symbol(set, emage_str("User"));

    cedar_request_principal(req, user, emage_str_c(who));
    cedar_request_action(req, cedar_set_symbol(set, emage_str("Action")),
                         emage_str_c(action));
    cedar_request_resource(req, cedar_set_symbol(set, emage_str("Doc")),
                           emage_str("d"));

    rec = cedar_request_entity(req, user, emage_str_c(who));
    cedar_record_long(rec, cedar_set_symbol(set, emage_str("age")), age);

    for (i = 0; i < tags; i++) {
        list[i] = (i == tags / 2) ? emage_str("open") : emage_str("x");
    }

    cedar_record_strings(cedar_request_context(req),
                         cedar_set_symbol(set, emage_str("tags")), list,
                         tags);
}


/* The answer as text, with the sizes of block and scratch given. */

static const char *
ask(cedar_set_t *set, const char *who, const char *action, int64_t age,
    size_t tags, size_t scratch_size)
{
    emage_rc_t        rc;
    emage_buf_t       b;
    cedar_result_t    r;
    cedar_request_t  *req;

    static char       text[512];

    req = cedar_request_create(set, block, sizeof(block));
    build(set, req, who, action, age, tags);

    memset(&r, 0xff, sizeof(r));
    rc = cedar_decide(set, req, NULL, scratch, scratch_size, &r);

    if (rc != EMAGE_OK) {
        return (r.decision == CEDAR_DENY && r.reason_n == 0) ? "failed"
                                                             : "wrong";
    }

    emage_buf_init(&b, sizeof(text) - 1);
    cedar_result_json(set, &r, &b);
    snprintf(text, sizeof(text), "%s", emage_buf_cstr(&b));
    emage_buf_free(&b);

    return text;
}


static void
test_answers(void)
{
    size_t        i;
    const char   *s;
    cedar_set_t  *set;

    set = load("p", policies, true);

    tap_is_str(ask(set, "ann", "read", 20, 0, ENOUGH),
               "{\"decision\":\"allow\",\"reason\":[\"adult\"],"
               "\"errors\":[]}", "one permit");
    tap_is_str(ask(set, "ann", "read", 20, 5, ENOUGH),
               "{\"decision\":\"allow\",\"reason\":[\"adult\",\"tagged\"],"
               "\"errors\":[]}", "two permits");
    tap_is_str(ask(set, "ann", "read", 2, 0, ENOUGH),
               "{\"decision\":\"deny\",\"reason\":[],\"errors\":[]}",
               "default deny");
    tap_is_str(ask(set, "eve", "read", 20, 5, ENOUGH),
               "{\"decision\":\"deny\",\"reason\":[\"policy2\"],"
               "\"errors\":[]}", "forbid overrides permit");
    tap_is_str(ask(set, "ann", "write", 20, 0, ENOUGH),
               "{\"decision\":\"deny\",\"reason\":[\"policy3\"],"
               "\"errors\":[]}", "forbid with a condition");
    tap_is_str(ask(set, "ann", "write", 5000, 0, ENOUGH),
               "{\"decision\":\"allow\",\"reason\":[\"adult\"],"
               "\"errors\":[\"policy3\"]}",
               "a forbid that fails is skipped and listed");
    tap_is_str(ask(set, "ann", "fly", 20, 0, ENOUGH),
               "{\"decision\":\"allow\",\"reason\":[\"adult\"],"
               "\"errors\":[]}", "an action the schema does not know");

    for (i = 0; i < 64; i += 8) {
        s = ask(set, "ann", "read", 20, 0, i);

        if (strcmp(s, "failed") != 0) {
            break;
        }
    }

    tap_ok(i > 0 && strcmp(s, "wrong") != 0, "small scratch denies");
    cedar_set_destroy(set);

    set = load("p", policies, false);
    tap_is_str(ask(set, "ann", "read", 20, 5, ENOUGH),
               "{\"decision\":\"allow\",\"reason\":[\"policy0\","
               "\"policy1\"],\"errors\":[]}", "Cedar's own ids");
    cedar_set_destroy(set);
}


static void
test_spoilt(void)
{
    size_t            i, n;
    cedar_set_t      *set;
    cedar_result_t    r;
    cedar_record_t   *rec;
    cedar_request_t  *req;

    set = load("p", policies, true);

    tap_ok(cedar_request_create(set, block, 512) == NULL, "tiny block");
    tap_ok(cedar_request_create(set, (char *) block + 1, 2048) == NULL,
           "block that is not aligned");

    /* every size either holds all or denies */

    for (i = 1024, n = 0; i <= sizeof(block); i += 8) {
        req = cedar_request_create(set, block, i);

        if (req == NULL) {
            continue;
        }

        build(set, req, "ann", "read", 20, 20);

        if (cedar_request_spoilt(req)) {
            n++;

            if (cedar_decide(set, req, NULL, scratch, ENOUGH, &r)
                != EMAGE_NOMEM || r.decision != CEDAR_DENY)
            {
                break;
            }
        }
    }

    tap_ok(i > sizeof(block) && n > 0, "blocks too small deny");

    req = cedar_request_create(set, block, sizeof(block));

    build(set, req, "ann", "read", 20, 0);
    cedar_record_bool(cedar_request_context(req), CEDAR_NO_SYMBOL, true);
    tap_ok(cedar_request_spoilt(req)
           && cedar_decide(set, req, NULL, scratch, ENOUGH, &r)
              == EMAGE_NOMEM, "no symbol spoils");

    build(set, req, "ann", "read", 20, 0);
    tap_ok(!cedar_request_spoilt(req)
           && cedar_decide(set, req, NULL, scratch, ENOUGH, &r) == EMAGE_OK,
           "reset heals");

    cedar_record_ip(cedar_request_context(req),
                    cedar_set_symbol(set, emage_str("tags")),
                    emage_str("1.2.3"));
    tap_ok(cedar_request_spoilt(req), "bad address spoils");

    cedar_request_reset(req);
    tap_ok(cedar_decide(set, req, NULL, scratch, ENOUGH, &r) == EMAGE_ERROR
           && r.decision == CEDAR_DENY, "no principal: nothing decided");

    rec = cedar_request_context(req);

    for (i = 0; i < 200; i++) {
        rec = cedar_record_record(rec, cedar_set_symbol(set,
                                                        emage_str("tags")));
    }

    tap_ok(cedar_request_spoilt(req), "records nested too deep spoil");

    cedar_request_reset(req);
    cedar_request_parent(cedar_request_context(req), 1, emage_str("x"));
    tap_ok(cedar_request_spoilt(req), "the context has no parents");

    cedar_set_destroy(set);
}


static void
test_set(void)
{
    char             digest[65];
    uint32_t         line;
    cedar_set_t     *set;
    emage_str_t      s;
    emage_error_t    err;

    set = load("p", policies, true);

    tap_ok(cedar_policy_count(set) == 4, "four policies");
    tap_ok(emage_str_eq(cedar_policy_id(set, 0), emage_str("adult"))
           && emage_str_eq(cedar_policy_id(set, 3), emage_str("policy3"))
           && cedar_policy_id(set, 4).len == 0, "their ids");
    tap_ok(cedar_policy_annotation(set, 0, emage_str("basis"), &s)
           && emage_str_eq(s, emage_str("art. 1"))
           && !cedar_policy_annotation(set, 1, emage_str("basis"), &s),
           "annotations");
    tap_ok(cedar_policy_effect(set, 0) == CEDAR_PERMIT
           && cedar_policy_effect(set, 2) == CEDAR_FORBID, "effects");

    cedar_policy_place(set, 1, &s, &line);
    tap_ok(emage_str_eq(s, emage_str("p")) && line == 4, "places");

    tap_ok(cedar_set_symbol(set, emage_str("age")) != CEDAR_NO_SYMBOL
           && cedar_set_symbol(set, emage_str("nope")) == CEDAR_NO_SYMBOL,
           "no new names once finished");
    tap_ok(cedar_set_add_policies(set, emage_str("q"), emage_str(""), &err)
           == EMAGE_ERROR && cedar_set_finish(set, &err) == EMAGE_ERROR,
           "nothing can be added once finished");

    snprintf(digest, sizeof(digest), "%s", cedar_set_digest(set));
    tap_ok(strlen(digest) == 64 && strspn(digest, "0123456789abcdef") == 64,
           "digest");
    cedar_set_destroy(set);

    set = load("p", policies, false);
    tap_is_str(cedar_set_digest(set), digest, "the same texts, the same");
    cedar_set_destroy(set);

    set = load("q", policies, true);
    tap_ok(strcmp(cedar_set_digest(set), digest) != 0, "another name");
    cedar_set_destroy(set);
}


static const char *
fault(const char *schema_text, const char *text)
{
    emage_rc_t            rc;
    cedar_set_t          *set;

    static emage_error_t  err;

    err.text[0] = '\0';
    rc = cedar_set_create(&set, &(cedar_options_t) { 1000000, true }, &err);

    if (rc == EMAGE_OK) {
        rc = cedar_set_add_schema(set, emage_str("s"),
                                  emage_str_c(schema_text), &err);
    }

    if (rc == EMAGE_OK) {
        rc = cedar_set_add_policies(set, emage_str("p"), emage_str_c(text),
                                    &err);
    }

    if (rc == EMAGE_OK) {
        rc = cedar_set_finish(set, &err);
    }

    cedar_set_destroy(set);

    return (rc == EMAGE_OK) ? "fine" : err.text;
}


static void
test_faults(void)
{
    int          i;
    char        *deep, *wide;

    tap_is_str(fault("", ""), "fine", "empty texts");
    tap_is_str(fault("", "permit (principal == ?principal, action, resource"
                     ");"), "fine", "templates");
    tap_is_str(fault("", "\n permit (principal, action, resource) when {"
                     " };"), "p:2:46: the condition is empty; write one, or "
               "remove \"when { }\"", "empty condition");
    tap_is_str(fault("entity A { x: B };", ""),
               "s:1:15: no such type: \"B\"; declare it or correct the name",
               "unknown type");
    tap_is_str(fault("type A = {b: B}; type B = Set<A>;", ""),
               "s:1:10: this type is made of itself; break the circle",
               "types in a circle");
    tap_is_str(fault("action a in b; action b in a;", ""),
               "s:1:8: this action is in itself; break the circle",
               "actions in a circle");
    tap_is_str(fault("entity A; entity A;", ""),
               "s:1:18: entity type \"A\" declared twice; remove one",
               "declared twice");

    deep = malloc(100001);
    wide = malloc(1200001);

    if (deep == NULL || wide == NULL) {
        exit(1);
    }

    for (i = 0; i < 100000; i++) {
        deep[i] = "([{!-"[i % 3 == 2 ? 0 : i % 2];
    }

    memcpy(deep, "permit(principal,action,resource) when {", 40);
    deep[100000] = '\0';
    tap_ok(strstr(fault("", deep), "nested deeper than 100 levels") != NULL,
           "deep nesting is refused");

    memset(wide, ' ', 1200000);
    memcpy(wide, "permit(principal,action,resource) when {", 40);

    for (i = 40; i + 6 < 30000; i += 6) {
        memcpy(wide + i, "true&&", 6);
    }

    wide[30000] = '\0';
    tap_ok(strstr(fault("", wide), "operators in a row") != NULL,
           "so is a long row");

    for (i = 0; i + 14 < 1200000; i += 14) {
        memcpy(wide + i, "@a(\"aaaaaaaa\")", 14);
    }

    wide[1200000] = '\0';
    tap_ok(strstr(fault("", wide), "over the limit of 1000000 bytes")
           != NULL, "the cap of the set holds");

    free(deep);
    free(wide);
}


int
main(void)
{
    test_answers();
    test_spoilt();
    test_set();
    test_faults();

    return tap_done();
}
