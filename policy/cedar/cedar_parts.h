/*
 * Copyright (C) The e-mage authors
 *
 * Policies taken apart, for explanations and coverage.
 */


#ifndef CEDAR_PARTS_H
#define CEDAR_PARTS_H


#include "cedar_eval.h"

#include <emage/cedar_explain.h>


#define CEDAR_MAX_PARTS  20000       /* of one policy */


typedef struct {
    cedar_part_t         part;
    const cedar_node_t  *node;       /* of an unless: what stands in it */
    uint32_t             end;        /* behind the last part below it */
} cedar_piece_t;

struct cedar_parts_s {
    const cedar_set_t     *set;
    const cedar_policy_t  *policy;
    cedar_piece_t         *list;
    uint32_t               n;
    bool                   failed;
};

/* Prepares an evaluation outside cedar_decide; returns as it. */

emage_rc_t cedar_parts_start(cedar_eval_t *e, cedar_arena_t *arena,
    const cedar_parts_t *parts, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t size);

/* A value as Cedar's text; names of entities from JSON are theirs. */

void cedar_value_text(const cedar_symbols_t *symbols, const cedar_value_t *v,
    unsigned depth, emage_buf_t *b);

/*
 * What the schema's annotations call things.  The request tells the types of
 * principal, resource and context.
 */

typedef struct {
    const cedar_set_t      *set;
    const cedar_request_t  *req;
    cedar_language_t        language;
    emage_buf_t            *b;
} cedar_words_t;

/* A variable, or attributes of one: context.sharing. */

bool cedar_is_term(const cedar_node_t *n);

/* The attribute of the schema that the term ends in, or NULL. */

const cedar_attr_t *cedar_term_attr(const cedar_words_t *w,
    const cedar_node_t *n);

/* False: the schema calls it nothing. */

bool cedar_attr_words(const cedar_words_t *w, const cedar_attr_t *attr,
    emage_str_t *text);
bool cedar_type_words(const cedar_words_t *w, cedar_symbol_t type,
    emage_str_t *text);
bool cedar_code_words(const cedar_words_t *w, const cedar_attr_t *attr,
    emage_str_t code, emage_str_t *text);

/* Appends words of an annotation, white space as one blank. */

void cedar_say_words(cedar_words_t *w, emage_str_t s);

/* An expression in words; `beside`: what a literal is compared with. */

void cedar_say_node(cedar_words_t *w, const cedar_node_t *n);
void cedar_say_operand(cedar_words_t *w, const cedar_node_t *n,
    const cedar_node_t *beside);


#endif /* CEDAR_PARTS_H */
