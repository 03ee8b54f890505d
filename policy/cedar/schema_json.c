/*
 * Copyright (C) The e-mage authors
 *
 * Schemas in Cedar's JSON format: turned into text, which is then read.
 */


#include "cedar_est.h"


static bool cedar_sj_keys(cedar_est_t *e, json_t *o,
    const char *const *keys);
static bool cedar_sj_namespace(cedar_est_t *e, json_t *ns);
static bool cedar_sj_commons(cedar_est_t *e, json_t *commons);
static bool cedar_sj_entities(cedar_est_t *e, json_t *entities);
static bool cedar_sj_entity(cedar_est_t *e, json_t *o);
static bool cedar_sj_enum(cedar_est_t *e, json_t *choices);
static bool cedar_sj_actions(cedar_est_t *e, json_t *actions);
static bool cedar_sj_member_of(cedar_est_t *e, json_t *list);
static bool cedar_sj_applies_to(cedar_est_t *e, json_t *o);
static bool cedar_sj_name(cedar_est_t *e, const char *kind, void *it);
static bool cedar_sj_types(cedar_est_t *e, json_t *list);
static bool cedar_sj_type(cedar_est_t *e, json_t *t, uint32_t depth);
static bool cedar_sj_named(cedar_est_t *e, json_t *t, emage_str_t type);
static emage_rc_t cedar_schema_text(cedar_arena_t *arena, emage_str_t name,
    emage_str_t json, emage_buf_t *b, emage_error_t *err);
static bool cedar_sj_record(cedar_est_t *e, json_t *t, uint32_t depth);


/* Other members than these are a mistake; the list ends with NULL. */

static bool
cedar_sj_keys(cedar_est_t *e, json_t *o, const char *const *keys)
{
    void    *it;
    size_t   i;

    if (!json_is_object(o)) {
        return cedar_est_fail(e, "expected an object");
    }

    for (it = json_object_iter(o); it != NULL;
         it = json_object_iter_next(o, it))
    {
        for (i = 0; keys[i] != NULL; i++) {
            if (emage_str_eq(emage_str_c(json_object_iter_key(it)),
                             emage_str_c(keys[i])))
            {
                break;
            }
        }

        if (keys[i] == NULL) {
            return cedar_est_fail(e, "a member that schemas do not have; "
                                  "remove it or correct its name");
        }
    }

    return true;
}


/* Appends the key at `it`, which must be a name; messages then show it. */

static bool
cedar_sj_name(cedar_est_t *e, const char *kind, void *it)
{
    e->kind = kind;

    if (!cedar_est_copy(e, json_object_iter_key(it),
                        json_object_iter_key_len(it), &e->policy))
    {
        return false;
    }

    if (!cedar_is_name(e->policy)) {
        return cedar_est_fail(e, "not a name: use letters, digits and \"_\", "
                              "and no reserved word");
    }

    emage_buf_add_str(&e->b, e->policy);

    return true;
}


static bool
cedar_sj_types(cedar_est_t *e, json_t *list)
{
    size_t  i;

    if (!json_is_array(list)) {
        return cedar_est_fail(e, "expected an array of entity types");
    }

    emage_buf_add_c(&e->b, "[");

    for (i = 0; i < json_array_size(list); i++) {
        emage_buf_add_c(&e->b, (i == 0) ? "" : ", ");

        if (!cedar_est_type(e, json_array_get(list, i))) {
            return false;
        }
    }

    return emage_buf_add_c(&e->b, "]") == EMAGE_OK;
}


static bool
cedar_sj_type(cedar_est_t *e, json_t *t, uint32_t depth)
{
    emage_str_t  type;

    if (depth > CEDAR_MAX_DEPTH) {
        return cedar_est_fail(e, "types nested too deep; simplify them");
    }

    if (!cedar_est_string(e, json_object_get(t, "type"), &type)) {
        return false;
    }

    if (emage_str_eq(type, emage_str("Record"))) {
        return cedar_sj_record(e, t, depth);
    }

    if (emage_str_eq(type, emage_str("Set"))) {
        emage_buf_add_c(&e->b, "Set<");

        return cedar_sj_type(e, json_object_get(t, "element"), depth + 1)
               && emage_buf_add_c(&e->b, ">") == EMAGE_OK;
    }

    return cedar_sj_named(e, t, type);
}


