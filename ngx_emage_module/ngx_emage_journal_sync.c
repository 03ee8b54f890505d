
/*
 * Copyright (C) The e-mage authors
 *
 * The journal's way to the disk: one job at a time, in a thread of the pool.
 * A sync starts when somebody waits, at 1 MiB, or after 20 ms.  When a file is
 * to be left, its close record and the next file's open record are sealed in
 * the same moment, so that no record falls in between.
 */


#include "ngx_emage_journal_core.h"


static ngx_int_t ngx_emage_journal_begin(ngx_emage_journal_t *journal);
static void ngx_emage_journal_start(ngx_emage_journal_t *journal,
    ngx_uint_t check);
static void ngx_emage_journal_thread(void *data, ngx_log_t *log);
static void ngx_emage_journal_complete_handler(ngx_event_t *ev);
static void ngx_emage_journal_fail(ngx_emage_journal_t *journal,
    const char *what, ngx_err_t err, uint64_t from);
static void ngx_emage_journal_space(ngx_emage_journal_t *journal);


/* Seals the first record of a new file into the buffer, which is empty. */

static ngx_int_t
ngx_emage_journal_begin(ngx_emage_journal_t *journal)
{
    u_char           process[sizeof("nginx.") + NGX_INT64_LEN], *last;
    int64_t          now;
    emage_str_t      node, str;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    now = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    node.data = (char *) journal->node.data;
    node.len = journal->node.len;

    str.data = (char *) process;
    str.len = ngx_sprintf(process, "nginx.%P", ngx_pid) - process;

    emage_buf_reset(&journal->body);
    emage_buf_reset(journal->fill);

    if (emage_journal_file_name(&journal->body, node, str, now) != EMAGE_OK) {
        return NGX_ERROR;
    }

    last = ngx_snprintf(journal->path, NGX_EMAGE_JOURNAL_PATH, "%s/%*s%Z",
                        journal->job.dir, journal->body.len,
                        journal->body.data);

    if (last[-1] != '\0') {
        return NGX_ERROR;
    }

    emage_buf_reset(&journal->body);

    if (emage_journal_open_body(&journal->body, "access", node, str, now)
        != EMAGE_OK)
    {
        return NGX_ERROR;
    }

    str.data = journal->body.data;
    str.len = journal->body.len;

    emage_chain_init(&journal->chain);

    if (emage_chain_seal(&journal->chain, str, journal->fill) != EMAGE_OK) {
        emage_buf_reset(journal->fill);
        return NGX_ERROR;
    }

    journal->first = journal->last + 1;
    journal->begun = 1;

    return NGX_OK;
}


/* Seals the last record of a file. */

