
/*
 * Copyright (C) The e-mage authors
 *
 * Verified tokens in shared memory: a table of fixed size, four places for a
 * key, the soonest to expire gives way.
 */


#ifndef _NGX_HTTP_EMAGE_TOKENS_H_INCLUDED_
#define _NGX_HTTP_EMAGE_TOKENS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_EMAGE_TOKEN_KEY   32      /* SHA-256 */
#define NGX_HTTP_EMAGE_TOKEN_DATA  944     /* bytes of a packed subject */


/* SHA-256 of the issuers' digest and the token. */

ngx_int_t ngx_http_emage_token_key(u_char *digest, ngx_str_t *token,
    u_char *key);

/*
 * Copies the packed subject of a token that has not expired; returns its
 * length, 0 if it is not known.  `now`: ms since 1970.
 */

size_t ngx_http_emage_token_find(ngx_shm_zone_t *zone, u_char *key,
    int64_t now, u_char *packed);

/* Subjects over NGX_HTTP_EMAGE_TOKEN_DATA are not kept, but verified anew. */

void ngx_http_emage_token_keep(ngx_shm_zone_t *zone, u_char *key, int64_t now,
    int64_t expires, u_char *packed, size_t len);


#endif /* _NGX_HTTP_EMAGE_TOKENS_H_INCLUDED_ */
