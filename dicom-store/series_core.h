
/*
 * Copyright (C) The e-mage authors
 *
 * Between the files that build a series.
 */


#ifndef EMAGE_SERIES_CORE_H
#define EMAGE_SERIES_CORE_H


#include "file.h"
#include "revision_core.h"


typedef struct {
    emage_build_t          *b;
    const char             *uid;
    json_t                 *row;
    json_t                 *rows;        /* instances.json */
    emage_buf_t             meta;        /* metadata.z */
    emage_index_writer_t   *writer;
    uint32_t                count;

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
    emage_str_t sop, emage_class_t cls, json_t *row);


#endif /* EMAGE_SERIES_CORE_H */
