
/*
 * Copyright (C) The e-mage authors
 *
 * Edits of a document: each changes `doc` and says whether that takes rights
 * away or gives them.
 */


#ifndef EMAGE_RECORDS_EDIT_H
#define EMAGE_RECORDS_EDIT_H


#include "emage_edit.h"
#include "records_core.h"
#include "records_json.h"


typedef emage_rc_t (*emage_edit_pt)(json_t *doc, const emage_edit_t *edit,
    emage_change_effect_t *effect, emage_error_t *err);


typedef struct {
    const char           *name;
    const char           *event;
    emage_record_kind_t   kind;
    emage_edit_pt         edit;
} emage_edit_command_t;


extern const emage_edit_command_t  emage_edit_patient_commands[];
extern const emage_edit_command_t  emage_edit_study_commands[];


/* Sets a string member; EMAGE_NOMEM with its text. */

emage_rc_t emage_edit_set(json_t *object, const char *name, const char *value,
    emage_error_t *err);
emage_rc_t emage_edit_set_int(json_t *object, const char *name, int64_t value,
    emage_error_t *err);
emage_rc_t emage_edit_nomem(emage_error_t *err);


#endif /* EMAGE_RECORDS_EDIT_H */
