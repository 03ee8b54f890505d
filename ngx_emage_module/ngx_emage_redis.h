
/*
 * Copyright (C) The e-mage authors
 *
 * One pipelined link to Redis a worker.  Knows neither HTTP nor policy.
 */


#ifndef _NGX_EMAGE_REDIS_H_INCLUDED_
#define _NGX_EMAGE_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_emage_resp.h"


/* Set at configuration; lives in cf->pool. */

typedef struct {
    ngx_url_t    url;                 /* unix:/path or host:port */
    ngx_msec_t   timeout;             /* of one command, 50 ms */
    ngx_msec_t   connect_timeout;
    ngx_str_t    password;            /* empty: no AUTH */
    ngx_uint_t   db;
} ngx_emage_redis_conf_t;


typedef struct ngx_emage_redis_s      ngx_emage_redis_t;
typedef struct ngx_emage_redis_cmd_s  ngx_emage_redis_cmd_t;


/*
 * Called once a command, never from inside ngx_emage_redis_submit(): with the
 * reply (which may be of type ERROR), or with NULL and a constant reason
 * ("timed out", "connection lost", "protocol error", ...).
 */

typedef void (*ngx_emage_redis_pt)(void *data, const ngx_emage_resp_t *reply,
    const char *reason);

/* Called when the link has become READY or has been lost. */

typedef void (*ngx_emage_redis_state_pt)(void *data, ngx_uint_t ready);


/*
 * Creates the worker's client in init_process and begins to connect; on
 * connect it authenticates, selects and checks emage_version before it is
 * READY.  A version that is not `version` keeps the link closed, with an error
 * that says to run "emage-consent init".  A link that is lost is tried again,
 * after 50 ms and up to 5 s.
 *
 * An exiting worker keeps its link (and with it the lease) to its end: only
 * timers that others hold keep it, but for a command outstanding, whose
 * deadline does too.  ngx_emage_redis_destroy() therefore belongs into
 * exit_process; it calls nobody back.
 */

ngx_emage_redis_t *ngx_emage_redis_create(ngx_cycle_t *cycle,
    ngx_emage_redis_conf_t *conf, ngx_int_t version);
void ngx_emage_redis_destroy(ngx_emage_redis_t *redis);

void ngx_emage_redis_on_state(ngx_emage_redis_t *redis,
    ngx_emage_redis_state_pt handler, void *data);

ngx_uint_t ngx_emage_redis_ready(ngx_emage_redis_t *redis);

/*
 * Queues one command.  NULL at once when the link is not READY or a cap
 * (commands or bytes outstanding) is met: the caller denies.  The arguments
 * are copied.  A timeout closes the link and fails everything outstanding.
 * During a worker's first attempt to connect, up to 1024 commands are held
 * until it has succeeded or failed, so that a reload refuses nobody.
 */

ngx_emage_redis_cmd_t *ngx_emage_redis_submit(ngx_emage_redis_t *redis,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_emage_redis_pt handler,
    void *data);

/*
 * The reply will be read and dropped; `handler` is not called any more.  Not
 * to be used once the handler has been called, or from inside it.
 */

void ngx_emage_redis_cancel(ngx_emage_redis_cmd_t *cmd);


#endif /* _NGX_EMAGE_REDIS_H_INCLUDED_ */
