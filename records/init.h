
/*
 * Copyright (C) The e-mage authors
 *
 * Steps of the first use, shared with the reconciler.
 */


#ifndef EMAGE_RECORDS_INIT_H
#define EMAGE_RECORDS_INIT_H


#include "records_core.h"


/*
 * Loads the functions unless exactly these are there; `done` (may be NULL)
 * tells whether they had to be.  EMAGE_ERROR when newer ones are.
 */

emage_rc_t emage_init_functions(emage_records_t *rec, bool *done,
    emage_error_t *err);

/* Writes emage:config. */

emage_rc_t emage_init_announce(emage_records_t *rec, emage_error_t *err);


#endif /* EMAGE_RECORDS_INIT_H */
