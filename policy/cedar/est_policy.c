/*
 * Copyright (C) The e-mage authors
 *
 * Policy sets in Cedar's JSON format: turned into text, which is then read.
 */


#include "cedar_est.h"

#include <stdio.h>


/* Ids of the statements written so far, in their order. */

typedef struct {
    cedar_est_t   e;
    emage_str_t  *ids;
    uint32_t      n;
    char          number[16];        /* what messages call one without id */
} cedar_est_set_t;


static bool cedar_est_set(cedar_est_set_t *s, json_t *root);
static bool cedar_est_group(cedar_est_set_t *s, json_t *group);
static bool cedar_est_one(cedar_est_set_t *s, json_t *policy);
static bool cedar_est_id(cedar_est_set_t *s, emage_str_t id);
static bool cedar_est_policy(cedar_est_t *e, json_t *o);
static bool cedar_est_annotations(cedar_est_t *e, json_t *o);
static bool cedar_est_scope(cedar_est_t *e, const char *name, json_t *s);
static bool cedar_est_target(cedar_est_t *e, const char *name, json_t *s);
static bool cedar_est_conditions(cedar_est_t *e, json_t *conditions);
static emage_rc_t cedar_est_load(cedar_set_t *set, cedar_est_set_t *s,
    emage_error_t *err);
static bool cedar_est_rename(cedar_set_t *set, cedar_est_set_t *s,
    uint32_t first, uint32_t i, uint32_t k);


/* One member of the set's three groups; any may be missing. */

static bool
cedar_est_set(cedar_est_set_t *s, json_t *root)
{
    json_t  *policies, *templates, *links;

    if (json_is_array(root)) {
        return cedar_est_group(s, root);
    }

    if (json_object_get(root, "effect") != NULL) {
        return cedar_est_id(s, emage_null_str) && cedar_est_one(s, root);
    }

    policies = json_object_get(root, "staticPolicies");
    templates = json_object_get(root, "templates");
    links = json_object_get(root, "templateLinks");

    if (!json_is_object(root) || json_object_size(root) == 0
        || json_object_size(root) != (size_t) (policies != NULL)
           + (templates != NULL) + (links != NULL))
    {
        return cedar_est_fail(&s->e, "expected a policy, an array of such, "
                              "or {\"staticPolicies\", \"templates\", "
                              "\"templateLinks\"}");
    }

    return (policies == NULL || cedar_est_group(s, policies))
           && (templates == NULL || cedar_est_group(s, templates));
}


static bool
cedar_est_group(cedar_est_set_t *s, json_t *group)
{
    void         *it;
    size_t        i;
    emage_str_t   id;

    for (i = 0; i < json_array_size(group); i++) {
        if (!cedar_est_id(s, emage_null_str)
            || !cedar_est_one(s, json_array_get(group, i)))
        {
            return false;
        }
    }

    if (json_is_array(group)) {
        return true;
    }

    if (!json_is_object(group)) {
        return cedar_est_fail(&s->e, "expected policies by their ids");
    }

    for (it = json_object_iter(group); it != NULL;
         it = json_object_iter_next(group, it))
    {
        if (!cedar_est_copy(&s->e, json_object_iter_key(it),
                            json_object_iter_key_len(it), &id)
            || !cedar_est_id(s, id)
            || !cedar_est_one(s, json_object_iter_value(it)))
        {
            return false;
        }
    }

    return true;
}


static bool
cedar_est_id(cedar_est_set_t *s, emage_str_t id)
{
    uint32_t  i;

    s->e.policy = id;

    if (id.data == NULL) {
        snprintf(s->number, sizeof(s->number), "%u", s->n);
        s->e.policy = emage_str_c(s->number);
    }

    for (i = 0; id.data != NULL && i < s->n; i++) {
        if (s->ids[i].data != NULL && emage_str_eq(s->ids[i], id)) {
            return cedar_est_fail(&s->e, "there are two of this id; rename "
                                  "one");
        }
    }

    s->ids = cedar_grow(s->e.arena, s->ids, s->n, sizeof(emage_str_t));

    if (s->ids == NULL || s->n == CEDAR_MAX_POLICIES) {
        return cedar_est_fail(&s->e, "no memory, or too many policies; split "
                              "the set");
    }

    s->ids[s->n++] = id;

    return true;
}


/* A policy as an object, or as text of its own. */

static bool
cedar_est_one(cedar_est_set_t *s, json_t *policy)
{
    emage_str_t  text;

    if (!json_is_string(policy)) {
        return cedar_est_policy(&s->e, policy);
    }

    if (!cedar_est_string(&s->e, policy, &text)) {
        return false;
    }

    emage_buf_add_str(&s->e.b, text);

    return emage_buf_add_c(&s->e.b, "\n") == EMAGE_OK;
}


