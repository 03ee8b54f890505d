
/*
 * Copyright (C) The e-mage authors
 *
 * The files of an ingest: found below folders, reported one by one.
 */


#include "ingest_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"


#define EMAGE_WALK_DEPTH  64
#define EMAGE_FILES_MAX   (1u << 26)


static emage_rc_t emage_walk_add(emage_ingest_files_t *files,
    const char *path, const char *reason, emage_error_t *err);
static emage_rc_t emage_walk_path(emage_ingest_files_t *files,
    const char *path, unsigned depth, emage_error_t *err);
static emage_rc_t emage_walk_folder(emage_ingest_files_t *files,
    const char *path, unsigned depth, emage_error_t *err);
static int emage_walk_cmp(const void *a, const void *b);
static const char *emage_status_name(emage_file_status_t status);
static void emage_table_text(const char *s);


static emage_rc_t
emage_walk_add(emage_ingest_files_t *files, const char *path,
    const char *reason, emage_error_t *err)
{
    size_t                max;
    emage_ingest_file_t  *list;

    if (files->n == files->max) {
        max = (files->max == 0) ? 256 : files->max * 2;

        list = (max > EMAGE_FILES_MAX)
               ? NULL : realloc(files->list,
                                max * sizeof(emage_ingest_file_t));
        if (list == NULL) {
            emage_error_set(err, "no memory for more than %zu files",
                            files->n);
            return EMAGE_NOMEM;
        }

        files->list = list;
        files->max = max;
    }

    list = &files->list[files->n];
    memset(list, 0, sizeof(*list));

    list->path = strdup(path);
    if (list->path == NULL) {
        emage_error_set(err, "no memory");
        return EMAGE_NOMEM;
    }

    if (reason != NULL) {
        emage_ingest_set(list, EMAGE_FILE_REFUSED, "%s", reason);
    }

    files->n++;

    return EMAGE_OK;
}


static emage_rc_t
emage_walk_folder(emage_ingest_files_t *files, const char *path,
    unsigned depth, emage_error_t *err)
{
    char            child[PATH_MAX];
    size_t          i, len;
    emage_rc_t      rc;
    const char     *name;
    emage_error_t   why;
    emage_names_t   names;

    if (depth == EMAGE_WALK_DEPTH) {
        emage_error_set(err, "%.400s: folders deeper than %u", path,
                        EMAGE_WALK_DEPTH);
        return EMAGE_ERROR;
    }

    rc = emage_file_names(path, &names, &why);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "%s", why.text);
        return rc;
    }

    len = strlen(path);

    for (i = 0; rc == EMAGE_OK && i < names.n; i++) {
        name = names.list[i];

        if ((size_t) snprintf(child, sizeof(child), "%s%s%s", path,
                              len > 0 && path[len - 1] == '/' ? "" : "/", name)
            >= sizeof(child))
        {
            emage_error_set(err, "%.400s: path too long", path);
            rc = EMAGE_ERROR;
            break;
        }

        rc = emage_walk_path(files, child, depth + 1, err);
    }

    emage_file_names_free(&names);

    return rc;
}


static emage_rc_t
emage_walk_path(emage_ingest_files_t *files, const char *path, unsigned depth,
    emage_error_t *err)
{
    struct stat  st, target;

    if (lstat(path, &st) == -1) {
        emage_error_set(err, "%.400s: %s", path, strerror(errno));
        return EMAGE_NOTFOUND;
    }

    if (S_ISLNK(st.st_mode)) {

        if (stat(path, &target) == 0 && S_ISDIR(target.st_mode) && depth > 0) {
            return emage_walk_add(files, path, "not a DICOM file: a link to a "
                                  "folder, which is not followed", err);
        }

        if (stat(path, &target) == 0 && S_ISDIR(target.st_mode)) {
            return emage_walk_folder(files, path, depth, err);
        }

        return emage_walk_add(files, path, NULL, err);
    }

    if (S_ISDIR(st.st_mode)) {
        return emage_walk_folder(files, path, depth, err);
    }

    return emage_walk_add(files, path, NULL, err);
}


