
/*
 * Copyright (C) The e-mage authors
 *
 * The state machine of one request: identity, facts, decision, journal, serve.
 * It is the content handler, which alone can reach the store, so that nothing
 * configured around it can lead past the decision.
 */


#include "ngx_http_emage_drain.h"
#include "ngx_http_emage_metrics.h"
#include "ngx_http_emage_search.h"
#include "ngx_http_emage_session.h"


#define NGX_HTTP_EMAGE_ROUNDS  8


static void ngx_http_emage_parse(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_run(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_identity(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_facts_step(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_decide_step(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_journal_step(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_serve_step(ngx_http_emage_ctx_t *ctx);
static void ngx_http_emage_journalled(void *data, ngx_int_t rc);
static void ngx_http_emage_cleanup(void *data);
static void ngx_http_emage_tally(ngx_http_emage_ctx_t *ctx);


ngx_int_t
ngx_http_emage_handler(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_cleanup_t    *cln;
    ngx_http_emage_ctx_t  *ctx;

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "a subrequest to a guarded location is refused");
        return NGX_HTTP_NOT_FOUND;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_emage_not_allowed(r);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_emage_worker == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_emage_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_emage_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_emage_module);
    ctx->start = ngx_current_msec;
    ctx->waiter.handler = ngx_http_emage_journalled;
    ctx->waiter.data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_emage_module);

    ngx_http_emage_parse(ctx);

    rc = ngx_http_emage_run(ctx);

    if (rc == NGX_AGAIN) {
        return ngx_http_emage_suspend(ctx);
    }

    return rc;
}


/*
 * The resource of the URI as nginx has decoded and normalized it, once.  What
 * is decided upon here is what is opened: nothing reads the URI again.
 */

static void
ngx_http_emage_parse(ngx_http_emage_ctx_t *ctx)
{
    emage_str_t          path;
    ngx_str_t           *prefix;
    ngx_http_request_t  *r;

    r = ctx->request;
    prefix = &ctx->conf->prefix;

    if (r->uri.len < prefix->len
        || ngx_memcmp(r->uri.data, prefix->data, prefix->len) != 0)
    {
        return;
    }

    path.data = (char *) r->uri.data + prefix->len;
    path.len = r->uri.len - prefix->len;

    (void) emage_resource_parse(path, &ctx->resource);
}


/*
 * Holds the request while it waits for Redis or the journal.  The client may
 * go away meanwhile: then ngx_http_emage_cleanup() takes everything back.
 */

ngx_int_t
ngx_http_emage_suspend(ngx_http_emage_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    r->main->count++;
    ctx->suspended = 1;

    r->write_event_handler = ngx_http_request_empty_handler;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

#if (NGX_HTTP_V2)
    if (r->stream) {
        return NGX_DONE;
    }
#endif

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        r->main->count--;
        ctx->suspended = 0;

        /* nobody may resume what is ended here */

        ngx_http_emage_cleanup(ctx);

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DONE;
}


void
ngx_http_emage_resume(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ctx->state == NGX_HTTP_EMAGE_DONE) {

        /* a transfer whose facts were looked at again */

        ngx_http_emage_rechecked(ctx);
        return;
    }

    rc = ngx_http_emage_run(ctx);

    if (rc == NGX_AGAIN) {

        /* still waiting; the reference of the suspension stays */

        return;
    }

    ctx->suspended = 0;

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/*
 * NGX_AGAIN while waiting; anything else is for ngx_http_finalize_request().
 */

static ngx_int_t
ngx_http_emage_run(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t  rc;

    for ( ;; ) {

        switch (ctx->state) {

        case NGX_HTTP_EMAGE_IDENTITY:
            rc = ngx_http_emage_identity(ctx);
            break;

        case NGX_HTTP_EMAGE_FACTS:
            rc = ngx_http_emage_facts_step(ctx);
            break;

        case NGX_HTTP_EMAGE_DECIDE:
            rc = ngx_http_emage_decide_step(ctx);
            break;

        case NGX_HTTP_EMAGE_SEARCH:
            rc = ngx_http_emage_search(ctx);
            break;

        case NGX_HTTP_EMAGE_JOURNAL:
            rc = ngx_http_emage_journal_step(ctx);
            break;

        case NGX_HTTP_EMAGE_SERVE:
            rc = ngx_http_emage_serve_step(ctx);
            break;

        default:
            return NGX_DONE;
        }

        if (rc == NGX_DECLINED) {

            /* the step has set the next state */

            continue;
        }

        if (rc != NGX_AGAIN) {
            ctx->state = NGX_HTTP_EMAGE_DONE;
        }

        return rc;
    }
}


static ngx_int_t
ngx_http_emage_identity(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_emage_identify(ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_emage_access_count(0);
        return ngx_http_emage_unauthorized(ctx, ctx->session.used
                                     || r->headers_in.authorization != NULL);
    }

    if (rc != NGX_OK) {
        return ngx_http_emage_unavailable(ctx);
    }

    /* nothing is answered, not even a refusal, that cannot be recorded */

    if (!ngx_emage_journal_ok(ngx_http_emage_worker->journal)) {
        ctx->cause = "journal";
        return ngx_http_emage_unavailable(ctx);
    }

    if (ctx->resource.kind == EMAGE_RESOURCE_NONE) {
        ctx->cause = "no such resource";
        ngx_http_emage_access_count(1);
        return ngx_http_emage_refuse(ctx);
    }

    ctx->state = emage_resource_is_search(ctx->resource.kind)
                 ? NGX_HTTP_EMAGE_SEARCH : NGX_HTTP_EMAGE_FACTS;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_emage_facts_step(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_emage_facts_get(ctx);

    switch (rc) {

    case NGX_OK:
        ctx->state = NGX_HTTP_EMAGE_DECIDE;
        return NGX_DECLINED;

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_DECLINED:
        ctx->cause = "unknown study";
        break;

    default:
        return ngx_http_emage_unavailable(ctx);
    }

    if (ngx_http_emage_access_refusal(ctx) != NGX_OK) {
        return ngx_http_emage_unavailable(ctx);
    }

    return ngx_http_emage_refuse(ctx);
}


static ngx_int_t
ngx_http_emage_decide_step(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  stored;

    rc = ngx_http_emage_decide(ctx);

    if (rc != NGX_OK) {
        return ngx_http_emage_unavailable(ctx);
    }

    if (ctx->verdict.permits == 0 && ctx->want.rounds == 0) {

        /*
         * A study without a record is asked for each time.  So is one that is
         * refused, or the time of the answer would tell them apart.
         */

        ngx_http_emage_entry_drop(&ctx->want);
        ctx->state = NGX_HTTP_EMAGE_FACTS;

        return NGX_DECLINED;
    }

    if (ctx->verdict.permits != 0) {

        rc = ngx_http_emage_plan_make(ctx, &stored);

        if (rc == NGX_OK) {
            ctx->permitted = 1;
            ctx->state = NGX_HTTP_EMAGE_JOURNAL;
            return NGX_DECLINED;
        }

        if (rc == NGX_ERROR) {
            return ngx_http_emage_unavailable(ctx);
        }

        if (rc == NGX_HTTP_NOT_ACCEPTABLE) {

            /* the subject may know what is stored, but gets nothing of it */

            ctx->cause = "not acceptable";

            if (ngx_http_emage_access_refusal(ctx) != NGX_OK) {
                return ngx_http_emage_unavailable(ctx);
            }

            return ngx_http_emage_not_acceptable(ctx, &stored);
        }
    }

    if (ngx_http_emage_access_refusal(ctx) != NGX_OK) {
        return ngx_http_emage_unavailable(ctx);
    }

    return ngx_http_emage_refuse(ctx);
}


static ngx_int_t
ngx_http_emage_journal_step(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    rc = ngx_http_emage_access_intent(ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        ctx->cause = "journal";
        return ngx_http_emage_unavailable(ctx);
    }

    ctx->state = NGX_HTTP_EMAGE_SERVE;

    /*
     * A connection that is to be closed stays until the client has closed its
     * side (or `lingering_timeout`), and its transfer among the watched ones:
     * what the kernel holds of a closed connection is out of reach.
     */

    r = ctx->request;

#if (NGX_HTTP_V2)
    if (r->stream) {
        return NGX_DECLINED;
    }
#endif

    if (!r->keepalive) {
        r->lingering_close = 1;
        ctx->closing = 1;
    }

    return NGX_DECLINED;
}


/*
 * Between the decision and here the request may have waited for the disk, and
 * a change may have been applied: then everything is asked and decided anew.
 */

static ngx_int_t
ngx_http_emage_serve_step(ngx_http_emage_ctx_t *ctx)
{
    if (ctx->search != NULL) {
        return ngx_http_emage_search_serve(ctx);
    }

    if (!ngx_http_emage_facts_fresh(ctx)) {

        if (++ctx->want.rounds == NGX_HTTP_EMAGE_ROUNDS) {
            ctx->cause = "records change too fast";
            return ngx_http_emage_unavailable(ctx);
        }

        ngx_http_emage_transfer_end(ctx);
        ngx_http_emage_access_outcome(ctx);
        ngx_http_emage_facts_leave(ctx);

        ctx->permitted = 0;
        ctx->state = ngx_http_emage_session_fresh(ctx)
                     ? NGX_HTTP_EMAGE_FACTS : NGX_HTTP_EMAGE_IDENTITY;

        return NGX_DECLINED;
    }

    return ngx_http_emage_serve(ctx);
}


static void
ngx_http_emage_journalled(void *data, ngx_int_t rc)
{
    ngx_http_emage_ctx_t *ctx = data;

    ngx_http_emage_waited(NGX_HTTP_EMAGE_WAIT_JOURNAL, ctx->waited);

    /* on NGX_OK ngx_http_emage_access_intent() sees it for itself */

    ctx->unrecorded = (rc != NGX_OK);

    ngx_http_emage_resume(ctx);
}


/*
 * Called when the request ends, however it does, and when its client has gone
 * while it was waiting.
 */

static void
ngx_http_emage_cleanup(void *data)
{
    ngx_http_emage_ctx_t *ctx = data;

    if (ctx->waiter.waiting) {
        ngx_emage_journal_forget(ngx_http_emage_worker->journal, &ctx->waiter);
    }

    ngx_http_emage_tally(ctx);

    ngx_http_emage_session_leave(ctx);
    ngx_http_emage_transfer_end(ctx);
    ngx_http_emage_access_outcome(ctx);
    ngx_http_emage_drain(ctx);
    ngx_http_emage_facts_leave(ctx);
    ngx_http_emage_search_cleanup(ctx);

    ctx->state = NGX_HTTP_EMAGE_DONE;
}


/* A request whose client left before a decision counts as nothing. */

static void
ngx_http_emage_tally(ngx_http_emage_ctx_t *ctx)
{
    off_t                bytes;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!r->header_sent || ctx->tallied) {
        return;
    }

    ctx->tallied = 1;

    if (ctx->unauthenticated) {
        ngx_http_emage_count(NGX_HTTP_EMAGE_UNAUTHENTICATED, 1);

    } else if (ctx->refused) {
        ngx_http_emage_count(NGX_HTTP_EMAGE_DENIED, 1);
        ngx_http_emage_count_reasons(&ctx->verdict);

    } else if (ctx->unacceptable) {
        ngx_http_emage_count(NGX_HTTP_EMAGE_NOT_ACCEPTABLE, 1);

    } else if (r->headers_out.status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        ngx_http_emage_count(NGX_HTTP_EMAGE_UNAVAILABLE, 1);

    } else if (ctx->permitted) {
        bytes = r->connection->sent - (off_t) r->header_size;

        ngx_http_emage_count(NGX_HTTP_EMAGE_PERMITTED, 1);
        ngx_http_emage_count(NGX_HTTP_EMAGE_BYTES,
                             bytes > 0 ? (uint64_t) bytes : 0);
        ngx_http_emage_count_reasons(&ctx->verdict);
    }
}


ngx_http_emage_ctx_t *
ngx_http_emage_get_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t    *cln;
    ngx_http_emage_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_emage_module);

    if (ctx != NULL) {
        return ctx;
    }

    /* an internal redirect has cleared the contexts */

    for (cln = r->main->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_emage_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}
