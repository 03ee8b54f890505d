
/*
 * Copyright (C) The e-mage authors
 *
 * Documents: parsing, comparing, the ledger's form.
 */


#include "records_json.h"

#include <stdlib.h>
#include <string.h>


static json_t *emage_document_bare(const json_t *doc, bool ledger);


emage_rc_t
emage_document_parse(emage_str_t text, const char *what, json_t **out,
    emage_error_t *err)
{
    json_error_t  error;

    *out = NULL;

    if (text.len > 2 * EMAGE_RECORD_TEXT_MAX) {
        emage_error_set(err, "%s: is too long", what);
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

    if (!json_is_object(*out) || emage_document_version(*out) < 1
        || emage_json_str(*out, "pid").len != EMAGE_PID_LEN)
    {
        emage_error_set(err, "%s: is no record with version and pid", what);
        json_decref(*out);
        *out = NULL;
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


int64_t
emage_document_version(const json_t *doc)
{
    return emage_json_int(doc, "version");
}


bool
emage_document_deleted(const json_t *doc)
{
    return json_is_true(json_object_get(doc, "deleted"));
}


emage_rc_t
emage_document_text(const json_t *doc, emage_buf_t *out)
{
    char        *text;
    emage_rc_t   rc;

    text = json_dumps(doc, JSON_COMPACT|JSON_SORT_KEYS|JSON_ENSURE_ASCII);
    if (text == NULL) {
        return EMAGE_NOMEM;
    }

    rc = emage_buf_add_c(out, text);

    free(text);

    return rc;
}


/* A shallow copy without the members that do not count in a comparison. */

static json_t *
emage_document_bare(const json_t *doc, bool ledger)
{
    json_t  *copy;

    copy = ledger ? emage_document_strip(doc) : json_copy((json_t *) doc);

    if (copy != NULL) {
        (void) json_object_del(copy, "version");
    }

    return copy;
}


bool
emage_document_same(const json_t *a, const json_t *b, bool ledger)
{
    bool     same;
    json_t  *x, *y;

    x = emage_document_bare(a, ledger);
    y = emage_document_bare(b, ledger);

    same = (x != NULL && y != NULL && json_equal(x, y));

    json_decref(x);
    json_decref(y);

    return same;
}


json_t *
emage_document_strip(const json_t *doc)
{
    json_t  *copy, *identity, *bare;

    copy = json_copy((json_t *) doc);
    if (copy == NULL) {
        return NULL;
    }

    identity = json_object_get(copy, "identity");
    if (identity == NULL) {
        return copy;
    }

    bare = json_object();

    if (bare == NULL
        || json_object_set(bare, "status",
                           json_object_get(identity, "status")) != 0
        || json_object_set_new(copy, "identity", bare) != 0)
    {
        json_decref(copy);
        return NULL;
    }

    return copy;
}


bool
emage_document_adopt(json_t *doc, const json_t *from)
{
    json_t  *identity, *list;

    identity = json_object_get(doc, "identity");

    if (!json_is_object(identity)
        || json_is_array(json_object_get(identity, "identifiers")))
    {
        return true;
    }

    list = json_object_get(json_object_get(from, "identity"), "identifiers");

    if (json_is_array(list)) {
        return json_object_set(identity, "identifiers", list) == 0;
    }

    return json_object_set_new(identity, "identifiers", json_array()) == 0;
}


json_t *
emage_document_patient(emage_str_t pid, const char *status,
    emage_str_t issuer, emage_str_t id)
{
    json_t  *doc, *list;

    doc = json_pack("{s:i, s:s%, s:{s:s, s:[]},"
                    " s:{s:s, s:s, s:i, s:{s:s, s:s, s:s, s:i}},"
                    " s:[], s:[], s:b, s:[], s:[], s:[], s:{s:i, s:s}}",
                    "version", 1, "pid", pid.data, pid.len,
                    "identity", "status", status, "identifiers",
                    "consent", "inclusion", "none", "sharing", "none",
                    "expires", 0,
                    "recorded", "by", "", "how", "", "text", "", "at", 0,
                    "relations", "exclusions", "emergency_excluded", 0,
                    "overrides", "tickets", "representatives",
                    "erasure", "requested", 0, "state", "none");

    if (doc == NULL || id.len == 0) {
        return doc;
    }

    list = json_object_get(json_object_get(doc, "identity"), "identifiers");

    if (json_array_append_new(list, json_pack("{s:s%, s:s%}",
                                              "issuer", issuer.data,
                                              issuer.len,
                                              "id", id.data, id.len))
        != 0)
    {
        json_decref(doc);
        return NULL;
    }

    return doc;
}


emage_str_t
emage_json_str(const json_t *object, const char *name)
{
    json_t       *value;
    emage_str_t   s;

    value = json_object_get(object, name);

    if (!json_is_string(value)) {
        return emage_null_str;
    }

    s.data = json_string_value(value);
    s.len = json_string_length(value);

    return s;
}


int64_t
emage_json_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}


bool
emage_json_set_str(json_t *object, const char *name, emage_str_t value)
{
    json_t  *s;

    s = json_stringn((value.data == NULL) ? "" : value.data, value.len);

    return s != NULL && json_object_set_new(object, name, s) == 0;
}
