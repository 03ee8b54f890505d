
/*
 * Copyright (C) The e-mage authors
 */


#include <emage/base.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static emage_rc_t emage_buf_reserve(emage_buf_t *b, size_t len);
static size_t emage_utf8_len(const unsigned char *p, size_t len);
static bool emage_json_plain(const unsigned char *p, size_t n);


void
emage_buf_init(emage_buf_t *b, size_t max)
{
    b->data = NULL;
    b->len = 0;
    b->size = 0;
    b->max = max;
    b->failed = false;
}


void
emage_buf_free(emage_buf_t *b)
{
    free(b->data);
    emage_buf_init(b, b->max);
}


void
emage_buf_reset(emage_buf_t *b)
{
    b->len = 0;
    b->failed = false;
}


static emage_rc_t
emage_buf_reserve(emage_buf_t *b, size_t len)
{
    char    *data;
    size_t   size;

    if (b->failed) {
        return EMAGE_NOMEM;
    }

    if (len > b->max || b->len > b->max - len) {
        b->failed = true;
        return EMAGE_NOMEM;
    }

    /* one byte more than the content, for the terminator */

    if (b->size > b->len + len) {
        return EMAGE_OK;
    }

    size = (b->size == 0) ? 256 : b->size;

    while (size <= b->len + len) {
        size = (size > b->max / 2) ? b->max + 1 : size * 2;
    }

    data = realloc(b->data, size);
    if (data == NULL) {
        b->failed = true;
        return EMAGE_NOMEM;
    }

    b->data = data;
    b->size = size;

    return EMAGE_OK;
}


emage_rc_t
emage_buf_add(emage_buf_t *b, const void *data, size_t len)
{
    if (emage_buf_reserve(b, len) != EMAGE_OK) {
        return EMAGE_NOMEM;
    }

    if (len > 0) {
        memcpy(b->data + b->len, data, len);
        b->len += len;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_buf_add_str(emage_buf_t *b, emage_str_t s)
{
    return emage_buf_add(b, s.data, s.len);
}


emage_rc_t
emage_buf_add_c(emage_buf_t *b, const char *s)
{
    return emage_buf_add(b, s, strlen(s));
}


emage_rc_t
emage_buf_add_int(emage_buf_t *b, int64_t n)
{
    int   len;
    char  digits[24];

    len = snprintf(digits, sizeof(digits), "%lld", (long long) n);

    return emage_buf_add(b, digits, (size_t) len);
}


/*
 * The length of the well-formed UTF-8 sequence at `p` (RFC 3629: no overlong
 * forms, no surrogates, nothing above U+10FFFF), 0 if there is none.
 */

static size_t
emage_utf8_len(const unsigned char *p, size_t len)
{
    size_t    i, n;
    uint32_t  c, min;

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
        c = p[0] & 0x1f;
        min = 0x80;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        c = p[0] & 0x0f;
        min = 0x800;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        c = p[0] & 0x07;
        min = 0x10000;

    } else {
        return 0;
    }

    if (len < n) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }

    return n;
}


/*
 * Whether a well-formed character may stand in a record as it is.  C1
 * controls, line separators and bidirectional controls could make a terminal
 * or an editor show another text than the one recorded.
 */

static bool
emage_json_plain(const unsigned char *p, size_t n)
{
    uint32_t  c;

    if (n == 1) {
        return p[0] >= 0x20 && p[0] != '"' && p[0] != '\\' && p[0] != 0x7f;
    }

    if (n == 2) {
        c = (uint32_t) (p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        return c >= 0xa0 && c != 0x61c;
    }

    if (n == 3) {
        c = (uint32_t) (p[0] & 0x0f) << 12 | (uint32_t) (p[1] & 0x3f) << 6
            | (p[2] & 0x3f);

        return !(c >= 0x200e && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e)
               && !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff;
    }

    return true;
}


emage_rc_t
emage_buf_add_json(emage_buf_t *b, emage_str_t s)
{
    char                  esc[8];
    size_t                i, n, start;
    uint32_t              c;
    const unsigned char  *p;

    p = (const unsigned char *) s.data;
    start = 0;

    (void) emage_buf_add(b, "\"", 1);

    for (i = 0; i < s.len; i += n) {

        n = emage_utf8_len(p + i, s.len - i);

        if (n > 0 && emage_json_plain(p + i, n)) {
            continue;
        }

        if (i > start) {
            (void) emage_buf_add(b, s.data + start, i - start);
        }

        if (n == 0) {
            c = 0xfffd;
            n = 1;

        } else if (n == 1) {
            c = p[i];

        } else if (n == 2) {
            c = (uint32_t) (p[i] & 0x1f) << 6 | (p[i + 1] & 0x3f);

        } else {
            c = (uint32_t) (p[i] & 0x0f) << 12
                | (uint32_t) (p[i + 1] & 0x3f) << 6 | (p[i + 2] & 0x3f);
        }

        if (c == '"' || c == '\\') {
            esc[0] = '\\';
            esc[1] = (char) c;
            (void) emage_buf_add(b, esc, 2);

        } else {
            (void) snprintf(esc, sizeof(esc), "\\u%04x",
                            (unsigned) (c & 0xffff));
            (void) emage_buf_add(b, esc, 6);
        }

        start = i + n;
    }

    if (s.len > start) {
        (void) emage_buf_add(b, s.data + start, s.len - start);
    }

    return emage_buf_add(b, "\"", 1);
}


const char *
emage_buf_cstr(emage_buf_t *b)
{
    if (emage_buf_reserve(b, 0) != EMAGE_OK) {
        return NULL;
    }

    b->data[b->len] = '\0';

    return b->data;
}
