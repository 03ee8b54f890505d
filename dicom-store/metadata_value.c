
/*
 * Copyright (C) The e-mage authors
 *
 * Single values of DICOM JSON: numbers and bytes.
 */


#include "metadata.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static size_t emage_digits(emage_str_t s, size_t pos);


emage_rc_t
emage_metadata_real(emage_buf_t *out, double n, bool is_single)
{
    int   precision;
    char  text[40];

    if (isnan(n)) {
        return emage_buf_add_c(out, "\"NaN\"");
    }

    if (isinf(n)) {
        return emage_buf_add_c(out, n < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    }

    /* nine digits are enough for any float, and near it as a double */

    if (is_single) {
        (void) snprintf(text, sizeof(text), "%.9g", n);
        return emage_buf_add_c(out, text);
    }

    for (precision = 15; ; precision++) {
        (void) snprintf(text, sizeof(text), "%.*g", precision, n);

        if (precision == 17 || strtod(text, NULL) == n) {
            return emage_buf_add_c(out, text);
        }
    }
}


static size_t
emage_digits(emage_str_t s, size_t pos)
{
    size_t  i;

    for (i = pos; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++) {
        /* void */
    }

    return i - pos;
}


emage_rc_t
emage_metadata_decimal(emage_buf_t *out, emage_str_t s, bool integer)
{
    bool    negative;
    size_t  i, whole, fraction, exponent, whole_at, fraction_at, exponent_at;
    char    sign;

    i = 0;
    sign = '\0';
    negative = false;
    fraction = 0;
    exponent = 0;
    fraction_at = 0;
    exponent_at = 0;

    if (s.len > 0 && (s.data[0] == '+' || s.data[0] == '-')) {
        negative = (s.data[0] == '-');
        i++;
    }

    whole_at = i;
    whole = emage_digits(s, i);
    i += whole;

    if (!integer && i < s.len && s.data[i] == '.') {
        fraction_at = i + 1;
        fraction = emage_digits(s, fraction_at);
        i = fraction_at + fraction;
    }

    if (!integer && whole + fraction != 0 && i < s.len
        && (s.data[i] == 'e' || s.data[i] == 'E'))
    {
        i++;

        if (i < s.len && (s.data[i] == '+' || s.data[i] == '-')) {
            sign = s.data[i++];
        }

        exponent_at = i;
        exponent = emage_digits(s, i);
        i += exponent;

        /* JSON has no numbers that a double cannot hold */

        if (exponent == 0 || exponent > 2) {
            return emage_buf_add_json(out, s);
        }
    }

    /* IS has 12 characters, DS 16; some writers exceed that a little */

    if (i != s.len || whole + fraction == 0 || whole > 18 || fraction > 64) {
        return emage_buf_add_json(out, s);
    }

    while (whole > 1 && s.data[whole_at] == '0') {
        whole_at++;
        whole--;
    }

    (void) emage_buf_add_c(out, negative ? "-" : "");

    if (whole == 0) {
        (void) emage_buf_add_c(out, "0");

    } else {
        (void) emage_buf_add(out, s.data + whole_at, whole);
    }

    if (fraction != 0) {
        (void) emage_buf_add_c(out, ".");
        (void) emage_buf_add(out, s.data + fraction_at, fraction);
    }

    if (exponent != 0) {
        (void) emage_buf_add_c(out, sign == '-' ? "e-" : "e");
        (void) emage_buf_add(out, s.data + exponent_at, exponent);
    }

    return out->failed ? EMAGE_NOMEM : EMAGE_OK;
}


/* `unit`: bytes of a number to turn round, 1 for none. */

emage_rc_t
emage_metadata_base64(emage_buf_t *out, const unsigned char *p, size_t len,
    size_t unit)
{
    char           quad[4];
    size_t         i, k, n;
    unsigned char  b[3];

    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void) emage_buf_add_c(out, "\"");

    for (i = 0; i < len; i += 3) {
        n = (len - i < 3) ? len - i : 3;

        b[0] = b[1] = b[2] = 0;

        for (k = 0; k < n; k++) {
            b[k] = p[((i + k) ^ (unit - 1)) < len ? (i + k) ^ (unit - 1)
                     : i + k];
        }

        quad[0] = alphabet[b[0] >> 2];
        quad[1] = alphabet[(b[0] & 3) << 4 | b[1] >> 4];
        quad[2] = (n > 1) ? alphabet[(b[1] & 15) << 2 | b[2] >> 6] : '=';
        quad[3] = (n > 2) ? alphabet[b[2] & 63] : '=';

        (void) emage_buf_add(out, quad, 4);
    }

    return emage_buf_add_c(out, "\"");
}
