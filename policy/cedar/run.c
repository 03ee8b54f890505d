/*
 * Copyright (C) The e-mage authors
 *
 * Code is run here, and slots are filled.
 */


#include "cedar_code.h"


static const cedar_value_t *cedar_slot_attr(cedar_eval_t *e,
    const cedar_value_t *rec, uint32_t slot);
static const cedar_ent_t *cedar_slot_entity(cedar_eval_t *e, uint32_t slot,
    const cedar_value_t *uid);
static cedar_outcome_t cedar_run_test(cedar_eval_t *e, const cedar_code_t *c,
    const cedar_value_t *v);
static cedar_outcome_t cedar_run_eval(cedar_eval_t *e, const cedar_node_t *n);
static cedar_outcome_t cedar_run_in(cedar_eval_t *e, const cedar_value_t *v,
    const cedar_value_t *in);


const cedar_value_t  cedar_slot_missing = { .kind = 0 };

/* a path through what is neither record nor entity, or through a gap */

static const cedar_value_t  cedar_slot_broken = { .kind = 0 };


const cedar_value_t *
cedar_slot_fill(cedar_eval_t *e, uint32_t slot)
{
    uint32_t              parent;
    const cedar_ent_t    *ent;
    const cedar_value_t  *v, *base;

    switch (slot) {

    case CEDAR_SLOT_PRINCIPAL:
        v = &e->req->principal;
        break;

    case CEDAR_SLOT_ACTION:
        v = &e->req->action;
        break;

    case CEDAR_SLOT_RESOURCE:
        v = &e->req->resource;
        break;

    case CEDAR_SLOT_CONTEXT:
        v = &e->req->context;
        break;

    default:
        parent = e->set->slots[slot].parent;
        base = cedar_slot(e, parent);

        if (base->kind == CEDAR_RECORD) {
            v = cedar_slot_attr(e, base, slot);

        } else if (base->kind == CEDAR_ENTITY) {
            ent = cedar_slot_entity(e, parent, base);
            v = (ent == NULL) ? &cedar_slot_missing
                              : cedar_slot_attr(e, &ent->attrs, slot);

        } else {
            v = &cedar_slot_broken;
        }

        break;
    }

    e->slots[slot] = v;

    return v;
}


static const cedar_value_t *
cedar_slot_attr(cedar_eval_t *e, const cedar_value_t *rec, uint32_t slot)
{
    uint32_t              guess;
    cedar_symbol_t        name;
    const cedar_value_t  *v;

    name = e->set->slots[slot].name;

    if (e->guess != NULL) {
        guess = e->guess[slot];

        if (guess < rec->len && rec->u.rec[guess].name == name) {
            return &rec->u.rec[guess].value;
        }
    }

    v = cedar_record_get(rec, name);

    return (v != NULL) ? v : &cedar_slot_missing;
}


/* Principal, action and resource are looked up once. */

static const cedar_ent_t *
cedar_slot_entity(cedar_eval_t *e, uint32_t slot, const cedar_value_t *uid)
{
    if (slot > CEDAR_SLOT_RESOURCE) {
        return cedar_eval_entity(e, uid);
    }

    if (e->roots[slot] == NULL) {
        e->roots[slot] = cedar_eval_entity(e, uid);
    }

    return e->roots[slot];
}


cedar_outcome_t
cedar_run(cedar_eval_t *e, uint32_t pc)
{
    bool                  b;
    cedar_outcome_t       outcome;
    const cedar_code_t   *c;
    const cedar_value_t  *v;

    while (pc < CEDAR_END) {
        c = &e->set->code[pc];

        if (c->op == CEDAR_OP_EQ) {
            v = cedar_slot(e, c->slot);

            if (v->kind == 0) {
                return CEDAR_FAILED;
            }

            b = cedar_value_eq(v, &c->u.value);

        } else {
            outcome = (c->op == CEDAR_OP_EVAL)
                      ? cedar_run_eval(e, c->u.node)
                      : cedar_run_test(e, c, cedar_slot(e, c->slot));

            if (outcome == CEDAR_FAILED) {
                return CEDAR_FAILED;
            }

            b = (outcome == CEDAR_HIT);
        }

        pc = b ? c->yes : c->no;
    }

    return (pc == CEDAR_END_HIT) ? CEDAR_HIT : CEDAR_MISS;
}


static cedar_outcome_t
cedar_run_test(cedar_eval_t *e, const cedar_code_t *c,
    const cedar_value_t *v)
{
    bool                  b;
    const cedar_value_t  *w;

    if (c->op == CEDAR_OP_HAS) {
        return (v->kind != 0) ? CEDAR_HIT
               : (v == &cedar_slot_missing) ? CEDAR_MISS : CEDAR_FAILED;
    }

    if (v->kind == 0) {
        return CEDAR_FAILED;
    }

    switch (c->op) {

    case CEDAR_OP_TRUE:
        if (v->kind != CEDAR_BOOL) {
            return CEDAR_FAILED;
        }

        b = v->u.b;
        break;

    case CEDAR_OP_EQ_SLOT:
        w = cedar_slot(e, c->other);

        if (w->kind == 0) {
            return CEDAR_FAILED;
        }

        b = cedar_value_eq(v, w);
        break;

    case CEDAR_OP_IS:
        if (v->kind != CEDAR_ENTITY) {
            return CEDAR_FAILED;
        }

        b = (v->sym == c->u.value.sym);
        break;

    case CEDAR_OP_IN:
        return cedar_run_in(e, v, &c->u.value);

    case CEDAR_OP_CONTAINS:
        b = cedar_set_contains(&c->u.value, v);
        break;

    default:
        if (v->kind != CEDAR_STRING) {
            return CEDAR_FAILED;
        }

        b = cedar_match(c->u.node->pattern, (emage_str_t) { v->u.s,
                                                            v->len });
        break;
    }

    return b ? CEDAR_HIT : CEDAR_MISS;
}


static cedar_outcome_t
cedar_run_eval(cedar_eval_t *e, const cedar_node_t *n)
{
    cedar_value_t  v;

    if (!cedar_eval(e, n, &v) || v.kind != CEDAR_BOOL) {
        return CEDAR_FAILED;
    }

    return v.u.b ? CEDAR_HIT : CEDAR_MISS;
}


/* `in` is an entity or a set of entities: so it was compiled. */

static cedar_outcome_t
cedar_run_in(cedar_eval_t *e, const cedar_value_t *v,
    const cedar_value_t *in)
{
    uint32_t  i;

    if (v->kind != CEDAR_ENTITY) {
        return CEDAR_FAILED;
    }

    if (in->kind == CEDAR_ENTITY) {
        return cedar_eval_in(e, v, in) ? CEDAR_HIT : CEDAR_MISS;
    }

    for (i = 0; i < in->len; i++) {
        if (cedar_eval_in(e, v, &in->u.set[i])) {
            return CEDAR_HIT;
        }
    }

    return CEDAR_MISS;
}
