/*
 * Copyright (C) The e-mage authors
 *
 * Conditions in words, in English and French.
 */


#include "cedar_parts.h"
#include "cedar_print.h"


/* In a phrase, $1 and $2 are the operands, $3 a name. */

typedef enum {
    CEDAR_SAY_IS = 0,
    CEDAR_SAY_IS_NOT,
    CEDAR_SAY_LESS,
    CEDAR_SAY_AT_LEAST,
    CEDAR_SAY_AT_MOST,
    CEDAR_SAY_MORE,
    CEDAR_SAY_NOT,
    CEDAR_SAY_IN,
    CEDAR_SAY_IS_A,
    CEDAR_SAY_HAS,
    CEDAR_SAY_CONTAINS,
    CEDAR_SAY_ONE_OF,
    CEDAR_SAY_TRUE,
    CEDAR_SAY_PRINCIPAL,
    CEDAR_SAY_ACTION,
    CEDAR_SAY_RESOURCE,
    CEDAR_SAY_CONTEXT,
    CEDAR_SAY_AND,
    CEDAR_SAY_OR,
    CEDAR_SAY_LAST                   /* before the last of some values */
} cedar_phrase_t;


static const char *const  cedar_phrases[][2] = {
    [CEDAR_SAY_IS] = { "$1 is $2", "$1 est $2" },
    [CEDAR_SAY_IS_NOT] = { "$1 is not $2", "$1 n'est pas $2" },
    [CEDAR_SAY_LESS] = { "$1 is less than $2", "$1 est inférieur à $2" },
    [CEDAR_SAY_AT_LEAST] = { "$1 is at least $2", "$1 est au moins $2" },
    [CEDAR_SAY_AT_MOST] = { "$1 is at most $2", "$1 est au plus $2" },
    [CEDAR_SAY_MORE] = { "$1 is more than $2", "$1 est supérieur à $2" },
    [CEDAR_SAY_NOT] = { "not: $1", "non : $1" },
    [CEDAR_SAY_IN] = { "$1 is in $2", "$1 fait partie de $2" },
    [CEDAR_SAY_IS_A] = { "$1 is $3", "$1 est $3" },
    [CEDAR_SAY_HAS] = { "$1 has $3", "$1 a $3" },
    [CEDAR_SAY_CONTAINS] = { "$1 contains $2", "$1 contient $2" },
    [CEDAR_SAY_ONE_OF] = { "$2 is one of: $1", "$2 est parmi : $1" },
    [CEDAR_SAY_TRUE] = { " is true", " est vrai" },
    [CEDAR_SAY_PRINCIPAL] = { "the one who asks", "la personne qui demande" },
    [CEDAR_SAY_ACTION] = { "the action", "l'action" },
    [CEDAR_SAY_RESOURCE] = { "what is asked for", "ce qui est demandé" },
    [CEDAR_SAY_CONTEXT] = { "the context", "le contexte" },
    [CEDAR_SAY_AND] = { ", and ", ", et " },
    [CEDAR_SAY_OR] = { ", or ", ", ou " },
    [CEDAR_SAY_LAST] = { " or ", " ou " }
};


static void cedar_say(cedar_words_t *w, cedar_phrase_t phrase,
    const cedar_node_t *a, const cedar_node_t *b, emage_str_t name);
static void cedar_say_row(cedar_words_t *w, const cedar_node_t *n,
    uint8_t kind);
static bool cedar_say_values(cedar_words_t *w, const cedar_node_t *n);
static uint32_t cedar_same_term(const cedar_node_t *n,
    const cedar_node_t **term);
static void cedar_say_each(cedar_words_t *w, const cedar_node_t *n,
    const cedar_node_t *term, uint32_t *i, uint32_t count);
static void cedar_say_call(cedar_words_t *w, const cedar_node_t *n);
static void cedar_say_is(cedar_words_t *w, const cedar_node_t *n);
static void cedar_say_has(cedar_words_t *w, const cedar_node_t *n);
static void cedar_say_attr(cedar_words_t *w, const cedar_node_t *n);
static void cedar_say_cedar(cedar_words_t *w, const cedar_node_t *n);


static void
cedar_say(cedar_words_t *w, cedar_phrase_t phrase, const cedar_node_t *a,
    const cedar_node_t *b, emage_str_t name)
{
    const char  *p, *from;

    p = cedar_phrases[phrase][w->language];

    for (from = p; *p != '\0'; p++) {

        if (*p != '$') {
            continue;
        }

        emage_buf_add(w->b, from, p - from);
        p++;

        if (*p == '1') {
            cedar_say_operand(w, a, b);

        } else if (*p == '2') {
            cedar_say_operand(w, b, a);

        } else {
            cedar_say_words(w, name);
        }

        from = p + 1;
    }

    emage_buf_add(w->b, from, p - from);
}


/* Depth is that of the tree, which its makers cap. */

