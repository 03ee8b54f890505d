
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_plan.h"
#include "ngx_http_emage_search.h"
#include "ngx_http_emage_session.h"


#define NGX_HTTP_EMAGE_SEARCH_ROUNDS  4


static ngx_int_t ngx_http_emage_search_start(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_search_accept(ngx_http_emage_ctx_t *ctx);
static void ngx_http_emage_search_free(void *data);
static void ngx_http_emage_search_reset(ngx_http_emage_search_t *search);
static ngx_int_t ngx_http_emage_search_begin(ngx_http_emage_search_t *search);
static ngx_int_t ngx_http_emage_search_decide(
    ngx_http_emage_search_t *search);
static ngx_int_t ngx_http_emage_search_facts(ngx_http_emage_search_t *search,
    ngx_http_emage_candidate_t *candidate);
static ngx_int_t ngx_http_emage_search_candidate(
    ngx_http_emage_search_t *search, ngx_http_emage_candidate_t *candidate);
static void ngx_http_emage_search_come(void *data);
static void ngx_http_emage_search_yield(ngx_http_emage_search_t *search);
static void ngx_http_emage_search_event(ngx_event_t *ev);
static ngx_int_t ngx_http_emage_search_hits(ngx_http_emage_search_t *search);
static int ngx_http_emage_search_cmp(const void *one, const void *two);
static ngx_int_t ngx_http_emage_search_page(ngx_http_emage_search_t *search);
static ngx_int_t ngx_http_emage_search_done(ngx_http_emage_ctx_t *ctx);


ngx_int_t
ngx_http_emage_search(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_emage_search_t  *search;

    if (ctx->search == NULL) {

        rc = ngx_http_emage_search_start(ctx);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    search = ctx->search;
    search->budget = NGX_HTTP_EMAGE_SEARCH_TURN;

    for ( ;; ) {

        switch (search->state) {

        case NGX_HTTP_EMAGE_SEARCH_LIST:
            rc = ngx_http_emage_candidates(search);

            if (rc == NGX_OK) {
                rc = ngx_http_emage_search_begin(search);
                search->state = NGX_HTTP_EMAGE_SEARCH_DECIDE;
            }

            break;

        case NGX_HTTP_EMAGE_SEARCH_DECIDE:
            rc = ngx_http_emage_search_decide(search);

            if (rc == NGX_OK) {
                rc = ngx_http_emage_search_hits(search);
                search->state = NGX_HTTP_EMAGE_SEARCH_PAGE;
            }

            break;

        case NGX_HTTP_EMAGE_SEARCH_PAGE:
            rc = ngx_http_emage_search_page(search);

            if (rc == NGX_OK) {
                search->state = NGX_HTTP_EMAGE_SEARCH_DONE;
            }

            break;

        default:
            return ngx_http_emage_search_done(ctx);
        }

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc != NGX_OK) {

            /* what is still on its way must not find a finished request */

            ngx_http_emage_search_cleanup(ctx);

            return ngx_http_emage_unavailable(ctx);
        }
    }
}


/* NGX_DECLINED: go on; anything else ends the request. */

static ngx_int_t
ngx_http_emage_search_start(ngx_http_emage_ctx_t *ctx)
{
    char                     *text;
    ngx_int_t                 rc;
    emage_error_t             err;
    emage_level_t             level;
    ngx_http_request_t       *r;
    ngx_pool_cleanup_t       *cln;
    ngx_http_emage_search_t  *search;

    r = ctx->request;

    rc = ngx_http_emage_search_accept(ctx);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /*
     * The body is given back with the pool: HTTP/2 may still have frames of it
     * queued when the request itself has ended.
     */

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_emage_search_t));
    text = ngx_pnalloc(r->pool, r->args.len + 1);

    if (cln == NULL || text == NULL) {
        ctx->cause = "memory";
        return ngx_http_emage_unavailable(ctx);
    }

    search = cln->data;
    ngx_memzero(search, sizeof(ngx_http_emage_search_t));

    search->ctx = ctx;
    search->event.handler = ngx_http_emage_search_event;
    search->event.data = search;
    search->event.log = ngx_http_emage_worker->cycle->log;

    emage_buf_init(&search->body, NGX_HTTP_EMAGE_SEARCH_BODY);
    emage_buf_init(&search->described, 2 * EMAGE_QUERY_MAX + 4096);
    emage_buf_init(&search->studies, EMAGE_JOURNAL_LINE_MAX / 4);
    emage_buf_init(&search->pids, EMAGE_JOURNAL_LINE_MAX / 4);
    ngx_queue_init(&search->ready);

    cln->handler = ngx_http_emage_search_free;

    level = ctx->resource.kind == EMAGE_RESOURCE_SEARCH_STUDIES
            ? EMAGE_LEVEL_STUDY
            : ctx->resource.kind == EMAGE_RESOURCE_SEARCH_SERIES
            ? EMAGE_LEVEL_SERIES : EMAGE_LEVEL_INSTANCE;

    search->from = ctx->resource.study.len == 0 ? EMAGE_LEVEL_STUDY
                   : ctx->resource.series.len == 0 ? EMAGE_LEVEL_SERIES
                   : EMAGE_LEVEL_INSTANCE;

    if (emage_query_parse(ngx_http_emage_str(&r->args), level, text,
                          &search->query, &err)
        != EMAGE_OK)
    {
        ctx->cause = "malformed query";
        ngx_http_emage_access_count(1);
        return ngx_http_emage_bad_request(ctx, err.text);
    }

    ctx->search = search;
    ngx_http_emage_search_reset(search);

    return NGX_DECLINED;
}


