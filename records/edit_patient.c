
/*
 * Copyright (C) The e-mage authors
 *
 * Edits of a patient's record.
 */


#include "edit.h"

#include <stdlib.h>
#include <string.h>


#define EMAGE_OVERRIDE_MAX    ((int64_t) 24 * 3600 * 1000)
#define EMAGE_OVERRIDE_KEEP   ((int64_t) 30 * 24 * 3600 * 1000)


static emage_rc_t emage_edit_consent(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_withdraw(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_recorded(json_t *consent,
    const emage_edit_t *edit, emage_error_t *err);
static emage_rc_t emage_edit_relate(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static json_t *emage_edit_strings(const emage_edit_list_t *list);
static bool emage_edit_relation_known(const json_t *relations,
    const json_t *relation, int64_t now);
static emage_rc_t emage_edit_unrelate(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_exclude(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_include(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_emergency(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_override(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_erase(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);


const emage_edit_command_t  emage_edit_patient_commands[] = {
    { "set", "consent", EMAGE_RECORD_PATIENT, emage_edit_consent },
    { "withdraw", "consent", EMAGE_RECORD_PATIENT, emage_edit_withdraw },
    { "relate", "relation", EMAGE_RECORD_PATIENT, emage_edit_relate },
    { "unrelate", "relation", EMAGE_RECORD_PATIENT, emage_edit_unrelate },
    { "exclude", "exclusion", EMAGE_RECORD_PATIENT, emage_edit_exclude },
    { "include", "exclusion", EMAGE_RECORD_PATIENT, emage_edit_include },
    { "emergency-exclude", "exclusion", EMAGE_RECORD_PATIENT,
      emage_edit_emergency },
    { "override", "override", EMAGE_RECORD_PATIENT, emage_edit_override },
    { "erase-request", "erasure", EMAGE_RECORD_PATIENT, emage_edit_erase },
    { NULL, NULL, 0, NULL }
};


/* Anything that gives makes the whole a grant: unfinished, it is not made. */

static emage_rc_t
emage_edit_consent(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    json_t      *consent;
    emage_rc_t   rc;

    consent = json_object_get(doc, "consent");
    *effect = EMAGE_CHANGE_RESTRICT;

    if (edit->inclusion == NULL && edit->sharing == NULL
        && edit->expires == -1)
    {
        emage_error_set(err, "set: give --inclusion, --sharing or --expires");
        return EMAGE_ERROR;
    }

    if (edit->inclusion != NULL) {

        if (emage_str_eq(emage_str_c(edit->inclusion), emage_str("given"))) {
            *effect = EMAGE_CHANGE_GRANT;
        }

        rc = emage_edit_set(consent, "inclusion", edit->inclusion, err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    if (edit->sharing != NULL) {

        if (emage_str_eq(emage_str_c(edit->sharing), emage_str("active"))) {
            *effect = EMAGE_CHANGE_GRANT;
        }

        rc = emage_edit_set(consent, "sharing", edit->sharing, err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    if (edit->expires != -1) {
        *effect = EMAGE_CHANGE_GRANT;

        rc = emage_edit_set_int(consent, "expires", edit->expires, err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    return emage_edit_recorded(consent, edit, err);
}


static emage_rc_t
emage_edit_withdraw(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    json_t      *consent;
    emage_rc_t   rc;

    *effect = EMAGE_CHANGE_RESTRICT;
    consent = json_object_get(doc, "consent");

    if (emage_str_eq(emage_json_str(consent, "sharing"),
                     emage_str("withdrawn")))
    {
        return EMAGE_OK;
    }

    rc = emage_edit_set(consent, "sharing", "withdrawn", err);

    return (rc == EMAGE_OK) ? emage_edit_recorded(consent, edit, err) : rc;
}


static emage_rc_t
emage_edit_recorded(json_t *consent, const emage_edit_t *edit,
    emage_error_t *err)
{
    json_t      *recorded;
    emage_rc_t   rc;

    recorded = json_object_get(consent, "recorded");

    if ((rc = emage_edit_set(recorded, "by",
                             (edit->by == NULL) ? "" : edit->by, err))
        != EMAGE_OK
        || (rc = emage_edit_set(recorded, "how",
                                (edit->how == NULL) ? "" : edit->how, err))
           != EMAGE_OK
        || (rc = emage_edit_set(recorded, "text",
                                (edit->text == NULL) ? "" : edit->text, err))
           != EMAGE_OK)
    {
        return rc;
    }

    return emage_edit_set_int(recorded, "at", edit->now, err);
}


static json_t *
emage_edit_strings(const emage_edit_list_t *list)
{
    size_t   i;
    json_t  *array;

    array = json_array();

    for (i = 0; array != NULL && i < list->n; i++) {
        if (json_array_append_new(array, json_string(list->item[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


static emage_rc_t
emage_edit_relate(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    char     id[EMAGE_RECORDS_ID_LEN + 1];
    json_t  *relations, *relation;

    *effect = EMAGE_CHANGE_GRANT;
    relations = json_object_get(doc, "relations");

    if (edit->subject == NULL || edit->kind == NULL) {
        emage_error_set(err, "relate: give --professional, --team or "
                        "--organisation");
        return EMAGE_ERROR;
    }

    if (!emage_records_random_id(id)) {
        emage_error_set(err, "relate: no random numbers");
        return EMAGE_UNAVAILABLE;
    }

    id[0] = 'r';
    id[9] = '\0';

    relation = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:I, s:I}",
                         "id", id, "kind", edit->kind,
                         "subject", edit->subject,
                         "studies", emage_edit_strings(&edit->studies),
                         "modalities", emage_edit_strings(&edit->modalities),
                         "dates", emage_edit_strings(&edit->dates),
                         "basis", (edit->basis == NULL) ? "consultation"
                                                        : edit->basis,
                         "by", (edit->by == NULL) ? "" : edit->by,
                         "from", (json_int_t) ((edit->from == 0) ? edit->now
                                                                 : edit->from),
                         "until", (json_int_t) edit->until);

    if (relation == NULL) {
        emage_error_set(err, "relate: not UTF-8, or out of memory");
        return EMAGE_ERROR;
    }

    if (emage_edit_relation_known(relations, relation, edit->now)) {
        json_decref(relation);
        return EMAGE_OK;
    }

    return json_array_append_new(relations, relation) == 0
           ? EMAGE_OK : emage_edit_nomem(err);
}


/* Whether the same relation, running already, is there. */

static bool
emage_edit_relation_known(const json_t *relations, const json_t *relation,
    int64_t now)
{
    size_t         i, j;
    const json_t  *other;

    static const char *const  same[] = {
        "kind", "subject", "studies", "modalities", "dates", "basis", "until"
    };

    for (i = 0; i < json_array_size(relations); i++) {
        other = json_array_get(relations, i);

        for (j = 0; j < sizeof(same) / sizeof(same[0]); j++) {
            if (!json_equal(json_object_get(other, same[j]),
                            json_object_get(relation, same[j])))
            {
                break;
            }
        }

        if (j == sizeof(same) / sizeof(same[0])
            && emage_json_int(other, "from") <= now)
        {
            return true;
        }
    }

    return false;
}


static emage_rc_t
emage_edit_unrelate(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    size_t         i;
    json_t        *relations;
    const json_t  *relation;

    *effect = EMAGE_CHANGE_RESTRICT;
    relations = json_object_get(doc, "relations");

    if (edit->subject == NULL && edit->id == NULL) {
        emage_error_set(err, "unrelate: give --id, --professional, --team or "
                        "--organisation");
        return EMAGE_ERROR;
    }

    for (i = json_array_size(relations); i > 0; i--) {
        relation = json_array_get(relations, i - 1);

        if (edit->id != NULL
            && !emage_str_eq(emage_json_str(relation, "id"),
                             emage_str_c(edit->id)))
        {
            continue;
        }

        if (edit->subject != NULL
            && !emage_str_eq(emage_json_str(relation, "subject"),
                             emage_str_c(edit->subject)))
        {
            continue;
        }

        if (json_array_remove(relations, i - 1) != 0) {
            return emage_edit_nomem(err);
        }
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_edit_exclude(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    size_t   i;
    json_t  *list, *item;
    int64_t  from;

    *effect = EMAGE_CHANGE_RESTRICT;
    list = json_object_get(doc, "exclusions");

    if (edit->subject == NULL) {
        emage_error_set(err, "exclude: give --professional, --team or "
                        "--organisation");
        return EMAGE_ERROR;
    }

    from = (edit->from == 0) ? edit->now : edit->from;

    for (i = 0; i < json_array_size(list); i++) {
        item = json_array_get(list, i);

        if (!emage_str_eq(emage_json_str(item, "subject"),
                          emage_str_c(edit->subject)))
        {
            continue;
        }

        if (emage_json_int(item, "from") <= from) {
            return EMAGE_OK;
        }

        return emage_edit_set_int(item, "from", from, err);
    }

    item = json_pack("{s:s, s:I}", "subject", edit->subject,
                     "from", (json_int_t) from);

    return json_array_append_new(list, item) == 0 ? EMAGE_OK
                                                  : emage_edit_nomem(err);
}


static emage_rc_t
emage_edit_include(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    size_t   i;
    json_t  *list;

    *effect = EMAGE_CHANGE_GRANT;
    list = json_object_get(doc, "exclusions");

    if (edit->subject == NULL) {
        emage_error_set(err, "include: give --professional, --team or "
                        "--organisation");
        return EMAGE_ERROR;
    }

    for (i = json_array_size(list); i > 0; i--) {
        if (emage_str_eq(emage_json_str(json_array_get(list, i - 1),
                                        "subject"),
                         emage_str_c(edit->subject))
            && json_array_remove(list, i - 1) != 0)
        {
            return emage_edit_nomem(err);
        }
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_edit_emergency(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    *effect = edit->off ? EMAGE_CHANGE_GRANT : EMAGE_CHANGE_RESTRICT;

    return json_object_set_new(doc, "emergency_excluded",
                               json_boolean(!edit->off)) == 0
           ? EMAGE_OK : emage_edit_nomem(err);
}


static emage_rc_t
emage_edit_override(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    size_t   i;
    json_t  *list, *item;

    *effect = EMAGE_CHANGE_GRANT;
    list = json_object_get(doc, "overrides");

    if (edit->subject == NULL || edit->reason == NULL
        || *edit->reason == '\0')
    {
        emage_error_set(err, "override: give --professional and --reason");
        return EMAGE_ERROR;
    }

    if (edit->until <= edit->now
        || edit->until - edit->now > EMAGE_OVERRIDE_MAX)
    {
        emage_error_set(err, "override: lasts up to 24 hours");
        return EMAGE_ERROR;
    }

    /* those long past are in the ledger; the record stays small */

    for (i = json_array_size(list); i > 0; i--) {
        if (emage_json_int(json_array_get(list, i - 1), "until")
            < edit->now - EMAGE_OVERRIDE_KEEP
            && json_array_remove(list, i - 1) != 0)
        {
            return emage_edit_nomem(err);
        }
    }

    item = json_pack("{s:s, s:s, s:s, s:I, s:I}", "subject", edit->subject,
                     "purpose", (edit->purpose == NULL) ? "BTG"
                                                        : edit->purpose,
                     "reason", edit->reason,
                     "from", (json_int_t) edit->now,
                     "until", (json_int_t) edit->until);

    return json_array_append_new(list, item) == 0 ? EMAGE_OK
                                                  : emage_edit_nomem(err);
}


static emage_rc_t
emage_edit_erase(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    json_t       *erasure;
    emage_rc_t    rc;
    emage_str_t   state;

    erasure = json_object_get(doc, "erasure");
    state = emage_json_str(erasure, "state");

    if (emage_str_eq(state, emage_str("purging"))) {
        emage_error_set(err, "erase-request: the purge has started");
        return EMAGE_CONFLICT;
    }

    if (edit->off) {
        *effect = EMAGE_CHANGE_GRANT;

        rc = emage_edit_set_int(erasure, "requested", 0, err);

        return (rc == EMAGE_OK) ? emage_edit_set(erasure, "state", "none",
                                                 err)
                                : rc;
    }

    *effect = EMAGE_CHANGE_RESTRICT;

    if (emage_str_eq(state, emage_str("requested"))) {
        return EMAGE_OK;
    }

    rc = emage_edit_set_int(erasure, "requested", edit->now, err);

    return (rc == EMAGE_OK) ? emage_edit_set(erasure, "state", "requested",
                                             err)
                            : rc;
}
