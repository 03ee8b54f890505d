
/*
 * Copyright (C) The e-mage authors
 *
 * The lease as it is read: at every decision, before every chunk, and by the
 * timer that tells a worker what another one has applied.
 */


#include "ngx_emage_lease_shm.h"

#include <sys/random.h>


static ngx_int_t ngx_emage_lease_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_emage_lease_load_fence(ngx_emage_lease_t *lease,
    ngx_log_t *log);
static void ngx_emage_lease_tick_handler(ngx_event_t *ev);
static void ngx_emage_lease_expired(ngx_emage_lease_t *lease);


static ngx_str_t  ngx_emage_lease_states[] = {
    ngx_string("expired"),
    ngx_string("live"),
    ngx_string("unreconciled"),
    ngx_string("fenced")
};


ngx_emage_lease_t *
ngx_emage_lease_add(ngx_conf_t *cf, ngx_str_t *node, ngx_str_t *dir, void *tag)
{
    u_char             *p;
    ngx_str_t           name;
    ngx_emage_lease_t  *lease;

    /* the name gets a suffix, see ngx_emage_lease_init_zone() */

    if (!ngx_emage_fence_token(node)
        || node->len > NGX_EMAGE_FENCE_TOKEN - 9)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "node name \"%V\" is not 1 to %d letters, digits, "
                           "\".\", \"_\" or \"-\"",
                           node, NGX_EMAGE_FENCE_TOKEN - 9);
        return NULL;
    }

    lease = ngx_pcalloc(cf->pool, sizeof(ngx_emage_lease_t));
    if (lease == NULL) {
        return NULL;
    }

    lease->fd = (ngx_socket_t) -1;
    lease->node = *node;

    lease->dir.len = dir->len;
    lease->dir.data = ngx_pnalloc(cf->pool, dir->len + 1);
    if (lease->dir.data == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn(lease->dir.data, dir->data, dir->len + 1);

    p = ngx_pnalloc(cf->pool, dir->len + node->len + sizeof("/fence-.json"));
    if (p == NULL) {
        return NULL;
    }

    lease->path.data = p;
    lease->path.len = ngx_sprintf(p, "%V/fence-%V.json%Z", dir, node) - p - 1;

    lease->threads = ngx_thread_pool_add(cf, NULL);
    if (lease->threads == NULL) {
        return NULL;
    }

    ngx_str_set(&name, "emage_lease");

    lease->zone = ngx_shared_memory_add(cf, &name,
                                        sizeof(ngx_emage_lease_shm_t)
                                        + 32 * ngx_pagesize, tag);
    if (lease->zone == NULL) {
        return NULL;
    }

    if (lease->zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the lease's zone is used twice");
        return NULL;
    }

    lease->zone->init = ngx_emage_lease_init_zone;
    lease->zone->data = lease;

    return lease;
}


static ngx_int_t
ngx_emage_lease_init_zone(ngx_shm_zone_t *zone, void *data)
{
    uint32_t                suffix;
    ngx_emage_lease_t      *lease, *old;
    ngx_emage_lease_shm_t  *sh;

    lease = zone->data;
    old = data;

    if (old) {
        if (old->node.len != lease->node.len
            || ngx_memcmp(old->node.data, lease->node.data, old->node.len)
            || old->dir.len != lease->dir.len
            || ngx_memcmp(old->dir.data, lease->dir.data, old->dir.len))
        {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "node name or journal directory changed from "
                          "\"%V\", \"%V\" to \"%V\", \"%V\": restart nginx, "
                          "a reload cannot do that",
                          &old->node, &old->dir, &lease->node, &lease->dir);
            return NGX_ERROR;
        }

        lease->shpool = old->shpool;
        lease->sh = old->sh;

        return NGX_OK;
    }

    lease->shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        lease->sh = lease->shpool->data;
        return NGX_OK;
    }

    sh = ngx_slab_calloc(lease->shpool, sizeof(ngx_emage_lease_shm_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    /*
     * Two masters of a binary upgrade must not renew one another's lease: a
     * zone is a node of its own, though the fence is that of the machine.
     */

    if (getrandom(&suffix, sizeof(suffix), 0) != sizeof(suffix)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, ngx_errno,
                      "getrandom() failed");
        return NGX_ERROR;
    }

    sh->name_len = ngx_sprintf(sh->name, "%V-%08xD", &lease->node, suffix)
                   - sh->name;
    sh->generation = 1;
    sh->backoff = NGX_EMAGE_LEASE_RENEW;

    lease->sh = sh;
    lease->shpool->data = sh;

    return ngx_emage_lease_load_fence(lease, zone->shm.log);
}


static ngx_int_t
ngx_emage_lease_load_fence(ngx_emage_lease_t *lease, ngx_log_t *log)
{
    ngx_int_t                rc;
    ngx_emage_fence_t        fence;
    ngx_emage_lease_shm_t   *sh;
    ngx_emage_fence_error_t  error;

    rc = ngx_emage_fence_read(lease->path.data, &fence, &error);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, error.err,
                      "fence \"%V\": %s; it guards against records that went "
                      "back in time: restore it, or remove it after "
                      "\"emage-consent reconcile\" has run",
                      &lease->path, error.what);
        return NGX_ERROR;
    }

    sh = lease->sh;

    ngx_memcpy(sh->epoch, fence.epoch, fence.epoch_len);
    sh->epoch_len = fence.epoch_len;

    ngx_memcpy(sh->nonce, fence.nonce, fence.nonce_len);
    sh->nonce_len = fence.nonce_len;

    sh->seq = fence.seq;
    sh->fenced_seq = fence.seq;
    sh->fenced_generation = sh->generation;

    return NGX_OK;
}


