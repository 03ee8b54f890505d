
/*
 * Copyright (C) The e-mage authors
 *
 * One ingest: files and folders in, published studies and a status for each
 * file out.
 */


#ifndef EMAGE_INGEST_H
#define EMAGE_INGEST_H


#include "layout.h"
#include "object.h"
#include "publish.h"


typedef enum {
    EMAGE_FILE_REFUSED = 0,
    EMAGE_FILE_UNCHANGED,
    EMAGE_FILE_ACCEPTED
} emage_file_status_t;


typedef struct {
    char                 *path;
    emage_object_t       *object;    /* NULL when its worker refused it */
    emage_file_status_t   status;
    char                  reason[EMAGE_REASON_MAX];
} emage_ingest_file_t;


typedef struct {
    emage_ingest_file_t  *list;
    size_t                n;
    size_t                max;
} emage_ingest_files_t;


/*
 * Adds `path`, or every file below it, in the order of the bytes of whole
 * paths.  Links to directories are not followed.
 */

emage_rc_t emage_ingest_walk(emage_ingest_files_t *files, const char *path,
    emage_error_t *err);

void emage_ingest_files_free(emage_ingest_files_t *files);


typedef struct {
    emage_records_conf_t   records;
    emage_source_t         source;
    const char            *store;    /* NULL: as the records say */
    const char            *base_url;
    const char            *default_charset;   /* NULL: none */
    unsigned               jobs;
    bool                   quiet;    /* no progress on stderr */
} emage_ingest_conf_t;


/*
 * Ingests the files, which get their status.  EMAGE_OK also when some are
 * refused.  EMAGE_UNAVAILABLE and the like: the environment failed, the files
 * that are not yet published are refused and say so.
 */

emage_rc_t emage_ingest_run(const emage_ingest_conf_t *conf,
    emage_ingest_files_t *files, emage_error_t *err);


/* Report as JSON, and as a table for people. */

emage_rc_t emage_ingest_report(const emage_ingest_files_t *files,
    const char *path, emage_error_t *err);
void emage_ingest_table(const emage_ingest_files_t *files);


#endif /* EMAGE_INGEST_H */
