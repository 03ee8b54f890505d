
/*
 * Copyright (C) The e-mage authors
 *
 * Sessions: a cookie with a random id instead of a bearer token, for viewers.
 * The record of a session (docs/records.md) holds the claims that a token would
 * have carried, and its issuer's rules hold for them.  Pure: no I/O.
 */


#ifndef EMAGE_SESSION_H
#define EMAGE_SESSION_H


#include <emage/token.h>


/*
 * The prefix makes browsers take the cookie only with Secure, Path=/ and
 * without Domain (RFC 6265bis section 4.1.3.2).
 */

#define EMAGE_SESSION_COOKIE  "__Host-emage"

#define EMAGE_SESSION_ID      64           /* hex digits: 256 random bits */
#define EMAGE_SESSION_HASH    64           /* hex digits of its SHA-256 */
#define EMAGE_SESSION_NAME    32           /* the first ones: of journals */
#define EMAGE_SESSION_MAX     16384        /* bytes of a record */


/*
 * The hash under which a session is kept; `hash` takes EMAGE_SESSION_HASH
 * bytes, not terminated.  False unless `id` is EMAGE_SESSION_ID lower-case hex
 * digits, or if there is no memory.
 */

bool emage_session_hash(emage_str_t id, char *hash);


/*
 * Counts the cookies of the name in a Cookie header and returns the value of
 * the last in `id`, as sent.  Names are compared in full, letter case included.
 * More than one, here or in another header of the request, is for the caller
 * to refuse.
 */

unsigned emage_session_cookie(emage_str_t header, emage_str_t *id);


/*
 * The subject of a session's record, as emage_token_verify() makes it of a
 * token, but for signature and type: the issuer that its claims name must be
 * one of the `n`, audience and times must fit.  `hash` names the session;
 * `expires` is that of the record, if it is earlier.  On any refusal `subject`
 * is zeroed.
 */

emage_token_result_t emage_session_subject(const emage_issuer_t *issuers,
    uint32_t n, emage_str_t record, emage_str_t hash, int64_t now,
    emage_buf_t *store, emage_subject_t *subject);


#endif /* EMAGE_SESSION_H */
