
/*
 * Copyright (C) The e-mage authors
 *
 * Between the files that build a revision.
 */


#ifndef EMAGE_REVISION_CORE_H
#define EMAGE_REVISION_CORE_H


#include <limits.h>

#include <emage/series_index.h>

#include "revision.h"


typedef struct {
    const emage_revision_conf_t  *conf;
    char                          dir[PATH_MAX];    /* being built */
    char                          old_dir[PATH_MAX];
    emage_manifest_t              manifest;         /* of what is built */
    json_t                       *study_row;
    json_t                       *series;           /* series.json */
    json_t                       *reports;          /* SOP Instance UIDs */
    json_t                       *modalities;
    uint32_t                      classes[EMAGE_CLASS_REPORT + 1];
    uint32_t                      instances;
    emage_error_t                *err;
} emage_build_t;


/* Builds the directory of one series; adds its row and counts. */

emage_rc_t emage_build_series(emage_build_t *b, const char *series);

/* Writes dir/<name>, synced, and enters it into the manifest. */

emage_rc_t emage_build_file(emage_build_t *b, const char *name,
    const void *data, size_t len);

emage_rc_t emage_build_json(emage_build_t *b, const char *name,
    const json_t *json);

/* Hard-links `from` to dir/<name> and enters it with `sum`. */

emage_rc_t emage_build_link(emage_build_t *b, const char *from,
    const char *name, const emage_sum_t *sum);

emage_rc_t emage_build_nomem(emage_build_t *b);

/* Whether a staged object takes the place of this one. */

bool emage_build_replaced(const emage_build_t *b, const char *sop);


#endif /* EMAGE_REVISION_CORE_H */
