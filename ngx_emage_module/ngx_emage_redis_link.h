
/*
 * Copyright (C) The e-mage authors
 *
 * What the two halves of the Redis client share: ngx_emage_redis.c queues
 * commands and delivers replies, ngx_emage_redis_link.c connects and closes.
 */


#ifndef _NGX_EMAGE_REDIS_LINK_H_INCLUDED_
#define _NGX_EMAGE_REDIS_LINK_H_INCLUDED_


#include "ngx_emage_redis.h"


#define NGX_EMAGE_REDIS_INPUT      65536
#define NGX_EMAGE_REDIS_RETRY_MIN  50       /* ms */


typedef enum {
    NGX_EMAGE_REDIS_CLOSED = 0,
    NGX_EMAGE_REDIS_CONNECTING,
    NGX_EMAGE_REDIS_AUTH,
    NGX_EMAGE_REDIS_SELECT,
    NGX_EMAGE_REDIS_VERSION,
    NGX_EMAGE_REDIS_READY
} ngx_emage_redis_state_e;


/* Never in a request's pool: the reply may come when the request is gone. */

struct ngx_emage_redis_cmd_s {
    ngx_queue_t                queue;
    uint64_t                   end;         /* where it ends in the output */
    ngx_msec_t                 deadline;
    ngx_emage_redis_pt         handler;
    void                      *data;
    u_char                    *text;        /* while it is held */
};


struct ngx_emage_redis_s {
    /* has to be layout-compatible with ngx_connection_t, for timers' log */
    void                      *unused[3];
    ngx_socket_t               fd;

    ngx_emage_redis_conf_t    *conf;
    ngx_int_t                  version;
    ngx_emage_redis_state_e    state;

    ngx_log_t                 *log;
    ngx_log_t                  silent;
    ngx_peer_connection_t      peer;
    ngx_uint_t                 addr;

    ngx_event_t                retry;
    ngx_msec_t                 backoff;

    ngx_queue_t                fifo;
    ngx_queue_t                held;        /* until the first READY */
    ngx_queue_t                free;
    ngx_queue_t               *unsent;      /* the first one in fifo */
    ngx_uint_t                 outstanding;
    ngx_uint_t                 nheld;

    u_char                    *out;
    size_t                     out_size;
    size_t                     out_pos;
    size_t                     out_last;
    uint64_t                   queued;      /* bytes, since connect */
    uint64_t                   sent;

    ngx_emage_resp_parser_t   *parser;

    ngx_emage_redis_state_pt   on_state;
    void                      *on_state_data;

    const char                *reported;    /* why the link is down */
    const char                *error;       /* the last kind of error reply */
    ngx_msec_t                 error_time;

    unsigned                   starting:1;  /* the first attempt runs */
    unsigned                   stopped:1;   /* no more attempts */

    u_char                     in[NGX_EMAGE_REDIS_INPUT];
};


/* Reasons are compared by their addresses. */

extern const char  ngx_emage_redis_lost[];
extern const char  ngx_emage_redis_protocol[];
extern const char  ngx_emage_redis_timed_out[];
extern const char  ngx_emage_redis_no_connect[];
extern const char  ngx_emage_redis_no_memory[];


/* ngx_emage_redis.c */

void ngx_emage_redis_write_handler(ngx_event_t *wev);
void ngx_emage_redis_read_handler(ngx_event_t *rev);
ngx_emage_redis_cmd_t *ngx_emage_redis_queue(ngx_emage_redis_t *redis,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_emage_redis_pt handler,
    void *data);
void ngx_emage_redis_enqueue(ngx_emage_redis_t *redis,
    ngx_emage_redis_cmd_t *cmd, size_t len);
ngx_emage_redis_cmd_t *ngx_emage_redis_cmd_get(ngx_emage_redis_t *redis);
ngx_int_t ngx_emage_redis_reserve(ngx_emage_redis_t *redis, size_t len);

/* ngx_emage_redis_link.c */

void ngx_emage_redis_connect(ngx_emage_redis_t *redis);
ngx_int_t ngx_emage_redis_test_connect(ngx_connection_t *c);
void ngx_emage_redis_connected(ngx_emage_redis_t *redis);
void ngx_emage_redis_retry_handler(ngx_event_t *ev);
ngx_emage_redis_cmd_t *ngx_emage_redis_hold(ngx_emage_redis_t *redis,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_emage_redis_pt handler,
    void *data);
void ngx_emage_redis_close(ngx_emage_redis_t *redis, const char *reason);
void ngx_emage_redis_report(ngx_emage_redis_t *redis, const char *reason);
void ngx_emage_redis_error_reply(ngx_emage_redis_t *redis,
    const ngx_emage_resp_t *reply);


#endif /* _NGX_EMAGE_REDIS_LINK_H_INCLUDED_ */
