/*
 * Copyright (C) The e-mage authors
 *
 * The innermost parts of expressions: literals, variables, entities, sets,
 * records, function calls, parentheses.
 */


#include "cedar_parse.h"


static cedar_node_t *cedar_expr_word(cedar_parser_t *p);
static cedar_node_t *cedar_expr_name(cedar_parser_t *p, emage_str_t word,
    uint32_t pos);
static cedar_node_t *cedar_expr_call(cedar_parser_t *p, emage_str_t name,
    uint32_t pos);
static cedar_node_t *cedar_expr_record(cedar_parser_t *p, uint32_t pos);
static bool cedar_record_key(cedar_parser_t *p, cedar_symbol_t *key);
static cedar_node_t *cedar_record_sort(cedar_parser_t *p,
    cedar_node_t **arg, cedar_symbol_t *names, uint32_t n, uint32_t pos);


cedar_node_t *
cedar_expr_primary(cedar_parser_t *p)
{
    uint32_t        n, pos;
    emage_str_t     s;
    cedar_node_t  **arg, *node;

    pos = p->tok.pos;

    if (p->tok.kind == CEDAR_TOK_STRING) {
        return cedar_string(p, "a string", &s)
               ? cedar_node_lit(p, pos, cedar_value_string(s)) : NULL;
    }

    if (p->tok.kind == CEDAR_TOK_IDENT) {
        return cedar_expr_word(p);
    }

    if (p->tok.kind == CEDAR_TOK_SLOT) {
        cedar_fail(p, pos, "a template slot may stand in the scope only");
        return NULL;
    }

    if (cedar_take(p, "(")) {
        node = cedar_expr(p);

        return (node != NULL && cedar_expect(p, ")", "to close \"(\""))
               ? node : NULL;
    }

    if (cedar_take(p, "[")) {
        arg = NULL;
        n = 0;

        if (!cedar_expr_list(p, "]", &arg, &n)) {
            return NULL;
        }

        node = cedar_node(p, CEDAR_N_SET, pos, arg, n);

        return (node != NULL && cedar_node_fold(p, node)) ? node : NULL;
    }

    if (cedar_take(p, "{")) {
        return cedar_expr_record(p, pos);
    }

    cedar_unexpected(p, "an expression");

    return NULL;
}


static cedar_node_t *
cedar_expr_word(cedar_parser_t *p)
{
    uint32_t     pos;
    emage_str_t  word;

    pos = p->tok.pos;

    if (cedar_take(p, "true")) {
        return cedar_node_lit(p, pos, cedar_value_bool(true));
    }

    if (cedar_take(p, "false")) {
        return cedar_node_lit(p, pos, cedar_value_bool(false));
    }

    if (cedar_at(p, "if")) {
        cedar_fail(p, pos, "put \"if ... then ... else\" in parentheses "
                   "here");
        return NULL;
    }

    if (!cedar_ident(p, "an expression", &word)) {
        return NULL;
    }

    if (cedar_at(p, "::")) {
        return cedar_expr_name(p, word, pos);
    }

    if (cedar_take(p, "(")) {
        return cedar_expr_call(p, word, pos);
    }

    if (emage_str_eq(word, emage_str("principal"))) {
        return cedar_node(p, CEDAR_N_PRINCIPAL, pos, NULL, 0);
    }

    if (emage_str_eq(word, emage_str("action"))) {
        return cedar_node(p, CEDAR_N_ACTION, pos, NULL, 0);
    }

    if (emage_str_eq(word, emage_str("resource"))) {
        return cedar_node(p, CEDAR_N_RESOURCE, pos, NULL, 0);
    }

    if (emage_str_eq(word, emage_str("context"))) {
        return cedar_node(p, CEDAR_N_CONTEXT, pos, NULL, 0);
    }

    cedar_fail(p, pos, "no such variable: \"%.*s\"; there are principal, "
               "action, resource and context", (int) word.len, word.data);

    return NULL;
}


static cedar_node_t *
cedar_expr_name(cedar_parser_t *p, emage_str_t word, uint32_t pos)
{
    emage_str_t     id;
    cedar_symbol_t  type;

    type = cedar_path(p, word, &id, NULL);

    if (type == CEDAR_NO_SYMBOL) {
        return NULL;
    }

    if (id.data == NULL) {
        cedar_unexpected(p, "an entity id, as in User::\"alice\"");
        return NULL;
    }

    return cedar_node_lit(p, pos, cedar_value_uid(type, id));
}


/*
 * A constructor of a constant is made here, once.  One that cannot be made
 * fails when it is evaluated, as in Cedar, and the validator refuses it.
 */

