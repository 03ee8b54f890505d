
/*
 * Copyright (C) The e-mage authors
 *
 * Parsed rows: reading them, and what is laid over them.
 */


#include "rows_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static emage_attribute_t *emage_overlay_next(emage_overlay_t *overlay,
    uint32_t tag);
static bool emage_overlay_text(emage_overlay_t *overlay, const char *data,
    size_t len, emage_str_t *copy);
static bool emage_overlay_json(emage_overlay_t *overlay, emage_buf_t *json,
    emage_attribute_t *a);


void
emage_rows_free(emage_rows_t *rows)
{
    emage_rows_memory_t  *m;

    if (rows == NULL) {
        return;
    }

    m = (emage_rows_memory_t *) rows;

    free(m->attributes);
    free(m->values);
    free(m->list);
    emage_buf_free(&m->text);
    free(m);
}


size_t
emage_rows_size(const emage_rows_t *rows)
{
    const emage_rows_memory_t  *m;

    m = (const emage_rows_memory_t *) rows;

    return sizeof(*m) + m->text.size
           + m->attributes_size * sizeof(emage_attribute_t)
           + m->values_size * sizeof(emage_str_t)
           + m->list_size * sizeof(emage_row_t);
}


const emage_row_t *
emage_rows_find(const emage_rows_t *rows, emage_str_t uid)
{
    int       order;
    uint32_t  low, high, mid;

    low = 0;
    high = rows->n;

    while (low < high) {
        mid = low + (high - low) / 2;
        order = emage_str_cmp(rows->rows[mid].uid, uid);

        if (order == 0) {
            return &rows->rows[mid];
        }

        if (order < 0) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return NULL;
}


bool
emage_rows_grow(void **list, size_t n, size_t *size, size_t element)
{
    void    *p;
    size_t   want;

    if (n < *size) {
        return true;
    }

    want = (*size == 0) ? 32 : 2 * *size;

    p = realloc(*list, want * element);

    if (p == NULL) {
        return false;
    }

    *list = p;
    *size = want;

    return true;
}


/* A copy, named by its place until everything is in. */

void
emage_rows_text(emage_rows_memory_t *m, emage_str_t s, emage_str_t *out)
{
    out->data = (const char *) (uintptr_t) m->text.len;
    out->len = s.len;

    (void) emage_buf_add_str(&m->text, s);
}


void
emage_rows_value(emage_rows_memory_t *m, emage_attribute_t *a, emage_str_t s)
{
    if (!emage_rows_grow((void **) &m->values, m->nvalues, &m->values_size,
                         sizeof(emage_str_t)))
    {
        m->failed = true;
        return;
    }

    emage_rows_text(m, s, &m->values[m->nvalues++]);
    a->nvalues++;
}


emage_attribute_t *
emage_rows_attribute(emage_rows_memory_t *m, uint32_t tag, uint32_t sub)
{
    emage_attribute_t  *a;

    if (!emage_rows_grow((void **) &m->attributes, m->nattributes,
                         &m->attributes_size, sizeof(emage_attribute_t)))
    {
        m->failed = true;
        return NULL;
    }

    a = &m->attributes[m->nattributes++];

    memset(a, 0, sizeof(*a));

    a->tag = tag;
    a->sub = sub;
    a->values = (const emage_str_t *) (uintptr_t) m->nvalues;

    return a;
}


void
emage_rows_others(emage_rows_memory_t *m, const emage_rows_ids_t *ids)
{
    size_t              start;
    uint32_t            i, k;
    emage_buf_t        *text;
    emage_attribute_t  *a;

    if (ids->n == 0) {
        return;
    }

    a = emage_rows_attribute(m, 0x00101002, 0);

    if (a == NULL) {
        return;
    }

    text = &m->text;
    start = text->len;

    (void) emage_buf_add_c(text, "{\"vr\":\"SQ\",\"Value\":[");

    for (i = 0; i < ids->n; i++) {
        (void) emage_buf_add_c(text, (i == 0) ? "{" : ",{");
        (void) emage_buf_add_c(text,
                               "\"00100020\":{\"vr\":\"LO\",\"Value\":[");
        (void) emage_buf_add_json(text, ids->id[i]);
        (void) emage_buf_add_c(text,
                               "]},\"00100021\":{\"vr\":\"LO\",\"Value\":[");
        (void) emage_buf_add_json(text, ids->issuer[i]);
        (void) emage_buf_add_c(text, "]}}");
    }

    (void) emage_buf_add_c(text, "]}");

    a->extra = true;
    a->json.data = (const char *) (uintptr_t) start;
    a->json.len = text->len - start;

    for (k = 0; k < 2; k++) {
        a = emage_rows_attribute(m, 0x00101002,
                                 (k == 0) ? 0x00100020 : 0x00100021);

        for (i = 0; i < ids->n && a != NULL; i++) {
            emage_rows_value(m, a, (k == 0) ? ids->id[i] : ids->issuer[i]);
        }
    }
}


void
emage_rows_settle(emage_rows_memory_t *m)
{
    size_t         i;
    const char    *text;
    emage_rows_t  *rows;

    rows = &m->rows;
    text = (m->text.data != NULL) ? m->text.data : "";

#define emage_rows_place(base, field)                                        \
    (field) = (base) + (uintptr_t) (field)

    for (i = 0; i < m->nvalues; i++) {
        emage_rows_place(text, m->values[i].data);
    }

    for (i = 0; i < m->nattributes; i++) {
        emage_rows_place(text, m->attributes[i].json.data);

        m->attributes[i].values = (m->attributes[i].nvalues == 0) ? NULL
                      : m->values + (uintptr_t) m->attributes[i].values;
    }

    for (i = 0; i < m->nlist; i++) {
        emage_rows_place(text, m->list[i].uid.data);
        emage_rows_place(text, m->list[i].modality.data);

        m->list[i].attributes = (m->list[i].nattributes == 0) ? NULL
                      : m->attributes + (uintptr_t) m->list[i].attributes;
    }

    emage_rows_place(text, rows->pid.data);
    emage_rows_place(text, rows->date.data);
    emage_rows_place(text, rows->revision.data);

#undef emage_rows_place

    rows->reports = (rows->nreports == 0) ? NULL
                    : m->values + (uintptr_t) rows->reports;
    rows->rows = m->list;
    rows->n = (uint32_t) m->nlist;
}


void
emage_overlay_init(emage_overlay_t *overlay)
{
    overlay->n = 0;
    overlay->nvalues = 0;
    overlay->len = 0;
}


static emage_attribute_t *
emage_overlay_next(emage_overlay_t *overlay, uint32_t tag)
{
    emage_attribute_t  *a;

    if (overlay->n == EMAGE_OVERLAY_MAX
        || (overlay->n > 0 && overlay->attributes[overlay->n - 1].tag >= tag))
    {
        return NULL;
    }

    a = &overlay->attributes[overlay->n];

    memset(a, 0, sizeof(*a));

    a->tag = tag;
    a->values = &overlay->values[overlay->nvalues];

    return a;
}


static bool
emage_overlay_text(emage_overlay_t *overlay, const char *data, size_t len,
    emage_str_t *copy)
{
    if (len > sizeof(overlay->text) - overlay->len) {
        return false;
    }

    copy->data = overlay->text + overlay->len;
    copy->len = len;

    if (len != 0) {
        memcpy(overlay->text + overlay->len, data, len);
        overlay->len += len;
    }

    return true;
}


static bool
emage_overlay_json(emage_overlay_t *overlay, emage_buf_t *json,
    emage_attribute_t *a)
{
    bool  ok;

    ok = !json->failed
         && emage_overlay_text(overlay, json->data, json->len, &a->json);

    emage_buf_free(json);

    return ok;
}


emage_rc_t
emage_overlay_strings(emage_overlay_t *overlay, uint32_t tag, const char *vr,
    const emage_str_t *strings, uint32_t n)
{
    uint32_t            i;
    emage_buf_t         json;
    emage_attribute_t  *a;

    a = emage_overlay_next(overlay, tag);

    if (a == NULL || n > EMAGE_OVERLAY_VALUES - overlay->nvalues) {
        return EMAGE_NOMEM;
    }

    if (n == 0) {
        overlay->n++;
        return EMAGE_OK;
    }

    emage_buf_init(&json, EMAGE_OVERLAY_TEXT);

    (void) emage_buf_add_c(&json, "{\"vr\":\"");
    (void) emage_buf_add(&json, vr, 2);
    (void) emage_buf_add_c(&json, "\",\"Value\":");

    for (i = 0; i < n; i++) {

        (void) emage_buf_add(&json, (i == 0) ? "[" : ",", 1);
        (void) emage_buf_add_json(&json, strings[i]);

        if (!emage_overlay_text(overlay, strings[i].data, strings[i].len,
                                &overlay->values[overlay->nvalues + i]))
        {
            emage_buf_free(&json);
            return EMAGE_NOMEM;
        }
    }

    (void) emage_buf_add_c(&json, "]}");

    if (!emage_overlay_json(overlay, &json, a)) {
        return EMAGE_NOMEM;
    }

    a->nvalues = n;
    overlay->nvalues += n;
    overlay->n++;

    return EMAGE_OK;
}


emage_rc_t
emage_overlay_number(emage_overlay_t *overlay, uint32_t tag, const char *vr,
    uint32_t number)
{
    int                 len;
    char                text[48];
    emage_attribute_t  *a;

    a = emage_overlay_next(overlay, tag);

    if (a == NULL || overlay->nvalues == EMAGE_OVERLAY_VALUES) {
        return EMAGE_NOMEM;
    }

    len = snprintf(text, sizeof(text), "%u", (unsigned) number);

    if (!emage_overlay_text(overlay, text, (size_t) len,
                            &overlay->values[overlay->nvalues]))
    {
        return EMAGE_NOMEM;
    }

    len = snprintf(text, sizeof(text), "{\"vr\":\"%.2s\",\"Value\":[%u]}", vr,
                   (unsigned) number);

    if (!emage_overlay_text(overlay, text, (size_t) len, &a->json)) {
        return EMAGE_NOMEM;
    }

    a->nvalues = 1;
    overlay->nvalues++;
    overlay->n++;

    return EMAGE_OK;
}
