
/*
 * Copyright (C) The e-mage authors
 *
 * Answers that carry no image.  Unknown, foreign, refused, withdrawn, erased
 * and half-ingested look the same but for an id of fixed length; the constant
 * text helps the honest reader on.
 */


#include "ngx_http_emage.h"


#define NGX_HTTP_EMAGE_NOTICE                                                \
    "Not found, or not shared with you. In an emergency a professional "     \
    "may open the record by giving a reason. For help, give the request "    \
    "id below to the support of your establishment."


static ngx_int_t ngx_http_emage_answer(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, u_char *text, size_t len);
static ngx_int_t ngx_http_emage_problem(ngx_http_request_t *r,
    ngx_uint_t status, const char *title, const char *detail);
static void ngx_http_emage_request_id(ngx_http_request_t *r, u_char *id);


ngx_int_t
ngx_http_emage_refuse(ngx_http_emage_ctx_t *ctx)
{
    ctx->refused = 1;

    return ngx_http_emage_problem(ctx->request, NGX_HTTP_NOT_FOUND,
        "Not found", NGX_HTTP_EMAGE_NOTICE);
}


ngx_int_t
ngx_http_emage_unauthorized(ngx_http_emage_ctx_t *ctx, ngx_uint_t presented)
{
    ngx_str_t            value;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = ctx->request;
    ctx->cause = "no identity";
    ctx->unauthenticated = 1;

    /* RFC 6750 section 3.1: no error code where nothing was presented */

    if (presented) {
        ngx_str_set(&value, "Bearer realm=\"e-mage\", "
                            "error=\"invalid_token\"");

    } else {
        ngx_str_set(&value, "Bearer realm=\"e-mage\"");
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "WWW-Authenticate");
    h->value = value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    r->headers_out.www_authenticate = h;

    return ngx_http_emage_problem(r, NGX_HTTP_UNAUTHORIZED, "Sign in",
                                  "Sign in to see images and reports.");
}


ngx_int_t
ngx_http_emage_unavailable(ngx_http_emage_ctx_t *ctx)
{
    ngx_str_t            value;
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "request refused, not decided: %s unavailable",
                  ctx->cause ? ctx->cause : "something");

    ngx_str_set(&value, "1");

    if (ngx_http_emage_add_header(r, "Retry-After", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_emage_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
        "Unavailable",
        "The service cannot decide or record right now, so nothing is "
        "served. Try again in a moment.");
}


