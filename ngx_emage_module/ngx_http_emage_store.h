
/*
 * Copyright (C) The e-mage authors
 *
 * Published revisions on disk: series indexes and descriptors, opened beneath
 * the store and never through a symbolic link, kept for reuse by a worker.  A
 * revision is immutable, so what was opened stays right as long as a record
 * names the revision.
 */


#ifndef _NGX_HTTP_EMAGE_STORE_H_INCLUDED_
#define _NGX_HTTP_EMAGE_STORE_H_INCLUDED_


#include "ngx_http_emage.h"


/* Which file of a series; the first two are numbered as in emage_slice_t. */

#define NGX_HTTP_EMAGE_FILE_OBJECT    0     /* <SOPUID>.dcm */
#define NGX_HTTP_EMAGE_FILE_FRAMES    1     /* <SOPUID>.frames */
#define NGX_HTTP_EMAGE_FILE_METADATA  2     /* metadata.z, of the series */
#define NGX_HTTP_EMAGE_FILE_RENDERED  3     /* <SOPUID>.jpg */
#define NGX_HTTP_EMAGE_FILE_THUMBNAIL 4     /* <SOPUID>.thumb.jpg */


typedef struct ngx_http_emage_file_s  ngx_http_emage_file_t;

struct ngx_http_emage_file_s {
    ngx_queue_t               idle;
    ngx_http_emage_series_t  *series;
    ngx_http_emage_file_t   **slot;
    ngx_fd_t                  fd;
    off_t                     size;
    ngx_uint_t                refs;
};


ngx_int_t ngx_http_emage_store_init(ngx_cycle_t *cycle);

/*
 * A series of a revision.  NGX_OK with one reference, NGX_DECLINED when the
 * revision has no such series, NGX_ERROR when it is there and cannot be used
 * (logged, with the remedy).
 */

ngx_int_t ngx_http_emage_series_get(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, emage_str_t uid, ngx_log_t *log,
    ngx_http_emage_series_t **out);
void ngx_http_emage_series_release(ngx_http_emage_series_t *series);

const emage_series_index_t *ngx_http_emage_series_index(
    ngx_http_emage_series_t *series);

/*
 * A file of a revision, whole, in memory to be released by ngx_free().
 * NGX_OK, NGX_DECLINED when it is not there, NGX_ERROR (both logged).
 */

ngx_int_t ngx_http_emage_revision_read(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, const char *name, ngx_log_t *log, void **data,
    size_t *len);

/* The series of a revision, in `pool`; results as above. */

ngx_int_t ngx_http_emage_series_list(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, ngx_pool_t *pool, ngx_log_t *log,
    emage_study_series_t **list, uint32_t *n);

/*
 * A file of instance number `n` of the index, of exactly the size the index
 * states.  NGX_OK with one reference, or NGX_ERROR (logged).
 */

ngx_int_t ngx_http_emage_file_get(ngx_http_emage_series_t *series, uint32_t n,
    ngx_uint_t kind, ngx_log_t *log, ngx_http_emage_file_t **out);

/* Exactly `n` bytes, or NGX_ERROR (logged). */

ngx_int_t ngx_http_emage_file_read(ngx_http_emage_file_t *file, u_char *buf,
    size_t n, off_t offset, ngx_log_t *log);

void ngx_http_emage_file_release(ngx_http_emage_file_t *file);


#endif /* _NGX_HTTP_EMAGE_STORE_H_INCLUDED_ */
