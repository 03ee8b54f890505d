
/*
 * Copyright (C) The e-mage authors
 *
 * What the ledgers say: the last committed documents, and the changes that
 * nobody finished.
 */


#ifndef EMAGE_REPLAY_H
#define EMAGE_REPLAY_H


#include "records_core.h"
#include "records_json.h"


typedef struct {
    json_t    *committed;     /* "kind key": {version, number, pid, doc} */
    json_t    *open;          /* id: prepare record */
    json_t    *aborted;       /* id: prepare record */
    json_t    *outcomes;      /* id: number, or -1: before its prepare */
    int64_t    number;        /* highest of all commits */
    uint64_t   records;
    unsigned   torn;          /* files whose last record is torn */
    bool       documents;     /* keep committed documents */
} emage_ledgers_t;

/*
 * Reads every ledger, checking the chains.  EMAGE_ERROR: one is damaged; the
 * error says which and where.  EMAGE_UNAVAILABLE: there is no directory.
 */

emage_rc_t emage_ledgers_read(const emage_records_t *rec, bool documents,
    emage_ledgers_t *ledgers, emage_error_t *err);
void emage_ledgers_free(emage_ledgers_t *ledgers);

/* Milliseconds since 1970 of a record's "time", 0 if it is none. */

int64_t emage_ledger_time(const json_t *record);

emage_record_kind_t emage_ledger_kind(const json_t *doc);


/* settle.c: changes that nobody finished */

typedef void (*emage_settle_log_pt)(void *data, const char *text);

typedef struct {
    emage_records_t      *rec;
    emage_ledgers_t      *ledgers;
    bool                  offline;   /* the server is not reconciled: offer */
    int64_t               number;    /* for what is offered */
    int64_t               before;    /* only prepares older than this, ms */
    emage_settle_log_pt   log;
    void                 *data;
} emage_settle_t;

emage_rc_t emage_settle(emage_settle_t *settle, emage_error_t *err);


/* offer.c: documents for a server that is not reconciled */

/* The document in Redis: NULL and version 0 without one. */

emage_rc_t emage_offer_current(emage_records_t *rec, emage_record_kind_t kind,
    emage_str_t key, json_t **doc, int64_t *version, emage_error_t *err);

/*
 * Offers one document (NULL: deleted) at `version`; `stored` tells whether
 * Redis took it.  EMAGE_CONFLICT: the server is reconciled already.
 */

emage_rc_t emage_offer(emage_records_t *rec, emage_record_kind_t kind,
    emage_str_t key, emage_str_t pid, int64_t version, json_t *doc,
    bool *stored, emage_error_t *err);

/* All committed documents that Redis lacks; `n` counts those it took. */

emage_rc_t emage_offer_committed(emage_records_t *rec,
    const emage_ledgers_t *ledgers, unsigned *n, emage_error_t *err);


/* rebuild.c: records that only the store knows */

typedef struct {
    unsigned  studies;               /* records made anew */
    unsigned  patients;              /* made anew, or given their identifiers */
    unsigned  unreadable;            /* studies without a usable study.json */
    json_t   *touched;               /* pids given identifiers; private */
} emage_rebuild_t;

emage_rc_t emage_rebuild(emage_records_t *rec, emage_rebuild_t *out,
    emage_error_t *err);


#endif /* EMAGE_REPLAY_H */
