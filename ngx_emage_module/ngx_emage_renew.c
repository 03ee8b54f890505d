
/*
 * Copyright (C) The e-mage authors
 *
 * Renewing the lease.  One worker at a time does it, by a claim in shared
 * memory that runs out when the worker is killed or stopped; a worker whose
 * claim is gone changes nothing any more.  The mutex is only ever tried: who
 * holds it may have been stopped, and no lease is better than no event loop.
 */


#include "ngx_emage_lease_shm.h"


#define NGX_EMAGE_RENEW_SPIN  256


static ngx_int_t ngx_emage_renew_lock(ngx_emage_lease_t *lease);
static ngx_int_t ngx_emage_renew_claim(ngx_emage_lease_t *lease);
static void ngx_emage_renew_ask(ngx_emage_lease_t *lease,
    const ngx_emage_fence_t *applied);
static void ngx_emage_renew_fence(ngx_emage_lease_t *lease,
    const ngx_emage_fence_t *applied, uint64_t generation);
static void ngx_emage_renew_fence_thread(void *data, ngx_log_t *log);
static void ngx_emage_renew_fence_handler(ngx_event_t *ev);
static void ngx_emage_renew_fence_failed(ngx_emage_lease_t *lease,
    ngx_emage_lease_fence_ctx_t *ctx);


static ngx_str_t  ngx_emage_renew_command[] = {
    ngx_string("FCALL"),
    ngx_string("emage_lease"),
    ngx_string("5"),
    ngx_string("emage:{0}:epoch"),
    ngx_string("emage:{0}:seq"),
    ngx_string("emage:{0}:changes"),
    ngx_string("emage:{0}:leases"),
    ngx_string("emage:{0}:reconciled")
};

#define NGX_EMAGE_RENEW_FIXED                                                 \
    (sizeof(ngx_emage_renew_command) / sizeof(ngx_str_t))


void
ngx_emage_lease_renew(ngx_emage_lease_t *lease)
{
    uint64_t                now, until;
    ngx_emage_lease_shm_t  *sh;

    sh = lease->sh;
    now = ngx_emage_boottime();

    if (lease->cmd || lease->fencing) {

        /* busy: keep the claim */

        if (ngx_emage_renew_lock_claimed(lease) == NGX_OK) {
            sh->owner_until = now + NGX_EMAGE_LEASE_CLAIM;
            ngx_emage_renew_unlock(lease);
        }

        return;
    }

    /* a tick early is nearer than a tick late */

    if (now + NGX_EMAGE_LEASE_TICK / 2 < ngx_emage_load(&sh->next)) {
        return;
    }

    if (!ngx_emage_redis_ready(lease->redis)) {
        return;
    }

    if (ngx_exiting) {

        /* the workers of a new configuration do it, if there are any */

        until = ngx_emage_load(&sh->deadline);

        if (until > now + NGX_EMAGE_LEASE_TIME / 2) {
            return;
        }
    }

    if (ngx_emage_renew_claim(lease) == NGX_OK) {
        ngx_emage_renew_next(lease);
    }
}


static ngx_int_t
ngx_emage_renew_lock(ngx_emage_lease_t *lease)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_EMAGE_RENEW_SPIN; i++) {

        if (ngx_shmtx_trylock(&lease->shpool->mutex)) {
            return NGX_OK;
        }

        ngx_cpu_pause();
    }

    return NGX_BUSY;
}


void
ngx_emage_renew_unlock(ngx_emage_lease_t *lease)
{
    ngx_shmtx_unlock(&lease->shpool->mutex);
}


/* NGX_OK: locked, and this worker is the one that renews. */

