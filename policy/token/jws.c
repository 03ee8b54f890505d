
/*
 * Copyright (C) The e-mage authors
 *
 * A compact JWS (RFC 7515): taken apart with every cap met, then the signature
 * by cjose with the key's own algorithm.
 */


#include "token_core.h"

#include <string.h>

#include <cjose/jws.h>


static bool emage_jws_split(emage_str_t token, emage_str_t *parts);
static emage_token_result_t emage_jws_header(emage_jws_t *jws);


/* Exactly three parts; five would be encrypted, which is not for us */

static bool
emage_jws_split(emage_str_t token, emage_str_t *parts)
{
    size_t       i;
    const char  *dot;

    if (token.len == 0 || token.len > EMAGE_TOKEN_MAX) {
        return false;
    }

    for (i = 0; i < 2; i++) {
        dot = memchr(token.data, '.', token.len);

        if (dot == NULL) {
            return false;
        }

        parts[i].data = token.data;
        parts[i].len = (size_t) (dot - token.data);

        token.data += parts[i].len + 1;
        token.len -= parts[i].len + 1;
    }

    parts[2] = token;

    return parts[0].len != 0 && parts[2].len != 0
           && memchr(token.data, '.', token.len) == NULL;
}


/*
 * Members that would choose or fetch key material (jwk, jku, x5c, x5u) are
 * not looked at: nothing here can follow them.
 */

static emage_token_result_t
emage_jws_header(emage_jws_t *jws)
{
    emage_str_t               name;
    const emage_jose_json_t  *value;

    if (emage_jose_get(jws->header, emage_str("crit")) != NULL) {
        return EMAGE_TOKEN_CRITICAL;
    }

    if (!emage_jose_string(emage_jose_get(jws->header, emage_str("alg")),
                           &name))
    {
        return EMAGE_TOKEN_MALFORMED;
    }

    jws->alg = emage_alg_parse(name);

    if (jws->alg == 0) {
        return EMAGE_TOKEN_ALGORITHM;
    }

    value = emage_jose_get(jws->header, emage_str("kid"));

    if (value != NULL) {
        jws->has_kid = true;

        if (!emage_jose_string(value, &jws->kid)
            || jws->kid.len > EMAGE_JOSE_KID_MAX)
        {
            return EMAGE_TOKEN_MALFORMED;
        }
    }

    value = emage_jose_get(jws->header, emage_str("typ"));

    if (value != NULL) {
        jws->has_typ = true;

        if (!emage_jose_string(value, &jws->typ)) {
            return EMAGE_TOKEN_MALFORMED;
        }
    }

    return EMAGE_TOKEN_OK;
}


emage_token_result_t
emage_jws_parse(emage_str_t token, emage_jws_t *jws)
{
    size_t       header, payload;
    emage_rc_t   rc;
    emage_str_t  parts[3], text;

    memset(jws, 0, sizeof(*jws));
    emage_buf_init(&jws->buf, EMAGE_TOKEN_MAX);

    if (!emage_jws_split(token, parts)) {
        return EMAGE_TOKEN_MALFORMED;
    }

    jws->token = token;

    if (!emage_jose_base64(parts[0], &jws->buf)) {
        goto failed;
    }

    header = jws->buf.len;

    if (!emage_jose_base64(parts[1], &jws->buf)) {
        goto failed;
    }

    payload = jws->buf.len - header;

    if (!emage_jose_base64(parts[2], &jws->buf)) {
        goto failed;
    }

    jws->signature = jws->buf.len - header - payload;
    jws->payload.data = jws->buf.data + header;
    jws->payload.len = payload;

    text.data = jws->buf.data;
    text.len = header;

    rc = emage_jose_load(text, EMAGE_TOKEN_MAX, &jws->header, NULL);

    if (rc != EMAGE_OK) {
        return (rc == EMAGE_NOMEM) ? EMAGE_TOKEN_NOMEM
                                   : EMAGE_TOKEN_MALFORMED;
    }

    return emage_jws_header(jws);

failed:

    return jws->buf.failed ? EMAGE_TOKEN_NOMEM : EMAGE_TOKEN_MALFORMED;
}


void
emage_jws_free(emage_jws_t *jws)
{
    emage_jose_free(jws->header);
    emage_buf_free(&jws->buf);

    jws->header = NULL;
}


emage_token_result_t
emage_jws_check(const emage_jws_t *jws, const emage_jwks_t *jwks,
    unsigned algs)
{
    bool                     ok;
    cjose_err                err;
    cjose_jws_t             *signature;
    const emage_jose_key_t  *key;

    if (jwks == NULL) {
        return EMAGE_TOKEN_KEY;
    }

    key = emage_jwks_find(jwks, jws->has_kid ? &jws->kid : NULL);

    if (key == NULL) {
        return EMAGE_TOKEN_KEY;
    }

    /*
     * cjose goes by the header's algorithm: it is called only when that is
     * the key's
     */

    if (jws->alg != key->alg || (key->alg & algs) == 0) {
        return EMAGE_TOKEN_ALGORITHM;
    }

    if (jws->signature != key->signature) {
        return EMAGE_TOKEN_SIGNATURE;
    }

    memset(&err, 0, sizeof(err));
    (void) emage_latch_failed();

    signature = cjose_jws_import(jws->token.data, jws->token.len, &err);

    ok = signature != NULL && cjose_jws_verify(signature, key->key, &err);

    if (signature != NULL) {
        cjose_jws_release(signature);
    }

    if (emage_latch_failed() || err.code == CJOSE_ERR_NO_MEMORY) {
        return EMAGE_TOKEN_NOMEM;
    }

    return ok ? EMAGE_TOKEN_OK : EMAGE_TOKEN_SIGNATURE;
}


emage_token_result_t
emage_jws_verify(const emage_jwks_t *jwks, emage_str_t token,
    emage_buf_t *payload)
{
    emage_jws_t           jws;
    emage_token_result_t  result;

    result = emage_jws_parse(token, &jws);

    if (result == EMAGE_TOKEN_OK) {
        result = emage_jws_check(&jws, jwks, EMAGE_ALG_RS256|EMAGE_ALG_PS256
                                             |EMAGE_ALG_ES256);
    }

    if (result == EMAGE_TOKEN_OK
        && emage_buf_add_str(payload, jws.payload) != EMAGE_OK)
    {
        result = EMAGE_TOKEN_NOMEM;
    }

    emage_jws_free(&jws);

    return result;
}
