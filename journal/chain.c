
/*
 * Copyright (C) The e-mage authors
 *
 * The chain: numbers and hashes, and the records that begin and end a file.
 */


#include "journal_core.h"

#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>


#define EMAGE_CHAIN_HEAD  "{\"seq\":"
#define EMAGE_CHAIN_PREV  ",\"prev\":\""


static size_t emage_chain_number(char *dst, uint64_t n);
static emage_rc_t emage_journal_name_part(emage_buf_t *out, emage_str_t s);


/*
 * One context a thread, made at the first hash: fetching the algorithm and
 * allocating a context cost more than hashing a record.
 */

bool
emage_journal_hash(char *hex, const void *data, size_t len)
{
    unsigned       n;
    unsigned char  md[EVP_MAX_MD_SIZE];

    static __thread EVP_MD_CTX  *ctx;

    if (ctx == NULL) {
        ctx = EVP_MD_CTX_new();

        if (ctx == NULL) {
            return false;
        }

        if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
            EVP_MD_CTX_free(ctx);
            ctx = NULL;
            return false;
        }

    } else if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1) {
        return false;
    }

    if (EVP_DigestUpdate(ctx, data, len) != 1
        || EVP_DigestFinal_ex(ctx, md, &n) != 1
        || n != EMAGE_HASH_LEN / 2)
    {
        return false;
    }

    emage_hex(hex, md, n);

    return true;
}


void
emage_chain_init(emage_chain_t *chain)
{
    chain->seq = 0;
    memset(chain->prev, '0', EMAGE_HASH_LEN);
}


static size_t
emage_chain_number(char *dst, uint64_t n)
{
    char    digits[20];
    size_t  i, len;

    len = 0;

    do {
        digits[len++] = (char) ('0' + n % 10);
        n /= 10;
    } while (n != 0);

    for (i = 0; i < len; i++) {
        dst[i] = digits[len - 1 - i];
    }

    return len;
}


emage_rc_t
emage_chain_seal(emage_chain_t *chain, emage_str_t body, emage_buf_t *out)
{
    char        head[sizeof(EMAGE_CHAIN_HEAD) + sizeof(EMAGE_CHAIN_PREV)
                     + 20 + EMAGE_HASH_LEN + 2];
    char       *p, hash[EMAGE_HASH_LEN];
    size_t      start;
    emage_rc_t  rc;

    if (out->failed) {
        return EMAGE_NOMEM;
    }

    /* a record is one line, whatever it was given */

    if (body.len == 0 || memchr(body.data, '\n', body.len) != NULL) {
        return EMAGE_ERROR;
    }

    p = head;

    memcpy(p, EMAGE_CHAIN_HEAD, sizeof(EMAGE_CHAIN_HEAD) - 1);
    p += sizeof(EMAGE_CHAIN_HEAD) - 1;

    p += emage_chain_number(p, chain->seq);

    memcpy(p, EMAGE_CHAIN_PREV, sizeof(EMAGE_CHAIN_PREV) - 1);
    p += sizeof(EMAGE_CHAIN_PREV) - 1;

    memcpy(p, chain->prev, EMAGE_HASH_LEN);
    p += EMAGE_HASH_LEN;

    *p++ = '"';
    *p++ = ',';

    if (body.len >= EMAGE_JOURNAL_LINE_MAX
        || (size_t) (p - head) + body.len + 1 > EMAGE_JOURNAL_LINE_MAX)
    {
        return EMAGE_NOMEM;
    }

    start = out->len;

    (void) emage_buf_add(out, head, (size_t) (p - head));
    (void) emage_buf_add_str(out, body);
    (void) emage_buf_add(out, "}\n", 2);

    if (out->failed) {
        rc = EMAGE_NOMEM;
        goto failed;
    }

    if (!emage_journal_hash(hash, out->data + start, out->len - start - 1)) {
        rc = EMAGE_ERROR;
        goto failed;
    }

    memcpy(chain->prev, hash, EMAGE_HASH_LEN);
    chain->seq++;

    return EMAGE_OK;

failed:

    /* what was there before is still whole */

    out->len = start;
    out->failed = false;

    return rc;
}


emage_rc_t
emage_journal_open_body(emage_buf_t *body, const char *kind, emage_str_t node,
    emage_str_t process, int64_t now)
{
    char  time[EMAGE_TIME_LEN];

    if (strcmp(kind, "access") != 0 && strcmp(kind, "ledger") != 0) {
        return EMAGE_ERROR;
    }

    emage_time_format(time, now);

    (void) emage_buf_add_c(body, "\"type\":\"open\",\"format\":");
    (void) emage_buf_add_int(body, EMAGE_JOURNAL_FORMAT);
    (void) emage_buf_add_c(body, ",\"time\":\"");
    (void) emage_buf_add(body, time, EMAGE_TIME_LEN);
    (void) emage_buf_add_c(body, "\",\"kind\":");
    (void) emage_buf_add_json(body, emage_str_c(kind));
    (void) emage_buf_add_c(body, ",\"node\":");
    (void) emage_buf_add_json(body, node);
    (void) emage_buf_add_c(body, ",\"process\":");
    (void) emage_buf_add_json(body, process);
    (void) emage_buf_add_c(body, ",\"pid\":");

    return emage_buf_add_int(body, getpid());
}


emage_rc_t
emage_journal_close_body(emage_buf_t *body, int64_t now)
{
    char  time[EMAGE_TIME_LEN];

    emage_time_format(time, now);

    (void) emage_buf_add_c(body, "\"type\":\"close\",\"time\":\"");
    (void) emage_buf_add(body, time, EMAGE_TIME_LEN);

    return emage_buf_add(body, "\"", 1);
}


static emage_rc_t
emage_journal_name_part(emage_buf_t *out, emage_str_t s)
{
    char    c;
    size_t  i;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z')
            && !(c >= 'a' && c <= 'z') && c != '.' && c != '_')
        {
            c = '_';
        }

        (void) emage_buf_add(out, &c, 1);
    }

    return emage_buf_add(out, "-", 1);
}


emage_rc_t
emage_journal_file_name(emage_buf_t *out, emage_str_t node,
    emage_str_t process, int64_t now)
{
    char    time[EMAGE_TIME_LEN];
    size_t  i;

    (void) emage_journal_name_part(out, node);
    (void) emage_journal_name_part(out, process);

    /* 2026-11-24T08:15:30.123Z becomes 20261124T081530123 */

    emage_time_format(time, now);

    for (i = 0; i < EMAGE_TIME_LEN; i++) {
        if ((time[i] >= '0' && time[i] <= '9') || time[i] == 'T') {
            (void) emage_buf_add(out, time + i, 1);
        }
    }

    return emage_buf_add_c(out, EMAGE_JOURNAL_SUFFIX);
}
