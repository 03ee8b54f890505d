/*
 * Copyright (C) The e-mage authors
 *
 * Hierarchies of a schema, entity types and actions: closed and indexed.
 */


#include "cedar_schema.h"


static bool cedar_rs_ancestors(cedar_resolver_t *r);
static bool cedar_rs_action(cedar_resolver_t *r, cedar_action_t *a);
static bool cedar_rs_action_index(cedar_resolver_t *r);
static bool cedar_rs_action_parents(cedar_resolver_t *r, cedar_action_t *a);
static bool cedar_rs_action_parent(cedar_resolver_t *r, cedar_action_t *a,
    cedar_type_t *t, cedar_value_t *parent);
static bool cedar_rs_action_ancestors(cedar_resolver_t *r,
    cedar_action_t *a, uint32_t *seen, uint32_t mark,
    cedar_action_t **stack);


bool
cedar_rs_entities(cedar_resolver_t *r)
{
    uint32_t              i, k;
    cedar_entity_type_t  *e;

    for (i = 0; i < r->schema->entities_n; i++) {
        e = &r->schema->entities[i];

        for (k = 0; k < e->parents_n; k++) {
            if (!cedar_rs_entity_name(r, e->parents[k])) {
                return false;
            }
        }

        if ((e->attrs != NULL && !cedar_rs_type(r, e->attrs, 0))
            || (e->tags != NULL && !cedar_rs_type(r, e->tags, 0)))
        {
            return false;
        }

        if (e->attrs != NULL && e->attrs->kind != CEDAR_T_RECORD) {
            return cedar_fail(cedar_rs_at(r, e->source), e->attrs->pos,
                              "the shape of an entity type must be a record; "
                              "name a type that is one");
        }
    }

    return cedar_rs_ancestors(r);
}


/* For each type a walk over its parents; bits mark what was seen. */

static bool
cedar_rs_ancestors(cedar_resolver_t *r)
{
    uint32_t              i, k, n, words, top, *stack, index;
    uint64_t             *bits;
    cedar_schema_t       *schema;
    cedar_entity_type_t  *e;

    schema = r->schema;
    n = schema->entities_n;
    words = (n + 63) / 64;

    stack = cedar_array(&r->set->arena, n + 1, sizeof(uint32_t));
    if (stack == NULL) {
        return cedar_nomem(&r->p);
    }

    for (i = 0; i < n; i++) {
        bits = cedar_zalloc(&r->set->arena, words * sizeof(uint64_t));
        if (bits == NULL) {
            return cedar_nomem(&r->p);
        }

        schema->entities[i].ancestors = bits;
        stack[0] = i;

        for (top = 1; top > 0; /* void */ ) {
            e = &schema->entities[stack[--top]];

            for (k = 0; k < e->parents_n; k++) {
                index = schema->by_symbol[e->parents[k]->sym] - 1;

                if ((bits[index / 64] & (1ull << (index % 64))) == 0) {
                    bits[index / 64] |= 1ull << (index % 64);
                    stack[top++] = index;
                }
            }
        }
    }

    return true;
}


bool
cedar_rs_actions(cedar_resolver_t *r)
{
    uint32_t          i, n, *seen;
    cedar_action_t  **stack;

    n = r->schema->actions_n;

    if (!cedar_rs_action_index(r)) {
        return false;
    }

    for (i = 0; i < n; i++) {
        if (!cedar_rs_action(r, &r->schema->actions[i])) {
            return false;
        }
    }

    seen = cedar_zalloc(&r->set->arena, (n + 1) * sizeof(uint32_t));
    stack = cedar_array(&r->set->arena, n + 1, sizeof(cedar_action_t *));

    if (seen == NULL || stack == NULL) {
        return cedar_nomem(&r->p);
    }

    for (i = 0; i < n; i++) {
        if (!cedar_rs_action_ancestors(r, &r->schema->actions[i], seen,
                                       i + 1, stack))
        {
            return false;
        }
    }

    return true;
}


