
/*
 * Copyright (C) The e-mage authors
 *
 * Rows against the keys of a query, and the rows that are the answer.
 */


#include <emage/query.h>

#include "attributes.h"

#include <stdio.h>
#include <string.h>


/* Ascending lists of attributes: rows and overlays of up to three levels. */

typedef struct {
    const emage_attribute_t  *at;
    const emage_attribute_t  *end;
    emage_level_t             level;
} emage_merge_list_t;

typedef struct {
    emage_merge_list_t  lists[6];
    uint32_t        n;
} emage_merge_t;


static const emage_attribute_t *emage_row_attribute(const emage_row_t *row,
    const emage_overlay_t *overlay, const emage_attribute_def_t *def);
static bool emage_query_value_match(const emage_attribute_def_t *def,
    emage_str_t asked, emage_str_t value);
static bool emage_query_list_match(emage_str_t list, emage_str_t value);
static bool emage_query_key_match(const emage_query_key_t *key,
    const emage_attribute_t *attribute);
static bool emage_query_wants(const emage_query_t *query, emage_level_t from,
    emage_level_t level, const emage_attribute_t *attribute);
static void emage_merge_init(emage_merge_t *merge, const emage_query_t *query,
    const emage_row_t *const *rows, const emage_overlay_t *const *overlays);
static const emage_attribute_t *emage_merge_next(emage_merge_t *merge,
    const emage_query_t *query, emage_level_t from);
static void emage_query_describe_value(const emage_query_key_t *key,
    emage_query_hash_pt hash, void *data, emage_buf_t *out);


/* Rows hold some fifty attributes, overlays four. */

static const emage_attribute_t *
emage_row_attribute(const emage_row_t *row, const emage_overlay_t *overlay,
    const emage_attribute_def_t *def)
{
    uint32_t                  i;
    const emage_attribute_t  *a;

    for (i = 0; overlay != NULL && i < overlay->n; i++) {
        a = &overlay->attributes[i];

        if (a->tag == def->tag && a->sub == def->sub) {
            return a;
        }
    }

    for (i = 0; i < row->nattributes; i++) {
        a = &row->attributes[i];

        if (a->tag == def->tag && a->sub == def->sub) {
            return a;
        }
    }

    return NULL;
}


static bool
emage_query_list_match(emage_str_t list, emage_str_t value)
{
    size_t       i;
    emage_str_t  item;

    item.data = list.data;

    for (i = 0; i <= list.len; i++) {

        if (i < list.len && list.data[i] != ',' && list.data[i] != '\\') {
            continue;
        }

        item.len = (size_t) (list.data + i - item.data);

        if (item.len != 0 && emage_text_match(item, value, false)) {
            return true;
        }

        item.data = list.data + i + 1;
    }

    return false;
}


static bool
emage_query_value_match(const emage_attribute_def_t *def, emage_str_t asked,
    emage_str_t value)
{
    switch (def->match) {

    case EMAGE_MATCH_TEXT:
        return emage_text_match(asked, value, false);

    case EMAGE_MATCH_NAME:

        /* components that are not given are empty */

        while (asked.len > 0 && asked.data[asked.len - 1] == '^') {
            asked.len--;
        }

        return emage_text_match(asked, value, true);

    case EMAGE_MATCH_CODE:
    case EMAGE_MATCH_UID:
        return emage_query_list_match(asked, value);

    case EMAGE_MATCH_DATE:
        return emage_date_match(asked, value);

    case EMAGE_MATCH_TIME:
        return emage_time_match(asked, value);

    case EMAGE_MATCH_NUMBER:
        return emage_number_match(asked, value);

    case EMAGE_MATCH_NONE:
        break;
    }

    return false;
}


static bool
emage_query_key_match(const emage_query_key_t *key,
    const emage_attribute_t *attribute)
{
    uint32_t                      i;
    const emage_attribute_def_t  *def;

    def = &emage_attribute_defs[key->attribute];

    for (i = 0; i < attribute->nvalues; i++) {
        if (emage_query_value_match(def, key->value, attribute->values[i])) {
            return true;
        }
    }

    return false;
}


bool
emage_query_match(const emage_query_t *query, emage_level_t level,
    const emage_row_t *row, const emage_overlay_t *overlay)
{
    bool                          met;
    uint32_t                      i, n;
    const emage_attribute_t      *attribute;
    const emage_attribute_def_t  *def;

    for (i = 0; i < query->nkeys; i = n) {
        def = &emage_attribute_defs[query->keys[i].attribute];

        met = (def->level != level);
        attribute = met ? NULL : emage_row_attribute(row, overlay, def);

        /* repetitions of a UID key are one list */

        for (n = i; n < query->nkeys
                    && query->keys[n].attribute == query->keys[i].attribute;
             n++)
        {
            if (!met && attribute != NULL
                && emage_query_key_match(&query->keys[n], attribute))
            {
                met = true;
            }
        }

        if (!met) {
            return false;
        }
    }

    return true;
}


bool
emage_query_has(const emage_query_t *query, emage_level_t level)
{
    uint32_t  i;

    for (i = 0; i < query->nkeys; i++) {
        if (emage_attribute_defs[query->keys[i].attribute].level == level) {
            return true;
        }
    }

    return false;
}


/* Whether an attribute of a row of `level` belongs to the answer. */

