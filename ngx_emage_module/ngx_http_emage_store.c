
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_store_core.h"

#include <linux/openat2.h>
#include <sys/syscall.h>


#define NGX_HTTP_EMAGE_SERIES_MAX      512
#define NGX_HTTP_EMAGE_SERIES_BYTES    (256 * 1024 * 1024)
#define NGX_HTTP_EMAGE_INDEX_MAX       (64 * 1024 * 1024)
#define NGX_HTTP_EMAGE_STUDY_SERIES    10000


static ngx_int_t ngx_http_emage_read_index(ngx_fd_t dir, const char *name,
    size_t max, ngx_log_t *log, u_char *key, void **data, size_t *len);
static ngx_http_emage_series_t *ngx_http_emage_series_find(uint32_t hash,
    u_char *key, size_t len);
static ngx_int_t ngx_http_emage_series_open(ngx_http_emage_series_t *series,
    ngx_str_t *store, size_t path, ngx_log_t *log);
static void ngx_http_emage_series_unlink(ngx_http_emage_series_t *series);
static void ngx_http_emage_series_evict(void);


ngx_http_emage_store_t  *ngx_http_emage_store;


ngx_int_t
ngx_http_emage_store_init(ngx_cycle_t *cycle)
{
    ngx_uint_t               i;
    ngx_http_emage_store_t  *store;

    store = ngx_pcalloc(cycle->pool, sizeof(ngx_http_emage_store_t));
    if (store == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_EMAGE_SERIES_BUCKETS; i++) {
        ngx_queue_init(&store->buckets[i]);
    }

    ngx_queue_init(&store->lru);
    ngx_queue_init(&store->idle);

    ngx_http_emage_store = store;

    return NGX_OK;
}


/*
 * The kernel keeps the path beneath `dir` and off symbolic links, whatever is
 * done to the tree meanwhile.  O_NONBLOCK: a fifo must not stop the worker.
 */

ngx_fd_t
ngx_http_emage_open(ngx_fd_t dir, const char *path, ngx_uint_t flags)
{
    struct open_how  how;

    ngx_memzero(&how, sizeof(struct open_how));

    how.flags = flags|O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS|RESOLVE_NO_MAGICLINKS;

    return (ngx_fd_t) syscall(SYS_openat2, dir, path, &how,
                              sizeof(struct open_how));
}


/*
 * Reads a whole index into memory of its own.  NGX_DECLINED when there is no
 * such file, or none that can be an index.
 */

static ngx_int_t
ngx_http_emage_read_index(ngx_fd_t dir, const char *name, size_t max,
    ngx_log_t *log, u_char *key, void **data, size_t *len)
{
    size_t           size;
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_t       file;
    ngx_file_info_t  fi;

    fd = ngx_http_emage_open(dir, name, O_RDONLY|O_NONBLOCK);

    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno == NGX_ENOENT) {
            return NGX_DECLINED;
        }

        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "\"%s\" of \"%s\" cannot be opened", name, key);
        return NGX_ERROR;
    }

    *data = NULL;
    rc = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || ngx_file_size(&fi) <= 0 || ngx_file_size(&fi) > (off_t) max)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "\"%s\" of \"%s\" is empty, too large or no file; run "
                      "\"emage-store verify\"", name, key);
        rc = NGX_DECLINED;
        goto failed;
    }

    size = (size_t) ngx_file_size(&fi);

    *data = ngx_alloc(size, log);
    if (*data == NULL) {
        goto failed;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.fd = fd;
    file.log = log;
    ngx_str_set(&file.name, "index");

    n = ngx_read_file(&file, *data, size, 0);

    if (n != (ssize_t) size) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "\"%s\" of \"%s\" cannot be read whole", name, key);
        goto failed;
    }

    *len = size;

    (void) ngx_close_file(fd);

    return NGX_OK;

failed:

    if (*data != NULL) {
        ngx_free(*data);
        *data = NULL;
    }

    (void) ngx_close_file(fd);

    return rc;
}


