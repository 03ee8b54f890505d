
/*
 * Copyright (C) The e-mage authors
 *
 * Records as JSON: the one place of this room that includes jansson.
 */


#ifndef EMAGE_FACTS_JSON_H
#define EMAGE_FACTS_JSON_H


#include "facts_core.h"

#include <jansson.h>


/*
 * Parses a record and checks it against docs/records.md, member by member:
 * after EMAGE_OK every getter below finds what it names.
 */

emage_rc_t emage_study_load(emage_str_t text, json_t **out,
    emage_error_t *err);
emage_rc_t emage_patient_load(emage_str_t text, json_t **out,
    emage_error_t *err);

emage_str_t emage_string(const json_t *object, const char *name);
int64_t emage_integer(const json_t *object, const char *name);
bool emage_boolean(const json_t *object, const char *name);

/* The place of a word in "a|b|c", from 0; -1 if it is none of them. */

int emage_word(emage_str_t s, const char *words);


/* Forms: UID; 32 hex digits; YYYYMMDD; directory name; code; "system|id". */

bool emage_valid_uid(emage_str_t s);
bool emage_valid_pid(emage_str_t s);
bool emage_valid_date(emage_str_t s);
bool emage_valid_revision(emage_str_t s);
bool emage_valid_modality(emage_str_t s);
bool emage_valid_subject(emage_str_t s);


#endif /* EMAGE_FACTS_JSON_H */
