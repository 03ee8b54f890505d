
/*
 * Copyright (C) The e-mage authors
 */


#include <emage/identifier.h>

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>


#define EMAGE_IDENTIFIER_DIGEST  32


static bool emage_identifier_hmac(const unsigned char *key, const char *text,
    size_t len, unsigned char *digest);


static bool
emage_identifier_hmac(const unsigned char *key, const char *text, size_t len,
    unsigned char *digest)
{
    unsigned       n;
    unsigned char  md[EVP_MAX_MD_SIZE];

    if (HMAC(EVP_sha256(), key, EMAGE_IDENTIFIER_KEY,
             (const unsigned char *) text, len, md, &n) == NULL
        || n != EMAGE_IDENTIFIER_DIGEST)
    {
        return false;
    }

    memcpy(digest, md, EMAGE_IDENTIFIER_DIGEST);

    return true;
}


emage_rc_t
emage_identifier_hash(const unsigned char *key, emage_str_t issuer,
    emage_str_t id, char *hex)
{
    char           text[2 * EMAGE_IDENTIFIER_MAX + 1];
    unsigned char  digest[EMAGE_IDENTIFIER_DIGEST];

    if (issuer.len == 0 || issuer.len > EMAGE_IDENTIFIER_MAX
        || id.len == 0 || id.len > EMAGE_IDENTIFIER_MAX)
    {
        return EMAGE_ERROR;
    }

    memcpy(text, issuer.data, issuer.len);
    text[issuer.len] = '\0';
    memcpy(text + issuer.len + 1, id.data, id.len);

    if (!emage_identifier_hmac(key, text, issuer.len + 1 + id.len, digest)) {
        return EMAGE_ERROR;
    }

    emage_hex(hex, digest, EMAGE_IDENTIFIER_DIGEST);

    return EMAGE_OK;
}


bool
emage_identifier_value(const unsigned char *key, emage_str_t name,
    emage_str_t value, char *hex)
{
    bool           ok;
    emage_buf_t    text;
    unsigned char  digest[EMAGE_IDENTIFIER_DIGEST];

    emage_buf_init(&text, 4096);

    (void) emage_buf_add(&text, "query", sizeof("query"));
    (void) emage_buf_add_str(&text, name);
    (void) emage_buf_add(&text, "", 1);

    ok = emage_buf_add_str(&text, value) == EMAGE_OK
         && emage_identifier_hmac(key, text.data, text.len, digest);

    emage_buf_free(&text);

    if (ok) {
        emage_hex(hex, digest, EMAGE_IDENTIFIER_VALUE / 2);
    }

    return ok;
}
