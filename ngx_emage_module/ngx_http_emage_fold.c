
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_fold.h"

#include <ngx_md5.h>


#define NGX_HTTP_EMAGE_FOLD_TIME       10000      /* ms */
#define NGX_HTTP_EMAGE_FOLD_BUCKETS    4096
#define NGX_HTTP_EMAGE_FOLD_LIST       1024       /* instances listed */
#define NGX_HTTP_EMAGE_FOLD_SEEN       2048       /* a power of 2, over it */
#define NGX_HTTP_EMAGE_FOLD_TEXT       (128 * 1024)


typedef struct {
    ngx_queue_t  buckets[NGX_HTTP_EMAGE_FOLD_BUCKETS];
    ngx_queue_t  order;                    /* oldest first */
    ngx_queue_t  closed;                   /* until their outcome is durable */
} ngx_http_emage_folds_t;


static ngx_int_t ngx_http_emage_fold_copy(ngx_http_emage_fold_t *fold,
    emage_access_t *access);
static void ngx_http_emage_fold_settle(ngx_uint_t all);
static void ngx_http_emage_fold_write(ngx_http_emage_fold_t *fold);
static void ngx_http_emage_fold_free(ngx_http_emage_fold_t *fold);


static ngx_http_emage_folds_t  *ngx_http_emage_folds;


ngx_int_t
ngx_http_emage_fold_init(ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    ngx_http_emage_folds = ngx_pcalloc(cycle->pool,
                                       sizeof(ngx_http_emage_folds_t));
    if (ngx_http_emage_folds == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_EMAGE_FOLD_BUCKETS; i++) {
        ngx_queue_init(&ngx_http_emage_folds->buckets[i]);
    }

    ngx_queue_init(&ngx_http_emage_folds->order);
    ngx_queue_init(&ngx_http_emage_folds->closed);

    return NGX_OK;
}


void
ngx_http_emage_fold_key(ngx_http_emage_ctx_t *ctx, emage_access_t *access,
    u_char *key)
{
    ngx_md5_t  md5;

    ngx_md5_init(&md5);

#define ngx_http_emage_fold_add(s)                                           \
    ngx_md5_update(&md5, &(s).len, sizeof(size_t));                          \
    ngx_md5_update(&md5, (s).data, (s).len)

    ngx_http_emage_fold_add(ctx->subject.id);
    ngx_http_emage_fold_add(ctx->subject.session);
    ngx_http_emage_fold_add(access->purpose);
    ngx_http_emage_fold_add(access->action);
    ngx_http_emage_fold_add(access->study);
    ngx_http_emage_fold_add(access->series);
    ngx_http_emage_fold_add(access->query);
    ngx_http_emage_fold_add(access->studies);

#undef ngx_http_emage_fold_add

    ngx_md5_update(&md5, &access->study_version, sizeof(int64_t));
    ngx_md5_update(&md5, &access->patient_version, sizeof(int64_t));
    ngx_md5_update(&md5, &ctx->verdict.permits, sizeof(unsigned));
    ngx_md5_update(&md5, &access->rows, sizeof(uint32_t));

    ngx_md5_final(key, &md5);
}


ngx_http_emage_fold_t *
ngx_http_emage_fold_find(u_char *key)
{
    uint32_t                n;
    ngx_queue_t            *q, *bucket;
    ngx_http_emage_fold_t  *fold;

    ngx_memcpy(&n, key, sizeof(uint32_t));
    bucket = &ngx_http_emage_folds
                  ->buckets[n % NGX_HTTP_EMAGE_FOLD_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        fold = ngx_queue_data(q, ngx_http_emage_fold_t, queue);

        if (ngx_memcmp(fold->key, key, sizeof(fold->key)) == 0
            && ngx_current_msec - fold->created < NGX_HTTP_EMAGE_FOLD_TIME)
        {
            return fold;
        }
    }

    return NULL;
}