ngx_int_t
ngx_emage_lease_start(ngx_emage_lease_t *lease, ngx_cycle_t *cycle,
    ngx_emage_redis_t *redis)
{
    lease->log = cycle->log;
    lease->redis = redis;

    lease->task = ngx_thread_task_alloc(cycle->pool,
                                        sizeof(ngx_emage_lease_fence_ctx_t));
    if (lease->task == NULL) {
        return NGX_ERROR;
    }

    lease->seen = ngx_emage_load(&lease->sh->changes);
    lease->live = ngx_emage_lease_live(lease);

    lease->tick.handler = ngx_emage_lease_tick_handler;
    lease->tick.data = lease;
    lease->tick.log = cycle->log;
    lease->tick.cancelable = 1;

    ngx_add_timer(&lease->tick, NGX_EMAGE_LEASE_TICK);

    return NGX_OK;
}


void
ngx_emage_lease_on_change(ngx_emage_lease_t *lease, ngx_emage_lease_pt handler,
    void *data)
{
    lease->handler = handler;
    lease->data = data;
}


static void
ngx_emage_lease_tick_handler(ngx_event_t *ev)
{
    ngx_emage_lease_t  *lease = ev->data;

    ngx_emage_lease_watch(lease);
    ngx_emage_lease_renew(lease);

    ngx_add_timer(&lease->tick, NGX_EMAGE_LEASE_TICK);
}


void
ngx_emage_lease_watch(ngx_emage_lease_t *lease)
{
    uint64_t    changes;
    ngx_uint_t  live, lost;

    changes = ngx_emage_load(&lease->sh->changes);
    live = ngx_emage_lease_live(lease);

    lost = lease->live && !live;
    lease->live = live;

    if (!live) {
        ngx_emage_lease_expired(lease);
    }

    if (!lost && changes == lease->seen) {
        return;
    }

    lease->seen = changes;

    if (lease->handler) {
        lease->handler(lease->data);
    }
}


/* One line in the log, by whoever of the workers is first to see it. */

static void
ngx_emage_lease_expired(ngx_emage_lease_t *lease)
{
    uint64_t  state;

    state = NGX_EMAGE_LEASE_LIVE;

    if (!__atomic_compare_exchange_n(&lease->sh->state, &state,
                                     NGX_EMAGE_LEASE_EXPIRED, 0,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, lease->log, 0,
                  "lease has expired: redis has not extended it for %d ms; "
                  "nothing is served until it does, check that redis runs",
                  NGX_EMAGE_LEASE_TIME);
}


ngx_uint_t
ngx_emage_lease_live(ngx_emage_lease_t *lease)
{
    uint64_t  deadline;

    deadline = ngx_emage_load(&lease->sh->deadline);

    return ngx_emage_boottime() < deadline;
}


ngx_int_t
ngx_emage_lease_stamp(ngx_emage_lease_t *lease, ngx_str_t *epoch, int64_t seq,
    ngx_emage_stamp_t *stamp)
{
    uint64_t                generation;
    ngx_emage_lease_shm_t  *sh;

    sh = lease->sh;

    stamp->generation = 0;
    stamp->seq = 0;

    generation = ngx_emage_load(&sh->generation);

    if (seq < 0 || epoch->len == 0
        || epoch->len != ngx_emage_load(&sh->epoch_len)
        || ngx_memcmp(epoch->data, sh->epoch, epoch->len) != 0)
    {
        return NGX_DECLINED;
    }

    /* the comparison may have met an epoch that was being written */

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    if (generation != ngx_emage_load(&sh->generation)) {
        return NGX_DECLINED;
    }

    stamp->generation = generation;
    stamp->seq = seq;

    return NGX_OK;
}


/*
 * The order matters: at the moment at which the lease is seen to live, every
 * acknowledged change has been applied, so it shows in what is read after.
 * The generation is last, since a flush clears the slots.
 */

ngx_uint_t
ngx_emage_lease_fresh(ngx_emage_lease_t *lease, const u_char *pid,
    size_t pid_len, const ngx_emage_stamp_t *stamp)
{
    uint64_t  changed;

    if (!ngx_emage_lease_live(lease)) {
        return 0;
    }

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    changed = ngx_emage_load(ngx_emage_lease_slot(lease, pid, pid_len));

    return changed <= stamp->seq
           && stamp->generation != 0
           && stamp->generation == ngx_emage_load(&lease->sh->generation);
}


uint64_t *
ngx_emage_lease_slot(ngx_emage_lease_t *lease, const u_char *pid, size_t len)
{
    uint32_t  hash;

    hash = ngx_murmur_hash2((u_char *) pid, len);

    return &lease->sh->slots[hash % NGX_EMAGE_LEASE_SLOTS];
}


ngx_str_t *
ngx_emage_lease_state(ngx_emage_lease_t *lease)
{
    uint64_t  state;

    state = ngx_emage_load(&lease->sh->state);

    if (state == NGX_EMAGE_LEASE_LIVE && !ngx_emage_lease_live(lease)) {
        state = NGX_EMAGE_LEASE_EXPIRED;
    }

    if (state > NGX_EMAGE_LEASE_FENCED) {
        state = NGX_EMAGE_LEASE_EXPIRED;
    }

    return &ngx_emage_lease_states[state];
}


uint64_t
ngx_emage_lease_seq(ngx_emage_lease_t *lease)
{
    return ngx_emage_load(&lease->sh->seq);
}
