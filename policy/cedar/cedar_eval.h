/*
 * Copyright (C) The e-mage authors
 *
 * Entities, requests, and the evaluation over them.
 */


#ifndef CEDAR_EVAL_H
#define CEDAR_EVAL_H


#include "cedar_ast.h"


#define CEDAR_MAX_REQUEST_ENTITIES  64


/* An entity.  Those of a request have parents, those of a store ancestors. */

typedef struct {
    cedar_value_t         uid;
    cedar_value_t         attrs;
    cedar_value_t         tags;
    cedar_value_t        *parents;
    const cedar_value_t  *ancestors; /* sorted */
    uint32_t              parents_n;
    uint32_t              ancestors_n;
    uint32_t              mark;
    uint32_t              seen;      /* a mark, of the index */
    bool                  local;     /* of the request */
} cedar_ent_t;


struct cedar_entities_s {
    cedar_arena_t       arena;
    cedar_symbols_t     symbols;     /* extends the set's */
    const cedar_set_t  *set;
    cedar_ent_t        *ents;
    uint32_t           *slots;       /* index + 1 */
    uint32_t            n;
    uint32_t            mask;
    bool                actions;     /* are there entities of actions? */
};

const cedar_ent_t *cedar_entities_find(const cedar_entities_t *e,
    const cedar_value_t *uid);

/* Fills slots and ancestors; `name` stands in the message. */

emage_rc_t cedar_entities_close(cedar_entities_t *e, emage_str_t name,
    emage_error_t *err);


/*
 * A record being built.  `target` is the value that shows it; for a record in
 * a record that value moves, and is found again by name.
 */

struct cedar_record_s {
    cedar_request_t  *req;
    cedar_value_t    *target;
    cedar_record_t   *outer;
    cedar_field_t    *fields;
    cedar_symbol_t    name;
    uint32_t          n;
    uint32_t          size;
    uint32_t          depth;
    uint32_t          ent;           /* index + 1, for parents and tags */
};

struct cedar_request_s {
    const cedar_set_t  *set;
    cedar_arena_t       own;
    cedar_arena_t      *arena;
    char               *start;       /* of what reset gives back */
    cedar_value_t       principal;
    cedar_value_t       action;
    cedar_value_t       resource;
    cedar_value_t       context;
    cedar_record_t      context_rec;
    cedar_record_t      sink;        /* what cannot be stored goes here */
    cedar_ent_t        *ents[CEDAR_MAX_REQUEST_ENTITIES];
    cedar_record_t     *recs[CEDAR_MAX_REQUEST_ENTITIES];
    cedar_record_t     *tags[CEDAR_MAX_REQUEST_ENTITIES];
    uint32_t            ents_n;
    uint32_t            mark;        /* of the last walk */
    bool                spoilt;
};

/* A request whose values live in another's arena. */

void cedar_request_init(cedar_request_t *req, const cedar_set_t *set,
    cedar_arena_t *arena);


typedef struct {
    const cedar_set_t       *set;
    cedar_request_t         *req;
    const cedar_entities_t  *entities;
    cedar_arena_t           *scratch;
    const char              *fault;
    const cedar_value_t    **slots;  /* NULL: evaluate paths by their trees */
    const uint16_t          *guess;  /* where slots' attributes may stand */
    const cedar_ent_t       *roots[3];
} cedar_eval_t;

/*
 * The value of a slot.  One without a kind stands for none: cedar_slot_missing
 * where the last attribute, or the entity it should be of, is not there,
 * another where the path cannot be walked.
 */

extern const cedar_value_t  cedar_slot_missing;

const cedar_value_t *cedar_slot_fill(cedar_eval_t *e, uint32_t slot);

static inline const cedar_value_t *
cedar_slot(cedar_eval_t *e, uint32_t slot)
{
    const cedar_value_t  *v;

    v = e->slots[slot];

    return (v != NULL) ? v : cedar_slot_fill(e, slot);
}

/* Evaluates; false: `fault` says why. */

bool cedar_eval(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v);
bool cedar_eval_call(cedar_eval_t *e, const cedar_node_t *n,
    cedar_value_t *v);

/* Sets the fault; always false. */

bool cedar_fault(cedar_eval_t *e, const char *fault);
bool cedar_fault_nomem(cedar_eval_t *e);

const cedar_ent_t *cedar_eval_entity(cedar_eval_t *e,
    const cedar_value_t *uid);

/* The same for an action, which few bring with them. */

const cedar_ent_t *cedar_eval_action(cedar_eval_t *e,
    const cedar_value_t *uid);

/* Is entity `a` the entity `b` or a descendant of it? */

bool cedar_eval_in(cedar_eval_t *e, const cedar_value_t *a,
    const cedar_value_t *b);

bool cedar_match(const cedar_pattern_t *pat, emage_str_t s);


#endif /* CEDAR_EVAL_H */
