/*
 * Copyright (C) The e-mage authors
 *
 * Policies taken apart: every condition and every part of it, and what each
 * comes to for a request.
 */


#include "cedar_parts.h"
#include "cedar_print.h"


static uint32_t cedar_part_add(cedar_parts_t *parts, cedar_part_kind_t kind,
    const cedar_node_t *n, uint32_t depth);
static void cedar_part_tree(cedar_parts_t *parts, cedar_part_kind_t kind,
    const cedar_node_t *n, uint32_t depth);
static void cedar_part_row(cedar_parts_t *parts, const cedar_node_t *n,
    uint8_t kind, uint32_t depth);
static void cedar_part_scope(cedar_parts_t *parts, cedar_part_kind_t kind,
    const cedar_scope_t *s);
static void cedar_part_ask(cedar_parts_t *parts, cedar_eval_t *e, uint32_t k,
    bool reached);
static void cedar_part_join(cedar_parts_t *parts, cedar_eval_t *e,
    uint32_t k);


emage_rc_t
cedar_parts_create(const cedar_set_t *set, size_t i, cedar_parts_t **out)
{
    uint32_t               k;
    cedar_parts_t         *parts;
    const cedar_node_t    *n;
    const cedar_policy_t  *p;

    *out = NULL;

    if (!set->finished || i >= set->policies_n) {
        return EMAGE_ERROR;
    }

    parts = calloc(1, sizeof(cedar_parts_t));
    if (parts == NULL) {
        return EMAGE_NOMEM;
    }

    p = &set->policies[i];
    parts->set = set;
    parts->policy = p;

    cedar_part_scope(parts, CEDAR_PART_PRINCIPAL, &p->principal);
    cedar_part_scope(parts, CEDAR_PART_ACTION, &p->action);
    cedar_part_scope(parts, CEDAR_PART_RESOURCE, &p->resource);

    for (k = 0; k < p->conds_n; k++) {
        n = p->conds[k];

        if (n->kind == CEDAR_N_NOT && n->written == CEDAR_AS_UNLESS) {
            cedar_part_tree(parts, CEDAR_PART_UNLESS, n->arg[0], 0);

        } else {
            cedar_part_tree(parts, CEDAR_PART_WHEN, n, 0);
        }
    }

    if (parts->failed) {
        cedar_parts_destroy(parts);
        return EMAGE_NOMEM;
    }

    *out = parts;

    return EMAGE_OK;
}


void
cedar_parts_destroy(cedar_parts_t *parts)
{
    if (parts != NULL) {
        free(parts->list);
        free(parts);
    }
}


size_t
cedar_parts_count(const cedar_parts_t *parts)
{
    return parts->n;
}


const cedar_part_t *
cedar_parts_at(const cedar_parts_t *parts, size_t k)
{
    return (k < parts->n) ? &parts->list[k].part : NULL;
}


static uint32_t
cedar_part_add(cedar_parts_t *parts, cedar_part_kind_t kind,
    const cedar_node_t *n, uint32_t depth)
{
    cedar_piece_t  *list, *piece;

    /* grows at powers of two */

    if ((parts->n & (parts->n - 1)) == 0 && !parts->failed) {
        list = realloc(parts->list, (parts->n == 0 ? 1 : parts->n * 2)
                                    * sizeof(cedar_piece_t));

        if (list == NULL || parts->n >= CEDAR_MAX_PARTS) {
            parts->failed = true;
        }

        if (list != NULL) {
            parts->list = list;
        }
    }

    if (parts->failed) {
        return 0;
    }

    piece = &parts->list[parts->n];
    memset(piece, 0, sizeof(cedar_piece_t));
    piece->node = n;
    piece->end = parts->n + 1;
    piece->part.kind = kind;
    piece->part.depth = depth;
    piece->part.leaf = true;
    piece->part.constant = (n->value.kind != 0 || n->kind == CEDAR_N_LIT);

    cedar_source_place(parts->policy->source, n->pos, &piece->part.line,
                       &piece->part.column, NULL);

    return parts->n++;
}


/* Depth is that of the tree, which its makers cap. */

static void
cedar_part_tree(cedar_parts_t *parts, cedar_part_kind_t kind,
    const cedar_node_t *n, uint32_t depth)
{
    uint32_t  k;

    k = cedar_part_add(parts, kind, n, depth);

    if (!parts->failed && n->value.kind == 0
        && (n->kind == CEDAR_N_AND || n->kind == CEDAR_N_OR))
    {
        parts->list[k].part.leaf = false;
        parts->list[k].part.conjunction = (n->kind == CEDAR_N_AND);
        cedar_part_row(parts, n, n->kind, depth + 1);
        parts->list[k].end = parts->n;
    }
}


/* a && b && c is one row of three. */

