
/*
 * Copyright (C) The e-mage authors
 *
 * Hostile tokens and key sets: nothing unsigned is ever good.
 */


#include <emage/session.h>

#include <stdlib.h>


#define SET  "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","                  \
             "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","         \
             "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                    hash[EMAGE_SESSION_HASH] = { 0 };
    emage_str_t             name, s = { (const char *) data, size };
    emage_jwks_t           *jwks;
    emage_buf_t             store;
    emage_subject_t         subject;
    static emage_issuer_t   issuer = { .issuer = { "a", 1 }, .algs = 7,
                                       .audience = { "b", 1 }, .kind = 1 };

    if (issuer.jwks == NULL
        && emage_jwks_load(emage_str(SET), 7, (emage_jwks_t **) &issuer.jwks,
                           NULL) != EMAGE_OK)
    {
        abort();
    }

    if (emage_jwks_load(s, 7, &jwks, NULL) == EMAGE_OK) {
        emage_jwks_free(jwks);
    }

    emage_buf_init(&store, 65536);

    if (emage_session_cookie(s, &name) > 0
        && emage_session_hash(name, hash) && name.len != EMAGE_SESSION_ID)
    {
        abort();
    }

    if (emage_session_subject(&issuer, 1, s, (emage_str_t) { hash, 64 }, 0,
                              &store, &subject)
        == EMAGE_TOKEN_OK
        && subject.kind == EMAGE_SUBJECT_NONE)
    {
        abort();
    }

    if (emage_token_verify(&issuer, 1, s, 0, &store, &subject)
        == EMAGE_TOKEN_OK)
    {
        abort();
    }

    emage_buf_free(&store);

    return 0;
}
