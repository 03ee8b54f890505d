/*
 * Copyright (C) The e-mage authors
 *
 * What "explain" says of one request.
 */


#ifndef EMAGE_TOOL_EXPLAIN_H
#define EMAGE_TOOL_EXPLAIN_H


#include "tool.h"

#include <emage/cedar_explain.h>


/* What a policy made of the request. */

typedef struct {
    size_t          policy;
    cedar_parts_t  *parts;
    cedar_truth_t   truth;
    bool            scope;           /* principal, action and resource fit */
} tool_story_t;

/* One request, answered. */

typedef struct {
    const cedar_set_t       *set;
    cedar_language_t         language;
    emage_buf_t             *out;
    cedar_request_t         *request;
    const cedar_entities_t  *entities;
    const char              *title;  /* which request this is */
    tool_story_t            *stories;
    size_t                   n;
    cedar_decision_t         decision;
    bool                     errors; /* of some policy */
    char                    *scratch;
} tool_answer_t;

void tool_answer_text(tool_answer_t *a);
void tool_answer_json(tool_answer_t *a);

/* The sentence of a policy: @label_en or @label_fr, else its @basis, or "". */

emage_str_t tool_label(const tool_answer_t *a, size_t policy);

/* True if the policy is one that decided. */

bool tool_decided(const tool_answer_t *a, const tool_story_t *s);


#endif /* EMAGE_TOOL_EXPLAIN_H */
