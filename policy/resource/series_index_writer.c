
/*
 * Copyright (C) The e-mage authors
 *
 * The writer of series.idx.
 */


#include <emage/resource.h>
#include <emage/series_index.h>

#include <stdlib.h>
#include <string.h>

#include "series_index_format.h"


/* 2^26 items of 32 bytes: 2 GiB, more than any series of real use */

#define EMAGE_IDX_COUNT_MAX     (1u << 26)
#define EMAGE_IDX_STRINGS_MAX   (1u << 30)


typedef struct {
    uint32_t  offset;
    uint16_t  len;
} emage_idx_string_t;


typedef struct {
    emage_index_instance_t  in;      /* numbers; the strings are below */
    emage_idx_string_t      uid;
    emage_idx_string_t      sop_class;
    emage_idx_string_t      transfer_syntax;
} emage_idx_instance_t;


typedef struct {
    uint64_t            length;
    uint32_t            first_slice;
    uint32_t            nslices;
    emage_idx_string_t  path;
    emage_idx_string_t  media_type;
} emage_idx_item_t;


typedef struct {
    void      *data;
    uint32_t   n;
    uint32_t   max;
} emage_idx_vec_t;


struct emage_index_writer_s {
    emage_idx_vec_t     instances;
    emage_idx_vec_t     items;
    emage_idx_vec_t     slices;
    emage_buf_t         strings;
    emage_idx_string_t  last[4];     /* repeated values are stored once */
};


/* an order of instances or bulk values, with what the comparison needs */

typedef struct {
    emage_str_t  key;
    uint32_t     n;
} emage_idx_order_t;


static void *emage_idx_push(emage_idx_vec_t *vec, uint32_t n, size_t size);
static emage_rc_t emage_idx_string(emage_index_writer_t *w, unsigned slot,
    emage_str_t s, emage_idx_string_t *out);
static emage_rc_t emage_idx_add_item(emage_index_writer_t *w,
    emage_str_t path, emage_str_t media_type, const emage_slice_t *slices,
    uint32_t nslices);
static int emage_idx_order_cmp(const void *a, const void *b);
static emage_rc_t emage_idx_emit(emage_index_writer_t *w,
    emage_idx_order_t *order, emage_idx_order_t *bulk, unsigned char *dst,
    size_t total, emage_error_t *err);
static void emage_idx_emit_item(emage_index_writer_t *w, uint32_t n,
    unsigned char *items, unsigned char *slices, uint32_t *item,
    uint32_t *slice);


emage_rc_t
emage_index_writer_create(emage_index_writer_t **out)
{
    emage_index_writer_t  *w;

    *out = NULL;

    w = calloc(1, sizeof(emage_index_writer_t));
    if (w == NULL) {
        return EMAGE_NOMEM;
    }

    emage_buf_init(&w->strings, EMAGE_IDX_STRINGS_MAX);

    *out = w;

    return EMAGE_OK;
}


void
emage_index_writer_destroy(emage_index_writer_t *w)
{
    if (w == NULL) {
        return;
    }

    free(w->instances.data);
    free(w->items.data);
    free(w->slices.data);
    emage_buf_free(&w->strings);
    free(w);
}


/* Room for `n` more elements; the count is the caller's to raise. */

static void *
emage_idx_push(emage_idx_vec_t *vec, uint32_t n, size_t size)
{
    void      *data;
    uint32_t   max;

    if (n > EMAGE_IDX_COUNT_MAX - vec->n) {
        return NULL;
    }

    if (vec->n + n > vec->max) {
        max = (vec->max == 0) ? 16 : vec->max;

        while (max < vec->n + n) {
            max *= 2;
        }

        data = realloc(vec->data, (size_t) max * size);
        if (data == NULL) {
            return NULL;
        }

        vec->data = data;
        vec->max = max;
    }

    return (char *) vec->data + (size_t) vec->n * size;
}


static emage_rc_t
emage_idx_string(emage_index_writer_t *w, unsigned slot, emage_str_t s,
    emage_idx_string_t *out)
{
    emage_str_t  last;

    if (s.len > UINT16_MAX) {
        return EMAGE_NOMEM;
    }

    if (s.len == 0) {
        out->offset = 0;
        out->len = 0;
        return EMAGE_OK;
    }

    last.len = w->last[slot].len;

    if (last.len != 0) {
        last.data = w->strings.data + w->last[slot].offset;

        if (emage_str_eq(last, s)) {
            *out = w->last[slot];
            return EMAGE_OK;
        }
    }

    out->offset = (uint32_t) w->strings.len;
    out->len = (uint16_t) s.len;

    if (emage_buf_add_str(&w->strings, s) != EMAGE_OK) {
        return EMAGE_NOMEM;
    }

    w->last[slot] = *out;

    return EMAGE_OK;
}


