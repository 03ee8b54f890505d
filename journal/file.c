
/*
 * Copyright (C) The e-mage authors
 *
 * A file of the journal, read and verified a line at a time.
 */


#include "journal_core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>


#define EMAGE_JOURNAL_CHUNK  (64 * 1024)


static emage_rc_t emage_journal_file_fill(emage_journal_file_t *file,
    emage_error_t *err);


emage_rc_t
emage_journal_file_open(emage_journal_file_t *file, const char *path,
    emage_error_t *err)
{
    struct stat  st;

    memset(file, 0, sizeof(*file));
    emage_journal_reader_init(&file->reader);

    file->fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK|O_NOCTTY);

    if (file->fd == -1) {
        emage_error_set(err, "%s: cannot be opened: %s", path,
                        strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    if (fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        emage_error_set(err, "%s: is no regular file", path);
        emage_journal_file_close(file);
        return EMAGE_UNAVAILABLE;
    }

    file->size = EMAGE_JOURNAL_CHUNK;
    file->buf = malloc(file->size);
    file->path = strdup(path);

    if (file->buf == NULL || file->path == NULL) {
        emage_error_set(err, "%s: out of memory", path);
        emage_journal_file_close(file);
        return EMAGE_NOMEM;
    }

    return EMAGE_OK;
}


void
emage_journal_file_close(emage_journal_file_t *file)
{
    emage_journal_record_free(file->record);

    free(file->buf);
    free(file->path);

    if (file->fd != -1) {
        (void) close(file->fd);
    }

    memset(file, 0, sizeof(*file));
    file->fd = -1;
}


bool
emage_journal_file_torn(const emage_journal_file_t *file)
{
    return file->end > file->start;
}


/* EMAGE_NOTFOUND at the end of what the file holds now */

static emage_rc_t
emage_journal_file_fill(emage_journal_file_t *file, emage_error_t *err)
{
    char     *buf;
    ssize_t   n;

    if (file->start > 0) {
        memmove(file->buf, file->buf + file->start, file->end - file->start);
        file->end -= file->start;
        file->start = 0;
    }

    if (file->end == file->size) {

        if (file->size > EMAGE_JOURNAL_LINE_MAX) {
            emage_error_set(err, "%s: line %llu: longer than %d bytes",
                            file->path,
                            (unsigned long long) file->reader.line + 1,
                            EMAGE_JOURNAL_LINE_MAX);
            return EMAGE_ERROR;
        }

        buf = realloc(file->buf, file->size * 2);
        if (buf == NULL) {
            emage_error_set(err, "%s: out of memory", file->path);
            return EMAGE_NOMEM;
        }

        file->buf = buf;
        file->size *= 2;
    }

    do {
        n = read(file->fd, file->buf + file->end, file->size - file->end);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        emage_error_set(err, "%s: cannot be read: %s", file->path,
                        strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    file->end += (size_t) n;

    return (n == 0) ? EMAGE_NOTFOUND : EMAGE_OK;
}


emage_rc_t
emage_journal_file_next(emage_journal_file_t *file, emage_str_t *line,
    emage_error_t *err)
{
    char           *newline;
    size_t          seen;
    emage_rc_t      rc;
    emage_error_t   rule;

    emage_journal_record_free(file->record);
    file->record = NULL;

    seen = 0;

    for ( ;; ) {
        newline = memchr(file->buf + file->start + seen, '\n',
                         file->end - file->start - seen);

        if (newline != NULL) {
            break;
        }

        seen = file->end - file->start;

        rc = emage_journal_file_fill(file, err);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    line->data = file->buf + file->start;
    line->len = (size_t) (newline - line->data);

    rc = emage_journal_reader_record(&file->reader, *line, &file->record,
                                     &rule);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "%s: line %llu: %s", file->path,
                        (unsigned long long) file->reader.line + 1, rule.text);
        return rc;
    }

    file->start += line->len + 1;

    file->offset = file->next;
    file->next += line->len + 1;

    return EMAGE_OK;
}
