
/*
 * Copyright (C) The e-mage authors
 *
 * Between the files that ingest.
 */


#ifndef EMAGE_INGEST_CORE_H
#define EMAGE_INGEST_CORE_H


#include <limits.h>

#include "ingest.h"
#include "manifest.h"
#include "revision.h"


/* A revision that is not named any more; removed once no node can use it. */

typedef struct {
    char     study[EMAGE_UID_MAX + 1];
    char     revision[EMAGE_REVISION_MAX + 1];
    int64_t  since;                  /* ms, CLOCK_MONOTONIC */
} emage_superseded_t;


typedef struct {
    const emage_ingest_conf_t  *conf;
    emage_ingest_files_t       *files;
    emage_store_t               store;
    emage_txn_t                 txn;
    emage_publish_t            *publish;
    json_t                     *sops;        /* SOP Instance UID to study */
    emage_superseded_t         *superseded;
    size_t                      nsuperseded;
    emage_error_t              *err;
} emage_ingest_t;


/*
 * Publishes what files[order[0..n)] bring to one study; sets their status.
 * Anything but EMAGE_OK is a failure of the environment.
 */

emage_rc_t emage_ingest_study(emage_ingest_t *in, const size_t *order,
    size_t n);


/* Sets status and reason. */

void emage_ingest_set(emage_ingest_file_t *f, emage_file_status_t status,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));


/* Keeps an object of another patient aside (docs/store-format.md). */

emage_rc_t emage_quarantine_keep(emage_ingest_t *in, size_t file,
    const char *pid, const char *reason);


/* Ends revisions that no record names any more. */

emage_rc_t emage_superseded_add(emage_ingest_t *in, const char *study,
    const char *revision);
emage_rc_t emage_superseded_remove(emage_ingest_t *in);


/*
 * Notes for each SOP Instance UID in `in->sops` in which study of the store it
 * is, if any.
 */

emage_rc_t emage_ingest_scan(emage_ingest_t *in);

/* The revision of a study with the highest counter; EMAGE_NOTFOUND. */

emage_rc_t emage_store_newest(const emage_store_t *st, const char *study,
    char *revision, emage_error_t *err);


#endif /* EMAGE_INGEST_CORE_H */
