/*
 * Copyright (C) The e-mage authors
 *
 * JSON values of Cedar, turned into ours.  The one place that
 * includes jansson.
 */


#ifndef CEDAR_JSON_H
#define CEDAR_JSON_H


#include "cedar_eval.h"

#include <jansson.h>


#define CEDAR_MAX_JSON  (32 * 1024 * 1024)


/* One text being read into `e`; `where` names the place for messages. */

typedef struct {
    cedar_entities_t  *e;
    emage_str_t        name;
    emage_error_t     *err;
    const char        *list;         /* "entity", "request" */
    size_t             index;
    const char        *part;         /* "attrs", "context" */
    bool               failed;
    bool               nomem;
} cedar_json_t;

json_t *cedar_json_parse(emage_str_t name, emage_str_t text,
    emage_error_t *err);

/* Set the error; always false. */

bool cedar_json_fail(cedar_json_t *j, const char *what);
bool cedar_json_nomem(cedar_json_t *j);
emage_rc_t cedar_json_rc(const cedar_json_t *j);

bool cedar_json_string(cedar_json_t *j, const json_t *s, emage_str_t *out);
bool cedar_json_uid(cedar_json_t *j, const json_t *o, cedar_value_t *v);
bool cedar_json_value(cedar_json_t *j, const json_t *o,
    const cedar_type_t *expect, uint32_t depth, cedar_value_t *v);

bool cedar_json_record(cedar_json_t *j, const json_t *o,
    const cedar_type_t *expect, uint32_t depth, cedar_value_t *v);

/* Makes an empty store over `set`. */

emage_rc_t cedar_entities_create(const cedar_set_t *set,
    cedar_entities_t **entities, emage_error_t *err);

/* Reads an array of entities into the empty store of `j`, and closes it. */

emage_rc_t cedar_json_entities(cedar_json_t *j, const json_t *array);

/* Adds the links of an array; as cedar_set_add_links. */

emage_rc_t cedar_links_add(cedar_set_t *set, cedar_source_t *source,
    const json_t *array, emage_error_t *err);


#endif /* CEDAR_JSON_H */
