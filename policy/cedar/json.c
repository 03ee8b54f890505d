/*
 * Copyright (C) The e-mage authors
 *
 * Values from JSON: plain ones, escapes, and what the schema implies.
 */


#include "cedar_json.h"
#include "cedar_json_text.h"


static bool cedar_json_copy(cedar_json_t *j, const char *s, size_t len,
    emage_str_t *out);
static bool cedar_json_symbol(cedar_json_t *j, const char *s, size_t len,
    cedar_symbol_t *sym);
static bool cedar_json_escape(cedar_json_t *j, const json_t *o,
    const cedar_type_t *expect, cedar_value_t *v, bool *done);
static bool cedar_json_extension(cedar_json_t *j, const json_t *o,
    cedar_value_t *v);
static bool cedar_json_construct(cedar_json_t *j, cedar_fn_t fn,
    emage_str_t text, cedar_value_t *v);
static bool cedar_json_set(cedar_json_t *j, const json_t *o,
    const cedar_type_t *expect, uint32_t depth, cedar_value_t *v);
static cedar_fn_t cedar_json_fn(const cedar_type_t *t);
static int cedar_field_cmp(const void *a, const void *b);


json_t *
cedar_json_parse(emage_str_t name, emage_str_t text, emage_error_t *err)
{
    json_t        *root;
    emage_buf_t    b;
    json_error_t   e;

    if (text.len > CEDAR_MAX_JSON) {
        emage_error_set(err, "%.*s: larger than %d bytes; split it",
                        (int) name.len, name.data, CEDAR_MAX_JSON);
        return NULL;
    }

    emage_buf_init(&b, CEDAR_MAX_JSON * 2);

    if (cedar_json_needs_shield(text)) {

        if (cedar_json_shield(text, &b) != EMAGE_OK) {
            emage_error_set(err, "%.*s: no memory", (int) name.len,
                            name.data);
            emage_buf_free(&b);
            return NULL;
        }

        text = (emage_str_t) { b.data, b.len };
    }

    json_set_alloc_funcs(emage_latch_malloc, free);
    (void) emage_latch_failed();

    root = json_loadb(text.data == NULL ? "" : text.data, text.len,
                      JSON_REJECT_DUPLICATES, &e);

    if (emage_latch_failed()) {
        json_decref(root);
        root = NULL;
        emage_error_set(err, "%.*s: no memory", (int) name.len, name.data);

    } else if (root == NULL) {
        emage_error_set(err, "%.*s:%d:%d: %s", (int) name.len, name.data,
                        e.line, e.column, e.text);
    }

    emage_buf_free(&b);

    return root;
}


/* The bytes of a JSON string, of the arena. */

static bool
cedar_json_copy(cedar_json_t *j, const char *s, size_t len,
    emage_str_t *out)
{
    if (!cedar_strdup(&j->e->arena, (emage_str_t) { s, len }, out)) {
        return cedar_json_nomem(j);
    }

    out->len = cedar_json_unshield((char *) out->data, len);

    return true;
}


static bool
cedar_json_symbol(cedar_json_t *j, const char *s, size_t len,
    cedar_symbol_t *sym)
{
    emage_str_t  name;

    name = (emage_str_t) { s, len };

    if (memchr(s, '\001', len) != NULL && !cedar_json_copy(j, s, len, &name))
    {
        return false;
    }

    *sym = cedar_symbol_intern(&j->e->symbols, name);

    return *sym != CEDAR_NO_SYMBOL || cedar_json_nomem(j);
}


bool
cedar_json_fail(cedar_json_t *j, const char *what)
{
    if (!j->failed) {
        emage_error_set(j->err, "%.*s: %s %zu%s%s: %s", (int) j->name.len,
                        j->name.data, j->list, j->index,
                        j->part == NULL ? "" : ", ",
                        j->part == NULL ? "" : j->part, what);
    }

    j->failed = true;

    return false;
}


bool
cedar_json_nomem(cedar_json_t *j)
{
    j->nomem = true;

    return cedar_json_fail(j, "no memory, or over the limit for entities; "
                           "split the file");
}


emage_rc_t
cedar_json_rc(const cedar_json_t *j)
{
    return j->nomem ? EMAGE_NOMEM : j->failed ? EMAGE_ERROR : EMAGE_OK;
}


bool
cedar_json_string(cedar_json_t *j, const json_t *s, emage_str_t *out)
{
    if (!json_is_string(s)) {
        return cedar_json_fail(j, "expected a string");
    }

    return cedar_json_copy(j, json_string_value(s), json_string_length(s),
                           out);
}


