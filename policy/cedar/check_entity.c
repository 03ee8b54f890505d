/*
 * Copyright (C) The e-mage authors
 *
 * The type checker for what concerns entities and records: is, in, has,
 * attributes, tags; and for calls.
 */


#include "cedar_check.h"


static cedar_answer_t cedar_check_member(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior,
    const cedar_type_t *lhs);
static bool cedar_check_action_in(cedar_check_t *c,
    const cedar_value_t *action, const cedar_node_t *rhs,
    cedar_answer_t *answer);
static const cedar_value_t *cedar_check_uid(cedar_check_t *c,
    const cedar_node_t *n);
static const cedar_attr_t *cedar_check_find(cedar_check_t *c,
    const cedar_type_t *t, cedar_symbol_t name);
static cedar_answer_t cedar_check_set_call(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_tag(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_answer_t cedar_check_extension(cedar_check_t *c,
    const cedar_node_t *n, const cedar_cap_t *prior);
static cedar_type_kind_t cedar_kind_type(uint8_t kind);


static inline cedar_answer_t
cedar_answer_kind(cedar_type_kind_t kind)
{
    return (cedar_answer_t) { cedar_type(kind), NULL };
}


cedar_answer_t
cedar_check_in(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    cedar_answer_t  a;

    a = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_ENTITY);

    if (n->kind == CEDAR_N_IN) {
        return cedar_check_member(c, n, prior, a.type);
    }

    if (a.type == NULL) {
        return cedar_answer_kind(CEDAR_T_BOOL);
    }

    /* `is` decides; as with "&&", what is behind a False is not looked at */

    if (a.type->sym != n->sym || n->kind == CEDAR_N_IS) {
        return cedar_answer_kind((a.type->sym == n->sym) ? CEDAR_T_TRUE
                                                         : CEDAR_T_FALSE);
    }

    return cedar_check_member(c, n, prior, a.type);
}


static cedar_answer_t
cedar_check_member(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior, const cedar_type_t *lhs)
{
    cedar_answer_t        b, answer;
    const cedar_type_t   *rhs;
    const cedar_value_t  *uid;

    b = cedar_check_want(c, n->arg[1], prior, CEDAR_WANT_ENTITIES);

    if (lhs == NULL || b.type == NULL) {
        return cedar_answer_kind(CEDAR_T_BOOL);
    }

    uid = cedar_check_uid(c, n->arg[0]);

    if (uid != NULL && cedar_is_action_type(c->set, uid->sym)
        && cedar_check_action_in(c, uid, n->arg[1], &answer))
    {
        return answer;
    }

    rhs = (b.type->kind == CEDAR_T_SET) ? b.type->elem : b.type;

    return cedar_answer_kind(cedar_schema_may_be_in(c->set, lhs->sym,
                                                    rhs->sym)
                             ? CEDAR_T_BOOL : CEDAR_T_FALSE);
}


/* An entity that is known: a literal, or the action of the environment. */

static const cedar_value_t *
cedar_check_uid(cedar_check_t *c, const cedar_node_t *n)
{
    if (n->kind == CEDAR_N_ACTION) {
        return &c->action->uid;
    }

    return (n->kind == CEDAR_N_LIT && n->value.kind == CEDAR_ENTITY)
           ? &n->value : NULL;
}


/* False if `rhs` is not made of known entities alone. */

static bool
cedar_check_action_in(cedar_check_t *c, const cedar_value_t *action,
    const cedar_node_t *rhs, cedar_answer_t *answer)
{
    bool                   in;
    uint32_t               i, n;
    const cedar_action_t  *a;
    const cedar_value_t   *uid;

    n = (rhs->kind == CEDAR_N_SET) ? rhs->n : 1;
    a = cedar_schema_action(c->set, action);
    in = false;

    for (i = 0; i < n; i++) {
        uid = cedar_check_uid(c, rhs->kind == CEDAR_N_SET ? rhs->arg[i]
                                                          : rhs);
        if (uid == NULL) {
            return false;
        }

        if (a == NULL || !cedar_is_action_type(c->set, uid->sym)) {
            continue;
        }

        in = in || cedar_uid_eq(uid, action)
             || cedar_set_contains(&(cedar_value_t) {
                                       .len = a->ancestors_n,
                                       .u.set = a->ancestors }, uid);
    }

    *answer = cedar_answer_kind(in ? CEDAR_T_TRUE : CEDAR_T_FALSE);

    return true;
}


static const cedar_attr_t *
cedar_check_find(cedar_check_t *c, const cedar_type_t *t,
    cedar_symbol_t name)
{
    const cedar_entity_type_t  *e;

    if (t->kind == CEDAR_T_RECORD) {
        return cedar_type_attr(t, name);
    }

    e = cedar_schema_entity(c->set, t->sym);

    return (e == NULL || e->attrs == NULL) ? NULL
                                           : cedar_type_attr(e->attrs, name);
}


/* `e has a.b` is `e has a && e.a has b`. */

cedar_answer_t
cedar_check_has(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    uint32_t             i;
    cedar_answer_t       a, r;
    cedar_type_kind_t    step;
    const cedar_cap_t   *known;
    const cedar_attr_t  *attr;

    a = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_ATTRS);
    r = cedar_answer_kind(CEDAR_T_TRUE);
    known = prior;

    if (a.type == NULL) {
        return cedar_answer_kind(CEDAR_T_BOOL);
    }

    for (i = 0; i < n->n; i++) {

        if (!cedar_want_ok(a.type, CEDAR_WANT_ATTRS)) {
            cedar_want_error(c, n->arg[i], CEDAR_WANT_ATTRS, a.type);
            return cedar_answer_kind(CEDAR_T_BOOL);
        }

        attr = cedar_check_find(c, a.type, n->names[i]);

        if (attr == NULL) {
            return cedar_answer_kind(CEDAR_T_FALSE);
        }

        /* an entity may be missing, whatever its type requires */

        step = (cedar_cap_has(known, n->arg[i], n->names[i], NULL)
                || (attr->required && a.type->kind == CEDAR_T_RECORD))
               ? CEDAR_T_TRUE : CEDAR_T_BOOL;

        if (step == CEDAR_T_BOOL) {
            r.type = cedar_type(CEDAR_T_BOOL);
        }

        r.caps = cedar_cap_add(c, r.caps, n->arg[i], n->names[i], NULL);
        known = cedar_cap_add(c, known, n->arg[i], n->names[i], NULL);
        a.type = attr->type;
    }

    return r;
}


