
/*
 * Copyright (C) The e-mage authors
 */


#include "charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>


#define EMAGE_CHARSET_VALUES  8


/* What a byte of the left (G0) or right half (G1) is taken for. */

typedef enum {
    EMAGE_SET_NONE = 0,
    EMAGE_SET_ASCII,                 /* also JIS X 0201 romaji, but for ~ */
    EMAGE_SET_LATIN1,
    EMAGE_SET_LATIN2,
    EMAGE_SET_LATIN3,
    EMAGE_SET_LATIN4,
    EMAGE_SET_CYRILLIC,
    EMAGE_SET_ARABIC,
    EMAGE_SET_GREEK,
    EMAGE_SET_HEBREW,
    EMAGE_SET_LATIN5,
    EMAGE_SET_LATIN9,
    EMAGE_SET_THAI,
    EMAGE_SET_KATAKANA,
    EMAGE_SET_JIS0208,               /* G0, two bytes */
    EMAGE_SET_JIS0212,               /* G0, two bytes */
    EMAGE_SET_KOREAN,                /* G1, two bytes */
    EMAGE_SET_CHINESE,               /* G1, two bytes */
    EMAGE_SET_UTF8,                  /* these by themselves */
    EMAGE_SET_GB18030,
    EMAGE_SET_GBK,
    EMAGE_SET_SHIFT_JIS,
    EMAGE_SET_N
} emage_set_t;


static const char *const  emage_set_iconv[EMAGE_SET_N] = {
    NULL, "US-ASCII", "ISO-8859-1", "ISO-8859-2", "ISO-8859-3", "ISO-8859-4",
    "ISO-8859-5", "ISO-8859-6", "ISO-8859-7", "ISO-8859-8", "ISO-8859-9",
    "ISO-8859-15", "TIS-620", "EUC-JP", "EUC-JP", "EUC-JP", "EUC-KR",
    "EUC-CN", "UTF-8", "GB18030", "GBK", "SHIFT_JIS"
};


/* By the number of the registration, as ISO_IR n and ISO 2022 IR n have it. */

static const struct {
    const char   *number;
    emage_set_t   set;
} emage_set_numbers[] = {
    { "6", EMAGE_SET_ASCII }, { "100", EMAGE_SET_LATIN1 },
    { "101", EMAGE_SET_LATIN2 }, { "109", EMAGE_SET_LATIN3 },
    { "110", EMAGE_SET_LATIN4 }, { "144", EMAGE_SET_CYRILLIC },
    { "127", EMAGE_SET_ARABIC }, { "126", EMAGE_SET_GREEK },
    { "138", EMAGE_SET_HEBREW }, { "148", EMAGE_SET_LATIN5 },
    { "203", EMAGE_SET_LATIN9 }, { "166", EMAGE_SET_THAI },
    { "13", EMAGE_SET_KATAKANA }, { "87", EMAGE_SET_JIS0208 },
    { "159", EMAGE_SET_JIS0212 }, { "149", EMAGE_SET_KOREAN },
    { "58", EMAGE_SET_CHINESE }, { "192", EMAGE_SET_UTF8 }
};


/* Escape sequences (PS3.3 tables C.12-3 and C.12-4), without ESC. */

static const struct {
    const char   *bytes;
    bool          right;
    emage_set_t   set;
} emage_set_escapes[] = {
    { "(B", false, EMAGE_SET_ASCII }, { "(J", false, EMAGE_SET_ASCII },
    { ")I", true, EMAGE_SET_KATAKANA }, { "$B", false, EMAGE_SET_JIS0208 },
    { "$(D", false, EMAGE_SET_JIS0212 }, { "$)C", true, EMAGE_SET_KOREAN },
    { "$)A", true, EMAGE_SET_CHINESE }, { "-A", true, EMAGE_SET_LATIN1 },
    { "-B", true, EMAGE_SET_LATIN2 }, { "-C", true, EMAGE_SET_LATIN3 },
    { "-D", true, EMAGE_SET_LATIN4 }, { "-L", true, EMAGE_SET_CYRILLIC },
    { "-G", true, EMAGE_SET_ARABIC }, { "-F", true, EMAGE_SET_GREEK },
    { "-H", true, EMAGE_SET_HEBREW }, { "-M", true, EMAGE_SET_LATIN5 },
    { "-b", true, EMAGE_SET_LATIN9 }, { "-T", true, EMAGE_SET_THAI }
};


struct emage_charset_s {
    iconv_t       cd[EMAGE_SET_N];
    bool          open[EMAGE_SET_N];
    emage_set_t   whole;             /* a set without code extensions */
    emage_set_t   right;             /* G1 at the start of a value */
    emage_buf_t   run;               /* bytes of one set, for iconv */
};


