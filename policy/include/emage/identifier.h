
/*
 * Copyright (C) The e-mage authors
 *
 * Identifiers of people as keyed hashes: Redis looks patients up by them, and
 * the journal of searches names people by them.  Without the key they tell
 * nothing and cannot be tried out.
 */


#ifndef EMAGE_IDENTIFIER_H
#define EMAGE_IDENTIFIER_H


#include <emage/base.h>


#define EMAGE_IDENTIFIER_KEY   32          /* bytes of the key file */
#define EMAGE_IDENTIFIER_MAX   256         /* bytes of issuer, and of id */
#define EMAGE_IDENTIFIER_HASH  64          /* hex digits */


/*
 * HMAC-SHA-256(key, issuer NUL id) in lower case hex.  EMAGE_ERROR over
 * EMAGE_IDENTIFIER_MAX or if OpenSSL fails.
 */

emage_rc_t emage_identifier_hash(const unsigned char *key, emage_str_t issuer,
    emage_str_t id, char *hex);

/*
 * The first 32 hex digits of HMAC-SHA-256(key, "query" NUL name NUL value):
 * never equal to the hash of an identifier, which has one NUL.
 */

#define EMAGE_IDENTIFIER_VALUE  32

bool emage_identifier_value(const unsigned char *key, emage_str_t name,
    emage_str_t value, char *hex);


#endif /* EMAGE_IDENTIFIER_H */
