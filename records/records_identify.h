
/*
 * Copyright (C) The e-mage authors
 *
 * Identifiers by their hash.
 */


#ifndef EMAGE_RECORDS_IDENTIFY_H
#define EMAGE_RECORDS_IDENTIFY_H


#include "records_core.h"

#include <emage/consent.h>


#define EMAGE_ID_KEY_LEN  (sizeof(EMAGE_KEY_ID) - 1 + 64)


/* The Redis key of an identifier: EMAGE_ID_KEY_LEN bytes, not terminated. */

emage_rc_t emage_identifier_key(emage_records_t *rec, emage_str_t issuer,
    emage_str_t id, char *key, emage_error_t *err);


#endif /* EMAGE_RECORDS_IDENTIFY_H */
