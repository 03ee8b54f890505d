
/*
 * Copyright (C) The e-mage authors
 *
 * Descriptors of the files of a series, counted, the idle ones kept.
 */


#include "ngx_http_emage_store_core.h"


#define NGX_HTTP_EMAGE_FILES_IDLE  256


static uint64_t ngx_http_emage_file_kind(emage_index_instance_t *instance,
    ngx_uint_t kind, ngx_http_emage_file_t ***slot, const char **suffix);


/* The size and suffix of a file; `slot` moves from the instance's first. */

static uint64_t
ngx_http_emage_file_kind(emage_index_instance_t *instance, ngx_uint_t kind,
    ngx_http_emage_file_t ***slot, const char **suffix)
{
    switch (kind) {

    case NGX_HTTP_EMAGE_FILE_FRAMES:
        *slot += 1;
        *suffix = ".frames";
        return instance->extra_size;

    case NGX_HTTP_EMAGE_FILE_RENDERED:
        *slot += 2;
        *suffix = ".jpg";
        return instance->rendered_size;

    case NGX_HTTP_EMAGE_FILE_THUMBNAIL:
        *slot += 3;
        *suffix = ".thumb.jpg";
        return instance->thumbnail_size;

    default:
        *suffix = ".dcm";
        return instance->file_size;
    }
}


ngx_int_t
ngx_http_emage_file_get(ngx_http_emage_series_t *series, uint32_t n,
    ngx_uint_t kind, ngx_log_t *log, ngx_http_emage_file_t **out)
{
    uint64_t                 size;
    ngx_fd_t                 fd;
    const char              *suffix;
    ngx_file_info_t          fi;
    ngx_http_emage_file_t   *file, **slot;
    emage_index_instance_t   instance;
    u_char                   name[EMAGE_UID_MAX + sizeof(".thumb.jpg")];

    if (kind == NGX_HTTP_EMAGE_FILE_METADATA) {
        slot = &series->files[NGX_HTTP_EMAGE_SERIES_FILES
                              * (size_t) series->count];
        size = series->meta_end;
        (void) ngx_cpystrn(name, (u_char *) "metadata.z", sizeof(name));

    } else {
        if (emage_series_index_get(series->index, n, &instance) != EMAGE_OK
            || instance.uid.len > EMAGE_UID_MAX)
        {
            return NGX_ERROR;
        }

        slot = &series->files[NGX_HTTP_EMAGE_SERIES_FILES * (size_t) n];
        size = ngx_http_emage_file_kind(&instance, kind, &slot, &suffix);

        (void) ngx_sprintf(name, "%*s%s%Z", instance.uid.len,
                           instance.uid.data, suffix);
    }

    file = *slot;

    if (file != NULL) {

        if (file->refs++ == 0) {
            ngx_queue_remove(&file->idle);
            ngx_http_emage_store->nidle--;
        }

        *out = file;
        return NGX_OK;
    }

    fd = ngx_http_emage_open(series->dir, (const char *) name,
                             O_RDONLY|O_NONBLOCK);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "\"%s\" of the store cannot be opened; run "
                      "\"emage-store verify\"", name);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || (uint64_t) ngx_file_size(&fi) != size)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "\"%s\" of the store is not of the size its index "
                      "states, %uL; run \"emage-store verify\"", name, size);
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    file = ngx_calloc(sizeof(ngx_http_emage_file_t), log);

    if (file == NULL) {
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    file->fd = fd;
    file->size = (off_t) size;
    file->refs = 1;
    file->slot = slot;
    file->series = series;

    series->refs++;
    *slot = file;
    *out = file;

    return NGX_OK;
}


ngx_int_t
ngx_http_emage_file_read(ngx_http_emage_file_t *file, u_char *buf, size_t n,
    off_t offset, ngx_log_t *log)
{
    ssize_t  size;

    while (n > 0) {

        size = pread(file->fd, buf, n, offset);

        if (size <= 0) {

            if (size == -1 && ngx_errno == NGX_EINTR) {
                continue;
            }

            ngx_log_error(NGX_LOG_ERR, log, size == -1 ? ngx_errno : 0,
                          "\"%s\" of the store cannot be read at %O; run "
                          "\"emage-store verify\"", file->series->key
                          + ngx_strlen(file->series->key) + 1, offset);
            return NGX_ERROR;
        }

        buf += size;
        offset += size;
        n -= (size_t) size;
    }

    return NGX_OK;
}


void
ngx_http_emage_file_release(ngx_http_emage_file_t *file)
{
    ngx_queue_t  *q;

    if (--file->refs > 0) {
        return;
    }

    ngx_queue_insert_head(&ngx_http_emage_store->idle, &file->idle);
    ngx_http_emage_store->nidle++;

    if (!file->series->linked) {
        ngx_http_emage_file_close(file);
        return;
    }

    if (ngx_http_emage_store->nidle > NGX_HTTP_EMAGE_FILES_IDLE) {
        q = ngx_queue_last(&ngx_http_emage_store->idle);
        ngx_http_emage_file_close(ngx_queue_data(q, ngx_http_emage_file_t,
                                                 idle));
    }
}


/* Of an idle file. */

void
ngx_http_emage_file_close(ngx_http_emage_file_t *file)
{
    ngx_http_emage_series_t  *series;

    series = file->series;

    ngx_queue_remove(&file->idle);
    ngx_http_emage_store->nidle--;

    *file->slot = NULL;

    (void) ngx_close_file(file->fd);
    ngx_free(file);

    ngx_http_emage_series_release(series);
}