static bool
cedar_rs_action_index(cedar_resolver_t *r)
{
    uint32_t         i, k, size;
    cedar_value_t   *uid, other;
    cedar_schema_t  *schema;
    cedar_symbol_t   plain;

    schema = r->schema;

    for (size = 8; size < schema->actions_n * 2; size *= 2) { /* void */ }

    schema->action_slots = cedar_zalloc(&r->set->arena,
                                        size * sizeof(uint32_t));
    if (schema->action_slots == NULL) {
        return cedar_nomem(&r->p);
    }

    schema->action_mask = size - 1;

    for (i = 0; i < schema->actions_n; i++) {
        uid = &schema->actions[i].uid;

        if (cedar_schema_action(r->set, uid) != NULL) {
            return cedar_fail(cedar_rs_at(r, schema->actions[i].source),
                              schema->actions[i].pos, "action \"%.*s\" "
                              "declared twice; remove one", (int) uid->len,
                              uid->u.s);
        }

        k = cedar_hash(uid->u.s, uid->len, uid->sym) & schema->action_mask;

        while (schema->action_slots[k] != 0) {
            k = (k + 1) & schema->action_mask;
        }

        schema->action_slots[k] = i + 1;
    }

    plain = cedar_symbol_find(&r->set->symbols, emage_str("Action"));

    for (i = 0; i < schema->actions_n; i++) {
        other = schema->actions[i].uid;
        other.sym = plain;

        if (schema->actions[i].ns != CEDAR_NO_SYMBOL
            && cedar_schema_action(r->set, &other) != NULL)
        {
            return cedar_fail(cedar_rs_at(r, schema->actions[i].source),
                              schema->actions[i].pos, "action \"%.*s\" "
                              "hides one of the empty namespace; rename one",
                              (int) other.len, other.u.s);
        }
    }

    return true;
}


static bool
cedar_rs_action(cedar_resolver_t *r, cedar_action_t *a)
{
    uint32_t  i;

    for (i = 0; i < a->principals_n; i++) {
        if (!cedar_rs_entity_name(r, a->principals[i])) {
            return false;
        }
    }

    for (i = 0; i < a->resources_n; i++) {
        if (!cedar_rs_entity_name(r, a->resources[i])) {
            return false;
        }
    }

    if (a->context == NULL) {
        a->context = cedar_zalloc(&r->set->arena, sizeof(cedar_type_t));
        if (a->context == NULL) {
            return cedar_nomem(&r->p);
        }

        a->context->kind = CEDAR_T_RECORD;
        a->context->state = CEDAR_RS_DONE;
    }

    if (!cedar_rs_type(r, a->context, 0)) {
        return false;
    }

    if (a->context->kind != CEDAR_T_RECORD) {
        return cedar_fail(cedar_rs_at(r, a->source), a->context->pos,
                          "the context must be a record; name a type that "
                          "is one");
    }

    return cedar_rs_action_parents(r, a);
}


static bool
cedar_rs_action_parents(cedar_resolver_t *r, cedar_action_t *a)
{
    uint32_t       i;
    cedar_type_t  *t;

    for (i = 0; i < a->parents_n; i++) {
        t = a->parent_types[i];

        if (t == NULL) {
            a->parents[i].sym = a->uid.sym;

        } else if (!cedar_rs_action_parent(r, a, t, &a->parents[i])) {
            return false;
        }

        if (cedar_schema_action(r->set, &a->parents[i]) == NULL) {
            return cedar_fail(cedar_rs_at(r, a->source), a->pos, "no such "
                              "action to be in: \"%.*s\"; declare it",
                              (int) a->parents[i].len, a->parents[i].u.s);
        }
    }

    return true;
}


/* Action::"x" is that of the own namespace, or else of the empty one. */

static bool
cedar_rs_action_parent(cedar_resolver_t *r, cedar_action_t *a,
    cedar_type_t *t, cedar_value_t *parent)
{
    emage_str_t  name;

    name = cedar_symbol_name(&r->set->symbols, t->sym);

    if (!t->qualified && emage_str_eq(name, emage_str("Action"))) {
        parent->sym = a->uid.sym;

        if (cedar_schema_action(r->set, parent) == NULL) {
            parent->sym = t->sym;
        }

        return true;
    }

    if (!cedar_rs_entity_name(r, t)) {
        return false;
    }

    parent->sym = t->sym;

    return true;
}