static bool
emage_query_wants(const emage_query_t *query, emage_level_t from,
    emage_level_t level, const emage_attribute_t *attribute)
{
    int  n;

    if (attribute->sub != 0) {
        return false;
    }

    if (query->include_all) {
        return true;
    }

    if (!attribute->extra && (level == query->level || level >= from)) {
        return true;
    }

    n = emage_attribute_find(attribute->tag, 0);

    return n != -1 && (query->include & ((uint64_t) 1 << n)) != 0;
}


/* Fills the lists of `merge`, those that win first. */

static void
emage_merge_init(emage_merge_t *merge, const emage_query_t *query,
    const emage_row_t *const *rows, const emage_overlay_t *const *overlays)
{
    int                  level;
    emage_merge_list_t  *m;

    merge->n = 0;

    for (level = (int) query->level; level >= 0; level--) {

        if (overlays[level] != NULL && overlays[level]->n > 0) {
            m = &merge->lists[merge->n++];
            m->level = (emage_level_t) level;
            m->at = overlays[level]->attributes;
            m->end = m->at + overlays[level]->n;
        }

        if (rows[level] != NULL && rows[level]->nattributes > 0) {
            m = &merge->lists[merge->n++];
            m->level = (emage_level_t) level;
            m->at = rows[level]->attributes;
            m->end = m->at + rows[level]->nattributes;
        }
    }
}


/*
 * The next attribute of the answer.  Of one that stands in several lists the
 * first list's counts; NULL at the end.
 */

static const emage_attribute_t *
emage_merge_next(emage_merge_t *merge, const emage_query_t *query,
    emage_level_t from)
{
    uint32_t                  i;
    emage_merge_list_t       *m;
    const emage_attribute_t  *found;

    found = NULL;

    for (i = 0; i < merge->n; i++) {
        m = &merge->lists[i];

        while (m->at < m->end
               && !emage_query_wants(query, from, m->level, m->at))
        {
            m->at++;
        }

        if (m->at < m->end && (found == NULL || m->at->tag < found->tag)) {
            found = m->at;
        }
    }

    for (i = 0; i < merge->n && found != NULL; i++) {
        m = &merge->lists[i];

        while (m->at < m->end && m->at->tag == found->tag) {
            m->at++;
        }
    }

    return found;
}


emage_rc_t
emage_query_write(const emage_query_t *query, emage_level_t from,
    const emage_row_t *const *rows, const emage_overlay_t *const *overlays,
    emage_buf_t *out)
{
    char                      tag[16];
    const char               *comma;
    emage_merge_t             merge;
    const emage_attribute_t  *attribute;

    emage_merge_init(&merge, query, rows, overlays);

    comma = "";

    (void) emage_buf_add(out, "{", 1);

    while ((attribute = emage_merge_next(&merge, query, from)) != NULL) {
        if (attribute->json.len == 0) {

            /* an overlay's, that takes away */

            continue;
        }

        (void) snprintf(tag, sizeof(tag), "%s\"%08X\":", comma,
                        (unsigned) attribute->tag);

        (void) emage_buf_add_c(out, tag);
        (void) emage_buf_add_str(out, attribute->json);

        comma = ",";
    }

    return emage_buf_add(out, "}", 1);
}


static void
emage_query_describe_value(const emage_query_key_t *key,
    emage_query_hash_pt hash, void *data, emage_buf_t *out)
{
    char                          hex[32];
    const emage_attribute_def_t  *def;

    def = &emage_attribute_defs[key->attribute];

    if (!def->personal) {
        (void) emage_buf_add_json(out, key->value);

    } else if (hash(data, def->keyword, key->value, hex)) {
        (void) emage_buf_add_json(out, (emage_str_t) { hex, sizeof(hex) });

    } else {
        (void) emage_buf_add_c(out, "null");
    }
}


emage_rc_t
emage_query_describe(const emage_query_t *query, emage_query_hash_pt hash,
    void *data, emage_buf_t *out)
{
    bool                          list;
    uint32_t                      i;
    const char                   *comma;
    const emage_query_key_t      *key;
    const emage_attribute_def_t  *def;

    comma = "";

    (void) emage_buf_add(out, "{", 1);

    for (i = 0; i < query->nkeys; i++) {
        key = &query->keys[i];
        def = &emage_attribute_defs[key->attribute];

        (void) emage_buf_add_c(out, comma);
        (void) emage_buf_add(out, "\"", 1);

        if (def->sub != 0) {
            (void) emage_buf_add_str(out, emage_attribute_defs[
                                emage_attribute_find(def->tag, 0)].keyword);
            (void) emage_buf_add(out, ".", 1);
        }

        (void) emage_buf_add_str(out, def->keyword);
        (void) emage_buf_add_c(out, "\":");

        list = (i + 1 < query->nkeys && key[1].attribute == key->attribute);

        if (list) {
            (void) emage_buf_add(out, "[", 1);
        }

        emage_query_describe_value(key, hash, data, out);

        while (i + 1 < query->nkeys && key[1].attribute == key->attribute) {
            (void) emage_buf_add(out, ",", 1);
            emage_query_describe_value(++key, hash, data, out);
            i++;
        }

        if (list) {
            (void) emage_buf_add(out, "]", 1);
        }

        comma = ",";
    }

    if (query->limited) {
        (void) emage_buf_add_c(out, comma);
        (void) emage_buf_add_c(out, "\"limit\":");
        (void) emage_buf_add_int(out, query->limit);
        comma = ",";
    }

    if (query->offset != 0) {
        (void) emage_buf_add_c(out, comma);
        (void) emage_buf_add_c(out, "\"offset\":");
        (void) emage_buf_add_int(out, query->offset);
    }

    return emage_buf_add(out, "}", 1);
}
