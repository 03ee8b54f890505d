
/*
 * Copyright (C) The e-mage authors
 *
 * All files of a directory, and every record in them.
 */


#include "journal_core.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


#define EMAGE_JOURNAL_PATHS_MAX  1000000


static emage_rc_t emage_journal_paths_push(emage_journal_paths_t *paths,
    const char *dir, const char *name, emage_error_t *err);
static emage_rc_t emage_journal_paths_walk(emage_journal_paths_t *paths,
    const char *dir, unsigned depth, emage_error_t *err);
static bool emage_journal_named(const char *name);
static int emage_journal_paths_cmp(const void *a, const void *b);
static emage_rc_t emage_journal_scan_file(const char *path,
    emage_journal_each_pt each, void *data, emage_error_t *err);


static bool
emage_journal_named(const char *name)
{
    size_t  len, suffix;

    len = strlen(name);
    suffix = sizeof(EMAGE_JOURNAL_SUFFIX) - 1;

    return len > suffix
           && memcmp(name + len - suffix, EMAGE_JOURNAL_SUFFIX, suffix) == 0;
}


static emage_rc_t
emage_journal_paths_push(emage_journal_paths_t *paths, const char *dir,
    const char *name, emage_error_t *err)
{
    int                    n;
    char                  *path, *slash;
    size_t                 size;
    emage_journal_path_t  *list;

    path = NULL;

    if (paths->n == paths->size) {

        if (paths->n >= EMAGE_JOURNAL_PATHS_MAX) {
            emage_error_set(err, "%s: more than %d files", dir,
                            EMAGE_JOURNAL_PATHS_MAX);
            return EMAGE_NOMEM;
        }

        size = (paths->size == 0) ? 64 : paths->size * 2;

        list = realloc(paths->path, size * sizeof(*list));
        if (list == NULL) {
            goto nomem;
        }

        paths->path = list;
        paths->size = size;
    }

    n = (name == NULL) ? asprintf(&path, "%s", dir)
                       : asprintf(&path, "%s/%s", dir, name);

    if (n < 0) {
        goto nomem;
    }

    slash = strrchr(path, '/');

    list = &paths->path[paths->n++];
    list->path = path;
    list->name = (slash == NULL) ? path : slash + 1;

    return EMAGE_OK;

nomem:

    emage_error_set(err, "%s: out of memory", dir);

    return EMAGE_NOMEM;
}


static emage_rc_t
emage_journal_paths_walk(emage_journal_paths_t *paths, const char *dir,
    unsigned depth, emage_error_t *err)
{
    DIR            *d;
    char           *sub;
    emage_rc_t      rc;
    struct stat     st;
    struct dirent  *entry;

    d = opendir(dir);
    if (d == NULL) {
        emage_error_set(err, "%s: cannot be read: %s", dir, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    rc = EMAGE_OK;

    while (rc == EMAGE_OK) {
        errno = 0;
        entry = readdir(d);

        if (entry == NULL) {
            if (errno != 0) {
                emage_error_set(err, "%s: cannot be read: %s", dir,
                                strerror(errno));
                rc = EMAGE_UNAVAILABLE;
            }

            break;
        }

        if (entry->d_name[0] == '.') {
            continue;
        }

        if (emage_journal_named(entry->d_name)) {
            rc = emage_journal_paths_push(paths, dir, entry->d_name, err);
            continue;
        }

        if (depth == 0) {
            continue;
        }

        if (asprintf(&sub, "%s/%s", dir, entry->d_name) < 0) {
            emage_error_set(err, "%s: out of memory", dir);
            rc = EMAGE_NOMEM;
            break;
        }

        if (lstat(sub, &st) == 0 && S_ISDIR(st.st_mode)) {
            rc = emage_journal_paths_walk(paths, sub, depth - 1, err);
        }

        free(sub);
    }

    (void) closedir(d);

    return rc;
}


static int
emage_journal_paths_cmp(const void *a, const void *b)
{
    const emage_journal_path_t  *x = a, *y = b;

    return strcmp(x->path, y->path);
}


emage_rc_t
emage_journal_paths_add(emage_journal_paths_t *paths, const char *path,
    unsigned depth, emage_error_t *err)
{
    size_t                 first, i, len;
    emage_rc_t             rc;
    struct stat            st;
    emage_journal_path_t  *one;

    if (stat(path, &st) != 0) {
        emage_error_set(err, "%s: %s", path, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    if (!S_ISDIR(st.st_mode)) {
        return emage_journal_paths_push(paths, path, NULL, err);
    }

    first = paths->n;

    rc = emage_journal_paths_walk(paths, path, depth, err);

    if (rc == EMAGE_OK && paths->n > first) {
        qsort(paths->path + first, paths->n - first,
              sizeof(emage_journal_path_t), emage_journal_paths_cmp);
    }

    len = strlen(path);

    for (i = first; i < paths->n; i++) {
        one = &paths->path[i];
        one->name = one->path + len + strspn(one->path + len, "/");
    }

    return rc;
}


void
emage_journal_paths_free(emage_journal_paths_t *paths)
{
    size_t  i;

    for (i = 0; i < paths->n; i++) {
        free(paths->path[i].path);
    }

    free(paths->path);
    memset(paths, 0, sizeof(*paths));
}


static emage_rc_t
emage_journal_scan_file(const char *path, emage_journal_each_pt each,
    void *data, emage_error_t *err)
{
    const char            *name;
    emage_rc_t             rc;
    emage_str_t            line;
    emage_journal_file_t   file;

    rc = emage_journal_file_open(&file, path, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    name = strrchr(path, '/');
    name = (name == NULL) ? path : name + 1;

    while ((rc = emage_journal_file_next(&file, &line, err)) == EMAGE_OK) {
        rc = each(data, name, file.reader.line - 1, line);

        if (rc != EMAGE_OK) {
            goto done;
        }
    }

    if (rc != EMAGE_NOTFOUND) {
        goto done;
    }

    rc = EMAGE_OK;

    if (!emage_journal_file_torn(&file)) {
        goto done;
    }

    if (file.reader.closed) {
        emage_error_set(err, "%s: bytes after the close record", path);
        rc = EMAGE_ERROR;
        goto done;
    }

    rc = each(data, name, file.reader.line, emage_null_str);

done:

    emage_journal_file_close(&file);

    return rc;
}


emage_rc_t
emage_journal_scan(const char *dir, emage_journal_each_pt each, void *data,
    emage_error_t *err)
{
    size_t                 i;
    emage_rc_t             rc;
    emage_journal_paths_t  paths;

    memset(&paths, 0, sizeof(paths));

    rc = emage_journal_paths_walk(&paths, dir, 0, err);

    if (rc == EMAGE_OK && paths.n > 0) {
        qsort(paths.path, paths.n, sizeof(emage_journal_path_t),
              emage_journal_paths_cmp);
    }

    for (i = 0; rc == EMAGE_OK && i < paths.n; i++) {
        rc = emage_journal_scan_file(paths.path[i].path, each, data, err);
    }

    emage_journal_paths_free(&paths);

    return rc;
}