/* NGX_DECLINED when the client takes what there is; else it has been told. */

static ngx_int_t
ngx_http_emage_search_accept(ngx_http_emage_ctx_t *ctx)
{
    bool            octets;
    ngx_str_t       accept, stored;
    emage_accept_t  ranges;
    emage_stored_t  kind;

    if (ngx_http_emage_plan_accept(ctx->request, &accept) != NGX_OK) {
        ctx->cause = "memory";
        return ngx_http_emage_unavailable(ctx);
    }

    kind.media_type = emage_str("application/dicom+json");
    kind.transfer_syntax = emage_null_str;

    if (emage_accept_parse(ngx_http_emage_str(&accept), &ranges) == EMAGE_OK
        && emage_accept_choose(&ranges, ctx->resource.kind, &kind, 1, true,
                               &octets)
           != EMAGE_FORM_NONE)
    {
        return NGX_DECLINED;
    }

    ngx_str_set(&stored, "application/dicom+json");

    return ngx_http_emage_not_acceptable(ctx, &stored);
}


static void
ngx_http_emage_search_free(void *data)
{
    ngx_http_emage_search_t *search = data;

    emage_buf_free(&search->body);
    emage_buf_free(&search->described);
    emage_buf_free(&search->studies);
    emage_buf_free(&search->pids);
}


/* Everything from the beginning, but for the query. */

static void
ngx_http_emage_search_reset(ngx_http_emage_search_t *search)
{
    ngx_http_emage_search_cleanup(search->ctx);

    search->state = NGX_HTTP_EMAGE_SEARCH_LIST;
    search->asks = NULL;
    search->nasks = 0;
    search->ask = 0;
    search->answer = NGX_OK;
    search->candidates = NULL;
    search->n = 0;
    search->next = 0;
    search->nhits = 0;
    search->hit = 0;
    search->nlisted = 0;
    search->total = 0;
    search->nrows = 0;
    search->cut = 0;
    search->seen = 0;

    search->skip = search->query.offset;
    search->left = NGX_HTTP_EMAGE_SEARCH_ROWS;

    if (search->query.limited) {
        search->left = ngx_min(search->left, search->query.limit);
    }

    emage_buf_reset(&search->body);
    emage_buf_reset(&search->studies);
    emage_buf_reset(&search->pids);
}


/* Takes back everything that could call the search again. */

void
ngx_http_emage_search_cleanup(ngx_http_emage_ctx_t *ctx)
{
    ngx_uint_t                   i;
    ngx_http_emage_search_t     *search;

    search = ctx->search;

    if (search == NULL) {
        return;
    }

    if (search->cmd != NULL) {
        ngx_emage_redis_cancel(search->cmd);
        search->cmd = NULL;
    }

    if (search->event.posted) {
        ngx_delete_posted_event(&search->event);
    }

    for (i = 0; i < search->n; i++) {
        ngx_http_emage_entry_leave(&search->candidates[i].want);
    }

    ngx_queue_init(&search->ready);
    search->flying = 0;
}


