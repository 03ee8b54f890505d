/*
 * Copyright (C) The e-mage authors
 *
 * Expressions of Cedar's JSON policy format, turned into text: the one parser
 * reads that, and messages can point into it.  Names are checked before they
 * are written, so that none can be more than a name.
 */


#include "cedar_est.h"


static bool cedar_est_body(cedar_est_t *e, const char *key, json_t *v,
    uint32_t depth);
static bool cedar_est_operand(cedar_est_t *e, json_t *v, uint32_t depth);
static bool cedar_est_chain(cedar_est_t *e, const char *key, json_t *v,
    uint32_t depth);
static bool cedar_est_binary(cedar_est_t *e, const char *op, json_t *v,
    uint32_t depth);
static bool cedar_est_set_call(cedar_est_t *e, const char *key, json_t *v,
    uint32_t depth);
static bool cedar_est_attr(cedar_est_t *e, json_t *v, uint32_t depth);
static bool cedar_est_has(cedar_est_t *e, json_t *v, uint32_t depth);
static bool cedar_est_has_path(cedar_est_t *e, json_t *left, json_t *attr,
    uint32_t depth);
static bool cedar_est_like(cedar_est_t *e, json_t *v, uint32_t depth);
static bool cedar_est_is(cedar_est_t *e, json_t *v, uint32_t depth);
static bool cedar_est_if(cedar_est_t *e, json_t *v, uint32_t depth);
static bool cedar_est_call(cedar_est_t *e, cedar_fn_t fn, json_t *v,
    uint32_t depth);


bool
cedar_est_fail(cedar_est_t *e, const char *what)
{
    if (!e->failed) {
        emage_error_set(e->err, "%.*s: %s \"%.*s\": %s",
                        (int) e->name.len, e->name.data, e->kind,
                        (int) (e->policy.len > 80 ? 80 : e->policy.len),
                        e->policy.data, what);
    }

    e->failed = true;

    return false;
}


bool
cedar_est_string(cedar_est_t *e, const json_t *v, emage_str_t *s)
{
    if (!json_is_string(v)) {
        return cedar_est_fail(e, "expected a string");
    }

    return cedar_est_copy(e, json_string_value(v), json_string_length(v), s);
}


bool
cedar_est_copy(cedar_est_t *e, const char *data, size_t len, emage_str_t *s)
{
    if (!cedar_strdup(e->arena, (emage_str_t) { data, len }, s)) {
        return cedar_est_fail(e, "no memory");
    }

    s->len = cedar_json_unshield((char *) s->data, s->len);

    return true;
}


/* An expression is an object of one member, its operator. */

bool
cedar_est_expr(cedar_est_t *e, json_t *v, uint32_t depth)
{
    void  *it;

    if (depth > CEDAR_MAX_TREE) {
        return cedar_est_fail(e, "nested too deep; split the policy");
    }

    if (!json_is_object(v) || json_object_size(v) != 1) {
        return cedar_est_fail(e, "expected an expression: an object with one "
                              "member, such as {\"Var\": \"principal\"}");
    }

    it = json_object_iter(v);

    return cedar_est_body(e, json_object_iter_key(it),
                          json_object_iter_value(it), depth + 1);
}


