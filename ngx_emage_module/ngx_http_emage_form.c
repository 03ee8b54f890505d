
/*
 * Copyright (C) The e-mage authors
 *
 * The form of a planned answer: what the client accepts of what is stored,
 * and the names that go with it.
 */


#include "ngx_http_emage_plan.h"

#include <ngx_md5.h>


#define NGX_HTTP_EMAGE_STORED_MAX  32      /* kinds of data in one answer */
#define NGX_HTTP_EMAGE_MEDIA_MAX   100     /* bytes of a media type */


static ngx_int_t ngx_http_emage_plan_stored(ngx_http_emage_plan_t *plan,
    emage_stored_t *kinds, uint32_t *n);
static ngx_int_t ngx_http_emage_plan_stored_text(ngx_pool_t *pool,
    emage_stored_t *kinds, uint32_t n, ngx_str_t *text);


/* All fields of the name as one, in the request's pool. */

ngx_int_t
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
                && ngx_http_emage_begins(&h[i].key, "accept", 1))
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
                && ngx_http_emage_begins(&h[i].key, "accept", 1))
            {
                p = ngx_cpymem(p, h[i].value.data, h[i].value.len);
                *p++ = ',';
            }
        }
    }

    accept->len = p - accept->data - 1;

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

    case EMAGE_RESOURCE_RENDERED:
    case EMAGE_RESOURCE_THUMBNAIL:
    case EMAGE_RESOURCE_SERIES_THUMBNAIL:
        kind->media_type = (plan->kind == EMAGE_RESOURCE_RENDERED
                            && part->item != 0)
                           ? emage_str("application/pdf")
                           : emage_str("image/jpeg");
        kind->transfer_syntax = emage_null_str;
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


ngx_int_t
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
             || plan->kind == EMAGE_RESOURCE_RENDERED
             || plan->kind == EMAGE_RESOURCE_THUMBNAIL
             || plan->kind == EMAGE_RESOURCE_SERIES_THUMBNAIL
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

ngx_int_t
ngx_http_emage_plan_names(ngx_http_emage_ctx_t *ctx,
    ngx_http_emage_plan_t *plan)
{
    u_char                    *p, digest[16];
    uint32_t                   n;
    ngx_md5_t                  md5;
    ngx_uint_t                 i;
    ngx_pool_t                *pool;
    emage_str_t                revision, type;
    emage_stored_t             kind;
    ngx_http_emage_part_t     *part;
    ngx_http_emage_series_t  **series;

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

    series = plan->series.elts;
    n = 0;

    for (i = 0; i < plan->parts.nelts; i++) {

        /* parts follow the order of the series, some of which may have none */

        while (series[n] != part[i].series) {
            n++;
        }

        ngx_md5_update(&md5, &n, sizeof(uint32_t));
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
