
/*
 * Copyright (C) The e-mage authors
 */


#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bridge.h"
#include "file.h"


#define EMAGE_JOBS_MAX       64
#define EMAGE_WORKER_MEMORY  ((rlim_t) 1 << 30)   /* and 6 times the file */
#define EMAGE_WORKER_FILE    ((rlim_t) 64 << 30)


/* what a worker answers: a head, then `len` bytes */

typedef struct {
    uint32_t  kind;
    uint32_t  len;
} emage_worker_head_t;

#define EMAGE_WORKER_OBJECT  1
#define EMAGE_WORKER_DISK    2


typedef struct {
    pid_t      pid;                  /* 0: none */
    int        to;
    int        from;
    bool       busy;
    uint32_t   number;
    int64_t    deadline;             /* ms, CLOCK_MONOTONIC */
    unsigned   seconds;
    size_t     got;
    char       answer[sizeof(emage_worker_head_t) + EMAGE_OBJECT_WIRE_MAX];
} emage_worker_t;


typedef struct {
    const emage_worker_conf_t  *conf;
    char *const                *paths;
    uint32_t                    n;
    uint32_t                    next;
    uint32_t                    left;
    unsigned                    jobs;
    emage_worker_t             *workers;
    emage_worker_done_pt        done;
    void                       *data;
    emage_error_t              *err;
} emage_pool_t;


static emage_rc_t emage_pool_loop(emage_pool_t *p);
static emage_rc_t emage_pool_start(emage_pool_t *p, emage_worker_t *w);
static emage_rc_t emage_pool_feed(emage_pool_t *p, emage_worker_t *w);
static emage_rc_t emage_pool_read(emage_pool_t *p, emage_worker_t *w);
static void emage_pool_refuse(emage_pool_t *p, emage_worker_t *w,
    const char *reason);
static void emage_pool_lost(emage_pool_t *p, emage_worker_t *w, bool late);
static int emage_pool_stop(emage_worker_t *w);
static int64_t emage_pool_now(void);
static void emage_worker_main(const emage_worker_conf_t *conf, int from,
    int to) __attribute__((noreturn));
static bool emage_worker_one(const emage_worker_conf_t *conf, char *path,
    uint32_t number, int to);
static bool emage_worker_read(int fd, void *dst, size_t len);


static int64_t
emage_pool_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


emage_rc_t
emage_worker_run(const emage_worker_conf_t *conf, char *const *paths,
    uint32_t n, emage_worker_done_pt done, void *data, emage_error_t *err)
{
    unsigned      i;
    emage_rc_t    rc;
    emage_pool_t  p;

    memset(&p, 0, sizeof(p));

    p.conf = conf;
    p.paths = paths;
    p.n = n;
    p.left = n;
    p.done = done;
    p.data = data;
    p.err = err;

    p.jobs = (conf->jobs == 0) ? 1 : conf->jobs;

    if (p.jobs > EMAGE_JOBS_MAX) {
        p.jobs = EMAGE_JOBS_MAX;
    }

    if (p.jobs > n) {
        p.jobs = (n == 0) ? 1 : n;
    }

    /* once for all: the children inherit the dictionary */

    if (!emage_dcmtk_init()) {
        emage_error_set(err, "DCMTK finds no data dictionary, install "
                        "libdcmtk-data or set DCMDICTPATH");
        return EMAGE_UNAVAILABLE;
    }

    p.workers = calloc(p.jobs, sizeof(emage_worker_t));
    if (p.workers == NULL) {
        emage_error_set(err, "no memory");
        return EMAGE_NOMEM;
    }

    /* a worker that died is seen when its answer ends, not by a signal */

    (void) signal(SIGPIPE, SIG_IGN);

    rc = emage_pool_loop(&p);

    for (i = 0; i < p.jobs; i++) {
        if (p.workers[i].pid != 0) {
            (void) emage_pool_stop(&p.workers[i]);
        }
    }

    free(p.workers);

    return rc;
}


