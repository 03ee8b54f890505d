
/*
 * Copyright (C) The e-mage authors
 */


#include "offsets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fragments.h"


typedef struct {
    char         path[EMAGE_BULK_MAX + 1];
    size_t       path_len;
    uint32_t     tag;
    unsigned     depth;
    uint32_t     first;              /* slice */
    uint32_t     n;
} emage_off_bulk_t;


typedef struct {
    emage_off_bulk_t  *bulk;
    uint32_t           nbulk;
    uint32_t           max_bulk;
    emage_slice_t     *slices;
    uint32_t           nslices;
    uint32_t           max_slices;
    emage_fragments_t  fragments;    /* of the pixel data of depth 0 */
} emage_off_t;


static emage_rc_t emage_off_event(void *data, const emage_event_t *ev);
static emage_rc_t emage_off_encapsulated(emage_off_t *o,
    const emage_event_t *ev);
static emage_rc_t emage_off_bulk(emage_off_t *o, const emage_event_t *ev);
static emage_rc_t emage_off_slice(emage_off_t *o, uint64_t offset,
    uint64_t length);
static emage_rc_t emage_off_native(const emage_dataset_t *ds,
    const emage_attributes_t *at, emage_index_writer_t *w, emage_buf_t *extra,
    emage_error_t *err);
static emage_rc_t emage_off_bits(const emage_dataset_t *ds,
    const emage_attributes_t *at, uint64_t bits, emage_index_writer_t *w,
    emage_buf_t *extra);
static uint64_t emage_off_frame_bits(const emage_attributes_t *at);
static emage_str_t emage_off_media(const emage_attributes_t *at,
    const emage_off_bulk_t *b, emage_str_t ts);


emage_rc_t
emage_offsets_write(const emage_dataset_t *ds, const emage_attributes_t *at,
    emage_str_t transfer_syntax, emage_index_writer_t *w, emage_buf_t *extra,
    bool *frames_only, emage_error_t *err)
{
    uint32_t           i;
    emage_rc_t         rc;
    emage_off_t        o;
    emage_off_bulk_t  *b;

    memset(&o, 0, sizeof(o));

    *frames_only = false;

    rc = emage_dataset_walk(ds, emage_off_event, &o, err);

    if (rc == EMAGE_OK && at->pixels.tag != 0) {

        if (at->frames_bad) {
            emage_error_set(err, "number of frames (0028,0008) is not a "
                            "positive number");
            rc = EMAGE_ERROR;

        } else if (at->encapsulated) {
            rc = emage_fragments_frames(ds, &o.fragments, at->frames,
                                        transfer_syntax, w, frames_only, err);

        } else {
            rc = emage_off_native(ds, at, w, extra, err);
        }
    }

    for (i = 0; rc == EMAGE_OK && i < o.nbulk; i++) {
        b = &o.bulk[i];

        if (b->depth == 0 && b->tag == EMAGE_TAG_PIXELS && *frames_only) {
            continue;
        }

        rc = emage_index_writer_bulk(w,
                                     (emage_str_t) { b->path, b->path_len },
                                     emage_off_media(at, b, transfer_syntax),
                                     o.slices + b->first, b->n);
    }

    if (rc == EMAGE_NOMEM) {
        emage_error_set(err, "too many frames or bulk values for the memory "
                        "of a worker");
    }

    free(o.bulk);
    free(o.slices);
    emage_fragments_free(&o.fragments);

    return rc;
}


static emage_rc_t
emage_off_event(void *data, const emage_event_t *ev)
{
    emage_off_t  *o = data;

    switch (ev->at) {

    case EMAGE_AT_ELEMENT:

        /* (7FE0,0001) and (7FE0,0002): extended offset table */

        if (ev->depth == 0 && ev->tag == EMAGE_TAG(0x7fe0, 0x0001)) {
            o->fragments.extended = *ev;

        } else if (ev->depth == 0 && ev->tag == EMAGE_TAG(0x7fe0, 0x0002)) {
            o->fragments.lengths = *ev;
        }

        return emage_off_bulk(o, ev);

    case EMAGE_AT_ENCAPSULATED:
    case EMAGE_AT_FRAGMENT:
    case EMAGE_AT_ENCAPSULATED_END:
        return emage_off_encapsulated(o, ev);

    default:
        return EMAGE_OK;
    }
}


