
/*
 * Copyright (C) The e-mage authors
 *
 * Documents that the ledgers have and Redis has not.
 */


#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <emage/consent.h>


static emage_rc_t emage_offer_entry(emage_records_t *rec,
    const json_t *entry, bool *stored, emage_error_t *err);
static emage_rc_t emage_offer_send(emage_records_t *rec, emage_str_t key,
    emage_str_t pid, int64_t version, emage_str_t text, bool *stored,
    emage_error_t *err);


emage_rc_t
emage_offer_current(emage_records_t *rec, emage_record_kind_t kind,
    emage_str_t key, json_t **doc, int64_t *version, emage_error_t *err)
{
    char          buf[EMAGE_RECORDS_KEY_MAX];
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   name;

    *doc = NULL;
    *version = 0;

    name = emage_records_key(buf, (kind == EMAGE_RECORD_STUDY)
                                  ? EMAGE_KEY_STUDY : EMAGE_KEY_PATIENT, key);

    rc = emage_records_get(rec, name, &reply, err);

    if (rc == EMAGE_NOTFOUND) {
        return EMAGE_OK;
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_document_parse(emage_reply_str(reply), "record", doc, err);

    freeReplyObject(reply);

    if (rc != EMAGE_OK) {
        return rc;
    }

    *version = emage_document_version(*doc);

    if (emage_document_deleted(*doc)) {
        json_decref(*doc);
        *doc = NULL;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_offer(emage_records_t *rec, emage_record_kind_t kind, emage_str_t key,
    emage_str_t pid, int64_t version, json_t *doc, bool *stored,
    emage_error_t *err)
{
    char         buf[EMAGE_RECORDS_KEY_MAX];
    emage_rc_t   rc;
    emage_buf_t  text;
    emage_str_t  name, s;

    *stored = false;

    name = emage_records_key(buf, (kind == EMAGE_RECORD_STUDY)
                                  ? EMAGE_KEY_STUDY : EMAGE_KEY_PATIENT, key);

    emage_buf_init(&text, EMAGE_RECORD_TEXT_MAX);
    rc = EMAGE_OK;

    if (doc != NULL) {

        if (json_object_set_new(doc, "version", json_integer(version)) != 0
            || emage_document_text(doc, &text) != EMAGE_OK)
        {
            emage_error_set(err, "%.*s: out of memory", (int) name.len,
                            name.data);
            rc = EMAGE_NOMEM;

        } else {
            s = (emage_str_t) { text.data, text.len };

            rc = (kind == EMAGE_RECORD_STUDY)
                 ? emage_record_study_check(s, err)
                 : emage_record_patient_check(s, err);
        }
    }

    if (rc == EMAGE_OK) {
        rc = emage_offer_send(rec, name, pid, version,
                              (emage_str_t) { text.data, text.len }, stored,
                              err);
    }

    emage_buf_free(&text);

    return rc;
}


static emage_rc_t
emage_offer_send(emage_records_t *rec, emage_str_t key, emage_str_t pid,
    int64_t version, emage_str_t text, bool *stored, emage_error_t *err)
{
    char          number[24];
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[7], status;

    argv[0] = emage_str("FCALL");
    argv[1] = emage_str("emage_offer");
    argv[2] = emage_str("1");
    argv[3] = key;
    argv[4] = pid;
    argv[5].data = number;
    argv[5].len = (size_t) snprintf(number, sizeof(number), "%lld",
                                    (long long) version);
    argv[6] = text;

    rc = emage_records_call(rec, 7, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    status = emage_reply_str(reply);

    if (emage_str_eq(status, emage_str("stored"))) {
        *stored = true;

    } else if (emage_str_eq(status, emage_str("reconciled"))) {
        emage_error_set(err, "redis was reconciled by another process");
        rc = EMAGE_CONFLICT;

    } else if (!emage_str_eq(status, emage_str("kept"))) {
        emage_error_set(err, "redis: unexpected answer to an offer");
        rc = EMAGE_ERROR;
    }

    freeReplyObject(reply);

    return rc;
}


emage_rc_t
emage_offer_committed(emage_records_t *rec, const emage_ledgers_t *ledgers,
    unsigned *n, emage_error_t *err)
{
    bool         stored;
    void        *iter;
    emage_rc_t   rc;

    *n = 0;

    for (iter = json_object_iter(ledgers->committed);
         iter != NULL;
         iter = json_object_iter_next(ledgers->committed, iter))
    {
        rc = emage_offer_entry(rec, json_object_iter_value(iter), &stored,
                               err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        *n += stored;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_offer_entry(emage_records_t *rec, const json_t *entry, bool *stored,
    emage_error_t *err)
{
    json_t               *doc, *old;
    int64_t               version, have;
    emage_rc_t            rc;
    emage_str_t           key;
    emage_record_kind_t   kind;

    *stored = false;

    kind = emage_ledger_kind(entry);
    key = emage_json_str(entry, "key");
    version = emage_json_int(entry, "version");
    doc = json_object_get(entry, "doc");

    rc = emage_offer_current(rec, kind, key, &old, &have, err);

    if (rc != EMAGE_OK || have > version) {
        json_decref(old);
        return rc;
    }

    if (have == version
        && (old == NULL ? json_is_null(doc)
                        : !json_is_null(doc)
                          && emage_document_same(old, doc, true)))
    {
        json_decref(old);
        return EMAGE_OK;
    }

    if (json_is_null(doc)) {
        doc = NULL;

    } else {
        doc = json_deep_copy(doc);

        if (doc == NULL || !emage_document_adopt(doc, old)) {
            json_decref(doc);
            json_decref(old);
            emage_error_set(err, "ledger: out of memory");
            return EMAGE_NOMEM;
        }
    }

    rc = emage_offer(rec, kind, key, emage_json_str(entry, "pid"), version,
                     doc, stored, err);

    json_decref(doc);
    json_decref(old);

    return rc;
}
