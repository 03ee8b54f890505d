
/*
 * Copyright (C) The e-mage authors
 *
 * Edits of a study's record.
 */


#include "edit.h"

#include <string.h>


static emage_rc_t emage_edit_report(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_release(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_mark(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_confidentiality(json_t *doc,
    const emage_edit_t *edit, emage_change_effect_t *effect,
    emage_error_t *err);
static emage_rc_t emage_edit_restrict(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);
static emage_rc_t emage_edit_resolve(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);


const emage_edit_command_t  emage_edit_study_commands[] = {
    { "report-status", "report", EMAGE_RECORD_STUDY, emage_edit_report },
    { "release", "release", EMAGE_RECORD_STUDY, emage_edit_release },
    { "mark", "mark", EMAGE_RECORD_STUDY, emage_edit_mark },
    { "confidentiality", "confidentiality", EMAGE_RECORD_STUDY,
      emage_edit_confidentiality },
    { "restrict", "state", EMAGE_RECORD_STUDY, emage_edit_restrict },
    { "resolve", "identity", EMAGE_RECORD_STUDY, emage_edit_resolve },
    { NULL, NULL, 0, NULL }
};


/*
 * One report, or every report that the record lists.  A report that is not
 * listed is added: its status is known before it is.
 */

static emage_rc_t
emage_edit_report(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    bool         all, found;
    size_t       i;
    json_t      *list, *item;
    emage_rc_t   rc;
    emage_str_t  instance;

    list = json_object_get(doc, "reports");

    if (edit->instance == NULL || edit->value == NULL) {
        emage_error_set(err, "report-status: give --instance UID or --all, "
                        "and --status none, preliminary, final or amended");
        return EMAGE_ERROR;
    }

    *effect = (emage_str_eq(emage_str_c(edit->value), emage_str("final"))
               || emage_str_eq(emage_str_c(edit->value),
                               emage_str("amended")))
              ? EMAGE_CHANGE_GRANT : EMAGE_CHANGE_RESTRICT;

    instance = emage_str_c(edit->instance);
    all = emage_str_eq(instance, emage_str("all"));
    found = all;

    for (i = 0; i < json_array_size(list); i++) {
        item = json_array_get(list, i);

        if (!all && !emage_str_eq(emage_json_str(item, "instance"),
                                  instance))
        {
            continue;
        }

        found = true;

        rc = emage_edit_set(item, "status", edit->value, err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    if (found) {
        return EMAGE_OK;
    }

    item = json_pack("{s:s, s:s}", "instance", edit->instance,
                     "status", edit->value);

    return json_array_append_new(list, item) == 0 ? EMAGE_OK
                                                  : emage_edit_nomem(err);
}


static emage_rc_t
emage_edit_release(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    if (edit->value == NULL) {
        emage_error_set(err, "release: say validated or at-once");
        return EMAGE_ERROR;
    }

    *effect = emage_str_eq(emage_str_c(edit->value), emage_str("at-once"))
              ? EMAGE_CHANGE_GRANT : EMAGE_CHANGE_RESTRICT;

    return emage_edit_set(doc, "release", edit->value, err);
}


static emage_rc_t
emage_edit_mark(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    json_t      *marks;
    const char  *name;

    marks = json_object_get(doc, "marks");
    name = NULL;

    if (edit->value != NULL) {
        if (emage_str_eq(emage_str_c(edit->value), emage_str("masked"))) {
            name = "masked";

        } else if (emage_str_eq(emage_str_c(edit->value),
                                emage_str("hidden-patient")))
        {
            name = "hidden_patient";

        } else if (emage_str_eq(emage_str_c(edit->value),
                                emage_str("hidden-representatives")))
        {
            name = "hidden_representatives";
        }
    }

    if (name == NULL) {
        emage_error_set(err, "mark: say masked, hidden-patient or "
                        "hidden-representatives, then on or off");
        return EMAGE_ERROR;
    }

    *effect = edit->off ? EMAGE_CHANGE_GRANT : EMAGE_CHANGE_RESTRICT;

    return json_object_set_new(marks, name, json_boolean(!edit->off)) == 0
           ? EMAGE_OK : emage_edit_nomem(err);
}


static emage_rc_t
emage_edit_confidentiality(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    emage_str_t  old, new;

    if (edit->value == NULL) {
        emage_error_set(err, "confidentiality: say N, R or V");
        return EMAGE_ERROR;
    }

    old = emage_json_str(doc, "confidentiality");
    new = emage_str_c(edit->value);

    /* N, R and V stand in the order of the alphabet */

    *effect = (emage_str_cmp(new, old) < 0) ? EMAGE_CHANGE_GRANT
                                            : EMAGE_CHANGE_RESTRICT;

    return emage_edit_set(doc, "confidentiality", edit->value, err);
}


static emage_rc_t
emage_edit_restrict(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    if (emage_str_eq(emage_json_str(doc, "state"), emage_str("erasing"))) {
        emage_error_set(err, "restrict: the study is being erased");
        return EMAGE_CONFLICT;
    }

    *effect = edit->off ? EMAGE_CHANGE_GRANT : EMAGE_CHANGE_RESTRICT;

    return emage_edit_set(doc, "state", edit->off ? "active" : "restricted",
                          err);
}


static emage_rc_t
emage_edit_resolve(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err)
{
    (void) edit;

    *effect = EMAGE_CHANGE_GRANT;

    return emage_edit_set(doc, "quarantine", "", err);
}
