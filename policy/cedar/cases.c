/*
 * Copyright (C) The e-mage authors
 *
 * Requests and test cases from JSON.
 */


#include "cedar_json.h"


struct cedar_cases_s {
    cedar_arena_t       arena;
    cedar_case_t       *list;
    cedar_entities_t  **owned;
    size_t              n;
    size_t              owned_n;
};


static cedar_cases_t *cedar_cases_create(size_t n);
static emage_rc_t cedar_cases_fill(cedar_cases_t *cases,
    const cedar_set_t *set, cedar_entities_t *entities, const json_t *array,
    cedar_json_t *j);
static emage_rc_t cedar_case_load(cedar_cases_t *cases,
    const cedar_set_t *set, cedar_entities_t *entities, const json_t *o,
    cedar_json_t *j, cedar_case_t *c);
static bool cedar_case_request(const cedar_set_t *set, const json_t *o,
    cedar_json_t *j, cedar_case_t *c);
static bool cedar_case_part(cedar_json_t *j, const json_t *o,
    const char *part, cedar_value_t *v);
static bool cedar_case_expected(cedar_json_t *j, const json_t *o,
    cedar_case_t *c);
static void cedar_result_ids(const cedar_set_t *set, const uint32_t *list,
    uint32_t n, emage_buf_t *b);
static bool cedar_case_same(const cedar_set_t *set, const uint32_t *list,
    uint32_t n, const emage_str_t *ids, uint32_t ids_n);
static bool cedar_case_ids(cedar_json_t *j, const json_t *array,
    const emage_str_t **ids, uint32_t *n);


static cedar_cases_t *
cedar_cases_create(size_t n)
{
    cedar_arena_t   arena;
    cedar_cases_t  *cases;

    cedar_arena_init(&arena, 64 * 1024 * 1024);
    cases = cedar_zalloc(&arena, sizeof(cedar_cases_t));

    if (cases != NULL) {
        cases->list = cedar_zalloc(&arena, n * sizeof(cedar_case_t));
        cases->owned = cedar_zalloc(&arena,
                                    (n + 1) * sizeof(cedar_entities_t *));

        if (cases->list != NULL && cases->owned != NULL) {
            cases->arena = arena;
            return cases;
        }
    }

    cedar_arena_free(&arena);

    return NULL;
}


void
cedar_cases_destroy(cedar_cases_t *cases)
{
    size_t         i;
    cedar_arena_t  arena;

    if (cases != NULL) {

        for (i = 0; i < cases->owned_n; i++) {
            cedar_entities_destroy(cases->owned[i]);
        }

        arena = cases->arena;
        cedar_arena_free(&arena);
    }
}


size_t
cedar_cases_count(const cedar_cases_t *cases)
{
    return cases->n;
}


const cedar_case_t *
cedar_cases_at(const cedar_cases_t *cases, size_t i)
{
    return (i < cases->n) ? &cases->list[i] : NULL;
}


emage_rc_t
cedar_cases_load(const cedar_set_t *set, cedar_entities_t *entities,
    emage_str_t name, emage_str_t text, cedar_cases_t **cases,
    emage_error_t *err)
{
    json_t        *root;
    emage_rc_t     rc;
    cedar_json_t   j;

    memset(&j, 0, sizeof(j));
    j.name = name;
    j.err = err;
    j.list = "case";
    *cases = NULL;

    root = cedar_json_parse(name, text, err);
    if (root == NULL) {
        return EMAGE_ERROR;
    }

    if (!json_is_array(root) || json_array_size(root) > CEDAR_MAX_ENTITIES) {
        emage_error_set(err, "%.*s: expected an array of at most %d "
                        "requests", (int) name.len, name.data,
                        CEDAR_MAX_ENTITIES);
        json_decref(root);
        return EMAGE_ERROR;
    }

    *cases = cedar_cases_create(json_array_size(root));

    if (*cases == NULL) {
        cedar_json_nomem(&j);
        json_decref(root);
        return EMAGE_NOMEM;
    }

    rc = cedar_cases_fill(*cases, set, entities, root, &j);
    json_decref(root);

    if (rc != EMAGE_OK) {
        cedar_cases_destroy(*cases);
        *cases = NULL;
    }

    return rc;
}


