/*
 * Copyright (C) The e-mage authors
 *
 * The store of entities: found by identity, ancestors closed.
 */


#include "cedar_parse.h"
#include "cedar_eval.h"


/* Ancestors of all entities together; more is refused as an attack. */

#define CEDAR_MAX_ANCESTORS  4000000


static bool cedar_entities_index(cedar_entities_t *e, const char **fault,
    cedar_value_t *at);
static bool cedar_entities_same(const cedar_ent_t *a, const cedar_ent_t *b);
static bool cedar_entities_walk(cedar_entities_t *e, cedar_ent_t *ent,
    uint32_t mark, cedar_value_t *stack, cedar_value_t *found,
    uint32_t *total);


const cedar_ent_t *
cedar_entities_find(const cedar_entities_t *e, const cedar_value_t *uid)
{
    uint32_t      k;
    cedar_ent_t  *ent;

    if (e->slots == NULL) {
        return NULL;
    }

    k = cedar_hash(uid->u.s, uid->len, uid->sym) & e->mask;

    while (e->slots[k] != 0) {
        ent = &e->ents[e->slots[k] - 1];

        if (cedar_uid_eq(&ent->uid, uid)) {
            return ent;
        }

        k = (k + 1) & e->mask;
    }

    return NULL;
}


void
cedar_entities_destroy(cedar_entities_t *e)
{
    cedar_arena_t  arena;

    if (e != NULL) {
        arena = e->arena;
        cedar_arena_free(&arena);
    }
}


static bool
cedar_entities_index(cedar_entities_t *e, const char **fault,
    cedar_value_t *at)
{
    uint32_t            i, k, size;
    cedar_value_t      *uid;
    const cedar_ent_t  *other;

    for (size = 8; size < e->n * 2; size *= 2) { /* void */ }

    e->slots = cedar_zalloc(&e->arena, size * sizeof(uint32_t));
    if (e->slots == NULL) {
        return false;
    }

    e->mask = size - 1;

    for (i = 0; i < e->n; i++) {
        uid = &e->ents[i].uid;
        other = cedar_entities_find(e, uid);
        e->actions |= cedar_is_action_name(cedar_symbol_name(&e->symbols,
                                                             uid->sym));

        /* the same once more is fine, as in Cedar */

        if (other != NULL && cedar_entities_same(other, &e->ents[i])) {
            e->ents[i--] = e->ents[--e->n];
            continue;
        }

        if (other != NULL) {
            *fault = "stands twice, and not alike; remove one";
            *at = *uid;
            return false;
        }

        k = cedar_hash(uid->u.s, uid->len, uid->sym) & e->mask;

        while (e->slots[k] != 0) {
            k = (k + 1) & e->mask;
        }

        e->slots[k] = i + 1;
    }

    return true;
}


static bool
cedar_entities_same(const cedar_ent_t *a, const cedar_ent_t *b)
{
    uint32_t  i;

    if (a->parents_n != b->parents_n
        || cedar_value_cmp(&a->attrs, &b->attrs) != 0
        || cedar_value_cmp(&a->tags, &b->tags) != 0)
    {
        return false;
    }

    for (i = 0; i < a->parents_n; i++) {
        if (!cedar_uid_eq(&a->parents[i], &b->parents[i])) {
            return false;
        }
    }

    return true;
}


/*
 * Depth first over parents.  An entity that is not in the store has none.
 * False: the entity is its own ancestor, or the cap is met.
 */

static bool
cedar_entities_walk(cedar_entities_t *e, cedar_ent_t *ent, uint32_t mark,
    cedar_value_t *stack, cedar_value_t *found, uint32_t *total)
{
    uint32_t        i, n, top;
    cedar_ent_t    *b;
    cedar_value_t   uid, *list;

    for (i = 0, top = 0; i < ent->parents_n; i++) {
        stack[top++] = ent->parents[i];
    }

    for (n = 0; top > 0; /* void */ ) {
        uid = stack[--top];

        if (cedar_uid_eq(&uid, &ent->uid) || *total >= CEDAR_MAX_ANCESTORS) {
            return false;
        }

        b = (cedar_ent_t *) cedar_entities_find(e, &uid);

        if (b != NULL) {
            if (b->mark == mark) {
                continue;
            }

            b->mark = mark;
        }

        found[n++] = uid;
        (*total)++;

        for (i = 0; b != NULL && i < b->parents_n; i++) {
            stack[top++] = b->parents[i];
        }
    }

    n = cedar_set_normalise(found, n);
    list = cedar_array(&e->arena, n, sizeof(cedar_value_t));

    if (list == NULL) {
        return false;
    }

    if (n != 0) {
        memcpy(list, found, n * sizeof(cedar_value_t));
    }

    ent->ancestors = list;
    ent->ancestors_n = n;

    return true;
}


emage_rc_t
cedar_entities_close(cedar_entities_t *e, emage_str_t name,
    emage_error_t *err)
{
    uint32_t        i, edges, total;
    const char     *fault;
    emage_str_t     type;
    cedar_value_t  *stack, *found, at;

    fault = NULL;

    if (!cedar_entities_index(e, &fault, &at)) {
        goto failed;
    }

    for (i = 0, edges = 0; i < e->n; i++) {
        edges += e->ents[i].parents_n;
    }

    /* each edge is pushed at most once in a walk, for marks stop the rest */

    stack = cedar_array(&e->arena, edges + 1, sizeof(cedar_value_t));
    found = cedar_array(&e->arena, edges + 1, sizeof(cedar_value_t));

    if (stack == NULL || found == NULL) {
        goto failed;
    }

    for (i = 0, total = 0; i < e->n; i++) {

        if (!cedar_entities_walk(e, &e->ents[i], i + 1, stack, found,
                                 &total))
        {
            if (!e->arena.failed) {
                fault = (total >= CEDAR_MAX_ANCESTORS)
                        ? "has too many ancestors; flatten the hierarchy"
                        : "is its own ancestor; break the circle";
                at = e->ents[i].uid;
            }

            goto failed;
        }
    }

    return EMAGE_OK;

failed:

    if (fault == NULL) {
        emage_error_set(err, "%.*s: no memory, or over the limit of %zu "
                        "bytes for entities", (int) name.len, name.data,
                        e->arena.max);
        return EMAGE_NOMEM;
    }

    type = cedar_symbol_name(&e->symbols, at.sym);
    emage_error_set(err, "%.*s: entity %.*s::\"%.*s\" %s", (int) name.len,
                    name.data, (int) type.len, type.data,
                    (int) (at.len > 80 ? 80 : at.len), at.u.s, fault);

    return EMAGE_ERROR;
}
