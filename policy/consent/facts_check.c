
/*
 * Copyright (C) The e-mage authors
 *
 * Records against docs/records.md.  Every member must be there, of its type
 * and known by name: what is not understood permits nothing.
 */


#include "facts_json.h"

#include <stdlib.h>
#include <string.h>


#define EMAGE_JSON_TIME_MAX    ((int64_t) 1 << 53)
#define EMAGE_JSON_STRING_MAX  1024        /* bytes of any string in a record */


/* What a member may be. */

typedef enum {
    EMAGE_JSON_STRING,
    EMAGE_JSON_INTEGER,                    /* 0 to 2^53 */
    EMAGE_JSON_BOOLEAN,
    EMAGE_JSON_ARRAY,
    EMAGE_JSON_OBJECT
} emage_json_type_t;


typedef struct {
    const char         *name;
    emage_json_type_t   type;
    const char         *words;             /* "a|b|c": a string must be one */
    bool                optional;
} emage_member_t;


static const emage_member_t  emage_study_members[] = {
    { "version", EMAGE_JSON_INTEGER, NULL, false },
    { "study", EMAGE_JSON_STRING, NULL, false },
    { "pid", EMAGE_JSON_STRING, NULL, false },
    { "sources", EMAGE_JSON_ARRAY, NULL, false },
    { "revision", EMAGE_JSON_STRING, NULL, false },
    { "published", EMAGE_JSON_INTEGER, NULL, false },
    { "reports", EMAGE_JSON_ARRAY, NULL, false },
    { "release", EMAGE_JSON_STRING, "validated|at-once", false },
    { "confidentiality", EMAGE_JSON_STRING, "N|R|V", false },
    { "marks", EMAGE_JSON_OBJECT, NULL, false },
    { "state", EMAGE_JSON_STRING, "active|restricted|erasing", false },
    { "quarantine", EMAGE_JSON_STRING, NULL, false },
    { "modalities", EMAGE_JSON_ARRAY, NULL, true },
    { "date", EMAGE_JSON_STRING, NULL, true },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_source_members[] = {
    { "org", EMAGE_JSON_STRING, NULL, false },
    { "issuer", EMAGE_JSON_STRING, NULL, false },
    { "id", EMAGE_JSON_STRING, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_report_members[] = {
    { "instance", EMAGE_JSON_STRING, NULL, false },
    { "status", EMAGE_JSON_STRING, "none|preliminary|final|amended", false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_marks_members[] = {
    { "masked", EMAGE_JSON_BOOLEAN, NULL, false },
    { "hidden_patient", EMAGE_JSON_BOOLEAN, NULL, false },
    { "hidden_representatives", EMAGE_JSON_BOOLEAN, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_patient_members[] = {
    { "version", EMAGE_JSON_INTEGER, NULL, false },
    { "pid", EMAGE_JSON_STRING, NULL, false },
    { "identity", EMAGE_JSON_OBJECT, NULL, false },
    { "consent", EMAGE_JSON_OBJECT, NULL, false },
    { "relations", EMAGE_JSON_ARRAY, NULL, false },
    { "exclusions", EMAGE_JSON_ARRAY, NULL, false },
    { "emergency_excluded", EMAGE_JSON_BOOLEAN, NULL, false },
    { "overrides", EMAGE_JSON_ARRAY, NULL, false },
    { "tickets", EMAGE_JSON_ARRAY, NULL, false },
    { "representatives", EMAGE_JSON_ARRAY, NULL, false },
    { "erasure", EMAGE_JSON_OBJECT, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_identity_members[] = {
    { "status", EMAGE_JSON_STRING, "local|QUAL|quarantined", false },
    { "identifiers", EMAGE_JSON_ARRAY, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_identifier_members[] = {
    { "issuer", EMAGE_JSON_STRING, NULL, false },
    { "id", EMAGE_JSON_STRING, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_consent_members[] = {
    { "inclusion", EMAGE_JSON_STRING, "none|given|refused", false },
    { "sharing", EMAGE_JSON_STRING, "none|active|refused|withdrawn", false },
    { "expires", EMAGE_JSON_INTEGER, NULL, false },
    { "recorded", EMAGE_JSON_OBJECT, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_recorded_members[] = {
    { "by", EMAGE_JSON_STRING, NULL, false },
    { "how", EMAGE_JSON_STRING, "|patient|oral|written", false },
    { "text", EMAGE_JSON_STRING, NULL, false },
    { "at", EMAGE_JSON_INTEGER, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_relation_members[] = {
    { "id", EMAGE_JSON_STRING, NULL, false },
    { "kind", EMAGE_JSON_STRING, "named|team|organisation", false },
    { "subject", EMAGE_JSON_STRING, NULL, false },
    { "studies", EMAGE_JSON_ARRAY, NULL, false },
    { "modalities", EMAGE_JSON_ARRAY, NULL, false },
    { "dates", EMAGE_JSON_ARRAY, NULL, false },
    { "basis", EMAGE_JSON_STRING,
      "admission|consultation|opinion|delegation", false },
    { "by", EMAGE_JSON_STRING, NULL, false },
    { "from", EMAGE_JSON_INTEGER, NULL, false },
    { "until", EMAGE_JSON_INTEGER, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_exclusion_members[] = {
    { "subject", EMAGE_JSON_STRING, NULL, false },
    { "from", EMAGE_JSON_INTEGER, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_override_members[] = {
    { "subject", EMAGE_JSON_STRING, NULL, false },
    { "purpose", EMAGE_JSON_STRING, "BTG|ETREAT", false },
    { "reason", EMAGE_JSON_STRING, NULL, false },
    { "from", EMAGE_JSON_INTEGER, NULL, false },
    { "until", EMAGE_JSON_INTEGER, NULL, false },
    { NULL, 0, NULL, false }
};

static const emage_member_t  emage_erasure_members[] = {
    { "requested", EMAGE_JSON_INTEGER, NULL, false },
    { "state", EMAGE_JSON_STRING, "none|requested|purging", false },
    { NULL, 0, NULL, false }
};


static emage_rc_t emage_record_load(emage_str_t text, const char *what,
    json_t **out, emage_error_t *err);
static emage_rc_t emage_members_check(const json_t *object, const char *what,
    const emage_member_t *members, emage_error_t *err);
static bool emage_member_valid(const json_t *value, const emage_member_t *m);
static emage_rc_t emage_items_check(const json_t *array, const char *what,
    const emage_member_t *members, emage_error_t *err);
static emage_rc_t emage_strings_check(const json_t *array, const char *what,
    bool (*valid)(emage_str_t s), emage_error_t *err);
static emage_rc_t emage_study_check(const json_t *study, emage_error_t *err);
static emage_rc_t emage_patient_check(const json_t *patient,
    emage_error_t *err);
static emage_rc_t emage_patient_lists_check(const json_t *patient,
    emage_error_t *err);
static emage_rc_t emage_relations_check(const json_t *relations,
    emage_error_t *err);
static emage_rc_t emage_overrides_check(const json_t *overrides,
    emage_error_t *err);
static emage_rc_t emage_identifiers_check(const json_t *identifiers,
    emage_error_t *err);


emage_rc_t
emage_record_study_check(emage_str_t json, emage_error_t *err)
{
    json_t      *doc;
    emage_rc_t   rc;

    rc = emage_study_load(json, &doc, err);

    if (rc == EMAGE_OK) {
        json_decref(doc);
    }

    return rc;
}


emage_rc_t
emage_record_patient_check(emage_str_t json, emage_error_t *err)
{
    json_t      *doc;
    emage_rc_t   rc;

    rc = emage_patient_load(json, &doc, err);

    if (rc == EMAGE_OK) {
        json_decref(doc);
    }

    return rc;
}


emage_rc_t
emage_study_load(emage_str_t text, json_t **out, emage_error_t *err)
{
    emage_rc_t  rc;

    rc = emage_record_load(text, "study record", out, err);

    if (rc == EMAGE_OK) {
        rc = emage_study_check(*out, err);

        if (rc != EMAGE_OK) {
            json_decref(*out);
            *out = NULL;
        }
    }

    return rc;
}


emage_rc_t
emage_patient_load(emage_str_t text, json_t **out, emage_error_t *err)
{
    emage_rc_t  rc;

    rc = emage_record_load(text, "patient record", out, err);

    if (rc == EMAGE_OK) {
        rc = emage_patient_check(*out, err);

        if (rc != EMAGE_OK) {
            json_decref(*out);
            *out = NULL;
        }
    }

    return rc;
}


static emage_rc_t
emage_record_load(emage_str_t text, const char *what, json_t **out,
    emage_error_t *err)
{
    json_error_t  error;

    *out = NULL;

    if (text.len > EMAGE_RECORD_MAX) {
        emage_error_set(err, "%s: is over %d bytes", what, EMAGE_RECORD_MAX);
        return EMAGE_ERROR;
    }

    json_set_alloc_funcs(emage_latch_malloc, free);
    (void) emage_latch_failed();

    *out = json_loadb((text.data == NULL) ? "" : text.data, text.len,
                      JSON_REJECT_DUPLICATES, &error);

    if (emage_latch_failed()) {
        json_decref(*out);
        *out = NULL;
        emage_error_set(err, "%s: out of memory", what);
        return EMAGE_NOMEM;
    }

    if (*out == NULL) {
        emage_error_set(err, "%s: is not JSON at byte %d", what,
                        error.position);
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_members_check(const json_t *object, const char *what,
    const emage_member_t *members, emage_error_t *err)
{
    size_t                 n;
    json_t                *value;
    const emage_member_t  *m;

    if (!json_is_object(object)) {
        emage_error_set(err, "%s: is not an object", what);
        return EMAGE_ERROR;
    }

    n = 0;

    for (m = members; m->name != NULL; m++) {
        value = json_object_get(object, m->name);

        if (value == NULL) {
            if (m->optional) {
                continue;
            }

            emage_error_set(err, "%s: \"%s\" is missing", what, m->name);
            return EMAGE_ERROR;
        }

        if (!emage_member_valid(value, m)) {
            emage_error_set(err, "%s: \"%s\" is not as it must be", what,
                            m->name);
            return EMAGE_ERROR;
        }

        n++;
    }

    if (n != json_object_size(object)) {
        emage_error_set(err, "%s: has a member that this version does not "
                        "know", what);
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


static bool
emage_member_valid(const json_t *value, const emage_member_t *m)
{
    int64_t      n;
    emage_str_t  s;

    switch (m->type) {

    case EMAGE_JSON_STRING:

        if (!json_is_string(value)
            || json_string_length(value) > EMAGE_JSON_STRING_MAX)
        {
            return false;
        }

        s.data = json_string_value(value);
        s.len = json_string_length(value);

        return m->words == NULL || emage_word(s, m->words) >= 0;

    case EMAGE_JSON_INTEGER:

        n = json_integer_value(value);

        return json_is_integer(value) && n >= 0 && n <= EMAGE_JSON_TIME_MAX;

    case EMAGE_JSON_BOOLEAN:
        return json_is_boolean(value);

    case EMAGE_JSON_ARRAY:
        return json_is_array(value);

    default:
        return json_is_object(value);
    }
}


static emage_rc_t
emage_items_check(const json_t *array, const char *what,
    const emage_member_t *members, emage_error_t *err)
{
    size_t       i;
    emage_rc_t   rc;

    for (i = 0; i < json_array_size(array); i++) {
        rc = emage_members_check(json_array_get(array, i), what, members,
                                 err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_strings_check(const json_t *array, const char *what,
    bool (*valid)(emage_str_t s), emage_error_t *err)
{
    size_t        i;
    emage_str_t   s;
    const json_t *value;

    for (i = 0; i < json_array_size(array); i++) {
        value = json_array_get(array, i);

        s.data = json_string_value(value);
        s.len = json_string_length(value);

        if (!json_is_string(value) || !valid(s)) {
            emage_error_set(err, "%s: item %zu is not as it must be", what,
                            i + 1);
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_study_check(const json_t *study, emage_error_t *err)
{
    size_t       i;
    json_t      *list;
    emage_rc_t   rc;

    rc = emage_members_check(study, "study record", emage_study_members, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    list = json_object_get(study, "reports");

    if ((rc = emage_items_check(json_object_get(study, "sources"), "source",
                                emage_source_members, err)) != EMAGE_OK
        || (rc = emage_members_check(json_object_get(study, "marks"), "marks",
                                     emage_marks_members, err)) != EMAGE_OK
        || (rc = emage_items_check(list, "report", emage_report_members, err))
           != EMAGE_OK
        || (rc = emage_strings_check(json_object_get(study, "modalities"),
                                     "modalities", emage_valid_modality, err))
           != EMAGE_OK)
    {
        return rc;
    }

    for (i = 0; i < json_array_size(list); i++) {
        if (!emage_valid_uid(emage_string(json_array_get(list, i),
                                          "instance")))
        {
            emage_error_set(err, "report: \"instance\" is no UID");
            return EMAGE_ERROR;
        }
    }

    if (emage_integer(study, "version") < 1
        || !emage_valid_uid(emage_string(study, "study"))
        || !emage_valid_pid(emage_string(study, "pid"))
        || !emage_valid_revision(emage_string(study, "revision"))
        || (json_object_get(study, "date") != NULL
            && !emage_valid_date(emage_string(study, "date"))))
    {
        emage_error_set(err, "study record: version, study, pid, revision or "
                        "date is not as it must be");
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_patient_check(const json_t *patient, emage_error_t *err)
{
    json_t      *identity, *consent;
    emage_rc_t   rc;

    rc = emage_members_check(patient, "patient record", emage_patient_members,
                             err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    identity = json_object_get(patient, "identity");
    consent = json_object_get(patient, "consent");

    if ((rc = emage_members_check(identity, "identity",
                                  emage_identity_members, err)) != EMAGE_OK
        || (rc = emage_members_check(consent, "consent",
                                     emage_consent_members, err)) != EMAGE_OK
        || (rc = emage_members_check(json_object_get(consent, "recorded"),
                                     "recorded", emage_recorded_members, err))
           != EMAGE_OK
        || (rc = emage_members_check(json_object_get(patient, "erasure"),
                                     "erasure", emage_erasure_members, err))
           != EMAGE_OK
        || (rc = emage_identifiers_check(json_object_get(identity,
                                                         "identifiers"), err))
           != EMAGE_OK
        || (rc = emage_patient_lists_check(patient, err)) != EMAGE_OK)
    {
        return rc;
    }

    if (emage_integer(patient, "version") < 1
        || !emage_valid_pid(emage_string(patient, "pid")))
    {
        emage_error_set(err, "patient record: version or pid is not as it "
                        "must be");
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_patient_lists_check(const json_t *patient, emage_error_t *err)
{
    size_t       i;
    json_t      *list;
    emage_rc_t   rc;

    if ((rc = emage_relations_check(json_object_get(patient, "relations"),
                                    err)) != EMAGE_OK
        || (rc = emage_overrides_check(json_object_get(patient, "overrides"),
                                       err)) != EMAGE_OK)
    {
        return rc;
    }

    list = json_object_get(patient, "exclusions");

    rc = emage_items_check(list, "exclusion", emage_exclusion_members, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; i < json_array_size(list); i++) {
        if (!emage_valid_subject(emage_string(json_array_get(list, i),
                                              "subject")))
        {
            emage_error_set(err, "exclusion: \"subject\" is not system|id");
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_relations_check(const json_t *relations, emage_error_t *err)
{
    size_t        i;
    json_t       *dates;
    int64_t       until;
    emage_rc_t    rc;
    const json_t *relation;

    rc = emage_items_check(relations, "relation", emage_relation_members, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; i < json_array_size(relations); i++) {
        relation = json_array_get(relations, i);
        dates = json_object_get(relation, "dates");
        until = emage_integer(relation, "until");

        if ((rc = emage_strings_check(json_object_get(relation, "studies"),
                                      "studies of a relation",
                                      emage_valid_uid, err)) != EMAGE_OK
            || (rc = emage_strings_check(json_object_get(relation,
                                                         "modalities"),
                                         "modalities of a relation",
                                         emage_valid_modality, err))
               != EMAGE_OK
            || (rc = emage_strings_check(dates, "dates of a relation",
                                         emage_valid_date, err)) != EMAGE_OK)
        {
            return rc;
        }

        if ((json_array_size(dates) != 0 && json_array_size(dates) != 2)
            || !emage_valid_subject(emage_string(relation, "subject"))
            || (until != 0 && until <= emage_integer(relation, "from")))
        {
            emage_error_set(err, "relation: subject, dates or period is not "
                            "as it must be");
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}


/* An override is for a while: it always ends. */

static emage_rc_t
emage_overrides_check(const json_t *overrides, emage_error_t *err)
{
    size_t        i;
    emage_rc_t    rc;
    const json_t *override;

    rc = emage_items_check(overrides, "override", emage_override_members, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; i < json_array_size(overrides); i++) {
        override = json_array_get(overrides, i);

        if (!emage_valid_subject(emage_string(override, "subject"))
            || emage_string(override, "reason").len == 0
            || emage_integer(override, "until")
               <= emage_integer(override, "from"))
        {
            emage_error_set(err, "override: needs a subject, a reason and an "
                            "end");
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}


/*
 * An issuer without "|": joined to "issuer|id", two identifiers can then never
 * be written alike.
 */

static emage_rc_t
emage_identifiers_check(const json_t *identifiers, emage_error_t *err)
{
    size_t        i;
    emage_rc_t    rc;
    emage_str_t   issuer;
    const json_t *item;

    rc = emage_items_check(identifiers, "identifier",
                           emage_identifier_members, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; i < json_array_size(identifiers); i++) {
        item = json_array_get(identifiers, i);
        issuer = emage_string(item, "issuer");

        if (issuer.len == 0 || memchr(issuer.data, '|', issuer.len) != NULL
            || emage_string(item, "id").len == 0)
        {
            emage_error_set(err, "identifier: needs an issuer without \"|\" "
                            "and an id");
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}
