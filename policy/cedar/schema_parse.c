/*
 * Copyright (C) The e-mage authors
 *
 * The parser of human-readable schemas.  Names stay as they are written here;
 * schema.c resolves them when all files are in.
 */


#include "cedar_parse.h"

#include <stdio.h>


static bool cedar_sp_namespace(cedar_parser_t *p);
static bool cedar_sp_declaration(cedar_parser_t *p, cedar_symbol_t ns);
static bool cedar_sp_entity(cedar_parser_t *p, cedar_symbol_t ns);
static bool cedar_sp_entity_body(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_entity_type_t *e);
static bool cedar_sp_choices(cedar_parser_t *p, cedar_entity_type_t *e);
static bool cedar_sp_common(cedar_parser_t *p, cedar_symbol_t ns);
static bool cedar_sp_annotations(cedar_parser_t *p);
static cedar_type_t *cedar_sp_type(cedar_parser_t *p, cedar_symbol_t ns);
static bool cedar_sp_attribute(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_type_t *t);


emage_rc_t
cedar_parse_schema(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err)
{
    cedar_parser_t  p;

    cedar_parser_init(&p, set, source, err);

    while (p.tok.kind != CEDAR_TOK_END && !p.failed) {

        if (!cedar_sp_annotations(&p)) {
            break;
        }

        if (cedar_at(&p, "namespace")) {
            cedar_sp_namespace(&p);

        } else {
            cedar_sp_declaration(&p, CEDAR_NO_SYMBOL);
        }
    }

    return cedar_parser_rc(&p);
}


/* Annotations decide nothing; those of what comes next are kept for words. */

static bool
cedar_sp_annotations(cedar_parser_t *p)
{
    return cedar_annotations(p, &p->notes, &p->notes_n);
}


static bool
cedar_sp_namespace(cedar_parser_t *p)
{
    uint32_t         i, pos;
    cedar_symbol_t   ns, *list;

    cedar_next(p);

    pos = p->tok.pos;
    ns = cedar_path(p, emage_null_str, NULL, NULL);

    if (ns == CEDAR_NO_SYMBOL) {
        return false;
    }

    for (i = 0; i < p->namespaces_n; i++) {
        if (p->namespaces[i] == ns || i == 1000) {
            return cedar_fail(p, pos, "this namespace was there before, or "
                              "there are too many; join them");
        }
    }

    list = cedar_grow(p->arena, p->namespaces, i, sizeof(cedar_symbol_t));
    if (list == NULL) {
        return cedar_nomem(p);
    }

    p->namespaces = list;
    list[p->namespaces_n++] = ns;

    if (!cedar_expect(p, "{", "behind the namespace's name"))
    {
        return false;
    }

    while (!cedar_take(p, "}")) {
        if (!cedar_sp_annotations(p) || !cedar_sp_declaration(p, ns)) {
            return false;
        }
    }

    return true;
}


static bool
cedar_sp_declaration(cedar_parser_t *p, cedar_symbol_t ns)
{
    if (cedar_take(p, "entity")) {
        return cedar_sp_entity(p, ns);
    }

    if (cedar_take(p, "action")) {
        return cedar_sp_action(p, ns);
    }

    if (cedar_take(p, "type")) {
        return cedar_sp_common(p, ns);
    }

    return cedar_unexpected(p, "\"entity\", \"action\", \"type\" or "
                            "\"namespace\"");
}


/* ns::name, or name alone in the empty namespace. */

cedar_symbol_t
cedar_sp_qualify(cedar_parser_t *p, cedar_symbol_t ns, emage_str_t name)
{
    int             n;
    char            buf[1024];
    emage_str_t     s;
    cedar_symbol_t  sym;

    if (ns != CEDAR_NO_SYMBOL) {
        s = cedar_symbol_name(&p->set->symbols, ns);
        n = snprintf(buf, sizeof(buf), "%.*s::%.*s", (int) s.len, s.data,
                     (int) name.len, name.data);

        if (n < 0 || (size_t) n >= sizeof(buf)) {
            cedar_fail(p, p->tok.pos, "name is longer than %zu bytes; "
                       "shorten it", sizeof(buf) - 1);
            return CEDAR_NO_SYMBOL;
        }

        name = (emage_str_t) { buf, n };
    }

    sym = cedar_symbol_intern(&p->set->symbols, name);

    if (sym == CEDAR_NO_SYMBOL) {
        cedar_nomem(p);
    }

    return sym;
}


bool
cedar_sp_name(cedar_parser_t *p, const char *what, emage_str_t *s)
{
    if (p->tok.kind == CEDAR_TOK_STRING) {
        return cedar_string(p, what, s);
    }

    return cedar_ident(p, what, s);
}


