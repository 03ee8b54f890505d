
/*
 * Copyright (C) The e-mage authors
 *
 * Whose record it is: identifiers are looked up by a keyed hash, so that Redis
 * has no list of people; the pid is random and tells nothing.
 */


#include "records_core.h"
#include "records_json.h"
#include "records_identify.h"

#include <stdlib.h>
#include <string.h>

#include <emage/identifier.h>


static emage_rc_t emage_identify_check(emage_str_t issuer, emage_str_t id,
    bool qualified, emage_error_t *err);
static emage_rc_t emage_identify_ask(emage_records_t *rec, emage_str_t key,
    emage_str_t pid, emage_str_t json, char *out, emage_error_t *err);


/*
 * The authorities of the French national identifier: 1.2.250.1.213.1.4.8 (NIR),
 * .9 (NIA) and their test and demonstration siblings.
 */

static const emage_str_t  emage_ins_issuers[] = {
    emage_str("1.2.250.1.213.1.4.8"), emage_str("1.2.250.1.213.1.4.9"),
    emage_str("1.2.250.1.213.1.4.10"), emage_str("1.2.250.1.213.1.4.11")
};


emage_rc_t
emage_records_patient_identify(emage_records_t *rec, emage_str_t issuer,
    emage_str_t id, bool qualified, char *pid, emage_error_t *err)
{
    char         new[EMAGE_PID_LEN + 1], key[EMAGE_ID_KEY_LEN];
    json_t      *doc;
    emage_rc_t   rc;
    emage_buf_t  text;
    emage_str_t  id_key, new_pid;

    rc = emage_identify_check(issuer, id, qualified, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!emage_records_random_id(new)) {
        emage_error_set(err, "patient: no random numbers");
        return EMAGE_UNAVAILABLE;
    }

    new_pid.data = new;
    new_pid.len = EMAGE_PID_LEN;
    id_key = emage_null_str;

    if (id.len > 0) {
        rc = emage_identifier_key(rec, issuer, id, key, err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        id_key.data = key;
        id_key.len = EMAGE_ID_KEY_LEN;
    }

    emage_buf_init(&text, EMAGE_RECORD_TEXT_MAX);

    doc = emage_document_patient(new_pid, (id.len == 0) ? "quarantined"
                                          : qualified ? "QUAL" : "local",
                                 issuer, id);

    if (doc == NULL || emage_document_text(doc, &text) != EMAGE_OK) {
        emage_error_set(err, "patient: the identifier is not UTF-8, or out of "
                        "memory");
        rc = EMAGE_ERROR;

    } else {
        rc = emage_identify_ask(rec, id_key, new_pid,
                                (emage_str_t) { text.data, text.len }, pid,
                                err);
    }

    emage_buf_free(&text);
    json_decref(doc);

    return rc;
}


static emage_rc_t
emage_identify_check(emage_str_t issuer, emage_str_t id, bool qualified,
    emage_error_t *err)
{
    size_t  i;

    if (id.len == 0) {
        return EMAGE_OK;
    }

    if (issuer.len == 0 || issuer.len > EMAGE_IDENTIFIER_MAX
        || id.len > EMAGE_IDENTIFIER_MAX
        || memchr(issuer.data, '|', issuer.len) != NULL
        || memchr(issuer.data, '\0', issuer.len) != NULL
        || memchr(id.data, '\0', id.len) != NULL)
    {
        emage_error_set(err, "patient: an identifier needs an issuer without "
                        "\"|\", and at most %d bytes of either",
                        EMAGE_IDENTIFIER_MAX);
        return EMAGE_ERROR;
    }

    /* an unverified INS would join what two sites have mistyped alike */

    for (i = 0;
         !qualified
         && i < sizeof(emage_ins_issuers) / sizeof(emage_ins_issuers[0]);
         i++)
    {
        if (emage_str_eq(issuer, emage_ins_issuers[i])) {
            emage_error_set(err, "patient: an INS that is not qualified joins "
                            "nothing: give the local identifier and its "
                            "issuer");
            return EMAGE_ERROR;
        }
    }

    return EMAGE_OK;
}


emage_rc_t
emage_identifier_key(emage_records_t *rec, emage_str_t issuer, emage_str_t id,
    char *key, emage_error_t *err)
{
    emage_rc_t  rc;

    rc = emage_records_load_key(rec, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (emage_identifier_hash(rec->key, issuer, id,
                              key + sizeof(EMAGE_KEY_ID) - 1)
        != EMAGE_OK)
    {
        emage_error_set(err, "patient: an identifier and its issuer have 1 to "
                        "%d bytes", EMAGE_IDENTIFIER_MAX);
        return EMAGE_ERROR;
    }

    memcpy(key, EMAGE_KEY_ID, sizeof(EMAGE_KEY_ID) - 1);

    return EMAGE_OK;
}


static emage_rc_t
emage_identify_ask(emage_records_t *rec, emage_str_t key, emage_str_t pid,
    emage_str_t json, char *out, emage_error_t *err)
{
    char          buf[EMAGE_RECORDS_KEY_MAX];
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[7], status, found;

    rc = emage_record_patient_check(json, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    argv[0] = emage_str("FCALL");
    argv[1] = emage_str("emage_identify");
    argv[2] = emage_str("2");
    argv[3] = key;
    argv[4] = emage_records_key(buf, EMAGE_KEY_PATIENT, pid);
    argv[5] = pid;
    argv[6] = json;

    rc = emage_records_call(rec, 7, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    status = emage_null_str;
    found = emage_null_str;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0) {
        status = emage_reply_str(reply->element[0]);
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 1) {
        found = emage_reply_str(reply->element[1]);
    }

    if (emage_str_eq(status, emage_str("ok")) && found.len == EMAGE_PID_LEN) {
        memcpy(out, found.data, EMAGE_PID_LEN);

    } else if (emage_str_eq(status, emage_str("unreconciled"))) {
        emage_error_set(err, "redis has started anew and is not reconciled "
                        "yet: see that \"emage-consent reconcile\" runs");
        rc = EMAGE_UNAVAILABLE;

    } else {
        emage_error_set(err, "redis: unexpected answer about a patient");
        rc = EMAGE_ERROR;
    }

    freeReplyObject(reply);

    return rc;
}


emage_rc_t
emage_records_patient_find(emage_records_t *rec, emage_str_t issuer,
    emage_str_t id, char *pid, emage_error_t *err)
{
    char          key[EMAGE_ID_KEY_LEN];
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   found;

    rc = emage_identifier_key(rec, issuer, id, key, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_records_get(rec, (emage_str_t) { key, EMAGE_ID_KEY_LEN },
                           &reply, err);

    if (rc == EMAGE_NOTFOUND) {
        emage_error_set(err, "no patient has this identifier");
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    found = emage_reply_str(reply);

    if (found.len == EMAGE_PID_LEN) {
        memcpy(pid, found.data, EMAGE_PID_LEN);

    } else {
        emage_error_set(err, "redis: damaged identifier");
        rc = EMAGE_ERROR;
    }

    freeReplyObject(reply);

    return rc;
}
