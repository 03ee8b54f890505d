/*
 * Copyright (C) The e-mage authors
 *
 * Requests, built value by value into the caller's block.
 */


#include "cedar_eval.h"


static void cedar_request_uid(cedar_request_t *req, cedar_value_t *v,
    cedar_symbol_t type, emage_str_t id);
static cedar_record_t *cedar_record_make(cedar_request_t *req,
    cedar_value_t *target);
static void cedar_record_put(cedar_record_t *rec, cedar_symbol_t name,
    cedar_value_t value);
static bool cedar_record_room(cedar_record_t *rec);
static cedar_value_t cedar_request_set(cedar_request_t *req,
    cedar_value_t *v, size_t n);


cedar_request_t *
cedar_request_create(const cedar_set_t *set, void *block, size_t size)
{
    cedar_request_t  *req;

    if (size < 1024 || size < sizeof(cedar_request_t)
        || ((uintptr_t) block & 7) != 0)
    {
        return NULL;
    }

    req = block;
    memset(req, 0, sizeof(cedar_request_t));
    cedar_arena_fixed(&req->own, (char *) block + sizeof(cedar_request_t),
                      (size - sizeof(cedar_request_t)) & ~(size_t) 7);
    cedar_request_init(req, set, &req->own);

    return req;
}


void
cedar_request_init(cedar_request_t *req, const cedar_set_t *set,
    cedar_arena_t *arena)
{
    req->set = set;
    req->arena = arena;
    req->start = arena->pos;
    req->sink.req = req;

    cedar_request_reset(req);
}


void
cedar_request_reset(cedar_request_t *req)
{
    if (req->arena == &req->own) {
        req->own.pos = req->start;
        req->own.failed = false;
    }

    req->principal = cedar_value(0);
    req->action = cedar_value(0);
    req->resource = cedar_value(0);
    req->context = cedar_value(CEDAR_RECORD);
    req->ents_n = 0;
    req->mark = 0;
    req->spoilt = false;

    memset(&req->context_rec, 0, sizeof(cedar_record_t));
    req->context_rec.req = req;
    req->context_rec.target = &req->context;
}


bool
cedar_request_spoilt(const cedar_request_t *req)
{
    return req->spoilt || req->arena->failed;
}


static void
cedar_request_uid(cedar_request_t *req, cedar_value_t *v,
    cedar_symbol_t type, emage_str_t id)
{
    if (type == CEDAR_NO_SYMBOL || id.len > UINT32_MAX) {
        req->spoilt = true;
        return;
    }

    *v = cedar_value_uid(type, id);
}


void
cedar_request_principal(cedar_request_t *req, cedar_symbol_t type,
    emage_str_t id)
{
    cedar_request_uid(req, &req->principal, type, id);
}


void
cedar_request_action(cedar_request_t *req, cedar_symbol_t type,
    emage_str_t id)
{
    cedar_request_uid(req, &req->action, type, id);
}


void
cedar_request_resource(cedar_request_t *req, cedar_symbol_t type,
    emage_str_t id)
{
    cedar_request_uid(req, &req->resource, type, id);
}


cedar_record_t *
cedar_request_context(cedar_request_t *req)
{
    return &req->context_rec;
}


static cedar_record_t *
cedar_record_make(cedar_request_t *req, cedar_value_t *target)
{
    cedar_record_t  *rec;

    rec = cedar_zalloc(req->arena, sizeof(cedar_record_t));

    if (rec == NULL) {
        req->spoilt = true;
        return &req->sink;
    }

    rec->req = req;
    rec->target = target;

    return rec;
}


