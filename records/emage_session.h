
/*
 * Copyright (C) The e-mage authors
 *
 * Sessions of viewers: opened and ended by tools, used by the guard
 * (emage/session.h, docs/records.md).
 */


#ifndef EMAGE_RECORDS_SESSION_H
#define EMAGE_RECORDS_SESSION_H


#include "emage_records.h"

#include <emage/session.h>


#define EMAGE_SESSION_IDLE_MIN  1000                   /* ms */
#define EMAGE_SESSION_TIME_MAX  (366 * 86400000LL)     /* ms */


/*
 * Opens a session for who the claims (JSON object, as a token would carry
 * them) describe.  It ends `idle` ms after it was last used, and `lifetime` ms
 * from now whatever happens; with it end all sessions when Redis is started
 * anew.  `id` takes EMAGE_SESSION_ID bytes, not terminated: the secret, kept
 * nowhere.  EMAGE_ERROR for claims or times that cannot be, EMAGE_UNAVAILABLE
 * without Redis or before it is reconciled.
 */

emage_rc_t emage_session_open(emage_records_t *rec, emage_str_t claims,
    int64_t idle, int64_t lifetime, char *id, emage_error_t *err);


/*
 * Ends a session.  EMAGE_OK: acknowledged, no node accepts it any more.
 * EMAGE_NOTFOUND: there is no such session, on any node.  EMAGE_UNAVAILABLE:
 * not acknowledged.
 */

emage_rc_t emage_session_end(emage_records_t *rec, emage_str_t id,
    emage_ack_t *ack, emage_error_t *err);


#endif /* EMAGE_RECORDS_SESSION_H */