static void
cedar_part_row(cedar_parts_t *parts, const cedar_node_t *n, uint8_t kind,
    uint32_t depth)
{
    if (parts->failed) {
        return;
    }

    if (n->value.kind == 0 && n->kind == kind) {
        cedar_part_row(parts, n->arg[0], kind, depth);
        cedar_part_row(parts, n->arg[1], kind, depth);
        return;
    }

    cedar_part_tree(parts, (n->kind == CEDAR_N_AND) ? CEDAR_PART_ALL
                           : (n->kind == CEDAR_N_OR) ? CEDAR_PART_ANY
                           : CEDAR_PART_TEST, n, depth);
}


static void
cedar_part_scope(cedar_parts_t *parts, cedar_part_kind_t kind,
    const cedar_scope_t *s)
{
    if (s->kind != CEDAR_SCOPE_ANY) {
        (void) cedar_part_add(parts, kind, s->node, 0);
    }
}


emage_rc_t
cedar_parts_start(cedar_eval_t *e, cedar_arena_t *arena,
    const cedar_parts_t *parts, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t size)
{
    cedar_arena_fixed(arena, scratch, size & ~(size_t) 7);

    memset(e, 0, sizeof(cedar_eval_t));
    e->set = parts->set;
    e->req = req;
    e->entities = entities;
    e->scratch = arena;

    if (cedar_request_spoilt(req) || ((uintptr_t) scratch & 7) != 0) {
        return EMAGE_NOMEM;
    }

    if (req->set != parts->set || req->principal.kind == 0
        || req->action.kind == 0 || req->resource.kind == 0)
    {
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


emage_rc_t
cedar_parts_ask(cedar_parts_t *parts, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t scratch_size,
    cedar_truth_t *truth)
{
    bool            reached;
    uint32_t        k;
    emage_rc_t      rc;
    cedar_eval_t    e;
    cedar_part_t   *part;
    cedar_arena_t   arena;

    *truth = CEDAR_TRUTH_FALSE;

    rc = cedar_parts_start(&e, &arena, parts, req, entities, scratch,
                           scratch_size);
    if (rc != EMAGE_OK) {
        return rc;
    }

    *truth = CEDAR_TRUTH_TRUE;

    for (k = 0, reached = true; k < parts->n; k = parts->list[k].end) {
        part = &parts->list[k].part;
        cedar_part_ask(parts, &e, k, reached);

        if (!reached) {
            continue;
        }

        if (part->truth == CEDAR_TRUTH_FAULT) {
            *truth = CEDAR_TRUTH_FAULT;
            reached = false;

        } else if ((part->truth == CEDAR_TRUTH_TRUE)
                   == (part->kind == CEDAR_PART_UNLESS))
        {
            *truth = CEDAR_TRUTH_FALSE;
            reached = false;
        }
    }

    return arena.failed ? EMAGE_NOMEM : EMAGE_OK;
}


static void
cedar_part_ask(cedar_parts_t *parts, cedar_eval_t *e, uint32_t k,
    bool reached)
{
    char           *start;
    cedar_part_t   *part;
    cedar_value_t   v;

    part = &parts->list[k].part;
    part->reached = reached;
    part->fault = NULL;

    if (!part->leaf) {
        cedar_part_join(parts, e, k);
        return;
    }

    start = e->scratch->pos;

    if (!cedar_eval(e, parts->list[k].node, &v)) {
        part->truth = CEDAR_TRUTH_FAULT;
        part->fault = e->fault;

    } else if (v.kind != CEDAR_BOOL) {
        part->truth = CEDAR_TRUTH_FAULT;
        part->fault = "type error: expected a boolean";

    } else {
        part->truth = v.u.b ? CEDAR_TRUTH_TRUE : CEDAR_TRUTH_FALSE;
    }

    e->scratch->pos = start;
}


/*
 * A row is settled by the first part that is false (&&) or true (||), or that
 * cannot be evaluated.
 */

static void
cedar_part_join(cedar_parts_t *parts, cedar_eval_t *e, uint32_t k)
{
    bool            open;
    uint32_t        i;
    cedar_part_t   *part, *below;
    cedar_truth_t   settles;

    part = &parts->list[k].part;
    settles = (parts->list[k].node->kind == CEDAR_N_AND)
              ? CEDAR_TRUTH_FALSE : CEDAR_TRUTH_TRUE;

    part->truth = (settles == CEDAR_TRUTH_FALSE) ? CEDAR_TRUTH_TRUE
                                                 : CEDAR_TRUTH_FALSE;

    for (i = k + 1, open = true; i < parts->list[k].end;
         i = parts->list[i].end)
    {
        below = &parts->list[i].part;
        cedar_part_ask(parts, e, i, part->reached && open);

        if (open && (below->truth == settles
                     || below->truth == CEDAR_TRUTH_FAULT))
        {
            part->truth = below->truth;
            part->fault = below->fault;
            open = false;
        }
    }
}


emage_rc_t
cedar_part_text(const cedar_parts_t *parts, size_t k, emage_buf_t *b)
{
    if (k < parts->n) {
        cedar_print_text(parts->set, parts->list[k].node, b);
    }

    return b->failed ? EMAGE_NOMEM : EMAGE_OK;
}
