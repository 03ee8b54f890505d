
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage.h"
#include "ngx_http_emage_tokens.h"

#include <openssl/evp.h>


#define NGX_HTTP_EMAGE_TOKEN_SETS  2048
#define NGX_HTTP_EMAGE_TOKEN_WAYS  4


typedef struct {
    u_char    key[NGX_HTTP_EMAGE_TOKEN_KEY];
    int64_t   expires;
    uint32_t  len;
    u_char    data[NGX_HTTP_EMAGE_TOKEN_DATA];
} ngx_http_emage_token_t;


/* A lock a set would be finer; a copy of 500 bytes is short enough for one. */

typedef struct {
    ngx_http_emage_token_t  sets[NGX_HTTP_EMAGE_TOKEN_SETS]
                                [NGX_HTTP_EMAGE_TOKEN_WAYS];
} ngx_http_emage_tokens_t;


static ngx_int_t ngx_http_emage_tokens_init(ngx_shm_zone_t *zone, void *data);
static ngx_http_emage_token_t *ngx_http_emage_token_set(ngx_shm_zone_t *zone,
    u_char *key);


ngx_int_t
ngx_http_emage_tokens_add(ngx_conf_t *cf, ngx_http_emage_main_conf_t *emcf)
{
    size_t     size;
    ngx_str_t  name;

    ngx_str_set(&name, "emage_tokens");

    size = sizeof(ngx_http_emage_tokens_t) + 16 * ngx_pagesize
           + sizeof(ngx_http_emage_tokens_t) / 64;

    emcf->tokens = ngx_shared_memory_add(cf, &name, size,
                                         &ngx_http_emage_module);
    if (emcf->tokens == NULL) {
        return NGX_ERROR;
    }

    emcf->tokens->init = ngx_http_emage_tokens_init;
    emcf->tokens->data = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_tokens_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    shpool->data = ngx_slab_calloc(shpool, sizeof(ngx_http_emage_tokens_t));
    if (shpool->data == NULL) {
        return NGX_ERROR;
    }

    zone->data = shpool->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_emage_token_key(u_char *digest, ngx_str_t *token, u_char *key)
{
    int          ok;
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL)
         && EVP_DigestUpdate(md, digest, 32)
         && EVP_DigestUpdate(md, token->data, token->len)
         && EVP_DigestFinal_ex(md, key, NULL);

    EVP_MD_CTX_free(md);

    return ok ? NGX_OK : NGX_ERROR;
}


static ngx_http_emage_token_t *
ngx_http_emage_token_set(ngx_shm_zone_t *zone, u_char *key)
{
    uint32_t                  n;
    ngx_http_emage_tokens_t  *tokens;

    tokens = zone->data;

    ngx_memcpy(&n, key, sizeof(uint32_t));

    return tokens->sets[n % NGX_HTTP_EMAGE_TOKEN_SETS];
}


size_t
ngx_http_emage_token_find(ngx_shm_zone_t *zone, u_char *key, int64_t now,
    u_char *packed)
{
    size_t                   len;
    ngx_uint_t               i;
    ngx_slab_pool_t         *shpool;
    ngx_http_emage_token_t  *set;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    set = ngx_http_emage_token_set(zone, key);
    len = 0;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0; i < NGX_HTTP_EMAGE_TOKEN_WAYS; i++) {

        if (set[i].len == 0 || set[i].len > NGX_HTTP_EMAGE_TOKEN_DATA
            || set[i].expires <= now
            || ngx_memcmp(set[i].key, key, NGX_HTTP_EMAGE_TOKEN_KEY) != 0)
        {
            continue;
        }

        len = set[i].len;
        ngx_memcpy(packed, set[i].data, len);
        break;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return len;
}


void
ngx_http_emage_token_keep(ngx_shm_zone_t *zone, u_char *key, int64_t now,
    int64_t expires, u_char *packed, size_t len)
{
    ngx_uint_t               i, victim;
    ngx_slab_pool_t         *shpool;
    ngx_http_emage_token_t  *set;

    if (len > NGX_HTTP_EMAGE_TOKEN_DATA) {
        return;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    set = ngx_http_emage_token_set(zone, key);

    ngx_shmtx_lock(&shpool->mutex);

    victim = 0;

    for (i = 0; i < NGX_HTTP_EMAGE_TOKEN_WAYS; i++) {

        if (ngx_memcmp(set[i].key, key, NGX_HTTP_EMAGE_TOKEN_KEY) == 0) {
            victim = i;
            break;
        }

        if (set[i].expires < set[victim].expires) {
            victim = i;
        }
    }

    /* not found while it is half written, even if the worker dies here */

    set[victim].len = 0;
    ngx_memory_barrier();

    ngx_memcpy(set[victim].key, key, NGX_HTTP_EMAGE_TOKEN_KEY);
    ngx_memcpy(set[victim].data, packed, len);
    set[victim].expires = expires;

    ngx_memory_barrier();
    set[victim].len = (uint32_t) len;

    ngx_shmtx_unlock(&shpool->mutex);
}
