/*
 * Copyright (C) The e-mage authors
 *
 * What the schema's annotations call attributes, entity types and values.
 */


#include "cedar_parts.h"


static const cedar_type_t *cedar_entity_attrs(const cedar_words_t *w,
    cedar_symbol_t type);
static const cedar_type_t *cedar_term_record(const cedar_words_t *w,
    const cedar_node_t *n);
static bool cedar_note(const cedar_annotation_t *list, uint32_t n,
    emage_str_t key, emage_str_t *text);
static emage_str_t cedar_trim(const char *p, const char *end);


bool
cedar_is_term(const cedar_node_t *n)
{
    while (n->kind == CEDAR_N_ATTR) {
        n = n->arg[0];
    }

    return n->kind == CEDAR_N_PRINCIPAL || n->kind == CEDAR_N_ACTION
           || n->kind == CEDAR_N_RESOURCE || n->kind == CEDAR_N_CONTEXT;
}


static const cedar_type_t *
cedar_entity_attrs(const cedar_words_t *w, cedar_symbol_t type)
{
    const cedar_entity_type_t  *e;

    e = cedar_schema_entity(w->set, type);

    return (e == NULL) ? NULL : e->attrs;
}


/* The record type in which attributes of `n` are found. */

static const cedar_type_t *
cedar_term_record(const cedar_words_t *w, const cedar_node_t *n)
{
    const cedar_attr_t    *attr;
    const cedar_action_t  *action;

    switch (n->kind) {

    case CEDAR_N_PRINCIPAL:
        return cedar_entity_attrs(w, w->req->principal.sym);

    case CEDAR_N_RESOURCE:
        return cedar_entity_attrs(w, w->req->resource.sym);

    case CEDAR_N_CONTEXT:
        action = cedar_schema_action(w->set, &w->req->action);

        return (action == NULL) ? NULL : action->context;

    case CEDAR_N_ATTR:
        attr = cedar_term_attr(w, n);

        return (attr == NULL) ? NULL
               : (attr->type->kind == CEDAR_T_ENTITY)
                 ? cedar_entity_attrs(w, attr->type->sym) : attr->type;

    default:
        return NULL;
    }
}


/* Depth is that of the tree, which its makers cap. */

const cedar_attr_t *
cedar_term_attr(const cedar_words_t *w, const cedar_node_t *n)
{
    const cedar_type_t  *t;

    if (n->kind != CEDAR_N_ATTR) {
        return NULL;
    }

    t = cedar_term_record(w, n->arg[0]);

    return (t == NULL || t->kind != CEDAR_T_RECORD)
           ? NULL : cedar_type_attr(t, n->sym);
}


static bool
cedar_note(const cedar_annotation_t *list, uint32_t n, emage_str_t key,
    emage_str_t *text)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        if (emage_str_eq(list[i].key, key) && list[i].value.len != 0) {
            *text = list[i].value;
            return true;
        }
    }

    return false;
}


bool
cedar_attr_words(const cedar_words_t *w, const cedar_attr_t *attr,
    emage_str_t *text)
{
    return attr != NULL
           && cedar_note(attr->annotations, attr->annotations_n,
                         (w->language == CEDAR_FRENCH)
                         ? emage_str("label_fr") : emage_str("label_en"),
                         text);
}


bool
cedar_type_words(const cedar_words_t *w, cedar_symbol_t type,
    emage_str_t *text)
{
    const cedar_entity_type_t  *e;

    e = cedar_schema_entity(w->set, type);

    return e != NULL
           && cedar_note(e->annotations, e->annotations_n,
                         (w->language == CEDAR_FRENCH)
                         ? emage_str("label_fr") : emage_str("label_en"),
                         text);
}


void
cedar_say_words(cedar_words_t *w, emage_str_t s)
{
    size_t  i, from;

    for (i = 0; i < s.len; /* void */ ) {

        for (from = i; i < s.len && s.data[i] != ' ' && s.data[i] != '\n';
             i++)
        {
            /* void */
        }

        emage_buf_add(w->b, s.data + from, i - from);
        from = i;

        while (i < s.len && (s.data[i] == ' ' || s.data[i] == '\n')) {
            i++;
        }

        if (i < s.len && i > from) {
            emage_buf_add_c(w->b, " ");
        }
    }
}


static emage_str_t
cedar_trim(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n')) {
        p++;
    }

    while (end > p && (end[-1] == ' ' || end[-1] == '\n')) {
        end--;
    }

    return (emage_str_t) { p, end - p };
}


/* "code = text; code = text". */

bool
cedar_code_words(const cedar_words_t *w, const cedar_attr_t *attr,
    emage_str_t code, emage_str_t *text)
{
    const char   *p, *end, *next, *equals;
    emage_str_t   notes;

    if (attr == NULL
        || !cedar_note(attr->annotations, attr->annotations_n,
                       (w->language == CEDAR_FRENCH)
                       ? emage_str("values_fr") : emage_str("values_en"),
                       &notes))
    {
        return false;
    }

    end = notes.data + notes.len;

    for (p = notes.data; p < end; p = next + 1) {
        next = memchr(p, ';', end - p);
        next = (next == NULL) ? end : next;
        equals = memchr(p, '=', next - p);

        if (equals != NULL
            && emage_str_eq(cedar_trim(p, equals), code))
        {
            *text = cedar_trim(equals + 1, next);
            return text->len != 0;
        }
    }

    return false;
}
