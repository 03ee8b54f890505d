
/*
 * Copyright (C) The e-mage authors
 *
 * Bearer tokens (RFC 7519, 8725, 9068) and the keys that verify them (RFC
 * 7517), over cjose.  Pure but for reading the clock's value it is given: no
 * network, no file.  Module and tools call the same functions.
 */


#ifndef EMAGE_TOKEN_H
#define EMAGE_TOKEN_H


#include <emage/base.h>
#include <emage/subject.h>


#define EMAGE_TOKEN_MAX   8192             /* bytes of a compact JWS */
#define EMAGE_JWKS_MAX    (256 * 1024)     /* bytes of a key set */
#define EMAGE_JWKS_KEYS   64               /* keys of a key set */


/* Signature algorithms; a bit each.  "none" and HMAC have none. */

#define EMAGE_ALG_RS256   0x01
#define EMAGE_ALG_PS256   0x02
#define EMAGE_ALG_ES256   0x04

/* 0 for anything that is not in the list above. */

unsigned emage_alg_parse(emage_str_t name);


/*
 * A set of public keys.  Each key gets exactly one algorithm here, from its
 * "alg", or by type where that is unambiguous (EC P-256: ES256; RSA: RS256
 * unless "alg" says PS256); the header of a token never chooses.  Keys that are
 * private, symmetric, marked use=enc, without key_ops verify, RSA under 2048
 * bits or of other curves are skipped; a set with no usable key, or with two
 * usable keys of the same kid, is an error.
 */

typedef struct emage_jwks_s  emage_jwks_t;

emage_rc_t emage_jwks_load(emage_str_t json, unsigned algs,
    emage_jwks_t **out, emage_error_t *err);
void emage_jwks_free(emage_jwks_t *jwks);
uint32_t emage_jwks_count(const emage_jwks_t *jwks);


/*
 * The rules of one issuer.  Claim names may be nested ("a.b.c", each part a
 * member name; a part is taken literally first).  Strings outlive the issuer's
 * use.
 */

typedef struct {
    emage_str_t           name;            /* of the emage_issuer block */
    emage_str_t           issuer;          /* exact value of iss */
    emage_str_t           audience;        /* must be in aud */
    emage_str_t           typ;             /* "at+jwt", "JWT"; empty: either
                                              of the two, or none */
    unsigned              algs;            /* EMAGE_ALG_* */
    unsigned              skew;            /* s, at most 60 */
    unsigned              max_age;         /* s from iat, 0: no limit */

    emage_subject_kind_t  kind;            /* fixed kind, or NONE: */
    emage_str_t           claim_kind;      /* claim that holds its name */
    emage_str_t           claim_id;        /* default "sub" */
    emage_str_t           claim_profession;
    emage_str_t           claim_organisation;
    emage_str_t           claim_purpose;
    emage_str_t           claim_teams;     /* string or array of strings */

    emage_str_t           subject_system;  /* default of all: the iss value */
    emage_str_t           organisation_system;
    emage_str_t           team_system;
    emage_str_t           organisation;    /* fixed one, overrides the claim;
                                              with a '|': system included */

    const emage_jwks_t   *jwks;
} emage_issuer_t;


/* Why a token was refused; for the log and the count, never for the client. */

typedef enum {
    EMAGE_TOKEN_OK = 0,
    EMAGE_TOKEN_MALFORMED,                 /* not a compact JWS, over a cap */
    EMAGE_TOKEN_ALGORITHM,                 /* none, HMAC, not the key's */
    EMAGE_TOKEN_CRITICAL,                  /* "crit" is never understood */
    EMAGE_TOKEN_TYPE,
    EMAGE_TOKEN_ISSUER,                    /* iss of no configured issuer */
    EMAGE_TOKEN_KEY,                       /* no key with this kid */
    EMAGE_TOKEN_SIGNATURE,
    EMAGE_TOKEN_AUDIENCE,
    EMAGE_TOKEN_EXPIRED,
    EMAGE_TOKEN_NOT_YET,
    EMAGE_TOKEN_CLAIMS,                    /* a required one missing or wrong */
    EMAGE_TOKEN_NOMEM
} emage_token_result_t;

emage_str_t emage_token_result_name(emage_token_result_t result);


/*
 * Verifies a compact JWS by the rules of whichever of the `n` issuers its iss
 * names (read before verification, used for nothing else), and fills `subject`
 * with strings that lie in `store`, which is reset first.  exp is required;
 * exp, nbf and iat are compared with `now` (ms since 1970).  Size, shape and
 * header are checked before any cryptography.  `session` becomes the first 16
 * bytes of the SHA-256 of the token, in hex; `expires` the first moment at
 * which the same token is refused (exp, or iat + max_age if that is earlier,
 * plus the skew).
 *
 * Identifiers, profession and teams: strings of 1 to 128 bytes, UTF-8, without
 * control characters and '|'; a claim that is there but is not so refuses the
 * token, as more than EMAGE_SUBJECT_TEAMS_MAX teams do.  The purpose is the
 * claim's, else TREAT, PATRQT, FAMRQT or HSYSADMIN for professionals, patients,
 * representatives and support.  A token without kid is verified only by a set
 * of exactly one key.  On any refusal `subject` is zeroed.
 */

emage_token_result_t emage_token_verify(const emage_issuer_t *issuers,
    uint32_t n, emage_str_t token, int64_t now, emage_buf_t *store,
    emage_subject_t *subject);


/*
 * The signature alone, against a key set (test vectors, emage-token verify):
 * the payload is appended to `payload` when the result is EMAGE_TOKEN_OK.
 */

emage_token_result_t emage_jws_verify(const emage_jwks_t *jwks,
    emage_str_t token, emage_buf_t *payload);


/*
 * Signs claims (JSON text) as a compact JWS with a private JWK (JSON text):
 * for the demonstration issuer and for tests.  `typ` may be NULL.
 */

emage_rc_t emage_token_sign(emage_str_t jwk, const char *alg, const char *typ,
    emage_str_t claims, emage_buf_t *out, emage_error_t *err);

/* A new private key as JWK text, kid set; `kty` "RSA" (2048) or "EC". */

emage_rc_t emage_jwk_generate(const char *kty, const char *alg,
    emage_buf_t *out, emage_error_t *err);

/* The public half of a private JWK, as a key set of one. */

emage_rc_t emage_jwk_public(emage_str_t jwk, emage_buf_t *out,
    emage_error_t *err);


#endif /* EMAGE_TOKEN_H */
