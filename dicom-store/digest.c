
/*
 * Copyright (C) The e-mage authors
 */


#include "digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>


struct emage_digest_s {
    EVP_MD_CTX  *ctx;
    uint32_t     crc32;
    uint64_t     size;
};


emage_digest_t *
emage_digest_create(void)
{
    emage_digest_t  *d;

    d = calloc(1, sizeof(emage_digest_t));
    if (d == NULL) {
        return NULL;
    }

    d->ctx = EVP_MD_CTX_new();

    if (d->ctx == NULL || EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1) {
        emage_digest_destroy(d);
        return NULL;
    }

    return d;
}


void
emage_digest_destroy(emage_digest_t *d)
{
    if (d != NULL) {
        EVP_MD_CTX_free(d->ctx);
        free(d);
    }
}


bool
emage_digest_add(emage_digest_t *d, const void *data, size_t len)
{
    d->crc32 = (uint32_t) crc32_z(d->crc32, data, len);
    d->size += len;

    return EVP_DigestUpdate(d->ctx, data, len) == 1;
}


bool
emage_digest_final(emage_digest_t *d, emage_sum_t *sum)
{
    sum->crc32 = d->crc32;
    sum->size = d->size;

    return EVP_DigestFinal_ex(d->ctx, sum->sha256, NULL) == 1;
}


emage_rc_t
emage_digest_block(const void *data, size_t len, emage_sum_t *sum)
{
    bool             ok;
    emage_digest_t  *d;

    d = emage_digest_create();

    ok = d != NULL && emage_digest_add(d, data, len)
         && emage_digest_final(d, sum);

    emage_digest_destroy(d);

    return ok ? EMAGE_OK : EMAGE_NOMEM;
}


emage_rc_t
emage_digest_fd(int fd, emage_sum_t *sum)
{
    bool             ok;
    char            *buf;
    off_t            pos;
    ssize_t          n;
    emage_digest_t  *d;

    d = emage_digest_create();
    buf = malloc(1 << 20);

    ok = (d != NULL && buf != NULL);
    pos = 0;

    while (ok) {
        n = pread(fd, buf, 1 << 20, pos);

        if (n < 0 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            ok = (n == 0);
            break;
        }

        ok = emage_digest_add(d, buf, (size_t) n);
        pos += n;
    }

    ok = ok && emage_digest_final(d, sum);

    emage_digest_destroy(d);
    free(buf);

    return ok ? EMAGE_OK : EMAGE_UNAVAILABLE;
}