static bool
cedar_rs_action_ancestors(cedar_resolver_t *r, cedar_action_t *a,
    uint32_t *seen, uint32_t mark, cedar_action_t **stack)
{
    uint32_t         i, top;
    cedar_action_t  *b, *parent;

    stack[0] = a;

    for (top = 1; top > 0; /* void */ ) {
        b = stack[--top];

        for (i = 0; i < b->parents_n; i++) {
            parent = cedar_schema_action(r->set, &b->parents[i]);

            if (parent == a) {
                return cedar_fail(cedar_rs_at(r, a->source), a->pos, "this "
                                  "action is in itself; break the circle");
            }

            if (seen[parent - r->schema->actions] == mark) {
                continue;
            }

            seen[parent - r->schema->actions] = mark;
            stack[top++] = parent;

            a->ancestors = cedar_grow(&r->set->arena, a->ancestors,
                                      a->ancestors_n, sizeof(cedar_value_t));
            if (a->ancestors == NULL) {
                return cedar_nomem(&r->p);
            }

            a->ancestors[a->ancestors_n++] = parent->uid;
        }
    }

    a->ancestors_n = cedar_set_normalise(a->ancestors, a->ancestors_n);

    return true;
}


const cedar_entity_type_t *
cedar_schema_entity(const cedar_set_t *set, cedar_symbol_t type)
{
    const cedar_schema_t  *schema;

    schema = &set->schema;

    if (type >= schema->by_symbol_n || schema->by_symbol[type] == 0) {
        return NULL;
    }

    return &schema->entities[schema->by_symbol[type] - 1];
}


cedar_action_t *
cedar_schema_action(const cedar_set_t *set, const cedar_value_t *uid)
{
    uint32_t               k;
    cedar_action_t        *a;
    const cedar_schema_t  *schema;

    schema = &set->schema;

    if (schema->action_slots == NULL) {
        return NULL;
    }

    k = cedar_hash(uid->u.s, uid->len, uid->sym) & schema->action_mask;

    while (schema->action_slots[k] != 0) {
        a = &schema->actions[schema->action_slots[k] - 1];

        if (cedar_uid_eq(&a->uid, uid)) {
            return a;
        }

        k = (k + 1) & schema->action_mask;
    }

    return NULL;
}


bool
cedar_schema_may_be_in(const cedar_set_t *set, cedar_symbol_t a,
    cedar_symbol_t b)
{
    return a == b || cedar_schema_is_below(set, a, b);
}


bool
cedar_schema_is_below(const cedar_set_t *set, cedar_symbol_t a,
    cedar_symbol_t b)
{
    uint32_t                    i, k, index;
    const cedar_action_t       *action;
    const cedar_schema_t       *schema;
    const cedar_entity_type_t  *e;

    schema = &set->schema;
    e = cedar_schema_entity(set, a);

    if (e == NULL || cedar_schema_entity(set, b) == NULL) {
        return false;
    }

    if (!e->is_action) {
        index = schema->by_symbol[b] - 1;

        return (e->ancestors[index / 64] & (1ull << (index % 64))) != 0;
    }

    for (i = 0; i < schema->actions_n; i++) {
        action = &schema->actions[i];

        for (k = 0; action->uid.sym == a && k < action->ancestors_n; k++) {
            if (action->ancestors[k].sym == b) {
                return true;
            }
        }
    }

    return false;
}


bool
cedar_is_action_type(const cedar_set_t *set, cedar_symbol_t type)
{
    return cedar_is_action_name(cedar_symbol_name(&set->symbols, type));
}


bool
cedar_is_action_name(emage_str_t s)
{
    if (s.len < 6 || memcmp(s.data + s.len - 6, "Action", 6) != 0) {
        return false;
    }

    return s.len == 6 || s.data[s.len - 7] == ':';
}


const cedar_attr_t *
cedar_type_attr(const cedar_type_t *t, cedar_symbol_t name)
{
    uint32_t  lo, hi, mid;

    lo = 0;
    hi = t->n;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        if (t->attrs[mid].name == name) {
            return &t->attrs[mid];
        }

        if (t->attrs[mid].name < name) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return NULL;
}
