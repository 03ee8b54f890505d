
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_entry.h"
#include "ngx_http_emage_metrics.h"
#include "ngx_http_emage_plan.h"


#define NGX_HTTP_EMAGE_KEY_MAX     2048
#define NGX_HTTP_EMAGE_DOCUMENT    emage_str("00420011")


static void ngx_http_emage_plan_cleanup(void *data);
static ngx_int_t ngx_http_emage_plan_key(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, ngx_str_t *accept);
static ngx_int_t ngx_http_emage_plan_collect(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan);
static ngx_int_t ngx_http_emage_plan_study(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan);
static ngx_int_t ngx_http_emage_plan_series(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, emage_str_t uid,
    ngx_http_emage_series_t **series);
static ngx_int_t ngx_http_emage_plan_all(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, ngx_http_emage_series_t *series);
static ngx_int_t ngx_http_emage_plan_one(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, ngx_http_emage_series_t *series);
static ngx_int_t ngx_http_emage_plan_rendered(ngx_http_emage_plan_t *plan,
    ngx_http_emage_series_t *series, uint32_t n,
    emage_index_instance_t *instance);
static ngx_int_t ngx_http_emage_plan_thumbnail(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, ngx_http_emage_series_t *series);
static ngx_uint_t ngx_http_emage_plan_permits(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, emage_index_instance_t *instance);
static ngx_int_t ngx_http_emage_plan_add(ngx_http_emage_plan_t *plan,
    ngx_http_emage_series_t *series, uint32_t instance, uint32_t item);
static ngx_uint_t ngx_http_emage_is_metadata(emage_resource_kind_t kind);


