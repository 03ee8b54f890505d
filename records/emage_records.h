
/*
 * Copyright (C) The e-mage authors
 *
 * The records of patients and studies in Redis, for tools and daemons: a
 * blocking client and the one way to change a record (docs/architecture.md,
 * "Lease, change, fence").  Every writer uses emage_records_change; nothing
 * else writes to Redis.
 */


#ifndef EMAGE_RECORDS_H
#define EMAGE_RECORDS_H


#include <emage/base.h>


#define EMAGE_PID_LEN          32      /* 128 random bits in lower-case hex */
#define EMAGE_PARTITION        "{0}"   /* hash tag of the one partition */
#define EMAGE_RECORD_TEXT_MAX  (256 * 1024)  /* bytes of one document */


typedef struct emage_records_s  emage_records_t;


/*
 * Where things are.  A NULL member is taken from the environment
 * (EMAGE_REDIS, EMAGE_JOURNAL, EMAGE_STORE, EMAGE_KEY), then from what
 * "emage-consent init" announced in Redis (emage:config), then from the
 * defaults of a packaged installation.
 */

typedef struct {
    const char  *redis;              /* unix:/path or redis://host:port[/db] */
    const char  *journal;            /* directory; the ledger lies in ledger/ */
    const char  *store;
    const char  *key;                /* file: key of the identifier hashes */
    const char  *region;             /* EMAGE_REGION; default "e-mage" */
    const char  *process;            /* name of the writer in the ledger */
    const char  *actor;              /* who acts: "system|id" or "os:user" */
    unsigned     timeout_ms;         /* of one command; 0: 2000 */
} emage_records_conf_t;


/*
 * Connects, loads nothing: EMAGE_UNAVAILABLE when Redis does not answer or
 * still loads, EMAGE_ERROR when the functions are missing or of another
 * version ("run emage-consent init").  Opens the ledger lazily, at the first
 * change.
 */

emage_rc_t emage_records_open(const emage_records_conf_t *conf,
    emage_records_t **out, emage_error_t *err);

void emage_records_close(emage_records_t *rec);

/* The values in effect; valid until close. */

const char *emage_records_journal(const emage_records_t *rec);
const char *emage_records_store(const emage_records_t *rec);

/*
 * The name under which this installation issues patient ids (emage:config
 * `region`, default "e-mage"): the IssuerOfPatientID of what is served.
 */

const char *emage_records_region(const emage_records_t *rec);


/*
 * Finds or creates the patient of an identifier.
 *
 * `issuer` and `id`: the identifier as the source knows it (INS OID and
 * matricule, or the local id and its issuer, by default the organisation).
 * `qualified`: it is an INS of identity status QUAL, the only kind that joins
 * two sites.  An empty `id` makes a pseudo-patient, in quarantine, never found
 * again by identifier.  `pid` takes EMAGE_PID_LEN bytes, not terminated.
 */

emage_rc_t emage_records_patient_identify(emage_records_t *rec,
    emage_str_t issuer, emage_str_t id, bool qualified, char *pid,
    emage_error_t *err);


/*
 * The pid of an identifier that is known already; EMAGE_NOTFOUND.  As above
 * otherwise.
 */

emage_rc_t emage_records_patient_find(emage_records_t *rec,
    emage_str_t issuer, emage_str_t id, char *pid, emage_error_t *err);


/*
 * Reads one record as JSON text.  `version` 0 and EMAGE_NOTFOUND when there is
 * none; EMAGE_NOTFOUND and its version when it was deleted (the base for
 * writing it again).  `json` is appended to.
 */

emage_rc_t emage_records_study_get(emage_records_t *rec, emage_str_t study,
    emage_buf_t *json, int64_t *version, emage_error_t *err);

emage_rc_t emage_records_patient_get(emage_records_t *rec, emage_str_t pid,
    emage_buf_t *json, int64_t *version, emage_error_t *err);


/*
 * All studies of a patient, or (pid empty) of the store; anything but EMAGE_OK
 * stops.  A study that changes meanwhile may be named twice, and one that was
 * deleted may be named: reading it gives EMAGE_NOTFOUND.
 */

typedef emage_rc_t (*emage_records_study_pt)(void *data, emage_str_t study);

emage_rc_t emage_records_studies(emage_records_t *rec, emage_str_t pid,
    emage_records_study_pt each, void *data, emage_error_t *err);


/*
 * One change of one patient's records, all of it or nothing (prepare, compare
 * and set, commit, wait for every lease holder, acknowledge).
 */

typedef enum {
    EMAGE_RECORD_PATIENT,
    EMAGE_RECORD_STUDY
} emage_record_kind_t;

typedef struct {
    emage_record_kind_t  kind;
    emage_str_t          key;        /* pid or Study Instance UID */
    int64_t              base;       /* version that was read; 0: new */
    emage_str_t          json;       /* new document; empty: delete */
} emage_record_write_t;

/*
 * Whether a change takes rights away or gives them decides what an unfinished
 * one means at replay: a restriction applies, a grant does not.
 */

typedef enum {
    EMAGE_CHANGE_RESTRICT,
    EMAGE_CHANGE_GRANT,
    EMAGE_CHANGE_NEUTRAL             /* store publishing: no one's rights */
} emage_change_effect_t;

typedef struct {
    emage_str_t                  pid;
    const char                  *event;   /* "consent", "override", "study" */
    emage_change_effect_t        effect;
    const emage_record_write_t  *writes;
    size_t                       nwrites; /* at most 8 */
} emage_change_t;

typedef struct {
    int64_t   seq;                   /* the change's number in its partition */
    unsigned  holders;               /* nodes that held a lease */
    unsigned  expired;               /* of these, waited out, not confirmed */
    int64_t   wait_us;               /* from compare-and-set to acknowledged */
    bool      unchanged;             /* the records said so already */
} emage_ack_t;

/*
 * Returns EMAGE_OK only when the change is acknowledged: durable in the ledger
 * and in Redis, and known to (or outwaited for) every node.  EMAGE_CONFLICT: a
 * base version was stale; read again and retry.  EMAGE_UNAVAILABLE: not
 * acknowledged, and the error says whether it may still take effect.
 */

emage_rc_t emage_records_change(emage_records_t *rec,
    const emage_change_t *change, emage_ack_t *ack, emage_error_t *err);


#endif /* EMAGE_RECORDS_H */
