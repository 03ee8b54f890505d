/*
 * Copyright (C) The e-mage authors
 *
 * The authorizer: forbid overrides permit, default deny, and the index of
 * policies by action.
 */


#include "cedar_check.h"
#include "cedar_eval.h"


typedef enum {
    CEDAR_MISS = 0,
    CEDAR_HIT,
    CEDAR_FAILED
} cedar_outcome_t;


static bool cedar_scope_hits(cedar_eval_t *e, const cedar_scope_t *s,
    const cedar_value_t *uid);
static cedar_outcome_t cedar_policy_eval(cedar_eval_t *e,
    const cedar_policy_t *p);
static const uint32_t *cedar_candidates(cedar_eval_t *e, uint32_t *n);
static void cedar_conclude(const uint32_t *list, uint32_t n,
    const uint32_t *hits, uint32_t *out, cedar_result_t *result);
static emage_rc_t cedar_decide_start(cedar_eval_t *e, cedar_arena_t *arena,
    const cedar_set_t *set, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t size);


/* For each action of the schema, the policies whose scope it can meet. */

emage_rc_t
cedar_index_build(cedar_set_t *set)
{
    uint32_t         i, k, n;
    cedar_action_t  *a;

    n = set->policies_n;

    set->all = cedar_array(&set->arena, n + 1, sizeof(uint32_t));
    if (set->all == NULL) {
        return EMAGE_NOMEM;
    }

    for (i = 0; i < n; i++) {
        set->all[i] = i;
    }

    for (k = 0; k < set->schema.actions_n; k++) {
        a = &set->schema.actions[k];

        for (i = 0; i < n; i++) {

            if (!cedar_scope_action_hits(&set->policies[i].action, a)) {
                continue;
            }

            a->policies = cedar_grow(&set->arena, a->policies, a->policies_n,
                                     sizeof(uint32_t));
            if (a->policies == NULL) {
                return EMAGE_NOMEM;
            }

            a->policies[a->policies_n++] = i;
        }
    }

    return EMAGE_OK;
}


bool
cedar_scope_action_hits(const cedar_scope_t *s, const cedar_action_t *a)
{
    uint32_t  i;

    if (s->kind == CEDAR_SCOPE_ANY) {
        return true;
    }

    for (i = 0; i < s->n; i++) {
        if (cedar_uid_eq(&s->uids[i], &a->uid)) {
            return true;
        }

        if (s->kind == CEDAR_SCOPE_IN
            && cedar_set_contains(&(cedar_value_t) {
                                      .len = a->ancestors_n,
                                      .u.set = a->ancestors }, &s->uids[i]))
        {
            return true;
        }
    }

    return false;
}


static bool
cedar_scope_hits(cedar_eval_t *e, const cedar_scope_t *s,
    const cedar_value_t *uid)
{
    uint32_t  i;

    switch (s->kind) {

    case CEDAR_SCOPE_ANY:
        return true;

    case CEDAR_SCOPE_EQ:
        return cedar_uid_eq(uid, &s->uids[0]);

    case CEDAR_SCOPE_IS:
        return uid->sym == s->type;

    case CEDAR_SCOPE_IS_IN:
        return uid->sym == s->type && cedar_eval_in(e, uid, &s->uids[0]);

    default:
        for (i = 0; i < s->n; i++) {
            if (cedar_eval_in(e, uid, &s->uids[i])) {
                return true;
            }
        }

        return false;
    }
}


static cedar_outcome_t
cedar_policy_eval(cedar_eval_t *e, const cedar_policy_t *p)
{
    uint32_t       i;
    cedar_value_t  v;

    /* cheap tests first: a scope cannot fail, so their order is free */

    if ((p->principal.type != CEDAR_NO_SYMBOL
         && p->principal.type != e->req->principal.sym)
        || (p->resource.type != CEDAR_NO_SYMBOL
            && p->resource.type != e->req->resource.sym)
        || !cedar_scope_hits(e, &p->principal, &e->req->principal)
        || !cedar_scope_hits(e, &p->action, &e->req->action)
        || !cedar_scope_hits(e, &p->resource, &e->req->resource))
    {
        return CEDAR_MISS;
    }

    for (i = 0; i < p->conds_n; i++) {

        if (!cedar_eval(e, p->conds[i], &v)) {
            return CEDAR_FAILED;
        }

        if (v.kind != CEDAR_BOOL) {
            cedar_fault(e, "type error: the condition is not a boolean");
            return CEDAR_FAILED;
        }

        if (!v.u.b) {
            return CEDAR_MISS;
        }
    }

    return CEDAR_HIT;
}


