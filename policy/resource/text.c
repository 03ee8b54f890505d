
/*
 * Copyright (C) The e-mage authors
 *
 * Text of a query against text of a row: UTF-8, wild cards, and for the names
 * of people letters without case and accents.
 */


#include "attributes.h"

#include <string.h>


#define EMAGE_TEXT_MAX  1024                     /* characters */


/* Characters to compare; `wild`: which of a pattern stand for others. */

typedef struct {
    uint32_t  n;
    uint32_t  chars[EMAGE_TEXT_MAX];
} emage_chars_t;

#define EMAGE_CHAR_ANY   0x110000                /* "*" */
#define EMAGE_CHAR_ONE   0x110001                /* "?" */


static uint32_t emage_text_next(const unsigned char **p,
    const unsigned char *end);
static uint32_t emage_char_fold(uint32_t c, uint32_t *second);
static bool emage_text_chars(emage_str_t s, bool pattern, bool fold,
    emage_chars_t *out);


/*
 * Letters of U+00C0 to U+017F without their accents, in lower case; a space
 * where there is none, and a digit for a pair: 1 ae, 2 ss, 3 th, 4 ij, 5 oe.
 */

static const char  emage_letters[] =
    "aaaaaa1ceeeeiiiidnooooo ouuuuy32"
    "aaaaaa1ceeeeiiiidnooooo ouuuuy3y"
    "aaaaaaccccccccddddeeeeeeeeeegggg"
    "gggghhhhiiiiiiiiii44jjkkklllllll"
    "lllnnnnnnnnnoooooo55rrrrrrssssss"
    "ssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

static const char  emage_pairs[] = "aessthijoe";


/* The next character, or 0xFFFFFFFF for bytes that are not UTF-8. */

static uint32_t
emage_text_next(const unsigned char **p, const unsigned char *end)
{
    uint32_t             c, min;
    unsigned             n;
    const unsigned char  *s;

    s = *p;
    c = *s++;

    if (c < 0x80) {
        *p = s;
        return c;
    }

    if (c >= 0xc2 && c <= 0xdf) {
        n = 1;
        c &= 0x1f;
        min = 0x80;

    } else if (c >= 0xe0 && c <= 0xef) {
        n = 2;
        c &= 0x0f;
        min = 0x800;

    } else if (c >= 0xf0 && c <= 0xf4) {
        n = 3;
        c &= 0x07;
        min = 0x10000;

    } else {
        return UINT32_MAX;
    }

    for ( /* void */ ; n > 0; n--) {

        if (s == end || (*s & 0xc0) != 0x80) {
            return UINT32_MAX;
        }

        c = (c << 6) | (*s++ & 0x3f);
    }

    if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return UINT32_MAX;
    }

    *p = s;

    return c;
}


bool
emage_text_valid(emage_str_t s)
{
    uint32_t              c;
    const unsigned char  *p, *end;

    if (s.len == 0) {
        return true;
    }

    p = (const unsigned char *) s.data;
    end = p + s.len;

    while (p < end) {
        c = emage_text_next(&p, end);

        if (c == UINT32_MAX || c < 0x20 || (c >= 0x7f && c < 0xa0)) {
            return false;
        }
    }

    return true;
}


/*
 * A character without case and accent; 0 for a mark that stands alone.  Some
 * become two.
 */

static uint32_t
emage_char_fold(uint32_t c, uint32_t *second)
{
    char  letter;

    *second = 0;

    if (c >= 'A' && c <= 'Z') {
        return c + 0x20;
    }

    if (c < 0xc0) {
        return c;
    }

    if (c <= 0x17f) {
        letter = emage_letters[c - 0xc0];

        if (letter == ' ') {
            return c;
        }

        if (letter >= '1' && letter <= '5') {
            *second = (uint32_t) emage_pairs[2 * (letter - '1') + 1];
            return (uint32_t) emage_pairs[2 * (letter - '1')];
        }

        return (uint32_t) letter;
    }

    if (c >= 0x300 && c <= 0x36f) {
        return 0;
    }

    if (c >= 0x391 && c <= 0x3a9) {
        return c + 0x20;
    }

    if (c == 0x3c2) {
        return 0x3c3;
    }

    if (c >= 0x410 && c <= 0x42f) {
        return c + 0x20;
    }

    if (c >= 0x400 && c <= 0x40f) {
        return c + 0x50;
    }

    return c;
}


static bool
emage_text_chars(emage_str_t s, bool pattern, bool fold, emage_chars_t *out)
{
    uint32_t              c, second;
    const unsigned char  *p, *end;

    out->n = 0;

    if (s.len == 0) {
        return true;
    }

    p = (const unsigned char *) s.data;
    end = p + s.len;

    while (p < end) {
        second = 0;
        c = emage_text_next(&p, end);

        if (c == UINT32_MAX) {
            return false;
        }

        if (pattern && c == '*') {
            c = EMAGE_CHAR_ANY;

        } else if (pattern && c == '?') {
            c = EMAGE_CHAR_ONE;

        } else if (fold) {
            c = emage_char_fold(c, &second);

            if (c == 0) {
                continue;
            }
        }

        if (out->n + 2 > EMAGE_TEXT_MAX) {
            return false;
        }

        out->chars[out->n++] = c;

        if (second != 0) {
            out->chars[out->n++] = second;
        }
    }

    return true;
}


/* A star takes as little as it can, and more when what follows it fails. */

bool
emage_text_match(emage_str_t pattern, emage_str_t value, bool fold)
{
    bool           star;
    uint32_t       i, k, back_i, back_k;
    emage_chars_t  p, v;

    if (!emage_text_chars(pattern, true, fold, &p)
        || !emage_text_chars(value, false, fold, &v))
    {
        return false;
    }

    star = false;
    back_i = 0;
    back_k = 0;

    for (i = 0, k = 0; k < v.n; /* void */) {

        if (i < p.n && p.chars[i] == EMAGE_CHAR_ANY) {
            star = true;
            back_i = ++i;
            back_k = k;
            continue;
        }

        if (i < p.n && (p.chars[i] == EMAGE_CHAR_ONE
                        || p.chars[i] == v.chars[k]))
        {
            i++;
            k++;
            continue;
        }

        if (!star) {
            return false;
        }

        i = back_i;
        k = ++back_k;
    }

    while (i < p.n && p.chars[i] == EMAGE_CHAR_ANY) {
        i++;
    }

    return i == p.n;
}
