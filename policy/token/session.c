
/*
 * Copyright (C) The e-mage authors
 *
 * Sessions: the id in the cookie, the hash it is kept under, and the subject
 * of its record.
 */


#include "token_core.h"

#include <emage/session.h>

#include <string.h>

#include <openssl/evp.h>


static bool emage_session_space(char c);
static emage_token_result_t emage_session_check(const emage_issuer_t *issuers,
    uint32_t n, const emage_jose_json_t *record, emage_str_t hash,
    int64_t now, emage_buf_t *store, emage_subject_t *subject);


bool
emage_session_hash(emage_str_t id, char *hash)
{
    size_t         i;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    if (id.len != EMAGE_SESSION_ID) {
        return false;
    }

    for (i = 0; i < id.len; i++) {
        if ((id.data[i] < '0' || id.data[i] > '9')
            && (id.data[i] < 'a' || id.data[i] > 'f'))
        {
            return false;
        }
    }

    if (EVP_Digest(id.data, id.len, digest, NULL, EVP_sha256(), NULL) != 1) {
        return false;
    }

    emage_hex(hash, digest, EMAGE_SESSION_HASH / 2);

    return true;
}


static bool
emage_session_space(char c)
{
    return c == ' ' || c == '\t';
}


/* RFC 6265 section 5.4, read as servers do: pairs between semicolons. */

unsigned
emage_session_cookie(emage_str_t header, emage_str_t *id)
{
    size_t       len;
    unsigned     n;
    const char  *p, *last, *end, *equal;

    n = 0;
    p = header.data;
    last = (p == NULL) ? p : p + header.len;

    while (p < last) {
        end = memchr(p, ';', (size_t) (last - p));
        end = (end == NULL) ? last : end;

        while (p < end && emage_session_space(*p)) {
            p++;
        }

        equal = memchr(p, '=', (size_t) (end - p));

        if (equal != NULL) {
            len = (size_t) (equal - p);

            while (len > 0 && emage_session_space(p[len - 1])) {
                len--;
            }

            if (emage_str_eq((emage_str_t) { p, len },
                             emage_str(EMAGE_SESSION_COOKIE)))
            {
                n++;
                id->data = equal + 1;
                id->len = (size_t) (end - equal - 1);
            }
        }

        p = (end == last) ? last : end + 1;
    }

    return n;
}


static emage_token_result_t
emage_session_check(const emage_issuer_t *issuers, uint32_t n,
    const emage_jose_json_t *record, emage_str_t hash, int64_t now,
    emage_buf_t *store, emage_subject_t *subject)
{
    int64_t                   version, expires;
    const emage_issuer_t     *issuer;
    emage_token_result_t      result;
    const emage_jose_json_t  *claims;

    claims = emage_jose_get(record, emage_str("claims"));

    if (!emage_jose_int(emage_jose_get(record, emage_str("version")), &version)
        || version != 1
        || !emage_jose_int(emage_jose_get(record, emage_str("expires")),
                           &expires)
        || !emage_jose_is_object(claims))
    {
        return EMAGE_TOKEN_MALFORMED;
    }

    if (now >= expires) {
        return EMAGE_TOKEN_EXPIRED;
    }

    issuer = emage_token_issuer(issuers, n, claims);

    if (issuer == NULL) {
        return EMAGE_TOKEN_ISSUER;
    }

    hash.len = EMAGE_SESSION_NAME;

    result = emage_token_rules(issuer, claims, hash, now, store, subject);

    if (result == EMAGE_TOKEN_OK && expires < subject->expires) {
        subject->expires = expires;
    }

    return result;
}


emage_token_result_t
emage_session_subject(const emage_issuer_t *issuers, uint32_t n,
    emage_str_t record, emage_str_t hash, int64_t now, emage_buf_t *store,
    emage_subject_t *subject)
{
    emage_rc_t            rc;
    emage_jose_json_t    *json;
    emage_token_result_t  result;

    memset(subject, 0, sizeof(*subject));
    emage_buf_reset(store);

    if (hash.len != EMAGE_SESSION_HASH) {
        return EMAGE_TOKEN_MALFORMED;
    }

    json = NULL;
    rc = emage_jose_load(record, EMAGE_SESSION_MAX, &json, NULL);

    if (rc == EMAGE_OK) {
        result = emage_session_check(issuers, n, json, hash, now, store,
                                     subject);

    } else {
        result = (rc == EMAGE_NOMEM) ? EMAGE_TOKEN_NOMEM
                                     : EMAGE_TOKEN_MALFORMED;
    }

    if (result != EMAGE_TOKEN_OK) {
        memset(subject, 0, sizeof(*subject));
        emage_buf_reset(store);
    }

    emage_jose_free(json);

    return result;
}
