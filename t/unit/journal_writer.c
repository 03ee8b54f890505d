
/*
 * Copyright (C) The e-mage authors
 *
 * Journal files: what was acknowledged is there, what could not be written is
 * given up, what was changed is found.  With a directory as argument: writes
 * the files there that the audit tests attack.
 */


#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "journal_access.h"
#include "tap.h"


typedef struct {
    uint64_t  records;
    uint64_t  torn;
    char      last[128];
} seen_t;


static char  dir[64];


static emage_rc_t each(void *data, const char *file, uint64_t number,
    emage_str_t line);
static void test_writer(void);
static void test_writer_full(void);
static void test_scan_damage(void);
static int write_files(const char *path);


static emage_rc_t
each(void *data, const char *file, uint64_t number, emage_str_t line)
{
    seen_t  *seen = data;

    (void) number;

    if (line.len == 0) {
        seen->torn++;
        return EMAGE_OK;
    }

    seen->records++;
    (void) snprintf(seen->last, sizeof(seen->last), "%s", file);

    return EMAGE_OK;
}


static void
test_writer(void)
{
    int                      fd;
    char                     path[256];
    seen_t                   seen;
    struct stat              st;
    emage_error_t            err;
    emage_journal_writer_t  *w, *v;

    memset(&seen, 0, sizeof(seen));
    (void) snprintf(path, sizeof(path), "%s/ledger", dir);

    tap_ok(emage_journal_writer_open(path, "ledger", emage_str("n"),
                                     emage_str("t"), &w, &err) == EMAGE_OK,
           "a writer, in a directory that it makes");
    tap_ok(emage_journal_writer_open(path, "ledger", emage_str("n"),
                                     emage_str("t"), &v, &err) == EMAGE_OK,
           "another of the same name has a file of its own");
    tap_ok(emage_journal_writer_append(w, emage_str("\"type\":\"a\","
                                       "\"time\":1"), &err) == EMAGE_OK,
           "append");
    tap_ok(emage_journal_writer_append(w, emage_str("\n"), &err)
           == EMAGE_ERROR, "not a line: %s", err.text);
    tap_ok(emage_journal_writer_append(w, emage_str("\"type\":\"a\","
                                       "\"time\":2"), &err) == EMAGE_OK,
           "and the writer goes on");
    tap_ok(emage_journal_writer_close(w, &err) == EMAGE_OK
           && emage_journal_writer_close(v, &err) == EMAGE_OK, "close");

    tap_ok(emage_journal_scan(path, each, &seen, &err) == EMAGE_OK
           && seen.records == 6 && seen.torn == 0, "scan reads all of it");

    (void) snprintf(path, sizeof(path), "%s/ledger/%s", dir, seen.last);

    (void) memset(&st, 0xff, sizeof(st));
    (void) stat(path, &st);

    tap_ok((st.st_mode & 0777 & ~0640) == 0, "mode %o",
           (unsigned) (st.st_mode & 0777));

    (void) snprintf(path, sizeof(path), "%s/ledger/zz.jsonl", dir);
    fd = open(path, O_WRONLY|O_CREAT, 0640);
    (void) !write(fd, "{\"seq\":0", 8);
    (void) close(fd);

    (void) snprintf(path, sizeof(path), "%s/ledger", dir);
    memset(&seen, 0, sizeof(seen));

    tap_ok(emage_journal_scan(path, each, &seen, &err) == EMAGE_OK
           && seen.records == 6 && seen.torn == 1, "a torn line is told");

    (void) snprintf(path, sizeof(path), "%s/none", dir);
    tap_ok(emage_journal_scan(path, each, &seen, &err) == EMAGE_UNAVAILABLE,
           "no such directory: %s", err.text);
    tap_ok(emage_journal_writer_open("/proc/none/x", "ledger", emage_str("n"),
                                     emage_str("t"), &w, &err)
           == EMAGE_UNAVAILABLE && w == NULL, "no directory: %s", err.text);
}


/* RLIMIT_FSIZE lets a part of a record be written, as a full disk does */

