
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_entry.h"
#include "ngx_http_emage_metrics.h"


#define NGX_HTTP_EMAGE_FACTS_BUCKETS   4096
#define NGX_HTTP_EMAGE_FACTS_ENTRIES   8192
#define NGX_HTTP_EMAGE_FACTS_BYTES     (64 * 1024 * 1024)
#define NGX_HTTP_EMAGE_FACTS_FETCHES   8       /* for one who asks */
#define NGX_HTTP_EMAGE_VERDICTS        8       /* remembered with facts */


/* A verdict remembered with the facts it was made on. */

typedef struct {
    u_char             session[32];
    emage_verdict_t    verdict;

    unsigned           own:1;              /* purpose is the subject's */
} ngx_http_emage_verdict_t;


/*
 * `refs` counts requests, the table and a running fetch.  An entry that has
 * left the table lives on until the last request is done with it.
 */

struct ngx_http_emage_entry_s {
    ngx_queue_t               queue;       /* of a bucket */
    ngx_queue_t               lru;
    ngx_uint_t                refs;
    uint32_t                  hash;
    size_t                    size;

    u_char                    study[EMAGE_UID_MAX];
    size_t                    study_len;

    emage_facts_t            *facts;
    ngx_emage_stamp_t         stamp;
    uint64_t                  asked;       /* us */

    ngx_queue_t               waiters;
    ngx_uint_t                next;        /* verdict to be replaced */
    ngx_http_emage_verdict_t  verdicts[NGX_HTTP_EMAGE_VERDICTS];

    unsigned                  loading:1;
    unsigned                  linked:1;
};


typedef struct {
    ngx_queue_t   buckets[NGX_HTTP_EMAGE_FACTS_BUCKETS];
    ngx_queue_t   lru;                     /* most recent first */
    ngx_uint_t    count;
    size_t        bytes;
} ngx_http_emage_facts_cache_t;


static ngx_http_emage_entry_t *ngx_http_emage_entry_find(uint32_t hash,
    emage_str_t *study);
static ngx_http_emage_entry_t *ngx_http_emage_entry_create(uint32_t hash,
    emage_str_t *study);
static void ngx_http_emage_entry_unlink(ngx_http_emage_entry_t *entry);
static void ngx_http_emage_entry_evict(void);
static void ngx_http_emage_entry_wait(ngx_http_emage_want_t *want,
    ngx_http_emage_entry_t *entry);
static ngx_int_t ngx_http_emage_facts_fetch(ngx_http_emage_want_t *want,
    emage_str_t *study, uint32_t hash);
static void ngx_http_emage_facts_reply(void *data,
    const ngx_emage_resp_t *reply, const char *reason);
static ngx_int_t ngx_http_emage_facts_read(ngx_http_emage_entry_t *entry,
    const ngx_emage_resp_t *reply, const char *reason, const char **cause);


static ngx_http_emage_facts_cache_t  *ngx_http_emage_facts_cache;


ngx_int_t
ngx_http_emage_facts_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                     i;
    ngx_http_emage_facts_cache_t  *cache;

    cache = ngx_pcalloc(cycle->pool, sizeof(ngx_http_emage_facts_cache_t));
    if (cache == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_EMAGE_FACTS_BUCKETS; i++) {
        ngx_queue_init(&cache->buckets[i]);
    }

    ngx_queue_init(&cache->lru);

    ngx_http_emage_facts_cache = cache;

    return NGX_OK;
}


ngx_int_t
ngx_http_emage_entry_get(ngx_http_emage_want_t *want, emage_str_t *study)
{
    uint32_t                 hash;
    ngx_int_t                rc;
    ngx_http_emage_entry_t  *entry;

    if (want->fetched != NGX_OK) {

        /* what a fetch that failed has left */

        rc = want->fetched;
        want->fetched = NGX_OK;
        return rc;
    }

    if (!ngx_emage_lease_live(ngx_http_emage_worker->lease)) {
        want->cause = "lease";
        return NGX_ERROR;
    }

    hash = ngx_murmur_hash2((u_char *) study->data, study->len);

    entry = ngx_http_emage_entry_find(hash, study);

    if (entry != NULL && !entry->loading) {

        if (ngx_http_emage_entry_fresh(entry)) {
            ngx_queue_remove(&entry->lru);
            ngx_queue_insert_head(&ngx_http_emage_facts_cache->lru,
                                  &entry->lru);
            entry->refs++;
            want->entry = entry;
            ngx_http_emage_count(NGX_HTTP_EMAGE_FACTS_CACHED, 1);
            return NGX_OK;
        }

        ngx_http_emage_entry_unlink(entry);
        entry = NULL;
    }

    if (want->rounds++ == NGX_HTTP_EMAGE_FACTS_FETCHES) {
        want->cause = "records change too fast: facts";
        return NGX_ERROR;
    }

    if (entry == NULL) {
        return ngx_http_emage_facts_fetch(want, study, hash);
    }

    ngx_http_emage_entry_wait(want, entry);

    return NGX_AGAIN;
}