static emage_set_t emage_charset_find(emage_str_t term);
static emage_rc_t emage_charset_flush(emage_charset_t *cs, emage_set_t set,
    emage_buf_t *out);
static size_t emage_charset_escape(emage_str_t s, size_t pos,
    emage_set_t *left, emage_set_t *right);
static emage_rc_t emage_charset_extended(emage_charset_t *cs, emage_str_t s,
    const char *delimiters, emage_buf_t *out);
static emage_rc_t emage_charset_byte(emage_charset_t *cs, emage_set_t set,
    unsigned char c);


emage_rc_t
emage_charset_create(emage_charset_t **out)
{
    *out = calloc(1, sizeof(emage_charset_t));

    if (*out == NULL) {
        return EMAGE_NOMEM;
    }

    emage_buf_init(&(*out)->run, 1 << 28);

    return EMAGE_OK;
}


void
emage_charset_destroy(emage_charset_t *cs)
{
    size_t  i;

    if (cs == NULL) {
        return;
    }

    for (i = 0; i < EMAGE_SET_N; i++) {
        if (cs->open[i]) {
            (void) iconv_close(cs->cd[i]);
        }
    }

    emage_buf_free(&cs->run);
    free(cs);
}


static emage_set_t
emage_charset_find(emage_str_t term)
{
    size_t       i;
    emage_str_t  number;

    static const emage_str_t  prefixes[] = {
        { "ISO_IR ", 7 }, { "ISO 2022 IR ", 12 }
    };

    while (term.len > 0 && term.data[0] == ' ') {
        term.data++;
        term.len--;
    }

    while (term.len > 0 && term.data[term.len - 1] == ' ') {
        term.len--;
    }

    if (term.len == 0) {
        return EMAGE_SET_ASCII;
    }

    if (emage_str_eq(term, emage_str("GB18030"))) {
        return EMAGE_SET_GB18030;
    }

    if (emage_str_eq(term, emage_str("GBK"))) {
        return EMAGE_SET_GBK;
    }

    for (i = 0; i < 2; i++) {
        if (term.len > prefixes[i].len
            && memcmp(term.data, prefixes[i].data, prefixes[i].len) == 0)
        {
            break;
        }
    }

    if (i == 2) {
        return EMAGE_SET_NONE;
    }

    number.data = term.data + prefixes[i].len;
    number.len = term.len - prefixes[i].len;

    for (i = 0; i < sizeof(emage_set_numbers) / sizeof(emage_set_numbers[0]);
         i++)
    {
        if (emage_str_eq(number, emage_str_c(emage_set_numbers[i].number))) {
            return emage_set_numbers[i].set;
        }
    }

    return EMAGE_SET_NONE;
}


