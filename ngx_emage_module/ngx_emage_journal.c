
/*
 * Copyright (C) The e-mage authors
 *
 * The access journal of one worker: records are sealed into the buffer that
 * fills, and who needs one on disk waits for its ticket.
 */


#include "ngx_emage_journal_core.h"


#define NGX_EMAGE_JOURNAL_EXIT    10000       /* ms */
#define NGX_EMAGE_JOURNAL_MARGIN  4096        /* open and close records */


static ngx_int_t ngx_emage_journal_mkdir(ngx_emage_journal_t *journal,
    ngx_str_t *dir);
static ngx_int_t ngx_emage_journal_on_reopen(ngx_emage_journal_t *journal,
    ngx_cycle_t *cycle);
static void ngx_emage_journal_reopen(ngx_open_file_t *file, ngx_log_t *log);


ngx_emage_journal_t *
ngx_emage_journal_create(ngx_cycle_t *cycle, ngx_str_t *dir, ngx_str_t *node,
    ngx_thread_pool_t *pool)
{
    ngx_queue_t           done;
    ngx_emage_journal_t  *journal;

    journal = ngx_pcalloc(cycle->pool, sizeof(ngx_emage_journal_t));
    if (journal == NULL) {
        return NULL;
    }

    journal->task = ngx_thread_task_alloc(cycle->pool, 0);
    if (journal->task == NULL) {
        return NULL;
    }

    journal->fd = (ngx_socket_t) -1;
    journal->log = cycle->log;
    journal->pool = pool;
    journal->node = *node;

    emage_buf_init(&journal->bufs[0],
                   NGX_EMAGE_JOURNAL_BUFFER + NGX_EMAGE_JOURNAL_MARGIN);
    emage_buf_init(&journal->bufs[1],
                   NGX_EMAGE_JOURNAL_BUFFER + NGX_EMAGE_JOURNAL_MARGIN);
    emage_buf_init(&journal->body, NGX_EMAGE_JOURNAL_MARGIN);
    journal->fill = &journal->bufs[0];

    ngx_queue_init(&journal->waiters);

    journal->timer.handler = ngx_emage_journal_timer_handler;
    journal->timer.data = journal;
    journal->timer.log = cycle->log;
    journal->timer.cancelable = 1;             /* the exit writes the rest */

    journal->start.handler = ngx_emage_journal_start_handler;
    journal->start.data = journal;
    journal->start.log = cycle->log;

    journal->hang.handler = ngx_emage_journal_hang_handler;
    journal->hang.data = journal;
    journal->hang.log = cycle->log;

    if (ngx_emage_journal_job_init(&journal->job) != NGX_OK
        || ngx_emage_journal_mkdir(journal, dir) != NGX_OK
        || ngx_emage_journal_on_reopen(journal, cycle) != NGX_OK)
    {
        return NULL;
    }

    /* nothing is served yet: no need for a thread */

    if (ngx_emage_journal_prepare(journal, 0) == NGX_OK) {
        ngx_emage_journal_job_run(&journal->job);
        (void) ngx_emage_journal_complete(journal, &done);
    }

    ngx_emage_journal_arm(journal, NGX_EMAGE_JOURNAL_CHECK);

    return journal;
}


static ngx_int_t
ngx_emage_journal_mkdir(ngx_emage_journal_t *journal, ngx_str_t *dir)
{
    u_char  *last;

    last = ngx_snprintf(journal->job.dir, NGX_EMAGE_JOURNAL_PATH - 256,
                        "%V/access%Z", dir);

    if (last[-1] != '\0') {
        ngx_log_error(NGX_LOG_EMERG, journal->log, 0,
                      "journal directory \"%V\" is too long", dir);
        return NGX_ERROR;
    }

    if (ngx_create_dir(journal->job.dir, 0750) == NGX_FILE_ERROR
        && ngx_errno != NGX_EEXIST)
    {
        ngx_log_error(NGX_LOG_ERR, journal->log, ngx_errno,
                      ngx_create_dir_n " \"%s\" failed, make \"%V\" writable "
                      "for the workers", journal->job.dir, dir);
    }

    return NGX_OK;
}


/*
 * USR1 reaches a worker's modules only through the files it reopens: this one
 * stands for ours.  The list is the worker's own copy; the master, which would
 * change the owner, does not see it.
 */

