/*
 * Copyright (C) The e-mage authors
 *
 * What the fuzz targets of Cedar share: a set from texts, and its decisions.
 */


#ifndef CEDAR_FUZZ_H
#define CEDAR_FUZZ_H


#include <emage/cedar.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* A finished set, or NULL. */

static inline cedar_set_t *
fuzz_set(emage_str_t schema, emage_str_t policies)
{
    cedar_set_t  *set;

    if (cedar_set_create(&set, NULL, NULL) == EMAGE_OK
        && cedar_set_add_schema(set, emage_str("s"), schema, NULL) == EMAGE_OK
        && cedar_set_add_policies(set, emage_str("p"), policies, NULL)
           == EMAGE_OK
        && cedar_set_finish(set, NULL) == EMAGE_OK)
    {
        return set;
    }

    cedar_set_destroy(set);

    return NULL;
}


static inline void
fuzz_decide(const cedar_set_t *set, emage_str_t requests)
{
    size_t                i;
    cedar_cases_t        *cases;
    cedar_result_t        r;
    const cedar_case_t   *c;

    static uint64_t       scratch[8192];

    if (cedar_cases_load(set, NULL, emage_str("r"), requests, &cases, NULL)
        != EMAGE_OK)
    {
        return;
    }

    for (i = 0; i < cedar_cases_count(cases); i++) {
        c = cedar_cases_at(cases, i);
        (void) cedar_decide(set, c->request, c->entities, scratch,
                            sizeof(scratch), &r);
    }

    cedar_cases_destroy(cases);
}


#endif /* CEDAR_FUZZ_H */
