/*
 * Copyright (C) The e-mage authors
 *
 * The lexer, and what the policy and schema parsers share.
 */


#ifndef CEDAR_PARSE_H
#define CEDAR_PARSE_H


#include "cedar_ast.h"


typedef enum {
    CEDAR_TOK_END = 0,
    CEDAR_TOK_IDENT,
    CEDAR_TOK_NUMBER,
    CEDAR_TOK_STRING,                /* text between the quotes, as written */
    CEDAR_TOK_SLOT,                  /* ?principal */
    CEDAR_TOK_PUNCT,
    CEDAR_TOK_BAD
} cedar_token_kind_t;

typedef struct {
    cedar_token_kind_t  kind;
    uint32_t            pos;
    emage_str_t         text;
} cedar_token_t;

/*
 * One text being parsed.  The first error stays; after it every function
 * returns false or NULL.
 */

typedef struct {
    cedar_set_t      *set;
    cedar_source_t   *source;
    cedar_arena_t    *arena;
    emage_error_t    *err;
    cedar_token_t     tok;           /* the one to be looked at */
    uint32_t          pos;           /* behind it */
    uint32_t          depth;
    cedar_symbol_t   *namespaces;    /* of a schema, so far */
    uint32_t          namespaces_n;
    bool              failed;
    bool              nomem;

    cedar_annotation_t  *notes;      /* before what comes next, in a schema */
    uint32_t             notes_n;
} cedar_parser_t;

void cedar_parser_init(cedar_parser_t *p, cedar_set_t *set,
    cedar_source_t *source, emage_error_t *err);

void cedar_next(cedar_parser_t *p);

/* Is the token this word or sign?  `take` goes on to the next if so. */

bool cedar_at(const cedar_parser_t *p, const char *s);
bool cedar_take(cedar_parser_t *p, const char *s);
bool cedar_expect(cedar_parser_t *p, const char *s, const char *where);

/* Sets the error, at byte `pos`; always false. */

bool cedar_fail(cedar_parser_t *p, uint32_t pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets the error "expected WHAT, found TOKEN". */

bool cedar_unexpected(cedar_parser_t *p, const char *what);

/* Out of memory; always false. */

bool cedar_nomem(cedar_parser_t *p);

emage_rc_t cedar_parser_rc(const cedar_parser_t *p);

/* Enters one level of nesting; false at the cap. */

bool cedar_enter(cedar_parser_t *p);

bool cedar_reserved(emage_str_t word);

/* Can it be written without quotes? */

bool cedar_is_name(emage_str_t s);

/* Takes an identifier that is not reserved. */

bool cedar_ident(cedar_parser_t *p, const char *what, emage_str_t *s);

/* Takes a string literal and resolves its escapes. */

bool cedar_string(cedar_parser_t *p, const char *what, emage_str_t *s);
bool cedar_unescape(cedar_parser_t *p, emage_str_t raw, uint32_t pos,
    emage_str_t *s);
const cedar_pattern_t *cedar_pattern(cedar_parser_t *p, emage_str_t raw,
    uint32_t pos);

/*
 * Takes A::B::C, from a first identifier that is already taken or, with
 * first.len == 0, from the start.  With `id`: also the "x" of A::B::"x", and
 * id->data stays NULL when there is none.
 */

cedar_symbol_t cedar_path(cedar_parser_t *p, emage_str_t first,
    emage_str_t *id, bool *qualified);

/* Takes {@name("value")}. */

bool cedar_annotations(cedar_parser_t *p, cedar_annotation_t **list,
    uint32_t *n);

/* Takes an expression; NULL on error. */

cedar_node_t *cedar_expr(cedar_parser_t *p);

/* Parts of it: one operand, and a list up to `end`, which is taken too. */

cedar_node_t *cedar_expr_primary(cedar_parser_t *p);
bool cedar_expr_list(cedar_parser_t *p, const char *end,
    cedar_node_t ***arg, uint32_t *n);

cedar_node_t *cedar_node(cedar_parser_t *p, cedar_node_kind_t kind,
    uint32_t pos, cedar_node_t **arg, uint32_t n);
cedar_node_t *cedar_node1(cedar_parser_t *p, cedar_node_kind_t kind,
    uint32_t pos, cedar_node_t *a);
cedar_node_t *cedar_node2(cedar_parser_t *p, cedar_node_kind_t kind,
    uint32_t pos, cedar_node_t *a, cedar_node_t *b);
cedar_node_t *cedar_node_lit(cedar_parser_t *p, uint32_t pos,
    cedar_value_t value);
void cedar_node_hash(cedar_node_t *n);

/* Computes a set or record of constants; false only without memory. */

bool cedar_node_fold(cedar_parser_t *p, cedar_node_t *n);

/* Parts of the schema parser; `ns` is the namespace, or CEDAR_NO_SYMBOL. */

#define CEDAR_MAX_NAMES  10000       /* of any kind, in a schema */

bool cedar_sp_action(cedar_parser_t *p, cedar_symbol_t ns);
bool cedar_sp_name(cedar_parser_t *p, const char *what,
    emage_str_t *s);
cedar_type_t *cedar_sp_type_name(cedar_parser_t *p,
    cedar_symbol_t ns);
cedar_type_t *cedar_sp_record(cedar_parser_t *p, cedar_symbol_t ns);
bool cedar_sp_type_list(cedar_parser_t *p, cedar_symbol_t ns,
    cedar_type_t ***list, uint32_t *n);
cedar_symbol_t cedar_sp_qualify(cedar_parser_t *p, cedar_symbol_t ns,
    emage_str_t name);

/* Parts of the policy parser: the scope as an expression, and the whole. */

bool cedar_scope_node(cedar_parser_t *p, cedar_node_kind_t var,
    uint32_t pos, bool list, cedar_scope_t *s);
bool cedar_policy_whole(cedar_parser_t *p, cedar_policy_t *pol);

emage_rc_t cedar_parse_policies(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err);
emage_rc_t cedar_parse_schema(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err);
emage_rc_t cedar_schema_read(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err);
emage_rc_t cedar_policies_read(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err);
emage_rc_t cedar_links_read(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err);


#endif /* CEDAR_PARSE_H */