static bool
cedar_est_policy(cedar_est_t *e, json_t *o)
{
    emage_str_t  effect;

    if (!json_is_object(o)) {
        return cedar_est_fail(e, "expected a policy: {\"effect\", "
                              "\"principal\", \"action\", \"resource\", "
                              "\"conditions\"}");
    }

    if (!cedar_est_annotations(e, json_object_get(o, "annotations"))
        || !cedar_est_string(e, json_object_get(o, "effect"), &effect))
    {
        return false;
    }

    if (!emage_str_eq(effect, emage_str("permit"))
        && !emage_str_eq(effect, emage_str("forbid")))
    {
        return cedar_est_fail(e, "\"effect\" is \"permit\" or \"forbid\"");
    }

    emage_buf_add_str(&e->b, effect);
    emage_buf_add_c(&e->b, " (");

    if (!cedar_est_scope(e, "principal", json_object_get(o, "principal"))) {
        return false;
    }

    emage_buf_add_c(&e->b, ", ");

    if (!cedar_est_scope(e, "action", json_object_get(o, "action"))) {
        return false;
    }

    emage_buf_add_c(&e->b, ", ");

    if (!cedar_est_scope(e, "resource", json_object_get(o, "resource"))) {
        return false;
    }

    emage_buf_add_c(&e->b, ")");

    return cedar_est_conditions(e, json_object_get(o, "conditions"))
           && emage_buf_add_c(&e->b, ";\n") == EMAGE_OK;
}


static bool
cedar_est_annotations(cedar_est_t *e, json_t *o)
{
    void         *it;
    json_t       *v;
    size_t        i;
    emage_str_t   key, text;

    for (it = json_object_iter(o); it != NULL;
         it = json_object_iter_next(o, it))
    {
        v = json_object_iter_value(it);

        if (!cedar_est_copy(e, json_object_iter_key(it),
                            json_object_iter_key_len(it), &key))
        {
            return false;
        }

        /* reserved words are fine here */

        for (i = 0; i < key.len; i++) {
            if (!cedar_is_name((emage_str_t) { key.data + i, 1 })
                && (i == 0 || key.data[i] < '0' || key.data[i] > '9'))
            {
                break;
            }
        }

        if (key.len == 0 || i != key.len) {
            return cedar_est_fail(e, "the name of an annotation is letters, "
                                  "digits and \"_\"");
        }

        emage_buf_add_c(&e->b, "@");
        emage_buf_add_str(&e->b, key);

        if (!json_is_null(v)) {
            if (!cedar_est_string(e, v, &text)) {
                return false;
            }

            emage_buf_add_c(&e->b, "(");
            cedar_print_quoted(&e->b, text, false);
            emage_buf_add_c(&e->b, ")");
        }

        emage_buf_add_c(&e->b, "\n");
    }

    return true;
}


static bool
cedar_est_scope(cedar_est_t *e, const char *name, json_t *s)
{
    json_t       *in;
    emage_str_t   op;

    emage_buf_add_c(&e->b, name);

    if (!cedar_est_string(e, json_object_get(s, "op"), &op)) {
        return false;
    }

    if (emage_str_eq(op, emage_str("All"))) {
        return true;
    }

    if (emage_str_eq(op, emage_str("is")) && name[0] != 'a') {
        emage_buf_add_c(&e->b, " is ");
        in = json_object_get(s, "in");

        if (!cedar_est_type(e, json_object_get(s, "entity_type"))
            || in == NULL)
        {
            return !e->failed;
        }

        emage_buf_add_c(&e->b, " in ");

        return cedar_est_target(e, name, in);
    }

    if (emage_str_eq(op, emage_str("=="))) {
        emage_buf_add_c(&e->b, " == ");

    } else if (emage_str_eq(op, emage_str("in"))) {
        emage_buf_add_c(&e->b, " in ");

    } else {
        return cedar_est_fail(e, "\"op\" of a scope is \"All\", \"==\", "
                              "\"in\" or, but for actions, \"is\"");
    }

    return cedar_est_target(e, name, s);
}


/* {"entity"}, {"slot"}, or {"entities"} of an action. */

static bool
cedar_est_target(cedar_est_t *e, const char *name, json_t *s)
{
    size_t        i;
    json_t       *list;
    emage_str_t   slot;

    if (json_object_get(s, "entity") != NULL) {
        return cedar_est_uid(e, json_object_get(s, "entity"));
    }

    if (json_object_get(s, "slot") != NULL && name[0] != 'a') {

        if (!cedar_est_string(e, json_object_get(s, "slot"), &slot)) {
            return false;
        }

        if (slot.len == 0 || slot.data[0] != '?'
            || !emage_str_eq((emage_str_t) { slot.data + 1, slot.len - 1 },
                             emage_str_c(name)))
        {
            return cedar_est_fail(e, "the slots are ?principal and "
                                  "?resource, each in its own place");
        }

        return emage_buf_add_str(&e->b, slot) == EMAGE_OK;
    }

    list = json_object_get(s, "entities");

    if (!json_is_array(list) || name[0] != 'a') {
        return cedar_est_fail(e, "expected an \"entity\" or a \"slot\" in "
                              "the scope");
    }

    emage_buf_add_c(&e->b, "[");

    for (i = 0; i < json_array_size(list); i++) {
        emage_buf_add_c(&e->b, (i == 0) ? "" : ", ");

        if (!cedar_est_uid(e, json_array_get(list, i))) {
            return false;
        }
    }

    return emage_buf_add_c(&e->b, "]") == EMAGE_OK;
}


