
/*
 * Copyright (C) The e-mage authors
 *
 * What the files of this room and emage-audit share beneath emage_journal.h:
 * the hash, parsed records, and files read a line at a time.
 */


#ifndef EMAGE_JOURNAL_CORE_H
#define EMAGE_JOURNAL_CORE_H


#include "emage_journal.h"


#define EMAGE_JOURNAL_SUFFIX  ".jsonl"


/* Hex SHA-256 of a line without its newline; false if OpenSSL fails. */

bool emage_journal_hash(char *hex, const void *data, size_t len);


/*
 * A parsed record.  Strings live as long as it does; a missing member or one
 * of another type gives the null string or false.
 */

typedef struct emage_journal_record_s  emage_journal_record_t;

emage_rc_t emage_journal_record_parse(emage_str_t line,
    emage_journal_record_t **out, emage_error_t *err);
void emage_journal_record_free(emage_journal_record_t *record);

emage_str_t emage_journal_record_str(const emage_journal_record_t *record,
    const char *name);
bool emage_journal_record_int(const emage_journal_record_t *record,
    const char *name, int64_t *value);

/* Whether the member is an array that holds this string. */

bool emage_journal_record_lists(const emage_journal_record_t *record,
    const char *name, emage_str_t value);

/*
 * The n-th member, 0 for the first, as name and JSON text appended to `value`;
 * EMAGE_NOTFOUND past the last.
 */

emage_rc_t emage_journal_record_member(const emage_journal_record_t *record,
    size_t n, emage_str_t *name, emage_buf_t *value);

/* ms since 1970 of the record's "time"; false if there is none. */

bool emage_journal_record_time(const emage_journal_record_t *record,
    int64_t *ms);

/*
 * RFC 3339 (a date alone is midnight UTC; "T" or a space; fraction and offset
 * optional) to ms since 1970.
 */

bool emage_journal_time_parse(emage_str_t text, int64_t *ms);

/* As emage_journal_reader_line; the parsed record is the caller's. */

emage_rc_t emage_journal_reader_record(emage_journal_reader_t *reader,
    emage_str_t line, emage_journal_record_t **out, emage_error_t *err);


/*
 * A file of the journal, verified as it is read.  `record` and the line belong
 * to the file until the next call.
 */

typedef struct {
    int                      fd;
    char                    *path;
    emage_journal_reader_t   reader;
    emage_journal_record_t  *record;
    char                    *buf;
    size_t                   size;
    size_t                   start;
    size_t                   end;
    uint64_t                 offset;        /* of the last line read */
    uint64_t                 next;          /* of the line after it */
} emage_journal_file_t;

emage_rc_t emage_journal_file_open(emage_journal_file_t *file,
    const char *path, emage_error_t *err);
void emage_journal_file_close(emage_journal_file_t *file);

/*
 * The next complete line.  EMAGE_NOTFOUND: no more for now (call again later
 * to follow a file that grows); EMAGE_ERROR: damage, the text names file, line
 * and rule; EMAGE_UNAVAILABLE: the file cannot be read.
 */

emage_rc_t emage_journal_file_next(emage_journal_file_t *file,
    emage_str_t *line, emage_error_t *err);

/* Whether bytes without a newline follow the last line. */

bool emage_journal_file_torn(const emage_journal_file_t *file);


/*
 * All *.jsonl below `path` (or `path` itself if it is a file), in the order of
 * names; `depth` 0 does not go down.  `name` is the path below the one that
 * was given.  Free with emage_journal_paths_free, after a failure too.
 */

typedef struct {
    char        *path;
    const char  *name;
} emage_journal_path_t;

typedef struct {
    emage_journal_path_t  *path;
    size_t                 n;
    size_t                 size;
} emage_journal_paths_t;

emage_rc_t emage_journal_paths_add(emage_journal_paths_t *paths,
    const char *path, unsigned depth, emage_error_t *err);
void emage_journal_paths_free(emage_journal_paths_t *paths);


#endif /* EMAGE_JOURNAL_CORE_H */
