
/*
 * Copyright (C) The e-mage authors
 *
 * Facts: what is not exactly a record permits nothing, whatever is wrong with
 * it; and every allocation of parsing and deciding may fail.
 */


#include "oom.h"

#include <jansson.h>

#include "consent_fixture.h"
#include "tap.h"


static emage_rc_t parse(const char *study, const char *patient);
static void check_members(const char *what, bool study);
static char *without(const char *text, const char *name);
static char *replaced(const char *text, const char *old, const char *new);
static void check_lies(void);
static void check_needs(void);
static void check_unknown(void);
static void check_truncated(void);
static void check_oom(void);
static void check_oom_decide(void);


static emage_rc_t
parse(const char *study, const char *patient)
{
    emage_rc_t      rc;
    emage_error_t   err;
    emage_facts_t  *facts;

    rc = emage_facts_parse(emage_str_c(study), emage_str_c(patient), &facts,
                           &err);

    if (rc == EMAGE_OK) {
        emage_facts_free(facts);
    }

    return rc;
}


/* The text without member `name` and its value; NULL if it is not there. */

static char *
without(const char *text, const char *name)
{
    int          depth;
    char         quoted[80], *copy;
    bool         string;
    const char  *at, *p;

    (void) snprintf(quoted, sizeof(quoted), "\"%s\":", name);

    at = strstr(text, quoted);
    if (at == NULL) {
        return NULL;
    }

    depth = 0;
    string = false;

    for (p = at + strlen(quoted); *p != '\0'; p++) {
        if (*p == '"') {
            string = !string;
        }

        if (string) {
            continue;
        }

        if (*p == '{' || *p == '[') {
            depth++;
        }

        if ((*p == '}' || *p == ']') && --depth < 0) {
            break;
        }

        if (*p == ',' && depth == 0) {
            p++;
            break;
        }
    }

    copy = malloc(strlen(text) + 1);

    memcpy(copy, text, (size_t) (at - text));

    if (p[0] == '}' && at[-1] == ',') {
        at--;
    }

    memcpy(copy + (at - text), p, strlen(p) + 1);

    return copy;
}


static char *
replaced(const char *text, const char *old, const char *new)
{
    char        *copy;
    const char  *at;

    at = strstr(text, old);
    if (at == NULL) {
        return NULL;
    }

    copy = malloc(strlen(text) + strlen(new) + 1);

    memcpy(copy, text, (size_t) (at - text));
    (void) snprintf(copy + (at - text), strlen(text) + strlen(new),
                    "%s%s", new, at + strlen(old));

    return copy;
}


static const fixture_t  full = {
    .reports = REPORTS,
    .relations = RELATION_IN("named", ME, "admission", "\"" STUDY "\"",
                             "\"CT\"", "\"20260101\",\"20261231\"", "1",
                             "1790003600000"),
    .exclusions = EXCLUSION("urn:people|2", "5"),
    .overrides = OVERRIDE_NOW("BTG"),
    .extra = ",\"modalities\":[\"CT\"],\"date\":\"20260505\""
};


/* Each member of a record left out, and each spoilt. */

static void
check_members(const char *what, bool study)
{
    char         texts[2][16384], name[64], quoted[80], spoilt[80], *copy;
    bool         ok;
    size_t       n, i, len;
    const char  *p, *end;

    fixture_text(&full, texts[0], texts[1], sizeof(texts[0]));

    tap_ok(parse(texts[0], texts[1]) == EMAGE_OK, "%s: the whole is fine",
           what);

    i = study ? 0 : 1;
    ok = true;
    n = 0;

    for (p = strstr(texts[i], "\""); p != NULL; p = strstr(p, "\"")) {
        end = strchr(p + 1, '"');

        if (end == NULL) {
            break;
        }

        len = (size_t) (end - p - 1);

        if (end[1] != ':' || len >= sizeof(name)) {
            p = end + 1;
            continue;
        }

        memcpy(name, p + 1, len);
        name[len] = '\0';
        p = end + 1;

        (void) snprintf(quoted, sizeof(quoted), "\"%s\":", name);
        (void) snprintf(spoilt, sizeof(spoilt), "\"%s_\":", name);

        copy = replaced(texts[i], quoted, spoilt);

        if (parse(study ? copy : texts[0], study ? texts[1] : copy)
            != EMAGE_ERROR)
        {
            printf("# %s renamed passed\n", name);
            ok = false;
        }

        free(copy);

        if (strcmp(name, "modalities") == 0 || strcmp(name, "date") == 0) {
            continue;
        }

        copy = without(texts[i], name);

        if (parse(study ? copy : texts[0], study ? texts[1] : copy)
            != EMAGE_ERROR)
        {
            printf("# %s left out passed: %s\n", name, copy);
            ok = false;
        }

        free(copy);
        n++;
    }

    tap_ok(ok && n > 15, "%s: each of %zu members left out or renamed is "
           "refused", what, n);
}