void
cedar_say_node(cedar_words_t *w, const cedar_node_t *n)
{
    const cedar_node_t  *a;

    a = (n->arg != NULL) ? n->arg[0] : NULL;

    switch (n->kind) {

    case CEDAR_N_AND:
    case CEDAR_N_OR:
        if (n->kind == CEDAR_N_AND || !cedar_say_values(w, n)) {
            cedar_say_row(w, n, n->kind);
        }

        break;

    case CEDAR_N_NOT:
        if (n->written == CEDAR_AS_OPERATOR && a->kind == CEDAR_N_EQ) {
            cedar_say(w, CEDAR_SAY_IS_NOT, a->arg[0], a->arg[1],
                      emage_null_str);

        } else if (n->written == CEDAR_AS_OPERATOR) {
            cedar_say(w, (a->kind == CEDAR_N_LE) ? CEDAR_SAY_MORE
                                                 : CEDAR_SAY_AT_LEAST,
                      a->arg[0], a->arg[1], emage_null_str);

        } else {
            cedar_say(w, CEDAR_SAY_NOT, a, NULL, emage_null_str);
        }

        break;

    case CEDAR_N_EQ:
        cedar_say(w, CEDAR_SAY_IS, a, n->arg[1], emage_null_str);
        break;

    case CEDAR_N_LT:
        cedar_say(w, CEDAR_SAY_LESS, a, n->arg[1], emage_null_str);
        break;

    case CEDAR_N_LE:
        cedar_say(w, CEDAR_SAY_AT_MOST, a, n->arg[1], emage_null_str);
        break;

    case CEDAR_N_IN:
        cedar_say(w, CEDAR_SAY_IN, a, n->arg[1], emage_null_str);
        break;

    case CEDAR_N_IS:
    case CEDAR_N_IS_IN:
        cedar_say_is(w, n);
        break;

    case CEDAR_N_HAS:
        cedar_say_has(w, n);
        break;

    case CEDAR_N_CALL:
        cedar_say_call(w, n);
        break;

    case CEDAR_N_ATTR:
        cedar_say_attr(w, n);
        break;

    default:
        cedar_say_operand(w, n, NULL);
        break;
    }
}


/* An attribute by itself is a condition: its label is a sentence. */

static void
cedar_say_attr(cedar_words_t *w, const cedar_node_t *n)
{
    emage_str_t  text;

    if (cedar_attr_words(w, cedar_term_attr(w, n), &text)) {
        cedar_say_words(w, text);
        return;
    }

    cedar_say_cedar(w, n);
    cedar_say(w, CEDAR_SAY_TRUE, NULL, NULL, emage_null_str);
}


void
cedar_say_operand(cedar_words_t *w, const cedar_node_t *n,
    const cedar_node_t *beside)
{
    uint32_t              i;
    emage_str_t           text;
    const cedar_value_t  *v;

    v = &n->value;

    if (n->kind == CEDAR_N_SET) {

        for (i = 0; i < n->n; i++) {
            emage_buf_add_c(w->b, (i == 0) ? "" : ", ");
            cedar_say_operand(w, n->arg[i], beside);
        }

        return;
    }

    if (n->kind == CEDAR_N_LIT) {

        if (v->kind == CEDAR_STRING && beside != NULL
            && cedar_code_words(w, cedar_term_attr(w, beside),
                                (emage_str_t) { v->u.s, v->len }, &text))
        {
            cedar_say_words(w, text);
            return;
        }

        cedar_say_cedar(w, n);
        return;
    }

    if (n->kind == CEDAR_N_ATTR) {

        if (cedar_attr_words(w, cedar_term_attr(w, n), &text)) {
            cedar_say_words(w, text);

        } else {
            cedar_say_cedar(w, n);
        }

        return;
    }

    if (cedar_is_term(n)) {
        emage_buf_add_c(w->b, cedar_phrases[
                        (n->kind == CEDAR_N_PRINCIPAL) ? CEDAR_SAY_PRINCIPAL
                        : (n->kind == CEDAR_N_ACTION) ? CEDAR_SAY_ACTION
                        : (n->kind == CEDAR_N_RESOURCE) ? CEDAR_SAY_RESOURCE
                        : CEDAR_SAY_CONTEXT][w->language]);
        return;
    }

    if (n->kind == CEDAR_N_AND || n->kind == CEDAR_N_OR) {
        emage_buf_add_c(w->b, "(");
        cedar_say_node(w, n);
        emage_buf_add_c(w->b, ")");
        return;
    }

    /* the rest are conditions, or arithmetic, which Cedar says best */

    if (n->kind >= CEDAR_N_NOT && n->kind <= CEDAR_N_LE
        && n->kind != CEDAR_N_NEG)
    {
        cedar_say_node(w, n);
        return;
    }

    if (n->kind == CEDAR_N_IN || n->kind == CEDAR_N_IS
        || n->kind == CEDAR_N_IS_IN || n->kind == CEDAR_N_HAS
        || n->kind == CEDAR_N_CALL)
    {
        cedar_say_node(w, n);
        return;
    }

    cedar_say_cedar(w, n);
}


