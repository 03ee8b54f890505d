/*
 * Copyright (C) The e-mage authors
 *
 * The evaluator.  Depth is bounded by that of the tree (CEDAR_MAX_TREE).
 */


#include "cedar_eval.h"


static bool cedar_eval_bool(cedar_eval_t *e, const cedar_node_t *n, bool *b);
static bool cedar_eval_long(cedar_eval_t *e, const cedar_node_t *n,
    int64_t *i);
static bool cedar_eval_uid(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);
static bool cedar_eval_less(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);
static bool cedar_eval_arith(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);
static bool cedar_eval_member(cedar_eval_t *e, const cedar_value_t *a,
    const cedar_node_t *rhs, cedar_value_t *v);
static bool cedar_eval_is(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);
static bool cedar_eval_has(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);
static bool cedar_eval_attr(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);
static bool cedar_eval_like(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);
static bool cedar_eval_set(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);
static bool cedar_eval_record(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);


bool
cedar_fault(cedar_eval_t *e, const char *fault)
{
    e->fault = fault;

    return false;
}


bool
cedar_fault_nomem(cedar_eval_t *e)
{
    e->scratch->failed = true;

    return cedar_fault(e, "out of scratch memory");
}


bool
cedar_eval(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    bool           b;
    int64_t        i;
    cedar_value_t  w;

    /* literals, and what was made of literals when the policy was read */

    if (n->value.kind != 0) {
        *v = n->value;
        return true;
    }

    switch (n->kind) {

    case CEDAR_N_PRINCIPAL:
        *v = e->req->principal;
        return true;

    case CEDAR_N_ACTION:
        *v = e->req->action;
        return true;

    case CEDAR_N_RESOURCE:
        *v = e->req->resource;
        return true;

    case CEDAR_N_CONTEXT:
        *v = e->req->context;
        return true;

    case CEDAR_N_AND:
    case CEDAR_N_OR:
        if (!cedar_eval_bool(e, n->arg[0], &b)) {
            return false;
        }

        if (b == (n->kind == CEDAR_N_AND)
            && !cedar_eval_bool(e, n->arg[1], &b))
        {
            return false;
        }

        *v = cedar_value_bool(b);
        return true;

    case CEDAR_N_NOT:
        if (!cedar_eval_bool(e, n->arg[0], &b)) {
            return false;
        }

        *v = cedar_value_bool(!b);
        return true;

    case CEDAR_N_NEG:
        if (!cedar_eval_long(e, n->arg[0], &i)) {
            return false;
        }

        if (__builtin_sub_overflow((int64_t) 0, i, &i)) {
            return cedar_fault(e, "integer overflow");
        }

        *v = cedar_value_int(CEDAR_LONG, i);
        return true;

    case CEDAR_N_EQ:
        if (!cedar_eval(e, n->arg[0], &w) || !cedar_eval(e, n->arg[1], v)) {
            return false;
        }

        *v = cedar_value_bool(cedar_value_eq(&w, v));
        return true;

    case CEDAR_N_LT:
    case CEDAR_N_LE:
        return cedar_eval_less(e, n, v);

    case CEDAR_N_ADD:
    case CEDAR_N_SUB:
    case CEDAR_N_MUL:
        return cedar_eval_arith(e, n, v);

    case CEDAR_N_IN:
        return cedar_eval_uid(e, n->arg[0], &w)
               && cedar_eval_member(e, &w, n->arg[1], v);

    case CEDAR_N_IS:
    case CEDAR_N_IS_IN:
        return cedar_eval_is(e, n, v);

    case CEDAR_N_HAS:
        return cedar_eval_has(e, n, v);

    case CEDAR_N_ATTR:
        return cedar_eval_attr(e, n, v);

    case CEDAR_N_LIKE:
        return cedar_eval_like(e, n, v);

    case CEDAR_N_IF:
        return cedar_eval_bool(e, n->arg[0], &b)
               && cedar_eval(e, n->arg[b ? 1 : 2], v);

    case CEDAR_N_SET:
        return cedar_eval_set(e, n, v);

    case CEDAR_N_RECORD:
        return cedar_eval_record(e, n, v);

    case CEDAR_N_CALL:
        return cedar_eval_call(e, n, v);

    default:
        return cedar_fault(e, "no such expression");
    }
}