static void
ngx_http_emage_entry_wait(ngx_http_emage_want_t *want,
    ngx_http_emage_entry_t *entry)
{
    entry->refs++;
    want->entry = entry;
    want->fetching = 1;
    ngx_queue_insert_tail(&entry->waiters, &want->waiting);
}


static ngx_int_t
ngx_http_emage_facts_fetch(ngx_http_emage_want_t *want, emage_str_t *study,
    uint32_t hash)
{
    u_char                   key[sizeof("emage:" "{0}" ":study:")
                                 + EMAGE_UID_MAX];
    ngx_str_t                argv[7];
    ngx_http_emage_entry_t  *entry;

    entry = ngx_http_emage_entry_create(hash, study);
    if (entry == NULL) {
        want->cause = "memory";
        return NGX_ERROR;
    }

    ngx_str_set(&argv[0], "FCALL_RO");
    ngx_str_set(&argv[1], "emage_facts");
    ngx_str_set(&argv[2], "3");

    argv[3].data = key;
    argv[3].len = ngx_sprintf(key, "emage:{0}:study:%*s", entry->study_len,
                              entry->study)
                  - key;

    ngx_str_set(&argv[4], "emage:{0}:epoch");
    ngx_str_set(&argv[5], "emage:{0}:seq");

    argv[6].data = entry->study;
    argv[6].len = entry->study_len;

    entry->asked = ngx_http_emage_clock();
    ngx_http_emage_count(NGX_HTTP_EMAGE_FACTS_FETCHED, 1);

    if (ngx_emage_redis_submit(ngx_http_emage_worker->redis, 7, argv,
                               ngx_http_emage_facts_reply, entry)
        == NULL)
    {
        ngx_http_emage_entry_unlink(entry);
        ngx_http_emage_entry_release(entry);
        want->cause = "redis";
        return NGX_ERROR;
    }

    /* the reference from creation is the fetch's, this one the asker's */

    ngx_http_emage_entry_wait(want, entry);

    return NGX_AGAIN;
}


static void
ngx_http_emage_facts_reply(void *data, const ngx_emage_resp_t *reply,
    const char *reason)
{
    ngx_http_emage_entry_t *entry = data;

    ngx_int_t               rc;
    ngx_queue_t            *q;
    const char             *cause;
    ngx_http_emage_want_t  *want;

    ngx_http_emage_waited(NGX_HTTP_EMAGE_WAIT_REDIS, entry->asked);

    cause = NULL;
    rc = ngx_http_emage_facts_read(entry, reply, reason, &cause);

    entry->loading = 0;

    if (rc != NGX_OK) {
        ngx_http_emage_entry_unlink(entry);
    }

    /*
     * Each one that goes on may end others that wait here (streams of one
     * connection), so only the head of the queue is ever looked at.
     */

    while (!ngx_queue_empty(&entry->waiters)) {

        q = ngx_queue_head(&entry->waiters);
        want = ngx_queue_data(q, ngx_http_emage_want_t, waiting);

        ngx_http_emage_entry_leave(want);

        want->fetched = rc;
        want->cause = cause;

        want->handler(want->data);
    }

    ngx_http_emage_entry_evict();
    ngx_http_emage_entry_release(entry);
}


/*
 * NGX_OK with facts, NGX_DECLINED for a study without a record, NGX_ERROR with
 * a cause for everything else: what is not understood is not known.
 */

