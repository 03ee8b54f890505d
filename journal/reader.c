
/*
 * Copyright (C) The e-mage authors
 *
 * Checks a file line by line: number, link, shape, and what stands first and
 * last.
 */


#include "journal_core.h"

#include <stdio.h>
#include <string.h>


static emage_rc_t emage_journal_reader_link(
    const emage_journal_reader_t *reader, emage_str_t line,
    emage_error_t *err);
static emage_rc_t emage_journal_reader_type(
    const emage_journal_reader_t *reader, const emage_journal_record_t *record,
    emage_error_t *err);


void
emage_journal_reader_init(emage_journal_reader_t *reader)
{
    emage_chain_init(&reader->chain);

    reader->line = 0;
    reader->closed = false;
}


/*
 * A line starts with the bytes that emage_chain_seal writes and no others, so
 * that nothing can be hidden in another spelling of the same members.
 */

static emage_rc_t
emage_journal_reader_link(const emage_journal_reader_t *reader,
    emage_str_t line, emage_error_t *err)
{
    int     n;
    char    head[64];
    size_t  len;

    n = snprintf(head, sizeof(head), "{\"seq\":%llu,\"prev\":\"",
                 (unsigned long long) reader->chain.seq);
    len = (size_t) n;

    if (line.len < len || memcmp(line.data, head, len) != 0) {
        emage_error_set(err, "number: record %llu was expected here",
                        (unsigned long long) reader->chain.seq);
        return EMAGE_ERROR;
    }

    if (line.len < len + EMAGE_HASH_LEN + 2
        || memcmp(line.data + len, reader->chain.prev, EMAGE_HASH_LEN) != 0
        || memcmp(line.data + len + EMAGE_HASH_LEN, "\",", 2) != 0)
    {
        emage_error_set(err, "link: \"prev\" is not the hash of the line "
                        "before, one of the two was changed");
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_journal_reader_type(const emage_journal_reader_t *reader,
    const emage_journal_record_t *record, emage_error_t *err)
{
    bool         open;
    int64_t      value;
    emage_str_t  kind, type;

    type = emage_journal_record_str(record, "type");

    if (type.len == 0) {
        emage_error_set(err, "shape: a record without a type");
        return EMAGE_ERROR;
    }

    if (!emage_journal_record_time(record, &value)) {
        emage_error_set(err, "shape: a record without a time");
        return EMAGE_ERROR;
    }

    open = emage_str_eq(type, emage_str("open"));

    if (open != (reader->line == 0)) {
        emage_error_set(err, open ? "order: a second open record"
                                  : "order: the first record is not \"open\"");
        return EMAGE_ERROR;
    }

    if (!open) {
        return EMAGE_OK;
    }

    if (!emage_journal_record_int(record, "format", &value)
        || value != EMAGE_JOURNAL_FORMAT)
    {
        emage_error_set(err, "format: only %d is known to this version",
                        EMAGE_JOURNAL_FORMAT);
        return EMAGE_ERROR;
    }

    kind = emage_journal_record_str(record, "kind");

    if (!emage_str_eq(kind, emage_str("access"))
        && !emage_str_eq(kind, emage_str("ledger")))
    {
        emage_error_set(err, "shape: a kind that is not access or ledger");
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_journal_reader_record(emage_journal_reader_t *reader, emage_str_t line,
    emage_journal_record_t **out, emage_error_t *err)
{
    char                     hash[EMAGE_HASH_LEN];
    emage_rc_t               rc;
    emage_journal_record_t  *record;

    *out = NULL;

    if (reader->closed) {
        emage_error_set(err, "order: a record after the close record");
        return EMAGE_ERROR;
    }

    if (line.len == 0 || memchr(line.data, '\n', line.len) != NULL) {
        emage_error_set(err, "shape: a line that is not one record");
        return EMAGE_ERROR;
    }

    rc = emage_journal_reader_link(reader, line, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_journal_record_parse(line, &record, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_journal_reader_type(reader, record, err);

    if (rc == EMAGE_OK && !emage_journal_hash(hash, line.data, line.len)) {
        emage_error_set(err, "out of memory");
        rc = EMAGE_NOMEM;
    }

    if (rc != EMAGE_OK) {
        emage_journal_record_free(record);
        return rc;
    }

    memcpy(reader->chain.prev, hash, EMAGE_HASH_LEN);

    reader->chain.seq++;
    reader->line++;
    reader->closed = emage_str_eq(emage_journal_record_str(record, "type"),
                                  emage_str("close"));
    *out = record;

    return EMAGE_OK;
}


emage_rc_t
emage_journal_reader_line(emage_journal_reader_t *reader, emage_str_t line,
    emage_error_t *err)
{
    emage_rc_t               rc;
    emage_journal_record_t  *record;

    rc = emage_journal_reader_record(reader, line, &record, err);

    if (rc == EMAGE_OK) {
        emage_journal_record_free(record);
    }

    return rc;
}
