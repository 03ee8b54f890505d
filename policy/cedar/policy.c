/*
 * Copyright (C) The e-mage authors
 *
 * The policy parser: annotations, effect, scope, conditions.
 */


#include "cedar_parse.h"

#include <stdio.h>


static bool cedar_policy_parse(cedar_parser_t *p, cedar_policy_t *pol);
static bool cedar_policy_head(cedar_parser_t *p, cedar_policy_t *pol);
static bool cedar_policy_conditions(cedar_parser_t *p, cedar_policy_t *pol);
static bool cedar_policy_id_set(cedar_parser_t *p, cedar_policy_t *pol);
static bool cedar_scope_variable(cedar_parser_t *p, const char *name);
static bool cedar_scope_parse(cedar_parser_t *p, const char *name,
    cedar_scope_t *s);
static bool cedar_scope_uid(cedar_parser_t *p, const char *slot,
    cedar_scope_t *s);
static bool cedar_scope_action(cedar_parser_t *p, cedar_scope_t *s);
static bool cedar_policy_keep(cedar_parser_t *p, const cedar_policy_t *pol);


emage_rc_t
cedar_parse_policies(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err)
{
    cedar_policy_t  pol;
    cedar_parser_t  p;

    cedar_parser_init(&p, set, source, err);

    while (p.tok.kind != CEDAR_TOK_END && !p.failed) {
        memset(&pol, 0, sizeof(cedar_policy_t));

        if (!cedar_policy_parse(&p, &pol) || !cedar_policy_keep(&p, &pol)) {
            break;
        }

        set->statements++;
    }

    return cedar_parser_rc(&p);
}


/* A policy with a slot is a template: it decides nothing by itself. */

static bool
cedar_policy_keep(cedar_parser_t *p, const cedar_policy_t *pol)
{
    cedar_set_t      *set;
    cedar_policy_t  **templates, *copy, *policies;

    set = p->set;

    if (set->policies_n + set->templates_n == CEDAR_MAX_POLICIES) {
        return cedar_fail(p, pol->pos, "more than %d policies in one set; "
                          "split the set", CEDAR_MAX_POLICIES);
    }

    if (!pol->principal.slot && !pol->resource.slot) {
        policies = cedar_grow(p->arena, set->policies, set->policies_n,
                              sizeof(cedar_policy_t));
        if (policies == NULL) {
            return cedar_nomem(p);
        }

        set->policies = policies;
        policies[set->policies_n++] = *pol;

        return true;
    }

    templates = cedar_grow(p->arena, set->templates, set->templates_n,
                           sizeof(cedar_policy_t *));
    copy = cedar_alloc(p->arena, sizeof(cedar_policy_t));

    if (templates == NULL || copy == NULL) {
        return cedar_nomem(p);
    }

    *copy = *pol;
    set->templates = templates;
    templates[set->templates_n++] = copy;

    return true;
}


static bool
cedar_policy_parse(cedar_parser_t *p, cedar_policy_t *pol)
{
    pol->source = p->source;
    pol->statement = p->set->statements;
    pol->before = p->source->end;
    pol->start = p->tok.pos;

    if (!cedar_policy_head(p, pol) || !cedar_policy_conditions(p, pol)) {
        return false;
    }

    pol->end = p->tok.pos + 1;
    p->source->end = pol->end;

    return cedar_expect(p, ";", "at the end of the policy")
           && cedar_policy_id_set(p, pol)
           && cedar_policy_whole(p, pol);
}


bool
cedar_policy_whole(cedar_parser_t *p, cedar_policy_t *pol)
{
    uint32_t       i, pos;
    cedar_node_t  *n;

    pos = pol->pos;
    n = cedar_node2(p, CEDAR_N_AND, pos, pol->principal.node,
                    pol->action.node);

    if (n != NULL) {
        n = cedar_node2(p, CEDAR_N_AND, pos, n, pol->resource.node);
    }

    for (i = 0; i < pol->conds_n && n != NULL; i++) {
        n = cedar_node2(p, CEDAR_N_AND, pos, n, pol->conds[i]);
    }

    pol->whole = n;

    return n != NULL && !p->failed;
}


static bool
cedar_policy_head(cedar_parser_t *p, cedar_policy_t *pol)
{
    if (!cedar_annotations(p, &pol->annotations, &pol->annotations_n)) {
        return false;
    }

    pol->pos = p->tok.pos;

    if (cedar_take(p, "permit")) {
        pol->effect = CEDAR_PERMIT;

    } else if (cedar_take(p, "forbid")) {
        pol->effect = CEDAR_FORBID;

    } else {
        return cedar_unexpected(p, "\"permit\" or \"forbid\"");
    }

    return cedar_expect(p, "(", "before the scope")
           && cedar_scope_parse(p, "principal", &pol->principal)
           && cedar_expect(p, ",", "behind the principal")
           && cedar_scope_action(p, &pol->action)
           && cedar_expect(p, ",", "behind the action")
           && cedar_scope_parse(p, "resource", &pol->resource)
           && (cedar_take(p, ",") || true)
           && cedar_expect(p, ")", "behind the scope");
}