/* Built-in types are spelt out, lest another type of the name hide them. */

static bool
cedar_sj_named(cedar_est_t *e, json_t *t, emage_str_t type)
{
    json_t  *name;

    name = json_object_get(t, "name");

    if (emage_str_eq(type, emage_str("Long"))
        || emage_str_eq(type, emage_str("String")))
    {
        emage_buf_add_c(&e->b, "__cedar::");
        return emage_buf_add_str(&e->b, type) == EMAGE_OK;
    }

    if (emage_str_eq(type, emage_str("Boolean"))) {
        return emage_buf_add_c(&e->b, "__cedar::Bool") == EMAGE_OK;
    }

    if (emage_str_eq(type, emage_str("Extension"))) {
        emage_buf_add_c(&e->b, "__cedar::");
        return cedar_est_type(e, name);
    }

    if (emage_str_eq(type, emage_str("Entity"))) {
        return cedar_est_type(e, name);
    }

    /* the name of a type, or of a built-in one with its prefix */

    if (emage_str_eq(type, emage_str("EntityOrCommon"))) {

        if (!cedar_est_string(e, name, &type)) {
            return false;
        }

    } else {
        name = json_object_get(t, "type");
    }

    if (type.len > 9 && memcmp(type.data, "__cedar::", 9) == 0
        && cedar_is_name((emage_str_t) { type.data + 9, type.len - 9 }))
    {
        return emage_buf_add_str(&e->b, type) == EMAGE_OK;
    }

    return cedar_est_type(e, name);
}


static bool
cedar_sj_record(cedar_est_t *e, json_t *t, uint32_t depth)
{
    void         *it;
    json_t       *attrs, *a, *required;
    const char   *sep;
    emage_str_t   key;

    attrs = json_object_get(t, "attributes");

    if (!json_is_object(attrs)
        || json_is_true(json_object_get(t, "additionalAttributes")))
    {
        return cedar_est_fail(e, "a record has \"attributes\", and no "
                              "\"additionalAttributes\"");
    }

    emage_buf_add_c(&e->b, "{");

    for (it = json_object_iter(attrs), sep = ""; it != NULL;
         it = json_object_iter_next(attrs, it), sep = ", ")
    {
        a = json_object_iter_value(it);
        required = json_object_get(a, "required");

        if (!cedar_est_copy(e, json_object_iter_key(it),
                            json_object_iter_key_len(it), &key))
        {
            return false;
        }

        emage_buf_add_c(&e->b, sep);
        cedar_print_quoted(&e->b, key, false);

        if (required != NULL && !json_is_boolean(required)) {
            return cedar_est_fail(e, "\"required\" is true or false");
        }

        emage_buf_add_c(&e->b, json_is_false(required) ? "?: " : ": ");

        if (!cedar_sj_type(e, a, depth + 1)) {
            return false;
        }
    }

    return emage_buf_add_c(&e->b, "}") == EMAGE_OK;
}


static bool
cedar_sj_commons(cedar_est_t *e, json_t *commons)
{
    void  *it;

    for (it = json_object_iter(commons); it != NULL;
         it = json_object_iter_next(commons, it))
    {
        emage_buf_add_c(&e->b, "type ");

        if (!cedar_sj_name(e, "type", it)) {
            return false;
        }

        emage_buf_add_c(&e->b, " = ");

        if (!cedar_sj_type(e, json_object_iter_value(it), 0)) {
            return false;
        }

        emage_buf_add_c(&e->b, ";\n");
    }

    return true;
}


static bool
cedar_sj_entities(cedar_est_t *e, json_t *entities)
{
    void  *it;

    for (it = json_object_iter(entities); it != NULL;
         it = json_object_iter_next(entities, it))
    {
        emage_buf_add_c(&e->b, "entity ");

        if (!cedar_sj_name(e, "entity type", it)
            || !cedar_sj_entity(e, json_object_iter_value(it)))
        {
            return false;
        }

        emage_buf_add_c(&e->b, ";\n");
    }

    return true;
}


