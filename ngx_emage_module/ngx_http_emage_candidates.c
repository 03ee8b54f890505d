
/*
 * Copyright (C) The e-mage authors
 *
 * Which studies a search looks at: the one its path names, those its query
 * names, else those that Redis keeps as hints for the subject.
 */


#include "ngx_http_emage_search.h"

#include <emage/identifier.h>


#define NGX_HTTP_EMAGE_CANDIDATES_ASKS  (EMAGE_SUBJECT_TEAMS_MAX + 3)


static ngx_int_t ngx_http_emage_candidates_named(
    ngx_http_emage_search_t *search);
static ngx_int_t ngx_http_emage_candidates_asks(
    ngx_http_emage_search_t *search);
static ngx_int_t ngx_http_emage_candidates_self(
    ngx_http_emage_search_t *search);
static void ngx_http_emage_candidates_ask(ngx_http_emage_search_t *search,
    const char *kind, emage_str_t name);
static ngx_int_t ngx_http_emage_candidates_submit(
    ngx_http_emage_search_t *search);
static void ngx_http_emage_candidates_reply(void *data,
    const ngx_emage_resp_t *reply, const char *reason);
static ngx_int_t ngx_http_emage_candidates_read(
    ngx_http_emage_search_t *search, const ngx_emage_resp_t *reply,
    const char *reason);
static ngx_int_t ngx_http_emage_candidates_add(
    ngx_http_emage_search_t *search, emage_str_t uid);
static void ngx_http_emage_candidates_compact(
    ngx_http_emage_search_t *search);
static int ngx_http_emage_candidates_cmp(const void *one, const void *two);


