
/*
 * Copyright (C) The e-mage authors
 *
 * What the halves of a worker's journal share: ngx_emage_journal.c takes
 * records and waiters, ngx_emage_journal_sync.c brings them to the disk.
 */


#ifndef _NGX_EMAGE_JOURNAL_CORE_H_INCLUDED_
#define _NGX_EMAGE_JOURNAL_CORE_H_INCLUDED_


#include "ngx_emage_journal.h"
#include "ngx_emage_journal_file.h"


#define NGX_EMAGE_JOURNAL_CHECK   500         /* ms */
#define NGX_EMAGE_JOURNAL_RETRY   1000        /* ms */
#define NGX_EMAGE_JOURNAL_LOSSES  8


/* Tickets whose records never became durable: after `from`, up to `to`. */

typedef struct {
    uint64_t                   from;
    uint64_t                   to;
} ngx_emage_journal_loss_t;


struct ngx_emage_journal_s {
    /* has to be layout-compatible with ngx_connection_t, for timers' log */
    void                      *unused[3];
    ngx_socket_t               fd;

    ngx_log_t                 *log;
    ngx_thread_pool_t         *pool;
    ngx_str_t                  node;

    ngx_emage_journal_job_t    job;
    ngx_thread_task_t         *task;

    /* the file that is being filled */

    emage_chain_t              chain;
    emage_buf_t                bufs[2];
    emage_buf_t               *fill;
    emage_buf_t                body;
    u_char                     path[NGX_EMAGE_JOURNAL_PATH];
    uint64_t                   first;         /* its first ticket */

    /* tickets */

    uint64_t                   last;          /* sealed */
    uint64_t                   writing;       /* last one of the running job */
    uint64_t                   durable;
    uint64_t                   job_first;     /* of the job's file */
    ngx_uint_t                 nlosses;
    ngx_emage_journal_loss_t   losses[NGX_EMAGE_JOURNAL_LOSSES];

    ngx_queue_t                waiters;       /* by ticket */

    ngx_event_t                timer;
    ngx_event_t                start;         /* posted */
    ngx_event_t                hang;

    ngx_msec_t                 started;       /* the running job */
    ngx_msec_t                 retry;         /* when to try a new file */

    const char                *reported;      /* what failed, logged */

    unsigned                   running:1;     /* a job's event is to come */
    unsigned                   open:1;        /* records are taken */
    unsigned                   begun:1;       /* fill belongs to a new file */
    unsigned                   rotate:1;
    unsigned                   grouping:1;    /* the timer is for a group */
    unsigned                   low:1;
    unsigned                   hung:1;        /* logged */
};


/* ngx_emage_journal.c */

ngx_uint_t ngx_emage_journal_lost(ngx_emage_journal_t *journal,
    uint64_t ticket);
void ngx_emage_journal_add_loss(ngx_emage_journal_t *journal, uint64_t from,
    uint64_t to);
void ngx_emage_journal_release(ngx_emage_journal_t *journal,
    ngx_queue_t *done, ngx_int_t rc);
void ngx_emage_journal_hang_handler(ngx_event_t *ev);

/* ngx_emage_journal_sync.c */

ngx_int_t ngx_emage_journal_end(ngx_emage_journal_t *journal);
ngx_int_t ngx_emage_journal_prepare(ngx_emage_journal_t *journal,
    ngx_uint_t check);
void ngx_emage_journal_take(ngx_emage_journal_t *journal);
ngx_int_t ngx_emage_journal_complete(ngx_emage_journal_t *journal,
    ngx_queue_t *done);
void ngx_emage_journal_start_handler(ngx_event_t *ev);
void ngx_emage_journal_timer_handler(ngx_event_t *ev);
void ngx_emage_journal_arm(ngx_emage_journal_t *journal, ngx_msec_t delay);


#endif /* _NGX_EMAGE_JOURNAL_CORE_H_INCLUDED_ */
