
/*
 * Copyright (C) The e-mage authors
 *
 * Key sets: what may verify, and with which algorithm, is settled here, long
 * before a token is seen.
 */


#include "token_core.h"

#include <stdlib.h>
#include <string.h>

#include <cjose/jwk.h>


#define EMAGE_RSA_MIN    256               /* bytes of the modulus */
#define EMAGE_RSA_MAX    1024
#define EMAGE_RSA_E_MAX  4                 /* bytes of the exponent */
#define EMAGE_P256       32                /* bytes of a coordinate */


typedef struct {
    emage_buf_t  first;                    /* n or x */
    emage_buf_t  second;                   /* e or y */
} emage_jwk_numbers_t;


static bool emage_jwk_number(const emage_jose_json_t *jwk, emage_str_t name,
    emage_buf_t *out);
static bool emage_jwk_for_verify(const emage_jose_json_t *jwk);
static unsigned emage_jwk_alg(const emage_jose_json_t *jwk,
    emage_str_t kty);
static cjose_jwk_t *emage_jwk_rsa(const emage_jose_json_t *jwk,
    emage_jwk_numbers_t *nums, size_t *signature, cjose_err *err);
static cjose_jwk_t *emage_jwk_ec(const emage_jose_json_t *jwk,
    emage_jwk_numbers_t *nums, size_t *signature, cjose_err *err);
static bool emage_jwk_starved(const emage_jwk_numbers_t *nums);
static emage_rc_t emage_jwk_load(const emage_jose_json_t *jwk, unsigned algs,
    emage_jose_key_t *key);
static emage_rc_t emage_jwks_fill(emage_jwks_t *jwks,
    const emage_jose_json_t *keys, unsigned algs, emage_error_t *err);


unsigned
emage_alg_parse(emage_str_t name)
{
    if (emage_str_eq(name, emage_str("RS256"))) {
        return EMAGE_ALG_RS256;
    }

    if (emage_str_eq(name, emage_str("PS256"))) {
        return EMAGE_ALG_PS256;
    }

    if (emage_str_eq(name, emage_str("ES256"))) {
        return EMAGE_ALG_ES256;
    }

    return 0;
}


static bool
emage_jwk_number(const emage_jose_json_t *jwk, emage_str_t name,
    emage_buf_t *out)
{
    emage_str_t  text;

    return emage_jose_string(emage_jose_get(jwk, name), &text)
           && emage_jose_base64(text, out) && out->len != 0;
}


/* RFC 7517 sections 4.2, 4.3: public, and meant to verify signatures */

static bool
emage_jwk_for_verify(const emage_jose_json_t *jwk)
{
    size_t                    i;
    emage_str_t               text;
    const emage_jose_json_t  *value;

    static const emage_str_t  private[] = {
        { "d", 1 }, { "p", 1 }, { "q", 1 }, { "dp", 2 }, { "dq", 2 },
        { "qi", 2 }, { "oth", 3 }, { "k", 1 }
    };

    for (i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
        if (emage_jose_get(jwk, private[i]) != NULL) {
            return false;
        }
    }

    value = emage_jose_get(jwk, emage_str("use"));

    if (value != NULL
        && (!emage_jose_string(value, &text)
            || !emage_str_eq(text, emage_str("sig"))))
    {
        return false;
    }

    value = emage_jose_get(jwk, emage_str("key_ops"));

    if (value == NULL) {
        return true;
    }

    for (i = 0; i < emage_jose_count(value); i++) {
        if (emage_jose_string(emage_jose_at(value, i), &text)
            && emage_str_eq(text, emage_str("verify")))
        {
            return true;
        }
    }

    return false;
}


/* The one algorithm of a key; 0 if it has none of ours. */

static unsigned
emage_jwk_alg(const emage_jose_json_t *jwk, emage_str_t kty)
{
    unsigned                  alg, possible;
    emage_str_t               text;
    const emage_jose_json_t  *value;

    if (emage_str_eq(kty, emage_str("RSA"))) {
        alg = EMAGE_ALG_RS256;
        possible = EMAGE_ALG_RS256|EMAGE_ALG_PS256;

    } else if (emage_str_eq(kty, emage_str("EC"))) {
        alg = EMAGE_ALG_ES256;
        possible = EMAGE_ALG_ES256;

    } else {
        return 0;
    }

    value = emage_jose_get(jwk, emage_str("alg"));

    if (value == NULL) {
        return alg;
    }

    if (!emage_jose_string(value, &text)) {
        return 0;
    }

    return emage_alg_parse(text) & possible;
}


