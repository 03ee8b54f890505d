
/*
 * Copyright (C) The e-mage authors
 *
 * The access journal of one worker: records are sealed into the chain at once,
 * written and synced in groups by a task of nginx's thread pool.
 */


#ifndef _NGX_EMAGE_JOURNAL_MODULE_H_INCLUDED_
#define _NGX_EMAGE_JOURNAL_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_thread_pool.h>

#include <emage_journal.h>


#define NGX_EMAGE_JOURNAL_GROUP   20                  /* ms */
#define NGX_EMAGE_JOURNAL_WAKE    (1024 * 1024)       /* bytes */
#define NGX_EMAGE_JOURNAL_BUFFER  (16 * 1024 * 1024)  /* each of two */


typedef struct ngx_emage_journal_s         ngx_emage_journal_t;
typedef struct ngx_emage_journal_waiter_s  ngx_emage_journal_waiter_t;


/*
 * Someone waiting for a record to be durable.  Memory of the waiter's own; it
 * must be taken out (ngx_emage_journal_forget) before that memory goes.
 */

typedef void (*ngx_emage_journal_pt)(void *data, ngx_int_t rc);

struct ngx_emage_journal_waiter_s {
    ngx_queue_t           queue;
    uint64_t              ticket;
    ngx_msec_t            since;
    ngx_emage_journal_pt  handler;       /* NGX_OK or NGX_ERROR */
    void                 *data;
    unsigned              waiting:1;
};


/*
 * init_process: creates <dir>/access/ if needed and this worker's file in it
 * (with its open record, synced).  If the file cannot be made, the journal is
 * not ok until one of the attempts, one a second, succeeds.  NULL after
 * logging, when there is no memory.
 */

ngx_emage_journal_t *ngx_emage_journal_create(ngx_cycle_t *cycle,
    ngx_str_t *dir, ngx_str_t *node, ngx_thread_pool_t *pool);

/*
 * exit_process: waits for the running task, writes and syncs the rest with a
 * close record, synchronously.
 */

void ngx_emage_journal_destroy(ngx_emage_journal_t *journal);

/*
 * Whether records can be taken now.  After a failed write or sync the file is
 * given up for good, waiters fail, and once a second a new file is tried.
 * Also 0 while less than 16 MiB are free, and while a write takes more than
 * 5 s.  After every sync, and at least every 500 ms, the file is looked after:
 * one that was deleted or cut counts as failed, with all its records; one that
 * was moved is closed, and a new one begun (as on USR1).
 */

ngx_uint_t ngx_emage_journal_ok(ngx_emage_journal_t *journal);

/*
 * Seals a record into the chain.  NGX_OK with a ticket; NGX_ERROR when the
 * journal is not ok or the buffer is full: nothing may be served on it.
 */

ngx_int_t ngx_emage_journal_append(ngx_emage_journal_t *journal,
    emage_str_t body, uint64_t *ticket);

/*
 * NGX_OK when the record of `ticket` is durable, NGX_ERROR when it never will
 * be (not even if it once was: its file may have been deleted since),
 * NGX_AGAIN when it is on its way.
 */

ngx_int_t ngx_emage_journal_state(ngx_emage_journal_t *journal,
    uint64_t ticket);

/*
 * Likewise, but on NGX_AGAIN the waiter was queued and the sync starts at the
 * end of this turn of the event loop.  A waiter fails after
 * NGX_EMAGE_JOURNAL_TIMEOUT ms.
 */

ngx_int_t ngx_emage_journal_wait(ngx_emage_journal_t *journal,
    uint64_t ticket, ngx_emage_journal_waiter_t *waiter);
void ngx_emage_journal_forget(ngx_emage_journal_t *journal,
    ngx_emage_journal_waiter_t *waiter);

/* The wait for a disk that hangs, ms. */

#define NGX_EMAGE_JOURNAL_TIMEOUT  5000


#endif /* _NGX_EMAGE_JOURNAL_MODULE_H_INCLUDED_ */
