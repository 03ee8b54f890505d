
/*
 * Copyright (C) The e-mage authors
 *
 * The reader of series.idx.  Everything is checked once, in open; the getters
 * then only copy numbers out.
 */


#include <emage/resource.h>
#include <emage/series_index.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "series_index_format.h"


struct emage_series_index_s {
    const unsigned char  *instances;
    const unsigned char  *items;
    const unsigned char  *slices;
    const char           *strings;
    uint32_t              ninstances;
    uint32_t              nitems;
    uint32_t              nslices;
    uint32_t              nstrings;
    uint64_t              meta;
};


static emage_rc_t emage_idx_header(emage_series_index_t *idx,
    const unsigned char *p, size_t len, emage_error_t *err);
static emage_rc_t emage_idx_check(const emage_series_index_t *idx,
    emage_error_t *err);
static bool emage_idx_check_instance(const emage_series_index_t *idx,
    const emage_index_instance_t *in);
static bool emage_idx_check_item(const emage_series_index_t *idx,
    const emage_index_instance_t *in, uint32_t n, uint32_t *slice);
static bool emage_idx_span(const emage_series_index_t *idx, uint32_t offset,
    uint16_t len);
static void emage_idx_item(const emage_series_index_t *idx, uint32_t n,
    emage_index_item_t *out);


emage_str_t
emage_class_name(emage_class_t cls)
{
    switch (cls) {
    case EMAGE_CLASS_IMAGE:
        return emage_str("image");
    case EMAGE_CLASS_EVIDENCE:
        return emage_str("evidence");
    case EMAGE_CLASS_REPORT:
        break;
    }

    return emage_str("report");
}


uint32_t
emage_idx_crc(const unsigned char *data, size_t len)
{
    uLong                 crc;
    static const Bytef    zero[4];

    crc = crc32_z(0, data, EMAGE_IDX_H_CRC);
    crc = crc32_z(crc, zero, 4);
    crc = crc32_z(crc, data + EMAGE_IDX_H_CRC + 4, len - EMAGE_IDX_H_CRC - 4);

    return (uint32_t) crc;
}


bool
emage_idx_media_valid(emage_str_t media)
{
    char    c;
    size_t  i, slashes;

    slashes = 0;

    for (i = 0; i < media.len; i++) {
        c = media.data[i];

        if (c == '/') {
            if (i == 0 || i == media.len - 1) {
                return false;
            }

            slashes++;

        } else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
                     || c == '.' || c == '+' || c == '-'))
        {
            return false;
        }
    }

    return media.len == 0 || slashes == 1;
}


static emage_rc_t
emage_idx_header(emage_series_index_t *idx, const unsigned char *p, size_t len,
    emage_error_t *err)
{
    uint64_t  need;

    if (len < EMAGE_IDX_HEADER
        || memcmp(p, EMAGE_IDX_MAGIC, sizeof(EMAGE_IDX_MAGIC) - 1) != 0)
    {
        emage_error_set(err, "series index: not an index, ingest again");
        return EMAGE_ERROR;
    }

    if (emage_idx_get32(p + EMAGE_IDX_H_VERSION) != EMAGE_IDX_VERSION) {
        emage_error_set(err, "series index: version %u, this program reads %u: "
                        "ingest again, into a new store",
                        emage_idx_get32(p + EMAGE_IDX_H_VERSION),
                        EMAGE_IDX_VERSION);
        return EMAGE_ERROR;
    }

    idx->ninstances = emage_idx_get32(p + EMAGE_IDX_H_INSTANCES);
    idx->nitems = emage_idx_get32(p + EMAGE_IDX_H_ITEMS);
    idx->nslices = emage_idx_get32(p + EMAGE_IDX_H_SLICES);
    idx->nstrings = emage_idx_get32(p + EMAGE_IDX_H_STRINGS);
    idx->meta = emage_idx_get64(p + EMAGE_IDX_H_META);

    /* four 32-bit counts times at most 96: no overflow in 64 bits */

    need = EMAGE_IDX_HEADER + (uint64_t) idx->ninstances * EMAGE_IDX_INSTANCE
           + (uint64_t) idx->nitems * EMAGE_IDX_ITEM
           + (uint64_t) idx->nslices * EMAGE_IDX_SLICE + idx->nstrings;

    if (need != len || emage_idx_get64(p + EMAGE_IDX_H_LENGTH) != len) {
        emage_error_set(err, "series index: %zu bytes, its counts say %llu: "
                        "truncated", len, (unsigned long long) need);
        return EMAGE_ERROR;
    }

    if (emage_idx_get32(p + EMAGE_IDX_H_CRC) != emage_idx_crc(p, len)) {
        emage_error_set(err, "series index: checksum differs: damaged");
        return EMAGE_ERROR;
    }

    if (emage_idx_get64(p + EMAGE_IDX_H_ZERO) != 0
        || emage_idx_get64(p + EMAGE_IDX_H_ZERO + 8) != 0)
    {
        emage_error_set(err, "series index: reserved bytes are not zero");
        return EMAGE_ERROR;
    }

    idx->instances = p + EMAGE_IDX_HEADER;
    idx->items = idx->instances + (size_t) idx->ninstances
                                  * EMAGE_IDX_INSTANCE;
    idx->slices = idx->items + (size_t) idx->nitems * EMAGE_IDX_ITEM;
    idx->strings = (const char *) idx->slices
                   + (size_t) idx->nslices * EMAGE_IDX_SLICE;

    return EMAGE_OK;
}