static cjose_jwk_t *
emage_jwk_rsa(const emage_jose_json_t *jwk, emage_jwk_numbers_t *nums,
    size_t *signature, cjose_err *err)
{
    unsigned char          *n, *e;
    cjose_jwk_rsa_keyspec   spec;

    if (!emage_jwk_number(jwk, emage_str("n"), &nums->first)
        || !emage_jwk_number(jwk, emage_str("e"), &nums->second))
    {
        return NULL;
    }

    n = (unsigned char *) nums->first.data;
    e = (unsigned char *) nums->second.data;

    /* at least 2048 bits without leading zeros; an odd exponent from 3 on */

    if (nums->first.len < EMAGE_RSA_MIN || nums->first.len > EMAGE_RSA_MAX
        || (n[0] & 0x80) == 0 || (n[nums->first.len - 1] & 1) == 0
        || nums->second.len > EMAGE_RSA_E_MAX || e[0] == 0
        || (e[nums->second.len - 1] & 1) == 0
        || (nums->second.len == 1 && e[0] < 3))
    {
        return NULL;
    }

    memset(&spec, 0, sizeof(spec));

    spec.n = n;
    spec.nlen = nums->first.len;
    spec.e = e;
    spec.elen = nums->second.len;

    *signature = nums->first.len;

    return cjose_jwk_create_RSA_spec(&spec, err);
}


static cjose_jwk_t *
emage_jwk_ec(const emage_jose_json_t *jwk, emage_jwk_numbers_t *nums,
    size_t *signature, cjose_err *err)
{
    emage_str_t            crv;
    cjose_jwk_ec_keyspec   spec;

    if (!emage_jose_string(emage_jose_get(jwk, emage_str("crv")), &crv)
        || !emage_str_eq(crv, emage_str("P-256"))
        || !emage_jwk_number(jwk, emage_str("x"), &nums->first)
        || !emage_jwk_number(jwk, emage_str("y"), &nums->second)
        || nums->first.len != EMAGE_P256 || nums->second.len != EMAGE_P256)
    {
        return NULL;
    }

    memset(&spec, 0, sizeof(spec));

    spec.crv = CJOSE_JWK_EC_P_256;
    spec.x = (unsigned char *) nums->first.data;
    spec.xlen = nums->first.len;
    spec.y = (unsigned char *) nums->second.data;
    spec.ylen = nums->second.len;

    *signature = 2 * EMAGE_P256;

    /* a point that is not on the curve is refused there */

    return cjose_jwk_create_EC_spec(&spec, err);
}


/* A number that failed without having met its cap failed for want of memory. */

static bool
emage_jwk_starved(const emage_jwk_numbers_t *nums)
{
    return (nums->first.failed && nums->first.len < EMAGE_RSA_MAX)
           || (nums->second.failed && nums->second.len < EMAGE_RSA_MAX);
}


/* EMAGE_NOTFOUND: not a key of ours, skipped */

static emage_rc_t
emage_jwk_load(const emage_jose_json_t *jwk, unsigned algs,
    emage_jose_key_t *key)
{
    emage_rc_t                rc;
    emage_str_t               kty, kid;
    cjose_err                 err;
    emage_jwk_numbers_t       nums;
    const emage_jose_json_t  *value;

    memset(key, 0, sizeof(*key));
    memset(&err, 0, sizeof(err));

    kid = emage_null_str;
    value = emage_jose_get(jwk, emage_str("kid"));

    if (!emage_jose_is_object(jwk)
        || !emage_jose_string(emage_jose_get(jwk, emage_str("kty")), &kty)
        || !emage_jwk_for_verify(jwk)
        || (value != NULL && !emage_jose_string(value, &kid))
        || kid.len > EMAGE_JOSE_KID_MAX)
    {
        return EMAGE_NOTFOUND;
    }

    key->alg = emage_jwk_alg(jwk, kty) & algs;

    if (key->alg == 0) {
        return EMAGE_NOTFOUND;
    }

    emage_buf_init(&nums.first, EMAGE_RSA_MAX);
    emage_buf_init(&nums.second, EMAGE_RSA_MAX);

    key->key = (key->alg == EMAGE_ALG_ES256)
               ? emage_jwk_ec(jwk, &nums, &key->signature, &err)
               : emage_jwk_rsa(jwk, &nums, &key->signature, &err);

    rc = (key->key != NULL) ? EMAGE_OK
         : (err.code == CJOSE_ERR_NO_MEMORY) ? EMAGE_NOMEM : EMAGE_NOTFOUND;

    if (rc == EMAGE_NOTFOUND && emage_jwk_starved(&nums)) {
        rc = EMAGE_NOMEM;
    }

    if (rc == EMAGE_OK && value != NULL) {
        key->kid = malloc(kid.len + 1);
        key->kid_len = kid.len;

        if (key->kid == NULL) {
            (void) cjose_jwk_release(key->key);
            rc = EMAGE_NOMEM;

        } else {
            memcpy(key->kid, kid.data, kid.len);
            key->kid[kid.len] = '\0';
        }
    }

    emage_buf_free(&nums.first);
    emage_buf_free(&nums.second);

    return rc;
}


