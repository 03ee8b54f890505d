
/*
 * Copyright (C) The e-mage authors
 *
 * study.json, series.json and instances.json into rows: the one file of this
 * room that includes jansson.
 */


#include "rows_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>


#define EMAGE_ROWS_REPORTS_MAX  100000


typedef struct {
    emage_rows_memory_t  *m;
    emage_error_t        *err;
    emage_level_t         level;
    emage_rows_ids_t      ids;
} emage_rows_parser_t;


static emage_rc_t emage_rows_load(emage_str_t text, json_t **out,
    emage_error_t *err);
static emage_rc_t emage_rows_bad(emage_rows_parser_t *p, const char *what);
static emage_str_t emage_rows_member(const json_t *object, const char *name);
static void emage_rows_values(emage_rows_parser_t *p, emage_attribute_t *a,
    const json_t *array);
static bool emage_rows_tag(const char *s, uint32_t *tag);
static void emage_rows_items(emage_rows_parser_t *p, uint32_t tag,
    const json_t *items);
static int emage_rows_sink(const char *data, size_t len, void *out);
static void emage_rows_json(emage_rows_parser_t *p, emage_attribute_t *a,
    const json_t *value);
static void emage_rows_ids(emage_rows_parser_t *p, const json_t *list);
static emage_rc_t emage_rows_row(emage_rows_parser_t *p, emage_str_t uid,
    const json_t *row, emage_row_t **out);
static emage_rc_t emage_rows_study(emage_rows_parser_t *p,
    const json_t *json);
static emage_rc_t emage_rows_list(emage_rows_parser_t *p,
    const json_t *json);
static emage_rc_t emage_rows_entry(emage_rows_parser_t *p,
    const json_t *json);


emage_rc_t
emage_rows_parse(emage_level_t level, emage_str_t text, emage_rows_t **out,
    emage_error_t *err)
{
    json_t               *json;
    emage_rc_t            rc;
    emage_rows_parser_t   p;

    *out = NULL;

    rc = emage_rows_load(text, &json, err);

    if (rc != EMAGE_OK) {
        return rc;
    }

    memset(&p, 0, sizeof(p));

    p.err = err;
    p.level = level;

    p.m = calloc(1, sizeof(emage_rows_memory_t));

    if (p.m == NULL) {
        json_decref(json);
        emage_error_set(err, "no memory for rows");
        return EMAGE_NOMEM;
    }

    emage_buf_init(&p.m->text, 2 * EMAGE_ROWS_TEXT_MAX);

    rc = (level == EMAGE_LEVEL_STUDY) ? emage_rows_study(&p, json)
                                      : emage_rows_list(&p, json);

    json_decref(json);

    if (rc == EMAGE_OK && (p.m->failed || p.m->text.failed
                           || emage_latch_failed()))
    {
        emage_error_set(err, "no memory for rows");
        rc = EMAGE_NOMEM;
    }

    if (rc != EMAGE_OK) {
        emage_rows_free(&p.m->rows);
        return rc;
    }

    emage_rows_settle(p.m);

    *out = &p.m->rows;

    return EMAGE_OK;
}


static emage_rc_t
emage_rows_load(emage_str_t text, json_t **out, emage_error_t *err)
{
    json_error_t  error;

    if (text.len == 0 || text.len > EMAGE_ROWS_TEXT_MAX) {
        emage_error_set(err, "empty, or over %d bytes", EMAGE_ROWS_TEXT_MAX);
        return EMAGE_ERROR;
    }

    json_set_alloc_funcs(emage_latch_malloc, free);
    (void) emage_latch_failed();

    *out = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);

    if (emage_latch_failed()) {
        json_decref(*out);
        emage_error_set(err, "no memory for rows");
        return EMAGE_NOMEM;
    }

    if (*out == NULL) {
        emage_error_set(err, "not JSON in line %d, byte %d", error.line,
                        error.position);
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


/* What is missing may have been there, if there was memory for it. */

static emage_rc_t
emage_rows_bad(emage_rows_parser_t *p, const char *what)
{
    if (p->m->failed || p->m->text.failed) {
        emage_error_set(p->err, "no memory for rows");
        return EMAGE_NOMEM;
    }

    emage_error_set(p->err, "%s is missing or not as it must be", what);

    return EMAGE_ERROR;
}


static emage_str_t
emage_rows_member(const json_t *object, const char *name)
{
    json_t       *value;
    emage_str_t   s;

    value = json_object_get(object, name);

    s.data = json_string_value(value);
    s.len = json_string_length(value);

    return s;
}


/* Strings, numbers, and the component groups of names. */

static void
emage_rows_values(emage_rows_parser_t *p, emage_attribute_t *a,
    const json_t *array)
{
    int          len;
    char         number[24];
    size_t       i, k;
    json_t      *value;
    emage_str_t  s;

    static const char *const  groups[] = {
        "Alphabetic", "Ideographic", "Phonetic"
    };

    json_array_foreach(array, i, value) {

        if (json_is_string(value)) {
            s.data = json_string_value(value);
            s.len = json_string_length(value);

            emage_rows_value(p->m, a, s);

        } else if (json_is_integer(value)) {
            len = snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
                           json_integer_value(value));

            emage_rows_value(p->m, a, (emage_str_t) { number, (size_t) len });

        } else if (json_is_object(value)) {

            for (k = 0; k < 3; k++) {
                s = emage_rows_member(value, groups[k]);

                if (s.len != 0) {
                    emage_rows_value(p->m, a, s);
                }
            }
        }
    }
}