static bool
cedar_scope_variable(cedar_parser_t *p, const char *name)
{
    char  what[80];

    if (cedar_take(p, name)) {
        return true;
    }

    snprintf(what, sizeof(what), "\"%s\" in the scope (principal, action, "
             "resource)", name);

    return cedar_unexpected(p, what);
}


/* An entity, or the slot of this part of the scope. */

static bool
cedar_scope_uid(cedar_parser_t *p, const char *slot, cedar_scope_t *s)
{
    uint32_t         pos;
    emage_str_t      id;
    cedar_symbol_t   type;

    pos = p->tok.pos;

    if (p->tok.kind == CEDAR_TOK_SLOT) {

        if (slot == NULL || !emage_str_eq(p->tok.text, emage_str_c(slot))) {
            return cedar_fail(p, pos, "\"%.*s\" cannot stand here; %s%s",
                              (int) p->tok.text.len, p->tok.text.data,
                              slot == NULL ? "an action has no slot"
                                           : "name an entity, or ",
                              slot == NULL ? "" : slot);
        }

        s->slot = true;
        cedar_next(p);

        return true;
    }

    type = cedar_path(p, emage_null_str, &id, NULL);

    if (type == CEDAR_NO_SYMBOL) {
        return false;
    }

    if (id.data == NULL) {
        return cedar_unexpected(p, "an entity id, as in User::\"alice\"");
    }

    s->uids = cedar_grow(p->arena, s->uids, s->n, sizeof(cedar_value_t));

    if (s->uids == NULL) {
        return cedar_nomem(p);
    }

    s->uids[s->n++] = cedar_value_uid(type, id);

    return true;
}


static bool
cedar_scope_parse(cedar_parser_t *p, const char *name, cedar_scope_t *s)
{
    uint32_t            pos;
    const char         *slot;
    cedar_node_kind_t   var;

    pos = p->tok.pos;
    s->pos = pos;
    slot = (name[0] == 'p') ? "?principal" : "?resource";
    var = (name[0] == 'p') ? CEDAR_N_PRINCIPAL : CEDAR_N_RESOURCE;

    if (!cedar_scope_variable(p, name)) {
        return false;
    }

    if (cedar_take(p, "is")) {
        s->kind = CEDAR_SCOPE_IS;
        s->type = cedar_path(p, emage_null_str, NULL, NULL);

        if (s->type == CEDAR_NO_SYMBOL) {
            return false;
        }

        if (cedar_take(p, "in")) {
            s->kind = CEDAR_SCOPE_IS_IN;

            if (!cedar_scope_uid(p, slot, s)) {
                return false;
            }
        }

    } else if (cedar_at(p, "==") || cedar_at(p, "in")) {
        s->kind = cedar_at(p, "in") ? CEDAR_SCOPE_IN : CEDAR_SCOPE_EQ;
        cedar_next(p);

        if (!cedar_scope_uid(p, slot, s)) {
            return false;
        }

        if (s->kind == CEDAR_SCOPE_EQ && !s->slot) {
            s->type = s->uids[0].sym;
        }

    } else if (!cedar_at(p, ",") && !cedar_at(p, ")")) {
        return cedar_unexpected(p, "\"==\", \"in\", \"is\" or the end of "
                                "this part of the scope");
    }

    return cedar_scope_node(p, var, pos, false, s);
}


static bool
cedar_scope_action(cedar_parser_t *p, cedar_scope_t *s)
{
    bool         list;
    uint32_t     i, pos, at;
    emage_str_t  name;

    pos = p->tok.pos;
    s->pos = pos;
    list = false;

    if (!cedar_scope_variable(p, "action")) {
        return false;
    }

    at = p->tok.pos;

    if (cedar_take(p, "==")) {
        s->kind = CEDAR_SCOPE_EQ;

        if (!cedar_scope_uid(p, NULL, s)) {
            return false;
        }

    } else if (cedar_take(p, "in")) {
        s->kind = CEDAR_SCOPE_IN;
        list = s->list = cedar_take(p, "[");

        if (!list) {
            if (!cedar_scope_uid(p, NULL, s)) {
                return false;
            }

        } else {
            while (!cedar_at(p, "]")) {
                if (!cedar_scope_uid(p, NULL, s)) {
                    return false;
                }

                if (!cedar_take(p, ",")) {
                    break;
                }
            }

            if (!cedar_expect(p, "]", "or \",\" in the list of actions")) {
                return false;
            }
        }

    } else if (!cedar_at(p, ",")) {
        return cedar_unexpected(p, "\"==\", \"in\" or \",\" behind "
                                "\"action\"");
    }

    for (i = 0; i < s->n; i++) {
        if (!cedar_is_action_type(p->set, s->uids[i].sym)) {
            name = cedar_symbol_name(&p->set->symbols, s->uids[i].sym);

            return cedar_fail(p, at, "\"%.*s\" is not a type of actions; "
                              "use Action::\"...\"", (int) name.len,
                              name.data);
        }
    }

    return cedar_scope_node(p, CEDAR_N_ACTION, pos, list, s);
}


