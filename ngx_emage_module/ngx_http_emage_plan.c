
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_plan.h"

#include <ngx_md5.h>


#define NGX_HTTP_EMAGE_STORED_MAX  32      /* kinds of data in one answer */
#define NGX_HTTP_EMAGE_MEDIA_MAX   100     /* bytes of a media type */
#define NGX_HTTP_EMAGE_KEY_MAX     2048


static void ngx_http_emage_plan_cleanup(void *data);
static ngx_int_t ngx_http_emage_plan_accept(ngx_http_request_t *r,
    ngx_str_t *accept);
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
static ngx_uint_t ngx_http_emage_plan_permits(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, emage_index_instance_t *instance);
static ngx_int_t ngx_http_emage_plan_add(ngx_http_emage_plan_t *plan,
    ngx_http_emage_series_t *series, uint32_t instance, uint32_t item);
static ngx_int_t ngx_http_emage_plan_form(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, ngx_str_t *accept, ngx_str_t *stored);
static ngx_int_t ngx_http_emage_plan_stored(ngx_http_emage_plan_t *plan,
    emage_stored_t *kinds, uint32_t *n);
static ngx_int_t ngx_http_emage_plan_stored_text(ngx_pool_t *pool,
    emage_stored_t *kinds, uint32_t n, ngx_str_t *text);
static ngx_int_t ngx_http_emage_plan_names(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan);
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


/* All fields of the name as one, in the request's pool. */

static ngx_int_t
ngx_http_emage_plan_accept(ngx_http_request_t *r, ngx_str_t *accept)
{
    u_char           *p;
    size_t            len;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    len = 0;
    ngx_str_null(accept);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == 6
                && ngx_strncasecmp(h[i].key.data, (u_char *) "accept", 6) == 0)
            {
                *accept = h[i].value;
                len += h[i].value.len + 1;
                n++;
            }
        }
    }

    if (n <= 1) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    accept->data = p;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == 6
                && ngx_strncasecmp(h[i].key.data, (u_char *) "accept", 6) == 0)
            {
                p = ngx_cpymem(p, h[i].value.data, h[i].value.len);
                *p++ = ',';
            }
        }
    }

    accept->len = p - accept->data - 1;

    return NGX_OK;
}


/*
 * Everything a small body is a function of.  The version of the study record
 * pins the status of reports, and with it which instances are in.
 */

