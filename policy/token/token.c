
/*
 * Copyright (C) The e-mage authors
 *
 * Bearer tokens: which issuer, which rules, and for how long (RFC 7519
 * section 4.1, RFC 8725, RFC 9068 section 4).
 */


#include "token_core.h"

#include <string.h>

#include <openssl/evp.h>


#define EMAGE_TOKEN_SKEW_MAX  60           /* s */
#define EMAGE_TOKEN_SESSION   16           /* bytes of the digest */


static bool emage_token_same(emage_str_t a, emage_str_t b);
static bool emage_token_is(emage_str_t typ, emage_str_t want);
static bool emage_token_type(const emage_issuer_t *issuer,
    const emage_jws_t *jws);
static bool emage_token_audience(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims);
static emage_token_result_t emage_token_times(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, int64_t now, int64_t *expires);
static emage_token_result_t emage_token_check(const emage_issuer_t *issuers,
    uint32_t n, const emage_jws_t *jws, const emage_jose_json_t *claims,
    int64_t now, emage_buf_t *store, emage_subject_t *subject);


emage_str_t
emage_token_result_name(emage_token_result_t result)
{
    switch (result) {
    case EMAGE_TOKEN_OK:
        return emage_str("ok");
    case EMAGE_TOKEN_MALFORMED:
        return emage_str("malformed");
    case EMAGE_TOKEN_ALGORITHM:
        return emage_str("algorithm");
    case EMAGE_TOKEN_CRITICAL:
        return emage_str("critical");
    case EMAGE_TOKEN_TYPE:
        return emage_str("type");
    case EMAGE_TOKEN_ISSUER:
        return emage_str("issuer");
    case EMAGE_TOKEN_KEY:
        return emage_str("key");
    case EMAGE_TOKEN_SIGNATURE:
        return emage_str("signature");
    case EMAGE_TOKEN_AUDIENCE:
        return emage_str("audience");
    case EMAGE_TOKEN_EXPIRED:
        return emage_str("expired");
    case EMAGE_TOKEN_NOT_YET:
        return emage_str("not-yet");
    case EMAGE_TOKEN_CLAIMS:
        return emage_str("claims");
    case EMAGE_TOKEN_NOMEM:
        return emage_str("no-memory");
    }

    return emage_str("unknown");
}


const emage_issuer_t *
emage_token_issuer(const emage_issuer_t *issuers, uint32_t n,
    const emage_jose_json_t *claims)
{
    uint32_t     i;
    emage_str_t  iss;

    if (!emage_jose_string(emage_jose_get(claims, emage_str("iss")), &iss)
        || iss.len == 0)
    {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        if (emage_str_eq(issuers[i].issuer, iss)) {
            return &issuers[i];
        }
    }

    return NULL;
}


/* Letter case of ASCII does not matter in media types. */

static bool
emage_token_same(emage_str_t a, emage_str_t b)
{
    char    x, y;
    size_t  i;

    if (a.len != b.len) {
        return false;
    }

    for (i = 0; i < a.len; i++) {
        x = a.data[i];
        y = b.data[i];

        x = (x >= 'A' && x <= 'Z') ? (char) (x | 0x20) : x;
        y = (y >= 'A' && y <= 'Z') ? (char) (y | 0x20) : y;

        if (x != y) {
            return false;
        }
    }

    return true;
}


/* "application/" may be left out (RFC 7515 section 4.1.9). */

static bool
emage_token_is(emage_str_t typ, emage_str_t want)
{
    emage_str_t  prefix;

    prefix.data = typ.data;
    prefix.len = sizeof("application/") - 1;

    if (typ.len == want.len + prefix.len
        && emage_token_same(prefix, emage_str("application/")))
    {
        typ.data += prefix.len;
        typ.len -= prefix.len;
    }

    return emage_token_same(typ, want);
}


static bool
emage_token_type(const emage_issuer_t *issuer, const emage_jws_t *jws)
{
    if (issuer->typ.len != 0) {
        return jws->has_typ && emage_token_is(jws->typ, issuer->typ);
    }

    /* any other kind of token is signed with the same keys: not here */

    return !jws->has_typ || emage_token_is(jws->typ, emage_str("at+jwt"))
           || emage_token_is(jws->typ, emage_str("JWT"));
}


static bool
emage_token_audience(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims)
{
    bool                      found;
    size_t                    i;
    emage_str_t               name;
    const emage_jose_json_t  *aud;

    if (issuer->audience.len == 0) {
        return false;
    }

    aud = emage_jose_get(claims, emage_str("aud"));

    if (emage_jose_string(aud, &name)) {
        return emage_str_eq(name, issuer->audience);
    }

    found = false;

    for (i = 0; i < emage_jose_count(aud); i++) {

        if (!emage_jose_string(emage_jose_at(aud, i), &name)) {
            return false;
        }

        found = found || emage_str_eq(name, issuer->audience);
    }

    return found;
}


