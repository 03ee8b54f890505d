
/*
 * Copyright (C) The e-mage authors
 */


#include "publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define EMAGE_CONFLICTS_MAX  8


struct emage_publish_s {
    emage_records_t  *records;
    emage_source_t    source;
    json_t           *pids;          /* patient id to pid, of this run */
    char              actor[32];
};


static int64_t emage_pub_now(void);
static bool emage_pub_ins(const char *id);
static json_t *emage_pub_source(const emage_publish_t *p, const char *id);
static bool emage_pub_add(json_t *list, json_t *item);
static json_t *emage_pub_record(const emage_study_record_t *record,
    const char *study, const char *pid, const char *revision,
    const json_t *study_json);


static int64_t
emage_pub_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


bool
emage_publish_qualified(const char *issuer)
{
    size_t  i;

    /* INS-NIR, INS-NIA, and the two for tests and demonstrations */

    static const char *const  ins[] = {
        "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9",
        "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"
    };

    for (i = 0; i < sizeof(ins) / sizeof(ins[0]); i++) {
        if (emage_str_eq(emage_str_c(issuer), emage_str_c(ins[i]))) {
            return true;
        }
    }

    return false;
}


emage_rc_t
emage_publish_open(const emage_records_conf_t *conf,
    const emage_source_t *source, emage_publish_t **out, emage_error_t *err)
{
    emage_rc_t             rc;
    emage_publish_t       *p;
    emage_records_conf_t   rconf;

    *out = NULL;

    p = calloc(1, sizeof(emage_publish_t));
    if (p == NULL) {
        emage_error_set(err, "no memory");
        return EMAGE_NOMEM;
    }

    p->source = *source;
    p->pids = json_object();

    (void) snprintf(p->actor, sizeof(p->actor), "os:%u",
                    (unsigned) getuid());

    rconf = *conf;
    rconf.process = "emage-store";
    rconf.actor = p->actor;

    rc = (p->pids == NULL) ? EMAGE_NOMEM
                           : emage_records_open(&rconf, &p->records, err);

    if (rc != EMAGE_OK) {
        emage_publish_close(p);
        return rc;
    }

    *out = p;

    return EMAGE_OK;
}


void
emage_publish_close(emage_publish_t *p)
{
    if (p == NULL) {
        return;
    }

    if (p->records != NULL) {
        emage_records_close(p->records);
    }

    json_decref(p->pids);
    free(p);
}


emage_records_t *
emage_publish_records(emage_publish_t *p)
{
    return p->records;
}


/* A matricule INS has 15 characters, digits but for Corsica's A and B. */

static bool
emage_pub_ins(const char *id)
{
    size_t  i;

    for (i = 0; id[i] != '\0'; i++) {
        if (!((id[i] >= '0' && id[i] <= '9')
              || (i == 6 && (id[i] == 'A' || id[i] == 'B'))))
        {
            return false;
        }
    }

    return i == 15;
}


emage_str_t
emage_publish_issuer(const emage_publish_t *p, emage_str_t id)
{
    char  text[16];

    if (!p->source.qualified) {
        return emage_str_c(p->source.issuer);
    }

    if (id.len == 15) {
        memcpy(text, id.data, 15);
        text[15] = '\0';

        if (emage_pub_ins(text)) {
            return emage_str_c(p->source.issuer);
        }
    }

    return emage_str_c(p->source.org);
}