static void
check_lies(void)
{
    char    study[16384], patient[16384], *s, *p;
    size_t  i;

    static const char *const  lies[][2] = {
        { "\"version\":3", "\"version\":0" },
        { "\"version\":3", "\"version\":\"3\"" },
        { "\"version\":3", "\"version\":3.5" },
        { "\"version\":5", "\"version\":99999999999999999999" },
        { "\"study\":\"1.2.3\"", "\"study\":\"1.2/3\"" },
        { "\"study\":\"1.2.3\"", "\"study\":\"\"" },
        { "\"pid\":\"0", "\"pid\":\"G" },
        { "\"pid\":\"0", "\"pid\":\"1" },
        { "\"r00000001-abcdef01\"", "\"../etc\"" },
        { "\"r00000001-abcdef01\"", "\"\"" },
        { "\"published\":", "\"published\":-" },
        { "\"status\":\"final\"", "\"status\":\"finale\"" },
        { "\"status\":\"final\"", "\"status\":\"fin\"" },
        { "\"instance\":\"1.3\"", "\"instance\":\"1.2\"" },
        { "\"validated\"", "\"never\"" },
        { "\"confidentiality\":\"N\"", "\"confidentiality\":\"U\"" },
        { "\"masked\":false", "\"masked\":0" },
        { "\"state\":\"active\"", "\"state\":\"activ\"" },
        { "\"quarantine\":\"\"", "\"quarantine\":null" },
        { "\"date\":\"20260505\"", "\"date\":\"2026-05-05\"" },
        { "\"modalities\":[\"CT\"],\"date\"", "\"modalities\":[7],\"date\"" },
        { "\"status\":\"local\"", "\"status\":\"VALI\"" },
        { "\"issuer\":\"ins\"", "\"issuer\":\"in|s\"" },
        { "\"issuer\":\"ins\"", "\"issuer\":\"\"" },
        { "\"inclusion\":\"given\"", "\"inclusion\":\"yes\"" },
        { "\"sharing\":\"active\"", "\"sharing\":\"expired\"" },
        { "\"sharing\":\"active\"", "\"sharing\":\"\"" },
        { "\"how\":\"oral\"", "\"how\":\"guess\"" },
        { "\"kind\":\"named\"", "\"kind\":\"self\"" },
        { "\"basis\":\"admission\"", "\"basis\":\"\"" },
        { "\"subject\":\"" ME "\"", "\"subject\":\"1\"" },
        { "\"subject\":\"" ME "\"", "\"subject\":\"|1\"" },
        { "\"from\":1,", "\"from\":1790003600000," },
        { "\"20260101\",\"20261231\"", "\"20260101\"" },
        { "\"purpose\":\"BTG\"", "\"purpose\":\"TREAT\"" },
        { "\"reason\":\"stroke\"", "\"reason\":\"\"" },
        { "\"emergency_excluded\":false", "\"emergency_excluded\":\"no\"" },
        { "\"tickets\":[]", "\"tickets\":{}" },
        { "\"state\":\"none\"", "\"state\":\"done\"" },
        { "\"version\":5,", "\"version\":5,\"version\":5," },
        { "\"version\":5,", "\"version\":5,\"deleted\":true," },
        { "{\"version\":3", "[{\"version\":3" },
        { "\"stroke\"", "\"str\\u0000oke\"" },
        { "\"stroke\"", "\"str\xffoke\"" }
    };

    fixture_text(&full, study, patient, sizeof(study));

    for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        s = replaced(study, lies[i][0], lies[i][1]);
        p = replaced(patient, lies[i][0], lies[i][1]);

        tap_ok((s != NULL || p != NULL)
               && (s == NULL || parse(s, patient) == EMAGE_ERROR)
               && (p == NULL || parse(study, p) == EMAGE_ERROR),
               "refused: %zu, %s", i, lies[i][0]);

        free(s);
        free(p);
    }

    /* an override that never ends is none */

    p = replaced(patient, "\"from\":1789996400000,\"until\":1790003600000}]",
                 "\"from\":1789996400000,\"until\":0}]");
    tap_ok(p != NULL && parse(study, p) == EMAGE_ERROR,
           "refused: an override without an end");
    free(p);
}