/* {"type", "id"}, or the same in {"__entity": ..}. */

bool
cedar_json_uid(cedar_json_t *j, const json_t *o, cedar_value_t *v)
{
    emage_str_t     id;
    const json_t   *inner, *type;
    cedar_symbol_t  sym;

    inner = json_object_get(o, "__entity");

    if (inner != NULL) {
        o = inner;
    }

    type = json_object_get(o, "type");

    if (!json_is_string(type) || !json_is_string(json_object_get(o, "id"))
        || json_object_size(o) != 2)
    {
        return cedar_json_fail(j, "expected an entity: {\"type\": \"...\", "
                               "\"id\": \"...\"}");
    }

    if (!cedar_json_string(j, json_object_get(o, "id"), &id)
        || !cedar_json_symbol(j, json_string_value(type),
                              json_string_length(type), &sym))
    {
        return false;
    }

    *v = cedar_value_uid(sym, id);

    return true;
}


static cedar_fn_t
cedar_json_fn(const cedar_type_t *t)
{
    switch (t == NULL ? 0 : t->kind) {

    case CEDAR_T_IP:
        return CEDAR_FN_IP;

    case CEDAR_T_DECIMAL:
        return CEDAR_FN_DECIMAL;

    case CEDAR_T_DATETIME:
        return CEDAR_FN_DATETIME;

    case CEDAR_T_DURATION:
        return CEDAR_FN_DURATION;

    default:
        return CEDAR_FN_NONE;
    }
}


static bool
cedar_json_construct(cedar_json_t *j, cedar_fn_t fn, emage_str_t text,
    cedar_value_t *v)
{
    const char  *fault;

    fault = cedar_fn_construct(fn, text, &j->e->arena, v);

    if (fault == NULL) {
        return true;
    }

    return j->e->arena.failed ? cedar_json_nomem(j)
                              : cedar_json_fail(j, fault);
}


/* {"fn": "ip", "arg": "..."} */

static bool
cedar_json_extension(cedar_json_t *j, const json_t *o, cedar_value_t *v)
{
    cedar_fn_t     fn;
    emage_str_t    name, text;
    cedar_value_t  base, arg;
    const json_t  *f, *a;

    f = json_object_get(o, "fn");
    a = json_object_get(o, "arg");

    if (!json_is_string(f) || json_object_size(o) != 2) {
        return cedar_json_fail(j, "expected an extension value: {\"fn\": "
                               "\"...\", \"arg\": \"...\"}");
    }

    name = (emage_str_t) { json_string_value(f), json_string_length(f) };
    fn = cedar_fn_find(name);

    /* what Cedar writes for a datetime: an offset from a constant */

    if (fn == CEDAR_FN_OFFSET) {
        a = json_object_get(o, "args");

        if (json_array_size(a) != 2
            || !cedar_json_value(j, json_array_get(a, 0), NULL, 1, &base)
            || !cedar_json_value(j, json_array_get(a, 1), NULL, 1, &arg)
            || base.kind != CEDAR_DATETIME || arg.kind != CEDAR_DURATION
            || __builtin_add_overflow(base.u.i, arg.u.i, &base.u.i))
        {
            return cedar_json_fail(j, "\"offset\" needs a datetime and a "
                                   "duration in \"args\"");
        }

        *v = base;
        return true;
    }

    if (fn < CEDAR_FN_IP || fn > CEDAR_FN_DURATION || !json_is_string(a)) {
        return cedar_json_fail(j, "no such extension: use ip, decimal, "
                               "datetime or duration, of a string");
    }

    text = (emage_str_t) { json_string_value(a), json_string_length(a) };

    return cedar_json_construct(j, fn, text, v);
}


/* The escapes, and the implicit forms of what the schema expects. */

