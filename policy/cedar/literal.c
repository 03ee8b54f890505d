/*
 * Copyright (C) The e-mage authors
 *
 * String escapes, patterns, paths and annotations.
 */


#include "cedar_parse.h"

#include <stdio.h>


/* One step of a literal: a code point, or one of these. */

#define CEDAR_CH_BAD   (-2)
#define CEDAR_CH_STAR  (-3)
#define CEDAR_CH_BYTE  (-4)


static int cedar_escape(emage_str_t raw, size_t *i, bool pattern);
static int cedar_escape_hex(emage_str_t raw, size_t *i);
static int cedar_escape_unicode(emage_str_t raw, size_t *i);
static int cedar_hex_digit(char c);
static size_t cedar_utf8_put(char *dst, int c);
static bool cedar_utf8_valid(emage_str_t s);


static int
cedar_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* \x7F: two digits, ASCII only. */

static int
cedar_escape_hex(emage_str_t raw, size_t *i)
{
    int  h, l;

    if (raw.len - *i < 2) {
        return CEDAR_CH_BAD;
    }

    h = cedar_hex_digit(raw.data[*i]);
    l = cedar_hex_digit(raw.data[*i + 1]);
    *i += 2;

    return (h < 0 || l < 0 || h > 7) ? CEDAR_CH_BAD : h * 16 + l;
}


/* \u{1F600}: one to six digits, a scalar value; "_" may stand between. */

static int
cedar_escape_unicode(emage_str_t raw, size_t *i)
{
    int  c, d, n;

    if (*i >= raw.len || raw.data[(*i)++] != '{') {
        return CEDAR_CH_BAD;
    }

    for (c = 0, n = 0; *i < raw.len && raw.data[*i] != '}'; (*i)++) {

        if (raw.data[*i] == '_' && n != 0) {
            continue;
        }

        d = cedar_hex_digit(raw.data[*i]);

        if (d < 0 || ++n > 6) {
            return CEDAR_CH_BAD;
        }

        c = c * 16 + d;
    }

    if (*i >= raw.len || n == 0 || c > 0x10ffff
        || (c >= 0xd800 && c <= 0xdfff))
    {
        return CEDAR_CH_BAD;
    }

    (*i)++;

    return c;
}


/* Reads one step at raw[*i]; CEDAR_CH_BYTE: a byte that stands for itself. */

static int
cedar_escape(emage_str_t raw, size_t *i, bool pattern)
{
    char  c;

    c = raw.data[(*i)++];

    if (c == '\r') {
        return CEDAR_CH_BAD;
    }

    if (c == '*' && pattern) {
        return CEDAR_CH_STAR;
    }

    if (c != '\\') {
        return CEDAR_CH_BYTE;
    }

    if (*i >= raw.len) {
        return CEDAR_CH_BAD;
    }

    c = raw.data[(*i)++];

    switch (c) {

    case 'n':
        return '\n';

    case 'r':
        return '\r';

    case 't':
        return '\t';

    case '0':
        return '\0';

    case '\\':
    case '\'':
    case '"':
        return c;

    case '*':
        return pattern ? '*' : CEDAR_CH_BAD;

    case 'x':
        return cedar_escape_hex(raw, i);

    case 'u':
        return cedar_escape_unicode(raw, i);

    default:
        return CEDAR_CH_BAD;
    }
}


static size_t
cedar_utf8_put(char *dst, int c)
{
    if (c < 0x80) {
        dst[0] = c;
        return 1;
    }

    if (c < 0x800) {
        dst[0] = 0xc0 | (c >> 6);
        dst[1] = 0x80 | (c & 0x3f);
        return 2;
    }

    if (c < 0x10000) {
        dst[0] = 0xe0 | (c >> 12);
        dst[1] = 0x80 | ((c >> 6) & 0x3f);
        dst[2] = 0x80 | (c & 0x3f);
        return 3;
    }

    dst[0] = 0xf0 | (c >> 18);
    dst[1] = 0x80 | ((c >> 12) & 0x3f);
    dst[2] = 0x80 | ((c >> 6) & 0x3f);
    dst[3] = 0x80 | (c & 0x3f);

    return 4;
}


/* Bytes that are not UTF-8 are no Cedar text (RFC 3629 section 4). */

static bool
cedar_utf8_valid(emage_str_t s)
{
    size_t                i, k, n;
    uint32_t              c;
    const unsigned char  *p;

    p = (const unsigned char *) s.data;

    for (i = 0; i < s.len; i += n) {

        if (p[i] < 0x80) {
            n = 1;
            continue;
        }

        n = (p[i] >= 0xf0) ? 4 : (p[i] >= 0xe0) ? 3 : 2;

        if (p[i] < 0xc2 || p[i] > 0xf4 || s.len - i < n) {
            return false;
        }

        c = p[i] & (0x7f >> n);

        for (k = 1; k < n; k++) {
            if ((p[i + k] & 0xc0) != 0x80) {
                return false;
            }

            c = (c << 6) | (p[i + k] & 0x3f);
        }

        if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
            || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
        {
            return false;
        }
    }

    return true;
}


bool
cedar_unescape(cedar_parser_t *p, emage_str_t raw, uint32_t pos,
    emage_str_t *s)
{
    int      c;
    char    *dst;
    size_t   i, n;

    if (!cedar_utf8_valid(raw)) {
        return cedar_fail(p, pos, "this string is not UTF-8; save the file "
                          "as UTF-8");
    }

    /* an escape is never shorter than what it stands for */

    dst = cedar_alloc(p->arena, raw.len + 1);
    if (dst == NULL) {
        return cedar_nomem(p);
    }

    for (i = 0, n = 0; i < raw.len; /* void */ ) {
        c = cedar_escape(raw, &i, false);

        if (c == CEDAR_CH_BYTE) {
            dst[n++] = raw.data[i - 1];

        } else if (c == CEDAR_CH_BAD) {
            return cedar_fail(p, pos + 1 + i - 1, "no such escape in a "
                              "string; use \\n \\r \\t \\0 \\\\ \\\" \\' "
                              "\\x41 or \\u{41}");

        } else if (c >= 0) {
            n += cedar_utf8_put(dst + n, c);
        }
    }

    dst[n] = '\0';
    s->data = dst;
    s->len = n;

    return true;
}


