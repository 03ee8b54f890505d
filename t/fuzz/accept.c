
/*
 * Copyright (C) The e-mage authors
 *
 * Whatever is sent as Accept, its ranges lie inside the header.
 */


#include <emage/accept.h>

#include <stdlib.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool            octets;
    uint32_t        i;
    const char     *p;
    emage_accept_t  a;
    emage_stored_t  s = { emage_str("image/jls"),
                          emage_str("1.2.840.10008.1.2.4.80") };

    p = (const char *) data;

    if (emage_accept_parse((emage_str_t) { p, size }, &a) != EMAGE_OK) {
        return 0;
    }

    /* a blank header is a range of its own that lies elsewhere */

    for (i = 0; i < a.n; i++) {
        if (a.ranges[i].q > 1000
            || (a.ranges[i].type.len > size
                && !emage_str_eq(a.ranges[i].type, emage_str("*/*"))))
        {
            abort();
        }
    }

    (void) emage_accept_choose(&a, EMAGE_RESOURCE_FRAMES, &s, 1, true,
                               &octets);
    return 0;
}