static void
test_writer_full(void)
{
    char                     path[256], big[4096];
    seen_t                   seen;
    emage_rc_t               rc;
    emage_error_t            err;
    struct rlimit            limit, old;
    emage_journal_writer_t  *w;

    (void) signal(SIGXFSZ, SIG_IGN);
    (void) snprintf(path, sizeof(path), "%s/full", dir);

    memset(big, ' ', sizeof(big));
    memcpy(big, "\"type\":\"a\",\"time\":1", 19);

    (void) emage_journal_writer_open(path, "access", emage_str("n"),
                                     emage_str("t"), &w, &err);

    (void) getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 1000;
    (void) setrlimit(RLIMIT_FSIZE, &limit);

    rc = emage_journal_writer_append(w, (emage_str_t) { big, 4096 }, &err);

    (void) setrlimit(RLIMIT_FSIZE, &old);

    tap_ok(rc == EMAGE_UNAVAILABLE, "a short write fails: %s", err.text);

    tap_ok(emage_journal_writer_append(w, (emage_str_t) { big, 4096 }, &err)
           == EMAGE_UNAVAILABLE, "and the writer stays closed: %s", err.text);
    tap_ok(emage_journal_writer_close(w, &err) == EMAGE_UNAVAILABLE,
           "to the end");

    memset(&seen, 0, sizeof(seen));

    tap_ok(emage_journal_scan(path, each, &seen, &err) == EMAGE_OK
           && seen.records == 1 && seen.torn == 1,
           "what it left is whole but for the torn line");

    (void) emage_journal_writer_open(path, "access", emage_str("n"),
                                     emage_str("u"), &w, &err);
    memset(&seen, 0, sizeof(seen));
    (void) emage_journal_scan(path, each, &seen, &err);
    (void) snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s",
                    seen.last);
    (void) unlink(path);

    tap_ok(emage_journal_writer_append(w, (emage_str_t) { big, 4096 }, &err)
           == EMAGE_UNAVAILABLE, "a deleted file: %s", err.text);
    (void) emage_journal_writer_close(w, &err);
}


static void
test_scan_damage(void)
{
    int                      fd;
    char                     path[512];
    seen_t                   seen;
    emage_error_t            err;
    emage_journal_writer_t  *w;

    (void) snprintf(path, sizeof(path), "%s/damage", dir);

    (void) emage_journal_writer_open(path, "access", emage_str("n"),
                                     emage_str("t"), &w, &err);
    (void) emage_journal_writer_close(w, &err);

    memset(&seen, 0, sizeof(seen));
    (void) emage_journal_scan(path, each, &seen, &err);

    (void) snprintf(path, sizeof(path), "%s/damage/%s", dir, seen.last);
    fd = open(path, O_WRONLY|O_APPEND);
    (void) !write(fd, "{", 1);
    (void) close(fd);
    (void) snprintf(path, sizeof(path), "%s/damage", dir);

    tap_ok(emage_journal_scan(path, each, &seen, &err) == EMAGE_ERROR,
           "bytes after the close: %s", err.text);

    (void) snprintf(path, sizeof(path), "%s/damage/%s", dir, seen.last);
    fd = open(path, O_WRONLY);
    (void) !pwrite(fd, "1", 1, 7);
    (void) close(fd);
    (void) snprintf(path, sizeof(path), "%s/damage", dir);

    tap_ok(emage_journal_scan(path, each, &seen, &err) == EMAGE_ERROR
           && strstr(err.text, ".jsonl: line 1: number") != NULL,
           "another number: %s", err.text);
}


/* What the audit tests work on: three files of one node, none damaged. */

static int
write_files(const char *path)
{
    int                      i, k;
    char                     id[40], request[40], process[8];
    bool                     ok;
    emage_buf_t              b;
    emage_error_t            err;
    emage_access_t           a;
    emage_journal_writer_t  *w;

    ok = true;
    emage_buf_init(&b, EMAGE_JOURNAL_LINE_MAX);

    for (i = 0; ok && i < 3; i++) {
        (void) snprintf(process, sizeof(process), "w%d", i);

        ok = emage_journal_writer_open(path, "access", emage_str("n1"),
                                       emage_str_c(process), &w, &err)
             == EMAGE_OK;

        for (k = 0; ok && k < 40; k++) {
            fill(&a, (k % 5 == 4) ? EMAGE_ACCESS_REFUSAL
                                  : (emage_access_type_t) (k % 5 % 2));

            (void) snprintf(id, sizeof(id), "%032x", i * 1000 + k / 5 * 5
                            + k % 5 / 2);
            (void) snprintf(request, sizeof(request), "r%d-%d", i, k);

            a.time += (k * 3 + i) * 1000;
            a.decision_id = emage_str_c(id);
            a.request_id = emage_str_c(request);
            a.cause = (k % 5 == 4) ? emage_str("no-relation") : a.cause;
            a.nreasons = (k % 5 == 4) ? 0 : 2;
            a.pid = (k % 2) ? emage_str("ffeeddccbbaa99887766554433221100")
                            : a.pid;

            emage_buf_reset(&b);

            ok = emage_access_body(&b, &a) == EMAGE_OK
                 && emage_journal_writer_append(w, str(&b), &err) == EMAGE_OK;
        }

        ok = ok && emage_journal_writer_close(w, &err) == EMAGE_OK;
    }

    emage_buf_free(&b);

    return ok ? 0 : 1;
}


int
main(int argc, char **argv)
{
    char  cmd[128];

    if (argc > 1) {
        return write_files(argv[1]);
    }

    (void) snprintf(dir, sizeof(dir), "/tmp/emage-journal-XXXXXX");

    if (mkdtemp(dir) == NULL) {
        printf("Bail out! no temporary directory\n");
        return 1;
    }

    test_writer();
    test_writer_full();
    test_scan_damage();

    (void) snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    (void) !system(cmd);

    return tap_done();
}
