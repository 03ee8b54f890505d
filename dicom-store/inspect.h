
/*
 * Copyright (C) The e-mage authors
 *
 * Looking at a store: what is in it, whether it is sound, what can go.
 */


#ifndef EMAGE_INSPECT_H
#define EMAGE_INSPECT_H


#include <emage_records.h>

#include "layout.h"


/* Prints a line a study: UID, revision, instances, classes, sources. */

emage_rc_t emage_inspect_list(const emage_store_t *st, emage_error_t *err);


/*
 * Holds every file of every named revision against its MANIFEST, the index
 * against the files, and the store against the records (NULL: not).  Prints a
 * line for what is wrong; `faults` gets their number.
 */

emage_rc_t emage_inspect_verify(const emage_store_t *st, emage_records_t *rec,
    uint32_t *faults, emage_error_t *err);


/*
 * Removes the revisions of a study that its record does not name, once the one
 * it names is `age_ms` old: until then a node may use the one before.  Studies
 * without any record are left alone unless `orphans`.  `removed` gets the
 * number of revisions.
 */

emage_rc_t emage_inspect_sweep(const emage_store_t *st, emage_records_t *rec,
    int64_t age_ms, bool orphans, uint32_t *removed, emage_error_t *err);


/* Writes bytes of the newest revision to stdout, as the index has them. */

emage_rc_t emage_inspect_frame(const emage_store_t *st, const char *study,
    const char *series, const char *instance, uint32_t frame,
    emage_error_t *err);
emage_rc_t emage_inspect_bulk(const emage_store_t *st, const char *study,
    const char *series, const char *instance, const char *path,
    emage_error_t *err);
emage_rc_t emage_inspect_metadata(const emage_store_t *st, const char *study,
    const char *series, const char *instance, emage_error_t *err);


#endif /* EMAGE_INSPECT_H */