static cedar_node_t *
cedar_expr_call(cedar_parser_t *p, emage_str_t name, uint32_t pos)
{
    uint32_t        n;
    cedar_fn_t      fn;
    cedar_node_t  **arg, *node;

    fn = cedar_fn_find(name);

    if (fn == CEDAR_FN_NONE || cedar_fn_info(fn)->method) {
        cedar_fail(p, pos, (fn == CEDAR_FN_NONE)
                   ? "no such function: \"%.*s\""
                   : "\"%.*s\" is a method: write it behind its object and "
                     "a dot", (int) name.len, name.data);
        return NULL;
    }

    arg = NULL;
    n = 0;

    if (!cedar_expr_list(p, ")", &arg, &n)) {
        return NULL;
    }

    node = cedar_node(p, CEDAR_N_CALL, pos, arg, n);
    if (node == NULL) {
        return NULL;
    }

    node->fn = fn;

    if (n == 1 && arg[0]->kind == CEDAR_N_LIT
        && arg[0]->value.kind == CEDAR_STRING)
    {
        node->fault = cedar_fn_construct(fn, (emage_str_t) {
                                             arg[0]->value.u.s,
                                             arg[0]->value.len },
                                         p->arena, &node->value);

        if (p->arena->failed) {
            cedar_nomem(p);
            return NULL;
        }

        if (node->fault != NULL) {
            node->value = cedar_value(0);
        }
    }

    cedar_node_hash(node);

    return node;
}


/* Expressions between commas up to `end`, which is taken. */

bool
cedar_expr_list(cedar_parser_t *p, const char *end, cedar_node_t ***arg,
    uint32_t *n)
{
    cedar_node_t  *a;

    if (cedar_take(p, end)) {
        return true;
    }

    do {
        a = cedar_expr(p);
        if (a == NULL) {
            return false;
        }

        *arg = cedar_grow(p->arena, *arg, *n, sizeof(cedar_node_t *));
        if (*arg == NULL) {
            return cedar_nomem(p);
        }

        (*arg)[(*n)++] = a;

    } while (cedar_take(p, ",") && !cedar_at(p, end));

    return cedar_expect(p, end, "or \",\" in the list");
}


static bool
cedar_record_key(cedar_parser_t *p, cedar_symbol_t *key)
{
    emage_str_t  name;

    if (p->tok.kind == CEDAR_TOK_STRING) {
        if (!cedar_string(p, "an attribute", &name)) {
            return false;
        }

    } else if (!cedar_ident(p, "an attribute", &name)) {
        return false;
    }

    *key = cedar_symbol_intern(&p->set->symbols, name);

    if (*key == CEDAR_NO_SYMBOL) {
        return cedar_nomem(p);
    }

    return cedar_expect(p, ":", "behind the attribute");
}


static cedar_node_t *
cedar_expr_record(cedar_parser_t *p, uint32_t pos)
{
    uint32_t         n;
    cedar_node_t   **arg;
    cedar_symbol_t  *names, key;

    arg = NULL;
    names = NULL;
    n = 0;

    while (!cedar_at(p, "}")) {

        if (!cedar_record_key(p, &key)) {
            return NULL;
        }

        if (n == CEDAR_MAX_RECORD) {
            cedar_fail(p, p->tok.pos, "more than %d attributes in one "
                       "record", CEDAR_MAX_RECORD);
            return NULL;
        }

        arg = cedar_grow(p->arena, arg, n, sizeof(cedar_node_t *));
        names = cedar_grow(p->arena, names, n, sizeof(cedar_symbol_t));

        if (arg == NULL || names == NULL) {
            cedar_nomem(p);
            return NULL;
        }

        names[n] = key;
        arg[n] = cedar_expr(p);

        if (arg[n++] == NULL) {
            return NULL;
        }

        if (!cedar_take(p, ",")) {
            break;
        }
    }

    if (!cedar_expect(p, "}", "or \",\" in the record")) {
        return NULL;
    }

    return cedar_record_sort(p, arg, names, n, pos);
}


static cedar_node_t *
cedar_record_sort(cedar_parser_t *p, cedar_node_t **arg,
    cedar_symbol_t *names, uint32_t n, uint32_t pos)
{
    uint32_t         i, k;
    emage_str_t      s;
    cedar_node_t    *a;
    cedar_symbol_t   name;

    for (i = 1; i < n; i++) {
        a = arg[i];
        name = names[i];

        for (k = i; k > 0 && names[k - 1] > name; k--) {
            names[k] = names[k - 1];
            arg[k] = arg[k - 1];
        }

        names[k] = name;
        arg[k] = a;

        if (k > 0 && names[k - 1] == name) {
            s = cedar_symbol_name(&p->set->symbols, name);
            cedar_fail(p, a->pos, "attribute \"%.*s\" given twice in one "
                       "record", (int) s.len, s.data);
            return NULL;
        }
    }

    a = cedar_node(p, CEDAR_N_RECORD, pos, arg, n);

    if (a != NULL) {
        a->names = names;
        cedar_node_hash(a);

        if (!cedar_node_fold(p, a)) {
            return NULL;
        }
    }

    return a;
}
