
/*
 * Copyright (C) The e-mage authors
 *
 * The rows of published revisions (<emage/rows.h>), read beneath the store and
 * kept parsed by a worker, within a bound.  A revision is immutable, so they
 * stay right as long as a record names it.
 */


#ifndef _NGX_HTTP_EMAGE_ROWS_H_INCLUDED_
#define _NGX_HTTP_EMAGE_ROWS_H_INCLUDED_


#include "ngx_http_emage.h"

#include <emage/rows.h>


/* What a series consists of, for subjects who may see a part of it. */

typedef struct {
    uint32_t                   n[2];       /* images, evidence */
    uint32_t                   nreports;
    emage_str_t               *reports;    /* SOP Instance UIDs */
} ngx_http_emage_kinds_t;


typedef struct {
    ngx_queue_t                queue;      /* of a bucket */
    ngx_queue_t                lru;
    ngx_uint_t                 refs;
    uint32_t                   hash;
    size_t                     size;

    ngx_str_t                  key;        /* store NUL study NUL revision */
    ngx_str_t                  store;      /* in the key */
    emage_str_t                uid;
    emage_str_t                revision;

    emage_rows_t              *study;      /* study.json */
    emage_rows_t              *series;     /* series.json, once asked for */
    emage_rows_t             **instances;  /* of each series, likewise */
    ngx_http_emage_kinds_t    *kinds;      /* of each series, likewise */

    unsigned                   linked:1;
} ngx_http_emage_rows_t;


ngx_int_t ngx_http_emage_rows_init(ngx_cycle_t *cycle);

/*
 * The rows of a revision.  NGX_OK with one reference, NGX_DECLINED when the
 * store has no such revision or it is damaged (logged, with the remedy),
 * NGX_ERROR when they cannot be had now.  The others load what
 * they name into the rows, with the same results.  `reads` counts files that
 * were read.
 */

ngx_int_t ngx_http_emage_rows_get(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, ngx_log_t *log, ngx_uint_t *reads,
    ngx_http_emage_rows_t **out);
ngx_int_t ngx_http_emage_rows_series(ngx_http_emage_rows_t *rows,
    ngx_log_t *log, ngx_uint_t *reads);
ngx_int_t ngx_http_emage_rows_instances(ngx_http_emage_rows_t *rows,
    uint32_t series, ngx_log_t *log, ngx_uint_t *reads);
ngx_int_t ngx_http_emage_rows_kinds(ngx_http_emage_rows_t *rows,
    ngx_log_t *log, ngx_uint_t *reads);

void ngx_http_emage_rows_release(ngx_http_emage_rows_t *rows);


#endif /* _NGX_HTTP_EMAGE_ROWS_H_INCLUDED_ */
