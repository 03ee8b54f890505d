
/*
 * Copyright (C) The e-mage authors
 *
 * The directories of a store (docs/store-format.md), its locks, and the work
 * in progress of one ingest.
 */


#ifndef EMAGE_LAYOUT_H
#define EMAGE_LAYOUT_H


#include <emage/base.h>
#include <emage/resource.h>


#define EMAGE_STORE_PATH    512      /* of the store's directory */
#define EMAGE_REVISION_MAX  64


typedef struct {
    char  root[EMAGE_STORE_PATH];
} emage_store_t;


/*
 * Opens the store at `dir`; `create` makes what is missing of it.
 * EMAGE_UNAVAILABLE when it is not there or cannot be made.
 */

emage_rc_t emage_store_open(const char *dir, bool create, emage_store_t *out,
    emage_error_t *err);

/* "<store>/a/b/c"; NULL ends the list early.  False: too long. */

bool emage_store_path(const emage_store_t *st, char *dst, size_t size,
    const char *a, const char *b, const char *c);


/*
 * One ingest's directory below incoming/, locked while `fd` is open.  Begin
 * removes what killed ingests have left.
 */

typedef struct {
    char  dir[EMAGE_STORE_PATH + 64];
    int   fd;
} emage_txn_t;

emage_rc_t emage_txn_begin(const emage_store_t *st, emage_txn_t *txn,
    emage_error_t *err);
emage_rc_t emage_txn_end(emage_txn_t *txn, emage_error_t *err);


/*
 * The right to publish a study: one process at a time; waits for it.  Never
 * take two.
 */

emage_rc_t emage_store_lock(const emage_store_t *st, emage_str_t study,
    int *fd, emage_error_t *err);
void emage_store_unlock(int fd);


/* Whether `name` is the name of a revision; its counter in `n`. */

bool emage_revision_valid(emage_str_t name, uint32_t *n);

/*
 * A new name: a counter above that of every revision the study has, and random
 * digits.
 */

emage_rc_t emage_revision_name(const emage_store_t *st, const char *study,
    char *dst, emage_error_t *err);


#endif /* EMAGE_LAYOUT_H */