ngx_int_t
ngx_http_emage_candidates(ngx_http_emage_search_t *search)
{
    ngx_int_t              rc;
    ngx_http_emage_ask_t  *ask;

    if (search->asks == NULL) {

        if (ngx_array_init(&search->uids, search->ctx->request->pool, 16,
                           sizeof(emage_str_t))
            != NGX_OK)
        {
            search->ctx->cause = "memory";
            return NGX_ERROR;
        }

        rc = ngx_http_emage_candidates_named(search);

        if (rc != NGX_DECLINED) {
            ngx_http_emage_candidates_compact(search);
            return rc;
        }

        if (ngx_http_emage_candidates_asks(search) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {

        /* the answer to a question has come */

        if (search->answer != NGX_OK) {
            return NGX_ERROR;
        }

        ask = &search->asks[search->ask];

        if (search->cursor_len == 1 && search->cursor[0] == '0') {
            search->ask++;

            if (ask->kind.len == 3 && search->uids.nelts != 0) {

                /* a pid: nobody else has studies of this PatientID */

                search->ask = search->nasks;
            }
        }
    }

    if (search->uids.nelts > 2 * NGX_HTTP_EMAGE_SEARCH_CANDIDATES) {
        ngx_http_emage_candidates_compact(search);

        if (search->uids.nelts == NGX_HTTP_EMAGE_SEARCH_CANDIDATES) {
            search->ask = search->nasks;
        }
    }

    if (search->ask == search->nasks) {
        ngx_http_emage_candidates_compact(search);
        return NGX_OK;
    }

    return ngx_http_emage_candidates_submit(search);
}


/* The study of the path, or the Study UIDs that the query asks for. */

static ngx_int_t
ngx_http_emage_candidates_named(ngx_http_emage_search_t *search)
{
    size_t       pos;
    emage_str_t  uid;

    uid = search->ctx->resource.study;

    if (uid.len != 0) {
        return ngx_http_emage_candidates_add(search, uid);
    }

    pos = 0;

    if (!emage_query_uid(&search->query, 0x0020000D, &pos, &uid)) {
        return NGX_DECLINED;
    }

    do {
        if (ngx_http_emage_candidates_add(search, uid) != NGX_OK) {
            return NGX_ERROR;
        }

    } while (emage_query_uid(&search->query, 0x0020000D, &pos, &uid));

    return NGX_OK;
}


/*
 * Of a patient what is his own, of others what relations and overrides of
 * theirs lead to.  A viewer asks for other studies of a patient by the regional
 * PatientID, which is the pid.
 */

static ngx_int_t
ngx_http_emage_candidates_asks(ngx_http_emage_search_t *search)
{
    ngx_uint_t        i;
    emage_str_t       id;
    emage_subject_t  *subject;
    u_char            pid[16];

    search->asks = ngx_palloc(search->ctx->request->pool,
                              NGX_HTTP_EMAGE_CANDIDATES_ASKS
                              * sizeof(ngx_http_emage_ask_t));
    if (search->asks == NULL) {
        search->ctx->cause = "memory";
        return NGX_ERROR;
    }

    search->cursor[0] = '0';
    search->cursor_len = 1;

    id = emage_query_value(&search->query, 0x00100020);

    if (id.len == 32 && emage_unhex(pid, id.data, id.len)) {
        ngx_http_emage_candidates_ask(search, "pid", id);
    }

    subject = &search->ctx->subject;

    if (subject->kind == EMAGE_SUBJECT_PATIENT) {
        return ngx_http_emage_candidates_self(search);
    }

    ngx_http_emage_candidates_ask(search, "care", subject->id);
    ngx_http_emage_candidates_ask(search, "care", subject->organisation);

    for (i = 0; i < subject->nteams; i++) {
        ngx_http_emage_candidates_ask(search, "care", subject->teams[i]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_candidates_self(ngx_http_emage_search_t *search)
{
    char                        *hex;
    const char                  *bar;
    emage_str_t                  issuer, id;
    ngx_http_emage_main_conf_t  *emcf;

    emcf = ngx_http_emage_worker->conf;
    id = search->ctx->subject.id;
    bar = memchr(id.data, '|', id.len);

    if (bar == NULL || !emcf->key_set) {
        return NGX_OK;
    }

    issuer.data = id.data;
    issuer.len = bar - id.data;
    id.len -= issuer.len + 1;
    id.data = bar + 1;

    hex = ngx_pnalloc(search->ctx->request->pool, EMAGE_IDENTIFIER_HASH);
    if (hex == NULL) {
        search->ctx->cause = "memory";
        return NGX_ERROR;
    }

    if (emage_identifier_hash(emcf->key, issuer, id, hex) == EMAGE_OK) {
        ngx_http_emage_candidates_ask(search, "id",
                      (emage_str_t) { hex, EMAGE_IDENTIFIER_HASH });
    }

    return NGX_OK;
}


static void
ngx_http_emage_candidates_ask(ngx_http_emage_search_t *search,
    const char *kind, emage_str_t name)
{
    ngx_http_emage_ask_t  *ask;

    if (name.len == 0) {
        return;
    }

    ask = &search->asks[search->nasks++];

    ask->kind.data = (u_char *) kind;
    ask->kind.len = ngx_strlen(kind);
    ask->name.data = (u_char *) name.data;
    ask->name.len = name.len;
}


static ngx_int_t
ngx_http_emage_candidates_submit(ngx_http_emage_search_t *search)
{
    ngx_str_t              argv[8];
    ngx_http_emage_ask_t  *ask;

    ask = &search->asks[search->ask];

    ngx_str_set(&argv[0], "FCALL_RO");
    ngx_str_set(&argv[1], "emage_candidates");
    ngx_str_set(&argv[2], "2");
    ngx_str_set(&argv[3], "emage:{0}:epoch");
    ngx_str_set(&argv[4], "emage:{0}:seq");

    argv[5] = ask->kind;
    argv[6] = ask->name;
    argv[7].data = search->cursor;
    argv[7].len = search->cursor_len;

    search->cmd = ngx_emage_redis_submit(ngx_http_emage_worker->redis, 8, argv,
                                         ngx_http_emage_candidates_reply,
                                         search);
    if (search->cmd == NULL) {
        search->ctx->cause = "redis";
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


static void
ngx_http_emage_candidates_reply(void *data, const ngx_emage_resp_t *reply,
    const char *reason)
{
    ngx_http_emage_search_t *search = data;

    search->cmd = NULL;
    search->answer = ngx_http_emage_candidates_read(search, reply, reason);

    ngx_http_emage_resume(search->ctx);
}


/* What does not look as it must is no answer: the list would be cut short. */

static ngx_int_t
ngx_http_emage_candidates_read(ngx_http_emage_search_t *search,
    const ngx_emage_resp_t *reply, const char *reason)
{
    int64_t             seq, cut;
    ngx_str_t           s, epoch, cursor;
    ngx_uint_t          i, n;
    ngx_emage_stamp_t   stamp;

    search->ctx->cause = "redis";

    if (reply == NULL || ngx_emage_resp_type(reply) != NGX_EMAGE_RESP_ARRAY) {
        s.data = (u_char *) reason;
        s.len = reason != NULL ? ngx_strlen(reason) : 0;

        if (reply != NULL) {
            s = ngx_emage_resp_str(reply);
        }

        ngx_log_error(NGX_LOG_ERR, ngx_http_emage_worker->cycle->log, 0,
                      "no candidates from Redis: \"%V\"", &s);
        return NGX_ERROR;
    }

    n = ngx_emage_resp_count(reply);
    epoch = ngx_emage_resp_str(ngx_emage_resp_at(reply, 0));
    cursor = ngx_emage_resp_str(ngx_emage_resp_at(reply, 2));

    if (n < 4
        || ngx_emage_resp_int(ngx_emage_resp_at(reply, 1), &seq) != NGX_OK
        || ngx_emage_resp_int(ngx_emage_resp_at(reply, 3), &cut) != NGX_OK
        || cursor.len == 0 || cursor.len > sizeof(search->cursor))
    {
        ngx_log_error(NGX_LOG_ERR, ngx_http_emage_worker->cycle->log, 0,
                      "no candidates from Redis: emage_candidates answered in "
                      "another shape; run \"emage-consent init\"");
        return NGX_ERROR;
    }

    if (ngx_emage_lease_stamp(ngx_http_emage_worker->lease, &epoch, seq,
                              &stamp)
        != NGX_OK)
    {
        search->ctx->cause = "lease";
        return NGX_ERROR;
    }

    ngx_memcpy(search->cursor, cursor.data, cursor.len);
    search->cursor_len = cursor.len;

    if (cut) {
        search->cut = 1;
    }

    for (i = 4; i < n; i++) {
        s = ngx_emage_resp_str(ngx_emage_resp_at(reply, i));

        if (ngx_http_emage_candidates_add(search, ngx_http_emage_str(&s))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    search->ctx->cause = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_candidates_add(ngx_http_emage_search_t *search, emage_str_t uid)
{
    u_char       *p;
    emage_str_t  *slot;

    if (!emage_uid_valid(uid)) {
        return NGX_OK;
    }

    slot = ngx_array_push(&search->uids);
    p = ngx_pnalloc(search->ctx->request->pool, uid.len);

    if (slot == NULL || p == NULL) {
        search->ctx->cause = "memory";
        return NGX_ERROR;
    }

    ngx_memcpy(p, uid.data, uid.len);

    slot->data = (char *) p;
    slot->len = uid.len;

    return NGX_OK;
}


/* Each UID once, and no more than are looked at. */

static void
ngx_http_emage_candidates_compact(ngx_http_emage_search_t *search)
{
    ngx_uint_t    i, n;
    emage_str_t  *uid;

    uid = search->uids.elts;

    if (search->uids.nelts < 2) {
        return;
    }

    qsort(uid, search->uids.nelts, sizeof(emage_str_t),
          ngx_http_emage_candidates_cmp);

    for (i = 1, n = 1; i < search->uids.nelts; i++) {
        if (!emage_str_eq(uid[i], uid[n - 1])) {
            uid[n++] = uid[i];
        }
    }

    if (n > NGX_HTTP_EMAGE_SEARCH_CANDIDATES) {
        n = NGX_HTTP_EMAGE_SEARCH_CANDIDATES;
        search->cut = 1;
    }

    search->uids.nelts = n;
}


static int
ngx_http_emage_candidates_cmp(const void *one, const void *two)
{
    return emage_str_cmp(*(const emage_str_t *) one,
                         *(const emage_str_t *) two);
}
