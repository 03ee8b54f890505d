
/*
 * Copyright (C) The e-mage authors
 *
 * From two checked records to facts, in one allocation.
 */


#include "facts_json.h"

#include <stdlib.h>
#include <string.h>


/* Two passes over the same code: without `base` it only counts. */

typedef struct {
    char    *base;
    size_t   used;
} emage_fill_t;


static emage_rc_t emage_facts_build(const json_t *study,
    const json_t *patient, emage_fill_t *fill, emage_error_t *err);
static void *emage_fill_take(emage_fill_t *fill, size_t size);
static emage_str_t emage_fill_string(emage_fill_t *fill, emage_str_t s);
static bool emage_listed(const json_t *array, emage_str_t s);
static bool emage_relation_covers(const json_t *relation,
    const json_t *study);
static void emage_fill_study(emage_fill_t *fill, emage_facts_t *facts,
    const json_t *study);
static void emage_fill_patient(emage_fill_t *fill, emage_facts_t *facts,
    const json_t *patient, const json_t *study);
static const emage_period_t *emage_fill_periods(emage_fill_t *fill,
    const json_t *array, uint32_t *n);
static void emage_fill_relations(emage_fill_t *fill, emage_facts_t *facts,
    const json_t *array, const json_t *study);
static void emage_fill_identifiers(emage_fill_t *fill, emage_facts_t *facts,
    const json_t *array);
static int emage_report_cmp(const void *a, const void *b);


emage_rc_t
emage_facts_parse(emage_str_t study, emage_str_t patient,
    emage_facts_t **out, emage_error_t *err)
{
    json_t         *s, *p;
    emage_rc_t      rc;
    emage_fill_t    fill;
    emage_facts_t  *facts;

    *out = NULL;

    if (study.len == 0) {

        if (patient.len != 0) {
            emage_error_set(err, "facts: a patient without a study");
            return EMAGE_ERROR;
        }

        /* there is no such study: remembered, and nothing is permitted */

        facts = calloc(1, sizeof(emage_facts_t));
        if (facts == NULL) {
            emage_error_set(err, "facts: out of memory");
            return EMAGE_NOMEM;
        }

        facts->size = sizeof(emage_facts_t);
        *out = facts;

        return EMAGE_OK;
    }

    p = NULL;

    rc = emage_study_load(study, &s, err);

    if (rc == EMAGE_OK) {
        rc = emage_patient_load(patient, &p, err);
    }

    if (rc == EMAGE_OK
        && !emage_str_eq(emage_string(s, "pid"), emage_string(p, "pid")))
    {
        emage_error_set(err, "facts: study and patient have different pids");
        rc = EMAGE_ERROR;
    }

    if (rc == EMAGE_OK) {
        rc = emage_facts_build(s, p, &fill, err);

        if (rc == EMAGE_OK) {
            *out = (emage_facts_t *) fill.base;
        }
    }

    json_decref(s);
    json_decref(p);

    return rc;
}


