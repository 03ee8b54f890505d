
/*
 * Copyright (C) The e-mage authors
 *
 * Changes that nobody finished.  What Redis has is committed.  Of the rest a
 * restriction is applied, a grant is not, and what touches no one's rights is
 * applied if its base still stands.
 */


#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define EMAGE_SETTLE_DOCS  8


/* One unfinished change against the documents as they are now. */

typedef struct {
    emage_settle_t        *settle;
    const char            *id;
    const json_t          *record;
    size_t                 n;
    json_t                *doc[EMAGE_SETTLE_DOCS];    /* NULL: delete */
    json_t                *now[EMAGE_SETTLE_DOCS];    /* NULL: none */
    int64_t                version[EMAGE_SETTLE_DOCS];
    emage_buf_t            text[EMAGE_SETTLE_DOCS];
    emage_record_write_t   writes[EMAGE_SETTLE_DOCS];
} emage_settle_run_t;


static emage_rc_t emage_settle_one(emage_settle_t *settle, const char *id,
    const json_t *record, const redisReply *changes, emage_error_t *err);
static emage_rc_t emage_settle_load(emage_settle_run_t *run,
    emage_error_t *err);
static int64_t emage_settle_made(const emage_settle_run_t *run,
    const redisReply *changes, int64_t seq);
static bool emage_settle_stands(const emage_settle_run_t *run);
static emage_rc_t emage_settle_merge(emage_settle_run_t *run, bool *same,
    emage_error_t *err);
static emage_rc_t emage_settle_apply(emage_settle_run_t *run,
    emage_error_t *err);
static emage_rc_t emage_settle_offer(emage_settle_run_t *run,
    emage_change_effect_t effect, emage_error_t *err);
static emage_rc_t emage_settle_changes(emage_records_t *rec,
    redisReply **changes, int64_t *seq, emage_error_t *err);
static void emage_settle_say(emage_settle_run_t *run, const char *what);
static void emage_settle_free(emage_settle_run_t *run);


