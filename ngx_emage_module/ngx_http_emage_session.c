
/*
 * Copyright (C) The e-mage authors
 *
 * Session cookie -> subject.  Ending a session is a change like any other: the
 * node applies it under its lease, and what was read before counts no more.
 */


#include "ngx_http_emage_session.h"
#include "ngx_http_emage_metrics.h"
#include "ngx_http_emage_tokens.h"

#include <emage/session.h>


/*
 * A session is read again after this time at most, or half of what is left of
 * it: that is how Redis learns that it is in use.
 */

#define NGX_HTTP_EMAGE_SESSION_KEEP    30000   /* ms */

/* Made-up ids must not keep the lease's own questions waiting. */

#define NGX_HTTP_EMAGE_SESSION_FLYING  64      /* questions of a worker */
#define NGX_HTTP_EMAGE_SESSION_ROUNDS  8       /* of a request */


typedef struct {
    ngx_uint_t    flying;
    ngx_queue_t   waiting;                     /* for one of these */
    ngx_event_t   event;
} ngx_http_emage_sessions_t;


static ngx_int_t ngx_http_emage_session_cached(ngx_http_emage_ctx_t *ctx,
    u_char *key);
static ngx_int_t ngx_http_emage_session_key(ngx_http_emage_ctx_t *ctx,
    u_char *key);
static ngx_int_t ngx_http_emage_session_ask(ngx_http_emage_ctx_t *ctx);
static void ngx_http_emage_session_next(ngx_event_t *ev);
static void ngx_http_emage_session_reply(void *data,
    const ngx_emage_resp_t *reply, const char *reason);
static ngx_int_t ngx_http_emage_session_read(ngx_http_emage_ctx_t *ctx,
    const ngx_emage_resp_t *reply, const char *reason);
static ngx_int_t ngx_http_emage_session_record(ngx_http_emage_ctx_t *ctx,
    ngx_str_t *record, ngx_emage_stamp_t *stamp, int64_t left);
static ngx_int_t ngx_http_emage_session_take(ngx_http_emage_ctx_t *ctx,
    ngx_emage_stamp_t *stamp, u_char *packed, size_t len);


static ngx_http_emage_sessions_t  ngx_http_emage_sessions;


ngx_int_t
ngx_http_emage_session_init(ngx_cycle_t *cycle)
{
    ngx_http_emage_sessions_t  *sessions;

    sessions = &ngx_http_emage_sessions;

    sessions->flying = 0;
    ngx_queue_init(&sessions->waiting);

    ngx_memzero(&sessions->event, sizeof(ngx_event_t));
    sessions->event.handler = ngx_http_emage_session_next;
    sessions->event.data = sessions;
    sessions->event.log = cycle->log;

    return NGX_OK;
}


