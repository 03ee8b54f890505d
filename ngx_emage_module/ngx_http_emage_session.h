
/*
 * Copyright (C) The e-mage authors
 *
 * Sessions: the record of a cookie's session, from shared memory while the
 * node's lease lives and it has not been ended, else from Redis.
 */


#ifndef _NGX_HTTP_EMAGE_SESSION_H_INCLUDED_
#define _NGX_HTTP_EMAGE_SESSION_H_INCLUDED_


#include "ngx_http_emage.h"


/* init_process */

ngx_int_t ngx_http_emage_session_init(ngx_cycle_t *cycle);

/*
 * The one session id that the request's cookies carry: NGX_OK with its hash in
 * the context, NGX_DECLINED if there is no such cookie, NGX_ABORT if there are
 * several, or what it carries is no session id.
 */

ngx_int_t ngx_http_emage_session_find(ngx_http_emage_ctx_t *ctx);

/*
 * NGX_OK with ctx->subject, NGX_AGAIN: the request will be resumed, then ask
 * again; NGX_DECLINED when there is no such session (any more), NGX_ERROR when
 * it cannot be told now (ctx->cause).  In a request that has got its subject
 * already, NGX_OK means that the session still is the same.
 */

ngx_int_t ngx_http_emage_session_get(ngx_http_emage_ctx_t *ctx);

/* Whether the session was not ended; true of bearer tokens. */

ngx_uint_t ngx_http_emage_session_fresh(ngx_http_emage_ctx_t *ctx);

/* Whether the request waits for Redis to tell of it. */

ngx_uint_t ngx_http_emage_session_waits(ngx_http_emage_ctx_t *ctx);

/* Takes back what could resume the request. */

void ngx_http_emage_session_leave(ngx_http_emage_ctx_t *ctx);


#endif /* _NGX_HTTP_EMAGE_SESSION_H_INCLUDED_ */
