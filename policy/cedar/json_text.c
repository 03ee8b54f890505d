/*
 * Copyright (C) The e-mage authors
 *
 * Zero bytes in JSON.  Cedar's attribute names may hold them, jansson's keys
 * may not: so U+0000 is carried through jansson as U+0001 "0", and U+0001 as
 * U+0001 "1".  Control characters stand in JSON as escapes only (RFC 8259
 * section 7), so the escapes are all there is to change.
 */


#include "cedar_json_text.h"


bool
cedar_json_needs_shield(emage_str_t text)
{
    return text.len >= 6 && memmem(text.data, text.len, "\\u000", 5) != NULL;
}


emage_rc_t
cedar_json_shield(emage_str_t text, emage_buf_t *b)
{
    size_t       i, from;
    const char  *p;

    p = text.data;

    for (i = 0, from = 0; i + 1 < text.len; i++) {

        if (p[i] != '\\') {
            continue;
        }

        if (text.len - i >= 6 && memcmp(&p[i], "\\u000", 5) == 0
            && (p[i + 5] == '0' || p[i + 5] == '1'))
        {
            emage_buf_add(b, p + from, i - from);
            emage_buf_add_c(b, "\\u0001");
            emage_buf_add(b, &p[i + 5], 1);
            from = i + 6;
            i += 5;

        } else {
            i++;
        }
    }

    return emage_buf_add(b, p + from, text.len - from);
}


size_t
cedar_json_unshield(char *s, size_t len)
{
    size_t  i, n;

    for (i = 0, n = 0; i < len; i++, n++) {

        if (s[i] == '\001' && i + 1 < len) {
            s[n] = (s[++i] == '0') ? '\0' : '\001';

        } else {
            s[n] = s[i];
        }
    }

    return n;
}
