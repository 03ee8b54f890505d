
/*
 * Copyright (C) The e-mage authors
 *
 * What the files of the HTTP part share: configuration, the worker's state,
 * and the context of one request.
 */


#ifndef _NGX_HTTP_EMAGE_H_INCLUDED_
#define _NGX_HTTP_EMAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <emage/base.h>
#include <emage/consent.h>
#include <emage/identifier.h>
#include <emage/resource.h>
#include <emage/session.h>
#include <emage/token.h>

#include "ngx_emage_redis.h"
#include "ngx_emage_lease.h"
#include "ngx_emage_journal.h"


#define NGX_EMAGE_FUNCTIONS_VERSION  4

#define NGX_HTTP_EMAGE_SMALL         65536     /* bytes: memory, not sendfile */
#define NGX_HTTP_EMAGE_CHUNK         (512 * 1024)
#define NGX_HTTP_EMAGE_FILES_AHEAD   16
#define NGX_HTTP_EMAGE_DECISION_LEN  32

#define NGX_HTTP_NOT_ACCEPTABLE      406


typedef struct ngx_http_emage_ctx_s     ngx_http_emage_ctx_t;
typedef struct ngx_http_emage_entry_s   ngx_http_emage_entry_t;
typedef struct ngx_http_emage_fold_s    ngx_http_emage_fold_t;
typedef struct ngx_http_emage_series_s  ngx_http_emage_series_t;
typedef struct ngx_http_emage_plan_s    ngx_http_emage_plan_t;
typedef struct ngx_http_emage_stream_s  ngx_http_emage_stream_t;
typedef struct ngx_http_emage_search_s  ngx_http_emage_search_t;


typedef struct {
    ngx_emage_redis_conf_t  redis;
    ngx_str_t               policy_dir;
    ngx_str_t               journal;       /* directory */
    ngx_str_t               node;
    ngx_array_t             issuers;       /* emage_issuer_t */
    ngx_array_t             locations;     /* ngx_http_emage_location_t */
    ngx_array_t             stores;        /* ngx_str_t, real paths */
    u_char                  issuers_digest[32];

    emage_policy_t         *policy;
    ngx_emage_lease_t      *lease;
    ngx_shm_zone_t         *tokens;
    ngx_shm_zone_t         *metrics;
    ngx_thread_pool_t      *pool;
    ngx_int_t               request_id_index;
    size_t                  body_cache;    /* bytes a worker */
    u_char                  key[EMAGE_IDENTIFIER_KEY];

    unsigned                key_set:1;
    unsigned                redis_set:1;
    unsigned                used:1;        /* a location is guarded */
} ngx_http_emage_main_conf_t;


typedef struct {
    ngx_str_t               store;         /* real path, no slash at the end */
    ngx_str_t               prefix;        /* of the URI */
} ngx_http_emage_loc_conf_t;


/* State of one worker, made in init_process. */

typedef struct {
    ngx_http_emage_main_conf_t  *conf;
    ngx_cycle_t                 *cycle;
    ngx_emage_redis_t           *redis;
    ngx_emage_lease_t           *lease;
    ngx_emage_journal_t         *journal;
    emage_scratch_t             *scratch;
    emage_buf_t                  buf;      /* of one record or token, reused */
    ngx_queue_t                  transfers;    /* contexts with an open body */
    ngx_queue_t                  drains;   /* connections, of finished ones */
    ngx_event_t                  drain;
} ngx_http_emage_worker_t;


typedef enum {
    NGX_HTTP_EMAGE_IDENTITY = 0,
    NGX_HTTP_EMAGE_FACTS,
    NGX_HTTP_EMAGE_DECIDE,
    NGX_HTTP_EMAGE_SEARCH,                 /* instead of both */
    NGX_HTTP_EMAGE_JOURNAL,
    NGX_HTTP_EMAGE_SERVE,
    NGX_HTTP_EMAGE_DONE
} ngx_http_emage_state_e;


/*
 * One who needs the facts of a study (ngx_http_emage_entry.h).  `handler` is
 * called when they have come, or have not: then ask again.
 */

typedef struct {
    ngx_http_emage_entry_t      *entry;    /* facts, one reference */
    ngx_queue_t                  waiting;  /* for the entry's facts */
    ngx_int_t                    fetched;  /* why they did not come */
    const char                  *cause;
    ngx_uint_t                   rounds;   /* of facts that went stale */
    void                       (*handler)(void *data);
    void                        *data;

    unsigned                     fetching:1;
} ngx_http_emage_want_t;


