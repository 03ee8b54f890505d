
/*
 * Copyright (C) The e-mage authors
 *
 * The life of the link: connect, handshake, close, retry, and what is said
 * about it in the log.
 */


#include "ngx_emage_redis_link.h"


#define NGX_EMAGE_REDIS_REPLY       (1024 * 1024)
#define NGX_EMAGE_REDIS_RETRY_MAX   5000    /* ms */
#define NGX_EMAGE_REDIS_QUIET       1000    /* ms between error replies */
#define NGX_EMAGE_REDIS_HELD        1024    /* commands, before READY */
#define NGX_EMAGE_REDIS_HELD_LEN    4096    /* bytes of one */


typedef struct {
    ngx_str_t                  word;
    const char                *remedy;
} ngx_emage_redis_error_t;


static void ngx_emage_redis_handshake(ngx_emage_redis_t *redis);
static void ngx_emage_redis_handshake_done(void *data, const ngx_emage_resp_t
    *reply, const char *reason);
static void ngx_emage_redis_check_version(ngx_emage_redis_t *redis,
    const ngx_emage_resp_t *reply);
static void ngx_emage_redis_unhold(ngx_emage_redis_t *redis);
static void ngx_emage_redis_refused(ngx_emage_redis_t *redis,
    const ngx_emage_resp_t *reply);
static const char *ngx_emage_redis_remedy(const ngx_emage_resp_t *reply);


static const char  ngx_emage_redis_wrong_version[] = "wrong version";


/* What an error reply asks of the operator, by its first word. */

static ngx_emage_redis_error_t  ngx_emage_redis_errors[] = {

    { ngx_string("LOADING"),
      "redis is loading its data, wait" },

    { ngx_string("MOVED"),
      "this is a cluster node: give \"emage_redis\" a server of its own" },

    { ngx_string("NOAUTH"),
      "give \"emage_redis\" the password" },

    { ngx_string("WRONGPASS"),
      "check the password of \"emage_redis\"" },

    { ngx_string("NOPERM"),
      "let the user of \"emage_redis\" call functions on all emage keys" },

    { ngx_string("READONLY"),
      "this is a replica: give \"emage_redis\" the primary" },

    { ngx_string("MASTERDOWN"),
      "this replica has lost its primary: give \"emage_redis\" the primary" },

    { ngx_string("MISCONF"),
      "redis cannot persist: check its log and free space on its disk" },

    { ngx_string("OOM"),
      "redis is out of memory: raise maxmemory, with policy noeviction" },

    { ngx_string("BUSY"),
      "a script of somebody else holds redis: end it" },

    { ngx_string("ERR"),
      "if the functions are missing, run \"emage-consent init\"" },

    { ngx_null_string,
      "see the log of redis" }
};


void
ngx_emage_redis_connect(ngx_emage_redis_t *redis)
{
    ngx_int_t          rc;
    ngx_addr_t        *addr;
    ngx_connection_t  *c;

    redis->parser = ngx_emage_resp_parser_create(NGX_EMAGE_REDIS_REPLY);
    if (redis->parser == NULL) {
        ngx_emage_redis_report(redis, ngx_emage_redis_no_memory);
        ngx_emage_redis_close(redis, ngx_emage_redis_no_memory);
        return;
    }

    addr = &redis->conf->url.addrs[redis->addr++ % redis->conf->url.naddrs];

    ngx_memzero(&redis->peer, sizeof(ngx_peer_connection_t));

    redis->peer.sockaddr = addr->sockaddr;
    redis->peer.socklen = addr->socklen;
    redis->peer.name = &addr->name;
    redis->peer.get = ngx_event_get_peer;
    redis->peer.log_error = NGX_ERROR_ERR;

    /* of one loss, only the first errors are of interest */

    redis->peer.log = redis->reported ? &redis->silent : redis->log;

    rc = ngx_event_connect_peer(&redis->peer);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_emage_redis_report(redis, ngx_emage_redis_no_connect);
        ngx_emage_redis_close(redis, ngx_emage_redis_no_connect);
        return;
    }

    c = redis->peer.connection;

    c->data = redis;
    c->read->handler = ngx_emage_redis_read_handler;
    c->write->handler = ngx_emage_redis_write_handler;

    redis->state = NGX_EMAGE_REDIS_CONNECTING;

    /* covers the handshake too; not worth to keep an exiting worker */

    c->read->cancelable = 1;
    ngx_add_timer(c->read, redis->conf->connect_timeout);

    if (rc == NGX_OK) {
        ngx_emage_redis_connected(redis);
    }
}


