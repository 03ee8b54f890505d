
/*
 * Copyright (C) The e-mage authors
 *
 * From a plan to a response: headers, conditions, one range, and the body,
 * from memory when it is small, else as a stream of slices.
 */


#include "ngx_http_emage_plan.h"
#include "ngx_http_emage_stream.h"


static ngx_int_t ngx_http_emage_serve_headers(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_range(ngx_http_request_t *r, off_t length,
    off_t *start, off_t *end);
static ngx_int_t ngx_http_emage_range_number(u_char **p, u_char *last,
    off_t *n);
static ngx_int_t ngx_http_emage_range_header(ngx_http_request_t *r,
    off_t start, off_t end, off_t length);
static ngx_int_t ngx_http_emage_load(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_send_body(ngx_http_emage_ctx_t *ctx,
    off_t start, off_t end);


ngx_int_t
ngx_http_emage_serve(ngx_http_emage_ctx_t *ctx)
{
    off_t                    start, end;
    ngx_int_t                rc;
    ngx_http_request_t      *r;
    ngx_http_emage_plan_t   *plan;

    r = ctx->request;
    plan = ctx->plan;

    /* what is small is read before anything is promised to the client */

    if (plan->body == NULL && plan->data_length <= NGX_HTTP_EMAGE_SMALL
        && plan->parts.nelts <= NGX_HTTP_EMAGE_FILES_AHEAD
        && ngx_http_emage_load(ctx) != NGX_OK)
    {
        ctx->cause = "store";
        return ngx_http_emage_unavailable(ctx);
    }

    start = 0;
    end = plan->length;

    rc = plan->gzip ? NGX_DECLINED
                    : ngx_http_emage_range(r, plan->length, &start, &end);

    if (rc == NGX_ERROR) {
        return ngx_http_emage_not_satisfiable(ctx, plan->length);
    }

    if (plan->body == NULL) {

        /* likewise the first slices of what is large */

        if (ngx_http_emage_stream_start(ctx, start, end) != NGX_OK) {
            ctx->cause = "store";
            return ngx_http_emage_unavailable(ctx);
        }
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = end - start;

    if (rc == NGX_OK) {
        r->headers_out.status = NGX_HTTP_PARTIAL_CONTENT;

        if (ngx_http_emage_range_header(r, start, end, plan->length)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_emage_serve_headers(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ctx->complete = (rc == NGX_OK || rc == NGX_AGAIN);
        return rc == NGX_AGAIN ? NGX_OK : rc;
    }

    ctx->transferring = 1;
    ngx_queue_insert_tail(&ngx_http_emage_worker->transfers, &ctx->transfer);

    if (plan->body != NULL) {
        return ngx_http_emage_send_body(ctx, start, end);
    }

    return ngx_http_emage_stream_run(ctx);
}


void
ngx_http_emage_transfer_end(ngx_http_emage_ctx_t *ctx)
{
    if (ctx->transferring) {
        ngx_queue_remove(&ctx->transfer);
        ctx->transferring = 0;
    }
}


static ngx_int_t
ngx_http_emage_serve_headers(ngx_http_emage_ctx_t *ctx)
{
    ngx_str_t               value;
    ngx_table_elt_t        *h;
    ngx_http_request_t     *r;
    ngx_http_emage_plan_t  *plan;

    r = ctx->request;
    plan = ctx->plan;

    r->headers_out.content_type = plan->content_type;
    r->headers_out.content_type_len = plan->content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    /* ranges are ours: nginx's filter would have the skipped part read */

    r->allow_ranges = 0;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "ETag");
    h->value = plan->etag;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    r->headers_out.etag = h;

    if (plan->gzip) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->hash = 1;
        ngx_str_set(&h->key, "Content-Encoding");
        ngx_str_set(&h->value, "gzip");
#if (nginx_version >= 1023000)
        h->next = NULL;
#endif

        r->headers_out.content_encoding = h;

    } else {
        ngx_str_set(&value, "bytes");

        if (ngx_http_emage_add_header(r, "Accept-Ranges", &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_emage_common_headers(r);
}


/*
 * One range of RFC 9110 section 14.  NGX_OK with `start` and `end`,
 * NGX_DECLINED for the whole (no range, several, a condition on it that does
 * not hold, a syntax that is not understood), NGX_ERROR when it lies outside.
 */

static ngx_int_t
ngx_http_emage_range(ngx_http_request_t *r, off_t length, off_t *start,
    off_t *end)
{
    off_t                   first, last;
    u_char                 *p, *e;
    ngx_str_t              *value, *tag;
    ngx_http_emage_ctx_t   *ctx;

    if (r->headers_in.range == NULL || r->method != NGX_HTTP_GET
        || r->headers_in.if_none_match != NULL
        || r->headers_in.if_match != NULL
        || r->headers_in.if_unmodified_since != NULL)
    {
        return NGX_DECLINED;
    }

    if (r->headers_in.if_range != NULL) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_emage_module);
        tag = &ctx->plan->etag;
        value = &r->headers_in.if_range->value;

        if (value->len != tag->len
            || ngx_memcmp(value->data, tag->data, tag->len) != 0)
        {
            return NGX_DECLINED;
        }
    }

    value = &r->headers_in.range->value;
    p = value->data;
    e = p + value->len;

    if (!ngx_http_emage_begins(value, "bytes=", 1) || value->len == 6) {
        return NGX_DECLINED;
    }

    p += 6;

    if (*p == '-') {
        p++;

        if (ngx_http_emage_range_number(&p, e, &last) != NGX_OK || p != e) {
            return NGX_DECLINED;
        }

        if (last == 0 || length == 0) {
            return NGX_ERROR;
        }

        *start = last < length ? length - last : 0;
        *end = length;

        return NGX_OK;
    }

    if (ngx_http_emage_range_number(&p, e, &first) != NGX_OK
        || p == e || *p++ != '-')
    {
        return NGX_DECLINED;
    }

    last = length - 1;

    if (p != e) {
        if (ngx_http_emage_range_number(&p, e, &last) != NGX_OK || p != e
            || last < first)
        {
            return NGX_DECLINED;
        }
    }

    if (first >= length) {
        return NGX_ERROR;
    }

    *start = first;
    *end = ngx_min(last, length - 1) + 1;

    return NGX_OK;
}


/* Digits, at least one; a number too large to hold is the largest. */

static ngx_int_t
ngx_http_emage_range_number(u_char **p, u_char *last, off_t *n)
{
    u_char  *start;

    start = *p;
    *n = 0;

    while (*p < last && **p >= '0' && **p <= '9') {

        if (*n > (NGX_MAX_OFF_T_VALUE - 9) / 10) {
            *n = NGX_MAX_OFF_T_VALUE;

        } else {
            *n = *n * 10 + (**p - '0');
        }

        (*p)++;
    }

    return *p == start ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_emage_range_header(ngx_http_request_t *r, off_t start, off_t end,
    off_t length)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(r->pool, sizeof("bytes -/") - 1 + 3 * NGX_OFF_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "bytes %O-%O/%O", start, end - 1, length) - p;

    return ngx_http_emage_add_header(r, "Content-Range", &value);
}


/* Reads a small answer whole, framed, into memory, and keeps it. */

static ngx_int_t
ngx_http_emage_load(ngx_http_emage_ctx_t *ctx)
{
    u_char                   *p, *last;
    ssize_t                   n;
    ngx_int_t                 rc;
    ngx_log_t                *log;
    ngx_http_emage_body_t    *body;
    ngx_http_emage_file_t    *file;
    ngx_http_emage_plan_t    *plan;
    ngx_http_emage_segment_t  segment;

    plan = ctx->plan;
    log = ctx->request->connection->log;

    body = ngx_http_emage_cache_create(&plan->key, &plan->content_type,
                                       &plan->etag, (size_t) plan->length,
                                       log);
    if (body == NULL) {
        return NGX_ERROR;
    }

    body->needs = plan->needs;
    body->ninstances = plan->ninstances;
    body->nframes = plan->nframes;
    body->gzip = plan->gzip;

    p = body->data.data;
    last = p + body->data.len;

    ngx_http_emage_plan_rewind(plan);

    for ( ;; ) {

        rc = ngx_http_emage_plan_next(plan, &segment);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc != NGX_OK || segment.length > last - p) {
            goto failed;
        }

        if (segment.data != NULL) {
            p = ngx_cpymem(p, segment.data, (size_t) segment.length);
            continue;
        }

        if (ngx_http_emage_file_get(segment.series, segment.instance,
                                    segment.kind, log, &file)
            != NGX_OK)
        {
            goto failed;
        }

        n = ngx_http_emage_file_read(file, p, (size_t) segment.length,
                                     segment.offset, log);

        ngx_http_emage_file_release(file);

        if (n != NGX_OK) {
            goto failed;
        }

        p += segment.length;
    }

    if (p != last) {
        goto failed;
    }

    if (plan->key.len != 0) {
        ngx_http_emage_cache_insert(body);
    }

    plan->body = body;

    return NGX_OK;

failed:

    ngx_http_emage_cache_release(body);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_emage_send_body(ngx_http_emage_ctx_t *ctx, off_t start, off_t end)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = ctx->request;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ctx->plan->body->data.data + start;
    b->last = ctx->plan->body->data.data + end;
    b->memory = (start != end);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /*
     * If the client does not take it now, nginx writes the rest; the transfer
     * stays among the watched ones until the request ends.
     */

    ctx->complete = 1;

    return rc == NGX_AGAIN ? NGX_OK : rc;
}