emage_rc_t
emage_index_writer_instance(emage_index_writer_t *w,
    const emage_index_instance_t *instance)
{
    emage_idx_instance_t  *in;

    in = emage_idx_push(&w->instances, 1, sizeof(emage_idx_instance_t));
    if (in == NULL) {
        return EMAGE_NOMEM;
    }

    in->in = *instance;
    in->in.nframes = 0;
    in->in.nbulk = 0;
    in->in.first_item = w->items.n;

    if (emage_idx_string(w, 0, instance->uid, &in->uid) != EMAGE_OK
        || emage_idx_string(w, 1, instance->sop_class, &in->sop_class)
           != EMAGE_OK
        || emage_idx_string(w, 2, instance->transfer_syntax,
                            &in->transfer_syntax)
           != EMAGE_OK)
    {
        return EMAGE_NOMEM;
    }

    w->instances.n++;

    return EMAGE_OK;
}


emage_rc_t
emage_index_writer_extra(emage_index_writer_t *w, uint64_t size)
{
    if (w->instances.n == 0) {
        return EMAGE_ERROR;
    }

    ((emage_idx_instance_t *) w->instances.data
     + w->instances.n - 1)->in.extra_size = size;

    return EMAGE_OK;
}


emage_rc_t
emage_index_writer_rendering(emage_index_writer_t *w, emage_str_t uid,
    uint64_t rendered_size, uint64_t thumbnail_size)
{
    uint32_t               n;
    emage_str_t            s;
    emage_idx_instance_t  *in;

    for (n = 0; n < w->instances.n; n++) {
        in = (emage_idx_instance_t *) w->instances.data + n;

        s.data = w->strings.data + in->uid.offset;
        s.len = in->uid.len;

        if (emage_str_eq(s, uid)) {
            in->in.rendered_size = rendered_size;
            in->in.thumbnail_size = thumbnail_size;
            return EMAGE_OK;
        }
    }

    return EMAGE_NOTFOUND;
}


static emage_rc_t
emage_idx_add_item(emage_index_writer_t *w, emage_str_t path,
    emage_str_t media_type, const emage_slice_t *slices, uint32_t nslices)
{
    uint32_t           i;
    emage_slice_t     *s;
    emage_idx_item_t  *item;

    item = emage_idx_push(&w->items, 1, sizeof(emage_idx_item_t));
    s = emage_idx_push(&w->slices, nslices, sizeof(emage_slice_t));

    if (item == NULL || s == NULL || w->instances.n == 0) {
        return EMAGE_NOMEM;
    }

    item->length = 0;
    item->first_slice = w->slices.n;
    item->nslices = nslices;

    for (i = 0; i < nslices; i++) {
        s[i] = slices[i];
        item->length += slices[i].length;
    }

    /* a slot for the media type; paths of bulk values seldom repeat */

    if (emage_idx_string(w, 3, media_type, &item->media_type) != EMAGE_OK) {
        return EMAGE_NOMEM;
    }

    item->path.offset = (uint32_t) w->strings.len;
    item->path.len = (uint16_t) path.len;

    if (path.len > EMAGE_BULK_MAX
        || (path.len != 0 && emage_buf_add_str(&w->strings, path) != EMAGE_OK))
    {
        return EMAGE_NOMEM;
    }

    w->items.n++;
    w->slices.n += nslices;

    return EMAGE_OK;
}


emage_rc_t
emage_index_writer_frame(emage_index_writer_t *w, const emage_slice_t *slices,
    uint32_t nslices)
{
    emage_rc_t             rc;
    emage_idx_instance_t  *in;

    if (w->instances.n == 0) {
        return EMAGE_ERROR;
    }

    in = (emage_idx_instance_t *) w->instances.data + w->instances.n - 1;

    /* the items of an instance are its frames, then its bulk values */

    if (in->in.nbulk != 0) {
        return EMAGE_ERROR;
    }

    rc = emage_idx_add_item(w, emage_null_str, emage_null_str, slices,
                            nslices);

    if (rc == EMAGE_OK) {
        in->in.nframes++;
    }

    return rc;
}