emage_rc_t
emage_publish_identify(emage_publish_t *p, const char *id, char *pid,
    emage_error_t *err)
{
    emage_rc_t   rc;
    const char  *known;
    emage_str_t  text;

    known = (id[0] == '\0') ? NULL
                            : json_string_value(json_object_get(p->pids, id));

    if (known != NULL) {
        memcpy(pid, known, EMAGE_PID_LEN + 1);
        return EMAGE_OK;
    }

    text = emage_str_c(id);

    rc = emage_records_patient_identify(p->records,
                                        emage_publish_issuer(p, text), text,
                                        p->source.qualified
                                        && emage_pub_ins(id), pid, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    pid[EMAGE_PID_LEN] = '\0';

    if (id[0] != '\0'
        && json_object_set_new(p->pids, id, json_string(pid)) == -1)
    {
        emage_error_set(err, "no memory");
        return EMAGE_NOMEM;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_publish_refused(emage_publish_t *p, const char *pid, bool *refused,
    emage_error_t *err)
{
    json_t       *patient;
    int64_t       version;
    emage_rc_t    rc;
    const char   *inclusion;
    emage_buf_t   text;

    *refused = true;

    emage_buf_init(&text, EMAGE_RECORD_TEXT_MAX);

    rc = emage_records_patient_get(p->records, emage_str_c(pid), &text,
                                   &version, err);

    if (rc == EMAGE_OK) {
        patient = emage_rows_parse((emage_str_t) { text.data, text.len }, err);

        if (patient == NULL) {
            rc = EMAGE_ERROR;

        } else {
            inclusion = json_string_value(json_object_get(
                            json_object_get(patient, "consent"), "inclusion"));

            *refused = inclusion == NULL || strcmp(inclusion, "refused") == 0;
        }

        json_decref(patient);

    } else if (rc == EMAGE_NOTFOUND) {

        /* no record, no permission to hold anything */

        rc = EMAGE_OK;
    }

    emage_buf_free(&text);

    return rc;
}


emage_rc_t
emage_publish_read(emage_publish_t *p, const char *study,
    emage_study_record_t *out, emage_error_t *err)
{
    emage_rc_t   rc;
    const char  *pid, *revision, *state;
    emage_buf_t  text;

    memset(out, 0, sizeof(*out));

    emage_buf_init(&text, EMAGE_RECORD_TEXT_MAX);

    rc = emage_records_study_get(p->records, emage_str_c(study), &text,
                                 &out->version, err);

    if (rc == EMAGE_NOTFOUND) {
        emage_buf_free(&text);
        return EMAGE_OK;
    }

    if (rc == EMAGE_OK) {
        out->record = emage_rows_parse((emage_str_t) { text.data, text.len },
                                       err);
    }

    emage_buf_free(&text);

    if (rc != EMAGE_OK) {
        return rc;
    }

    pid = json_string_value(json_object_get(out->record, "pid"));
    revision = json_string_value(json_object_get(out->record, "revision"));
    state = json_string_value(json_object_get(out->record, "state"));

    if (pid == NULL || strlen(pid) != EMAGE_PID_LEN || revision == NULL
        || strlen(revision) >= sizeof(out->revision))
    {
        emage_error_set(err, "study %s: its record has no pid or revision",
                        study);
        emage_publish_release(out);
        return EMAGE_ERROR;
    }

    memcpy(out->pid, pid, EMAGE_PID_LEN + 1);
    memcpy(out->revision, revision, strlen(revision) + 1);

    out->exists = true;
    out->erasing = (state == NULL || strcmp(state, "erasing") == 0);

    return EMAGE_OK;
}


void
emage_publish_release(emage_study_record_t *record)
{
    json_decref(record->record);
    record->record = NULL;
}


static json_t *
emage_pub_source(const emage_publish_t *p, const char *id)
{
    emage_str_t  issuer;

    issuer = emage_publish_issuer(p, emage_str_c(id));

    return json_pack("{s:s, s:s%, s:s}", "org", p->source.org,
                     "issuer", issuer.data, issuer.len, "id", id);
}


bool
emage_publish_has_source(const emage_publish_t *p,
    const emage_study_record_t *record, const char *id)
{
    bool     found;
    json_t  *source, *entry;
    size_t   i;

    source = emage_pub_source(p, id);
    found = false;

    json_array_foreach(json_object_get(record->record, "sources"), i, entry) {
        if (source != NULL && json_equal(entry, source)) {
            found = true;
        }
    }

    json_decref(source);

    return found;
}


/* Owns `item`; what is in the list already is not added again. */

static bool
emage_pub_add(json_t *list, json_t *item)
{
    json_t  *entry;
    size_t   i;

    if (item == NULL) {
        return false;
    }

    json_array_foreach(list, i, entry) {
        if (json_equal(entry, item)) {
            json_decref(item);
            return true;
        }
    }

    return json_array_append_new(list, item) == 0;
}


json_t *
emage_publish_head(const emage_publish_t *p,
    const emage_study_record_t *record, const char *const *ids, size_t n,
    const char *quarantine)
{
    bool         ok;
    json_t      *head, *sources, *identifiers, *entry, *published;
    size_t       i;
    int64_t      now;
    const char  *status;
    json_t      *issuer, *id;

    now = emage_pub_now();
    ok = true;

    sources = record->exists
              ? json_deep_copy(json_object_get(record->record, "sources"))
              : NULL;

    if (sources == NULL) {
        sources = json_array();
    }

    for (i = 0; i < n; i++) {
        ok = ok && emage_pub_add(sources, emage_pub_source(p, ids[i]));
    }

    identifiers = json_array();

    json_array_foreach(sources, i, entry) {
        issuer = json_object_get(entry, "issuer");
        id = json_object_get(entry, "id");

        if (json_string_length(id) != 0) {
            ok = ok && emage_pub_add(identifiers,
                                     json_pack("{s:O, s:O}", "issuer", issuer,
                                               "id", id));
        }
    }

    status = "local";

    if (json_array_size(identifiers) == 0) {
        status = "quarantined";

    } else if (p->source.qualified) {
        status = "QUAL";
    }

    published = record->exists
                ? json_incref(json_object_get(record->record, "published"))
                : json_integer(now);

    if (record->exists) {
        quarantine = json_string_value(json_object_get(record->record,
                                                       "quarantine"));
    }

    head = json_pack("{s:{s:s, s:o}, s:o, s:o, s:I, s:s}",
                     "identity", "status", status, "identifiers", identifiers,
                     "sources", sources, "published", published,
                     "revised", (json_int_t) now,
                     "quarantine", quarantine == NULL ? "" : quarantine);

    if (!ok) {
        json_decref(head);
        return NULL;
    }

    return head;
}


/* The record as it shall be: the old one, with what publishing changes. */

static json_t *
emage_pub_record(const emage_study_record_t *record, const char *study,
    const char *pid, const char *revision, const json_t *study_json)
{
    json_t      *doc, *value;
    size_t       i;

    static const char *const  taken[] = {
        "sources", "modalities", "date", NULL
    };

    if (record->exists) {
        doc = json_deep_copy(record->record);

    } else {
        doc = json_pack("{s:s, s:s, s:O, s:[], s:s, s:s, s:{s:b, s:b, s:b},"
                        " s:s, s:O}",
                        "study", study, "pid", pid,
                        "published", json_object_get(study_json, "published"),
                        "reports", "release", "validated",
                        "confidentiality", "N",
                        "marks", "masked", 0, "hidden_patient", 0,
                        "hidden_representatives", 0,
                        "state", "active",
                        "quarantine", json_object_get(study_json,
                                                      "quarantine"));
    }

    if (doc == NULL
        || json_object_set_new(doc, "version",
                               json_integer(record->version + 1)) == -1
        || json_object_set_new(doc, "revision", json_string(revision)) == -1)
    {
        json_decref(doc);
        return NULL;
    }

    for (i = 0; taken[i] != NULL; i++) {
        value = json_object_get(study_json, taken[i]);

        if (value != NULL && json_object_set(doc, taken[i], value) == -1) {
            json_decref(doc);
            return NULL;
        }
    }

    return doc;
}


emage_rc_t
emage_publish_change(emage_publish_t *p, const char *study,
    const emage_study_record_t *record, const char *pid, const char *revision,
    const json_t *study_json, emage_error_t *err)
{
    json_t                *doc;
    unsigned               i;
    emage_rc_t             rc;
    emage_ack_t            ack;
    emage_buf_t            text;
    emage_change_t         change;
    emage_study_record_t   now;
    emage_record_write_t   write;

    now = *record;
    json_incref(now.record);

    rc = EMAGE_CONFLICT;

    for (i = 0; rc == EMAGE_CONFLICT && i < EMAGE_CONFLICTS_MAX; i++) {

        /* somebody changed a mark or a report's status meanwhile */

        if (i > 0) {
            emage_publish_release(&now);

            rc = emage_publish_read(p, study, &now, err);
            if (rc != EMAGE_OK) {
                break;
            }
        }

        if (now.exists && (now.erasing || strcmp(now.pid, pid) != 0)) {
            emage_error_set(err, "study %s is being erased or has become "
                            "another patient's", study);
            rc = EMAGE_ERROR;
            break;
        }

        emage_buf_init(&text, EMAGE_RECORD_TEXT_MAX);

        doc = emage_pub_record(&now, study, pid, revision, study_json);

        if (doc == NULL || emage_rows_dump(doc, &text) != EMAGE_OK) {
            emage_error_set(err, "study %s: its record is too long", study);
            rc = EMAGE_NOMEM;

        } else {
            write.kind = EMAGE_RECORD_STUDY;
            write.key = emage_str_c(study);
            write.base = now.version;
            write.json.data = text.data;
            write.json.len = text.len;

            change.pid = emage_str_c(pid);
            change.event = "study";
            change.effect = EMAGE_CHANGE_NEUTRAL;
            change.writes = &write;
            change.nwrites = 1;

            rc = emage_records_change(p->records, &change, &ack, err);
        }

        json_decref(doc);
        emage_buf_free(&text);
    }

    emage_publish_release(&now);

    return rc;
}
