/*
 * Copyright (C) The e-mage authors
 *
 * Templates and their links.
 */


#include "cedar_parse.h"
#include "cedar_json.h"
#include "cedar_json_text.h"


static cedar_policy_t *cedar_template_find(const cedar_set_t *set,
    emage_str_t id);
static bool cedar_link_new_id(cedar_set_t *set, emage_str_t id,
    emage_error_t *err);
static bool cedar_link_fill(cedar_parser_t *p, cedar_scope_t *s,
    cedar_node_kind_t var, const cedar_uid_t *uid);
static bool cedar_link_slot(const cedar_scope_t *s, const char *slot,
    const cedar_uid_t *uid, emage_str_t id, emage_error_t *err);
static emage_rc_t cedar_link_read(cedar_set_t *set, cedar_source_t *source,
    size_t i, const json_t *o, emage_error_t *err);
static bool cedar_link_string(cedar_set_t *set, const json_t *o,
    emage_str_t *s);
static bool cedar_link_uid(cedar_set_t *set, const json_t *o,
    cedar_uid_t *uid, emage_error_t *err);
static emage_rc_t cedar_link_error(emage_error_t *err,
    const cedar_source_t *source, size_t i, const char *text);


static cedar_policy_t *
cedar_template_find(const cedar_set_t *set, emage_str_t id)
{
    uint32_t  i;

    for (i = 0; i < set->templates_n; i++) {
        if (emage_str_eq(set->templates[i]->id, id)) {
            return set->templates[i];
        }
    }

    return NULL;
}


/* Ids are the reasons of decisions: a link's must be nobody else's. */

static bool
cedar_link_new_id(cedar_set_t *set, emage_str_t id, emage_error_t *err)
{
    uint32_t  i;

    for (i = 0; i < set->policies_n; i++) {
        if (emage_str_eq(set->policies[i].id, id)) {
            break;
        }
    }

    if (i == set->policies_n && cedar_template_find(set, id) == NULL) {
        return true;
    }

    emage_error_set(err, "there is a policy \"%.*s\" already; give the link "
                    "another id", (int) (id.len > 80 ? 80 : id.len),
                    id.data);

    return false;
}


static bool
cedar_link_slot(const cedar_scope_t *s, const char *slot,
    const cedar_uid_t *uid, emage_str_t id, emage_error_t *err)
{
    if (s->slot == (uid != NULL)) {
        return true;
    }

    emage_error_set(err, s->slot ? "template \"%.*s\" has a slot %s; give "
                                   "it a value"
                                 : "template \"%.*s\" has no slot %s; leave "
                                   "it out",
                    (int) (id.len > 80 ? 80 : id.len), id.data, slot);

    return false;
}


static bool
cedar_link_fill(cedar_parser_t *p, cedar_scope_t *s, cedar_node_kind_t var,
    const cedar_uid_t *uid)
{
    emage_str_t  id;

    if (uid == NULL) {
        return true;
    }

    s->uids = cedar_alloc(p->arena, sizeof(cedar_value_t));

    if (s->uids == NULL || !cedar_strdup(p->arena, uid->id, &id)) {
        return cedar_nomem(p);
    }

    s->uids[0] = cedar_value_uid(uid->type, id);
    s->n = 1;
    s->slot = false;

    if (s->kind == CEDAR_SCOPE_EQ) {
        s->type = uid->type;
    }

    return cedar_scope_node(p, var, s->pos, false, s);
}


emage_rc_t
cedar_link(cedar_set_t *set, emage_str_t template_id, emage_str_t id,
    const cedar_uid_t *principal, const cedar_uid_t *resource,
    emage_error_t *err)
{
    cedar_parser_t   p;
    cedar_policy_t  *t, pol, *list;

    t = (set->finished || set->broken)
        ? NULL : cedar_template_find(set, template_id);

    if (t == NULL) {
        emage_error_set(err, "there is no template \"%.*s\"; correct its id, "
                        "or add the template first",
                        (int) (template_id.len > 80 ? 80 : template_id.len),
                        template_id.data);
        return EMAGE_ERROR;
    }

    if (!cedar_link_slot(&t->principal, "?principal", principal, template_id,
                         err)
        || !cedar_link_slot(&t->resource, "?resource", resource, template_id,
                            err)
        || !cedar_link_new_id(set, id, err))
    {
        return EMAGE_ERROR;
    }

    cedar_parser_init(&p, set, t->source, err);

    pol = *t;
    pol.linked = t;
    pol.named = true;

    list = (set->policies_n + set->templates_n < CEDAR_MAX_POLICIES)
           ? cedar_grow(p.arena, set->policies, set->policies_n,
                        sizeof(cedar_policy_t)) : NULL;

    if (list == NULL || !cedar_strdup(p.arena, id, &pol.id)
        || !cedar_link_fill(&p, &pol.principal, CEDAR_N_PRINCIPAL, principal)
        || !cedar_link_fill(&p, &pol.resource, CEDAR_N_RESOURCE, resource)
        || !cedar_policy_whole(&p, &pol))
    {
        set->broken = true;
        emage_error_set(err, "no memory to link \"%.*s\", or more than %d "
                        "policies in one set", (int) (id.len > 80
                                                      ? 80 : id.len),
                        id.data, CEDAR_MAX_POLICIES);
        return EMAGE_NOMEM;
    }

    set->policies = list;
    list[set->policies_n++] = pol;

    return EMAGE_OK;
}


