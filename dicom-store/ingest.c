
/*
 * Copyright (C) The e-mage authors
 */


#include "ingest_core.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "worker.h"


/*
 * A node may serve a superseded revision until it has applied the change, and
 * opens no file of it afterwards; open files stay readable.
 */

#define EMAGE_SUPERSEDED_MS  5000


typedef struct {
    emage_ingest_t  *in;
    uint32_t         done;
    int64_t          told;
} emage_ingest_progress_t;


static emage_rc_t emage_ingest_all(emage_ingest_t *in);
static emage_rc_t emage_ingest_stage(emage_ingest_t *in);
static void emage_ingest_staged(void *data, uint32_t number,
    const emage_object_t *object);
static emage_rc_t emage_ingest_publish(emage_ingest_t *in);
static int emage_ingest_order_cmp(const void *a, const void *b, void *data);
static void emage_ingest_fail(emage_ingest_t *in);
static int64_t emage_ingest_now(void);


static int64_t
emage_ingest_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void
emage_ingest_set(emage_ingest_file_t *f, emage_file_status_t status,
    const char *fmt, ...)
{
    va_list  args;

    f->status = status;

    va_start(args, fmt);
    (void) vsnprintf(f->reason, sizeof(f->reason), fmt, args);
    va_end(args);
}


