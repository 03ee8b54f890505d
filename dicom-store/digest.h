
/*
 * Copyright (C) The e-mage authors
 *
 * SHA-256 and CRC-32 over what passes by.
 */


#ifndef EMAGE_DIGEST_H
#define EMAGE_DIGEST_H


#include <emage/base.h>


#define EMAGE_SHA256_LEN  32


typedef struct {
    unsigned char  sha256[EMAGE_SHA256_LEN];
    uint32_t       crc32;
    uint64_t       size;
} emage_sum_t;


typedef struct emage_digest_s  emage_digest_t;

/* NULL: no memory. */

emage_digest_t *emage_digest_create(void);
void emage_digest_destroy(emage_digest_t *d);

bool emage_digest_add(emage_digest_t *d, const void *data, size_t len);
bool emage_digest_final(emage_digest_t *d, emage_sum_t *sum);

/* Both in one: of a block of memory, of an open file from its start. */

emage_rc_t emage_digest_block(const void *data, size_t len, emage_sum_t *sum);
emage_rc_t emage_digest_fd(int fd, emage_sum_t *sum);


#endif /* EMAGE_DIGEST_H */
