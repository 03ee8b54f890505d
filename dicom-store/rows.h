
/*
 * Copyright (C) The e-mage authors
 *
 * From the metadata of an instance, as its worker left it, to the JSON that is
 * served and to the rows of searches.  The one place of this room that knows
 * jansson.
 */


#ifndef EMAGE_ROWS_H
#define EMAGE_ROWS_H


#include <emage/base.h>

#include <jansson.h>


/* Who the patient is here, and under which issuer he was known where. */

typedef struct {
    emage_str_t  pid;
    emage_str_t  region;
    emage_str_t  issuer;
} emage_identity_t;


/*
 * Joins the lines of emage_metadata_write to one JSON object, with the
 * regional PatientID and issuer in the place of the source's, which moves into
 * OtherPatientIDsSequence (0010,1002).  Every line is checked: it comes from a
 * process that has read a hostile file.  `dataset` gets the object, parsed.
 */

emage_rc_t emage_rows_join(emage_str_t lines, const emage_identity_t *who,
    emage_buf_t *json, json_t **dataset, emage_error_t *err);


/* The part of a dataset that stands in rows of a level; NULL: no memory. */

json_t *emage_rows_study(const json_t *dataset);
json_t *emage_rows_series(const json_t *dataset);
json_t *emage_rows_instance(const json_t *dataset, bool report);

/* Adds to `row` what it lacks of `other`; false: no memory. */

bool emage_rows_merge(json_t *row, const json_t *other);

/* Sets an attribute to one number or string, or to a list; false: no memory. */

bool emage_rows_set_number(json_t *row, const char *tag, const char *vr,
    uint32_t n);
bool emage_rows_set_strings(json_t *row, const char *tag, const char *vr,
    json_t *values);
bool emage_rows_set_string(json_t *row, const char *tag, const char *vr,
    const char *s);

/* The first value of an attribute, a string; NULL. */

const char *emage_rows_string(const json_t *row, const char *tag);


/* Parses and writes JSON text, in the order and width this store uses. */

json_t *emage_rows_parse(emage_str_t text, emage_error_t *err);
emage_rc_t emage_rows_dump(const json_t *json, emage_buf_t *out);


#endif /* EMAGE_ROWS_H */