ngx_int_t
ngx_http_emage_series_get(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, emage_str_t uid, ngx_log_t *log,
    ngx_http_emage_series_t **out)
{
    size_t                    len, path;
    u_char                   *key;
    uint32_t                  hash;
    ngx_int_t                 rc;
    ngx_http_emage_series_t  *series;
    u_char                    buf[NGX_MAX_PATH];

    len = store->len + 1 + sizeof("studies///") - 1 + study.len
          + revision.len + uid.len;

    if (len >= sizeof(buf) || revision.len == 0 || revision.len > 64) {
        return NGX_ERROR;
    }

    path = store->len + 1;
    (void) ngx_sprintf(buf, "%V%Zstudies/%*s/%*s/%*s%Z", store, study.len,
                       study.data, revision.len, revision.data, uid.len,
                       uid.data);

    hash = ngx_murmur_hash2(buf, len);

    series = ngx_http_emage_series_find(hash, buf, len);

    if (series != NULL) {
        ngx_queue_remove(&series->lru);
        ngx_queue_insert_head(&ngx_http_emage_store->lru, &series->lru);
        series->refs++;
        *out = series;
        return NGX_OK;
    }

    series = ngx_calloc(sizeof(ngx_http_emage_series_t) + len + 1, log);
    if (series == NULL) {
        return NGX_ERROR;
    }

    key = (u_char *) series + sizeof(ngx_http_emage_series_t);
    ngx_memcpy(key, buf, len + 1);

    series->key = key;
    series->key_len = len;
    series->hash = hash;
    series->dir = NGX_INVALID_FILE;
    series->refs = 1;

    rc = ngx_http_emage_series_open(series, store, path, log);

    if (rc != NGX_OK) {
        ngx_http_emage_series_release(series);
        return rc;
    }

    series->refs++;
    series->linked = 1;

    ngx_queue_insert_head(&ngx_http_emage_store
                              ->buckets[hash % NGX_HTTP_EMAGE_SERIES_BUCKETS],
                          &series->queue);
    ngx_queue_insert_head(&ngx_http_emage_store->lru, &series->lru);

    ngx_http_emage_store->count++;
    ngx_http_emage_store->bytes += series->size;

    ngx_http_emage_series_evict();

    *out = series;

    return NGX_OK;
}


static ngx_http_emage_series_t *
ngx_http_emage_series_find(uint32_t hash, u_char *key, size_t len)
{
    ngx_queue_t              *q, *bucket;
    ngx_http_emage_series_t  *series;

    bucket = &ngx_http_emage_store
                  ->buckets[hash % NGX_HTTP_EMAGE_SERIES_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        series = ngx_queue_data(q, ngx_http_emage_series_t, queue);

        if (series->hash == hash && series->key_len == len
            && ngx_memcmp(series->key, key, len) == 0)
        {
            return series;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_emage_series_open(ngx_http_emage_series_t *series, ngx_str_t *store,
    size_t path, ngx_log_t *log)
{
    size_t                  len, slots;
    ngx_fd_t                root;
    uint32_t                i;
    ngx_int_t               rc;
    const char             *name;
    emage_error_t           err;
    emage_index_instance_t  instance;

    name = (const char *) series->key + path;

    root = open((const char *) series->key, O_PATH|O_DIRECTORY|O_CLOEXEC);

    if (root == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "store \"%V\" cannot be opened", store);
        return NGX_ERROR;
    }

    series->dir = ngx_http_emage_open(root, name, O_PATH|O_DIRECTORY);

    if (series->dir == NGX_INVALID_FILE) {
        rc = ngx_errno == NGX_ENOENT ? NGX_DECLINED : NGX_ERROR;

        if (rc == NGX_ERROR) {
            ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                          "\"%s\" of the store cannot be opened", name);
        }

        (void) ngx_close_file(root);

        return rc;
    }

    (void) ngx_close_file(root);

    rc = ngx_http_emage_read_index(series->dir, "series.idx",
                                   NGX_HTTP_EMAGE_INDEX_MAX, log,
                                   (u_char *) name, &series->data, &len);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "\"%s\" of the store has no series.idx; run "
                      "\"emage-store verify\" and ingest the study again",
                      name);
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    err.text[0] = '\0';

    if (emage_series_index_open(series->data, len, &series->index, &err)
        != EMAGE_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "series.idx of \"%s\" is damaged: %s; run "
                      "\"emage-store verify\" and ingest the study again",
                      name, err.text);
        return NGX_ERROR;
    }

    series->count = emage_series_index_count(series->index);

    for (i = 0; i < series->count; i++) {
        if (emage_series_index_get(series->index, i, &instance) != EMAGE_OK) {
            return NGX_ERROR;
        }

        series->meta_end = ngx_max(series->meta_end,
                                   instance.meta_offset
                                   + instance.meta_length);
    }

    slots = NGX_HTTP_EMAGE_SERIES_FILES * (size_t) series->count + 1;

    series->files = ngx_calloc(slots * sizeof(ngx_http_emage_file_t *), log);
    if (series->files == NULL) {
        return NGX_ERROR;
    }

    series->size = sizeof(ngx_http_emage_series_t) + series->key_len + len
                   + slots * sizeof(ngx_http_emage_file_t *);

    return NGX_OK;
}


const emage_series_index_t *
ngx_http_emage_series_index(ngx_http_emage_series_t *series)
{
    return series->index;
}


