
/*
 * Copyright (C) The e-mage authors
 *
 * Opening and ending sessions.  The id is made here and told once; Redis has
 * its hash.
 */


#include "records_core.h"
#include "records_json.h"
#include "emage_session.h"

#include <stdlib.h>
#include <string.h>


#define EMAGE_KEY_SESSION  EMAGE_KEY_PREFIX "session:"


static emage_rc_t emage_session_record(json_t *claims, const char *epoch,
    int64_t idle, int64_t lifetime, emage_buf_t *text, emage_error_t *err);
static emage_rc_t emage_session_put(emage_records_t *rec, emage_str_t key,
    emage_str_t record, emage_error_t *err);
static emage_rc_t emage_session_key(char *dst, emage_str_t id,
    emage_str_t *key, emage_error_t *err);
static emage_rc_t emage_session_ended(const redisReply *reply,
    emage_ack_t *ack, emage_error_t *err);


emage_rc_t
emage_session_open(emage_records_t *rec, emage_str_t claims, int64_t idle,
    int64_t lifetime, char *id, emage_error_t *err)
{
    char            key[EMAGE_RECORDS_KEY_MAX];
    json_t         *json;
    uint8_t         bytes[EMAGE_SESSION_ID / 2];
    emage_rc_t      rc;
    emage_buf_t     text;
    emage_str_t     name;
    emage_server_t  server;

    if (lifetime < EMAGE_SESSION_IDLE_MIN || lifetime > EMAGE_SESSION_TIME_MAX
        || idle < EMAGE_SESSION_IDLE_MIN || idle > EMAGE_SESSION_TIME_MAX)
    {
        emage_error_set(err, "session: idle time and lifetime are 1 s to "
                        "366 days");
        return EMAGE_ERROR;
    }

    json = json_loadb(claims.data, claims.len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(json)
        || json_string_length(json_object_get(json, "iss")) == 0)
    {
        emage_error_set(err, "session: the claims are no JSON object that "
                        "names an issuer (iss)");
        json_decref(json);
        return EMAGE_ERROR;
    }

    emage_buf_init(&text, EMAGE_SESSION_MAX);

    rc = emage_records_server(rec, &server, err);

    if (rc == EMAGE_OK && !emage_random(bytes, sizeof(bytes))) {
        emage_error_set(err, "session: no random numbers");
        rc = EMAGE_UNAVAILABLE;
    }

    if (rc == EMAGE_OK) {
        emage_hex(id, bytes, sizeof(bytes));

        rc = emage_session_key(key, (emage_str_t) { id, EMAGE_SESSION_ID },
                               &name, err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_session_record(json, server.epoch, idle, lifetime, &text,
                                  err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_session_put(rec, name,
                               (emage_str_t) { text.data, text.len }, err);
    }

    emage_buf_free(&text);
    json_decref(json);

    return rc;
}


static emage_rc_t
emage_session_record(json_t *claims, const char *epoch, int64_t idle,
    int64_t lifetime, emage_buf_t *text, emage_error_t *err)
{
    char        *dump;
    json_t      *record;
    int64_t      now;
    emage_rc_t   rc;

    now = emage_records_now();

    record = json_pack("{s:i, s:s, s:O, s:I, s:I, s:I}", "version", 1,
                       "epoch", epoch, "claims", claims,
                       "created", (json_int_t) now,
                       "idle", (json_int_t) idle,
                       "expires", (json_int_t) (now + lifetime));

    dump = (record == NULL) ? NULL : json_dumps(record, JSON_COMPACT);
    json_decref(record);

    rc = EMAGE_OK;

    if (dump == NULL || emage_buf_add_c(text, dump) != EMAGE_OK) {
        emage_error_set(err, "session: the claims are over %d bytes, or out "
                        "of memory", EMAGE_SESSION_MAX);
        rc = EMAGE_NOMEM;
    }

    free(dump);

    return rc;
}


static emage_rc_t
emage_session_put(emage_records_t *rec, emage_str_t key, emage_str_t record,
    emage_error_t *err)
{
    emage_rc_t    rc;
    emage_str_t   argv[7], status;
    redisReply   *reply;

    argv[0] = emage_str("FCALL");
    argv[1] = emage_str("emage_session_open");
    argv[2] = emage_str("3");
    argv[3] = key;
    argv[4] = emage_str(EMAGE_KEY_EPOCH);
    argv[5] = emage_str(EMAGE_KEY_RECONCILED);
    argv[6] = record;

    rc = emage_records_call(rec, 7, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    status = (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1)
             ? emage_reply_str(reply->element[0]) : emage_null_str;

    if (!emage_str_eq(status, emage_str("ok"))) {
        emage_error_set(err, "session: redis has started anew and is not "
                        "reconciled yet: see that \"emage-consent reconcile\" "
                        "runs and try again");
        rc = EMAGE_UNAVAILABLE;
    }

    freeReplyObject(reply);

    return rc;
}


static emage_rc_t
emage_session_key(char *dst, emage_str_t id, emage_str_t *key,
    emage_error_t *err)
{
    char  hash[EMAGE_SESSION_HASH];

    if (!emage_session_hash(id, hash)) {
        emage_error_set(err, "session: an id is %d lower-case hex digits",
                        EMAGE_SESSION_ID);
        return EMAGE_ERROR;
    }

    *key = emage_records_key(dst, EMAGE_KEY_SESSION,
                             (emage_str_t) { hash, sizeof(hash) });

    return EMAGE_OK;
}


emage_rc_t
emage_session_end(emage_records_t *rec, emage_str_t id, emage_ack_t *ack,
    emage_error_t *err)
{
    char          key[EMAGE_RECORDS_KEY_MAX], nonce[EMAGE_RECORDS_ID_LEN + 1];
    int64_t       since;
    emage_rc_t    rc;
    emage_str_t   argv[10];
    redisReply   *reply;

    memset(ack, 0, sizeof(emage_ack_t));

    rc = emage_session_key(key, id, &argv[3], err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!emage_records_random_id(nonce)) {
        emage_error_set(err, "session: no random numbers");
        return EMAGE_UNAVAILABLE;
    }

    argv[0] = emage_str("FCALL");
    argv[1] = emage_str("emage_session_end");
    argv[2] = emage_str("6");
    argv[4] = emage_str(EMAGE_KEY_SEQ);
    argv[5] = emage_str(EMAGE_KEY_CHANGES);
    argv[6] = emage_str(EMAGE_KEY_LEASES);
    argv[7] = emage_str(EMAGE_KEY_EPOCH);
    argv[8] = emage_str(EMAGE_KEY_RECONCILED);
    argv[9] = emage_str_c(nonce);

    rc = emage_records_call(rec, 10, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    since = emage_records_boottime_us();
    rc = emage_session_ended(reply, ack, err);

    freeReplyObject(reply);

    if (rc == EMAGE_OK || rc == EMAGE_NOTFOUND) {
        emage_change_wait(rec, ack->seq, since, ack);
        ack->wait_us = emage_records_boottime_us() - since;
    }

    return rc;
}


static emage_rc_t
emage_session_ended(const redisReply *reply, emage_ack_t *ack,
    emage_error_t *err)
{
    emage_str_t  status;

    status = (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
             ? emage_reply_str(reply->element[0]) : emage_null_str;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2
        && emage_reply_int(reply->element[1], &ack->seq))
    {
        ack->holders = (unsigned) (reply->elements - 2) / 2;

        if (emage_str_eq(status, emage_str("ok"))) {
            return EMAGE_OK;
        }

        if (emage_str_eq(status, emage_str("none"))) {
            emage_error_set(err, "session: there is none of this id: it has "
                            "ended, or never was");
            return EMAGE_NOTFOUND;
        }
    }

    emage_error_set(err, "session: redis has started anew and is not "
                    "reconciled yet: every session of before ends with that; "
                    "see that \"emage-consent reconcile\" runs");

    return EMAGE_UNAVAILABLE;
}
