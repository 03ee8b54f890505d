
/*
 * Copyright (C) The e-mage authors
 *
 * What Redis answers to a renewal, applied to the shared memory under this
 * worker's claim.
 */


#include "ngx_emage_lease_shm.h"


static ngx_int_t ngx_emage_renew_granted(ngx_emage_lease_t *lease,
    const ngx_emage_resp_t *reply);
static ngx_int_t ngx_emage_renew_behind(ngx_emage_lease_t *lease,
    const ngx_emage_resp_t *reply);
static ngx_int_t ngx_emage_renew_flush(ngx_emage_lease_t *lease,
    const ngx_emage_resp_t *reply);
static void ngx_emage_renew_refused(ngx_emage_lease_t *lease,
    ngx_emage_lease_state_e state);
static void ngx_emage_renew_confused(ngx_emage_lease_t *lease,
    const ngx_emage_resp_t *reply);
static ngx_int_t ngx_emage_renew_seq(const ngx_emage_resp_t *reply,
    ngx_uint_t n, uint64_t *seq);
static ngx_uint_t ngx_emage_renew_is(const ngx_emage_resp_t *reply,
    const char *text);


void
ngx_emage_renew_answer(void *data, const ngx_emage_resp_t *reply,
    const char *reason)
{
    ngx_int_t           rc;
    ngx_emage_lease_t  *lease = data;

    lease->cmd = NULL;

    if (reply == NULL) {
        ngx_emage_renew_release(lease, 0);
        return;
    }

    if (ngx_emage_renew_is(reply, "granted")) {
        rc = ngx_emage_renew_granted(lease, reply);

    } else if (ngx_emage_renew_is(reply, "behind")) {
        rc = ngx_emage_renew_behind(lease, reply);

    } else if (ngx_emage_renew_is(reply, "flush")) {
        rc = ngx_emage_renew_flush(lease, reply);

    } else if (ngx_emage_renew_is(reply, "fence")) {
        ngx_emage_renew_refused(lease, NGX_EMAGE_LEASE_FENCED);
        return;

    } else if (ngx_emage_renew_is(reply, "unreconciled")) {
        ngx_emage_renew_refused(lease, NGX_EMAGE_LEASE_UNRECONCILED);
        return;

    } else {
        rc = NGX_ERROR;
    }

    switch (rc) {

    case NGX_AGAIN:

        /* applied: this worker's transfers first, then the next question */

        ngx_emage_lease_watch(lease);
        ngx_emage_renew_next(lease);
        return;

    case NGX_ERROR:
        ngx_emage_renew_confused(lease, reply);
        return;

    default: /* NGX_OK, NGX_BUSY, NGX_DECLINED */
        ngx_emage_renew_release(lease, 0);
        return;
    }
}