static emage_rc_t
emage_jwks_fill(emage_jwks_t *jwks, const emage_jose_json_t *keys,
    unsigned algs, emage_error_t *err)
{
    size_t             i;
    emage_rc_t         rc;
    emage_str_t        kid;
    emage_jose_key_t   key;

    for (i = 0; i < emage_jose_count(keys); i++) {

        rc = emage_jwk_load(emage_jose_at(keys, i), algs, &key);

        if (rc == EMAGE_NOTFOUND) {
            continue;
        }

        if (rc != EMAGE_OK) {
            emage_error_set(err, "key set: out of memory");
            return rc;
        }

        kid.data = key.kid;
        kid.len = key.kid_len;

        if (kid.data != NULL && emage_jwks_find(jwks, &kid) != NULL) {
            emage_error_set(err, "key set: key %zu has the kid of an earlier "
                            "one, remove one of the two", i + 1);

            (void) cjose_jwk_release(key.key);
            free(key.kid);
            return EMAGE_ERROR;
        }

        jwks->keys[jwks->n++] = key;
    }

    if (jwks->n == 0) {
        emage_error_set(err, "key set: no usable key: needed is a public RSA "
                        "key from 2048 bits or an EC key on P-256, for "
                        "signatures, of an allowed algorithm");
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_jwks_load(emage_str_t json, unsigned algs, emage_jwks_t **out,
    emage_error_t *err)
{
    emage_rc_t                rc;
    emage_error_t             why;
    emage_jwks_t             *jwks;
    emage_jose_json_t        *set;
    const emage_jose_json_t  *keys;

    *out = NULL;

    rc = emage_jose_load(json, EMAGE_JWKS_MAX, &set, &why);
    if (rc != EMAGE_OK) {
        emage_error_set(err, "key set: %s", why.text);
        return rc;
    }

    keys = emage_jose_get(set, emage_str("keys"));

    if (!emage_jose_is_array(keys)
        || emage_jose_count(keys) > EMAGE_JWKS_KEYS)
    {
        emage_error_set(err, "key set: \"keys\" must be an array of at most "
                        "%d keys", EMAGE_JWKS_KEYS);
        emage_jose_free(set);
        return EMAGE_ERROR;
    }

    jwks = calloc(1, sizeof(*jwks));
    if (jwks == NULL) {
        emage_error_set(err, "key set: out of memory");
        emage_jose_free(set);
        return EMAGE_NOMEM;
    }

    rc = emage_jwks_fill(jwks, keys, algs, err);

    emage_jose_free(set);

    if (rc != EMAGE_OK) {
        emage_jwks_free(jwks);
        return rc;
    }

    *out = jwks;

    return EMAGE_OK;
}


void
emage_jwks_free(emage_jwks_t *jwks)
{
    uint32_t  i;

    if (jwks == NULL) {
        return;
    }

    for (i = 0; i < jwks->n; i++) {
        (void) cjose_jwk_release(jwks->keys[i].key);
        free(jwks->keys[i].kid);
    }

    free(jwks);
}


uint32_t
emage_jwks_count(const emage_jwks_t *jwks)
{
    return (jwks == NULL) ? 0 : jwks->n;
}


const emage_jose_key_t *
emage_jwks_find(const emage_jwks_t *jwks, const emage_str_t *kid)
{
    uint32_t                 i;
    emage_str_t              own;
    const emage_jose_key_t  *key;

    if (kid == NULL) {
        return (jwks->n == 1) ? &jwks->keys[0] : NULL;
    }

    for (i = 0; i < jwks->n; i++) {
        key = &jwks->keys[i];

        own.data = key->kid;
        own.len = key->kid_len;

        if (own.data != NULL && emage_str_eq(own, *kid)) {
            return key;
        }
    }

    return NULL;
}
