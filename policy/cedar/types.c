/*
 * Copyright (C) The e-mage authors
 *
 * Types of the validator: order, bounds, text; and capability lists.
 */


#include "cedar_check.h"

#include <stdio.h>


static const cedar_type_t *cedar_record_lub(cedar_arena_t *arena,
    const cedar_type_t *a, const cedar_type_t *b);
static size_t cedar_type_put(const cedar_set_t *set, const cedar_type_t *t,
    char *p, size_t size, uint32_t depth);


const cedar_type_t *
cedar_type(cedar_type_kind_t kind)
{
    static const cedar_type_t  types[] = {
        { .kind = CEDAR_T_TRUE },
        { .kind = CEDAR_T_FALSE },
        { .kind = CEDAR_T_BOOL },
        { .kind = CEDAR_T_LONG },
        { .kind = CEDAR_T_STRING },
        { .kind = CEDAR_T_DECIMAL },
        { .kind = CEDAR_T_DATETIME },
        { .kind = CEDAR_T_DURATION },
        { .kind = CEDAR_T_IP }
    };

    size_t  i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].kind == kind) {
            return &types[i];
        }
    }

    return NULL;
}


/* Strict: records need the same attributes, alike in being required. */

bool
cedar_type_sub(const cedar_type_t *a, const cedar_type_t *b)
{
    uint32_t  i;

    if (a == b) {
        return true;
    }

    if (b->kind == CEDAR_T_BOOL) {
        return cedar_type_is_bool(a);
    }

    if (a->kind != b->kind) {
        return false;
    }

    switch (a->kind) {

    case CEDAR_T_ENTITY:
        return a->sym == b->sym;

    case CEDAR_T_SET:
        return cedar_type_sub(a->elem, b->elem);

    case CEDAR_T_RECORD:
        if (a->attrs == b->attrs && a->n == b->n) {
            return true;
        }

        for (i = 0; a->n == b->n && i < a->n; i++) {
            if (a->attrs[i].name != b->attrs[i].name
                || a->attrs[i].required != b->attrs[i].required
                || !cedar_type_sub(a->attrs[i].type, b->attrs[i].type))
            {
                return false;
            }
        }

        return a->n == b->n;

    default:
        return true;
    }
}


const cedar_type_t *
cedar_type_lub(cedar_arena_t *arena, const cedar_type_t *a,
    const cedar_type_t *b)
{
    cedar_type_t        *t;
    const cedar_type_t  *elem;

    if (cedar_type_sub(a, b)) {
        return b;
    }

    if (cedar_type_sub(b, a)) {
        return a;
    }

    if (cedar_type_is_bool(a) && cedar_type_is_bool(b)) {
        return cedar_type(CEDAR_T_BOOL);
    }

    if (a->kind != b->kind) {
        return NULL;
    }

    if (a->kind == CEDAR_T_RECORD) {
        return cedar_record_lub(arena, a, b);
    }

    if (a->kind != CEDAR_T_SET) {
        return NULL;
    }

    elem = cedar_type_lub(arena, a->elem, b->elem);
    if (elem == NULL) {
        return NULL;
    }

    t = cedar_zalloc(arena, sizeof(cedar_type_t));

    if (t != NULL) {
        t->kind = CEDAR_T_SET;
        t->elem = (cedar_type_t *) elem;
    }

    return t;
}


static const cedar_type_t *
cedar_record_lub(cedar_arena_t *arena, const cedar_type_t *a,
    const cedar_type_t *b)
{
    uint32_t             i;
    cedar_type_t        *t;
    const cedar_type_t  *lub;

    if (a->n != b->n) {
        return NULL;
    }

    t = cedar_zalloc(arena, sizeof(cedar_type_t));
    if (t == NULL) {
        return NULL;
    }

    t->kind = CEDAR_T_RECORD;
    t->n = a->n;
    t->attrs = cedar_array(arena, a->n, sizeof(cedar_attr_t));

    if (t->attrs == NULL) {
        return NULL;
    }

    for (i = 0; i < a->n; i++) {

        if (a->attrs[i].name != b->attrs[i].name
            || a->attrs[i].required != b->attrs[i].required)
        {
            return NULL;
        }

        lub = cedar_type_lub(arena, a->attrs[i].type, b->attrs[i].type);
        if (lub == NULL) {
            return NULL;
        }

        t->attrs[i] = a->attrs[i];
        t->attrs[i].type = (cedar_type_t *) lub;
    }

    return t;
}


