
/*
 * Copyright (C) The e-mage authors
 *
 * A whole journal: every chain, the names of the files, copies, heads kept
 * elsewhere, and intents against outcomes.
 */


#include "journal_audit.h"

#include <stdlib.h>
#include <string.h>


typedef struct {
    const char  *path;
    const char  *name;
    char         start[EMAGE_HASH_LEN];     /* hash of the first line */
    int64_t      pid;
    int64_t      opened;
    bool         started;
    bool         damaged;
    bool         finished;                  /* no outcome will come any more */
} emage_verify_file_t;

typedef struct {
    emage_verify_file_t      *files;
    size_t                    n;
    emage_journal_heads_t    *heads;
    emage_journal_intents_t  *intents;
    emage_journal_report_t   *report;
    FILE                     *out;
    FILE                     *err_out;
} emage_verify_t;


static void emage_verify_damage(emage_verify_t *v, emage_verify_file_t *file,
    uint64_t line, const char *what);
static void emage_verify_open(emage_verify_t *v, emage_verify_file_t *file,
    const emage_journal_file_t *in);
static emage_rc_t emage_verify_record(emage_verify_t *v, uint32_t n,
    const emage_journal_file_t *in);
static void emage_verify_end(emage_verify_t *v, emage_verify_file_t *file,
    const emage_journal_file_t *in);
static emage_rc_t emage_verify_file(emage_verify_t *v, uint32_t n);
static void emage_verify_forks(emage_verify_t *v);
static void emage_verify_orphan(void *data, bool outcome, uint32_t file,
    uint64_t line);
static void emage_verify_heads(emage_verify_t *v);


static void
emage_verify_damage(emage_verify_t *v, emage_verify_file_t *file,
    uint64_t line, const char *what)
{
    v->report->damage++;
    file->damaged = true;

    if (line == 0) {
        fprintf(v->out, "%s: DAMAGED: %s\n", file->path, what);

    } else {
        fprintf(v->out, "%s: line %llu: DAMAGED: %s\n", file->path,
                (unsigned long long) line, what);
    }
}


/* The first record says whose file this is, and so does the file's name. */

static void
emage_verify_open(emage_verify_t *v, emage_verify_file_t *file,
    const emage_journal_file_t *in)
{
    const char   *name, *slash;
    emage_buf_t   want;
    emage_str_t   node, process;

    file->started = true;
    memcpy(file->start, in->reader.chain.prev, EMAGE_HASH_LEN);

    (void) emage_journal_record_int(in->record, "pid", &file->pid);
    (void) emage_journal_record_time(in->record, &file->opened);

    node = emage_journal_record_str(in->record, "node");
    process = emage_journal_record_str(in->record, "process");

    emage_buf_init(&want, 2 * EMAGE_JOURNAL_LINE_MAX);

    (void) emage_journal_file_name(&want, node, process, file->opened);

    slash = strrchr(file->path, '/');
    name = (slash == NULL) ? file->path : slash + 1;

    if (emage_buf_cstr(&want) == NULL || strcmp(want.data, name) != 0) {
        emage_verify_damage(v, file, 1, "name: the open record is that of "
                            "another file, this one was renamed or swapped");
    }

    emage_buf_free(&want);
}


static emage_rc_t
emage_verify_record(emage_verify_t *v, uint32_t n,
    const emage_journal_file_t *in)
{
    bool         again;
    int64_t      time, repeated;
    emage_rc_t   rc;
    emage_str_t  type, decision;

    v->report->records++;

    if (emage_journal_heads_check(v->heads, v->files[n].name, &in->reader)
        != EMAGE_OK)
    {
        emage_verify_damage(v, &v->files[n], in->reader.line, "head: another "
                            "record than the one recorded elsewhere");
    }

    type = emage_journal_record_str(in->record, "type");
    decision = emage_journal_record_str(in->record, "decision_id");

    (void) emage_journal_record_time(in->record, &time);

    if (emage_str_eq(type, emage_str("intent"))) {
        rc = emage_journal_intents_open(v->intents, decision, time, n);

        if (rc == EMAGE_CONFLICT) {
            emage_verify_damage(v, &v->files[n], in->reader.line,
                                "intent: another one of this decision is "
                                "open");
            rc = EMAGE_OK;
        }

        return rc;
    }

    if (emage_str_eq(type, emage_str("outcome"))) {

        /* one that is repeated closes the intent, if the first is lost */

        again = emage_journal_record_int(in->record, "again", &repeated);

        return emage_journal_intents_outcome(v->intents, decision, time, n,
                                             in->reader.line, again);
    }

    return EMAGE_OK;
}


