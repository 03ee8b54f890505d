
/*
 * Copyright (C) The e-mage authors
 *
 * This node's right to use cached facts (docs/records.md): the lease, the
 * sequence it has applied and the last change of every patient, in shared
 * memory; any worker renews.  The fence: what the node last applied, on disk.
 */


#ifndef _NGX_EMAGE_LEASE_H_INCLUDED_
#define _NGX_EMAGE_LEASE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_emage_redis.h"


#define NGX_EMAGE_LEASE_TIME     1000      /* ms, counted from the request */
#define NGX_EMAGE_LEASE_RENEW    50        /* ms between renewals */
#define NGX_EMAGE_LEASE_SLOTS    65536     /* of last changes, by pid */


typedef struct ngx_emage_lease_s  ngx_emage_lease_t;


/*
 * Configuration: adds the shared zone ("emage_lease") and remembers where the
 * fence lies (`dir`/fence-<node>.json, with .lock and .tmp beside it; workers
 * write there).  NULL after logging.  A zone is a node of its own in Redis
 * ("<node>-<8 hex>"), so the two masters of a binary upgrade renew two leases;
 * they share the fence.  A reload may not change node or directory.
 */

ngx_emage_lease_t *ngx_emage_lease_add(ngx_conf_t *cf, ngx_str_t *node,
    ngx_str_t *dir, void *tag);

/*
 * init_process: starts the timer that renews on the worker's link (an exiting
 * worker does so only if nobody else does) and that notices changes applied by
 * other workers.
 */

ngx_int_t ngx_emage_lease_start(ngx_emage_lease_t *lease, ngx_cycle_t *cycle,
    ngx_emage_redis_t *redis);

/*
 * Called in every worker soon (at most 20 ms) after a change was applied or
 * the lease was lost, in the event loop, so that open transfers can be checked
 * with ngx_emage_lease_fresh().
 */

typedef void (*ngx_emage_lease_pt)(void *data);

void ngx_emage_lease_on_change(ngx_emage_lease_t *lease,
    ngx_emage_lease_pt handler, void *data);


/*
 * What facts were read at: the epoch's number in shared memory and the
 * sequence that came with the facts.
 */

typedef struct {
    uint64_t  generation;
    uint64_t  seq;
} ngx_emage_stamp_t;


/* Whether the lease lives now (CLOCK_BOOTTIME). */

ngx_uint_t ngx_emage_lease_live(ngx_emage_lease_t *lease);

/*
 * Makes a stamp for facts that Redis gave with `epoch` and `seq`.
 * NGX_DECLINED if the epoch is not the one the node has applied: the facts
 * must not be used.
 */

ngx_int_t ngx_emage_lease_stamp(ngx_emage_lease_t *lease, ngx_str_t *epoch,
    int64_t seq, ngx_emage_stamp_t *stamp);

/*
 * Whether facts of `pid` with this stamp may be used now: the lease lives, the
 * epoch is the same, and no later change of this patient has been applied.  A
 * few loads: called at every decision and before every chunk.
 */

ngx_uint_t ngx_emage_lease_fresh(ngx_emage_lease_t *lease,
    const u_char *pid, size_t pid_len, const ngx_emage_stamp_t *stamp);

/* For metrics and logs: "live", "expired", "unreconciled", "fenced". */

ngx_str_t *ngx_emage_lease_state(ngx_emage_lease_t *lease);
uint64_t ngx_emage_lease_seq(ngx_emage_lease_t *lease);


#endif /* _NGX_EMAGE_LEASE_H_INCLUDED_ */
