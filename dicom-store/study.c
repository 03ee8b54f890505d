
/*
 * Copyright (C) The e-mage authors
 *
 * What the files of one ingest mean for one study: the rules for a UID that is
 * seen again (docs/store-format.md, "Seen again").
 */


#include "ingest_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define EMAGE_NO_ID  "no patient identifier"


typedef struct {
    emage_ingest_t         *in;
    const char             *study;
    emage_study_record_t    record;
    emage_manifest_t        old;
    char                    pid[EMAGE_PID_LEN + 1];  /* empty: not yet known */
    bool                    empty_id;    /* the patient has no identifier */
    const char             *quarantine;  /* the reason, or empty */
    bool                    refused;     /* the patient wants no data held */
    bool                    noted;       /* a new source to write down */
    json_t                 *seen;        /* SOP Instance UID to first file */
    emage_member_t         *members;
    size_t                  nmembers;
    const char            **ids;         /* of accepted and noted files */
    size_t                  nids;
} emage_study_t;


static emage_rc_t emage_study_open(emage_study_t *s);
static emage_rc_t emage_study_file(emage_study_t *s, size_t n);
static emage_rc_t emage_study_patient(emage_study_t *s,
    emage_ingest_file_t *f, bool *same, char *pid);
static emage_rc_t emage_study_elsewhere(emage_study_t *s, size_t n,
    const char *pid, bool *done);
static bool emage_study_again(emage_study_t *s, size_t n);
static bool emage_study_compare(emage_study_t *s, emage_ingest_file_t *f,
    const emage_manifest_object_t *o);
static emage_rc_t emage_study_accept(emage_study_t *s, size_t n);
static emage_rc_t emage_study_publish(emage_study_t *s);
static emage_rc_t emage_study_revision(emage_study_t *s, char *revision,
    json_t **study_json);
static int emage_study_member_cmp(const void *a, const void *b);


emage_rc_t
emage_ingest_study(emage_ingest_t *in, const size_t *order, size_t n)
{
    int            lock;
    size_t         i;
    emage_rc_t     rc;
    emage_study_t  s;

    memset(&s, 0, sizeof(s));

    s.in = in;
    s.quarantine = "";
    s.study = in->files->list[order[0]].object->study;
    s.members = calloc(n, sizeof(emage_member_t));
    s.ids = calloc(n, sizeof(char *));
    s.seen = json_object();

    if (s.members == NULL || s.ids == NULL || s.seen == NULL) {
        emage_error_set(in->err, "no memory");
        json_decref(s.seen);
        free(s.members);
        free(s.ids);
        return EMAGE_NOMEM;
    }

    rc = emage_store_lock(&in->store, emage_str_c(s.study), &lock, in->err);

    if (rc == EMAGE_OK) {
        rc = emage_study_open(&s);

        for (i = 0; rc == EMAGE_OK && i < n; i++) {
            rc = emage_study_file(&s, order[i]);
        }

        if (rc == EMAGE_OK) {
            rc = emage_study_publish(&s);
        }

        emage_store_unlock(lock);
    }

    emage_publish_release(&s.record);
    emage_manifest_free(&s.old);
    json_decref(s.seen);
    free(s.members);
    free(s.ids);

    return rc;
}


