/*
 * Copyright (C) The e-mage authors
 *
 * Actions of human-readable schemas: groups, and what they apply to.
 */


#include "cedar_parse.h"


static bool cedar_sp_action_add(cedar_parser_t *p, cedar_action_t *a,
    emage_str_t id);
static bool cedar_sp_action_parents(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_action_t *a);
static bool cedar_sp_action_parent(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_action_t *a);
static bool cedar_sp_applies_to(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_action_t *a);


bool
cedar_sp_action(cedar_parser_t *p, cedar_symbol_t ns)
{
    uint32_t         i, first;
    emage_str_t      id;
    cedar_action_t   a, *list;
    cedar_schema_t  *schema;

    schema = &p->set->schema;
    first = schema->actions_n;

    do {
        memset(&a, 0, sizeof(a));
        a.ns = ns;
        a.source = p->source;
        a.pos = p->tok.pos;

        if (!cedar_sp_name(p, "the name of an action", &id)
            || !cedar_sp_action_add(p, &a, id))
        {
            return false;
        }

    } while (cedar_take(p, ","));

    a = schema->actions[first];

    if (cedar_take(p, "in") && !cedar_sp_action_parents(p, ns, &a)) {
        return false;
    }

    if (cedar_take(p, "appliesTo") && !cedar_sp_applies_to(p, ns, &a)) {
        return false;
    }

    if (cedar_take(p, "attributes")
        && (!cedar_expect(p, "{", "behind \"attributes\"")
            || !cedar_expect(p, "}", "as actions have no attributes")))
    {
        return false;
    }

    list = schema->actions;

    for (i = first; i < schema->actions_n; i++) {
        list[i].parent_types = a.parent_types;
        list[i].parents_n = a.parents_n;
        list[i].principals = a.principals;
        list[i].principals_n = a.principals_n;
        list[i].resources = a.resources;
        list[i].resources_n = a.resources_n;
        list[i].context = a.context;
        list[i].parents = a.parents;
    }

    return cedar_expect(p, ";", "behind the action");
}


static bool
cedar_sp_action_add(cedar_parser_t *p, cedar_action_t *a, emage_str_t id)
{
    uint32_t         n;
    cedar_action_t  *list;
    cedar_schema_t  *schema;
    cedar_symbol_t   type;

    schema = &p->set->schema;
    n = schema->actions_n;
    type = cedar_sp_qualify(p, a->ns, emage_str("Action"));

    if (type == CEDAR_NO_SYMBOL) {
        return false;
    }

    if (n == CEDAR_MAX_NAMES) {
        return cedar_fail(p, a->pos, "more than %d actions; remove some",
                          CEDAR_MAX_NAMES);
    }

    list = cedar_grow(p->arena, schema->actions, n, sizeof(cedar_action_t));
    if (list == NULL) {
        return cedar_nomem(p);
    }

    a->uid = cedar_value_uid(type, id);
    schema->actions = list;
    list[n] = *a;
    schema->actions_n++;

    return true;
}


static bool
cedar_sp_action_parents(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_action_t *a)
{
    if (!cedar_take(p, "[")) {
        return cedar_sp_action_parent(p, ns, a);
    }

    do {
        if (!cedar_sp_action_parent(p, ns, a)) {
            return false;
        }

    } while (cedar_take(p, ","));

    return cedar_expect(p, "]", "or \",\" in the list of action groups");
}


/* name, "name", or Type::"name"; the type of the first two is implied. */

static bool
cedar_sp_action_parent(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_action_t *a)
{
    bool            qualified;
    uint32_t        n;
    emage_str_t     first, id;
    cedar_type_t   *t;
    cedar_symbol_t  type;

    n = a->parents_n;
    type = CEDAR_NO_SYMBOL;
    qualified = false;

    t = cedar_zalloc(p->arena, sizeof(cedar_type_t));
    a->parents = cedar_grow(p->arena, a->parents, n, sizeof(cedar_value_t));
    a->parent_types = cedar_grow(p->arena, a->parent_types, n,
                                 sizeof(cedar_type_t *));

    if (t == NULL || a->parents == NULL || a->parent_types == NULL) {
        return cedar_nomem(p);
    }

    t->kind = CEDAR_T_NAME;
    t->pos = p->tok.pos;
    t->source = p->source;
    t->ns = ns;

    if (!cedar_sp_name(p, "the name of an action", &first)) {
        return false;
    }

    if (cedar_at(p, "::")) {
        type = cedar_path(p, first, &id, &qualified);

        if (type == CEDAR_NO_SYMBOL) {
            return false;
        }

        if (id.data == NULL) {
            return cedar_unexpected(p, "an action's id in quotes");
        }

        first = id;
        t->sym = type;
        t->qualified = memchr(cedar_symbol_name(&p->set->symbols, type).data,
                              ':',
                              cedar_symbol_name(&p->set->symbols, type).len)
                       != NULL;
    }

    a->parents[n] = cedar_value_uid(type, first);
    a->parent_types[n] = (type == CEDAR_NO_SYMBOL) ? NULL : t;
    a->parents_n++;

    return true;
}


static bool
cedar_sp_applies_to(cedar_parser_t *p, cedar_symbol_t ns, cedar_action_t *a)
{
    bool       ok, empty, *seen, principal, resource, context;
    uint32_t   pos;

    principal = resource = context = false;

    if (!cedar_expect(p, "{", "behind \"appliesTo\"")) {
        return false;
    }

    while (!cedar_at(p, "}")) {
        pos = p->tok.pos;

        seen = cedar_at(p, "principal") ? &principal
               : cedar_at(p, "resource") ? &resource
               : cedar_at(p, "context") ? &context : NULL;

        if (seen == NULL) {
            return cedar_unexpected(p, "\"principal\", \"resource\" or "
                                    "\"context\"");
        }

        if (*seen) {
            return cedar_fail(p, pos, "given twice in one \"appliesTo\"; "
                              "remove one");
        }

        *seen = true;
        empty = false;
        cedar_next(p);

        if (!cedar_expect(p, ":", "here")) {
            return false;
        }

        if (seen == &context) {
            a->context = cedar_at(p, "{") ? cedar_sp_record(p, ns)
                                          : cedar_sp_type_name(p, ns);
            ok = (a->context != NULL);

        } else if (seen == &principal) {
            ok = cedar_sp_type_list(p, ns, &a->principals, &a->principals_n);
            empty = ok && a->principals_n == 0;

        } else {
            ok = cedar_sp_type_list(p, ns, &a->resources, &a->resources_n);
            empty = ok && a->resources_n == 0;
        }

        if (!ok) {
            return false;
        }

        if (empty) {
            return cedar_fail(p, pos, "this list is empty; name a type, or "
                              "leave \"appliesTo\" out");
        }

        if (!cedar_take(p, ",")) {
            break;
        }
    }

    if (!principal || !resource) {
        return cedar_fail(p, p->tok.pos, "\"appliesTo\" needs both "
                          "\"principal\" and \"resource\"; add %s",
                          principal ? "\"resource\"" : "\"principal\"");
    }

    return cedar_expect(p, "}", "or \",\" in \"appliesTo\"");
}
