
/*
 * Copyright (C) The e-mage authors
 *
 * Decisions a second, all kinds of content together, evaluated anew and asked
 * again, for the cases that
 * matter; and facts parsed a second.  By CPU time: the machine may be busy.
 */


#include "../unit/consent_fixture.h"
#include "../../policy/consent/policy_core.h"

#include <time.h>


#define ROUNDS  300000


typedef struct {
    const char            *name;
    fixture_t              f;
    emage_subject_kind_t   kind;
    const char            *id;
} case_t;


#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const case_t  cases[] = {
    { "care team, one final report",
      { .reports = REPORT("1.3", "final"),
        .relations = RELATION("team", TEAM) },
      EMAGE_SUBJECT_PROFESSIONAL, ME },
    { "care team, all statuses",
      { .reports = REPORTS, .relations = RELATION("team", TEAM) },
      EMAGE_SUBJECT_PROFESSIONAL, ME },
    { "stranger", { .reports = REPORT("1.3", "final") },
      EMAGE_SUBJECT_PROFESSIONAL, "urn:people|9" },
    { "withdrawn", { .sharing = "withdrawn",
                     .relations = RELATION("team", TEAM) },
      EMAGE_SUBJECT_PROFESSIONAL, ME },
    { "break-glass", { .sharing = "none", .overrides = OVERRIDE_NOW("BTG") },
      EMAGE_SUBJECT_PROFESSIONAL, ME },
    { "patient", { .reports = REPORT("1.3", "final") },
      EMAGE_SUBJECT_PATIENT, "ins|42" }
};


static double
seconds(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static void
bench_parse(void)
{
    int              i;
    char             study[16384], patient[16384];
    double           start;
    emage_error_t    err;
    emage_facts_t   *facts;

    fixture_text(&cases[1].f, study, patient, sizeof(study));
    start = seconds();

    for (i = 0; i < ROUNDS / 10; i++) {
        if (emage_facts_parse(emage_str_c(study), emage_str_c(patient),
                              &facts, &err) != EMAGE_OK)
        {
            printf("facts: %s\n", err.text);
            return;
        }

        emage_facts_free(facts);
    }

    printf("%-32s %9.0f /s\n", "facts parsed",
           ROUNDS / 10 / (seconds() - start));
}


static double
bench_decide(const emage_policy_t *policy, emage_scratch_t *scratch,
    const emage_facts_t *facts, const emage_subject_t *subject, bool anew,
    unsigned *permits)
{
    int               i;
    double            start;
    emage_memo_t     *slot;
    emage_verdict_t   v;

    for (i = 0; i < EMAGE_MEMO_SLOTS; i++) {
        scratch->memo[i].used = false;
    }

    slot = NULL;
    (void) emage_decide(policy, facts, subject, EMAGE_ACTION_VIEW, NOW,
                        scratch, &v);

    for (i = 0; i < EMAGE_MEMO_SLOTS; i++) {
        if (scratch->memo[i].used) {
            slot = &scratch->memo[i];
        }
    }

    start = seconds();

    for (i = 0; i < ROUNDS; i++) {

        if (anew && slot != NULL) {
            slot->used = false;
        }

        if (emage_decide(policy, facts, subject, EMAGE_ACTION_VIEW, NOW,
                         scratch, &v) != EMAGE_OK)
        {
            exit(1);
        }
    }

    *permits = v.permits;

    return ROUNDS / (seconds() - start);
}


int
main(void)
{
    size_t            n;
    double            anew, again;
    unsigned          permits;
    emage_error_t     err;
    emage_facts_t    *facts;
    emage_policy_t   *policy;
    emage_scratch_t  *scratch;
    emage_subject_t   subject;

    if (emage_policy_load("conf/policy", &policy, &err) != EMAGE_OK) {
        printf("policy: %s\n", err.text);
        return 1;
    }

    scratch = emage_scratch_create(policy);
    if (scratch == NULL) {
        return 1;
    }

    memset(&subject, 0, sizeof(subject));

    subject.profession = emage_str("physician");
    subject.purpose = emage_str("TREAT");
    subject.organisation = emage_str(ORG);
    subject.teams[0] = emage_str(TEAM);
    subject.nteams = 1;

    for (n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {

        if (fixture_parse(&cases[n].f, &facts, &err) != EMAGE_OK) {
            printf("facts: %s\n", err.text);
            return 1;
        }

        subject.kind = cases[n].kind;
        subject.id = emage_str_c(cases[n].id);

        anew = bench_decide(policy, scratch, facts, &subject, true, &permits);
        again = bench_decide(policy, scratch, facts, &subject, false,
                             &permits);

        printf("%-32s %9.0f /s anew, %9.0f /s again   permits %02x\n",
               cases[n].name, anew, again, permits);

        emage_facts_free(facts);
    }

    bench_parse();

    emage_scratch_free(scratch);
    emage_policy_free(policy);

    return 0;
}
