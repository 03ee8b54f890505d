
/*
 * Copyright (C) The e-mage authors
 *
 * The access journal of requests.  One durable intent covers further requests
 * of the same subject, session, purpose, action and series under the same
 * records for ten seconds; the record that closes it says what was delivered.
 */


#include "ngx_http_emage.h"
#include "ngx_http_emage_plan.h"

#include <ngx_md5.h>


#define NGX_HTTP_EMAGE_FOLD_TIME       10000      /* ms */
#define NGX_HTTP_EMAGE_FOLD_TIMER      1000       /* ms */
#define NGX_HTTP_EMAGE_FOLD_BUCKETS    4096
#define NGX_HTTP_EMAGE_FOLD_LIST       1024       /* instances listed */
#define NGX_HTTP_EMAGE_FOLD_SEEN       2048       /* a power of 2, over it */


struct ngx_http_emage_fold_s {
    ngx_queue_t       queue;               /* of a bucket, while linked */
    ngx_queue_t       order;               /* oldest first */
    u_char            key[16];
    u_char            id[NGX_HTTP_EMAGE_DECISION_LEN];
    uint64_t          ticket;
    ngx_msec_t        created;
    ngx_uint_t        open;                /* requests under way */

    emage_access_t    access;
    emage_subject_t   subject;
    u_char           *strings;             /* that the two point into */
    emage_str_t       reasons[EMAGE_REASONS_MAX];

    uint64_t         *seen;                /* hashes of listed instances */
    emage_buf_t       instances;

    unsigned          linked:1;            /* further requests may join */
    unsigned          durable:1;
};


typedef struct {
    ngx_queue_t       buckets[NGX_HTTP_EMAGE_FOLD_BUCKETS];
    ngx_queue_t       order;
    ngx_event_t       timer;
    ngx_connection_t  dummy;
    time_t            second;
    uint64_t          counts[2];           /* unauthenticated, malformed */
} ngx_http_emage_accesses_t;


static void ngx_http_emage_access_timer(ngx_event_t *ev);
static void ngx_http_emage_access_flush(time_t now);
static ngx_int_t ngx_http_emage_access_id(ngx_http_emage_ctx_t *ctx);
static void ngx_http_emage_access_fill(ngx_http_emage_ctx_t *ctx,
    emage_access_type_t type, emage_access_t *access);
static ngx_int_t ngx_http_emage_access_write(emage_access_t *access,
    uint64_t *ticket);
static void ngx_http_emage_fold_key(ngx_http_emage_ctx_t *ctx,
    emage_access_t *access, u_char *key);
static ngx_http_emage_fold_t *ngx_http_emage_fold_find(u_char *key);
static ngx_http_emage_fold_t *ngx_http_emage_fold_create(
    ngx_http_emage_ctx_t *ctx, emage_access_t *access, u_char *key);
static ngx_int_t ngx_http_emage_fold_copy(ngx_http_emage_fold_t *fold,
    emage_access_t *access);
static void ngx_http_emage_fold_unlink(ngx_http_emage_fold_t *fold);
static void ngx_http_emage_fold_close(ngx_http_emage_fold_t *fold);
static void ngx_http_emage_fold_free(ngx_http_emage_fold_t *fold);
static void ngx_http_emage_fold_list(ngx_http_emage_fold_t *fold,
    emage_str_t instance);


static ngx_http_emage_accesses_t  *ngx_http_emage_accesses;


ngx_int_t
ngx_http_emage_access_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_http_emage_accesses_t  *acs;

    acs = ngx_pcalloc(cycle->pool, sizeof(ngx_http_emage_accesses_t));
    if (acs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_EMAGE_FOLD_BUCKETS; i++) {
        ngx_queue_init(&acs->buckets[i]);
    }

    ngx_queue_init(&acs->order);

    acs->dummy.fd = (ngx_socket_t) -1;
    acs->timer.handler = ngx_http_emage_access_timer;
    acs->timer.log = cycle->log;
    acs->timer.data = &acs->dummy;
    acs->timer.cancelable = 1;

    ngx_http_emage_accesses = acs;

    ngx_add_timer(&acs->timer, NGX_HTTP_EMAGE_FOLD_TIMER);

    return NGX_OK;
}


/* Nothing is open any more, or never will be closed in order: record all. */

