/*
 * Copyright (C) The e-mage authors
 *
 * Schemas once all files are in: names resolved.
 */


#include "cedar_schema.h"


static bool cedar_rs_index(cedar_resolver_t *r);
static bool cedar_rs_index_entities(cedar_resolver_t *r, uint32_t n);
static bool cedar_rs_shadows(cedar_resolver_t *r, cedar_symbol_t ns,
    cedar_symbol_t name);
static bool cedar_rs_action_types(cedar_resolver_t *r);
static cedar_symbol_t cedar_rs_local(cedar_resolver_t *r,
    const cedar_type_t *t);
static bool cedar_rs_name(cedar_resolver_t *r, cedar_type_t *t,
    uint32_t depth);
static bool cedar_rs_candidate(cedar_resolver_t *r, cedar_type_t *t,
    cedar_symbol_t name, uint32_t depth);
static bool cedar_rs_builtin(cedar_type_t *t, emage_str_t name);


cedar_parser_t *
cedar_rs_at(cedar_resolver_t *r, cedar_source_t *source)
{
    r->p.source = source;

    return &r->p;
}


emage_rc_t
cedar_schema_resolve(cedar_set_t *set, emage_error_t *err)
{
    uint32_t          i;
    cedar_common_t   *c;
    cedar_resolver_t  r;

    memset(&r, 0, sizeof(r));

    r.set = set;
    r.schema = &set->schema;
    r.p.set = set;
    r.p.arena = &set->arena;
    r.p.err = err;
    r.p.source = (set->sources_n != 0) ? set->sources[0] : NULL;

    if (!cedar_rs_action_types(&r) || !cedar_rs_index(&r)) {
        return cedar_parser_rc(&r.p);
    }

    for (i = 0; i < r.schema->commons_n; i++) {
        c = &r.schema->commons[i];

        if (!cedar_rs_type(&r, c->type, 0)) {
            return cedar_parser_rc(&r.p);
        }
    }

    if (cedar_rs_entities(&r)) {
        cedar_rs_actions(&r);
    }

    return cedar_parser_rc(&r.p);
}


/* Every namespace with actions has the entity type Action. */

static bool
cedar_rs_action_types(cedar_resolver_t *r)
{
    uint32_t              i, k, n;
    cedar_action_t       *a;
    cedar_schema_t       *schema;
    cedar_entity_type_t  *e;

    schema = r->schema;
    n = schema->entities_n;

    for (i = 0; i < n; i++) {
        e = &schema->entities[i];

        if (cedar_is_action_type(r->set, e->name)) {
            return cedar_fail(cedar_rs_at(r, e->source), e->pos, "\"Action\" "
                              "is the type of actions; choose another name");
        }
    }

    for (i = 0; i < schema->actions_n; i++) {
        a = &schema->actions[i];

        for (k = n; k < schema->entities_n; k++) {
            if (schema->entities[k].name == a->uid.sym) {
                break;
            }
        }

        if (k != schema->entities_n) {
            continue;
        }

        e = cedar_grow(&r->set->arena, schema->entities, k, sizeof(*e));
        if (e == NULL) {
            return cedar_nomem(&r->p);
        }

        schema->entities = e;
        e = &schema->entities[k];
        memset(e, 0, sizeof(*e));
        e->name = a->uid.sym;
        e->source = a->source;
        e->pos = a->pos;
        e->is_action = true;
        schema->entities_n++;
    }

    return true;
}


static bool
cedar_rs_index(cedar_resolver_t *r)
{
    uint32_t         i, n;
    emage_str_t      name;
    cedar_schema_t  *schema;
    cedar_common_t  *c;

    schema = r->schema;
    n = r->set->symbols.base + r->set->symbols.n;

    if (!cedar_rs_index_entities(r, n)) {
        return false;
    }

    r->commons = cedar_zalloc(&r->set->arena, n * sizeof(uint32_t));
    if (r->commons == NULL) {
        return cedar_nomem(&r->p);
    }

    for (i = 0; i < schema->commons_n; i++) {
        c = &schema->commons[i];
        name = cedar_symbol_name(&r->set->symbols, c->name);

        if (r->commons[c->name] != 0) {
            return cedar_fail(cedar_rs_at(r, c->source), c->pos, "type "
                              "\"%.*s\" declared twice; remove one",
                              (int) name.len, name.data);
        }

        r->commons[c->name] = i + 1;
    }

    for (i = 0; i < schema->commons_n; i++) {
        c = &schema->commons[i];
        cedar_rs_at(r, c->source);
        r->pos = c->pos;

        if (cedar_rs_shadows(r, c->ns, c->name)) {
            return false;
        }
    }

    for (i = 0; i < schema->entities_n; i++) {
        cedar_rs_at(r, schema->entities[i].source);
        r->pos = schema->entities[i].pos;

        if (cedar_rs_shadows(r, schema->entities[i].ns,
                             schema->entities[i].name))
        {
            return false;
        }
    }

    return true;
}