emage_rc_t
emage_index_writer_bulk(emage_index_writer_t *w, emage_str_t path,
    emage_str_t media_type, const emage_slice_t *slices, uint32_t nslices)
{
    emage_rc_t             rc;
    emage_idx_instance_t  *in;

    if (w->instances.n == 0 || path.len == 0) {
        return EMAGE_ERROR;
    }

    in = (emage_idx_instance_t *) w->instances.data + w->instances.n - 1;

    rc = emage_idx_add_item(w, path, media_type, slices, nslices);

    if (rc == EMAGE_OK) {
        in->in.nbulk++;
    }

    return rc;
}


static int
emage_idx_order_cmp(const void *a, const void *b)
{
    const emage_idx_order_t  *x = a, *y = b;

    return emage_str_cmp(x->key, y->key);
}


static void
emage_idx_emit_item(emage_index_writer_t *w, uint32_t n, unsigned char *items,
    unsigned char *slices, uint32_t *item, uint32_t *slice)
{
    uint32_t                 i;
    unsigned char           *p;
    const emage_slice_t     *s;
    const emage_idx_item_t  *it;

    it = (const emage_idx_item_t *) w->items.data + n;
    p = items + (size_t) (*item)++ * EMAGE_IDX_ITEM;

    emage_idx_put64(p + EMAGE_IDX_I_LENGTH, it->length);
    emage_idx_put32(p + EMAGE_IDX_I_SLICE, *slice);
    emage_idx_put32(p + EMAGE_IDX_I_SLICES, it->nslices);
    emage_idx_put32(p + EMAGE_IDX_I_PATH, it->path.offset);
    emage_idx_put32(p + EMAGE_IDX_I_MEDIA, it->media_type.offset);
    emage_idx_put16(p + EMAGE_IDX_I_PATH_LEN, it->path.len);
    emage_idx_put16(p + EMAGE_IDX_I_MEDIA_LEN, it->media_type.len);

    for (i = 0; i < it->nslices; i++) {
        s = (const emage_slice_t *) w->slices.data + it->first_slice + i;
        p = slices + (size_t) (*slice)++ * EMAGE_IDX_SLICE;

        emage_idx_put64(p + EMAGE_IDX_S_OFFSET, s->offset);
        emage_idx_put64(p + EMAGE_IDX_S_LENGTH, s->length);
        emage_idx_put32(p + EMAGE_IDX_S_FILE, s->file);
    }
}


