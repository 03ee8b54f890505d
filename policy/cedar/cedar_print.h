/*
 * Copyright (C) The e-mage authors
 *
 * Policies written out: as text, and as JSON.
 */


#ifndef CEDAR_PRINT_H
#define CEDAR_PRINT_H


#include "cedar_ast.h"


/* How tightly an expression holds together, by the grammar. */

typedef enum {
    CEDAR_P_IF = 0,
    CEDAR_P_OR,
    CEDAR_P_AND,
    CEDAR_P_RELATION,
    CEDAR_P_ADD,
    CEDAR_P_MUL,
    CEDAR_P_UNARY,
    CEDAR_P_MEMBER
} cedar_prec_t;

typedef struct {
    const cedar_set_t  *set;
    emage_buf_t        *b;
} cedar_printer_t;

/* Parts of the text: an expression in parentheses if it holds less tightly. */

void cedar_pt(cedar_printer_t *p, const cedar_node_t *n, cedar_prec_t least);
void cedar_pt_uid(cedar_printer_t *p, const cedar_value_t *v);
void cedar_pt_symbol(cedar_printer_t *p, cedar_symbol_t s);

/* A string with Cedar's escapes, in quotes; `pattern`: stars escaped too. */

void cedar_print_quoted(emage_buf_t *b, emage_str_t s, bool pattern);

/* The text alone, without quotes. */

void cedar_print_escaped(emage_buf_t *b, emage_str_t s, bool pattern);

/* An expression as text, and as JSON. */

void cedar_print_text(const cedar_set_t *set, const cedar_node_t *n,
    emage_buf_t *b);
void cedar_print_json(const cedar_set_t *set, const cedar_node_t *n,
    emage_buf_t *b);

/*
 * The next policy or template in the order of the text, links left out; both
 * indexes begin at 0.
 */

const cedar_policy_t *cedar_statement_next(const cedar_set_t *set,
    uint32_t *i, uint32_t *k);

/* A policy or template as one JSON object. */

void cedar_print_policy_json(const cedar_set_t *set, const cedar_policy_t *p,
    emage_buf_t *b);


#endif /* CEDAR_PRINT_H */