emage_rc_t
emage_ingest_run(const emage_ingest_conf_t *conf, emage_ingest_files_t *files,
    emage_error_t *err)
{
    emage_rc_t      rc;
    emage_error_t   late;
    emage_ingest_t  in;

    memset(&in, 0, sizeof(in));

    in.conf = conf;
    in.files = files;
    in.err = err;
    in.txn.fd = -1;

    /* no file is touched before the records answer */

    rc = emage_publish_open(&conf->records, &conf->source, &in.publish, err);

    if (rc == EMAGE_OK) {
        in.sops = json_object();
        rc = (in.sops == NULL) ? EMAGE_NOMEM : EMAGE_OK;
    }

    if (rc == EMAGE_OK) {
        rc = emage_store_open(conf->store != NULL ? conf->store
                              : emage_records_store(emage_publish_records(
                                                        in.publish)),
                              true, &in.store, err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_txn_begin(&in.store, &in.txn, err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_ingest_all(&in);
    }

    if (rc != EMAGE_OK) {
        emage_ingest_fail(&in);
    }

    if (emage_txn_end(&in.txn, &late) != EMAGE_OK && rc == EMAGE_OK) {
        *err = late;
        rc = EMAGE_UNAVAILABLE;
    }

    if (emage_superseded_remove(&in) != EMAGE_OK && rc == EMAGE_OK) {
        rc = EMAGE_UNAVAILABLE;
    }

    emage_publish_close(in.publish);
    json_decref(in.sops);
    free(in.superseded);

    return rc;
}


/* What was not decided is not published, and the report says so. */

static void
emage_ingest_fail(emage_ingest_t *in)
{
    size_t                i;
    emage_ingest_file_t  *f;

    for (i = 0; i < in->files->n; i++) {
        f = &in->files->list[i];

        if (f->status == EMAGE_FILE_REFUSED && f->reason[0] == '\0') {
            emage_ingest_set(f, EMAGE_FILE_REFUSED, "not published: %s",
                             in->err->text);
        }
    }
}


static emage_rc_t
emage_ingest_all(emage_ingest_t *in)
{
    emage_rc_t  rc;

    rc = emage_ingest_stage(in);

    if (rc == EMAGE_OK) {
        rc = emage_ingest_scan(in);
    }

    if (rc == EMAGE_OK) {
        rc = emage_ingest_publish(in);
    }

    return rc;
}


static void
emage_ingest_staged(void *data, uint32_t number, const emage_object_t *object)
{
    int64_t                   now;
    emage_ingest_file_t      *f;
    emage_ingest_progress_t  *p = data;

    f = &p->in->files->list[number];

    if (f->reason[0] != '\0') {
        /* refused by the walk */

    } else if (object->refused) {
        emage_ingest_set(f, EMAGE_FILE_REFUSED, "%s", object->reason);

    } else {
        f->object = malloc(sizeof(emage_object_t));

        if (f->object == NULL) {
            emage_ingest_set(f, EMAGE_FILE_REFUSED, "no memory");

        } else {
            *f->object = *object;
        }
    }

    p->done++;
    now = emage_ingest_now();

    if (!p->in->conf->quiet
        && (now - p->told >= 1000 || p->done == p->in->files->n))
    {
        p->told = now;
        fprintf(stderr, "read %u of %zu files\n", p->done, p->in->files->n);
    }
}


static emage_rc_t
emage_ingest_stage(emage_ingest_t *in)
{
    char                     **paths;
    size_t                     i;
    emage_rc_t                 rc;
    emage_worker_conf_t        conf;
    emage_ingest_progress_t    progress;

    paths = calloc(in->files->n + 1, sizeof(char *));
    if (paths == NULL) {
        emage_error_set(in->err, "no memory");
        return EMAGE_NOMEM;
    }

    for (i = 0; i < in->files->n; i++) {
        paths[i] = in->files->list[i].path;
    }

    conf.jobs = in->conf->jobs;
    conf.dir = in->txn.dir;
    conf.base_url = in->conf->base_url;
    conf.default_charset = emage_str_c(in->conf->default_charset);

    progress.in = in;
    progress.done = 0;
    progress.told = emage_ingest_now();

    rc = emage_worker_run(&conf, paths, (uint32_t) in->files->n,
                          emage_ingest_staged, &progress, in->err);

    free(paths);

    if (rc == EMAGE_OK) {
        rc = emage_file_sync(in->txn.dir, in->err);
    }

    return rc;
}


static int
emage_ingest_order_cmp(const void *a, const void *b, void *data)
{
    int                         rc;
    size_t                      x, y;
    const emage_ingest_file_t  *files = data;

    x = *(const size_t *) a;
    y = *(const size_t *) b;

    rc = strcmp(files[x].object->study, files[y].object->study);

    return (rc != 0) ? rc : (x > y) - (x < y);
}


/* Study after study, each with its files in the order of the walk. */

static emage_rc_t
emage_ingest_publish(emage_ingest_t *in)
{
    size_t                i, k, n, from, *order;
    emage_rc_t            rc;
    emage_ingest_file_t  *files;

    files = in->files->list;

    order = calloc(in->files->n + 1, sizeof(size_t));
    if (order == NULL) {
        emage_error_set(in->err, "no memory");
        return EMAGE_NOMEM;
    }

    for (i = 0, n = 0; i < in->files->n; i++) {
        if (files[i].object != NULL) {
            order[n++] = i;
        }
    }

    qsort_r(order, n, sizeof(size_t), emage_ingest_order_cmp, files);

    rc = EMAGE_OK;

    for (from = 0; rc == EMAGE_OK && from < n; from = i) {

        for (i = from + 1; i < n; i++) {
            if (strcmp(files[order[i]].object->study,
                       files[order[from]].object->study) != 0)
            {
                break;
            }
        }

        rc = emage_ingest_study(in, order + from, i - from);

        if (rc == EMAGE_OK && !in->conf->quiet) {
            fprintf(stderr, "study %s: %zu file(s)\n",
                    files[order[from]].object->study, i - from);
        }

        /* accepted is what is acknowledged */

        if (rc != EMAGE_OK) {
            fprintf(stderr, "study %s: %s\n",
                    files[order[from]].object->study, in->err->text);

            for (k = from; k < i; k++) {
                if (files[order[k]].status != EMAGE_FILE_REFUSED) {
                    emage_ingest_set(&files[order[k]], EMAGE_FILE_REFUSED,
                                     "not published: %s", in->err->text);
                }
            }
        }

        /* what is wrong with this study is no reason to stop at the next */

        if (rc == EMAGE_ERROR || rc == EMAGE_CONFLICT) {
            rc = EMAGE_OK;
        }
    }

    free(order);

    return rc;
}


emage_rc_t
emage_superseded_add(emage_ingest_t *in, const char *study,
    const char *revision)
{
    emage_superseded_t  *s;

    s = realloc(in->superseded,
                (in->nsuperseded + 1) * sizeof(emage_superseded_t));
    if (s == NULL) {
        return EMAGE_OK;             /* "emage-store sweep" finds it */
    }

    in->superseded = s;
    s = &s[in->nsuperseded++];

    (void) snprintf(s->study, sizeof(s->study), "%s", study);
    (void) snprintf(s->revision, sizeof(s->revision), "%s", revision);
    s->since = emage_ingest_now();

    return EMAGE_OK;
}


emage_rc_t
emage_superseded_remove(emage_ingest_t *in)
{
    int                  lock;
    size_t               i;
    int64_t              wait;
    emage_rc_t           rc;
    emage_superseded_t  *s;

    rc = EMAGE_OK;

    for (i = 0; rc == EMAGE_OK && i < in->nsuperseded; i++) {
        s = &in->superseded[i];

        wait = s->since + EMAGE_SUPERSEDED_MS - emage_ingest_now();

        if (wait > 0) {
            (void) usleep((useconds_t) wait * 1000);
        }

        rc = emage_store_lock(&in->store, emage_str_c(s->study), &lock,
                              in->err);

        if (rc == EMAGE_OK) {
            rc = emage_revision_remove(&in->store, s->study, s->revision,
                                       in->err);
            emage_store_unlock(lock);
        }
    }

    return rc;
}
