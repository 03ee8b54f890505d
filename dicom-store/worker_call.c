
/*
 * Copyright (C) The e-mage authors
 *
 * One call in a process of its own.
 */


#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


static void emage_call_main(const char *path, emage_worker_call_pt call,
    void *data, int end) __attribute__((noreturn));
static bool emage_call_wait(int end, unsigned seconds);
static int64_t emage_call_now(void);


static int64_t
emage_call_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


emage_rc_t
emage_worker_call(const char *path, emage_worker_call_pt call, void *data,
    emage_error_t *err)
{
    int       end[2], status;
    bool      late;
    pid_t     pid;
    unsigned  seconds;

    if (pipe2(end, O_CLOEXEC) == -1) {
        emage_error_set(err, "cannot make a pipe: %s", strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    (void) fflush(NULL);

    pid = fork();

    if (pid == 0) {
        emage_call_main(path, call, data, end[1]);
    }

    (void) close(end[1]);

    if (pid == -1) {
        emage_error_set(err, "cannot make a worker process: %s",
                        strerror(errno));
        (void) close(end[0]);
        return EMAGE_UNAVAILABLE;
    }

    seconds = emage_worker_seconds(path);
    late = !emage_call_wait(end[0], seconds);

    if (late) {
        (void) kill(pid, SIGKILL);
    }

    (void) close(end[0]);

    status = 0;

    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) { /* void */ }

    if (late) {
        emage_error_set(err, "not done within %u seconds", seconds);
        return EMAGE_ERROR;
    }

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        emage_error_set(err, "its worker failed (status %d)", status);
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


/* The pipe's other end closes with the process; false: it is late. */

static bool
emage_call_wait(int end, unsigned seconds)
{
    int            n;
    int64_t        deadline, left;
    struct pollfd  fd;

    deadline = emage_call_now() + (int64_t) seconds * 1000;

    fd.fd = end;
    fd.events = POLLIN;

    for ( ;; ) {
        left = deadline - emage_call_now();

        if (left <= 0) {
            return false;
        }

        n = poll(&fd, 1, (int) left);

        if (n > 0) {
            return true;
        }

        if (n == -1 && errno != EINTR) {
            return false;
        }
    }
}


static void
emage_call_main(const char *path, emage_worker_call_pt call, void *data,
    int end)
{
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void) signal(SIGINT, SIG_DFL);
    (void) signal(SIGTERM, SIG_DFL);

    /* the end of the pipe, but no lock and no socket */

    if (end != 3 && dup2(end, 3) == -1) {
        _exit(3);
    }

    (void) close_range(4, ~0U, 0);

    emage_worker_limits(path);

    _exit(call(data) ? 0 : 1);
}