static void
check_needs(void)
{
    emage_error_t   err;
    emage_facts_t  *facts;

    if (!tap_ok(fixture_parse(&full, &facts, &err) == EMAGE_OK, "facts")) {
        return;
    }

    tap_ok(emage_facts_need(facts, EMAGE_CLASS_IMAGE, emage_null_str)
           == EMAGE_PERMIT_IMAGE
           && emage_facts_need(facts, EMAGE_CLASS_EVIDENCE, emage_null_str)
              == EMAGE_PERMIT_EVIDENCE, "images and evidence");
    tap_ok(emage_facts_need(facts, EMAGE_CLASS_REPORT, emage_str("1.1"))
           == EMAGE_PERMIT_REPORT_NONE
           && emage_facts_need(facts, EMAGE_CLASS_REPORT, emage_str("1.2"))
              == EMAGE_PERMIT_REPORT_PRELIMINARY
           && emage_facts_need(facts, EMAGE_CLASS_REPORT, emage_str("1.3"))
              == EMAGE_PERMIT_REPORT_FINAL
           && emage_facts_need(facts, EMAGE_CLASS_REPORT, emage_str("1.4"))
              == EMAGE_PERMIT_REPORT_AMENDED, "reports by their status");
    tap_ok(emage_facts_need(facts, EMAGE_CLASS_REPORT, emage_str("1.33"))
           == EMAGE_PERMIT_REPORT_NONE
           && emage_facts_need(facts, EMAGE_CLASS_REPORT, emage_str(""))
              == EMAGE_PERMIT_REPORT_NONE, "an unlisted report has none");
    tap_ok(emage_facts_need(facts, 9, emage_str("1.3"))
           == EMAGE_PERMIT_NEVER, "a class that is none is never permitted");

    tap_ok(emage_str_eq(emage_facts_study(facts), emage_str(STUDY))
           && emage_str_eq(emage_facts_pid(facts), emage_str(PID))
           && emage_str_eq(emage_facts_revision(facts),
                           emage_str("r00000001-abcdef01"))
           && emage_facts_study_version(facts) == 3
           && emage_facts_patient_version(facts) == 5
           && emage_facts_size(facts) > 256
           && emage_facts_size(facts) < 4096, "what they tell of themselves");

    emage_facts_free(facts);
}


static void
check_unknown(void)
{
    char            study[16384], patient[16384];
    emage_error_t   err;
    emage_facts_t  *facts;

    fixture_text(&full, study, patient, sizeof(study));

    tap_ok(emage_facts_parse(emage_null_str, emage_null_str, &facts, &err)
           == EMAGE_OK && emage_facts_study(facts).len == 0,
           "no study: facts of nothing");
    emage_facts_free(facts);

    tap_ok(parse("", patient) == EMAGE_ERROR, "a patient without a study");
    tap_ok(parse(study, "") == EMAGE_ERROR, "a study without a patient");
    tap_ok(parse(patient, study) == EMAGE_ERROR, "one for the other");
    tap_ok(emage_record_study_check(emage_str_c(study), &err) == EMAGE_OK
           && emage_record_patient_check(emage_str_c(patient), &err)
              == EMAGE_OK
           && emage_record_study_check(emage_str_c(patient), &err)
              == EMAGE_ERROR
           && emage_record_patient_check(emage_str_c(study), &err)
              == EMAGE_ERROR, "each record by itself");
}


