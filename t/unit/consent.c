
/*
 * Copyright (C) The e-mage authors
 *
 * The decision, row by row: records and a subject in, what may be seen and why
 * out.  Each row stands with its neighbours: one thing changed, another answer.
 */


#include "consent_fixture.h"
#include "tap.h"


#define IMAGES    (EMAGE_PERMIT_IMAGE|EMAGE_PERMIT_EVIDENCE)
#define VALID     (EMAGE_PERMIT_REPORT_FINAL|EMAGE_PERMIT_REPORT_AMENDED)
#define TEAM_SEES (IMAGES|VALID)


typedef struct {
    const char            *name;
    fixture_t              f;
    unsigned               permits;
    const char            *reason;           /* one of them; NULL: none */
    emage_subject_kind_t   kind;             /* 0: professional */
    const char            *profession;       /* NULL: physician */
    const char            *purpose;          /* NULL: TREAT */
    const char            *id;               /* NULL: ME */
    int64_t                now;              /* 0: NOW */
    int64_t                until;            /* 0: not looked at */
    const char            *effect;           /* purpose in effect */
} row_t;


#define NAMED   .reports = REPORTS, .relations = RELATION("named", ME)
#define TEAMED  .reports = REPORTS, .relations = RELATION("team", TEAM)


/* A row says what it is about and leaves the rest at its default. */

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const row_t  rows[] = {

    /* professional, named or by team */

    { "named", { NAMED }, TEAM_SEES, "professional-images",
      .until = NOW + HOUR, .effect = "TREAT" },
    { "by team", { TEAMED }, TEAM_SEES, "professional-report" },
    { "another team", { .reports = REPORTS,
                        .relations = RELATION("team", "urn:teams|other") },
      0, NULL },
    { "a prefix of the name", { .reports = REPORTS,
                                .relations = RELATION("named",
                                                      "urn:people|12") },
      0, NULL },
    { "named, as a team", { .reports = REPORTS,
                            .relations = RELATION("named", TEAM) }, 0, NULL },
    { "no relation", { .reports = REPORTS }, 0, NULL },
    { "nurse by team", { TEAMED }, TEAM_SEES, "professional-images",
      .profession = "nurse" },
    { "secretary by team", { TEAMED }, 0, NULL, .profession = "secretary" },
    { "no profession", { TEAMED }, 0, NULL, .profession = "" },
    { "purpose other than treatment", { NAMED }, 0, NULL,
      .purpose = "HRESCH" },
    { "no purpose", { NAMED }, 0, NULL, .purpose = "" },
    { "relation ended", { NAMED }, 0, NULL, .now = NOW + HOUR },
    { "relation ends now", { NAMED }, TEAM_SEES, "professional-images",
      .now = NOW + HOUR - 1, .until = NOW + HOUR },
    { "relation not begun", { NAMED }, 0, NULL, .now = NOW - HOUR - 1,
      .until = NOW - HOUR },
    { "relation begins", { NAMED }, TEAM_SEES, "professional-images",
      .now = NOW - HOUR },
    { "reports without status", { .relations = RELATION("named", ME) },
      IMAGES, "professional-images" },
    { "by organisation: not without attestation",
      { .reports = REPORTS, .relations = RELATION("organisation", ORG) },
      0, NULL },
    { "invited for an opinion: not yet",
      { .reports = REPORTS,
        .relations = RELATION_FOR("named", ME, "opinion", "\"" STUDY "\"",
                                  "0", "1790003600000") }, 0, NULL },

    /* scope */

    { "named study", { .reports = REPORTS,
                       .relations = RELATION_FOR("named", ME, "admission",
                                                 "\"1.9\",\"" STUDY "\"",
                                                 "0", "0") },
      TEAM_SEES, "professional-images", .until = INT64_MAX - 1 },
    { "another study", { .reports = REPORTS,
                         .relations = RELATION_FOR("named", ME, "admission",
                                                   "\"1.2.30\"", "0", "0") },
      0, NULL },
    { "modality limit, met",
      { .reports = REPORTS, .extra = ",\"modalities\":[\"CT\",\"SR\"]",
        .relations = RELATION_IN("named", ME, "admission", "",
                                 "\"MR\",\"CT\"", "", "0", "0") },
      TEAM_SEES, "professional-images" },
    { "modality limit, not met",
      { .reports = REPORTS, .extra = ",\"modalities\":[\"US\"]",
        .relations = RELATION_IN("named", ME, "admission", "",
                                 "\"MR\",\"CT\"", "", "0", "0") }, 0, NULL },
    { "modality limit, unknown",
      { .reports = REPORTS,
        .relations = RELATION_IN("named", ME, "admission", "", "\"CT\"", "",
                                 "0", "0") }, 0, NULL },
    { "date limit, met",
      { .reports = REPORTS, .extra = ",\"date\":\"20261231\"",
        .relations = RELATION_IN("named", ME, "admission", "", "",
                                 "\"20260101\",\"20261231\"", "0", "0") },
      TEAM_SEES, "professional-images" },
    { "date limit, a day late",
      { .reports = REPORTS, .extra = ",\"date\":\"20270101\"",
        .relations = RELATION_IN("named", ME, "admission", "", "",
                                 "\"20260101\",\"20261231\"", "0", "0") },
      0, NULL },
    { "date limit, unknown",
      { .reports = REPORTS,
        .relations = RELATION_IN("named", ME, "admission", "", "",
                                 "\"20260101\",\"20261231\"", "0", "0") },
      0, NULL },

    /* confidentiality */

    { "R, named", { NAMED, .confidentiality = "R" }, TEAM_SEES,
      "professional-images" },
    { "V, named", { NAMED, .confidentiality = "V" }, TEAM_SEES,
      "professional-images" },
    { "R, by team", { TEAMED, .confidentiality = "R" }, 0,
      "confidential-named-only" },
    { "V, override", { .confidentiality = "V",
                       .overrides = OVERRIDE_NOW("BTG") }, 0,
      "confidential-named-only" },
    { "R, patient", { .reports = REPORTS, .confidentiality = "R" },
      TEAM_SEES, "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },

    /* refusals */

    { "sharing none", { NAMED, .sharing = "none" }, 0, "sharing-not-given" },
    { "sharing refused", { NAMED, .sharing = "refused" }, 0,
      "sharing-withdrawn" },
    { "sharing withdrawn", { NAMED, .sharing = "withdrawn" }, 0,
      "sharing-withdrawn" },
    { "sharing withdrawn, override",
      { NAMED, .sharing = "withdrawn", .overrides = OVERRIDE_NOW("BTG") }, 0,
      "sharing-withdrawn", .purpose = "BTG" },
    { "sharing refused, override",
      { NAMED, .sharing = "refused", .overrides = OVERRIDE_NOW("ETREAT") }, 0,
      "sharing-withdrawn" },
    { "sharing about to expire", { NAMED, .expires = NOW + 5 }, TEAM_SEES,
      "professional-images", .until = NOW + 5 },
    { "sharing expired", { NAMED, .expires = NOW }, 0, "sharing-not-given" },
    { "excluded himself", { NAMED, .exclusions = EXCLUSION(ME, "0") }, 0,
      "excluded" },
    { "his organisation excluded",
      { NAMED, .exclusions = EXCLUSION(ORG, "0") }, 0, "excluded" },
    { "his team excluded", { NAMED, .exclusions = EXCLUSION(TEAM, "0") }, 0,
      "excluded" },
    { "somebody else excluded",
      { NAMED, .exclusions = EXCLUSION("urn:people|2", "0") }, TEAM_SEES,
      "professional-images" },
    { "excluded from later on",
      { NAMED, .exclusions = EXCLUSION(ME, "1790000000007") }, TEAM_SEES,
      "professional-images", .until = NOW + 7 },
    { "excluded, override",
      { .exclusions = EXCLUSION(ME, "0"), .overrides = OVERRIDE_NOW("BTG") },
      0, "excluded" },
    { "masked", { NAMED, .marks = "masked" }, 0, "masked" },
    { "masked, override", { .marks = "masked",
                            .overrides = OVERRIDE_NOW("BTG") }, 0, "masked" },
    { "masked, patient", { .reports = REPORTS, .marks = "masked" },
      TEAM_SEES, "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "restricted", { NAMED, .state = "restricted" }, 0, "restricted" },
    { "restricted, patient", { .reports = REPORTS, .state = "restricted" },
      TEAM_SEES, "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "inclusion refused", { NAMED, .inclusion = "refused" }, 0,
      "inclusion-refused" },
    { "study quarantined", { NAMED, .quarantine = "no identifier" }, 0,
      "quarantined" },
    { "identity quarantined", { NAMED, .identity = "quarantined" }, 0,
      "quarantined" },
    { "quarantined, patient",
      { .reports = REPORTS, .identity = "quarantined" }, 0, "quarantined",
      EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "hidden from the patient, professional",
      { NAMED, .marks = "hidden_patient" }, TEAM_SEES,
      "professional-images" },

    /* emergency */

    { "break-glass", { .reports = REPORTS, .sharing = "none",
                       .overrides = OVERRIDE_NOW("BTG") },
      EMAGE_PERMIT_ALL, "emergency-override", .until = NOW + HOUR,
      .effect = "BTG" },
    { "emergency call centre", { .reports = REPORTS, .sharing = "none",
                                 .overrides = OVERRIDE_NOW("ETREAT") },
      EMAGE_PERMIT_ALL, "emergency-override", .purpose = "ETREAT",
      .effect = "ETREAT" },
    { "break-glass, sharing expired",
      { .reports = REPORTS, .expires = 1, .overrides = OVERRIDE_NOW("BTG") },
      EMAGE_PERMIT_ALL, "emergency-override", .effect = "BTG" },
    { "break-glass beside a relation",
      { NAMED, .overrides = OVERRIDE_NOW("BTG") }, EMAGE_PERMIT_ALL,
      "professional-images", .effect = "TREAT" },
    { "somebody else's override",
      { .overrides = OVERRIDE("urn:people|2", "BTG", "0",
                              "1790003600000") }, 0, NULL },
    { "a team's override is nobody's",
      { .overrides = OVERRIDE(TEAM, "BTG", "0", "1790003600000") }, 0, NULL },
    { "override over", { .overrides = OVERRIDE_NOW("BTG") }, 0, NULL,
      .now = NOW + HOUR },
    { "override to come", { .overrides = OVERRIDE_NOW("BTG") }, 0, NULL,
      .now = NOW - HOUR - 1 },
    { "override of a nurse", { .overrides = OVERRIDE_NOW("BTG") }, 0, NULL,
      .profession = "nurse" },
    { "purpose BTG without an override", { .reports = REPORTS }, 0, NULL,
      .purpose = "BTG" },
    { "emergencies excluded", { .emergency_excluded = true,
                                .overrides = OVERRIDE_NOW("BTG") },
      0, "emergency-excluded" },
    { "emergencies excluded, care team",
      { NAMED, .emergency_excluded = true }, TEAM_SEES,
      "professional-images" },

    /* patient */

    { "patient", { .reports = REPORTS, .sharing = "none" }, TEAM_SEES,
      "patient-report", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "patient, withdrawn", { .reports = REPORTS, .sharing = "withdrawn" },
      TEAM_SEES, "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "patient, refused inclusion",
      { .reports = REPORTS, .inclusion = "refused" }, TEAM_SEES,
      "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "patient, report to come",
      { .reports = REPORT("1.1", "preliminary") }, 0, NULL,
      EMAGE_SUBJECT_PATIENT, .id = "ins|42", .until = NOW + 7 * DAY },
    { "patient, site releases at once",
      { .reports = REPORT("1.1", "preliminary"), .release = "at-once" },
      IMAGES, "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "patient, a moment before 7 days", { .published = NOW - 7 * DAY + 1 },
      0, NULL, EMAGE_SUBJECT_PATIENT, .id = "ins|42", .until = NOW + 1 },
    { "patient, 7 days", { .published = NOW - 7 * DAY }, IMAGES,
      "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "patient, hidden", { .reports = REPORTS, .marks = "hidden_patient" }, 0,
      "hidden-from-patient", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "patient, hidden from representatives",
      { .reports = REPORTS, .marks = "hidden_representatives" }, TEAM_SEES,
      "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "another patient", { .reports = REPORTS }, 0, NULL,
      EMAGE_SUBJECT_PATIENT, .id = "ins|421" },
    { "another issuer", { .reports = REPORTS }, 0, NULL,
      EMAGE_SUBJECT_PATIENT, .id = "inst|42" },
    { "a patient with a relation like a professional's",
      { .reports = REPORTS, .relations = RELATION("named", "ins|43") }, 0,
      NULL, EMAGE_SUBJECT_PATIENT, .id = "ins|43" },
    { "a professional whose id is the patient's", { .reports = REPORTS }, 0,
      NULL, .id = "ins|42" },

    /* erasure */

    { "erasure requested", { NAMED, .erasure = "requested" }, 0,
      "erasure-requested" },
    { "erasure requested, override",
      { .erasure = "requested", .overrides = OVERRIDE_NOW("BTG") }, 0,
      "erasure-requested" },
    { "erasure requested, patient",
      { .reports = REPORTS, .erasure = "requested" }, TEAM_SEES,
      "patient-images", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "purging, patient", { .reports = REPORTS, .erasure = "purging" }, 0,
      "erasure-started", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "study erasing, patient", { .reports = REPORTS, .state = "erasing" }, 0,
      "erasure-started", EMAGE_SUBJECT_PATIENT, .id = "ins|42" },
    { "study erasing", { NAMED, .state = "erasing" }, 0, "erasure-started" },

    /* everybody else */

    { "representative", { NAMED }, 0, NULL, EMAGE_SUBJECT_REPRESENTATIVE },
    { "support", { NAMED }, 0, NULL, EMAGE_SUBJECT_SUPPORT },
    { "officer", { NAMED }, 0, NULL, EMAGE_SUBJECT_OFFICER },
    { "system", { NAMED }, 0, NULL, EMAGE_SUBJECT_SYSTEM },
    { "no such kind", { NAMED }, 0, NULL, 99 }
};


static void check_row(const emage_policy_t *policy, emage_scratch_t *scratch,
    const row_t *row);
static bool has_reason(const emage_verdict_t *v, const char *reason);
static void check_again(const emage_policy_t *policy,
    emage_scratch_t *scratch);
static void check_misuse(const emage_policy_t *policy);


static bool
has_reason(const emage_verdict_t *v, const char *reason)
{
    uint32_t  i;

    if (reason == NULL) {
        return v->nreasons == 0;
    }

    for (i = 0; i < v->nreasons; i++) {
        if (emage_str_eq(v->reasons[i], emage_str_c(reason))) {
            return true;
        }
    }

    return false;
}


static void
check_row(const emage_policy_t *policy, emage_scratch_t *scratch,
    const row_t *row)
{
    emage_rc_t        rc;
    emage_error_t     err;
    emage_facts_t    *facts;
    emage_subject_t   subject;
    emage_verdict_t   v;

    rc = fixture_parse(&row->f, &facts, &err);

    if (rc != EMAGE_OK) {
        tap_ok(false, "%s: %s", row->name, err.text);
        return;
    }

    memset(&subject, 0, sizeof(subject));

    subject.kind = (row->kind == 0) ? EMAGE_SUBJECT_PROFESSIONAL : row->kind;
    subject.id = emage_str_c(fixture_or(row->id, ME));
    subject.profession = emage_str_c(fixture_or(row->profession,
                                                "physician"));
    subject.purpose = emage_str_c(fixture_or(row->purpose, "TREAT"));
    subject.organisation = emage_str(ORG);
    subject.teams[0] = emage_str("urn:teams|x");
    subject.teams[1] = emage_str(TEAM);
    subject.nteams = 2;

    rc = emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW,
                      (row->now == 0) ? NOW : row->now, scratch, &v);

    tap_ok(rc == EMAGE_OK && v.errors == 0 && v.permits == row->permits
           && has_reason(&v, row->reason), "%s: %02x by %.*s", row->name,
           v.permits, (int) v.reasons[0].len, v.reasons[0].data);

    if (row->until != 0) {
        tap_ok(v.until == row->until
               || (row->until == INT64_MAX - 1 && v.until > NOW + DAY),
               "%s: until %lld", row->name, (long long) v.until);
    }

    if (row->effect != NULL) {
        tap_ok(emage_str_eq(v.purpose, emage_str_c(row->effect)),
               "%s: done for %s", row->name, row->effect);
    }

    emage_facts_free(facts);
}


/* A question asked again has the answer of one asked for the first time. */

static void
check_again(const emage_policy_t *policy, emage_scratch_t *scratch)
{
    bool              same;
    size_t            i, n;
    emage_error_t     err;
    emage_facts_t    *facts;
    emage_scratch_t  *clean;
    emage_subject_t   subject;
    emage_verdict_t   a, b;

    static const char *const  purposes[] = { "TREAT", "BTG", "HRESCH", "" };
    static const char *const  professions[] = { "physician", "nurse", "x" };
    static const char *const  ids[] = { ME, "urn:people|2", "ins|42", "" };

    same = true;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        if (fixture_parse(&rows[i].f, &facts, &err) != EMAGE_OK) {
            same = false;
            continue;
        }

        for (n = 0; n < 4 * 3 * 4 * 6; n++) {
            memset(&subject, 0, sizeof(subject));

            subject.purpose = emage_str_c(purposes[n % 4]);
            subject.profession = emage_str_c(professions[n / 4 % 3]);
            subject.id = emage_str_c(ids[n / 12 % 4]);
            subject.kind = (emage_subject_kind_t) (1 + n / 48);

            clean = emage_scratch_create(policy);

            (void) emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW,
                                NOW, scratch, &a);
            (void) emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW,
                                NOW, clean, &b);
            emage_scratch_free(clean);

            same = same && memcmp(&a, &b, sizeof(a)) == 0;

            (void) emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW,
                                NOW, scratch, &b);
            same = same && memcmp(&a, &b, sizeof(a)) == 0;
        }

        emage_facts_free(facts);
    }

    tap_ok(same, "asked again, or after others: the same answer");
}