static emage_rc_t
emage_facts_build(const json_t *study, const json_t *patient,
    emage_fill_t *fill, emage_error_t *err)
{
    uint32_t       i;
    emage_facts_t  scratch, *facts;

    memset(fill, 0, sizeof(emage_fill_t));
    memset(&scratch, 0, sizeof(emage_facts_t));

    (void) emage_fill_take(fill, sizeof(emage_facts_t));
    emage_fill_study(fill, &scratch, study);
    emage_fill_patient(fill, &scratch, patient, study);

    facts = calloc(1, fill->used);
    if (facts == NULL) {
        emage_error_set(err, "facts: out of memory");
        return EMAGE_NOMEM;
    }

    facts->size = fill->used;
    facts->known = true;

    fill->base = (char *) facts;
    fill->used = 0;

    (void) emage_fill_take(fill, sizeof(emage_facts_t));
    emage_fill_study(fill, facts, study);
    emage_fill_patient(fill, facts, patient, study);

    for (i = 1; i < facts->nreports; i++) {
        if (emage_str_eq(facts->reports[i - 1].instance,
                         facts->reports[i].instance))
        {
            emage_error_set(err, "study record: a report has two statuses");
            free(facts);
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}


void
emage_facts_free(emage_facts_t *facts)
{
    free(facts);
}


/* NULL in the counting pass. */

static void *
emage_fill_take(emage_fill_t *fill, size_t size)
{
    void  *p;

    p = (fill->base == NULL) ? NULL : fill->base + fill->used;

    /* everything stays aligned for 8-byte members */

    fill->used += (size + 7) & ~(size_t) 7;

    return p;
}


static emage_str_t
emage_fill_string(emage_fill_t *fill, emage_str_t s)
{
    char  *p;

    p = emage_fill_take(fill, s.len);

    if (p == NULL) {
        return emage_null_str;
    }

    if (s.len > 0) {
        memcpy(p, s.data, s.len);
    }

    return (emage_str_t) { p, s.len };
}


static void
emage_fill_study(emage_fill_t *fill, emage_facts_t *facts,
    const json_t *study)
{
    size_t          i, n;
    json_t         *list, *item, *marks;
    emage_report_t  report, *reports;

    facts->study = emage_fill_string(fill, emage_string(study, "study"));
    facts->pid = emage_fill_string(fill, emage_string(study, "pid"));
    facts->revision = emage_fill_string(fill, emage_string(study, "revision"));

    facts->study_version = emage_integer(study, "version");
    facts->published = emage_integer(study, "published");
    facts->at_once = (emage_word(emage_string(study, "release"),
                                 "validated|at-once") == 1);
    facts->confidentiality = (emage_confidentiality_t)
                             emage_word(emage_string(study,
                                                     "confidentiality"),
                                        "N|R|V");
    facts->state = (emage_state_t) emage_word(emage_string(study, "state"),
                                              "active|restricted|erasing");
    facts->quarantined = (emage_string(study, "quarantine").len > 0);

    marks = json_object_get(study, "marks");

    facts->masked = emage_boolean(marks, "masked");
    facts->hidden_patient = emage_boolean(marks, "hidden_patient");
    facts->hidden_representatives = emage_boolean(marks,
                                                  "hidden_representatives");

    list = json_object_get(study, "reports");
    n = json_array_size(list);
    reports = emage_fill_take(fill, n * sizeof(emage_report_t));

    for (i = 0; i < n; i++) {
        item = json_array_get(list, i);

        report.instance = emage_fill_string(fill,
                                            emage_string(item, "instance"));
        report.status = (emage_status_t)
                        emage_word(emage_string(item, "status"),
                                   "none|preliminary|final|amended");

        facts->statuses |= 1u << report.status;

        if (reports != NULL) {
            reports[i] = report;
        }
    }

    facts->reported = (facts->statuses & (1u << EMAGE_STATUS_FINAL
                                          | 1u << EMAGE_STATUS_AMENDED)) != 0;

    if (reports != NULL) {
        qsort(reports, n, sizeof(emage_report_t), emage_report_cmp);
        facts->reports = reports;
        facts->nreports = (uint32_t) n;
    }
}


static int
emage_report_cmp(const void *a, const void *b)
{
    return emage_str_cmp(((const emage_report_t *) a)->instance,
                         ((const emage_report_t *) b)->instance);
}


static void
emage_fill_patient(emage_fill_t *fill, emage_facts_t *facts,
    const json_t *patient, const json_t *study)
{
    json_t  *consent, *identity;

    consent = json_object_get(patient, "consent");
    identity = json_object_get(patient, "identity");

    facts->patient_version = emage_integer(patient, "version");
    facts->inclusion = (emage_inclusion_t)
                       emage_word(emage_string(consent, "inclusion"),
                                  "none|given|refused");
    facts->sharing = (emage_sharing_t)
                     emage_word(emage_string(consent, "sharing"),
                                "none|active|refused|withdrawn");
    facts->expires = emage_integer(consent, "expires");
    facts->emergency_excluded = emage_boolean(patient, "emergency_excluded");
    facts->erasure = (emage_erasure_t)
                     emage_word(emage_string(json_object_get(patient,
                                                             "erasure"),
                                             "state"),
                                "none|requested|purging");

    if (emage_str_eq(emage_string(identity, "status"),
                     emage_str("quarantined")))
    {
        facts->quarantined = true;
    }

    emage_fill_identifiers(fill, facts,
                           json_object_get(identity, "identifiers"));
    emage_fill_relations(fill, facts, json_object_get(patient, "relations"),
                         study);

    facts->exclusions = emage_fill_periods(fill,
                                           json_object_get(patient,
                                                           "exclusions"),
                                           &facts->nexclusions);
    facts->overrides = emage_fill_periods(fill,
                                          json_object_get(patient,
                                                          "overrides"),
                                          &facts->noverrides);
}


/* Exclusions and overrides: neither has a scope. */

static const emage_period_t *
emage_fill_periods(emage_fill_t *fill, const json_t *array, uint32_t *n)
{
    size_t           i, count;
    json_t          *item;
    emage_period_t   period, *periods;

    count = json_array_size(array);
    periods = emage_fill_take(fill, count * sizeof(emage_period_t));

    for (i = 0; i < count; i++) {
        item = json_array_get(array, i);

        period.subject = emage_fill_string(fill,
                                           emage_string(item, "subject"));
        period.from = emage_integer(item, "from");
        period.until = emage_integer(item, "until");
        period.value = (emage_word(emage_string(item, "purpose"),
                                   "BTG|ETREAT") == 1)
                       ? EMAGE_OVERRIDE_ETREAT : EMAGE_OVERRIDE_BTG;

        if (periods != NULL) {
            periods[i] = period;
        }
    }

    *n = (uint32_t) count;

    return periods;
}


static void
emage_fill_relations(emage_fill_t *fill, emage_facts_t *facts,
    const json_t *array, const json_t *study)
{
    int              kind;
    size_t           i, n;
    json_t          *item;
    emage_period_t   period, *periods;

    static const emage_relation_t  kinds[] = {
        EMAGE_RELATION_NAMED, EMAGE_RELATION_TEAM, EMAGE_RELATION_ORGANISATION
    };

    n = 0;

    for (i = 0; i < json_array_size(array); i++) {
        n += emage_relation_covers(json_array_get(array, i), study);
    }

    periods = emage_fill_take(fill, n * sizeof(emage_period_t));
    n = 0;

    for (i = 0; i < json_array_size(array); i++) {
        item = json_array_get(array, i);

        if (!emage_relation_covers(item, study)) {
            continue;
        }

        kind = emage_word(emage_string(item, "kind"),
                          "named|team|organisation");

        period.subject = emage_fill_string(fill,
                                           emage_string(item, "subject"));
        period.from = emage_integer(item, "from");
        period.until = emage_integer(item, "until");
        period.value = (kind < 0) ? EMAGE_RELATION_NONE : kinds[kind];

        if (emage_str_eq(emage_string(item, "basis"), emage_str("opinion"))) {
            period.value = EMAGE_RELATION_OPINION;
        }

        if (periods != NULL) {
            periods[n] = period;
        }

        n++;
    }

    facts->relations = periods;
    facts->nrelations = (uint32_t) n;
}


static bool
emage_listed(const json_t *array, emage_str_t s)
{
    size_t   i;
    json_t  *item;

    for (i = 0; i < json_array_size(array); i++) {
        item = json_array_get(array, i);

        if (emage_str_eq(s, (emage_str_t) { json_string_value(item),
                                            json_string_length(item) }))
        {
            return true;
        }
    }

    return false;
}


/*
 * Whether a relation's scope holds this study.  A limit on what the study
 * record does not tell is not met.  An opinion is asked on named studies and
 * until a date: one without is none.
 */

static bool
emage_relation_covers(const json_t *relation, const json_t *study)
{
    size_t        i;
    bool          found;
    json_t       *limits, *item;
    emage_str_t   date, s;

    limits = json_object_get(relation, "studies");

    if (json_array_size(limits) > 0
        && !emage_listed(limits, emage_string(study, "study")))
    {
        return false;
    }

    if (emage_str_eq(emage_string(relation, "basis"), emage_str("opinion"))
        && (json_array_size(limits) == 0
            || emage_integer(relation, "until") == 0
            || !emage_str_eq(emage_string(relation, "kind"),
                             emage_str("named"))))
    {
        return false;
    }

    limits = json_object_get(relation, "modalities");

    if (json_array_size(limits) > 0) {
        found = false;

        for (i = 0; i < json_array_size(limits) && !found; i++) {
            item = json_array_get(limits, i);
            s.data = json_string_value(item);
            s.len = json_string_length(item);

            found = emage_listed(json_object_get(study, "modalities"), s);
        }

        if (!found) {
            return false;
        }
    }

    limits = json_object_get(relation, "dates");

    if (json_array_size(limits) != 2) {
        return true;
    }

    date = emage_string(study, "date");

    for (i = 0; i < 2; i++) {
        item = json_array_get(limits, i);
        s.data = json_string_value(item);
        s.len = json_string_length(item);

        if (date.len != s.len
            || (i == 0 && emage_str_cmp(date, s) < 0)
            || (i == 1 && emage_str_cmp(date, s) > 0))
        {
            return false;
        }
    }

    return true;
}


static void
emage_fill_identifiers(emage_fill_t *fill, emage_facts_t *facts,
    const json_t *array)
{
    char         *p;
    size_t        i, n;
    json_t       *item;
    emage_str_t   issuer, id, *list;

    n = json_array_size(array);
    list = emage_fill_take(fill, n * sizeof(emage_str_t));

    for (i = 0; i < n; i++) {
        item = json_array_get(array, i);
        issuer = emage_string(item, "issuer");
        id = emage_string(item, "id");

        p = emage_fill_take(fill, issuer.len + 1 + id.len);

        if (p == NULL) {
            continue;
        }

        memcpy(p, issuer.data, issuer.len);
        p[issuer.len] = '|';
        memcpy(p + issuer.len + 1, id.data, id.len);

        list[i].data = p;
        list[i].len = issuer.len + 1 + id.len;
    }

    facts->identifiers = list;
    facts->nidentifiers = (uint32_t) n;
}
