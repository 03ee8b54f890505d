
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_plan.h"
#include "ngx_http_emage_stream.h"


#define NGX_HTTP_EMAGE_MEMORY   (128 * 1024)   /* framing and small slices */
#define NGX_HTTP_EMAGE_TURNS    4              /* chunks in one turn */


struct ngx_http_emage_stream_s {
    ngx_chain_t              *free;
    ngx_chain_t              *busy;
    ngx_chain_t              *out;

    u_char                   *memory;          /* of the running chunk */
    u_char                   *pos;
    u_char                   *last;

    ngx_http_emage_file_t    *files[NGX_HTTP_EMAGE_FILES_AHEAD];
    ngx_uint_t                nfiles;

    ngx_http_emage_segment_t  segment;         /* what is left of it */
    off_t                     skip;
    off_t                     left;

    unsigned                  active:1;        /* run has begun */
};


static void ngx_http_emage_stream_cleanup(void *data);
static ngx_int_t ngx_http_emage_stream_chunk(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_stream_segment(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_stream_memory(ngx_http_emage_ctx_t *ctx,
    size_t n);
static ngx_int_t ngx_http_emage_stream_file(ngx_http_emage_ctx_t *ctx,
    off_t n, ngx_chain_t ***ll);
static ngx_buf_t *ngx_http_emage_stream_buf(ngx_http_emage_ctx_t *ctx,
    ngx_chain_t ***ll);
static void ngx_http_emage_stream_consumed(ngx_http_emage_stream_t *st);
static void ngx_http_emage_stream_writer(ngx_http_request_t *r);
static ngx_int_t ngx_http_emage_stream_send(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_stream_wait(ngx_http_request_t *r);


ngx_int_t
ngx_http_emage_stream_start(ngx_http_emage_ctx_t *ctx, off_t start, off_t end)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_emage_stream_t  *st;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_emage_stream_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    st = cln->data;
    ngx_memzero(st, sizeof(ngx_http_emage_stream_t));

    cln->handler = ngx_http_emage_stream_cleanup;

    st->memory = ngx_palloc(ctx->request->pool, NGX_HTTP_EMAGE_MEMORY);
    if (st->memory == NULL) {
        return NGX_ERROR;
    }

    st->pos = st->memory;
    st->last = st->memory + NGX_HTTP_EMAGE_MEMORY;
    st->skip = start;
    st->left = end - start;

    ctx->stream = st;
    ngx_http_emage_plan_rewind(ctx->plan);

    return ngx_http_emage_stream_chunk(ctx);
}


static void
ngx_http_emage_stream_cleanup(void *data)
{
    ngx_http_emage_stream_consumed(data);
}


/* Everything of the last chunk has been sent. */

static void
ngx_http_emage_stream_consumed(ngx_http_emage_stream_t *st)
{
    while (st->nfiles > 0) {
        ngx_http_emage_file_release(st->files[--st->nfiles]);
    }

    st->pos = st->memory;
}


ngx_int_t
ngx_http_emage_stream_run(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_emage_stream_send(ctx);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    r->write_event_handler = ngx_http_emage_stream_writer;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    /*
     * A request resumed from waiting keeps the reference it has; a request
     * that never waited takes one, since NGX_DONE gives one back.
     */

    r->main->count++;
    ctx->stream->active = 1;

    return NGX_DONE;
}


void
ngx_http_emage_stream_continue(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    if (ctx->stream == NULL || !ctx->stream->active) {
        return;
    }

    r = ctx->request;
    c = r->connection;

    rc = ngx_http_emage_stream_send(ctx);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_emage_stream_writer(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_http_emage_ctx_t      *ctx;

    c = r->connection;
    wev = c->write;

    ctx = ngx_http_emage_get_ctx(r);

    if (ctx == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (wev->delayed || r->aio) {
        if (ngx_http_emage_stream_wait(r) != NGX_AGAIN) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    rc = ngx_http_emage_stream_send(ctx);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


/*
 * NGX_OK when all has been sent, NGX_AGAIN when the client must take some
 * first, or facts are looked at again; NGX_ERROR ends the connection.
 */

static ngx_int_t
ngx_http_emage_stream_send(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_uint_t                 turn;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_emage_stream_t   *st;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    c = r->connection;
    st = ctx->stream;

    /* an HTTP/2 connection that ends tells a stream with queued frames so */

    if (c->error) {
        return NGX_ERROR;
    }

    for (turn = 0; turn < NGX_HTTP_EMAGE_TURNS; turn++) {

        rc = ngx_http_emage_recheck(ctx);

        if (rc != NGX_OK) {
            return rc;
        }

        if (st->out || st->busy || c->buffered) {

            rc = ngx_http_output_filter(r, st->out);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            ngx_chain_update_chains(r->pool, &st->free, &st->busy, &st->out,
                                    (ngx_buf_tag_t) &ngx_http_emage_module);
        }

        if (st->busy || (st->left == 0 && (c->buffered || r->buffered))) {
            return ngx_http_emage_stream_wait(r);
        }

        ngx_http_emage_stream_consumed(st);

        if (st->left == 0) {
            ctx->complete = 1;
            st->active = 0;
            return NGX_OK;
        }

        if (ngx_http_emage_stream_chunk(ctx) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /*
     * Other connections have their turn.  The timer is what keeps a worker
     * that is exiting.
     */

    clcf = ngx_http_get_module_loc_conf(r->main, ngx_http_core_module);

    ngx_add_timer(c->write, clcf->send_timeout);
    ngx_post_event(c->write, &ngx_posted_next_events);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_emage_stream_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r->main, ngx_http_core_module);

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    if (wev->delayed) {
        return NGX_AGAIN;
    }

    if (wev->active && !wev->ready) {
        ngx_add_timer(wev, clcf->send_timeout);

    } else if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    return NGX_AGAIN;
}


/*
 * Fills st->out with the next chunk: framing and small slices gathered in
 * memory, large ones by reference to their file.
 */

static ngx_int_t
ngx_http_emage_stream_chunk(ngx_http_emage_ctx_t *ctx)
{
    off_t                      n, limit;
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    ngx_chain_t              **ll;
    ngx_http_emage_stream_t   *st;

    st = ctx->stream;
    ll = &st->out;
    limit = NGX_HTTP_EMAGE_CHUNK;

    /* the memory buffer that is being filled, NULL after a file */

    b = NULL;

    while (st->left > 0 && limit > 0) {

        if (ngx_http_emage_stream_segment(ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        n = ngx_min(st->segment.length, st->left);

        if (st->segment.data == NULL && n > NGX_HTTP_EMAGE_SMALL) {

            if (st->nfiles == NGX_HTTP_EMAGE_FILES_AHEAD) {
                break;
            }

            n = ngx_min(n, limit);
            b = NULL;

            rc = ngx_http_emage_stream_file(ctx, n, &ll);

        } else {

            if (n > st->last - st->pos) {
                break;
            }

            if (b == NULL) {
                b = ngx_http_emage_stream_buf(ctx, &ll);
                if (b == NULL) {
                    return NGX_ERROR;
                }

                b->memory = 1;
                b->pos = st->pos;
                b->last = st->pos;
            }

            rc = ngx_http_emage_stream_memory(ctx, (size_t) n);
            b->last = st->pos;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        st->left -= n;
        limit -= n;
    }

    if (st->left > 0) {
        return NGX_OK;
    }

    /* the last buffer of the body */

    b = ngx_http_emage_stream_buf(ctx, &ll);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last_buf = 1;
    b->last_in_chain = 1;

    return NGX_OK;
}


/* Makes st->segment one with bytes left to send, beyond what is skipped. */

static ngx_int_t
ngx_http_emage_stream_segment(ngx_http_emage_ctx_t *ctx)
{
    off_t                      n;
    ngx_http_emage_stream_t   *st;
    ngx_http_emage_segment_t  *segment;

    st = ctx->stream;
    segment = &st->segment;

    for ( ;; ) {

        if (segment->length == 0
            && ngx_http_emage_plan_next(ctx->plan, segment) != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ALERT, ctx->request->connection->log, 0,
                          "a planned body ends %O bytes early", st->left);
            return NGX_ERROR;
        }

        n = ngx_min(st->skip, segment->length);

        st->skip -= n;
        segment->length -= n;
        segment->offset += n;

        if (segment->data != NULL) {
            segment->data += n;
        }

        if (segment->length > 0) {
            return NGX_OK;
        }
    }
}


static ngx_int_t
ngx_http_emage_stream_memory(ngx_http_emage_ctx_t *ctx, size_t n)
{
    ngx_int_t                  rc;
    ngx_log_t                 *log;
    ngx_http_emage_file_t     *file;
    ngx_http_emage_stream_t   *st;
    ngx_http_emage_segment_t  *segment;

    st = ctx->stream;
    segment = &st->segment;
    log = ctx->request->connection->log;

    if (segment->data != NULL) {
        ngx_memcpy(st->pos, segment->data, n);
        segment->data += n;

    } else {

        if (ngx_http_emage_file_get(segment->series, segment->instance,
                                    segment->kind, log, &file)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_emage_file_read(file, st->pos, n, segment->offset, log);

        ngx_http_emage_file_release(file);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    st->pos += n;
    segment->offset += n;
    segment->length -= n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_stream_file(ngx_http_emage_ctx_t *ctx, off_t n,
    ngx_chain_t ***ll)
{
    ngx_buf_t                 *b;
    ngx_http_emage_file_t     *file;
    ngx_http_emage_stream_t   *st;
    ngx_http_emage_segment_t  *segment;

    st = ctx->stream;
    segment = &st->segment;

    if (ngx_http_emage_file_get(segment->series, segment->instance,
                                segment->kind, ctx->request->connection->log,
                                &file)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    st->files[st->nfiles++] = file;

    b = ngx_http_emage_stream_buf(ctx, ll);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (b->file == NULL) {
        b->file = ngx_pcalloc(ctx->request->pool, sizeof(ngx_file_t));
        if (b->file == NULL) {
            return NGX_ERROR;
        }
    }

    b->file->fd = file->fd;
    b->file->log = ctx->request->connection->log;
    ngx_str_set(&b->file->name, "object");

    b->in_file = 1;
    b->file_pos = segment->offset;
    b->file_last = segment->offset + n;

    segment->offset += n;
    segment->length -= n;

    return NGX_OK;
}


static ngx_buf_t *
ngx_http_emage_stream_buf(ngx_http_emage_ctx_t *ctx, ngx_chain_t ***ll)
{
    ngx_buf_t    *b;
    ngx_file_t   *file;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(ctx->request->pool, &ctx->stream->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;
    file = b->file;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->file = file;
    b->tag = (ngx_buf_tag_t) &ngx_http_emage_module;

    **ll = cl;
    *ll = &cl->next;
    cl->next = NULL;

    return b;
}
