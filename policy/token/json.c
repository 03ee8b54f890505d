
/*
 * Copyright (C) The e-mage authors
 *
 * JSON as tokens and key sets may have it.
 */


#include "token_core.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>


/* 9999-12-31T23:59:59Z */

#define EMAGE_JOSE_DATE_MAX  253402300799
#define EMAGE_JOSE_INT_MAX   9007199254740991


static bool emage_jose_deep(emage_str_t text);


/* Counts brackets before anything recurses into them. */

static bool
emage_jose_deep(emage_str_t text)
{
    char      c;
    bool      quoted;
    size_t    i;
    unsigned  depth;

    depth = 0;
    quoted = false;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (quoted) {
            if (c == '\\') {
                i++;

            } else if (c == '"') {
                quoted = false;
            }

        } else if (c == '"') {
            quoted = true;

        } else if (c == '{' || c == '[') {
            if (++depth > EMAGE_JOSE_DEPTH) {
                return true;
            }

        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }

    return false;
}


emage_rc_t
emage_jose_load(emage_str_t text, size_t max, emage_jose_json_t **out,
    emage_error_t *err)
{
    char          *near;
    size_t         len;
    json_t        *json;
    json_error_t   error;

    *out = NULL;

    if (text.len == 0 || text.len > max) {
        emage_error_set(err, "%s", (text.len == 0) ? "empty" : "too long");
        return EMAGE_ERROR;
    }

    if (emage_jose_deep(text)) {
        emage_error_set(err, "nested over %d levels", EMAGE_JOSE_DEPTH);
        return EMAGE_ERROR;
    }

    json_set_alloc_funcs(emage_latch_malloc, free);
    (void) emage_latch_failed();

    json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);

    if (emage_latch_failed()) {
        json_decref(json);
        emage_error_set(err, "out of memory");
        return EMAGE_NOMEM;
    }

    if (json == NULL) {

        /* what the library quotes from the text may be a key */

        near = strstr(error.text, " near ");
        len = (near == NULL) ? strlen(error.text)
                             : (size_t) (near - error.text);

        emage_error_set(err, "not JSON: %.*s in line %d", (int) len,
                        error.text, error.line);
        return EMAGE_ERROR;
    }

    if (!json_is_object(json)) {
        json_decref(json);
        emage_error_set(err, "not a JSON object");
        return EMAGE_ERROR;
    }

    *out = (emage_jose_json_t *) json;

    return EMAGE_OK;
}


void
emage_jose_free(emage_jose_json_t *json)
{
    json_decref((json_t *) json);
}


const emage_jose_json_t *
emage_jose_get(const emage_jose_json_t *json, emage_str_t name)
{
    if (name.len == 0) {
        return NULL;
    }

    return (const emage_jose_json_t *)
           json_object_getn((const json_t *) json, name.data, name.len);
}


bool
emage_jose_is_object(const emage_jose_json_t *json)
{
    return json_is_object((const json_t *) json);
}


bool
emage_jose_is_array(const emage_jose_json_t *json)
{
    return json_is_array((const json_t *) json);
}


size_t
emage_jose_count(const emage_jose_json_t *json)
{
    return json_array_size((const json_t *) json);
}


const emage_jose_json_t *
emage_jose_at(const emage_jose_json_t *json, size_t n)
{
    return (const emage_jose_json_t *)
           json_array_get((const json_t *) json, n);
}


bool
emage_jose_string(const emage_jose_json_t *json, emage_str_t *out)
{
    if (!json_is_string((const json_t *) json)) {
        return false;
    }

    out->data = json_string_value((const json_t *) json);
    out->len = json_string_length((const json_t *) json);

    return true;
}


bool
emage_jose_date(const emage_jose_json_t *json, int64_t *ms)
{
    double      real;
    json_int_t  n;

    if (json_is_integer((const json_t *) json)) {
        n = json_integer_value((const json_t *) json);

        if (n < 0 || n > EMAGE_JOSE_DATE_MAX) {
            return false;
        }

        *ms = n * 1000;

        return true;
    }

    if (!json_is_real((const json_t *) json)) {
        return false;
    }

    real = json_real_value((const json_t *) json);

    if (!(real >= 0 && real <= (double) EMAGE_JOSE_DATE_MAX)) {
        return false;
    }

    *ms = (int64_t) (real * 1000);

    return true;
}


bool
emage_jose_int(const emage_jose_json_t *json, int64_t *n)
{
    if (!json_is_integer((const json_t *) json)) {
        return false;
    }

    *n = json_integer_value((const json_t *) json);

    return *n >= 0 && *n <= EMAGE_JOSE_INT_MAX;
}


emage_rc_t
emage_jose_set(emage_jose_json_t *json, const char *name, emage_str_t value)
{
    json_t  *string;

    string = json_stringn(value.data, value.len);

    if (string == NULL
        || json_object_set_new((json_t *) json, name, string) != 0)
    {
        return EMAGE_NOMEM;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_jose_dump(const emage_jose_json_t *json, emage_buf_t *out)
{
    char  *text;
    bool   failed;

    (void) emage_latch_failed();

    text = json_dumps((const json_t *) json, JSON_COMPACT);

    failed = emage_latch_failed() || text == NULL
             || emage_buf_add_c(out, text) != EMAGE_OK;

    free(text);

    return failed ? EMAGE_NOMEM : EMAGE_OK;
}
