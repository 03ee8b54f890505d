
/*
 * Copyright (C) The e-mage authors
 *
 * Files are read in processes of their own, with limits on memory, time and
 * output: a file that crashes its parser is refused, and nothing else happens.
 */


#ifndef EMAGE_WORKER_H
#define EMAGE_WORKER_H


#include "object.h"


#define EMAGE_WORKER_SECONDS  10     /* a file, and 1 s more each 32 MiB */


typedef struct {
    unsigned     jobs;
    const char  *dir;                /* incoming/<txn> */
    const char  *base_url;
    emage_str_t  default_charset;
} emage_worker_conf_t;


/* Called in the parent for each file, in the order in which they are done. */

typedef void (*emage_worker_done_pt)(void *data, uint32_t number,
    const emage_object_t *object);


/*
 * Stages files 0 to n - 1 (emage_object_stage), `paths[i]` as number i.  A
 * worker that crashes, hangs or answers nonsense refuses its file and is
 * replaced.  EMAGE_UNAVAILABLE: the disk failed, or no process could be made.
 */

emage_rc_t emage_worker_run(const emage_worker_conf_t *conf,
    char *const *paths, uint32_t n, emage_worker_done_pt done, void *data,
    emage_error_t *err);


/*
 * Runs `call` once, in a process of its own with the same limits for the file
 * `path`.  EMAGE_OK when it returned true; EMAGE_ERROR when it returned false,
 * crashed or took too long; EMAGE_UNAVAILABLE: no process could be made.
 */

typedef bool (*emage_worker_call_pt)(void *data);

emage_rc_t emage_worker_call(const char *path, emage_worker_call_pt call,
    void *data, emage_error_t *err);


/* For the files that make workers: the limits, and the time for a file. */

void emage_worker_limits(const char *path);
unsigned emage_worker_seconds(const char *path);


#endif /* EMAGE_WORKER_H */