static ngx_int_t
ngx_emage_renew_granted(ngx_emage_lease_t *lease,
    const ngx_emage_resp_t *reply)
{
    uint64_t                seq, state;
    ngx_int_t               rc;
    ngx_emage_lease_shm_t  *sh;

    if (ngx_emage_renew_seq(reply, 1, &seq) != NGX_OK
        || seq != lease->asked_seq)
    {
        return NGX_ERROR;
    }

    rc = ngx_emage_renew_lock_claimed(lease);

    if (rc != NGX_OK) {
        return rc;
    }

    sh = lease->sh;
    state = sh->state;

    ngx_emage_store(&sh->deadline, lease->asked_at + NGX_EMAGE_LEASE_TIME);
    ngx_emage_store(&sh->state, NGX_EMAGE_LEASE_LIVE);

    sh->backoff = NGX_EMAGE_LEASE_RENEW;

    ngx_emage_renew_unlock(lease);

    lease->live = 1;
    lease->confused = 0;

    if (state != NGX_EMAGE_LEASE_LIVE) {
        ngx_log_error(NGX_LOG_NOTICE, lease->log, 0,
                      "lease granted at sequence %uL", seq);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_emage_renew_behind(ngx_emage_lease_t *lease, const ngx_emage_resp_t *reply)
{
    uint64_t                seq, *slot;
    ngx_int_t               rc;
    ngx_str_t               nonce, pid;
    ngx_uint_t              i, n;
    ngx_emage_lease_shm_t  *sh;

    nonce = ngx_emage_resp_str(ngx_emage_resp_at(reply, 2));

    if (ngx_emage_renew_seq(reply, 1, &seq) != NGX_OK
        || seq <= lease->asked_seq
        || !ngx_emage_fence_token(&nonce))
    {
        return NGX_ERROR;
    }

    rc = ngx_emage_renew_lock_claimed(lease);

    if (rc != NGX_OK) {
        return rc;
    }

    sh = lease->sh;
    n = ngx_emage_resp_count(reply);

    for (i = 3; i < n; i++) {
        pid = ngx_emage_resp_str(ngx_emage_resp_at(reply, i));
        slot = ngx_emage_lease_slot(lease, pid.data, pid.len);

        if (*slot < seq) {
            ngx_emage_store(slot, seq);
        }
    }

    ngx_memcpy(sh->nonce, nonce.data, nonce.len);
    sh->nonce_len = nonce.len;

    ngx_emage_store(&sh->seq, seq);
    ngx_emage_store(&sh->changes, sh->changes + 1);

    ngx_emage_renew_unlock(lease);

    return NGX_AGAIN;
}


/*
 * Another epoch, which Redis only names when it is reconciled, or too many
 * changes: no fact of before is of use.  The epoch has no length until all of
 * it stands, so that a worker killed here leaves a node that knows nothing.
 */

static ngx_int_t
ngx_emage_renew_flush(ngx_emage_lease_t *lease, const ngx_emage_resp_t *reply)
{
    uint64_t                seq;
    ngx_int_t               rc;
    ngx_str_t               epoch, nonce;
    ngx_uint_t              i;
    ngx_emage_lease_shm_t  *sh;

    epoch = ngx_emage_resp_str(ngx_emage_resp_at(reply, 1));
    nonce = ngx_emage_resp_str(ngx_emage_resp_at(reply, 3));

    if (ngx_emage_renew_seq(reply, 2, &seq) != NGX_OK
        || !ngx_emage_fence_token(&epoch)
        || !ngx_emage_fence_token(&nonce))
    {
        return NGX_ERROR;
    }

    rc = ngx_emage_renew_lock_claimed(lease);

    if (rc != NGX_OK) {
        return rc;
    }

    sh = lease->sh;

    ngx_emage_store(&sh->deadline, 0);
    ngx_emage_store(&sh->generation, sh->generation + 1);
    ngx_emage_store(&sh->epoch_len, 0);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    for (i = 0; i < NGX_EMAGE_LEASE_SLOTS; i++) {
        __atomic_store_n(&sh->slots[i], 0, __ATOMIC_RELAXED);
    }

    ngx_memcpy(sh->nonce, nonce.data, nonce.len);
    sh->nonce_len = nonce.len;

    ngx_memcpy(sh->epoch, epoch.data, epoch.len);

    ngx_emage_store(&sh->seq, seq);
    ngx_emage_store(&sh->epoch_len, epoch.len);
    ngx_emage_store(&sh->changes, sh->changes + 1);

    ngx_emage_renew_unlock(lease);

    ngx_log_error(NGX_LOG_NOTICE, lease->log, 0,
                  "lease: all facts dropped, taking epoch \"%V\" at "
                  "sequence %uL", &epoch, seq);

    return NGX_AGAIN;
}


static void
ngx_emage_renew_refused(ngx_emage_lease_t *lease,
    ngx_emage_lease_state_e state)
{
    uint64_t                delay, old;
    ngx_emage_lease_shm_t  *sh;

    if (ngx_emage_renew_lock_claimed(lease) != NGX_OK) {
        ngx_emage_renew_release(lease, 0);
        return;
    }

    sh = lease->sh;
    old = sh->state;

    ngx_emage_store(&sh->deadline, 0);
    ngx_emage_store(&sh->state, state);

    if (old != state) {
        ngx_emage_store(&sh->changes, sh->changes + 1);
        sh->backoff = NGX_EMAGE_LEASE_RENEW;
    }

    delay = sh->backoff;
    sh->backoff = ngx_min(delay * 2, NGX_EMAGE_LEASE_BACKOFF);

    ngx_emage_renew_unlock(lease);

    if (old != state && state == NGX_EMAGE_LEASE_FENCED) {
        ngx_log_error(NGX_LOG_CRIT, lease->log, 0,
                      "fence: records went back in time (this node had "
                      "applied sequence %uL): nothing is served until "
                      "\"emage-consent reconcile\" has run",
                      lease->asked_seq);

    } else if (old != state) {
        ngx_log_error(NGX_LOG_ERR, lease->log, 0,
                      "records are not reconciled (redis was started anew, "
                      "wiped or changed by hand): nothing is served until "
                      "\"emage-consent reconcile\" has run");
    }

    ngx_emage_renew_release(lease, delay);
    ngx_emage_lease_watch(lease);
}


/* An error (logged by the link), or nothing that the function answers. */

static void
ngx_emage_renew_confused(ngx_emage_lease_t *lease,
    const ngx_emage_resp_t *reply)
{
    ngx_str_t  text;

    if (!lease->confused
        && ngx_emage_resp_type(reply) != NGX_EMAGE_RESP_ERROR)
    {
        lease->confused = 1;

        text = ngx_emage_resp_str(ngx_emage_resp_at(reply, 0));

        ngx_log_error(NGX_LOG_ERR, lease->log, 0,
                      "emage_lease answered with %ui elements, \"%V\", which "
                      "this module does not understand: check that redis and "
                      "module are of one release", ngx_emage_resp_count(reply),
                      &text);
    }

    ngx_emage_renew_release(lease, NGX_EMAGE_LEASE_BACKOFF);
}


static ngx_int_t
ngx_emage_renew_seq(const ngx_emage_resp_t *reply, ngx_uint_t n, uint64_t *seq)
{
    int64_t  value;

    if (ngx_emage_resp_int(ngx_emage_resp_at(reply, n), &value) != NGX_OK
        || value < 0)
    {
        return NGX_ERROR;
    }

    *seq = value;

    return NGX_OK;
}


static ngx_uint_t
ngx_emage_renew_is(const ngx_emage_resp_t *reply, const char *text)
{
    ngx_str_t  status;

    status = ngx_emage_resp_str(ngx_emage_resp_at(reply, 0));

    return status.len == ngx_strlen(text)
           && ngx_memcmp(status.data, text, status.len) == 0;
}