ngx_int_t
ngx_http_emage_session_find(ngx_http_emage_ctx_t *ctx)
{
    unsigned             n;
    emage_str_t          id;
    ngx_http_request_t  *r;

    r = ctx->request;
    n = 0;

#if (nginx_version >= 1023000)
    ngx_table_elt_t     *h;

    for (h = r->headers_in.cookie; h; h = h->next) {
        n += emage_session_cookie(ngx_http_emage_str(&h->value), &id);
    }

#else
    ngx_uint_t           i;
    ngx_table_elt_t    **h;

    h = r->headers_in.cookies.elts;

    for (i = 0; i < r->headers_in.cookies.nelts; i++) {
        n += emage_session_cookie(ngx_http_emage_str(&h[i]->value), &id);
    }
#endif

    if (n == 0) {
        return NGX_DECLINED;
    }

    if (n > 1 || !emage_session_hash(id, ctx->session.hash)) {
        return NGX_ABORT;
    }

    ctx->session.used = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_emage_session_get(ngx_http_emage_ctx_t *ctx)
{
    u_char                     key[NGX_HTTP_EMAGE_TOKEN_KEY];
    ngx_int_t                  rc;
    ngx_http_emage_session_t  *session;

    session = &ctx->session;

    if (ngx_http_emage_session_waits(ctx)) {
        return NGX_AGAIN;
    }

    if (session->answered) {
        session->answered = 0;

        if (session->answer != NGX_OK || ngx_http_emage_session_fresh(ctx)) {
            session->rounds = 0;
            return session->answer;
        }

        /* another change has come meanwhile */
    }

    if (!ngx_emage_lease_live(ngx_http_emage_worker->lease)) {
        ctx->cause = "lease";
        return NGX_ERROR;
    }

    if (ngx_http_emage_session_key(ctx, key) != NGX_OK) {
        ctx->cause = "no memory";
        return NGX_ERROR;
    }

    rc = ngx_http_emage_session_cached(ctx, key);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    if (session->rounds++ == NGX_HTTP_EMAGE_SESSION_ROUNDS) {
        ctx->cause = "records change too fast: session";
        return NGX_ERROR;
    }

    if (ngx_http_emage_sessions.flying >= NGX_HTTP_EMAGE_SESSION_FLYING) {
        session->queued = 1;
        ngx_queue_insert_tail(&ngx_http_emage_sessions.waiting,
                              &session->queue);
        return NGX_AGAIN;
    }

    return ngx_http_emage_session_ask(ctx);
}


ngx_uint_t
ngx_http_emage_session_fresh(ngx_http_emage_ctx_t *ctx)
{
    ngx_http_emage_session_t  *session;

    session = &ctx->session;

    return !session->used
           || ngx_emage_lease_fresh(ngx_http_emage_worker->lease,
                                    (u_char *) session->hash,
                                    EMAGE_SESSION_NAME, &session->stamp);
}


ngx_uint_t
ngx_http_emage_session_waits(ngx_http_emage_ctx_t *ctx)
{
    return ctx->session.cmd != NULL || ctx->session.queued;
}


void
ngx_http_emage_session_leave(ngx_http_emage_ctx_t *ctx)
{
    ngx_http_emage_session_t  *session;

    session = &ctx->session;

    if (session->queued) {
        session->queued = 0;
        ngx_queue_remove(&session->queue);
    }

    if (session->cmd != NULL) {
        ngx_emage_redis_cancel(session->cmd);
        session->cmd = NULL;

        ngx_http_emage_sessions.flying--;
        ngx_post_event(&ngx_http_emage_sessions.event, &ngx_posted_events);
    }
}


/* No header holds a NUL: no bearer token has the key of a session. */

static ngx_int_t
ngx_http_emage_session_key(ngx_http_emage_ctx_t *ctx, u_char *key)
{
    u_char     text[sizeof("\0session:") - 1 + EMAGE_SESSION_HASH];
    ngx_str_t  name;

    ngx_memcpy(ngx_cpymem(text, "\0session:", sizeof("\0session:") - 1),
               ctx->session.hash, EMAGE_SESSION_HASH);

    name.data = text;
    name.len = sizeof(text);

    return ngx_http_emage_token_key(ngx_http_emage_worker->conf
                                                         ->issuers_digest,
                                    &name, key);
}


/* What is kept is the stamp, then the packed subject. */

static ngx_int_t
ngx_http_emage_session_cached(ngx_http_emage_ctx_t *ctx, u_char *key)
{
    size_t              len;
    u_char              data[NGX_HTTP_EMAGE_TOKEN_DATA];
    ngx_emage_stamp_t   stamp;

    len = ngx_http_emage_token_find(ngx_http_emage_worker->conf->tokens, key,
                                    ngx_http_emage_now(), data);

    if (len <= sizeof(ngx_emage_stamp_t)) {
        return NGX_AGAIN;
    }

    ngx_memcpy(&stamp, data, sizeof(ngx_emage_stamp_t));

    if (!ngx_emage_lease_fresh(ngx_http_emage_worker->lease,
                               (u_char *) ctx->session.hash,
                               EMAGE_SESSION_NAME, &stamp))
    {
        return NGX_AGAIN;
    }

    return ngx_http_emage_session_take(ctx, &stamp,
                                       data + sizeof(ngx_emage_stamp_t),
                                       len - sizeof(ngx_emage_stamp_t));
}


static ngx_int_t
ngx_http_emage_session_ask(ngx_http_emage_ctx_t *ctx)
{
    u_char                     key[sizeof("emage:{0}:session:") - 1
                                   + EMAGE_SESSION_HASH];
    ngx_str_t                  argv[6];
    ngx_http_emage_session_t  *session;

    session = &ctx->session;

    ngx_memcpy(ngx_cpymem(key, "emage:{0}:session:",
                          sizeof("emage:{0}:session:") - 1),
               session->hash, EMAGE_SESSION_HASH);

    ngx_str_set(&argv[0], "FCALL");
    ngx_str_set(&argv[1], "emage_session_use");
    ngx_str_set(&argv[2], "3");

    argv[3].data = key;
    argv[3].len = sizeof(key);

    ngx_str_set(&argv[4], "emage:{0}:epoch");
    ngx_str_set(&argv[5], "emage:{0}:seq");

    session->asked = ngx_http_emage_clock();

    session->cmd = ngx_emage_redis_submit(ngx_http_emage_worker->redis, 6,
                                          argv, ngx_http_emage_session_reply,
                                          ctx);
    if (session->cmd == NULL) {
        ctx->cause = "redis";
        return NGX_ERROR;
    }

    ngx_http_emage_sessions.flying++;

    return NGX_AGAIN;
}


/*
 * Each one that goes on may end others that wait here (streams of one
 * connection), so only the head of the queue is ever looked at.
 */

static void
ngx_http_emage_session_next(ngx_event_t *ev)
{
    ngx_http_emage_sessions_t *sessions = ev->data;

    ngx_queue_t           *q;
    ngx_http_emage_ctx_t  *ctx;

    while (!ngx_queue_empty(&sessions->waiting)
           && sessions->flying < NGX_HTTP_EMAGE_SESSION_FLYING)
    {
        q = ngx_queue_head(&sessions->waiting);
        ngx_queue_remove(q);

        ctx = ngx_queue_data(q, ngx_http_emage_ctx_t, session.queue);
        ctx->session.queued = 0;

        if (ngx_http_emage_session_ask(ctx) == NGX_AGAIN) {
            continue;
        }

        ctx->session.answer = NGX_ERROR;
        ctx->session.answered = 1;

        ngx_http_emage_resume(ctx);
    }
}


static void
ngx_http_emage_session_reply(void *data, const ngx_emage_resp_t *reply,
    const char *reason)
{
    ngx_http_emage_ctx_t *ctx = data;

    ngx_http_emage_session_t  *session;

    session = &ctx->session;

    ngx_http_emage_waited(NGX_HTTP_EMAGE_WAIT_REDIS, session->asked);

    session->cmd = NULL;
    ngx_http_emage_sessions.flying--;

    if (!ngx_queue_empty(&ngx_http_emage_sessions.waiting)) {
        ngx_post_event(&ngx_http_emage_sessions.event, &ngx_posted_events);
    }

    session->answer = ngx_http_emage_session_read(ctx, reply, reason);
    session->answered = 1;

    ngx_http_emage_resume(ctx);
}


static ngx_int_t
ngx_http_emage_session_read(ngx_http_emage_ctx_t *ctx,
    const ngx_emage_resp_t *reply, const char *reason)
{
    int64_t                   seq, left;
    ngx_log_t                *log;
    ngx_str_t                 epoch, text;
    ngx_emage_stamp_t         stamp;

    log = ngx_http_emage_worker->cycle->log;
    ctx->cause = "redis";

    if (reply == NULL) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "no session from Redis: %s",
                      reason);
        return NGX_ERROR;
    }

    if (ngx_emage_resp_type(reply) == NGX_EMAGE_RESP_ERROR) {
        text = ngx_emage_resp_str(reply);
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "no session from Redis: it answered \"%V\"", &text);
        return NGX_ERROR;
    }

    if (ngx_emage_resp_type(reply) != NGX_EMAGE_RESP_ARRAY
        || ngx_emage_resp_count(reply) != 4
        || ngx_emage_resp_int(ngx_emage_resp_at(reply, 1), &seq) != NGX_OK
        || ngx_emage_resp_int(ngx_emage_resp_at(reply, 3), &left) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "no session from Redis: emage_session_use answered in "
                      "another shape; run \"emage-consent init\"");
        return NGX_ERROR;
    }

    epoch = ngx_emage_resp_str(ngx_emage_resp_at(reply, 0));

    if (ngx_emage_lease_stamp(ngx_http_emage_worker->lease, &epoch, seq,
                              &stamp)
        != NGX_OK)
    {
        ctx->cause = "lease";
        return NGX_ERROR;
    }

    ctx->cause = NULL;

    if (ngx_emage_resp_type(ngx_emage_resp_at(reply, 2)) == NGX_EMAGE_RESP_NIL)
    {
        return NGX_DECLINED;
    }

    text = ngx_emage_resp_str(ngx_emage_resp_at(reply, 2));

    return ngx_http_emage_session_record(ctx, &text, &stamp, left);
}