ngx_int_t
ngx_http_emage_not_allowed(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&value, "GET, HEAD");

    if (ngx_http_emage_add_header(r, "Allow", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_emage_problem(r, NGX_HTTP_NOT_ALLOWED, "Not allowed",
                                  "Images and reports can be read only.");
}


ngx_int_t
ngx_http_emage_bad_request(ngx_http_emage_ctx_t *ctx, const char *detail)
{
    u_char       *text;
    ngx_int_t     rc;
    ngx_str_t     type;
    emage_buf_t   buf;

    emage_buf_init(&buf, 4096);

    (void) emage_buf_add_c(&buf, "{\"title\":\"Bad request\",\"status\":400,"
                                 "\"detail\":");
    (void) emage_buf_add_json(&buf, emage_str_c(detail));
    (void) emage_buf_add_c(&buf, "}\n");

    rc = NGX_ERROR;
    text = buf.failed ? NULL : ngx_pnalloc(ctx->request->pool, buf.len);

    if (text != NULL) {
        ngx_memcpy(text, buf.data, buf.len);
        ngx_str_set(&type, "application/problem+json");

        rc = ngx_http_emage_answer(ctx->request, NGX_HTTP_BAD_REQUEST, &type,
                                   text, buf.len);
    }

    emage_buf_free(&buf);

    return rc;
}


ngx_int_t
ngx_http_emage_not_acceptable(ngx_http_emage_ctx_t *ctx, ngx_str_t *stored)
{
    size_t               len;
    u_char              *text, *p;
    ngx_str_t            type;
    ngx_http_request_t  *r;

    static const char  before[] =
        "{\"title\":\"Not acceptable\",\"status\":406,\"detail\":\"Stored "
        "as: ";
    static const char  after[] =
        ". Ask for one of these, or for transfer-syntax=*.\"}\n";

    r = ctx->request;
    ctx->unacceptable = 1;

    len = sizeof(before) - 1 + stored->len + sizeof(after) - 1;

    text = ngx_pnalloc(r->pool, len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, before, sizeof(before) - 1);
    p = ngx_cpymem(p, stored->data, stored->len);
    (void) ngx_cpymem(p, after, sizeof(after) - 1);

    ngx_str_set(&type, "application/problem+json");

    return ngx_http_emage_answer(r, NGX_HTTP_NOT_ACCEPTABLE, &type, text, len);
}


ngx_int_t
ngx_http_emage_not_satisfiable(ngx_http_emage_ctx_t *ctx, off_t length)
{
    u_char              *p;
    ngx_str_t            value;
    ngx_http_request_t  *r;

    r = ctx->request;

    p = ngx_pnalloc(r->pool, sizeof("bytes */") - 1 + NGX_OFF_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "bytes */%O", length) - p;

    if (ngx_http_emage_add_header(r, "Content-Range", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_emage_problem(r, NGX_HTTP_RANGE_NOT_SATISFIABLE,
                                  "Range not satisfiable",
                                  "The range lies outside the object.");
}


/*
 * A problem document (RFC 9457).  Title and detail are constants without
 * characters that JSON escapes.
 */

static ngx_int_t
ngx_http_emage_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *title, const char *detail)
{
    size_t     len;
    u_char    *text, *p, id[32];
    ngx_str_t  type;

    ngx_http_emage_request_id(r, id);

    len = sizeof("{\"title\":\"\",\"status\":000,\"detail\":\"\","
                 "\"request\":\"\"}\n") - 1
          + ngx_strlen(title) + ngx_strlen(detail) + sizeof(id);

    text = ngx_pnalloc(r->pool, len);
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text, "{\"title\":\"%s\",\"status\":%ui,\"detail\":\"%s\","
                    "\"request\":\"%*s\"}\n",
                    title, status, detail, sizeof(id), id);

    ngx_str_set(&type, "application/problem+json");

    return ngx_http_emage_answer(r, status, &type, text, p - text);
}


static ngx_int_t
ngx_http_emage_answer(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, u_char *text, size_t len)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    /* a refusal must not depend on conditions about what is refused */

    r->disable_not_modified = 1;
    r->allow_ranges = 0;

    if (ngx_http_emage_common_headers(r) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc == NGX_AGAIN ? NGX_OK : rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = text;
    b->last = text + len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    return rc == NGX_AGAIN ? NGX_OK : rc;
}


/* The 32 hex digits of $request_id, by which the log can be searched. */

static void
ngx_http_emage_request_id(ngx_http_request_t *r, u_char *id)
{
    ngx_http_variable_value_t   *vv;
    ngx_http_emage_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_emage_module);

    vv = ngx_http_get_indexed_variable(r, emcf->request_id_index);

    if (vv == NULL || vv->not_found || vv->len != 32) {
        ngx_memset(id, '0', 32);
        return;
    }

    ngx_memcpy(id, vv->data, 32);
}


ngx_int_t
ngx_http_emage_notice(ngx_http_request_t *r)
{
    u_char     *id;
    ngx_str_t   value;

    id = ngx_pnalloc(r->pool, 32);
    if (id == NULL) {
        return NGX_ERROR;
    }

    ngx_http_emage_request_id(r, id);

    ngx_str_set(&value, NGX_HTTP_EMAGE_NOTICE);

    if (ngx_http_emage_add_header(r, "X-Emage-Notice", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    value.data = id;
    value.len = 32;

    return ngx_http_emage_add_header(r, "X-Emage-Request", &value);
}


ngx_int_t
ngx_http_emage_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


/*
 * Nothing served here is ever stored by a shared cache, and an answer for one
 * subject is none for another.
 */

ngx_int_t
ngx_http_emage_common_headers(ngx_http_request_t *r)
{
    ngx_str_t  value;

    ngx_str_set(&value, "private, no-store");

    if (ngx_http_emage_add_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&value, "Cookie, Authorization, Accept, Accept-Encoding");

    if (ngx_http_emage_add_header(r, "Vary", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&value, "nosniff");

    return ngx_http_emage_add_header(r, "X-Content-Type-Options", &value);
}