static bool
cedar_sj_entity(cedar_est_t *e, json_t *o)
{
    json_t  *parents, *shape, *tags;

    static const char *const  keys[] = {
        "memberOfTypes", "shape", "tags", "annotations", NULL
    };
    static const char *const  enum_keys[] = { "enum", "annotations", NULL };

    if (json_object_get(o, "enum") != NULL) {
        return cedar_sj_keys(e, o, enum_keys)
               && cedar_sj_enum(e, json_object_get(o, "enum"));
    }

    if (!cedar_sj_keys(e, o, keys)) {
        return false;
    }

    parents = json_object_get(o, "memberOfTypes");
    shape = json_object_get(o, "shape");
    tags = json_object_get(o, "tags");

    if (parents != NULL) {
        emage_buf_add_c(&e->b, " in ");

        if (!cedar_sj_types(e, parents)) {
            return false;
        }
    }

    if (shape != NULL) {
        emage_buf_add_c(&e->b, " = ");

        if (!cedar_sj_type(e, shape, 0)) {
            return false;
        }
    }

    if (tags != NULL) {
        emage_buf_add_c(&e->b, " tags ");

        if (!cedar_sj_type(e, tags, 0)) {
            return false;
        }
    }

    return true;
}


static bool
cedar_sj_enum(cedar_est_t *e, json_t *choices)
{
    size_t       i;
    emage_str_t  id;

    if (json_array_size(choices) == 0) {
        return cedar_est_fail(e, "\"enum\" needs at least one id");
    }

    emage_buf_add_c(&e->b, " enum [");

    for (i = 0; i < json_array_size(choices); i++) {

        if (!cedar_est_string(e, json_array_get(choices, i), &id)) {
            return false;
        }

        emage_buf_add_c(&e->b, (i == 0) ? "" : ", ");
        cedar_print_quoted(&e->b, id, false);
    }

    return emage_buf_add_c(&e->b, "]") == EMAGE_OK;
}


static bool
cedar_sj_actions(cedar_est_t *e, json_t *actions)
{
    void    *it;
    json_t  *o, *applies, *in;

    static const char *const  keys[] = {
        "memberOf", "appliesTo", "annotations", NULL
    };

    for (it = json_object_iter(actions); it != NULL;
         it = json_object_iter_next(actions, it))
    {
        o = json_object_iter_value(it);
        e->kind = "action";

        if (!cedar_est_copy(e, json_object_iter_key(it),
                            json_object_iter_key_len(it), &e->policy)
            || !cedar_sj_keys(e, o, keys))
        {
            return false;
        }

        emage_buf_add_c(&e->b, "action ");
        cedar_print_quoted(&e->b, e->policy, false);

        in = json_object_get(o, "memberOf");
        applies = json_object_get(o, "appliesTo");

        if ((in != NULL && !json_is_null(in) && !cedar_sj_member_of(e, in))
            || (applies != NULL && !json_is_null(applies)
                && !cedar_sj_applies_to(e, applies)))
        {
            return false;
        }

        emage_buf_add_c(&e->b, ";\n");
    }

    return true;
}


static bool
cedar_sj_member_of(cedar_est_t *e, json_t *list)
{
    size_t        i;
    json_t       *o;
    emage_str_t   id;

    if (!json_is_array(list)) {
        return cedar_est_fail(e, "\"memberOf\" is an array of {\"id\"}");
    }

    for (i = 0; i < json_array_size(list); i++) {
        o = json_array_get(list, i);
        emage_buf_add_c(&e->b, (i == 0) ? " in [" : ", ");

        if (json_object_get(o, "type") != NULL) {
            if (!cedar_est_type(e, json_object_get(o, "type"))) {
                return false;
            }

            emage_buf_add_c(&e->b, "::");
        }

        if (!cedar_est_string(e, json_object_get(o, "id"), &id)) {
            return false;
        }

        cedar_print_quoted(&e->b, id, false);
    }

    return i == 0 || emage_buf_add_c(&e->b, "]") == EMAGE_OK;
}


/* One that applies to nothing is written without: it means the same. */

