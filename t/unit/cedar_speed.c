/*
 * Copyright (C) The e-mage authors
 *
 * The shipped policies, asked without JSON as the module asks them: the same
 * answer every time, and how many a second.
 */


#include <emage/cedar.h>

#include <stdlib.h>
#include <time.h>

#include "tap.h"


#define ROUNDS  200000


typedef struct {
    cedar_symbol_t  professional;
    cedar_symbol_t  study;
    cedar_symbol_t  action;
    cedar_symbol_t  names[17];
} symbols_t;


static const char  *names[] = {
    "profession", "confidentiality", "state", "masked", "hiddenPatient",
    "hiddenRepresentatives", "quarantined", "released", "content", "status",
    "purpose", "relation", "override", "excluded", "inclusion", "sharing",
    "emergencyExcluded"
};


static void
build(cedar_request_t *req, const symbols_t *s, cedar_symbol_t erasure,
    const char *sharing)
{
    cedar_record_t        *rec;
    const cedar_symbol_t  *n;

    n = s->names;
    cedar_request_reset(req);
    cedar_request_principal(req, s->professional, emage_str("899700000001"));
    cedar_request_action(req, s->action, emage_str("view"));
    cedar_request_resource(req, s->study, emage_str("1.2.840.1.99"));

    rec = cedar_request_entity(req, s->professional,
                               emage_str("899700000001"));
    cedar_record_string(rec, n[0], emage_str("physician"));

    rec = cedar_request_entity(req, s->study, emage_str("1.2.840.1.99"));
    cedar_record_string(rec, n[1], emage_str("N"));
    cedar_record_string(rec, n[2], emage_str("active"));
    cedar_record_bool(rec, n[3], false);
    cedar_record_bool(rec, n[4], false);
    cedar_record_bool(rec, n[5], false);
    cedar_record_bool(rec, n[6], false);
    cedar_record_bool(rec, n[7], true);

    rec = cedar_request_context(req);
    cedar_record_string(rec, n[8], emage_str("image"));
    cedar_record_string(rec, n[9], emage_str("none"));
    cedar_record_string(rec, n[10], emage_str("TREAT"));
    cedar_record_string(rec, n[11], emage_str("named"));
    cedar_record_string(rec, n[12], emage_str("none"));
    cedar_record_bool(rec, n[13], false);
    cedar_record_string(rec, n[14], emage_str("given"));
    cedar_record_string(rec, n[15], emage_str_c(sharing));
    cedar_record_bool(rec, n[16], false);
    cedar_record_string(rec, erasure, emage_str("none"));
}


int
main(void)
{
    int               i, wrong;
    double            ns;
    symbols_t         s;
    cedar_set_t      *set;
    emage_error_t     err;
    cedar_result_t    r;
    cedar_symbol_t    erasure;
    cedar_request_t  *req;
    struct timespec   a, b;

    static uint64_t   block[2048], scratch[2048];

    err.text[0] = '\0';

    if (!tap_ok(cedar_set_create(&set, &(cedar_options_t) { 0, true }, &err)
                == EMAGE_OK
                && cedar_set_add_directory(set, "conf/policy", &err)
                   == EMAGE_OK
                && cedar_set_finish(set, &err) == EMAGE_OK,
                "the shipped policies load: %s", err.text))
    {
        return tap_done();
    }

    s.professional = cedar_set_symbol(set, emage_str("Emage::Professional"));
    s.study = cedar_set_symbol(set, emage_str("Emage::Study"));
    s.action = cedar_set_symbol(set, emage_str("Emage::Action"));
    erasure = cedar_set_symbol(set, emage_str("erasure"));

    for (i = 0; i < 17; i++) {
        s.names[i] = cedar_set_symbol(set, emage_str_c(names[i]));
    }

    req = cedar_request_create(set, block, sizeof(block));

    build(req, &s, erasure, "active");
    tap_ok(cedar_decide(set, req, NULL, scratch, sizeof(scratch), &r)
           == EMAGE_OK && r.decision == CEDAR_ALLOW && r.errors_n == 0
           && r.reason_n == 1, "care team, sharing active: allowed");

    build(req, &s, erasure, "withdrawn");
    tap_ok(cedar_decide(set, req, NULL, scratch, sizeof(scratch), &r)
           == EMAGE_OK && r.decision == CEDAR_DENY && r.errors_n == 0,
           "withdrawn: denied");

    clock_gettime(CLOCK_MONOTONIC, &a);

    for (i = 0, wrong = 0; i < ROUNDS; i++) {
        build(req, &s, erasure, (i & 1) ? "active" : "withdrawn");
        wrong += cedar_decide(set, req, NULL, scratch, sizeof(scratch), &r)
                 != EMAGE_OK
                 || r.decision != ((i & 1) ? CEDAR_ALLOW : CEDAR_DENY);
    }

    clock_gettime(CLOCK_MONOTONIC, &b);

    ns = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / ROUNDS;
    tap_ok(wrong == 0, "%d requests built and decided alike", ROUNDS);
    printf("# %zu policies: %.0f ns each, %.0f a second\n",
           cedar_policy_count(set), ns, 1e9 / ns);

    clock_gettime(CLOCK_MONOTONIC, &a);

    for (i = 0; i < ROUNDS; i++) {
        (void) cedar_decide(set, req, NULL, scratch, sizeof(scratch), &r);
    }

    clock_gettime(CLOCK_MONOTONIC, &b);

    ns = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / ROUNDS;
    printf("# decided alone: %.0f ns, %.0f a second\n", ns, 1e9 / ns);

    cedar_set_destroy(set);

    return tap_done();
}
