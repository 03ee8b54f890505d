
/*
 * Copyright (C) The e-mage authors
 *
 * The files of a revision: written, linked, read, removed.
 */


#include "revision_core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"


emage_rc_t
emage_build_file(emage_build_t *b, const char *name, const void *data,
    size_t len)
{
    char         path[PATH_MAX];
    emage_rc_t   rc;
    emage_sum_t  sum;

    if (!emage_file_join(path, sizeof(path), b->dir, name)) {
        emage_error_set(b->err, "name of the store directory is too long");
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_write(path, data, len, b->err);

    if (rc == EMAGE_OK
        && (emage_digest_block(data, len, &sum) != EMAGE_OK
            || emage_manifest_add_file(&b->manifest, name, &sum) != EMAGE_OK))
    {
        rc = emage_build_nomem(b);
    }

    return rc;
}


emage_rc_t
emage_build_json(emage_build_t *b, const char *name, const json_t *json)
{
    emage_rc_t   rc;
    emage_buf_t  text;

    emage_buf_init(&text, (size_t) 1 << 30);

    rc = emage_rows_dump(json, &text);

    if (rc == EMAGE_OK) {
        rc = emage_buf_add_c(&text, "\n");
    }

    rc = (rc == EMAGE_OK) ? emage_build_file(b, name, text.data, text.len)
                          : emage_build_nomem(b);

    emage_buf_free(&text);

    return rc;
}


emage_rc_t
emage_build_link(emage_build_t *b, const char *from, const char *name,
    const emage_sum_t *sum)
{
    char  path[PATH_MAX];

    if (!emage_file_join(path, sizeof(path), b->dir, name)) {
        emage_error_set(b->err, "name of the store directory is too long");
        return EMAGE_UNAVAILABLE;
    }

    if (link(from, path) == -1) {
        emage_error_set(b->err, "cannot link %.200s to %.200s: %s", from, path,
                        strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    return emage_manifest_add_file(&b->manifest, name, sum) == EMAGE_OK
           ? EMAGE_OK : emage_build_nomem(b);
}


emage_rc_t
emage_revision_manifest(const emage_store_t *st, const char *study,
    const char *revision, emage_manifest_t *out, emage_error_t *err)
{
    char           dir[PATH_MAX], path[PATH_MAX];
    emage_rc_t     rc;
    emage_map_t    map;
    emage_error_t  why;

    memset(out, 0, sizeof(*out));

    if (!emage_store_path(st, dir, sizeof(dir), "studies", study, revision)
        || !emage_file_join(path, sizeof(path), dir, "MANIFEST"))
    {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_map(path, &map, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_manifest_parse(out, (emage_str_t) { (const char *) map.data,
                                                   map.size }, &why);

    if (rc == EMAGE_OK
        && (strcmp(out->study, study) != 0
            || strcmp(out->revision, revision) != 0))
    {
        emage_error_set(&why, "of another study or revision");
        emage_manifest_free(out);
        rc = EMAGE_ERROR;
    }

    if (rc != EMAGE_OK) {
        emage_error_set(err, "%.300s: %.180s", path, why.text);
    }

    emage_file_unmap(&map);

    return rc;
}


emage_rc_t
emage_revision_json(const emage_store_t *st, const char *study,
    const char *revision, const char *file, json_t **out, emage_error_t *err)
{
    char           dir[PATH_MAX], path[PATH_MAX];
    emage_rc_t     rc;
    emage_map_t    map;
    emage_error_t  why;

    *out = NULL;

    if (!emage_store_path(st, dir, sizeof(dir), "studies", study, revision)
        || !emage_file_join(path, sizeof(path), dir, file))
    {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_map(path, &map, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    *out = emage_rows_parse((emage_str_t) { (const char *) map.data,
                                            map.size }, &why);

    if (*out == NULL) {
        emage_error_set(err, "%.300s: %.180s", path, why.text);
        rc = EMAGE_ERROR;
    }

    emage_file_unmap(&map);

    return rc;
}


emage_rc_t
emage_revision_remove(const emage_store_t *st, const char *study,
    const char *revision, emage_error_t *err)
{
    char  path[PATH_MAX];

    if (!emage_store_path(st, path, sizeof(path), "studies", study,
                          revision))
    {
        return EMAGE_UNAVAILABLE;
    }

    return emage_file_remove_tree(path, err);
}
