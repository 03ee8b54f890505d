
/*
 * Copyright (C) The e-mage authors
 *
 * What the workers of a node share about its lease, and who works on it:
 * ngx_emage_lease.c reads (every decision), ngx_emage_renew.c asks Redis,
 * ngx_emage_apply.c takes the answers.
 */


#ifndef _NGX_EMAGE_LEASE_SHM_H_INCLUDED_
#define _NGX_EMAGE_LEASE_SHM_H_INCLUDED_


#include "ngx_emage_lease.h"
#include "ngx_emage_fence.h"

#include <ngx_thread_pool.h>


#define NGX_EMAGE_LEASE_TICK     20        /* ms */
#define NGX_EMAGE_LEASE_CLAIM    200       /* ms a claim holds unrenewed */
#define NGX_EMAGE_LEASE_BACKOFF  500       /* ms, at most, when refused */


typedef enum {
    NGX_EMAGE_LEASE_EXPIRED = 0,
    NGX_EMAGE_LEASE_LIVE,
    NGX_EMAGE_LEASE_UNRECONCILED,
    NGX_EMAGE_LEASE_FENCED
} ngx_emage_lease_state_e;


typedef struct {

    /* read without a lock */

    uint64_t           deadline;           /* CLOCK_BOOTTIME, ms; 0: none */
    uint64_t           generation;
    uint64_t           changes;            /* bumped for the workers' timers */
    uint64_t           seq;                /* applied */
    uint64_t           epoch_len;          /* 0 while it is being changed */
    uint64_t           state;
    u_char             epoch[NGX_EMAGE_FENCE_TOKEN];

    /* under the mutex */

    uint64_t           owner;              /* token of who renews, 0: none */
    uint64_t           owner_until;        /* ms */
    uint64_t           next;               /* ms: when to ask again */
    uint64_t           backoff;            /* ms */
    uint64_t           tokens;
    uint64_t           fenced_generation;  /* what is durable on disk */
    uint64_t           fenced_seq;
    ngx_uint_t         fence_failed;       /* logged */
    size_t             nonce_len;
    u_char             nonce[NGX_EMAGE_FENCE_TOKEN];

    size_t             name_len;
    u_char             name[NGX_EMAGE_FENCE_TOKEN];

    /* the last change by hash of the pid; read without a lock */

    uint64_t           slots[NGX_EMAGE_LEASE_SLOTS];

} ngx_emage_lease_shm_t;


/* The task that makes the fence durable; a copy of all it needs. */

typedef struct {
    ngx_emage_lease_t        *lease;       /* not touched in the thread */
    u_char                   *dir;
    u_char                   *path;
    uint64_t                  generation;
    ngx_emage_fence_t         fence;
    ngx_int_t                 rc;
    ngx_emage_fence_error_t   error;
} ngx_emage_lease_fence_ctx_t;


struct ngx_emage_lease_s {
    /* has to be layout-compatible with ngx_connection_t, for timers' log */
    void                   *unused[3];
    ngx_socket_t            fd;

    ngx_str_t               node;          /* as configured */
    ngx_str_t               dir;           /* both terminated */
    ngx_str_t               path;
    ngx_shm_zone_t         *zone;
    ngx_thread_pool_t      *threads;

    ngx_slab_pool_t        *shpool;
    ngx_emage_lease_shm_t  *sh;

    /* of this worker */

    ngx_log_t              *log;
    ngx_emage_redis_t      *redis;
    ngx_event_t             tick;

    ngx_emage_lease_pt      handler;
    void                   *data;
    uint64_t                seen;          /* of sh->changes */

    uint64_t                token;         /* of our claim, 0: none */
    ngx_emage_redis_cmd_t  *cmd;
    uint64_t                asked_at;      /* ms */
    uint64_t                asked_seq;
    ngx_thread_task_t      *task;

    unsigned                live:1;        /* when last looked at */
    unsigned                fencing:1;     /* the task runs */
    unsigned                confused:1;    /* a strange answer was logged */
};


#define ngx_emage_load(p)      __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define ngx_emage_store(p, v)  __atomic_store_n(p, v, __ATOMIC_RELEASE)


/* CLOCK_BOOTTIME in ms: runs on while the machine or the process sleeps. */

static ngx_inline uint64_t
ngx_emage_boottime(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_BOOTTIME, &ts) == -1) {
        return UINT64_MAX;                 /* nothing lives that long */
    }

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


uint64_t *ngx_emage_lease_slot(ngx_emage_lease_t *lease, const u_char *pid,
    size_t len);

/* Calls the worker's handler if something has changed since the last time. */

void ngx_emage_lease_watch(ngx_emage_lease_t *lease);

/* Asks Redis, if it is time to and no other worker does. */

void ngx_emage_lease_renew(ngx_emage_lease_t *lease);

/* The renewal's own; the mutex is held on NGX_OK of lock_claimed. */

ngx_int_t ngx_emage_renew_lock_claimed(ngx_emage_lease_t *lease);
void ngx_emage_renew_unlock(ngx_emage_lease_t *lease);
void ngx_emage_renew_release(ngx_emage_lease_t *lease, uint64_t delay);
void ngx_emage_renew_next(ngx_emage_lease_t *lease);
void ngx_emage_renew_answer(void *data, const ngx_emage_resp_t *reply,
    const char *reason);


#endif /* _NGX_EMAGE_LEASE_SHM_H_INCLUDED_ */