static void
cedar_say_cedar(cedar_words_t *w, const cedar_node_t *n)
{
    cedar_print_text(w->set, n, w->b);
}


static void
cedar_say_row(cedar_words_t *w, const cedar_node_t *n, uint8_t kind)
{
    if (n->kind != kind) {

        if (n->kind == CEDAR_N_AND || n->kind == CEDAR_N_OR) {
            cedar_say_operand(w, n, NULL);

        } else {
            cedar_say_node(w, n);
        }

        return;
    }

    cedar_say_row(w, n->arg[0], kind);
    emage_buf_add_c(w->b, cedar_phrases[(kind == CEDAR_N_AND)
                    ? CEDAR_SAY_AND : CEDAR_SAY_OR][w->language]);
    cedar_say_row(w, n->arg[1], kind);
}


/* a == "x" || a == "y" is "a is x or y". */

static bool
cedar_say_values(cedar_words_t *w, const cedar_node_t *n)
{
    uint32_t             i, count;
    const cedar_node_t  *term;

    term = NULL;
    count = cedar_same_term(n, &term);

    if (count < 2) {
        return false;
    }

    i = 0;
    cedar_say_each(w, n, term, &i, count);

    return true;
}


/* How many comparisons of one term there are in the row; 0: of others too. */

static uint32_t
cedar_same_term(const cedar_node_t *n, const cedar_node_t **term)
{
    uint32_t  a, b;

    if (n->kind == CEDAR_N_OR) {
        a = cedar_same_term(n->arg[0], term);
        b = (a == 0) ? 0 : cedar_same_term(n->arg[1], term);

        return (b == 0) ? 0 : a + b;
    }

    if (n->kind != CEDAR_N_EQ || !cedar_is_term(n->arg[0])
        || n->arg[1]->kind != CEDAR_N_LIT
        || (*term != NULL && !cedar_node_eq(*term, n->arg[0])))
    {
        return 0;
    }

    *term = n->arg[0];

    return 1;
}


static void
cedar_say_each(cedar_words_t *w, const cedar_node_t *n,
    const cedar_node_t *term, uint32_t *i, uint32_t count)
{
    if (n->kind == CEDAR_N_OR) {
        cedar_say_each(w, n->arg[0], term, i, count);
        cedar_say_each(w, n->arg[1], term, i, count);
        return;
    }

    if (*i == 0) {
        cedar_say(w, CEDAR_SAY_IS, term, n->arg[1], emage_null_str);

    } else {
        emage_buf_add_c(w->b, (*i + 1 < count) ? ", "
                        : cedar_phrases[CEDAR_SAY_LAST][w->language]);
        cedar_say_operand(w, n->arg[1], term);
    }

    (*i)++;
}


static void
cedar_say_is(cedar_words_t *w, const cedar_node_t *n)
{
    emage_str_t  name;

    if (!cedar_type_words(w, n->sym, &name)) {
        name = cedar_symbol_name(&w->set->symbols, n->sym);
    }

    cedar_say(w, CEDAR_SAY_IS_A, n->arg[0], NULL, name);

    if (n->kind == CEDAR_N_IS_IN) {
        emage_buf_add_c(w->b, cedar_phrases[CEDAR_SAY_AND][w->language]);
        cedar_say(w, CEDAR_SAY_IN, n->arg[0], n->arg[1], emage_null_str);
    }
}


static void
cedar_say_has(cedar_words_t *w, const cedar_node_t *n)
{
    if (n->n != 1) {
        cedar_say_cedar(w, n);
        return;
    }

    cedar_say(w, CEDAR_SAY_HAS, n->arg[0], NULL,
              cedar_symbol_name(&w->set->symbols, n->names[0]));
}


static void
cedar_say_call(cedar_words_t *w, const cedar_node_t *n)
{
    if (n->fn != CEDAR_FN_CONTAINS || n->n != 2) {
        cedar_say_cedar(w, n);
        return;
    }

    cedar_say(w, (n->arg[0]->kind == CEDAR_N_SET) ? CEDAR_SAY_ONE_OF
                                                  : CEDAR_SAY_CONTAINS,
              n->arg[0], n->arg[1], emage_null_str);
}


emage_rc_t
cedar_part_words(const cedar_parts_t *parts, size_t k,
    const cedar_request_t *req, cedar_language_t language, emage_buf_t *b)
{
    cedar_words_t  w;

    if (k < parts->n) {
        w.set = parts->set;
        w.req = req;
        w.language = language;
        w.b = b;
        cedar_say_node(&w, parts->list[k].node);
    }

    return b->failed ? EMAGE_NOMEM : EMAGE_OK;
}
