
/*
 * Copyright (C) The e-mage authors
 *
 * The reconciler: watches which server process answers and what it has.
 */


#include "emage_reconcile.h"
#include "init.h"
#include "replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>


#define EMAGE_SETTLE_EVERY  5000             /* ms between looks for them */
#define EMAGE_SETTLE_SHARE  20               /* of the time, spent on them */


struct emage_reconciler_s {
    emage_records_t         *rec;
    int64_t                  settle_ms;
    bool                     without_ledger;
    emage_reconcile_log_pt   log;
    void                    *data;

    bool                     started;        /* has looked at the ledgers */
    emage_server_t           seen;           /* as last found reconciled */
    char                     run_id[65];     /* found unreconciled ... */
    int64_t                  since;          /* ... at, us of BOOTTIME */
    int64_t                  settled;        /* last look, us of BOOTTIME */
    int64_t                  pause;          /* us until the next */
    uint64_t                 signature;      /* ledgers with nothing open */
    emage_error_t            said;           /* last trouble that was logged */
};


static void emage_reconciler_say(emage_reconciler_t *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static emage_rc_t emage_reconciler_look(emage_reconciler_t *r,
    emage_error_t *err);
static emage_rc_t emage_reconciler_healthy(emage_reconciler_t *r,
    const emage_server_t *server, emage_error_t *err);
static emage_rc_t emage_reconciler_fence(emage_reconciler_t *r,
    const char *why, emage_error_t *err);
static emage_rc_t emage_reconciler_settle(emage_reconciler_t *r,
    const emage_server_t *server, emage_error_t *err);
static emage_rc_t emage_reconciler_run(emage_reconciler_t *r,
    const emage_server_t *server, emage_error_t *err);
static emage_rc_t emage_reconciler_found(void *data, emage_str_t study);
static emage_rc_t emage_reconciler_lost(emage_reconciler_t *r,
    const emage_ledgers_t *ledgers, emage_error_t *err);
static emage_rc_t emage_reconciler_fill(emage_reconciler_t *r,
    emage_ledgers_t *ledgers, emage_error_t *err);
static void emage_reconciler_settled(void *data, const char *text);


emage_rc_t
emage_reconciler_create(const emage_records_conf_t *conf, int64_t settle_ms,
    bool without_ledger, emage_reconcile_log_pt log, void *data,
    emage_reconciler_t **out, emage_error_t *err)
{
    emage_rc_t           rc;
    emage_reconciler_t  *r;

    *out = NULL;

    r = calloc(1, sizeof(emage_reconciler_t));
    if (r == NULL) {
        emage_error_set(err, "out of memory");
        return EMAGE_NOMEM;
    }

    rc = emage_records_open_unchecked(conf, &r->rec, err);

    if (rc != EMAGE_OK) {
        free(r);
        return rc;
    }

    r->settle_ms = settle_ms;
    r->without_ledger = without_ledger;
    r->log = log;
    r->data = data;

    *out = r;

    return EMAGE_OK;
}


void
emage_reconciler_destroy(emage_reconciler_t *r)
{
    if (r == NULL) {
        return;
    }

    emage_records_close(r->rec);
    free(r);
}


static void
emage_reconciler_say(emage_reconciler_t *r, const char *fmt, ...)
{
    char     text[600];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    r->log(r->data, text);
}


static void
emage_reconciler_settled(void *data, const char *text)
{
    emage_reconciler_t  *r = data;

    r->log(r->data, text);
}


emage_rc_t
emage_reconciler_step(emage_reconciler_t *r, emage_error_t *err)
{
    emage_rc_t     rc;
    emage_error_t  why;

    why.text[0] = '\0';

    rc = emage_reconciler_look(r, &why);

    if (rc != EMAGE_OK && why.text[0] != '\0'
        && !emage_str_eq(emage_str_c(why.text), emage_str_c(r->said.text)))
    {
        r->said = why;
        emage_reconciler_say(r, "%s", why.text);
    }

    if (rc == EMAGE_OK) {
        r->said.text[0] = '\0';
    }

    if (err != NULL) {
        *err = why;
    }

    return rc;
}


static emage_rc_t
emage_reconciler_look(emage_reconciler_t *r, emage_error_t *err)
{
    int64_t         now;
    emage_rc_t      rc;
    emage_server_t  server;

    rc = emage_records_server(r->rec, &server, err);

    if (rc == EMAGE_OK) {
        rc = emage_records_locate(r->rec, err);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    if (emage_server_reconciled(&server)) {
        r->run_id[0] = '\0';
        return emage_reconciler_healthy(r, &server, err);
    }

    now = emage_records_boottime_us();

    if (!emage_str_eq(emage_str_c(r->run_id), emage_str_c(server.run_id))) {
        memcpy(r->run_id, server.run_id, sizeof(r->run_id));
        memset(&r->seen, 0, sizeof(emage_server_t));
        r->since = now;

        emage_reconciler_say(r, "redis is not reconciled: nothing is permitted "
                             "until it is");
    }

    rc = emage_init_functions(r->rec, NULL, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    /* every lease that an earlier server process gave must have run out */

    if (now - r->since < EMAGE_LEASE_WAIT * 1000) {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_reconciler_run(r, &server, err);

    if (rc == EMAGE_OK) {
        r->run_id[0] = '\0';
    }

    return rc;
}


static emage_rc_t
emage_reconciler_healthy(emage_reconciler_t *r, const emage_server_t *server,
    emage_error_t *err)
{
    int64_t     now;
    emage_rc_t  rc;

    if (r->seen.epoch[0] != '\0' && server->seq < r->seen.seq
        && emage_str_eq(emage_str_c(r->seen.epoch),
                        emage_str_c(server->epoch)))
    {
        return emage_reconciler_fence(r, "its data went back in time", err);
    }

    if (r->seen.epoch[0] == '\0') {
        emage_reconciler_say(r, "redis is reconciled (sequence %lld)",
                             (long long) server->seq);
    }

    r->seen = *server;

    now = emage_records_boottime_us();

    if (r->started && now - r->settled < r->pause) {
        return EMAGE_OK;
    }

    rc = emage_reconciler_settle(r, server, err);

    r->settled = emage_records_boottime_us();
    r->pause = (r->settled - now) * EMAGE_SETTLE_SHARE;

    if (r->pause < EMAGE_SETTLE_EVERY * 1000) {
        r->pause = EMAGE_SETTLE_EVERY * 1000;
    }

    return rc;
}


/* Takes the server's permission away, so that it is reconciled again. */

static emage_rc_t
emage_reconciler_fence(emage_reconciler_t *r, const char *why,
    emage_error_t *err)
{
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[2];

    argv[0] = emage_str("DEL");
    argv[1] = emage_str(EMAGE_KEY_RECONCILED);

    rc = emage_records_call(r->rec, 2, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    freeReplyObject(reply);

    memset(&r->seen, 0, sizeof(emage_server_t));
    emage_error_set(err, "redis: %s: reconciling", why);

    return EMAGE_UNAVAILABLE;
}


/* Changes whose writer has died; and whether Redis is behind the ledgers. */

static emage_rc_t
emage_reconciler_settle(emage_reconciler_t *r, const emage_server_t *server,
    emage_error_t *err)
{
    uint64_t         signature;
    emage_rc_t       rc;
    emage_settle_t   settle;
    emage_ledgers_t  ledgers;

    signature = emage_ledger_signature(r->rec);

    if (r->started && signature != 0 && signature == r->signature) {
        return EMAGE_OK;
    }

    rc = emage_ledgers_read(r->rec, false, &ledgers, err);

    if (rc == EMAGE_OK && !r->started && ledgers.number > server->seq) {
        emage_ledgers_free(&ledgers);
        return emage_reconciler_fence(r, "it is behind the ledgers", err);
    }

    if (rc == EMAGE_OK) {
        r->started = true;

        memset(&settle, 0, sizeof(settle));

        settle.rec = r->rec;
        settle.ledgers = &ledgers;
        settle.before = emage_records_now() - r->settle_ms;
        settle.log = emage_reconciler_settled;
        settle.data = r;

        rc = emage_settle(&settle, err);

        r->signature = (rc == EMAGE_OK && json_object_size(ledgers.open) == 0)
                       ? signature : 0;
    }

    emage_ledgers_free(&ledgers);

    return rc;
}


static emage_rc_t
emage_reconciler_run(emage_reconciler_t *r, const emage_server_t *server,
    emage_error_t *err)
{
    char             epoch[EMAGE_RECORDS_ID_LEN + 1], number[24];
    emage_rc_t       rc;
    redisReply      *reply;
    emage_str_t      argv[9];
    emage_ledgers_t  ledgers;

    rc = emage_ledgers_read(r->rec, true, &ledgers, err);

    if (rc == EMAGE_OK && !r->without_ledger) {
        rc = emage_reconciler_lost(r, &ledgers, err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_reconciler_fill(r, &ledgers, err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_init_announce(r->rec, err);
    }

    if (rc == EMAGE_OK && !emage_records_random_id(epoch)) {
        emage_error_set(err, "no random numbers");
        rc = EMAGE_UNAVAILABLE;
    }

    if (rc == EMAGE_OK) {
        argv[0] = emage_str("FCALL");
        argv[1] = emage_str("emage_reconciled");
        argv[2] = emage_str("3");
        argv[3] = emage_str(EMAGE_KEY_EPOCH);
        argv[4] = emage_str(EMAGE_KEY_RECONCILED);
        argv[5] = emage_str(EMAGE_KEY_SEQ);
        argv[6] = emage_str_c(epoch);
        argv[7] = emage_str_c(server->run_id);
        argv[8].data = number;
        argv[8].len = (size_t) snprintf(number, sizeof(number), "%lld",
                                        (long long) ledgers.number);

        rc = emage_records_call(r->rec, 9, argv, &reply, err);
    }

    if (rc == EMAGE_OK) {
        freeReplyObject(reply);

        r->started = true;
        r->pause = 0;

        /* from here on it must not go back */

        r->seen = *server;
        memcpy(r->seen.epoch, epoch, sizeof(epoch));
        r->seen.seq = 1 + ((ledgers.number > server->seq) ? ledgers.number
                                                          : server->seq);

        emage_reconciler_say(r, "redis is reconciled (sequence %lld)",
                             (long long) r->seen.seq);
    }

    emage_ledgers_free(&ledgers);

    return rc;
}


/* A study record is only ever written through the ledger. */

static emage_rc_t
emage_reconciler_found(void *data, emage_str_t study)
{
    bool  *found = data;

    (void) study;

    *found = true;

    return EMAGE_NOTFOUND;
}


/*
 * Redis has studies and the ledgers tell of no change: they were lost, or are
 * not those of this installation.  Nobody knows then what Redis has forgotten.
 */

static emage_rc_t
emage_reconciler_lost(emage_reconciler_t *r, const emage_ledgers_t *ledgers,
    emage_error_t *err)
{
    bool        found;
    emage_rc_t  rc;

    if (ledgers->number > 0) {
        return EMAGE_OK;
    }

    found = false;

    rc = emage_records_studies(r->rec, emage_null_str, emage_reconciler_found,
                               &found, err);

    if (found) {
        emage_error_set(err, "redis has studies, but the ledgers in %.200s "
                        "tell of no change: restore them, or give --journal; "
                        "--without-ledger accepts that changes may be lost",
                        r->rec->journal);
        return EMAGE_ERROR;
    }

    return rc;
}


static emage_rc_t
emage_reconciler_fill(emage_reconciler_t *r, emage_ledgers_t *ledgers,
    emage_error_t *err)
{
    unsigned         offered;
    emage_rc_t       rc;
    emage_settle_t   settle;
    emage_rebuild_t  rebuild;

    rc = emage_offer_committed(r->rec, ledgers, &offered, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    memset(&settle, 0, sizeof(settle));

    settle.rec = r->rec;
    settle.ledgers = ledgers;
    settle.offline = true;
    settle.before = INT64_MAX;
    settle.log = emage_reconciler_settled;
    settle.data = r;

    rc = emage_settle(&settle, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (settle.number > ledgers->number) {
        ledgers->number = settle.number;
    }

    rc = emage_rebuild(r->rec, &rebuild, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    emage_reconciler_say(r, "from %llu ledger records: %u documents offered "
                         "again, %zu unfinished changes settled; from the "
                         "store: %u studies, %u patients rebuilt",
                         (unsigned long long) ledgers->records, offered,
                         json_object_size(ledgers->open), rebuild.studies,
                         rebuild.patients);

    if (rebuild.unreadable > 0) {
        emage_reconciler_say(r, "%u studies of the store have no usable "
                             "study.json: run \"emage-store verify\"",
                             rebuild.unreadable);
    }

    return EMAGE_OK;
}