static bool
cedar_rs_index_entities(cedar_resolver_t *r, uint32_t n)
{
    uint32_t              i;
    emage_str_t           name;
    cedar_schema_t       *schema;
    cedar_entity_type_t  *e;

    schema = r->schema;

    schema->by_symbol = cedar_zalloc(&r->set->arena, n * sizeof(uint32_t));
    if (schema->by_symbol == NULL) {
        return cedar_nomem(&r->p);
    }

    schema->by_symbol_n = n;

    for (i = 0; i < schema->entities_n; i++) {
        e = &schema->entities[i];

        if (schema->by_symbol[e->name] != 0) {
            name = cedar_symbol_name(&r->set->symbols, e->name);

            return cedar_fail(cedar_rs_at(r, e->source), e->pos, "entity "
                              "type \"%.*s\" declared twice; remove one",
                              (int) name.len, name.data);
        }

        schema->by_symbol[e->name] = i + 1;
    }

    return true;
}


/* A name of a namespace must not hide one of the empty namespace. */

static bool
cedar_rs_shadows(cedar_resolver_t *r, cedar_symbol_t ns, cedar_symbol_t name)
{
    emage_str_t     full, base;
    cedar_symbol_t  s;

    if (ns == CEDAR_NO_SYMBOL) {
        return false;
    }

    full = cedar_symbol_name(&r->set->symbols, name);
    base = cedar_symbol_name(&r->set->symbols, ns);
    base.data = full.data + base.len + 2;
    base.len = full.len - (base.data - full.data);

    s = cedar_symbol_find(&r->set->symbols, base);

    if (s == CEDAR_NO_SYMBOL
        || (r->commons[s] == 0 && r->schema->by_symbol[s] == 0))
    {
        return false;
    }

    cedar_fail(&r->p, r->pos, "\"%.*s\" hides \"%.*s\" of the empty "
               "namespace; rename one", (int) full.len, full.data,
               (int) base.len, base.data);

    return true;
}


/* The symbol of ns::name, if there is one. */

static cedar_symbol_t
cedar_rs_local(cedar_resolver_t *r, const cedar_type_t *t)
{
    char         buf[1600];
    size_t       len;
    emage_str_t  ns, name;

    ns = cedar_symbol_name(&r->set->symbols, t->ns);
    name = cedar_symbol_name(&r->set->symbols, t->sym);
    len = ns.len + 2 + name.len;

    if (t->ns == CEDAR_NO_SYMBOL || len > sizeof(buf)) {
        return CEDAR_NO_SYMBOL;
    }

    memcpy(buf, ns.data, ns.len);
    memcpy(buf + ns.len, "::", 2);
    memcpy(buf + ns.len + 2, name.data, name.len);

    return cedar_symbol_find(&r->set->symbols, (emage_str_t) { buf, len });
}


/* Resolves `t` in place, and what it is made of. */

bool
cedar_rs_type(cedar_resolver_t *r, cedar_type_t *t, uint32_t depth)
{
    uint32_t  i;

    if (t->state == CEDAR_RS_DONE) {
        return true;
    }

    if (t->state == CEDAR_RS_BUSY) {
        return cedar_fail(cedar_rs_at(r, t->source), t->pos, "this type is "
                          "made of itself; break the circle");
    }

    if (depth > CEDAR_MAX_DEPTH) {
        return cedar_fail(cedar_rs_at(r, t->source), t->pos, "types nested "
                          "deeper than %d levels; simplify them",
                          CEDAR_MAX_DEPTH);
    }

    t->state = CEDAR_RS_BUSY;

    switch (t->kind) {

    case CEDAR_T_NAME:
        if (!cedar_rs_name(r, t, depth)) {
            return false;
        }

        break;

    case CEDAR_T_SET:
        if (!cedar_rs_type(r, t->elem, depth + 1)) {
            return false;
        }

        t->depth = t->elem->depth + 1;
        break;

    case CEDAR_T_RECORD:
        for (i = 0; i < t->n; i++) {
            if (!cedar_rs_type(r, t->attrs[i].type, depth + 1)) {
                return false;
            }

            if (t->attrs[i].type->depth >= t->depth) {
                t->depth = t->attrs[i].type->depth + 1;
            }
        }

        break;

    default:
        break;
    }

    t->state = CEDAR_RS_DONE;

    if (t->depth > CEDAR_MAX_DEPTH) {
        return cedar_fail(cedar_rs_at(r, t->source), t->pos, "types nested "
                          "deeper than %d levels; simplify them",
                          CEDAR_MAX_DEPTH);
    }

    return true;
}


