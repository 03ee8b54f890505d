
/*
 * Copyright (C) The e-mage authors
 *
 * The response to a search, and its record.
 */


#include "ngx_http_emage_search.h"

#include <emage/identifier.h>


static ngx_int_t ngx_http_emage_search_warnings(ngx_http_emage_ctx_t *ctx);
static ngx_int_t ngx_http_emage_search_warning(ngx_http_emage_ctx_t *ctx,
    const char *fmt, uint64_t n);
static bool ngx_http_emage_search_hash(void *data, emage_str_t name,
    emage_str_t value, char *hex);


ngx_int_t
ngx_http_emage_search_answer(ngx_http_emage_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_buf_t                *b;
    emage_buf_t              *body;
    ngx_chain_t               out;
    ngx_http_request_t       *r;
    ngx_http_emage_search_t  *search;

    r = ctx->request;
    search = ctx->search;
    body = &search->body;

    if (emage_buf_add_c(body, body->len == 0 ? "[]" : "]") != EMAGE_OK) {
        ctx->cause = "memory";
        return ngx_http_emage_unavailable(ctx);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) body->data;
    b->last = b->pos + body->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = body->len;
    ngx_str_set(&r->headers_out.content_type, "application/dicom+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->allow_ranges = 0;

    if ((search->nrows == 0 && ngx_http_emage_notice(r) != NGX_OK)
        || ngx_http_emage_search_warnings(ctx) != NGX_OK
        || ngx_http_emage_common_headers(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ctx->complete = (rc == NGX_OK || rc == NGX_AGAIN);
        return rc == NGX_AGAIN ? NGX_OK : rc;
    }

    if (search->nlisted != 0) {
        ctx->transferring = 1;
        ngx_queue_insert_tail(&ngx_http_emage_worker->transfers,
                              &ctx->transfer);
    }

    rc = ngx_http_output_filter(r, &out);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* nginx writes the rest; the list stays among the watched transfers */

    ctx->complete = 1;

    return rc == NGX_AGAIN ? NGX_OK : rc;
}


/* PS3.18 section 8.3.4 has the words of these. */

static ngx_int_t
ngx_http_emage_search_warnings(ngx_http_emage_ctx_t *ctx)
{
    uint64_t                  shown;
    emage_query_t            *query;
    ngx_http_emage_search_t  *search;

    search = ctx->search;
    query = &search->query;

    if (query->fuzzy
        && ngx_http_emage_search_warning(ctx, "The fuzzymatching parameter is "
               "not supported. Only literal matching has been performed.", 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (query->emptyvalue
        && ngx_http_emage_search_warning(ctx, "The emptyvaluematching "
               "parameter is not supported.", 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (query->multiplevalue
        && ngx_http_emage_search_warning(ctx, "The multiplevaluematching "
               "parameter is not supported.", 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (query->ignored != 0
        && ngx_http_emage_search_warning(ctx, "%uL attributes that are no "
               "matching keys of this search have been ignored.",
               query->ignored)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (search->cut
        && ngx_http_emage_search_warning(ctx, "Only %uL studies have been "
               "looked at. Narrow the search by patient or study.", search->n)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    shown = (uint64_t) query->offset + search->nrows;

    if (search->total > shown
        && ngx_http_emage_search_warning(ctx, "There are %uL additional "
               "results that can be requested.", search->total - shown)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* `fmt` takes at most the number `n`. */

static ngx_int_t
ngx_http_emage_search_warning(ngx_http_emage_ctx_t *ctx, const char *fmt,
    uint64_t n)
{
    u_char      *p;
    ngx_str_t    value, *prefix;

    prefix = &ctx->conf->prefix;

    p = ngx_pnalloc(ctx->request->pool, prefix->len + ngx_strlen(fmt)
                                        + sizeof("299 : ") + NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    p = ngx_cpymem(p, "299 ", 4);
    p = ngx_cpymem(p, prefix->data, prefix->len - 1);
    p = ngx_cpymem(p, ": ", 2);
    p = ngx_sprintf(p, fmt, n);

    value.len = p - value.data;

    return ngx_http_emage_add_header(ctx->request, "Warning", &value);
}


ngx_int_t
ngx_http_emage_search_describe(ngx_http_emage_search_t *search)
{
    ngx_uint_t                   i, k;
    emage_str_t                  pid;
    ngx_http_emage_candidate_t  *candidate;

    emage_buf_reset(&search->described);
    (void) emage_query_describe(&search->query, ngx_http_emage_search_hash,
                                NULL, &search->described);

    for (i = 0; i < search->nlisted; i++) {
        candidate = search->hits[i];

        (void) emage_buf_add(&search->studies, i == 0 ? "[" : ",", 1);
        (void) emage_buf_add_json(&search->studies, candidate->uid);

        pid = emage_facts_pid(ngx_http_emage_entry_facts(
                                                 candidate->want.entry));

        /* of the studies of one patient, which often stand together */

        k = search->pids.len;

        if (k > pid.len
            && ngx_memcmp(search->pids.data + k - 1 - pid.len, pid.data,
                          pid.len)
               == 0)
        {
            continue;
        }

        (void) emage_buf_add(&search->pids, k == 0 ? "[" : ",", 1);
        (void) emage_buf_add_json(&search->pids, pid);
    }

    if (search->nlisted != 0) {
        (void) emage_buf_add(&search->studies, "]", 1);
        (void) emage_buf_add(&search->pids, "]", 1);
    }

    return search->described.failed || search->studies.failed
           || search->pids.failed ? NGX_ERROR : NGX_OK;
}


static bool
ngx_http_emage_search_hash(void *data, emage_str_t name, emage_str_t value,
    char *hex)
{
    ngx_http_emage_main_conf_t  *emcf;

    emcf = ngx_http_emage_worker->conf;

    return emcf->key_set && emage_identifier_value(emcf->key, name, value, hex);
}


void
ngx_http_emage_search_access(ngx_http_emage_ctx_t *ctx, emage_access_t *access)
{
    const emage_facts_t      *facts;
    ngx_http_emage_search_t  *search;

    search = ctx->search;

    access->search = true;
    access->rows = search->nrows;
    access->query.data = search->described.data;
    access->query.len = search->described.len;
    access->studies.data = search->studies.data;
    access->studies.len = search->studies.len;
    access->pids.data = search->pids.data;
    access->pids.len = search->pids.len;

    if (search->nlisted != 1 || search->hits[0]->want.entry == NULL) {
        return;
    }

    facts = ngx_http_emage_entry_facts(search->hits[0]->want.entry);

    access->pid = emage_facts_pid(facts);
    access->study_version = emage_facts_study_version(facts);
    access->patient_version = emage_facts_patient_version(facts);
}
