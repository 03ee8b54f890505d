
/*
 * Copyright (C) The e-mage authors
 *
 * Which records are asked for, and how they look to people.
 */


#include "journal_audit.h"

#include <string.h>


#define EMAGE_JOURNAL_VALUE_MAX  (8 * EMAGE_JOURNAL_LINE_MAX)


static bool emage_journal_filter_str(const emage_journal_record_t *record,
    const char *name, emage_str_t want);
static bool emage_journal_filter_any(const emage_journal_record_t *record,
    const char *name, const char *list, emage_str_t want);
static bool emage_journal_plain(emage_str_t s);


void
emage_journal_filter_init(emage_journal_filter_t *filter)
{
    memset(filter, 0, sizeof(*filter));

    filter->since = INT64_MIN;
    filter->until = INT64_MAX;
}


static bool
emage_journal_filter_str(const emage_journal_record_t *record,
    const char *name, emage_str_t want)
{
    return want.len == 0
           || emage_str_eq(emage_journal_record_str(record, name), want);
}


/* One that the record is about, or one of those that a search listed. */

static bool
emage_journal_filter_any(const emage_journal_record_t *record,
    const char *name, const char *list, emage_str_t want)
{
    return emage_journal_filter_str(record, name, want)
           || emage_journal_record_lists(record, list, want);
}


bool
emage_journal_filter_match(const emage_journal_filter_t *filter,
    const emage_journal_record_t *record)
{
    int64_t  time;

    if (!emage_journal_filter_str(record, "type", filter->type)
        || !emage_journal_filter_any(record, "pid", "pids", filter->pid)
        || !emage_journal_filter_any(record, "study", "studies",
                                     filter->study)
        || !emage_journal_filter_str(record, "decision", filter->decision)
        || !emage_journal_filter_str(record, "request_id", filter->request))
    {
        return false;
    }

    /* the ledger calls the one who acts "actor" */

    if (!emage_journal_filter_str(record, "subject", filter->subject)
        && !emage_journal_filter_str(record, "actor", filter->subject))
    {
        return false;
    }

    if (filter->reason.len != 0
        && !emage_journal_record_lists(record, "reasons", filter->reason)
        && !emage_journal_filter_str(record, "cause", filter->reason))
    {
        return false;
    }

    if (!emage_journal_record_time(record, &time)) {
        return false;
    }

    return time >= filter->since && time < filter->until;
}


static bool
emage_journal_plain(emage_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] > '~' || s.data[i] == '"'
            || s.data[i] == '\\')
        {
            return false;
        }
    }

    return s.len != 0;
}


emage_rc_t
emage_journal_record_print(const emage_journal_record_t *record,
    emage_buf_t *out)
{
    char         time[EMAGE_TIME_LEN];
    size_t       i, k;
    int64_t      ms;
    emage_rc_t   rc;
    emage_buf_t  value;
    emage_str_t  name, text, inner;

    static const char *const  known[] = { "seq", "prev", "type", "time" };

    ms = 0;
    (void) emage_journal_record_time(record, &ms);
    emage_time_format(time, ms);

    (void) emage_buf_add(out, time, EMAGE_TIME_LEN);
    (void) emage_buf_add(out, " ", 1);

    text = emage_journal_record_str(record, "type");

    if (emage_journal_plain(text)) {
        (void) emage_buf_add_str(out, text);

    } else {
        (void) emage_buf_add_json(out, text);
    }

    emage_buf_init(&value, EMAGE_JOURNAL_VALUE_MAX);

    for (i = 0; /* void */ ; i++) {
        emage_buf_reset(&value);

        rc = emage_journal_record_member(record, i, &name, &value);

        if (rc != EMAGE_OK) {
            break;
        }

        for (k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
            if (emage_str_eq(name, emage_str_c(known[k]))) {
                break;
            }
        }

        if (k < sizeof(known) / sizeof(known[0])) {
            continue;
        }

        (void) emage_buf_add(out, " ", 1);

        if (emage_journal_plain(name)) {
            (void) emage_buf_add_str(out, name);

        } else {
            (void) emage_buf_add_json(out, name);
        }

        (void) emage_buf_add(out, "=", 1);

        text.data = value.data;
        text.len = value.len;

        inner.data = text.data + 1;
        inner.len = (text.len < 2) ? 0 : text.len - 2;

        (void) emage_buf_add_str(out, (text.len > 2 && text.data[0] == '"'
                                       && emage_journal_plain(inner))
                                      ? inner : text);
    }

    emage_buf_free(&value);

    return (rc != EMAGE_NOTFOUND) ? rc
                                  : (out->failed ? EMAGE_NOMEM : EMAGE_OK);
}
