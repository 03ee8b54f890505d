
/*
 * Copyright (C) The e-mage authors
 *
 * Bringing a Redis that has started anew, gone back in time or been wiped to
 * where the ledgers are (docs/records.md, "Replay").
 */


#ifndef EMAGE_RECONCILE_H
#define EMAGE_RECONCILE_H


#include "emage_records.h"


/*
 * First use of an installation, and again after every upgrade: makes the key
 * file and the ledger's directory if they are missing, loads the functions,
 * announces where things are, and, when there is nothing to lose, the first
 * epoch.  `text` tells what was done, a line each.  EMAGE_CONFLICT: all done
 * but the epoch, since records exist: reconcile has to run.
 */

emage_rc_t emage_records_init(const emage_records_conf_t *conf,
    emage_buf_t *text, emage_error_t *err);


typedef struct emage_reconciler_s  emage_reconciler_t;

/* One line for people, when something has changed. */

typedef void (*emage_reconcile_log_pt)(void *data, const char *text);

/*
 * `settle_ms`: age from which an unfinished change counts as abandoned.
 * `without_ledger`: a person has decided that ledgers which are empty, though
 * Redis tells of changes, are lost.  Succeeds though Redis is away.
 */

emage_rc_t emage_reconciler_create(const emage_records_conf_t *conf,
    int64_t settle_ms, bool without_ledger, emage_reconcile_log_pt log,
    void *data, emage_reconciler_t **out, emage_error_t *err);
void emage_reconciler_destroy(emage_reconciler_t *r);

/*
 * Looks, and does what is needed.  EMAGE_OK: Redis is reconciled.
 * EMAGE_UNAVAILABLE: not now (away, or old leases still run): call again.
 * EMAGE_ERROR: something that a person must repair; the log has it.
 */

emage_rc_t emage_reconciler_step(emage_reconciler_t *r, emage_error_t *err);


#endif /* EMAGE_RECONCILE_H */
