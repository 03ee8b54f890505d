/*
 * Copyright (C) The e-mage authors
 *
 * Schemas: whatever parses is resolved, and validates a policy.
 */


#include "cedar_fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cedar_set_t  *set;

    set = fuzz_set((emage_str_t) { (const char *) data, size },
                   emage_str("permit (principal in A::\"x\", action, "
                   "resource is A) when { principal has a.b && "
                   "resource.a.b == context && principal.a == {b: 1} };"));

    if (set != NULL) {
        (void) cedar_set_validate(set, NULL, NULL);
    }

    cedar_set_destroy(set);

    return 0;
}
