/*
 * Copyright (C) The e-mage authors
 *
 * Conditions as code.  Each test has two ways on, so that && and || and !
 * cost nothing; what has no test of its own is evaluated by its tree.
 *
 * Cedar's rules that make this right: && and || do not evaluate what cannot
 * matter, and whatever fails on the way fails the whole policy.
 */


#include "cedar_code.h"


/* Attributes of a path; longer ones are evaluated by their tree. */

#define CEDAR_MAX_PATH  8


static bool cedar_compile_policy(cedar_set_t *set, cedar_policy_t *p);
static bool cedar_emit(cedar_set_t *set, cedar_node_t *n, uint32_t yes,
    uint32_t no, uint32_t *pc);
static bool cedar_emit_has(cedar_set_t *set, cedar_node_t *n, uint32_t yes,
    uint32_t no, uint32_t *pc);
static bool cedar_emit_is_in(cedar_set_t *set, cedar_node_t *n, uint32_t yes,
    uint32_t no, uint32_t *pc);
static bool cedar_emit_leaf(cedar_set_t *set, cedar_node_t *n, uint32_t yes,
    uint32_t no, uint32_t *pc);
static bool cedar_leaf_two(cedar_set_t *set, const cedar_node_t *n,
    cedar_code_t *c);
static bool cedar_leaf_call(cedar_set_t *set, const cedar_node_t *n,
    cedar_code_t *c);
static bool cedar_code_add(cedar_set_t *set, const cedar_code_t *c,
    uint32_t *pc);
static void cedar_slots_mark(cedar_set_t *set, cedar_node_t *n);
static uint16_t cedar_slot_of(cedar_set_t *set, const cedar_node_t *n);
static uint16_t cedar_slot_path(cedar_set_t *set, const cedar_node_t *n,
    uint32_t depth);
static uint16_t cedar_slot_make(cedar_set_t *set, uint16_t parent,
    cedar_symbol_t name);
static bool cedar_uids_only(const cedar_value_t *v);


bool
cedar_compile(cedar_set_t *set)
{
    uint32_t         i;
    cedar_policy_t  *p;

    set->slots = cedar_array(&set->arena, CEDAR_MAX_SLOTS,
                             sizeof(cedar_slot_t));
    if (set->slots == NULL) {
        return false;
    }

    for (i = 0; i < CEDAR_SLOT_ROOTS; i++) {
        set->slots[i].parent = CEDAR_SLOT_NONE;
        set->slots[i].name = CEDAR_NO_SYMBOL;
    }

    set->slots_n = CEDAR_SLOT_ROOTS;

    /* links share the code of their template */

    for (i = 0; i < set->templates_n; i++) {
        if (!cedar_compile_policy(set, set->templates[i])) {
            return false;
        }
    }

    for (i = 0; i < set->policies_n; i++) {
        p = &set->policies[i];

        if (p->linked != NULL) {
            p->pc = p->linked->pc;

        } else if (!cedar_compile_policy(set, p)) {
            return false;
        }
    }

    return true;
}


static bool
cedar_compile_policy(cedar_set_t *set, cedar_policy_t *p)
{
    uint32_t  i;

    p->pc = CEDAR_END_HIT;

    for (i = p->conds_n; i-- > 0; /* void */ ) {
        if (!cedar_emit(set, p->conds[i], p->pc, CEDAR_END_MISS, &p->pc)) {
            return false;
        }
    }

    return true;
}


/*
 * Code that goes on at `yes` or `no`; `pc` is where it begins.  What comes
 * later is emitted first.  Recursion ends at CEDAR_MAX_TREE.
 */

static bool
cedar_emit(cedar_set_t *set, cedar_node_t *n, uint32_t yes, uint32_t no,
    uint32_t *pc)
{
    uint32_t  then, otherwise;

    if (n->value.kind == CEDAR_BOOL) {
        *pc = n->value.u.b ? yes : no;
        return true;
    }

    switch (n->kind) {

    case CEDAR_N_AND:
        return cedar_emit(set, n->arg[1], yes, no, &then)
               && cedar_emit(set, n->arg[0], then, no, pc);

    case CEDAR_N_OR:
        return cedar_emit(set, n->arg[1], yes, no, &otherwise)
               && cedar_emit(set, n->arg[0], yes, otherwise, pc);

    case CEDAR_N_NOT:
        return cedar_emit(set, n->arg[0], no, yes, pc);

    case CEDAR_N_IF:
        return cedar_emit(set, n->arg[2], yes, no, &otherwise)
               && cedar_emit(set, n->arg[1], yes, no, &then)
               && cedar_emit(set, n->arg[0], then, otherwise, pc);

    case CEDAR_N_HAS:
        return cedar_emit_has(set, n, yes, no, pc);

    case CEDAR_N_IS_IN:
        return cedar_emit_is_in(set, n, yes, no, pc);

    default:
        return cedar_emit_leaf(set, n, yes, no, pc);
    }
}


