
/*
 * Copyright (C) The e-mage authors
 */


#include "fragments.h"

#include <stdlib.h>
#include <string.h>

#include "offsets.h"


#define EMAGE_FRAGMENTS_MAX  (1u << 24)


static bool emage_frag_video(emage_str_t ts);
static bool emage_frag_by_table(const emage_dataset_t *ds,
    const emage_fragments_t *f, const emage_event_t *table, unsigned size,
    uint32_t frames, uint32_t *starts);
static bool emage_frag_by_markers(const emage_dataset_t *ds,
    const emage_fragments_t *f, uint32_t frames, uint32_t *starts);
static bool emage_frag_start(const emage_dataset_t *ds,
    const emage_fragment_t *f);
static emage_rc_t emage_frag_emit(const emage_dataset_t *ds,
    const emage_fragments_t *f, uint32_t frames, const uint32_t *starts,
    bool extended, emage_index_writer_t *w);


static const struct {
    const char  *uid;
    const char  *media;
} emage_media[] = {
    { "1.2.840.10008.1.2.4.50", "image/jpeg" },
    { "1.2.840.10008.1.2.4.51", "image/jpeg" },
    { "1.2.840.10008.1.2.4.57", "image/jpeg" },
    { "1.2.840.10008.1.2.4.70", "image/jpeg" },
    { "1.2.840.10008.1.2.4.80", "image/jls" },
    { "1.2.840.10008.1.2.4.81", "image/jls" },
    { "1.2.840.10008.1.2.4.90", "image/jp2" },
    { "1.2.840.10008.1.2.4.91", "image/jp2" },
    { "1.2.840.10008.1.2.4.92", "image/jpx" },
    { "1.2.840.10008.1.2.4.93", "image/jpx" },
    { "1.2.840.10008.1.2.4.100", "video/mpeg" },
    { "1.2.840.10008.1.2.4.100.1", "video/mpeg" },
    { "1.2.840.10008.1.2.4.101", "video/mpeg" },
    { "1.2.840.10008.1.2.4.101.1", "video/mpeg" },
    { "1.2.840.10008.1.2.4.102", "video/mp4" },
    { "1.2.840.10008.1.2.4.102.1", "video/mp4" },
    { "1.2.840.10008.1.2.4.103", "video/mp4" },
    { "1.2.840.10008.1.2.4.103.1", "video/mp4" },
    { "1.2.840.10008.1.2.4.104", "video/mp4" },
    { "1.2.840.10008.1.2.4.104.1", "video/mp4" },
    { "1.2.840.10008.1.2.4.105", "video/mp4" },
    { "1.2.840.10008.1.2.4.105.1", "video/mp4" },
    { "1.2.840.10008.1.2.4.106", "video/mp4" },
    { "1.2.840.10008.1.2.4.106.1", "video/mp4" },
    { "1.2.840.10008.1.2.4.107", "video/mp4" },
    { "1.2.840.10008.1.2.4.108", "video/mp4" },
    { "1.2.840.10008.1.2.4.110", "image/jxl" },
    { "1.2.840.10008.1.2.4.111", "image/jxl" },
    { "1.2.840.10008.1.2.4.112", "image/jxl" },
    { "1.2.840.10008.1.2.4.201", "image/jphc" },
    { "1.2.840.10008.1.2.4.202", "image/jphc" },
    { "1.2.840.10008.1.2.4.203", "image/jphc" },
    { "1.2.840.10008.1.2.5", "image/dicom-rle" }
};


emage_str_t
emage_offsets_media(emage_str_t transfer_syntax)
{
    size_t  i;

    for (i = 0; i < sizeof(emage_media) / sizeof(emage_media[0]); i++) {
        if (emage_str_eq(transfer_syntax, emage_str_c(emage_media[i].uid))) {
            return emage_str_c(emage_media[i].media);
        }
    }

    return emage_null_str;
}


static bool
emage_frag_video(emage_str_t ts)
{
    emage_str_t  media;

    media = emage_offsets_media(ts);

    return media.len > 6 && memcmp(media.data, "video/", 6) == 0;
}


emage_rc_t
emage_fragments_add(emage_fragments_t *f, const emage_event_t *ev)
{
    uint32_t           max;
    emage_fragment_t  *list;

    if (ev->number == 1) {
        f->table = *ev;
        return EMAGE_OK;
    }

    if (f->n == f->max) {
        max = (f->max == 0) ? 16 : f->max * 2;

        if (max > EMAGE_FRAGMENTS_MAX) {
            return EMAGE_NOMEM;
        }

        list = realloc(f->list, max * sizeof(emage_fragment_t));
        if (list == NULL) {
            return EMAGE_NOMEM;
        }

        f->list = list;
        f->max = max;
    }

    f->list[f->n].offset = ev->offset;
    f->list[f->n].value = ev->value;
    f->list[f->n].length = ev->length;
    f->n++;

    return EMAGE_OK;
}


void
emage_fragments_free(emage_fragments_t *f)
{
    free(f->list);
    f->list = NULL;
}


/*
 * Offsets count from the first byte behind the basic offset table, to the item
 * of a frame's first fragment.  A table that does not hit an item each time is
 * no table.
 */

