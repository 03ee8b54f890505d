/*
 * Copyright (C) The e-mage authors
 *
 * Nodes of expressions: making them, and structural equality.
 */


#include "cedar_parse.h"


static uint32_t cedar_mix(uint32_t h, uint32_t v);
static uint32_t cedar_value_hash(const cedar_value_t *v);


static uint32_t
cedar_mix(uint32_t h, uint32_t v)
{
    h = (h ^ v) * 0x9e3779b1u;

    return h ^ (h >> 16);
}


/* Literals of the source only: scalars and entities. */

static uint32_t
cedar_value_hash(const cedar_value_t *v)
{
    switch (v->kind) {

    case CEDAR_STRING:
    case CEDAR_ENTITY:
        return cedar_hash(v->u.s, v->len, v->sym);

    case CEDAR_BOOL:
        return v->u.b;

    default:
        return cedar_mix((uint32_t) v->u.i, (uint32_t) (v->u.i >> 32));
    }
}


void
cedar_node_hash(cedar_node_t *n)
{
    uint32_t  i, h;

    h = cedar_mix(n->kind * 256 + n->fn, n->sym);
    h = cedar_mix(h, n->n);

    for (i = 0; i < n->n; i++) {
        h = cedar_mix(h, n->arg[i]->hash);

        if (n->names != NULL) {
            h = cedar_mix(h, n->names[i]);
        }
    }

    if (n->kind == CEDAR_N_LIT) {
        h = cedar_mix(h, cedar_value_hash(&n->value));
    }

    n->hash = h;
}


cedar_node_t *
cedar_node(cedar_parser_t *p, cedar_node_kind_t kind, uint32_t pos,
    cedar_node_t **arg, uint32_t n)
{
    uint32_t       i;
    cedar_node_t  *node;

    node = cedar_zalloc(p->arena, sizeof(cedar_node_t));
    if (node == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    node->kind = kind;
    node->pos = pos;
    node->arg = arg;
    node->n = n;

    for (i = 0; i < n; i++) {

        if (arg[i] == NULL) {
            return NULL;
        }

        if (arg[i]->depth >= node->depth) {
            node->depth = arg[i]->depth + 1;
        }
    }

    if (node->depth > CEDAR_MAX_TREE) {
        cedar_fail(p, pos, "expression has more than %d operators in a row; "
                   "split the policy", CEDAR_MAX_TREE);
        return NULL;
    }

    cedar_node_hash(node);

    return node;
}


cedar_node_t *
cedar_node1(cedar_parser_t *p, cedar_node_kind_t kind, uint32_t pos,
    cedar_node_t *a)
{
    cedar_node_t  **arg;

    arg = cedar_alloc(p->arena, sizeof(cedar_node_t *));

    if (arg == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    arg[0] = a;

    return cedar_node(p, kind, pos, arg, 1);
}


cedar_node_t *
cedar_node2(cedar_parser_t *p, cedar_node_kind_t kind, uint32_t pos,
    cedar_node_t *a, cedar_node_t *b)
{
    cedar_node_t  **arg;

    arg = cedar_alloc(p->arena, 2 * sizeof(cedar_node_t *));

    if (arg == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    arg[0] = a;
    arg[1] = b;

    return cedar_node(p, kind, pos, arg, 2);
}


cedar_node_t *
cedar_node_lit(cedar_parser_t *p, uint32_t pos, cedar_value_t value)
{
    cedar_node_t  *n;

    n = cedar_node(p, CEDAR_N_LIT, pos, NULL, 0);

    if (n != NULL) {
        n->value = value;
        cedar_node_hash(n);
    }

    return n;
}


bool
cedar_node_fold(cedar_parser_t *p, cedar_node_t *n)
{
    uint32_t        i;
    cedar_field_t  *fields;
    cedar_value_t  *elems;

    for (i = 0; i < n->n; i++) {
        if (n->arg[i]->value.kind == 0) {
            return true;
        }
    }

    if (n->kind == CEDAR_N_SET) {
        elems = cedar_array(p->arena, n->n, sizeof(cedar_value_t));
        if (elems == NULL) {
            return cedar_nomem(p);
        }

        for (i = 0; i < n->n; i++) {
            elems[i] = n->arg[i]->value;
        }

        n->value = cedar_value(CEDAR_SET);
        n->value.len = cedar_set_normalise(elems, n->n);
        n->value.u.set = elems;

    } else {
        fields = cedar_array(p->arena, n->n, sizeof(cedar_field_t));
        if (fields == NULL) {
            return cedar_nomem(p);
        }

        for (i = 0; i < n->n; i++) {
            fields[i].name = n->names[i];
            fields[i].value = n->arg[i]->value;
        }

        n->value = cedar_value(CEDAR_RECORD);
        n->value.len = n->n;
        n->value.u.rec = fields;
    }

    return true;
}


/*
 * Nodes may be shared between trees, so that pointers are compared first.  The
 * hash was made of everything compared here but patterns and faults.
 */

bool
cedar_node_eq(const cedar_node_t *a, const cedar_node_t *b)
{
    uint32_t  i;

    if (a == b) {
        return true;
    }

    if (a->hash != b->hash || a->kind != b->kind || a->fn != b->fn
        || a->sym != b->sym || a->n != b->n)
    {
        return false;
    }

    if (a->kind == CEDAR_N_LIT) {
        return cedar_value_cmp(&a->value, &b->value) == 0;
    }

    if (a->kind == CEDAR_N_LIKE || a->kind == CEDAR_N_BAD) {
        return false;
    }

    for (i = 0; i < a->n; i++) {
        if ((a->names != NULL && a->names[i] != b->names[i])
            || !cedar_node_eq(a->arg[i], b->arg[i]))
        {
            return false;
        }
    }

    return true;
}
