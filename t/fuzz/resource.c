
/*
 * Copyright (C) The e-mage authors
 *
 * Whatever parses as a resource holds UIDs and frame numbers and nothing else.
 */


#include <emage/resource.h>

#include <stdlib.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            pos;
    uint32_t          n;
    emage_resource_t  r;

    if (emage_resource_parse((emage_str_t) { (const char *) data, size }, &r)
        != EMAGE_OK)
    {
        return (r.kind == EMAGE_RESOURCE_NONE) ? 0 : (abort(), 0);
    }

    for (pos = 0, n = 0; emage_resource_frame_next(&r, &pos) != 0; n++) {
        /* void */
    }

    if (n != r.nframes
        || (!emage_uid_valid(r.study)
            && (r.study.len != 0 || !emage_resource_is_search(r.kind)))
        || (r.series.len != 0 && !emage_uid_valid(r.series))
        || (r.instance.len != 0 && !emage_uid_valid(r.instance)))
    {
        abort();
    }

    return 0;
}
