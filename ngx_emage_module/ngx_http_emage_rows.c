
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_rows.h"
#include "ngx_http_emage_store.h"


#define NGX_HTTP_EMAGE_ROWS_BUCKETS  4096
#define NGX_HTTP_EMAGE_ROWS_MAX      16384
#define NGX_HTTP_EMAGE_ROWS_BYTES    (64 * 1024 * 1024)


typedef struct {
    ngx_queue_t   buckets[NGX_HTTP_EMAGE_ROWS_BUCKETS];
    ngx_queue_t   lru;                     /* most recent first */
    ngx_uint_t    count;
    size_t        bytes;
} ngx_http_emage_rows_cache_t;


static ngx_http_emage_rows_t *ngx_http_emage_rows_find(uint32_t hash,
    u_char *key, size_t len);
static ngx_http_emage_rows_t *ngx_http_emage_rows_create(ngx_str_t *store,
    emage_str_t study, emage_str_t revision, ngx_log_t *log);
static ngx_int_t ngx_http_emage_rows_load(ngx_http_emage_rows_t *rows,
    emage_level_t level, const char *name, ngx_log_t *log, ngx_uint_t *reads,
    emage_rows_t **out);
static ngx_int_t ngx_http_emage_rows_kind(ngx_http_emage_rows_t *rows,
    emage_str_t uid, ngx_log_t *log, ngx_http_emage_kinds_t *kinds);
static void ngx_http_emage_rows_grow(ngx_http_emage_rows_t *rows,
    size_t size);
static void ngx_http_emage_rows_unlink(ngx_http_emage_rows_t *rows);


static ngx_http_emage_rows_cache_t  *ngx_http_emage_rows_cache;


ngx_int_t
ngx_http_emage_rows_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                    i;
    ngx_http_emage_rows_cache_t  *cache;

    cache = ngx_pcalloc(cycle->pool, sizeof(ngx_http_emage_rows_cache_t));
    if (cache == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_EMAGE_ROWS_BUCKETS; i++) {
        ngx_queue_init(&cache->buckets[i]);
    }

    ngx_queue_init(&cache->lru);

    ngx_http_emage_rows_cache = cache;

    return NGX_OK;
}


ngx_int_t
ngx_http_emage_rows_get(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, ngx_log_t *log, ngx_uint_t *reads,
    ngx_http_emage_rows_t **out)
{
    ngx_int_t                     rc;
    ngx_queue_t                  *bucket;
    ngx_http_emage_rows_t        *rows, *known;
    ngx_http_emage_rows_cache_t  *cache;

    cache = ngx_http_emage_rows_cache;

    rows = ngx_http_emage_rows_create(store, study, revision, log);
    if (rows == NULL) {
        return NGX_ERROR;
    }

    known = ngx_http_emage_rows_find(rows->hash, rows->key.data,
                                     rows->key.len);
    if (known != NULL) {
        ngx_http_emage_rows_release(rows);

        ngx_queue_remove(&known->lru);
        ngx_queue_insert_head(&cache->lru, &known->lru);

        known->refs++;
        *out = known;

        return NGX_OK;
    }

    rc = ngx_http_emage_rows_load(rows, EMAGE_LEVEL_STUDY, "study.json", log,
                                  reads, &rows->study);

    if (rc == NGX_OK
        && (!emage_str_eq(rows->study->rows[0].uid, study)
            || !emage_str_eq(rows->study->revision, revision)))
    {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "study.json of study \"%*s\" is of another study or "
                      "revision; run \"emage-store verify\"",
                      study.len, study.data);
        rc = NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        ngx_http_emage_rows_release(rows);
        return rc;
    }

    bucket = &cache->buckets[rows->hash % NGX_HTTP_EMAGE_ROWS_BUCKETS];

    ngx_queue_insert_head(bucket, &rows->queue);
    ngx_queue_insert_head(&cache->lru, &rows->lru);

    rows->linked = 1;
    rows->refs++;

    cache->count++;
    cache->bytes += rows->size;

    ngx_http_emage_rows_grow(rows, 0);

    *out = rows;

    return NGX_OK;
}


