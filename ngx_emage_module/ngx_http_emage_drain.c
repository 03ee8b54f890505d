
/*
 * Copyright (C) The e-mage authors
 *
 * What a finished response has left in the kernel's send buffer.  nginx is done
 * with the request and may be busy with the connection's next one, but the
 * client has not got these bytes yet, and must not when a change takes them
 * back.  Such a connection is remembered until its buffer has drained.
 */


#include "ngx_http_emage_drain.h"
#include "ngx_http_emage_metrics.h"
#include "ngx_http_emage_search.h"

#include <sys/ioctl.h>
#include <linux/sockios.h>


#define NGX_HTTP_EMAGE_DRAIN_TICK   250        /* ms */
#define NGX_HTTP_EMAGE_DRAIN_PARTS  2048       /* of one connection */


/* Bytes up to `mark` of what the connection has sent rest on the entry. */

typedef struct {
    ngx_http_emage_entry_t  *entry;            /* one reference */
    off_t                    mark;
} ngx_http_emage_drain_part_t;


typedef struct {
    ngx_queue_t              queue;            /* in the worker's drains */
    ngx_connection_t        *connection;
    ngx_array_t              parts;            /* oldest first */
    ngx_uint_t               ticks;

    unsigned                 queued:1;
    unsigned                 linger:1;
    unsigned                 stale:1;          /* to be reset */
} ngx_http_emage_drain_t;


static ngx_http_emage_drain_t *ngx_http_emage_drain_find(ngx_connection_t *c);
static ngx_http_emage_drain_t *ngx_http_emage_drain_create(
    ngx_connection_t *c);
static void ngx_http_emage_drain_part(ngx_http_emage_drain_t *drain,
    ngx_http_emage_entry_t *entry);
static ngx_uint_t ngx_http_emage_drain_left(ngx_http_emage_drain_t *drain);
static ngx_uint_t ngx_http_emage_drain_fresh(ngx_http_emage_drain_t *drain);
static void ngx_http_emage_drain_end(ngx_http_emage_drain_t *drain);
static void ngx_http_emage_drain_done(ngx_http_emage_drain_t *drain);
static void ngx_http_emage_drain_reset(ngx_http_emage_drain_t *drain);
static void ngx_http_emage_drain_abort(ngx_connection_t *c);
static ngx_int_t ngx_http_emage_drain_queued(ngx_connection_t *c);
static void ngx_http_emage_drain_tick(ngx_event_t *ev);
static void ngx_http_emage_drain_sweep(ngx_http_emage_worker_t *worker,
    ngx_uint_t tick);
static void ngx_http_emage_drain_cleanup(void *data);


void
ngx_http_emage_drain_init(ngx_http_emage_worker_t *worker)
{
    ngx_queue_init(&worker->drains);

    worker->drain.handler = ngx_http_emage_drain_tick;
    worker->drain.data = worker;
    worker->drain.log = worker->cycle->log;
    worker->drain.cancelable = 1;
}


void
ngx_http_emage_drain(ngx_http_emage_ctx_t *ctx)
{
    ngx_uint_t                i;
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_emage_drain_t   *drain;
    ngx_http_emage_search_t  *search;

    r = ctx->request;
    c = r->connection;
    search = ctx->search;

    if (!ctx->permitted || ctx->revoked || !r->header_sent
        || (search != NULL && search->nlisted == 0))
    {
        return;
    }

#if (NGX_HTTP_V2)
    if (r->stream) {
        c = r->stream->connection->connection;
    }
#endif

    if (c->fd == (ngx_socket_t) -1) {
        return;
    }

    if (c->error || c->timedout || ctx->closing) {

        /*
         * The connection is closed next: by an error, or because its client
         * has stopped reading, or has lingered.  What is left goes with it.
         */

        if (ngx_http_emage_drain_queued(c) != 0) {
            ngx_http_emage_linger(c, 1);
        }

        return;
    }

    drain = ngx_http_emage_drain_find(c);

    if ((drain == NULL || !drain->queued)
        && ngx_http_emage_drain_queued(c) == 0)
    {
        return;
    }

    if (drain == NULL) {
        drain = ngx_http_emage_drain_create(c);
    }

    if (drain == NULL) {
        ngx_log_error(NGX_LOG_CRIT, c->log, 0,
                      "no memory to watch what a connection still has to "
                      "send: it is reset");
        ngx_http_emage_drain_abort(c);
        return;
    }

    if (!drain->queued) {
        drain->queued = 1;
        ngx_queue_insert_tail(&ngx_http_emage_worker->drains, &drain->queue);
    }

    drain->ticks = 0;

    if (search == NULL) {
        ngx_http_emage_drain_part(drain, ctx->want.entry);

    } else {
        for (i = 0; i < search->nlisted; i++) {
            ngx_http_emage_drain_part(drain, search->hits[i]->want.entry);
        }
    }

    if (drain->stale) {

        /* the change came between the last check and here */

        ngx_http_emage_drain_reset(drain);
        return;
    }

    if (!ngx_http_emage_worker->drain.timer_set) {
        ngx_add_timer(&ngx_http_emage_worker->drain,
                      NGX_HTTP_EMAGE_DRAIN_TICK);
    }
}


