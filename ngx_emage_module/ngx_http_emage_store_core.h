
/*
 * Copyright (C) The e-mage authors
 *
 * What the two halves of the store's cache share: ngx_http_emage_store.c has
 * the series, ngx_http_emage_file.c their files.
 */


#ifndef _NGX_HTTP_EMAGE_STORE_CORE_H_INCLUDED_
#define _NGX_HTTP_EMAGE_STORE_CORE_H_INCLUDED_


#include "ngx_http_emage_store.h"


#define NGX_HTTP_EMAGE_SERIES_BUCKETS  1024
#define NGX_HTTP_EMAGE_SERIES_FILES    4        /* of an instance */


struct ngx_http_emage_series_s {
    ngx_queue_t              queue;        /* of a bucket */
    ngx_queue_t              lru;
    ngx_uint_t               refs;         /* users, the table, open files */
    uint32_t                 hash;
    size_t                   size;

    u_char                  *key;          /* store NUL study/revision/uid */
    size_t                   key_len;

    ngx_fd_t                 dir;
    void                    *data;         /* the index file */
    emage_series_index_t    *index;
    uint32_t                 count;
    uint64_t                 meta_end;

    ngx_http_emage_file_t  **files;        /* four an instance, and metadata */

    unsigned                 linked:1;
};


typedef struct {
    ngx_queue_t   buckets[NGX_HTTP_EMAGE_SERIES_BUCKETS];
    ngx_queue_t   lru;
    ngx_queue_t   idle;                    /* files, most recent first */
    ngx_uint_t    count;
    ngx_uint_t    nidle;
    size_t        bytes;
} ngx_http_emage_store_t;


extern ngx_http_emage_store_t  *ngx_http_emage_store;


ngx_fd_t ngx_http_emage_open(ngx_fd_t dir, const char *path,
    ngx_uint_t flags);

/* Of an idle file. */

void ngx_http_emage_file_close(ngx_http_emage_file_t *file);


#endif /* _NGX_HTTP_EMAGE_STORE_CORE_H_INCLUDED_ */