cedar_record_t *
cedar_request_entity(cedar_request_t *req, cedar_symbol_t type,
    emage_str_t id)
{
    uint32_t        i, n;
    cedar_ent_t    *ent;
    cedar_value_t   uid;

    uid = cedar_value(0);
    cedar_request_uid(req, &uid, type, id);

    if (uid.kind == 0) {
        return &req->sink;
    }

    n = req->ents_n;

    for (i = 0; i < n; i++) {
        if (cedar_uid_eq(&req->ents[i]->uid, &uid)) {
            return req->recs[i];
        }
    }

    ent = cedar_zalloc(req->arena, sizeof(cedar_ent_t));

    if (ent == NULL || n == CEDAR_MAX_REQUEST_ENTITIES) {
        req->spoilt = true;
        return &req->sink;
    }

    ent->uid = uid;
    ent->attrs = cedar_value(CEDAR_RECORD);
    ent->tags = cedar_value(CEDAR_RECORD);
    ent->local = true;

    req->ents[n] = ent;
    req->recs[n] = cedar_record_make(req, &ent->attrs);
    req->tags[n] = NULL;

    if (req->recs[n] != &req->sink) {
        req->recs[n]->ent = n + 1;
    }

    req->ents_n++;

    return req->recs[n];
}


void
cedar_request_parent(cedar_record_t *rec, cedar_symbol_t type,
    emage_str_t id)
{
    cedar_ent_t      *ent;
    cedar_value_t     uid;
    cedar_request_t  *req;

    req = rec->req;
    uid = cedar_value(0);
    cedar_request_uid(req, &uid, type, id);

    if (rec->ent == 0 || uid.kind == 0) {
        req->spoilt = true;
        return;
    }

    ent = req->ents[rec->ent - 1];
    ent->parents = cedar_grow(req->arena, ent->parents, ent->parents_n,
                              sizeof(cedar_value_t));

    if (ent->parents == NULL) {
        ent->parents_n = 0;
        req->spoilt = true;
        return;
    }

    ent->parents[ent->parents_n++] = uid;
}


cedar_record_t *
cedar_request_tags(cedar_record_t *rec)
{
    cedar_request_t  *req;

    req = rec->req;

    if (rec->ent == 0) {
        req->spoilt = true;
        return &req->sink;
    }

    if (req->tags[rec->ent - 1] == NULL) {
        req->tags[rec->ent - 1]
            = cedar_record_make(req, &req->ents[rec->ent - 1]->tags);
    }

    return req->tags[rec->ent - 1];
}


static bool
cedar_record_room(cedar_record_t *rec)
{
    uint32_t        size;
    cedar_field_t  *fields;

    if (rec->n < rec->size) {
        return true;
    }

    size = (rec->size == 0) ? 8 : rec->size * 2;

    fields = (size > CEDAR_MAX_RECORD) ? NULL
             : cedar_array(rec->req->arena, size, sizeof(cedar_field_t));

    if (fields == NULL) {
        return false;
    }

    if (rec->n != 0) {
        memcpy(fields, rec->fields, rec->n * sizeof(cedar_field_t));
    }

    rec->fields = fields;
    rec->size = size;

    return true;
}


static void
cedar_record_put(cedar_record_t *rec, cedar_symbol_t name,
    cedar_value_t value)
{
    uint32_t              k;
    cedar_value_t        *show;
    cedar_request_t      *req;
    const cedar_value_t  *old;

    req = rec->req;

    if (name == CEDAR_NO_SYMBOL || rec == &req->sink) {
        req->spoilt = true;
        return;
    }

    show = rec->target;

    if (show == NULL) {
        show = (cedar_value_t *) cedar_record_get(&(cedar_value_t) {
                                                  .len = rec->outer->n,
                                                  .u.rec = rec->outer->fields
                                                  }, rec->name);

        if (show == NULL || show->kind != CEDAR_RECORD) {
            req->spoilt = true;
            return;
        }
    }

    old = cedar_record_get(&(cedar_value_t) { .len = rec->n,
                                              .u.rec = rec->fields }, name);
    if (old != NULL) {
        *(cedar_value_t *) old = value;
        return;
    }

    if (!cedar_record_room(rec)) {
        req->spoilt = true;
        return;
    }

    for (k = rec->n; k > 0 && rec->fields[k - 1].name > name; k--) {
        rec->fields[k] = rec->fields[k - 1];
    }

    rec->fields[k].name = name;
    rec->fields[k].value = value;
    rec->n++;

    show->len = rec->n;
    show->u.rec = rec->fields;
}


