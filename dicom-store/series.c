
/*
 * Copyright (C) The e-mage authors
 *
 * One series of a revision that is being built.
 */


#include "series_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"


static emage_rc_t emage_series_old(emage_series_build_t *s);
static emage_rc_t emage_series_instances(emage_series_build_t *s);
static emage_rc_t emage_series_kept(emage_series_build_t *s, uint32_t n);
static emage_rc_t emage_series_finish(emage_series_build_t *s);
static bool emage_series_rows_add(json_t *rows, emage_str_t uid,
    emage_class_t cls, json_t *row);


/* metadata of one series, deflated: some hundred thousand instances */

#define EMAGE_SERIES_META_MAX  ((size_t) 2 << 30)


emage_rc_t
emage_build_series(emage_build_t *b, const char *series)
{
    char                  dir[PATH_MAX];
    emage_rc_t            rc;
    emage_series_build_t  s;

    memset(&s, 0, sizeof(s));

    s.b = b;
    s.uid = series;
    s.row = json_object();
    s.rows = json_array();

    emage_buf_init(&s.meta, EMAGE_SERIES_META_MAX);

    rc = (s.row == NULL || s.rows == NULL) ? emage_build_nomem(b) : EMAGE_OK;

    if (rc == EMAGE_OK && emage_index_writer_create(&s.writer) != EMAGE_OK) {
        rc = emage_build_nomem(b);
    }

    if (rc == EMAGE_OK) {
        rc = emage_series_old(&s);
    }

    if (rc == EMAGE_OK
        && (!emage_file_join(dir, sizeof(dir), b->dir, series)
            || emage_file_mkdir(dir, b->err) != EMAGE_OK))
    {
        rc = EMAGE_UNAVAILABLE;
    }

    if (rc == EMAGE_OK) {
        rc = emage_series_instances(&s);
    }

    if (rc == EMAGE_OK) {
        rc = emage_series_render(&s);
    }

    if (rc == EMAGE_OK) {
        rc = emage_series_finish(&s);
    }

    if (rc == EMAGE_OK && s.count != 0) {
        rc = emage_file_sync(dir, b->err);

    } else if (rc == EMAGE_OK && rmdir(dir) == -1) {
        emage_error_set(b->err, "cannot remove %.400s: %s", dir,
                        strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    emage_series_index_close(s.old_index);
    emage_file_unmap(&s.old_index_map);
    emage_file_unmap(&s.old_meta_map);
    emage_index_writer_destroy(s.writer);
    emage_buf_free(&s.meta);
    free(s.shown);
    json_decref(s.row);
    json_decref(s.rows);
    json_decref(s.old_rows);

    return rc;
}


static emage_rc_t
emage_series_old(emage_series_build_t *s)
{
    char            name[256], path[PATH_MAX];
    json_t         *all, *entry;
    size_t          i;
    emage_rc_t      rc;
    emage_build_t  *b;

    b = s->b;

    s->old_index_map.data = (const unsigned char *) "";
    s->old_meta_map.data = (const unsigned char *) "";

    (void) snprintf(name, sizeof(name), "%s/series.idx", s->uid);

    if (b->old_dir[0] == '\0'
        || emage_manifest_file(b->conf->old, name) == NULL)
    {
        return EMAGE_OK;
    }

    if (!emage_file_join(path, sizeof(path), b->old_dir, name)) {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_map(path, &s->old_index_map, b->err);

    if (rc == EMAGE_OK) {
        rc = emage_series_index_open(s->old_index_map.data,
                                     s->old_index_map.size, &s->old_index,
                                     b->err);
    }

    (void) snprintf(name, sizeof(name), "%s/metadata.z", s->uid);

    if (rc == EMAGE_OK) {
        rc = emage_file_join(path, sizeof(path), b->old_dir, name)
             ? emage_file_map(path, &s->old_meta_map, b->err)
             : EMAGE_UNAVAILABLE;
    }

    if (rc == EMAGE_OK
        && s->old_meta_map.size
           < emage_series_index_metadata_size(s->old_index))
    {
        emage_error_set(b->err, "%.400s: truncated", path);
        rc = EMAGE_ERROR;
    }

    (void) snprintf(name, sizeof(name), "%s/instances.json", s->uid);

    if (rc == EMAGE_OK) {
        rc = emage_revision_json(b->conf->store, b->conf->study,
                                 b->conf->old_revision, name, &s->old_rows,
                                 b->err);
    }

    if (rc == EMAGE_OK
        && json_array_size(s->old_rows)
           != emage_series_index_count(s->old_index))
    {
        emage_error_set(b->err, "%.400s: does not fit series.idx", path);
        rc = EMAGE_ERROR;
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_revision_json(b->conf->store, b->conf->study,
                             b->conf->old_revision, "series.json", &all,
                             b->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    json_array_foreach(all, i, entry) {
        const char  *uid = json_string_value(json_object_get(entry, "uid"));

        if (uid != NULL
            && emage_str_eq(emage_str_c(uid), emage_str_c(s->uid))
            && !emage_rows_merge(s->row, json_object_get(entry, "row")))
        {
            rc = emage_build_nomem(b);
        }
    }

    json_decref(all);

    return rc;
}


/* Kept and new ones, merged in the order of SOP Instance UIDs. */

static emage_rc_t
emage_series_instances(emage_series_build_t *s)
{
    size_t                   m;
    uint32_t                 n, count;
    emage_rc_t               rc;
    emage_str_t              sop;
    emage_build_t           *b;
    const emage_member_t    *member;
    emage_index_instance_t   in;

    b = s->b;
    m = 0;
    n = 0;
    rc = EMAGE_OK;
    count = (s->old_index != NULL) ? emage_series_index_count(s->old_index)
                                   : 0;

    while (rc == EMAGE_OK) {

        while (m < b->conf->nmembers
               && !emage_str_eq(emage_str_c(b->conf->members[m].object->series),
                                emage_str_c(s->uid)))
        {
            m++;
        }

        member = (m < b->conf->nmembers) ? &b->conf->members[m] : NULL;

        if (n < count) {
            char  uid[EMAGE_UID_MAX + 1];

            (void) emage_series_index_get(s->old_index, n, &in);

            memcpy(uid, in.uid.data, in.uid.len);
            uid[in.uid.len] = '\0';

            if (emage_build_replaced(b, uid)) {
                n++;
                continue;
            }

            sop = in.uid;

            if (member == NULL
                || emage_str_cmp(sop, emage_str_c(member->object->sop)) < 0)
            {
                rc = emage_series_kept(s, n++);
                continue;
            }
        }

        if (member == NULL) {
            break;
        }

        rc = emage_series_new(s, member);
        m++;
    }

    return rc;
}


static emage_rc_t
emage_series_kept(emage_series_build_t *s, uint32_t n)
{
    char                          name[256], from[PATH_MAX];
    json_t                       *entry;
    emage_rc_t                    rc;
    emage_build_t                *b;
    emage_index_instance_t        in, copy;
    const emage_manifest_file_t  *f;
    const emage_manifest_object_t *o;

    b = s->b;

    (void) emage_series_index_get(s->old_index, n, &in);

    copy = in;
    copy.meta_offset = s->meta.len;
    copy.rendered_size = 0;
    copy.thumbnail_size = 0;

    if (emage_buf_add(&s->meta, s->old_meta_map.data + in.meta_offset,
                      in.meta_length) != EMAGE_OK
        || emage_index_writer_instance(s->writer, &copy) != EMAGE_OK)
    {
        return emage_build_nomem(b);
    }

    rc = emage_series_items(s, s->old_index, &in);

    for (int extra = 0; rc == EMAGE_OK && extra < 2; extra++) {

        if (extra == 1 && in.extra_size == 0) {
            break;
        }

        (void) snprintf(name, sizeof(name), "%s/%.*s.%s", s->uid,
                        (int) in.uid.len, in.uid.data,
                        extra ? "frames" : "dcm");

        f = emage_manifest_file(b->conf->old, name);

        if (f == NULL
            || !emage_file_join(from, sizeof(from), b->old_dir, name))
        {
            emage_error_set(b->err, "study %s: %s is not in the manifest of "
                            "%s", b->conf->study, name,
                            b->conf->old_revision);
            return EMAGE_ERROR;
        }

        rc = emage_build_link(b, from, name, &f->sum);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    (void) snprintf(name, sizeof(name), "%.*s", (int) in.uid.len, in.uid.data);

    o = emage_manifest_find(b->conf->old, name);

    if (o != NULL && emage_manifest_add_object(&b->manifest, o) != EMAGE_OK) {
        return emage_build_nomem(b);
    }

    entry = json_array_get(s->old_rows, n);

    return emage_series_count(s, in.uid, in.cls, in.nframes,
                              json_incref(json_object_get(entry, "row")));
}


emage_rc_t
emage_series_items(emage_series_build_t *s, const emage_series_index_t *idx,
    const emage_index_instance_t *in)
{
    uint32_t             i, k;
    emage_rc_t           rc;
    emage_slice_t       *slices;
    emage_index_item_t   item;

    for (i = 0; i < in->nframes + in->nbulk; i++) {

        if (i < in->nframes) {
            (void) emage_series_index_frame(idx, in, i + 1, &item);

        } else {
            (void) emage_series_index_bulk_at(idx, in, i - in->nframes, &item);
        }

        slices = calloc((size_t) item.nslices + 1, sizeof(emage_slice_t));
        if (slices == NULL) {
            return emage_build_nomem(s->b);
        }

        for (k = 0; k < item.nslices; k++) {
            (void) emage_series_index_slice(idx, &item, k, &slices[k]);
        }

        rc = (i < in->nframes)
             ? emage_index_writer_frame(s->writer, slices, item.nslices)
             : emage_index_writer_bulk(s->writer, item.path, item.media_type,
                                       slices, item.nslices);

        free(slices);

        if (rc != EMAGE_OK) {
            return emage_build_nomem(s->b);
        }
    }

    return EMAGE_OK;
}


static bool
emage_series_rows_add(json_t *rows, emage_str_t uid, emage_class_t cls,
    json_t *row)
{
    emage_str_t  name;

    name = emage_class_name(cls);

    return json_array_append_new(rows,
                                 json_pack("{s:s%, s:s%, s:o}",
                                           "uid", uid.data, uid.len,
                                           "class", name.data, name.len,
                                           "row", row))
           == 0;
}


/* Owns `row`. */

emage_rc_t
emage_series_count(emage_series_build_t *s, emage_str_t sop,
    emage_class_t cls, uint32_t nframes, json_t *row)
{
    emage_rc_t      rc;
    emage_build_t  *b;

    b = s->b;

    rc = emage_series_show(s, sop, cls, nframes, row);

    if (rc != EMAGE_OK) {
        json_decref(row);
        return rc;
    }

    if (row == NULL || !emage_series_rows_add(s->rows, sop, cls, row)) {
        return emage_build_nomem(b);
    }

    s->count++;
    b->instances++;
    b->classes[cls]++;

    if (cls == EMAGE_CLASS_REPORT
        && json_array_append_new(b->reports, json_stringn(sop.data, sop.len))
           == -1)
    {
        return emage_build_nomem(b);
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_series_finish(emage_series_build_t *s)
{
    char            name[256];
    json_t         *entry;
    emage_rc_t      rc;
    const char     *modality;
    emage_buf_t     index;
    emage_build_t  *b;

    b = s->b;

    /* every instance moved elsewhere: the series is no more */

    if (s->count == 0) {
        return EMAGE_OK;
    }

    emage_buf_init(&index, (size_t) 8 << 30);

    rc = emage_index_writer_finish(s->writer, &index, b->err);

    (void) snprintf(name, sizeof(name), "%s/series.idx", s->uid);

    if (rc == EMAGE_OK) {
        rc = emage_build_file(b, name, index.data, index.len);
    }

    emage_buf_free(&index);

    (void) snprintf(name, sizeof(name), "%s/metadata.z", s->uid);

    if (rc == EMAGE_OK) {
        rc = emage_build_file(b, name, s->meta.data, s->meta.len);
    }

    (void) snprintf(name, sizeof(name), "%s/instances.json", s->uid);

    if (rc == EMAGE_OK) {
        rc = emage_build_json(b, name, s->rows);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    modality = emage_rows_string(s->row, "00080060");

    if (modality != NULL
        && json_object_set_new(b->modalities, modality, json_true()) == -1)
    {
        return emage_build_nomem(b);
    }

    if (!emage_rows_set_number(s->row, "00201209", "IS", s->count)) {
        return emage_build_nomem(b);
    }

    entry = json_pack("{s:s, s:s, s:I, s:O}", "uid", s->uid,
                      "modality", modality == NULL ? "" : modality,
                      "count", (json_int_t) s->count, "row", s->row);

    return json_array_append_new(b->series, entry) == 0 ? EMAGE_OK
                                                        : emage_build_nomem(b);
}