static bool
emage_idx_span(const emage_series_index_t *idx, uint32_t offset, uint16_t len)
{
    return (uint64_t) offset + len <= idx->nstrings;
}


static bool
emage_idx_check_instance(const emage_series_index_t *idx,
    const emage_index_instance_t *in)
{
    if (!emage_uid_valid(in->uid) || !emage_uid_valid(in->sop_class)
        || !emage_uid_valid(in->transfer_syntax)
        || in->cls > EMAGE_CLASS_REPORT)
    {
        return false;
    }

    /* a picture and its thumbnail, of frames of an image, or none */

    if ((in->rendered_size == 0) != (in->thumbnail_size == 0)
        || (in->rendered_size != 0
            && (in->cls != EMAGE_CLASS_IMAGE || in->nframes == 0)))
    {
        return false;
    }

    return in->meta_offset <= idx->meta
           && in->meta_length <= idx->meta - in->meta_offset;
}


static bool
emage_idx_check_item(const emage_series_index_t *idx,
    const emage_index_instance_t *in, uint32_t n, uint32_t *slice)
{
    uint32_t              i;
    uint64_t              size, sum;
    emage_slice_t         s;
    emage_index_item_t    item;
    const unsigned char  *p;

    p = idx->items + (size_t) n * EMAGE_IDX_ITEM;

    if (!emage_idx_span(idx, emage_idx_get32(p + EMAGE_IDX_I_PATH),
                        emage_idx_get16(p + EMAGE_IDX_I_PATH_LEN))
        || !emage_idx_span(idx, emage_idx_get32(p + EMAGE_IDX_I_MEDIA),
                           emage_idx_get16(p + EMAGE_IDX_I_MEDIA_LEN))
        || emage_idx_get32(p + EMAGE_IDX_I_ZERO) != 0)
    {
        return false;
    }

    emage_idx_item(idx, n, &item);

    if (item.first_slice != *slice || item.nslices > idx->nslices - *slice
        || !emage_idx_media_valid(item.media_type))
    {
        return false;
    }

    sum = 0;

    for (i = 0; i < item.nslices; i++) {
        p = idx->slices + (size_t) (*slice + i) * EMAGE_IDX_SLICE;

        s.offset = emage_idx_get64(p + EMAGE_IDX_S_OFFSET);
        s.length = emage_idx_get64(p + EMAGE_IDX_S_LENGTH);
        s.file = emage_idx_get32(p + EMAGE_IDX_S_FILE);

        if (s.file > 1 || emage_idx_get32(p + EMAGE_IDX_S_ZERO) != 0) {
            return false;
        }

        size = (s.file == 0) ? in->file_size : in->extra_size;

        if (s.offset > size || s.length > size - s.offset
            || sum + s.length < sum)
        {
            return false;
        }

        sum += s.length;
    }

    *slice += item.nslices;

    return sum == item.length;
}