static bool
cedar_est_conditions(cedar_est_t *e, json_t *conditions)
{
    size_t        i;
    json_t       *c;
    emage_str_t   kind;

    if (!json_is_array(conditions)) {
        return cedar_est_fail(e, "expected \"conditions\", be it an empty "
                              "array");
    }

    for (i = 0; i < json_array_size(conditions); i++) {
        c = json_array_get(conditions, i);

        if (!cedar_est_string(e, json_object_get(c, "kind"), &kind)) {
            return false;
        }

        if (!emage_str_eq(kind, emage_str("when"))
            && !emage_str_eq(kind, emage_str("unless")))
        {
            return cedar_est_fail(e, "\"kind\" is \"when\" or \"unless\"");
        }

        emage_buf_add_c(&e->b, "\n");
        emage_buf_add_str(&e->b, kind);
        emage_buf_add_c(&e->b, " { ");

        if (!cedar_est_expr(e, json_object_get(c, "body"), 0)) {
            return false;
        }

        emage_buf_add_c(&e->b, " }");
    }

    return true;
}


/* The ids of the JSON, in the order the statements were written. */

static bool
cedar_est_rename(cedar_set_t *set, cedar_est_set_t *s, uint32_t first,
    uint32_t i, uint32_t k)
{
    cedar_policy_t  *p;

    if (set->statements - first != s->n) {
        return cedar_est_fail(&s->e, "a text holds more than one policy, or "
                              "none; give each its own id");
    }

    while ((p = (cedar_policy_t *) cedar_statement_next(set, &i, &k))
           != NULL)
    {
        if (s->ids[p->statement - first].data != NULL) {
            p->id = s->ids[p->statement - first];
            p->named = true;
        }
    }

    return true;
}


static emage_rc_t
cedar_est_load(cedar_set_t *set, cedar_est_set_t *s, emage_error_t *err)
{
    uint32_t         first, i, k;
    emage_rc_t       rc;
    cedar_source_t  *source;

    source = cedar_zalloc(&set->arena, sizeof(cedar_source_t));

    if (source == NULL || s->e.b.failed
        || !cedar_strdup(&set->arena, s->e.name, &source->name)
        || !cedar_strdup(&set->arena, (emage_str_t) { s->e.b.data,
                                                      s->e.b.len },
                         &source->text))
    {
        emage_error_set(err, "%.*s: no memory, or larger than %d bytes as "
                        "text; split it", (int) s->e.name.len,
                        s->e.name.data, CEDAR_MAX_TEXT);
        return EMAGE_NOMEM;
    }

    first = set->statements;
    i = set->policies_n;
    k = set->templates_n;

    rc = cedar_parse_policies(set, source, err);

    if (rc != EMAGE_OK) {
        return rc;
    }

    return cedar_est_rename(set, s, first, i, k) ? EMAGE_OK : EMAGE_ERROR;
}


emage_rc_t
cedar_policies_read(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err)
{
    json_t           *root;
    emage_rc_t        rc;
    emage_error_t     own;
    cedar_est_set_t   s;

    err = (err != NULL) ? err : &own;

    memset(&s, 0, sizeof(s));
    s.e.arena = &set->arena;
    s.e.name = source->name;
    s.e.kind = "policy";
    s.e.policy = emage_str("?");
    s.e.err = err;
    emage_buf_init(&s.e.b, CEDAR_MAX_TEXT);

    root = cedar_json_parse(source->name, source->text, err);

    if (root == NULL) {
        return EMAGE_ERROR;
    }

    if (!cedar_est_set(&s, root)) {
        rc = s.e.b.failed || set->arena.failed ? EMAGE_NOMEM : EMAGE_ERROR;

        if (!s.e.failed) {
            (void) cedar_est_fail(&s.e, "no memory, or too large");
        }

    } else {
        rc = cedar_est_load(set, &s, err);
    }

    if (rc == EMAGE_OK && json_object_get(root, "templateLinks") != NULL) {
        rc = cedar_links_add(set, source, json_object_get(root,
                                                          "templateLinks"),
                             err);
    }

    json_decref(root);
    emage_buf_free(&s.e.b);

    return rc;
}
