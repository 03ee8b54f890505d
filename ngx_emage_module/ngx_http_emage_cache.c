
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_cache.h"


#define NGX_HTTP_EMAGE_CACHE_BUCKETS  8192


typedef struct {
    ngx_queue_t   buckets[NGX_HTTP_EMAGE_CACHE_BUCKETS];
    ngx_queue_t   lru;
    size_t        bytes;
    size_t        max;
} ngx_http_emage_cache_t;


static void ngx_http_emage_cache_unlink(ngx_http_emage_body_t *body);


static ngx_http_emage_cache_t  *ngx_http_emage_cache;


ngx_int_t
ngx_http_emage_cache_init(ngx_cycle_t *cycle, size_t max)
{
    ngx_uint_t               i;
    ngx_http_emage_cache_t  *cache;

    cache = ngx_pcalloc(cycle->pool, sizeof(ngx_http_emage_cache_t));
    if (cache == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_EMAGE_CACHE_BUCKETS; i++) {
        ngx_queue_init(&cache->buckets[i]);
    }

    ngx_queue_init(&cache->lru);
    cache->max = max;

    ngx_http_emage_cache = cache;

    return NGX_OK;
}


ngx_http_emage_body_t *
ngx_http_emage_cache_find(ngx_str_t *key)
{
    uint32_t                hash;
    ngx_queue_t            *q, *bucket;
    ngx_http_emage_body_t  *body;

    hash = ngx_murmur_hash2(key->data, key->len);
    bucket = &ngx_http_emage_cache
                  ->buckets[hash % NGX_HTTP_EMAGE_CACHE_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        body = ngx_queue_data(q, ngx_http_emage_body_t, queue);

        if (body->hash == hash && body->key.len == key->len
            && ngx_memcmp(body->key.data, key->data, key->len) == 0)
        {
            ngx_queue_remove(&body->lru);
            ngx_queue_insert_head(&ngx_http_emage_cache->lru, &body->lru);
            body->refs++;
            return body;
        }
    }

    return NULL;
}


ngx_http_emage_body_t *
ngx_http_emage_cache_create(ngx_str_t *key, ngx_str_t *content_type,
    ngx_str_t *etag, size_t len, ngx_log_t *log)
{
    size_t                  size;
    u_char                 *p;
    ngx_http_emage_body_t  *body;

    size = sizeof(ngx_http_emage_body_t) + key->len + content_type->len
           + etag->len + len;

    p = ngx_alloc(size, log);
    if (p == NULL) {
        return NULL;
    }

    body = (ngx_http_emage_body_t *) p;
    ngx_memzero(body, sizeof(ngx_http_emage_body_t));
    p += sizeof(ngx_http_emage_body_t);

    body->refs = 1;
    body->size = size;
    body->hash = ngx_murmur_hash2(key->data, key->len);

    body->key.data = p;
    body->key.len = key->len;
    p = ngx_cpymem(p, key->data, key->len);

    body->content_type.data = p;
    body->content_type.len = content_type->len;
    p = ngx_cpymem(p, content_type->data, content_type->len);

    body->etag.data = p;
    body->etag.len = etag->len;
    p = ngx_cpymem(p, etag->data, etag->len);

    body->data.data = p;
    body->data.len = len;

    return body;
}


void
ngx_http_emage_cache_insert(ngx_http_emage_body_t *body)
{
    ngx_queue_t             *q;
    ngx_http_emage_cache_t  *cache;

    cache = ngx_http_emage_cache;

    if (body->size > cache->max) {
        return;
    }

    while (!ngx_queue_empty(&cache->lru)
           && cache->bytes > cache->max - body->size)
    {
        q = ngx_queue_last(&cache->lru);
        ngx_http_emage_cache_unlink(ngx_queue_data(q, ngx_http_emage_body_t,
                                                   lru));
    }

    ngx_queue_insert_head(&cache->buckets[body->hash
                                          % NGX_HTTP_EMAGE_CACHE_BUCKETS],
                          &body->queue);
    ngx_queue_insert_head(&cache->lru, &body->lru);

    cache->bytes += body->size;
    body->linked = 1;
    body->refs++;
}


static void
ngx_http_emage_cache_unlink(ngx_http_emage_body_t *body)
{
    ngx_queue_remove(&body->queue);
    ngx_queue_remove(&body->lru);

    body->linked = 0;
    ngx_http_emage_cache->bytes -= body->size;

    ngx_http_emage_cache_release(body);
}


void
ngx_http_emage_cache_release(ngx_http_emage_body_t *body)
{
    if (--body->refs == 0) {
        ngx_free(body);
    }
}