cedar_answer_t
cedar_check_attr(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    emage_str_t          name;
    cedar_answer_t       a;
    cedar_type_text_t    text;
    const cedar_attr_t  *attr;

    a = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_ATTRS);

    if (a.type == NULL) {
        return (cedar_answer_t) { NULL, NULL };
    }

    name = cedar_symbol_name(&c->set->symbols, n->sym);
    attr = cedar_check_find(c, a.type, n->sym);

    if (attr == NULL) {
        cedar_check_error(c, n->pos, "%s has no attribute \"%.*s\"; declare "
                          "it in the schema or correct the name",
                          cedar_type_text(c->set, a.type, &text),
                          (int) name.len, name.data);
        return (cedar_answer_t) { NULL, NULL };
    }

    if (!attr->required && !cedar_cap_has(prior, n->arg[0], n->sym, NULL)) {
        cedar_check_error(c, n->pos, "attribute \"%.*s\" of %s is optional; "
                          "ask for it first with \"has %.*s\"",
                          (int) name.len, name.data,
                          cedar_type_text(c->set, a.type, &text),
                          (int) name.len, name.data);
    }

    return (cedar_answer_t) { attr->type, NULL };
}


cedar_answer_t
cedar_check_call(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    if (cedar_fn_info(n->fn)->result != 0) {
        return cedar_check_extension(c, n, prior);
    }

    if (n->fn == CEDAR_FN_HAS_TAG || n->fn == CEDAR_FN_GET_TAG) {
        return cedar_check_tag(c, n, prior);
    }

    return cedar_check_set_call(c, n, prior);
}