ngx_http_emage_fold_t *
ngx_http_emage_fold_create(u_char *key, emage_access_t *access,
    uint64_t ticket)
{
    uint32_t                n;
    ngx_http_emage_fold_t  *fold;

    fold = ngx_calloc(sizeof(ngx_http_emage_fold_t),
                      ngx_http_emage_worker->cycle->log);
    if (fold == NULL) {
        return NULL;
    }

    emage_buf_init(&fold->instances, NGX_HTTP_EMAGE_FOLD_TEXT);

    ngx_memcpy(fold->key, key, sizeof(fold->key));
    ngx_memcpy(fold->id, access->decision_id.data, sizeof(fold->id));
    fold->created = ngx_current_msec;
    fold->ticket = ticket;

    if (ngx_http_emage_fold_copy(fold, access) != NGX_OK) {
        ngx_http_emage_fold_free(fold);
        return NULL;
    }

    ngx_memcpy(&n, key, sizeof(uint32_t));

    ngx_queue_insert_head(&ngx_http_emage_folds
                              ->buckets[n % NGX_HTTP_EMAGE_FOLD_BUCKETS],
                          &fold->queue);
    ngx_queue_insert_tail(&ngx_http_emage_folds->order, &fold->order);
    fold->linked = 1;

    return fold;
}


void
ngx_http_emage_fold_sweep(ngx_uint_t all)
{
    ngx_queue_t            *q, *next;
    ngx_http_emage_fold_t  *fold;

    for (q = ngx_queue_head(&ngx_http_emage_folds->order);
         q != ngx_queue_sentinel(&ngx_http_emage_folds->order);
         q = next)
    {
        next = ngx_queue_next(q);
        fold = ngx_queue_data(q, ngx_http_emage_fold_t, order);

        if (all) {

            /* what is still open will not be closed in order any more */

            fold->access.incomplete += (uint32_t) fold->open;
            fold->open = 0;

        } else if (ngx_current_msec - fold->created
                   < NGX_HTTP_EMAGE_FOLD_TIME)
        {
            break;
        }

        ngx_http_emage_fold_unlink(fold);

        if (fold->open == 0) {
            ngx_http_emage_fold_close(fold);
        }
    }

    ngx_http_emage_fold_settle(all);
}


/*
 * An outcome that the journal could not take, or has lost with its file, is
 * written again.  Of two for one decision the later one counts.  While the
 * journal does not work nothing is served, so these do not grow in number.
 */

static void
ngx_http_emage_fold_settle(ngx_uint_t all)
{
    ngx_int_t               rc;
    ngx_queue_t            *q, *next;
    ngx_emage_journal_t    *journal;
    ngx_http_emage_fold_t  *fold;

    journal = ngx_http_emage_worker->journal;

    for (q = ngx_queue_head(&ngx_http_emage_folds->closed);
         q != ngx_queue_sentinel(&ngx_http_emage_folds->closed);
         q = next)
    {
        next = ngx_queue_next(q);
        fold = ngx_queue_data(q, ngx_http_emage_fold_t, order);

        rc = fold->outcome == 0
             ? NGX_ERROR : ngx_emage_journal_state(journal, fold->outcome);

        if (rc == NGX_ERROR && !fold->durable
            && ngx_emage_journal_state(journal, fold->ticket) == NGX_ERROR)
        {
            /* the intent is lost as well, and nothing was served on it */

            ngx_queue_remove(&fold->order);
            ngx_http_emage_fold_free(fold);
            continue;
        }

        if (rc == NGX_ERROR && ngx_emage_journal_ok(journal)) {
            fold->access.again = fold->outcome != 0 || fold->access.again;
            ngx_http_emage_fold_write(fold);
        }

        if (all && fold->outcome == 0) {
            ngx_log_error(NGX_LOG_WARN, ngx_http_emage_worker->cycle->log, 0,
                          "outcome of decision %*s is not recorded; its "
                          "intent is", sizeof(fold->id), fold->id);
        }

        if (all || rc == NGX_OK) {
            ngx_queue_remove(&fold->order);
            ngx_http_emage_fold_free(fold);
        }
    }
}


/*
 * The closing record is written long after the request has gone: the fold has
 * its own copy of every string.  Reasons and policy revision are the policy's.
 */