static ngx_int_t
ngx_http_emage_plan_key(ngx_http_emage_ctx_t *ctx, ngx_http_emage_plan_t *plan,
    ngx_str_t *accept)
{
    size_t               len;
    u_char              *p;
    emage_str_t          revision;
    ngx_http_request_t  *r;

    r = ctx->request;
    revision = emage_facts_revision(ngx_http_emage_facts(ctx));

    len = ctx->conf->store.len + revision.len + accept->len + r->uri.len
          + NGX_INT64_LEN + 8;

    if (len > NGX_HTTP_EMAGE_KEY_MAX) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plan->key.data = p;
    plan->key.len = ngx_sprintf(p, "%V%Z%*s%Z%V%Z%V%Z%L%Z%02xi",
                                &ctx->conf->store, revision.len, revision.data,
                                &r->uri, accept, plan->study_version,
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
            rc = (plan->kind == EMAGE_RESOURCE_SERIES
                  || plan->kind == EMAGE_RESOURCE_SERIES_METADATA)
                 ? ngx_http_emage_plan_all(ctx, plan, series)
                 : ngx_http_emage_plan_one(ctx, plan, series);
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

    default:
        return ngx_http_emage_plan_add(plan, series, n, 0);
    }
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


ngx_int_t
ngx_http_emage_plan_kind(ngx_http_emage_plan_t *plan,
    ngx_http_emage_part_t *part, emage_stored_t *kind)
{
    emage_index_item_t           item;
    emage_index_instance_t       instance;
    const emage_series_index_t  *idx;

    idx = ngx_http_emage_series_index(part->series);

    if (emage_series_index_get(idx, part->instance, &instance) != EMAGE_OK) {
        return NGX_ERROR;
    }

    switch (plan->kind) {

    case EMAGE_RESOURCE_FRAMES:
        kind->media_type = emage_frame_media_type(instance.transfer_syntax);
        kind->transfer_syntax = instance.transfer_syntax;
        return NGX_OK;

    case EMAGE_RESOURCE_BULKDATA:
        if (emage_series_index_bulk_at(idx, &instance, part->item, &item)
            != EMAGE_OK)
        {
            return NGX_ERROR;
        }

        kind->media_type = item.media_type;
        kind->transfer_syntax = emage_null_str;

        if (item.media_type.len == 0
            || item.media_type.len > NGX_HTTP_EMAGE_MEDIA_MAX)
        {
            kind->media_type = NGX_HTTP_EMAGE_OCTETS;
        }

        return NGX_OK;

    case EMAGE_RESOURCE_STUDY_METADATA:
    case EMAGE_RESOURCE_SERIES_METADATA:
    case EMAGE_RESOURCE_INSTANCE_METADATA:
        kind->media_type = emage_str("application/dicom+json");
        kind->transfer_syntax = emage_null_str;
        return NGX_OK;

    default:
        kind->media_type = emage_str("application/dicom");
        kind->transfer_syntax = instance.transfer_syntax;
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_emage_plan_stored(ngx_http_emage_plan_t *plan, emage_stored_t *kinds,
    uint32_t *n)
{
    uint32_t                k;
    ngx_uint_t              i;
    emage_stored_t          kind;
    ngx_http_emage_part_t  *part;

    *n = 0;
    part = plan->parts.elts;

    for (i = 0; i < plan->parts.nelts; i++) {

        if (ngx_http_emage_plan_kind(plan, &part[i], &kind) != NGX_OK) {
            return NGX_ERROR;
        }

        for (k = 0; k < *n; k++) {
            if (emage_str_eq(kinds[k].media_type, kind.media_type)
                && emage_str_eq(kinds[k].transfer_syntax,
                                kind.transfer_syntax))
            {
                break;
            }
        }

        if (k < *n) {
            continue;
        }

        if (*n == NGX_HTTP_EMAGE_STORED_MAX) {
            return NGX_ERROR;
        }

        kinds[(*n)++] = kind;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_plan_form(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan, ngx_str_t *accept, ngx_str_t *stored)
{
    bool            as_octets, single;
    uint32_t        n;
    emage_accept_t  ranges;
    emage_stored_t  kinds[NGX_HTTP_EMAGE_STORED_MAX];

    if (ngx_http_emage_plan_stored(plan, kinds, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    single = plan->gzip
             || plan->kind == EMAGE_RESOURCE_INSTANCE
             || plan->kind == EMAGE_RESOURCE_BULKDATA
             || (plan->kind == EMAGE_RESOURCE_FRAMES
                 && plan->parts.nelts == 1);

    if (emage_accept_parse(ngx_http_emage_str(accept), &ranges) == EMAGE_OK) {

        plan->form = emage_accept_choose(&ranges, plan->kind, kinds, n, single,
                                         &as_octets);
        plan->as_octets = as_octets;
    }

    if (plan->form != EMAGE_FORM_NONE) {
        return NGX_OK;
    }

    if (ngx_http_emage_plan_stored_text(ctx->request->pool, kinds, n, stored)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_HTTP_NOT_ACCEPTABLE;
}


static ngx_int_t
ngx_http_emage_plan_stored_text(ngx_pool_t *pool, emage_stored_t *kinds,
    uint32_t n, ngx_str_t *text)
{
    u_char    *p;
    size_t     len;
    uint32_t   i;

    len = 0;

    for (i = 0; i < n; i++) {
        len += kinds[i].media_type.len + kinds[i].transfer_syntax.len
               + sizeof(", ; transfer-syntax=") - 1;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "%s%*s", i ? ", " : "", kinds[i].media_type.len,
                        kinds[i].media_type.data);

        if (kinds[i].transfer_syntax.len != 0) {
            p = ngx_sprintf(p, "; transfer-syntax=%*s",
                            kinds[i].transfer_syntax.len,
                            kinds[i].transfer_syntax.data);
        }
    }

    text->len = p - text->data;

    return NGX_OK;
}


/*
 * Entity tag, boundary and media type.  The boundary is a function of the
 * revision, whose name has random digits that its content cannot know.
 */

static ngx_int_t
ngx_http_emage_plan_names(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan)
{
    u_char                 *p, digest[16];
    ngx_md5_t               md5;
    ngx_uint_t              i;
    ngx_pool_t             *pool;
    emage_str_t             revision, type;
    emage_stored_t          kind;
    ngx_http_emage_part_t  *part;

    pool = ctx->request->pool;
    part = plan->parts.elts;
    revision = emage_facts_revision(ngx_http_emage_facts(ctx));

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, ctx->resource.study.data, ctx->resource.study.len);
    ngx_md5_update(&md5, "/", 1);
    ngx_md5_update(&md5, revision.data, revision.len);
    ngx_md5_final(digest, &md5);

    p = ngx_cpymem(plan->boundary, "emage-", sizeof("emage-") - 1);
    (void) ngx_hex_dump(p, digest, sizeof(digest));

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, plan->boundary, sizeof(plan->boundary));
    ngx_md5_update(&md5, ctx->request->uri.data, ctx->request->uri.len);

    digest[0] = (u_char) plan->form;
    digest[1] = (u_char) plan->as_octets;
    ngx_md5_update(&md5, digest, 2);

    for (i = 0; i < plan->parts.nelts; i++) {
        ngx_md5_update(&md5, &part[i].instance, sizeof(uint32_t));
        ngx_md5_update(&md5, &part[i].item, sizeof(uint32_t));
    }

    ngx_md5_final(digest, &md5);

    p = ngx_pnalloc(pool, 34);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plan->etag.data = p;
    plan->etag.len = 34;

    *p++ = '"';
    p = ngx_hex_dump(p, digest, sizeof(digest));
    *p = '"';

    if (ngx_http_emage_plan_kind(plan, &part[0], &kind) != NGX_OK) {
        return NGX_ERROR;
    }

    type = plan->as_octets ? NGX_HTTP_EMAGE_OCTETS : kind.media_type;

    p = ngx_pnalloc(pool, NGX_HTTP_EMAGE_FRAMING_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    plan->content_type.data = p;

    if (plan->form == EMAGE_FORM_MULTIPART) {
        p = ngx_sprintf(p, "multipart/related; type=\"%*s\"; boundary=%*s",
                        type.len, type.data, sizeof(plan->boundary),
                        plan->boundary);

    } else if (kind.transfer_syntax.len != 0) {
        p = ngx_sprintf(p, "%*s;transfer-syntax=%*s", type.len, type.data,
                        kind.transfer_syntax.len, kind.transfer_syntax.data);

    } else {
        p = ngx_sprintf(p, "%*s", type.len, type.data);
    }

    plan->content_type.len = p - plan->content_type.data;

    return NGX_OK;
}
