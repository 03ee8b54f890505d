
/*
 * Copyright (C) The e-mage authors
 */


#include "report.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "report_object.h"
#include "revision.h"


typedef struct {
    const emage_ingest_conf_t  *conf;
    const char                 *study;
    const char                 *title;
    emage_map_t                 pdf;
    emage_store_t               store;
    emage_study_record_t        record;
    json_t                     *study_json;
    emage_source_t              source;
    const char                 *patient_id;
    char                        series[EMAGE_UID_MAX + 1];
    char                       *sop;
    emage_error_t              *err;
} emage_report_t;


static emage_rc_t emage_report_run(emage_report_t *r);
static emage_rc_t emage_report_pdf(emage_report_t *r, const char *path);
static emage_rc_t emage_report_study(emage_report_t *r);
static emage_rc_t emage_report_source(emage_report_t *r);
static emage_rc_t emage_report_publish(emage_report_t *r);
static emage_rc_t emage_report_ingest(emage_report_t *r, const char *path);


emage_rc_t
emage_report_add(const emage_ingest_conf_t *conf, const char *study,
    const char *pdf, const char *title, char *sop, emage_error_t *err)
{
    emage_rc_t      rc;
    emage_report_t  r;

    memset(&r, 0, sizeof(r));

    r.conf = conf;
    r.study = study;
    r.title = title;
    r.sop = sop;
    r.err = err;
    r.pdf.data = (const unsigned char *) "";

    if (!emage_uid_valid(emage_str_c(study))) {
        emage_error_set(err, "--study %.100s: not a UID", study);
        return EMAGE_ERROR;
    }

    if (!emage_report_title(title, EMAGE_REPORT_TITLE_MAX)) {
        emage_error_set(err, "--title: must be 1 to %u characters of UTF-8, "
                        "no control characters, no backslash",
                        EMAGE_REPORT_TITLE_MAX);
        return EMAGE_ERROR;
    }

    if (!emage_report_uid(r.series, sizeof(r.series))
        || !emage_report_uid(sop, EMAGE_UID_MAX + 1))
    {
        emage_error_set(err, "no random bytes");
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_report_pdf(&r, pdf);

    if (rc == EMAGE_OK) {
        rc = emage_report_run(&r);
    }

    emage_file_unmap(&r.pdf);
    emage_publish_release(&r.record);
    json_decref(r.study_json);

    return rc;
}


static emage_rc_t
emage_report_run(emage_report_t *r)
{
    emage_rc_t  rc;

    rc = emage_report_study(r);

    if (rc == EMAGE_OK) {
        rc = emage_report_source(r);
    }

    return (rc == EMAGE_OK) ? emage_report_publish(r) : rc;
}


/* ISO 32000-2 section 7.5.2: the header is the first that there is. */

static emage_rc_t
emage_report_pdf(emage_report_t *r, const char *path)
{
    emage_rc_t            rc;
    const unsigned char  *p;

    rc = emage_file_map(path, &r->pdf, r->err);
    if (rc != EMAGE_OK) {
        return EMAGE_ERROR;
    }

    if (r->pdf.size > EMAGE_REPORT_MAX) {
        emage_error_set(r->err, "%.400s: more than %u MB", path,
                        (unsigned) (EMAGE_REPORT_MAX >> 20));
        return EMAGE_ERROR;
    }

    p = r->pdf.data;

    if (r->pdf.size < 8 || memcmp(p, "%PDF-", 5) != 0
        || (p[5] != '1' && p[5] != '2') || p[6] != '.'
        || p[7] < '0' || p[7] > '9')
    {
        emage_error_set(r->err, "%.400s: not a PDF", path);
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_report_study(emage_report_t *r)
{
    emage_rc_t        rc;
    const char       *dir;
    emage_source_t    nobody;
    emage_publish_t  *p;

    memset(&nobody, 0, sizeof(nobody));

    rc = emage_publish_open(&r->conf->records, &nobody, &p, r->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    dir = (r->conf->store != NULL)
          ? r->conf->store : emage_records_store(emage_publish_records(p));

    rc = emage_store_open(dir, false, &r->store, r->err);

    if (rc == EMAGE_OK) {
        rc = emage_publish_read(p, r->study, &r->record, r->err);
    }

    emage_publish_close(p);

    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!r->record.exists) {
        emage_error_set(r->err, "study %s is not here", r->study);
        return EMAGE_NOTFOUND;
    }

    if (r->record.erasing) {
        emage_error_set(r->err, "study %s is being erased", r->study);
        return EMAGE_ERROR;
    }

    return emage_revision_json(&r->store, r->study, r->record.revision,
                               "study.json", &r->study_json, r->err);
}


/* The patient is known by what the study's first source calls him. */

static emage_rc_t
emage_report_source(emage_report_t *r)
{
    json_t      *list, *entry, *chosen;
    size_t       i;
    const char  *org;

    chosen = NULL;
    list = json_object_get(r->record.record, "sources");

    json_array_foreach(list, i, entry) {
        org = json_string_value(json_object_get(entry, "org"));

        if (org != NULL
            && (chosen == NULL
                || (r->conf->source.org != NULL
                    && emage_str_eq(emage_str_c(org),
                                    emage_str_c(r->conf->source.org)))))
        {
            chosen = entry;
        }
    }

    r->source.org = json_string_value(json_object_get(chosen, "org"));
    r->source.issuer = json_string_value(json_object_get(chosen, "issuer"));
    r->patient_id = json_string_value(json_object_get(chosen, "id"));

    if (r->source.org == NULL || r->source.issuer == NULL
        || r->patient_id == NULL)
    {
        emage_error_set(r->err, "study %s: its record names no source",
                        r->study);
        return EMAGE_ERROR;
    }

    if (r->conf->source.org != NULL) {
        r->source.org = r->conf->source.org;
    }

    r->source.qualified = emage_publish_qualified(r->source.issuer);

    return EMAGE_OK;
}


/* From a directory of its own in incoming/, by the way of all objects. */

static emage_rc_t
emage_report_publish(emage_report_t *r)
{
    char                    path[PATH_MAX];
    emage_rc_t              rc;
    emage_buf_t             out;
    emage_txn_t             txn;
    emage_error_t           late;
    emage_report_object_t   o;

    o.row = json_object_get(r->study_json, "row");
    o.study = r->study;
    o.series = r->series;
    o.sop = r->sop;
    o.patient_id = r->patient_id;
    o.title = r->title;
    o.pdf.data = (const char *) r->pdf.data;
    o.pdf.len = r->pdf.size;

    rc = emage_txn_begin(&r->store, &txn, r->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    emage_buf_init(&out, (size_t) EMAGE_REPORT_MAX + (1 << 20));

    rc = emage_report_write(&o, &out);

    if (rc != EMAGE_OK) {
        emage_error_set(r->err, "no memory");

    } else if (!emage_file_join(path, sizeof(path), txn.dir, "report.dcm")) {
        emage_error_set(r->err, "name of the store directory is too long");
        rc = EMAGE_UNAVAILABLE;

    } else {
        rc = emage_file_write_draft(path, out.data, out.len, r->err);
    }

    emage_buf_free(&out);

    if (rc == EMAGE_OK) {
        rc = emage_report_ingest(r, path);
    }

    if (emage_txn_end(&txn, &late) != EMAGE_OK && rc == EMAGE_OK) {
        *r->err = late;
        rc = EMAGE_UNAVAILABLE;
    }

    return rc;
}


static emage_rc_t
emage_report_ingest(emage_report_t *r, const char *path)
{
    emage_rc_t             rc;
    const char            *reason, *quarantine;
    emage_ingest_conf_t    conf;
    emage_ingest_files_t   files;

    conf = *r->conf;
    conf.source = r->source;
    conf.jobs = 1;
    conf.quiet = true;

    memset(&files, 0, sizeof(files));

    rc = emage_ingest_walk(&files, path, r->err);

    if (rc == EMAGE_OK) {
        rc = emage_ingest_run(&conf, &files, r->err);
    }

    if (rc == EMAGE_OK) {
        reason = files.list[0].reason;
        quarantine = json_string_value(json_object_get(r->record.record,
                                                       "quarantine"));

        /* kept aside instead: the study has become somebody else's */

        if (files.list[0].status != EMAGE_FILE_ACCEPTED
            || (reason[0] != '\0'
                && (quarantine == NULL || quarantine[0] == '\0')))
        {
            emage_error_set(r->err, "not published: %.400s", reason);
            rc = EMAGE_ERROR;
        }
    }

    emage_ingest_files_free(&files);

    return rc;
}
