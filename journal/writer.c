
/*
 * Copyright (C) The e-mage authors
 *
 * The blocking writer of the tools.  What it has acknowledged is on the disk;
 * after a failed sync nobody knows what is, so the writer is given up.
 */


#include "emage_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>


#define EMAGE_JOURNAL_NAME_MAX  512
#define EMAGE_JOURNAL_TRIES     16


struct emage_journal_writer_s {
    int            fd;
    bool           failed;
    emage_buf_t    line;
    emage_buf_t    name;                    /* path, for error texts */
    emage_chain_t  chain;
};


static int64_t emage_journal_now(void);
static int emage_journal_dir_open(const char *dir, emage_error_t *err);
static emage_rc_t emage_journal_writer_create(emage_journal_writer_t *writer,
    int dirfd, const char *dir, emage_str_t node, emage_str_t process,
    int64_t *now, emage_error_t *err);
static emage_rc_t emage_journal_writer_start(emage_journal_writer_t *writer,
    int dirfd, const char *dir, const char *kind, emage_str_t node,
    emage_str_t process, emage_error_t *err);
static emage_rc_t emage_journal_writer_write(emage_journal_writer_t *writer,
    emage_error_t *err);
static void emage_journal_writer_free(emage_journal_writer_t *writer);


static int64_t
emage_journal_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* The directory, made if only its last part is missing. */

static int
emage_journal_dir_open(const char *dir, emage_error_t *err)
{
    int  fd, up;

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd != -1) {
        return fd;
    }

    if (errno != ENOENT || (mkdir(dir, 0750) != 0 && errno != EEXIST)) {
        goto failed;
    }

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        goto failed;
    }

    up = openat(fd, "..", O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (up == -1 || fsync(up) != 0) {
        if (up != -1) {
            (void) close(up);
        }

        (void) close(fd);
        goto failed;
    }

    (void) close(up);

    return fd;

failed:

    emage_error_set(err, "journal %s: cannot be opened: %s", dir,
                    strerror(errno));

    return -1;
}


static emage_rc_t
emage_journal_writer_create(emage_journal_writer_t *writer, int dirfd,
    const char *dir, emage_str_t node, emage_str_t process, int64_t *now,
    emage_error_t *err)
{
    size_t       start;
    unsigned     i;
    const char  *path;

    *now = emage_journal_now();

    for (i = 0; i < EMAGE_JOURNAL_TRIES; i++) {
        emage_buf_reset(&writer->name);

        (void) emage_buf_add_c(&writer->name, dir);
        (void) emage_buf_add(&writer->name, "/", 1);

        start = writer->name.len;

        (void) emage_journal_file_name(&writer->name, node, process, *now);

        path = emage_buf_cstr(&writer->name);
        if (path == NULL) {
            emage_error_set(err, "journal %s: out of memory", dir);
            return EMAGE_NOMEM;
        }

        writer->fd = openat(dirfd, path + start, O_WRONLY|O_CREAT|O_EXCL
                                    |O_APPEND|O_CLOEXEC|O_NOFOLLOW, 0640);

        if (writer->fd != -1) {
            return EMAGE_OK;
        }

        if (errno != EEXIST) {
            break;
        }

        /* another writer of this name in the same millisecond */

        (*now)++;
    }

    emage_error_set(err, "journal %s: cannot be created: %s", path,
                    strerror(errno));

    return EMAGE_UNAVAILABLE;
}