ngx_int_t
ngx_emage_journal_end(ngx_emage_journal_t *journal)
{
    emage_str_t      str;
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    emage_buf_reset(&journal->body);

    if (emage_journal_close_body(&journal->body, (int64_t) ts.tv_sec * 1000
                                                 + ts.tv_nsec / 1000000)
        != EMAGE_OK)
    {
        return NGX_ERROR;
    }

    str.data = journal->body.data;
    str.len = journal->body.len;

    if (emage_chain_seal(&journal->chain, str, journal->fill) != EMAGE_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Makes the next job out of what is there: NGX_OK, or NGX_DECLINED if there
 * is nothing to do.  `check`: look after the file even so.
 */

ngx_int_t
ngx_emage_journal_prepare(ngx_emage_journal_t *journal, ngx_uint_t check)
{
    ngx_uint_t  rotate;

    rotate = journal->rotate;
    journal->rotate = 0;

    if (journal->job.fd == -1 && !journal->begun) {

        if (ngx_emage_journal_begin(journal) != NGX_OK) {
            ngx_emage_journal_fail(journal, "open record", 0,
                                   journal->durable);
            return NGX_DECLINED;
        }
    }

    journal->job.create = 0;
    journal->job.close = 0;

    if (journal->begun) {
        journal->job.create = 1;
        ngx_emage_journal_take(journal);

        return NGX_OK;
    }

    if (rotate && ngx_emage_journal_end(journal) == NGX_OK) {

        journal->job.close = 1;
        ngx_emage_journal_take(journal);

        if (ngx_emage_journal_begin(journal) != NGX_OK) {

            /* a new attempt when this job is done */

            journal->open = 0;
        }

        return NGX_OK;
    }

    if (journal->fill->len == 0 && !check) {
        return NGX_DECLINED;
    }

    ngx_emage_journal_take(journal);

    return NGX_OK;
}


/* Gives the filled buffer to the job. */

void
ngx_emage_journal_take(ngx_emage_journal_t *journal)
{
    if (journal->begun) {
        journal->begun = 0;
        journal->job_first = journal->first;
        ngx_memcpy(journal->job.path, journal->path, NGX_EMAGE_JOURNAL_PATH);
    }

    journal->job.data = journal->fill->data;
    journal->job.len = journal->fill->len;
    journal->writing = journal->last;

    journal->fill = (journal->fill == &journal->bufs[0]) ? &journal->bufs[1]
                                                         : &journal->bufs[0];
    emage_buf_reset(journal->fill);
}


static void
ngx_emage_journal_start(ngx_emage_journal_t *journal, ngx_uint_t check)
{
    if (journal->running
        || (!journal->open && (ngx_msec_int_t) (ngx_current_msec
                                                - journal->retry) < 0))
    {
        return;
    }

    if (ngx_emage_journal_prepare(journal, check) != NGX_OK) {
        return;
    }

    journal->grouping = 0;

    if (journal->timer.timer_set) {
        ngx_del_timer(&journal->timer);
    }

    journal->task->handler = ngx_emage_journal_thread;
    journal->task->ctx = &journal->job;
    journal->task->event.handler = ngx_emage_journal_complete_handler;
    journal->task->event.data = journal;
    journal->task->event.log = journal->log;

    journal->running = 1;
    journal->started = ngx_current_msec;

    ngx_emage_journal_job_begin(&journal->job);

    if (ngx_thread_task_post(journal->pool, journal->task) == NGX_OK) {
        return;
    }

    /* the queue is full: as good as a disk that fails */

    ngx_emage_journal_job_end(&journal->job);

    journal->job.failed = "thread task";
    journal->job.err = 0;
    journal->job.gone = 0;

    ngx_post_event(&journal->task->event, &ngx_posted_events);
}


static void
ngx_emage_journal_thread(void *data, ngx_log_t *log)
{
    ngx_emage_journal_job_t  *job = data;

    ngx_emage_journal_job_run(job);
    ngx_emage_journal_job_end(job);
}


static void
ngx_emage_journal_complete_handler(ngx_event_t *ev)
{
    ngx_int_t             rc;
    ngx_queue_t           done;
    ngx_emage_journal_t  *journal;

    journal = ev->data;

    ev->complete = 0;

    rc = ngx_emage_journal_complete(journal, &done);

    /* the disk goes on before anybody is told */

    if (!ngx_queue_empty(&journal->waiters)
        || journal->fill->len >= NGX_EMAGE_JOURNAL_WAKE
        || journal->begun || journal->rotate || !journal->open)
    {
        ngx_emage_journal_start(journal, 0);
    }

    if (!journal->running) {
        ngx_emage_journal_arm(journal, journal->fill->len
                                       ? NGX_EMAGE_JOURNAL_GROUP
                                       : NGX_EMAGE_JOURNAL_CHECK);
        journal->grouping = (journal->fill->len != 0);
    }

    ngx_emage_journal_release(journal, &done, rc);
}


/* Takes the result of a job; `done`: the waiters to be called with rc. */

ngx_int_t
ngx_emage_journal_complete(ngx_emage_journal_t *journal, ngx_queue_t *done)
{
    ngx_queue_t                 *q;
    ngx_emage_journal_job_t     *job;
    ngx_emage_journal_waiter_t  *waiter;

    job = &journal->job;

    ngx_queue_init(done);

    journal->running = 0;

    if (journal->hung) {
        journal->hung = 0;
        ngx_log_error(NGX_LOG_NOTICE, journal->log, 0,
                      "journal \"%s\": the disk answers again", job->path);
    }

    if (job->failed) {
        ngx_emage_journal_fail(journal, job->failed, job->err,
                               job->gone ? journal->job_first - 1
                                         : journal->durable);

        if (!ngx_queue_empty(&journal->waiters)) {
            ngx_queue_add(done, &journal->waiters);
            ngx_queue_init(&journal->waiters);
        }

        return NGX_ERROR;
    }

    journal->durable = journal->writing;

    if (job->create) {
        journal->open = 1;

        if (journal->reported) {
            journal->reported = NULL;
            ngx_log_error(NGX_LOG_NOTICE, journal->log, 0,
                          "journal goes on in \"%s\"", job->path);
        }
    }

    if (job->moved && !job->close) {
        journal->rotate = 1;
        ngx_log_error(NGX_LOG_NOTICE, journal->log, 0,
                      "journal \"%s\" was moved away, going on in a new file",
                      job->path);
    }

    ngx_emage_journal_space(journal);

    while (!ngx_queue_empty(&journal->waiters)) {
        q = ngx_queue_head(&journal->waiters);
        waiter = ngx_queue_data(q, ngx_emage_journal_waiter_t, queue);

        if (waiter->ticket > journal->durable) {
            break;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(done, q);
    }

    return NGX_OK;
}


/*
 * The file is given up.  What follows `from` never becomes durable; records
 * sealed meanwhile hang on the broken chain, or on a file not made yet.
 */

static void
ngx_emage_journal_fail(ngx_emage_journal_t *journal, const char *what,
    ngx_err_t err, uint64_t from)
{
    if (journal->job.fd != -1) {
        (void) close(journal->job.fd);
        journal->job.fd = -1;
    }

    ngx_emage_journal_add_loss(journal, from, journal->last);

    emage_buf_reset(journal->fill);

    journal->open = 0;
    journal->begun = 0;
    journal->rotate = 0;

    /* deleted by somebody: the disk is not to blame, go on at once */

    journal->retry = ngx_current_msec;

    if (!journal->job.gone) {
        journal->retry += NGX_EMAGE_JOURNAL_RETRY;
    }

    if (journal->reported == what) {
        return;
    }

    journal->reported = what;

    if (journal->job.gone) {
        ngx_log_error(NGX_LOG_CRIT, journal->log, 0,
                      "journal \"%s\" was %s by somebody: its records are not "
                      "relied on any more, going on in a new file; to rotate, "
                      "move files away and run \"nginx -s reopen\"",
                      journal->job.path, what);
        return;
    }

    ngx_log_error(NGX_LOG_CRIT, journal->log, err,
                  "journal \"%s\": %s failed, the file is given up; nothing "
                  "is served until a new one can be written: see that \"%s\" "
                  "is writable, has %d MiB free and a healthy disk",
                  journal->job.path, what, journal->job.dir,
                  NGX_EMAGE_JOURNAL_RESERVE / 1024 / 1024);
}


static void
ngx_emage_journal_space(ngx_emage_journal_t *journal)
{
    if (journal->low == journal->job.low) {
        return;
    }

    journal->low = journal->job.low;

    if (journal->low) {
        ngx_log_error(NGX_LOG_CRIT, journal->log, 0,
                      "journal: less than %d MiB are free below \"%s\", which "
                      "are kept for withdrawals and emergencies; nothing is "
                      "served until there is more, move closed files away",
                      NGX_EMAGE_JOURNAL_RESERVE / 1024 / 1024,
                      journal->job.dir);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, journal->log, 0,
                      "journal: there is space again below \"%s\"",
                      journal->job.dir);
    }
}


void
ngx_emage_journal_start_handler(ngx_event_t *ev)
{
    ngx_emage_journal_t  *journal = ev->data;

    ngx_emage_journal_start(journal, 0);
}


void
ngx_emage_journal_timer_handler(ngx_event_t *ev)
{
    ngx_emage_journal_t  *journal = ev->data;

    journal->grouping = 0;

    /* writes what there is, or looks after the file */

    ngx_emage_journal_start(journal, 1);

    if (!journal->running) {
        ngx_emage_journal_arm(journal, NGX_EMAGE_JOURNAL_CHECK);
    }
}


void
ngx_emage_journal_arm(ngx_emage_journal_t *journal, ngx_msec_t delay)
{
    /* nginx would leave a timer that is near enough */

    if (journal->timer.timer_set) {
        ngx_del_timer(&journal->timer);
    }

    ngx_add_timer(&journal->timer, delay);
}
