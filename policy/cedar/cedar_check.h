/*
 * Copyright (C) The e-mage authors
 *
 * The strict validator: types, capabilities, answers.
 */


#ifndef CEDAR_CHECK_H
#define CEDAR_CHECK_H


#include "cedar_ast.h"


/*
 * What is known to be there: attribute `attr` of `expr`, or, when attr is
 * CEDAR_NO_SYMBOL, the tag that expression `tag` names.  Lists share tails.
 */

typedef struct cedar_cap_s  cedar_cap_t;

struct cedar_cap_s {
    const cedar_cap_t   *next;
    const cedar_node_t  *expr;
    const cedar_node_t  *tag;
    cedar_symbol_t       attr;
};

/* The type of an expression, NULL if it has none because of an error. */

typedef struct {
    const cedar_type_t  *type;
    const cedar_cap_t   *caps;
} cedar_answer_t;

typedef struct cedar_reported_s  cedar_reported_t;

typedef struct {
    const cedar_set_t     *set;
    const cedar_policy_t  *policy;
    const cedar_action_t  *action;
    cedar_type_t           principal;
    cedar_type_t           resource;
    cedar_type_t           action_type;
    cedar_arena_t          arena;    /* of one environment */
    cedar_arena_t          keep;     /* of one policy */
    cedar_reported_t      *reported;
    cedar_report_pt        report;
    void                  *data;
    uint32_t               errors;
    bool                   possible; /* in some environment it may hold */
} cedar_check_t;


cedar_answer_t cedar_check(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior);
cedar_answer_t cedar_check_call(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior);

/* The type of `n` if it is one of these; else an error, and NULL. */

typedef enum {
    CEDAR_WANT_BOOL = 0,
    CEDAR_WANT_LONG,
    CEDAR_WANT_STRING,
    CEDAR_WANT_ENTITY,
    CEDAR_WANT_ENTITIES,             /* an entity, or a set of such */
    CEDAR_WANT_SET,
    CEDAR_WANT_ATTRS                 /* an entity or a record */
} cedar_want_t;

cedar_answer_t cedar_check_want(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior, cedar_want_t want);

bool cedar_want_ok(const cedar_type_t *t, cedar_want_t want);
void cedar_want_error(cedar_check_t *c, const cedar_node_t *n,
    cedar_want_t want, const cedar_type_t *t);

cedar_answer_t cedar_check_in(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior);
cedar_answer_t cedar_check_has(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior);
cedar_answer_t cedar_check_attr(cedar_check_t *c, const cedar_node_t *n,
    const cedar_cap_t *prior);

/* Reports once for each place and text of a policy. */

void cedar_check_error(cedar_check_t *c, uint32_t pos, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports one message about a policy. */

void cedar_report(const cedar_set_t *set, const cedar_policy_t *p,
    uint32_t pos, const char *text, cedar_report_pt report, void *data);

/* Valid, but false for every request that the schema allows. */

bool cedar_policy_impossible(const cedar_set_t *set,
    const cedar_policy_t *p);

/* Capability lists. */

bool cedar_cap_has(const cedar_cap_t *caps, const cedar_node_t *expr,
    cedar_symbol_t attr, const cedar_node_t *tag);
const cedar_cap_t *cedar_cap_add(cedar_check_t *c, const cedar_cap_t *caps,
    const cedar_node_t *expr, cedar_symbol_t attr, const cedar_node_t *tag);
const cedar_cap_t *cedar_cap_union(cedar_check_t *c, const cedar_cap_t *a,
    const cedar_cap_t *b);
const cedar_cap_t *cedar_cap_intersect(cedar_check_t *c,
    const cedar_cap_t *a, const cedar_cap_t *b);

/* Types. */

const cedar_type_t *cedar_type(cedar_type_kind_t kind);
bool cedar_type_sub(const cedar_type_t *a, const cedar_type_t *b);

/* Least upper bound of the strict mode, or NULL. */

const cedar_type_t *cedar_type_lub(cedar_arena_t *arena,
    const cedar_type_t *a, const cedar_type_t *b);

static inline bool
cedar_type_is_bool(const cedar_type_t *t)
{
    return t->kind == CEDAR_T_TRUE || t->kind == CEDAR_T_FALSE
           || t->kind == CEDAR_T_BOOL;
}

typedef struct {
    char  text[160];
} cedar_type_text_t;

/* The type as written in a schema, shortened. */

const char *cedar_type_text(const cedar_set_t *set, const cedar_type_t *t,
    cedar_type_text_t *buf);

/* Can a request for action `a` meet this action scope? */

bool cedar_scope_action_hits(const cedar_scope_t *s,
    const cedar_action_t *a);



#endif /* CEDAR_CHECK_H */