static void
emage_verify_end(emage_verify_t *v, emage_verify_file_t *file,
    const emage_journal_file_t *in)
{
    bool                         alive, torn;
    char                         text[128];
    const emage_journal_head_t  *head;

    torn = emage_journal_file_torn(in);
    alive = file->started
            && emage_journal_process_alive(file->pid, file->opened);

    file->finished = in->reader.closed || !alive;

    if (torn && in->reader.closed) {
        emage_verify_damage(v, file, in->reader.line + 1,
                            "order: bytes after the close record");

    } else if (torn) {
        v->report->torn++;
        fprintf(v->out, "%s: line %llu: torn last record (never "
                "acknowledged)\n", file->path,
                (unsigned long long) in->reader.line + 1);
    }

    while ((head = emage_journal_heads_missing(v->heads, file->name)) != NULL) {
        (void) snprintf(text, sizeof(text), "head: shorter than it was, record "
                        "%llu was recorded elsewhere",
                        (unsigned long long) head->seq);
        emage_verify_damage(v, file, in->reader.line, text);
    }

    if (!file->damaged) {
        fprintf(v->out, "%s: intact, %llu records, %s\n", file->path,
                (unsigned long long) in->reader.line,
                in->reader.closed ? "closed"
                : alive ? "open, its process runs"
                        : "open, its process is gone");
    }
}


static emage_rc_t
emage_verify_file(emage_verify_t *v, uint32_t n)
{
    emage_rc_t             rc;
    emage_str_t            line;
    emage_error_t          err;
    emage_verify_file_t   *file;
    emage_journal_file_t   in;

    file = &v->files[n];
    rc = emage_journal_file_open(&in, file->path, &err);

    while (rc == EMAGE_OK) {
        rc = emage_journal_file_next(&in, &line, &err);

        if (rc != EMAGE_OK) {
            break;
        }

        if (in.reader.line == 1) {
            emage_verify_open(v, file, &in);
        }

        rc = emage_verify_record(v, n, &in);
    }

    switch (rc) {

    case EMAGE_NOTFOUND:
        emage_verify_end(v, file, &in);
        rc = EMAGE_OK;
        break;

    case EMAGE_ERROR:
        v->report->damage++;
        file->damaged = true;
        file->finished = true;
        fprintf(v->out, "%s (DAMAGED)\n", err.text);
        rc = EMAGE_OK;
        break;

    case EMAGE_UNAVAILABLE:
        v->report->unreadable++;
        file->finished = true;
        fprintf(v->err_out, "%s\n", err.text);
        rc = EMAGE_OK;
        break;

    default:
        break;
    }

    /* what comes after damage proves nothing: said once is enough */

    while (emage_journal_heads_missing(v->heads, file->name) != NULL) {
        /* void */
    }

    emage_journal_file_close(&in);

    return rc;
}


/* Two files that start with the same line: a copy, perhaps with another end */

static void
emage_verify_forks(emage_verify_t *v)
{
    size_t  i, k;
    char    text[512];

    for (i = 1; i < v->n; i++) {
        for (k = 0; v->files[i].started && k < i; k++) {

            if (v->files[k].started
                && memcmp(v->files[i].start, v->files[k].start,
                          EMAGE_HASH_LEN) == 0)
            {
                (void) snprintf(text, sizeof(text), "fork: starts as %.400s "
                                "does", v->files[k].path);
                emage_verify_damage(v, &v->files[i], 1, text);
                break;
            }
        }
    }
}


static void
emage_verify_orphan(void *data, bool outcome, uint32_t file, uint64_t line)
{
    emage_verify_t  *v = data;

    if (outcome) {
        emage_verify_damage(v, &v->files[file], line, "outcome: no intent "
                            "came before it, or it has one already");

    } else if (v->files[file].finished) {
        v->report->unknown++;

    } else {
        v->report->running++;
    }
}


static void
emage_verify_heads(emage_verify_t *v)
{
    const emage_journal_head_t  *head;

    while ((head = emage_journal_heads_missing(v->heads, NULL)) != NULL) {
        v->report->damage++;

        fprintf(v->out, "%s: DAMAGED: head: record %llu was recorded "
                "elsewhere, and the file is missing\n", head->file,
                (unsigned long long) head->seq);
    }
}


emage_rc_t
emage_journal_verify(const emage_journal_paths_t *paths,
    emage_journal_heads_t *heads, FILE *out, FILE *err_out,
    emage_journal_report_t *report)
{
    uint32_t        n;
    emage_rc_t      rc;
    emage_verify_t  v;

    memset(report, 0, sizeof(*report));

    v.n = paths->n;
    v.heads = heads;
    v.report = report;
    v.out = out;
    v.err_out = err_out;
    v.files = calloc(paths->n + 1, sizeof(emage_verify_file_t));
    v.intents = emage_journal_intents_create();

    rc = (v.files == NULL || v.intents == NULL) ? EMAGE_NOMEM : EMAGE_OK;

    for (n = 0; rc == EMAGE_OK && n < v.n; n++) {
        v.files[n].path = paths->path[n].path;
        v.files[n].name = paths->path[n].name;

        rc = emage_verify_file(&v, n);
    }

    if (rc == EMAGE_OK) {
        emage_verify_forks(&v);
        emage_journal_intents_settle(v.intents, emage_verify_orphan, &v);
        emage_verify_heads(&v);
    }

    emage_journal_intents_free(v.intents);
    free(v.files);

    return rc;
}