static emage_rc_t
emage_idx_emit(emage_index_writer_t *w, emage_idx_order_t *order,
    emage_idx_order_t *bulk, unsigned char *dst, size_t total,
    emage_error_t *err)
{
    uint32_t                     n, i, k, item, slice;
    uint64_t                     meta;
    emage_rc_t                   rc;
    unsigned char               *p, *items, *slices;
    emage_series_index_t        *check;
    const emage_idx_item_t      *it;
    const emage_idx_instance_t  *in;

    items = dst + EMAGE_IDX_HEADER
            + (size_t) w->instances.n * EMAGE_IDX_INSTANCE;
    slices = items + (size_t) w->items.n * EMAGE_IDX_ITEM;

    item = 0;
    slice = 0;
    meta = 0;

    for (n = 0; n < w->instances.n; n++) {
        in = (const emage_idx_instance_t *) w->instances.data + order[n].n;
        p = dst + EMAGE_IDX_HEADER + (size_t) n * EMAGE_IDX_INSTANCE;

        emage_idx_put64(p + EMAGE_IDX_N_FILE, in->in.file_size);
        emage_idx_put64(p + EMAGE_IDX_N_EXTRA, in->in.extra_size);
        emage_idx_put64(p + EMAGE_IDX_N_RENDERED, in->in.rendered_size);
        emage_idx_put64(p + EMAGE_IDX_N_THUMBNAIL, in->in.thumbnail_size);
        emage_idx_put64(p + EMAGE_IDX_N_META_OFF, in->in.meta_offset);
        emage_idx_put64(p + EMAGE_IDX_N_META_LEN, in->in.meta_length);
        emage_idx_put64(p + EMAGE_IDX_N_META_SIZE, in->in.meta_size);
        emage_idx_put32(p + EMAGE_IDX_N_META_CRC, in->in.meta_crc);
        emage_idx_put32(p + EMAGE_IDX_N_CLASS, in->in.cls);
        emage_idx_put32(p + EMAGE_IDX_N_ITEM, item);
        emage_idx_put32(p + EMAGE_IDX_N_FRAMES, in->in.nframes);
        emage_idx_put32(p + EMAGE_IDX_N_BULK, in->in.nbulk);
        emage_idx_put32(p + EMAGE_IDX_N_UID, in->uid.offset);
        emage_idx_put32(p + EMAGE_IDX_N_SOP, in->sop_class.offset);
        emage_idx_put32(p + EMAGE_IDX_N_TS, in->transfer_syntax.offset);
        emage_idx_put16(p + EMAGE_IDX_N_UID_LEN, in->uid.len);
        emage_idx_put16(p + EMAGE_IDX_N_SOP_LEN, in->sop_class.len);
        emage_idx_put16(p + EMAGE_IDX_N_TS_LEN, in->transfer_syntax.len);

        if (in->in.meta_offset + in->in.meta_length > meta) {
            meta = in->in.meta_offset + in->in.meta_length;
        }

        for (i = 0; i < in->in.nframes; i++) {
            emage_idx_emit_item(w, in->in.first_item + i, items, slices,
                                &item, &slice);
        }

        for (i = 0; i < in->in.nbulk; i++) {
            k = in->in.first_item + in->in.nframes + i;
            it = (const emage_idx_item_t *) w->items.data + k;

            bulk[i].key.data = w->strings.data + it->path.offset;
            bulk[i].key.len = it->path.len;
            bulk[i].n = k;
        }

        if (in->in.nbulk != 0) {
            qsort(bulk, in->in.nbulk, sizeof(emage_idx_order_t),
                  emage_idx_order_cmp);
        }

        for (i = 0; i < in->in.nbulk; i++) {
            emage_idx_emit_item(w, bulk[i].n, items, slices, &item, &slice);
        }
    }

    if (w->strings.len != 0) {
        memcpy(dst + total - w->strings.len, w->strings.data, w->strings.len);
    }

    memcpy(dst, EMAGE_IDX_MAGIC, sizeof(EMAGE_IDX_MAGIC) - 1);
    emage_idx_put32(dst + EMAGE_IDX_H_VERSION, EMAGE_IDX_VERSION);
    emage_idx_put64(dst + EMAGE_IDX_H_LENGTH, total);
    emage_idx_put32(dst + EMAGE_IDX_H_INSTANCES, w->instances.n);
    emage_idx_put32(dst + EMAGE_IDX_H_ITEMS, w->items.n);
    emage_idx_put32(dst + EMAGE_IDX_H_SLICES, w->slices.n);
    emage_idx_put32(dst + EMAGE_IDX_H_STRINGS, (uint32_t) w->strings.len);
    emage_idx_put64(dst + EMAGE_IDX_H_META, meta);
    emage_idx_put32(dst + EMAGE_IDX_H_CRC, emage_idx_crc(dst, total));

    /* what the reader would refuse is not written: same UID twice, ... */

    rc = emage_series_index_open(dst, total, &check, err);
    emage_series_index_close(check);

    return rc;
}


emage_rc_t
emage_index_writer_finish(emage_index_writer_t *w, emage_buf_t *out,
    emage_error_t *err)
{
    size_t                 total, bulk_max;
    uint32_t               n;
    emage_rc_t             rc;
    unsigned char         *dst;
    emage_idx_order_t     *order, *bulk;
    emage_idx_instance_t  *in;

    total = EMAGE_IDX_HEADER + (size_t) w->instances.n * EMAGE_IDX_INSTANCE
            + (size_t) w->items.n * EMAGE_IDX_ITEM
            + (size_t) w->slices.n * EMAGE_IDX_SLICE + w->strings.len;

    bulk_max = 1;

    for (n = 0; n < w->instances.n; n++) {
        in = (emage_idx_instance_t *) w->instances.data + n;

        if (in->in.nbulk > bulk_max) {
            bulk_max = in->in.nbulk;
        }
    }

    dst = calloc(1, total);
    order = calloc((size_t) w->instances.n + 1, sizeof(emage_idx_order_t));
    bulk = calloc(bulk_max, sizeof(emage_idx_order_t));

    if (dst == NULL || order == NULL || bulk == NULL || w->strings.failed) {
        emage_error_set(err, "series index: no memory");
        rc = EMAGE_NOMEM;
        goto done;
    }

    for (n = 0; n < w->instances.n; n++) {
        in = (emage_idx_instance_t *) w->instances.data + n;

        order[n].key.data = w->strings.data + in->uid.offset;
        order[n].key.len = in->uid.len;
        order[n].n = n;
    }

    qsort(order, w->instances.n, sizeof(emage_idx_order_t),
          emage_idx_order_cmp);

    rc = emage_idx_emit(w, order, bulk, dst, total, err);

    if (rc == EMAGE_OK && emage_buf_add(out, dst, total) != EMAGE_OK) {
        emage_error_set(err, "series index: no memory");
        rc = EMAGE_NOMEM;
    }

done:

    free(dst);
    free(order);
    free(bulk);

    return rc;
}