emage_rc_t
emage_settle(emage_settle_t *settle, emage_error_t *err)
{
    void        *iter;
    emage_rc_t   rc;
    redisReply  *changes;

    if (json_object_size(settle->ledgers->open) == 0) {
        return EMAGE_OK;
    }

    rc = emage_settle_changes(settle->rec, &changes, &settle->number, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (settle->ledgers->number > settle->number) {
        settle->number = settle->ledgers->number;
    }

    settle->number++;

    for (iter = json_object_iter(settle->ledgers->open);
         iter != NULL && rc == EMAGE_OK;
         iter = json_object_iter_next(settle->ledgers->open, iter))
    {
        if (emage_ledger_time(json_object_iter_value(iter))
            >= settle->before)
        {
            continue;
        }

        rc = emage_settle_one(settle, json_object_iter_key(iter),
                              json_object_iter_value(iter), changes, err);

        if (rc == EMAGE_CONFLICT) {

            /* changed in between: the next pass looks again */

            rc = EMAGE_OK;
        }
    }

    freeReplyObject(changes);

    return rc;
}


static emage_rc_t
emage_settle_changes(emage_records_t *rec, redisReply **changes,
    int64_t *seq, emage_error_t *err)
{
    emage_rc_t      rc;
    emage_str_t     argv[4];
    emage_server_t  server;

    rc = emage_records_server(rec, &server, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    *seq = server.seq;

    argv[0] = emage_str("LRANGE");
    argv[1] = emage_str(EMAGE_KEY_CHANGES);
    argv[2] = emage_str("0");
    argv[3] = emage_str("-1");

    rc = emage_records_call(rec, 4, argv, changes, err);

    if (rc == EMAGE_OK && (*changes)->type != REDIS_REPLY_ARRAY) {
        freeReplyObject(*changes);
        *changes = NULL;
        emage_error_set(err, "redis: unexpected answer about the changes");
        rc = EMAGE_ERROR;
    }

    return rc;
}


static emage_rc_t
emage_settle_one(emage_settle_t *settle, const char *id,
    const json_t *record, const redisReply *changes, emage_error_t *err)
{
    int64_t              number;
    emage_rc_t           rc;
    emage_str_t          effect;
    emage_settle_run_t   run;

    memset(&run, 0, sizeof(run));

    run.settle = settle;
    run.id = id;
    run.record = record;

    rc = emage_settle_load(&run, err);

    if (rc != EMAGE_OK) {
        goto done;
    }

    effect = emage_json_str(record, "effect");
    number = emage_settle_made(&run, changes, settle->number - 1);

    if (number > 0) {
        emage_settle_say(&run, "had been made: committed");
        rc = emage_ledger_commit(settle->rec, id, number, err);

    } else if (emage_str_eq(effect, emage_str("restrict"))
               || (emage_str_eq(effect, emage_str("neutral"))
                   && emage_settle_stands(&run)))
    {
        rc = emage_settle_apply(&run, err);

    } else {
        emage_settle_say(&run, "was not made: dropped");
        rc = emage_ledger_abort(settle->rec, id, "never made", err);
    }

done:

    emage_settle_free(&run);

    return rc;
}


static emage_rc_t
emage_settle_load(emage_settle_run_t *run, emage_error_t *err)
{
    size_t         i;
    json_t        *docs, *body;
    emage_rc_t     rc;
    const json_t  *doc;

    docs = json_object_get(run->record, "docs");
    run->n = json_array_size(docs);

    for (i = 0; i < EMAGE_SETTLE_DOCS; i++) {
        emage_buf_init(&run->text[i], EMAGE_RECORD_TEXT_MAX);
    }

    if (run->n > EMAGE_SETTLE_DOCS) {
        run->n = 0;
        emage_error_set(err, "ledger: change %s has too many documents",
                        run->id);
        return EMAGE_ERROR;
    }

    for (i = 0; i < run->n; i++) {
        doc = json_array_get(docs, i);
        body = json_object_get(doc, "doc");

        run->writes[i].kind = emage_ledger_kind(doc);
        run->writes[i].key = emage_json_str(doc, "key");
        run->writes[i].base = emage_json_int(doc, "base");

        rc = emage_offer_current(run->settle->rec, run->writes[i].kind,
                                 run->writes[i].key, &run->now[i],
                                 &run->version[i], err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        if (json_is_null(body)) {
            continue;
        }

        run->doc[i] = json_deep_copy(body);

        if (run->doc[i] == NULL
            || !emage_document_adopt(run->doc[i], run->now[i]))
        {
            emage_error_set(err, "ledger: out of memory");
            return EMAGE_NOMEM;
        }
    }

    return EMAGE_OK;
}


/* The number under which Redis made the change, 0 if it did not. */

static int64_t
emage_settle_made(const emage_settle_run_t *run, const redisReply *changes,
    int64_t seq)
{
    size_t        i, len;
    int64_t       number;
    emage_str_t   entry;

    len = strlen(run->id);

    for (i = 0; i < changes->elements; i++) {
        entry = emage_reply_str(changes->element[i]);

        if (entry.len > len + 1 && entry.data[entry.len - len - 1] == ':'
            && memcmp(entry.data + entry.len - len, run->id, len) == 0)
        {
            number = strtoll(entry.data, NULL, 10);
            return (number > 0) ? number : seq;
        }
    }

    for (i = 0; i < run->n; i++) {

        if (run->version[i] != run->writes[i].base + 1) {
            return 0;
        }

        if (run->doc[i] == NULL || run->now[i] == NULL) {

            if (run->doc[i] != run->now[i]) {
                return 0;
            }

            continue;
        }

        if (!emage_document_same(run->doc[i], run->now[i], true)) {
            return 0;
        }
    }

    return (seq > 0) ? seq : 1;
}


static bool
emage_settle_stands(const emage_settle_run_t *run)
{
    size_t  i;

    for (i = 0; i < run->n; i++) {
        if (run->version[i] != run->writes[i].base) {
            return false;
        }
    }

    return true;
}


/*
 * The documents to write now.  `same`: the records already say it.  A record
 * that is gone stays gone.
 */

static emage_rc_t
emage_settle_merge(emage_settle_run_t *run, bool *same, emage_error_t *err)
{
    size_t   i, n;
    json_t  *merged;

    n = 0;
    *same = true;

    for (i = 0; i < run->n; i++) {

        if (run->version[i] != run->writes[i].base) {

            if (run->now[i] == NULL || run->doc[i] == NULL) {
                continue;
            }

            merged = json_deep_copy(run->now[i]);

            if (merged == NULL
                || emage_document_meet(run->writes[i].kind, merged,
                                       run->doc[i]) != EMAGE_OK)
            {
                json_decref(merged);
                goto nomem;
            }

            json_decref(run->doc[i]);
            run->doc[i] = merged;
        }

        if (run->doc[i] == NULL || run->now[i] == NULL
            || !emage_document_same(run->doc[i], run->now[i], false))
        {
            *same = false;
        }

        if (run->doc[i] != NULL
            && (json_object_set_new(run->doc[i], "version",
                                    json_integer(run->version[i] + 1)) != 0
                || emage_document_text(run->doc[i], &run->text[n])
                   != EMAGE_OK))
        {
            goto nomem;
        }

        run->writes[n] = run->writes[i];
        run->writes[n].base = run->version[i];
        run->writes[n].json = (emage_str_t) { run->text[n].data,
                                              run->text[n].len };

        if (n != i) {
            json_decref(run->doc[n]);
            run->doc[n] = run->doc[i];
            run->doc[i] = NULL;
        }

        n++;
    }

    for (i = n; i < run->n; i++) {
        json_decref(run->doc[i]);
        run->doc[i] = NULL;
    }

    run->n = n;

    if (n == 0) {
        *same = true;
    }

    return EMAGE_OK;

nomem:

    emage_error_set(err, "ledger: out of memory");

    return EMAGE_NOMEM;
}


/*
 * Made as a change of its own, so that the ledger has what was written; the
 * unfinished one is closed after it.
 */

static emage_rc_t
emage_settle_apply(emage_settle_run_t *run, emage_error_t *err)
{
    bool                   same;
    size_t                 all;
    emage_rc_t             rc;
    emage_ack_t            ack;
    emage_change_t         change;
    emage_change_effect_t  effect;

    effect = emage_str_eq(emage_json_str(run->record, "effect"),
                          emage_str("restrict"))
             ? EMAGE_CHANGE_RESTRICT : EMAGE_CHANGE_NEUTRAL;

    all = run->n;
    rc = emage_settle_merge(run, &same, err);

    if (rc == EMAGE_OK && !same) {

        if (run->settle->offline) {
            rc = emage_settle_offer(run, effect, err);

        } else {
            change.pid = emage_json_str(run->record, "pid");
            change.event = emage_json_str(run->record, "event").data;
            change.effect = effect;
            change.writes = run->writes;
            change.nwrites = run->n;

            rc = emage_records_change(run->settle->rec, &change, &ack, err);
        }
    }

    run->n = all;

    if (rc != EMAGE_OK) {
        return rc;
    }

    emage_settle_say(run, same ? "was overtaken: nothing left to do"
                               : "was not finished: applied");

    return emage_ledger_abort(run->settle->rec, run->id, "replayed", err);
}


/* The server is not reconciled: nobody else writes, and no one is served. */

static emage_rc_t
emage_settle_offer(emage_settle_run_t *run, emage_change_effect_t effect,
    emage_error_t *err)
{
    bool                   stored;
    size_t                 i;
    json_t                *bare;
    emage_rc_t             rc;
    emage_str_t            texts[EMAGE_SETTLE_DOCS];
    emage_buf_t            bares[EMAGE_SETTLE_DOCS];
    emage_records_t       *rec;
    emage_ledger_event_t   event;

    rec = run->settle->rec;

    if (!emage_records_random_id(event.id)) {
        emage_error_set(err, "ledger: no random numbers");
        return EMAGE_UNAVAILABLE;
    }

    event.pid = emage_json_str(run->record, "pid");
    event.event = emage_json_str(run->record, "event").data;
    event.effect = effect;

    rc = EMAGE_OK;

    for (i = 0; i < run->n; i++) {
        emage_buf_init(&bares[i], EMAGE_RECORD_TEXT_MAX);
        texts[i] = emage_null_str;

        if (rc != EMAGE_OK || run->doc[i] == NULL) {
            continue;
        }

        bare = emage_document_strip(run->doc[i]);

        if (bare == NULL || emage_document_text(bare, &bares[i]) != EMAGE_OK) {
            emage_error_set(err, "ledger: out of memory");
            rc = EMAGE_NOMEM;
        }

        json_decref(bare);
        texts[i] = (emage_str_t) { bares[i].data, bares[i].len };
    }

    if (rc == EMAGE_OK) {
        rc = emage_ledger_prepare(rec, &event, run->writes, texts, run->n,
                                  err);
    }

    for (i = 0; i < run->n && rc == EMAGE_OK; i++) {
        rc = emage_offer(rec, run->writes[i].kind, run->writes[i].key,
                         event.pid, run->writes[i].base + 1, run->doc[i],
                         &stored, err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_ledger_commit(rec, event.id, run->settle->number, err);
    }

    for (i = 0; i < run->n; i++) {
        emage_buf_free(&bares[i]);
    }

    return rc;
}


static void
emage_settle_say(emage_settle_run_t *run, const char *what)
{
    char         text[256];
    emage_str_t  event;

    if (run->settle->log == NULL) {
        return;
    }

    event = emage_json_str(run->record, "event");

    (void) snprintf(text, sizeof(text), "change %s (%.*s) %s", run->id,
                    (int) event.len, event.data, what);

    run->settle->log(run->settle->data, text);
}


static void
emage_settle_free(emage_settle_run_t *run)
{
    size_t  i;

    for (i = 0; i < EMAGE_SETTLE_DOCS; i++) {
        json_decref(run->doc[i]);
        json_decref(run->now[i]);
        emage_buf_free(&run->text[i]);
    }
}