static bool
cedar_sp_entity(cedar_parser_t *p, cedar_symbol_t ns)
{
    uint32_t              i, first, n;
    emage_str_t           name;
    cedar_schema_t       *schema;
    cedar_entity_type_t  *list, e;

    schema = &p->set->schema;
    first = schema->entities_n;

    do {
        memset(&e, 0, sizeof(e));
        e.source = p->source;
        e.pos = p->tok.pos;
        e.ns = ns;
        e.annotations = p->notes;
        e.annotations_n = p->notes_n;

        if (!cedar_ident(p, "the name of an entity type", &name)) {
            return false;
        }

        e.name = cedar_sp_qualify(p, ns, name);

        if (e.name == CEDAR_NO_SYMBOL) {
            return false;
        }

        n = schema->entities_n;

        if (n == CEDAR_MAX_NAMES) {
            return cedar_fail(p, e.pos, "more than %d entity types; remove "
                              "some", CEDAR_MAX_NAMES);
        }

        list = cedar_grow(p->arena, schema->entities, n, sizeof(e));
        if (list == NULL) {
            return cedar_nomem(p);
        }

        schema->entities = list;
        list[n] = e;
        schema->entities_n++;

    } while (cedar_take(p, ","));

    if (!cedar_sp_entity_body(p, ns, &schema->entities[first])) {
        return false;
    }

    /* all names of one declaration share their types, resolved in place */

    for (i = first + 1; i < schema->entities_n; i++) {
        e = schema->entities[first];
        e.name = schema->entities[i].name;
        e.pos = schema->entities[i].pos;

        schema->entities[i] = e;
    }

    return true;
}


static bool
cedar_sp_entity_body(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_entity_type_t *e)
{
    if (cedar_take(p, "enum")) {
        return cedar_sp_choices(p, e)
               && cedar_expect(p, ";", "behind the entity type");
    }

    if (cedar_take(p, "in")
        && !cedar_sp_type_list(p, ns, &e->parents, &e->parents_n))
    {
        return false;
    }

    if (cedar_at(p, "=") || cedar_at(p, "{")) {
        cedar_take(p, "=");

        /* JSON may name a type here */

        e->attrs = (p->source->kind == CEDAR_SOURCE_SCHEMA_JSON
                    && !cedar_at(p, "{"))
                   ? cedar_sp_type_name(p, ns) : cedar_sp_record(p, ns);

        if (e->attrs == NULL) {
            return false;
        }
    }

    if (cedar_take(p, "tags")) {
        e->tags = cedar_sp_type(p, ns);

        if (e->tags == NULL) {
            return false;
        }
    }

    return cedar_expect(p, ";", "behind the entity type");
}


static bool
cedar_sp_choices(cedar_parser_t *p, cedar_entity_type_t *e)
{
    emage_str_t  s;

    e->is_enum = true;

    if (!cedar_expect(p, "[", "behind \"enum\"")) {
        return false;
    }

    do {
        if (!cedar_string(p, "an entity id in quotes", &s)) {
            return false;
        }

        e->choices = cedar_grow(p->arena, e->choices, e->choices_n,
                                sizeof(emage_str_t));
        if (e->choices == NULL) {
            return cedar_nomem(p);
        }

        e->choices[e->choices_n++] = s;

    } while (cedar_take(p, ","));

    return cedar_expect(p, "]", "or \",\" in the list of ids");
}


static bool
cedar_sp_common(cedar_parser_t *p, cedar_symbol_t ns)
{
    size_t           i;
    uint32_t         n;
    emage_str_t      name;
    cedar_common_t   c, *list;
    cedar_schema_t  *schema;

    static const char *builtin[] = {
        "Bool", "Boolean", "Entity", "Extension", "Long", "Record", "Set",
        "String"
    };

    schema = &p->set->schema;
    n = schema->commons_n;

    memset(&c, 0, sizeof(c));
    c.source = p->source;
    c.pos = p->tok.pos;
    c.ns = ns;

    if (!cedar_ident(p, "the name of a type", &name)) {
        return false;
    }

    for (i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
        if (emage_str_eq(name, emage_str_c(builtin[i]))) {
            return cedar_fail(p, c.pos, "\"%s\" is a built-in type; choose "
                              "another name", builtin[i]);
        }
    }

    c.name = cedar_sp_qualify(p, ns, name);

    if (c.name == CEDAR_NO_SYMBOL
        || !cedar_expect(p, "=", "behind the type's name"))
    {
        return false;
    }

    c.type = cedar_sp_type(p, ns);

    if (c.type == NULL || !cedar_expect(p, ";", "behind the type")) {
        return false;
    }

    if (n == CEDAR_MAX_NAMES) {
        return cedar_fail(p, c.pos, "more than %d types; remove some",
                          CEDAR_MAX_NAMES);
    }

    list = cedar_grow(p->arena, schema->commons, n, sizeof(c));
    if (list == NULL) {
        return cedar_nomem(p);
    }

    schema->commons = list;
    list[n] = c;
    schema->commons_n++;

    return true;
}


