
/*
 * Copyright (C) The e-mage authors
 *
 * The fence: the epoch, the sequence and the nonce of the last change that a
 * node has applied, in one small file.  Blocking, and free of nginx's log and
 * pools: it runs in a thread of the pool, or at configuration.
 */


#ifndef _NGX_EMAGE_FENCE_H_INCLUDED_
#define _NGX_EMAGE_FENCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_EMAGE_FENCE_TOKEN  64


typedef struct {
    uint64_t     seq;
    size_t       epoch_len;               /* 0: nothing applied yet */
    size_t       nonce_len;
    u_char       epoch[NGX_EMAGE_FENCE_TOKEN];
    u_char       nonce[NGX_EMAGE_FENCE_TOKEN];
} ngx_emage_fence_t;


/* What went wrong, for the caller's log; constant texts. */

typedef struct {
    const char  *what;                    /* "open() of the lock", ... */
    ngx_err_t    err;                     /* 0: not a system error */
} ngx_emage_fence_error_t;


/* Whether `str` can be an epoch or nonce: 1 to 64 of [0-9A-Za-z._-]. */

ngx_uint_t ngx_emage_fence_token(const ngx_str_t *str);

/*
 * `path` is terminated.  NGX_OK, NGX_DECLINED (there is no file), NGX_ERROR
 * (it cannot be read, or is not a fence).
 */

ngx_int_t ngx_emage_fence_read(const u_char *path, ngx_emage_fence_t *fence,
    ngx_emage_fence_error_t *error);

/*
 * Makes the fence durable: temporary name, fsync, rename, fsync of `dir`.
 * Writers of the same node (two masters during a binary upgrade, a worker that
 * was paused) take turns by flock(<path>.lock); of one epoch the higher
 * sequence stays.  NGX_OK, NGX_AGAIN (another one is writing), NGX_ERROR.
 */

ngx_int_t ngx_emage_fence_write(const u_char *dir, const u_char *path,
    const ngx_emage_fence_t *fence, ngx_emage_fence_error_t *error);


#endif /* _NGX_EMAGE_FENCE_H_INCLUDED_ */