static size_t
cedar_type_put(const cedar_set_t *set, const cedar_type_t *t, char *p,
    size_t size, uint32_t depth)
{
    int          n;
    size_t       len;
    uint32_t     i;
    const char  *s;
    emage_str_t  name;

    static const char *names[] = {
        "", "True", "False", "Bool", "Long", "String", "", "", "", "decimal",
        "datetime", "duration", "ipaddr", ""
    };

    s = (depth > 3) ? "..." : names[t->kind];
    len = 0;

    if (depth <= 3 && t->kind == CEDAR_T_ENTITY) {
        name = cedar_symbol_name(&set->symbols, t->sym);
        n = snprintf(p, size, "%.*s", (int) name.len, name.data);

    } else if (depth <= 3 && t->kind == CEDAR_T_SET) {
        n = snprintf(p, size, "Set<");
        len = n;

        if (len < size) {
            len += cedar_type_put(set, t->elem, p + len, size - len,
                                  depth + 1);
        }

        n = (len < size) ? snprintf(p + len, size - len, ">") : 0;

    } else if (depth <= 3 && t->kind == CEDAR_T_RECORD) {
        n = snprintf(p, size, "{");
        len = n;

        for (i = 0; i < t->n && len < size; i++) {
            name = cedar_symbol_name(&set->symbols, t->attrs[i].name);
            len += snprintf(p + len, size - len, "%s%.*s%s: ",
                            i == 0 ? "" : ", ", (int) name.len, name.data,
                            t->attrs[i].required ? "" : "?");

            if (len < size) {
                len += cedar_type_put(set, t->attrs[i].type, p + len,
                                      size - len, depth + 1);
            }
        }

        n = (len < size) ? snprintf(p + len, size - len, "}") : 0;

    } else {
        n = snprintf(p, size, "%s", s);
    }

    return len + n;
}


const char *
cedar_type_text(const cedar_set_t *set, const cedar_type_t *t,
    cedar_type_text_t *buf)
{
    if (cedar_type_put(set, t, buf->text, sizeof(buf->text), 0)
        >= sizeof(buf->text))
    {
        memcpy(buf->text + sizeof(buf->text) - 4, "...", 4);
    }

    return buf->text;
}


bool
cedar_cap_has(const cedar_cap_t *caps, const cedar_node_t *expr,
    cedar_symbol_t attr, const cedar_node_t *tag)
{
    for ( /* void */ ; caps != NULL; caps = caps->next) {

        if (caps->attr != attr || (caps->tag == NULL) != (tag == NULL)) {
            continue;
        }

        if (cedar_node_eq(caps->expr, expr)
            && (tag == NULL || cedar_node_eq(caps->tag, tag)))
        {
            return true;
        }
    }

    return false;
}


const cedar_cap_t *
cedar_cap_add(cedar_check_t *c, const cedar_cap_t *caps,
    const cedar_node_t *expr, cedar_symbol_t attr, const cedar_node_t *tag)
{
    cedar_cap_t  *cap;

    if (cedar_cap_has(caps, expr, attr, tag)) {
        return caps;
    }

    cap = cedar_alloc(&c->arena, sizeof(cedar_cap_t));
    if (cap == NULL) {
        return caps;
    }

    cap->next = caps;
    cap->expr = expr;
    cap->tag = tag;
    cap->attr = attr;

    return cap;
}


const cedar_cap_t *
cedar_cap_union(cedar_check_t *c, const cedar_cap_t *a, const cedar_cap_t *b)
{
    if (a == NULL || a == b) {
        return b;
    }

    for ( /* void */ ; b != NULL; b = b->next) {
        a = cedar_cap_add(c, a, b->expr, b->attr, b->tag);
    }

    return a;
}


const cedar_cap_t *
cedar_cap_intersect(cedar_check_t *c, const cedar_cap_t *a,
    const cedar_cap_t *b)
{
    const cedar_cap_t  *r;

    for (r = NULL; a != NULL; a = a->next) {
        if (cedar_cap_has(b, a->expr, a->attr, a->tag)) {
            r = cedar_cap_add(c, r, a->expr, a->attr, a->tag);
        }
    }

    return r;
}