/*
 * A name means, in this order: a common type of its namespace, an entity type
 * of it, the same of the empty namespace, a built-in type.
 */

static bool
cedar_rs_name(cedar_resolver_t *r, cedar_type_t *t, uint32_t depth)
{
    emage_str_t     name;
    cedar_symbol_t  local;

    name = cedar_symbol_name(&r->set->symbols, t->sym);

    if (!t->qualified) {
        local = cedar_rs_local(r, t);

        if (local != CEDAR_NO_SYMBOL
            && cedar_rs_candidate(r, t, local, depth))
        {
            return !r->p.failed;
        }
    }

    if (cedar_rs_candidate(r, t, t->sym, depth)) {
        return !r->p.failed;
    }

    if (t->qualified && name.len > 9 && memcmp(name.data, "__cedar::", 9) == 0)
    {
        name.data += 9;
        name.len -= 9;

        if (cedar_rs_builtin(t, name)) {
            return true;
        }

    } else if (!t->qualified && cedar_rs_builtin(t, name)) {
        return true;
    }

    return cedar_fail(cedar_rs_at(r, t->source), t->pos, "no such type: "
                      "\"%.*s\"; declare it or correct the name",
                      (int) name.len, name.data);
}


/* True if `name` is declared: then `t` is it, or an error is set. */

static bool
cedar_rs_candidate(cedar_resolver_t *r, cedar_type_t *t, cedar_symbol_t name,
    uint32_t depth)
{
    cedar_type_t  *target;

    if (name >= r->schema->by_symbol_n) {
        return false;
    }

    if (r->commons[name] != 0) {
        target = r->schema->commons[r->commons[name] - 1].type;

        if (cedar_rs_type(r, target, depth + 1)) {
            t->kind = target->kind;
            t->sym = target->sym;
            t->n = target->n;
            t->attrs = target->attrs;
            t->elem = target->elem;
            t->depth = target->depth;
        }

        return true;
    }

    if (r->schema->by_symbol[name] != 0) {
        t->kind = CEDAR_T_ENTITY;
        t->sym = name;
        return true;
    }

    return false;
}


static bool
cedar_rs_builtin(cedar_type_t *t, emage_str_t name)
{
    size_t  i;

    static const struct {
        const char  *name;
        uint8_t      kind;
    } types[] = {
        { "Bool",     CEDAR_T_BOOL },
        { "Long",     CEDAR_T_LONG },
        { "String",   CEDAR_T_STRING },
        { "decimal",  CEDAR_T_DECIMAL },
        { "datetime", CEDAR_T_DATETIME },
        { "duration", CEDAR_T_DURATION },
        { "ipaddr",   CEDAR_T_IP }
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (emage_str_eq(name, emage_str_c(types[i].name))) {
            t->kind = types[i].kind;
            return true;
        }
    }

    return false;
}


/* A name where only an entity type may stand. */

bool
cedar_rs_entity_name(cedar_resolver_t *r, cedar_type_t *t)
{
    emage_str_t     name;
    cedar_symbol_t  s;

    if (t->kind == CEDAR_T_ENTITY) {
        return true;
    }

    s = t->qualified ? CEDAR_NO_SYMBOL : cedar_rs_local(r, t);

    if (s == CEDAR_NO_SYMBOL || s >= r->schema->by_symbol_n
        || r->schema->by_symbol[s] == 0)
    {
        s = t->sym;
    }

    if (s >= r->schema->by_symbol_n || r->schema->by_symbol[s] == 0) {
        name = cedar_symbol_name(&r->set->symbols, t->sym);

        return cedar_fail(cedar_rs_at(r, t->source), t->pos, "no such entity "
                          "type: \"%.*s\"; declare it or correct the name",
                          (int) name.len, name.data);
    }

    t->kind = CEDAR_T_ENTITY;
    t->sym = s;
    t->state = CEDAR_RS_DONE;

    return true;
}
