
/*
 * Copyright (C) The e-mage authors
 */


#include "revision_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"


static emage_rc_t emage_build_run(emage_build_t *b, const char *name);
static emage_rc_t emage_build_all_series(emage_build_t *b);
static json_t *emage_build_series_set(emage_build_t *b);
static bool emage_build_touched(const emage_build_t *b, const char *series);
static emage_rc_t emage_build_linked(emage_build_t *b, const char *series);
static emage_rc_t emage_build_linked_rows(emage_build_t *b,
    const char *series);
static emage_rc_t emage_build_linked_series(emage_build_t *b,
    const char *series);
static json_t *emage_build_modalities(const emage_build_t *b);
static emage_rc_t emage_build_study(emage_build_t *b, const char *name);
static emage_rc_t emage_build_study_row(emage_build_t *b);
static emage_rc_t emage_build_index(emage_build_t *b);
static emage_rc_t emage_build_manifest(emage_build_t *b);
static emage_rc_t emage_build_move(emage_build_t *b, const char *name);
static int emage_build_uid_cmp(const void *a, const void *b);


emage_rc_t
emage_build_nomem(emage_build_t *b)
{
    emage_error_set(b->err, "study %s: no memory", b->conf->study);

    return EMAGE_NOMEM;
}


bool
emage_build_replaced(const emage_build_t *b, const char *sop)
{
    size_t  lo, hi, mid;
    int     cmp;

    lo = 0;
    hi = b->conf->nmembers;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        cmp = strcmp(sop, b->conf->members[mid].object->sop);

        if (cmp == 0) {
            return true;
        }

        if (cmp < 0) {
            hi = mid;

        } else {
            lo = mid + 1;
        }
    }

    return false;
}


emage_rc_t
emage_revision_build(const emage_revision_conf_t *conf, char *name,
    emage_error_t *err)
{
    char           work[EMAGE_UID_MAX + 8];
    emage_rc_t     rc;
    emage_build_t  b;

    memset(&b, 0, sizeof(b));

    b.conf = conf;
    b.err = err;
    b.study_row = json_object();
    b.series = json_array();
    b.reports = json_array();
    b.modalities = json_object();

    (void) snprintf(work, sizeof(work), "study-%s", conf->study);

    if (b.study_row == NULL || b.series == NULL || b.reports == NULL
        || b.modalities == NULL)
    {
        rc = emage_build_nomem(&b);

    } else if (!emage_file_join(b.dir, sizeof(b.dir), conf->txn->dir, work)
               || (conf->old_revision[0] != '\0'
                   && !emage_store_path(conf->store, b.old_dir,
                                        sizeof(b.old_dir), "studies",
                                        conf->study, conf->old_revision)))
    {
        emage_error_set(err, "name of the store directory is too long");
        rc = EMAGE_UNAVAILABLE;

    } else {
        rc = emage_revision_name(conf->store, conf->study, name, err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_build_run(&b, name);
    }

    emage_manifest_free(&b.manifest);
    json_decref(b.study_row);
    json_decref(b.series);
    json_decref(b.reports);
    json_decref(b.modalities);

    return rc;
}


static emage_rc_t
emage_build_run(emage_build_t *b, const char *name)
{
    emage_rc_t  rc;

    rc = emage_file_remove_tree(b->dir, b->err);

    if (rc == EMAGE_OK) {
        rc = emage_file_mkdir(b->dir, b->err);
    }

    if (rc != EMAGE_OK) {
        return EMAGE_UNAVAILABLE;
    }

    memcpy(b->manifest.study, b->conf->study, strlen(b->conf->study) + 1);
    (void) snprintf(b->manifest.revision, sizeof(b->manifest.revision), "%s",
                    name);

    rc = emage_build_all_series(b);

    if (rc == EMAGE_OK) {
        rc = emage_build_study(b, name);
    }

    if (rc == EMAGE_OK) {
        rc = emage_build_json(b, "series.json", b->series);
    }

    if (rc == EMAGE_OK) {
        rc = emage_build_index(b);
    }

    if (rc == EMAGE_OK) {
        rc = emage_build_manifest(b);
    }

    if (rc == EMAGE_OK) {
        rc = emage_build_move(b, name);
    }

    return rc;
}


/* UIDs of all series, old and new, as the keys of an object. */

static json_t *
emage_build_series_set(emage_build_t *b)
{
    size_t   i;
    json_t  *set;

    set = json_object();

    for (i = 0; set != NULL && i < b->conf->nmembers; i++) {
        if (json_object_set_new(set, b->conf->members[i].object->series,
                                json_true()) == -1)
        {
            json_decref(set);
            return NULL;
        }
    }

    for (i = 0; set != NULL && b->old_dir[0] != '\0'
                && i < b->conf->old->nobjects; i++)
    {
        if (json_object_set_new(set, b->conf->old->objects[i].series,
                                json_true()) == -1)
        {
            json_decref(set);
            return NULL;
        }
    }

    return set;
}


static int
emage_build_uid_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}


