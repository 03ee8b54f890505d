
/*
 * Copyright (C) The e-mage authors
 *
 * The fence file.
 */


#include "ngx_emage_fence.h"

#include <sys/file.h>


#define NGX_EMAGE_FENCE_MAX   512
#define NGX_EMAGE_FENCE_PATH  4096


static ngx_int_t ngx_emage_fence_parse(u_char *p, u_char *last,
    ngx_emage_fence_t *fence);
static u_char *ngx_emage_fence_text(u_char *p, u_char *last, const char *text);
static u_char *ngx_emage_fence_string(u_char *p, u_char *last, u_char *dst,
    size_t *len);
static ngx_int_t ngx_emage_fence_locked(const u_char *dir, const u_char *path,
    const ngx_emage_fence_t *fence, ngx_emage_fence_error_t *error);
static ngx_int_t ngx_emage_fence_store(const u_char *tmp,
    const ngx_emage_fence_t *fence, ngx_emage_fence_error_t *error);
static ngx_int_t ngx_emage_fence_sync_dir(const u_char *dir,
    ngx_emage_fence_error_t *error);
static ngx_int_t ngx_emage_fence_failed(ngx_emage_fence_error_t *error,
    const char *what);


ngx_uint_t
ngx_emage_fence_token(const ngx_str_t *str)
{
    u_char      ch;
    ngx_uint_t  i;

    if (str->len == 0 || str->len > NGX_EMAGE_FENCE_TOKEN) {
        return 0;
    }

    for (i = 0; i < str->len; i++) {
        ch = str->data[i];

        if ((ch >= '0' && ch <= '9')
            || (ch >= 'a' && ch <= 'z')
            || (ch >= 'A' && ch <= 'Z')
            || ch == '.' || ch == '_' || ch == '-')
        {
            continue;
        }

        return 0;
    }

    return 1;
}


ngx_int_t
ngx_emage_fence_read(const u_char *path, ngx_emage_fence_t *fence,
    ngx_emage_fence_error_t *error)
{
    int      fd;
    u_char   buf[NGX_EMAGE_FENCE_MAX];
    ssize_t  n;

    ngx_memzero(fence, sizeof(ngx_emage_fence_t));

    fd = open((const char *) path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        if (ngx_errno == NGX_ENOENT) {
            return NGX_DECLINED;
        }

        return ngx_emage_fence_failed(error, "open()");
    }

    n = read(fd, buf, NGX_EMAGE_FENCE_MAX);

    if (n == -1) {
        (void) ngx_emage_fence_failed(error, "read()");
        (void) close(fd);
        return NGX_ERROR;
    }

    (void) close(fd);

    if (ngx_emage_fence_parse(buf, buf + n, fence) != NGX_OK) {
        ngx_memzero(fence, sizeof(ngx_emage_fence_t));
        error->what = "damaged content";
        error->err = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Exactly what ngx_emage_fence_store() writes. */

static ngx_int_t
ngx_emage_fence_parse(u_char *p, u_char *last, ngx_emage_fence_t *fence)
{
    u_char    *start;
    ngx_int_t  n;

    p = ngx_emage_fence_text(p, last, "{\"epoch\":");
    p = ngx_emage_fence_string(p, last, fence->epoch, &fence->epoch_len);
    p = ngx_emage_fence_text(p, last, ",\"seq\":");

    if (p == NULL) {
        return NGX_ERROR;
    }

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }

    n = ngx_atoi(start, p - start);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    fence->seq = n;

    p = ngx_emage_fence_text(p, last, ",\"nonce\":");
    p = ngx_emage_fence_string(p, last, fence->nonce, &fence->nonce_len);
    p = ngx_emage_fence_text(p, last, "}\n");

    return (p == last) ? NGX_OK : NGX_ERROR;
}


static u_char *
ngx_emage_fence_text(u_char *p, u_char *last, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    if (p == NULL || (size_t) (last - p) < len
        || ngx_memcmp(p, text, len) != 0)
    {
        return NULL;
    }

    return p + len;
}


static u_char *
ngx_emage_fence_string(u_char *p, u_char *last, u_char *dst, size_t *len)
{
    ngx_str_t  str;

    if (p == NULL || p == last || *p != '"') {
        return NULL;
    }

    str.data = ++p;

    while (p < last && *p != '"') {
        p++;
    }

    str.len = p - str.data;

    if (p == last || !ngx_emage_fence_token(&str)) {
        return NULL;
    }

    ngx_memcpy(dst, str.data, str.len);
    *len = str.len;

    return p + 1;
}


ngx_int_t
ngx_emage_fence_write(const u_char *dir, const u_char *path,
    const ngx_emage_fence_t *fence, ngx_emage_fence_error_t *error)
{
    int        fd;
    u_char     lock[NGX_EMAGE_FENCE_PATH];
    ngx_int_t  rc;

    (void) ngx_snprintf(lock, NGX_EMAGE_FENCE_PATH, "%s.lock%Z", path);
    lock[NGX_EMAGE_FENCE_PATH - 1] = '\0';

    /* a descriptor of its own, so that workers exclude each other too */

    fd = open((const char *) lock, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0640);

    if (fd == -1) {
        return ngx_emage_fence_failed(error, "open() of the lock");
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == -1) {
        rc = (ngx_errno == EWOULDBLOCK) ? NGX_AGAIN : NGX_ERROR;

        (void) ngx_emage_fence_failed(error, "flock()");
        (void) close(fd);

        return rc;
    }

    rc = ngx_emage_fence_locked(dir, path, fence, error);

    (void) close(fd);

    return rc;
}


static ngx_int_t
ngx_emage_fence_locked(const u_char *dir, const u_char *path,
    const ngx_emage_fence_t *fence, ngx_emage_fence_error_t *error)
{
    u_char             tmp[NGX_EMAGE_FENCE_PATH];
    ngx_int_t          rc;
    ngx_emage_fence_t  old;

    rc = ngx_emage_fence_read(path, &old, error);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK
        && old.epoch_len == fence->epoch_len
        && ngx_memcmp(old.epoch, fence->epoch, old.epoch_len) == 0
        && old.seq > fence->seq)
    {
        /* its writer may have been killed between rename and sync */

        return ngx_emage_fence_sync_dir(dir, error);
    }

    (void) ngx_snprintf(tmp, NGX_EMAGE_FENCE_PATH, "%s.tmp%Z", path);
    tmp[NGX_EMAGE_FENCE_PATH - 1] = '\0';

    if (ngx_emage_fence_store(tmp, fence, error) != NGX_OK) {
        (void) unlink((const char *) tmp);
        return NGX_ERROR;
    }

    if (rename((const char *) tmp, (const char *) path) == -1) {
        (void) ngx_emage_fence_failed(error, "rename()");
        (void) unlink((const char *) tmp);
        return NGX_ERROR;
    }

    return ngx_emage_fence_sync_dir(dir, error);
}