static cedar_type_t *
cedar_sp_type(cedar_parser_t *p, cedar_symbol_t ns)
{
    uint32_t       pos;
    cedar_type_t  *t;

    pos = p->tok.pos;

    if (!cedar_at(p, "Set") && !cedar_at(p, "{")) {
        return cedar_sp_type_name(p, ns);
    }

    if (!cedar_enter(p)) {
        return NULL;
    }

    if (cedar_at(p, "{")) {
        t = cedar_sp_record(p, ns);
        p->depth--;
        return t;
    }

    cedar_next(p);

    t = cedar_zalloc(p->arena, sizeof(cedar_type_t));
    if (t == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    t->kind = CEDAR_T_SET;
    t->pos = pos;
    t->source = p->source;

    if (!cedar_expect(p, "<", "behind \"Set\"")) {
        return NULL;
    }

    t->elem = cedar_sp_type(p, ns);
    p->depth--;

    if (t->elem == NULL || !cedar_expect(p, ">", "behind the element type"))
    {
        return NULL;
    }

    return t;
}


cedar_type_t *
cedar_sp_type_name(cedar_parser_t *p, cedar_symbol_t ns)
{
    emage_str_t    first;
    cedar_type_t  *t;

    t = cedar_zalloc(p->arena, sizeof(cedar_type_t));
    if (t == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    t->kind = CEDAR_T_NAME;
    t->pos = p->tok.pos;
    t->source = p->source;
    t->ns = ns;

    /* __cedar is reserved, but for naming built-in types */

    if (cedar_at(p, "__cedar")) {
        first = p->tok.text;
        cedar_next(p);

    } else if (!cedar_ident(p, "a type", &first)) {
        return NULL;
    }

    t->sym = cedar_path(p, first, NULL, &t->qualified);

    return (t->sym == CEDAR_NO_SYMBOL) ? NULL : t;
}


cedar_type_t *
cedar_sp_record(cedar_parser_t *p, cedar_symbol_t ns)
{
    cedar_type_t  *t;

    t = cedar_zalloc(p->arena, sizeof(cedar_type_t));
    if (t == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    t->kind = CEDAR_T_RECORD;
    t->pos = p->tok.pos;
    t->source = p->source;

    if (!cedar_expect(p, "{", "before the attributes")) {
        return NULL;
    }

    while (!cedar_at(p, "}")) {

        if (!cedar_sp_attribute(p, ns, t)) {
            return NULL;
        }

        if (!cedar_take(p, ",")) {
            break;
        }
    }

    return cedar_expect(p, "}", "or \",\" behind the attribute") ? t : NULL;
}


/* Keeps t->attrs sorted by name. */

static bool
cedar_sp_attribute(cedar_parser_t *p, cedar_symbol_t ns, cedar_type_t *t)
{
    uint32_t       k, pos;
    emage_str_t    name;
    cedar_attr_t   a, *list;

    if (!cedar_sp_annotations(p)) {
        return false;
    }

    pos = p->tok.pos;
    a.annotations = p->notes;
    a.annotations_n = p->notes_n;

    if (!cedar_sp_name(p, "an attribute", &name)) {
        return false;
    }

    a.name = cedar_symbol_intern(&p->set->symbols, name);

    if (a.name == CEDAR_NO_SYMBOL) {
        return cedar_nomem(p);
    }

    a.required = !cedar_take(p, "?");

    if (!cedar_expect(p, ":", "behind the attribute")) {
        return false;
    }

    a.type = cedar_sp_type(p, ns);
    if (a.type == NULL) {
        return false;
    }

    if (t->n == CEDAR_MAX_RECORD) {
        return cedar_fail(p, pos, "more than %d attributes in one record",
                          CEDAR_MAX_RECORD);
    }

    list = cedar_grow(p->arena, t->attrs, t->n, sizeof(cedar_attr_t));
    if (list == NULL) {
        return cedar_nomem(p);
    }

    t->attrs = list;

    for (k = t->n; k > 0 && list[k - 1].name > a.name; k--) {
        list[k] = list[k - 1];
    }

    if (k > 0 && list[k - 1].name == a.name) {
        return cedar_fail(p, pos, "attribute \"%.*s\" declared twice; remove "
                          "one", (int) name.len, name.data);
    }

    list[k] = a;
    t->n++;

    return true;
}


bool
cedar_sp_type_list(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_type_t ***list, uint32_t *n)
{
    bool           many;
    cedar_type_t  *t;

    many = cedar_take(p, "[");

    if (many && cedar_take(p, "]")) {
        return true;
    }

    do {
        t = cedar_sp_type_name(p, ns);
        if (t == NULL) {
            return false;
        }

        *list = cedar_grow(p->arena, *list, *n, sizeof(cedar_type_t *));
        if (*list == NULL) {
            return cedar_nomem(p);
        }

        (*list)[(*n)++] = t;

    } while (many && cedar_take(p, ","));

    return !many || cedar_expect(p, "]", "or \",\" in the list of types");
}