emage_rc_t
emage_charset_select(emage_charset_t *cs, emage_str_t declared)
{
    size_t       i, from, n;
    emage_set_t  set;

    cs->whole = EMAGE_SET_NONE;
    cs->right = EMAGE_SET_NONE;

    n = 0;
    from = 0;

    for (i = 0; i <= declared.len; i++) {

        if (i < declared.len && declared.data[i] != '\\') {
            continue;
        }

        set = emage_charset_find((emage_str_t) { declared.data + from,
                                                 i - from });
        from = i + 1;

        if (set == EMAGE_SET_NONE || n == EMAGE_CHARSET_VALUES) {
            return EMAGE_NOTFOUND;
        }

        if (set >= EMAGE_SET_UTF8) {

            /* has no code extensions, and stands alone or first */

            if (n == 0) {
                cs->whole = set;
            }

        } else if ((n == 0 && set != EMAGE_SET_ASCII)
                   || (cs->right == EMAGE_SET_NONE
                       && (set == EMAGE_SET_KOREAN
                           || set == EMAGE_SET_CHINESE)))
        {
            /*
             * Korean and Chinese are said by an escape sequence, which some
             * writers leave out behind a delimiter
             */

            cs->right = set;
        }

        n++;
    }

    /* many who declare ISO_IR 13 alone write Shift JIS, which includes it */

    if (n == 1 && cs->right == EMAGE_SET_KATAKANA) {
        cs->whole = EMAGE_SET_SHIFT_JIS;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_charset_flush(emage_charset_t *cs, emage_set_t set, emage_buf_t *out)
{
    char    *in, *to, text[1024];
    size_t   left, room, rc;

    if (cs->run.len == 0) {
        return EMAGE_OK;
    }

    if (cs->run.failed || set == EMAGE_SET_NONE) {
        return cs->run.failed ? EMAGE_NOMEM : EMAGE_ERROR;
    }

    if (!cs->open[set]) {
        cs->cd[set] = iconv_open("UTF-8", emage_set_iconv[set]);

        if (cs->cd[set] == (iconv_t) -1) {
            return EMAGE_ERROR;
        }

        cs->open[set] = true;
    }

    (void) iconv(cs->cd[set], NULL, NULL, NULL, NULL);

    in = cs->run.data;
    left = cs->run.len;

    while (left > 0) {
        to = text;
        room = sizeof(text);

        rc = iconv(cs->cd[set], &in, &left, &to, &room);

        if (rc == (size_t) -1 && errno != E2BIG) {
            return EMAGE_ERROR;
        }

        if (emage_buf_add(out, text, sizeof(text) - room) != EMAGE_OK) {
            return EMAGE_NOMEM;
        }
    }

    emage_buf_reset(&cs->run);

    return EMAGE_OK;
}


/* The length of the escape sequence at `pos`; 0: unknown. */

static size_t
emage_charset_escape(emage_str_t s, size_t pos, emage_set_t *left,
    emage_set_t *right)
{
    size_t  i, n;

    for (i = 0; i < sizeof(emage_set_escapes) / sizeof(emage_set_escapes[0]);
         i++)
    {
        n = strlen(emage_set_escapes[i].bytes);

        if (s.len - pos - 1 >= n
            && memcmp(s.data + pos + 1, emage_set_escapes[i].bytes, n) == 0)
        {
            if (emage_set_escapes[i].right) {
                *right = emage_set_escapes[i].set;

            } else {
                *left = emage_set_escapes[i].set;
            }

            return n + 1;
        }
    }

    return 0;
}


/* As EUC-JP and its like want it. */

static emage_rc_t
emage_charset_byte(emage_charset_t *cs, emage_set_t set, unsigned char c)
{
    unsigned char  b;

    if (set == EMAGE_SET_KATAKANA) {
        b = 0x8e;
        (void) emage_buf_add(&cs->run, &b, 1);

    } else if (set == EMAGE_SET_JIS0208 || set == EMAGE_SET_JIS0212) {
        c |= 0x80;
    }

    return emage_buf_add(&cs->run, &c, 1);
}


static emage_rc_t
emage_charset_extended(emage_charset_t *cs, emage_str_t s,
    const char *delimiters, emage_buf_t *out)
{
    bool           second;
    size_t         i, n;
    emage_rc_t     rc;
    emage_set_t    left, right, set, last;
    unsigned char  c, b;

    left = EMAGE_SET_ASCII;
    right = cs->right;
    last = EMAGE_SET_NONE;
    second = false;

    for (i = 0; i < s.len; i++) {
        c = (unsigned char) s.data[i];

        if (c == 0x1b) {
            n = emage_charset_escape(s, i, &left, &right);

            if (n == 0) {
                return EMAGE_ERROR;
            }

            i += n - 1;
            second = false;
            continue;
        }

        /* controls and spaces are themselves in every set */

        if (c <= 0x20 || c == 0x7f) {
            set = EMAGE_SET_ASCII;

        } else {
            set = (c < 0x80) ? left : right;
        }

        if (set == EMAGE_SET_ASCII && memchr(delimiters, c,
                                             strlen(delimiters)) != NULL)
        {
            left = EMAGE_SET_ASCII;
            right = cs->right;
        }

        if (set != last) {
            rc = emage_charset_flush(cs, last, out);
            if (rc != EMAGE_OK) {
                return rc;
            }

            last = set;
            second = false;
        }

        if (set == EMAGE_SET_NONE) {
            return EMAGE_ERROR;
        }

        if (set == EMAGE_SET_JIS0212 && !second) {
            b = 0x8f;
            (void) emage_buf_add(&cs->run, &b, 1);
        }

        second = !second;

        rc = emage_charset_byte(cs, set, c);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }

    return emage_charset_flush(cs, last, out);
}


emage_rc_t
emage_charset_convert(emage_charset_t *cs, emage_str_t s,
    const char *delimiters, emage_buf_t *out)
{
    size_t      start;
    emage_rc_t  rc;

    start = out->len;

    emage_buf_reset(&cs->run);

    if (cs->whole != EMAGE_SET_NONE) {
        (void) emage_buf_add_str(&cs->run, s);
        rc = emage_charset_flush(cs, cs->whole, out);

    } else {
        rc = emage_charset_extended(cs, s, delimiters, out);
    }

    if (rc != EMAGE_OK) {
        out->len = start;
    }

    return rc;
}