static emage_rc_t
emage_build_all_series(emage_build_t *b)
{
    json_t       *set, *value;
    size_t        n, i;
    emage_rc_t    rc;
    const char   *key;
    const char  **uids;

    set = emage_build_series_set(b);
    if (set == NULL) {
        return emage_build_nomem(b);
    }

    n = 0;
    uids = calloc(json_object_size(set) + 1, sizeof(char *));

    if (uids == NULL) {
        json_decref(set);
        return emage_build_nomem(b);
    }

    json_object_foreach(set, key, value) {
        uids[n++] = key;
    }

    qsort(uids, n, sizeof(char *), emage_build_uid_cmp);

    rc = EMAGE_OK;

    for (i = 0; rc == EMAGE_OK && i < n; i++) {
        rc = emage_build_touched(b, uids[i]) ? emage_build_series(b, uids[i])
                                             : emage_build_linked(b, uids[i]);
    }

    free(uids);
    json_decref(set);

    return rc;
}


static bool
emage_build_touched(const emage_build_t *b, const char *series)
{
    size_t                          i;
    const emage_manifest_object_t  *o;

    for (i = 0; i < b->conf->nmembers; i++) {

        if (strcmp(b->conf->members[i].object->series, series) == 0) {
            return true;
        }

        if (b->old_dir[0] == '\0') {
            continue;
        }

        o = emage_manifest_find(b->conf->old, b->conf->members[i].object->sop);

        if (o != NULL && strcmp(o->series, series) == 0) {
            return true;
        }
    }

    return false;
}


/* A series that stays as it is: every file of it is linked. */

static emage_rc_t
emage_build_linked(emage_build_t *b, const char *series)
{
    char                     dir[PATH_MAX], from[PATH_MAX], prefix[80];
    size_t                   i, n;
    emage_rc_t               rc;
    emage_manifest_file_t   *f;

    if (!emage_file_join(dir, sizeof(dir), b->dir, series)
        || emage_file_mkdir(dir, b->err) != EMAGE_OK)
    {
        return EMAGE_UNAVAILABLE;
    }

    (void) snprintf(prefix, sizeof(prefix), "%s/", series);
    n = strlen(prefix);
    rc = EMAGE_OK;

    for (i = 0; rc == EMAGE_OK && i < b->conf->old->nfiles; i++) {
        f = &b->conf->old->files[i];

        if (strlen(f->path) <= n || memcmp(f->path, prefix, n) != 0) {
            continue;
        }

        rc = emage_file_join(from, sizeof(from), b->old_dir, f->path)
             ? emage_build_link(b, from, f->path, &f->sum)
             : EMAGE_UNAVAILABLE;
    }

    for (i = 0; rc == EMAGE_OK && i < b->conf->old->nobjects; i++) {
        if (strcmp(b->conf->old->objects[i].series, series) == 0
            && emage_manifest_add_object(&b->manifest,
                                         &b->conf->old->objects[i])
               != EMAGE_OK)
        {
            rc = emage_build_nomem(b);
        }
    }

    if (rc == EMAGE_OK) {
        rc = emage_build_linked_rows(b, series);
    }

    if (rc == EMAGE_OK) {
        rc = emage_build_linked_series(b, series);
    }

    if (rc == EMAGE_OK) {
        rc = emage_file_sync(dir, b->err);
    }

    return rc;
}