void
ngx_http_emage_drain_watch(ngx_http_emage_worker_t *worker)
{
    ngx_http_emage_drain_sweep(worker, 0);
}


static void
ngx_http_emage_drain_tick(ngx_event_t *ev)
{
    ngx_http_emage_worker_t  *worker = ev->data;

    ngx_http_emage_drain_sweep(worker, 1);

    if (!ngx_queue_empty(&worker->drains)) {
        ngx_add_timer(ev, NGX_HTTP_EMAGE_DRAIN_TICK);
    }
}


/*
 * What has drained is forgotten, what rests on facts that no longer hold is
 * dropped.
 *
 * Closing a connection whose client has stopped reading leaves the buffer to
 * the kernel, where no change reaches it: from the second tick on a close
 * drops it.  Until then it does not, for the sake of the last packets of an
 * ordinary response when a connection is closed by a reload.
 */

static void
ngx_http_emage_drain_sweep(ngx_http_emage_worker_t *worker, ngx_uint_t tick)
{
    ngx_queue_t             *q, *next;
    ngx_http_emage_drain_t  *drain;

    for (q = ngx_queue_head(&worker->drains);
         q != ngx_queue_sentinel(&worker->drains);
         q = next)
    {
        next = ngx_queue_next(q);
        drain = ngx_queue_data(q, ngx_http_emage_drain_t, queue);

        if (ngx_http_emage_drain_left(drain) == 0) {
            ngx_http_emage_drain_done(drain);

        } else if (!ngx_http_emage_drain_fresh(drain)) {
            ngx_http_emage_drain_reset(drain);

        } else if (tick && ++drain->ticks == 2) {
            ngx_http_emage_linger(drain->connection, 1);
            drain->linger = 1;
        }
    }
}


static ngx_http_emage_drain_t *
ngx_http_emage_drain_find(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_emage_drain_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static ngx_http_emage_drain_t *
ngx_http_emage_drain_create(ngx_connection_t *c)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_emage_drain_t  *drain;

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_http_emage_drain_t));
    if (cln == NULL) {
        return NULL;
    }

    drain = cln->data;
    ngx_memzero(drain, sizeof(ngx_http_emage_drain_t));

    if (ngx_array_init(&drain->parts, c->pool, 4,
                       sizeof(ngx_http_emage_drain_part_t))
        != NGX_OK)
    {
        return NULL;
    }

    drain->connection = c;
    cln->handler = ngx_http_emage_drain_cleanup;

    return drain;
}


/*
 * What lies in the buffer of TLS is not counted in `sent` yet, so the mark is
 * set behind it.
 */

static void
ngx_http_emage_drain_part(ngx_http_emage_drain_t *drain,
    ngx_http_emage_entry_t *entry)
{
    off_t                         mark;
    ngx_uint_t                    i;
    ngx_http_emage_drain_part_t  *part;

    if (entry == NULL || !ngx_http_emage_entry_fresh(entry)) {
        drain->stale = 1;
        return;
    }

    mark = drain->connection->sent
           + (drain->connection->buffered ? NGX_SSL_BUFSIZE : 0);

    part = drain->parts.elts;

    for (i = drain->parts.nelts; i > 0; i--) {
        if (part[i - 1].entry == entry) {
            part[i - 1].mark = mark;
            return;
        }
    }

    if (drain->parts.nelts >= NGX_HTTP_EMAGE_DRAIN_PARTS
        && ngx_http_emage_drain_left(drain) >= NGX_HTTP_EMAGE_DRAIN_PARTS)
    {
        drain->stale = 1;
        return;
    }

    part = ngx_array_push(&drain->parts);

    if (part == NULL) {
        drain->stale = 1;
        return;
    }

    ngx_http_emage_entry_hold(entry);

    part->entry = entry;
    part->mark = mark;
}


