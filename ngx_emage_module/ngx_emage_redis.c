
/*
 * Copyright (C) The e-mage authors
 *
 * One pipelined link to Redis a worker, on nginx's own connections.  Replies
 * come in the order of the commands, so a late, torn or surplus reply leaves
 * no safe way but to close the link and to fail all that is outstanding.
 */


#include "ngx_emage_redis_link.h"


#define NGX_EMAGE_REDIS_COMMANDS    16384
#define NGX_EMAGE_REDIS_OUTPUT      (4 * 1024 * 1024)
#define NGX_EMAGE_REDIS_OUTPUT_MIN  16384
#define NGX_EMAGE_REDIS_READS       16      /* before others get a turn */


static void ngx_emage_redis_flushed(ngx_emage_redis_t *redis);
static ngx_int_t ngx_emage_redis_read(ngx_emage_redis_t *redis,
    ngx_connection_t *c);
static ngx_int_t ngx_emage_redis_deliver(ngx_emage_redis_t *redis,
    ngx_connection_t *c);
static void ngx_emage_redis_expire(ngx_emage_redis_t *redis,
    ngx_connection_t *c);
static ngx_emage_redis_cmd_t *ngx_emage_redis_cmd(ngx_emage_redis_t *redis);
static ngx_msec_t ngx_emage_redis_now(void);


const char  ngx_emage_redis_lost[] = "connection lost";
const char  ngx_emage_redis_protocol[] = "protocol error";
const char  ngx_emage_redis_timed_out[] = "timed out";
const char  ngx_emage_redis_no_connect[] = "connect failed";
const char  ngx_emage_redis_no_memory[] = "no memory";


ngx_emage_redis_t *
ngx_emage_redis_create(ngx_cycle_t *cycle, ngx_emage_redis_conf_t *conf,
    ngx_int_t version)
{
    ngx_emage_redis_t  *redis;

    if (conf->url.naddrs == 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "redis \"%V\" has no address, give a unix socket or "
                      "a numeric address", &conf->url.url);
        return NULL;
    }

    redis = ngx_pcalloc(cycle->pool, sizeof(ngx_emage_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    redis->fd = (ngx_socket_t) -1;
    redis->conf = conf;
    redis->version = version;
    redis->log = cycle->log;
    redis->backoff = NGX_EMAGE_REDIS_RETRY_MIN;

    redis->silent = *cycle->log;
    redis->silent.log_level = NGX_LOG_STDERR;
    redis->silent.next = NULL;
    redis->silent.handler = NULL;

    redis->retry.handler = ngx_emage_redis_retry_handler;
    redis->retry.data = redis;
    redis->retry.log = cycle->log;
    redis->retry.cancelable = 1;

    ngx_queue_init(&redis->fifo);
    ngx_queue_init(&redis->held);
    ngx_queue_init(&redis->free);
    redis->starting = 1;
    redis->unsent = ngx_queue_sentinel(&redis->fifo);

    /* the clock has stood still while the configuration was read */

    ngx_time_update();

    ngx_emage_redis_connect(redis);

    return redis;
}


void
ngx_emage_redis_destroy(ngx_emage_redis_t *redis)
{
    ngx_queue_t            *q;
    ngx_emage_redis_cmd_t  *cmd;

    if (redis == NULL) {
        return;
    }

    redis->stopped = 1;

    if (redis->retry.timer_set) {
        ngx_del_timer(&redis->retry);
    }

    /* nobody is left who could act on an answer */

    if (!ngx_queue_empty(&redis->held)) {
        ngx_queue_add(&redis->fifo, &redis->held);
        ngx_queue_init(&redis->held);
    }

    for (q = ngx_queue_head(&redis->fifo);
         q != ngx_queue_sentinel(&redis->fifo);
         q = ngx_queue_next(q))
    {
        cmd = ngx_queue_data(q, ngx_emage_redis_cmd_t, queue);
        cmd->handler = NULL;
    }

    ngx_emage_redis_close(redis, NULL);

    while (!ngx_queue_empty(&redis->free)) {
        q = ngx_queue_head(&redis->free);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_emage_redis_cmd_t, queue));
    }

    if (redis->out) {
        ngx_free(redis->out);
        redis->out = NULL;
        redis->out_size = 0;
    }
}


