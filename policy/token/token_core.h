
/*
 * Copyright (C) The e-mage authors
 *
 * What the files of this room share: strict JSON, strict base64url, keys, and
 * a taken-apart compact JWS.
 */


#ifndef EMAGE_TOKEN_CORE_H
#define EMAGE_TOKEN_CORE_H


#include <emage/token.h>


#define EMAGE_JOSE_DEPTH    32             /* levels of nested JSON */
#define EMAGE_JOSE_KID_MAX  256            /* bytes */
#define EMAGE_JWK_MAX       (16 * 1024)    /* bytes of one key */


/*
 * Strict JSON (json.c, the one file that knows the library): duplicate members,
 * NUL, bytes that are not UTF-8, too much nesting and anything after the value
 * are refused.  Values live as long as the document.
 */

typedef struct emage_jose_json_s  emage_jose_json_t;

/* An object; EMAGE_ERROR for anything else, EMAGE_NOMEM without memory. */

emage_rc_t emage_jose_load(emage_str_t text, size_t max,
    emage_jose_json_t **out, emage_error_t *err);
void emage_jose_free(emage_jose_json_t *json);

/* NULL unless `json` is an object that has the member. */

const emage_jose_json_t *emage_jose_get(const emage_jose_json_t *json,
    emage_str_t name);

bool emage_jose_is_object(const emage_jose_json_t *json);
bool emage_jose_is_array(const emage_jose_json_t *json);
size_t emage_jose_count(const emage_jose_json_t *json);
const emage_jose_json_t *emage_jose_at(const emage_jose_json_t *json,
    size_t n);
bool emage_jose_string(const emage_jose_json_t *json, emage_str_t *out);

/* A NumericDate (RFC 7519 section 2) up to the year 9999, in ms. */

bool emage_jose_date(const emage_jose_json_t *json, int64_t *ms);

/* An integer of 0 to 2^53 - 1. */

bool emage_jose_int(const emage_jose_json_t *json, int64_t *n);

/* Sets a member to a string; appends JSON text. */

emage_rc_t emage_jose_set(emage_jose_json_t *json, const char *name,
    emage_str_t value);
emage_rc_t emage_jose_dump(const emage_jose_json_t *json, emage_buf_t *out);


/*
 * base64url without padding (RFC 7515 section 2), one spelling a value: no
 * other character, no unused bit set.  Appends; false, or out->failed.
 */

bool emage_jose_base64(emage_str_t text, emage_buf_t *out);


typedef struct {
    unsigned      alg;                     /* the one algorithm */
    size_t        signature;               /* bytes of every signature */
    char         *kid;                     /* NULL: none */
    size_t        kid_len;
    void         *key;                     /* of cjose, with one reference */
} emage_jose_key_t;

struct emage_jwks_s {
    uint32_t          n;
    emage_jose_key_t  keys[EMAGE_JWKS_KEYS];
};

/* `kid` NULL: the token names none, which is enough for a set of one. */

const emage_jose_key_t *emage_jwks_find(const emage_jwks_t *jwks,
    const emage_str_t *kid);


/* A compact JWS whose header has been read and nothing verified. */

typedef struct {
    emage_str_t         token;
    emage_str_t         payload;           /* decoded */
    emage_str_t         kid;
    emage_str_t         typ;
    bool                has_kid;
    bool                has_typ;
    unsigned            alg;
    size_t              signature;         /* bytes, decoded */
    emage_jose_json_t  *header;
    emage_buf_t         buf;
} emage_jws_t;

/* Whatever is returned, `jws` must be freed. */

emage_token_result_t emage_jws_parse(emage_str_t token, emage_jws_t *jws);
void emage_jws_free(emage_jws_t *jws);

/* Finds the key and checks the signature; `algs` limits further. */

emage_token_result_t emage_jws_check(const emage_jws_t *jws,
    const emage_jwks_t *jwks, unsigned algs);


/* The issuer that the claims name, compared in full, or NULL. */

const emage_issuer_t *emage_token_issuer(const emage_issuer_t *issuers,
    uint32_t n, const emage_jose_json_t *claims);

/*
 * The issuer's rules for claims whose origin is known: audience, times, and
 * the subject they make.
 */

emage_token_result_t emage_token_rules(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_str_t session, int64_t now,
    emage_buf_t *store, emage_subject_t *subject);

/* Verified claims to a subject; `session` and `expires` are the caller's. */

emage_token_result_t emage_claims_map(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_str_t session, emage_buf_t *store,
    emage_subject_t *subject);


#endif /* EMAGE_TOKEN_CORE_H */