static ngx_http_emage_rows_t *
ngx_http_emage_rows_create(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, ngx_log_t *log)
{
    size_t                  len;
    u_char                 *p;
    ngx_http_emage_rows_t  *rows;

    len = store->len + 1 + study.len + 1 + revision.len;

    rows = ngx_calloc(sizeof(ngx_http_emage_rows_t) + len, log);
    if (rows == NULL) {
        return NULL;
    }

    p = (u_char *) rows + sizeof(ngx_http_emage_rows_t);

    rows->key.data = p;
    rows->key.len = len;

    rows->store.data = p;
    rows->store.len = store->len;
    p = ngx_cpymem(p, store->data, store->len) + 1;

    rows->uid.data = (char *) p;
    rows->uid.len = study.len;
    p = ngx_cpymem(p, study.data, study.len) + 1;

    rows->revision.data = (char *) p;
    rows->revision.len = revision.len;
    ngx_memcpy(p, revision.data, revision.len);

    rows->hash = ngx_murmur_hash2(rows->key.data, len);
    rows->size = sizeof(ngx_http_emage_rows_t) + len;
    rows->refs = 1;

    return rows;
}


static ngx_http_emage_rows_t *
ngx_http_emage_rows_find(uint32_t hash, u_char *key, size_t len)
{
    ngx_queue_t            *q, *bucket;
    ngx_http_emage_rows_t  *rows;

    bucket = &ngx_http_emage_rows_cache
                  ->buckets[hash % NGX_HTTP_EMAGE_ROWS_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        rows = ngx_queue_data(q, ngx_http_emage_rows_t, queue);

        if (rows->hash == hash && rows->key.len == len
            && ngx_memcmp(rows->key.data, key, len) == 0)
        {
            return rows;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_emage_rows_load(ngx_http_emage_rows_t *rows, emage_level_t level,
    const char *name, ngx_log_t *log, ngx_uint_t *reads, emage_rows_t **out)
{
    void           *data;
    size_t          len;
    ngx_int_t       rc;
    emage_rc_t      parsed;
    emage_str_t     text;
    emage_error_t   err;

    (*reads)++;

    rc = ngx_http_emage_revision_read(&rows->store, rows->uid, rows->revision,
                                      name, log, &data, &len);
    if (rc != NGX_OK) {
        return rc;
    }

    text.data = data;
    text.len = len;
    err.text[0] = '\0';

    parsed = emage_rows_parse(level, text, out, &err);

    ngx_free(data);

    if (parsed == EMAGE_OK) {
        ngx_http_emage_rows_grow(rows, emage_rows_size(*out));
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "\"%s\" of study \"%*s\" cannot be used: %s; run "
                  "\"emage-store verify\" and ingest the study again",
                  name, rows->uid.len, rows->uid.data, err.text);

    return parsed == EMAGE_NOMEM ? NGX_ERROR : NGX_DECLINED;
}


ngx_int_t
ngx_http_emage_rows_series(ngx_http_emage_rows_t *rows, ngx_log_t *log,
    ngx_uint_t *reads)
{
    if (rows->series != NULL) {
        return NGX_OK;
    }

    return ngx_http_emage_rows_load(rows, EMAGE_LEVEL_SERIES, "series.json",
                                    log, reads, &rows->series);
}


/* Of the series with this number in series.json, which has been loaded. */

ngx_int_t
ngx_http_emage_rows_instances(ngx_http_emage_rows_t *rows, uint32_t series,
    ngx_log_t *log, ngx_uint_t *reads)
{
    emage_str_t  uid;
    u_char       name[EMAGE_UID_MAX + sizeof("/instances.json")];

    if (rows->instances == NULL) {
        rows->instances = ngx_calloc(rows->series->n * sizeof(emage_rows_t *),
                                     log);
        if (rows->instances == NULL) {
            return NGX_ERROR;
        }

        ngx_http_emage_rows_grow(rows,
                                 rows->series->n * sizeof(emage_rows_t *));
    }

    if (rows->instances[series] != NULL) {
        return NGX_OK;
    }

    uid = rows->series->rows[series].uid;

    (void) ngx_sprintf(name, "%*s/instances.json%Z", uid.len, uid.data);

    return ngx_http_emage_rows_load(rows, EMAGE_LEVEL_INSTANCE,
                                    (const char *) name, log, reads,
                                    &rows->instances[series]);
}


/*
 * From the indexes, which retrieval goes by: what is counted is what can be
 * retrieved.
 */

ngx_int_t
ngx_http_emage_rows_kinds(ngx_http_emage_rows_t *rows, ngx_log_t *log,
    ngx_uint_t *reads)
{
    size_t                   size;
    uint32_t                 i;
    ngx_int_t                rc;
    ngx_http_emage_kinds_t  *kinds;

    if (rows->kinds != NULL || rows->series->n == 0) {
        return NGX_OK;
    }

    kinds = ngx_calloc(rows->series->n * sizeof(ngx_http_emage_kinds_t), log);
    if (kinds == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;
    size = rows->series->n * sizeof(ngx_http_emage_kinds_t);

    for (i = 0; i < rows->series->n && rc == NGX_OK; i++) {
        (*reads)++;

        rc = ngx_http_emage_rows_kind(rows, rows->series->rows[i].uid, log,
                                      &kinds[i]);

        size += kinds[i].nreports * (sizeof(emage_str_t) + EMAGE_UID_MAX);
    }

    if (rc == NGX_OK) {
        rows->kinds = kinds;
        ngx_http_emage_rows_grow(rows, size);
        return NGX_OK;
    }

    for (i = 0; i < rows->series->n; i++) {
        if (kinds[i].reports != NULL) {
            ngx_free(kinds[i].reports);
        }
    }

    ngx_free(kinds);

    return rc;
}


static ngx_int_t
ngx_http_emage_rows_kind(ngx_http_emage_rows_t *rows, emage_str_t uid,
    ngx_log_t *log, ngx_http_emage_kinds_t *kinds)
{
    u_char                      *p;
    uint32_t                     i, k, n;
    ngx_int_t                    rc;
    emage_index_instance_t       instance;
    ngx_http_emage_series_t     *series;
    const emage_series_index_t  *idx;

    rc = ngx_http_emage_series_get(&rows->store, rows->uid, rows->revision,
                                   uid, log, &series);
    if (rc != NGX_OK) {
        return rc;
    }

    idx = ngx_http_emage_series_index(series);
    n = emage_series_index_count(idx);

    for (i = 0; i < n; i++) {
        (void) emage_series_index_get(idx, i, &instance);

        if (instance.cls == EMAGE_CLASS_REPORT) {
            kinds->nreports++;

        } else {
            kinds->n[instance.cls == EMAGE_CLASS_EVIDENCE]++;
        }
    }

    if (kinds->nreports != 0) {

        kinds->reports = ngx_alloc(kinds->nreports
                                   * (sizeof(emage_str_t) + EMAGE_UID_MAX),
                                   log);
        if (kinds->reports == NULL) {
            kinds->nreports = 0;
            ngx_http_emage_series_release(series);
            return NGX_ERROR;
        }

        p = (u_char *) &kinds->reports[kinds->nreports];

        for (i = 0, k = 0; i < n; i++) {
            (void) emage_series_index_get(idx, i, &instance);

            if (instance.cls == EMAGE_CLASS_REPORT) {
                kinds->reports[k].data = (char *) p;
                kinds->reports[k++].len = instance.uid.len;
                p = ngx_cpymem(p, instance.uid.data, instance.uid.len);
            }
        }
    }

    ngx_http_emage_series_release(series);

    return NGX_OK;
}


/* More is held by `rows`; others make room, the least recent ones first. */

static void
ngx_http_emage_rows_grow(ngx_http_emage_rows_t *rows, size_t size)
{
    ngx_queue_t                  *q;
    ngx_http_emage_rows_cache_t  *cache;

    cache = ngx_http_emage_rows_cache;

    rows->size += size;

    if (!rows->linked) {
        return;
    }

    cache->bytes += size;

    while (cache->count > 1
           && (cache->count > NGX_HTTP_EMAGE_ROWS_MAX
               || cache->bytes > NGX_HTTP_EMAGE_ROWS_BYTES))
    {
        q = ngx_queue_last(&cache->lru);

        ngx_http_emage_rows_unlink(ngx_queue_data(q, ngx_http_emage_rows_t,
                                                  lru));
    }
}


static void
ngx_http_emage_rows_unlink(ngx_http_emage_rows_t *rows)
{
    ngx_queue_remove(&rows->queue);
    ngx_queue_remove(&rows->lru);

    rows->linked = 0;

    ngx_http_emage_rows_cache->count--;
    ngx_http_emage_rows_cache->bytes -= rows->size;

    ngx_http_emage_rows_release(rows);
}


void
ngx_http_emage_rows_release(ngx_http_emage_rows_t *rows)
{
    uint32_t  i, n;

    if (--rows->refs > 0) {
        return;
    }

    n = rows->series != NULL ? rows->series->n : 0;

    for (i = 0; i < n; i++) {

        if (rows->instances != NULL) {
            emage_rows_free(rows->instances[i]);
        }

        if (rows->kinds != NULL && rows->kinds[i].reports != NULL) {
            ngx_free(rows->kinds[i].reports);
        }
    }

    if (rows->instances != NULL) {
        ngx_free(rows->instances);
    }

    if (rows->kinds != NULL) {
        ngx_free(rows->kinds);
    }

    emage_rows_free(rows->series);
    emage_rows_free(rows->study);

    ngx_free(rows);
}
