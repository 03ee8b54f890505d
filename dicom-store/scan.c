
/*
 * Copyright (C) The e-mage authors
 *
 * Which SOP Instance UIDs of an ingest the store has already, in any study.
 */


#include "ingest_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emage/series_index.h>

#include "file.h"


static emage_rc_t emage_scan_study(emage_ingest_t *in, const char *study);
static emage_rc_t emage_scan_series(emage_ingest_t *in, const char *study,
    const char *revision, emage_str_t series);


emage_rc_t
emage_store_newest(const emage_store_t *st, const char *study, char *revision,
    emage_error_t *err)
{
    char           dir[PATH_MAX];
    size_t         i;
    uint32_t       n, last;
    emage_rc_t     rc;
    emage_names_t  names;

    revision[0] = '\0';
    last = 0;

    if (!emage_store_path(st, dir, sizeof(dir), "studies", study, NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_names(dir, &names, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; i < names.n; i++) {
        if (emage_revision_valid(emage_str_c(names.list[i]), &n) && n >= last) {
            last = n;
            memcpy(revision, names.list[i], strlen(names.list[i]) + 1);
        }
    }

    emage_file_names_free(&names);

    return (revision[0] == '\0') ? EMAGE_NOTFOUND : EMAGE_OK;
}


emage_rc_t
emage_ingest_scan(emage_ingest_t *in)
{
    char                   dir[PATH_MAX];
    size_t                 i;
    emage_rc_t             rc;
    emage_names_t          names;
    emage_ingest_files_t  *files;

    files = in->files;

    for (i = 0; i < files->n; i++) {
        if (files->list[i].object != NULL
            && json_object_set_new(in->sops, files->list[i].object->sop,
                                   json_null()) == -1)
        {
            emage_error_set(in->err, "no memory");
            return EMAGE_NOMEM;
        }
    }

    if (!emage_store_path(&in->store, dir, sizeof(dir), "studies", NULL,
                          NULL))
    {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_names(dir, &names, in->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; rc == EMAGE_OK && i < names.n; i++) {
        if (emage_uid_valid(emage_str_c(names.list[i]))) {
            rc = emage_scan_study(in, names.list[i]);
        }
    }

    emage_file_names_free(&names);

    return rc;
}


/*
 * A hint only: the study's record decides.  What vanishes or is damaged is the
 * business of "emage-store verify".
 */

static emage_rc_t
emage_scan_study(emage_ingest_t *in, const char *study)
{
    char                   revision[EMAGE_REVISION_MAX + 1], dir[PATH_MAX];
    char                   path[PATH_MAX];
    uint32_t               i, n;
    emage_rc_t             rc;
    emage_map_t            map;
    emage_str_t            text;
    emage_study_series_t  *series;

    if (emage_store_newest(&in->store, study, revision, in->err) != EMAGE_OK
        || !emage_store_path(&in->store, dir, sizeof(dir), "studies", study,
                             revision)
        || !emage_file_join(path, sizeof(path), dir, "study.idx")
        || emage_file_map(path, &map, in->err) != EMAGE_OK)
    {
        return EMAGE_OK;
    }

    text.data = (const char *) map.data;
    text.len = map.size;
    rc = EMAGE_OK;

    if (emage_study_index_parse(text, NULL, 0, &n, NULL) == EMAGE_OK) {

        series = calloc((size_t) n + 1, sizeof(emage_study_series_t));

        if (series == NULL) {
            emage_error_set(in->err, "no memory");
            rc = EMAGE_NOMEM;

        } else if (emage_study_index_parse(text, series, n, &n, NULL)
                   == EMAGE_OK)
        {
            for (i = 0; rc == EMAGE_OK && i < n; i++) {
                rc = emage_scan_series(in, study, revision, series[i].uid);
            }
        }

        free(series);
    }

    emage_file_unmap(&map);

    return rc;
}


static emage_rc_t
emage_scan_series(emage_ingest_t *in, const char *study, const char *revision,
    emage_str_t series)
{
    char                     dir[PATH_MAX], name[96], path[PATH_MAX];
    char                     uid[EMAGE_UID_MAX + 1];
    uint32_t                 i;
    emage_rc_t               rc;
    emage_map_t              map;
    emage_series_index_t    *idx;
    emage_index_instance_t   inst;

    (void) snprintf(name, sizeof(name), "%.*s/series.idx", (int) series.len,
                    series.data);

    if (!emage_store_path(&in->store, dir, sizeof(dir), "studies", study,
                          revision)
        || !emage_file_join(path, sizeof(path), dir, name)
        || emage_file_map(path, &map, in->err) != EMAGE_OK)
    {
        return EMAGE_OK;
    }

    rc = EMAGE_OK;

    if (emage_series_index_open(map.data, map.size, &idx, NULL) == EMAGE_OK) {

        for (i = 0; rc == EMAGE_OK && i < emage_series_index_count(idx); i++) {
            (void) emage_series_index_get(idx, i, &inst);

            memcpy(uid, inst.uid.data, inst.uid.len);
            uid[inst.uid.len] = '\0';

            if (json_object_get(in->sops, uid) != NULL
                && json_object_set_new(in->sops, uid, json_string(study))
                   == -1)
            {
                emage_error_set(in->err, "no memory");
                rc = EMAGE_NOMEM;
            }
        }

        emage_series_index_close(idx);
    }

    emage_file_unmap(&map);

    return rc;
}