void
ngx_emage_redis_on_state(ngx_emage_redis_t *redis,
    ngx_emage_redis_state_pt handler, void *data)
{
    redis->on_state = handler;
    redis->on_state_data = data;
}


ngx_uint_t
ngx_emage_redis_ready(ngx_emage_redis_t *redis)
{
    return redis->state == NGX_EMAGE_REDIS_READY;
}


ngx_emage_redis_cmd_t *
ngx_emage_redis_submit(ngx_emage_redis_t *redis, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_emage_redis_pt handler, void *data)
{
    if (redis->state == NGX_EMAGE_REDIS_READY) {
        return ngx_emage_redis_queue(redis, argc, argv, handler, data);
    }

    if (redis->starting) {
        return ngx_emage_redis_hold(redis, argc, argv, handler, data);
    }

    return NULL;
}


void
ngx_emage_redis_cancel(ngx_emage_redis_cmd_t *cmd)
{
    cmd->handler = NULL;
}


void
ngx_emage_redis_write_handler(ngx_event_t *wev)
{
    ssize_t             n;
    ngx_connection_t   *c;
    ngx_emage_redis_t  *redis;

    c = wev->data;
    redis = c->data;

    if (redis->state == NGX_EMAGE_REDIS_CONNECTING) {

        if (ngx_emage_redis_test_connect(c) != NGX_OK) {
            ngx_emage_redis_report(redis, ngx_emage_redis_no_connect);
            ngx_emage_redis_close(redis, ngx_emage_redis_no_connect);
            return;
        }

        ngx_emage_redis_connected(redis);
        return;
    }

    while (redis->out_pos < redis->out_last) {

        n = c->send(c, redis->out + redis->out_pos,
                    redis->out_last - redis->out_pos);

        if (n > 0) {
            redis->out_pos += n;
            redis->sent += n;
            continue;
        }

        if (n == NGX_AGAIN) {
            break;
        }

        ngx_emage_redis_report(redis, ngx_emage_redis_lost);
        ngx_emage_redis_close(redis, ngx_emage_redis_lost);
        return;
    }

    if (redis->out_pos == redis->out_last) {
        redis->out_pos = 0;
        redis->out_last = 0;
    }

    ngx_emage_redis_flushed(redis);

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_emage_redis_report(redis, ngx_emage_redis_lost);
        ngx_emage_redis_close(redis, ngx_emage_redis_lost);
    }
}


/* A command's time counts from when it left, not from our own slow turn. */

static void
ngx_emage_redis_flushed(ngx_emage_redis_t *redis)
{
    ngx_msec_t              deadline;
    ngx_emage_redis_cmd_t  *cmd;

    if (redis->unsent == ngx_queue_sentinel(&redis->fifo)) {
        return;
    }

    deadline = ngx_emage_redis_now() + redis->conf->timeout;

    do {
        cmd = ngx_queue_data(redis->unsent, ngx_emage_redis_cmd_t, queue);

        if (cmd->end > redis->sent) {
            return;
        }

        cmd->deadline = deadline;
        redis->unsent = ngx_queue_next(redis->unsent);

    } while (redis->unsent != ngx_queue_sentinel(&redis->fifo));
}


void
ngx_emage_redis_read_handler(ngx_event_t *rev)
{
    ngx_connection_t   *c;
    ngx_emage_redis_t  *redis;

    c = rev->data;
    redis = c->data;

    if (c->close) {

        /* worker_shutdown_timeout: requests are cut as well */

        redis->stopped = 1;
        ngx_emage_redis_close(redis, "worker is shutting down");
        return;
    }

    if (redis->state == NGX_EMAGE_REDIS_CONNECTING && !rev->timedout) {

        /* epoll gives the read event first */

        if (ngx_emage_redis_test_connect(c) != NGX_OK) {
            ngx_emage_redis_report(redis, ngx_emage_redis_no_connect);
            ngx_emage_redis_close(redis, ngx_emage_redis_no_connect);
            return;
        }
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_emage_redis_expire(redis, c);
        return;
    }

    (void) ngx_emage_redis_read(redis, c);
}


