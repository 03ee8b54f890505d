
/*
 * Copyright (C) The e-mage authors
 *
 * Objects that claim a UID of another patient: kept for a person to look at,
 * never served.
 */


#include "ingest_core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"


emage_rc_t
emage_quarantine_keep(emage_ingest_t *in, size_t file, const char *pid,
    const char *reason)
{
    char                  from[PATH_MAX], dir[PATH_MAX], path[PATH_MAX];
    char                  name[128], hex[17];
    emage_rc_t            rc;
    emage_buf_t           text;
    emage_object_t       *o;
    emage_ingest_file_t  *f;

    f = &in->files->list[file];
    o = f->object;

    /* the same file again is the same entry */

    emage_hex(hex, o->received.sha256, 8);
    hex[16] = '\0';

    (void) snprintf(name, sizeof(name), "%s-%s.dcm", o->sop, hex);

    if (!emage_store_path(&in->store, dir, sizeof(dir), "quarantine", o->study,
                          NULL)
        || !emage_file_join(path, sizeof(path), dir, name)
        || !emage_object_path(from, sizeof(from), in->txn.dir,
                              (uint32_t) file, ".dcm"))
    {
        emage_error_set(in->err, "name of the store directory is too long");
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_mkdir(dir, in->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_file_sync(from, in->err);
    if (rc != EMAGE_OK) {
        return EMAGE_UNAVAILABLE;
    }

    if (link(from, path) == -1 && errno != EEXIST) {
        emage_error_set(in->err, "cannot link %.200s to %.200s: %s", from,
                        path, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    emage_buf_init(&text, 65536);

    (void) emage_buf_add_c(&text, "{\"reason\":");
    (void) emage_buf_add_json(&text, emage_str_c(reason));
    (void) emage_buf_add_c(&text, ",\"pid\":");
    (void) emage_buf_add_json(&text, emage_str_c(pid));
    (void) emage_buf_add_c(&text, ",\"org\":");
    (void) emage_buf_add_json(&text, emage_str_c(in->conf->source.org));
    (void) emage_buf_add_c(&text, ",\"id\":");
    (void) emage_buf_add_json(&text, emage_str_c(o->patient_id));
    (void) emage_buf_add_c(&text, ",\"path\":");
    (void) emage_buf_add_json(&text, emage_str_c(f->path));
    (void) emage_buf_add_c(&text, "}\n");

    memcpy(path + strlen(path) - 3, "txt", 3);

    rc = text.failed ? EMAGE_NOMEM : EMAGE_OK;

    if (rc == EMAGE_OK && access(path, F_OK) == -1) {
        rc = emage_file_write(path, text.data, text.len, in->err);
    }

    emage_buf_free(&text);

    if (rc == EMAGE_OK) {
        rc = emage_file_sync(dir, in->err);
    }

    if (rc != EMAGE_OK) {
        return EMAGE_UNAVAILABLE;
    }

    emage_ingest_set(f, EMAGE_FILE_ACCEPTED, "quarantined: %s", reason);

    fprintf(stderr, "alert: %s: %s is quarantined, study %s\n", reason,
            f->path, o->study);

    return EMAGE_OK;
}