static void
ngx_http_emage_series_unlink(ngx_http_emage_series_t *series)
{
    size_t                  i, n;
    ngx_http_emage_file_t  *file;

    ngx_queue_remove(&series->queue);
    ngx_queue_remove(&series->lru);

    series->linked = 0;

    ngx_http_emage_store->count--;
    ngx_http_emage_store->bytes -= series->size;

    n = NGX_HTTP_EMAGE_SERIES_FILES * (size_t) series->count + 1;

    for (i = 0; i < n; i++) {
        file = series->files[i];

        if (file != NULL && file->refs == 0) {
            ngx_http_emage_file_close(file);
        }
    }

    ngx_http_emage_series_release(series);
}


void
ngx_http_emage_series_release(ngx_http_emage_series_t *series)
{
    if (--series->refs > 0) {
        return;
    }

    emage_series_index_close(series->index);

    if (series->data != NULL) {
        ngx_free(series->data);
    }

    if (series->files != NULL) {
        ngx_free(series->files);
    }

    if (series->dir != NGX_INVALID_FILE) {
        (void) ngx_close_file(series->dir);
    }

    ngx_free(series);
}


static void
ngx_http_emage_series_evict(void)
{
    ngx_queue_t              *q;
    ngx_http_emage_series_t  *series;

    while (ngx_http_emage_store->count > 1
           && (ngx_http_emage_store->count > NGX_HTTP_EMAGE_SERIES_MAX
               || ngx_http_emage_store->bytes > NGX_HTTP_EMAGE_SERIES_BYTES))
    {
        q = ngx_queue_last(&ngx_http_emage_store->lru);
        series = ngx_queue_data(q, ngx_http_emage_series_t, lru);

        ngx_http_emage_series_unlink(series);
    }
}


ngx_int_t
ngx_http_emage_revision_read(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, const char *name, ngx_log_t *log, void **data,
    size_t *len)
{
    ngx_fd_t   root, dir;
    ngx_int_t  rc;
    u_char     path[sizeof("studies//") + EMAGE_UID_MAX + EMAGE_REVISION_MAX];

    if (study.len > EMAGE_UID_MAX || revision.len == 0
        || revision.len > EMAGE_REVISION_MAX)
    {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(path, "studies/%*s/%*s%Z", study.len, study.data,
                       revision.len, revision.data);

    root = open((const char *) store->data, O_PATH|O_DIRECTORY|O_CLOEXEC);

    if (root == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "store \"%V\" cannot be opened", store);
        return NGX_ERROR;
    }

    dir = ngx_http_emage_open(root, (const char *) path, O_PATH|O_DIRECTORY);

    if (dir == NGX_INVALID_FILE) {
        rc = ngx_errno == NGX_ENOENT ? NGX_DECLINED : NGX_ERROR;

        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "\"%s\", which a record names, cannot be opened in the "
                      "store; run \"emage-store verify\"", path);

        (void) ngx_close_file(root);

        return rc;
    }

    (void) ngx_close_file(root);

    rc = ngx_http_emage_read_index(dir, name, NGX_HTTP_EMAGE_INDEX_MAX, log,
                                   path, data, len);

    (void) ngx_close_file(dir);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "\"%s\" has no \"%s\"; run \"emage-store verify\" and "
                      "ingest the study again", path, name);
    }

    return rc;
}


ngx_int_t
ngx_http_emage_series_list(ngx_str_t *store, emage_str_t study,
    emage_str_t revision, ngx_pool_t *pool, ngx_log_t *log,
    emage_study_series_t **list, uint32_t *n)
{
    void           *data;
    size_t          len;
    u_char         *copy;
    emage_str_t     text;
    emage_error_t   err;

    if (ngx_http_emage_revision_read(store, study, revision, "study.idx", log,
                                     &data, &len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    copy = ngx_pnalloc(pool, len);

    if (copy == NULL) {
        ngx_free(data);
        return NGX_ERROR;
    }

    ngx_memcpy(copy, data, len);
    ngx_free(data);

    text.data = (char *) copy;
    text.len = len;
    err.text[0] = '\0';

    if (emage_study_index_parse(text, NULL, NGX_HTTP_EMAGE_STUDY_SERIES, n,
                                &err)
        != EMAGE_OK || *n > NGX_HTTP_EMAGE_STUDY_SERIES)
    {
        goto damaged;
    }

    *list = ngx_palloc(pool, (*n + 1) * sizeof(emage_study_series_t));
    if (*list == NULL) {
        return NGX_ERROR;
    }

    if (emage_study_index_parse(text, *list, *n, n, &err) != EMAGE_OK) {
        goto damaged;
    }

    return NGX_OK;

damaged:

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "study.idx of study \"%*s\" is damaged: %s; run "
                  "\"emage-store verify\" and ingest the study again",
                  study.len, study.data, err.text);

    return NGX_ERROR;
}