static emage_rc_t
emage_study_open(emage_study_t *s)
{
    json_t          *sources, *entry;
    size_t           i;
    emage_rc_t       rc;
    emage_ingest_t  *in;

    in = s->in;

    rc = emage_publish_read(in->publish, s->study, &s->record, in->err);

    if (rc != EMAGE_OK || !s->record.exists) {
        return rc;
    }

    memcpy(s->pid, s->record.pid, sizeof(s->pid));

    /* a study of nobody known: none of its sources gave an id */

    s->empty_id = true;
    s->quarantine = json_string_value(json_object_get(s->record.record,
                                                      "quarantine"));

    if (s->quarantine == NULL) {
        s->quarantine = "its record does not say why";
    }

    sources = json_object_get(s->record.record, "sources");

    json_array_foreach(sources, i, entry) {
        if (json_string_length(json_object_get(entry, "id")) != 0) {
            s->empty_id = false;
        }
    }

    rc = emage_publish_refused(in->publish, s->pid, &s->refused, in->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_revision_manifest(&in->store, s->study, s->record.revision,
                                 &s->old, in->err);

    if (rc == EMAGE_NOTFOUND) {
        emage_error_set(in->err, "study %s: its record names revision %s, "
                        "which the store %.200s does not have: is it the "
                        "right store?", s->study, s->record.revision,
                        in->store.root);
        return EMAGE_UNAVAILABLE;
    }

    return rc;
}


static emage_rc_t
emage_study_file(emage_study_t *s, size_t n)
{
    bool                  same, done;
    char                  pid[EMAGE_PID_LEN + 1];
    emage_rc_t            rc;
    emage_ingest_file_t  *f;

    f = &s->in->files->list[n];

    if (s->record.erasing) {
        emage_ingest_set(f, EMAGE_FILE_REFUSED, "study %s is being erased",
                         s->study);
        return EMAGE_OK;
    }

    rc = emage_study_patient(s, f, &same, pid);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!same) {
        return emage_quarantine_keep(s->in, n, pid,
                                     emage_manifest_find(&s->old,
                                                         f->object->sop)
                                     != NULL
                                     || json_object_get(s->seen,
                                                        f->object->sop)
                                        != NULL
                                     ? "SOP instance UID belongs to another "
                                       "patient"
                                     : "study instance UID belongs to another "
                                       "patient");
    }

    if (s->refused) {
        emage_ingest_set(f, EMAGE_FILE_REFUSED, "the patient has refused that "
                         "his data are held, or his record is gone");
        return EMAGE_OK;
    }

    if (emage_study_again(s, n)) {
        rc = EMAGE_OK;

    } else {
        rc = emage_study_elsewhere(s, n, pid, &done);

        if (rc == EMAGE_OK && !done) {
            rc = emage_study_accept(s, n);
        }
    }

    if (rc == EMAGE_OK && f->status != EMAGE_FILE_REFUSED
        && json_object_get(s->seen, f->object->sop) == NULL
        && json_object_set_new(s->seen, f->object->sop,
                               json_integer((json_int_t) n)) == -1)
    {
        emage_error_set(s->in->err, "no memory");
        rc = EMAGE_NOMEM;
    }

    return rc;
}


/*
 * Whose object is it?  The first to be published decides whose study it is.
 * An object without patient id belongs to a study of nobody, or comes from the
 * source that had sent the study without one before it was resolved.
 */

