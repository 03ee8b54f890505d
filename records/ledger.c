
/*
 * Copyright (C) The e-mage authors
 *
 * The ledger's records: a change is prepared, then committed or aborted.  One
 * file a process, opened at its first change.
 */


#include "records_core.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>


#define EMAGE_LEDGER_TEXT  4096              /* longest error text and names */


static emage_rc_t emage_ledger_append(emage_records_t *rec,
    emage_buf_t *body, emage_error_t *err);
static void emage_ledger_head(emage_buf_t *body, const char *type,
    const char *id);


const char *
emage_change_effect_name(emage_change_effect_t effect)
{
    switch (effect) {

    case EMAGE_CHANGE_RESTRICT:
        return "restrict";

    case EMAGE_CHANGE_GRANT:
        return "grant";

    default:
        return "neutral";
    }
}


bool
emage_ledger_dir(const emage_records_t *rec, char *dst, size_t size)
{
    int  n;

    n = snprintf(dst, size, "%s/ledger", rec->journal);

    return n > 0 && (size_t) n < size;
}


/* Names, sizes and times of all files: the same as long as nobody wrote. */

uint64_t
emage_ledger_signature(const emage_records_t *rec)
{
    int             fd;
    DIR            *d;
    char            dir[4096];
    uint64_t        sum, one;
    const char     *p;
    struct stat     st;
    struct dirent  *entry;

    if (!emage_ledger_dir(rec, dir, sizeof(dir))
        || (d = opendir(dir)) == NULL)
    {
        return 0;
    }

    fd = dirfd(d);
    sum = 1;

    while ((entry = readdir(d)) != NULL) {

        if (entry->d_name[0] == '.'
            || fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        {
            continue;
        }

        one = (uint64_t) st.st_size
              ^ (uint64_t) st.st_mtim.tv_sec * 1000000007u
              ^ (uint64_t) st.st_mtim.tv_nsec * 31;

        for (p = entry->d_name; *p != '\0'; p++) {
            one = one * 1099511628211u ^ (unsigned char) *p;
        }

        /* a sum, since a directory has no order */

        sum += one;
    }

    (void) closedir(d);

    return sum;
}


static emage_rc_t
emage_ledger_append(emage_records_t *rec, emage_buf_t *body,
    emage_error_t *err)
{
    char         dir[4096];
    emage_rc_t   rc;
    emage_str_t  line;

    if (body->failed) {
        emage_error_set(err, "ledger: the change is too large for one record");
        return EMAGE_NOMEM;
    }

    if (rec->ledger == NULL) {

        if (!emage_ledger_dir(rec, dir, sizeof(dir))) {
            emage_error_set(err, "journal: the path is too long");
            return EMAGE_ERROR;
        }

        rc = emage_journal_writer_open(dir, "ledger", emage_str_c(rec->node),
                                       emage_str_c(rec->process),
                                       &rec->ledger, err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    line.data = body->data;
    line.len = body->len;

    return emage_journal_writer_append(rec->ledger, line, err);
}


static void
emage_ledger_head(emage_buf_t *body, const char *type, const char *id)
{
    char  now[EMAGE_TIME_LEN];

    emage_time_format(now, emage_records_now());

    (void) emage_buf_add_c(body, "\"type\":\"");
    (void) emage_buf_add_c(body, type);
    (void) emage_buf_add_c(body, "\",\"time\":\"");
    (void) emage_buf_add(body, now, EMAGE_TIME_LEN);
    (void) emage_buf_add_c(body, "\",\"id\":\"");
    (void) emage_buf_add_c(body, id);
    (void) emage_buf_add_c(body, "\"");
}


emage_rc_t
emage_ledger_prepare(emage_records_t *rec, const emage_ledger_event_t *event,
    const emage_record_write_t *writes, const emage_str_t *texts, size_t n,
    emage_error_t *err)
{
    size_t       i;
    emage_rc_t   rc;
    emage_buf_t  body;

    emage_buf_init(&body, EMAGE_JOURNAL_LINE_MAX - EMAGE_LEDGER_TEXT);

    emage_ledger_head(&body, "prepare", event->id);

    (void) emage_buf_add_c(&body, ",\"pid\":");
    (void) emage_buf_add_json(&body, event->pid);
    (void) emage_buf_add_c(&body, ",\"event\":");
    (void) emage_buf_add_json(&body, emage_str_c(event->event));
    (void) emage_buf_add_c(&body, ",\"effect\":\"");
    (void) emage_buf_add_c(&body, emage_change_effect_name(event->effect));
    (void) emage_buf_add_c(&body, "\",\"actor\":");
    (void) emage_buf_add_json(&body, emage_str_c(rec->actor));
    (void) emage_buf_add_c(&body, ",\"docs\":[");

    for (i = 0; i < n; i++) {

        (void) emage_buf_add_c(&body, (i == 0) ? "{\"kind\":\""
                                               : ",{\"kind\":\"");
        (void) emage_buf_add_c(&body,
                               (writes[i].kind == EMAGE_RECORD_STUDY)
                               ? "study" : "patient");
        (void) emage_buf_add_c(&body, "\",\"key\":");
        (void) emage_buf_add_json(&body, writes[i].key);
        (void) emage_buf_add_c(&body, ",\"base\":");
        (void) emage_buf_add_int(&body, writes[i].base);
        (void) emage_buf_add_c(&body, ",\"doc\":");

        if (texts[i].len == 0) {
            (void) emage_buf_add_c(&body, "null");

        } else {
            (void) emage_buf_add_str(&body, texts[i]);
        }

        (void) emage_buf_add_c(&body, "}");
    }

    (void) emage_buf_add_c(&body, "]");

    rc = emage_ledger_append(rec, &body, err);

    emage_buf_free(&body);

    return rc;
}


/* `number`: the change's sequence; "seq" is the record's own. */

emage_rc_t
emage_ledger_commit(emage_records_t *rec, const char *id, int64_t number,
    emage_error_t *err)
{
    emage_rc_t   rc;
    emage_buf_t  body;

    emage_buf_init(&body, EMAGE_LEDGER_TEXT);

    emage_ledger_head(&body, "commit", id);

    (void) emage_buf_add_c(&body, ",\"number\":");
    (void) emage_buf_add_int(&body, number);

    rc = emage_ledger_append(rec, &body, err);

    emage_buf_free(&body);

    return rc;
}


emage_rc_t
emage_ledger_abort(emage_records_t *rec, const char *id, const char *reason,
    emage_error_t *err)
{
    emage_rc_t   rc;
    emage_buf_t  body;

    emage_buf_init(&body, EMAGE_LEDGER_TEXT);

    emage_ledger_head(&body, "abort", id);

    (void) emage_buf_add_c(&body, ",\"reason\":");
    (void) emage_buf_add_json(&body, emage_str_c(reason));

    rc = emage_ledger_append(rec, &body, err);

    emage_buf_free(&body);

    return rc;
}


emage_rc_t
emage_ledger_close(emage_records_t *rec, emage_error_t *err)
{
    emage_rc_t  rc;

    rc = emage_journal_writer_close(rec->ledger, err);
    rec->ledger = NULL;

    return rc;
}