static emage_rc_t
cedar_cases_fill(cedar_cases_t *cases, const cedar_set_t *set,
    cedar_entities_t *entities, const json_t *array, cedar_json_t *j)
{
    size_t      i;
    emage_rc_t  rc;

    /* without entities the cases still need a table of names */

    if (entities == NULL) {
        rc = cedar_entities_create(set, &entities, j->err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        cases->owned[cases->owned_n++] = entities;
    }

    for (i = 0; i < json_array_size(array); i++) {
        j->list = "case";
        j->index = i;
        j->part = NULL;

        rc = cedar_case_load(cases, set, entities, json_array_get(array, i),
                             j, &cases->list[i]);
        if (rc != EMAGE_OK) {
            return rc;
        }

        cases->n = i + 1;
    }

    return EMAGE_OK;
}


static emage_rc_t
cedar_case_load(cedar_cases_t *cases, const cedar_set_t *set,
    cedar_entities_t *entities, const json_t *o, cedar_json_t *j,
    cedar_case_t *c)
{
    size_t         index;
    emage_rc_t     rc;
    const json_t  *own, *request;

    j->e = entities;
    own = json_object_get(o, "entities");
    request = json_object_get(o, "request");

    if (own != NULL) {
        rc = cedar_entities_create(set, &j->e, j->err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        cases->owned[cases->owned_n++] = j->e;
        index = j->index;

        rc = cedar_json_entities(j, own);
        if (rc != EMAGE_OK) {
            return rc;
        }

        j->list = "case";
        j->index = index;
        j->part = NULL;
    }

    c->entities = j->e;
    c->name = emage_str("");

    if ((json_object_get(o, "name") != NULL
         && !cedar_json_string(j, json_object_get(o, "name"), &c->name))
        || !cedar_case_request(set, request != NULL ? request : o, j, c)
        || !cedar_case_expected(j, o, c))
    {
        return cedar_json_rc(j);
    }

    return EMAGE_OK;
}


static bool
cedar_case_part(cedar_json_t *j, const json_t *o, const char *part,
    cedar_value_t *v)
{
    j->part = part;

    return cedar_json_uid(j, json_object_get(o, part), v);
}


static bool
cedar_case_request(const cedar_set_t *set, const json_t *o, cedar_json_t *j,
    cedar_case_t *c)
{
    json_t                *context;
    cedar_request_t       *req;
    const cedar_action_t  *action;

    req = cedar_zalloc(&j->e->arena, sizeof(cedar_request_t));
    if (req == NULL) {
        return cedar_json_nomem(j);
    }

    cedar_request_init(req, set, &j->e->arena);
    c->request = req;

    if (!cedar_case_part(j, o, "principal", &req->principal)
        || !cedar_case_part(j, o, "action", &req->action)
        || !cedar_case_part(j, o, "resource", &req->resource))
    {
        return false;
    }

    context = json_object_get(o, "context");
    j->part = "context";

    if (context == NULL) {
        return true;
    }

    action = cedar_schema_action(set, &req->action);

    if (!json_is_object(context)) {
        return cedar_json_fail(j, "expected a record: {...}");
    }

    if (!cedar_json_value(j, context, action == NULL ? NULL
                          : action->context, 0, &req->context))
    {
        return false;
    }

    if (req->context.kind != CEDAR_RECORD) {
        return cedar_json_fail(j, "expected a record: {...}");
    }

    return true;
}


static bool
cedar_case_expected(cedar_json_t *j, const json_t *o, cedar_case_t *c)
{
    emage_str_t    s;
    const json_t  *d;

    d = json_object_get(o, "decision");
    j->part = "decision";

    if (d == NULL) {
        return true;
    }

    s = (emage_str_t) { json_string_value(d), json_string_length(d) };

    if (emage_str_eq(s, emage_str("allow"))) {
        c->decision = CEDAR_ALLOW;

    } else if (emage_str_eq(s, emage_str("deny"))) {
        c->decision = CEDAR_DENY;

    } else {
        return cedar_json_fail(j, "expected \"allow\" or \"deny\"");
    }

    c->expected = true;
    j->part = "reason";

    if (!cedar_case_ids(j, json_object_get(o, "reason"), &c->reason,
                        &c->reason_n))
    {
        return false;
    }

    j->part = "errors";

    return cedar_case_ids(j, json_object_get(o, "errors"), &c->errors,
                          &c->errors_n);
}


static bool
cedar_case_ids(cedar_json_t *j, const json_t *array, const emage_str_t **ids,
    uint32_t *n)
{
    size_t        i, len;
    emage_str_t  *list;

    len = json_array_size(array);

    if (array != NULL && !json_is_array(array)) {
        return cedar_json_fail(j, "expected an array of policy ids");
    }

    list = cedar_array(&j->e->arena, len, sizeof(emage_str_t));
    if (list == NULL) {
        return cedar_json_nomem(j);
    }

    for (i = 0; i < len; i++) {
        if (!cedar_json_string(j, json_array_get(array, i), &list[i])) {
            return false;
        }
    }

    *ids = list;
    *n = len;

    return true;
}


static bool
cedar_case_same(const cedar_set_t *set, const uint32_t *list, uint32_t n,
    const emage_str_t *ids, uint32_t ids_n)
{
    uint32_t  i, k;

    for (i = 0; n == ids_n && i < n; i++) {

        for (k = 0; k < n; k++) {
            if (emage_str_eq(cedar_policy_id(set, list[i]), ids[k])) {
                break;
            }
        }

        if (k == n) {
            return false;
        }
    }

    return n == ids_n;
}


bool
cedar_case_agrees(const cedar_set_t *set, const cedar_case_t *c,
    const cedar_result_t *r)
{
    return c->expected && c->decision == r->decision
           && cedar_case_same(set, r->reason, r->reason_n, c->reason,
                              c->reason_n)
           && cedar_case_same(set, r->errors, r->errors_n, c->errors,
                              c->errors_n);
}


/* Ids in byte order: each time the least that comes after the last. */

static void
cedar_result_ids(const cedar_set_t *set, const uint32_t *list, uint32_t n,
    emage_buf_t *b)
{
    uint32_t     i, k, done;
    emage_str_t  id, next, last;

    emage_buf_add_c(b, "[");
    last = next = emage_null_str;

    for (done = 0; done < n; done += k) {

        for (i = 0, k = 0; i < n; i++) {
            id = cedar_policy_id(set, list[i]);

            if (done != 0 && emage_str_cmp(id, last) <= 0) {
                continue;
            }

            if (k != 0 && emage_str_eq(id, next)) {
                k++;

            } else if (k == 0 || emage_str_cmp(id, next) < 0) {
                next = id;
                k = 1;
            }
        }

        for (i = 0; i < k; i++) {
            emage_buf_add_c(b, (done + i == 0) ? "" : ",");
            emage_buf_add_json(b, next);
        }

        if (k == 0) {
            break;
        }

        last = next;
    }

    emage_buf_add_c(b, "]");
}


emage_rc_t
cedar_result_json(const cedar_set_t *set, const cedar_result_t *r,
    emage_buf_t *b)
{
    emage_buf_add_c(b, (r->decision == CEDAR_ALLOW)
                       ? "{\"decision\":\"allow\",\"reason\":"
                       : "{\"decision\":\"deny\",\"reason\":");
    cedar_result_ids(set, r->reason, r->reason_n, b);
    emage_buf_add_c(b, ",\"errors\":");
    cedar_result_ids(set, r->errors, r->errors_n, b);

    return emage_buf_add_c(b, "}");
}