/*
 * The number of parts of which the kernel still holds something, after the
 * others have been forgotten.  With TLS `sent` counts what was encrypted, which
 * is less than the kernel was given: so this errs on the side of keeping.
 */

static ngx_uint_t
ngx_http_emage_drain_left(ngx_http_emage_drain_t *drain)
{
    off_t                         sent;
    ngx_int_t                     queued;
    ngx_uint_t                    i, n;
    ngx_http_emage_drain_part_t  *part;

    queued = ngx_http_emage_drain_queued(drain->connection);
    sent = drain->connection->sent;
    part = drain->parts.elts;
    n = 0;

    for (i = 0; i < drain->parts.nelts; i++) {

        if (queued == 0 || (queued > 0 && sent - part[i].mark >= queued)) {
            ngx_http_emage_entry_release(part[i].entry);
            continue;
        }

        part[n++] = part[i];
    }

    drain->parts.nelts = n;

    return n;
}


static ngx_uint_t
ngx_http_emage_drain_fresh(ngx_http_emage_drain_t *drain)
{
    ngx_uint_t                    i;
    ngx_http_emage_drain_part_t  *part;

    part = drain->parts.elts;

    for (i = 0; i < drain->parts.nelts; i++) {
        if (!ngx_http_emage_entry_fresh(part[i].entry)) {
            return 0;
        }
    }

    return 1;
}


/* The parts, whatever has become of them; the record stays with the pool. */

static void
ngx_http_emage_drain_end(ngx_http_emage_drain_t *drain)
{
    ngx_uint_t                    i;
    ngx_http_emage_drain_part_t  *part;

    part = drain->parts.elts;

    for (i = 0; i < drain->parts.nelts; i++) {
        ngx_http_emage_entry_release(part[i].entry);
    }

    drain->parts.nelts = 0;
    drain->stale = 0;

    if (drain->queued) {
        ngx_queue_remove(&drain->queue);
        drain->queued = 0;
    }
}


static void
ngx_http_emage_drain_done(ngx_http_emage_drain_t *drain)
{
    ngx_http_emage_drain_end(drain);

    /* but a connection that is being reset stays so */

    if (drain->linger && !drain->connection->timedout
        && !drain->connection->error)
    {
        ngx_http_emage_linger(drain->connection, 0);
        drain->linger = 0;
    }
}


static void
ngx_http_emage_drain_reset(ngx_http_emage_drain_t *drain)
{
    ngx_http_emage_count(NGX_HTTP_EMAGE_RESET, 1);

    ngx_log_error(NGX_LOG_NOTICE, drain->connection->log, 0,
                  "connection reset: what it still had to send was permitted "
                  "on something that has changed");

    ngx_http_emage_drain_abort(drain->connection);
    ngx_http_emage_drain_end(drain);
}


/*
 * Whatever runs on the connection may be another request, so nothing of nginx
 * is touched: the socket is taken back to before it was connected, which sends
 * a reset and drops the buffer, and nginx learns of it as of any client that
 * went away.  A socket that cannot be taken back (kTLS) is shut down instead,
 * and dropped when nginx closes it, at once.
 */

static void
ngx_http_emage_drain_abort(ngx_connection_t *c)
{
    struct sockaddr  sa;

    ngx_memzero(&sa, sizeof(struct sockaddr));
    sa.sa_family = AF_UNSPEC;

    if (connect(c->fd, &sa, sizeof(struct sockaddr)) == 0) {
        return;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, ngx_socket_errno,
                   "emage drain: connect(AF_UNSPEC) failed");

    ngx_http_emage_linger(c, 1);

    if (shutdown(c->fd, SHUT_RDWR) == -1
        && ngx_socket_errno != NGX_ENOTCONN)
    {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "shutdown() failed");
    }
}


/* Bytes that the client's kernel has not confirmed, or NGX_ERROR. */

static ngx_int_t
ngx_http_emage_drain_queued(ngx_connection_t *c)
{
    int  n;

    if (c->sockaddr->sa_family == AF_UNIX) {

        /* to a proxy on this machine, whose own buffers are out of reach */

        return 0;
    }

    if (ioctl(c->fd, SIOCOUTQ, &n) == -1) {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "ioctl(SIOCOUTQ) failed");
        return NGX_ERROR;
    }

    return n;
}


/* The connection is closed: what its pool holds goes with it. */

static void
ngx_http_emage_drain_cleanup(void *data)
{
    ngx_http_emage_drain_end(data);
}
