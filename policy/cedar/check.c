/*
 * Copyright (C) The e-mage authors
 *
 * The type checker for one environment: an action with one type of principal
 * and one of resource.  Depth is bounded by that of the tree.
 */


#include "cedar_check.h"


static cedar_answer_t cedar_check_and(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_or(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_if(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_not(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_lit(cedar_check_t *c,
    const cedar_node_t *n);
static cedar_answer_t cedar_check_eq(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_less(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_set(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_record(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static bool cedar_check_comparable(const cedar_type_t *t);
static const cedar_value_t *cedar_check_constant(cedar_check_t *c,
    const cedar_node_t *n);


static inline cedar_answer_t
cedar_answer(const cedar_type_t *type, const cedar_cap_t *caps)
{
    return (cedar_answer_t) { type, caps };
}


static inline cedar_answer_t
cedar_answer_kind(cedar_type_kind_t kind)
{
    return (cedar_answer_t) { cedar_type(kind), NULL };
}


cedar_answer_t
cedar_check(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    switch (n->kind) {

    case CEDAR_N_LIT:
        return cedar_check_lit(c, n);

    case CEDAR_N_PRINCIPAL:
        return cedar_answer(&c->principal, NULL);

    case CEDAR_N_ACTION:
        return cedar_answer(&c->action_type, NULL);

    case CEDAR_N_RESOURCE:
        return cedar_answer(&c->resource, NULL);

    case CEDAR_N_CONTEXT:
        return cedar_answer(c->action->context, NULL);

    case CEDAR_N_AND:
        return cedar_check_and(c, n, prior);

    case CEDAR_N_OR:
        return cedar_check_or(c, n, prior);

    case CEDAR_N_NOT:
        return cedar_check_not(c, n, prior);

    case CEDAR_N_NEG:
        (void) cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_LONG);
        return cedar_answer_kind(CEDAR_T_LONG);

    case CEDAR_N_ADD:
    case CEDAR_N_SUB:
    case CEDAR_N_MUL:
        (void) cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_LONG);
        (void) cedar_check_want(c, n->arg[1], prior, CEDAR_WANT_LONG);
        return cedar_answer_kind(CEDAR_T_LONG);

    case CEDAR_N_EQ:
        return cedar_check_eq(c, n, prior);

    case CEDAR_N_LT:
    case CEDAR_N_LE:
        return cedar_check_less(c, n, prior);

    case CEDAR_N_IN:
    case CEDAR_N_IS:
    case CEDAR_N_IS_IN:
        return cedar_check_in(c, n, prior);

    case CEDAR_N_HAS:
        return cedar_check_has(c, n, prior);

    case CEDAR_N_ATTR:
        return cedar_check_attr(c, n, prior);

    case CEDAR_N_LIKE:
        (void) cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_STRING);
        return cedar_answer_kind(CEDAR_T_BOOL);

    case CEDAR_N_IF:
        return cedar_check_if(c, n, prior);

    case CEDAR_N_SET:
        return cedar_check_set(c, n, prior);

    case CEDAR_N_RECORD:
        return cedar_check_record(c, n, prior);

    case CEDAR_N_CALL:
        return cedar_check_call(c, n, prior);

    default:
        cedar_check_error(c, n->pos, "no such expression");
        return cedar_answer(NULL, NULL);
    }
}


bool
cedar_want_ok(const cedar_type_t *t, cedar_want_t want)
{
    switch (want) {

    case CEDAR_WANT_BOOL:
        return cedar_type_is_bool(t);

    case CEDAR_WANT_LONG:
        return t->kind == CEDAR_T_LONG;

    case CEDAR_WANT_STRING:
        return t->kind == CEDAR_T_STRING;

    case CEDAR_WANT_ENTITY:
        return t->kind == CEDAR_T_ENTITY;

    case CEDAR_WANT_ENTITIES:
        return t->kind == CEDAR_T_ENTITY
               || (t->kind == CEDAR_T_SET
                   && t->elem->kind == CEDAR_T_ENTITY);

    case CEDAR_WANT_SET:
        return t->kind == CEDAR_T_SET;

    default:
        return t->kind == CEDAR_T_ENTITY || t->kind == CEDAR_T_RECORD;
    }
}


void
cedar_want_error(cedar_check_t *c, const cedar_node_t *n, cedar_want_t want,
    const cedar_type_t *t)
{
    cedar_type_text_t  text;

    static const char *names[] = {
        "Bool", "Long", "String", "an entity", "an entity or a set of "
        "entities", "a set", "an entity or a record"
    };

    cedar_check_error(c, n->pos, "expected %s, but this is %s", names[want],
                      cedar_type_text(c->set, t, &text));
}


cedar_answer_t
cedar_check_want(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior, cedar_want_t want)
{
    cedar_answer_t  a;

    a = cedar_check(c, n, prior);

    if (a.type != NULL && !cedar_want_ok(a.type, want)) {
        cedar_want_error(c, n, want, a.type);
        a.type = NULL;
    }

    return a;
}


static cedar_answer_t
cedar_check_lit(cedar_check_t *c, const cedar_node_t *n)
{
    cedar_type_t  *t;

    switch (n->value.kind) {

    case CEDAR_BOOL:
        return cedar_answer_kind(n->value.u.b ? CEDAR_T_TRUE
                                              : CEDAR_T_FALSE);

    case CEDAR_LONG:
        return cedar_answer_kind(CEDAR_T_LONG);

    case CEDAR_STRING:
        return cedar_answer_kind(CEDAR_T_STRING);

    default:

        /* names the schema does not know are reported elsewhere */

        if (cedar_is_action_type(c->set, n->value.sym)
            ? cedar_schema_action(c->set, &n->value) == NULL
            : cedar_schema_entity(c->set, n->value.sym) == NULL)
        {
            return cedar_answer(NULL, NULL);
        }

        t = cedar_zalloc(&c->arena, sizeof(cedar_type_t));

        if (t != NULL) {
            t->kind = CEDAR_T_ENTITY;
            t->sym = n->value.sym;
        }

        return cedar_answer(t, NULL);
    }
}


static cedar_answer_t
cedar_check_and(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    cedar_answer_t  l, r;

    l = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_BOOL);

    if (l.type != NULL && l.type->kind == CEDAR_T_FALSE) {
        return cedar_answer_kind(CEDAR_T_FALSE);
    }

    r = cedar_check_want(c, n->arg[1], cedar_cap_union(c, prior, l.caps),
                         CEDAR_WANT_BOOL);

    if (l.type == NULL || r.type == NULL) {
        return cedar_answer_kind(CEDAR_T_BOOL);
    }

    if (r.type->kind == CEDAR_T_FALSE) {
        return cedar_answer_kind(CEDAR_T_FALSE);
    }

    r.caps = cedar_cap_union(c, l.caps, r.caps);

    if (r.type->kind == CEDAR_T_TRUE) {
        return cedar_answer(l.type, r.caps);
    }

    return cedar_answer(l.type->kind == CEDAR_T_TRUE
                        ? r.type : cedar_type(CEDAR_T_BOOL), r.caps);
}


static cedar_answer_t
cedar_check_or(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    cedar_answer_t  l, r;

    l = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_BOOL);

    if (l.type != NULL && l.type->kind == CEDAR_T_TRUE) {
        return l;
    }

    r = cedar_check_want(c, n->arg[1], prior, CEDAR_WANT_BOOL);

    if (l.type == NULL || r.type == NULL) {
        return cedar_answer_kind(CEDAR_T_BOOL);
    }

    if (r.type->kind == CEDAR_T_TRUE || l.type->kind == CEDAR_T_FALSE) {
        return r;
    }

    if (r.type->kind == CEDAR_T_FALSE) {
        return l;
    }

    return cedar_answer(cedar_type(CEDAR_T_BOOL),
                        cedar_cap_intersect(c, l.caps, r.caps));
}


static cedar_answer_t
cedar_check_not(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    cedar_answer_t  a;

    a = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_BOOL);

    if (a.type == NULL || a.type->kind == CEDAR_T_BOOL) {
        return cedar_answer_kind(CEDAR_T_BOOL);
    }

    return cedar_answer_kind((a.type->kind == CEDAR_T_TRUE)
                             ? CEDAR_T_FALSE : CEDAR_T_TRUE);
}


static cedar_answer_t
cedar_check_if(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    cedar_answer_t       test, a, b;
    cedar_type_text_t    ta, tb;
    const cedar_type_t  *lub;

    test = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_BOOL);

    if (test.type != NULL && test.type->kind == CEDAR_T_FALSE) {
        return cedar_check(c, n->arg[2], prior);
    }

    a = cedar_check(c, n->arg[1], cedar_cap_union(c, prior, test.caps));
    a.caps = cedar_cap_union(c, a.caps, test.caps);

    if (test.type != NULL && test.type->kind == CEDAR_T_TRUE) {
        return a;
    }

    b = cedar_check(c, n->arg[2], prior);

    if (a.type == NULL || b.type == NULL) {
        return cedar_answer(NULL, NULL);
    }

    lub = cedar_type_lub(&c->arena, a.type, b.type);

    if (lub == NULL) {
        cedar_check_error(c, n->pos, "\"then\" is %s, but \"else\" is %s; "
                          "both must have one type",
                          cedar_type_text(c->set, a.type, &ta),
                          cedar_type_text(c->set, b.type, &tb));
    }

    return cedar_answer(lub, cedar_cap_intersect(c, a.caps, b.caps));
}


/* A literal, or the action, whose uid is known in an environment. */

static const cedar_value_t *
cedar_check_constant(cedar_check_t *c, const cedar_node_t *n)
{
    if (n->kind == CEDAR_N_ACTION) {
        return &c->action->uid;
    }

    return (n->kind == CEDAR_N_LIT) ? &n->value : NULL;
}


static cedar_answer_t
cedar_check_eq(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    cedar_answer_t        a, b;
    cedar_type_text_t     ta, tb;
    const cedar_value_t  *va, *vb;

    a = cedar_check(c, n->arg[0], prior);
    b = cedar_check(c, n->arg[1], prior);

    if (a.type == NULL || b.type == NULL) {
        return cedar_answer_kind(CEDAR_T_BOOL);
    }

    if (a.type->kind == CEDAR_T_ENTITY && b.type->kind == CEDAR_T_ENTITY
        && a.type->sym != b.type->sym)
    {
        return cedar_answer_kind(CEDAR_T_FALSE);
    }

    va = cedar_check_constant(c, n->arg[0]);
    vb = cedar_check_constant(c, n->arg[1]);

    if (va != NULL && vb != NULL) {
        return cedar_answer_kind((cedar_value_cmp(va, vb) == 0)
                                 ? CEDAR_T_TRUE : CEDAR_T_FALSE);
    }

    if (cedar_type_lub(&c->arena, a.type, b.type) == NULL) {
        cedar_check_error(c, n->pos, "%s is compared with %s; they are never "
                          "equal", cedar_type_text(c->set, a.type, &ta),
                          cedar_type_text(c->set, b.type, &tb));
    }

    return cedar_answer_kind(CEDAR_T_BOOL);
}


static bool
cedar_check_comparable(const cedar_type_t *t)
{
    return t->kind == CEDAR_T_LONG || t->kind == CEDAR_T_DATETIME
           || t->kind == CEDAR_T_DURATION;
}


static cedar_answer_t
cedar_check_less(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    cedar_answer_t     a, b;
    cedar_type_text_t  ta, tb;

    a = cedar_check(c, n->arg[0], prior);
    b = cedar_check(c, n->arg[1], prior);

    if (a.type != NULL && b.type != NULL
        && (a.type->kind != b.type->kind || !cedar_check_comparable(a.type)))
    {
        cedar_check_error(c, n->pos, "%s cannot be compared with %s; two of "
                          "Long, datetime or duration can",
                          cedar_type_text(c->set, a.type, &ta),
                          cedar_type_text(c->set, b.type, &tb));
    }

    return cedar_answer_kind(CEDAR_T_BOOL);
}


static cedar_answer_t
cedar_check_set(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    bool                 known;
    uint32_t             i;
    cedar_type_t        *t;
    cedar_answer_t       a;
    cedar_type_text_t    ta, tb;
    const cedar_type_t  *lub, *elem;

    if (n->n == 0) {
        cedar_check_error(c, n->pos, "the type of an empty set is not known; "
                          "use isEmpty()");
        return cedar_answer(NULL, NULL);
    }

    elem = NULL;
    known = true;

    for (i = 0; i < n->n; i++) {
        a = cedar_check(c, n->arg[i], prior);

        if (a.type == NULL || !known) {
            known = false;
            continue;
        }

        lub = (elem == NULL) ? a.type
                             : cedar_type_lub(&c->arena, elem, a.type);

        if (lub == NULL) {
            cedar_check_error(c, n->arg[i]->pos, "%s and %s in one set; all "
                              "elements must have one type",
                              cedar_type_text(c->set, elem, &ta),
                              cedar_type_text(c->set, a.type, &tb));
            known = false;
        }

        elem = lub;
    }

    if (!known) {
        return cedar_answer(NULL, NULL);
    }

    t = cedar_zalloc(&c->arena, sizeof(cedar_type_t));

    if (t != NULL) {
        t->kind = CEDAR_T_SET;
        t->elem = (cedar_type_t *) elem;
    }

    return cedar_answer(t, NULL);
}


static cedar_answer_t
cedar_check_record(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    bool             known;
    uint32_t         i;
    cedar_type_t    *t;
    cedar_answer_t   a;

    t = cedar_zalloc(&c->arena, sizeof(cedar_type_t));
    if (t == NULL) {
        return cedar_answer(NULL, NULL);
    }

    t->kind = CEDAR_T_RECORD;
    t->n = n->n;
    t->attrs = cedar_array(&c->arena, n->n, sizeof(cedar_attr_t));

    if (t->attrs == NULL) {
        return cedar_answer(NULL, NULL);
    }

    for (i = 0, known = true; i < n->n; i++) {
        a = cedar_check(c, n->arg[i], prior);

        t->attrs[i].name = n->names[i];
        t->attrs[i].required = true;
        t->attrs[i].type = (cedar_type_t *) a.type;
        known = known && a.type != NULL;
    }

    return cedar_answer(known ? t : NULL, NULL);
}
