
/*
 * Copyright (C) The e-mage authors
 *
 * What only the store still knows: study records that no ledger has, and who
 * the patients are (docs/store-format.md, "study.json").
 */


#include "replay.h"
#include "records_identify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>


#define EMAGE_STUDY_JSON_MAX  (16 * 1024 * 1024)


static emage_rc_t emage_rebuild_study(emage_records_t *rec,
    const char *uid, emage_rebuild_t *out, emage_error_t *err);
static emage_rc_t emage_rebuild_known(emage_records_t *rec,
    const json_t *study, const emage_rebuild_t *out, bool *known,
    emage_error_t *err);
static bool emage_rebuild_newest(const char *dir, char *name, size_t size);
static json_t *emage_rebuild_read(const emage_records_t *rec,
    const char *uid, const char *revision);
static char *emage_rebuild_file(const char *path, size_t *len);
static emage_rc_t emage_rebuild_record(emage_records_t *rec,
    emage_str_t uid, const json_t *study, emage_rebuild_t *out,
    emage_error_t *err);
static json_t *emage_rebuild_document(const json_t *study);
static emage_rc_t emage_rebuild_patient(emage_records_t *rec,
    const json_t *study, emage_rebuild_t *out, emage_error_t *err);
static bool emage_rebuild_merge(json_t *patient, const json_t *study,
    bool *changed);
static emage_rc_t emage_rebuild_ids(emage_records_t *rec, emage_str_t pid,
    const json_t *identifiers, emage_error_t *err);
static emage_rc_t emage_rebuild_id(emage_records_t *rec, emage_str_t pid,
    emage_str_t key, emage_error_t *err);


