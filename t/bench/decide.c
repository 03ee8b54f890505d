
/*
 * Copyright (C) The e-mage authors
 *
 * Decisions a second, all kinds of content together, for the cases that
 * matter; and facts parsed a second.  By CPU time: the machine may be busy.
 */


#include "../unit/consent_fixture.h"

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


int
main(void)
{
    int               i;
    size_t            n;
    double            start;
    emage_error_t     err;
    emage_facts_t    *facts;
    emage_policy_t   *policy;
    emage_scratch_t  *scratch;
    emage_subject_t   subject;
    emage_verdict_t   v;

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

        start = seconds();

        for (i = 0; i < ROUNDS; i++) {
            if (emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW, NOW,
                             scratch, &v) != EMAGE_OK)
            {
                return 1;
            }
        }

        printf("%-32s %9.0f /s   permits %02x\n", cases[n].name,
               ROUNDS / (seconds() - start), v.permits);

        emage_facts_free(facts);
    }

    bench_parse();

    emage_scratch_free(scratch);
    emage_policy_free(policy);

    return 0;
}
