
/*
 * Copyright (C) The e-mage authors
 *
 * From the path of a request to the resource it names (DICOM PS3.18 sections
 * 10.4.1, "Retrieve transaction", and 10.6.1, "Search transaction").  Pure:
 * module, store and tools share it, so that the object decided upon, opened and
 * recorded is one.
 */


#ifndef EMAGE_RESOURCE_H
#define EMAGE_RESOURCE_H


#include <emage/base.h>


#define EMAGE_UID_MAX      64        /* DICOM PS3.5 section 9.1 */
#define EMAGE_FRAMES_MAX   1024      /* frame numbers in one frame list */
#define EMAGE_BULK_MAX     128       /* bytes of a bulk data path */


typedef enum {
    EMAGE_RESOURCE_NONE = 0,         /* zeroed memory names nothing */
    EMAGE_RESOURCE_STUDY,            /* studies/{s} */
    EMAGE_RESOURCE_SERIES,           /* ../series/{e} */
    EMAGE_RESOURCE_INSTANCE,         /* ../instances/{i} */
    EMAGE_RESOURCE_STUDY_METADATA,   /* studies/{s}/metadata */
    EMAGE_RESOURCE_SERIES_METADATA,
    EMAGE_RESOURCE_INSTANCE_METADATA,
    EMAGE_RESOURCE_FRAMES,           /* ../instances/{i}/frames/{list} */
    EMAGE_RESOURCE_BULKDATA,         /* ../instances/{i}/bulkdata/{path} */
    EMAGE_RESOURCE_RENDERED,         /* ../instances/{i}/rendered */
    EMAGE_RESOURCE_THUMBNAIL,        /* ../instances/{i}/thumbnail */
    EMAGE_RESOURCE_SERIES_THUMBNAIL, /* ../series/{e}/thumbnail */

    EMAGE_RESOURCE_SEARCH_STUDIES,   /* studies */
    EMAGE_RESOURCE_SEARCH_SERIES,    /* series, studies/{s}/series */
    EMAGE_RESOURCE_SEARCH_INSTANCES  /* instances, studies/{s}/instances,
                                        studies/{s}/series/{e}/instances */
} emage_resource_kind_t;


/*
 * The strings point into the path that was parsed; of a search, those that its
 * path does not name are empty.  `frames` is the text of
 * the list ("1,2,7"), already checked; read it with emage_resource_frame_next.
 * `bulk` is the path of the element inside the dataset, as the series index
 * spells it: eight upper-case hex digits, and for items of sequences
 * "TTTTTTTT/n/TTTTTTTT" with n counted from 1.
 */

typedef struct {
    emage_resource_kind_t  kind;
    emage_str_t            study;
    emage_str_t            series;
    emage_str_t            instance;
    emage_str_t            frames;
    emage_str_t            bulk;
    uint32_t               nframes;
} emage_resource_t;


/*
 * Whether `s` is a UID by the strict grammar used everywhere: 1 to 64
 * characters of [0-9.], first and last a digit, no two dots in a row.  (Leading
 * zeros of a component, which PS3.5 forbids, do occur in real files and are
 * harmless in a path: they are let through.)
 */

bool emage_uid_valid(emage_str_t s);


/*
 * Parses the path below the service root, without a leading slash, once
 * decoded, without the query ("studies/1.2/series/1.3").  EMAGE_OK, or
 * EMAGE_NOTFOUND for anything that is not exactly one of the resources above
 * (a trailing slash, an empty segment, a dot segment, a frame number of 0 or
 * over 2^31-1 or with a leading zero or sign, more than EMAGE_FRAMES_MAX
 * frames, NUL or any other byte).  `out` is zeroed on failure.
 */

emage_rc_t emage_resource_parse(emage_str_t path, emage_resource_t *out);


/*
 * The next frame number of a checked list; `pos` starts at 0.  Returns 0 at
 * the end.
 */

uint32_t emage_resource_frame_next(const emage_resource_t *res, size_t *pos);


/* Whether it lists what there is (QIDO-RS) instead of retrieving it. */

bool emage_resource_is_search(emage_resource_kind_t kind);


/* The kind's name as journal and Cedar action context spell it. */

emage_str_t emage_resource_kind_name(emage_resource_kind_t kind);


#endif /* EMAGE_RESOURCE_H */
