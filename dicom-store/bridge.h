
/*
 * Copyright (C) The e-mage authors
 *
 * What e-mage takes from DCMTK: the dictionary, character sets, and the way
 * from Implicit VR LE and Explicit VR BE to Explicit VR LE.  The other side is
 * C++; no exception and no log line leaves it.
 */


#ifndef EMAGE_BRIDGE_H
#define EMAGE_BRIDGE_H


#include <emage/base.h>


/* Once a process: silences DCMTK, loads the dictionary.  False: none found. */

bool emage_dcmtk_init(void);


/* VR of a public element by the dictionary; "UN" when it has none. */

void emage_dcmtk_vr(uint32_t tag, char vr[2]);


/*
 * A converter from the character sets of a dataset to UTF-8 (PS3.3 section
 * C.12.1.1.2).  `declared` is the value of Specific Character Set.
 * EMAGE_NOTFOUND: no such set.
 */

typedef struct emage_charset_s  emage_charset_t;

emage_rc_t emage_charset_create(emage_charset_t **out);
void emage_charset_destroy(emage_charset_t *cs);

emage_rc_t emage_charset_select(emage_charset_t *cs, emage_str_t declared);

/*
 * Appends `s` in UTF-8.  `delimiters` are the characters at which code
 * extensions are reset ("\\^=" for a PN).  EMAGE_ERROR, and nothing appended,
 * when a byte means nothing in the selected sets.
 */

emage_rc_t emage_charset_convert(emage_charset_t *cs, emage_str_t s,
    const char *delimiters, emage_buf_t *out);


/*
 * Reads a Part 10 file and writes it to `to` in Explicit VR LE; nothing but
 * the encoding changes.  `swap32`: pixel data of 32 bits were written in big
 * endian as whole numbers, as the common toolkits do, and not as pairs of
 * 16-bit words.
 */

emage_rc_t emage_dcmtk_reencode(const char *from, const char *to, bool swap32,
    emage_error_t *err);


#endif /* EMAGE_BRIDGE_H */
