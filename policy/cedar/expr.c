/*
 * Copyright (C) The e-mage authors
 *
 * The expression parser: recursive descent, by Cedar's grammar.
 */


#include "cedar_parse.h"


static cedar_node_t *cedar_expr_if(cedar_parser_t *p);
static cedar_node_t *cedar_expr_or(cedar_parser_t *p);
static cedar_node_t *cedar_expr_and(cedar_parser_t *p);
static cedar_node_t *cedar_expr_relation(cedar_parser_t *p);
static cedar_node_t *cedar_expr_compare(cedar_parser_t *p, cedar_node_t *a);
static cedar_node_t *cedar_expr_has(cedar_parser_t *p, cedar_node_t *a,
    uint32_t pos);
static cedar_node_t *cedar_expr_like(cedar_parser_t *p, cedar_node_t *a,
    uint32_t pos);
static cedar_node_t *cedar_expr_is(cedar_parser_t *p, cedar_node_t *a,
    uint32_t pos);
static cedar_node_t *cedar_expr_add(cedar_parser_t *p);
static cedar_node_t *cedar_expr_mul(cedar_parser_t *p);
static cedar_node_t *cedar_expr_unary(cedar_parser_t *p);
static cedar_node_t *cedar_expr_number(cedar_parser_t *p, bool neg);
static cedar_node_t *cedar_expr_member(cedar_parser_t *p, cedar_node_t *n);
static cedar_node_t *cedar_expr_method(cedar_parser_t *p, cedar_node_t *n,
    emage_str_t name, uint32_t pos);
static cedar_symbol_t cedar_attr_name(cedar_parser_t *p, emage_str_t name);



cedar_node_t *
cedar_expr(cedar_parser_t *p)
{
    cedar_node_t  *n;

    if (!cedar_enter(p)) {
        return NULL;
    }

    n = cedar_at(p, "if") ? cedar_expr_if(p) : cedar_expr_or(p);
    p->depth--;

    return p->failed ? NULL : n;
}


static cedar_node_t *
cedar_expr_if(cedar_parser_t *p)
{
    uint32_t        pos;
    cedar_node_t  **arg;

    pos = p->tok.pos;
    cedar_next(p);

    arg = cedar_alloc(p->arena, 3 * sizeof(cedar_node_t *));
    if (arg == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    arg[0] = cedar_expr(p);

    if (arg[0] == NULL || !cedar_expect(p, "then", "of \"if\"")) {
        return NULL;
    }

    arg[1] = cedar_expr(p);

    if (arg[1] == NULL || !cedar_expect(p, "else", "of \"if\"")) {
        return NULL;
    }

    arg[2] = cedar_expr(p);

    return (arg[2] == NULL) ? NULL : cedar_node(p, CEDAR_N_IF, pos, arg, 3);
}


static cedar_node_t *
cedar_expr_or(cedar_parser_t *p)
{
    cedar_node_t  *a, *b;

    a = cedar_expr_and(p);

    while (a != NULL && cedar_take(p, "||")) {
        b = cedar_expr_and(p);
        a = (b == NULL) ? NULL : cedar_node2(p, CEDAR_N_OR, a->pos, a, b);
    }

    return a;
}


static cedar_node_t *
cedar_expr_and(cedar_parser_t *p)
{
    cedar_node_t  *a, *b;

    a = cedar_expr_relation(p);

    while (a != NULL && cedar_take(p, "&&")) {
        b = cedar_expr_relation(p);
        a = (b == NULL) ? NULL : cedar_node2(p, CEDAR_N_AND, a->pos, a, b);
    }

    return a;
}


static cedar_node_t *
cedar_expr_relation(cedar_parser_t *p)
{
    uint32_t       pos;
    cedar_node_t  *a;

    a = cedar_expr_add(p);

    if (a == NULL) {
        return NULL;
    }

    pos = a->pos;

    if (cedar_take(p, "has")) {
        return cedar_expr_has(p, a, pos);
    }

    if (cedar_take(p, "like")) {
        return cedar_expr_like(p, a, pos);
    }

    if (cedar_take(p, "is")) {
        return cedar_expr_is(p, a, pos);
    }

    return cedar_expr_compare(p, a);
}


/* != > >= are negations, as in Cedar's own abstract syntax. */

static cedar_node_t *
cedar_expr_compare(cedar_parser_t *p, cedar_node_t *a)
{
    size_t         i;
    uint32_t       pos;
    cedar_node_t  *b;

    static const struct {
        const char  *sign;
        uint8_t      kind;
        bool         negate;
    } ops[] = {
        { "==", CEDAR_N_EQ, false },
        { "!=", CEDAR_N_EQ, true },
        { "<",  CEDAR_N_LT, false },
        { "<=", CEDAR_N_LE, false },
        { ">",  CEDAR_N_LE, true },
        { ">=", CEDAR_N_LT, true },
        { "in", CEDAR_N_IN, false }
    };

    pos = a->pos;

    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (cedar_at(p, ops[i].sign)) {
            break;
        }
    }

    if (i == sizeof(ops) / sizeof(ops[0])) {
        return a;
    }

    cedar_next(p);

    b = cedar_expr_add(p);
    if (b == NULL) {
        return NULL;
    }

    a = cedar_node2(p, ops[i].kind, pos, a, b);

    if (a != NULL && ops[i].negate) {
        a = cedar_node1(p, CEDAR_N_NOT, pos, a);

        if (a != NULL) {
            a->written = CEDAR_AS_OPERATOR;
        }
    }

    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (cedar_at(p, ops[i].sign)) {
            cedar_fail(p, p->tok.pos, "two comparisons in a row; put one in "
                       "parentheses");
            return NULL;
        }
    }

    return a;
}


