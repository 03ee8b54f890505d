
/*
 * Copyright (C) The e-mage authors
 *
 * A list that is ready, held once more against facts and policy before it is
 * sent, and while it is.
 */


#include "ngx_http_emage_plan.h"
#include "ngx_http_emage_search.h"
#include "ngx_http_emage_session.h"


static ngx_int_t ngx_http_emage_search_verify_one(
    ngx_http_emage_search_t *search, ngx_http_emage_candidate_t *candidate);


/*
 * Whether everything that is listed may still be listed as it is.  NGX_AGAIN
 * while facts are read again, NGX_DECLINED when something has changed.
 */

ngx_int_t
ngx_http_emage_search_verify(ngx_http_emage_search_t *search)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    if (!ngx_emage_lease_live(ngx_http_emage_worker->lease)
        || ngx_http_emage_now() >= search->ctx->subject.expires)
    {
        search->ctx->cause = "lease, or identity,";
        return NGX_ERROR;
    }

    ngx_queue_init(&search->ready);

    for (i = 0; i < search->nlisted; i++) {

        rc = ngx_http_emage_search_verify_one(search, search->hits[i]);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return search->flying != 0 ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_emage_search_verify_one(ngx_http_emage_search_t *search,
    ngx_http_emage_candidate_t *candidate)
{
    ngx_int_t        rc;
    emage_verdict_t  verdict;

    if (candidate->want.fetching) {
        return NGX_OK;
    }

    if (candidate->want.entry != NULL
        && ngx_http_emage_entry_fresh(candidate->want.entry)
        && ngx_http_emage_now() < candidate->until)
    {
        candidate->want.rounds = 0;
        return NGX_OK;
    }

    ngx_http_emage_entry_leave(&candidate->want);

    rc = ngx_http_emage_entry_get(&candidate->want, &candidate->uid);

    if (rc == NGX_AGAIN) {
        search->flying++;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        search->ctx->cause = candidate->want.cause;
        return rc;
    }

    if (ngx_http_emage_entry_decide(candidate->want.entry,
                                    &search->ctx->subject,
                                    search->ctx->request->connection->log,
                                    &verdict)
        != NGX_OK)
    {
        search->ctx->cause = "policy";
        return NGX_ERROR;
    }

    if (verdict.permits != candidate->permits
        || emage_facts_study_version(
                       ngx_http_emage_entry_facts(candidate->want.entry))
           != candidate->version)
    {
        return NGX_DECLINED;
    }

    candidate->until = verdict.until;

    return NGX_OK;
}


ngx_int_t
ngx_http_emage_search_recheck(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->revoked || ngx_http_emage_session_waits(ctx)) {
        return NGX_AGAIN;
    }

    rc = NGX_OK;

    if (!ngx_http_emage_session_fresh(ctx)) {
        rc = ngx_http_emage_session_get(ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_emage_search_verify(ctx->search);
    }

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        return rc;
    }

    return ngx_http_emage_reset(ctx);
}