/* The session of a request that came with a cookie. */

typedef struct {
    char                         hash[EMAGE_SESSION_HASH];
    ngx_emage_stamp_t            stamp;
    ngx_emage_redis_cmd_t       *cmd;
    ngx_queue_t                  queue;    /* while `queued` */
    uint64_t                     asked;    /* us */
    ngx_int_t                    answer;
    ngx_uint_t                   rounds;   /* of answers that went stale */

    unsigned                     used:1;
    unsigned                     queued:1;
    unsigned                     answered:1;
} ngx_http_emage_session_t;


struct ngx_http_emage_ctx_s {
    ngx_http_request_t          *request;
    ngx_http_emage_loc_conf_t   *conf;
    ngx_http_emage_state_e       state;

    emage_resource_t             resource;
    emage_subject_t              subject;
    u_char                      *packed;   /* what subject points into */
    size_t                       packed_len;
    ngx_http_emage_session_t     session;

    ngx_http_emage_want_t        want;     /* facts */

    emage_verdict_t              verdict;
    ngx_str_t                    decision_id;
    const char                  *cause;    /* of a refusal or failure */

    ngx_http_emage_fold_t       *fold;
    ngx_emage_journal_waiter_t   waiter;
    uint64_t                     waited;   /* for it since, us */

    ngx_http_emage_plan_t       *plan;
    ngx_http_emage_stream_t     *stream;
    ngx_http_emage_search_t     *search;
    ngx_queue_t                  transfer; /* in worker's transfers */
    ngx_msec_t                   start;

    unsigned                     suspended:1;  /* holds a main->count */
    unsigned                     transferring:1;
    unsigned                     permitted:1;
    unsigned                     refused:1;
    unsigned                     unauthenticated:1;
    unsigned                     unacceptable:1;
    unsigned                     revoked:1;
    unsigned                     closing:1;    /* HTTP/1, then the connection */
    unsigned                     complete:1;
    unsigned                     unrecorded:1; /* the waiter was told so */
    unsigned                     tallied:1;
};


extern ngx_module_t  ngx_http_emage_module;

/* NULL outside workers. */

extern ngx_http_emage_worker_t  *ngx_http_emage_worker;


/* location: guarded locations, and that nothing else leads to the store */

ngx_int_t ngx_http_emage_init_locations(ngx_conf_t *cf,
    ngx_http_emage_main_conf_t *emcf);
