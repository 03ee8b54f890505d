/*
 * Copyright (C) The e-mage authors
 *
 * The authorizer: forbid overrides permit, default deny.
 */


#include "cedar_check.h"
#include "cedar_code.h"


/* What came of policies: index * 4 + effect, or + 2 if it failed. */

#define CEDAR_HIT_FAILED  2

/* Hits are written from the end of the scratch downwards. */

typedef struct {
    cedar_eval_t         e;
    cedar_arena_t        arena;
    char                *start;          /* of what an evaluation may use */
    uint32_t            *hits;
    uint32_t             n;
    const cedar_keyed_t *keyed;
    bool                 resource;       /* is it that of resources? */
} cedar_asking_t;


static bool cedar_scope_hits(cedar_eval_t *e, const cedar_scope_t *s,
    const cedar_value_t *uid);
static bool cedar_scopes_hit(cedar_eval_t *e, const cedar_policy_t *p);
static cedar_outcome_t cedar_policy_eval(cedar_eval_t *e,
    const cedar_policy_t *p);
static void cedar_ask(cedar_asking_t *d, uint32_t policy, uint32_t pc);
static void cedar_ask_open(cedar_asking_t *d);
static void cedar_ask_policy(cedar_asking_t *d, uint32_t policy);
static void cedar_ask_keyed(cedar_asking_t *d, bool resource);
static void cedar_ask_above(cedar_asking_t *d, const cedar_value_t *uid);
static void cedar_ask_uid(cedar_asking_t *d, const cedar_value_t *uid);
static void cedar_hits_sort(uint32_t *hits, uint32_t n);
static emage_rc_t cedar_conclude(cedar_asking_t *d, cedar_result_t *result);
static emage_rc_t cedar_decide_start(cedar_asking_t *d,
    const cedar_set_t *set, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t size);


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


/* A scope cannot fail, so the order of its tests is free: cheap ones first. */

static bool
cedar_scopes_hit(cedar_eval_t *e, const cedar_policy_t *p)
{
    return (p->principal.type == CEDAR_NO_SYMBOL
            || p->principal.type == e->req->principal.sym)
           && (p->resource.type == CEDAR_NO_SYMBOL
               || p->resource.type == e->req->resource.sym)
           && cedar_scope_hits(e, &p->principal, &e->req->principal)
           && cedar_scope_hits(e, &p->action, &e->req->action)
           && cedar_scope_hits(e, &p->resource, &e->req->resource);
}


/* By the trees: for what went wrong.  Decisions run the code. */

