
/*
 * Copyright (C) The e-mage authors
 *
 * Documents as JSON.  The one place of this room that includes jansson.
 */


#ifndef EMAGE_RECORDS_JSON_H
#define EMAGE_RECORDS_JSON_H


#include "emage_records.h"

#include <jansson.h>


/* document.c */

/*
 * Parses a document: an object with "version" and "pid".  EMAGE_ERROR names
 * `what`.  The caller releases with json_decref.
 */

emage_rc_t emage_document_parse(emage_str_t text, const char *what,
    json_t **out, emage_error_t *err);

/* 0 if there is none. */

int64_t emage_document_version(const json_t *doc);
bool emage_document_deleted(const json_t *doc);

/* Compact, members in the order of their names. */

emage_rc_t emage_document_text(const json_t *doc, emage_buf_t *out);

/*
 * Equal but for the version; `ledger`: and but for who the patient is, which
 * the ledger does not know.
 */

bool emage_document_same(const json_t *a, const json_t *b, bool ledger);

/* A copy that names nobody: the ledger's form.  NULL without memory. */

json_t *emage_document_strip(const json_t *doc);

/* Takes the identifiers of `from` (may be NULL) into a stripped patient. */

bool emage_document_adopt(json_t *doc, const json_t *from);

/* The complete document of a new patient, version 1.  NULL without memory. */

json_t *emage_document_patient(emage_str_t pid, const char *status,
    emage_str_t issuer, emage_str_t id);

/* Strings and integers of an object; null and 0 if missing. */

emage_str_t emage_json_str(const json_t *object, const char *name);
int64_t emage_json_int(const json_t *object, const char *name);
bool emage_json_set_str(json_t *object, const char *name, emage_str_t value);


/* meet.c */

/*
 * The restrictive meet of two documents of the same record: what either takes
 * away is gone.  Changes `doc`; EMAGE_NOMEM.
 */

emage_rc_t emage_document_meet(emage_record_kind_t kind, json_t *doc,
    const json_t *with);


#endif /* EMAGE_RECORDS_JSON_H */