static emage_rc_t
emage_idx_check(const emage_series_index_t *idx, emage_error_t *err)
{
    uint32_t                n, i, item, slice;
    emage_str_t             prev, path;
    emage_index_item_t      it;
    const unsigned char    *p;
    emage_index_instance_t  in;

    item = 0;
    slice = 0;
    prev = emage_null_str;

    for (n = 0; n < idx->ninstances; n++) {
        p = idx->instances + (size_t) n * EMAGE_IDX_INSTANCE;

        if (!emage_idx_span(idx, emage_idx_get32(p + EMAGE_IDX_N_UID),
                            emage_idx_get16(p + EMAGE_IDX_N_UID_LEN))
            || !emage_idx_span(idx, emage_idx_get32(p + EMAGE_IDX_N_SOP),
                               emage_idx_get16(p + EMAGE_IDX_N_SOP_LEN))
            || !emage_idx_span(idx, emage_idx_get32(p + EMAGE_IDX_N_TS),
                               emage_idx_get16(p + EMAGE_IDX_N_TS_LEN))
            || emage_idx_get16(p + EMAGE_IDX_N_ZERO) != 0)
        {
            goto damaged;
        }

        (void) emage_series_index_get(idx, n, &in);

        /* strictly ascending: sorted for the search, and no UID twice */

        if (!emage_idx_check_instance(idx, &in)
            || (n > 0 && emage_str_cmp(prev, in.uid) >= 0)
            || in.first_item != item
            || in.nframes > idx->nitems - item
            || in.nbulk > idx->nitems - item - in.nframes)
        {
            goto damaged;
        }

        prev = in.uid;
        path = emage_null_str;

        for (i = 0; i < in.nframes + in.nbulk; i++) {
            if (!emage_idx_check_item(idx, &in, item + i, &slice)) {
                goto damaged;
            }

            emage_idx_item(idx, item + i, &it);

            if (i < in.nframes) {
                if (it.path.len != 0) {
                    goto damaged;
                }

                continue;
            }

            if (it.path.len == 0 || it.path.len > EMAGE_BULK_MAX
                || (i > in.nframes && emage_str_cmp(path, it.path) >= 0))
            {
                goto damaged;
            }

            path = it.path;
        }

        item += in.nframes + in.nbulk;
    }

    if (item != idx->nitems || slice != idx->nslices) {
        emage_error_set(err, "series index: items or slices left over");
        return EMAGE_ERROR;
    }

    return EMAGE_OK;

damaged:

    emage_error_set(err, "series index: instance %u of %u is not sound", n + 1,
                    idx->ninstances);

    return EMAGE_ERROR;
}


emage_rc_t
emage_series_index_open(const void *data, size_t len,
    emage_series_index_t **out, emage_error_t *err)
{
    emage_rc_t             rc;
    emage_series_index_t  *idx;

    *out = NULL;

    idx = calloc(1, sizeof(emage_series_index_t));
    if (idx == NULL) {
        emage_error_set(err, "series index: no memory");
        return EMAGE_NOMEM;
    }

    rc = emage_idx_header(idx, data, len, err);

    if (rc == EMAGE_OK) {
        rc = emage_idx_check(idx, err);
    }

    if (rc != EMAGE_OK) {
        free(idx);
        return rc;
    }

    *out = idx;

    return EMAGE_OK;
}


void
emage_series_index_close(emage_series_index_t *idx)
{
    free(idx);
}


uint32_t
emage_series_index_count(const emage_series_index_t *idx)
{
    return idx->ninstances;
}


uint64_t
emage_series_index_metadata_size(const emage_series_index_t *idx)
{
    return idx->meta;
}


emage_rc_t
emage_series_index_get(const emage_series_index_t *idx, uint32_t n,
    emage_index_instance_t *out)
{
    const unsigned char  *p;

    if (n >= idx->ninstances) {
        return EMAGE_NOTFOUND;
    }

    p = idx->instances + (size_t) n * EMAGE_IDX_INSTANCE;

    out->uid.data = idx->strings + emage_idx_get32(p + EMAGE_IDX_N_UID);
    out->uid.len = emage_idx_get16(p + EMAGE_IDX_N_UID_LEN);
    out->sop_class.data = idx->strings + emage_idx_get32(p + EMAGE_IDX_N_SOP);
    out->sop_class.len = emage_idx_get16(p + EMAGE_IDX_N_SOP_LEN);
    out->transfer_syntax.data = idx->strings
                                + emage_idx_get32(p + EMAGE_IDX_N_TS);
    out->transfer_syntax.len = emage_idx_get16(p + EMAGE_IDX_N_TS_LEN);
    out->cls = (emage_class_t) emage_idx_get32(p + EMAGE_IDX_N_CLASS);
    out->nframes = emage_idx_get32(p + EMAGE_IDX_N_FRAMES);
    out->nbulk = emage_idx_get32(p + EMAGE_IDX_N_BULK);
    out->file_size = emage_idx_get64(p + EMAGE_IDX_N_FILE);
    out->extra_size = emage_idx_get64(p + EMAGE_IDX_N_EXTRA);
    out->rendered_size = emage_idx_get64(p + EMAGE_IDX_N_RENDERED);
    out->thumbnail_size = emage_idx_get64(p + EMAGE_IDX_N_THUMBNAIL);
    out->meta_offset = emage_idx_get64(p + EMAGE_IDX_N_META_OFF);
    out->meta_length = emage_idx_get64(p + EMAGE_IDX_N_META_LEN);
    out->meta_size = emage_idx_get64(p + EMAGE_IDX_N_META_SIZE);
    out->meta_crc = emage_idx_get32(p + EMAGE_IDX_N_META_CRC);
    out->first_item = emage_idx_get32(p + EMAGE_IDX_N_ITEM);

    return EMAGE_OK;
}