static ngx_int_t
ngx_http_emage_facts_read(ngx_http_emage_entry_t *entry,
    const ngx_emage_resp_t *reply, const char *reason, const char **cause)
{
    int64_t                  seq;
    ngx_str_t                epoch, study, patient, text;
    emage_str_t              name;
    emage_error_t            err;
    ngx_http_emage_worker_t *worker;

    worker = ngx_http_emage_worker;
    *cause = "redis";

    if (reply == NULL) {
        ngx_log_error(NGX_LOG_WARN, worker->cycle->log, 0,
                      "no facts from Redis: %s", reason);
        return NGX_ERROR;
    }

    if (ngx_emage_resp_type(reply) == NGX_EMAGE_RESP_ERROR) {
        text = ngx_emage_resp_str(reply);
        ngx_log_error(NGX_LOG_ERR, worker->cycle->log, 0,
                      "no facts from Redis: it answered \"%V\"", &text);
        return NGX_ERROR;
    }

    if (ngx_emage_resp_type(reply) != NGX_EMAGE_RESP_ARRAY
        || ngx_emage_resp_count(reply) != 4
        || ngx_emage_resp_type(ngx_emage_resp_at(reply, 0))
           != NGX_EMAGE_RESP_STRING
        || ngx_emage_resp_int(ngx_emage_resp_at(reply, 1), &seq) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, worker->cycle->log, 0,
                      "no facts from Redis: emage_facts answered in another "
                      "shape; run \"emage-consent init\"");
        return NGX_ERROR;
    }

    epoch = ngx_emage_resp_str(ngx_emage_resp_at(reply, 0));

    if (ngx_emage_lease_stamp(worker->lease, &epoch, seq, &entry->stamp)
        != NGX_OK)
    {
        *cause = "lease";
        return NGX_ERROR;
    }

    if (ngx_emage_resp_type(ngx_emage_resp_at(reply, 2)) == NGX_EMAGE_RESP_NIL)
    {
        *cause = NULL;
        return NGX_DECLINED;
    }

    study = ngx_emage_resp_str(ngx_emage_resp_at(reply, 2));
    patient = ngx_emage_resp_str(ngx_emage_resp_at(reply, 3));

    *cause = "record";
    err.text[0] = '\0';

    if (emage_facts_parse(ngx_http_emage_str(&study),
                          ngx_http_emage_str(&patient), &entry->facts, &err)
        != EMAGE_OK)
    {
        entry->facts = NULL;
        ngx_log_error(NGX_LOG_ERR, worker->cycle->log, 0,
                      "record of study \"%*s\" is not understood: %s",
                      entry->study_len, entry->study, err.text);
        return NGX_ERROR;
    }

    /* an answer about another study would be decided, opened and recorded */

    name = emage_facts_study(entry->facts);

    if (name.len != entry->study_len
        || ngx_memcmp(name.data, entry->study, name.len) != 0)
    {
        ngx_log_error(NGX_LOG_ERR, worker->cycle->log, 0,
                      "record of study \"%*s\" names another study",
                      entry->study_len, entry->study);
        return NGX_ERROR;
    }

    entry->size += emage_facts_size(entry->facts);
    ngx_http_emage_facts_cache->bytes += emage_facts_size(entry->facts);

    *cause = NULL;

    return NGX_OK;
}


ngx_uint_t
ngx_http_emage_entry_fresh(ngx_http_emage_entry_t *entry)
{
    emage_str_t  pid;

    if (entry->facts == NULL) {
        return 0;
    }

    pid = emage_facts_pid(entry->facts);

    return ngx_emage_lease_fresh(ngx_http_emage_worker->lease,
                                 (const u_char *) pid.data, pid.len,
                                 &entry->stamp);
}


const emage_facts_t *
ngx_http_emage_entry_facts(ngx_http_emage_entry_t *entry)
{
    return entry->facts;
}


const ngx_emage_stamp_t *
ngx_http_emage_entry_stamp(ngx_http_emage_entry_t *entry)
{
    return &entry->stamp;
}


void
ngx_http_emage_entry_leave(ngx_http_emage_want_t *want)
{
    if (want->entry == NULL) {
        return;
    }

    if (want->fetching) {
        ngx_queue_remove(&want->waiting);
        want->fetching = 0;
    }

    ngx_http_emage_entry_release(want->entry);
    want->entry = NULL;
}


void
ngx_http_emage_entry_drop(ngx_http_emage_want_t *want)
{
    ngx_http_emage_entry_unlink(want->entry);
    ngx_http_emage_entry_leave(want);
}