static ngx_int_t
ngx_http_emage_search_begin(ngx_http_emage_search_t *search)
{
    ngx_uint_t                   i, n;
    ngx_pool_t                  *pool;
    emage_str_t                 *uid;
    ngx_http_emage_candidate_t  *candidate;

    pool = search->ctx->request->pool;
    uid = search->uids.elts;
    n = search->uids.nelts;

    search->candidates = ngx_pcalloc(pool, (n + 1)
                                     * sizeof(ngx_http_emage_candidate_t));
    search->hits = ngx_palloc(pool, (n + 1)
                              * sizeof(ngx_http_emage_candidate_t *));

    if (search->candidates == NULL || search->hits == NULL) {
        search->ctx->cause = "memory";
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        candidate = &search->candidates[i];

        candidate->search = search;
        candidate->uid = uid[i];
        candidate->want.handler = ngx_http_emage_search_come;
        candidate->want.data = candidate;
    }

    search->n = n;

    return NGX_OK;
}


/* As many at a time as a turn allows, and as fetches may be under way. */

static ngx_int_t
ngx_http_emage_search_decide(ngx_http_emage_search_t *search)
{
    ngx_queue_t                 *q;
    ngx_http_emage_candidate_t  *candidate;

    while (search->budget > 0) {

        if (!ngx_queue_empty(&search->ready)) {
            q = ngx_queue_head(&search->ready);
            ngx_queue_remove(q);

            candidate = ngx_queue_data(q, ngx_http_emage_candidate_t, ready);

        } else if (search->next < search->n
                   && search->flying < NGX_HTTP_EMAGE_SEARCH_FETCHES)
        {
            candidate = &search->candidates[search->next++];

        } else {
            break;
        }

        if (ngx_http_emage_search_facts(search, candidate) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (search->budget <= 0) {
        ngx_http_emage_search_yield(search);
        return NGX_AGAIN;
    }

    return search->flying != 0 ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_emage_search_facts(ngx_http_emage_search_t *search,
    ngx_http_emage_candidate_t *candidate)
{
    ngx_int_t  rc;

    rc = ngx_http_emage_entry_get(&candidate->want, &candidate->uid);

    switch (rc) {

    case NGX_OK:
        return ngx_http_emage_search_candidate(search, candidate);

    case NGX_AGAIN:
        search->flying++;
        return NGX_OK;

    case NGX_DECLINED:
        search->budget--;
        return NGX_OK;

    default:
        search->ctx->cause = candidate->want.cause;
        return NGX_ERROR;
    }
}


/* Decides, and counts the rows that match and may be seen. */

static ngx_int_t
ngx_http_emage_search_candidate(ngx_http_emage_search_t *search,
    ngx_http_emage_candidate_t *candidate)
{
    ngx_int_t              rc;
    emage_verdict_t        verdict;
    ngx_http_emage_ctx_t  *ctx;

    ctx = search->ctx;

    rc = ngx_http_emage_entry_decide(candidate->want.entry, &ctx->subject,
                                     ctx->request->connection->log, &verdict);
    if (rc != NGX_OK) {
        ctx->cause = "policy";
        return NGX_ERROR;
    }

    search->budget--;

    if (verdict.permits == 0 && search->asks == NULL
        && candidate->want.rounds == 0)
    {
        /*
         * A study that the path or the query names is read anew when it is
         * refused, as one without a record is: the time must not tell.
         */

        ngx_http_emage_entry_drop(&candidate->want);

        return ngx_http_emage_search_facts(search, candidate);
    }

    candidate->permits = verdict.permits;
    candidate->until = verdict.until;
    candidate->version = emage_facts_study_version(
                      ngx_http_emage_entry_facts(candidate->want.entry));

    if (ctx->resource.study.len != 0) {

        /* the one study of the path: its refusal is recorded like any other */

        ctx->verdict = verdict;
    }

    if (verdict.permits != 0) {
        rc = ngx_http_emage_list(search, candidate, 0, 0, NULL);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (candidate->nrows != 0) {
        search->total += candidate->nrows;
        search->hits[search->nhits++] = candidate;

    } else if (ctx->resource.study.len == 0) {
        ngx_http_emage_entry_leave(&candidate->want);
    }

    return NGX_OK;
}


/* Called where facts are delivered, to many in a row: nothing is done here. */

static void
ngx_http_emage_search_come(void *data)
{
    ngx_http_emage_candidate_t *candidate = data;

    ngx_http_emage_search_t  *search;

    search = candidate->search;

    search->flying--;

    ngx_queue_insert_tail(&search->ready, &candidate->ready);

    ngx_post_event(&search->event, &ngx_posted_events);
}


/*
 * Other connections have their turn.  The timer is what keeps a worker that is
 * exiting.
 */

static void
ngx_http_emage_search_yield(ngx_http_emage_search_t *search)
{
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = search->ctx->request;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_add_timer(r->connection->write, clcf->send_timeout);
    ngx_post_event(&search->event, &ngx_posted_next_events);
}


static void
ngx_http_emage_search_event(ngx_event_t *ev)
{
    ngx_event_t              *wev;
    ngx_http_emage_search_t  *search = ev->data;

    wev = search->ctx->request->connection->write;

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    ngx_http_emage_resume(search->ctx);
}


/* Most recent study first; UIDs make the order complete, and paging stable. */

static ngx_int_t
ngx_http_emage_search_hits(ngx_http_emage_search_t *search)
{
    qsort(search->hits, search->nhits, sizeof(ngx_http_emage_candidate_t *),
          ngx_http_emage_search_cmp);

    return NGX_OK;
}


static int
ngx_http_emage_search_cmp(const void *one, const void *two)
{
    int                                rc;
    const ngx_http_emage_candidate_t  *a, *b;

    a = *(ngx_http_emage_candidate_t *const *) one;
    b = *(ngx_http_emage_candidate_t *const *) two;

    rc = emage_str_cmp(b->date, a->date);

    return rc != 0 ? rc : emage_str_cmp(a->uid, b->uid);
}


static ngx_int_t
ngx_http_emage_search_page(ngx_http_emage_search_t *search)
{
    uint32_t                     written;
    ngx_int_t                    rc;
    ngx_http_emage_candidate_t  *candidate;

    while (search->hit < search->nhits) {

        candidate = search->hits[search->hit];

        if (search->left == 0
            || search->nlisted == NGX_HTTP_EMAGE_SEARCH_STUDIES
            || search->skip >= candidate->nrows)
        {
            search->skip -= ngx_min(search->skip, candidate->nrows);
            ngx_http_emage_entry_leave(&candidate->want);
            search->hit++;
            continue;
        }

        if (search->budget <= 0) {
            ngx_http_emage_search_yield(search);
            return NGX_AGAIN;
        }

        rc = ngx_http_emage_list(search, candidate, search->skip, search->left,
                                 &written);
        if (rc != NGX_OK) {
            search->ctx->cause = "store";
            return NGX_ERROR;
        }

        if (written < ngx_min(search->left, candidate->nrows - search->skip)) {

            /* the body is full */

            search->left = 0;

        } else {
            search->left -= written;
        }

        search->nrows += written;
        search->skip = 0;
        search->hits[search->nlisted++] = candidate;
        search->hit++;
    }

    return NGX_OK;
}


/*
 * A study of which nothing may be seen is refused, and recorded as refused, but
 * answered like a search that found nothing.
 */

static ngx_int_t
ngx_http_emage_search_done(ngx_http_emage_ctx_t *ctx)
{
    ngx_http_emage_search_t  *search;

    search = ctx->search;

    if (ctx->resource.study.len != 0 && !search->seen) {

        ctx->cause = search->candidates[0].want.entry == NULL
                     ? "unknown study"
                     : ctx->verdict.permits != 0
                     ? "nothing of it permitted" : NULL;

        /* facts go with the record */

        ctx->want.entry = search->candidates[0].want.entry;
        search->candidates[0].want.entry = NULL;

        if (ngx_http_emage_access_refusal(ctx) != NGX_OK) {
            return ngx_http_emage_unavailable(ctx);
        }

        ctx->refused = 1;

        return ngx_http_emage_search_answer(ctx);
    }

    if (ngx_http_emage_search_describe(search) != NGX_OK) {
        ctx->cause = "memory";
        return ngx_http_emage_unavailable(ctx);
    }

    ctx->permitted = 1;
    ctx->state = NGX_HTTP_EMAGE_JOURNAL;

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_emage_search_serve(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_emage_search_t  *search;

    search = ctx->search;

    rc = ngx_http_emage_session_fresh(ctx)
         ? ngx_http_emage_search_verify(search) : NGX_DECLINED;

    if (rc == NGX_OK) {
        return ngx_http_emage_search_answer(ctx);
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED
        && ++search->rounds == NGX_HTTP_EMAGE_SEARCH_ROUNDS)
    {
        ctx->cause = "records change too fast: search";
        rc = NGX_ERROR;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_emage_unavailable(ctx);
    }

    ngx_http_emage_access_outcome(ctx);
    ngx_http_emage_search_reset(search);

    ctx->permitted = 0;
    ctx->state = ngx_http_emage_session_fresh(ctx)
                 ? NGX_HTTP_EMAGE_SEARCH : NGX_HTTP_EMAGE_IDENTITY;

    return NGX_DECLINED;
}