void
ngx_http_emage_access_exit(void)
{
    ngx_queue_t            *q;
    ngx_http_emage_fold_t  *fold;

    while (!ngx_queue_empty(&ngx_http_emage_accesses->order)) {

        q = ngx_queue_head(&ngx_http_emage_accesses->order);
        fold = ngx_queue_data(q, ngx_http_emage_fold_t, order);

        fold->access.incomplete += (uint32_t) fold->open;

        ngx_http_emage_fold_unlink(fold);
        ngx_http_emage_fold_close(fold);
    }

    ngx_http_emage_access_flush(0);
}


static void
ngx_http_emage_access_timer(ngx_event_t *ev)
{
    ngx_queue_t            *q, *next;
    ngx_http_emage_fold_t  *fold;

    for (q = ngx_queue_head(&ngx_http_emage_accesses->order);
         q != ngx_queue_sentinel(&ngx_http_emage_accesses->order);
         q = next)
    {
        next = ngx_queue_next(q);
        fold = ngx_queue_data(q, ngx_http_emage_fold_t, order);

        if (ngx_current_msec - fold->created < NGX_HTTP_EMAGE_FOLD_TIME) {
            break;
        }

        ngx_http_emage_fold_unlink(fold);

        if (fold->open == 0) {
            ngx_http_emage_fold_close(fold);
        }
    }

    ngx_http_emage_access_flush(ngx_time());

    ngx_add_timer(ev, NGX_HTTP_EMAGE_FOLD_TIMER);
}


/*
 * Requests without an identity cost one record a second, however many: a flood
 * cannot fill the journal.
 */

void
ngx_http_emage_access_count(ngx_uint_t malformed)
{
    ngx_http_emage_access_flush(ngx_time());

    ngx_http_emage_accesses->counts[malformed ? 1 : 0]++;
}


/* Records the counts of a second that has passed (any, when now is 0). */

static void
ngx_http_emage_access_flush(time_t now)
{
    uint64_t                    ticket;
    ngx_uint_t                  i;
    ngx_http_emage_worker_t    *worker;
    ngx_http_emage_accesses_t  *acs;

    static const char  *names[] = { "unauthenticated", "malformed" };

    acs = ngx_http_emage_accesses;
    worker = ngx_http_emage_worker;

    if (acs->second == now) {
        return;
    }

    for (i = 0; i < 2; i++) {

        if (acs->counts[i] == 0) {
            continue;
        }

        emage_buf_reset(&worker->buf);

        if (emage_count_body(&worker->buf, (int64_t) acs->second,
                             names[i], acs->counts[i])
            == EMAGE_OK)
        {
            (void) ngx_emage_journal_append(worker->journal,
                                            (emage_str_t) { worker->buf.data,
                                                            worker->buf.len },
                                            &ticket);
        }

        acs->counts[i] = 0;
    }

    acs->second = now;
}


