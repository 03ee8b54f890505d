/*
 * Copyright (C) The e-mage authors
 *
 * Validation of a whole set.
 */


#include "cedar_check.h"

#include <stdio.h>


struct cedar_reported_s {
    cedar_reported_t  *next;
    uint32_t           pos;
    emage_str_t        text;
};


static void cedar_validate_policy(cedar_check_t *c);
static void cedar_validate_link(cedar_check_t *c, const cedar_scope_t *s);
static void cedar_validate_scope(cedar_check_t *c);
static bool cedar_scope_admits(const cedar_set_t *set,
    const cedar_scope_t *s, cedar_type_t **types, uint32_t n);
static bool cedar_validate_environment(cedar_check_t *c,
    const cedar_action_t *a, cedar_symbol_t principal,
    cedar_symbol_t resource);
static void cedar_check_node_names(cedar_check_t *c, const cedar_node_t *n);
static void cedar_check_entity_name(cedar_check_t *c, const cedar_node_t *n);


emage_rc_t
cedar_set_validate(const cedar_set_t *set, cedar_report_pt report,
    void *data)
{
    bool           nomem;
    uint32_t       i, n;
    cedar_check_t  c;

    if (!set->finished || !set->has_schema) {
        return EMAGE_ERROR;
    }

    memset(&c, 0, sizeof(c));
    c.set = set;
    c.report = report;
    c.data = data;

    n = set->policies_n + set->templates_n;

    for (i = 0, nomem = false; i < n && !nomem; i++) {
        c.policy = (i < set->policies_n)
                   ? &set->policies[i] : set->templates[i - set->policies_n];
        c.reported = NULL;

        cedar_arena_init(&c.keep, 16 * 1024 * 1024);
        cedar_arena_init(&c.arena, 64 * 1024 * 1024);

        cedar_validate_policy(&c);

        nomem = c.keep.failed || c.arena.failed;
        cedar_arena_free(&c.keep);
        cedar_arena_free(&c.arena);
    }

    if (nomem) {
        return EMAGE_NOMEM;
    }

    return (c.errors == 0) ? EMAGE_OK : EMAGE_ERROR;
}


bool
cedar_policy_impossible(const cedar_set_t *set, const cedar_policy_t *p)
{
    bool           nomem;
    cedar_check_t  c;

    memset(&c, 0, sizeof(c));
    c.set = set;
    c.policy = p;

    cedar_arena_init(&c.keep, 16 * 1024 * 1024);
    cedar_arena_init(&c.arena, 64 * 1024 * 1024);

    cedar_validate_policy(&c);

    nomem = c.keep.failed || c.arena.failed;
    cedar_arena_free(&c.keep);
    cedar_arena_free(&c.arena);

    return !nomem && c.errors == 0 && !c.possible;
}


static void
cedar_validate_policy(cedar_check_t *c)
{
    uint32_t               i, p, r;
    const cedar_action_t  *a;
    const cedar_schema_t  *schema;

    schema = &c->set->schema;

    /* what is behind a link's scope was its template's */

    if (c->policy->linked != NULL) {
        cedar_validate_link(c, &c->policy->principal);
        cedar_validate_link(c, &c->policy->resource);
        cedar_validate_scope(c);
        return;
    }

    cedar_check_node_names(c, c->policy->whole);
    cedar_validate_scope(c);

    for (i = 0; i < schema->actions_n; i++) {
        a = &schema->actions[i];

        /* elsewhere the scope is False, and nothing behind it is read */

        if (!cedar_scope_action_hits(&c->policy->action, a)) {
            continue;
        }

        for (p = 0; p < a->principals_n; p++) {
            for (r = 0; r < a->resources_n; r++) {
                if (!cedar_validate_environment(c, a, a->principals[p]->sym,
                                                a->resources[r]->sym))
                {
                    return;
                }
            }
        }
    }
}


/* As Cedar: only the types of a link's values are looked at. */

static void
cedar_validate_link(cedar_check_t *c, const cedar_scope_t *s)
{
    uint32_t     i;
    emage_str_t  name;

    for (i = 0; i < s->n; i++) {

        if (cedar_schema_entity(c->set, s->uids[i].sym) == NULL) {
            name = cedar_symbol_name(&c->set->symbols, s->uids[i].sym);
            cedar_check_error(c, c->policy->pos, "link \"%.*s\": no such "
                              "entity type: \"%.*s\"",
                              (int) c->policy->id.len, c->policy->id.data,
                              (int) name.len, name.data);
        }
    }
}


static bool
cedar_validate_environment(cedar_check_t *c, const cedar_action_t *a,
    cedar_symbol_t principal, cedar_symbol_t resource)
{
    cedar_answer_t  answer;

    c->action = a;

    memset(&c->principal, 0, sizeof(cedar_type_t));
    c->principal.kind = CEDAR_T_ENTITY;
    c->resource = c->principal;
    c->action_type = c->principal;
    c->principal.sym = principal;
    c->resource.sym = resource;
    c->action_type.sym = a->uid.sym;

    answer = cedar_check_want(c, c->policy->whole, NULL, CEDAR_WANT_BOOL);

    if (answer.type == NULL || answer.type->kind != CEDAR_T_FALSE) {
        c->possible = true;
    }

    if (c->arena.failed || c->keep.failed) {
        return false;
    }

    cedar_arena_free(&c->arena);
    cedar_arena_init(&c->arena, 64 * 1024 * 1024);

    return true;
}