/* e has a.b.c: e has a, then e.a has b, then e.a.b has c. */

static bool
cedar_emit_has(cedar_set_t *set, cedar_node_t *n, uint32_t yes, uint32_t no,
    uint32_t *pc)
{
    uint32_t      i;
    uint16_t      slot[CEDAR_MAX_DEPTH];
    cedar_code_t  c;

    memset(&c, 0, sizeof(cedar_code_t));

    cedar_slots_mark(set, n);

    slot[0] = (n->n < CEDAR_MAX_DEPTH) ? cedar_slot_of(set, n->arg[0])
                                       : CEDAR_SLOT_NONE;

    for (i = 0; i < n->n && slot[i] != CEDAR_SLOT_NONE; i++) {
        slot[i + 1] = cedar_slot_make(set, slot[i], n->names[i]);
    }

    if (i < n->n || slot[i] == CEDAR_SLOT_NONE) {
        return cedar_emit_leaf(set, n, yes, no, pc);
    }

    for (*pc = yes; i > 0; i--) {
        c.op = CEDAR_OP_HAS;
        c.slot = slot[i];
        c.yes = *pc;
        c.no = no;

        if (!cedar_code_add(set, &c, pc)) {
            return false;
        }
    }

    return true;
}


/* e is T in x: e is T, then e in x. */

static bool
cedar_emit_is_in(cedar_set_t *set, cedar_node_t *n, uint32_t yes,
    uint32_t no, uint32_t *pc)
{
    uint16_t      slot;
    cedar_code_t  c;

    slot = cedar_slot_of(set, n->arg[0]);

    if (slot == CEDAR_SLOT_NONE || !cedar_uids_only(&n->arg[1]->value)) {
        return cedar_emit_leaf(set, n, yes, no, pc);
    }

    memset(&c, 0, sizeof(cedar_code_t));

    c.op = CEDAR_OP_IN;
    c.slot = slot;
    c.yes = yes;
    c.no = no;
    c.u.value = n->arg[1]->value;

    if (!cedar_code_add(set, &c, pc)) {
        return false;
    }

    c.op = CEDAR_OP_IS;
    c.yes = *pc;
    c.u.value = cedar_value(CEDAR_ENTITY);
    c.u.value.sym = n->sym;

    return cedar_code_add(set, &c, pc);
}


static bool
cedar_emit_leaf(cedar_set_t *set, cedar_node_t *n, uint32_t yes, uint32_t no,
    uint32_t *pc)
{
    cedar_code_t  c;

    memset(&c, 0, sizeof(cedar_code_t));

    c.yes = yes;
    c.no = no;

    cedar_slots_mark(set, n);

    switch (n->kind) {

    case CEDAR_N_ATTR:
        c.op = CEDAR_OP_TRUE;
        c.slot = cedar_slot_of(set, n);

        if (c.slot != CEDAR_SLOT_NONE) {
            return cedar_code_add(set, &c, pc);
        }

        break;

    case CEDAR_N_EQ:
    case CEDAR_N_IN:
    case CEDAR_N_IS:
    case CEDAR_N_LIKE:
        if (cedar_leaf_two(set, n, &c)) {
            return cedar_code_add(set, &c, pc);
        }

        break;

    case CEDAR_N_CALL:
        if (cedar_leaf_call(set, n, &c)) {
            return cedar_code_add(set, &c, pc);
        }

        break;

    default:
        break;
    }

    c.op = CEDAR_OP_EVAL;
    c.u.node = n;

    return cedar_code_add(set, &c, pc);
}


/* A slot on the left; of ==, it may as well stand on the right. */

static bool
cedar_leaf_two(cedar_set_t *set, const cedar_node_t *n, cedar_code_t *c)
{
    const cedar_node_t  *left, *right;

    left = n->arg[0];
    right = (n->n > 1) ? n->arg[1] : NULL;

    if (n->kind == CEDAR_N_EQ && left->value.kind != 0) {
        left = n->arg[1];
        right = n->arg[0];
    }

    c->slot = cedar_slot_of(set, left);

    if (c->slot == CEDAR_SLOT_NONE) {
        return false;
    }

    switch (n->kind) {

    case CEDAR_N_IS:
        c->op = CEDAR_OP_IS;
        c->u.value = cedar_value(CEDAR_ENTITY);
        c->u.value.sym = n->sym;
        return true;

    case CEDAR_N_LIKE:
        c->op = CEDAR_OP_LIKE;
        c->u.node = n;
        return true;

    case CEDAR_N_IN:
        c->op = CEDAR_OP_IN;
        c->u.value = right->value;
        return cedar_uids_only(&right->value);

    default:
        break;
    }

    if (right->value.kind != 0) {
        c->op = CEDAR_OP_EQ;
        c->u.value = right->value;
        return true;
    }

    c->op = CEDAR_OP_EQ_SLOT;
    c->other = cedar_slot_of(set, right);

    return c->other != CEDAR_SLOT_NONE;
}