ngx_int_t
ngx_emage_renew_lock_claimed(ngx_emage_lease_t *lease)
{
    if (lease->token == 0) {
        return NGX_DECLINED;
    }

    if (ngx_emage_renew_lock(lease) != NGX_OK) {
        return NGX_BUSY;
    }

    if (lease->sh->owner != lease->token) {
        ngx_emage_renew_unlock(lease);
        lease->token = 0;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_emage_renew_claim(ngx_emage_lease_t *lease)
{
    uint64_t                now;
    ngx_emage_lease_shm_t  *sh;

    sh = lease->sh;

    if (!ngx_shmtx_trylock(&lease->shpool->mutex)) {
        return NGX_BUSY;
    }

    now = ngx_emage_boottime();

    if ((sh->owner != 0 && now < sh->owner_until)
        || now + NGX_EMAGE_LEASE_TICK / 2 < sh->next)
    {
        ngx_emage_renew_unlock(lease);
        return NGX_BUSY;
    }

    lease->token = ++sh->tokens;
    sh->owner = lease->token;
    sh->owner_until = now + NGX_EMAGE_LEASE_CLAIM;
    ngx_emage_store(&sh->next, now + NGX_EMAGE_LEASE_RENEW);

    ngx_emage_renew_unlock(lease);

    return NGX_OK;
}


/* `delay` 0: the time set when the claim was made stays. */

void
ngx_emage_renew_release(ngx_emage_lease_t *lease, uint64_t delay)
{
    if (ngx_emage_renew_lock_claimed(lease) != NGX_OK) {
        lease->token = 0;
        return;
    }

    lease->sh->owner = 0;

    if (delay) {
        ngx_emage_store(&lease->sh->next, ngx_emage_boottime() + delay);
    }

    ngx_emage_renew_unlock(lease);

    lease->token = 0;
}


/* What was applied must be on disk before Redis hears of it. */

void
ngx_emage_renew_next(ngx_emage_lease_t *lease)
{
    uint64_t                generation;
    ngx_uint_t              fenced;
    ngx_emage_fence_t       applied;
    ngx_emage_lease_shm_t  *sh;

    sh = lease->sh;

    if (ngx_emage_renew_lock_claimed(lease) != NGX_OK) {
        ngx_emage_renew_release(lease, 0);
        return;
    }

    generation = sh->generation;

    applied.seq = sh->seq;
    applied.epoch_len = sh->epoch_len;
    applied.nonce_len = sh->nonce_len;
    ngx_memcpy(applied.epoch, sh->epoch, NGX_EMAGE_FENCE_TOKEN);
    ngx_memcpy(applied.nonce, sh->nonce, NGX_EMAGE_FENCE_TOKEN);

    /* no epoch, so nothing applied: a new node, or killed in a flush */

    fenced = (sh->epoch_len == 0)
             || (sh->fenced_generation == generation
                 && sh->fenced_seq == sh->seq);

    ngx_emage_renew_unlock(lease);

    if (fenced) {
        ngx_emage_renew_ask(lease, &applied);
        return;
    }

    ngx_emage_renew_fence(lease, &applied, generation);
}


static void
ngx_emage_renew_ask(ngx_emage_lease_t *lease, const ngx_emage_fence_t *applied)
{
    u_char     seq[NGX_INT64_LEN];
    ngx_str_t  argv[NGX_EMAGE_RENEW_FIXED + 4], *arg;

    ngx_memcpy(argv, ngx_emage_renew_command, sizeof(ngx_emage_renew_command));

    arg = &argv[NGX_EMAGE_RENEW_FIXED];

    arg[0].data = lease->sh->name;
    arg[0].len = lease->sh->name_len;

    arg[1].data = (u_char *) applied->epoch;
    arg[1].len = applied->epoch_len;

    arg[2].data = seq;
    arg[2].len = ngx_sprintf(seq, "%uL", applied->seq) - seq;

    arg[3].data = (u_char *) applied->nonce;
    arg[3].len = applied->nonce_len;

    lease->asked_seq = applied->seq;
    lease->asked_at = ngx_emage_boottime();

    lease->cmd = ngx_emage_redis_submit(lease->redis,
                                        NGX_EMAGE_RENEW_FIXED + 4, argv,
                                        ngx_emage_renew_answer, lease);
    if (lease->cmd == NULL) {
        ngx_emage_renew_release(lease, 0);
    }
}


static void
ngx_emage_renew_fence(ngx_emage_lease_t *lease,
    const ngx_emage_fence_t *applied, uint64_t generation)
{
    ngx_thread_task_t            *task;
    ngx_emage_lease_fence_ctx_t  *ctx;

    task = lease->task;
    ctx = task->ctx;

    ctx->lease = lease;
    ctx->dir = lease->dir.data;
    ctx->path = lease->path.data;
    ctx->generation = generation;
    ctx->fence = *applied;
    ctx->rc = NGX_ERROR;
    ctx->error.what = "task";
    ctx->error.err = 0;

    task->handler = ngx_emage_renew_fence_thread;
    task->event.handler = ngx_emage_renew_fence_handler;
    task->event.data = ctx;
    task->event.log = lease->log;

    if (ngx_thread_task_post(lease->threads, task) != NGX_OK) {
        ngx_emage_renew_release(lease, NGX_EMAGE_LEASE_RENEW);
        return;
    }

    lease->fencing = 1;
}


static void
ngx_emage_renew_fence_thread(void *data, ngx_log_t *log)
{
    ngx_emage_lease_fence_ctx_t  *ctx = data;

    ctx->rc = ngx_emage_fence_write(ctx->dir, ctx->path, &ctx->fence,
                                    &ctx->error);
}


static void
ngx_emage_renew_fence_handler(ngx_event_t *ev)
{
    ngx_uint_t                    failed;
    ngx_emage_lease_t            *lease;
    ngx_emage_lease_shm_t        *sh;
    ngx_emage_lease_fence_ctx_t  *ctx;

    ctx = ev->data;
    lease = ctx->lease;
    sh = lease->sh;

    ev->complete = 0;
    lease->fencing = 0;

    if (ctx->rc == NGX_AGAIN) {
        ngx_emage_renew_release(lease, NGX_EMAGE_LEASE_RENEW);
        return;
    }

    if (ctx->rc != NGX_OK) {
        ngx_emage_renew_fence_failed(lease, ctx);
        return;
    }

    if (ngx_emage_renew_lock_claimed(lease) != NGX_OK) {
        ngx_emage_renew_release(lease, 0);
        return;
    }

    sh->fenced_generation = ctx->generation;
    sh->fenced_seq = ctx->fence.seq;

    failed = sh->fence_failed;
    sh->fence_failed = 0;

    ngx_emage_renew_unlock(lease);

    if (failed) {
        ngx_log_error(NGX_LOG_NOTICE, lease->log, 0,
                      "fence \"%V\" can be written again", &lease->path);
    }

    ngx_emage_renew_next(lease);
}


static void
ngx_emage_renew_fence_failed(ngx_emage_lease_t *lease,
    ngx_emage_lease_fence_ctx_t *ctx)
{
    ngx_uint_t  failed;

    if (ngx_emage_renew_lock_claimed(lease) != NGX_OK) {
        ngx_emage_renew_release(lease, 0);
        return;
    }

    failed = lease->sh->fence_failed;
    lease->sh->fence_failed = 1;

    ngx_emage_renew_unlock(lease);

    if (!failed) {
        ngx_log_error(NGX_LOG_ERR, lease->log, ctx->error.err,
                      "fence \"%V\" cannot be written (%s), so there is no "
                      "lease: make \"%V\" writable for the workers and see "
                      "that there is space",
                      &lease->path, ctx->error.what, &lease->dir);
    }

    ngx_emage_renew_release(lease, NGX_EMAGE_LEASE_BACKOFF);
}