void
cedar_record_bool(cedar_record_t *rec, cedar_symbol_t name, bool value)
{
    cedar_record_put(rec, name, cedar_value_bool(value));
}


void
cedar_record_long(cedar_record_t *rec, cedar_symbol_t name, int64_t value)
{
    cedar_record_put(rec, name, cedar_value_int(CEDAR_LONG, value));
}


void
cedar_record_string(cedar_record_t *rec, cedar_symbol_t name,
    emage_str_t value)
{
    if (value.len > UINT32_MAX) {
        rec->req->spoilt = true;
        return;
    }

    cedar_record_put(rec, name, cedar_value_string(value));
}


void
cedar_record_entity(cedar_record_t *rec, cedar_symbol_t name,
    cedar_symbol_t type, emage_str_t id)
{
    cedar_value_t  v;

    v = cedar_value(0);
    cedar_request_uid(rec->req, &v, type, id);

    if (v.kind != 0) {
        cedar_record_put(rec, name, v);
    }
}


static cedar_value_t
cedar_request_set(cedar_request_t *req, cedar_value_t *v, size_t n)
{
    if (v == NULL) {
        req->spoilt = true;
        n = 0;
    }

    return (cedar_value_t) { .kind = CEDAR_SET,
                             .len = cedar_set_normalise(v, n), .u.set = v };
}


void
cedar_record_strings(cedar_record_t *rec, cedar_symbol_t name,
    const emage_str_t *values, size_t n)
{
    size_t          i;
    cedar_value_t  *v;

    v = cedar_array(rec->req->arena, n, sizeof(cedar_value_t));

    for (i = 0; i < n && v != NULL; i++) {
        v[i] = cedar_value_string(values[i]);
    }

    cedar_record_put(rec, name, cedar_request_set(rec->req, v, n));
}


void
cedar_record_entities(cedar_record_t *rec, cedar_symbol_t name,
    const cedar_uid_t *values, size_t n)
{
    size_t          i;
    cedar_value_t  *v;

    v = cedar_array(rec->req->arena, n, sizeof(cedar_value_t));

    for (i = 0; i < n && v != NULL; i++) {
        v[i] = cedar_value(0);
        cedar_request_uid(rec->req, &v[i], values[i].type, values[i].id);
    }

    cedar_record_put(rec, name, cedar_request_set(rec->req, v, n));
}


void
cedar_record_datetime(cedar_record_t *rec, cedar_symbol_t name, int64_t ms)
{
    cedar_record_put(rec, name, cedar_value_int(CEDAR_DATETIME, ms));
}


void
cedar_record_duration(cedar_record_t *rec, cedar_symbol_t name, int64_t ms)
{
    cedar_record_put(rec, name, cedar_value_int(CEDAR_DURATION, ms));
}


void
cedar_record_decimal(cedar_record_t *rec, cedar_symbol_t name,
    int64_t value)
{
    cedar_record_put(rec, name, cedar_value_int(CEDAR_DECIMAL, value));
}


void
cedar_record_ip(cedar_record_t *rec, cedar_symbol_t name, emage_str_t text)
{
    cedar_value_t  v;

    if (cedar_fn_construct(CEDAR_FN_IP, text, rec->req->arena, &v) != NULL) {
        rec->req->spoilt = true;
        return;
    }

    cedar_record_put(rec, name, v);
}


cedar_record_t *
cedar_record_record(cedar_record_t *rec, cedar_symbol_t name)
{
    cedar_record_t   *inner;
    cedar_request_t  *req;

    req = rec->req;

    if (rec->depth + 1 >= CEDAR_MAX_DEPTH) {
        req->spoilt = true;
        return &req->sink;
    }

    cedar_record_put(rec, name, cedar_value(CEDAR_RECORD));
    inner = cedar_record_make(req, NULL);

    if (inner != &req->sink) {
        inner->outer = rec;
        inner->name = name;
        inner->depth = rec->depth + 1;
    }

    return inner;
}