static bool
cedar_leaf_call(cedar_set_t *set, const cedar_node_t *n, cedar_code_t *c)
{
    if (n->fn != CEDAR_FN_CONTAINS || n->fault != NULL || n->n != 2
        || n->arg[0]->value.kind != CEDAR_SET)
    {
        return false;
    }

    c->op = CEDAR_OP_CONTAINS;
    c->u.value = n->arg[0]->value;
    c->slot = cedar_slot_of(set, n->arg[1]);

    return c->slot != CEDAR_SLOT_NONE;
}


static bool
cedar_uids_only(const cedar_value_t *v)
{
    uint32_t  i;

    for (i = 0; v->kind == CEDAR_SET && i < v->len; i++) {
        if (v->u.set[i].kind != CEDAR_ENTITY) {
            return false;
        }
    }

    return v->kind == CEDAR_SET || v->kind == CEDAR_ENTITY;
}


static bool
cedar_code_add(cedar_set_t *set, const cedar_code_t *c, uint32_t *pc)
{
    cedar_code_t  *code;

    code = (set->code_n < CEDAR_END)
           ? cedar_grow(&set->arena, set->code, set->code_n,
                        sizeof(cedar_code_t)) : NULL;

    if (code == NULL) {
        return false;
    }

    set->code = code;
    *pc = set->code_n;
    code[set->code_n++] = *c;

    return true;
}


/* Expressions read attributes from the slots as well.  Recursion as above. */

static void
cedar_slots_mark(cedar_set_t *set, cedar_node_t *n)
{
    uint16_t  slot;
    uint32_t  i;

    if (n->value.kind != 0) {
        return;
    }

    if (n->kind == CEDAR_N_ATTR) {
        slot = cedar_slot_of(set, n);

        if (slot != CEDAR_SLOT_NONE) {
            n->slot = slot;
            return;
        }
    }

    for (i = 0; i < n->n; i++) {

        /* rows of `has` hold trees that are part of each other */

        if (n->kind == CEDAR_N_HAS && i > 0) {
            return;
        }

        cedar_slots_mark(set, n->arg[i]);
    }
}


/* The slot of a path, CEDAR_SLOT_NONE if it is none, or none is left. */

static uint16_t
cedar_slot_of(cedar_set_t *set, const cedar_node_t *n)
{
    return cedar_slot_path(set, n, CEDAR_MAX_PATH);
}


static uint16_t
cedar_slot_path(cedar_set_t *set, const cedar_node_t *n, uint32_t depth)
{
    uint16_t  parent;

    if (n->value.kind != 0 || depth == 0) {
        return CEDAR_SLOT_NONE;
    }

    switch (n->kind) {

    case CEDAR_N_PRINCIPAL:
        return CEDAR_SLOT_PRINCIPAL;

    case CEDAR_N_ACTION:
        return CEDAR_SLOT_ACTION;

    case CEDAR_N_RESOURCE:
        return CEDAR_SLOT_RESOURCE;

    case CEDAR_N_CONTEXT:
        return CEDAR_SLOT_CONTEXT;

    case CEDAR_N_ATTR:
        parent = cedar_slot_path(set, n->arg[0], depth - 1);

        return (parent == CEDAR_SLOT_NONE)
               ? CEDAR_SLOT_NONE : cedar_slot_make(set, parent, n->sym);

    default:
        return CEDAR_SLOT_NONE;
    }
}


static uint16_t
cedar_slot_make(cedar_set_t *set, uint16_t parent, cedar_symbol_t name)
{
    uint32_t  i;

    for (i = CEDAR_SLOT_ROOTS; i < set->slots_n; i++) {
        if (set->slots[i].name == name && set->slots[i].parent == parent) {
            return i;
        }
    }

    if (i == CEDAR_MAX_SLOTS) {
        return CEDAR_SLOT_NONE;
    }

    set->slots[i].name = name;
    set->slots[i].parent = parent;
    set->slots_n = i + 1;

    return i;
}