static cedar_outcome_t
cedar_policy_eval(cedar_eval_t *e, const cedar_policy_t *p)
{
    uint32_t       i;
    cedar_value_t  v;

    if (!cedar_scopes_hit(e, p)) {
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


/* `policy`: index * 4 + effect. */

static void
cedar_ask(cedar_asking_t *d, uint32_t policy, uint32_t pc)
{
    cedar_outcome_t  outcome;

    d->arena.pos = d->start;
    outcome = cedar_run(&d->e, pc);

    if (outcome == CEDAR_MISS) {
        return;
    }

    if (d->arena.end - d->arena.pos < (ptrdiff_t) sizeof(uint32_t)) {
        d->arena.failed = true;
        return;
    }

    d->arena.end -= sizeof(uint32_t);
    d->hits = (uint32_t *) d->arena.end;
    d->hits[0] = (outcome == CEDAR_HIT) ? policy
                                        : ((policy & ~3u) | CEDAR_HIT_FAILED);
    d->n++;
}


static void
cedar_ask_policy(cedar_asking_t *d, uint32_t policy)
{
    const cedar_policy_t  *p;

    p = &d->e.set->policies[policy / 4];

    if (cedar_scopes_hit(&d->e, p)) {
        cedar_ask(d, policy, p->pc);
    }
}


/*
 * The index knows the schema's hierarchy of actions; entities that came with
 * the request may say otherwise, and then all scopes are looked at.
 */

static void
cedar_ask_open(cedar_asking_t *d)
{
    uint32_t               i;
    const cedar_set_t     *set;
    const cedar_env_t     *env;
    const cedar_action_t  *a;

    set = d->e.set;
    a = cedar_schema_action(set, &d->e.req->action);

    env = (a == NULL) ? NULL : cedar_env_find(a, d->e.req->principal.sym,
                                              d->e.req->resource.sym);

    d->e.guess = (env == NULL) ? NULL : env->guess;

    if (env != NULL && cedar_eval_action(&d->e, &d->e.req->action) == NULL) {

        for (i = 0; i < env->n; i++) {
            cedar_ask(d, env->entries[i].policy, env->entries[i].pc);
        }

        return;
    }

    for (i = 0; i < set->open_n; i++) {
        cedar_ask_policy(d, set->open[i].policy);
    }
}


/*
 * Policies that name the principal, or what it is in; so for resources.
 * Looking at all that name anything is quicker when they are few.
 */

static void
cedar_ask_keyed(cedar_asking_t *d, bool resource)
{
    uint32_t              i;
    const cedar_ent_t    *ent;
    const cedar_value_t  *uid;

    d->keyed = d->e.set->keyed[resource];
    d->resource = resource;

    if (d->keyed->n == 0) {
        return;
    }

    uid = resource ? &d->e.req->resource : &d->e.req->principal;
    ent = cedar_eval_entity(&d->e, uid);

    if (d->keyed->n <= 4
        || (ent != NULL && !ent->local
            && ent->ancestors_n > d->keyed->n * 2))
    {
        for (i = 0; i < d->keyed->n; i++) {
            cedar_ask_policy(d, d->keyed->list[i]);
        }

        return;
    }

    cedar_ask_uid(d, uid);
    cedar_ask_above(d, uid);
}


static void
cedar_ask_uid(cedar_asking_t *d, const cedar_value_t *uid)
{
    uint32_t               i;
    const cedar_bucket_t  *b;

    b = cedar_keyed_find(d->keyed, uid);

    for (i = 0; b != NULL && i < b->n; i++) {
        cedar_ask_policy(d, d->keyed->list[b->first + i]);
    }
}


/* As cedar_eval_in walks: to each entity that `uid` is in. */

static void
cedar_ask_above(cedar_asking_t *d, const cedar_value_t *uid)
{
    uint32_t               i, top, mark;
    cedar_ent_t           *stack[CEDAR_MAX_REQUEST_ENTITIES], *ent;
    uint32_t               left[CEDAR_MAX_REQUEST_ENTITIES];
    const cedar_action_t  *action;

    mark = ++d->e.req->mark;
    top = 0;

    for ( ;; ) {
        ent = (cedar_ent_t *) cedar_eval_entity(&d->e, uid);

        if (ent == NULL) {
            action = cedar_schema_action(d->e.set, uid);

            for (i = 0; action != NULL && i < action->ancestors_n; i++) {
                cedar_ask_uid(d, &action->ancestors[i]);
            }

        } else if (!ent->local) {
            for (i = 0; i < ent->ancestors_n; i++) {
                cedar_ask_uid(d, &ent->ancestors[i]);
            }

        } else if (ent->seen != mark) {
            ent->seen = mark;
            left[top] = ent->parents_n;
            stack[top++] = ent;
        }

        while (top > 0 && left[top - 1] == 0) {
            top--;
        }

        if (top == 0) {
            return;
        }

        uid = &stack[top - 1]->parents[--left[top - 1]];
        cedar_ask_uid(d, uid);
    }
}


static emage_rc_t
cedar_decide_start(cedar_asking_t *d, const cedar_set_t *set,
    cedar_request_t *req, const cedar_entities_t *entities, void *scratch,
    size_t size)
{
    cedar_arena_fixed(&d->arena, scratch, size & ~(size_t) 7);

    d->e.set = set;
    d->e.req = req;
    d->e.entities = entities;
    d->e.scratch = &d->arena;
    d->e.fault = NULL;
    d->e.slots = NULL;
    d->e.guess = NULL;
    memset(d->e.roots, 0, sizeof(d->e.roots));
    d->n = 0;

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
    emage_rc_t      rc;
    cedar_asking_t  d;

    memset(result, 0, sizeof(cedar_result_t));

    rc = cedar_decide_start(&d, set, req, entities, scratch, scratch_size);
    if (rc != EMAGE_OK) {
        return rc;
    }

    d.e.slots = cedar_zalloc(&d.arena, set->slots_n
                                       * sizeof(cedar_value_t *));
    if (d.e.slots == NULL) {
        return EMAGE_NOMEM;
    }

    d.start = d.arena.pos;

    cedar_ask_open(&d);
    cedar_ask_keyed(&d, false);
    cedar_ask_keyed(&d, true);

    return d.arena.failed ? EMAGE_NOMEM : cedar_conclude(&d, result);
}


/* Shell's sort: hits are few, and mostly in order already. */

static void
cedar_hits_sort(uint32_t *hits, uint32_t n)
{
    uint32_t  i, k, gap, hit;

    for (gap = 1; gap < n / 3; gap = gap * 3 + 1) { /* void */ }

    for ( /* void */ ; gap > 0; gap /= 3) {
        for (i = gap; i < n; i++) {
            hit = hits[i];

            for (k = i; k >= gap && hits[k - gap] > hit; k -= gap) {
                hits[k] = hits[k - gap];
            }

            hits[k] = hit;
        }
    }
}


/*
 * The satisfied forbids decide, or else the satisfied permits.  A policy that
 * was met on two ways counts once.
 */

static emage_rc_t
cedar_conclude(cedar_asking_t *d, cedar_result_t *result)
{
    uint32_t  i, n[3], what, *out;

    if (d->n == 0) {
        result->reason = (uint32_t *) d->start;
        result->errors = result->reason;
        return EMAGE_OK;
    }

    cedar_hits_sort(d->hits, d->n);

    memset(n, 0, sizeof(n));

    for (i = 0; i < d->n; i++) {
        if (i == 0 || d->hits[i] != d->hits[i - 1]) {
            n[d->hits[i] & 3]++;
        }
    }

    what = (n[CEDAR_FORBID] != 0) ? CEDAR_FORBID : CEDAR_PERMIT;

    d->arena.pos = d->start;
    out = cedar_array(&d->arena, n[what] + n[CEDAR_HIT_FAILED],
                      sizeof(uint32_t));
    if (out == NULL) {
        return EMAGE_NOMEM;
    }

    result->reason = out;
    result->errors = out + n[what];

    for (i = 0; i < d->n; i++) {

        if (i > 0 && d->hits[i] == d->hits[i - 1]) {
            continue;
        }

        if ((d->hits[i] & 3) == what) {
            out[result->reason_n++] = d->hits[i] / 4;

        } else if ((d->hits[i] & 3) == CEDAR_HIT_FAILED) {
            out[n[what] + result->errors_n++] = d->hits[i] / 4;
        }
    }

    if (n[CEDAR_FORBID] == 0 && n[CEDAR_PERMIT] != 0) {
        result->decision = CEDAR_ALLOW;
    }

    return EMAGE_OK;
}


const char *
cedar_explain(const cedar_set_t *set, size_t i, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t scratch_size)
{
    cedar_asking_t  d;

    if (i >= set->policies_n
        || cedar_decide_start(&d, set, req, entities, scratch, scratch_size)
           != EMAGE_OK
        || cedar_policy_eval(&d.e, &set->policies[i]) != CEDAR_FAILED)
    {
        return "";
    }

    return d.e.fault;
}
