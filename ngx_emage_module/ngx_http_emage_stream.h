
/*
 * Copyright (C) The e-mage authors
 *
 * The producer of a large body: chunk after chunk of slices, each sent only
 * while the facts it was permitted on still hold.
 */


#ifndef _NGX_HTTP_EMAGE_STREAM_H_INCLUDED_
#define _NGX_HTTP_EMAGE_STREAM_H_INCLUDED_


#include "ngx_http_emage.h"


/*
 * Prepares bytes [start, end) of the planned body and its first chunk, so that
 * a store that cannot be read is known before the header is sent.
 */

ngx_int_t ngx_http_emage_stream_start(ngx_http_emage_ctx_t *ctx, off_t start,
    off_t end);

/*
 * After the header: sends, and goes on when the client can take more.  Returns
 * NGX_DONE while it lasts, with a reference of its own on the request.
 */

ngx_int_t ngx_http_emage_stream_run(ngx_http_emage_ctx_t *ctx);

/* Goes on after facts were looked at again; may end the request. */

void ngx_http_emage_stream_continue(ngx_http_emage_ctx_t *ctx);


#endif /* _NGX_HTTP_EMAGE_STREAM_H_INCLUDED_ */