ngx_int_t
ngx_emage_redis_test_connect(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        (void) ngx_connection_error(c, err, "connect() to redis failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_emage_redis_connected(ngx_emage_redis_t *redis)
{
    int                on;
    ngx_connection_t  *c;

    c = redis->peer.connection;

    if (redis->peer.sockaddr->sa_family != AF_UNIX) {
        on = 1;

        if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, (void *) &on,
                       sizeof(int))
            == -1)
        {
            ngx_log_error(NGX_LOG_INFO, c->log, ngx_socket_errno,
                          "setsockopt(TCP_NODELAY) failed for redis");
        }
    }

    redis->state = NGX_EMAGE_REDIS_AUTH;

    ngx_emage_redis_handshake(redis);
}


/* Sends what the state needs, or goes on to the next one. */

static void
ngx_emage_redis_handshake(ngx_emage_redis_t *redis)
{
    u_char      db[NGX_INT_T_LEN];
    ngx_str_t   argv[3];
    ngx_uint_t  argc;

    if (redis->state == NGX_EMAGE_REDIS_AUTH
        && redis->conf->password.len == 0)
    {
        redis->state = NGX_EMAGE_REDIS_SELECT;
    }

    if (redis->state == NGX_EMAGE_REDIS_SELECT && redis->conf->db == 0) {
        redis->state = NGX_EMAGE_REDIS_VERSION;
    }

    switch (redis->state) {

    case NGX_EMAGE_REDIS_AUTH:
        ngx_str_set(&argv[0], "AUTH");
        argv[1] = redis->conf->password;
        argc = 2;
        break;

    case NGX_EMAGE_REDIS_SELECT:
        ngx_str_set(&argv[0], "SELECT");
        argv[1].data = db;
        argv[1].len = ngx_sprintf(db, "%ui", redis->conf->db) - db;
        argc = 2;
        break;

    default: /* NGX_EMAGE_REDIS_VERSION */
        ngx_str_set(&argv[0], "FCALL_RO");
        ngx_str_set(&argv[1], "emage_version");
        ngx_str_set(&argv[2], "0");
        argc = 3;
        break;
    }

    if (ngx_emage_redis_queue(redis, argc, argv,
                              ngx_emage_redis_handshake_done, redis)
        == NULL)
    {
        ngx_emage_redis_report(redis, ngx_emage_redis_no_memory);
        ngx_emage_redis_close(redis, ngx_emage_redis_no_memory);
    }
}


static void
ngx_emage_redis_handshake_done(void *data, const ngx_emage_resp_t *reply,
    const char *reason)
{
    ngx_emage_redis_t  *redis = data;

    if (reply == NULL) {
        return;
    }

    if (redis->state == NGX_EMAGE_REDIS_VERSION) {
        ngx_emage_redis_check_version(redis, reply);
        return;
    }

    if (ngx_emage_resp_type(reply) != NGX_EMAGE_RESP_STATUS) {
        ngx_emage_redis_refused(redis, reply);
        return;
    }

    redis->state++;

    ngx_emage_redis_handshake(redis);
}