/* NGX_OK, or NGX_DONE when the link was closed. */

static ngx_int_t
ngx_emage_redis_read(ngx_emage_redis_t *redis, ngx_connection_t *c)
{
    ssize_t      n;
    ngx_uint_t   i;
    const char  *reason;

    reason = ngx_emage_redis_lost;

    for (i = 0; i < NGX_EMAGE_REDIS_READS; i++) {

        n = c->recv(c, redis->in, NGX_EMAGE_REDIS_INPUT);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            goto failed;
        }

        if (ngx_emage_resp_feed(redis->parser, redis->in, n) != NGX_OK) {
            reason = ngx_emage_redis_protocol;
            goto failed;
        }

        if (ngx_emage_redis_deliver(redis, c) != NGX_OK) {
            return NGX_DONE;
        }
    }

    if (i == NGX_EMAGE_REDIS_READS) {
        ngx_post_event(c->read, &ngx_posted_next_events);
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        goto failed;
    }

    return NGX_OK;

failed:

    ngx_emage_redis_report(redis, reason);
    ngx_emage_redis_close(redis, reason);

    return NGX_DONE;
}


/* NGX_OK, or NGX_DONE when the link was closed. */

static ngx_int_t
ngx_emage_redis_deliver(ngx_emage_redis_t *redis, ngx_connection_t *c)
{
    void                   *data;
    ngx_int_t               rc;
    ngx_emage_resp_t       *reply;
    ngx_emage_redis_pt      handler;
    ngx_emage_redis_cmd_t  *cmd;

    for ( ;; ) {

        rc = ngx_emage_resp_next(redis->parser, &reply);

        if (rc == NGX_AGAIN) {
            break;
        }

        cmd = ngx_emage_redis_cmd(redis);

        if (rc != NGX_OK || cmd == NULL || cmd->end > redis->sent) {

            /* no RESP, or an answer to nothing */

            ngx_emage_resp_free(reply);
            ngx_emage_redis_report(redis, ngx_emage_redis_protocol);
            ngx_emage_redis_close(redis, ngx_emage_redis_protocol);
            return NGX_DONE;
        }

        handler = cmd->handler;
        data = cmd->data;

        ngx_queue_remove(&cmd->queue);
        ngx_queue_insert_head(&redis->free, &cmd->queue);
        redis->outstanding--;

        if (redis->state == NGX_EMAGE_REDIS_READY) {
            ngx_emage_redis_error_reply(redis, reply);
        }

        if (handler) {
            handler(data, reply, NULL);
        }

        ngx_emage_resp_free(reply);

        if (redis->peer.connection != c) {
            return NGX_DONE;
        }
    }

    if (redis->outstanding == 0 && c->read->timer_set
        && redis->state == NGX_EMAGE_REDIS_READY)
    {
        ngx_del_timer(c->read);
    }

    return NGX_OK;
}


/*
 * The timer runs for the head of the queue, but is not moved with every
 * reply: look at what the head says.
 */

static void
ngx_emage_redis_expire(ngx_emage_redis_t *redis, ngx_connection_t *c)
{
    ngx_msec_int_t          left;
    ngx_emage_redis_cmd_t  *cmd;

    if (redis->state == NGX_EMAGE_REDIS_READY) {

        /* the answer may be here already */

        if (ngx_emage_redis_read(redis, c) != NGX_OK) {
            return;
        }

        cmd = ngx_emage_redis_cmd(redis);

        if (cmd == NULL) {
            return;
        }

        left = (ngx_msec_int_t) (cmd->deadline - ngx_emage_redis_now());

        if (left > 0) {
            if (!c->read->timer_set) {
                ngx_add_timer(c->read, (ngx_msec_t) left);
            }

            return;
        }
    }

    ngx_emage_redis_report(redis, ngx_emage_redis_timed_out);
    ngx_emage_redis_close(redis, ngx_emage_redis_timed_out);
}


