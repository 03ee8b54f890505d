
/*
 * Copyright (C) The e-mage authors
 *
 * The other side: keys and signatures, for the demonstration issuer and for
 * tests.  Nothing of it is reached from a request.
 */


#include "token_core.h"

#include <string.h>

#include <cjose/base64.h>
#include <cjose/header.h>
#include <cjose/jwk.h>
#include <cjose/jws.h>
#include <cjose/util.h>
#include <openssl/evp.h>


static emage_rc_t emage_sign_key(emage_str_t text, emage_jose_json_t **json,
    cjose_jwk_t **key, emage_error_t *err);
static bool emage_sign_header(cjose_header_t *header, const char *name,
    emage_str_t value, cjose_err *err);
static emage_rc_t emage_jwk_thumbprint(emage_jose_json_t *json,
    emage_str_t kty);
static emage_rc_t emage_jwk_text(const cjose_jwk_t *key, bool private,
    emage_jose_json_t **out, emage_error_t *err);


/* A private key that may sign with `alg`. */

static emage_rc_t
emage_sign_key(emage_str_t text, emage_jose_json_t **json, cjose_jwk_t **key,
    emage_error_t *err)
{
    cjose_err      error;
    emage_rc_t     rc;
    emage_error_t  why;

    *key = NULL;

    rc = emage_jose_load(text, EMAGE_JWK_MAX, json, &why);
    if (rc != EMAGE_OK) {
        emage_error_set(err, "key: %s", why.text);
        return rc;
    }

    if (emage_jose_get(*json, emage_str("d")) == NULL) {
        emage_error_set(err, "key: not a private RSA or EC key (JWK)");
        rc = EMAGE_ERROR;
        goto failed;
    }

    memset(&error, 0, sizeof(error));

    *key = cjose_jwk_import(text.data, text.len, &error);

    if (*key == NULL) {
        emage_error_set(err, "key: cannot be used: %s",
                        (error.message != NULL) ? error.message : "unknown");
        rc = (error.code == CJOSE_ERR_NO_MEMORY) ? EMAGE_NOMEM : EMAGE_ERROR;
        goto failed;
    }

    return EMAGE_OK;

failed:

    emage_jose_free(*json);
    *json = NULL;

    return rc;
}


static bool
emage_sign_header(cjose_header_t *header, const char *name, emage_str_t value,
    cjose_err *err)
{
    bool         ok;
    emage_buf_t  text;

    emage_buf_init(&text, EMAGE_TOKEN_MAX);

    (void) emage_buf_add_str(&text, value);

    ok = emage_buf_cstr(&text) != NULL
         && cjose_header_set(header, name, text.data, err);

    emage_buf_free(&text);

    return ok;
}


emage_rc_t
emage_token_sign(emage_str_t jwk, const char *alg, const char *typ,
    emage_str_t claims, emage_buf_t *out, emage_error_t *err)
{
    bool                ok;
    cjose_err           error;
    emage_rc_t          rc;
    const char         *compact;
    cjose_jws_t        *jws;
    cjose_jwk_t        *key;
    emage_str_t         kid, own;
    emage_error_t       why;
    cjose_header_t     *header;
    emage_jose_json_t  *json;

    if (emage_alg_parse(emage_str_c(alg)) == 0) {
        emage_error_set(err, "algorithm: must be RS256, PS256 or ES256");
        return EMAGE_ERROR;
    }

    rc = emage_jose_load(claims, EMAGE_TOKEN_MAX, &json, &why);
    emage_jose_free(json);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "claims: %s", why.text);
        return rc;
    }

    rc = emage_sign_key(jwk, &json, &key, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    jws = NULL;
    header = NULL;
    memset(&error, 0, sizeof(error));

    if (emage_jose_string(emage_jose_get(json, emage_str("alg")), &own)
        && !emage_str_eq(own, emage_str_c(alg)))
    {
        emage_error_set(err, "key: is for another algorithm than %s", alg);
        rc = EMAGE_ERROR;
        goto done;
    }

    header = cjose_header_new(&error);

    ok = header != NULL
         && emage_sign_header(header, CJOSE_HDR_ALG, emage_str_c(alg), &error)
         && (typ == NULL
             || emage_sign_header(header, "typ", emage_str_c(typ), &error))
         && (!emage_jose_string(emage_jose_get(json, emage_str("kid")), &kid)
             || emage_sign_header(header, CJOSE_HDR_KID, kid, &error));

    if (ok) {
        jws = cjose_jws_sign(key, header, (const uint8_t *) claims.data,
                             claims.len, &error);
    }

    if (jws == NULL || !cjose_jws_export(jws, &compact, &error)) {
        emage_error_set(err, "cannot sign with this key and %s: %s", alg,
                        (error.message != NULL) ? error.message : "unknown");
        rc = (error.code == CJOSE_ERR_NO_MEMORY) ? EMAGE_NOMEM : EMAGE_ERROR;
        goto done;
    }

    if (emage_buf_add_c(out, compact) != EMAGE_OK) {
        emage_error_set(err, "out of memory");
        rc = EMAGE_NOMEM;
    }

done:

    if (jws != NULL) {
        cjose_jws_release(jws);
    }

    if (header != NULL) {
        cjose_header_release(header);
    }

    (void) cjose_jwk_release(key);
    emage_jose_free(json);

    return rc;
}


/* RFC 7638: the digest of the public members, in the order of their names */