static ngx_int_t
ngx_http_emage_fold_copy(ngx_http_emage_fold_t *fold, emage_access_t *access)
{
    size_t        packed, len;
    u_char       *p;
    ngx_uint_t    i;
    emage_str_t  *strings[5];
    u_char        subject[EMAGE_SUBJECT_MAX];

    packed = emage_subject_pack(access->subject, subject, sizeof(subject));
    if (packed == 0) {
        return NGX_ERROR;
    }

    fold->access = *access;

    /* what a search lists stands in its intent, which comes first */

    fold->access.query = emage_null_str;
    fold->access.studies = emage_null_str;
    fold->access.pids = emage_null_str;

    strings[0] = &fold->access.request_id;
    strings[1] = &fold->access.study;
    strings[2] = &fold->access.series;
    strings[3] = &fold->access.pid;
    strings[4] = &fold->access.purpose;

    len = packed;

    for (i = 0; i < 5; i++) {
        len += strings[i]->len;
    }

    fold->strings = ngx_alloc(len, ngx_http_emage_worker->cycle->log);
    if (fold->strings == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(fold->strings, subject, packed);

    if (emage_subject_unpack(fold->strings, packed, &fold->subject)
        != EMAGE_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < 5; i++) {

        if (strings[i]->len == 0) {
            continue;
        }

        ngx_memcpy(p, strings[i]->data, strings[i]->len);
        strings[i]->data = (char *) p;
        p += strings[i]->len;
    }

    for (i = 0; i < access->nreasons; i++) {
        fold->reasons[i] = access->reasons[i];
    }

    fold->access.type = EMAGE_ACCESS_OUTCOME;
    fold->access.subject = &fold->subject;
    fold->access.reasons = fold->reasons;
    fold->access.decision_id.data = (char *) fold->id;
    fold->access.decision_id.len = sizeof(fold->id);

    return NGX_OK;
}


void
ngx_http_emage_fold_unlink(ngx_http_emage_fold_t *fold)
{
    if (fold->linked) {
        ngx_queue_remove(&fold->queue);
        fold->linked = 0;
    }
}


void
ngx_http_emage_fold_close(ngx_http_emage_fold_t *fold)
{
    int64_t  now;

    ngx_queue_remove(&fold->order);
    ngx_queue_insert_tail(&ngx_http_emage_folds->closed, &fold->order);

    now = ngx_http_emage_now();

    fold->access.duration = now - fold->access.time;
    fold->access.time = now;
    fold->access.instances.data = fold->instances.data;
    fold->access.instances.len = 0;

    if (fold->instances.len != 0
        && emage_buf_add_c(&fold->instances, "]") == EMAGE_OK)
    {
        fold->access.instances.data = fold->instances.data;
        fold->access.instances.len = fold->instances.len;
    }

    if (fold->durable
        || ngx_emage_journal_state(ngx_http_emage_worker->journal,
                                   fold->ticket)
           != NGX_ERROR)
    {
        ngx_http_emage_fold_write(fold);
    }
}


static void
ngx_http_emage_fold_write(ngx_http_emage_fold_t *fold)
{
    if (ngx_http_emage_access_write(&fold->access, &fold->outcome) != NGX_OK) {
        fold->outcome = 0;
    }
}


static void
ngx_http_emage_fold_free(ngx_http_emage_fold_t *fold)
{
    emage_buf_free(&fold->instances);

    if (fold->seen != NULL) {
        ngx_free(fold->seen);
    }

    if (fold->strings != NULL) {
        ngx_free(fold->strings);
    }

    ngx_free(fold);
}


/*
 * Adds an instance to the list unless it is there; past the limits only the
 * number goes on, then counting every request.
 */

void
ngx_http_emage_fold_list(ngx_http_emage_fold_t *fold, emage_str_t instance)
{
    uint64_t    hash;
    ngx_uint_t  i;

    if (fold->access.ninstances >= NGX_HTTP_EMAGE_FOLD_LIST) {
        fold->access.ninstances++;
        return;
    }

    if (fold->seen == NULL) {
        fold->seen = ngx_calloc(NGX_HTTP_EMAGE_FOLD_SEEN * sizeof(uint64_t),
                                ngx_http_emage_worker->cycle->log);
        if (fold->seen == NULL) {
            fold->access.ninstances++;
            return;
        }
    }

    hash = (uint64_t) ngx_murmur_hash2((u_char *) instance.data, instance.len)
           << 32
           | ngx_crc32_long((u_char *) instance.data, instance.len);
    hash = hash ? hash : 1;

    for (i = hash % NGX_HTTP_EMAGE_FOLD_SEEN;
         fold->seen[i] != 0;
         i = (i + 1) % NGX_HTTP_EMAGE_FOLD_SEEN)
    {
        if (fold->seen[i] == hash) {
            return;
        }
    }

    fold->seen[i] = hash;

    (void) emage_buf_add_c(&fold->instances,
                           fold->access.ninstances++ == 0 ? "[" : ",");
    (void) emage_buf_add_json(&fold->instances, instance);
}
