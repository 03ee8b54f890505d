
/*
 * Copyright (C) The e-mage authors
 *
 * Between the files that build a series.
 */


#ifndef EMAGE_SERIES_CORE_H
#define EMAGE_SERIES_CORE_H


#include "file.h"
#include "revision_core.h"


/* An image that can stand for its series. */

typedef struct {
    char      uid[EMAGE_UID_MAX + 1];
    int64_t   number;                /* InstanceNumber; none: the last */
    uint32_t  nframes;
} emage_shown_t;


typedef struct {
    emage_build_t          *b;
    const char             *uid;
    json_t                 *row;
    json_t                 *rows;        /* instances.json */
    emage_buf_t             meta;        /* metadata.z */
    emage_index_writer_t   *writer;
    uint32_t                count;
    emage_shown_t          *shown;
    size_t                  nshown;
    size_t                  max_shown;

    /* the series as it was */

    emage_map_t             old_index_map;
    emage_map_t             old_meta_map;
    emage_series_index_t   *old_index;
    json_t                 *old_rows;
} emage_series_build_t;


/* Adds a staged object: index, metadata, rows, files. */

emage_rc_t emage_series_new(emage_series_build_t *s, const emage_member_t *m);

/* Copies the frames and bulk values of an instance to the index. */

emage_rc_t emage_series_items(emage_series_build_t *s,
    const emage_series_index_t *idx, const emage_index_instance_t *in);

/* Counts an instance and adds its row, which is owned from here on. */

emage_rc_t emage_series_count(emage_series_build_t *s,
    emage_str_t sop, emage_class_t cls, uint32_t nframes, json_t *row);

/* Notes an instance that can stand for the series, if it can. */

emage_rc_t emage_series_show(emage_series_build_t *s, emage_str_t sop,
    emage_class_t cls, uint32_t nframes, const json_t *row);

/*
 * Draws the middle one of them, or links what is drawn of it already; notes
 * it in the index.  One that cannot be decoded has no picture.
 */

emage_rc_t emage_series_render(emage_series_build_t *s);


#endif /* EMAGE_SERIES_CORE_H */