static bool
emage_rows_tag(const char *s, uint32_t *tag)
{
    size_t   i;
    uint8_t  bytes[4];

    for (i = 0; s[i] != '\0'; i++) {
        if (s[i] >= 'a') {
            return false;
        }
    }

    if (i != 8 || !emage_unhex(bytes, s, 8)) {
        return false;
    }

    *tag = (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16
           | (uint32_t) bytes[2] << 8 | bytes[3];

    return true;
}


/* What of the items of a sequence can be asked for. */

static void
emage_rows_items(emage_rows_parser_t *p, uint32_t tag, const json_t *items)
{
    char                name[9];
    size_t              k;
    json_t             *item;
    uint32_t            i;
    emage_attribute_t  *a;

    for (i = 0; i < emage_attribute_ndefs; i++) {

        if (emage_attribute_defs[i].tag != tag
            || emage_attribute_defs[i].sub == 0)
        {
            continue;
        }

        (void) snprintf(name, sizeof(name), "%08X",
                        (unsigned) emage_attribute_defs[i].sub);

        a = emage_rows_attribute(p->m, tag, emage_attribute_defs[i].sub);

        if (a == NULL) {
            return;
        }

        json_array_foreach(items, k, item) {
            emage_rows_values(p, a,
                              json_object_get(json_object_get(item, name),
                                              "Value"));
        }
    }
}


static int
emage_rows_sink(const char *data, size_t len, void *out)
{
    return emage_buf_add(out, data, len) == EMAGE_OK ? 0 : -1;
}


static void
emage_rows_json(emage_rows_parser_t *p, emage_attribute_t *a,
    const json_t *value)
{
    size_t  start;

    start = p->m->text.len;

    if (json_dump_callback(value, emage_rows_sink, &p->m->text, JSON_COMPACT)
        != 0)
    {
        p->m->failed = true;
        return;
    }

    a->json.data = (const char *) (uintptr_t) start;
    a->json.len = p->m->text.len - start;
}


static void
emage_rows_ids(emage_rows_parser_t *p, const json_t *list)
{
    size_t       i;
    json_t      *entry;
    uint32_t     k;
    emage_str_t  id, issuer;

    json_array_foreach(list, i, entry) {
        id = emage_rows_member(entry, "id");
        issuer = emage_rows_member(entry, "issuer");

        if (id.len == 0) {
            continue;
        }

        for (k = 0; k < p->ids.n; k++) {
            if (emage_str_eq(p->ids.id[k], id)
                && emage_str_eq(p->ids.issuer[k], issuer))
            {
                break;
            }
        }

        if (k == p->ids.n && k < EMAGE_ROWS_IDS_MAX) {
            p->ids.id[k] = id;
            p->ids.issuer[k] = issuer;
            p->ids.n++;
        }
    }
}


static emage_rc_t
emage_rows_row(emage_rows_parser_t *p, emage_str_t uid, const json_t *row,
    emage_row_t **out)
{
    bool                  others;
    json_t               *value;
    uint32_t              tag, last, i;
    const char           *key;
    emage_row_t          *r;
    emage_attribute_t    *a;
    emage_rows_memory_t  *m;

    m = p->m;

    if (!json_is_object(row) || !emage_uid_valid(uid)) {
        return emage_rows_bad(p, "a row, or its UID,");
    }

    if (!emage_rows_grow((void **) &m->list, m->nlist, &m->list_size,
                         sizeof(emage_row_t)))
    {
        p->m->failed = true;
        return EMAGE_NOMEM;
    }

    r = &m->list[m->nlist++];

    memset(r, 0, sizeof(*r));

    r->attributes = (const emage_attribute_t *) (uintptr_t) m->nattributes;
    emage_rows_text(p->m, uid, &r->uid);

    others = (p->level != EMAGE_LEVEL_STUDY);
    last = 0;

    json_object_foreach((json_t *) (uintptr_t) row, key, value) {

        if (!emage_rows_tag(key, &tag) || tag <= last
            || !json_is_object(value))
        {
            return emage_rows_bad(p, "an attribute of a row");
        }

        last = tag;

        if (!others && tag >= 0x00101002) {
            others = true;
            emage_rows_others(p->m, &p->ids);
        }

        if (tag == 0x00101002) {
            continue;
        }

        a = emage_rows_attribute(p->m, tag, 0);

        if (a == NULL) {
            break;
        }

        emage_rows_json(p, a, value);
        value = json_object_get(value, "Value");
        emage_rows_values(p, a, value);

        if (tag == 0x00100020 && p->level == EMAGE_LEVEL_STUDY) {
            for (i = 0; i < p->ids.n; i++) {
                emage_rows_value(p->m, a, p->ids.id[i]);
            }
        }

        emage_rows_items(p, tag, value);
    }

    if (!others) {
        emage_rows_others(p->m, &p->ids);
    }

    r->nattributes = (uint32_t) (m->nattributes
                                 - (size_t) (uintptr_t) r->attributes);
    *out = r;

    return EMAGE_OK;
}


static emage_rc_t
emage_rows_study(emage_rows_parser_t *p, const json_t *json)
{
    size_t              i;
    json_t             *entry, *classes, *reports;
    emage_rc_t          rc;
    emage_row_t        *row;
    emage_rows_t       *rows;
    emage_attribute_t   list;

    rows = &p->m->rows;

    if (!json_is_object(json)) {
        return emage_rows_bad(p, "the object");
    }

    emage_rows_ids(p, json_object_get(json_object_get(json, "identity"),
                                      "identifiers"));
    emage_rows_ids(p, json_object_get(json, "sources"));

    rc = emage_rows_row(p, emage_rows_member(json, "study"),
                        json_object_get(json, "row"), &row);
    if (rc != EMAGE_OK) {
        return rc;
    }

    emage_rows_text(p->m, emage_rows_member(json, "pid"), &rows->pid);
    emage_rows_text(p->m, emage_rows_member(json, "date"), &rows->date);
    emage_rows_text(p->m, emage_rows_member(json, "revision"), &rows->revision);

    if (rows->pid.len == 0 || rows->revision.len == 0) {
        return emage_rows_bad(p, "pid or revision");
    }

    classes = json_object_get(json, "classes");

    for (i = 0; i < 3; i++) {
        entry = json_object_get(classes, emage_class_name((emage_class_t) i)
                                             .data);

        if (!json_is_integer(entry) || json_integer_value(entry) < 0
            || json_integer_value(entry) > UINT32_MAX)
        {
            return emage_rows_bad(p, "classes");
        }

        rows->classes[i] = (uint32_t) json_integer_value(entry);
    }

    reports = json_object_get(json, "reports");

    if (!json_is_array(reports)
        || json_array_size(reports) != rows->classes[EMAGE_CLASS_REPORT]
        || json_array_size(reports) > EMAGE_ROWS_REPORTS_MAX)
    {
        return emage_rows_bad(p, "reports");
    }

    memset(&list, 0, sizeof(list));

    rows->reports = (const emage_str_t *) (uintptr_t) p->m->nvalues;
    emage_rows_values(p, &list, reports);
    rows->nreports = list.nvalues;

    return (rows->nreports == rows->classes[EMAGE_CLASS_REPORT] || p->m->failed)
           ? EMAGE_OK : emage_rows_bad(p, "reports");
}


static emage_rc_t
emage_rows_list(emage_rows_parser_t *p, const json_t *json)
{
    size_t      i;
    json_t     *entry;
    emage_rc_t  rc;

    if (!json_is_array(json)) {
        return emage_rows_bad(p, "the array");
    }

    json_array_foreach(json, i, entry) {
        rc = emage_rows_entry(p, entry);

        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    return EMAGE_OK;
}


/* An entry of series.json or instances.json. */

static emage_rc_t
emage_rows_entry(emage_rows_parser_t *p, const json_t *json)
{
    size_t                i;
    json_t               *count;
    emage_rc_t            rc;
    emage_row_t          *row;
    emage_str_t           uid, cls, last;
    emage_rows_memory_t  *m;

    m = p->m;
    uid = emage_rows_member(json, "uid");

    if (m->nlist > 0) {
        row = &m->list[m->nlist - 1];

        last.data = m->text.data + (uintptr_t) row->uid.data;
        last.len = row->uid.len;

        if (m->text.failed || emage_str_cmp(last, uid) >= 0) {
            return emage_rows_bad(p, "the order of UIDs");
        }
    }

    rc = emage_rows_row(p, uid, json_object_get(json, "row"), &row);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (p->level == EMAGE_LEVEL_SERIES) {
        count = json_object_get(json, "count");

        if (!json_is_integer(count) || json_integer_value(count) < 1
            || json_integer_value(count) > UINT32_MAX)
        {
            return emage_rows_bad(p, "count");
        }

        row->count = (uint32_t) json_integer_value(count);
        emage_rows_text(p->m, emage_rows_member(json, "modality"),
                        &row->modality);

        return EMAGE_OK;
    }

    cls = emage_rows_member(json, "class");

    for (i = 0; i < 3; i++) {
        if (emage_str_eq(cls, emage_class_name((emage_class_t) i))) {
            row->cls = (emage_class_t) i;
            return EMAGE_OK;
        }
    }

    return emage_rows_bad(p, "class");
}
