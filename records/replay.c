
/*
 * Copyright (C) The e-mage authors
 *
 * Reading the ledgers.  Files have no order among each other: a prepare finds
 * its outcome by its id wherever it stands.
 */


#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>


typedef struct {
    emage_ledgers_t  *ledgers;
    emage_error_t    *err;
} emage_ledgers_scan_t;


static emage_rc_t emage_ledgers_each(void *data, const char *file,
    uint64_t number, emage_str_t line);
static emage_rc_t emage_ledgers_record(emage_ledgers_t *ledgers,
    json_t *record);
static emage_rc_t emage_ledgers_prepare(emage_ledgers_t *ledgers,
    const char *id, json_t *record);
static emage_rc_t emage_ledgers_outcome(emage_ledgers_t *ledgers,
    const char *id, int64_t number);
static emage_rc_t emage_ledgers_commit(emage_ledgers_t *ledgers,
    const json_t *record, int64_t number);
static bool emage_ledgers_valid(const json_t *record);


emage_rc_t
emage_ledgers_read(const emage_records_t *rec, bool documents,
    emage_ledgers_t *ledgers, emage_error_t *err)
{
    char                  dir[4096];
    emage_rc_t            rc;
    struct stat           st;
    emage_ledgers_scan_t  scan;

    memset(ledgers, 0, sizeof(emage_ledgers_t));

    if (!emage_ledger_dir(rec, dir, sizeof(dir))) {
        emage_error_set(err, "journal: the path is too long");
        return EMAGE_ERROR;
    }

    ledgers->documents = documents;
    ledgers->committed = json_object();
    ledgers->open = json_object();
    ledgers->aborted = json_object();
    ledgers->outcomes = json_object();

    if (ledgers->committed == NULL || ledgers->open == NULL
        || ledgers->aborted == NULL || ledgers->outcomes == NULL)
    {
        emage_error_set(err, "ledger: out of memory");
        return EMAGE_NOMEM;
    }

    /* an empty ledger is a directory; without one a disk may not be mounted */

    if (stat(dir, &st) != 0) {
        emage_error_set(err, "ledger %s: %s: say where it is with --journal, "
                        "or run \"emage-consent init\" on a new installation",
                        dir, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    scan.ledgers = ledgers;
    scan.err = err;

    rc = emage_journal_scan(dir, emage_ledgers_each, &scan, err);

    return rc;
}


void
emage_ledgers_free(emage_ledgers_t *ledgers)
{
    json_decref(ledgers->committed);
    json_decref(ledgers->open);
    json_decref(ledgers->aborted);
    json_decref(ledgers->outcomes);

    memset(ledgers, 0, sizeof(emage_ledgers_t));
}


static emage_rc_t
emage_ledgers_each(void *data, const char *file, uint64_t number,
    emage_str_t line)
{
    json_t                *record;
    emage_rc_t             rc;
    json_error_t           error;
    emage_ledgers_scan_t  *scan = data;

    if (line.len == 0) {
        scan->ledgers->torn++;
        return EMAGE_OK;
    }

    scan->ledgers->records++;

    record = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &error);

    if (record == NULL
        && json_error_code(&error) == json_error_out_of_memory)
    {
        emage_error_set(scan->err, "ledger: out of memory");
        return EMAGE_NOMEM;
    }

    rc = emage_ledgers_record(scan->ledgers, record);

    json_decref(record);

    if (rc == EMAGE_ERROR) {
        emage_error_set(scan->err, "ledger %s: record %llu is not one of a "
                        "ledger: restore the file", file,
                        (unsigned long long) number);

    } else if (rc != EMAGE_OK) {
        emage_error_set(scan->err, "ledger: out of memory");
    }

    return rc;
}


static emage_rc_t
emage_ledgers_record(emage_ledgers_t *ledgers, json_t *record)
{
    int64_t      number;
    emage_str_t  type, id;

    type = emage_json_str(record, "type");

    if (emage_str_eq(type, emage_str("open"))
        || emage_str_eq(type, emage_str("close")))
    {
        return EMAGE_OK;
    }

    id = emage_json_str(record, "id");

    if (id.len == 0 || id.len > 64) {
        return EMAGE_ERROR;
    }

    if (emage_str_eq(type, emage_str("prepare"))) {
        return emage_ledgers_valid(record)
               ? emage_ledgers_prepare(ledgers, id.data, record)
               : EMAGE_ERROR;
    }

    if (emage_str_eq(type, emage_str("abort"))) {
        return emage_ledgers_outcome(ledgers, id.data, -1);
    }

    if (emage_str_eq(type, emage_str("commit"))) {
        number = emage_json_int(record, "number");

        if (number < 1) {
            return EMAGE_ERROR;
        }

        if (number > ledgers->number) {
            ledgers->number = number;
        }

        return emage_ledgers_outcome(ledgers, id.data, number);
    }

    return EMAGE_ERROR;
}


static bool
emage_ledgers_valid(const json_t *record)
{
    size_t        i;
    json_t       *docs, *doc, *body;
    emage_str_t   kind;

    docs = json_object_get(record, "docs");

    if (!json_is_array(docs) || json_array_size(docs) == 0
        || emage_json_str(record, "pid").len != EMAGE_PID_LEN
        || emage_json_str(record, "event").len == 0)
    {
        return false;
    }

    for (i = 0; i < json_array_size(docs); i++) {
        doc = json_array_get(docs, i);
        body = json_object_get(doc, "doc");
        kind = emage_json_str(doc, "kind");

        if ((!emage_str_eq(kind, emage_str("study"))
             && !emage_str_eq(kind, emage_str("patient")))
            || emage_json_str(doc, "key").len == 0
            || emage_json_str(doc, "key").len > 64
            || !json_is_integer(json_object_get(doc, "base"))
            || emage_json_int(doc, "base") < 0
            || (!json_is_null(body)
                && emage_document_version(body)
                   != emage_json_int(doc, "base") + 1))
        {
            return false;
        }
    }

    return true;
}


static emage_rc_t
emage_ledgers_prepare(emage_ledgers_t *ledgers, const char *id,
    json_t *record)
{
    json_t   *outcome;
    int64_t   number;

    if (json_object_get(ledgers->open, id) != NULL
        || json_object_get(ledgers->aborted, id) != NULL)
    {
        return EMAGE_ERROR;
    }

    outcome = json_object_get(ledgers->outcomes, id);

    if (outcome == NULL) {
        return json_object_set(ledgers->open, id, record) == 0
               ? EMAGE_OK : EMAGE_NOMEM;
    }

    number = json_integer_value(outcome);

    if (number < 0) {
        return json_object_set(ledgers->aborted, id, record) == 0
               ? EMAGE_OK : EMAGE_NOMEM;
    }

    (void) json_object_del(ledgers->outcomes, id);

    return emage_ledgers_commit(ledgers, record, number);
}


/*
 * A commit wins over an abort: it carries a number that Redis gave, so the
 * change did take effect, whatever a replay in between had thought.
 */

static emage_rc_t
emage_ledgers_outcome(emage_ledgers_t *ledgers, const char *id,
    int64_t number)
{
    json_t      *record, *known;
    emage_rc_t   rc;

    record = json_object_get(ledgers->open, id);

    if (record == NULL && number >= 0) {
        record = json_object_get(ledgers->aborted, id);
    }

    if (record == NULL) {
        known = json_object_get(ledgers->outcomes, id);

        if (known != NULL && json_integer_value(known) >= number) {
            return EMAGE_OK;
        }

        return json_object_set_new(ledgers->outcomes, id,
                                   json_integer(number)) == 0
               ? EMAGE_OK : EMAGE_NOMEM;
    }

    if (number < 0) {
        rc = (json_object_set(ledgers->aborted, id, record) == 0)
             ? EMAGE_OK : EMAGE_NOMEM;

    } else {
        rc = emage_ledgers_commit(ledgers, record, number);
        (void) json_object_del(ledgers->aborted, id);
    }

    (void) json_object_del(ledgers->open, id);

    return rc;
}


static emage_rc_t
emage_ledgers_commit(emage_ledgers_t *ledgers, const json_t *record,
    int64_t number)
{
    char         name[128];
    size_t       i;
    json_t      *docs, *doc, *known, *entry;
    int64_t      version;
    emage_str_t  kind, key;

    if (!ledgers->documents) {
        return EMAGE_OK;
    }

    docs = json_object_get(record, "docs");

    for (i = 0; i < json_array_size(docs); i++) {
        doc = json_array_get(docs, i);
        kind = emage_json_str(doc, "kind");
        key = emage_json_str(doc, "key");
        version = emage_json_int(doc, "base") + 1;

        (void) snprintf(name, sizeof(name), "%.*s %.*s", (int) kind.len,
                        kind.data, (int) key.len, key.data);

        known = json_object_get(ledgers->committed, name);

        if (known != NULL
            && (emage_json_int(known, "version") > version
                || (emage_json_int(known, "version") == version
                    && emage_json_int(known, "number") > number)))
        {
            continue;
        }

        entry = json_pack("{s:O, s:O, s:I, s:I, s:O, s:O}",
                          "kind", json_object_get(doc, "kind"),
                          "key", json_object_get(doc, "key"),
                          "version", (json_int_t) version,
                          "number", (json_int_t) number,
                          "pid", json_object_get(record, "pid"),
                          "doc", json_object_get(doc, "doc"));

        if (entry == NULL
            || json_object_set_new(ledgers->committed, name, entry) != 0)
        {
            return EMAGE_NOMEM;
        }
    }

    return EMAGE_OK;
}


int64_t
emage_ledger_time(const json_t *record)
{
    int          n, ms;
    struct tm    tm;
    emage_str_t  s;

    s = emage_json_str(record, "time");

    if (s.len != EMAGE_TIME_LEN) {
        return 0;
    }

    memset(&tm, 0, sizeof(tm));

    n = sscanf(s.data, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year,
               &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
               &ms);

    if (n != 7) {
        return 0;
    }

    tm.tm_year -= 1900;
    tm.tm_mon--;

    return (int64_t) timegm(&tm) * 1000 + ms;
}


emage_record_kind_t
emage_ledger_kind(const json_t *doc)
{
    return emage_str_eq(emage_json_str(doc, "kind"), emage_str("study"))
           ? EMAGE_RECORD_STUDY : EMAGE_RECORD_PATIENT;
}