static emage_rc_t
emage_pool_loop(emage_pool_t *p)
{
    int             wait;
    int64_t         now;
    unsigned        i;
    emage_rc_t      rc;
    struct pollfd   fds[EMAGE_JOBS_MAX];
    emage_worker_t *w;

    while (p->left > 0) {

        now = emage_pool_now();
        wait = 1000;

        for (i = 0; i < p->jobs; i++) {
            w = &p->workers[i];

            if (!w->busy && p->next < p->n) {
                rc = emage_pool_feed(p, w);
                if (rc != EMAGE_OK) {
                    return rc;
                }
            }

            fds[i].fd = w->busy ? w->from : -1;
            fds[i].events = POLLIN;
            fds[i].revents = 0;

            if (w->busy && w->deadline - now < wait) {
                wait = (w->deadline > now) ? (int) (w->deadline - now) : 0;
            }
        }

        if (poll(fds, p->jobs, wait) == -1 && errno != EINTR) {
            emage_error_set(p->err, "cannot wait for workers: %s",
                            strerror(errno));
            return EMAGE_UNAVAILABLE;
        }

        now = emage_pool_now();

        for (i = 0; i < p->jobs; i++) {
            w = &p->workers[i];

            if (w->busy && fds[i].revents != 0) {
                rc = emage_pool_read(p, w);
                if (rc != EMAGE_OK) {
                    return rc;
                }
            }

            if (w->busy && now >= w->deadline) {
                emage_pool_lost(p, w, true);
            }
        }
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_pool_start(emage_pool_t *p, emage_worker_t *w)
{
    int    to[2], from[2];
    pid_t  pid;

    if (pipe2(to, O_CLOEXEC) == -1) {
        emage_error_set(p->err, "cannot make a pipe: %s", strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    if (pipe2(from, O_CLOEXEC) == -1) {
        emage_error_set(p->err, "cannot make a pipe: %s", strerror(errno));
        (void) close(to[0]);
        (void) close(to[1]);
        return EMAGE_UNAVAILABLE;
    }

    (void) fflush(NULL);

    pid = fork();

    if (pid == 0) {
        emage_worker_main(p->conf, to[0], from[1]);
    }

    (void) close(to[0]);
    (void) close(from[1]);

    if (pid == -1) {
        emage_error_set(p->err, "cannot make a worker process: %s",
                        strerror(errno));
        (void) close(to[1]);
        (void) close(from[0]);
        return EMAGE_UNAVAILABLE;
    }

    w->pid = pid;
    w->to = to[1];
    w->from = from[0];
    w->busy = false;

    return EMAGE_OK;
}


static emage_rc_t
emage_pool_feed(emage_pool_t *p, emage_worker_t *w)
{
    uint32_t     head[2];
    emage_rc_t   rc;
    const char  *path;

    if (w->pid == 0) {
        rc = emage_pool_start(p, w);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    w->number = p->next++;
    w->busy = true;
    w->got = 0;

    path = p->paths[w->number];

    w->seconds = emage_worker_seconds(path);
    w->deadline = emage_pool_now() + (int64_t) w->seconds * 1000;

    head[0] = w->number;
    head[1] = (uint32_t) strlen(path);

    if (emage_file_write_fd(w->to, head, sizeof(head)) != EMAGE_OK
        || emage_file_write_fd(w->to, path, head[1]) != EMAGE_OK)
    {
        emage_pool_lost(p, w, false);
    }

    return EMAGE_OK;
}


unsigned
emage_worker_seconds(const char *path)
{
    struct stat  st;

    if (stat(path, &st) == -1 || st.st_size <= 0) {
        return EMAGE_WORKER_SECONDS;
    }

    return EMAGE_WORKER_SECONDS + (unsigned) (st.st_size >> 25);
}


static int
emage_pool_stop(emage_worker_t *w)
{
    int  status;

    (void) close(w->to);
    (void) close(w->from);

    if (w->busy) {
        (void) kill(w->pid, SIGKILL);
    }

    status = 0;

    while (waitpid(w->pid, &status, 0) == -1 && errno == EINTR) { /* void */ }

    w->pid = 0;
    w->busy = false;

    return status;
}


static void
emage_pool_refuse(emage_pool_t *p, emage_worker_t *w, const char *reason)
{
    emage_object_t  o;

    memset(&o, 0, sizeof(o));

    o.refused = true;
    (void) snprintf(o.reason, sizeof(o.reason), "%s", reason);

    w->busy = false;
    p->left--;

    p->done(p->data, w->number, &o);
}


/* The worker is gone or has to go: its file is refused, with the reason. */

static void
emage_pool_lost(emage_pool_t *p, emage_worker_t *w, bool late)
{
    int   status;
    char  reason[256];

    if (!late) {

        /* let it end by itself, so that the reason is its own */

        w->busy = false;
    }

    status = emage_pool_stop(w);

    if (late) {
        (void) snprintf(reason, sizeof(reason), "not read within %u seconds: "
                        "its worker was stopped", w->seconds);

    } else if (WIFSIGNALED(status)) {
        (void) snprintf(reason, sizeof(reason), "its worker crashed while "
                        "reading it (signal %d, %s)", WTERMSIG(status),
                        strsignal(WTERMSIG(status)));

    } else {
        (void) snprintf(reason, sizeof(reason), "its worker ended while "
                        "reading it (status %d)", WEXITSTATUS(status));
    }

    emage_pool_refuse(p, w, reason);
}


static emage_rc_t
emage_pool_read(emage_pool_t *p, emage_worker_t *w)
{
    size_t               want;
    ssize_t              n;
    emage_object_t       o;
    emage_worker_head_t  head;

    want = sizeof(head);
    head.len = 0;

    if (w->got >= sizeof(head)) {
        memcpy(&head, w->answer, sizeof(head));
        want += head.len;
    }

    n = read(w->from, w->answer + w->got, want - w->got);

    if (n == -1 && (errno == EINTR || errno == EAGAIN)) {
        return EMAGE_OK;
    }

    if (n <= 0) {
        emage_pool_lost(p, w, false);
        return EMAGE_OK;
    }

    w->got += (size_t) n;

    if (w->got < sizeof(head)) {
        return EMAGE_OK;
    }

    memcpy(&head, w->answer, sizeof(head));

    if (head.len == 0 || head.len > EMAGE_OBJECT_WIRE_MAX
        || (head.kind != EMAGE_WORKER_OBJECT
            && head.kind != EMAGE_WORKER_DISK))
    {
        goto nonsense;
    }

    if (w->got < sizeof(head) + head.len) {
        return EMAGE_OK;
    }

    if (head.kind == EMAGE_WORKER_DISK) {
        emage_error_set(p->err, "%.*s", (int) head.len,
                        w->answer + sizeof(head));
        return EMAGE_UNAVAILABLE;
    }

    if (!emage_object_decode(&o, w->answer + sizeof(head), head.len)) {
        goto nonsense;
    }

    w->busy = false;
    p->left--;

    p->done(p->data, w->number, &o);

    return EMAGE_OK;

nonsense:

    (void) emage_pool_stop(w);
    emage_pool_refuse(p, w, "its worker answered nonsense");

    return EMAGE_OK;
}


/* In the child. */

static bool
emage_worker_read(int fd, void *dst, size_t len)
{
    char     *p;
    ssize_t   n;

    p = dst;

    while (len > 0) {
        n = read(fd, p, len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return false;
        }

        p += n;
        len -= (size_t) n;
    }

    return true;
}


void
emage_worker_limits(const char *path)
{
    struct stat    st;
    struct rlimit  limit;

    limit.rlim_cur = 0;
    limit.rlim_max = 0;
    (void) setrlimit(RLIMIT_CORE, &limit);

    limit.rlim_cur = EMAGE_WORKER_FILE;
    limit.rlim_max = EMAGE_WORKER_FILE;
    (void) setrlimit(RLIMIT_FSIZE, &limit);

    limit.rlim_cur = EMAGE_WORKER_MEMORY;
    limit.rlim_max = RLIM_INFINITY;

    if (stat(path, &st) == 0 && st.st_size > 0) {
        limit.rlim_cur += (rlim_t) st.st_size * 6;
    }

#if !defined(__SANITIZE_ADDRESS__)

    /* the shadow memory of a sanitizer is terabytes of address space */

    (void) setrlimit(RLIMIT_AS, &limit);

#endif
}


static bool
emage_worker_one(const emage_worker_conf_t *conf, char *path, uint32_t number,
    int to)
{
    bool                 ok;
    emage_rc_t           rc;
    emage_buf_t          answer;
    emage_error_t        err;
    emage_object_t       o;
    emage_object_conf_t  oc;
    emage_worker_head_t  head;

    emage_worker_limits(path);

    oc.dir = conf->dir;
    oc.number = number;
    oc.base_url = conf->base_url;
    oc.default_charset = conf->default_charset;

    rc = emage_object_stage(&oc, path, &o, &err);

    emage_buf_init(&answer, EMAGE_OBJECT_WIRE_MAX);

    if (rc == EMAGE_OK) {
        head.kind = EMAGE_WORKER_OBJECT;
        ok = emage_object_encode(&o, &answer) == EMAGE_OK;

    } else {
        head.kind = EMAGE_WORKER_DISK;
        ok = emage_buf_add_c(&answer, err.text) == EMAGE_OK;
    }

    head.len = (uint32_t) answer.len;

    ok = ok && emage_file_write_fd(to, &head, sizeof(head)) == EMAGE_OK
         && emage_file_write_fd(to, answer.data, answer.len) == EMAGE_OK;

    emage_buf_free(&answer);

    return ok;
}


static void
emage_worker_main(const emage_worker_conf_t *conf, int from, int to)
{
    char      *path;
    uint32_t   head[2];

    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void) signal(SIGINT, SIG_DFL);
    (void) signal(SIGTERM, SIG_DFL);

    /* no other worker's pipe, no lock, no socket */

    from = fcntl(from, F_DUPFD, 16);
    to = fcntl(to, F_DUPFD, 16);

    if (from == -1 || to == -1 || dup2(from, 3) == -1 || dup2(to, 4) == -1) {
        _exit(3);
    }

    (void) close_range(5, ~0U, 0);

    while (emage_worker_read(3, head, sizeof(head))) {

        path = (head[1] > 65536) ? NULL : malloc((size_t) head[1] + 1);

        if (path == NULL || !emage_worker_read(3, path, head[1])) {
            _exit(3);
        }

        path[head[1]] = '\0';

        if (!emage_worker_one(conf, path, head[0], 4)) {
            _exit(3);
        }

        free(path);
    }

    _exit(0);
}