static emage_rc_t
emage_off_slice(emage_off_t *o, uint64_t offset, uint64_t length)
{
    uint32_t        max;
    emage_slice_t  *s;

    if (o->nslices == o->max_slices) {
        max = (o->max_slices == 0) ? 16 : o->max_slices * 2;

        if (max > 1u << 26) {
            return EMAGE_NOMEM;
        }

        s = realloc(o->slices, max * sizeof(emage_slice_t));
        if (s == NULL) {
            return EMAGE_NOMEM;
        }

        o->slices = s;
        o->max_slices = max;
    }

    s = &o->slices[o->nslices++];

    s->offset = offset;
    s->length = length;
    s->file = 0;

    return EMAGE_OK;
}


/* Begins a bulk value if `ev` is one; its slices may follow. */

static emage_rc_t
emage_off_bulk(emage_off_t *o, const emage_event_t *ev)
{
    uint32_t           max;
    emage_off_bulk_t  *b, bulk;

    if (!emage_dataset_bulk(ev, bulk.path, &bulk.path_len)) {
        return EMAGE_OK;
    }

    if (o->nbulk == o->max_bulk) {
        max = (o->max_bulk == 0) ? 8 : o->max_bulk * 2;

        if (max > 1u << 22) {
            return EMAGE_NOMEM;
        }

        b = realloc(o->bulk, max * sizeof(emage_off_bulk_t));
        if (b == NULL) {
            return EMAGE_NOMEM;
        }

        o->bulk = b;
        o->max_bulk = max;
    }

    bulk.tag = ev->tag;
    bulk.depth = ev->depth;
    bulk.first = o->nslices;
    bulk.n = 0;

    b = &o->bulk[o->nbulk++];
    *b = bulk;

    if (ev->at != EMAGE_AT_ELEMENT) {
        return EMAGE_OK;
    }

    b->n = 1;

    return emage_off_slice(o, ev->value, ev->length);
}


