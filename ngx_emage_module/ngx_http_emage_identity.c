
/*
 * Copyright (C) The e-mage authors
 *
 * Bearer token or session cookie -> subject.  A token that was verified once
 * is remembered in shared memory until it expires, under a digest of itself and
 * of the issuers' configuration: after a reload that changes issuers or keys
 * nothing that was verified before counts any more.
 */


#include "ngx_http_emage_session.h"
#include "ngx_http_emage_tokens.h"


static ngx_str_t *ngx_http_emage_bearer(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_emage_remembered(ngx_http_emage_ctx_t *ctx,
    u_char *key, int64_t now);
static ngx_int_t ngx_http_emage_verified(ngx_http_emage_ctx_t *ctx,
    ngx_str_t *token, u_char *key, int64_t now);


ngx_int_t
ngx_http_emage_identify(ngx_http_emage_ctx_t *ctx)
{
    u_char                       key[NGX_HTTP_EMAGE_TOKEN_KEY];
    int64_t                      now;
    ngx_int_t                    rc;
    ngx_str_t                    token;
    ngx_http_emage_main_conf_t  *emcf;

    emcf = ngx_http_emage_worker->conf;

    rc = ngx_http_emage_session_find(ctx);

    if (rc != NGX_DECLINED) {

        /* two identities: who of both asks is not for the guard to choose */

        if (rc != NGX_OK || ctx->request->headers_in.authorization != NULL) {
            return NGX_DECLINED;
        }

        return ngx_http_emage_session_get(ctx);
    }

    if (ngx_http_emage_bearer(ctx->request, &token) == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_emage_token_key(emcf->issuers_digest, &token, key) != NGX_OK) {
        ctx->cause = "no memory";
        return NGX_ERROR;
    }

    now = ngx_http_emage_now();

    rc = ngx_http_emage_remembered(ctx, key, now);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ngx_http_emage_verified(ctx, &token, key, now);
}


/* The token of "Authorization: Bearer"; never one from the URL. */

static ngx_str_t *
ngx_http_emage_bearer(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char     *p, *last;
    ngx_str_t  *value;

    if (r->headers_in.authorization == NULL) {
        return NULL;
    }

    value = &r->headers_in.authorization->value;

    if (!ngx_http_emage_begins(value, "bearer ", 1)) {
        return NULL;
    }

    p = value->data + 7;
    last = value->data + value->len;

    while (p < last && *p == ' ') {
        p++;
    }

    if (p == last || last - p > EMAGE_TOKEN_MAX) {
        return NULL;
    }

    token->data = p;
    token->len = last - p;

    return token;
}


static ngx_int_t
ngx_http_emage_remembered(ngx_http_emage_ctx_t *ctx, u_char *key, int64_t now)
{
    size_t  len;
    u_char  packed[NGX_HTTP_EMAGE_TOKEN_DATA];

    len = ngx_http_emage_token_find(ngx_http_emage_worker->conf->tokens, key,
                                    now, packed);
    if (len == 0) {
        return NGX_DECLINED;
    }

    ctx->packed = ngx_pnalloc(ctx->request->pool, len);
    if (ctx->packed == NULL) {
        ctx->cause = "no memory";
        return NGX_ERROR;
    }

    ngx_memcpy(ctx->packed, packed, len);

    if (emage_subject_unpack(ctx->packed, len, &ctx->subject) != EMAGE_OK) {
        return NGX_DECLINED;
    }

    return ctx->subject.expires > now ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_emage_verified(ngx_http_emage_ctx_t *ctx, ngx_str_t *token,
    u_char *key, int64_t now)
{
    size_t                       len;
    u_char                       packed[EMAGE_SUBJECT_MAX];
    emage_str_t                  name;
    emage_subject_t              subject;
    emage_token_result_t         result;
    ngx_http_emage_worker_t     *worker;
    ngx_http_emage_main_conf_t  *emcf;

    worker = ngx_http_emage_worker;
    emcf = worker->conf;

    result = emage_token_verify(emcf->issuers.elts,
                                (uint32_t) emcf->issuers.nelts,
                                ngx_http_emage_str(token), now, &worker->buf,
                                &subject);

    if (result != EMAGE_TOKEN_OK) {

        if (result == EMAGE_TOKEN_NOMEM) {
            ctx->cause = "no memory";
            return NGX_ERROR;
        }

        name = emage_token_result_name(result);

        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "bearer token refused: %*s", name.len, name.data);

        return NGX_DECLINED;
    }

    if (subject.kind == EMAGE_SUBJECT_NONE || subject.id.len == 0) {
        return NGX_DECLINED;
    }

    len = emage_subject_pack(&subject, packed, sizeof(packed));
    if (len == 0) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "bearer token refused: its claims are too large");
        return NGX_DECLINED;
    }

    ctx->packed = ngx_pnalloc(ctx->request->pool, len);
    if (ctx->packed == NULL) {
        ctx->cause = "no memory";
        return NGX_ERROR;
    }

    ngx_memcpy(ctx->packed, packed, len);

    if (emage_subject_unpack(ctx->packed, len, &ctx->subject) != EMAGE_OK) {
        return NGX_DECLINED;
    }

    ngx_http_emage_token_keep(emcf->tokens, key, now, subject.expires, packed,
                              len);

    return NGX_OK;
}
