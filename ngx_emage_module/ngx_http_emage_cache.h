
/*
 * Copyright (C) The e-mage authors
 *
 * Small answers of one worker, fully framed, ready to be sent.  An entry is
 * immutable and counted; it is keyed by everything it is a function of, the
 * revision among it, so it never has to be invalidated.
 */


#ifndef _NGX_HTTP_EMAGE_CACHE_H_INCLUDED_
#define _NGX_HTTP_EMAGE_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_http_emage_body_s  ngx_http_emage_body_t;

struct ngx_http_emage_body_s {
    ngx_queue_t    queue;
    ngx_queue_t    lru;
    ngx_uint_t     refs;
    uint32_t       hash;
    size_t         size;

    ngx_str_t      key;
    ngx_str_t      content_type;
    ngx_str_t      etag;
    ngx_str_t      data;

    unsigned       needs;            /* EMAGE_PERMIT_* bits of its content */
    uint32_t       ninstances;
    uint32_t       nframes;

    unsigned       gzip:1;
    unsigned       linked:1;
};


/* `max`: bytes of all entries; 0 keeps none. */

ngx_int_t ngx_http_emage_cache_init(ngx_cycle_t *cycle, size_t max);

/* With one reference, or NULL. */

ngx_http_emage_body_t *ngx_http_emage_cache_find(ngx_str_t *key);

/*
 * A body with one reference, not yet to be found; the strings are copied,
 * `data` is left for the caller to fill.
 */

ngx_http_emage_body_t *ngx_http_emage_cache_create(ngx_str_t *key,
    ngx_str_t *content_type, ngx_str_t *etag, size_t len, ngx_log_t *log);
void ngx_http_emage_cache_insert(ngx_http_emage_body_t *body);

void ngx_http_emage_cache_release(ngx_http_emage_body_t *body);


#endif /* _NGX_HTTP_EMAGE_CACHE_H_INCLUDED_ */