ngx_int_t
ngx_http_emage_plan_make(ngx_http_emage_ctx_t *ctx, ngx_str_t *stored)
{
    ngx_int_t               rc;
    ngx_str_t               accept;
    ngx_pool_t             *pool;
    ngx_pool_cleanup_t     *cln;
    ngx_http_emage_plan_t  *plan;

    pool = ctx->request->pool;

    /*
     * Bodies and descriptors are given back with the pool: HTTP/2 may still
     * have frames of them queued when the request itself has ended.
     */

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_emage_plan_t));
    if (cln == NULL) {
        ctx->cause = "memory";
        return NGX_ERROR;
    }

    plan = cln->data;
    ngx_memzero(plan, sizeof(ngx_http_emage_plan_t));

    ctx->cause = "memory";

    if (ngx_array_init(&plan->parts, pool, 4, sizeof(ngx_http_emage_part_t))
        != NGX_OK
        || ngx_array_init(&plan->series, pool, 1,
                          sizeof(ngx_http_emage_series_t *))
           != NGX_OK)
    {
        cln->handler = NULL;
        return NGX_ERROR;
    }

    cln->handler = ngx_http_emage_plan_cleanup;

    plan->kind = ctx->resource.kind;
    plan->gzip = ngx_http_emage_is_metadata(plan->kind);
    plan->study_version =
        emage_facts_study_version(ngx_http_emage_facts(ctx));

    if (ngx_http_emage_plan_accept(ctx->request, &accept) != NGX_OK
        || ngx_http_emage_plan_key(ctx, plan, &accept) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (plan->key.len != 0) {
        plan->body = ngx_http_emage_cache_find(&plan->key);
    }

    if (plan->body != NULL) {
        ngx_http_emage_count(NGX_HTTP_EMAGE_BODY_CACHED, 1);

        plan->content_type = plan->body->content_type;
        plan->etag = plan->body->etag;
        plan->length = plan->body->data.len;
        plan->needs = plan->body->needs;
        plan->ninstances = plan->body->ninstances;
        plan->nframes = plan->body->nframes;

        ctx->cause = NULL;
        ctx->plan = plan;

        return NGX_OK;
    }

    ngx_http_emage_count(NGX_HTTP_EMAGE_BODY_READ, 1);

    ctx->cause = "store";
    rc = ngx_http_emage_plan_collect(ctx, plan);

    if (rc == NGX_OK) {
        rc = ngx_http_emage_plan_form(ctx, plan, &accept, stored);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_emage_plan_names(ctx, plan);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_emage_plan_measure(plan);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->cause = NULL;
    ctx->plan = plan;

    return NGX_OK;
}


static void
ngx_http_emage_plan_cleanup(void *data)
{
    ngx_http_emage_plan_release(data);
}


void
ngx_http_emage_plan_release(ngx_http_emage_plan_t *plan)
{
    ngx_uint_t                 i;
    ngx_http_emage_series_t  **series;

    if (plan->body != NULL) {
        ngx_http_emage_cache_release(plan->body);
        plan->body = NULL;
    }

    series = plan->series.elts;

    for (i = 0; i < plan->series.nelts; i++) {
        ngx_http_emage_series_release(series[i]);
    }

    plan->series.nelts = 0;
    plan->parts.nelts = 0;
}


static ngx_uint_t
ngx_http_emage_is_metadata(emage_resource_kind_t kind)
{
    return kind == EMAGE_RESOURCE_STUDY_METADATA
           || kind == EMAGE_RESOURCE_SERIES_METADATA
           || kind == EMAGE_RESOURCE_INSTANCE_METADATA;
}


/*
 * Everything a small body is a function of.  The version of the study record
 * pins the status of reports, and with it which instances are in; the lease's
 * generation, which records it is a version of.
 */

static ngx_int_t
ngx_http_emage_plan_key(ngx_http_emage_ctx_t *ctx, ngx_http_emage_plan_t *plan,
    ngx_str_t *accept)
{
    size_t                    len;
    u_char                   *p;
    emage_str_t               revision;
    ngx_http_request_t       *r;
    const ngx_emage_stamp_t  *stamp;

    r = ctx->request;
    revision = emage_facts_revision(ngx_http_emage_facts(ctx));

    stamp = ngx_http_emage_entry_stamp(ctx->want.entry);

    len = ctx->conf->store.len + revision.len + accept->len + r->uri.len
          + 2 * NGX_INT64_LEN + 9;

    if (len > NGX_HTTP_EMAGE_KEY_MAX) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plan->key.data = p;
    plan->key.len = ngx_sprintf(p, "%V%Z%*s%Z%V%Z%V%Z%L%Z%uL%Z%02xi",
                                &ctx->conf->store, revision.len, revision.data,
                                &r->uri, accept, plan->study_version,
                                stamp->generation,
                                (ngx_int_t) ctx->verdict.permits)
                    - p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_plan_collect(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan)
{
    ngx_int_t                 rc;
    ngx_http_emage_series_t  *series;

    if (plan->kind == EMAGE_RESOURCE_STUDY
        || plan->kind == EMAGE_RESOURCE_STUDY_METADATA)
    {
        rc = ngx_http_emage_plan_study(ctx, plan);

    } else {
        rc = ngx_http_emage_plan_series(ctx, plan, ctx->resource.series,
                                        &series);

        if (rc == NGX_OK) {
            switch (plan->kind) {

            case EMAGE_RESOURCE_SERIES:
            case EMAGE_RESOURCE_SERIES_METADATA:
                rc = ngx_http_emage_plan_all(ctx, plan, series);
                break;

            case EMAGE_RESOURCE_SERIES_THUMBNAIL:
                rc = ngx_http_emage_plan_thumbnail(ctx, plan, series);
                break;

            default:
                rc = ngx_http_emage_plan_one(ctx, plan, series);
            }
        }
    }

    if (rc == NGX_OK && plan->parts.nelts == 0) {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        ctx->cause = "no such object, or not permitted in part";
    }

    return rc;
}


static ngx_int_t
ngx_http_emage_plan_study(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan)
{
    uint32_t                  i, n;
    ngx_int_t                 rc;
    emage_study_series_t     *list;
    const emage_facts_t      *facts;
    ngx_http_emage_series_t  *series;

    facts = ngx_http_emage_facts(ctx);

    rc = ngx_http_emage_series_list(&ctx->conf->store, ctx->resource.study,
                                    emage_facts_revision(facts),
                                    ctx->request->pool,
                                    ctx->request->connection->log, &list, &n);
    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        rc = ngx_http_emage_plan_series(ctx, plan, list[i].uid, &series);

        if (rc == NGX_OK) {
            rc = ngx_http_emage_plan_all(ctx, plan, series);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_plan_series(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, emage_str_t uid,
    ngx_http_emage_series_t **series)
{
    ngx_int_t                  rc;
    ngx_http_emage_series_t  **held;

    rc = ngx_http_emage_series_get(&ctx->conf->store, ctx->resource.study,
                              emage_facts_revision(ngx_http_emage_facts(ctx)),
                              uid, ctx->request->connection->log, series);
    if (rc != NGX_OK) {
        return rc;
    }

    held = ngx_array_push(&plan->series);

    if (held == NULL) {
        ngx_http_emage_series_release(*series);
        return NGX_ERROR;
    }

    *held = *series;

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_plan_all(ngx_http_emage_ctx_t *ctx, ngx_http_emage_plan_t *plan,
    ngx_http_emage_series_t *series)
{
    uint32_t                     i, n;
    emage_index_instance_t       instance;
    const emage_series_index_t  *idx;

    idx = ngx_http_emage_series_index(series);
    n = emage_series_index_count(idx);

    for (i = 0; i < n; i++) {

        if (emage_series_index_get(idx, i, &instance) != EMAGE_OK) {
            return NGX_ERROR;
        }

        if (!ngx_http_emage_plan_permits(ctx, plan, &instance)) {
            continue;
        }

        if (ngx_http_emage_plan_add(plan, series, i, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        plan->ninstances++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_plan_one(ngx_http_emage_ctx_t *ctx, ngx_http_emage_plan_t *plan,
    ngx_http_emage_series_t *series)
{
    size_t                       pos;
    uint32_t                     n, i, frame;
    emage_index_item_t           item;
    emage_index_instance_t       instance;
    const emage_series_index_t  *idx;

    idx = ngx_http_emage_series_index(series);

    if (emage_series_index_find(idx, ctx->resource.instance, &n, &instance)
        != EMAGE_OK
        || !ngx_http_emage_plan_permits(ctx, plan, &instance))
    {
        return NGX_DECLINED;
    }

    plan->ninstances = 1;

    switch (plan->kind) {

    case EMAGE_RESOURCE_FRAMES:
        pos = 0;

        while ((frame = emage_resource_frame_next(&ctx->resource, &pos)) != 0) {

            if (emage_series_index_frame(idx, &instance, frame, &item)
                != EMAGE_OK)
            {
                return NGX_DECLINED;
            }

            if (ngx_http_emage_plan_add(plan, series, n, frame) != NGX_OK) {
                return NGX_ERROR;
            }

            plan->nframes++;
        }

        return NGX_OK;

    case EMAGE_RESOURCE_BULKDATA:

        for (i = 0; i < instance.nbulk; i++) {

            if (emage_series_index_bulk_at(idx, &instance, i, &item)
                != EMAGE_OK)
            {
                return NGX_ERROR;
            }

            if (emage_str_eq(item.path, ctx->resource.bulk)) {
                return ngx_http_emage_plan_add(plan, series, n, i);
            }
        }

        return NGX_DECLINED;

    case EMAGE_RESOURCE_RENDERED:
        return ngx_http_emage_plan_rendered(plan, series, n, &instance);

    case EMAGE_RESOURCE_THUMBNAIL:

        if (instance.thumbnail_size == 0) {
            return NGX_DECLINED;
        }

        plan->nframes = 1;

        return ngx_http_emage_plan_add(plan, series, n, 0);

    default:
        return ngx_http_emage_plan_add(plan, series, n, 0);
    }
}


/* A picture of its own, or the document that it carries. */

static ngx_int_t
ngx_http_emage_plan_rendered(ngx_http_emage_plan_t *plan,
    ngx_http_emage_series_t *series, uint32_t n,
    emage_index_instance_t *instance)
{
    uint32_t                     i;
    emage_index_item_t           item;
    const emage_series_index_t  *idx;

    if (instance->rendered_size != 0) {
        plan->nframes = 1;

        return ngx_http_emage_plan_add(plan, series, n, 0);
    }

    idx = ngx_http_emage_series_index(series);

    for (i = 0; i < instance->nbulk; i++) {

        if (emage_series_index_bulk_at(idx, instance, i, &item) != EMAGE_OK) {
            return NGX_ERROR;
        }

        if (emage_str_eq(item.path, NGX_HTTP_EMAGE_DOCUMENT)
            && emage_str_eq(item.media_type, emage_str("application/pdf")))
        {
            return ngx_http_emage_plan_add(plan, series, n, i + 1);
        }
    }

    return NGX_DECLINED;
}


/* The store has drawn one instance of the series, decided as itself. */

static ngx_int_t
ngx_http_emage_plan_thumbnail(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, ngx_http_emage_series_t *series)
{
    uint32_t                     i, n;
    emage_index_instance_t       instance;
    const emage_series_index_t  *idx;

    idx = ngx_http_emage_series_index(series);
    n = emage_series_index_count(idx);

    for (i = 0; i < n; i++) {

        if (emage_series_index_get(idx, i, &instance) != EMAGE_OK) {
            return NGX_ERROR;
        }

        if (instance.thumbnail_size != 0
            && ngx_http_emage_plan_permits(ctx, plan, &instance))
        {
            plan->ninstances = 1;
            plan->nframes = 1;

            return ngx_http_emage_plan_add(plan, series, i, 0);
        }
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_emage_plan_permits(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, emage_index_instance_t *instance)
{
    unsigned  need;

    need = emage_facts_need(ngx_http_emage_facts(ctx), instance->cls,
                            instance->uid);

    if (need == 0 || (ctx->verdict.permits & need) != need) {
        return 0;
    }

    plan->needs |= need;

    return 1;
}


static ngx_int_t
ngx_http_emage_plan_add(ngx_http_emage_plan_t *plan,
    ngx_http_emage_series_t *series, uint32_t instance, uint32_t item)
{
    ngx_http_emage_part_t  *part;

    part = ngx_array_push(&plan->parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->series = series;
    part->instance = instance;
    part->item = item;

    return NGX_OK;
}
