
/*
 * Copyright (C) The e-mage authors
 *
 * The access journal of requests.  One durable intent covers further requests
 * of the same subject, session, purpose, action and series under the same
 * records for ten seconds; the record that closes it says what was delivered.
 */


#include "ngx_http_emage_fold.h"
#include "ngx_http_emage_metrics.h"
#include "ngx_http_emage_plan.h"
#include "ngx_http_emage_search.h"


#define NGX_HTTP_EMAGE_ACCESS_TIMER  1000      /* ms */


typedef struct {
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
static ngx_http_emage_fold_t *ngx_http_emage_access_begin(
    ngx_http_emage_ctx_t *ctx);


static ngx_http_emage_accesses_t  *ngx_http_emage_accesses;


ngx_int_t
ngx_http_emage_access_init(ngx_cycle_t *cycle)
{
    ngx_http_emage_accesses_t  *acs;

    acs = ngx_pcalloc(cycle->pool, sizeof(ngx_http_emage_accesses_t));

    if (acs == NULL || ngx_http_emage_fold_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    acs->dummy.fd = (ngx_socket_t) -1;
    acs->timer.handler = ngx_http_emage_access_timer;
    acs->timer.log = cycle->log;
    acs->timer.data = &acs->dummy;
    acs->timer.cancelable = 1;

    ngx_http_emage_accesses = acs;

    ngx_add_timer(&acs->timer, NGX_HTTP_EMAGE_ACCESS_TIMER);

    return NGX_OK;
}


void
ngx_http_emage_access_exit(void)
{
    ngx_http_emage_fold_sweep(1);
    ngx_http_emage_access_flush(0);
}


static void
ngx_http_emage_access_timer(ngx_event_t *ev)
{
    ngx_http_emage_fold_sweep(0);
    ngx_http_emage_access_flush(ngx_time());

    ngx_add_timer(ev, NGX_HTTP_EMAGE_ACCESS_TIMER);
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

    if (ctx->search != NULL) {
        ngx_http_emage_search_access(ctx, access);
    }

    vv = ngx_http_get_indexed_variable(r,
                               ngx_http_emage_worker->conf->request_id_index);

    if (vv != NULL && !vv->not_found) {
        access->request_id.data = (char *) vv->data;
        access->request_id.len = vv->len;
    }
}


ngx_int_t
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
    ngx_int_t               rc;
    ngx_http_emage_fold_t  *fold;

    fold = ctx->fold;

    if (fold == NULL) {

        fold = ngx_http_emage_access_begin(ctx);
        if (fold == NULL) {
            return NGX_ERROR;
        }

        fold->open++;
        ctx->fold = fold;
        ctx->decision_id.data = fold->id;
        ctx->decision_id.len = sizeof(fold->id);
    }

    if (fold->durable) {
        return NGX_OK;
    }

    if (ctx->unrecorded) {

        /* the disk hangs: waiting again would never end */

        ctx->unrecorded = 0;
        ngx_http_emage_fold_unlink(fold);

        return NGX_ERROR;
    }

    rc = ngx_emage_journal_wait(ngx_http_emage_worker->journal, fold->ticket,
                                &ctx->waiter);

    if (rc == NGX_OK) {
        fold->durable = 1;
        return NGX_OK;
    }

    if (rc != NGX_AGAIN) {
        ngx_http_emage_fold_unlink(fold);

    } else {
        ctx->waited = ngx_http_emage_clock();
    }

    return rc;
}


/* The fold of a request: one that is there, or a new one with its intent. */

static ngx_http_emage_fold_t *
ngx_http_emage_access_begin(ngx_http_emage_ctx_t *ctx)
{
    u_char                  key[16];
    uint64_t                ticket;
    emage_access_t          access;
    ngx_http_emage_fold_t  *fold;

    ngx_http_emage_access_fill(ctx, EMAGE_ACCESS_INTENT, &access);
    ngx_http_emage_fold_key(ctx, &access, key);

    fold = ngx_http_emage_fold_find(key);

    if (fold != NULL) {

        if (!fold->durable
            || ngx_emage_journal_wait(ngx_http_emage_worker->journal,
                                      fold->ticket, &ctx->waiter)
               == NGX_OK)
        {
            return fold;
        }

        /* its intent was in a file that somebody has deleted */

        ngx_http_emage_fold_unlink(fold);

        if (fold->open == 0) {
            ngx_http_emage_fold_close(fold);
        }
    }

    if (ngx_http_emage_access_id(ctx) != NGX_OK) {
        return NULL;
    }

    access.decision_id = ngx_http_emage_str(&ctx->decision_id);

    if (ngx_http_emage_access_write(&access, &ticket) != NGX_OK) {
        return NULL;
    }

    return ngx_http_emage_fold_create(key, &access, ticket);
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