static ngx_int_t
ngx_http_emage_session_record(ngx_http_emage_ctx_t *ctx, ngx_str_t *record,
    ngx_emage_stamp_t *stamp, int64_t left)
{
    size_t                       len;
    u_char                       data[sizeof(ngx_emage_stamp_t)
                                      + EMAGE_SUBJECT_MAX],
                                 key[NGX_HTTP_EMAGE_TOKEN_KEY];
    int64_t                      now, until;
    ngx_int_t                    rc;
    emage_str_t                  hash, why;
    emage_subject_t              subject;
    emage_token_result_t         result;
    ngx_http_emage_main_conf_t  *emcf;

    emcf = ngx_http_emage_worker->conf;
    now = ngx_http_emage_now();

    hash.data = ctx->session.hash;
    hash.len = EMAGE_SESSION_HASH;

    result = emage_session_subject(emcf->issuers.elts,
                                   (uint32_t) emcf->issuers.nelts,
                                   ngx_http_emage_str(record), hash, now,
                                   &ngx_http_emage_worker->buf, &subject);

    if (result == EMAGE_TOKEN_NOMEM) {
        ctx->cause = "no memory";
        return NGX_ERROR;
    }

    len = 0;
    why = emage_token_result_name(result);

    if (result == EMAGE_TOKEN_OK) {
        why = emage_str("its claims are too large");
        len = emage_subject_pack(&subject, data + sizeof(ngx_emage_stamp_t),
                                 EMAGE_SUBJECT_MAX);
    }

    if (len == 0) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "session refused: %*s", why.len, why.data);

        return NGX_DECLINED;
    }

    rc = ngx_http_emage_session_take(ctx, stamp,
                                     data + sizeof(ngx_emage_stamp_t), len);

    if (rc == NGX_OK && ngx_http_emage_session_key(ctx, key) == NGX_OK) {
        until = now + ngx_min(left / 2, NGX_HTTP_EMAGE_SESSION_KEEP);

        ngx_memcpy(data, stamp, sizeof(ngx_emage_stamp_t));
        ngx_http_emage_token_keep(emcf->tokens, key, now,
                                  ngx_min(until, subject.expires), data,
                                  len + sizeof(ngx_emage_stamp_t));
    }

    return rc;
}


/* A request has one subject from its first step to its last byte. */

static ngx_int_t
ngx_http_emage_session_take(ngx_http_emage_ctx_t *ctx,
    ngx_emage_stamp_t *stamp, u_char *packed, size_t len)
{
    if (ctx->packed == NULL) {

        ctx->packed = ngx_pnalloc(ctx->request->pool, len);
        if (ctx->packed == NULL) {
            ctx->cause = "no memory";
            return NGX_ERROR;
        }

        ngx_memcpy(ctx->packed, packed, len);
        ctx->packed_len = len;

        if (emage_subject_unpack(ctx->packed, len, &ctx->subject)
            != EMAGE_OK)
        {
            ngx_memzero(&ctx->subject, sizeof(emage_subject_t));
            return NGX_DECLINED;
        }

    } else if (ctx->packed_len != len
               || ngx_memcmp(ctx->packed, packed, len) != 0)
    {
        return NGX_DECLINED;
    }

    if (ctx->subject.kind == EMAGE_SUBJECT_NONE
        || ctx->subject.id.len == 0
        || ctx->subject.expires <= ngx_http_emage_now())
    {
        return NGX_DECLINED;
    }

    ctx->session.stamp = *stamp;

    return NGX_OK;
}
