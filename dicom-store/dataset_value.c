
/*
 * Copyright (C) The e-mage authors
 *
 * Numbers, text and bulk values of a dataset.
 */


#include "dataset.h"

#include <stdio.h>
#include <string.h>


uint16_t
emage_dataset_u16(const unsigned char *p, bool big_endian)
{
    return (uint16_t) (big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}


uint32_t
emage_dataset_u32(const unsigned char *p, bool big_endian)
{
    uint32_t  a, b;

    a = emage_dataset_u16(p, big_endian);
    b = emage_dataset_u16(p + 2, big_endian);

    return big_endian ? a << 16 | b : b << 16 | a;
}


uint64_t
emage_dataset_u64(const unsigned char *p, bool big_endian)
{
    uint64_t  a, b;

    a = emage_dataset_u32(p, big_endian);
    b = emage_dataset_u32(p + 4, big_endian);

    return big_endian ? a << 32 | b : b << 32 | a;
}


emage_str_t
emage_dataset_text(const emage_dataset_t *ds, const emage_event_t *ev)
{
    emage_str_t  s;

    s.data = (const char *) ds->data + ev->value;
    s.len = ev->length;

    while (s.len > 0
           && (s.data[s.len - 1] == '\0' || s.data[s.len - 1] == ' '))
    {
        s.len--;
    }

    return s;
}


bool
emage_dataset_bulk(const emage_event_t *ev, char *path, size_t *len)
{
    int       n;
    size_t    i, pos;
    bool      pixels;

    static const char  kinds[] = "OBODOFOLOVOWUNFLFDSLSSSVULUSUV";

    pixels = (ev->tag == EMAGE_TAG_PIXELS || ev->tag == EMAGE_TAG_FLOAT_PIXELS
              || ev->tag == EMAGE_TAG_DOUBLE_PIXELS);

    if (!pixels && ev->length <= EMAGE_BULK_MIN) {
        return false;
    }

    for (i = 0; i < sizeof(kinds) - 1; i += 2) {
        if (memcmp(ev->vr, kinds + i, 2) == 0) {
            break;
        }
    }

    if (i == sizeof(kinds) - 1) {
        return false;
    }

    pos = 0;

    for (i = 0; i < ev->depth; i++) {
        n = snprintf(path + pos, EMAGE_BULK_MAX + 1 - pos, "%08X/%u/",
                     (unsigned) ev->steps[i].tag, (unsigned) ev->steps[i].item);

        if (n < 0 || (size_t) n > EMAGE_BULK_MAX - pos) {
            return false;
        }

        pos += (size_t) n;
    }

    n = snprintf(path + pos, EMAGE_BULK_MAX + 1 - pos, "%08X",
                 (unsigned) ev->tag);

    if (n < 0 || (size_t) n > EMAGE_BULK_MAX - pos) {
        return false;
    }

    *len = pos + (size_t) n;

    return true;
}