static bool
cedar_eval_bool(cedar_eval_t *e, const cedar_node_t *n, bool *b)
{
    cedar_value_t  v;

    if (!cedar_eval(e, n, &v)) {
        return false;
    }

    if (v.kind != CEDAR_BOOL) {
        return cedar_fault(e, "type error: expected a boolean");
    }

    *b = v.u.b;

    return true;
}


static bool
cedar_eval_long(cedar_eval_t *e, const cedar_node_t *n, int64_t *i)
{
    cedar_value_t  v;

    if (!cedar_eval(e, n, &v)) {
        return false;
    }

    if (v.kind != CEDAR_LONG) {
        return cedar_fault(e, "type error: expected a long");
    }

    *i = v.u.i;

    return true;
}


static bool
cedar_eval_uid(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    if (!cedar_eval(e, n, v)) {
        return false;
    }

    if (v->kind != CEDAR_ENTITY) {
        return cedar_fault(e, "type error: expected an entity");
    }

    return true;
}


static bool
cedar_eval_less(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    cedar_value_t  a, b;

    if (!cedar_eval(e, n->arg[0], &a) || !cedar_eval(e, n->arg[1], &b)) {
        return false;
    }

    if (a.kind != b.kind || (a.kind != CEDAR_LONG && a.kind != CEDAR_DATETIME
                             && a.kind != CEDAR_DURATION))
    {
        return cedar_fault(e, "type error: only two longs, datetimes or "
                           "durations can be compared");
    }

    *v = cedar_value_bool((n->kind == CEDAR_N_LT) ? a.u.i < b.u.i
                                                  : a.u.i <= b.u.i);

    return true;
}


static bool
cedar_eval_arith(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    bool     over;
    int64_t  a, b, r;

    if (!cedar_eval_long(e, n->arg[0], &a)
        || !cedar_eval_long(e, n->arg[1], &b))
    {
        return false;
    }

    over = (n->kind == CEDAR_N_ADD) ? __builtin_add_overflow(a, b, &r)
           : (n->kind == CEDAR_N_SUB) ? __builtin_sub_overflow(a, b, &r)
           : __builtin_mul_overflow(a, b, &r);

    if (over) {
        return cedar_fault(e, "integer overflow");
    }

    *v = cedar_value_int(CEDAR_LONG, r);

    return true;
}


const cedar_ent_t *
cedar_eval_entity(cedar_eval_t *e, const cedar_value_t *uid)
{
    uint32_t  i;

    for (i = 0; i < e->req->ents_n; i++) {
        if (cedar_uid_eq(&e->req->ents[i]->uid, uid)) {
            return e->req->ents[i];
        }
    }

    return (e->entities == NULL) ? NULL
                                 : cedar_entities_find(e->entities, uid);
}


const cedar_ent_t *
cedar_eval_action(cedar_eval_t *e, const cedar_value_t *uid)
{
    uint32_t  i;

    for (i = 0; i < e->req->ents_n; i++) {
        if (cedar_uid_eq(&e->req->ents[i]->uid, uid)) {
            return e->req->ents[i];
        }
    }

    return (e->entities == NULL || !e->entities->actions)
           ? NULL : cedar_entities_find(e->entities, uid);
}


/*
 * Entities of a store and actions of the schema know all their ancestors;
 * those of the request know parents, so they are walked, each once.
 */