static void
check_misuse(const emage_policy_t *policy)
{
    fixture_t         f;
    emage_facts_t    *facts;
    emage_error_t     err;
    emage_policy_t   *other;
    emage_scratch_t  *scratch;
    emage_subject_t   subject;
    emage_verdict_t   v;

    memset(&f, 0, sizeof(f));
    memset(&subject, 0, sizeof(subject));

    scratch = emage_scratch_create(policy);

    (void) emage_facts_parse(emage_null_str, emage_null_str, &facts, &err);
    subject.kind = EMAGE_SUBJECT_PROFESSIONAL;
    subject.id = emage_str(ME);

    tap_ok(emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW, NOW,
                        scratch, &v) == EMAGE_OK && v.permits == 0,
           "a study that does not exist permits nothing");
    emage_facts_free(facts);

    (void) fixture_parse(&f, &facts, &err);
    memset(&subject, 0, sizeof(subject));

    tap_ok(emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW, NOW,
                        scratch, &v) == EMAGE_OK && v.permits == 0,
           "nobody sees nothing");
    tap_ok(emage_decide(policy, facts, &subject, 7, NOW, scratch, &v)
           == EMAGE_ERROR && v.permits == 0, "an unknown action is refused");

    if (emage_policy_load("conf/policy", &other, &err) == EMAGE_OK) {
        tap_ok(emage_decide(other, facts, &subject, EMAGE_ACTION_VIEW, NOW,
                            scratch, &v) == EMAGE_ERROR && v.permits == 0,
               "scratch of another policy is refused");
        tap_ok(emage_str_eq(emage_policy_revision(policy),
                            emage_policy_revision(other))
               && emage_policy_revision(policy).len == 64,
               "the same files have the same revision");
        emage_policy_free(other);
    }

    emage_facts_free(facts);
    emage_scratch_free(scratch);
}


int
main(void)
{
    size_t            i;
    emage_rc_t        rc;
    emage_error_t     err;
    emage_policy_t   *policy;
    emage_scratch_t  *scratch;

    rc = emage_policy_load("conf/policy", &policy, &err);

    if (!tap_ok(rc == EMAGE_OK, "the shipped policy loads")) {
        printf("# %s\n", err.text);
        return tap_done();
    }

    scratch = emage_scratch_create(policy);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(policy, scratch, &rows[i]);
    }

    check_again(policy, scratch);
    emage_scratch_free(scratch);
    check_misuse(policy);
    emage_policy_free(policy);

    tap_ok(emage_policy_load("conf/none", &policy, &err) != EMAGE_OK
           && policy == NULL, "no directory: %s", err.text);

    return tap_done();
}
