
/*
 * Copyright (C) The e-mage authors
 */


#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>


#define EMAGE_TREE_DEPTH  8


static emage_rc_t emage_file_failed(const char *what, const char *path,
    emage_error_t *err);
static emage_rc_t emage_file_create(const char *path, const void *data,
    size_t len, bool sync, emage_error_t *err);
static emage_rc_t emage_file_remove(const char *path, unsigned depth,
    emage_error_t *err);
static int emage_file_name_cmp(const void *a, const void *b);


static emage_rc_t
emage_file_failed(const char *what, const char *path, emage_error_t *err)
{
    int  saved;

    saved = errno;

    emage_error_set(err, "cannot %s %.400s: %s", what, path, strerror(saved));

    return (saved == ENOENT || saved == ENOTDIR) ? EMAGE_NOTFOUND
                                                 : EMAGE_UNAVAILABLE;
}


emage_rc_t
emage_file_map(const char *path, emage_map_t *map, emage_error_t *err)
{
    int          fd;
    void        *p;
    emage_rc_t   rc;
    struct stat  st;

    map->data = (const unsigned char *) "";
    map->size = 0;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) {
        return emage_file_failed("open", path, err);
    }

    rc = EMAGE_OK;

    if (fstat(fd, &st) == -1) {
        rc = emage_file_failed("stat", path, err);

    } else if (st.st_size > 0) {
        p = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (p == MAP_FAILED) {
            rc = emage_file_failed("map", path, err);

        } else {
            map->data = p;
            map->size = (uint64_t) st.st_size;
        }
    }

    (void) close(fd);

    return rc;
}


void
emage_file_unmap(emage_map_t *map)
{
    if (map->size != 0) {
        (void) munmap((void *) (uintptr_t) map->data, (size_t) map->size);
    }

    map->data = (const unsigned char *) "";
    map->size = 0;
}


emage_rc_t
emage_file_read(const char *path, emage_buf_t *out, emage_error_t *err)
{
    emage_rc_t   rc;
    emage_map_t  map;

    rc = emage_file_map(path, &map, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_buf_add(out, map.data, map.size);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "%.400s is too large to read", path);
    }

    emage_file_unmap(&map);

    return rc;
}


