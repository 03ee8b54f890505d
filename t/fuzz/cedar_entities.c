/*
 * Copyright (C) The e-mage authors
 *
 * Entities and cases from JSON: whatever loads can be asked.
 */


#include "cedar_fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cedar_set_t       *set;
    emage_str_t        text = { (const char *) data, size };
    cedar_entities_t  *e;

    set = fuzz_set(emage_str("entity U in [U] {a: decimal, b: U, c: "
                   "Set<ipaddr>} tags duration; action x appliesTo "
                   "{principal: U, resource: U, context: {d: datetime}};"),
                   emage_str("permit (principal in U::\"a\", action, "
                   "resource) when { principal.b in resource "
                   "|| context == {} };"));

    fuzz_decide(set, text);

    if (cedar_entities_load(set, emage_str("e"), text, &e, NULL) == EMAGE_OK) {
        cedar_entities_destroy(e);
    }

    cedar_set_destroy(set);

    return 0;
}