static void
check_truncated(void)
{
    char             study[16384], patient[16384], *cut;
    bool             ok;
    size_t           i, len;
    emage_error_t    err;
    emage_facts_t   *facts;

    fixture_text(&full, study, patient, sizeof(study));

    ok = true;
    len = strlen(patient);

    for (i = 0; i < len; i++) {
        cut = malloc(i + 1);
        memcpy(cut, patient, i);

        if (emage_facts_parse(emage_str_c(study), (emage_str_t) { cut, i },
                              &facts, &err) == EMAGE_OK)
        {
            emage_facts_free(facts);
            ok = false;
        }

        free(cut);
    }

    tap_ok(ok, "every shorter text is refused");

    len = 2 * EMAGE_RECORD_MAX;
    cut = malloc(len);
    memset(cut, ' ', len);

    tap_ok(emage_facts_parse((emage_str_t) { cut, len }, emage_null_str,
                             &facts, &err) == EMAGE_ERROR,
           "a text over the limit is refused");

    free(cut);
}


/* One allocation fails, then that and all later ones. */

static void
check_oom(void)
{
    int              round;
    long             n, live;
    bool             leaked, wrong;
    char             study[16384], patient[16384];
    emage_rc_t       rc;
    emage_error_t    err;
    emage_facts_t   *facts;

    if (!OOM_READY) {
        tap_ok(true, "out of memory: not under a sanitizer");
        return;
    }

    fixture_text(&full, study, patient, sizeof(study));

    for (round = 0; round < 2; round++) {
        leaked = false;
        wrong = false;

        for (n = 0; n < 10000; n++) {
            live = oom_live;
            oom_all = (round == 1);
            oom_after = n;

            rc = emage_facts_parse(emage_str_c(study), emage_str_c(patient),
                                   &facts, &err);

            if (rc == EMAGE_OK) {
                emage_facts_free(facts);
            }

            leaked = leaked || oom_live != live;

            if (oom_after > 0 || (rc == EMAGE_OK && oom_after == 0)) {
                break;
            }

            wrong = wrong || (rc != EMAGE_NOMEM && rc != EMAGE_ERROR);
        }

        oom_after = -1;

        tap_ok(!wrong && !leaked && n > 50 && n < 10000,
               "out of memory at each of %ld allocations%s", n,
               round == 1 ? ", and after" : "");
    }
}


static void
check_oom_decide(void)
{
    long              n;
    bool              wrong;
    emage_error_t     err;
    emage_facts_t    *facts;
    emage_policy_t   *policy;
    emage_scratch_t  *scratch;
    emage_subject_t   subject;
    emage_verdict_t   v;

    memset(&subject, 0, sizeof(subject));

    subject.kind = EMAGE_SUBJECT_PROFESSIONAL;
    subject.id = emage_str(ME);
    subject.profession = emage_str("physician");
    subject.purpose = emage_str("TREAT");

    if (fixture_parse(&full, &facts, &err) != EMAGE_OK
        || emage_policy_load("conf/policy", &policy, &err) != EMAGE_OK)
    {
        tap_ok(false, "%s", err.text);
        return;
    }

    scratch = emage_scratch_create(policy);

    oom_after = 0;
    oom_all = true;

    wrong = emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW, NOW,
                         scratch, &v) != EMAGE_OK
            || v.permits != EMAGE_PERMIT_ALL;

    oom_after = -1;

    tap_ok(!wrong, "a decision allocates nothing");

    emage_scratch_free(scratch);
    emage_policy_free(policy);

    if (OOM_READY) {
        wrong = false;

        for (n = 0; n < 100000; n += 37) {
            oom_after = n;
            oom_all = true;

            if (emage_policy_load("conf/policy", &policy, &err) == EMAGE_OK) {
                oom_after = -1;
                emage_policy_free(policy);
                break;
            }

            wrong = wrong || policy != NULL;
        }

        oom_after = -1;
        tap_ok(!wrong, "a policy that runs out of memory is not loaded");
    }

    emage_facts_free(facts);
}


int
main(void)
{
    /* its allocations are to fail too */

    json_set_alloc_funcs(malloc, free);

    check_members("study", true);
    check_members("patient", false);
    check_lies();
    check_needs();
    check_unknown();
    check_truncated();
    check_oom();
    check_oom_decide();

    return tap_done();
}
