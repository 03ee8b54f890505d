/*
 * Copyright (C) The e-mage authors
 *
 * The cases beside the policies, *.case.json: run, compared, and what of the
 * policies they reached.
 */


#ifndef EMAGE_TOOL_CASES_H
#define EMAGE_TOOL_CASES_H


#include "tool.h"

#include <emage/cedar_explain.h>


/* How often a part, or a whole policy, came out as what. */

typedef struct {
    uint32_t  yes;
    uint32_t  no;
} tool_seen_t;

typedef struct {
    cedar_parts_t  *parts;
    tool_seen_t     whole;
    tool_seen_t    *seen;            /* of each part */
    uint32_t        decided;         /* cases that it decided */
} tool_reach_t;

/*
 * `json`: failures are appended to it as {"file", "case", "expected", "got"},
 * parted by commas; NULL: they are told on standard error.
 */

typedef struct {
    const cedar_set_t  *set;
    emage_buf_t        *json;
    tool_reach_t       *reach;       /* of each policy */
    size_t              cases;
    size_t              failed;
} tool_cases_t;


/* False: no memory, and said so. */

bool tool_cases_init(tool_cases_t *c, const cedar_set_t *set,
    emage_buf_t *json);
void tool_cases_free(tool_cases_t *c);

/*
 * Runs DIR/ *.case.json in the order of names.  TOOL_OK: all as expected,
 * TOOL_FAILED: some are not, TOOL_USAGE: something was not readable.
 */

int tool_cases_run(tool_cases_t *c, const char *dir);

/* What no case reached. */

typedef struct {
    size_t  policies;
    size_t  policies_covered;
    size_t  conditions;
    size_t  conditions_covered;
} tool_coverage_t;

/*
 * Counts, and appends what is missing to `out`: a line each, or with `json`
 * objects parted by commas.
 */

void tool_coverage(const tool_cases_t *c, bool json, emage_buf_t *out,
    tool_coverage_t *total);


#endif /* EMAGE_TOOL_CASES_H */
