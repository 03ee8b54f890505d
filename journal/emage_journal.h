
/*
 * Copyright (C) The e-mage authors
 *
 * The journal's format: JSON Lines, one record a line, each carrying its
 * number and the SHA-256 of the line before (docs/architecture.md,
 * "Journal").  Shared by the module (which does its own I/O), the tools'
 * ledger, and emage-audit.
 */


#ifndef EMAGE_JOURNAL_H
#define EMAGE_JOURNAL_H


#include <emage/base.h>
#include <emage/subject.h>


#define EMAGE_JOURNAL_FORMAT    1
#define EMAGE_JOURNAL_LINE_MAX  (512 * 1024)
#define EMAGE_HASH_LEN          64          /* hex digits of a SHA-256 */


/* The end of a chain: what the next record must follow. */

typedef struct {
    uint64_t  seq;                          /* of the next record, from 0 */
    char      prev[EMAGE_HASH_LEN];         /* hash of the last line */
} emage_chain_t;

/* A new chain: seq 0, prev all "0". */

void emage_chain_init(emage_chain_t *chain);

/*
 * Appends one line to `out`: {"seq":N,"prev":"...",BODY}\n, and moves the
 * chain on.  `body`: the members of the record, without braces, already JSON,
 * with "type" and "time" among them.  The hash of a line is the hex SHA-256 of
 * its bytes without the newline.  EMAGE_NOMEM: no memory, or a line over
 * EMAGE_JOURNAL_LINE_MAX; EMAGE_ERROR: an empty body, or one with a newline.
 * On failure neither `out` nor the chain has changed.
 */

emage_rc_t emage_chain_seal(emage_chain_t *chain, emage_str_t body,
    emage_buf_t *out);

/*
 * The members of the first record of a file: type "open", format, time, kind
 * ("access" or "ledger"), node, process, pid.  `now`: ms since 1970, the same
 * value as in the file's name (emage-audit compares them, so that files cannot
 * be swapped).
 */

emage_rc_t emage_journal_open_body(emage_buf_t *body, const char *kind,
    emage_str_t node, emage_str_t process, int64_t now);

/* The members of the last record of a file that was closed in order. */

emage_rc_t emage_journal_close_body(emage_buf_t *body, int64_t now);

/*
 * "<node>-<process>-<start>.jsonl", start = YYYYMMDDTHHMMSSmmm; bytes of node
 * and process outside [0-9A-Za-z._] become "_".
 */

emage_rc_t emage_journal_file_name(emage_buf_t *out, emage_str_t node,
    emage_str_t process, int64_t now);


/* One access, as the guard knows it.  Empty strings are left out. */

typedef enum {
    EMAGE_ACCESS_INTENT,                    /* durable before the first byte */
    EMAGE_ACCESS_OUTCOME,                   /* closes an intent */
    EMAGE_ACCESS_REFUSAL
} emage_access_type_t;

typedef struct {
    emage_access_type_t     type;
    int64_t                 time;           /* ms since 1970 */
    emage_str_t             decision_id;    /* joins outcome to intent */
    emage_str_t             request_id;
    const emage_subject_t  *subject;
    emage_str_t             purpose;        /* in effect */
    emage_str_t             action;         /* resource kind name */
    emage_str_t             study;
    emage_str_t             series;
    emage_str_t             instance;
    emage_str_t             pid;
    bool                    search;
    emage_str_t             query;          /* of a search, JSON object text */
    emage_str_t             studies;        /* that it lists, JSON array text */
    emage_str_t             pids;           /* and whose they are */
    uint32_t                rows;           /* of a search */
    const emage_str_t      *reasons;
    uint32_t                nreasons;
    uint32_t                errors;
    emage_str_t             cause;          /* of a refusal without policy */
    emage_str_t             policy;         /* revision */
    int64_t                 study_version;
    int64_t                 patient_version;

    /* outcome only */

    uint32_t                status;
    uint32_t                requests;       /* folded into this one */
    uint64_t                bytes;
    uint64_t                frames;
    uint32_t                incomplete;     /* requests cut short */
    uint32_t                ninstances;     /* all of them, listed or not */
    emage_str_t             instances;      /* JSON array text, may be empty */
    int64_t                 duration;       /* ms */
    bool                    again;          /* the first may not be durable */
} emage_access_t;

/*
 * The members of an access record, in the journal's fixed order: type
 * ("intent", "outcome", "refusal"), time, decision_id, request_id,
 * subject_kind, subject, issuer, profession, organisation, acr, session,
 * purpose, action, study, series, instance, pid, of searches query, rows,
 * studies and pids, decision ("permit", "deny"), reasons, errors, cause,
 * policy, study_version, patient_version; outcomes go on with status, requests,
 * bytes, frames, incomplete, ninstances, instances, duration, again (1: an
 * earlier outcome of the decision may have been lost with its file; of two the
 * later one counts).  Empty strings and arrays, no errors, versions of 0 and a
 * first outcome's again are left out.
 */

emage_rc_t emage_access_body(emage_buf_t *body, const emage_access_t *access);

/*
 * The members of a "count" record: type, time, what, n.  Events without an
 * identified subject in one second ("unauthenticated", "malformed"); `second`:
 * s since 1970.
 */

emage_rc_t emage_count_body(emage_buf_t *body, int64_t second,
    const char *what, uint64_t n);


/*
 * Reading and checking, a line at a time (without its newline).  Verifies
 * number, hash link and shape; EMAGE_ERROR says which rule was broken.
 */

typedef struct {
    emage_chain_t  chain;
    uint64_t       line;                    /* of the last line read, from 1 */
    bool           closed;                  /* a close record was read */
} emage_journal_reader_t;

void emage_journal_reader_init(emage_journal_reader_t *reader);
emage_rc_t emage_journal_reader_line(emage_journal_reader_t *reader,
    emage_str_t line, emage_error_t *err);


/*
 * A blocking writer for tools: one file, created with O_EXCL, every record
 * written and fdatasynced before the call returns, the directory synced at
 * creation.  The first failed write or sync closes the writer for good.
 */

typedef struct emage_journal_writer_s  emage_journal_writer_t;

emage_rc_t emage_journal_writer_open(const char *dir, const char *kind,
    emage_str_t node, emage_str_t process, emage_journal_writer_t **out,
    emage_error_t *err);
emage_rc_t emage_journal_writer_append(emage_journal_writer_t *writer,
    emage_str_t body, emage_error_t *err);
emage_rc_t emage_journal_writer_close(emage_journal_writer_t *writer,
    emage_error_t *err);


/*
 * Reads and verifies every record of every *.jsonl of a directory, file by
 * file in the order of names; a torn last line is reported to `each` as such
 * (line empty) and is no error.  `number` is the record's, from 0.  `each`
 * returning anything but EMAGE_OK stops, and is returned.  EMAGE_ERROR: damage,
 * the text names file, line and rule.
 */

typedef emage_rc_t (*emage_journal_each_pt)(void *data, const char *file,
    uint64_t number, emage_str_t line);

emage_rc_t emage_journal_scan(const char *dir, emage_journal_each_pt each,
    void *data, emage_error_t *err);


#endif /* EMAGE_JOURNAL_H */