emage_rc_t
emage_rebuild(emage_records_t *rec, emage_rebuild_t *out, emage_error_t *err)
{
    DIR            *dir;
    char            path[4096];
    emage_rc_t      rc;
    struct dirent  *entry;

    memset(out, 0, sizeof(emage_rebuild_t));

    (void) snprintf(path, sizeof(path), "%s/studies", rec->store);

    out->touched = json_object();
    if (out->touched == NULL) {
        emage_error_set(err, "store: out of memory");
        return EMAGE_NOMEM;
    }

    dir = opendir(path);

    rc = EMAGE_OK;

    if (dir == NULL && errno != ENOENT) {
        emage_error_set(err, "store %s: %s", path, strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    if (dir == NULL) {
        goto done;
    }

    while (rc == EMAGE_OK) {
        errno = 0;
        entry = readdir(dir);

        if (entry == NULL) {
            if (errno != 0) {
                emage_error_set(err, "store %s: %s", path, strerror(errno));
                rc = EMAGE_UNAVAILABLE;
            }

            break;
        }

        if (entry->d_name[0] != '.' && strlen(entry->d_name) <= 64) {
            rc = emage_rebuild_study(rec, entry->d_name, out, err);
        }
    }

    (void) closedir(dir);

done:

    json_decref(out->touched);
    out->touched = NULL;

    return rc;
}


/*
 * Whether Redis knew the patient all along: then study.json need not be read.
 * One that got identifiers from the store may lack those of another study.
 */

static emage_rc_t
emage_rebuild_known(emage_records_t *rec, const json_t *study,
    const emage_rebuild_t *out, bool *known, emage_error_t *err)
{
    json_t       *doc, *identity;
    int64_t       version;
    emage_rc_t    rc;
    emage_str_t   pid;

    *known = false;

    if (study == NULL) {
        return EMAGE_OK;
    }

    pid = emage_json_str(study, "pid");

    if (json_object_get(out->touched, pid.data) != NULL) {
        return EMAGE_OK;
    }

    rc = emage_offer_current(rec, EMAGE_RECORD_PATIENT, pid, &doc, &version,
                             err);

    if (rc == EMAGE_OK && doc != NULL) {
        identity = json_object_get(doc, "identity");
        *known = json_array_size(json_object_get(identity, "identifiers")) > 0;
    }

    json_decref(doc);

    return rc;
}


static emage_rc_t
emage_rebuild_study(emage_records_t *rec, const char *uid,
    emage_rebuild_t *out, emage_error_t *err)
{
    bool         known;
    char         path[4096], newest[EMAGE_REVISION_MAX + 1];
    json_t      *doc, *study;
    int64_t      version;
    emage_rc_t   rc;

    rc = emage_offer_current(rec, EMAGE_RECORD_STUDY, emage_str_c(uid), &doc,
                             &version, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (doc == NULL && version > 0) {
        return EMAGE_OK;                     /* deleted */
    }

    rc = emage_rebuild_known(rec, doc, out, &known, err);

    if (rc != EMAGE_OK || known) {
        json_decref(doc);
        return rc;
    }

    study = (doc == NULL)
            ? NULL
            : emage_rebuild_read(rec, uid, emage_json_str(doc,
                                                          "revision").data);

    if (study == NULL) {
        (void) snprintf(path, sizeof(path), "%s/studies/%s", rec->store, uid);

        if (emage_rebuild_newest(path, newest, sizeof(newest))) {
            study = emage_rebuild_read(rec, uid, newest);
        }
    }

    if (study == NULL) {

        /* nothing to rebuild from: without a record it stays invisible */

        out->unreadable++;
        json_decref(doc);
        return EMAGE_OK;
    }

    rc = emage_rebuild_patient(rec, study, out, err);

    if (rc == EMAGE_OK && doc == NULL) {
        rc = emage_rebuild_record(rec, emage_str_c(uid), study, out, err);
    }

    json_decref(study);
    json_decref(doc);

    return rc;
}


/* The highest name of a revision. */

static bool
emage_rebuild_newest(const char *dir, char *name, size_t size)
{
    DIR            *d;
    size_t          len;
    struct dirent  *entry;

    d = opendir(dir);
    if (d == NULL) {
        return false;
    }

    name[0] = '\0';

    while ((entry = readdir(d)) != NULL) {
        len = strlen(entry->d_name);

        if (entry->d_name[0] != '.' && len < size
            && strcmp(entry->d_name, name) > 0)
        {
            memcpy(name, entry->d_name, len + 1);
        }
    }

    (void) closedir(d);

    return name[0] != '\0';
}


/* NULL unless it is whole, and about this study. */

static json_t *
emage_rebuild_read(const emage_records_t *rec, const char *uid,
    const char *revision)
{
    char          path[4096], *text;
    size_t        len;
    json_t       *study;
    json_error_t  error;

    if (revision == NULL
        || snprintf(path, sizeof(path), "%s/studies/%s/%s/study.json",
                    rec->store, uid, revision) >= (int) sizeof(path))
    {
        return NULL;
    }

    text = emage_rebuild_file(path, &len);
    if (text == NULL) {
        return NULL;
    }

    study = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    free(text);

    if (!json_is_object(study)
        || emage_json_int(study, "version") != 1
        || emage_json_str(study, "pid").len != EMAGE_PID_LEN
        || !emage_str_eq(emage_json_str(study, "study"), emage_str_c(uid))
        || !emage_str_eq(emage_json_str(study, "revision"),
                         emage_str_c(revision)))
    {
        json_decref(study);
        return NULL;
    }

    return study;
}


static char *
emage_rebuild_file(const char *path, size_t *len)
{
    int          fd;
    char        *text;
    size_t       done;
    ssize_t      n;
    struct stat  st;

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);
    if (fd == -1) {
        return NULL;
    }

    text = NULL;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)
        || st.st_size > EMAGE_STUDY_JSON_MAX)
    {
        goto done;
    }

    text = malloc((size_t) st.st_size + 1);
    if (text == NULL) {
        goto done;
    }

    for (done = 0; done < (size_t) st.st_size; done += (size_t) n) {
        n = read(fd, text + done, (size_t) st.st_size - done);

        if (n <= 0) {
            free(text);
            text = NULL;
            goto done;
        }
    }

    *len = done;

done:

    (void) close(fd);

    return text;
}


static emage_rc_t
emage_rebuild_record(emage_records_t *rec, emage_str_t uid,
    const json_t *study, emage_rebuild_t *out, emage_error_t *err)
{
    bool         stored;
    json_t      *doc;
    emage_rc_t   rc;

    doc = emage_rebuild_document(study);
    if (doc == NULL) {
        emage_error_set(err, "store: study %.*s: study.json lacks members, or "
                        "out of memory", (int) uid.len, uid.data);
        return EMAGE_ERROR;
    }

    rc = emage_offer(rec, EMAGE_RECORD_STUDY, uid, emage_json_str(doc, "pid"),
                     1, doc, &stored, err);

    if (rc == EMAGE_OK) {
        out->studies += stored;
    }

    json_decref(doc);

    return rc;
}


/*
 * What the store cannot know is set to what shows least: no report has a
 * status, and images wait for validation.
 */

static json_t *
emage_rebuild_document(const json_t *study)
{
    json_t  *doc, *value;

    static const char *const  kept[] = { "modalities", "date", NULL };
    size_t                    i;

    doc = json_pack("{s:i, s:O, s:O, s:O, s:O, s:O, s:[], s:s, s:s,"
                    " s:{s:b, s:b, s:b}, s:s, s:O}",
                    "version", 1,
                    "study", json_object_get(study, "study"),
                    "pid", json_object_get(study, "pid"),
                    "sources", json_object_get(study, "sources"),
                    "revision", json_object_get(study, "revision"),
                    "published", json_object_get(study, "published"),
                    "reports", "release", "validated", "confidentiality",
                    "N", "marks", "masked", 0, "hidden_patient", 0,
                    "hidden_representatives", 0, "state", "active",
                    "quarantine", json_object_get(study, "quarantine"));

    for (i = 0; doc != NULL && kept[i] != NULL; i++) {
        value = json_object_get(study, kept[i]);

        if (value != NULL && json_object_set(doc, kept[i], value) != 0) {
            json_decref(doc);
            return NULL;
        }
    }

    return doc;
}


