
/*
 * Copyright (C) The e-mage authors
 *
 * From the fragments of encapsulated pixel data to its frames (PS3.5 section
 * A.4).
 */


#ifndef EMAGE_FRAGMENTS_H
#define EMAGE_FRAGMENTS_H


#include <emage/series_index.h>

#include "dataset.h"


typedef struct {
    uint64_t  offset;                /* of its item header in the file */
    uint64_t  value;
    uint64_t  length;
} emage_fragment_t;


/* Zeroed memory is an empty one. */

typedef struct {
    emage_fragment_t  *list;         /* without the offset table */
    uint32_t           n;
    uint32_t           max;
    emage_event_t      table;        /* basic offset table, tag 0: none */
    emage_event_t      extended;     /* (7FE0,0001), tag 0: absent */
    emage_event_t      lengths;      /* (7FE0,0002) */
} emage_fragments_t;


emage_rc_t emage_fragments_add(emage_fragments_t *f, const emage_event_t *ev);
void emage_fragments_free(emage_fragments_t *f);


/*
 * Writes `frames` frames to `w`, each the list of its fragments, by the
 * extended offset table, else the basic one, else one fragment a frame, else
 * by the code streams' start markers.  Video is no frames at all (none is
 * written, and `frames_only` stays false).  EMAGE_ERROR when they cannot be
 * told apart.
 */

emage_rc_t emage_fragments_frames(const emage_dataset_t *ds,
    const emage_fragments_t *f, uint32_t frames, emage_str_t transfer_syntax,
    emage_index_writer_t *w, bool *frames_only, emage_error_t *err);


#endif /* EMAGE_FRAGMENTS_H */