static bool
cedar_est_body(cedar_est_t *e, const char *key, json_t *v, uint32_t depth)
{
    size_t       i;
    cedar_fn_t   fn;
    emage_str_t  s, k;

    static const struct {
        const char  *key;
        bool       (*run)(cedar_est_t *e, json_t *v, uint32_t depth);
    } forms[] = {
        { "Value", cedar_est_value },
        { ".", cedar_est_attr },
        { "has", cedar_est_has },
        { "like", cedar_est_like },
        { "is", cedar_est_is },
        { "if-then-else", cedar_est_if }
    };

    k = emage_str_c(key);

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (emage_str_eq(k, emage_str_c(forms[i].key))) {
            return forms[i].run(e, v, depth);
        }
    }

    if (emage_str_eq(k, emage_str("Var"))) {

        if (!cedar_est_string(e, v, &s)) {
            return false;
        }

        if (!emage_str_eq(s, emage_str("principal"))
            && !emage_str_eq(s, emage_str("action"))
            && !emage_str_eq(s, emage_str("resource"))
            && !emage_str_eq(s, emage_str("context")))
        {
            return cedar_est_fail(e, "no such variable; there are principal, "
                                  "action, resource and context");
        }

        return emage_buf_add_str(&e->b, s) == EMAGE_OK;
    }

    if (emage_str_eq(k, emage_str("Set"))) {
        emage_buf_add_c(&e->b, "[");
        return cedar_est_list(e, v, 0, false, depth)
               && emage_buf_add_c(&e->b, "]") == EMAGE_OK;
    }

    if (emage_str_eq(k, emage_str("Record"))) {
        return cedar_est_record(e, v, false, depth);
    }

    if (emage_str_eq(k, emage_str("!")) || emage_str_eq(k, emage_str("neg")))
    {
        emage_buf_add_c(&e->b, (key[0] == '!') ? "!(" : "-(");

        return cedar_est_expr(e, json_object_get(v, "arg"), depth)
               && emage_buf_add_c(&e->b, ")") == EMAGE_OK;
    }

    fn = cedar_fn_find(k);

    if (fn >= CEDAR_FN_IP) {
        return cedar_est_call(e, fn, v, depth);
    }

    return (fn != CEDAR_FN_NONE) ? cedar_est_set_call(e, key, v, depth)
                                 : cedar_est_chain(e, key, v, depth);
}


/* Parentheses around all but what needs none. */

static bool
cedar_est_operand(cedar_est_t *e, json_t *v, uint32_t depth)
{
    if (json_object_get(v, "Var") != NULL || json_object_get(v, ".") != NULL)
    {
        return cedar_est_expr(e, v, depth);
    }

    emage_buf_add_c(&e->b, "(");

    return cedar_est_expr(e, v, depth)
           && emage_buf_add_c(&e->b, ")") == EMAGE_OK;
}


/* A row of one operator is no nesting: a && b && c. */

static bool
cedar_est_chain(cedar_est_t *e, const char *key, json_t *v, uint32_t depth)
{
    size_t   i;
    json_t  *left;

    static const char *const  chains[] = { "&&", "||", "+", "-", "*" };
    static const char *const  ops[] = {
        "==", "!=", "<", "<=", ">", ">=", "in"
    };

    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (emage_str_eq(emage_str_c(key), emage_str_c(ops[i]))) {
            return cedar_est_binary(e, ops[i], v, depth);
        }
    }

    for (i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        if (emage_str_eq(emage_str_c(key), emage_str_c(chains[i]))) {
            break;
        }
    }

    if (i == sizeof(chains) / sizeof(chains[0])) {
        return cedar_est_fail(e, emage_str_eq(emage_str_c(key),
                                              emage_str("Slot"))
                              ? "a template slot may stand in the scope only"
                              : "no such operator or function in an "
                                "expression");
    }

    if (!json_is_object(v) || json_object_size(v) != 2) {
        return cedar_est_fail(e, "expected \"left\" and \"right\"");
    }

    left = json_object_get(v, "left");

    if (json_object_get(left, key) != NULL) {
        if (!cedar_est_expr(e, left, depth)) {
            return false;
        }

    } else if (!cedar_est_operand(e, left, depth)) {
        return false;
    }

    emage_buf_add_c(&e->b, " ");
    emage_buf_add_c(&e->b, key);
    emage_buf_add_c(&e->b, " ");

    return cedar_est_operand(e, json_object_get(v, "right"), depth);
}


static bool
cedar_est_binary(cedar_est_t *e, const char *op, json_t *v, uint32_t depth)
{
    if (!json_is_object(v) || json_object_size(v) != 2) {
        return cedar_est_fail(e, "expected \"left\" and \"right\"");
    }

    if (!cedar_est_operand(e, json_object_get(v, "left"), depth)) {
        return false;
    }

    emage_buf_add_c(&e->b, " ");
    emage_buf_add_c(&e->b, op);
    emage_buf_add_c(&e->b, " ");

    return cedar_est_operand(e, json_object_get(v, "right"), depth);
}


