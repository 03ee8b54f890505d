/*
 * Copyright (C) The e-mage authors
 *
 * Do entities and requests say what the schema declares?
 */


#include "cedar_check.h"
#include "cedar_eval.h"

#include <stdio.h>


/* Where we are, for messages: User::"ann", attribute address.city */

typedef struct {
    const cedar_set_t      *set;
    const cedar_symbols_t  *symbols;
    emage_error_t          *err;
    char                    at[200];
    size_t                  len;
} cedar_conform_t;


static void cedar_conform_init(cedar_conform_t *c, const cedar_set_t *set,
    const cedar_entities_t *entities, emage_error_t *err);
static void cedar_at_set(cedar_conform_t *c, const char *what);
static void cedar_at_uid(cedar_conform_t *c, const cedar_value_t *uid);
static void cedar_at_name(cedar_conform_t *c, const char *sep,
    cedar_symbol_t name);
static bool cedar_unfit(cedar_conform_t *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool cedar_conform_value(cedar_conform_t *c, const cedar_value_t *v,
    const cedar_type_t *t, uint32_t depth);
static bool cedar_conform_record(cedar_conform_t *c, const cedar_value_t *v,
    const cedar_type_t *t, const char *sep, uint32_t depth);
static bool cedar_conform_id(cedar_conform_t *c, const cedar_value_t *uid);
static bool cedar_conform_action(cedar_conform_t *c, const cedar_ent_t *ent);
static bool cedar_conform_entity(cedar_conform_t *c, const cedar_ent_t *ent);
static bool cedar_conform_tags(cedar_conform_t *c, const cedar_ent_t *ent,
    const cedar_entity_type_t *e);
static bool cedar_conform_ancestors(cedar_conform_t *c,
    const cedar_ent_t *ent);
static bool cedar_conform_part(cedar_conform_t *c, const char *part,
    const cedar_value_t *uid, cedar_type_t **types, uint32_t n);
static cedar_type_kind_t cedar_type_of(const cedar_value_t *v);


static void
cedar_conform_init(cedar_conform_t *c, const cedar_set_t *set,
    const cedar_entities_t *entities, emage_error_t *err)
{
    memset(c, 0, sizeof(*c));
    c->set = set;
    c->symbols = (entities != NULL) ? &entities->symbols : &set->symbols;
    c->err = err;
}


static void
cedar_at_set(cedar_conform_t *c, const char *what)
{
    c->len = snprintf(c->at, sizeof(c->at), "%s", what);
}


static void
cedar_at_uid(cedar_conform_t *c, const cedar_value_t *uid)
{
    int          n;
    emage_str_t  type;

    type = cedar_symbol_name(c->symbols, uid->sym);
    n = snprintf(c->at, sizeof(c->at), "entity %.*s::\"%.*s\"",
                 (int) (type.len > 80 ? 80 : type.len), type.data,
                 (int) (uid->len > 60 ? 60 : uid->len), uid->u.s);
    c->len = (n > 0) ? n : 0;
}


/* The caller puts `len` back. */

static void
cedar_at_name(cedar_conform_t *c, const char *sep, cedar_symbol_t name)
{
    int          n;
    emage_str_t  s;

    s = cedar_symbol_name(c->symbols, name);
    n = snprintf(c->at + c->len, sizeof(c->at) - c->len, "%s%.*s", sep,
                 (int) s.len, s.data);

    if (n > 0) {
        c->len = ((size_t) n < sizeof(c->at) - c->len) ? c->len + n
                                                       : sizeof(c->at) - 1;
    }
}


static bool
cedar_unfit(cedar_conform_t *c, const char *fmt, ...)
{
    char     text[300];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    emage_error_set(c->err, "%.*s: %s", (int) c->len, c->at, text);

    return false;
}


static cedar_type_kind_t
cedar_type_of(const cedar_value_t *v)
{
    static const uint8_t  types[] = {
        [CEDAR_BOOL] = CEDAR_T_BOOL,
        [CEDAR_LONG] = CEDAR_T_LONG,
        [CEDAR_STRING] = CEDAR_T_STRING,
        [CEDAR_ENTITY] = CEDAR_T_ENTITY,
        [CEDAR_SET] = CEDAR_T_SET,
        [CEDAR_RECORD] = CEDAR_T_RECORD,
        [CEDAR_DECIMAL] = CEDAR_T_DECIMAL,
        [CEDAR_DATETIME] = CEDAR_T_DATETIME,
        [CEDAR_DURATION] = CEDAR_T_DURATION,
        [CEDAR_IP] = CEDAR_T_IP
    };

    return (v->kind < sizeof(types)) ? types[v->kind] : 0;
}


/* Values are no deeper than their readers allow; the cap is for the others. */

static bool
cedar_conform_value(cedar_conform_t *c, const cedar_value_t *v,
    const cedar_type_t *t, uint32_t depth)
{
    uint32_t            i;
    emage_str_t         name;
    cedar_type_text_t   text;

    static const char  *kinds[] = {
        "nothing", "a Bool", "a Long", "a String", "an entity", "a set",
        "a record", "a decimal", "a datetime", "a duration", "an ipaddr"
    };

    if (depth > CEDAR_MAX_DEPTH + 1) {
        return cedar_unfit(c, "nested too deep; flatten it");
    }

    if (cedar_type_of(v) != t->kind) {
        return cedar_unfit(c, "expected %s, found %s; correct the value or "
                           "the schema", cedar_type_text(c->set, t, &text),
                           kinds[v->kind > CEDAR_IP ? 0 : v->kind]);
    }

    switch (v->kind) {

    case CEDAR_ENTITY:
        if (v->sym != t->sym) {
            name = cedar_symbol_name(c->symbols, v->sym);

            return cedar_unfit(c, "expected %s, found an entity of type "
                               "%.*s; correct the value or the schema",
                               cedar_type_text(c->set, t, &text),
                               (int) name.len, name.data);
        }

        return cedar_conform_id(c, v);

    case CEDAR_SET:
        for (i = 0; i < v->len; i++) {
            if (!cedar_conform_value(c, &v->u.set[i], t->elem, depth + 1)) {
                return false;
            }
        }

        return true;

    case CEDAR_RECORD:
        return cedar_conform_record(c, v, t, ".", depth);

    default:
        return true;
    }
}


static bool
cedar_conform_record(cedar_conform_t *c, const cedar_value_t *v,
    const cedar_type_t *t, const char *sep, uint32_t depth)
{
    bool                 ok;
    size_t               len;
    uint32_t             i;
    emage_str_t          name;
    const cedar_attr_t  *attr;

    for (i = 0; t != NULL && i < t->n; i++) {

        if (t->attrs[i].required
            && cedar_record_get(v, t->attrs[i].name) == NULL)
        {
            name = cedar_symbol_name(c->symbols, t->attrs[i].name);

            return cedar_unfit(c, "attribute \"%.*s\" is missing; add it, or "
                               "declare it optional in the schema",
                               (int) name.len, name.data);
        }
    }

    for (i = 0; i < v->len; i++) {
        attr = (t == NULL) ? NULL : cedar_type_attr(t, v->u.rec[i].name);

        if (attr == NULL) {
            name = cedar_symbol_name(c->symbols, v->u.rec[i].name);

            return cedar_unfit(c, "the schema has no attribute \"%.*s\" "
                               "here; remove it or declare it",
                               (int) name.len, name.data);
        }

        len = c->len;
        cedar_at_name(c, sep, attr->name);
        ok = cedar_conform_value(c, &v->u.rec[i].value, attr->type,
                                 depth + 1);
        c->len = ok ? len : c->len;

        if (!ok) {
            return false;
        }
    }

    return true;
}


/* An enumerated type has the ids that the schema lists, and no more. */

static bool
cedar_conform_id(cedar_conform_t *c, const cedar_value_t *uid)
{
    uint32_t                    i;
    emage_str_t                 id, name;
    const cedar_entity_type_t  *e;

    e = cedar_schema_entity(c->set, uid->sym);

    if (e == NULL || !e->is_enum) {
        return true;
    }

    id = (emage_str_t) { uid->u.s, uid->len };

    for (i = 0; i < e->choices_n; i++) {
        if (emage_str_eq(e->choices[i], id)) {
            return true;
        }
    }

    name = cedar_symbol_name(c->symbols, uid->sym);

    return cedar_unfit(c, "%.*s::\"%.*s\" is not one of the ids that the "
                       "schema lists", (int) name.len, name.data,
                       (int) (id.len > 60 ? 60 : id.len), id.data);
}


/* An action in the data must be the schema's, with all its groups. */

static bool
cedar_conform_action(cedar_conform_t *c, const cedar_ent_t *ent)
{
    uint32_t               i, k;
    const cedar_action_t  *a;

    a = cedar_schema_action(c->set, &ent->uid);

    if (a == NULL) {
        return cedar_unfit(c, "the schema has no such action; declare it or "
                           "remove it");
    }

    for (i = 0; i < a->ancestors_n; i++) {

        for (k = 0; k < ent->parents_n; k++) {
            if (cedar_uid_eq(&ent->parents[k], &a->ancestors[i])) {
                break;
            }
        }

        if (k == ent->parents_n) {
            break;
        }
    }

    if (i != a->ancestors_n || ent->parents_n != a->ancestors_n
        || ent->attrs.len != 0 || ent->tags.len != 0)
    {
        return cedar_unfit(c, "this action is not as the schema declares it; "
                           "give it all its groups, direct and indirect, or "
                           "remove it");
    }

    return true;
}


static bool
cedar_conform_tags(cedar_conform_t *c, const cedar_ent_t *ent,
    const cedar_entity_type_t *e)
{
    size_t    len;
    uint32_t  i;

    for (i = 0; i < ent->tags.len; i++) {

        len = c->len;
        cedar_at_name(c, ", tag ", ent->tags.u.rec[i].name);

        if (e->tags == NULL) {
            return cedar_unfit(c, "the schema gives this type no tags; "
                               "remove it or declare them");
        }

        if (!cedar_conform_value(c, &ent->tags.u.rec[i].value, e->tags, 0)) {
            return false;
        }

        c->len = len;
    }

    return true;
}


static bool
cedar_conform_ancestors(cedar_conform_t *c, const cedar_ent_t *ent)
{
    uint32_t              i, n;
    emage_str_t           name;
    const cedar_value_t  *list;

    list = ent->local ? ent->parents : ent->ancestors;
    n = ent->local ? ent->parents_n : ent->ancestors_n;

    for (i = 0; i < n; i++) {

        if (!cedar_conform_id(c, &list[i])) {
            return false;
        }

        /* a type may be in itself only if the schema says so */

        if (!cedar_schema_is_below(c->set, ent->uid.sym, list[i].sym)) {
            name = cedar_symbol_name(c->symbols, list[i].sym);

            return cedar_unfit(c, "the schema lets none of its type be in a "
                               "%.*s; remove that parent or declare it",
                               (int) name.len, name.data);
        }
    }

    return true;
}


static bool
cedar_conform_entity(cedar_conform_t *c, const cedar_ent_t *ent)
{
    const cedar_entity_type_t  *e;

    cedar_at_uid(c, &ent->uid);

    if (cedar_is_action_type(c->set, ent->uid.sym)) {
        return cedar_conform_action(c, ent);
    }

    e = cedar_schema_entity(c->set, ent->uid.sym);

    if (e == NULL) {
        return cedar_unfit(c, "the schema has no such entity type; declare "
                           "it or remove the entity");
    }

    return cedar_conform_id(c, &ent->uid)
           && cedar_conform_record(c, &ent->attrs, e->attrs, ", attribute ",
                                   0)
           && cedar_conform_tags(c, ent, e)
           && cedar_conform_ancestors(c, ent);
}


emage_rc_t
cedar_entities_validate(const cedar_entities_t *e, emage_error_t *err)
{
    uint32_t         i;
    cedar_conform_t  c;

    if (!e->set->has_schema) {
        emage_error_set(err, "there is no schema to validate against; give "
                        "one");
        return EMAGE_ERROR;
    }

    cedar_conform_init(&c, e->set, e, err);

    for (i = 0; i < e->n; i++) {
        if (!cedar_conform_entity(&c, &e->ents[i])) {
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}


/* The principal or resource: of a known type, and one the action allows. */

static bool
cedar_conform_part(cedar_conform_t *c, const char *part,
    const cedar_value_t *uid, cedar_type_t **types, uint32_t n)
{
    uint32_t     i;
    emage_str_t  name;

    cedar_at_set(c, part);
    name = cedar_symbol_name(c->symbols, uid->sym);

    if (cedar_schema_entity(c->set, uid->sym) == NULL) {
        return cedar_unfit(c, "the schema has no entity type %.*s; declare "
                           "it or correct the request", (int) name.len,
                           name.data);
    }

    if (!cedar_conform_id(c, uid)) {
        return false;
    }

    for (i = 0; i < n; i++) {
        if (types[i]->sym == uid->sym) {
            return true;
        }
    }

    return cedar_unfit(c, "this action does not apply to a %.*s; correct "
                       "the request or the schema's \"appliesTo\"",
                       (int) name.len, name.data);
}


emage_rc_t
cedar_request_validate(const cedar_set_t *set, const cedar_request_t *req,
    const cedar_entities_t *entities, emage_error_t *err)
{
    uint32_t               i;
    emage_str_t            name;
    cedar_conform_t        c;
    const cedar_action_t  *a;

    cedar_conform_init(&c, set, entities, err);

    if (!set->finished || !set->has_schema || req->spoilt
        || req->principal.kind == 0 || req->action.kind == 0
        || req->resource.kind == 0)
    {
        emage_error_set(err, !set->finished || !set->has_schema
                        ? "there is no schema to validate against; give one"
                        : "the request is not complete; it needs a "
                          "principal, an action and a resource");
        return EMAGE_ERROR;
    }

    cedar_at_set(&c, "action");
    a = cedar_schema_action(set, &req->action);

    if (a == NULL) {
        name = cedar_symbol_name(c.symbols, req->action.sym);
        (void) cedar_unfit(&c, "the schema has no action %.*s::\"%.*s\"; "
                           "declare it or correct the request",
                           (int) name.len, name.data,
                           (int) (req->action.len > 60
                                  ? 60 : req->action.len),
                           req->action.u.s);
        return EMAGE_ERROR;
    }

    if (!cedar_conform_part(&c, "principal", &req->principal, a->principals,
                            a->principals_n)
        || !cedar_conform_part(&c, "resource", &req->resource, a->resources,
                               a->resources_n))
    {
        return EMAGE_ERROR;
    }

    cedar_at_set(&c, "context");

    if (!cedar_conform_record(&c, &req->context, a->context, " ", 0)) {
        return EMAGE_ERROR;
    }

    for (i = 0; i < req->ents_n; i++) {
        if (!cedar_conform_entity(&c, req->ents[i])) {
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}