emage_rc_t
emage_file_write_fd(int fd, const void *data, size_t len)
{
    ssize_t      n;
    const char  *p;

    p = data;

    while (len > 0) {
        n = write(fd, p, len);

        if (n == -1) {
            if (errno == EINTR) {
                continue;
            }

            return EMAGE_UNAVAILABLE;
        }

        p += n;
        len -= (size_t) n;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_file_write(const char *path, const void *data, size_t len,
    emage_error_t *err)
{
    return emage_file_create(path, data, len, true, err);
}


emage_rc_t
emage_file_write_draft(const char *path, const void *data, size_t len,
    emage_error_t *err)
{
    return emage_file_create(path, data, len, false, err);
}


static emage_rc_t
emage_file_create(const char *path, const void *data, size_t len, bool sync,
    emage_error_t *err)
{
    int         fd;
    emage_rc_t  rc;

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
              0640);
    if (fd == -1) {
        (void) emage_file_failed("create", path, err);
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_write_fd(fd, data, len);

    if (rc != EMAGE_OK || (sync && fsync(fd) == -1)) {
        (void) emage_file_failed("write", path, err);
        (void) close(fd);
        return EMAGE_UNAVAILABLE;
    }

    if (close(fd) == -1) {
        (void) emage_file_failed("close", path, err);
        return EMAGE_UNAVAILABLE;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_file_sync(const char *path, emage_error_t *err)
{
    int  fd;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd == -1) {
        return emage_file_failed("open", path, err);
    }

    if (fsync(fd) == -1) {
        (void) emage_file_failed("sync", path, err);
        (void) close(fd);
        return EMAGE_UNAVAILABLE;
    }

    (void) close(fd);

    return EMAGE_OK;
}


emage_rc_t
emage_file_mkdir(const char *path, emage_error_t *err)
{
    struct stat  st;

    if (mkdir(path, 0750) == 0) {
        return EMAGE_OK;
    }

    if (errno == EEXIST && lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return EMAGE_OK;
    }

    (void) emage_file_failed("create directory", path, err);

    return EMAGE_UNAVAILABLE;
}


bool
emage_file_join(char *dst, size_t size, const char *a, const char *b)
{
    int  n;

    n = snprintf(dst, size, "%s/%s", a, b);

    return n > 0 && (size_t) n < size;
}


static emage_rc_t
emage_file_remove(const char *path, unsigned depth, emage_error_t *err)
{
    char           child[PATH_MAX];
    size_t         i;
    emage_rc_t     rc;
    struct stat    st;
    emage_names_t  names;

    if (lstat(path, &st) == -1) {
        return (errno == ENOENT) ? EMAGE_OK
                                 : emage_file_failed("stat", path, err);
    }

    if (!S_ISDIR(st.st_mode)) {
        return unlink(path) == 0 ? EMAGE_OK
                                 : emage_file_failed("remove", path, err);
    }

    if (depth == EMAGE_TREE_DEPTH) {
        emage_error_set(err, "%.400s is deeper than the store", path);
        return EMAGE_ERROR;
    }

    rc = emage_file_names(path, &names, err);

    for (i = 0; rc == EMAGE_OK && i < names.n; i++) {

        if (!emage_file_join(child, sizeof(child), path, names.list[i])) {
            emage_error_set(err, "%.400s: name too long", path);
            rc = EMAGE_ERROR;
            break;
        }

        rc = emage_file_remove(child, depth + 1, err);
    }

    emage_file_names_free(&names);

    if (rc == EMAGE_OK && rmdir(path) == -1 && errno != ENOENT) {
        rc = emage_file_failed("remove", path, err);
    }

    return rc;
}


emage_rc_t
emage_file_remove_tree(const char *path, emage_error_t *err)
{
    return emage_file_remove(path, 0, err);
}


static int
emage_file_name_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


emage_rc_t
emage_file_names(const char *path, emage_names_t *out, emage_error_t *err)
{
    DIR            *dir;
    char          **list;
    size_t          max;
    emage_rc_t      rc;
    struct dirent  *entry;

    out->list = NULL;
    out->n = 0;
    max = 0;

    dir = opendir(path);
    if (dir == NULL) {
        return emage_file_failed("open directory", path, err);
    }

    rc = EMAGE_OK;

    for ( ;; ) {
        errno = 0;
        entry = readdir(dir);

        if (entry == NULL) {
            if (errno != 0) {
                rc = emage_file_failed("read directory", path, err);
            }

            break;
        }

        if (strcmp(entry->d_name, ".") == 0
            || strcmp(entry->d_name, "..") == 0)
        {
            continue;
        }

        if (out->n == max) {
            max = (max == 0) ? 64 : max * 2;

            list = realloc(out->list, max * sizeof(char *));
            if (list == NULL) {
                rc = EMAGE_NOMEM;
                break;
            }

            out->list = list;
        }

        out->list[out->n] = strdup(entry->d_name);

        if (out->list[out->n] == NULL) {
            rc = EMAGE_NOMEM;
            break;
        }

        out->n++;
    }

    (void) closedir(dir);

    if (rc != EMAGE_OK) {
        if (rc == EMAGE_NOMEM) {
            emage_error_set(err, "no memory to list %.400s", path);
        }

        emage_file_names_free(out);
        return rc;
    }

    if (out->n != 0) {
        qsort(out->list, out->n, sizeof(char *), emage_file_name_cmp);
    }

    return EMAGE_OK;
}


void
emage_file_names_free(emage_names_t *names)
{
    size_t  i;

    for (i = 0; i < names->n; i++) {
        free(names->list[i]);
    }

    free(names->list);

    names->list = NULL;
    names->n = 0;
}
