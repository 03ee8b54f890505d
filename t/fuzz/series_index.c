
/*
 * Copyright (C) The e-mage authors
 *
 * Whatever opens as an index names no byte outside the sizes it states.  The
 * checksum is made right, so that the checks behind it are reached.
 */


#include <emage/series_index.h>

#include <stdlib.h>
#include <string.h>

#include "../../policy/resource/series_index_format.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t                 n, i, k;
    uint64_t                 sum;
    unsigned char           *p;
    emage_slice_t            s;
    emage_index_item_t       item;
    emage_series_index_t    *idx;
    emage_index_instance_t   in;

    (void) emage_study_index_parse((emage_str_t) { (const char *) data, size },
                                   NULL, 0, &n, NULL);

    p = malloc(size + 1);
    if (p == NULL) {
        return 0;
    }

    memcpy(p, data, size);

    if (size >= EMAGE_IDX_HEADER) {
        memcpy(p, EMAGE_IDX_MAGIC, 8);
        emage_idx_put32(p + EMAGE_IDX_H_VERSION, EMAGE_IDX_VERSION);
        emage_idx_put64(p + EMAGE_IDX_H_LENGTH, size);
        emage_idx_put32(p + EMAGE_IDX_H_CRC, emage_idx_crc(p, size));
    }

    if (emage_series_index_open(p, size, &idx, NULL) != EMAGE_OK) {
        free(p);
        return 0;
    }

    for (n = 0; emage_series_index_get(idx, n, &in) == EMAGE_OK; n++) {
        for (i = 0; i < in.nframes + in.nbulk; i++) {
            if (emage_series_index_frame(idx, &in, i + 1, &item) != EMAGE_OK
                && emage_series_index_bulk_at(idx, &in, i - in.nframes, &item)
                   != EMAGE_OK)
            {
                abort();
            }

            sum = 0;

            for (k = 0; emage_series_index_slice(idx, &item, k, &s) == EMAGE_OK;
                 k++)
            {
                if (s.offset + s.length
                    > (s.file == 0 ? in.file_size : in.extra_size))
                {
                    abort();
                }

                sum += s.length;
            }

            if (sum != item.length) {
                abort();
            }
        }
    }

    emage_series_index_close(idx);
    free(p);

    return 0;
}