static emage_rc_t
emage_rebuild_patient(emage_records_t *rec, const json_t *study,
    emage_rebuild_t *out, emage_error_t *err)
{
    bool         changed, stored;
    json_t      *doc, *identity;
    int64_t      version;
    emage_rc_t   rc;
    emage_str_t  pid;

    pid = emage_json_str(study, "pid");
    identity = json_object_get(study, "identity");

    rc = emage_offer_current(rec, EMAGE_RECORD_PATIENT, pid, &doc, &version,
                             err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    changed = false;

    if (doc == NULL) {

        if (version > 0) {
            return EMAGE_OK;                 /* deleted */
        }

        doc = emage_document_patient(pid, "local", emage_null_str,
                                     emage_null_str);
        version = 1;
        changed = true;

        if (doc == NULL
            || json_object_set(json_object_get(doc, "identity"), "status",
                               json_object_get(identity, "status")) != 0)
        {
            goto nomem;
        }
    }

    if (!emage_rebuild_merge(doc, study, &changed)) {
        goto nomem;
    }

    if (changed) {
        rc = emage_offer(rec, EMAGE_RECORD_PATIENT, pid, pid, version, doc,
                         &stored, err);

        if (rc == EMAGE_OK) {
            out->patients += stored;

            if (json_object_set_new(out->touched, pid.data, json_true())
                != 0)
            {
                goto nomem;
            }

            rc = emage_rebuild_ids(rec, pid,
                                   json_object_get(identity, "identifiers"),
                                   err);
        }
    }

    json_decref(doc);

    return rc;

nomem:

    json_decref(doc);
    emage_error_set(err, "store: study.json of patient %.*s lacks members, or "
                    "out of memory", (int) pid.len, pid.data);

    return EMAGE_ERROR;
}


/* Adds to a patient the identifiers of a study that are not there yet. */

static bool
emage_rebuild_merge(json_t *patient, const json_t *study, bool *changed)
{
    size_t   i, j;
    json_t  *mine, *theirs, *item;

    mine = json_object_get(json_object_get(patient, "identity"),
                           "identifiers");
    theirs = json_object_get(json_object_get(study, "identity"),
                             "identifiers");

    if (!json_is_array(mine) || !json_is_array(theirs)) {
        return false;
    }

    for (i = 0; i < json_array_size(theirs); i++) {
        item = json_array_get(theirs, i);

        for (j = 0; j < json_array_size(mine); j++) {
            if (json_equal(json_array_get(mine, j), item)) {
                break;
            }
        }

        if (j < json_array_size(mine)) {
            continue;
        }

        if (json_array_append(mine, item) != 0) {
            return false;
        }

        *changed = true;
    }

    return true;
}


static emage_rc_t
emage_rebuild_ids(emage_records_t *rec, emage_str_t pid,
    const json_t *identifiers, emage_error_t *err)
{
    char         key[EMAGE_ID_KEY_LEN];
    size_t       i;
    json_t      *item;
    emage_rc_t   rc;

    for (i = 0; i < json_array_size(identifiers); i++) {
        item = json_array_get(identifiers, i);

        rc = emage_identifier_key(rec, emage_json_str(item, "issuer"),
                                  emage_json_str(item, "id"), key, err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        rc = emage_rebuild_id(rec, pid,
                              (emage_str_t) { key, EMAGE_ID_KEY_LEN }, err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    return EMAGE_OK;
}


/* An identifier that leads to a patient who exists is left as it is. */

static emage_rc_t
emage_rebuild_id(emage_records_t *rec, emage_str_t pid, emage_str_t key,
    emage_error_t *err)
{
    json_t       *doc;
    int64_t       version;
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[3];

    rc = emage_records_get(rec, key, &reply, err);

    if (rc == EMAGE_OK) {
        rc = emage_offer_current(rec, EMAGE_RECORD_PATIENT,
                                 emage_reply_str(reply), &doc, &version, err);
        freeReplyObject(reply);

        if (rc != EMAGE_OK || doc != NULL) {
            json_decref(doc);
            return rc;
        }

    } else if (rc != EMAGE_NOTFOUND) {
        return rc;
    }

    argv[0] = emage_str("SET");
    argv[1] = key;
    argv[2] = pid;

    rc = emage_records_call(rec, 3, argv, &reply, err);

    if (rc == EMAGE_OK) {
        freeReplyObject(reply);
    }

    return rc;
}