ngx_emage_redis_cmd_t *
ngx_emage_redis_queue(ngx_emage_redis_t *redis, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_emage_redis_pt handler, void *data)
{
    size_t                  len;
    ngx_emage_redis_cmd_t  *cmd;

    len = ngx_emage_resp_command_len(argc, argv);

    if (redis->outstanding >= NGX_EMAGE_REDIS_COMMANDS
        || ngx_emage_redis_reserve(redis, len) != NGX_OK)
    {
        return NULL;
    }

    cmd = ngx_emage_redis_cmd_get(redis);
    if (cmd == NULL) {
        return NULL;
    }

    cmd->handler = handler;
    cmd->data = data;

    (void) ngx_emage_resp_command(redis->out + redis->out_last,
                                  redis->out + redis->out_size, argc, argv);

    ngx_emage_redis_enqueue(redis, cmd, len);

    return cmd;
}


/* `len` bytes of the command lie behind the output. */

void
ngx_emage_redis_enqueue(ngx_emage_redis_t *redis, ngx_emage_redis_cmd_t *cmd,
    size_t len)
{
    ngx_connection_t  *c;

    redis->out_last += len;
    redis->queued += len;

    cmd->end = redis->queued;
    cmd->deadline = ngx_emage_redis_now() + redis->conf->timeout;

    ngx_queue_insert_tail(&redis->fifo, &cmd->queue);
    redis->outstanding++;

    if (redis->unsent == ngx_queue_sentinel(&redis->fifo)) {
        redis->unsent = &cmd->queue;
    }

    c = redis->peer.connection;

    if (!c->read->timer_set) {
        ngx_add_timer(c->read, redis->conf->timeout);
    }

    /* one send for all commands of this turn of the loop */

    if (c->write->ready) {
        ngx_post_event(c->write, &ngx_posted_events);
    }
}


ngx_emage_redis_cmd_t *
ngx_emage_redis_cmd_get(ngx_emage_redis_t *redis)
{
    ngx_queue_t            *q;
    ngx_emage_redis_cmd_t  *cmd;

    if (ngx_queue_empty(&redis->free)) {
        return ngx_calloc(sizeof(ngx_emage_redis_cmd_t), redis->log);
    }

    q = ngx_queue_head(&redis->free);
    ngx_queue_remove(q);

    cmd = ngx_queue_data(q, ngx_emage_redis_cmd_t, queue);
    cmd->text = NULL;

    return cmd;
}


ngx_int_t
ngx_emage_redis_reserve(ngx_emage_redis_t *redis, size_t len)
{
    u_char  *out;
    size_t   size, used;

    used = redis->out_last - redis->out_pos;

    if (len > NGX_EMAGE_REDIS_OUTPUT - used) {
        return NGX_ERROR;
    }

    if (len <= redis->out_size - redis->out_last) {
        return NGX_OK;
    }

    if (used + len <= redis->out_size) {
        ngx_memmove(redis->out, redis->out + redis->out_pos, used);
        redis->out_pos = 0;
        redis->out_last = used;
        return NGX_OK;
    }

    size = ngx_max(redis->out_size, NGX_EMAGE_REDIS_OUTPUT_MIN);

    while (size < used + len) {
        size *= 2;
    }

    out = ngx_alloc(size, redis->log);
    if (out == NULL) {
        return NGX_ERROR;
    }

    if (redis->out) {
        ngx_memcpy(out, redis->out + redis->out_pos, used);
        ngx_free(redis->out);
    }

    redis->out = out;
    redis->out_size = size;
    redis->out_pos = 0;
    redis->out_last = used;

    return NGX_OK;
}


/* The command the next reply belongs to. */

static ngx_emage_redis_cmd_t *
ngx_emage_redis_cmd(ngx_emage_redis_t *redis)
{
    if (ngx_queue_empty(&redis->fifo)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(&redis->fifo), ngx_emage_redis_cmd_t,
                          queue);
}


static ngx_msec_t
ngx_emage_redis_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (ngx_msec_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
