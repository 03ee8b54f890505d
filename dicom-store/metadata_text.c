
/*
 * Copyright (C) The e-mage authors
 *
 * Text of any character set as UTF-8.
 */


#include "metadata.h"

#include <string.h>


static bool emage_md_ascii(emage_str_t s);
static bool emage_md_utf8(emage_str_t s);


static bool
emage_md_ascii(emage_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((unsigned char) s.data[i] >= 0x80 || s.data[i] == 0x1b) {
            return false;
        }
    }

    return true;
}


static bool
emage_md_utf8(emage_str_t s)
{
    size_t                i, n;
    uint32_t              c;
    const unsigned char  *p;

    p = (const unsigned char *) s.data;

    for (i = 0; i < s.len; i += n) {

        if (p[i] < 0x80) {
            n = 1;
            continue;
        }

        n = (p[i] >= 0xf0) ? 4 : (p[i] >= 0xe0) ? 3 : 2;

        if (p[i] < 0xc2 || p[i] > 0xf4 || n > s.len - i) {
            return false;
        }

        c = p[i] & (0xff >> (n + 1));

        for (size_t k = 1; k < n; k++) {
            if ((p[i + k] & 0xc0) != 0x80) {
                return false;
            }

            c = c << 6 | (p[i + k] & 0x3f);
        }

        if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000)))
            || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
        {
            return false;
        }
    }

    return true;
}


emage_rc_t
emage_metadata_text(const emage_metadata_t *md, const emage_event_t *ev,
    emage_str_t declared, emage_buf_t *out)
{
    emage_rc_t   rc;
    emage_str_t  s, set;
    const char  *delimiters;

    s.data = (const char *) md->dataset->data + ev->value;
    s.len = ev->length;

    if (emage_md_ascii(s)) {
        return emage_buf_add_str(out, s);
    }

    set = (declared.len != 0) ? declared : md->default_charset;

    delimiters = memcmp(ev->vr, "PN", 2) == 0 ? "\\^=" : "\\\r\n\t\f";

    if (set.len != 0 && emage_charset_select(md->charset, set) == EMAGE_OK) {
        rc = emage_charset_convert(md->charset, s, delimiters, out);

        if (rc != EMAGE_ERROR) {
            return rc;
        }
    }

    /* many writers use UTF-8 and do not say so */

    if (emage_md_utf8(s)) {
        return emage_buf_add_str(out, s);
    }

    if (declared.len != 0 && md->default_charset.len != 0
        && emage_charset_select(md->charset, md->default_charset) == EMAGE_OK)
    {
        rc = emage_charset_convert(md->charset, s, delimiters, out);

        if (rc != EMAGE_ERROR) {
            return rc;
        }
    }

    /* the JSON writer turns what is left into U+FFFD */

    return emage_buf_add_str(out, s);
}


emage_str_t
emage_metadata_trim(emage_str_t s, bool leading)
{
    while (s.len > 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\0'))
    {
        s.len--;
    }

    while (leading && s.len > 0 && s.data[0] == ' ') {
        s.data++;
        s.len--;
    }

    return s;
}


emage_rc_t
emage_metadata_patient_id(const emage_metadata_t *md, const emage_event_t *ev,
    emage_str_t declared, emage_buf_t *text, emage_str_t *id)
{
    size_t      i;
    emage_rc_t  rc;

    rc = emage_metadata_text(md, ev, declared, text);
    if (rc != EMAGE_OK) {
        return rc;
    }

    id->data = text->data;
    id->len = text->len;

    *id = emage_metadata_trim(*id, true);

    for (i = 0; i < id->len; i++) {
        if ((unsigned char) id->data[i] < 0x20) {
            return EMAGE_ERROR;
        }
    }

    return emage_md_utf8(*id) ? EMAGE_OK : EMAGE_ERROR;
}
