/*
 * Copyright (C) The e-mage authors
 *
 * Values of Cedar's JSON policy format: constants, entities, extensions.
 */


#include "cedar_est.h"


static bool cedar_est_object(cedar_est_t *e, json_t *v, uint32_t depth);
static bool cedar_est_extension(cedar_est_t *e, json_t *v, uint32_t depth);


/* A::B, each part a name. */

bool
cedar_est_type(cedar_est_t *e, const json_t *v)
{
    size_t       i, from;
    emage_str_t  s, part;

    if (!cedar_est_string(e, v, &s)) {
        return false;
    }

    for (i = from = 0; i <= s.len; i++) {

        if (i < s.len && s.data[i] != ':') {
            continue;
        }

        part = (emage_str_t) { s.data + from, i - from };

        if (!cedar_is_name(part)
            || (i < s.len && (i + 1 >= s.len || s.data[i + 1] != ':')))
        {
            return cedar_est_fail(e, "expected the name of an entity type, "
                                  "as in \"User\" or \"App::User\"");
        }

        i++;
        from = i + 1;
    }

    emage_buf_add_str(&e->b, s);

    return true;
}


/* {"type", "id"}, or the same in {"__entity"}. */

bool
cedar_est_uid(cedar_est_t *e, json_t *v)
{
    json_t       *inner;
    emage_str_t   id;

    inner = json_object_get(v, "__entity");
    v = (inner != NULL) ? inner : v;

    if (!json_is_object(v) || json_object_size(v) != 2) {
        return cedar_est_fail(e, "expected an entity: {\"type\": \"...\", "
                              "\"id\": \"...\"}");
    }

    if (!cedar_est_type(e, json_object_get(v, "type"))
        || !cedar_est_string(e, json_object_get(v, "id"), &id))
    {
        return false;
    }

    emage_buf_add_c(&e->b, "::");
    cedar_print_quoted(&e->b, id, false);

    return true;
}


bool
cedar_est_value(cedar_est_t *e, json_t *v, uint32_t depth)
{
    emage_str_t  s;

    if (depth > CEDAR_MAX_TREE) {
        return cedar_est_fail(e, "nested too deep; split the policy");
    }

    switch (v == NULL ? JSON_NULL : json_typeof(v)) {

    case JSON_TRUE:
    case JSON_FALSE:
        emage_buf_add_c(&e->b, json_is_true(v) ? "true" : "false");
        return true;

    case JSON_INTEGER:
        emage_buf_add_int(&e->b, json_integer_value(v));
        return true;

    case JSON_STRING:
        if (!cedar_est_string(e, v, &s)) {
            return false;
        }

        cedar_print_quoted(&e->b, s, false);
        return true;

    case JSON_ARRAY:
        emage_buf_add_c(&e->b, "[");
        return cedar_est_list(e, v, 0, true, depth)
               && emage_buf_add_c(&e->b, "]") == EMAGE_OK;

    case JSON_OBJECT:
        return cedar_est_object(e, v, depth);

    default:
        return cedar_est_fail(e, "Cedar has no null and no fractions; use "
                              "decimal");
    }
}


static bool
cedar_est_object(cedar_est_t *e, json_t *v, uint32_t depth)
{
    json_t  *extn;

    extn = json_object_get(v, "__extn");

    if (extn != NULL && json_object_size(v) == 1) {
        return cedar_est_extension(e, extn, depth);
    }

    if (json_object_get(v, "__entity") != NULL && json_object_size(v) == 1) {
        return cedar_est_uid(e, v);
    }

    return cedar_est_record(e, v, true, depth);
}


/* {"fn", "arg"} or {"fn", "args"}. */

static bool
cedar_est_extension(cedar_est_t *e, json_t *v, uint32_t depth)
{
    json_t                 *arg, *args;
    cedar_fn_t              fn;
    emage_str_t             name;
    const cedar_fn_info_t  *info;

    if (!cedar_est_string(e, json_object_get(v, "fn"), &name)) {
        return false;
    }

    fn = cedar_fn_find(name);
    arg = json_object_get(v, "arg");
    args = json_object_get(v, "args");
    info = cedar_fn_info(fn);

    if (fn < CEDAR_FN_IP || json_object_size(v) != 2
        || (args != NULL && json_array_size(args) == 0))
    {
        return cedar_est_fail(e, "expected an extension value: {\"fn\": "
                              "\"ip\", \"arg\": \"...\"}");
    }

    arg = (args != NULL) ? json_array_get(args, 0) : arg;
    emage_buf_add_c(&e->b, "(");

    if (!info->method) {
        emage_buf_add_str(&e->b, info->name);
        emage_buf_add_c(&e->b, "(");
    }

    if (!cedar_est_value(e, arg, depth + 1)) {
        return false;
    }

    if (info->method) {
        emage_buf_add_c(&e->b, ".");
        emage_buf_add_str(&e->b, info->name);
        emage_buf_add_c(&e->b, "(");
    }

    return (args == NULL || json_array_size(args) == 1
            || cedar_est_list(e, args, 1, true, depth))
           && emage_buf_add_c(&e->b, "))") == EMAGE_OK;
}