static ngx_int_t
ngx_emage_journal_on_reopen(ngx_emage_journal_t *journal, ngx_cycle_t *cycle)
{
    ngx_fd_t          fd;
    ngx_open_file_t  *file;

    fd = ngx_open_file("/dev/null", NGX_FILE_APPEND, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, journal->log, ngx_errno,
                      ngx_open_file_n " \"/dev/null\" failed");
        return NGX_ERROR;
    }

    file = ngx_list_push(&cycle->open_files);
    if (file == NULL) {
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    ngx_memzero(file, sizeof(ngx_open_file_t));

    file->fd = fd;
    ngx_str_set(&file->name, "/dev/null");
    file->flush = ngx_emage_journal_reopen;
    file->data = journal;

    return NGX_OK;
}


static void
ngx_emage_journal_reopen(ngx_open_file_t *file, ngx_log_t *log)
{
    ngx_emage_journal_t  *journal = file->data;

    if (ngx_terminate || ngx_quit || ngx_exiting) {
        return;
    }

    journal->rotate = 1;

    ngx_post_event(&journal->start, &ngx_posted_events);
}


void
ngx_emage_journal_destroy(ngx_emage_journal_t *journal)
{
    ngx_queue_t  done;

    if (journal == NULL) {
        return;
    }

    if (journal->timer.timer_set) {
        ngx_del_timer(&journal->timer);
    }

    if (journal->hang.timer_set) {
        ngx_del_timer(&journal->hang);
    }

    if (journal->start.posted) {
        ngx_delete_posted_event(&journal->start);
    }

    ngx_queue_init(&journal->waiters);

    if (ngx_emage_journal_job_wait(&journal->job, NGX_EMAGE_JOURNAL_EXIT)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, journal->log, 0,
                      "journal \"%s\": the disk hangs; up to %uL records go "
                      "with this worker, nothing was served on them",
                      journal->job.path, journal->last - journal->durable);
        return;
    }

    /* the event of a task that has ended does not come any more */

    if (journal->running) {
        (void) ngx_emage_journal_complete(journal, &done);
    }

    if (journal->open && ngx_emage_journal_end(journal) == NGX_OK) {

        journal->job.create = journal->begun;
        journal->job.close = 1;

        ngx_emage_journal_take(journal);
        ngx_emage_journal_job_run(&journal->job);
        (void) ngx_emage_journal_complete(journal, &done);
    }

    journal->open = 0;

    emage_buf_free(&journal->bufs[0]);
    emage_buf_free(&journal->bufs[1]);
    emage_buf_free(&journal->body);

    ngx_emage_journal_job_done(&journal->job);
}


ngx_uint_t
ngx_emage_journal_ok(ngx_emage_journal_t *journal)
{
    if (!journal->open || journal->low) {
        return 0;
    }

    return !journal->running
           || ngx_current_msec - journal->started < NGX_EMAGE_JOURNAL_TIMEOUT;
}