/*
 * The index knows the schema's hierarchy of actions; entities that came with
 * the request may say otherwise, and then every policy is asked.
 */

static const uint32_t *
cedar_candidates(cedar_eval_t *e, uint32_t *n)
{
    const cedar_action_t  *a;

    a = cedar_schema_action(e->set, &e->req->action);

    if (a != NULL && cedar_eval_entity(e, &e->req->action) == NULL) {
        *n = a->policies_n;
        return a->policies;
    }

    *n = e->set->policies_n;

    return e->set->all;
}


static emage_rc_t
cedar_decide_start(cedar_eval_t *e, cedar_arena_t *arena,
    const cedar_set_t *set, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t size)
{
    cedar_arena_fixed(arena, scratch, size & ~(size_t) 7);

    e->set = set;
    e->req = req;
    e->entities = entities;
    e->scratch = arena;
    e->fault = NULL;

    if (cedar_request_spoilt(req) || ((uintptr_t) scratch & 7) != 0) {
        return EMAGE_NOMEM;
    }

    if (!set->finished || req->set != set || req->principal.kind == 0
        || req->action.kind == 0 || req->resource.kind == 0)
    {
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


emage_rc_t
cedar_decide(const cedar_set_t *set, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t scratch_size,
    cedar_result_t *result)
{
    char             *start;
    uint32_t          i, k, n, hits[3], *list, *out;
    emage_rc_t        rc;
    cedar_eval_t      e;
    cedar_arena_t     arena;
    const uint32_t   *cand;
    cedar_effect_t    effect;
    cedar_outcome_t   outcome;

    memset(result, 0, sizeof(cedar_result_t));

    rc = cedar_decide_start(&e, &arena, set, req, entities, scratch,
                            scratch_size);
    if (rc != EMAGE_OK) {
        return rc;
    }

    cand = cedar_candidates(&e, &n);

    /* one entry for each that is not a miss: index * 4 + what it was */

    list = cedar_array(&arena, n, sizeof(uint32_t));
    out = cedar_array(&arena, n, sizeof(uint32_t));

    if (list == NULL || out == NULL) {
        return EMAGE_NOMEM;
    }

    start = arena.pos;
    memset(hits, 0, sizeof(hits));

    for (i = 0, k = 0; i < n; i++) {
        arena.pos = start;
        outcome = cedar_policy_eval(&e, &set->policies[cand[i]]);

        if (arena.failed) {
            return EMAGE_NOMEM;
        }

        if (outcome == CEDAR_MISS) {
            continue;
        }

        effect = set->policies[cand[i]].effect;
        list[k] = cand[i] * 4 + (outcome == CEDAR_FAILED ? 2 : effect);
        hits[list[k++] & 3]++;
    }

    cedar_conclude(list, k, hits, out, result);

    return EMAGE_OK;
}


/* The satisfied forbids decide, or else the satisfied permits. */

static void
cedar_conclude(const uint32_t *list, uint32_t n, const uint32_t *hits,
    uint32_t *out, cedar_result_t *result)
{
    uint32_t        i;
    cedar_effect_t  effect;

    effect = (hits[CEDAR_FORBID] != 0) ? CEDAR_FORBID : CEDAR_PERMIT;

    result->reason = out;
    result->errors = out + hits[effect];

    for (i = 0; i < n; i++) {

        if ((list[i] & 3) == effect) {
            out[result->reason_n++] = list[i] / 4;

        } else if ((list[i] & 3) == 2) {
            out[hits[effect] + result->errors_n++] = list[i] / 4;
        }
    }

    if (hits[CEDAR_FORBID] == 0 && hits[CEDAR_PERMIT] != 0) {
        result->decision = CEDAR_ALLOW;
    }
}


const char *
cedar_explain(const cedar_set_t *set, size_t i, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t scratch_size)
{
    cedar_eval_t   e;
    cedar_arena_t  arena;

    if (i >= set->policies_n
        || cedar_decide_start(&e, &arena, set, req, entities, scratch,
                              scratch_size) != EMAGE_OK
        || cedar_policy_eval(&e, &set->policies[i]) != CEDAR_FAILED)
    {
        return "";
    }

    return e.fault;
}
