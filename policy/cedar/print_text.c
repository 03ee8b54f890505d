/*
 * Copyright (C) The e-mage authors
 *
 * Policies as text, in one form: what is written here reads back as the same.
 */


#include "cedar_parse.h"
#include "cedar_print.h"

#include <stdio.h>


static void cedar_pt_node(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pt_binary(cedar_printer_t *p, const cedar_node_t *n,
    const char *op, cedar_prec_t left, cedar_prec_t right);
static void cedar_pt_not(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pt_value(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pt_has(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pt_like(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pt_call(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pt_list(cedar_printer_t *p, cedar_node_t *const *arg,
    uint32_t n);
static void cedar_pt_record(cedar_printer_t *p, const cedar_node_t *n);
static cedar_prec_t cedar_prec(const cedar_node_t *n);


void
cedar_print_escaped(emage_buf_t *b, emage_str_t s, bool pattern)
{
    char    hex[16];
    size_t  i, from;

    for (i = 0, from = 0; i < s.len; i++) {
        hex[0] = '\0';

        switch (s.data[i]) {

        case '\n':
            snprintf(hex, sizeof(hex), "\\n");
            break;

        case '\r':
            snprintf(hex, sizeof(hex), "\\r");
            break;

        case '\t':
            snprintf(hex, sizeof(hex), "\\t");
            break;

        case '"':
        case '\\':
            snprintf(hex, sizeof(hex), "\\%c", s.data[i]);
            break;

        case '*':
            if (pattern) {
                snprintf(hex, sizeof(hex), "\\*");
            }

            break;

        default:
            if ((unsigned char) s.data[i] < 0x20 || s.data[i] == 0x7f) {
                snprintf(hex, sizeof(hex), "\\u{%x}",
                         (unsigned char) s.data[i]);
            }
        }

        if (hex[0] != '\0') {
            emage_buf_add(b, s.data + from, i - from);
            emage_buf_add_c(b, hex);
            from = i + 1;
        }
    }

    if (from < s.len) {
        emage_buf_add(b, s.data + from, s.len - from);
    }
}


void
cedar_print_quoted(emage_buf_t *b, emage_str_t s, bool pattern)
{
    emage_buf_add_c(b, "\"");
    cedar_print_escaped(b, s, pattern);
    emage_buf_add_c(b, "\"");
}


void
cedar_pt_symbol(cedar_printer_t *p, cedar_symbol_t s)
{
    emage_buf_add_str(p->b, cedar_symbol_name(&p->set->symbols, s));
}


void
cedar_pt_uid(cedar_printer_t *p, const cedar_value_t *v)
{
    cedar_pt_symbol(p, v->sym);
    emage_buf_add_c(p->b, "::");
    cedar_print_quoted(p->b, (emage_str_t) { v->u.s, v->len }, false);
}


static cedar_prec_t
cedar_prec(const cedar_node_t *n)
{
    switch (n->kind) {

    case CEDAR_N_IF:
        return CEDAR_P_IF;

    case CEDAR_N_OR:
        return CEDAR_P_OR;

    case CEDAR_N_AND:
        return CEDAR_P_AND;

    case CEDAR_N_NOT:
        return (n->written == CEDAR_AS_OPERATOR) ? CEDAR_P_RELATION
                                                 : CEDAR_P_UNARY;

    case CEDAR_N_EQ:
    case CEDAR_N_LT:
    case CEDAR_N_LE:
    case CEDAR_N_IN:
    case CEDAR_N_HAS:
    case CEDAR_N_LIKE:
    case CEDAR_N_IS:
    case CEDAR_N_IS_IN:
        return CEDAR_P_RELATION;

    case CEDAR_N_ADD:
    case CEDAR_N_SUB:
        return CEDAR_P_ADD;

    case CEDAR_N_MUL:
        return CEDAR_P_MUL;

    case CEDAR_N_NEG:
        return CEDAR_P_UNARY;

    case CEDAR_N_LIT:
        return (n->value.kind == CEDAR_LONG && n->value.u.i < 0)
               ? CEDAR_P_UNARY : CEDAR_P_MEMBER;

    default:
        return CEDAR_P_MEMBER;
    }
}


/* Depth is that of the tree, which its makers cap. */

void
cedar_pt(cedar_printer_t *p, const cedar_node_t *n, cedar_prec_t least)
{
    if (cedar_prec(n) >= least) {
        cedar_pt_node(p, n);
        return;
    }

    emage_buf_add_c(p->b, "(");
    cedar_pt_node(p, n);
    emage_buf_add_c(p->b, ")");
}


static void
cedar_pt_binary(cedar_printer_t *p, const cedar_node_t *n, const char *op,
    cedar_prec_t left, cedar_prec_t right)
{
    cedar_pt(p, n->arg[0], left);
    emage_buf_add_c(p->b, op);
    cedar_pt(p, n->arg[1], right);
}


static void
cedar_pt_node(cedar_printer_t *p, const cedar_node_t *n)
{
    switch (n->kind) {

    case CEDAR_N_LIT:
        cedar_pt_value(p, n);
        break;

    case CEDAR_N_PRINCIPAL:
        emage_buf_add_c(p->b, "principal");
        break;

    case CEDAR_N_ACTION:
        emage_buf_add_c(p->b, "action");
        break;

    case CEDAR_N_RESOURCE:
        emage_buf_add_c(p->b, "resource");
        break;

    case CEDAR_N_CONTEXT:
        emage_buf_add_c(p->b, "context");
        break;

    case CEDAR_N_OR:
        cedar_pt_binary(p, n, " || ", CEDAR_P_OR, CEDAR_P_AND);
        break;

    case CEDAR_N_AND:
        cedar_pt_binary(p, n, " && ", CEDAR_P_AND, CEDAR_P_RELATION);
        break;

    case CEDAR_N_NOT:
        cedar_pt_not(p, n);
        break;

    case CEDAR_N_NEG:
        emage_buf_add_c(p->b, "-");

        /* -5 would be a number, not the negation of one */

        cedar_pt(p, n->arg[0], n->arg[0]->kind == CEDAR_N_LIT
                               ? CEDAR_P_MEMBER + 1 : CEDAR_P_MEMBER);
        break;

    case CEDAR_N_EQ:
        cedar_pt_binary(p, n, " == ", CEDAR_P_ADD, CEDAR_P_ADD);
        break;

    case CEDAR_N_LT:
        cedar_pt_binary(p, n, " < ", CEDAR_P_ADD, CEDAR_P_ADD);
        break;

    case CEDAR_N_LE:
        cedar_pt_binary(p, n, " <= ", CEDAR_P_ADD, CEDAR_P_ADD);
        break;

    case CEDAR_N_IN:
        cedar_pt_binary(p, n, " in ", CEDAR_P_ADD, CEDAR_P_ADD);
        break;

    case CEDAR_N_ADD:
        cedar_pt_binary(p, n, " + ", CEDAR_P_ADD, CEDAR_P_MUL);
        break;

    case CEDAR_N_SUB:
        cedar_pt_binary(p, n, " - ", CEDAR_P_ADD, CEDAR_P_MUL);
        break;

    case CEDAR_N_MUL:
        cedar_pt_binary(p, n, " * ", CEDAR_P_MUL, CEDAR_P_UNARY);
        break;

    case CEDAR_N_HAS:
        cedar_pt_has(p, n);
        break;

    case CEDAR_N_LIKE:
        cedar_pt_like(p, n);
        break;

    case CEDAR_N_IS:
    case CEDAR_N_IS_IN:
        cedar_pt(p, n->arg[0], CEDAR_P_ADD);
        emage_buf_add_c(p->b, " is ");
        cedar_pt_symbol(p, n->sym);

        if (n->kind == CEDAR_N_IS_IN) {
            emage_buf_add_c(p->b, " in ");
            cedar_pt(p, n->arg[1], CEDAR_P_ADD);
        }

        break;

    case CEDAR_N_IF:
        emage_buf_add_c(p->b, "if ");
        cedar_pt(p, n->arg[0], CEDAR_P_IF);
        emage_buf_add_c(p->b, " then ");
        cedar_pt(p, n->arg[1], CEDAR_P_IF);
        emage_buf_add_c(p->b, " else ");
        cedar_pt(p, n->arg[2], CEDAR_P_IF);
        break;

    case CEDAR_N_SET:
        emage_buf_add_c(p->b, "[");
        cedar_pt_list(p, n->arg, n->n);
        emage_buf_add_c(p->b, "]");
        break;

    case CEDAR_N_RECORD:
        cedar_pt_record(p, n);
        break;

    case CEDAR_N_ATTR:
        cedar_pt(p, n->arg[0], CEDAR_P_MEMBER);

        if (cedar_is_name(cedar_symbol_name(&p->set->symbols, n->sym))) {
            emage_buf_add_c(p->b, ".");
            cedar_pt_symbol(p, n->sym);

        } else {
            emage_buf_add_c(p->b, "[");
            cedar_print_quoted(p->b, cedar_symbol_name(&p->set->symbols,
                                                       n->sym), false);
            emage_buf_add_c(p->b, "]");
        }

        break;

    default:
        cedar_pt_call(p, n);
        break;
    }
}


static void
cedar_pt_not(cedar_printer_t *p, const cedar_node_t *n)
{
    const cedar_node_t  *a;

    a = n->arg[0];

    if (n->written == CEDAR_AS_OPERATOR) {
        cedar_pt_binary(p, a, (a->kind == CEDAR_N_EQ) ? " != "
                              : (a->kind == CEDAR_N_LE) ? " > " : " >= ",
                        CEDAR_P_ADD, CEDAR_P_ADD);
        return;
    }

    /* parentheses in a row of them, as four are the grammar's most */

    emage_buf_add_c(p->b, "!");
    cedar_pt(p, a, CEDAR_P_MEMBER);
}


static void
cedar_pt_value(cedar_printer_t *p, const cedar_node_t *n)
{
    const cedar_value_t  *v;

    v = &n->value;

    switch (v->kind) {

    case CEDAR_BOOL:
        emage_buf_add_c(p->b, v->u.b ? "true" : "false");
        break;

    case CEDAR_LONG:
        emage_buf_add_int(p->b, v->u.i);
        break;

    case CEDAR_STRING:
        cedar_print_quoted(p->b, (emage_str_t) { v->u.s, v->len }, false);
        break;

    default:
        cedar_pt_uid(p, v);
        break;
    }
}


static void
cedar_pt_has(cedar_printer_t *p, const cedar_node_t *n)
{
    uint32_t     i;
    emage_str_t  name;

    cedar_pt(p, n->arg[0], CEDAR_P_ADD);
    emage_buf_add_c(p->b, " has ");

    for (i = 0; i < n->n; i++) {
        name = cedar_symbol_name(&p->set->symbols, n->names[i]);
        emage_buf_add_c(p->b, (i == 0) ? "" : ".");

        if (cedar_is_name(name)) {
            emage_buf_add_str(p->b, name);

        } else {
            cedar_print_quoted(p->b, name, false);
        }
    }
}


static void
cedar_pt_like(cedar_printer_t *p, const cedar_node_t *n)
{
    uint32_t  i;

    cedar_pt(p, n->arg[0], CEDAR_P_ADD);
    emage_buf_add_c(p->b, " like \"");

    for (i = 0; i < n->pattern->n; i++) {
        emage_buf_add_c(p->b, (i == 0) ? "" : "*");
        cedar_print_escaped(p->b, n->pattern->piece[i], true);
    }

    emage_buf_add_c(p->b, "\"");
}


static void
cedar_pt_call(cedar_printer_t *p, const cedar_node_t *n)
{
    uint32_t                method;
    const cedar_fn_info_t  *info;

    info = cedar_fn_info(n->fn);
    method = info->method ? 1 : 0;

    if (method) {
        cedar_pt(p, n->arg[0], CEDAR_P_MEMBER);
        emage_buf_add_c(p->b, ".");
    }

    emage_buf_add_str(p->b, info->name);
    emage_buf_add_c(p->b, "(");
    cedar_pt_list(p, n->arg + method, n->n - method);
    emage_buf_add_c(p->b, ")");
}


static void
cedar_pt_list(cedar_printer_t *p, cedar_node_t *const *arg, uint32_t n)
{
    uint32_t  i;

    for (i = 0; i < n; i++) {
        emage_buf_add_c(p->b, (i == 0) ? "" : ", ");
        cedar_pt(p, arg[i], CEDAR_P_IF);
    }
}


static void
cedar_pt_record(cedar_printer_t *p, const cedar_node_t *n)
{
    uint32_t     i;
    emage_str_t  name;

    emage_buf_add_c(p->b, "{");

    for (i = 0; i < n->n; i++) {
        name = cedar_symbol_name(&p->set->symbols, n->names[i]);
        emage_buf_add_c(p->b, (i == 0) ? "" : ", ");

        if (cedar_is_name(name)) {
            emage_buf_add_str(p->b, name);

        } else {
            cedar_print_quoted(p->b, name, false);
        }

        emage_buf_add_c(p->b, ": ");
        cedar_pt(p, n->arg[i], CEDAR_P_IF);
    }

    emage_buf_add_c(p->b, "}");
}


void
cedar_print_text(const cedar_set_t *set, const cedar_node_t *n,
    emage_buf_t *b)
{
    cedar_printer_t  p;

    p.set = set;
    p.b = b;
    cedar_pt(&p, n, CEDAR_P_IF);
}