ngx_int_t
ngx_emage_journal_append(ngx_emage_journal_t *journal, emage_str_t body,
    uint64_t *ticket)
{
    if (!ngx_emage_journal_ok(journal)
        || body.len > NGX_EMAGE_JOURNAL_BUFFER
        || journal->fill->len > NGX_EMAGE_JOURNAL_BUFFER - body.len)
    {
        return NGX_ERROR;
    }

    if (emage_chain_seal(&journal->chain, body, journal->fill) != EMAGE_OK) {
        return NGX_ERROR;
    }

    *ticket = ++journal->last;

    if (journal->running) {

        /* the end of the job looks at what has come */

        return NGX_OK;
    }

    if (journal->fill->len >= NGX_EMAGE_JOURNAL_WAKE) {
        ngx_post_event(&journal->start, &ngx_posted_events);

    } else if (!journal->grouping) {
        ngx_emage_journal_arm(journal, NGX_EMAGE_JOURNAL_GROUP);
        journal->grouping = 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_emage_journal_state(ngx_emage_journal_t *journal, uint64_t ticket)
{
    if (ticket == 0 || ticket > journal->last
        || ngx_emage_journal_lost(journal, ticket))
    {
        return NGX_ERROR;
    }

    if (ticket <= journal->durable) {
        return NGX_OK;
    }

    return journal->open ? NGX_AGAIN : NGX_ERROR;
}


ngx_int_t
ngx_emage_journal_wait(ngx_emage_journal_t *journal, uint64_t ticket,
    ngx_emage_journal_waiter_t *waiter)
{
    ngx_int_t                    rc;
    ngx_queue_t                 *q;
    ngx_emage_journal_waiter_t  *w;

    rc = ngx_emage_journal_state(journal, ticket);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    /* nearly always the last one */

    for (q = ngx_queue_last(&journal->waiters);
         q != ngx_queue_sentinel(&journal->waiters);
         q = ngx_queue_prev(q))
    {
        w = ngx_queue_data(q, ngx_emage_journal_waiter_t, queue);

        if (w->ticket <= ticket) {
            break;
        }
    }

    waiter->ticket = ticket;
    waiter->since = ngx_current_msec;
    waiter->waiting = 1;

    ngx_queue_insert_after(q, &waiter->queue);

    /* who waits keeps an exiting worker: this timer is not cancelable */

    if (!journal->hang.timer_set) {
        ngx_add_timer(&journal->hang, NGX_EMAGE_JOURNAL_TIMEOUT);
    }

    /* at the end of this turn of the loop: others will join */

    if (!journal->running) {
        ngx_post_event(&journal->start, &ngx_posted_events);
    }

    return NGX_AGAIN;
}


void
ngx_emage_journal_forget(ngx_emage_journal_t *journal,
    ngx_emage_journal_waiter_t *waiter)
{
    if (!waiter->waiting) {
        return;
    }

    waiter->waiting = 0;

    ngx_queue_remove(&waiter->queue);

    if (ngx_queue_empty(&journal->waiters) && journal->hang.timer_set) {
        ngx_del_timer(&journal->hang);
    }
}


ngx_uint_t
ngx_emage_journal_lost(ngx_emage_journal_t *journal, uint64_t ticket)
{
    ngx_uint_t  i;

    for (i = 0; i < journal->nlosses; i++) {

        if (ticket > journal->losses[i].from
            && ticket <= journal->losses[i].to)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_emage_journal_add_loss(ngx_emage_journal_t *journal, uint64_t from,
    uint64_t to)
{
    ngx_emage_journal_loss_t  *losses;

    if (from >= to) {
        return;
    }

    losses = journal->losses;

    if (journal->nlosses == NGX_EMAGE_JOURNAL_LOSSES) {

        /* the two oldest become one, with the records between them */

        losses[0].to = losses[1].to;
        journal->nlosses--;

        ngx_memmove(&losses[1], &losses[2],
                    (journal->nlosses - 1) * sizeof(ngx_emage_journal_loss_t));
    }

    losses[journal->nlosses].from = from;
    losses[journal->nlosses].to = to;
    journal->nlosses++;
}


/* Handlers may append, wait and forget. */

void
ngx_emage_journal_release(ngx_emage_journal_t *journal, ngx_queue_t *done,
    ngx_int_t rc)
{
    ngx_queue_t                 *q;
    ngx_emage_journal_waiter_t  *waiter;

    while (!ngx_queue_empty(done)) {
        q = ngx_queue_head(done);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_emage_journal_waiter_t, queue);
        waiter->waiting = 0;
        waiter->handler(waiter->data, rc);
    }

    if (ngx_queue_empty(&journal->waiters) && journal->hang.timer_set) {
        ngx_del_timer(&journal->hang);
    }
}


void
ngx_emage_journal_hang_handler(ngx_event_t *ev)
{
    ngx_msec_t                   age, left;
    ngx_queue_t                 *q, *next, done;
    ngx_emage_journal_t         *journal;
    ngx_emage_journal_waiter_t  *waiter;

    journal = ev->data;
    left = NGX_EMAGE_JOURNAL_TIMEOUT;

    ngx_queue_init(&done);

    for (q = ngx_queue_head(&journal->waiters);
         q != ngx_queue_sentinel(&journal->waiters);
         q = next)
    {
        next = ngx_queue_next(q);

        waiter = ngx_queue_data(q, ngx_emage_journal_waiter_t, queue);
        age = ngx_current_msec - waiter->since;

        if (age >= NGX_EMAGE_JOURNAL_TIMEOUT) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&done, q);
            continue;
        }

        left = ngx_min(left, NGX_EMAGE_JOURNAL_TIMEOUT - age);
    }

    if (!ngx_queue_empty(&journal->waiters)) {
        ngx_add_timer(&journal->hang, left);
    }

    if (!ngx_queue_empty(&done) && !journal->hung) {
        journal->hung = 1;

        ngx_log_error(NGX_LOG_CRIT, journal->log, 0,
                      "journal \"%s\": the disk has not answered for %d ms; "
                      "nothing is served until it does, check the device",
                      journal->job.path, NGX_EMAGE_JOURNAL_TIMEOUT);
    }

    ngx_emage_journal_release(journal, &done, NGX_ERROR);
}