static emage_rc_t
emage_build_linked_rows(emage_build_t *b, const char *series)
{
    char           name[256];
    json_t        *rows, *entry;
    size_t         i;
    unsigned       cls;
    emage_rc_t     rc;
    emage_str_t    name_of;
    const char    *text;

    (void) snprintf(name, sizeof(name), "%s/instances.json", series);

    rc = emage_revision_json(b->conf->store, b->conf->study,
                             b->conf->old_revision, name, &rows, b->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    json_array_foreach(rows, i, entry) {
        text = json_string_value(json_object_get(entry, "class"));

        for (cls = 0; cls < EMAGE_CLASS_REPORT; cls++) {
            name_of = emage_class_name((emage_class_t) cls);

            if (emage_str_eq(emage_str_c(text), name_of)) {
                break;
            }
        }

        b->classes[cls]++;
        b->instances++;

        if (cls == EMAGE_CLASS_REPORT
            && json_array_append(b->reports, json_object_get(entry, "uid"))
               == -1)
        {
            rc = emage_build_nomem(b);
        }
    }

    json_decref(rows);

    return rc;
}


static emage_rc_t
emage_build_linked_series(emage_build_t *b, const char *series)
{
    json_t      *all, *entry;
    size_t       i;
    emage_rc_t   rc;
    const char  *uid, *modality;

    rc = emage_revision_json(b->conf->store, b->conf->study,
                             b->conf->old_revision, "series.json", &all,
                             b->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    json_array_foreach(all, i, entry) {
        uid = json_string_value(json_object_get(entry, "uid"));

        if (uid == NULL || strcmp(uid, series) != 0) {
            continue;
        }

        modality = json_string_value(json_object_get(entry, "modality"));

        if (json_array_append(b->series, entry) == -1
            || (modality != NULL && modality[0] != '\0'
                && json_object_set_new(b->modalities, modality, json_true())
                   == -1))
        {
            rc = emage_build_nomem(b);
        }
    }

    json_decref(all);

    return rc;
}


static emage_rc_t
emage_build_study_row(emage_build_t *b)
{
    json_t       *old, *list, *value;
    emage_rc_t    rc;
    const char   *key;

    if (b->old_dir[0] != '\0') {
        rc = emage_revision_json(b->conf->store, b->conf->study,
                                 b->conf->old_revision, "study.json", &old,
                                 b->err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        if (!emage_rows_merge(b->study_row, json_object_get(old, "row"))) {
            json_decref(old);
            return emage_build_nomem(b);
        }

        json_decref(old);
    }

    (void) json_object_del(b->study_row, "00080061");

    if (json_object_size(b->modalities) != 0) {
        list = json_array();

        json_object_foreach(b->modalities, key, value) {
            (void) json_array_append_new(list, json_string(key));
        }

        if (json_array_size(list) != json_object_size(b->modalities)
            || !emage_rows_set_strings(b->study_row, "00080061", "CS", list))
        {
            return emage_build_nomem(b);
        }
    }

    if (!emage_rows_set_number(b->study_row, "00201206", "IS",
                               (uint32_t) json_array_size(b->series))
        || !emage_rows_set_number(b->study_row, "00201208", "IS", b->instances)
        || !emage_rows_set_string(b->study_row, "00080056", "CS", "ONLINE"))
    {
        return emage_build_nomem(b);
    }

    return EMAGE_OK;
}


/* The codes that a relation can be limited to. */

static json_t *
emage_build_modalities(const emage_build_t *b)
{
    json_t      *list, *value;
    const char  *key;

    list = json_array();

    json_object_foreach(b->modalities, key, value) {
        if (strlen(key) <= 16
            && json_array_append_new(list, json_string(key)) == -1)
        {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


static emage_rc_t
emage_build_study(emage_build_t *b, const char *name)
{
    json_t      *study;
    emage_rc_t   rc;
    const char  *date;

    rc = emage_build_study_row(b);
    if (rc != EMAGE_OK) {
        return rc;
    }

    study = json_pack("{s:i, s:s, s:s, s:s%, s:{s:I, s:I, s:I}, s:O, s:O}",
                      "version", 1, "study", b->conf->study, "revision", name,
                      "pid", b->conf->who.pid.data, b->conf->who.pid.len,
                      "classes",
                      "image", (json_int_t) b->classes[EMAGE_CLASS_IMAGE],
                      "evidence",
                      (json_int_t) b->classes[EMAGE_CLASS_EVIDENCE],
                      "report", (json_int_t) b->classes[EMAGE_CLASS_REPORT],
                      "reports", b->reports, "row", b->study_row);

    date = emage_rows_string(b->study_row, "00080020");

    if (study == NULL
        || json_object_update_missing(study, b->conf->head) == -1
        || json_object_set_new(study, "modalities", emage_build_modalities(b))
           == -1
        || (date != NULL && strlen(date) == 8
            && strspn(date, "0123456789") == 8
            && json_object_set_new(study, "date", json_string(date)) == -1))
    {
        json_decref(study);
        return emage_build_nomem(b);
    }

    rc = emage_build_json(b, "study.json", study);

    json_decref(study);

    return rc;
}


static emage_rc_t
emage_build_index(emage_build_t *b)
{
    json_t                *entry;
    size_t                 i;
    emage_rc_t             rc;
    emage_buf_t            text;
    emage_study_series_t  *series;

    series = calloc(json_array_size(b->series) + 1,
                    sizeof(emage_study_series_t));
    if (series == NULL) {
        return emage_build_nomem(b);
    }

    json_array_foreach(b->series, i, entry) {
        series[i].uid = emage_str_c(json_string_value(
                                        json_object_get(entry, "uid")));
        series[i].count = (uint32_t) json_integer_value(
                                         json_object_get(entry, "count"));
    }

    emage_buf_init(&text, 64 << 20);

    rc = emage_study_index_write(series, (uint32_t) json_array_size(b->series),
                                 &text);

    rc = (rc == EMAGE_OK)
         ? emage_build_file(b, "study.idx", text.data, text.len)
         : emage_build_nomem(b);

    emage_buf_free(&text);
    free(series);

    return rc;
}


static emage_rc_t
emage_build_manifest(emage_build_t *b)
{
    char         path[PATH_MAX];
    emage_rc_t   rc;
    emage_buf_t  text;

    emage_buf_init(&text, (size_t) 4 << 30);

    rc = emage_manifest_write(&b->manifest, &text);

    if (rc != EMAGE_OK) {
        rc = emage_build_nomem(b);

    } else {
        rc = emage_file_join(path, sizeof(path), b->dir, "MANIFEST")
             ? emage_file_write(path, text.data, text.len, b->err)
             : EMAGE_UNAVAILABLE;
    }

    emage_buf_free(&text);

    return rc;
}


/* What is renamed is complete and on disk; what is not renamed is swept. */

static emage_rc_t
emage_build_move(emage_build_t *b, const char *name)
{
    char        study[PATH_MAX], studies[PATH_MAX], to[PATH_MAX];
    emage_rc_t  rc;

    if (!emage_store_path(b->conf->store, studies, sizeof(studies), "studies",
                          NULL, NULL)
        || !emage_store_path(b->conf->store, study, sizeof(study), "studies",
                             b->conf->study, NULL)
        || !emage_file_join(to, sizeof(to), study, name))
    {
        emage_error_set(b->err, "name of the store directory is too long");
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_sync(b->dir, b->err);

    if (rc == EMAGE_OK) {
        rc = emage_file_mkdir(study, b->err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_file_sync(studies, b->err);
    }

    if (rc == EMAGE_OK && rename(b->dir, to) == -1) {
        emage_error_set(b->err, "cannot rename %.200s to %.200s: %s", b->dir,
                        to, strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    if (rc == EMAGE_OK) {
        rc = emage_file_sync(study, b->err);
    }

    return (rc == EMAGE_OK) ? EMAGE_OK : EMAGE_UNAVAILABLE;
}
