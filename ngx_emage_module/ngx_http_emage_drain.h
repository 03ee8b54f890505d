
/*
 * Copyright (C) The e-mage authors
 *
 * Finished responses whose bytes the kernel still holds.
 */


#ifndef _NGX_HTTP_EMAGE_DRAIN_H_INCLUDED_
#define _NGX_HTTP_EMAGE_DRAIN_H_INCLUDED_


#include "ngx_http_emage_entry.h"


void ngx_http_emage_drain_init(ngx_http_emage_worker_t *worker);

/*
 * When a request ends, while it still has its facts: remembers what its
 * response rests on, if the client has not confirmed all of it.
 */

void ngx_http_emage_drain(ngx_http_emage_ctx_t *ctx);

/* After a change was applied, or the lease was lost. */

void ngx_http_emage_drain_watch(ngx_http_emage_worker_t *worker);


#endif /* _NGX_HTTP_EMAGE_DRAIN_H_INCLUDED_ */
