
/*
 * Copyright (C) The e-mage authors
 *
 * A store held against its manifests and against the records.
 */


#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <emage/series_index.h>

#include "file.h"
#include "ingest_core.h"
#include "revision.h"


typedef struct {
    const emage_store_t  *st;
    emage_records_t      *rec;
    const char           *study;
    char                  named[EMAGE_REVISION_MAX + 1]; /* by the record */
    bool                  orphans;
    uint32_t              faults;
    emage_error_t        *err;
} emage_verify_t;


static void emage_verify_fault(emage_verify_t *v, const char *where,
    const char *what);
static emage_rc_t emage_verify_named(emage_verify_t *v);
static emage_rc_t emage_verify_study(emage_verify_t *v);
static void emage_verify_revision(emage_verify_t *v, const char *revision);
static void emage_verify_file(emage_verify_t *v, const char *dir,
    const emage_manifest_file_t *f);
static void emage_verify_series(emage_verify_t *v, const char *dir,
    const emage_manifest_t *m, const char *name);
static void emage_verify_picture(emage_verify_t *v,
    const emage_manifest_t *m, const char *index,
    const emage_index_instance_t *in, const char *suffix, uint64_t size);
static void emage_verify_extra(emage_verify_t *v, const char *dir,
    const char *below, const emage_manifest_t *m);
static emage_rc_t emage_verify_record(void *data, emage_str_t study);
static emage_rc_t emage_sweep_study(emage_verify_t *v, int64_t age_ms,
    uint32_t *removed);


static void
emage_verify_fault(emage_verify_t *v, const char *where, const char *what)
{
    v->faults++;

    printf("%s  %s%s%s\n", v->study, where, where[0] != '\0' ? ": " : "",
           what);
}


/* The revision that the study's record names; empty without record. */

static emage_rc_t
emage_verify_named(emage_verify_t *v)
{
    json_t       *record;
    int64_t       version;
    emage_rc_t    rc;
    const char   *revision;
    emage_buf_t   text;

    v->named[0] = '\0';

    emage_buf_init(&text, EMAGE_RECORD_TEXT_MAX);

    rc = emage_records_study_get(v->rec, emage_str_c(v->study), &text,
                                 &version, v->err);

    if (rc == EMAGE_OK) {
        record = emage_rows_parse((emage_str_t) { text.data, text.len },
                                  v->err);
        revision = json_string_value(json_object_get(record, "revision"));

        if (revision != NULL && strlen(revision) < sizeof(v->named)) {
            memcpy(v->named, revision, strlen(revision) + 1);
        }

        json_decref(record);

    } else if (rc == EMAGE_NOTFOUND) {
        rc = EMAGE_OK;
    }

    emage_buf_free(&text);

    return rc;
}


