
/*
 * Copyright (C) The e-mage authors
 *
 * What is done to a journal file, by a thread of the pool: a job creates,
 * writes, syncs, looks after and closes.  Nothing of nginx's loop is touched.
 */


#ifndef _NGX_EMAGE_JOURNAL_FILE_H_INCLUDED_
#define _NGX_EMAGE_JOURNAL_FILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <pthread.h>


#define NGX_EMAGE_JOURNAL_RESERVE  (16 * 1024 * 1024)  /* bytes kept free */
#define NGX_EMAGE_JOURNAL_PATH     1024


typedef struct {

    /* the file; fd is -1 when there is none */

    int               fd;
    off_t             offset;
    u_char            dir[NGX_EMAGE_JOURNAL_PATH];
    u_char            path[NGX_EMAGE_JOURNAL_PATH];

    /* what is to be done */

    const char       *data;
    size_t            len;
    unsigned          create:1;
    unsigned          close:1;

    /* what came of it: NULL, or the call that failed (fd is closed then) */

    const char       *failed;
    ngx_err_t         err;
    unsigned          gone:1;          /* deleted, or changed by others */
    unsigned          moved:1;         /* the path leads elsewhere */
    unsigned          low:1;           /* less than the reserve is free */

    /* whether a thread has it; for who cannot wait for the loop */

    pthread_mutex_t   mutex;
    pthread_cond_t    cond;
    unsigned          busy;
} ngx_emage_journal_job_t;


ngx_int_t ngx_emage_journal_job_init(ngx_emage_journal_job_t *job);
void ngx_emage_journal_job_done(ngx_emage_journal_job_t *job);

/* Does what was asked; in the caller's thread. */

void ngx_emage_journal_job_run(ngx_emage_journal_job_t *job);

/* Around a job that is given to a thread. */

void ngx_emage_journal_job_begin(ngx_emage_journal_job_t *job);
void ngx_emage_journal_job_end(ngx_emage_journal_job_t *job);

/* Waits until no thread has the job: NGX_OK, or NGX_BUSY after `timeout`. */

ngx_int_t ngx_emage_journal_job_wait(ngx_emage_journal_job_t *job,
    ngx_msec_t timeout);


#endif /* _NGX_EMAGE_JOURNAL_FILE_H_INCLUDED_ */
