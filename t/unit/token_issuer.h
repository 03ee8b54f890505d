
/*
 * Copyright (C) The e-mage authors
 *
 * What the tests of tokens share: three keys, their sets, two issuers.
 */


#ifndef EMAGE_TEST_TOKEN_H
#define EMAGE_TEST_TOKEN_H


#include <emage/token.h>

#include <stdlib.h>
#include <string.h>

#include "tap.h"


#define NOW       1795508130000
#define NOW_S     "1795508130"
#define ALL_ALGS  (EMAGE_ALG_RS256|EMAGE_ALG_PS256|EMAGE_ALG_ES256)

#define CLAIMS(more)                                                          \
    "{\"iss\":\"https://op.example\",\"aud\":\"emage\",\"exp\":1795508190,"   \
    "\"iat\":" NOW_S ",\"sub\":\"810101201234\"" more "}"


static emage_buf_t      keys[3];             /* RSA RS256, EC, RSA PS256 */
static emage_buf_t      sets[3];
static emage_jwks_t    *jwks[3];
static emage_issuer_t   issuers[2];
static emage_buf_t      store;
static emage_subject_t  subject;

static const char *const  algs[] = { "RS256", "ES256", "PS256" };


static inline emage_str_t
str(const emage_buf_t *b)
{
    return (emage_str_t) { b->data, b->len };
}


static inline emage_token_result_t
verify(const char *claims, const char *typ)
{
    emage_buf_t            token;
    emage_error_t          err;
    emage_token_result_t   result;

    emage_buf_init(&token, 4 * EMAGE_TOKEN_MAX);

    result = EMAGE_TOKEN_NOMEM;

    if (emage_token_sign(str(&keys[1]), "ES256", typ, emage_str_c(claims),
                         &token, &err)
        == EMAGE_OK)
    {
        result = emage_token_verify(issuers, 2, str(&token), NOW, &store,
                                    &subject);

    } else {
        printf("# sign: %s\n", err.text);
    }

    emage_buf_free(&token);

    return result;
}


static inline void
setup(void)
{
    int            i;
    emage_error_t  err;

    emage_buf_init(&store, 65536);

    for (i = 0; i < 3; i++) {
        emage_buf_init(&keys[i], 65536);
        emage_buf_init(&sets[i], 65536);

        tap_ok(emage_jwk_generate(i == 1 ? "EC" : "RSA", algs[i], &keys[i],
                                  &err) == EMAGE_OK, "a key for %s", algs[i]);
        tap_ok(emage_jwk_public(str(&keys[i]), &sets[i], &err) == EMAGE_OK
               && strstr(emage_buf_cstr(&sets[i]), "\"d\":") == NULL,
               "its public half");
        tap_ok(emage_jwks_load(str(&sets[i]), ALL_ALGS, &jwks[i], &err)
               == EMAGE_OK && emage_jwks_count(jwks[i]) == 1, "as a key set");
    }

    for (i = 0; i < 2; i++) {
        issuers[i].name = emage_str("other");
        issuers[i].issuer = emage_str("https://other.example");
        issuers[i].audience = emage_str("emage");
        issuers[i].algs = ALL_ALGS;
        issuers[i].kind = EMAGE_SUBJECT_PROFESSIONAL;
        issuers[i].jwks = jwks[0];
    }

    issuers[1].name = emage_str("psc");
    issuers[1].issuer = emage_str("https://op.example");
    issuers[1].skew = 5;
    issuers[1].jwks = jwks[1];
    issuers[1].claim_purpose = emage_str("purpose");
    issuers[1].claim_profession = emage_str("ext.profession");
    issuers[1].claim_organisation = emage_str("org");
    issuers[1].organisation_system = emage_str("urn:finess");
    issuers[1].claim_teams = emage_str("teams");
    issuers[1].team_system = emage_str("urn:team");
    issuers[1].subject_system = emage_str("urn:oid:1.2");
}


static inline void
teardown(void)
{
    int  i;

    for (i = 0; i < 3; i++) {
        emage_jwks_free(jwks[i]);
        emage_buf_free(&keys[i]);
        emage_buf_free(&sets[i]);
    }

    emage_buf_free(&store);
}


#endif /* EMAGE_TEST_TOKEN_H */