static emage_rc_t
emage_jwk_thumbprint(emage_jose_json_t *json, emage_str_t kty)
{
    char           *kid;
    bool            ok;
    size_t          i, len;
    emage_rc_t      rc;
    emage_buf_t     text;
    emage_str_t     value;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    static const emage_str_t  rsa[] = {
        { "e", 1 }, { "kty", 3 }, { "n", 1 }, { NULL, 0 }
    };

    static const emage_str_t  ec[] = {
        { "crv", 3 }, { "kty", 3 }, { "x", 1 }, { "y", 1 }, { NULL, 0 }
    };

    const emage_str_t  *names;

    names = emage_str_eq(kty, emage_str("RSA")) ? rsa : ec;

    emage_buf_init(&text, EMAGE_JWK_MAX);

    for (i = 0; names[i].data != NULL; i++) {

        if (!emage_jose_string(emage_jose_get(json, names[i]), &value)) {
            emage_buf_free(&text);
            return EMAGE_ERROR;
        }

        (void) emage_buf_add_c(&text, (i == 0) ? "{" : ",");
        (void) emage_buf_add_json(&text, names[i]);
        (void) emage_buf_add_c(&text, ":");
        (void) emage_buf_add_json(&text, value);
    }

    ok = emage_buf_add_c(&text, "}") == EMAGE_OK
         && EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL)
            == 1
         && cjose_base64url_encode(digest, 32, &kid, &len, NULL);

    emage_buf_free(&text);

    if (!ok) {
        return EMAGE_NOMEM;
    }

    rc = emage_jose_set(json, "kid", (emage_str_t) { kid, len });

    cjose_get_dealloc()(kid);

    return rc;
}


static emage_rc_t
emage_jwk_text(const cjose_jwk_t *key, bool private, emage_jose_json_t **out,
    emage_error_t *err)
{
    char        *text;
    emage_rc_t   rc;

    text = cjose_jwk_to_json(key, private, NULL);
    if (text == NULL) {
        emage_error_set(err, "key: cannot be written as JWK");
        return EMAGE_NOMEM;
    }

    rc = emage_jose_load(emage_str_c(text), EMAGE_JWK_MAX, out, err);

    cjose_get_dealloc()(text);

    return rc;
}


emage_rc_t
emage_jwk_generate(const char *kty, const char *alg, emage_buf_t *out,
    emage_error_t *err)
{
    bool                rsa;
    unsigned            bit;
    cjose_err           error;
    emage_rc_t          rc;
    cjose_jwk_t        *key;
    emage_str_t         type;
    emage_jose_json_t  *json;

    static const uint8_t  exponent[] = { 1, 0, 1 };

    type = emage_str_c(kty);
    rsa = emage_str_eq(type, emage_str("RSA"));

    if (alg == NULL) {
        alg = rsa ? "RS256" : "ES256";
    }

    bit = emage_alg_parse(emage_str_c(alg));

    if (bit == 0 || (!rsa && !emage_str_eq(type, emage_str("EC")))
        || rsa != (bit != EMAGE_ALG_ES256))
    {
        emage_error_set(err, "key: must be RSA with RS256 or PS256, or EC "
                        "with ES256");
        return EMAGE_ERROR;
    }

    memset(&error, 0, sizeof(error));

    key = rsa ? cjose_jwk_create_RSA_random(2048, exponent, sizeof(exponent),
                                            &error)
              : cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &error);

    if (key == NULL) {
        emage_error_set(err, "key: cannot be made: %s",
                        (error.message != NULL) ? error.message : "unknown");
        return EMAGE_NOMEM;
    }

    rc = emage_jwk_text(key, true, &json, err);

    (void) cjose_jwk_release(key);

    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_jwk_thumbprint(json, type);

    if (rc != EMAGE_OK
        || emage_jose_set(json, "alg", emage_str_c(alg)) != EMAGE_OK
        || emage_jose_set(json, "use", emage_str("sig")) != EMAGE_OK
        || emage_jose_dump(json, out) != EMAGE_OK)
    {
        emage_error_set(err, "key: out of memory");
        rc = EMAGE_NOMEM;
    }

    emage_jose_free(json);

    return rc;
}


emage_rc_t
emage_jwk_public(emage_str_t jwk, emage_buf_t *out, emage_error_t *err)
{
    size_t              i;
    emage_rc_t          rc;
    cjose_jwk_t        *key;
    emage_str_t         value;
    emage_jose_json_t  *json, *public;

    static const char *const  kept[] = { "kid", "alg", "use" };

    rc = emage_sign_key(jwk, &json, &key, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_jwk_text(key, false, &public, err);

    (void) cjose_jwk_release(key);

    for (i = 0; rc == EMAGE_OK && i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (emage_jose_string(emage_jose_get(json, emage_str_c(kept[i])),
                              &value))
        {
            rc = emage_jose_set(public, kept[i], value);
        }
    }

    emage_jose_free(json);

    if (rc != EMAGE_OK) {
        goto done;
    }

    (void) emage_buf_add_c(out, "{\"keys\":[");

    rc = emage_jose_dump(public, out);

    if (rc == EMAGE_OK) {
        rc = emage_buf_add_c(out, "]}");
    }

done:

    if (rc == EMAGE_NOMEM) {
        emage_error_set(err, "key: out of memory");
    }

    emage_jose_free(public);

    return rc;
}
