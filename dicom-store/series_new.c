
/*
 * Copyright (C) The e-mage authors
 *
 * A staged object on its way into a series.
 */


#include "series_core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>


static emage_rc_t emage_series_staged(emage_series_build_t *s,
    const emage_member_t *m, const emage_map_t *map, const json_t *dataset,
    emage_index_instance_t *in);
static emage_rc_t emage_series_metadata(emage_series_build_t *s,
    const emage_member_t *m, emage_index_instance_t *in, json_t **dataset);
static emage_rc_t emage_series_chunk(emage_series_build_t *s,
    const emage_buf_t *json, emage_index_instance_t *in);
static emage_rc_t emage_series_links(emage_series_build_t *s,
    const emage_member_t *m);
static emage_rc_t emage_series_link(emage_series_build_t *s,
    const emage_member_t *m, const char *suffix, const emage_sum_t *sum);


emage_rc_t
emage_series_new(emage_series_build_t *s, const emage_member_t *m)
{
    char                      path[PATH_MAX];
    json_t                   *dataset;
    emage_rc_t                rc;
    emage_map_t               map;
    emage_build_t            *b;
    emage_index_instance_t    in;
    emage_manifest_object_t   o;

    b = s->b;
    dataset = NULL;

    if (!emage_object_path(path, sizeof(path), b->conf->txn->dir, m->number,
                           ".idx"))
    {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_map(path, &map, b->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_series_metadata(s, m, &in, &dataset);

    if (rc == EMAGE_OK) {
        rc = emage_series_staged(s, m, &map, dataset, &in);
    }

    emage_file_unmap(&map);
    json_decref(dataset);

    if (rc == EMAGE_OK) {
        rc = emage_series_links(s, m);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    memset(&o, 0, sizeof(o));

    memcpy(o.series, m->object->series, sizeof(o.series));
    memcpy(o.sop, m->object->sop, sizeof(o.sop));
    memcpy(o.transfer_syntax, m->object->received_ts,
           sizeof(o.transfer_syntax));
    (void) snprintf(o.org, sizeof(o.org), "%s", b->conf->org);

    o.size = m->object->received.size;
    memcpy(o.received, m->object->received.sha256, EMAGE_SHA256_LEN);
    memcpy(o.dataset, m->object->dataset, EMAGE_SHA256_LEN);
    memcpy(o.content, m->object->content, EMAGE_SHA256_LEN);
    o.path = (char *) (uintptr_t) m->path;

    return emage_manifest_add_object(&b->manifest, &o) == EMAGE_OK
           ? EMAGE_OK : emage_build_nomem(b);
}


/* The worker's index is opened as any other: it has to be sound. */

static emage_rc_t
emage_series_staged(emage_series_build_t *s, const emage_member_t *m,
    const emage_map_t *map, const json_t *dataset, emage_index_instance_t *in)
{
    json_t                  *row, *part;
    emage_rc_t               rc;
    emage_str_t              sop;
    emage_build_t           *b;
    emage_series_index_t    *idx;
    emage_index_instance_t   staged;

    b = s->b;
    sop = emage_str_c(m->object->sop);

    rc = emage_series_index_open(map->data, map->size, &idx, b->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (emage_series_index_count(idx) != 1
        || emage_series_index_find(idx, sop, NULL, &staged) != EMAGE_OK
        || staged.file_size != m->object->stored.size
        || staged.extra_size != m->object->extra.size
        || staged.cls != m->object->cls)
    {
        emage_error_set(b->err, "%s: its worker's index does not fit", m->path);
        emage_series_index_close(idx);
        return EMAGE_ERROR;
    }

    staged.rendered_size = 0;
    staged.thumbnail_size = 0;
    staged.meta_offset = in->meta_offset;
    staged.meta_length = in->meta_length;
    staged.meta_size = in->meta_size;
    staged.meta_crc = in->meta_crc;

    rc = emage_index_writer_instance(s->writer, &staged) == EMAGE_OK
         ? emage_series_items(s, idx, &staged) : emage_build_nomem(b);

    emage_series_index_close(idx);

    if (rc != EMAGE_OK) {
        return rc;
    }

    /* what came last speaks for study and series, lowest UID first */

    part = emage_rows_series(dataset);

    if (part == NULL || !emage_rows_merge(part, s->row)) {
        json_decref(part);
        return emage_build_nomem(b);
    }

    json_decref(s->row);
    s->row = part;

    part = emage_rows_study(dataset);
    row = emage_rows_instance(dataset, m->object->cls == EMAGE_CLASS_REPORT);

    if (part == NULL || row == NULL
        || !emage_rows_merge(b->study_row, part))
    {
        json_decref(part);
        json_decref(row);
        return emage_build_nomem(b);
    }

    json_decref(part);

    return emage_series_count(s, sop, m->object->cls, staged.nframes, row);
}


static emage_rc_t
emage_series_metadata(emage_series_build_t *s, const emage_member_t *m,
    emage_index_instance_t *in, json_t **dataset)
{
    char            path[PATH_MAX];
    emage_rc_t      rc;
    emage_buf_t     json;
    emage_map_t     lines;
    emage_error_t   why;
    emage_build_t  *b;

    b = s->b;

    if (!emage_object_path(path, sizeof(path), b->conf->txn->dir, m->number,
                           ".meta"))
    {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_map(path, &lines, b->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    emage_buf_init(&json, (size_t) 512 << 20);

    rc = emage_rows_join((emage_str_t) { (const char *) lines.data,
                                         lines.size },
                         &b->conf->who, &json, dataset, &why);

    if (rc != EMAGE_OK) {
        emage_error_set(b->err, "%.200s: %.200s", m->path, why.text);

    } else {
        rc = emage_series_chunk(s, &json, in);
    }

    emage_file_unmap(&lines);
    emage_buf_free(&json);

    return rc;
}


/*
 * A full flush ends on a byte and forgets what was before: chunks can be put
 * together in any choice.
 */

static emage_rc_t
emage_series_chunk(emage_series_build_t *s, const emage_buf_t *json,
    emage_index_instance_t *in)
{
    int             zrc;
    z_stream        z;
    emage_rc_t      rc;
    unsigned char   out[65536];

    memset(&z, 0, sizeof(z));

    if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return emage_build_nomem(s->b);
    }

    in->meta_offset = s->meta.len;
    in->meta_size = json->len;
    in->meta_crc = (uint32_t) crc32_z(0, (const Bytef *) json->data,
                                      json->len);

    z.next_in = (Bytef *) json->data;
    z.avail_in = (uInt) json->len;
    rc = EMAGE_OK;

    do {
        z.next_out = out;
        z.avail_out = sizeof(out);

        zrc = deflate(&z, Z_FULL_FLUSH);

        if (zrc != Z_OK && zrc != Z_BUF_ERROR) {
            rc = EMAGE_ERROR;
            break;
        }

        rc = emage_buf_add(&s->meta, out, sizeof(out) - z.avail_out);

    } while (rc == EMAGE_OK && z.avail_out == 0);

    (void) deflateEnd(&z);

    in->meta_length = s->meta.len - in->meta_offset;

    return (rc == EMAGE_OK) ? EMAGE_OK : emage_build_nomem(s->b);
}


static emage_rc_t
emage_series_links(emage_series_build_t *s, const emage_member_t *m)
{
    emage_rc_t  rc;

    rc = emage_series_link(s, m, "dcm", &m->object->stored);

    if (rc == EMAGE_OK && m->object->extra.size != 0) {
        rc = emage_series_link(s, m, "frames", &m->object->extra);
    }

    return rc;
}


/* Only now, as it is published, a staged file is looked at and synced. */

static emage_rc_t
emage_series_link(emage_series_build_t *s, const emage_member_t *m,
    const char *suffix, const emage_sum_t *sum)
{
    int             fd;
    char            name[256], from[PATH_MAX], dot[16];
    emage_rc_t      rc;
    struct stat     st;
    emage_build_t  *b;

    b = s->b;

    (void) snprintf(dot, sizeof(dot), ".%s", suffix);
    (void) snprintf(name, sizeof(name), "%s/%s.%s", s->uid, m->object->sop,
                    suffix);

    if (!emage_object_path(from, sizeof(from), b->conf->txn->dir, m->number,
                           dot))
    {
        return EMAGE_UNAVAILABLE;
    }

    fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd == -1 || fstat(fd, &st) == -1) {
        emage_error_set(b->err, "cannot open %.300s: %s", from,
                        strerror(errno));
        rc = EMAGE_UNAVAILABLE;

    } else if (!S_ISREG(st.st_mode) || (uint64_t) st.st_size != sum->size) {
        emage_error_set(b->err, "%.300s: its worker left another file than "
                        "it said", m->path);
        rc = EMAGE_ERROR;

    } else if (fsync(fd) == -1) {
        emage_error_set(b->err, "cannot sync %.300s: %s", from,
                        strerror(errno));
        rc = EMAGE_UNAVAILABLE;

    } else {
        rc = emage_build_link(b, from, name, sum);
    }

    if (fd != -1) {
        (void) close(fd);
    }

    return rc;
}
