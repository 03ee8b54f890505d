/*
 * Copyright (C) The e-mage authors
 *
 * Out of memory anywhere between loading and deciding: every function fails
 * cleanly, nothing leaks, and nothing is permitted that was not.
 */


#include <emage/cedar.h>

/* seen by the libraries as well */

#pragma GCC visibility push(default)
#include "oom.h"
#pragma GCC visibility pop

#include "tap.h"


static const char  schema[] =
    "namespace N { type T = { a: Long, b?: Set<String> };\n"
    "entity G enum [\"x\", \"y\"]; entity Team in [Team];\n"
    "entity User in [Team] { age: Long, t: T, ip?: ipaddr } tags String;\n"
    "action all; action read, write in [all] appliesTo {\n"
    "    principal: [User], resource: [User, Team], context: { k: T } }; }";

static const char  policies[] =
    "@id(\"one\") @basis(\"b\")\n"
    "permit (principal in N::Team::\"a\", action in N::Action::\"all\",\n"
    "    resource is N::Team)\n"
    "when { principal.t has b && principal.t.b.contains(\"x\")\n"
    "    && {q: principal.age, r: [1, 2, principal.age]} != {}\n"
    "    && principal has ip && principal.ip.isInRange(ip(\"10.0.0.0/8\"))\n"
    "    && principal.hasTag(\"t\") && principal.getTag(\"t\") like \"v*\" }\n"
    "unless { context.k.a == principal.age };\n"
    "@id(\"two\")\n"
    "forbid (principal, action == N::Action::\"write\", resource)\n"
    "when { principal.nope };";

static const char  entities[] =
    "[{\"uid\": {\"type\": \"N::User\", \"id\": \"u\"},"
    "  \"attrs\": {\"age\": 3, \"t\": {\"a\": 1, \"b\": [\"x\", \"y\"]},"
    "  \"ip\": \"10.1.1.1\"}, \"tags\": {\"t\": \"v1\"},"
    "  \"parents\": [{\"type\": \"N::Team\", \"id\": \"b\"}]},"
    " {\"uid\": {\"type\": \"N::Team\", \"id\": \"b\"}, \"attrs\": {},"
    "  \"parents\": [{\"type\": \"N::Team\", \"id\": \"a\"}]}]";

static const char  requests[] =
    "[{\"name\": \"\\u0000\","
    "  \"request\": {\"principal\": {\"type\": \"N::User\", \"id\": \"u\"},"
    "  \"action\": {\"type\": \"N::Action\", \"id\": \"read\"},"
    "  \"resource\": {\"type\": \"N::Team\", \"id\": \"z\"},"
    "  \"context\": {\"k\": {\"a\": 1}}},"
    "  \"decision\": \"allow\", \"reason\": [\"one\"], \"errors\": []}]";


/* 1: as it should be; 0: failed for want of memory; -1: wrong. */

static int
once(emage_error_t *err)
{
    int                   rc;
    emage_buf_t           b;
    cedar_set_t          *set;
    cedar_cases_t        *cases;
    cedar_result_t        r;
    cedar_entities_t     *ents;
    const cedar_case_t   *c;

    static uint64_t       scratch[512];

    rc = 0;
    ents = NULL;
    cases = NULL;
    emage_buf_init(&b, 1000);

    if (cedar_set_create(&set, &(cedar_options_t) { 0, true }, err)
        != EMAGE_OK)
    {
        return 0;
    }

    if (cedar_set_add_schema(set, emage_str("s"), emage_str_c(schema), err)
        != EMAGE_OK
        || cedar_set_add_policies(set, emage_str("p"), emage_str_c(policies),
                                  err) != EMAGE_OK
        || cedar_set_finish(set, err) != EMAGE_OK
        || cedar_entities_load(set, emage_str("e"), emage_str_c(entities),
                               &ents, err) != EMAGE_OK
        || cedar_cases_load(set, ents, emage_str("r"), emage_str_c(requests),
                            &cases, err) != EMAGE_OK)
    {
        goto done;
    }

    /* "two" reads an attribute that the schema does not have */

    switch (cedar_set_validate(set, NULL, NULL)) {

    case EMAGE_OK:
        rc = -1;
        goto done;

    case EMAGE_ERROR:
        break;

    default:
        goto done;
    }

    c = cedar_cases_at(cases, 0);

    rc = (cedar_decide(set, c->request, c->entities, scratch,
                       sizeof(scratch), &r) == EMAGE_OK
          && cedar_case_agrees(set, c, &r)) ? 1 : -1;

    if (rc == 1 && cedar_result_json(set, &r, &b) != EMAGE_OK) {
        rc = 0;
    }

done:

    emage_buf_free(&b);
    cedar_cases_destroy(cases);
    cedar_entities_destroy(ents);
    cedar_set_destroy(set);

    return rc;
}


static void
loop(bool all, const char *name)
{
    int             rc;
    long            n, live, wrong, leaks;
    emage_error_t   err;

    wrong = 0;
    leaks = 0;

    for (n = 0; n < 100000; n++) {
        err.text[0] = '\0';
        live = oom_live;
        oom_all = all;
        oom_after = n;

        rc = once(&err);

        leaks += (oom_live != live);

        /* some failures do no harm: end when none came */

        if (rc == 1 && oom_after > 0) {
            break;
        }

        oom_after = -1;

        wrong += (rc == -1);
    }

    oom_after = -1;

    tap_ok(rc == 1 && n > 10, "%s: failed %ld times, then passed", name, n);
    tap_ok(wrong == 0, "%s: never wrong", name);

    /* OpenSSL keeps its list of errors once it had one to tell */

    tap_ok(leaks <= 1, "%s: nothing leaks (%ld)", name, leaks);
}


int
main(void)
{
    emage_error_t  err;

    err.text[0] = '\0';

    if (!tap_ok(once(&err) == 1, "passes with enough memory %s", err.text)) {
        return tap_done();
    }

    if (OOM_READY) {
        loop(false, "one failure");
        loop(true, "all later ones fail");
    }

    return tap_done();
}
