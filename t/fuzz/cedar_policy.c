/*
 * Copyright (C) The e-mage authors
 *
 * Policies: whatever parses is validated and evaluated without harm.
 */


#include "cedar_fuzz.h"


#define UID(id)  "{\"type\": \"U\", \"id\": \"" id "\"}"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cedar_set_t  *set;

    set = fuzz_set(emage_str("entity U in [U] {a: Long, b?: {c?: Set<Long>}, "
                   "d: datetime, e: U} tags String; action g; action x in g "
                   "appliesTo {principal: U, resource: U, context: {k?: "
                   "ipaddr}};"), (emage_str_t) { (const char *) data, size });

    if (set != NULL) {
        (void) cedar_set_validate(set, NULL, NULL);
        (void) cedar_set_lint(set, NULL, NULL);

        fuzz_decide(set, emage_str("[{\"principal\":" UID("a") ", "
                    "\"action\": {\"type\": \"Action\", \"id\": \"x\"}, "
                    "\"resource\": " UID("b") ", \"context\": {}, "
                    "\"entities\": [{\"uid\": " UID("a") ", \"attrs\": "
                    "{\"a\": 1, \"e\": " UID("b") "}}]}]"));
    }

    cedar_set_destroy(set);

    return 0;
}
