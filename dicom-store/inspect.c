
/*
 * Copyright (C) The e-mage authors
 *
 * What is in a store, down to a frame.
 */


#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "file.h"
#include "ingest_core.h"
#include "revision.h"

#include <emage/series_index.h>


typedef struct {
    char                     dir[PATH_MAX];  /* of the series */
    emage_map_t              map;
    emage_series_index_t    *idx;
    emage_index_instance_t   in;
} emage_open_t;


static emage_rc_t emage_inspect_one(const emage_store_t *st,
    const char *study, emage_error_t *err);
static emage_rc_t emage_inspect_open(const emage_store_t *st,
    const char *study, const char *series, const char *instance,
    emage_open_t *o, emage_error_t *err);
static void emage_inspect_close(emage_open_t *o);
static emage_rc_t emage_inspect_item(const emage_open_t *o,
    const emage_index_item_t *item, const char *instance, emage_error_t *err);
static emage_rc_t emage_inspect_inflate(const emage_open_t *o,
    const emage_map_t *map, emage_error_t *err);


emage_rc_t
emage_inspect_list(const emage_store_t *st, emage_error_t *err)
{
    char           dir[PATH_MAX];
    size_t         i;
    emage_rc_t     rc;
    emage_names_t  names;

    if (!emage_store_path(st, dir, sizeof(dir), "studies", NULL, NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_names(dir, &names, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; i < names.n; i++) {
        if (emage_uid_valid(emage_str_c(names.list[i]))) {
            rc = emage_inspect_one(st, names.list[i], err);

            if (rc != EMAGE_OK) {
                printf("%s  %s\n", names.list[i], err->text);
            }
        }
    }

    emage_file_names_free(&names);

    return EMAGE_OK;
}


static emage_rc_t
emage_inspect_one(const emage_store_t *st, const char *study,
    emage_error_t *err)
{
    char         revision[EMAGE_REVISION_MAX + 1];
    json_t      *json, *classes, *source;
    size_t       i;
    emage_rc_t   rc;
    const char  *quarantine;

    rc = emage_store_newest(st, study, revision, err);

    if (rc == EMAGE_NOTFOUND) {
        emage_error_set(err, "no revision");
    }

    if (rc == EMAGE_OK) {
        rc = emage_revision_json(st, study, revision, "study.json", &json,
                                 err);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    classes = json_object_get(json, "classes");

    printf("%s  %s  %lld image %lld evidence %lld report ", study, revision,
           (long long) json_integer_value(json_object_get(classes, "image")),
           (long long) json_integer_value(json_object_get(classes,
                                                          "evidence")),
           (long long) json_integer_value(json_object_get(classes, "report")));

    json_array_foreach(json_object_get(json, "sources"), i, source) {
        const char  *org = json_string_value(json_object_get(source, "org"));

        printf(" %s", org == NULL ? "?" : org);
    }

    quarantine = json_string_value(json_object_get(json, "quarantine"));

    if (quarantine != NULL && quarantine[0] != '\0') {
        printf("  quarantined: %s", quarantine);
    }

    printf("\n");

    json_decref(json);

    return EMAGE_OK;
}


static emage_rc_t
emage_inspect_open(const emage_store_t *st, const char *study,
    const char *series, const char *instance, emage_open_t *o,
    emage_error_t *err)
{
    char        revision[EMAGE_REVISION_MAX + 1], path[PATH_MAX];
    char        dir[PATH_MAX];
    emage_rc_t  rc;

    memset(o, 0, sizeof(*o));
    o->map.data = (const unsigned char *) "";

    if (!emage_uid_valid(emage_str_c(study))
        || !emage_uid_valid(emage_str_c(series))
        || !emage_uid_valid(emage_str_c(instance)))
    {
        emage_error_set(err, "study, series and instance must be UIDs");
        return EMAGE_ERROR;
    }

    rc = emage_store_newest(st, study, revision, err);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "study %s is not in this store", study);
        return rc;
    }

    if (!emage_store_path(st, dir, sizeof(dir), "studies", study, revision)
        || !emage_file_join(o->dir, sizeof(o->dir), dir, series)
        || !emage_file_join(path, sizeof(path), o->dir, "series.idx"))
    {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_map(path, &o->map, err);

    if (rc == EMAGE_OK) {
        rc = emage_series_index_open(o->map.data, o->map.size, &o->idx, err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_series_index_find(o->idx, emage_str_c(instance), NULL,
                                     &o->in);

        if (rc != EMAGE_OK) {
            emage_error_set(err, "instance %s is not in this series",
                            instance);
        }
    }

    if (rc != EMAGE_OK) {
        emage_inspect_close(o);
    }

    return rc;
}


static void
emage_inspect_close(emage_open_t *o)
{
    emage_series_index_close(o->idx);
    emage_file_unmap(&o->map);
    o->idx = NULL;
}


static emage_rc_t
emage_inspect_item(const emage_open_t *o, const emage_index_item_t *item,
    const char *instance, emage_error_t *err)
{
    char           name[96], path[PATH_MAX];
    uint32_t       i;
    emage_rc_t     rc;
    emage_map_t    map;
    emage_slice_t  s;

    rc = EMAGE_OK;

    for (i = 0; rc == EMAGE_OK && i < item->nslices; i++) {
        (void) emage_series_index_slice(o->idx, item, i, &s);

        (void) snprintf(name, sizeof(name), "%s.%s", instance,
                        s.file == 0 ? "dcm" : "frames");

        if (!emage_file_join(path, sizeof(path), o->dir, name)) {
            return EMAGE_UNAVAILABLE;
        }

        rc = emage_file_map(path, &map, err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        if (s.offset > map.size || s.length > map.size - s.offset) {
            emage_error_set(err, "%.400s: truncated", path);
            rc = EMAGE_ERROR;

        } else if (fwrite(map.data + s.offset, 1, s.length, stdout)
                   != s.length)
        {
            emage_error_set(err, "cannot write: %s", strerror(errno));
            rc = EMAGE_UNAVAILABLE;
        }

        emage_file_unmap(&map);
    }

    return rc;
}


emage_rc_t
emage_inspect_frame(const emage_store_t *st, const char *study,
    const char *series, const char *instance, uint32_t frame,
    emage_error_t *err)
{
    emage_rc_t          rc;
    emage_open_t        o;
    emage_index_item_t  item;

    rc = emage_inspect_open(st, study, series, instance, &o, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_series_index_frame(o.idx, &o.in, frame, &item);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "frame %u: the instance has %u", frame,
                        o.in.nframes);

    } else {
        rc = emage_inspect_item(&o, &item, instance, err);
    }

    emage_inspect_close(&o);

    return rc;
}


emage_rc_t
emage_inspect_bulk(const emage_store_t *st, const char *study,
    const char *series, const char *instance, const char *path,
    emage_error_t *err)
{
    emage_rc_t          rc;
    emage_open_t        o;
    emage_index_item_t  item;

    rc = emage_inspect_open(st, study, series, instance, &o, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_series_index_bulk(o.idx, &o.in, emage_str_c(path), &item);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "no bulk value %.200s", path);

    } else {
        rc = emage_inspect_item(&o, &item, instance, err);
    }

    emage_inspect_close(&o);

    return rc;
}


static emage_rc_t
emage_inspect_inflate(const emage_open_t *o, const emage_map_t *map,
    emage_error_t *err)
{
    int             zrc;
    z_stream        z;
    emage_rc_t      rc;
    unsigned char  *out;

    if (o->in.meta_offset > map->size
        || o->in.meta_length > map->size - o->in.meta_offset)
    {
        emage_error_set(err, "%.400s/metadata.z: truncated", o->dir);
        return EMAGE_ERROR;
    }

    memset(&z, 0, sizeof(z));

    out = malloc(o->in.meta_size + 1);

    if (out == NULL || inflateInit2(&z, -15) != Z_OK) {
        free(out);
        emage_error_set(err, "no memory");
        return EMAGE_NOMEM;
    }

    z.next_in = (Bytef *) (uintptr_t) (map->data + o->in.meta_offset);
    z.avail_in = (uInt) o->in.meta_length;
    z.next_out = out;
    z.avail_out = (uInt) o->in.meta_size + 1;

    zrc = inflate(&z, Z_SYNC_FLUSH);

    rc = EMAGE_OK;

    if ((zrc != Z_OK && zrc != Z_BUF_ERROR)
        || z.total_out != o->in.meta_size
        || (uint32_t) crc32_z(0, out, o->in.meta_size) != o->in.meta_crc)
    {
        emage_error_set(err, "%.400s/metadata.z: damaged", o->dir);
        rc = EMAGE_ERROR;

    } else if (fwrite(out, 1, o->in.meta_size, stdout) != o->in.meta_size) {
        emage_error_set(err, "cannot write: %s", strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    (void) inflateEnd(&z);
    free(out);

    return rc;
}


emage_rc_t
emage_inspect_metadata(const emage_store_t *st, const char *study,
    const char *series, const char *instance, emage_error_t *err)
{
    char          path[PATH_MAX];
    emage_rc_t    rc;
    emage_map_t   map;
    emage_open_t  o;

    rc = emage_inspect_open(st, study, series, instance, &o, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_file_join(path, sizeof(path), o.dir, "metadata.z")
         ? emage_file_map(path, &map, err) : EMAGE_UNAVAILABLE;

    if (rc == EMAGE_OK) {
        rc = emage_inspect_inflate(&o, &map, err);
        emage_file_unmap(&map);
    }

    emage_inspect_close(&o);

    return rc;
}