static bool
emage_frag_by_table(const emage_dataset_t *ds, const emage_fragments_t *f,
    const emage_event_t *table, unsigned size, uint32_t frames,
    uint32_t *starts)
{
    uint32_t              i, k;
    uint64_t              offset, base;
    const unsigned char  *p;

    if (table->tag == 0 || f->table.tag == 0
        || table->length != (uint64_t) frames * size)
    {
        return false;
    }

    base = f->table.value + f->table.length;
    p = ds->data + table->value;
    k = 0;

    for (i = 0; i < frames; i++) {
        offset = (size == 8) ? emage_dataset_u64(p + 8 * (size_t) i, false)
                             : emage_dataset_u32(p + 4 * (size_t) i, false);

        if (offset > UINT64_MAX - base) {
            return false;
        }

        while (k < f->n && f->list[k].offset < base + offset) {
            k++;
        }

        if (k == f->n || f->list[k].offset != base + offset
            || (i == 0 && k != 0) || (i > 0 && k <= starts[i - 1]))
        {
            return false;
        }

        starts[i] = k;
    }

    return true;
}


/*
 * Whether a code stream begins here: JPEG, JPEG-LS, JPEG 2000, JPEG XL.  None
 * of these markers occurs inside compressed data.
 */

static bool
emage_frag_start(const emage_dataset_t *ds, const emage_fragment_t *f)
{
    size_t                i;
    const unsigned char  *p;

    static const struct {
        unsigned char  bytes[8];
        unsigned char  len;
    } starts[] = {
        { { 0xff, 0xd8 }, 2 },
        { { 0xff, 0x4f, 0xff, 0x51 }, 4 },
        { { 0xff, 0x0a }, 2 },
        { { 0, 0, 0, 12, 'j', 'P', ' ', ' ' }, 8 },
        { { 0, 0, 0, 12, 'J', 'X', 'L', ' ' }, 8 }
    };

    p = ds->data + f->value;

    for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (f->length >= starts[i].len
            && memcmp(p, starts[i].bytes, starts[i].len) == 0)
        {
            return true;
        }
    }

    return false;
}


static bool
emage_frag_by_markers(const emage_dataset_t *ds, const emage_fragments_t *f,
    uint32_t frames, uint32_t *starts)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; i < f->n; i++) {

        if (!emage_frag_start(ds, &f->list[i])) {

            if (i == 0) {
                return false;
            }

            continue;
        }

        if (n == frames) {
            return false;
        }

        starts[n++] = i;
    }

    return n == frames;
}


static emage_rc_t
emage_frag_emit(const emage_dataset_t *ds, const emage_fragments_t *f,
    uint32_t frames, const uint32_t *starts, bool extended,
    emage_index_writer_t *w)
{
    uint32_t        i, k, n, last;
    uint64_t        length;
    emage_rc_t      rc;
    emage_slice_t  *s;

    s = calloc((size_t) f->n + 1, sizeof(emage_slice_t));
    if (s == NULL) {
        return EMAGE_NOMEM;
    }

    rc = EMAGE_OK;

    for (i = 0; rc == EMAGE_OK && i < frames; i++) {
        last = (i + 1 < frames) ? starts[i + 1] : f->n;

        for (n = 0, k = starts[i]; k < last; k++, n++) {
            s[n].offset = f->list[k].value;
            s[n].length = f->list[k].length;
            s[n].file = 0;
        }

        /* with an extended table a frame is one fragment of stated length */

        if (extended && n == 1
            && f->lengths.length == (uint64_t) frames * 8)
        {
            length = emage_dataset_u64(ds->data + f->lengths.value
                                       + 8 * (size_t) i, false);

            if (length <= s[0].length && s[0].length - length <= 1) {
                s[0].length = length;
            }
        }

        rc = emage_index_writer_frame(w, s, n);
    }

    free(s);

    return rc;
}


emage_rc_t
emage_fragments_frames(const emage_dataset_t *ds, const emage_fragments_t *f,
    uint32_t frames, emage_str_t transfer_syntax, emage_index_writer_t *w,
    bool *frames_only, emage_error_t *err)
{
    bool         extended;
    uint32_t     i, *starts;
    emage_rc_t   rc;

    if (emage_frag_video(transfer_syntax)) {
        return EMAGE_OK;
    }

    *frames_only = (frames > 1);

    if (frames > f->n) {
        emage_error_set(err, "%u frames but only %u fragments of pixel data",
                        frames, f->n);
        return EMAGE_ERROR;
    }

    starts = calloc(frames, sizeof(uint32_t));
    if (starts == NULL) {
        return EMAGE_NOMEM;
    }

    extended = emage_frag_by_table(ds, f, &f->extended, 8, frames, starts);

    if (extended || frames == 1) {
        /* done, or all fragments are the one frame: starts[0] is 0 */

    } else if (frames == f->n) {

        for (i = 0; i < frames; i++) {
            starts[i] = i;
        }

    } else if (!emage_frag_by_table(ds, f, &f->table, 4, frames, starts)
               && !emage_frag_by_markers(ds, f, frames, starts))
    {
        emage_error_set(err, "%u fragments of pixel data cannot be told apart "
                        "into %u frames: no offset table that fits them, no "
                        "start markers", f->n, frames);
        free(starts);
        return EMAGE_ERROR;
    }

    rc = emage_frag_emit(ds, f, frames, starts, extended, w);

    free(starts);

    return rc;
}