emage_rc_t
emage_inspect_verify(const emage_store_t *st, emage_records_t *rec,
    uint32_t *faults, emage_error_t *err)
{
    char            dir[PATH_MAX];
    size_t          i;
    emage_rc_t      rc;
    emage_names_t   names;
    emage_verify_t  v;

    memset(&v, 0, sizeof(v));

    v.st = st;
    v.rec = rec;
    v.err = err;

    if (!emage_store_path(st, dir, sizeof(dir), "studies", NULL, NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_names(dir, &names, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; rc == EMAGE_OK && i < names.n; i++) {
        v.study = names.list[i];

        if (!emage_uid_valid(emage_str_c(v.study))) {
            emage_verify_fault(&v, "", "not the name of a study");
            continue;
        }

        rc = emage_verify_study(&v);
    }

    emage_file_names_free(&names);

    if (rc == EMAGE_OK && rec != NULL) {
        rc = emage_records_studies(rec, emage_null_str, emage_verify_record,
                                   &v, err);
    }

    *faults = v.faults;

    return rc;
}


static emage_rc_t
emage_verify_study(emage_verify_t *v)
{
    bool           found;
    char           dir[PATH_MAX], newest[EMAGE_REVISION_MAX + 1];
    size_t         i;
    uint32_t       n;
    emage_rc_t     rc;
    emage_names_t  names;

    if (!emage_store_path(v->st, dir, sizeof(dir), "studies", v->study, NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    if (v->rec != NULL) {
        rc = emage_verify_named(v);

    } else {
        rc = emage_store_newest(v->st, v->study, newest, v->err);
        memcpy(v->named, newest, sizeof(newest));

        if (rc == EMAGE_NOTFOUND) {
            rc = EMAGE_OK;
        }
    }

    if (rc == EMAGE_OK) {
        rc = emage_file_names(dir, &names, v->err);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    found = false;

    for (i = 0; i < names.n; i++) {

        if (!emage_revision_valid(emage_str_c(names.list[i]), &n)) {
            emage_verify_fault(v, names.list[i], "not the name of a revision");
            continue;
        }

        if (strcmp(names.list[i], v->named) == 0) {
            found = true;

        } else if (v->rec != NULL) {
            emage_verify_fault(v, names.list[i], "no record names it; "
                               "\"emage-store sweep\" removes it");
        }

        emage_verify_revision(v, names.list[i]);
    }

    emage_file_names_free(&names);

    if (v->rec != NULL && v->named[0] == '\0') {
        emage_verify_fault(v, "", "has no record");

    } else if (!found) {
        emage_verify_fault(v, v->named, "named by the record, not in the "
                           "store");
    }

    return EMAGE_OK;
}


static void
emage_verify_revision(emage_verify_t *v, const char *revision)
{
    char              dir[PATH_MAX];
    size_t            i, n;
    emage_rc_t        rc;
    const char       *path;
    emage_manifest_t  m;

    rc = emage_revision_manifest(v->st, v->study, revision, &m, v->err);

    if (rc != EMAGE_OK
        || !emage_store_path(v->st, dir, sizeof(dir), "studies", v->study,
                             revision))
    {
        emage_verify_fault(v, revision, v->err->text);
        return;
    }

    for (i = 0; i < m.nfiles; i++) {
        path = m.files[i].path;
        n = strlen(path);

        emage_verify_file(v, dir, &m.files[i]);

        if (n > 11 && memcmp(path + n - 11, "/series.idx", 11) == 0) {
            emage_verify_series(v, dir, &m, path);
        }
    }

    emage_verify_extra(v, dir, "", &m);

    emage_manifest_free(&m);
}


static void
emage_verify_file(emage_verify_t *v, const char *dir,
    const emage_manifest_file_t *f)
{
    int          fd;
    char         path[PATH_MAX];
    emage_sum_t  sum;

    if (!emage_file_join(path, sizeof(path), dir, f->path)) {
        emage_verify_fault(v, f->path, "name too long");
        return;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd == -1) {
        emage_verify_fault(v, f->path, strerror(errno));
        return;
    }

    if (emage_digest_fd(fd, &sum) != EMAGE_OK) {
        emage_verify_fault(v, f->path, "cannot be read");

    } else if (sum.size != f->sum.size || sum.crc32 != f->sum.crc32
               || memcmp(sum.sha256, f->sum.sha256, EMAGE_SHA256_LEN) != 0)
    {
        emage_verify_fault(v, f->path, "is not what MANIFEST says");
    }

    (void) close(fd);
}


/* The index must be sound, and speak of files as long as they are. */

static void
emage_verify_series(emage_verify_t *v, const char *dir,
    const emage_manifest_t *m, const char *name)
{
    char                          path[PATH_MAX], file[256];
    uint32_t                      i;
    emage_map_t                   map;
    emage_series_index_t         *idx;
    emage_index_instance_t        in;
    const emage_manifest_file_t  *f;

    if (!emage_file_join(path, sizeof(path), dir, name)
        || emage_file_map(path, &map, v->err) != EMAGE_OK)
    {
        return;
    }

    if (emage_series_index_open(map.data, map.size, &idx, v->err) != EMAGE_OK) {
        emage_verify_fault(v, name, v->err->text);
        emage_file_unmap(&map);
        return;
    }

    for (i = 0; i < emage_series_index_count(idx); i++) {
        (void) emage_series_index_get(idx, i, &in);

        (void) snprintf(file, sizeof(file), "%.*s/%.*s.dcm",
                        (int) (strlen(name) - 11), name, (int) in.uid.len,
                        in.uid.data);

        f = emage_manifest_file(m, file);

        if (f == NULL || f->sum.size != in.file_size) {
            emage_verify_fault(v, file, "not as series.idx has it");
        }

        emage_verify_picture(v, m, name, &in, "jpg", in.rendered_size);
        emage_verify_picture(v, m, name, &in, "thumb.jpg", in.thumbnail_size);
    }

    emage_series_index_close(idx);
    emage_file_unmap(&map);
}


static void
emage_verify_picture(emage_verify_t *v, const emage_manifest_t *m,
    const char *index, const emage_index_instance_t *in, const char *suffix,
    uint64_t size)
{
    char                          file[256];
    const emage_manifest_file_t  *f;

    (void) snprintf(file, sizeof(file), "%.*s/%.*s.%s",
                    (int) (strlen(index) - 11), index, (int) in->uid.len,
                    in->uid.data, suffix);

    f = emage_manifest_file(m, file);

    if ((f == NULL) ? size != 0 : f->sum.size != size) {
        emage_verify_fault(v, file, "not as series.idx has it");
    }
}


/* Files that MANIFEST does not know, one level deep. */

static void
emage_verify_extra(emage_verify_t *v, const char *dir, const char *below,
    const emage_manifest_t *m)
{
    char           path[PATH_MAX], name[512];
    size_t         i;
    emage_names_t  names;

    if (!emage_file_join(path, sizeof(path), dir, below)
        || emage_file_names(path, &names, v->err) != EMAGE_OK)
    {
        return;
    }

    for (i = 0; i < names.n; i++) {
        (void) snprintf(name, sizeof(name), "%s%s%s", below,
                        below[0] != '\0' ? "/" : "", names.list[i]);

        if (below[0] == '\0' && emage_uid_valid(emage_str_c(names.list[i]))) {
            emage_verify_extra(v, dir, names.list[i], m);

        } else if (emage_manifest_file(m, name) == NULL
                   && strcmp(name, "MANIFEST") != 0)
        {
            emage_verify_fault(v, name, "is not in MANIFEST");
        }
    }

    emage_file_names_free(&names);
}


/* A record without a study. */

static emage_rc_t
emage_verify_record(void *data, emage_str_t study)
{
    char             uid[EMAGE_UID_MAX + 1], dir[PATH_MAX];
    emage_rc_t       rc;
    emage_verify_t  *v = data;

    if (!emage_uid_valid(study)) {
        return EMAGE_OK;
    }

    memcpy(uid, study.data, study.len);
    uid[study.len] = '\0';

    v->study = uid;

    rc = emage_verify_named(v);

    if (rc == EMAGE_OK && v->named[0] != '\0'
        && emage_store_path(v->st, dir, sizeof(dir), "studies", uid, NULL)
        && access(dir, F_OK) == -1)
    {
        emage_verify_fault(v, "", "has a record, but is not in the store");
    }

    v->study = "";

    return rc;
}


static emage_rc_t
emage_sweep_study(emage_verify_t *v, int64_t age_ms, uint32_t *removed)
{
    char             dir[PATH_MAX];
    json_t          *json;
    size_t           i;
    uint32_t         n, named;
    int64_t          revised;
    emage_rc_t       rc;
    emage_names_t    names;
    struct timespec  now;

    rc = emage_verify_named(v);

    if (rc != EMAGE_OK
        || !emage_store_path(v->st, dir, sizeof(dir), "studies", v->study,
                             NULL))
    {
        return rc;
    }

    revised = 0;
    named = 0;

    /* no record at all may mean that the records are lost, not the study */

    if (v->named[0] == '\0' && !v->orphans) {
        return EMAGE_OK;
    }

    if (v->named[0] != '\0') {
        (void) emage_revision_valid(emage_str_c(v->named), &named);

        rc = emage_revision_json(v->st, v->study, v->named, "study.json",
                                 &json, v->err);

        /* without the revision in force nothing of the study is touched */

        if (rc != EMAGE_OK) {
            return EMAGE_OK;
        }

        revised = json_integer_value(json_object_get(json, "revised"));
        json_decref(json);
    }

    (void) clock_gettime(CLOCK_REALTIME, &now);

    rc = emage_file_names(dir, &names, v->err);

    for (i = 0; rc == EMAGE_OK && i < names.n; i++) {

        if (strcmp(names.list[i], v->named) == 0
            || !emage_revision_valid(emage_str_c(names.list[i]), &n)
            || (n < named && (int64_t) now.tv_sec * 1000 - revised < age_ms))
        {
            continue;
        }

        rc = emage_revision_remove(v->st, v->study, names.list[i], v->err);
        *removed += (rc == EMAGE_OK);
    }

    if (v->named[0] == '\0') {
        (void) rmdir(dir);
    }

    emage_file_names_free(&names);

    return rc;
}


emage_rc_t
emage_inspect_sweep(const emage_store_t *st, emage_records_t *rec,
    int64_t age_ms, bool orphans, uint32_t *removed, emage_error_t *err)
{
    int             lock;
    char            dir[PATH_MAX];
    size_t          i;
    emage_rc_t      rc;
    emage_names_t   names;
    emage_verify_t  v;

    memset(&v, 0, sizeof(v));

    v.st = st;
    v.rec = rec;
    v.orphans = orphans;
    v.err = err;

    *removed = 0;

    if (!emage_store_path(st, dir, sizeof(dir), "studies", NULL, NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_names(dir, &names, err);

    for (i = 0; rc == EMAGE_OK && i < names.n; i++) {
        v.study = names.list[i];

        if (!emage_uid_valid(emage_str_c(v.study))) {
            continue;
        }

        /* nobody publishes it meanwhile */

        rc = emage_store_lock(st, emage_str_c(v.study), &lock, err);

        if (rc == EMAGE_OK) {
            rc = emage_sweep_study(&v, age_ms, removed);
            emage_store_unlock(lock);
        }
    }

    emage_file_names_free(&names);

    return rc;
}
