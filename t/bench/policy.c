/*
 * Copyright (C) The e-mage authors
 *
 * Decisions a second of the Cedar engine: the shipped policies, and sets of
 * 10 and 10,000 policies of the same kinds.  By CPU time, one thread.
 */


#include <emage/cedar.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define ROUNDS   2000000
#define SAMPLES  200000
#define ASKED    1000


typedef struct {
    cedar_set_t      *set;
    cedar_request_t  *req[ASKED];
    char              id[ASKED][2][24];
    unsigned          n;
} bench_t;


static uint64_t  blocks[ASKED][512];
static uint64_t  scratch[2048];
static double    samples[SAMPLES];


static double
now(clockid_t clock)
{
    struct timespec  ts;

    (void) clock_gettime(clock, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static int
by_size(const void *one, const void *two)
{
    const double  *a = one, *b = two;

    return (*a > *b) - (*a < *b);
}


/* The rate, and the time of one decision of a hundred that takes longest. */

static double
measure(const char *name, bench_t *b)
{
    unsigned        i;
    double          start, rate;
    cedar_result_t  r;

    start = now(CLOCK_PROCESS_CPUTIME_ID);

    for (i = 0; i < ROUNDS; i++) {
        if (cedar_decide(b->set, b->req[i % b->n], NULL, scratch,
                         sizeof(scratch), &r) != EMAGE_OK
            || r.decision != CEDAR_ALLOW || r.errors_n != 0)
        {
            printf("%s: not allowed\n", name);
            exit(1);
        }
    }

    rate = ROUNDS / (now(CLOCK_PROCESS_CPUTIME_ID) - start);

    for (i = 0; i < SAMPLES; i++) {
        start = now(CLOCK_MONOTONIC);
        (void) cedar_decide(b->set, b->req[i % b->n], NULL, scratch,
                            sizeof(scratch), &r);
        samples[i] = now(CLOCK_MONOTONIC) - start;
    }

    qsort(samples, SAMPLES, sizeof(double), by_size);

    printf("%-34s %10.0f /s  %6.0f ns  p99 %6.0f ns\n", name, rate,
           1e9 / rate, samples[SAMPLES / 100 * 99] * 1e9);

    return rate;
}


static void
finish(bench_t *b, emage_error_t *err, emage_rc_t rc)
{
    if (rc != EMAGE_OK || cedar_set_finish(b->set, err) != EMAGE_OK) {
        printf("%s\n", err->text);
        exit(1);
    }
}


static cedar_symbol_t
sym(const bench_t *b, const char *name)
{
    return cedar_set_symbol(b->set, emage_str_c(name));
}


static void
text(const bench_t *b, cedar_record_t *rec, const char *name,
    const char *value)
{
    cedar_record_string(rec, sym(b, name), emage_str_c(value));
}


static void
shipped(void)
{
    size_t           i;
    bench_t          b;
    emage_error_t    err;
    cedar_record_t  *rec;

    static const char  *const  of_study[] = {
        "masked", "hiddenPatient", "hiddenRepresentatives", "quarantined",
        "released"
    };
    static const char  *const  of_context[][2] = {
        { "content", "image" }, { "status", "none" }, { "purpose", "TREAT" },
        { "relation", "named" }, { "override", "none" },
        { "inclusion", "given" }, { "sharing", "active" },
        { "erasure", "none" }
    };

    if (cedar_set_create(&b.set, NULL, &err) != EMAGE_OK) {
        exit(1);
    }

    finish(&b, &err, cedar_set_add_directory(b.set, "conf/policy", &err));

    b.n = 1;
    b.req[0] = cedar_request_create(b.set, blocks, sizeof(blocks));

    cedar_request_principal(b.req[0], sym(&b, "Emage::Professional"),
                            emage_str("899700000001"));
    cedar_request_action(b.req[0], sym(&b, "Emage::Action"),
                         emage_str("view"));
    cedar_request_resource(b.req[0], sym(&b, "Emage::Study"),
                           emage_str("1.2.840.1.99"));

    rec = cedar_request_entity(b.req[0], sym(&b, "Emage::Professional"),
                               emage_str("899700000001"));
    text(&b, rec, "profession", "physician");

    rec = cedar_request_entity(b.req[0], sym(&b, "Emage::Study"),
                               emage_str("1.2.840.1.99"));
    text(&b, rec, "confidentiality", "N");
    text(&b, rec, "state", "active");

    for (i = 0; i < sizeof(of_study) / sizeof(of_study[0]); i++) {
        cedar_record_bool(rec, sym(&b, of_study[i]), i == 4);
    }

    rec = cedar_request_context(b.req[0]);
    cedar_record_bool(rec, sym(&b, "excluded"), false);
    cedar_record_bool(rec, sym(&b, "emergencyExcluded"), false);

    for (i = 0; i < sizeof(of_context) / sizeof(of_context[0]); i++) {
        text(&b, rec, of_context[i][0], of_context[i][1]);
    }

    (void) measure("shipped policies", &b);
    cedar_set_destroy(b.set);
}


/*
 * `n` policies: of ten, one for everybody, and the others each for one team
 * and one folder, which users and documents are in.
 */

static double
many(unsigned n)
{
    char             name[40], line[256];
    double           rate;
    unsigned         i;
    bench_t          b;
    emage_buf_t      t;
    emage_error_t    err;
    cedar_record_t  *rec;

    static const char  schema[] =
        "entity Team, Folder; entity User in [Team] { grade: Long };\n"
        "entity Doc in [Folder] { open: Bool };\n"
        "action view appliesTo { principal: [User], resource: [Doc],\n"
        "    context: { purpose: String } };";

    if (cedar_set_create(&b.set, NULL, &err) != EMAGE_OK) {
        exit(1);
    }

    emage_buf_init(&t, CEDAR_MAX_TEXT);

    (void) emage_buf_add_c(&t, "forbid (principal, action, resource is Doc) "
                           "when { context.purpose == \"none\" };\n");

    for (i = 1; i < n; i++) {
        snprintf(line, sizeof(line), "permit (principal in Team::\"team%u\", "
                 "action == Action::\"view\", resource in Folder::\"folder%u\")"
                 " when { principal.grade > %u && resource.open };\n", i, i,
                 i % 7);
        (void) emage_buf_add_c(&t, line);
    }

    finish(&b, &err, cedar_set_add_schema(b.set, emage_str("s"),
                                          emage_str_c(schema), &err)
                     == EMAGE_OK
                     ? cedar_set_add_policies(b.set, emage_str("p"),
                                              (emage_str_t) { t.data, t.len },
                                              &err) : EMAGE_ERROR);
    emage_buf_free(&t);

    for (i = 0, b.n = ASKED; i < ASKED; i++) {
        unsigned  k = 1 + i * 7919u % (n - 1);

        snprintf(b.id[i][0], sizeof(b.id[i][0]), "team%u", k);
        snprintf(b.id[i][1], sizeof(b.id[i][1]), "folder%u", k);

        b.req[i] = cedar_request_create(b.set, blocks[i], sizeof(blocks[i]));

        cedar_request_principal(b.req[i], sym(&b, "User"), emage_str("u"));
        cedar_request_action(b.req[i], sym(&b, "Action"), emage_str("view"));
        cedar_request_resource(b.req[i], sym(&b, "Doc"), emage_str("d"));

        rec = cedar_request_entity(b.req[i], sym(&b, "User"),
                                   emage_str("u"));
        cedar_record_long(rec, sym(&b, "grade"), 9);
        cedar_request_parent(rec, sym(&b, "Team"),
                             emage_str_c(b.id[i][0]));

        rec = cedar_request_entity(b.req[i], sym(&b, "Doc"), emage_str("d"));
        cedar_record_bool(rec, sym(&b, "open"), true);
        cedar_request_parent(rec, sym(&b, "Folder"),
                             emage_str_c(b.id[i][1]));

        text(&b, cedar_request_context(b.req[i]), "purpose", "care");
    }

    snprintf(name, sizeof(name), "%u policies, %u requests", n, b.n);
    rate = measure(name, &b);
    cedar_set_destroy(b.set);

    return rate;
}


int
main(void)
{
    double  few, all;

    shipped();
    few = many(10);
    all = many(10000);

    printf("10000 policies take %.2f times the time of 10\n", few / all);

    return 0;
}