static void
ngx_emage_redis_check_version(ngx_emage_redis_t *redis,
    const ngx_emage_resp_t *reply)
{
    int64_t            version;
    ngx_uint_t         level;
    ngx_connection_t  *c;

    if (ngx_emage_resp_type(reply) == NGX_EMAGE_RESP_ERROR) {
        ngx_emage_redis_refused(redis, reply);
        return;
    }

    if (ngx_emage_resp_int(reply, &version) != NGX_OK
        || version != redis->version)
    {
        if (redis->reported != ngx_emage_redis_wrong_version) {
            redis->reported = ngx_emage_redis_wrong_version;

            ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                          "redis \"%V\" holds functions of version %L, this "
                          "module needs %i: run \"emage-consent init\"",
                          &redis->conf->url.url, version, redis->version);
        }

        ngx_emage_redis_close(redis, ngx_emage_redis_wrong_version);
        return;
    }

    c = redis->peer.connection;

    c->log = redis->log;
    c->read->log = redis->log;
    c->write->log = redis->log;

    ngx_del_timer(c->read);

    /* from here on, requests wait for the answers */

    c->read->cancelable = 0;

    redis->state = NGX_EMAGE_REDIS_READY;
    redis->backoff = NGX_EMAGE_REDIS_RETRY_MIN;

    level = (redis->reported != NULL) ? NGX_LOG_NOTICE : NGX_LOG_INFO;

    ngx_log_error(level, redis->log, 0,
                  "redis \"%V\" is ready", &redis->conf->url.url);

    redis->reported = NULL;
    redis->error = NULL;
    redis->starting = 0;

    ngx_emage_redis_unhold(redis);

    if (redis->state == NGX_EMAGE_REDIS_READY && redis->on_state) {
        redis->on_state(redis->on_state_data, 1);
    }
}


/*
 * A new worker is given requests before its first link can be ready: a reload
 * would refuse them.  The first attempt's deadline is theirs.
 */

ngx_emage_redis_cmd_t *
ngx_emage_redis_hold(ngx_emage_redis_t *redis, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_emage_redis_pt handler, void *data)
{
    size_t                  len;
    ngx_emage_redis_cmd_t  *cmd;

    len = ngx_emage_resp_command_len(argc, argv);

    if (redis->nheld >= NGX_EMAGE_REDIS_HELD
        || len > NGX_EMAGE_REDIS_HELD_LEN)
    {
        return NULL;
    }

    cmd = ngx_emage_redis_cmd_get(redis);
    if (cmd == NULL) {
        return NULL;
    }

    cmd->text = ngx_alloc(len, redis->log);
    if (cmd->text == NULL) {
        ngx_queue_insert_head(&redis->free, &cmd->queue);
        return NULL;
    }

    (void) ngx_emage_resp_command(cmd->text, cmd->text + len, argc, argv);

    cmd->end = len;
    cmd->handler = handler;
    cmd->data = data;

    ngx_queue_insert_tail(&redis->held, &cmd->queue);
    redis->nheld++;

    /* somebody waits now */

    redis->peer.connection->read->cancelable = 0;

    return cmd;
}


/* READY: what was held goes out, in its order. */

static void
ngx_emage_redis_unhold(ngx_emage_redis_t *redis)
{
    size_t                  len;
    ngx_queue_t            *q;
    ngx_emage_redis_cmd_t  *cmd;

    while (!ngx_queue_empty(&redis->held)) {
        q = ngx_queue_head(&redis->held);
        cmd = ngx_queue_data(q, ngx_emage_redis_cmd_t, queue);
        len = (size_t) cmd->end;

        if (ngx_emage_redis_reserve(redis, len) != NGX_OK) {

            /* closing fails those that are left */

            ngx_emage_redis_report(redis, ngx_emage_redis_no_memory);
            ngx_emage_redis_close(redis, ngx_emage_redis_no_memory);
            return;
        }

        ngx_queue_remove(q);
        redis->nheld--;

        ngx_memcpy(redis->out + redis->out_last, cmd->text, len);

        ngx_free(cmd->text);
        cmd->text = NULL;

        ngx_emage_redis_enqueue(redis, cmd, len);
    }
}


static void
ngx_emage_redis_refused(ngx_emage_redis_t *redis,
    const ngx_emage_resp_t *reply)
{
    ngx_str_t    text;
    const char  *remedy;

    remedy = ngx_emage_redis_remedy(reply);

    if (redis->reported != remedy) {
        redis->reported = remedy;

        text = ngx_emage_resp_str(reply);

        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "redis \"%V\" refused this client: \"%V\"; %s",
                      &redis->conf->url.url, &text, remedy);
    }

    ngx_emage_redis_close(redis, "refused");
}


void
ngx_emage_redis_retry_handler(ngx_event_t *ev)
{
    ngx_emage_redis_t  *redis = ev->data;

    if (redis->state == NGX_EMAGE_REDIS_CLOSED && !redis->stopped) {
        ngx_emage_redis_connect(redis);
    }
}


