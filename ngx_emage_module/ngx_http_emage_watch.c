
/*
 * Copyright (C) The e-mage authors
 *
 * Open transfers under changing records.  When something about the patient has
 * changed, the facts are read and decided upon again before another byte is
 * handed on; what is no longer permitted is reset, so that neither nginx nor
 * the kernel delivers what they still hold.
 */


#include "ngx_http_emage_drain.h"
#include "ngx_http_emage_metrics.h"
#include "ngx_http_emage_plan.h"
#include "ngx_http_emage_search.h"
#include "ngx_http_emage_session.h"
#include "ngx_http_emage_stream.h"


static ngx_int_t ngx_http_emage_recheck_facts(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_recheck_verdict(ngx_http_emage_ctx_t *ctx);


/*
 * Called in the event loop of every worker soon after a change was applied or
 * the lease was lost.  A reset ends the request of its own connection only, so
 * the queue can be walked.
 */

void
ngx_http_emage_watch(void *data)
{
    ngx_http_emage_worker_t *worker = data;

    ngx_int_t              rc;
    ngx_queue_t           *q, *next;
    ngx_connection_t      *c;
    ngx_http_emage_ctx_t  *ctx;

    for (q = ngx_queue_head(&worker->transfers);
         q != ngx_queue_sentinel(&worker->transfers);
         q = next)
    {
        next = ngx_queue_next(q);
        ctx = ngx_queue_data(q, ngx_http_emage_ctx_t, transfer);
        c = ctx->request->connection;

        rc = ngx_http_emage_recheck(ctx);

        if (rc == NGX_ERROR) {
            ngx_http_finalize_request(ctx->request, NGX_ERROR);
            ngx_http_run_posted_requests(c);
        }
    }

    ngx_http_emage_drain_watch(worker);
}


/*
 * Before every chunk.  NGX_OK: go on.  NGX_AGAIN: wait, either for facts or for
 * the end of an HTTP/2 connection that was reset.  NGX_ERROR: the connection
 * has been set to be reset, end the request with NGX_ERROR.
 */

ngx_int_t
ngx_http_emage_recheck(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->search != NULL) {
        return ngx_http_emage_search_recheck(ctx);
    }

    if (ctx->revoked || ctx->want.fetching
        || ngx_http_emage_session_waits(ctx))
    {
        return NGX_AGAIN;
    }

    if (ngx_http_emage_facts_fresh(ctx)) {
        return NGX_OK;
    }

    rc = NGX_ERROR;

    if (ngx_emage_lease_live(ngx_http_emage_worker->lease)) {
        ngx_http_emage_facts_leave(ctx);
        ctx->want.rounds = 0;
        rc = ngx_http_emage_recheck_facts(ctx);
    }

    if (rc == NGX_ERROR) {
        return ngx_http_emage_reset(ctx);
    }

    return rc;
}


static ngx_int_t
ngx_http_emage_recheck_facts(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (!ngx_http_emage_session_fresh(ctx)) {

        rc = ngx_http_emage_session_get(ctx);

        if (rc != NGX_OK) {
            return rc == NGX_AGAIN ? NGX_AGAIN : NGX_ERROR;
        }
    }

    rc = ngx_http_emage_facts_get(ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_emage_recheck_verdict(ctx);
}


/*
 * The same revision under the same study record, and everything in the body
 * still permitted.  Anything else is another answer than the one under way.
 */

static ngx_int_t
ngx_http_emage_recheck_verdict(ngx_http_emage_ctx_t *ctx)
{
    const emage_facts_t  *facts;

    facts = ngx_http_emage_facts(ctx);

    if (emage_facts_study_version(facts) != ctx->plan->study_version
        || ngx_http_emage_decide(ctx) != NGX_OK
        || (ctx->verdict.permits & ctx->plan->needs) != ctx->plan->needs
        || !ngx_http_emage_facts_fresh(ctx))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Facts that an open transfer waited for have come, or not. */

void
ngx_http_emage_rechecked(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = ctx->request->connection;

    if (ctx->search != NULL) {

        if (ngx_http_emage_search_recheck(ctx) == NGX_ERROR) {
            ngx_http_finalize_request(ctx->request, NGX_ERROR);
            ngx_http_run_posted_requests(c);
        }

        return;
    }

    rc = ngx_http_emage_recheck_facts(ctx);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_ERROR) {

        if (ngx_http_emage_reset(ctx) == NGX_ERROR) {
            ngx_http_finalize_request(ctx->request, NGX_ERROR);
            ngx_http_run_posted_requests(c);
        }

        return;
    }

    ngx_http_emage_stream_continue(ctx);
}


/*
 * Closing alone would let the kernel deliver its send buffer, megabytes of it.
 * With a linger time of zero the connection is reset and the buffer dropped.
 * The streams of an HTTP/2 connection share one buffer, so they go together.
 */

ngx_int_t
ngx_http_emage_reset(ngx_http_emage_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ctx->revoked = 1;
    ctx->complete = 0;

    ngx_http_emage_count(NGX_HTTP_EMAGE_RESET, 1);
    ngx_http_emage_transfer_end(ctx);

    ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                  "transfer reset: what it was permitted on has changed");

#if (NGX_HTTP_V2)
    if (r->stream) {
        c = r->stream->connection->connection;
    }
#endif

    ngx_http_emage_linger(c, 1);

    c->timedout = 1;

#if (NGX_HTTP_V2)
    if (r->stream) {
        c->error = 1;
        c->write->timedout = 1;
        ngx_post_event(c->write, &ngx_posted_events);
        return NGX_AGAIN;
    }
#endif

    return NGX_ERROR;
}


void
ngx_http_emage_linger(ngx_connection_t *c, ngx_uint_t on)
{
    struct linger  linger;

    linger.l_onoff = on;
    linger.l_linger = 0;

    if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, (const void *) &linger,
                   sizeof(struct linger))
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "setsockopt(SO_LINGER) failed");
    }
}
