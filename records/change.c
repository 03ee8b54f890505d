
/*
 * Copyright (C) The e-mage authors
 *
 * The one way to change a record (docs/records.md, "A change"): prepare in the
 * ledger, compare and set in Redis, commit or abort in the ledger, wait for
 * every lease holder, acknowledge.
 */


#include "records_core.h"
#include "records_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <emage/consent.h>


#define EMAGE_CHANGE_WRITES_MAX  8
#define EMAGE_CHANGE_POLL        5           /* ms between polls of holders */
#define EMAGE_CHANGE_SETTLE      3000000     /* us to find out what happened */


/* A change on its way. */

typedef struct {
    emage_records_t       *rec;
    const emage_change_t  *change;
    emage_ledger_event_t   event;
    emage_buf_t            text[EMAGE_CHANGE_WRITES_MAX];    /* to Redis */
    emage_buf_t            bare[EMAGE_CHANGE_WRITES_MAX];    /* to the ledger */
    char                   key[EMAGE_CHANGE_WRITES_MAX][EMAGE_RECORDS_KEY_MAX];
    emage_str_t            keys[EMAGE_CHANGE_WRITES_MAX];
    emage_server_t         server;           /* as it was before */
    int64_t                since;            /* us, when Redis had answered */
    bool                   same;             /* nothing to change */
    emage_ack_t            ack;
} emage_change_run_t;


static emage_rc_t emage_change_check(emage_change_run_t *run,
    emage_error_t *err);
static emage_rc_t emage_change_document(emage_change_run_t *run, size_t i,
    emage_error_t *err);
static emage_rc_t emage_change_validate(const emage_record_write_t *w,
    emage_str_t text, emage_error_t *err);
static emage_rc_t emage_change_compare(emage_change_run_t *run,
    emage_error_t *err);
static emage_rc_t emage_change_same(emage_change_run_t *run, size_t i,
    bool *same, emage_error_t *err);
static emage_rc_t emage_change_prepare(emage_change_run_t *run,
    emage_error_t *err);
static emage_rc_t emage_change_apply(emage_change_run_t *run,
    emage_error_t *err);
static emage_rc_t emage_change_ask(emage_change_run_t *run,
    redisReply **reply, emage_error_t *err);
static emage_rc_t emage_change_answer(emage_change_run_t *run,
    const redisReply *reply, emage_error_t *err);
static emage_rc_t emage_change_open(emage_change_run_t *run,
    emage_error_t *err);
static emage_rc_t emage_change_finish(emage_change_run_t *run, emage_rc_t rc,
    emage_error_t *err);
static emage_rc_t emage_change_confirm(emage_change_run_t *run,
    emage_error_t *err);
static bool emage_change_behind(emage_records_t *rec, int64_t seq);
static void emage_change_expire(emage_records_t *rec, int64_t seq,
    emage_ack_t *ack);
static void emage_sleep_ms(unsigned ms);


emage_rc_t
emage_records_change(emage_records_t *rec, const emage_change_t *change,
    emage_ack_t *ack, emage_error_t *err)
{
    size_t               i;
    emage_rc_t           rc;
    emage_change_run_t  *run;

    memset(ack, 0, sizeof(emage_ack_t));

    run = calloc(1, sizeof(emage_change_run_t));
    if (run == NULL) {
        emage_error_set(err, "change: out of memory");
        return EMAGE_NOMEM;
    }

    run->rec = rec;
    run->change = change;

    for (i = 0; i < EMAGE_CHANGE_WRITES_MAX; i++) {
        emage_buf_init(&run->text[i], EMAGE_RECORD_TEXT_MAX);
        emage_buf_init(&run->bare[i], EMAGE_RECORD_TEXT_MAX);
    }

    rc = emage_change_check(run, err);

    if (rc == EMAGE_OK) {
        rc = emage_change_compare(run, err);
    }

    if (rc == EMAGE_OK && !run->same) {
        rc = emage_change_prepare(run, err);

        if (rc == EMAGE_OK) {
            rc = emage_change_apply(run, err);
            rc = emage_change_finish(run, rc, err);
        }
    }

    if (rc == EMAGE_OK) {
        emage_change_wait(rec, run->ack.seq, run->since, &run->ack);
        rc = emage_change_confirm(run, err);
    }

    if (rc == EMAGE_OK) {
        run->ack.wait_us = emage_records_boottime_us() - run->since;
        run->ack.unchanged = run->same;
        *ack = run->ack;
    }

    for (i = 0; i < EMAGE_CHANGE_WRITES_MAX; i++) {
        emage_buf_free(&run->text[i]);
        emage_buf_free(&run->bare[i]);
    }

    free(run);

    return rc;
}