void
ngx_emage_redis_close(ngx_emage_redis_t *redis, const char *reason)
{
    void                   *data;
    ngx_queue_t             failed, *q;
    ngx_uint_t              ready;
    ngx_msec_t              delay;
    ngx_emage_redis_pt      handler;
    ngx_emage_redis_cmd_t  *cmd;

    ready = (redis->state == NGX_EMAGE_REDIS_READY);
    redis->state = NGX_EMAGE_REDIS_CLOSED;

    if (redis->peer.connection) {
        ngx_close_connection(redis->peer.connection);
        redis->peer.connection = NULL;
    }

    ngx_emage_resp_parser_destroy(redis->parser);
    redis->parser = NULL;

    redis->out_pos = 0;
    redis->out_last = 0;
    redis->queued = 0;
    redis->sent = 0;

    redis->starting = 0;

    ngx_queue_init(&failed);

    if (!ngx_queue_empty(&redis->fifo)) {
        ngx_queue_add(&failed, &redis->fifo);
        ngx_queue_init(&redis->fifo);
    }

    if (!ngx_queue_empty(&redis->held)) {
        ngx_queue_add(&failed, &redis->held);
        ngx_queue_init(&redis->held);
    }

    redis->nheld = 0;

    redis->unsent = ngx_queue_sentinel(&redis->fifo);
    redis->outstanding = 0;

    if (!redis->stopped) {
        delay = redis->backoff / 2;
        delay += (ngx_msec_t) ngx_random() % (redis->backoff - delay + 1);

        ngx_add_timer(&redis->retry, delay);

        redis->backoff = ngx_min(redis->backoff * 2,
                                 NGX_EMAGE_REDIS_RETRY_MAX);
    }

    /* the rest calls out, and whoever is called may submit */

    if (ready && redis->on_state) {
        redis->on_state(redis->on_state_data, 0);
    }

    while (!ngx_queue_empty(&failed)) {
        q = ngx_queue_head(&failed);
        cmd = ngx_queue_data(q, ngx_emage_redis_cmd_t, queue);

        handler = cmd->handler;
        data = cmd->data;

        if (cmd->text) {
            ngx_free(cmd->text);
            cmd->text = NULL;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_head(&redis->free, q);

        if (handler) {
            handler(data, NULL, reason);
        }
    }
}


/* Logs changes alone: an outage is one line, and its end another one. */

void
ngx_emage_redis_report(ngx_emage_redis_t *redis, const char *reason)
{
    if (redis->reported == reason) {
        return;
    }

    redis->reported = reason;

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "redis \"%V\": %s; requests that need it are refused until "
                  "it answers, check that it runs",
                  &redis->conf->url.url, reason);
}


void
ngx_emage_redis_error_reply(ngx_emage_redis_t *redis,
    const ngx_emage_resp_t *reply)
{
    ngx_str_t    text;
    const char  *remedy;

    if (ngx_emage_resp_type(reply) != NGX_EMAGE_RESP_ERROR) {
        return;
    }

    remedy = ngx_emage_redis_remedy(reply);

    if (redis->error == remedy
        && ngx_current_msec - redis->error_time < NGX_EMAGE_REDIS_QUIET)
    {
        return;
    }

    redis->error = remedy;
    redis->error_time = ngx_current_msec;

    text = ngx_emage_resp_str(reply);

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "redis \"%V\" answered \"%V\"; %s",
                  &redis->conf->url.url, &text, remedy);
}


static const char *
ngx_emage_redis_remedy(const ngx_emage_resp_t *reply)
{
    u_char                   *p, *last;
    size_t                    len;
    ngx_str_t                 text;
    ngx_emage_redis_error_t  *e;

    text = ngx_emage_resp_str(reply);

    last = text.data + text.len;

    for (p = text.data; p < last && *p != ' '; p++) { /* void */ }

    len = p - text.data;

    for (e = ngx_emage_redis_errors; e->word.len; e++) {

        if (e->word.len == len
            && ngx_memcmp(e->word.data, text.data, len) == 0)
        {
            break;
        }
    }

    return e->remedy;
}