static cedar_symbol_t
cedar_attr_name(cedar_parser_t *p, emage_str_t name)
{
    cedar_symbol_t  s;

    s = cedar_symbol_intern(&p->set->symbols, name);

    if (s == CEDAR_NO_SYMBOL) {
        cedar_nomem(p);
    }

    return s;
}


/* `e has a.b.c` holds e, e.a and e.a.b, as the validator needs them. */

static cedar_node_t *
cedar_expr_has(cedar_parser_t *p, cedar_node_t *a, uint32_t pos)
{
    uint32_t          n;
    emage_str_t       name;
    cedar_node_t    **arg, *node;
    cedar_symbol_t   *names;

    arg = NULL;
    names = NULL;

    for (n = 0; n < CEDAR_MAX_DEPTH; n++) {

        if (n == 0 && p->tok.kind == CEDAR_TOK_STRING) {
            if (!cedar_string(p, "an attribute", &name)) {
                return NULL;
            }

        } else if (!cedar_ident(p, "an attribute", &name)) {
            return NULL;
        }

        arg = cedar_grow(p->arena, arg, n, sizeof(cedar_node_t *));
        names = cedar_grow(p->arena, names, n, sizeof(cedar_symbol_t));

        if (arg == NULL || names == NULL) {
            cedar_nomem(p);
            return NULL;
        }

        arg[n] = a;
        names[n] = cedar_attr_name(p, name);

        if (!cedar_take(p, ".")) {
            node = cedar_node(p, CEDAR_N_HAS, pos, arg, n + 1);

            if (node != NULL) {
                node->names = names;
                cedar_node_hash(node);
            }

            return p->failed ? NULL : node;
        }

        a = cedar_node1(p, CEDAR_N_ATTR, pos, a);
        if (a == NULL) {
            return NULL;
        }

        a->sym = names[n];
        cedar_node_hash(a);
    }

    cedar_fail(p, pos, "more than %d attributes in one \"has\"; split it",
               CEDAR_MAX_DEPTH);

    return NULL;
}


static cedar_node_t *
cedar_expr_like(cedar_parser_t *p, cedar_node_t *a, uint32_t pos)
{
    cedar_node_t           *node;
    const cedar_pattern_t  *pat;

    if (p->tok.kind != CEDAR_TOK_STRING) {
        cedar_unexpected(p, "a pattern in quotes behind \"like\"");
        return NULL;
    }

    pat = cedar_pattern(p, p->tok.text, p->tok.pos);
    if (pat == NULL) {
        return NULL;
    }

    cedar_next(p);

    node = cedar_node1(p, CEDAR_N_LIKE, pos, a);

    if (node != NULL) {
        node->pattern = pat;
    }

    return node;
}


static cedar_node_t *
cedar_expr_is(cedar_parser_t *p, cedar_node_t *a, uint32_t pos)
{
    cedar_node_t    *b, *node;
    cedar_symbol_t   type;

    type = cedar_path(p, emage_null_str, NULL, NULL);
    if (type == CEDAR_NO_SYMBOL) {
        return NULL;
    }

    if (cedar_take(p, "in")) {
        b = cedar_expr_add(p);
        node = (b == NULL) ? NULL
                           : cedar_node2(p, CEDAR_N_IS_IN, pos, a, b);

    } else {
        node = cedar_node1(p, CEDAR_N_IS, pos, a);
    }

    if (node != NULL) {
        node->sym = type;
        cedar_node_hash(node);
    }

    return node;
}


static cedar_node_t *
cedar_expr_add(cedar_parser_t *p)
{
    cedar_node_t       *a, *b;
    cedar_node_kind_t   kind;

    a = cedar_expr_mul(p);

    while (a != NULL && (cedar_at(p, "+") || cedar_at(p, "-"))) {
        kind = cedar_at(p, "+") ? CEDAR_N_ADD : CEDAR_N_SUB;
        cedar_next(p);
        b = cedar_expr_mul(p);
        a = (b == NULL) ? NULL : cedar_node2(p, kind, a->pos, a, b);
    }

    return a;
}


static cedar_node_t *
cedar_expr_mul(cedar_parser_t *p)
{
    cedar_node_t  *a, *b;

    a = cedar_expr_unary(p);

    while (a != NULL && cedar_take(p, "*")) {
        b = cedar_expr_unary(p);
        a = (b == NULL) ? NULL : cedar_node2(p, CEDAR_N_MUL, a->pos, a, b);
    }

    return a;
}


