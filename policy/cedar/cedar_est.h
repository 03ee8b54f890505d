/*
 * Copyright (C) The e-mage authors
 *
 * Cedar's JSON policies and schemas, turned into text.
 */


#ifndef CEDAR_EST_H
#define CEDAR_EST_H


#include "cedar_json.h"
#include "cedar_json_text.h"
#include "cedar_parse.h"
#include "cedar_print.h"


/* One JSON text being turned into `b`; the first error stays. */

typedef struct {
    cedar_arena_t  *arena;
    emage_str_t     name;            /* of the text */
    const char     *kind;            /* of what is being read: "policy" */
    emage_str_t     policy;          /* its id or name */
    emage_error_t  *err;
    emage_buf_t     b;
    bool            failed;
} cedar_est_t;

/* Sets the error; always false. */

bool cedar_est_fail(cedar_est_t *e, const char *what);

bool cedar_est_string(cedar_est_t *e, const json_t *v, emage_str_t *s);
bool cedar_est_copy(cedar_est_t *e, const char *data, size_t len,
    emage_str_t *s);

/* Append an expression, the name of a type, an entity. */

bool cedar_est_expr(cedar_est_t *e, json_t *v, uint32_t depth);
bool cedar_est_type(cedar_est_t *e, const json_t *v);
bool cedar_est_uid(cedar_est_t *e, json_t *v);

/*
 * Append a plain value; what stands in [..] from element `from` on; a record.
 * `values`: of values, else of expressions.
 */

bool cedar_est_value(cedar_est_t *e, json_t *v, uint32_t depth);
bool cedar_est_list(cedar_est_t *e, json_t *v, size_t from, bool values,
    uint32_t depth);
bool cedar_est_record(cedar_est_t *e, json_t *v, bool values,
    uint32_t depth);


#endif /* CEDAR_EST_H */