bool
cedar_eval_in(cedar_eval_t *e, const cedar_value_t *a,
    const cedar_value_t *b)
{
    uint32_t               i, top, mark;
    cedar_ent_t           *stack[CEDAR_MAX_REQUEST_ENTITIES + 1], *ent;
    const cedar_action_t  *action;
    const cedar_value_t   *uid;

    if (cedar_uid_eq(a, b)) {
        return true;
    }

    mark = ++e->req->mark;
    top = 0;
    uid = a;
    i = 0;

    for ( ;; ) {
        ent = (cedar_ent_t *) cedar_eval_entity(e, uid);

        if (ent == NULL) {
            action = cedar_schema_action(e->set, uid);

            if (action != NULL
                && cedar_set_contains(&(cedar_value_t) {
                                          .len = action->ancestors_n,
                                          .u.set = action->ancestors }, b))
            {
                return true;
            }

        } else if (!ent->local) {
            if (cedar_set_contains(&(cedar_value_t) {
                                       .len = ent->ancestors_n,
                                       .u.set = ent->ancestors }, b))
            {
                return true;
            }

        } else if (ent->mark != mark) {
            ent->mark = mark;
            stack[top++] = ent;

            for (i = 0; i < ent->parents_n; i++) {
                if (cedar_uid_eq(&ent->parents[i], b)) {
                    return true;
                }
            }

            /* the walk goes on with its parents: count them down */

            ent->ancestors_n = ent->parents_n;
        }

        while (top > 0 && stack[top - 1]->ancestors_n == 0) {
            top--;
        }

        if (top == 0) {
            return false;
        }

        uid = &stack[top - 1]->parents[--stack[top - 1]->ancestors_n];
    }
}


/* `a` in the entity or the set of entities that `rhs` gives. */

static bool
cedar_eval_member(cedar_eval_t *e, const cedar_value_t *a,
    const cedar_node_t *rhs, cedar_value_t *v)
{
    bool           in;
    uint32_t       i;
    cedar_value_t  b;

    if (!cedar_eval(e, rhs, &b)) {
        return false;
    }

    if (b.kind == CEDAR_ENTITY) {
        *v = cedar_value_bool(cedar_eval_in(e, a, &b));
        return true;
    }

    if (b.kind != CEDAR_SET) {
        return cedar_fault(e, "type error: expected an entity or a set of "
                           "entities behind \"in\"");
    }

    for (i = 0; i < b.len; i++) {
        if (b.u.set[i].kind != CEDAR_ENTITY) {
            return cedar_fault(e, "type error: expected a set of entities "
                               "behind \"in\"");
        }
    }

    for (i = 0, in = false; i < b.len && !in; i++) {
        in = cedar_eval_in(e, a, &b.u.set[i]);
    }

    *v = cedar_value_bool(in);

    return true;
}


static bool
cedar_eval_is(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    cedar_value_t  a;

    if (!cedar_eval_uid(e, n->arg[0], &a)) {
        return false;
    }

    if (n->kind == CEDAR_N_IS || a.sym != n->sym) {
        *v = cedar_value_bool(a.sym == n->sym);
        return true;
    }

    return cedar_eval_member(e, &a, n->arg[1], v);
}


static bool
cedar_eval_has(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    uint32_t              i;
    cedar_value_t         a;
    const cedar_ent_t    *ent;
    const cedar_value_t  *rec, *attr;

    if (!cedar_eval(e, n->arg[0], &a)) {
        return false;
    }

    for (i = 0; i < n->n; i++) {

        if (a.kind == CEDAR_ENTITY) {
            ent = cedar_eval_entity(e, &a);
            rec = (ent == NULL) ? NULL : &ent->attrs;

        } else if (a.kind == CEDAR_RECORD) {
            rec = &a;

        } else {
            return cedar_fault(e, "type error: only records and entities "
                               "have attributes");
        }

        attr = (rec == NULL) ? NULL : cedar_record_get(rec, n->names[i]);

        if (attr == NULL) {
            *v = cedar_value_bool(false);
            return true;
        }

        a = *attr;
    }

    *v = cedar_value_bool(true);

    return true;
}