static bool
cedar_sj_applies_to(cedar_est_t *e, json_t *o)
{
    json_t  *p, *r, *context;

    static const char *const  keys[] = {
        "principalTypes", "resourceTypes", "context", NULL
    };

    if (!cedar_sj_keys(e, o, keys)) {
        return false;
    }

    p = json_object_get(o, "principalTypes");
    r = json_object_get(o, "resourceTypes");
    context = json_object_get(o, "context");

    if (!json_is_array(p) || !json_is_array(r)) {
        return cedar_est_fail(e, "\"appliesTo\" needs \"principalTypes\" and "
                              "\"resourceTypes\"");
    }

    if (json_array_size(p) == 0 || json_array_size(r) == 0) {
        return true;
    }

    emage_buf_add_c(&e->b, " appliesTo { principal: ");

    if (!cedar_sj_types(e, p)) {
        return false;
    }

    emage_buf_add_c(&e->b, ", resource: ");

    if (!cedar_sj_types(e, r)) {
        return false;
    }

    if (context != NULL) {
        emage_buf_add_c(&e->b, ", context: ");

        if (!cedar_sj_type(e, context, 0)) {
            return false;
        }
    }

    return emage_buf_add_c(&e->b, " }") == EMAGE_OK;
}


static bool
cedar_sj_namespace(cedar_est_t *e, json_t *ns)
{
    static const char *const  keys[] = {
        "commonTypes", "entityTypes", "actions", "annotations", NULL
    };

    if (!cedar_sj_keys(e, ns, keys)) {
        return false;
    }

    if (!json_is_object(json_object_get(ns, "entityTypes"))
        || !json_is_object(json_object_get(ns, "actions")))
    {
        return cedar_est_fail(e, "a namespace needs \"entityTypes\" and "
                              "\"actions\", be they empty");
    }

    return cedar_sj_commons(e, json_object_get(ns, "commonTypes"))
           && cedar_sj_entities(e, json_object_get(ns, "entityTypes"))
           && cedar_sj_actions(e, json_object_get(ns, "actions"));
}


static emage_rc_t
cedar_schema_text(cedar_arena_t *arena, emage_str_t name, emage_str_t json,
    emage_buf_t *b, emage_error_t *err)
{
    bool         ok;
    void        *it;
    json_t      *root, *label;
    cedar_est_t  e;

    memset(&e, 0, sizeof(e));
    e.arena = arena;
    e.name = name;
    e.err = err;
    e.kind = "namespace";
    emage_buf_init(&e.b, CEDAR_MAX_TEXT);

    root = cedar_json_parse(name, json, err);
    if (root == NULL) {
        return EMAGE_ERROR;
    }

    ok = json_is_object(root) || cedar_est_fail(&e, "expected an object of "
                                                "namespaces");

    for (it = json_object_iter(root); it != NULL && ok;
         it = json_object_iter_next(root, it))
    {
        e.kind = "namespace";
        e.policy = emage_str_c(json_object_iter_key(it));

        if (e.policy.len != 0) {
            label = json_string(json_object_iter_key(it));
            emage_buf_add_c(&e.b, "namespace ");
            ok = cedar_est_type(&e, label);
            json_decref(label);
            emage_buf_add_c(&e.b, " {\n");
        }

        ok = ok && cedar_sj_namespace(&e, json_object_iter_value(it));

        if (json_object_iter_key_len(it) != 0) {
            emage_buf_add_c(&e.b, "}\n");
        }
    }

    json_decref(root);
    *b = e.b;

    if (ok && !e.b.failed) {
        return EMAGE_OK;
    }

    if (!e.failed) {
        emage_error_set(err, "%.*s: no memory, or too large; split it",
                        (int) name.len, name.data);
    }

    return e.failed && !arena->failed ? EMAGE_ERROR : EMAGE_NOMEM;
}


emage_rc_t
cedar_schema_read(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err)
{
    emage_rc_t       rc;
    emage_buf_t      b;
    emage_error_t    own;
    cedar_source_t  *text;

    emage_buf_init(&b, 0);
    err = (err != NULL) ? err : &own;

    rc = cedar_schema_text(&set->arena, source->name, source->text, &b, err);

    if (rc == EMAGE_OK) {
        text = cedar_zalloc(&set->arena, sizeof(cedar_source_t));

        if (text == NULL
            || !cedar_strdup(&set->arena, source->name, &text->name)
            || !cedar_strdup(&set->arena, (emage_str_t) {
                             b.len == 0 ? "" : b.data, b.len }, &text->text))
        {
            emage_error_set(err, "%.*s: no memory", (int) source->name.len,
                            source->name.data);
            rc = EMAGE_NOMEM;

        } else {
            text->kind = CEDAR_SOURCE_SCHEMA_JSON;
            rc = cedar_parse_schema(set, text, err);
        }
    }

    emage_buf_free(&b);

    return rc;
}