/* contains and its kin have a left and a right; isEmpty has an arg. */

static bool
cedar_est_set_call(cedar_est_t *e, const char *key, json_t *v,
    uint32_t depth)
{
    bool  empty;

    empty = emage_str_eq(emage_str_c(key), emage_str("isEmpty"));

    if (!json_is_object(v) || json_object_size(v) != (empty ? 1 : 2)) {
        return cedar_est_fail(e, "expected \"left\" and \"right\", or the "
                              "\"arg\" of \"isEmpty\"");
    }

    if (!cedar_est_operand(e, json_object_get(v, empty ? "arg" : "left"),
                           depth))
    {
        return false;
    }

    emage_buf_add_c(&e->b, ".");
    emage_buf_add_c(&e->b, key);
    emage_buf_add_c(&e->b, "(");

    return (empty || cedar_est_expr(e, json_object_get(v, "right"), depth))
           && emage_buf_add_c(&e->b, ")") == EMAGE_OK;
}


static bool
cedar_est_call(cedar_est_t *e, cedar_fn_t fn, json_t *v, uint32_t depth)
{
    size_t                  method;
    const cedar_fn_info_t  *info;

    info = cedar_fn_info(fn);
    method = info->method ? 1 : 0;

    if (!json_is_array(v) || json_array_size(v) < method) {
        return cedar_est_fail(e, "expected the arguments of a function, as "
                              "an array");
    }

    if (method) {
        if (!cedar_est_operand(e, json_array_get(v, 0), depth)) {
            return false;
        }

        emage_buf_add_c(&e->b, ".");
    }

    emage_buf_add_str(&e->b, info->name);
    emage_buf_add_c(&e->b, "(");

    return cedar_est_list(e, v, method, false, depth)
           && emage_buf_add_c(&e->b, ")") == EMAGE_OK;
}


static bool
cedar_est_attr(cedar_est_t *e, json_t *v, uint32_t depth)
{
    emage_str_t  name;

    if (!cedar_est_operand(e, json_object_get(v, "left"), depth)
        || !cedar_est_string(e, json_object_get(v, "attr"), &name))
    {
        return false;
    }

    emage_buf_add_c(&e->b, "[");
    cedar_print_quoted(&e->b, name, false);

    return emage_buf_add_c(&e->b, "]") == EMAGE_OK;
}


static bool
cedar_est_has(cedar_est_t *e, json_t *v, uint32_t depth)
{
    json_t       *left, *attr;
    emage_str_t   name;

    left = json_object_get(v, "left");
    attr = json_object_get(v, "attr");

    if (json_is_array(attr) && json_array_size(attr) != 1) {
        return cedar_est_has_path(e, left, attr, depth);
    }

    if (json_is_array(attr)) {
        attr = json_array_get(attr, 0);
    }

    if (!cedar_est_operand(e, left, depth)
        || !cedar_est_string(e, attr, &name))
    {
        return false;
    }

    emage_buf_add_c(&e->b, " has ");
    cedar_print_quoted(&e->b, name, false);

    return true;
}


static bool
cedar_est_has_path(cedar_est_t *e, json_t *left, json_t *attr,
    uint32_t depth)
{
    size_t       i;
    emage_str_t  name;

    if (json_array_size(attr) == 0) {
        return cedar_est_fail(e, "\"has\" needs at least one attribute");
    }

    if (!cedar_est_operand(e, left, depth)) {
        return false;
    }

    emage_buf_add_c(&e->b, " has ");

    for (i = 0; i < json_array_size(attr); i++) {

        if (!cedar_est_string(e, json_array_get(attr, i), &name)) {
            return false;
        }

        if (!cedar_is_name(name)) {
            return cedar_est_fail(e, "an attribute in a row of \"has\" is no "
                                  "plain name; write one \"has\" for each");
        }

        emage_buf_add_c(&e->b, (i == 0) ? "" : ".");
        emage_buf_add_str(&e->b, name);
    }

    return true;
}


