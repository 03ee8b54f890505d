
/*
 * Copyright (C) The e-mage authors
 *
 * Variables for nginx's own log.
 */


#include "ngx_http_emage.h"


#define NGX_HTTP_EMAGE_VAR_DECISION  0
#define NGX_HTTP_EMAGE_VAR_ID        1
#define NGX_HTTP_EMAGE_VAR_REASON    2
#define NGX_HTTP_EMAGE_VAR_SUBJECT   3


static ngx_int_t ngx_http_emage_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static emage_str_t ngx_http_emage_decision(ngx_http_emage_ctx_t *ctx);


static ngx_http_variable_t  ngx_http_emage_vars[] = {

    { ngx_string("emage_decision"), NULL, ngx_http_emage_variable,
      NGX_HTTP_EMAGE_VAR_DECISION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("emage_decision_id"), NULL, ngx_http_emage_variable,
      NGX_HTTP_EMAGE_VAR_ID, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("emage_reason"), NULL, ngx_http_emage_variable,
      NGX_HTTP_EMAGE_VAR_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("emage_subject"), NULL, ngx_http_emage_variable,
      NGX_HTTP_EMAGE_VAR_SUBJECT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_emage_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_emage_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    emage_str_t            value;
    ngx_http_emage_ctx_t  *ctx;

    ctx = ngx_http_emage_get_ctx(r);

    value = emage_null_str;

    if (ctx != NULL) {

        switch (data) {

        case NGX_HTTP_EMAGE_VAR_DECISION:
            value = ngx_http_emage_decision(ctx);
            break;

        case NGX_HTTP_EMAGE_VAR_ID:
            value = ngx_http_emage_str(&ctx->decision_id);
            break;

        case NGX_HTTP_EMAGE_VAR_REASON:
            value = ctx->cause != NULL ? emage_str_c(ctx->cause)
                    : ctx->verdict.nreasons > 0 ? ctx->verdict.reasons[0]
                    : emage_null_str;
            break;

        default:
            value = ctx->subject.id;
            break;
        }
    }

    if (value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static emage_str_t
ngx_http_emage_decision(ngx_http_emage_ctx_t *ctx)
{
    if (ctx->revoked) {
        return emage_str("revoked");
    }

    if (ctx->permitted) {
        return emage_str("permit");
    }

    if (ctx->refused) {
        return emage_str("deny");
    }

    return emage_str("unavailable");
}
