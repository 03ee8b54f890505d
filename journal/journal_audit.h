
/*
 * Copyright (C) The e-mage authors
 *
 * What emage-audit needs beyond reading: which records are asked for, which
 * intents were never closed, and heads kept elsewhere.
 */


#ifndef EMAGE_JOURNAL_AUDIT_H
#define EMAGE_JOURNAL_AUDIT_H


#include "journal_core.h"

#include <stdio.h>


/* An empty string asks for nothing; times in ms, `until` excluded. */

typedef struct {
    emage_str_t  subject;
    emage_str_t  pid;
    emage_str_t  study;
    emage_str_t  decision;
    emage_str_t  type;
    emage_str_t  reason;                    /* in reasons, or the cause */
    emage_str_t  request;
    int64_t      since;
    int64_t      until;
} emage_journal_filter_t;

void emage_journal_filter_init(emage_journal_filter_t *filter);
bool emage_journal_filter_match(const emage_journal_filter_t *filter,
    const emage_journal_record_t *record);

/*
 * Appends a record as one readable line, without newline: time, type, then
 * name=value.  Nothing of a record reaches the terminal unescaped.
 */

emage_rc_t emage_journal_record_print(const emage_journal_record_t *record,
    emage_buf_t *out);


/*
 * Intents that wait for their outcome, of all files.  An outcome may lie in a
 * later file of the same worker; those that came before their intent was read
 * are settled at the end.
 */

typedef struct emage_journal_intents_s  emage_journal_intents_t;

emage_journal_intents_t *emage_journal_intents_create(void);
void emage_journal_intents_free(emage_journal_intents_t *intents);

/* EMAGE_CONFLICT: an intent of this decision is open already. */

emage_rc_t emage_journal_intents_open(emage_journal_intents_t *intents,
    emage_str_t decision, int64_t time, uint32_t file);

/* `again`: an earlier outcome may have closed the intent. */

emage_rc_t emage_journal_intents_outcome(emage_journal_intents_t *intents,
    emage_str_t decision, int64_t time, uint32_t file, uint64_t line,
    bool again);

/*
 * After the last file: every outcome without an earlier intent, then every
 * intent without an outcome.
 */

typedef void (*emage_journal_orphan_pt)(void *data, bool outcome,
    uint32_t file, uint64_t line);

void emage_journal_intents_settle(emage_journal_intents_t *intents,
    emage_journal_orphan_pt orphan, void *data);


/* Heads: "file seq hash" lines that another machine kept. */

typedef struct {
    char      *file;
    uint64_t   seq;                         /* of the last record */
    char       hash[EMAGE_HASH_LEN];
    bool       met;
} emage_journal_head_t;

typedef struct {
    emage_journal_head_t  *head;
    size_t                 n;
    size_t                 size;
} emage_journal_heads_t;

emage_rc_t emage_journal_heads_load(emage_journal_heads_t *heads,
    const char *path, emage_error_t *err);
void emage_journal_heads_free(emage_journal_heads_t *heads);

/*
 * Compares the record that `reader` has just read; EMAGE_CONFLICT: it is not
 * the one that was recorded.
 */

emage_rc_t emage_journal_heads_check(emage_journal_heads_t *heads,
    const char *file, const emage_journal_reader_t *reader);

/*
 * The next head of `file` (NULL: of any file) that was not met, which is then
 * done with; NULL if there is none.
 */

const emage_journal_head_t *emage_journal_heads_missing(
    emage_journal_heads_t *heads, const char *file);


/*
 * Whether the process that opened a file (`pid`, at `opened` ms) still runs on
 * this machine.
 */

bool emage_journal_process_alive(int64_t pid, int64_t opened);


/* What emage-audit verify found. */

typedef struct {
    uint64_t  records;
    uint64_t  damage;                       /* places */
    uint64_t  unreadable;                   /* files */
    uint64_t  torn;
    uint64_t  unknown;                      /* intents without outcome */
    uint64_t  running;                      /* intents still in progress */
} emage_journal_report_t;

/*
 * Verifies every file; what is found is printed to `out`, a line each.
 * EMAGE_OK: all was looked at, the report says how it is; files that cannot
 * be read are counted and told to `err_out`.  EMAGE_NOMEM otherwise.
 */

emage_rc_t emage_journal_verify(const emage_journal_paths_t *paths,
    emage_journal_heads_t *heads, FILE *out, FILE *err_out,
    emage_journal_report_t *report);


#endif /* EMAGE_JOURNAL_AUDIT_H */
