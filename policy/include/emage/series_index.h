
/*
 * Copyright (C) The e-mage authors
 *
 * The binary indexes of a published revision (docs/store-format.md): which
 * series a study has, and where in which file every instance, frame, bulk
 * value and metadata chunk of a series lies.  The store writes them, the
 * module and the tools read them.  Pure: works on memory, does no I/O.
 */


#ifndef EMAGE_SERIES_INDEX_H
#define EMAGE_SERIES_INDEX_H


#include <emage/base.h>


/*
 * Class of an instance: what the policy decides about.  Unclassified SR,
 * secondary captures of documents and encapsulated documents are reports.
 */

typedef enum {
    EMAGE_CLASS_IMAGE = 0,
    EMAGE_CLASS_EVIDENCE,
    EMAGE_CLASS_REPORT
} emage_class_t;

emage_str_t emage_class_name(emage_class_t cls);


/*
 * A piece of a file.  `file` 0 is <SOPUID>.dcm, the Part 10 object; 1 is
 * <SOPUID>.frames, values that are no slice of it (BitsAllocated 1 frames not
 * starting on a byte, stored extracted).
 */

typedef struct {
    uint64_t  offset;
    uint64_t  length;
    uint32_t  file;
} emage_slice_t;


typedef struct {
    emage_str_t    uid;              /* SOP Instance UID; also names the file */
    emage_str_t    sop_class;        /* SOP Class UID */
    emage_str_t    transfer_syntax;  /* of the stored file */
    emage_class_t  cls;
    uint32_t       nframes;          /* 0: no pixel data */
    uint32_t       nbulk;
    uint64_t       file_size;        /* of <SOPUID>.dcm */
    uint64_t       extra_size;       /* of <SOPUID>.frames, 0: none */
    uint64_t       rendered_size;    /* of <SOPUID>.jpg, 0: none */
    uint64_t       thumbnail_size;   /* of <SOPUID>.thumb.jpg, 0: none */
    uint64_t       meta_offset;      /* chunk in metadata.z: raw deflate, */
    uint64_t       meta_length;      /* ended by a full flush */
    uint64_t       meta_size;        /* inflated */
    uint32_t       meta_crc;         /* CRC-32 of the inflated bytes */
    uint32_t       first_item;       /* private to the reader */
} emage_index_instance_t;


/*
 * One frame or bulk value: its slices in order, their sum, and for a bulk
 * value its path inside the dataset and its media type ("" = octet-stream).
 */

typedef struct {
    uint64_t     length;
    uint32_t     nslices;
    uint32_t     first_slice;        /* private to the reader */
    emage_str_t  path;               /* empty for a frame */
    emage_str_t  media_type;
} emage_index_item_t;


typedef struct emage_series_index_s  emage_series_index_t;


/*
 * Opens an index over `data`, which must stay in place and unchanged while the
 * index is used.  Every offset, count, length and the CRC-32
 * are checked here, so that later reads need no check and an index that opens
 * can name no byte outside the sizes it states.  One allocation, released by
 * emage_series_index_close.  EMAGE_ERROR (damaged; `err` says what),
 * EMAGE_NOMEM.
 */

emage_rc_t emage_series_index_open(const void *data, size_t len,
    emage_series_index_t **out, emage_error_t *err);

void emage_series_index_close(emage_series_index_t *idx);

uint32_t emage_series_index_count(const emage_series_index_t *idx);

/* Size of metadata.z, which no chunk exceeds. */

uint64_t emage_series_index_metadata_size(const emage_series_index_t *idx);

/* Instance `n` (0-based, in the order of SOP Instance UID bytes). */

emage_rc_t emage_series_index_get(const emage_series_index_t *idx, uint32_t n,
    emage_index_instance_t *out);

/* By SOP Instance UID; EMAGE_NOTFOUND. `n` (may be NULL) gets its number. */

emage_rc_t emage_series_index_find(const emage_series_index_t *idx,
    emage_str_t uid, uint32_t *n, emage_index_instance_t *out);

/* Frame `number` (from 1) of an instance; EMAGE_NOTFOUND past the last. */

emage_rc_t emage_series_index_frame(const emage_series_index_t *idx,
    const emage_index_instance_t *instance, uint32_t number,
    emage_index_item_t *out);

/* Bulk value by path, exact; EMAGE_NOTFOUND. */

emage_rc_t emage_series_index_bulk(const emage_series_index_t *idx,
    const emage_index_instance_t *instance, emage_str_t path,
    emage_index_item_t *out);

/* Bulk value by number (0-based). */

emage_rc_t emage_series_index_bulk_at(const emage_series_index_t *idx,
    const emage_index_instance_t *instance, uint32_t n,
    emage_index_item_t *out);

/* Slice `n` (0-based) of an item. */

emage_rc_t emage_series_index_slice(const emage_series_index_t *idx,
    const emage_index_item_t *item, uint32_t n, emage_slice_t *out);


/*
 * Writing: instances in any order (sorted by the writer), each followed by its
 * frames, then its bulk values in any order.  The strings are copied.  Every
 * call may fail with EMAGE_NOMEM; emage_index_writer_finish appends the file
 * to `out`, unless the reader would refuse it (a UID twice: EMAGE_ERROR).
 */

typedef struct emage_index_writer_s  emage_index_writer_t;

emage_rc_t emage_index_writer_create(emage_index_writer_t **out);
void emage_index_writer_destroy(emage_index_writer_t *w);

/* nframes, nbulk and first_item of `instance` are set by the writer. */

emage_rc_t emage_index_writer_instance(emage_index_writer_t *w,
    const emage_index_instance_t *instance);

/* Sets extra_size of the last instance, if it was not known before. */

emage_rc_t emage_index_writer_extra(emage_index_writer_t *w, uint64_t size);

/*
 * Sets rendered_size and thumbnail_size of an instance: none of them is 0.
 * EMAGE_NOTFOUND.
 */

emage_rc_t emage_index_writer_rendering(emage_index_writer_t *w,
    emage_str_t uid, uint64_t rendered_size, uint64_t thumbnail_size);

emage_rc_t emage_index_writer_frame(emage_index_writer_t *w,
    const emage_slice_t *slices, uint32_t nslices);

emage_rc_t emage_index_writer_bulk(emage_index_writer_t *w, emage_str_t path,
    emage_str_t media_type, const emage_slice_t *slices, uint32_t nslices);

emage_rc_t emage_index_writer_finish(emage_index_writer_t *w,
    emage_buf_t *out, emage_error_t *err);


/*
 * study.idx: the series of a revision, in the order of Series Instance UID
 * bytes.  Text: a first line "emage-study-index 1", a line "UID COUNT" a
 * series, a last line "crc32 XXXXXXXX" over what stands before it.
 */

typedef struct {
    emage_str_t  uid;
    uint32_t     count;              /* instances */
} emage_study_series_t;

/*
 * Parses study.idx; `series` takes at most `max` entries that point into
 * `data`; `n` gets their number.  EMAGE_ERROR when damaged, EMAGE_NOMEM when
 * there are more than `max`.  With `series` NULL only `n` is set.
 */

emage_rc_t emage_study_index_parse(emage_str_t data,
    emage_study_series_t *series, uint32_t max, uint32_t *n,
    emage_error_t *err);

/*
 * Appends study.idx to `out`; `series` in the order of UID bytes.
 */

emage_rc_t emage_study_index_write(const emage_study_series_t *series,
    uint32_t n, emage_buf_t *out);


#endif /* EMAGE_SERIES_INDEX_H */