static emage_rc_t
cedar_link_error(emage_error_t *err, const cedar_source_t *source, size_t i,
    const char *text)
{
    char  copy[sizeof(err->text)];

    /* `text` may be err's own */

    memcpy(copy, text, strlen(text) + 1);
    emage_error_set(err, "%.*s: link %zu: %s", (int) source->name.len,
                    source->name.data, i, copy);

    return EMAGE_ERROR;
}


static bool
cedar_link_string(cedar_set_t *set, const json_t *o, emage_str_t *s)
{
    if (!json_is_string(o)
        || !cedar_strdup(&set->arena, (emage_str_t) {
                         json_string_value(o), json_string_length(o) }, s))
    {
        return false;
    }

    s->len = cedar_json_unshield((char *) s->data, s->len);

    return true;
}


/* "Type::\"id\"", or {"type", "id"} with or without __entity. */

static bool
cedar_link_uid(cedar_set_t *set, const json_t *o, cedar_uid_t *uid,
    emage_error_t *err)
{
    emage_str_t      s;
    const json_t    *inner;
    cedar_parser_t   p;
    cedar_source_t   source;

    if (cedar_link_string(set, o, &s)) {
        memset(&source, 0, sizeof(source));
        source.name = emage_str("value");
        source.text = s;

        cedar_parser_init(&p, set, &source, err);
        uid->type = cedar_path(&p, emage_null_str, &uid->id, NULL);

        if (uid->type != CEDAR_NO_SYMBOL && uid->id.data != NULL
            && p.tok.kind == CEDAR_TOK_END)
        {
            return true;
        }

    } else {
        inner = json_object_get(o, "__entity");
        o = (inner != NULL) ? inner : o;

        if (cedar_link_string(set, json_object_get(o, "type"), &s)
            && cedar_link_string(set, json_object_get(o, "id"), &uid->id))
        {
            uid->type = cedar_symbol_intern(&set->symbols, s);
            return uid->type != CEDAR_NO_SYMBOL;
        }
    }

    emage_error_set(err, "expected an entity: \"User::\\\"alice\\\"\" or "
                    "{\"type\": \"...\", \"id\": \"...\"}");

    return false;
}


static const json_t *
cedar_link_get(const json_t *o, const char *a, const char *b)
{
    const json_t  *v;

    v = json_object_get(o, a);

    return (v != NULL) ? v : json_object_get(o, b);
}


static emage_rc_t
cedar_link_read(cedar_set_t *set, cedar_source_t *source, size_t i,
    const json_t *o, emage_error_t *err)
{
    emage_rc_t     rc;
    cedar_uid_t    principal, resource;
    emage_str_t    template_id, id;
    const json_t  *args, *p, *r;

    if (!cedar_link_string(set, cedar_link_get(o, "template_id",
                                               "templateId"), &template_id)
        || !cedar_link_string(set, cedar_link_get(o, "link_id", "newId"),
                              &id))
    {
        return cedar_link_error(err, source, i, "expected {\"template_id\", "
                                "\"link_id\", \"args\"}");
    }

    args = cedar_link_get(o, "args", "values");
    p = json_object_get(args, "?principal");
    r = json_object_get(args, "?resource");

    if (!json_is_object(args)
        || json_object_size(args) != (size_t) (p != NULL) + (r != NULL))
    {
        return cedar_link_error(err, source, i, "expected \"args\" with "
                                "\"?principal\", \"?resource\" or both");
    }

    if ((p != NULL && !cedar_link_uid(set, p, &principal, err))
        || (r != NULL && !cedar_link_uid(set, r, &resource, err)))
    {
        return cedar_link_error(err, source, i, err->text);
    }

    rc = cedar_link(set, template_id, id, p == NULL ? NULL : &principal,
                    r == NULL ? NULL : &resource, err);

    if (rc == EMAGE_ERROR) {
        return cedar_link_error(err, source, i, err->text);
    }

    return rc;
}


emage_rc_t
cedar_links_add(cedar_set_t *set, cedar_source_t *source,
    const json_t *array, emage_error_t *err)
{
    size_t      i;
    emage_rc_t  rc;

    if (!json_is_array(array)) {
        emage_error_set(err, "%.*s: expected an array of links",
                        (int) source->name.len, source->name.data);
        return EMAGE_ERROR;
    }

    for (i = 0, rc = EMAGE_OK; i < json_array_size(array) && rc == EMAGE_OK;
         i++)
    {
        rc = cedar_link_read(set, source, i, json_array_get(array, i), err);
    }

    return rc;
}


emage_rc_t
cedar_links_read(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err)
{
    json_t         *root;
    emage_rc_t      rc;
    emage_error_t   own;

    err = (err != NULL) ? err : &own;

    root = cedar_json_parse(source->name, source->text, err);
    if (root == NULL) {
        return EMAGE_ERROR;
    }

    rc = cedar_links_add(set, source, root, err);
    json_decref(root);

    return rc;
}


size_t
cedar_template_count(const cedar_set_t *set)
{
    return set->templates_n;
}


emage_str_t
cedar_template_id(const cedar_set_t *set, size_t i)
{
    return (i < set->templates_n) ? set->templates[i]->id : emage_null_str;
}


bool
cedar_policy_template(const cedar_set_t *set, size_t i,
    emage_str_t *template_id)
{
    if (i >= set->policies_n || set->policies[i].linked == NULL) {
        return false;
    }

    *template_id = set->policies[i].linked->id;

    return true;
}
