
/*
 * Copyright (C) The e-mage authors
 *
 * The facts of one request about one study, and the verdict on them.
 */


#include "ngx_http_emage_entry.h"
#include "ngx_http_emage_session.h"


static void ngx_http_emage_facts_come(void *data);


ngx_int_t
ngx_http_emage_facts_get(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->want.handler = ngx_http_emage_facts_come;
    ctx->want.data = ctx;

    rc = ngx_http_emage_entry_get(&ctx->want, &ctx->resource.study);

    if (rc == NGX_ERROR) {
        ctx->cause = ctx->want.cause;
    }

    return rc;
}


static void
ngx_http_emage_facts_come(void *data)
{
    ngx_http_emage_ctx_t *ctx = data;

    ngx_http_emage_resume(ctx);
}


ngx_uint_t
ngx_http_emage_facts_fresh(ngx_http_emage_ctx_t *ctx)
{
    int64_t  now;

    if (ctx->want.entry == NULL
        || !ngx_http_emage_entry_fresh(ctx->want.entry)
        || !ngx_http_emage_session_fresh(ctx))
    {
        return 0;
    }

    now = ngx_http_emage_now();

    return now < ctx->verdict.until && now < ctx->subject.expires;
}


const emage_facts_t *
ngx_http_emage_facts(ngx_http_emage_ctx_t *ctx)
{
    return ctx->want.entry == NULL
           ? NULL : ngx_http_emage_entry_facts(ctx->want.entry);
}


void
ngx_http_emage_facts_leave(ngx_http_emage_ctx_t *ctx)
{
    ngx_http_emage_entry_leave(&ctx->want);
}


ngx_int_t
ngx_http_emage_decide(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_emage_entry_decide(ctx->want.entry, &ctx->subject,
                                     ctx->request->connection->log,
                                     &ctx->verdict);
    if (rc != NGX_OK) {
        ctx->cause = "policy";
    }

    return rc;
}