static bool
cedar_eval_attr(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    cedar_value_t         a;
    const cedar_ent_t    *ent;
    const cedar_value_t  *attr;

    if (n->slot != 0 && e->slots != NULL) {
        attr = cedar_slot(e, n->slot);

        if (attr->kind == 0) {
            return cedar_fault(e, "attribute missing");
        }

        *v = *attr;
        return true;
    }

    if (!cedar_eval(e, n->arg[0], &a)) {
        return false;
    }

    if (a.kind == CEDAR_ENTITY) {
        ent = cedar_eval_entity(e, &a);

        if (ent == NULL) {
            return cedar_fault(e, "no such entity, so no attribute of it");
        }

        attr = cedar_record_get(&ent->attrs, n->sym);

    } else if (a.kind == CEDAR_RECORD) {
        attr = cedar_record_get(&a, n->sym);

    } else {
        return cedar_fault(e, "type error: only records and entities have "
                           "attributes");
    }

    if (attr == NULL) {
        return cedar_fault(e, "attribute missing");
    }

    *v = *attr;

    return true;
}


static bool
cedar_eval_like(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    cedar_value_t  a;

    if (!cedar_eval(e, n->arg[0], &a)) {
        return false;
    }

    if (a.kind != CEDAR_STRING) {
        return cedar_fault(e, "type error: expected a string before "
                           "\"like\"");
    }

    *v = cedar_value_bool(cedar_match(n->pattern,
                                      (emage_str_t) { a.u.s, a.len }));

    return true;
}


/* First and last piece are fixed; each between is taken where it comes. */

bool
cedar_match(const cedar_pattern_t *pat, emage_str_t s)
{
    uint32_t      i;
    const char   *p;
    emage_str_t   piece, last;

    piece = pat->piece[0];

    if (pat->n == 1) {
        return emage_str_eq(s, piece);
    }

    last = pat->piece[pat->n - 1];

    if (s.len < piece.len + last.len
        || (piece.len != 0 && memcmp(s.data, piece.data, piece.len) != 0)
        || (last.len != 0 && memcmp(s.data + s.len - last.len, last.data,
                                    last.len) != 0))
    {
        return false;
    }

    s.data += piece.len;
    s.len -= piece.len + last.len;

    for (i = 1; i < pat->n - 1; i++) {
        piece = pat->piece[i];

        if (piece.len == 0) {
            continue;
        }

        p = memmem(s.data, s.len, piece.data, piece.len);
        if (p == NULL) {
            return false;
        }

        s.len -= p + piece.len - s.data;
        s.data = p + piece.len;
    }

    return true;
}


static bool
cedar_eval_set(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    uint32_t        i;
    cedar_value_t  *elems;

    elems = cedar_array(e->scratch, n->n, sizeof(cedar_value_t));
    if (elems == NULL) {
        return cedar_fault_nomem(e);
    }

    for (i = 0; i < n->n; i++) {
        if (!cedar_eval(e, n->arg[i], &elems[i])) {
            return false;
        }
    }

    *v = cedar_value(CEDAR_SET);
    v->len = cedar_set_normalise(elems, n->n);
    v->u.set = elems;

    return true;
}


static bool
cedar_eval_record(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    uint32_t        i;
    cedar_field_t  *fields;

    fields = cedar_array(e->scratch, n->n, sizeof(cedar_field_t));
    if (fields == NULL) {
        return cedar_fault_nomem(e);
    }

    for (i = 0; i < n->n; i++) {
        fields[i].name = n->names[i];

        if (!cedar_eval(e, n->arg[i], &fields[i].value)) {
            return false;
        }
    }

    *v = cedar_value(CEDAR_RECORD);
    v->len = n->n;
    v->u.rec = fields;

    return true;
}