void *ngx_http_emage_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_emage_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
char *ngx_http_emage(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_emage_check_locations(ngx_conf_t *cf,
    ngx_http_emage_main_conf_t *emcf);


/* handler: the state machine of one request */

ngx_int_t ngx_http_emage_handler(ngx_http_request_t *r);
void ngx_http_emage_resume(ngx_http_emage_ctx_t *ctx);
ngx_int_t ngx_http_emage_suspend(ngx_http_emage_ctx_t *ctx);
ngx_http_emage_ctx_t *ngx_http_emage_get_ctx(ngx_http_request_t *r);


/*
 * identity: NGX_OK with ctx->subject, NGX_AGAIN when the request has to wait,
 * NGX_DECLINED (401), NGX_ERROR
 */

ngx_int_t ngx_http_emage_identify(ngx_http_emage_ctx_t *ctx);
char *ngx_http_emage_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_emage_tokens_add(ngx_conf_t *cf,
    ngx_http_emage_main_conf_t *emcf);


/*
 * facts: NGX_OK with fresh ones, NGX_AGAIN when the request has to wait,
 * NGX_DECLINED when the study is not known, NGX_ERROR when facts cannot be had
 * now (ctx->cause says why).
 */

ngx_int_t ngx_http_emage_facts_get(ngx_http_emage_ctx_t *ctx);
void ngx_http_emage_facts_leave(ngx_http_emage_ctx_t *ctx);
ngx_uint_t ngx_http_emage_facts_fresh(ngx_http_emage_ctx_t *ctx);
const emage_facts_t *ngx_http_emage_facts(ngx_http_emage_ctx_t *ctx);
ngx_int_t ngx_http_emage_facts_init(ngx_cycle_t *cycle);

/* Decides by policy, remembering the verdict with the facts. */

ngx_int_t ngx_http_emage_decide(ngx_http_emage_ctx_t *ctx);


/*
 * access: the journal of one request.  ngx_http_emage_access_intent: NGX_OK
 * when a durable intent covers it, NGX_AGAIN when the waiter of the context
 * will be called, NGX_ERROR.
 */

ngx_int_t ngx_http_emage_access_init(ngx_cycle_t *cycle);
void ngx_http_emage_access_exit(void);
ngx_int_t ngx_http_emage_access_intent(ngx_http_emage_ctx_t *ctx);
void ngx_http_emage_access_outcome(ngx_http_emage_ctx_t *ctx);
ngx_int_t ngx_http_emage_access_refusal(ngx_http_emage_ctx_t *ctx);
void ngx_http_emage_access_count(ngx_uint_t malformed);


/*
 * refusal: answers that carry no image.  They return NGX_OK or NGX_ERROR for
 * ngx_http_finalize_request().
 */

ngx_int_t ngx_http_emage_refuse(ngx_http_emage_ctx_t *ctx);
ngx_int_t ngx_http_emage_unauthorized(ngx_http_emage_ctx_t *ctx,
    ngx_uint_t presented);
ngx_int_t ngx_http_emage_unavailable(ngx_http_emage_ctx_t *ctx);
ngx_int_t ngx_http_emage_not_allowed(ngx_http_request_t *r);
ngx_int_t ngx_http_emage_bad_request(ngx_http_emage_ctx_t *ctx,
    const char *detail);
ngx_int_t ngx_http_emage_not_acceptable(ngx_http_emage_ctx_t *ctx,
    ngx_str_t *stored);
ngx_int_t ngx_http_emage_not_satisfiable(ngx_http_emage_ctx_t *ctx,
    off_t length);
ngx_int_t ngx_http_emage_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);
ngx_int_t ngx_http_emage_common_headers(ngx_http_request_t *r);

/* The text of a refusal, in the header of an empty list. */

ngx_int_t ngx_http_emage_notice(ngx_http_request_t *r);


/*
 * plan: what an answer consists of.  NGX_OK, NGX_DECLINED (nothing of the
 * resource exists or may be seen), NGX_ERROR (the store is damaged; logged),
 * NGX_HTTP_NOT_ACCEPTABLE with what is `stored`.
 */

ngx_int_t ngx_http_emage_plan_make(ngx_http_emage_ctx_t *ctx,
    ngx_str_t *stored);


/* serve: sends what was planned */

ngx_int_t ngx_http_emage_serve(ngx_http_emage_ctx_t *ctx);
void ngx_http_emage_transfer_end(ngx_http_emage_ctx_t *ctx);

/* watch: open transfers go on only while they are permitted */

void ngx_http_emage_watch(void *data);
ngx_int_t ngx_http_emage_recheck(ngx_http_emage_ctx_t *ctx);
void ngx_http_emage_rechecked(ngx_http_emage_ctx_t *ctx);
ngx_int_t ngx_http_emage_reset(ngx_http_emage_ctx_t *ctx);

/* Whether closing the connection resets it and drops what is unsent. */

void ngx_http_emage_linger(ngx_connection_t *c, ngx_uint_t on);


/* status */

ngx_int_t ngx_http_emage_add_variables(ngx_conf_t *cf);


/* Wall clock, ms since 1970, as of this turn of the event loop. */

static ngx_inline int64_t
ngx_http_emage_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + (int64_t) tp->msec;
}


static ngx_inline emage_str_t
ngx_http_emage_str(ngx_str_t *s)
{
    emage_str_t  str;

    str.data = (const char *) s->data;
    str.len = s->len;

    return str;
}


/*
 * Whether `s` begins with the literal, given in lower case; `nocase` 1: in any
 * case.  For syntax, never for identity.
 */

static ngx_inline ngx_uint_t
ngx_http_emage_begins(ngx_str_t *s, const char *prefix, ngx_uint_t nocase)
{
    size_t  i;

    for (i = 0; prefix[i] != '\0'; i++) {

        if (i == s->len
            || (nocase ? ngx_tolower(s->data[i]) : s->data[i])
               != (u_char) prefix[i])
        {
            return 0;
        }
    }

    return 1;
}


#endif /* _NGX_HTTP_EMAGE_H_INCLUDED_ */