const cedar_pattern_t *
cedar_pattern(cedar_parser_t *p, emage_str_t raw, uint32_t pos)
{
    int               c;
    char             *dst;
    size_t            i, n, stars;
    cedar_pattern_t  *pat;

    for (i = 0, stars = 0; i < raw.len; i++) {
        stars += (raw.data[i] == '*');
    }

    pat = cedar_alloc(p->arena, sizeof(cedar_pattern_t));
    dst = cedar_alloc(p->arena, raw.len + 1);

    if (pat == NULL || dst == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    pat->piece = cedar_array(p->arena, stars + 1, sizeof(emage_str_t));

    if (pat->piece == NULL) {
        cedar_nomem(p);
        return NULL;
    }

    if (!cedar_utf8_valid(raw)) {
        cedar_fail(p, pos, "this pattern is not UTF-8; save the file as "
                   "UTF-8");
        return NULL;
    }

    pat->n = 0;

    for (i = 0, n = 0; i < raw.len; /* void */ ) {
        c = cedar_escape(raw, &i, true);

        if (c == CEDAR_CH_BYTE) {
            dst[n++] = raw.data[i - 1];

        } else if (c == CEDAR_CH_STAR) {
            pat->piece[pat->n++] = (emage_str_t) { dst, n };
            dst += n;
            n = 0;

        } else if (c == CEDAR_CH_BAD) {
            cedar_fail(p, pos + i, "no such escape in a pattern; use \\* "
                       "\\n \\r \\t \\0 \\\\ \\\" \\' \\x41 or \\u{41}");
            return NULL;

        } else if (c >= 0) {
            n += cedar_utf8_put(dst + n, c);
        }
    }

    pat->piece[pat->n++] = (emage_str_t) { dst, n };

    return pat;
}


bool
cedar_string(cedar_parser_t *p, const char *what, emage_str_t *s)
{
    cedar_token_t  t;

    if (p->tok.kind != CEDAR_TOK_STRING) {
        return cedar_unexpected(p, what);
    }

    t = p->tok;
    cedar_next(p);

    return cedar_unescape(p, t.text, t.pos, s);
}


cedar_symbol_t
cedar_path(cedar_parser_t *p, emage_str_t first, emage_str_t *id,
    bool *qualified)
{
    char            name[512];
    size_t          len;
    emage_str_t     part;
    cedar_symbol_t  s;

    if (id != NULL) {
        *id = emage_null_str;
    }

    if (first.len == 0 && !cedar_ident(p, "a type name", &first)) {
        return CEDAR_NO_SYMBOL;
    }

    for (len = 0, part = first; /* void */ ; len += 2) {

        if (part.len + 2 > sizeof(name) - len) {
            cedar_fail(p, p->tok.pos, "name is longer than %zu bytes; "
                       "shorten it", sizeof(name) - 2);
            return CEDAR_NO_SYMBOL;
        }

        memcpy(name + len, part.data, part.len);
        len += part.len;

        if (!cedar_take(p, "::")) {
            break;
        }

        if (qualified != NULL) {
            *qualified = true;
        }

        if (id != NULL && p->tok.kind == CEDAR_TOK_STRING) {

            if (!cedar_string(p, "an entity id", id)) {
                return CEDAR_NO_SYMBOL;
            }

            break;
        }

        if (!cedar_ident(p, "a name after \"::\"", &part)) {
            return CEDAR_NO_SYMBOL;
        }

        name[len] = ':';
        name[len + 1] = ':';
    }

    s = cedar_symbol_intern(&p->set->symbols, (emage_str_t) { name, len });

    if (s == CEDAR_NO_SYMBOL) {
        cedar_nomem(p);
    }

    return s;
}


bool
cedar_annotations(cedar_parser_t *p, cedar_annotation_t **list, uint32_t *n)
{
    uint32_t             i, pos;
    cedar_annotation_t  *l, a;

    *list = NULL;
    *n = 0;

    while (cedar_take(p, "@")) {
        pos = p->tok.pos;

        /* reserved words are fine here */

        if (p->tok.kind != CEDAR_TOK_IDENT) {
            return cedar_unexpected(p, "the name of an annotation");
        }

        a.key = p->tok.text;
        a.value = emage_str("");
        cedar_next(p);
        a.bare = !cedar_take(p, "(");

        if (!a.bare
            && (!cedar_string(p, "the annotation's text", &a.value)
                || !cedar_expect(p, ")", "behind the annotation's text")))
        {
            return false;
        }

        for (i = 0; i < *n; i++) {
            if (emage_str_eq((*list)[i].key, a.key)) {
                return cedar_fail(p, pos, "annotation @%.*s given twice; "
                                  "remove one", (int) a.key.len, a.key.data);
            }
        }

        l = cedar_grow(p->arena, *list, *n, sizeof(cedar_annotation_t));
        if (l == NULL) {
            return cedar_nomem(p);
        }

        *list = l;
        l[(*n)++] = a;

        if (*n > 1000) {
            return cedar_fail(p, pos, "more than 1000 annotations; "
                              "remove some");
        }
    }

    return !p->failed;
}