/* Some action must fit all three parts of the scope. */

static void
cedar_validate_scope(cedar_check_t *c)
{
    uint32_t               i;
    const cedar_action_t  *a;
    const cedar_policy_t  *p;

    p = c->policy;

    for (i = 0; i < c->set->schema.actions_n; i++) {
        a = &c->set->schema.actions[i];

        if (cedar_scope_action_hits(&p->action, a)
            && cedar_scope_admits(c->set, &p->principal, a->principals,
                                  a->principals_n)
            && cedar_scope_admits(c->set, &p->resource, a->resources,
                                  a->resources_n))
        {
            return;
        }
    }

    cedar_check_error(c, p->pos, "no action of the schema fits this scope; "
                      "correct its principal, action or resource");
}


static bool
cedar_scope_admits(const cedar_set_t *set, const cedar_scope_t *s,
    cedar_type_t **types, uint32_t n)
{
    bool            is;
    uint32_t        i;
    cedar_symbol_t  t;

    for (i = 0; i < n; i++) {
        t = types[i]->sym;
        is = (s->type == CEDAR_NO_SYMBOL || s->type == t);

        if (is && ((s->kind != CEDAR_SCOPE_IN && s->kind != CEDAR_SCOPE_IS_IN)
                   || s->slot
                   || cedar_schema_may_be_in(set, t, s->uids[0].sym)))
        {
            return true;
        }
    }

    return false;
}


/* Every node once: what `has` shares with its first is not walked again. */

static void
cedar_check_node_names(cedar_check_t *c, const cedar_node_t *n)
{
    uint32_t     i;
    emage_str_t  name;

    if (n->kind == CEDAR_N_LIT && n->value.kind == CEDAR_ENTITY) {
        cedar_check_entity_name(c, n);
    }

    if ((n->kind == CEDAR_N_IS || n->kind == CEDAR_N_IS_IN)
        && cedar_schema_entity(c->set, n->sym) == NULL
        && !cedar_is_action_type(c->set, n->sym))
    {
        name = cedar_symbol_name(&c->set->symbols, n->sym);
        cedar_check_error(c, n->pos, "no such entity type: \"%.*s\"",
                          (int) name.len, name.data);
    }

    for (i = 0; i < ((n->kind == CEDAR_N_HAS) ? 1 : n->n); i++) {
        cedar_check_node_names(c, n->arg[i]);
    }
}


static void
cedar_check_entity_name(cedar_check_t *c, const cedar_node_t *n)
{
    uint32_t                    i;
    emage_str_t                 name, id;
    const cedar_entity_type_t  *e;

    name = cedar_symbol_name(&c->set->symbols, n->value.sym);
    id = (emage_str_t) { n->value.u.s, n->value.len };

    if (cedar_is_action_type(c->set, n->value.sym)) {

        if (cedar_schema_action(c->set, &n->value) == NULL) {
            cedar_check_error(c, n->pos, "no such action: %.*s::\"%.*s\"",
                              (int) name.len, name.data, (int) id.len,
                              id.data);
        }

        return;
    }

    e = cedar_schema_entity(c->set, n->value.sym);

    if (e == NULL) {
        cedar_check_error(c, n->pos, "no such entity type: \"%.*s\"",
                          (int) name.len, name.data);
        return;
    }

    for (i = 0; i < e->choices_n; i++) {
        if (emage_str_eq(e->choices[i], id)) {
            return;
        }
    }

    if (e->is_enum) {
        cedar_check_error(c, n->pos, "%.*s::\"%.*s\" is not one of the ids "
                          "the schema lists", (int) name.len, name.data,
                          (int) id.len, id.data);
    }
}


void
cedar_report(const cedar_set_t *set, const cedar_policy_t *p, uint32_t pos,
    const char *text, cedar_report_pt report, void *data)
{
    cedar_message_t  m;

    if (report == NULL) {
        return;
    }

    m.file = p->source->name;
    m.text = text;
    m.policy = -1;

    if (p >= set->policies && p < set->policies + set->policies_n) {
        m.policy = p - set->policies;
    }

    cedar_source_place(p->source, pos, &m.line, &m.column, &m.source);
    report(data, &m);
}


void
cedar_check_error(cedar_check_t *c, uint32_t pos, const char *fmt, ...)
{
    char               text[512];
    va_list            args;
    emage_str_t        s;
    cedar_reported_t  *r;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    c->errors++;
    s = emage_str_c(text);

    for (r = c->reported; r != NULL; r = r->next) {
        if (r->pos == pos && emage_str_eq(r->text, s)) {
            return;
        }
    }

    r = cedar_alloc(&c->keep, sizeof(cedar_reported_t));

    if (r == NULL || !cedar_strdup(&c->keep, s, &r->text)) {
        return;
    }

    r->pos = pos;
    r->next = c->reported;
    c->reported = r;

    cedar_report(c->set, c->policy, pos, text, c->report, c->data);
}