static bool
cedar_est_like(cedar_est_t *e, json_t *v, uint32_t depth)
{
    size_t        i;
    json_t       *pattern, *part;
    emage_str_t   s;

    pattern = json_object_get(v, "pattern");

    if (!json_is_array(pattern)) {
        return cedar_est_fail(e, "expected a \"pattern\": an array of "
                              "\"Wildcard\" and {\"Literal\": \"...\"}");
    }

    if (!cedar_est_operand(e, json_object_get(v, "left"), depth)) {
        return false;
    }

    emage_buf_add_c(&e->b, " like \"");

    for (i = 0; i < json_array_size(pattern); i++) {
        part = json_array_get(pattern, i);

        if (json_is_string(part)) {
            s = emage_str_c(json_string_value(part));

            if (!emage_str_eq(s, emage_str("Wildcard"))) {
                return cedar_est_fail(e, "expected \"Wildcard\" or "
                                      "{\"Literal\": \"...\"}");
            }

            emage_buf_add_c(&e->b, "*");

        } else if (!cedar_est_string(e, json_object_get(part, "Literal"),
                                     &s))
        {
            return false;

        } else {
            cedar_print_escaped(&e->b, s, true);
        }
    }

    return emage_buf_add_c(&e->b, "\"") == EMAGE_OK;
}


static bool
cedar_est_is(cedar_est_t *e, json_t *v, uint32_t depth)
{
    json_t  *in;

    in = json_object_get(v, "in");

    if (!cedar_est_operand(e, json_object_get(v, "left"), depth)) {
        return false;
    }

    emage_buf_add_c(&e->b, " is ");

    if (!cedar_est_type(e, json_object_get(v, "entity_type"))) {
        return false;
    }

    if (in == NULL) {
        return true;
    }

    emage_buf_add_c(&e->b, " in ");

    return cedar_est_operand(e, in, depth);
}


static bool
cedar_est_if(cedar_est_t *e, json_t *v, uint32_t depth)
{
    emage_buf_add_c(&e->b, "(if ");

    if (!cedar_est_expr(e, json_object_get(v, "if"), depth)) {
        return false;
    }

    emage_buf_add_c(&e->b, " then ");

    if (!cedar_est_expr(e, json_object_get(v, "then"), depth)) {
        return false;
    }

    emage_buf_add_c(&e->b, " else ");

    return cedar_est_expr(e, json_object_get(v, "else"), depth)
           && emage_buf_add_c(&e->b, ")") == EMAGE_OK;
}


bool
cedar_est_list(cedar_est_t *e, json_t *v, size_t from, bool values,
    uint32_t depth)
{
    bool    ok;
    size_t  i;

    if (!json_is_array(v)) {
        return cedar_est_fail(e, "expected an array");
    }

    for (i = from, ok = true; i < json_array_size(v) && ok; i++) {
        emage_buf_add_c(&e->b, (i == from) ? "" : ", ");
        ok = values ? cedar_est_value(e, json_array_get(v, i), depth + 1)
                    : cedar_est_expr(e, json_array_get(v, i), depth);
    }

    return ok;
}


bool
cedar_est_record(cedar_est_t *e, json_t *v, bool values, uint32_t depth)
{
    bool          ok;
    void         *it;
    const char   *sep;
    emage_str_t   key;

    if (!json_is_object(v)) {
        return cedar_est_fail(e, "expected an object");
    }

    emage_buf_add_c(&e->b, "{");

    for (it = json_object_iter(v), sep = ""; it != NULL;
         it = json_object_iter_next(v, it), sep = ", ")
    {
        if (!cedar_est_copy(e, json_object_iter_key(it),
                            json_object_iter_key_len(it), &key))
        {
            return false;
        }

        emage_buf_add_c(&e->b, sep);
        cedar_print_quoted(&e->b, key, false);
        emage_buf_add_c(&e->b, ": ");

        ok = values
             ? cedar_est_value(e, json_object_iter_value(it), depth + 1)
             : cedar_est_expr(e, json_object_iter_value(it), depth);

        if (!ok) {
            return false;
        }
    }

    return emage_buf_add_c(&e->b, "}") == EMAGE_OK;
}
