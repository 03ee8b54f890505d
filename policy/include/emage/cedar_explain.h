/*
 * Copyright (C) The e-mage authors
 *
 * Why a policy applied, or did not: its parts one by one, what each came to
 * for a request, and the same in words.  For tools, not for the hot path:
 * these functions allocate.
 */


#ifndef EMAGE_CEDAR_EXPLAIN_H
#define EMAGE_CEDAR_EXPLAIN_H


#include <emage/cedar.h>


/*
 * The scope's parts, then each `when` and `unless`; below a condition, if it is
 * a row of && or ||, the parts of the row, and so on.  ALL and ANY are rows
 * inside a condition, TEST is anything else.
 */

typedef enum {
    CEDAR_PART_PRINCIPAL = 0,
    CEDAR_PART_ACTION,
    CEDAR_PART_RESOURCE,
    CEDAR_PART_WHEN,
    CEDAR_PART_UNLESS,
    CEDAR_PART_ALL,
    CEDAR_PART_ANY,
    CEDAR_PART_TEST
} cedar_part_kind_t;

/* Of an `unless`: true means that what stands in it holds. */

typedef enum {
    CEDAR_TRUTH_FALSE = 0,
    CEDAR_TRUTH_TRUE,
    CEDAR_TRUTH_FAULT                /* it cannot be evaluated */
} cedar_truth_t;

/*
 * kind, truth:  as above; FALSE before cedar_parts_ask
 * leaf:         no parts below it
 * conjunction:  the parts below it are joined by &&, else by ||
 * constant:     the same for every request, whatever was asked
 * reached:      the authorizer came to it; what stands behind a part that
 *               settles the matter is evaluated here, but not there
 * fault:        of CEDAR_TRUTH_FAULT, a constant text
 * depth:        0 for scope and conditions; the parts of a part follow it
 * line, column: where it stands, from 1
 */

typedef struct {
    cedar_part_kind_t   kind;
    cedar_truth_t       truth;
    bool                leaf;
    bool                conjunction;
    bool                constant;
    bool                reached;
    const char         *fault;
    uint32_t            depth;
    uint32_t            line;
    uint32_t            column;
} cedar_part_t;

typedef struct cedar_parts_s  cedar_parts_t;


/*
 * Takes policy `i` of a finished set apart; scopes that anything meets are left
 * out.  The caller destroys *parts, before the set.  Returns EMAGE_OK,
 * EMAGE_ERROR (no such policy, or set not finished) or EMAGE_NOMEM.
 */

emage_rc_t cedar_parts_create(const cedar_set_t *set, size_t i,
    cedar_parts_t **parts);
void cedar_parts_destroy(cedar_parts_t *parts);

size_t cedar_parts_count(const cedar_parts_t *parts);

/* NULL if there is no such part. */

const cedar_part_t *cedar_parts_at(const cedar_parts_t *parts, size_t k);

/*
 * Evaluates every part for `req`; `entities`, `scratch` and what is returned
 * as for cedar_decide.  *truth: TRUE if the policy applies, FAULT if it fails,
 * as cedar_decide finds.
 */

emage_rc_t cedar_parts_ask(cedar_parts_t *parts, cedar_request_t *req,
    const cedar_entities_t *entities, void *scratch, size_t scratch_size,
    cedar_truth_t *truth);


/*
 * Appends principal, action or resource of the request as Cedar's text.
 * EMAGE_OK or EMAGE_NOMEM.
 */

emage_rc_t cedar_request_text(const cedar_request_t *req,
    const cedar_entities_t *entities, cedar_part_kind_t part,
    emage_buf_t *b);


typedef enum {
    CEDAR_ENGLISH = 0,
    CEDAR_FRENCH
} cedar_language_t;

/* Appends the part as Cedar's text, in one line.  EMAGE_OK or EMAGE_NOMEM. */

emage_rc_t cedar_part_text(const cedar_parts_t *parts, size_t k,
    emage_buf_t *b);

/*
 * Appends the part as words: "the sharing of the data is withdrawn or refused".
 * Attributes and entity types are called what the schema's annotations
 * @label_en and @label_fr say (of a Bool attribute: a sentence, of others a
 * name), values what @values_en and @values_fr say ("code = text; ..."); what
 * has none stands as in the policy.  The request tells the types of principal
 * and resource.  EMAGE_OK or EMAGE_NOMEM.
 */

emage_rc_t cedar_part_words(const cedar_parts_t *parts, size_t k,
    const cedar_request_t *req, cedar_language_t language, emage_buf_t *b);

/*
 * Calls `each` for every attribute, or variable by itself, that the part
 * reads, once: as Cedar's text, as words, its value as text and as words;
 * value NULL: it has none.  Needs cedar_parts_ask before, and its scratch.
 * EMAGE_OK or EMAGE_NOMEM.
 */

typedef struct {
    const char  *text;               /* context.sharing */
    const char  *words;              /* the sharing of the data */
    const char  *value;              /* "withdrawn" */
    const char  *value_words;        /* withdrawn by the patient */
} cedar_reading_t;

typedef void (*cedar_reading_pt)(void *data, const cedar_reading_t *reading);

emage_rc_t cedar_part_readings(const cedar_parts_t *parts, size_t k,
    cedar_request_t *req, const cedar_entities_t *entities, void *scratch,
    size_t scratch_size, cedar_language_t language, cedar_reading_pt each,
    void *data);


#endif /* EMAGE_CEDAR_EXPLAIN_H */