ngx_int_t
ngx_http_emage_entry_decide(ngx_http_emage_entry_t *entry,
    const emage_subject_t *subject, ngx_log_t *log, emage_verdict_t *verdict)
{
    int64_t                    now;
    emage_rc_t                 rc;
    ngx_uint_t                 i;
    ngx_http_emage_worker_t   *worker;
    ngx_http_emage_verdict_t  *slot;

    worker = ngx_http_emage_worker;
    now = ngx_http_emage_now();

    if (subject->session.len == sizeof(slot->session)) {

        for (i = 0; i < NGX_HTTP_EMAGE_VERDICTS; i++) {
            slot = &entry->verdicts[i];

            if (slot->verdict.until > now
                && ngx_memcmp(slot->session, subject->session.data,
                              sizeof(slot->session))
                   == 0)
            {
                *verdict = slot->verdict;

                /* the strings of the subject that it was made for are gone */

                if (slot->own) {
                    verdict->purpose = subject->purpose;
                }

                return NGX_OK;
            }
        }
    }

    rc = emage_decide(worker->conf->policy, entry->facts, subject,
                      EMAGE_ACTION_VIEW, now, worker->scratch, verdict);

    if (rc != EMAGE_OK) {
        ngx_memzero(verdict, sizeof(emage_verdict_t));
        return NGX_ERROR;
    }

    if (verdict->errors != 0) {
        verdict->permits = 0;
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "%ui policies failed on a request; refused",
                      (ngx_uint_t) verdict->errors);
    }

    if (subject->session.len == sizeof(slot->session)) {
        slot = &entry->verdicts[entry->next++ % NGX_HTTP_EMAGE_VERDICTS];
        slot->verdict = *verdict;
        slot->own = verdict->purpose.data == subject->purpose.data;
        ngx_memcpy(slot->session, subject->session.data,
                   sizeof(slot->session));
    }

    return NGX_OK;
}


static ngx_http_emage_entry_t *
ngx_http_emage_entry_find(uint32_t hash, emage_str_t *study)
{
    ngx_queue_t             *q, *bucket;
    ngx_http_emage_entry_t  *entry;

    bucket = &ngx_http_emage_facts_cache
                  ->buckets[hash % NGX_HTTP_EMAGE_FACTS_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        entry = ngx_queue_data(q, ngx_http_emage_entry_t, queue);

        if (entry->hash == hash && entry->study_len == study->len
            && ngx_memcmp(entry->study, study->data, study->len) == 0)
        {
            return entry;
        }
    }

    return NULL;
}


/* With one reference for the caller and one for the table. */

static ngx_http_emage_entry_t *
ngx_http_emage_entry_create(uint32_t hash, emage_str_t *study)
{
    ngx_http_emage_entry_t        *entry;
    ngx_http_emage_facts_cache_t  *cache;

    entry = ngx_calloc(sizeof(ngx_http_emage_entry_t),
                       ngx_http_emage_worker->cycle->log);
    if (entry == NULL) {
        return NULL;
    }

    cache = ngx_http_emage_facts_cache;

    entry->hash = hash;
    entry->refs = 2;
    entry->size = sizeof(ngx_http_emage_entry_t);
    entry->study_len = study->len;
    ngx_memcpy(entry->study, study->data, study->len);

    entry->loading = 1;
    entry->linked = 1;

    ngx_queue_init(&entry->waiters);
    ngx_queue_insert_head(&cache->buckets[hash % NGX_HTTP_EMAGE_FACTS_BUCKETS],
                          &entry->queue);
    ngx_queue_insert_head(&cache->lru, &entry->lru);

    cache->count++;
    cache->bytes += entry->size;

    return entry;
}


static void
ngx_http_emage_entry_unlink(ngx_http_emage_entry_t *entry)
{
    ngx_http_emage_facts_cache_t  *cache;

    if (!entry->linked) {
        return;
    }

    cache = ngx_http_emage_facts_cache;

    ngx_queue_remove(&entry->queue);
    ngx_queue_remove(&entry->lru);

    entry->linked = 0;
    cache->count--;
    cache->bytes -= entry->size;

    ngx_http_emage_entry_release(entry);
}


void
ngx_http_emage_entry_hold(ngx_http_emage_entry_t *entry)
{
    entry->refs++;
}


void
ngx_http_emage_entry_release(ngx_http_emage_entry_t *entry)
{
    if (--entry->refs > 0) {
        return;
    }

    emage_facts_free(entry->facts);
    ngx_free(entry);
}


/* Entries being fetched stay: somebody waits for them. */

static void
ngx_http_emage_entry_evict(void)
{
    ngx_queue_t                   *q, *prev;
    ngx_http_emage_entry_t        *entry;
    ngx_http_emage_facts_cache_t  *cache;

    cache = ngx_http_emage_facts_cache;

    for (q = ngx_queue_last(&cache->lru);
         q != ngx_queue_sentinel(&cache->lru)
         && (cache->count > NGX_HTTP_EMAGE_FACTS_ENTRIES
             || cache->bytes > NGX_HTTP_EMAGE_FACTS_BYTES);
         q = prev)
    {
        prev = ngx_queue_prev(q);
        entry = ngx_queue_data(q, ngx_http_emage_entry_t, lru);

        if (!entry->loading) {
            ngx_http_emage_entry_unlink(entry);
        }
    }
}