/* `expires`: the first moment at which the same token is refused */

static emage_token_result_t
emage_token_times(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, int64_t now, int64_t *expires)
{
    int64_t                   skew, time;
    const emage_jose_json_t  *value;

    skew = (issuer->skew > EMAGE_TOKEN_SKEW_MAX) ? EMAGE_TOKEN_SKEW_MAX
                                                 : issuer->skew;
    skew *= 1000;

    value = emage_jose_get(claims, emage_str("exp"));

    if (!emage_jose_date(value, &time)) {
        return EMAGE_TOKEN_CLAIMS;
    }

    *expires = time + skew;

    value = emage_jose_get(claims, emage_str("iat"));

    if (value == NULL) {
        if (issuer->max_age != 0) {
            return EMAGE_TOKEN_CLAIMS;
        }

    } else {
        if (!emage_jose_date(value, &time)) {
            return EMAGE_TOKEN_CLAIMS;
        }

        if (time > now + skew) {
            return EMAGE_TOKEN_NOT_YET;
        }

        time += (int64_t) issuer->max_age * 1000 + skew;

        if (issuer->max_age != 0 && time < *expires) {
            *expires = time;
        }
    }

    value = emage_jose_get(claims, emage_str("nbf"));

    if (value != NULL) {
        if (!emage_jose_date(value, &time)) {
            return EMAGE_TOKEN_CLAIMS;
        }

        if (time > now + skew) {
            return EMAGE_TOKEN_NOT_YET;
        }
    }

    return (now < *expires) ? EMAGE_TOKEN_OK : EMAGE_TOKEN_EXPIRED;
}


static emage_token_result_t
emage_token_check(const emage_issuer_t *issuers, uint32_t n,
    const emage_jws_t *jws, const emage_jose_json_t *claims, int64_t now,
    emage_buf_t *store, emage_subject_t *subject)
{
    char                   session[2 * EMAGE_TOKEN_SESSION];
    unsigned char          digest[EVP_MAX_MD_SIZE];
    emage_token_result_t   result;
    const emage_issuer_t  *issuer;

    issuer = emage_token_issuer(issuers, n, claims);

    if (issuer == NULL) {
        return EMAGE_TOKEN_ISSUER;
    }

    if (!emage_token_type(issuer, jws)) {
        return EMAGE_TOKEN_TYPE;
    }

    result = emage_jws_check(jws, issuer->jwks, issuer->algs);

    if (result != EMAGE_TOKEN_OK) {
        return result;
    }

    if (EVP_Digest(jws->token.data, jws->token.len, digest, NULL,
                   EVP_sha256(), NULL) != 1)
    {
        return EMAGE_TOKEN_NOMEM;
    }

    emage_hex(session, digest, EMAGE_TOKEN_SESSION);

    return emage_token_rules(issuer, claims,
                             (emage_str_t) { session, sizeof(session) }, now,
                             store, subject);
}


emage_token_result_t
emage_token_rules(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_str_t session, int64_t now,
    emage_buf_t *store, emage_subject_t *subject)
{
    emage_token_result_t  result;

    if (!emage_token_audience(issuer, claims)) {
        return EMAGE_TOKEN_AUDIENCE;
    }

    result = emage_token_times(issuer, claims, now, &subject->expires);

    if (result != EMAGE_TOKEN_OK) {
        return result;
    }

    return emage_claims_map(issuer, claims, session, store, subject);
}


emage_token_result_t
emage_token_verify(const emage_issuer_t *issuers, uint32_t n,
    emage_str_t token, int64_t now, emage_buf_t *store,
    emage_subject_t *subject)
{
    emage_rc_t             rc;
    emage_jws_t            jws;
    emage_jose_json_t     *claims;
    emage_token_result_t   result;

    memset(subject, 0, sizeof(*subject));
    emage_buf_reset(store);

    claims = NULL;

    result = emage_jws_parse(token, &jws);

    if (result != EMAGE_TOKEN_OK) {
        goto done;
    }

    rc = emage_jose_load(jws.payload, EMAGE_TOKEN_MAX, &claims, NULL);

    if (rc != EMAGE_OK) {
        result = (rc == EMAGE_NOMEM) ? EMAGE_TOKEN_NOMEM
                                     : EMAGE_TOKEN_MALFORMED;
        goto done;
    }

    result = emage_token_check(issuers, n, &jws, claims, now, store, subject);

done:

    if (result != EMAGE_TOKEN_OK) {
        memset(subject, 0, sizeof(*subject));
        emage_buf_reset(store);
    }

    emage_jose_free(claims);
    emage_jws_free(&jws);

    return result;
}
