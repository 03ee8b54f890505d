
/*
 * Copyright (C) The e-mage authors
 *
 * base64url, strictly: a token that could be spelled in two ways would have
 * two digests and one meaning.
 */


#include "token_core.h"


static int emage_jose_sextet(char c);


static int
emage_jose_sextet(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    if (c == '-') {
        return 62;
    }

    return (c == '_') ? 63 : -1;
}


bool
emage_jose_base64(emage_str_t text, emage_buf_t *out)
{
    int            v;
    char           byte;
    size_t         i;
    uint32_t       bits;
    unsigned       n;

    if (text.len % 4 == 1) {
        return false;
    }

    n = 0;
    bits = 0;

    for (i = 0; i < text.len; i++) {
        v = emage_jose_sextet(text.data[i]);

        if (v < 0) {
            return false;
        }

        bits = (bits << 6 | (uint32_t) v) & 0xffff;
        n += 6;

        if (n >= 8) {
            n -= 8;
            byte = (char) (bits >> n & 0xff);

            if (emage_buf_add(out, &byte, 1) != EMAGE_OK) {
                return false;
            }
        }
    }

    return (bits & ((1u << n) - 1)) == 0;
}