static ngx_int_t
ngx_http_emage_access_id(ngx_http_emage_ctx_t *ctx)
{
    u_char  *p, random[NGX_HTTP_EMAGE_DECISION_LEN / 2];

    if (!emage_random(random, sizeof(random))) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(ctx->request->pool, NGX_HTTP_EMAGE_DECISION_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(p, random, sizeof(random));

    ctx->decision_id.data = p;
    ctx->decision_id.len = NGX_HTTP_EMAGE_DECISION_LEN;

    return NGX_OK;
}


static void
ngx_http_emage_access_fill(ngx_http_emage_ctx_t *ctx, emage_access_type_t type,
    emage_access_t *access)
{
    ngx_http_request_t         *r;
    const emage_facts_t        *facts;
    ngx_http_variable_value_t  *vv;

    r = ctx->request;
    facts = ngx_http_emage_facts(ctx);

    ngx_memzero(access, sizeof(emage_access_t));

    access->type = type;
    access->time = ngx_http_emage_now();
    access->decision_id = ngx_http_emage_str(&ctx->decision_id);
    access->subject = &ctx->subject;
    access->purpose = ctx->verdict.purpose.len != 0 ? ctx->verdict.purpose
                                                    : ctx->subject.purpose;
    access->action = emage_resource_kind_name(ctx->resource.kind);
    access->study = ctx->resource.study;
    access->series = ctx->resource.series;
    access->policy = emage_policy_revision(ngx_http_emage_worker->conf->policy);
    access->reasons = ctx->verdict.reasons;
    access->nreasons = ctx->verdict.nreasons;
    access->errors = ctx->verdict.errors;

    if (facts != NULL) {
        access->pid = emage_facts_pid(facts);
        access->study_version = emage_facts_study_version(facts);
        access->patient_version = emage_facts_patient_version(facts);
    }

    vv = ngx_http_get_indexed_variable(r,
                               ngx_http_emage_worker->conf->request_id_index);

    if (vv != NULL && !vv->not_found) {
        access->request_id.data = (char *) vv->data;
        access->request_id.len = vv->len;
    }
}


static ngx_int_t
ngx_http_emage_access_write(emage_access_t *access, uint64_t *ticket)
{
    emage_str_t               body;
    ngx_http_emage_worker_t  *worker;

    worker = ngx_http_emage_worker;

    emage_buf_reset(&worker->buf);

    if (emage_access_body(&worker->buf, access) != EMAGE_OK) {
        return NGX_ERROR;
    }

    body.data = worker->buf.data;
    body.len = worker->buf.len;

    return ngx_emage_journal_append(worker->journal, body, ticket);
}


ngx_int_t
ngx_http_emage_access_refusal(ngx_http_emage_ctx_t *ctx)
{
    uint64_t        ticket;
    emage_access_t  access;

    if (ngx_http_emage_access_id(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_emage_access_fill(ctx, EMAGE_ACCESS_REFUSAL, &access);

    access.instance = ctx->resource.instance;
    access.cause = emage_str_c(ctx->cause);

    if (ngx_http_emage_access_write(&access, &ticket) != NGX_OK) {
        ctx->cause = "journal";
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_emage_access_intent(ngx_http_emage_ctx_t *ctx)
{
    u_char                  key[16];
    ngx_int_t               rc;
    emage_access_t          access;
    ngx_http_emage_fold_t  *fold;

    fold = ctx->fold;

    if (fold == NULL) {

        ngx_http_emage_access_fill(ctx, EMAGE_ACCESS_INTENT, &access);
        ngx_http_emage_fold_key(ctx, &access, key);

        fold = ngx_http_emage_fold_find(key);

        if (fold == NULL) {
            fold = ngx_http_emage_fold_create(ctx, &access, key);
            if (fold == NULL) {
                return NGX_ERROR;
            }
        }

        fold->open++;
        ctx->fold = fold;
        ctx->decision_id.data = fold->id;
        ctx->decision_id.len = sizeof(fold->id);
    }

    if (fold->durable) {
        return NGX_OK;
    }

    rc = ngx_emage_journal_wait(ngx_http_emage_worker->journal, fold->ticket,
                                &ctx->waiter);

    if (rc == NGX_OK) {
        fold->durable = 1;
        return NGX_OK;
    }

    if (rc != NGX_AGAIN) {
        ngx_http_emage_fold_unlink(fold);
    }

    return rc;
}


/* Takes a request that has ended, or starts anew, out of its fold. */

void
ngx_http_emage_access_outcome(ngx_http_emage_ctx_t *ctx)
{
    off_t                   bytes;
    u_char                 *id;
    ngx_http_request_t     *r;
    ngx_http_emage_fold_t  *fold;

    fold = ctx->fold;

    if (fold == NULL) {
        return;
    }

    r = ctx->request;
    ctx->fold = NULL;
    fold->open--;

    /* the id stays readable for variables after the fold has gone */

    id = ngx_pnalloc(r->pool, NGX_HTTP_EMAGE_DECISION_LEN);

    if (id != NULL) {
        ngx_memcpy(id, fold->id, NGX_HTTP_EMAGE_DECISION_LEN);
        ctx->decision_id.data = id;

    } else {
        ctx->decision_id.len = 0;
    }

    if (r->header_sent) {
        bytes = r->connection->sent - (off_t) r->header_size;

        fold->access.status = (uint32_t) r->headers_out.status;
        fold->access.requests++;
        fold->access.bytes += bytes > 0 ? (uint64_t) bytes : 0;
        fold->access.frames += ctx->plan != NULL ? ctx->plan->nframes : 0;

        if (!ctx->complete || r->buffered) {
            fold->access.incomplete++;
        }

        if (ctx->resource.instance.len != 0) {
            ngx_http_emage_fold_list(fold, ctx->resource.instance);

        } else if (ctx->plan != NULL) {
            fold->access.ninstances = ngx_max(fold->access.ninstances,
                                              ctx->plan->ninstances);
        }
    }

    if (fold->open == 0 && !fold->linked) {
        ngx_http_emage_fold_close(fold);
    }
}


static void
ngx_http_emage_fold_key(ngx_http_emage_ctx_t *ctx, emage_access_t *access,
    u_char *key)
{
    ngx_md5_t  md5;

    ngx_md5_init(&md5);

#define ngx_http_emage_fold_add(s)                                           \
    ngx_md5_update(&md5, &(s).len, sizeof(size_t));                          \
    ngx_md5_update(&md5, (s).data, (s).len)

    ngx_http_emage_fold_add(ctx->subject.id);
    ngx_http_emage_fold_add(ctx->subject.session);
    ngx_http_emage_fold_add(access->purpose);
    ngx_http_emage_fold_add(access->action);
    ngx_http_emage_fold_add(access->study);
    ngx_http_emage_fold_add(access->series);

#undef ngx_http_emage_fold_add

    ngx_md5_update(&md5, &access->study_version, sizeof(int64_t));
    ngx_md5_update(&md5, &access->patient_version, sizeof(int64_t));
    ngx_md5_update(&md5, &ctx->verdict.permits, sizeof(unsigned));

    ngx_md5_final(key, &md5);
}


static ngx_http_emage_fold_t *
ngx_http_emage_fold_find(u_char *key)
{
    uint32_t                n;
    ngx_queue_t            *q, *bucket;
    ngx_http_emage_fold_t  *fold;

    ngx_memcpy(&n, key, sizeof(uint32_t));
    bucket = &ngx_http_emage_accesses
                  ->buckets[n % NGX_HTTP_EMAGE_FOLD_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        fold = ngx_queue_data(q, ngx_http_emage_fold_t, queue);

        if (ngx_memcmp(fold->key, key, sizeof(fold->key)) == 0
            && ngx_current_msec - fold->created < NGX_HTTP_EMAGE_FOLD_TIME)
        {
            return fold;
        }
    }

    return NULL;
}


static ngx_http_emage_fold_t *
ngx_http_emage_fold_create(ngx_http_emage_ctx_t *ctx, emage_access_t *access,
    u_char *key)
{
    uint32_t                n;
    ngx_log_t              *log;
    ngx_http_emage_fold_t  *fold;

    log = ctx->request->connection->log;

    if (ngx_http_emage_access_id(ctx) != NGX_OK) {
        return NULL;
    }

    access->decision_id = ngx_http_emage_str(&ctx->decision_id);

    fold = ngx_calloc(sizeof(ngx_http_emage_fold_t), log);
    if (fold == NULL) {
        return NULL;
    }

    emage_buf_init(&fold->instances, 128 * 1024);

    ngx_memcpy(fold->key, key, sizeof(fold->key));
    ngx_memcpy(fold->id, ctx->decision_id.data, sizeof(fold->id));
    fold->created = ngx_current_msec;

    if (ngx_http_emage_fold_copy(fold, access) != NGX_OK
        || ngx_http_emage_access_write(access, &fold->ticket) != NGX_OK)
    {
        ngx_http_emage_fold_free(fold);
        return NULL;
    }

    ngx_memcpy(&n, key, sizeof(uint32_t));

    ngx_queue_insert_head(&ngx_http_emage_accesses
                              ->buckets[n % NGX_HTTP_EMAGE_FOLD_BUCKETS],
                          &fold->queue);
    ngx_queue_insert_tail(&ngx_http_emage_accesses->order, &fold->order);
    fold->linked = 1;

    return fold;
}


/*
 * The closing record is written long after the request has gone: the fold has
 * its own copy of every string.  Reasons and policy revision are the policy's.
 */

static ngx_int_t
ngx_http_emage_fold_copy(ngx_http_emage_fold_t *fold, emage_access_t *access)
{
    size_t        packed, len;
    u_char       *p;
    ngx_uint_t    i;
    emage_str_t  *strings[5];
    u_char        subject[EMAGE_SUBJECT_MAX];

    packed = emage_subject_pack(access->subject, subject, sizeof(subject));
    if (packed == 0) {
        return NGX_ERROR;
    }

    fold->access = *access;

    strings[0] = &fold->access.request_id;
    strings[1] = &fold->access.study;
    strings[2] = &fold->access.series;
    strings[3] = &fold->access.pid;
    strings[4] = &fold->access.purpose;

    len = packed;

    for (i = 0; i < 5; i++) {
        len += strings[i]->len;
    }

    fold->strings = ngx_alloc(len, ngx_http_emage_worker->cycle->log);
    if (fold->strings == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(fold->strings, subject, packed);

    if (emage_subject_unpack(fold->strings, packed, &fold->subject)
        != EMAGE_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < 5; i++) {
        ngx_memcpy(p, strings[i]->data, strings[i]->len);
        strings[i]->data = (char *) p;
        p += strings[i]->len;
    }

    for (i = 0; i < access->nreasons; i++) {
        fold->reasons[i] = access->reasons[i];
    }

    fold->access.type = EMAGE_ACCESS_OUTCOME;
    fold->access.subject = &fold->subject;
    fold->access.reasons = fold->reasons;
    fold->access.decision_id.data = (char *) fold->id;
    fold->access.decision_id.len = sizeof(fold->id);

    return NGX_OK;
}


static void
ngx_http_emage_fold_unlink(ngx_http_emage_fold_t *fold)
{
    if (fold->linked) {
        ngx_queue_remove(&fold->queue);
        fold->linked = 0;
    }
}


static void
ngx_http_emage_fold_close(ngx_http_emage_fold_t *fold)
{
    int64_t   now;
    uint64_t  ticket;

    ngx_queue_remove(&fold->order);

    now = ngx_http_emage_now();

    fold->access.duration = now - fold->access.time;
    fold->access.time = now;
    fold->access.instances.data = fold->instances.data;
    fold->access.instances.len = 0;

    if (fold->instances.len != 0
        && emage_buf_add_c(&fold->instances, "]") == EMAGE_OK)
    {
        fold->access.instances.data = fold->instances.data;
        fold->access.instances.len = fold->instances.len;
    }

    if (ngx_http_emage_access_write(&fold->access, &ticket) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, ngx_http_emage_worker->cycle->log, 0,
                      "outcome of decision %*s is not recorded; its intent is",
                      sizeof(fold->id), fold->id);
    }

    ngx_http_emage_fold_free(fold);
}


static void
ngx_http_emage_fold_free(ngx_http_emage_fold_t *fold)
{
    emage_buf_free(&fold->instances);

    if (fold->seen != NULL) {
        ngx_free(fold->seen);
    }

    if (fold->strings != NULL) {
        ngx_free(fold->strings);
    }

    ngx_free(fold);
}


/*
 * Adds an instance to the list unless it is there; past the limits only the
 * number goes on, then counting every request.
 */

static void
ngx_http_emage_fold_list(ngx_http_emage_fold_t *fold, emage_str_t instance)
{
    uint64_t    hash;
    ngx_uint_t  i;

    if (fold->access.ninstances >= NGX_HTTP_EMAGE_FOLD_LIST) {
        fold->access.ninstances++;
        return;
    }

    if (fold->seen == NULL) {
        fold->seen = ngx_calloc(NGX_HTTP_EMAGE_FOLD_SEEN * sizeof(uint64_t),
                                ngx_http_emage_worker->cycle->log);
        if (fold->seen == NULL) {
            fold->access.ninstances++;
            return;
        }
    }

    hash = (uint64_t) ngx_murmur_hash2((u_char *) instance.data, instance.len)
           << 32
           | ngx_crc32_long((u_char *) instance.data, instance.len);
    hash = hash ? hash : 1;

    for (i = hash % NGX_HTTP_EMAGE_FOLD_SEEN;
         fold->seen[i] != 0;
         i = (i + 1) % NGX_HTTP_EMAGE_FOLD_SEEN)
    {
        if (fold->seen[i] == hash) {
            return;
        }
    }

    fold->seen[i] = hash;

    (void) emage_buf_add_c(&fold->instances,
                           fold->access.ninstances++ == 0 ? "[" : ",");
    (void) emage_buf_add_json(&fold->instances, instance);
}