static cedar_answer_t
cedar_check_set_call(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    cedar_answer_t       a, b;
    cedar_type_text_t    ta, tb;
    const cedar_type_t  *t;

    a = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_SET);

    if (n->fn == CEDAR_FN_IS_EMPTY) {
        return cedar_answer_kind(CEDAR_T_BOOL);
    }

    b = (n->fn == CEDAR_FN_CONTAINS)
        ? cedar_check(c, n->arg[1], prior)
        : cedar_check_want(c, n->arg[1], prior, CEDAR_WANT_SET);

    if (a.type != NULL && b.type != NULL) {
        t = (n->fn == CEDAR_FN_CONTAINS) ? a.type->elem : a.type;

        if (cedar_type_lub(&c->arena, t, b.type) == NULL) {
            cedar_check_error(c, n->pos, "a %s never %s %s",
                              cedar_type_text(c->set, a.type, &ta),
                              n->fn == CEDAR_FN_CONTAINS
                              ? "contains" : "has elements of",
                              cedar_type_text(c->set, b.type, &tb));
        }
    }

    return cedar_answer_kind(CEDAR_T_BOOL);
}


static cedar_answer_t
cedar_check_tag(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    bool                        known;
    cedar_answer_t              a, b;
    cedar_type_text_t           text;
    const cedar_entity_type_t  *e;

    a = cedar_check_want(c, n->arg[0], prior, CEDAR_WANT_ENTITY);
    b = cedar_check_want(c, n->arg[1], prior, CEDAR_WANT_STRING);

    if (a.type == NULL || b.type == NULL) {
        return (cedar_answer_t) { NULL, NULL };
    }

    e = cedar_schema_entity(c->set, a.type->sym);
    known = cedar_cap_has(prior, n->arg[0], CEDAR_NO_SYMBOL, n->arg[1]);

    if (n->fn == CEDAR_FN_HAS_TAG) {
        return (cedar_answer_t) {
            cedar_type((e == NULL || e->tags == NULL) ? CEDAR_T_FALSE
                       : known ? CEDAR_T_TRUE : CEDAR_T_BOOL),
            cedar_cap_add(c, NULL, n->arg[0], CEDAR_NO_SYMBOL, n->arg[1])
        };
    }

    if (!known) {
        cedar_check_error(c, n->pos, "the tag may be missing; ask for it "
                          "first with the same words and hasTag()");
        return (cedar_answer_t) { NULL, NULL };
    }

    if (e == NULL || e->tags == NULL) {
        cedar_check_error(c, n->pos, "%s has no tags; declare them in the "
                          "schema", cedar_type_text(c->set, a.type, &text));
        return (cedar_answer_t) { NULL, NULL };
    }

    return (cedar_answer_t) { e->tags, NULL };
}


static cedar_type_kind_t
cedar_kind_type(uint8_t kind)
{
    switch (kind) {

    case CEDAR_BOOL:
        return CEDAR_T_BOOL;

    case CEDAR_LONG:
        return CEDAR_T_LONG;

    case CEDAR_STRING:
        return CEDAR_T_STRING;

    case CEDAR_DECIMAL:
        return CEDAR_T_DECIMAL;

    case CEDAR_DATETIME:
        return CEDAR_T_DATETIME;

    case CEDAR_DURATION:
        return CEDAR_T_DURATION;

    default:
        return CEDAR_T_IP;
    }
}


static cedar_answer_t
cedar_check_extension(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior)
{
    uint32_t                i;
    cedar_answer_t          a;
    cedar_type_kind_t       want;
    cedar_type_text_t       text;
    const cedar_fn_info_t  *info;

    info = cedar_fn_info(n->fn);

    if (n->n != info->args) {
        cedar_check_error(c, n->pos, "\"%s\" takes %d argument%s, not %u",
                          info->name.data, info->args - info->method,
                          info->args - info->method == 1 ? "" : "s",
                          n->n - info->method);
    }

    if (n->fault != NULL) {
        cedar_check_error(c, n->pos, "%s", n->fault);
    }

    for (i = 0; i < n->n; i++) {
        a = cedar_check(c, n->arg[i], prior);

        if (!info->method && n->arg[i]->kind != CEDAR_N_LIT) {
            cedar_check_error(c, n->pos, "\"%s\" needs a constant string "
                              "here", info->name.data);
        }

        if (a.type == NULL || i >= info->args) {
            continue;
        }

        want = cedar_kind_type(info->arg[i]);

        if (a.type->kind != want) {
            cedar_check_error(c, n->arg[i]->pos, "expected %s, but this is "
                              "%s", cedar_type_text(c->set, cedar_type(want),
                                                    &(cedar_type_text_t) {
                                                        "" }),
                              cedar_type_text(c->set, a.type, &text));
        }
    }

    return cedar_answer_kind(cedar_kind_type(info->result));
}