emage_rc_t
emage_series_index_find(const emage_series_index_t *idx, emage_str_t uid,
    uint32_t *n, emage_index_instance_t *out)
{
    int                   cmp;
    uint32_t              lo, hi, mid;
    emage_str_t           s;
    const unsigned char  *p;

    lo = 0;
    hi = idx->ninstances;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        p = idx->instances + (size_t) mid * EMAGE_IDX_INSTANCE;
        s.data = idx->strings + emage_idx_get32(p + EMAGE_IDX_N_UID);
        s.len = emage_idx_get16(p + EMAGE_IDX_N_UID_LEN);

        cmp = emage_str_cmp(uid, s);

        if (cmp == 0) {
            if (n != NULL) {
                *n = mid;
            }

            return emage_series_index_get(idx, mid, out);
        }

        if (cmp < 0) {
            hi = mid;

        } else {
            lo = mid + 1;
        }
    }

    return EMAGE_NOTFOUND;
}


static void
emage_idx_item(const emage_series_index_t *idx, uint32_t n,
    emage_index_item_t *out)
{
    const unsigned char  *p;

    p = idx->items + (size_t) n * EMAGE_IDX_ITEM;

    out->length = emage_idx_get64(p + EMAGE_IDX_I_LENGTH);
    out->first_slice = emage_idx_get32(p + EMAGE_IDX_I_SLICE);
    out->nslices = emage_idx_get32(p + EMAGE_IDX_I_SLICES);
    out->path.data = idx->strings + emage_idx_get32(p + EMAGE_IDX_I_PATH);
    out->path.len = emage_idx_get16(p + EMAGE_IDX_I_PATH_LEN);
    out->media_type.data = idx->strings
                           + emage_idx_get32(p + EMAGE_IDX_I_MEDIA);
    out->media_type.len = emage_idx_get16(p + EMAGE_IDX_I_MEDIA_LEN);
}


emage_rc_t
emage_series_index_frame(const emage_series_index_t *idx,
    const emage_index_instance_t *instance, uint32_t number,
    emage_index_item_t *out)
{
    if (number == 0 || number > instance->nframes) {
        return EMAGE_NOTFOUND;
    }

    emage_idx_item(idx, instance->first_item + number - 1, out);

    return EMAGE_OK;
}


emage_rc_t
emage_series_index_bulk_at(const emage_series_index_t *idx,
    const emage_index_instance_t *instance, uint32_t n,
    emage_index_item_t *out)
{
    if (n >= instance->nbulk) {
        return EMAGE_NOTFOUND;
    }

    emage_idx_item(idx, instance->first_item + instance->nframes + n, out);

    return EMAGE_OK;
}


emage_rc_t
emage_series_index_bulk(const emage_series_index_t *idx,
    const emage_index_instance_t *instance, emage_str_t path,
    emage_index_item_t *out)
{
    int                 cmp;
    uint32_t            lo, hi, mid;
    emage_index_item_t  item;

    lo = 0;
    hi = instance->nbulk;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;

        (void) emage_series_index_bulk_at(idx, instance, mid, &item);

        cmp = emage_str_cmp(path, item.path);

        if (cmp == 0) {
            *out = item;
            return EMAGE_OK;
        }

        if (cmp < 0) {
            hi = mid;

        } else {
            lo = mid + 1;
        }
    }

    return EMAGE_NOTFOUND;
}


emage_rc_t
emage_series_index_slice(const emage_series_index_t *idx,
    const emage_index_item_t *item, uint32_t n, emage_slice_t *out)
{
    const unsigned char  *p;

    if (n >= item->nslices) {
        return EMAGE_NOTFOUND;
    }

    p = idx->slices + (size_t) (item->first_slice + n) * EMAGE_IDX_SLICE;

    out->offset = emage_idx_get64(p + EMAGE_IDX_S_OFFSET);
    out->length = emage_idx_get64(p + EMAGE_IDX_S_LENGTH);
    out->file = emage_idx_get32(p + EMAGE_IDX_S_FILE);

    return EMAGE_OK;
}