static emage_rc_t
emage_journal_writer_start(emage_journal_writer_t *writer, int dirfd,
    const char *dir, const char *kind, emage_str_t node, emage_str_t process,
    emage_error_t *err)
{
    int64_t      now;
    emage_rc_t   rc;
    emage_buf_t  body;

    rc = emage_journal_writer_create(writer, dirfd, dir, node, process, &now,
                                     err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    emage_buf_init(&body, EMAGE_JOURNAL_LINE_MAX);

    rc = emage_journal_open_body(&body, kind, node, process, now);

    if (rc == EMAGE_OK) {
        rc = emage_journal_writer_append(writer,
                                         (emage_str_t) { body.data, body.len },
                                         err);

    } else {
        emage_error_set(err, "journal %s: a kind that is not access or ledger",
                        writer->name.data);
    }

    emage_buf_free(&body);

    if (rc == EMAGE_OK && fsync(dirfd) != 0) {
        emage_error_set(err, "journal %s: cannot be synced: %s", dir,
                        strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    return rc;
}


emage_rc_t
emage_journal_writer_open(const char *dir, const char *kind, emage_str_t node,
    emage_str_t process, emage_journal_writer_t **out, emage_error_t *err)
{
    int                      dirfd;
    emage_rc_t               rc;
    emage_journal_writer_t  *writer;

    *out = NULL;

    dirfd = emage_journal_dir_open(dir, err);
    if (dirfd == -1) {
        return EMAGE_UNAVAILABLE;
    }

    writer = calloc(1, sizeof(*writer));
    if (writer == NULL) {
        emage_error_set(err, "journal %s: out of memory", dir);
        (void) close(dirfd);
        return EMAGE_NOMEM;
    }

    writer->fd = -1;

    emage_buf_init(&writer->line, EMAGE_JOURNAL_LINE_MAX + 1);
    emage_buf_init(&writer->name, strlen(dir) + EMAGE_JOURNAL_NAME_MAX);
    emage_chain_init(&writer->chain);

    rc = emage_journal_writer_start(writer, dirfd, dir, kind, node, process,
                                    err);

    (void) close(dirfd);

    if (rc != EMAGE_OK) {
        emage_journal_writer_free(writer);
        return rc;
    }

    *out = writer;

    return EMAGE_OK;
}


static emage_rc_t
emage_journal_writer_write(emage_journal_writer_t *writer, emage_error_t *err)
{
    size_t       done;
    ssize_t      n;
    struct stat  st;

    /* a file that was deleted under us keeps nothing */

    if (fstat(writer->fd, &st) != 0 || st.st_nlink == 0) {
        emage_error_set(err, "journal %s: was deleted, nothing more is "
                        "written to it", writer->name.data);
        return EMAGE_UNAVAILABLE;
    }

    for (done = 0; done < writer->line.len; done += (size_t) n) {
        n = write(writer->fd, writer->line.data + done,
                  writer->line.len - done);

        if (n == -1 && errno == EINTR) {
            n = 0;
            continue;
        }

        if (n <= 0) {
            emage_error_set(err, "journal %s: cannot be written: %s",
                            writer->name.data,
                            (n == 0) ? "no space" : strerror(errno));
            return EMAGE_UNAVAILABLE;
        }
    }

    if (fdatasync(writer->fd) != 0) {
        emage_error_set(err, "journal %s: cannot be synced: %s",
                        writer->name.data, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_journal_writer_append(emage_journal_writer_t *writer, emage_str_t body,
    emage_error_t *err)
{
    emage_rc_t     rc;
    emage_chain_t  chain;

    if (writer->failed) {
        emage_error_set(err, "journal %s: failed before, nothing more is "
                        "written to it", writer->name.data);
        return EMAGE_UNAVAILABLE;
    }

    emage_buf_reset(&writer->line);
    chain = writer->chain;

    rc = emage_chain_seal(&chain, body, &writer->line);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "journal %s: the record is %s",
                        writer->name.data,
                        (rc == EMAGE_NOMEM) ? "too long, or out of memory"
                                            : "not a line");
        return rc;
    }

    rc = emage_journal_writer_write(writer, err);

    if (rc != EMAGE_OK) {
        writer->failed = true;
        return rc;
    }

    writer->chain = chain;

    return EMAGE_OK;
}


static void
emage_journal_writer_free(emage_journal_writer_t *writer)
{
    if (writer->fd != -1) {
        (void) close(writer->fd);
    }

    emage_buf_free(&writer->line);
    emage_buf_free(&writer->name);
    free(writer);
}


emage_rc_t
emage_journal_writer_close(emage_journal_writer_t *writer, emage_error_t *err)
{
    emage_rc_t   rc;
    emage_buf_t  body;

    if (writer == NULL) {
        return EMAGE_OK;
    }

    emage_buf_init(&body, 256);

    rc = emage_journal_close_body(&body, emage_journal_now());

    if (rc == EMAGE_OK) {
        rc = emage_journal_writer_append(writer,
                                         (emage_str_t) { body.data, body.len },
                                         err);
    }

    emage_buf_free(&body);

    if (close(writer->fd) != 0 && rc == EMAGE_OK) {
        emage_error_set(err, "journal %s: cannot be closed: %s",
                        writer->name.data, strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    writer->fd = -1;

    emage_journal_writer_free(writer);

    return rc;
}