/* The scope as an expression, for the validator. */

bool
cedar_scope_node(cedar_parser_t *p, cedar_node_kind_t kind, uint32_t pos,
    bool list, cedar_scope_t *s)
{
    uint32_t        i;
    cedar_node_t   *var, *rhs, **arg;

    var = cedar_node(p, kind, pos, NULL, 0);
    rhs = NULL;

    if (var != NULL && (s->n != 0 || list)) {
        arg = cedar_array(p->arena, s->n + 1, sizeof(cedar_node_t *));
        if (arg == NULL) {
            return cedar_nomem(p);
        }

        for (i = 0; i < s->n; i++) {
            arg[i] = cedar_node_lit(p, pos, s->uids[i]);
        }

        rhs = list ? cedar_node(p, CEDAR_N_SET, pos, arg, s->n) : arg[0];
    }

    if (p->failed) {
        return false;
    }

    /* a slot may be anything: what is behind it must hold for all */

    switch (s->slot && s->kind != CEDAR_SCOPE_IS_IN ? CEDAR_SCOPE_ANY
            : s->slot ? CEDAR_SCOPE_IS : s->kind)
    {

    case CEDAR_SCOPE_EQ:
        s->node = cedar_node2(p, CEDAR_N_EQ, pos, var, rhs);
        break;

    case CEDAR_SCOPE_IN:
        s->node = cedar_node2(p, CEDAR_N_IN, pos, var, rhs);
        break;

    case CEDAR_SCOPE_IS:
        s->node = cedar_node1(p, CEDAR_N_IS, pos, var);
        break;

    case CEDAR_SCOPE_IS_IN:
        s->node = cedar_node2(p, CEDAR_N_IS_IN, pos, var, rhs);
        break;

    default:
        s->node = cedar_node_lit(p, pos, cedar_value_bool(true));
        break;
    }

    if (s->node != NULL && (s->kind == CEDAR_SCOPE_IS
                            || s->kind == CEDAR_SCOPE_IS_IN))
    {
        s->node->sym = s->type;
        cedar_node_hash(s->node);
    }

    return s->node != NULL;
}


static bool
cedar_policy_conditions(cedar_parser_t *p, cedar_policy_t *pol)
{
    bool           when;
    uint32_t       pos;
    cedar_node_t  *n;

    while (cedar_at(p, "when") || cedar_at(p, "unless")) {
        when = cedar_at(p, "when");
        pos = p->tok.pos;
        cedar_next(p);

        if (!cedar_expect(p, "{", "before the condition")) {
            return false;
        }

        if (cedar_at(p, "}")) {
            return cedar_fail(p, p->tok.pos, "the condition is empty; write "
                              "one, or remove \"%s { }\"",
                              when ? "when" : "unless");
        }

        n = cedar_expr(p);

        if (n != NULL && !when) {
            n = cedar_node1(p, CEDAR_N_NOT, pos, n);

            if (n != NULL) {
                n->written = CEDAR_AS_UNLESS;
            }
        }

        if (n == NULL || !cedar_expect(p, "}", "behind the condition")) {
            return false;
        }

        pol->conds = cedar_grow(p->arena, pol->conds, pol->conds_n,
                                sizeof(cedar_node_t *));
        if (pol->conds == NULL) {
            return cedar_nomem(p);
        }

        pol->conds[pol->conds_n++] = n;
    }

    return true;
}


static bool
cedar_policy_id_set(cedar_parser_t *p, cedar_policy_t *pol)
{
    char      name[32];
    uint32_t  i;

    if (p->set->options.id_annotations) {
        for (i = 0; i < pol->annotations_n; i++) {
            if (emage_str_eq(pol->annotations[i].key, emage_str("id"))) {
                pol->id = pol->annotations[i].value;
                return true;
            }
        }
    }

    snprintf(name, sizeof(name), "policy%u", p->set->statements);

    return cedar_strdup(p->arena, emage_str_c(name), &pol->id)
           || cedar_nomem(p);
}
