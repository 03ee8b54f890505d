/*
 * Copyright (C) The e-mage authors
 *
 * Files and directories of policies: the one place of this room that reads
 * any.
 */


#include "cedar_core.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>


#define CEDAR_MAX_FILES  1000


typedef struct {
    char   *names[CEDAR_MAX_FILES];
    size_t  n;
} cedar_files_t;


static bool cedar_ends(const char *name, const char *suffix);
static int cedar_name_cmp(const void *a, const void *b);
static emage_rc_t cedar_files_list(cedar_files_t *files, const char *dir,
    const char *suffix, emage_error_t *err);
static void cedar_files_free(cedar_files_t *files);
static emage_rc_t cedar_files_add(cedar_set_t *set, cedar_files_t *files,
    const char *dir, bool schema, emage_error_t *err);
static emage_rc_t cedar_file_read(int fd, emage_buf_t *b);


static bool
cedar_ends(const char *name, const char *suffix)
{
    size_t  n, m;

    n = strlen(name);
    m = strlen(suffix);

    return n > m && memcmp(name + n - m, suffix, m) == 0;
}


static int
cedar_name_cmp(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


static emage_rc_t
cedar_files_list(cedar_files_t *files, const char *dir, const char *suffix,
    emage_error_t *err)
{
    DIR            *d;
    struct dirent  *entry;

    files->n = 0;

    d = opendir(dir);
    if (d == NULL) {
        emage_error_set(err, "%s: %s; name the directory that holds the "
                        "policies", dir, strerror(errno));
        return EMAGE_NOTFOUND;
    }

    for ( ;; ) {
        errno = 0;
        entry = readdir(d);

        if (entry == NULL) {
            break;
        }

        if (entry->d_name[0] == '.' || !cedar_ends(entry->d_name, suffix)) {
            continue;
        }

        files->names[files->n] = (files->n < CEDAR_MAX_FILES - 1)
                                 ? strdup(entry->d_name) : NULL;

        if (files->names[files->n] == NULL) {
            (void) closedir(d);
            emage_error_set(err, "%s: no memory, or more than %d files of "
                            "policies; join some", dir, CEDAR_MAX_FILES - 1);
            return EMAGE_NOMEM;
        }

        files->n++;
    }

    if (errno != 0) {
        emage_error_set(err, "%s: %s", dir, strerror(errno));
        (void) closedir(d);
        return EMAGE_UNAVAILABLE;
    }

    (void) closedir(d);
    qsort(files->names, files->n, sizeof(char *), cedar_name_cmp);

    return EMAGE_OK;
}


static void
cedar_files_free(cedar_files_t *files)
{
    size_t  i;

    for (i = 0; i < files->n; i++) {
        free(files->names[i]);
    }

    files->n = 0;
}


static emage_rc_t
cedar_file_read(int fd, emage_buf_t *b)
{
    char     chunk[16384];
    ssize_t  n;

    for ( ;; ) {
        n = read(fd, chunk, sizeof(chunk));

        if (n == 0) {
            return EMAGE_OK;
        }

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }

            return EMAGE_UNAVAILABLE;
        }

        if (emage_buf_add(b, chunk, n) != EMAGE_OK) {
            errno = EFBIG;
            return EMAGE_NOMEM;
        }
    }
}


static emage_rc_t
cedar_files_add(cedar_set_t *set, cedar_files_t *files, const char *dir,
    bool schema, emage_error_t *err)
{
    int          fd, dirfd;
    size_t       i;
    emage_rc_t   rc;
    emage_buf_t  b;
    emage_str_t  name, text;

    dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd == -1) {
        emage_error_set(err, "%s: %s", dir, strerror(errno));
        return EMAGE_NOTFOUND;
    }

    emage_buf_init(&b, CEDAR_MAX_TEXT);
    rc = EMAGE_OK;

    for (i = 0; i < files->n && rc == EMAGE_OK; i++) {
        emage_buf_reset(&b);

        fd = openat(dirfd, files->names[i], O_RDONLY | O_CLOEXEC
                    | O_NONBLOCK | O_NOCTTY);

        rc = (fd == -1) ? EMAGE_UNAVAILABLE : cedar_file_read(fd, &b);

        if (rc != EMAGE_OK) {
            emage_error_set(err, "%s/%s: %s; make it readable, or smaller "
                            "than %d bytes", dir, files->names[i],
                            strerror(errno), CEDAR_MAX_TEXT);

        } else {
            name = emage_str_c(files->names[i]);
            text = (emage_str_t) { (b.len == 0) ? "" : b.data, b.len };

            rc = schema ? cedar_set_add_schema(set, name, text, err)
                        : cedar_set_add_policies(set, name, text, err);
        }

        if (fd != -1) {
            (void) close(fd);
        }
    }

    emage_buf_free(&b);
    (void) close(dirfd);

    return rc;
}


emage_rc_t
cedar_set_add_directory(cedar_set_t *set, const char *dir,
    emage_error_t *err)
{
    size_t         n;
    emage_rc_t     rc;
    cedar_files_t  files;

    rc = cedar_files_list(&files, dir, ".cedarschema", err);

    if (rc == EMAGE_OK) {
        rc = cedar_files_add(set, &files, dir, true, err);
    }

    cedar_files_free(&files);

    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = cedar_files_list(&files, dir, ".cedar", err);
    n = files.n;

    if (rc == EMAGE_OK) {
        rc = cedar_files_add(set, &files, dir, false, err);
    }

    cedar_files_free(&files);

    if (rc == EMAGE_OK && n == 0) {
        emage_error_set(err, "%s: no *.cedar file in it; put the policies "
                        "there", dir);
        return EMAGE_NOTFOUND;
    }

    return rc;
}


emage_rc_t
cedar_file_load(const char *path, emage_buf_t *b, emage_error_t *err)
{
    int         fd;
    emage_rc_t  rc;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    rc = (fd == -1) ? EMAGE_UNAVAILABLE : cedar_file_read(fd, b);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "%s: %s; name a file that can be read, of at "
                        "most %zu bytes", path, strerror(errno), b->max);
    }

    if (fd != -1) {
        (void) close(fd);
    }

    return rc;
}