static emage_rc_t
emage_study_patient(emage_study_t *s, emage_ingest_file_t *f, bool *same,
    char *pid)
{
    bool             empty;
    emage_rc_t       rc;
    emage_ingest_t  *in;

    in = s->in;
    empty = (f->object->patient_id[0] == '\0');

    if (empty && s->pid[0] != '\0') {
        memcpy(pid, "", 1);

        *same = s->empty_id
                || (s->record.exists
                    && emage_publish_has_source(in->publish, &s->record, ""));
        return EMAGE_OK;
    }

    rc = emage_publish_identify(in->publish, f->object->patient_id, pid,
                                in->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (s->pid[0] == '\0') {
        memcpy(s->pid, pid, sizeof(s->pid));
        s->empty_id = empty;
        s->quarantine = empty ? EMAGE_NO_ID : "";

        rc = emage_publish_refused(in->publish, pid, &s->refused, in->err);
    }

    *same = strcmp(s->pid, pid) == 0;

    return rc;
}


/*
 * True: the object is there already, and the file has its status.  Within one
 * run the first file of a UID wins, so that the same files give the same store
 * however often they are ingested.
 */

static bool
emage_study_again(emage_study_t *s, size_t n)
{
    json_t                         *seen;
    emage_ingest_file_t            *f, *first;
    emage_manifest_object_t         o;
    const emage_manifest_object_t  *old;

    f = &s->in->files->list[n];
    seen = json_object_get(s->seen, f->object->sop);

    if (seen == NULL) {
        old = emage_manifest_find(&s->old, f->object->sop);

        return old != NULL && emage_study_compare(s, f, old);
    }

    first = &s->in->files->list[json_integer_value(seen)];

    memset(&o, 0, sizeof(o));

    (void) snprintf(o.org, sizeof(o.org), "%s", s->in->conf->source.org);
    memcpy(o.transfer_syntax, first->object->received_ts,
           sizeof(o.transfer_syntax));
    memcpy(o.dataset, first->object->dataset, EMAGE_SHA256_LEN);
    memcpy(o.content, first->object->content, EMAGE_SHA256_LEN);
    o.path = first->path;

    if (!emage_study_compare(s, f, &o)) {
        emage_ingest_set(f, EMAGE_FILE_UNCHANGED, "same content as %.600s, "
                         "whose header is kept", first->path);
    }

    return true;
}


static bool
emage_study_compare(emage_study_t *s, emage_ingest_file_t *f,
    const emage_manifest_object_t *o)
{
    bool             other;
    const char      *org;
    emage_object_t  *x;

    x = f->object;
    org = s->in->conf->source.org;
    other = !emage_str_eq(emage_str_c(o->org), emage_str_c(org));

    if (memcmp(x->content, o->content, EMAGE_SHA256_LEN) != 0
        || strcmp(x->received_ts, o->transfer_syntax) != 0)
    {
        emage_ingest_set(f, EMAGE_FILE_REFUSED, "SOP instance UID already "
                         "stored with other content%s: %.300s of %s is "
                         "stored, %.300s of %s is refused",
                         strcmp(x->received_ts, o->transfer_syntax) != 0
                         ? " (transfer syntax)" : "", o->path, o->org,
                         f->path, org);
        return true;
    }

    if (memcmp(x->dataset, o->dataset, EMAGE_SHA256_LEN) != 0 && !other) {

        /* the source has corrected its header: a new revision */

        return false;
    }

    if (other && s->record.exists
        && !emage_publish_has_source(s->in->publish, &s->record,
                                     x->patient_id))
    {
        s->noted = true;
        s->ids[s->nids++] = x->patient_id;
    }

    if (memcmp(x->dataset, o->dataset, EMAGE_SHA256_LEN) != 0) {
        emage_ingest_set(f, EMAGE_FILE_UNCHANGED, "same content as the object "
                         "of %s, whose header is kept", o->org);

    } else {
        emage_ingest_set(f, EMAGE_FILE_UNCHANGED, "%s%s",
                         other ? "already stored from " : "",
                         other ? o->org : "");
    }

    return true;
}


/* The same SOP Instance UID in another study of this run or of the store. */

static emage_rc_t
emage_study_elsewhere(emage_study_t *s, size_t n, const char *pid, bool *done)
{
    emage_rc_t             rc;
    const char            *study;
    emage_ingest_file_t   *f;
    emage_study_record_t   record;

    *done = false;

    f = &s->in->files->list[n];
    study = json_string_value(json_object_get(s->in->sops, f->object->sop));

    if (study == NULL || strcmp(study, s->study) == 0) {
        return EMAGE_OK;
    }

    rc = emage_publish_read(s->in->publish, study, &record, s->in->err);

    if (rc != EMAGE_OK || !record.exists) {
        return rc;
    }

    *done = true;

    if (strcmp(record.pid, s->pid) != 0) {
        rc = emage_quarantine_keep(s->in, n, pid, "SOP instance UID belongs "
                                   "to another patient");

    } else {
        emage_ingest_set(f, EMAGE_FILE_REFUSED, "SOP instance UID already "
                         "stored with other content: it is in study %s, "
                         "%.300s has it in study %s", study, f->path,
                         s->study);
    }

    emage_publish_release(&record);

    return rc;
}


static emage_rc_t
emage_study_accept(emage_study_t *s, size_t n)
{
    emage_member_t       *m;
    emage_ingest_file_t  *f;

    f = &s->in->files->list[n];

    s->ids[s->nids++] = f->object->patient_id;

    m = &s->members[s->nmembers++];

    m->number = (uint32_t) n;
    m->object = f->object;
    m->path = f->path;

    if (s->quarantine[0] != '\0') {
        emage_ingest_set(f, EMAGE_FILE_ACCEPTED, "quarantined: %s",
                         s->quarantine);

    } else if (emage_manifest_find(&s->old, f->object->sop) != NULL) {
        emage_ingest_set(f, EMAGE_FILE_ACCEPTED, "new header, new revision");

    } else {
        emage_ingest_set(f, EMAGE_FILE_ACCEPTED, "%s", "");
    }

    if (json_object_set_new(s->in->sops, f->object->sop,
                            json_string(s->study)) == -1)
    {
        emage_error_set(s->in->err, "no memory");
        return EMAGE_NOMEM;
    }

    return EMAGE_OK;
}


static int
emage_study_member_cmp(const void *a, const void *b)
{
    const emage_member_t  *x = a, *y = b;

    return strcmp(x->object->sop, y->object->sop);
}


static emage_rc_t
emage_study_revision(emage_study_t *s, char *revision, json_t **study_json)
{
    emage_rc_t              rc;
    emage_ingest_t         *in;
    emage_revision_conf_t   conf;

    in = s->in;

    qsort(s->members, s->nmembers, sizeof(emage_member_t),
          emage_study_member_cmp);

    memset(&conf, 0, sizeof(conf));

    conf.store = &in->store;
    conf.txn = &in->txn;
    conf.study = s->study;
    conf.org = in->conf->source.org;
    conf.who.pid = emage_str_c(s->pid);
    conf.who.region = emage_str_c(emage_records_region(
                                      emage_publish_records(in->publish)));
    conf.who.issuer = emage_publish_issuer(in->publish,
                          emage_str_c(s->members[0].object->patient_id));
    conf.old_revision = s->record.exists ? s->record.revision : "";
    conf.old = &s->old;
    conf.members = s->members;
    conf.nmembers = s->nmembers;
    conf.head = *study_json;

    rc = emage_revision_build(&conf, revision, in->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    json_decref(*study_json);

    return emage_revision_json(&in->store, s->study, revision, "study.json",
                               study_json, in->err);
}


static emage_rc_t
emage_study_publish(emage_study_t *s)
{
    char             revision[EMAGE_REVISION_MAX + 1];
    json_t          *study_json;
    emage_rc_t       rc;
    emage_ingest_t  *in;

    in = s->in;

    if (s->nmembers == 0 && !s->noted) {
        return EMAGE_OK;
    }

    study_json = emage_publish_head(in->publish, &s->record, s->ids, s->nids,
                                    s->quarantine);
    if (study_json == NULL) {
        emage_error_set(in->err, "no memory");
        return EMAGE_NOMEM;
    }

    if (s->nmembers == 0) {
        memcpy(revision, s->record.revision, strlen(s->record.revision) + 1);
        rc = EMAGE_OK;

    } else {
        rc = emage_study_revision(s, revision, &study_json);
    }

    if (rc == EMAGE_OK) {
        rc = emage_publish_change(in->publish, s->study, &s->record, s->pid,
                                  revision, study_json, in->err);
    }

    json_decref(study_json);

    if (rc == EMAGE_OK && s->nmembers != 0 && s->record.exists) {
        rc = emage_superseded_add(in, s->study, s->record.revision);
    }

    return rc;
}
