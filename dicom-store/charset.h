
/*
 * Copyright (C) The e-mage authors
 *
 * From the character sets of a dataset to UTF-8 (PS3.3 section C.12.1.1.2,
 * PS3.5 section 6.1): code extensions are ours, the tables are iconv's.
 * (DCMTK, as Debian builds it, knows no ISO 2022 IR 58, 87, 149 or 159.)
 */


#ifndef EMAGE_CHARSET_H
#define EMAGE_CHARSET_H


#include <emage/base.h>


typedef struct emage_charset_s  emage_charset_t;

emage_rc_t emage_charset_create(emage_charset_t **out);
void emage_charset_destroy(emage_charset_t *cs);


/*
 * `declared` is the value of Specific Character Set, values separated by
 * backslashes.  EMAGE_NOTFOUND: no such set.
 */

emage_rc_t emage_charset_select(emage_charset_t *cs, emage_str_t declared);


/*
 * Appends `s` in UTF-8.  `delimiters` are the characters at which code
 * extensions are reset ("\\^=" for a PN).  EMAGE_ERROR, and nothing appended,
 * when a byte means nothing in the selected sets.
 */

emage_rc_t emage_charset_convert(emage_charset_t *cs, emage_str_t s,
    const char *delimiters, emage_buf_t *out);


#endif /* EMAGE_CHARSET_H */
