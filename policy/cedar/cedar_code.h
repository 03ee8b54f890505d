/*
 * Copyright (C) The e-mage authors
 *
 * Policies as they are decided: conditions as tests with two ways on, paths
 * of attributes as slots that a decision fills once, and the index.
 */


#ifndef CEDAR_CODE_H
#define CEDAR_CODE_H


#include "cedar_eval.h"


typedef enum {
    CEDAR_OP_EVAL = 0,               /* any expression, by its tree */
    CEDAR_OP_TRUE,                   /* the slot, a boolean */
    CEDAR_OP_EQ,                     /* slot == value */
    CEDAR_OP_EQ_SLOT,                /* slot == slot */
    CEDAR_OP_HAS,                    /* is the slot's attribute there? */
    CEDAR_OP_IS,                     /* slot is of the type value.sym */
    CEDAR_OP_IN,                     /* slot in value */
    CEDAR_OP_CONTAINS,               /* value.contains(slot) */
    CEDAR_OP_LIKE                    /* slot like the node's pattern */
} cedar_op_t;

/* One test.  Where it fails, so does the policy. */

struct cedar_code_s {
    uint8_t                  op;
    uint16_t                 slot;
    uint16_t                 other;  /* EQ_SLOT */
    uint32_t                 yes;    /* where it goes on: an index of code, */
    uint32_t                 no;     /* or an end */
    union {
        cedar_value_t        value;
        const cedar_node_t  *node;
    } u;
};

#define CEDAR_END_HIT   UINT32_MAX
#define CEDAR_END_MISS  (UINT32_MAX - 1)
#define CEDAR_END       CEDAR_END_MISS


/* A path: principal, action, resource, context, then attributes of those. */

#define CEDAR_SLOT_PRINCIPAL  0
#define CEDAR_SLOT_ACTION     1
#define CEDAR_SLOT_RESOURCE   2
#define CEDAR_SLOT_CONTEXT    3
#define CEDAR_SLOT_ROOTS      4
#define CEDAR_SLOT_NONE       UINT16_MAX

#define CEDAR_MAX_SLOTS       256

struct cedar_slot_s {
    uint16_t        parent;          /* a slot before it */
    cedar_symbol_t  name;
};


/* A policy to look at, and where in its code to begin. */

struct cedar_entry_s {
    uint32_t  policy;                /* index * 4 + effect */
    uint32_t  pc;
};

/*
 * For requests of one action, type of principal and type of resource that
 * the schema allows: the policies whose scope they meet, and where in records
 * of the schema's types each slot stands when no attribute is left out.
 */

struct cedar_env_s {
    cedar_symbol_t   principal;
    cedar_symbol_t   resource;
    uint32_t         n;
    cedar_entry_t   *entries;
    uint16_t        *guess;          /* by slot */
};

/*
 * Policies that name one entity in their scope, by that entity.  `list`: index
 * * 4 + effect, of each bucket ascending.
 */

typedef struct {
    cedar_value_t  uid;
    uint32_t       hash;
    uint32_t       first;
    uint32_t       n;                /* 0: no bucket */
} cedar_bucket_t;

struct cedar_keyed_s {
    cedar_bucket_t  *buckets;
    uint32_t        *list;
    uint32_t         n;
    uint32_t         mask;
};


/* compile.c */

/* Turns the conditions into code; false without memory. */

bool cedar_compile(cedar_set_t *set);


/* index.c */

const cedar_env_t *cedar_env_find(const cedar_action_t *a,
    cedar_symbol_t principal, cedar_symbol_t resource);

/* The bucket of `uid`, NULL if no policy names it. */

const cedar_bucket_t *cedar_keyed_find(const cedar_keyed_t *k,
    const cedar_value_t *uid);


/* run.c */

typedef enum {
    CEDAR_MISS = 0,
    CEDAR_HIT,
    CEDAR_FAILED
} cedar_outcome_t;

cedar_outcome_t cedar_run(cedar_eval_t *e, uint32_t pc);


#endif /* CEDAR_CODE_H */