static emage_rc_t
emage_off_encapsulated(emage_off_t *o, const emage_event_t *ev)
{
    emage_rc_t  rc;

    if (ev->at == EMAGE_AT_ENCAPSULATED) {
        return emage_off_bulk(o, ev);
    }

    if (ev->at == EMAGE_AT_ENCAPSULATED_END) {
        return EMAGE_OK;
    }

    if (ev->depth == 0) {
        rc = emage_fragments_add(&o->fragments, ev);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    /* the first item is the offset table, the others are the value */

    if (ev->number == 1 || o->nbulk == 0) {
        return EMAGE_OK;
    }

    rc = emage_off_slice(o, ev->value, ev->length);

    if (rc == EMAGE_OK) {
        o->bulk[o->nbulk - 1].n++;
    }

    return rc;
}


/* Bits of one native frame (PS3.3 section C.7.6.3.1), 0: not stated. */

static uint64_t
emage_off_frame_bits(const emage_attributes_t *at)
{
    uint64_t  bits;

    bits = at->bits_allocated;

    if (at->pixels.tag == EMAGE_TAG_FLOAT_PIXELS) {
        bits = 32;

    } else if (at->pixels.tag == EMAGE_TAG_DOUBLE_PIXELS) {
        bits = 64;
    }

    /* three factors under 2^16 and samples under 2^16: below 2^64 */

    bits *= (uint64_t) at->rows * at->columns;

    /* chrominance is stored for every second or fourth pixel only */

    if (at->samples == 3
        && (emage_str_eq(at->photometric, emage_str("YBR_FULL_422"))
            || emage_str_eq(at->photometric, emage_str("YBR_PARTIAL_422"))))
    {
        return bits * 2;
    }

    if (at->samples == 3
        && emage_str_eq(at->photometric, emage_str("YBR_PARTIAL_420")))
    {
        return bits + bits / 2;
    }

    return bits * at->samples;
}


static emage_rc_t
emage_off_native(const emage_dataset_t *ds, const emage_attributes_t *at,
    emage_index_writer_t *w, emage_buf_t *extra, emage_error_t *err)
{
    uint32_t       i;
    uint64_t       bits, bytes;
    emage_rc_t     rc;
    emage_slice_t  s;

    bits = emage_off_frame_bits(at);

    if (bits == 0 || bits > UINT64_MAX / at->frames
        || at->samples > 0xff)
    {
        emage_error_set(err, "pixel data without rows, columns, samples and "
                        "bits allocated that make sense");
        return EMAGE_ERROR;
    }

    if (at->pixels.tag == EMAGE_TAG_PIXELS && at->bits_allocated != 1
        && at->bits_allocated % 8 != 0)
    {
        emage_error_set(err, "bits allocated %u: neither 1 nor whole bytes",
                        at->bits_allocated);
        return EMAGE_ERROR;
    }

    bytes = bits * at->frames / 8 + (bits * at->frames % 8 != 0);

    if (bytes > at->pixels.length) {
        emage_error_set(err, "pixel data has %llu bytes, %u frame(s) of %ux%u "
                        "need %llu", (unsigned long long) at->pixels.length,
                        at->frames, at->rows, at->columns,
                        (unsigned long long) bytes);
        return EMAGE_ERROR;
    }

    if (bits % 8 != 0) {
        return emage_off_bits(ds, at, bits, w, extra);
    }

    s.file = 0;
    s.length = bits / 8;

    for (i = 0; i < at->frames; i++) {
        s.offset = at->pixels.value + i * s.length;

        rc = emage_index_writer_frame(w, &s, 1);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    return EMAGE_OK;
}


/*
 * Frames of single bits follow each other without gap (PS3.5 section 8.1.1):
 * each is moved to a byte, and the bits behind its last are zero.
 */

static emage_rc_t
emage_off_bits(const emage_dataset_t *ds, const emage_attributes_t *at,
    uint64_t bits, emage_index_writer_t *w, emage_buf_t *extra)
{
    uint32_t              i;
    uint64_t              start, k, n;
    emage_rc_t            rc;
    unsigned char         c;
    emage_slice_t         s;
    const unsigned char  *p, *end;

    n = (bits + 7) / 8;
    end = ds->data + at->pixels.value + at->pixels.length;

    s.file = 1;
    s.length = n;

    for (i = 0; i < at->frames; i++) {
        start = i * bits;
        p = ds->data + at->pixels.value + start / 8;

        s.offset = extra->len;

        for (k = 0; k < n; k++) {
            c = (unsigned char) (p[k] >> start % 8);

            if (start % 8 != 0 && p + k + 1 < end) {
                c |= (unsigned char) (p[k + 1] << (8 - start % 8));
            }

            if (k == n - 1 && bits % 8 != 0) {
                c &= (unsigned char) ((1 << bits % 8) - 1);
            }

            rc = emage_buf_add(extra, &c, 1);
            if (rc != EMAGE_OK) {
                return rc;
            }
        }

        rc = emage_index_writer_frame(w, &s, 1);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    return EMAGE_OK;
}


static emage_str_t
emage_off_media(const emage_attributes_t *at, const emage_off_bulk_t *b,
    emage_str_t ts)
{
    size_t  i;

    /* only types that a browser does not run in the name of this site */

    static const char *const  documents[] = {
        "application/pdf", "model/stl", "model/obj", "model/mtl"
    };

    if (b->tag == EMAGE_TAG(0x0042, 0x0011) && b->depth == 0) {

        for (i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
            if (emage_str_eq(at->mime, emage_str_c(documents[i]))) {
                return emage_str_c(documents[i]);
            }
        }
    }

    if (b->tag == EMAGE_TAG_PIXELS && b->depth == 0 && at->encapsulated) {
        return emage_offsets_media(ts);
    }

    return emage_null_str;
}
