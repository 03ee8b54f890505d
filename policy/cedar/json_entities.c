/*
 * Copyright (C) The e-mage authors
 *
 * Entities from JSON.
 */


#include "cedar_json.h"


#define CEDAR_ENTITIES_MAX  (64 * 1024 * 1024)


static bool cedar_json_entity(cedar_json_t *j, const json_t *o,
    cedar_ent_t *ent);
static bool cedar_json_tags(cedar_json_t *j, const json_t *o,
    const cedar_type_t *type, cedar_value_t *v);
static bool cedar_json_parents(cedar_json_t *j, const json_t *o,
    cedar_ent_t *ent);


static bool
cedar_json_tags(cedar_json_t *j, const json_t *o, const cedar_type_t *type,
    cedar_value_t *v)
{
    uint32_t       i;
    cedar_attr_t  *attrs;
    cedar_type_t   record;

    /* all tags have one type: a record of as many names */

    if (!cedar_json_record(j, o, NULL, 0, v)) {
        return false;
    }

    if (type == NULL) {
        return true;
    }

    attrs = cedar_array(&j->e->arena, v->len, sizeof(cedar_attr_t));
    if (attrs == NULL) {
        return cedar_json_nomem(j);
    }

    for (i = 0; i < v->len; i++) {
        attrs[i].name = v->u.rec[i].name;
        attrs[i].required = false;
        attrs[i].type = (cedar_type_t *) type;
    }

    memset(&record, 0, sizeof(record));
    record.kind = CEDAR_T_RECORD;
    record.attrs = attrs;
    record.n = v->len;

    return cedar_json_record(j, o, &record, 0, v);
}


static bool
cedar_json_parents(cedar_json_t *j, const json_t *o, cedar_ent_t *ent)
{
    size_t  i, n;

    if (!json_is_array(o)) {
        return cedar_json_fail(j, "expected an array of entities");
    }

    n = json_array_size(o);

    ent->parents = cedar_array(&j->e->arena, n, sizeof(cedar_value_t));
    if (ent->parents == NULL) {
        return cedar_json_nomem(j);
    }

    for (i = 0; i < n; i++) {
        if (!cedar_json_uid(j, json_array_get(o, i), &ent->parents[i])) {
            return false;
        }
    }

    ent->parents_n = cedar_set_normalise(ent->parents, n);

    return true;
}


static bool
cedar_json_entity(cedar_json_t *j, const json_t *o, cedar_ent_t *ent)
{
    json_t                     *attrs, *parents, *tags;
    const cedar_entity_type_t  *type;

    memset(ent, 0, sizeof(cedar_ent_t));
    ent->attrs = cedar_value(CEDAR_RECORD);
    ent->tags = cedar_value(CEDAR_RECORD);

    j->part = "uid";

    if (!cedar_json_uid(j, json_object_get(o, "uid"), &ent->uid)) {
        return false;
    }

    type = cedar_schema_entity(j->e->set, ent->uid.sym);
    attrs = json_object_get(o, "attrs");
    parents = json_object_get(o, "parents");
    tags = json_object_get(o, "tags");

    /* other members are read over, as in Cedar */

    if (attrs == NULL || parents == NULL) {
        j->part = (attrs == NULL) ? "attrs" : "parents";
        return cedar_json_fail(j, "is missing; add it, be it empty");
    }

    j->part = "attrs";

    if (!cedar_json_record(j, attrs, type == NULL ? NULL : type->attrs, 0,
                           &ent->attrs))
    {
        return false;
    }

    j->part = "tags";

    if (tags != NULL
        && !cedar_json_tags(j, tags, type == NULL ? NULL : type->tags,
                            &ent->tags))
    {
        return false;
    }

    j->part = "parents";

    return cedar_json_parents(j, parents, ent);
}


emage_rc_t
cedar_json_entities(cedar_json_t *j, const json_t *array)
{
    size_t             i, n;
    cedar_entities_t  *e;

    e = j->e;
    j->list = "entity";
    j->index = 0;

    n = json_array_size(array);

    if (!json_is_array(array) || n > CEDAR_MAX_ENTITIES) {
        cedar_json_fail(j, "expected an array of at most 100000 entities");
        return EMAGE_ERROR;
    }

    e->ents = cedar_array(&e->arena, n, sizeof(cedar_ent_t));
    if (e->ents == NULL) {
        cedar_json_nomem(j);
        return EMAGE_NOMEM;
    }

    for (i = 0; i < n; i++) {
        j->index = i;
        j->part = NULL;

        if (!cedar_json_entity(j, json_array_get(array, i), &e->ents[i])) {
            return cedar_json_rc(j);
        }
    }

    e->n = n;

    return cedar_entities_close(e, j->name, j->err);
}


emage_rc_t
cedar_entities_create(const cedar_set_t *set, cedar_entities_t **entities,
    emage_error_t *err)
{
    cedar_arena_t      arena;
    cedar_entities_t  *e;

    *entities = NULL;

    if (!set->finished) {
        emage_error_set(err, "the policy set is not finished; finish it "
                        "before entities are loaded");
        return EMAGE_ERROR;
    }

    cedar_arena_init(&arena, CEDAR_ENTITIES_MAX);
    e = cedar_zalloc(&arena, sizeof(cedar_entities_t));

    if (e != NULL) {
        e->arena = arena;
        e->set = set;

        if (cedar_symbols_init(&e->symbols, &set->symbols, &e->arena)) {
            *entities = e;
            return EMAGE_OK;
        }

        arena = e->arena;
    }

    cedar_arena_free(&arena);
    emage_error_set(err, "no memory for entities");

    return EMAGE_NOMEM;
}


emage_rc_t
cedar_entities_load(const cedar_set_t *set, emage_str_t name,
    emage_str_t text, cedar_entities_t **entities, emage_error_t *err)
{
    json_t        *root;
    emage_rc_t     rc;
    cedar_json_t   j;

    memset(&j, 0, sizeof(j));
    j.name = name;
    j.err = err;

    rc = cedar_entities_create(set, entities, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    j.e = *entities;
    root = cedar_json_parse(name, text, err);
    rc = (root == NULL) ? EMAGE_ERROR : cedar_json_entities(&j, root);
    json_decref(root);

    if (rc != EMAGE_OK) {
        cedar_entities_destroy(*entities);
        *entities = NULL;
    }

    return rc;
}
