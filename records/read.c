
/*
 * Copyright (C) The e-mage authors
 *
 * Reading records.
 */


#include "records_core.h"
#include "records_json.h"

#include <stdlib.h>
#include <string.h>


#define EMAGE_SCAN_COUNT  "500"


static emage_rc_t emage_record_get(emage_records_t *rec, const char *prefix,
    emage_str_t name, emage_buf_t *json, int64_t *version,
    emage_error_t *err);
static emage_rc_t emage_records_scan_page(emage_records_t *rec,
    emage_str_t pid, emage_buf_t *cursor, emage_records_study_pt each,
    void *data, emage_error_t *err);
static emage_rc_t emage_records_scan_study(const redisReply *item,
    bool all, emage_records_study_pt each, void *data);


emage_rc_t
emage_records_study_get(emage_records_t *rec, emage_str_t study,
    emage_buf_t *json, int64_t *version, emage_error_t *err)
{
    return emage_record_get(rec, EMAGE_KEY_STUDY, study, json, version, err);
}


emage_rc_t
emage_records_patient_get(emage_records_t *rec, emage_str_t pid,
    emage_buf_t *json, int64_t *version, emage_error_t *err)
{
    return emage_record_get(rec, EMAGE_KEY_PATIENT, pid, json, version, err);
}


static emage_rc_t
emage_record_get(emage_records_t *rec, const char *prefix, emage_str_t name,
    emage_buf_t *json, int64_t *version, emage_error_t *err)
{
    bool          deleted;
    char          buf[EMAGE_RECORDS_KEY_MAX];
    json_t       *doc;
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   key, text;

    *version = 0;

    key = emage_records_key(buf, prefix, name);

    if (key.len == 0 || name.len == 0) {
        emage_error_set(err, "record: the name is empty or too long");
        return EMAGE_NOTFOUND;
    }

    rc = emage_records_get(rec, key, &reply, err);

    if (rc == EMAGE_NOTFOUND) {
        emage_error_set(err, "%.*s: no such record", (int) key.len, key.data);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    text = emage_reply_str(reply);

    rc = emage_document_parse(text, "record", &doc, err);

    if (rc == EMAGE_OK) {
        *version = emage_document_version(doc);
        deleted = emage_document_deleted(doc);

        json_decref(doc);

        if (deleted) {
            emage_error_set(err, "%.*s: was deleted", (int) key.len, key.data);
            rc = EMAGE_NOTFOUND;

        } else if (emage_buf_add_str(json, text) != EMAGE_OK) {
            emage_error_set(err, "record: out of memory");
            rc = EMAGE_NOMEM;
        }
    }

    freeReplyObject(reply);

    return rc;
}


emage_rc_t
emage_records_studies(emage_records_t *rec, emage_str_t pid,
    emage_records_study_pt each, void *data, emage_error_t *err)
{
    emage_rc_t   rc;
    emage_buf_t  cursor;

    emage_buf_init(&cursor, 64);
    (void) emage_buf_add_c(&cursor, "0");

    do {
        rc = emage_records_scan_page(rec, pid, &cursor, each, data, err);

    } while (rc == EMAGE_OK
             && !emage_str_eq((emage_str_t) { cursor.data, cursor.len },
                              emage_str("0")));

    emage_buf_free(&cursor);

    return rc;
}


/* One page of SSCAN (a patient's studies) or SCAN (all); moves `cursor`. */

static emage_rc_t
emage_records_scan_page(emage_records_t *rec, emage_str_t pid,
    emage_buf_t *cursor, emage_records_study_pt each, void *data,
    emage_error_t *err)
{
    char          buf[EMAGE_RECORDS_KEY_MAX];
    bool          all;
    size_t        i, n;
    emage_rc_t    rc;
    redisReply   *reply, *items;
    emage_str_t   argv[8], next;

    all = (pid.len == 0);
    n = 0;

    if (all) {
        argv[n++] = emage_str("SCAN");

    } else {
        argv[n++] = emage_str("SSCAN");
        argv[n++] = emage_records_key(buf, EMAGE_KEY_STUDIES, pid);
    }

    argv[n++] = (emage_str_t) { cursor->data, cursor->len };
    argv[n++] = emage_str("COUNT");
    argv[n++] = emage_str(EMAGE_SCAN_COUNT);

    if (all) {
        argv[n++] = emage_str("MATCH");
        argv[n++] = emage_str(EMAGE_KEY_STUDY "*");
    }

    rc = emage_records_call(rec, n, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[1]->type != REDIS_REPLY_ARRAY)
    {
        freeReplyObject(reply);
        emage_error_set(err, "redis: unexpected answer to a scan");
        return EMAGE_ERROR;
    }

    items = reply->element[1];

    for (i = 0; rc == EMAGE_OK && i < items->elements; i++) {
        rc = emage_records_scan_study(items->element[i], all, each, data);
    }

    next = emage_reply_str(reply->element[0]);

    emage_buf_reset(cursor);

    if (rc == EMAGE_OK && emage_buf_add_str(cursor, next) != EMAGE_OK) {
        emage_error_set(err, "redis: unexpected cursor of a scan");
        rc = EMAGE_ERROR;
    }

    freeReplyObject(reply);

    return rc;
}


static emage_rc_t
emage_records_scan_study(const redisReply *item, bool all,
    emage_records_study_pt each, void *data)
{
    size_t       skip;
    emage_str_t  s;

    s = emage_reply_str(item);
    skip = all ? sizeof(EMAGE_KEY_STUDY) - 1 : 0;

    if (s.len <= skip) {
        return EMAGE_OK;
    }

    s.data += skip;
    s.len -= skip;

    return each(data, s);
}