static int
emage_walk_cmp(const void *a, const void *b)
{
    const emage_ingest_file_t  *x = a, *y = b;

    return strcmp(x->path, y->path);
}


emage_rc_t
emage_ingest_walk(emage_ingest_files_t *files, const char *path,
    emage_error_t *err)
{
    size_t      from;
    emage_rc_t  rc;

    from = files->n;

    rc = emage_walk_path(files, path, 0, err);

    if (rc == EMAGE_OK && files->n > from) {
        qsort(files->list + from, files->n - from,
              sizeof(emage_ingest_file_t), emage_walk_cmp);
    }

    return rc;
}


void
emage_ingest_files_free(emage_ingest_files_t *files)
{
    size_t  i;

    for (i = 0; i < files->n; i++) {
        free(files->list[i].path);
        free(files->list[i].object);
    }

    free(files->list);
    memset(files, 0, sizeof(*files));
}


static const char *
emage_status_name(emage_file_status_t status)
{
    return (status == EMAGE_FILE_ACCEPTED) ? "accepted"
           : (status == EMAGE_FILE_UNCHANGED) ? "unchanged" : "refused";
}


emage_rc_t
emage_ingest_report(const emage_ingest_files_t *files, const char *path,
    emage_error_t *err)
{
    char         part[PATH_MAX];
    size_t       i;
    emage_rc_t   rc;
    emage_buf_t  text;

    if ((size_t) snprintf(part, sizeof(part), "%s.%d.part", path,
                          (int) getpid()) >= sizeof(part))
    {
        emage_error_set(err, "report: name too long");
        return EMAGE_UNAVAILABLE;
    }

    emage_buf_init(&text, (size_t) 4 << 30);

    (void) emage_buf_add_c(&text, "{\"files\":[");

    for (i = 0; i < files->n; i++) {
        (void) emage_buf_add_c(&text, i == 0 ? "\n" : ",\n");
        (void) emage_buf_add_c(&text, "{\"path\":");
        (void) emage_buf_add_json(&text, emage_str_c(files->list[i].path));
        (void) emage_buf_add_c(&text, ",\"status\":\"");
        (void) emage_buf_add_c(&text, emage_status_name(
                                          files->list[i].status));
        (void) emage_buf_add_c(&text, "\",\"reason\":");
        (void) emage_buf_add_json(&text, emage_str_c(files->list[i].reason));
        (void) emage_buf_add_c(&text, "}");
    }

    if (emage_buf_add_c(&text, "\n]}\n") != EMAGE_OK) {
        emage_error_set(err, "no memory for the report");
        rc = EMAGE_NOMEM;

    } else {
        rc = emage_file_write(part, text.data, text.len, err);
    }

    if (rc == EMAGE_OK && rename(part, path) == -1) {
        emage_error_set(err, "cannot write report %.400s: %s", path,
                        strerror(errno));
        (void) unlink(part);
        rc = EMAGE_UNAVAILABLE;
    }

    emage_buf_free(&text);

    return rc;
}


/* Names of files and text from inside them may hold anything. */

static void
emage_table_text(const char *s)
{
    for ( ; *s != '\0'; s++) {
        putchar((unsigned char) *s < 0x20 || *s == 0x7f ? '?' : *s);
    }
}


void
emage_ingest_table(const emage_ingest_files_t *files)
{
    size_t                      i, n[EMAGE_FILE_ACCEPTED + 1];
    const emage_ingest_file_t  *f;

    memset(n, 0, sizeof(n));

    for (i = 0; i < files->n; i++) {
        f = &files->list[i];
        n[f->status]++;

        printf("%-9s  ", emage_status_name(f->status));
        emage_table_text(f->path);

        if (f->reason[0] != '\0') {
            printf("  ");
            emage_table_text(f->reason);
        }

        printf("\n");
    }

    printf("%zu accepted, %zu unchanged, %zu refused\n",
           n[EMAGE_FILE_ACCEPTED], n[EMAGE_FILE_UNCHANGED],
           n[EMAGE_FILE_REFUSED]);
}