static emage_rc_t
emage_change_check(emage_change_run_t *run, emage_error_t *err)
{
    size_t                 i;
    emage_rc_t             rc;
    const emage_change_t  *change;

    change = run->change;

    if (change->pid.len != EMAGE_PID_LEN || change->event == NULL
        || change->nwrites == 0
        || change->nwrites > EMAGE_CHANGE_WRITES_MAX)
    {
        emage_error_set(err, "change: needs a pid, an event and 1 to %d "
                        "documents", EMAGE_CHANGE_WRITES_MAX);
        return EMAGE_ERROR;
    }

    run->event.pid = change->pid;
    run->event.event = change->event;
    run->event.effect = change->effect;

    if (!emage_records_random_id(run->event.id)) {
        emage_error_set(err, "change: no random numbers");
        return EMAGE_UNAVAILABLE;
    }

    for (i = 0; i < change->nwrites; i++) {
        rc = emage_change_document(run, i, err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    return EMAGE_OK;
}


/* The two texts of a document: for Redis, and for the ledger. */

static emage_rc_t
emage_change_document(emage_change_run_t *run, size_t i, emage_error_t *err)
{
    json_t                      *doc, *bare;
    emage_rc_t                   rc;
    const emage_record_write_t  *w;

    w = &run->change->writes[i];

    run->keys[i] = emage_records_key(run->key[i],
                                     (w->kind == EMAGE_RECORD_STUDY)
                                     ? EMAGE_KEY_STUDY : EMAGE_KEY_PATIENT,
                                     w->key);

    if (run->keys[i].len == 0 || w->key.len == 0 || w->base < 0) {
        emage_error_set(err, "change: document %zu has no key", i + 1);
        return EMAGE_ERROR;
    }

    if (w->json.len == 0) {
        return EMAGE_OK;
    }

    rc = emage_document_parse(w->json, "change", &doc, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    bare = NULL;

    if (json_object_set_new(doc, "version", json_integer(w->base + 1)) != 0
        || emage_document_text(doc, &run->text[i]) != EMAGE_OK
        || (bare = emage_document_strip(doc)) == NULL
        || emage_document_text(bare, &run->bare[i]) != EMAGE_OK)
    {
        emage_error_set(err, "change: a document is over %d bytes, or out of "
                        "memory", EMAGE_RECORD_TEXT_MAX);
        rc = EMAGE_NOMEM;

    } else if (!emage_str_eq(emage_json_str(doc, "pid"), run->change->pid)) {
        emage_error_set(err, "change: a document of another patient");
        rc = EMAGE_ERROR;

    } else {
        rc = emage_change_validate(w, (emage_str_t) { run->text[i].data,
                                                      run->text[i].len }, err);
    }

    json_decref(bare);
    json_decref(doc);

    return rc;
}


/* Nothing goes into Redis that the guard would not understand. */

static emage_rc_t
emage_change_validate(const emage_record_write_t *w, emage_str_t text,
    emage_error_t *err)
{
    return (w->kind == EMAGE_RECORD_STUDY)
           ? emage_record_study_check(text, err)
           : emage_record_patient_check(text, err);
}


/* Whether the records may be changed now, and whether there is a change. */

static emage_rc_t
emage_change_compare(emage_change_run_t *run, emage_error_t *err)
{
    bool        same;
    size_t      i;
    emage_rc_t  rc;

    rc = emage_records_server(run->rec, &run->server, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!emage_server_reconciled(&run->server)) {
        emage_error_set(err, "redis has started anew and is not reconciled "
                        "yet: nothing was changed; see that \"emage-consent "
                        "reconcile\" runs and try again");
        return EMAGE_UNAVAILABLE;
    }

    run->same = true;

    for (i = 0; run->same && i < run->change->nwrites; i++) {
        rc = emage_change_same(run, i, &same, err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        run->same = same;
    }

    if (run->same) {
        rc = emage_records_server(run->rec, &run->server, err);
        run->ack.seq = run->server.seq;
        run->since = emage_records_boottime_us();
    }

    return rc;
}


static emage_rc_t
emage_change_same(emage_change_run_t *run, size_t i, bool *same,
    emage_error_t *err)
{
    json_t       *new, *old;
    emage_rc_t    rc;
    redisReply   *reply;

    *same = false;

    if (run->text[i].len == 0) {
        return EMAGE_OK;
    }

    rc = emage_records_get(run->rec, run->keys[i], &reply, err);

    if (rc == EMAGE_NOTFOUND) {
        return EMAGE_OK;
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    old = NULL;
    new = NULL;

    rc = emage_document_parse(emage_reply_str(reply), "record", &old, err);

    if (rc == EMAGE_OK) {
        rc = emage_document_parse((emage_str_t) { run->text[i].data,
                                                  run->text[i].len },
                                  "change", &new, err);
    }

    if (rc == EMAGE_OK) {
        *same = emage_document_same(old, new, false);
    }

    json_decref(old);
    json_decref(new);
    freeReplyObject(reply);

    return rc;
}


static emage_rc_t
emage_change_prepare(emage_change_run_t *run, emage_error_t *err)
{
    size_t         i;
    emage_rc_t     rc;
    emage_str_t    texts[EMAGE_CHANGE_WRITES_MAX];
    emage_error_t  why;

    for (i = 0; i < run->change->nwrites; i++) {
        texts[i].data = run->bare[i].data;
        texts[i].len = run->bare[i].len;
    }

    rc = emage_ledger_prepare(run->rec, &run->event, run->change->writes,
                              texts, run->change->nwrites, &why);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "%.300s: nothing was changed%s", why.text,
                        (rc == EMAGE_UNAVAILABLE
                         && run->event.effect == EMAGE_CHANGE_RESTRICT)
                        ? ", but a later replay may still apply it" : "");
    }

    return rc;
}


/*
 * Compare and set.  A lost reply leaves the outcome open: the same change is
 * asked again, and by its id Redis knows whether it was made.
 */

static emage_rc_t
emage_change_apply(emage_change_run_t *run, emage_error_t *err)
{
    bool         open;
    int64_t      start;
    emage_rc_t   rc;
    redisReply  *reply;

    open = false;
    start = emage_records_boottime_us();

    for ( ;; ) {
        rc = emage_change_ask(run, &reply, err);
        run->since = emage_records_boottime_us();

        if (rc == EMAGE_OK) {
            rc = emage_change_answer(run, reply, err);
            freeReplyObject(reply);

            return rc;
        }

        open = open || run->rec->sent;

        if (!open) {
            return rc;
        }

        if (run->since - start > EMAGE_CHANGE_SETTLE) {
            return emage_change_open(run, err);
        }

        emage_sleep_ms(50);
    }
}


static emage_rc_t
emage_change_ask(emage_change_run_t *run, redisReply **reply,
    emage_error_t *err)
{
    char         count[24], base[EMAGE_CHANGE_WRITES_MAX][24];
    size_t       i, n, docs;
    emage_str_t  argv[3 + 5 + 2 + 3 * EMAGE_CHANGE_WRITES_MAX];

    docs = run->change->nwrites;
    n = 0;

    argv[n++] = emage_str("FCALL");
    argv[n++] = emage_str("emage_change");

    argv[n].data = count;
    argv[n++].len = (size_t) snprintf(count, sizeof(count), "%zu", 5 + docs);

    argv[n++] = emage_str(EMAGE_KEY_SEQ);
    argv[n++] = emage_str(EMAGE_KEY_CHANGES);
    argv[n++] = emage_str(EMAGE_KEY_LEASES);
    argv[n++] = emage_str(EMAGE_KEY_EPOCH);
    argv[n++] = emage_str(EMAGE_KEY_RECONCILED);

    for (i = 0; i < docs; i++) {
        argv[n++] = run->keys[i];
    }

    argv[n++] = run->change->pid;
    argv[n++] = emage_str_c(run->event.id);

    for (i = 0; i < docs; i++) {
        argv[n].data = base[i];
        argv[n++].len = (size_t) snprintf(base[i], sizeof(base[i]), "%lld",
                                       (long long) run->change->writes[i].base);

        argv[n].data = run->text[i].data;
        argv[n++].len = run->text[i].len;
    }

    return emage_records_call(run->rec, n, argv, reply, err);
}


static emage_rc_t
emage_change_answer(emage_change_run_t *run, const redisReply *reply,
    emage_error_t *err)
{
    emage_str_t  status;

    status = (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0)
             ? emage_reply_str(reply->element[0]) : emage_null_str;

    if (emage_str_eq(status, emage_str("ok")) && reply->elements >= 2
        && emage_reply_int(reply->element[1], &run->ack.seq))
    {
        run->ack.holders = (unsigned) (reply->elements - 2) / 2;
        return EMAGE_OK;
    }

    if (emage_str_eq(status, emage_str("conflict"))) {
        emage_error_set(err, "change: the record was changed by someone else "
                        "in between: read it again");
        return EMAGE_CONFLICT;
    }

    /* reconcile has seen the prepared change, or will */

    if (emage_str_eq(status, emage_str("unreconciled"))) {
        emage_error_set(err, "redis has started anew");
        return emage_change_open(run, err);
    }

    emage_error_set(err, "redis: unexpected answer to a change");

    return emage_change_open(run, err);
}


/* The outcome is not known, and the ledger must not claim one. */

static emage_rc_t
emage_change_open(emage_change_run_t *run, emage_error_t *err)
{
    emage_error_t  why;

    run->rec->sent = true;

    if (err != NULL) {
        why = *err;
        emage_error_set(err, "%.300s: not acknowledged; the change may still "
                        "take effect, \"emage-consent reconcile\" will settle "
                        "it", why.text);
    }

    return EMAGE_NOTFOUND;
}


/* Step 3: the outcome in the ledger. */

static emage_rc_t
emage_change_finish(emage_change_run_t *run, emage_rc_t rc,
    emage_error_t *err)
{
    emage_error_t  why;

    if (rc == EMAGE_NOTFOUND) {
        return EMAGE_UNAVAILABLE;
    }

    if (rc != EMAGE_OK) {

        if (emage_ledger_abort(run->rec, run->event.id,
                               (rc == EMAGE_CONFLICT) ? "conflict"
                                                      : "not applied", &why)
            != EMAGE_OK)
        {
            (void) emage_change_open(run, err);
            return EMAGE_UNAVAILABLE;
        }

        if (rc != EMAGE_CONFLICT && err != NULL) {
            why = *err;
            emage_error_set(err, "%.400s: nothing was changed", why.text);
        }

        return rc;
    }

    rc = emage_ledger_commit(run->rec, run->event.id, run->ack.seq, &why);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "%.300s: the change is in effect but not "
                        "acknowledged; \"emage-consent reconcile\" will "
                        "settle it", why.text);
        return EMAGE_UNAVAILABLE;
    }

    return EMAGE_OK;
}


static bool
emage_change_behind(emage_records_t *rec, int64_t seq)
{
    bool          behind;
    char          number[24];
    redisReply   *reply;
    emage_str_t   argv[5];

    argv[0] = emage_str("FCALL_RO");
    argv[1] = emage_str("emage_holders");
    argv[2] = emage_str("1");
    argv[3] = emage_str(EMAGE_KEY_LEASES);
    argv[4].data = number;
    argv[4].len = (size_t) snprintf(number, sizeof(number), "%lld",
                                    (long long) seq);

    if (emage_records_call(rec, 5, argv, &reply, NULL) != EMAGE_OK) {
        return true;
    }

    behind = (reply->type != REDIS_REPLY_ARRAY || reply->elements > 0);

    freeReplyObject(reply);

    return behind;
}


static void
emage_change_expire(emage_records_t *rec, int64_t seq, emage_ack_t *ack)
{
    char          number[24];
    int64_t       n;
    redisReply   *reply;
    emage_str_t   argv[5];

    argv[0] = emage_str("FCALL");
    argv[1] = emage_str("emage_expire");
    argv[2] = emage_str("1");
    argv[3] = emage_str(EMAGE_KEY_LEASES);
    argv[4].data = number;
    argv[4].len = (size_t) snprintf(number, sizeof(number), "%lld",
                                    (long long) seq);

    if (emage_records_call(rec, 5, argv, &reply, NULL) != EMAGE_OK) {

        /* no node below the sequence is given a lease; it is over anyway */

        return;
    }

    if (emage_reply_int(reply, &n) && n > 0) {
        ack->expired = (unsigned) n;
    }

    freeReplyObject(reply);
}


void
emage_change_wait(emage_records_t *rec, int64_t seq, int64_t since,
    emage_ack_t *ack)
{
    int64_t  left;

    for ( ;; ) {

        if (!emage_change_behind(rec, seq)) {
            return;
        }

        left = EMAGE_LEASE_WAIT - (emage_records_boottime_us() - since) / 1000;

        if (left <= 0) {
            break;
        }

        emage_sleep_ms((left < EMAGE_CHANGE_POLL) ? (unsigned) left
                                                  : EMAGE_CHANGE_POLL);
    }

    emage_change_expire(rec, seq, ack);
}


/*
 * A server that was replaced meanwhile may have forgotten the change: then the
 * ledger brings it back, but this process cannot promise when.
 */

static emage_rc_t
emage_change_confirm(emage_change_run_t *run, emage_error_t *err)
{
    emage_rc_t      rc;
    emage_server_t  now;

    rc = emage_records_server(run->rec, &now, NULL);

    if (rc == EMAGE_UNAVAILABLE) {

        /*
         * Recorded, and every lease has run out: whatever comes back begins
         * unreconciled and then has the change from the ledger.
         */

        return EMAGE_OK;
    }

    if (rc != EMAGE_OK) {
        emage_error_set(err, "redis: unexpected answer about its state: "
                        "recorded, but not acknowledged");
        return EMAGE_UNAVAILABLE;
    }

    if (!emage_str_eq(emage_str_c(now.run_id),
                      emage_str_c(run->server.run_id))
        || (now.epoch[0] != '\0'
            && !emage_str_eq(emage_str_c(now.epoch),
                             emage_str_c(run->server.epoch))))
    {
        emage_error_set(err, "redis was replaced during the change: recorded, "
                        "but not acknowledged; try again");
        return EMAGE_UNAVAILABLE;
    }

    return EMAGE_OK;
}


static void
emage_sleep_ms(unsigned ms)
{
    struct timespec  ts;

    ts.tv_sec = ms / 1000;
    ts.tv_nsec = (long) (ms % 1000) * 1000000;

    (void) nanosleep(&ts, NULL);
}
