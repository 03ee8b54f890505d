
/*
 * Copyright (C) The e-mage authors
 *
 * Heads of chains, as they were once seen: what a chain alone cannot tell is
 * that its end was cut off, or that all of it was written anew.
 */


#include "journal_audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static bool emage_journal_head_parse(char *line, emage_journal_head_t *head);
static emage_rc_t emage_journal_heads_push(emage_journal_heads_t *heads,
    const emage_journal_head_t *head);


/* "file seq hash"; the file's name may hold spaces */

static bool
emage_journal_head_parse(char *line, emage_journal_head_t *head)
{
    char                *hash, *seq, *end;
    unsigned char        raw[EMAGE_HASH_LEN / 2];
    unsigned long long   n;

    hash = strrchr(line, ' ');

    if (hash == NULL) {
        return false;
    }

    *hash++ = '\0';
    seq = strrchr(line, ' ');

    if (seq == NULL || seq == line || strlen(hash) != EMAGE_HASH_LEN
        || !emage_unhex(raw, hash, EMAGE_HASH_LEN))
    {
        return false;
    }

    *seq++ = '\0';

    errno = 0;
    n = strtoull(seq, &end, 10);

    if (errno != 0 || *end != '\0' || *seq < '0' || *seq > '9') {
        return false;
    }

    memset(head, 0, sizeof(*head));
    head->file = line;
    head->seq = n;

    /* lower case, whatever was kept */

    emage_hex(head->hash, raw, sizeof(raw));

    return true;
}


static emage_rc_t
emage_journal_heads_push(emage_journal_heads_t *heads,
    const emage_journal_head_t *head)
{
    size_t                 size;
    emage_journal_head_t  *list;

    if (heads->n == heads->size) {
        size = (heads->size == 0) ? 64 : heads->size * 2;

        list = realloc(heads->head, size * sizeof(*list));
        if (list == NULL) {
            return EMAGE_NOMEM;
        }

        heads->head = list;
        heads->size = size;
    }

    list = &heads->head[heads->n];
    *list = *head;

    list->file = strdup(head->file);
    if (list->file == NULL) {
        return EMAGE_NOMEM;
    }

    heads->n++;

    return EMAGE_OK;
}


emage_rc_t
emage_journal_heads_load(emage_journal_heads_t *heads, const char *path,
    emage_error_t *err)
{
    FILE                  *f;
    char                  *line;
    size_t                 size, number;
    ssize_t                n;
    emage_rc_t             rc;
    emage_journal_head_t   head;

    f = fopen(path, "re");
    if (f == NULL) {
        emage_error_set(err, "%s: cannot be opened: %s", path,
                        strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    rc = EMAGE_OK;
    line = NULL;
    size = 0;

    for (number = 1; rc == EMAGE_OK; number++) {
        n = getline(&line, &size, f);

        if (n == -1) {
            break;
        }

        if (n > 0 && line[n - 1] == '\n') {
            line[--n] = '\0';
        }

        if (n == 0 || line[0] == '#') {
            continue;
        }

        if (strlen(line) != (size_t) n
            || !emage_journal_head_parse(line, &head))
        {
            emage_error_set(err, "%s: line %zu: must be \"file seq hash\"",
                            path, number);
            rc = EMAGE_ERROR;
            break;
        }

        rc = emage_journal_heads_push(heads, &head);

        if (rc != EMAGE_OK) {
            emage_error_set(err, "%s: out of memory", path);
        }
    }

    if (rc == EMAGE_OK && ferror(f)) {
        emage_error_set(err, "%s: cannot be read", path);
        rc = EMAGE_UNAVAILABLE;
    }

    free(line);
    (void) fclose(f);

    return rc;
}


void
emage_journal_heads_free(emage_journal_heads_t *heads)
{
    size_t  i;

    for (i = 0; i < heads->n; i++) {
        free(heads->head[i].file);
    }

    free(heads->head);
    memset(heads, 0, sizeof(*heads));
}


emage_rc_t
emage_journal_heads_check(emage_journal_heads_t *heads, const char *file,
    const emage_journal_reader_t *reader)
{
    size_t                 i;
    emage_journal_head_t  *head;

    for (i = 0; i < heads->n; i++) {
        head = &heads->head[i];

        if (head->seq + 1 != reader->chain.seq
            || strcmp(head->file, file) != 0)
        {
            continue;
        }

        head->met = true;

        if (memcmp(head->hash, reader->chain.prev, EMAGE_HASH_LEN) != 0) {
            return EMAGE_CONFLICT;
        }
    }

    return EMAGE_OK;
}


const emage_journal_head_t *
emage_journal_heads_missing(emage_journal_heads_t *heads, const char *file)
{
    size_t                 i;
    emage_journal_head_t  *head;

    for (i = 0; i < heads->n; i++) {
        head = &heads->head[i];

        if (!head->met && (file == NULL || strcmp(head->file, file) == 0)) {
            head->met = true;
            return head;
        }
    }

    return NULL;
}