/* Up to four of ! or -, all alike; the last - belongs to a number behind. */

static cedar_node_t *
cedar_expr_unary(cedar_parser_t *p)
{
    bool           dash;
    uint32_t       i, n, pos[5];
    cedar_node_t  *a;

    dash = cedar_at(p, "-");

    for (n = 0; cedar_at(p, dash ? "-" : "!"); n++) {

        if (n == 4) {
            cedar_fail(p, p->tok.pos, "more than four \"%s\" in a row; "
                       "remove some", dash ? "-" : "!");
            return NULL;
        }

        pos[n] = p->tok.pos;
        cedar_next(p);
    }

    if (p->tok.kind == CEDAR_TOK_NUMBER) {
        a = cedar_expr_number(p, dash && n > 0);

        if (a != NULL && dash && n > 0 && a->kind == CEDAR_N_LIT
            && a->value.u.i <= 0)
        {
            n--;
            a->pos = pos[n];
        }

    } else {
        a = cedar_expr_member(p, cedar_expr_primary(p));
    }

    for (i = n; a != NULL && i-- > 0; /* void */ ) {
        a = cedar_node1(p, dash ? CEDAR_N_NEG : CEDAR_N_NOT, pos[i], a);
    }

    return a;
}


static cedar_node_t *
cedar_expr_number(cedar_parser_t *p, bool neg)
{
    size_t         i;
    int64_t        v;
    cedar_node_t  *a;
    cedar_token_t  t;

    t = p->tok;
    v = 0;

    for (i = 0; i < t.text.len; i++) {
        if (__builtin_mul_overflow(v, 10, &v)
            || __builtin_sub_overflow(v, t.text.data[i] - '0', &v))
        {
            goto too_large;
        }
    }

    cedar_next(p);

    /* -5.x and -5["x"] negate the member, not the number */

    if (neg && (cedar_at(p, ".") || cedar_at(p, "["))) {
        neg = false;
    }

    if (!neg && __builtin_sub_overflow((int64_t) 0, v, &v)) {
        goto too_large;
    }

    a = cedar_node_lit(p, t.pos, cedar_value_int(CEDAR_LONG, v));

    return cedar_expr_member(p, a);

too_large:

    cedar_fail(p, t.pos, "number is larger than 9223372036854775807");

    return NULL;
}


static cedar_node_t *
cedar_expr_member(cedar_parser_t *p, cedar_node_t *n)
{
    uint32_t      pos;
    emage_str_t   name;

    while (n != NULL && !p->failed) {
        pos = p->tok.pos;

        if (cedar_take(p, "[")) {

            if (p->tok.kind != CEDAR_TOK_STRING) {
                cedar_unexpected(p, "an attribute's name in quotes");
                return NULL;
            }

            if (!cedar_string(p, "an attribute's name", &name)
                || !cedar_expect(p, "]", "behind the attribute's name"))
            {
                return NULL;
            }

        } else if (cedar_take(p, ".")) {
            pos = p->tok.pos;

            if (!cedar_ident(p, "an attribute or method", &name)) {
                return NULL;
            }

            if (cedar_take(p, "(")) {
                n = cedar_expr_method(p, n, name, pos);
                continue;
            }

        } else {
            return n;
        }

        n = cedar_node1(p, CEDAR_N_ATTR, n->pos, n);

        if (n != NULL) {
            n->sym = cedar_attr_name(p, name);
            cedar_node_hash(n);
        }
    }

    return p->failed ? NULL : n;
}


static cedar_node_t *
cedar_expr_method(cedar_parser_t *p, cedar_node_t *n, emage_str_t name,
    uint32_t pos)
{
    uint32_t                 args;
    cedar_fn_t               fn;
    cedar_node_t           **arg, *node;
    const cedar_fn_info_t   *info;

    fn = cedar_fn_find(name);
    info = cedar_fn_info(fn);

    if (!info->method) {
        cedar_fail(p, pos, (fn == CEDAR_FN_NONE)
                   ? "no such method: \"%.*s\""
                   : "\"%.*s\" is a function: write it before its argument",
                   (int) name.len, name.data);
        return NULL;
    }

    arg = cedar_grow(p->arena, NULL, 0, sizeof(cedar_node_t *));
    if (arg == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    arg[0] = n;
    args = 1;

    if (!cedar_expr_list(p, ")", &arg, &args)) {
        return NULL;
    }

    /* an extension's method with too few is the validator's and the
       evaluator's business, as in Cedar */

    if (info->result == 0 && args != info->args) {
        cedar_fail(p, pos, "\"%.*s\" takes %d argument%s, not %u",
                   (int) name.len, name.data, info->args - 1,
                   info->args == 2 ? "" : "s", args - 1);
        return NULL;
    }

    node = cedar_node(p, CEDAR_N_CALL, n->pos, arg, args);

    if (node != NULL) {
        node->fn = fn;
        cedar_node_hash(node);
    }

    return node;
}