static ngx_int_t
ngx_emage_fence_store(const u_char *tmp, const ngx_emage_fence_t *fence,
    ngx_emage_fence_error_t *error)
{
    int      fd;
    u_char   buf[NGX_EMAGE_FENCE_MAX], *p;
    ssize_t  n;

    p = ngx_snprintf(buf, NGX_EMAGE_FENCE_MAX,
                     "{\"epoch\":\"%*s\",\"seq\":%uL,\"nonce\":\"%*s\"}\n",
                     fence->epoch_len, fence->epoch, fence->seq,
                     fence->nonce_len, fence->nonce);

    fd = open((const char *) tmp,
              O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW, 0640);

    if (fd == -1) {
        return ngx_emage_fence_failed(error, "open() of the temporary file");
    }

    n = write(fd, buf, p - buf);

    if (n != p - buf) {
        if (n != -1) {
            ngx_set_errno(ENOSPC);
        }

        (void) ngx_emage_fence_failed(error, "write()");
        (void) close(fd);
        return NGX_ERROR;
    }

    if (fsync(fd) == -1) {
        (void) ngx_emage_fence_failed(error, "fsync()");
        (void) close(fd);
        return NGX_ERROR;
    }

    if (close(fd) == -1) {
        return ngx_emage_fence_failed(error, "close()");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_emage_fence_sync_dir(const u_char *dir, ngx_emage_fence_error_t *error)
{
    int  fd;

    fd = open((const char *) dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return ngx_emage_fence_failed(error, "open() of the directory");
    }

    if (fsync(fd) == -1) {
        (void) ngx_emage_fence_failed(error, "fsync() of the directory");
        (void) close(fd);
        return NGX_ERROR;
    }

    if (close(fd) == -1) {
        return ngx_emage_fence_failed(error, "close() of the directory");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_emage_fence_failed(ngx_emage_fence_error_t *error, const char *what)
{
    error->err = ngx_errno;
    error->what = what;

    return NGX_ERROR;
}