static bool
cedar_json_escape(cedar_json_t *j, const json_t *o,
    const cedar_type_t *expect, cedar_value_t *v, bool *done)
{
    cedar_fn_t     fn;
    const json_t  *inner;

    *done = true;
    fn = cedar_json_fn(expect);

    if (json_is_string(o) && fn != CEDAR_FN_NONE) {
        return cedar_json_construct(j, fn, (emage_str_t) {
                                    json_string_value(o),
                                    json_string_length(o) }, v);
    }

    if (json_is_object(o)) {

        if (json_object_get(o, "__expr") != NULL) {
            return cedar_json_fail(j, "\"__expr\" is not supported; use "
                                   "\"__entity\" or \"__extn\"");
        }

        if (json_object_get(o, "__entity") != NULL
            && json_object_size(o) == 1)
        {
            return cedar_json_uid(j, o, v);
        }

        inner = json_object_get(o, "__extn");

        if (inner != NULL && json_object_size(o) == 1) {
            return cedar_json_extension(j, inner, v);
        }

        if (expect != NULL && expect->kind == CEDAR_T_ENTITY) {
            return cedar_json_uid(j, o, v);
        }

        if (fn != CEDAR_FN_NONE) {
            return cedar_json_extension(j, o, v);
        }
    }

    *done = false;

    return true;
}


bool
cedar_json_value(cedar_json_t *j, const json_t *o,
    const cedar_type_t *expect, uint32_t depth, cedar_value_t *v)
{
    bool         done;
    emage_str_t  s;

    if (depth > CEDAR_MAX_DEPTH) {
        return cedar_json_fail(j, "nested too deep; flatten it");
    }

    if (!cedar_json_escape(j, o, expect, v, &done)) {
        return false;
    }

    if (done) {
        return true;
    }

    switch (o == NULL ? JSON_NULL : json_typeof(o)) {

    case JSON_TRUE:
    case JSON_FALSE:
        *v = cedar_value_bool(json_is_true(o));
        return true;

    case JSON_INTEGER:
        *v = cedar_value_int(CEDAR_LONG, json_integer_value(o));
        return true;

    case JSON_STRING:
        if (!cedar_json_string(j, o, &s)) {
            return false;
        }

        *v = cedar_value_string(s);
        return true;

    case JSON_ARRAY:
        return cedar_json_set(j, o, expect, depth, v);

    case JSON_OBJECT:
        return cedar_json_record(j, o, expect, depth, v);

    default:
        return cedar_json_fail(j, "Cedar has no null and no fractions; leave "
                               "it out, or use decimal");
    }
}


static bool
cedar_json_set(cedar_json_t *j, const json_t *o, const cedar_type_t *expect,
    uint32_t depth, cedar_value_t *v)
{
    size_t               i, n;
    cedar_value_t       *list;
    const cedar_type_t  *elem;

    n = json_array_size(o);
    elem = (expect != NULL && expect->kind == CEDAR_T_SET) ? expect->elem
                                                           : NULL;

    list = cedar_array(&j->e->arena, n, sizeof(cedar_value_t));
    if (list == NULL) {
        return cedar_json_nomem(j);
    }

    for (i = 0; i < n; i++) {
        if (!cedar_json_value(j, json_array_get(o, i), elem, depth + 1,
                              &list[i]))
        {
            return false;
        }
    }

    *v = cedar_value(CEDAR_SET);
    v->len = cedar_set_normalise(list, n);
    v->u.set = list;

    return true;
}


static int
cedar_field_cmp(const void *a, const void *b)
{
    const cedar_field_t  *f, *g;

    f = a;
    g = b;

    return (f->name < g->name) ? -1 : (f->name > g->name);
}


bool
cedar_json_record(cedar_json_t *j, const json_t *o,
    const cedar_type_t *expect, uint32_t depth, cedar_value_t *v)
{
    size_t               n;
    void                *it;
    json_t              *object;
    cedar_field_t       *f;
    const cedar_attr_t  *attr;

    if (!json_is_object(o)) {
        return cedar_json_fail(j, "expected a record: {...}");
    }

    object = (json_t *) o;
    n = 0;

    f = cedar_array(&j->e->arena, json_object_size(o), sizeof(*f));
    if (f == NULL) {
        return cedar_json_nomem(j);
    }

    for (it = json_object_iter(object); it != NULL;
         it = json_object_iter_next(object, it))
    {
        if (!cedar_json_symbol(j, json_object_iter_key(it),
                               json_object_iter_key_len(it), &f[n].name))
        {
            return false;
        }

        attr = (expect != NULL && expect->kind == CEDAR_T_RECORD)
               ? cedar_type_attr(expect, f[n].name) : NULL;

        if (!cedar_json_value(j, json_object_iter_value(it),
                              attr == NULL ? NULL : attr->type, depth + 1,
                              &f[n].value))
        {
            return false;
        }

        n++;
    }

    qsort(f, n, sizeof(*f), cedar_field_cmp);

    *v = cedar_value(CEDAR_RECORD);
    v->len = n;
    v->u.rec = f;

    return true;
}
