
/*
 * Copyright (C) The e-mage authors
 *
 * What the files of this room share.  The one place that includes hiredis.
 */


#ifndef EMAGE_RECORDS_CORE_H
#define EMAGE_RECORDS_CORE_H


#include "emage_journal.h"
#include "emage_records.h"

#include <hiredis/hiredis.h>


#define EMAGE_KEY_PREFIX        "emage:" EMAGE_PARTITION ":"
#define EMAGE_KEY_STUDY         EMAGE_KEY_PREFIX "study:"
#define EMAGE_KEY_PATIENT       EMAGE_KEY_PREFIX "patient:"
#define EMAGE_KEY_STUDIES       EMAGE_KEY_PREFIX "patient-studies:"
#define EMAGE_KEY_SEQ           EMAGE_KEY_PREFIX "seq"
#define EMAGE_KEY_EPOCH         EMAGE_KEY_PREFIX "epoch"
#define EMAGE_KEY_CHANGES       EMAGE_KEY_PREFIX "changes"
#define EMAGE_KEY_LEASES        EMAGE_KEY_PREFIX "leases"
#define EMAGE_KEY_RECONCILED    EMAGE_KEY_PREFIX "reconciled"
#define EMAGE_KEY_CONFIG        "emage:config"
#define EMAGE_KEY_ID            "emage:id:"

#define EMAGE_RECORDS_TIMEOUT   2000         /* ms, of one command */
#define EMAGE_RECORDS_KEY_MAX   256          /* bytes of a Redis key we make */
#define EMAGE_RECORDS_ID_LEN    32           /* hex digits of a change's id */

/* A node's lease is 1 s; 25 % more covers two clocks that drift. */

#define EMAGE_LEASE_WAIT        1250


struct emage_records_s {
    redisContext            *redis;
    char                    *url;
    char                    *journal;
    char                    *store;
    char                    *key_file;
    char                    *region;
    char                    *process;
    char                    *actor;
    char                     node[65];
    unsigned                 timeout_ms;
    bool                     unchecked;      /* version of the functions */
    bool                     located;        /* journal, store ... are set */
    bool                     sent;           /* the last command may have run */
    bool                     have_key;
    unsigned char            key[32];
    emage_journal_writer_t  *ledger;
};


/* client.c */

/*
 * One command.  `reply` is freed by the caller and never an error reply.
 * EMAGE_UNAVAILABLE: Redis is away, loading, read-only or short of something;
 * rec->sent says whether the command may have run all the same.  EMAGE_ERROR:
 * an answer that no retry will change.
 */

emage_rc_t emage_records_call(emage_records_t *rec, size_t argc,
    const emage_str_t *argv, redisReply **reply, emage_error_t *err);

/* Connects if there is no connection. */

emage_rc_t emage_records_connect(emage_records_t *rec, emage_error_t *err);
void emage_records_disconnect(emage_records_t *rec);

/* EMAGE_ERROR unless the functions are there and of our version. */

emage_rc_t emage_records_version(emage_records_t *rec, int64_t *version,
    emage_error_t *err);

/* GET: EMAGE_NOTFOUND without a value; `reply` as above. */

emage_rc_t emage_records_get(emage_records_t *rec, emage_str_t key,
    redisReply **reply, emage_error_t *err);

/* An integer, also in the form of a string; false for anything else. */

bool emage_reply_int(const redisReply *reply, int64_t *n);
emage_str_t emage_reply_str(const redisReply *reply);

/* The state of the server: `run_id` takes 40 bytes and a terminator. */

typedef struct {
    char     run_id[65];
    char     reconciled[65];                 /* empty: not there */
    char     epoch[65];                      /* empty: not there */
    int64_t  seq;
} emage_server_t;

emage_rc_t emage_records_server(emage_records_t *rec, emage_server_t *server,
    emage_error_t *err);

bool emage_server_reconciled(const emage_server_t *server);


/* config.c */

/*
 * As emage_records_open, for a server that may be away or may not have the
 * functions yet.  Where things are is known after emage_records_locate, which
 * needs the server: a default must not stand in for what init announced.
 */

emage_rc_t emage_records_open_unchecked(const emage_records_conf_t *conf,
    emage_records_t **out, emage_error_t *err);
emage_rc_t emage_records_locate(emage_records_t *rec, emage_error_t *err);

emage_rc_t emage_records_load_key(emage_records_t *rec, emage_error_t *err);

/* Milliseconds since 1970; milliseconds that pass during sleep too. */

int64_t emage_records_now(void);
int64_t emage_records_boottime_us(void);

/* Puts a random change or epoch id of EMAGE_RECORDS_ID_LEN digits. */

bool emage_records_random_id(char *id);

/* "prefix" + "name" into `dst` (EMAGE_RECORDS_KEY_MAX); null if too long. */

emage_str_t emage_records_key(char *dst, const char *prefix, emage_str_t name);


/* ledger.c */

typedef struct {
    char                     id[EMAGE_RECORDS_ID_LEN + 1];
    emage_str_t              pid;
    const char              *event;
    emage_change_effect_t    effect;
} emage_ledger_event_t;

const char *emage_change_effect_name(emage_change_effect_t effect);

/* `texts`: the documents in ledger form, in the order of `writes`. */

emage_rc_t emage_ledger_prepare(emage_records_t *rec,
    const emage_ledger_event_t *event, const emage_record_write_t *writes,
    const emage_str_t *texts, size_t n, emage_error_t *err);
emage_rc_t emage_ledger_commit(emage_records_t *rec, const char *id,
    int64_t number, emage_error_t *err);
emage_rc_t emage_ledger_abort(emage_records_t *rec, const char *id,
    const char *reason, emage_error_t *err);
emage_rc_t emage_ledger_close(emage_records_t *rec, emage_error_t *err);

/* "<journal>/ledger" into `dst`; false if it does not fit. */

bool emage_ledger_dir(const emage_records_t *rec, char *dst, size_t size);

/* Changes when a ledger does; 0 if the directory cannot be read. */

uint64_t emage_ledger_signature(const emage_records_t *rec);


/* change.c */

/*
 * Waits until no node is below `seq`, or its lease has run out, and removes
 * those.  `since`: CLOCK_BOOTTIME in us, when Redis had answered the change.
 */

void emage_change_wait(emage_records_t *rec, int64_t seq, int64_t since,
    emage_ack_t *ack);


#endif /* EMAGE_RECORDS_CORE_H */
