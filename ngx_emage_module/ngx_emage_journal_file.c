
/*
 * Copyright (C) The e-mage authors
 *
 * Jobs on a journal file.  After a write or sync that failed nothing is known
 * of the file's tail, so it is closed at once and never tried again.
 */


#include "ngx_emage_journal_file.h"

#include <sys/statvfs.h>


static ngx_int_t ngx_emage_journal_job_create(ngx_emage_journal_job_t *job);
static ngx_int_t ngx_emage_journal_job_write(ngx_emage_journal_job_t *job);
static ngx_int_t ngx_emage_journal_job_sync_dir(ngx_emage_journal_job_t *job);
static ngx_int_t ngx_emage_journal_job_check(ngx_emage_journal_job_t *job);
static void ngx_emage_journal_job_space(ngx_emage_journal_job_t *job);
static ngx_int_t ngx_emage_journal_job_failed(ngx_emage_journal_job_t *job,
    const char *what);


ngx_int_t
ngx_emage_journal_job_init(ngx_emage_journal_job_t *job)
{
    pthread_condattr_t  attr;

    job->fd = -1;

    if (pthread_mutex_init(&job->mutex, NULL) != 0
        || pthread_condattr_init(&attr) != 0
        || pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) != 0
        || pthread_cond_init(&job->cond, &attr) != 0)
    {
        return NGX_ERROR;
    }

    (void) pthread_condattr_destroy(&attr);

    return NGX_OK;
}


void
ngx_emage_journal_job_done(ngx_emage_journal_job_t *job)
{
    (void) pthread_cond_destroy(&job->cond);
    (void) pthread_mutex_destroy(&job->mutex);
}


void
ngx_emage_journal_job_begin(ngx_emage_journal_job_t *job)
{
    (void) pthread_mutex_lock(&job->mutex);
    job->busy = 1;
    (void) pthread_mutex_unlock(&job->mutex);
}


void
ngx_emage_journal_job_end(ngx_emage_journal_job_t *job)
{
    (void) pthread_mutex_lock(&job->mutex);
    job->busy = 0;
    (void) pthread_cond_broadcast(&job->cond);
    (void) pthread_mutex_unlock(&job->mutex);
}


ngx_int_t
ngx_emage_journal_job_wait(ngx_emage_journal_job_t *job, ngx_msec_t timeout)
{
    int              rc;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    ts.tv_sec += timeout / 1000;
    ts.tv_nsec += (timeout % 1000) * 1000000;

    if (ts.tv_nsec >= 1000000000) {
        ts.tv_nsec -= 1000000000;
        ts.tv_sec++;
    }

    rc = 0;

    (void) pthread_mutex_lock(&job->mutex);

    while (job->busy && rc == 0) {
        rc = pthread_cond_timedwait(&job->cond, &job->mutex, &ts);
    }

    rc = job->busy ? NGX_BUSY : NGX_OK;

    (void) pthread_mutex_unlock(&job->mutex);

    return rc;
}


void
ngx_emage_journal_job_run(ngx_emage_journal_job_t *job)
{
    int  fd;

    job->failed = NULL;
    job->err = 0;
    job->gone = 0;
    job->moved = 0;

    ngx_emage_journal_job_space(job);

    if (job->failed) {
        goto failed;
    }

    if (job->create && ngx_emage_journal_job_create(job) != NGX_OK) {
        goto failed;
    }

    if (job->len && ngx_emage_journal_job_write(job) != NGX_OK) {
        goto failed;
    }

    if (job->create && ngx_emage_journal_job_sync_dir(job) != NGX_OK) {
        goto failed;
    }

    if (ngx_emage_journal_job_check(job) != NGX_OK) {
        goto failed;
    }

    if (job->close) {
        fd = job->fd;
        job->fd = -1;

        if (close(fd) == -1) {
            (void) ngx_emage_journal_job_failed(job, "close()");
        }
    }

    return;

failed:

    if (job->fd != -1) {
        (void) close(job->fd);
        job->fd = -1;

        /* nothing was promised on a file that could not be begun */

        if (job->create) {
            (void) unlink((char *) job->path);
        }
    }
}


static ngx_int_t
ngx_emage_journal_job_create(ngx_emage_journal_job_t *job)
{
    if (job->low) {
        ngx_set_errno(NGX_ENOSPC);
        return ngx_emage_journal_job_failed(job, "creation");
    }

    job->offset = 0;

    /*
     * Appending, which on Linux goes before the offset of pwrite(): in a file
     * that was cut, a write there would leave a hole, and the very size that
     * ngx_emage_journal_job_check() expects.
     */

    job->fd = open((char *) job->path,
                   O_WRONLY|O_CREAT|O_EXCL|O_APPEND|O_CLOEXEC|O_NOFOLLOW,
                   0640);

    if (job->fd == -1) {
        return ngx_emage_journal_job_failed(job, "open()");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_emage_journal_job_write(ngx_emage_journal_job_t *job)
{
    size_t       left;
    ssize_t      n;
    const char  *p;

    p = job->data;
    left = job->len;

    while (left) {
        n = pwrite(job->fd, p, left, job->offset);

        if (n == -1) {
            if (ngx_errno == NGX_EINTR) {
                continue;
            }

            return ngx_emage_journal_job_failed(job, "pwrite()");
        }

        p += n;
        left -= n;
        job->offset += n;
    }

    if (fdatasync(job->fd) == -1) {
        return ngx_emage_journal_job_failed(job, "fdatasync()");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_emage_journal_job_sync_dir(ngx_emage_journal_job_t *job)
{
    int  fd;

    fd = open((char *) job->dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        return ngx_emage_journal_job_failed(job, "open() of the directory");
    }

    if (fsync(fd) == -1) {
        (void) ngx_emage_journal_job_failed(job, "fsync() of the directory");
        (void) close(fd);
        return NGX_ERROR;
    }

    if (close(fd) == -1) {
        return ngx_emage_journal_job_failed(job, "close() of the directory");
    }

    return NGX_OK;
}


/*
 * After the sync, so that what is acknowledged was still to be found: a file
 * that somebody has deleted or cut keeps nothing.
 */

static ngx_int_t
ngx_emage_journal_job_check(ngx_emage_journal_job_t *job)
{
    struct stat  st, named;

    if (fstat(job->fd, &st) == -1) {
        return ngx_emage_journal_job_failed(job, "fstat()");
    }

    if (st.st_nlink == 0 || st.st_size != job->offset) {
        job->gone = 1;
        ngx_set_errno(0);
        return ngx_emage_journal_job_failed(job, st.st_nlink == 0 ? "deleted"
                                                                  : "changed");
    }

    if (stat((char *) job->path, &named) == -1) {
        job->moved = 1;

    } else if (named.st_ino != st.st_ino || named.st_dev != st.st_dev) {
        job->moved = 1;
    }

    return NGX_OK;
}


static void
ngx_emage_journal_job_space(ngx_emage_journal_job_t *job)
{
    struct statvfs  st;

    if (statvfs((char *) job->dir, &st) == -1) {

        /* a file that is open may have been moved away, with its folder */

        if (job->fd == -1) {
            (void) ngx_emage_journal_job_failed(job, "statvfs()");
        }

        return;
    }

    job->low = (uint64_t) st.f_bavail * st.f_frsize
               < NGX_EMAGE_JOURNAL_RESERVE;
}


static ngx_int_t
ngx_emage_journal_job_failed(ngx_emage_journal_job_t *job, const char *what)
{
    job->err = ngx_errno;
    job->failed = what;

    return NGX_ERROR;
}
