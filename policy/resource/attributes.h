
/*
 * Copyright (C) The e-mage authors
 *
 * The attributes that searches know: those of the rows (docs/store-format.md).
 */


#ifndef EMAGE_ATTRIBUTES_H
#define EMAGE_ATTRIBUTES_H


#include <emage/rows.h>


/* How a value is matched (PS3.4 section C.2.2.2). */

typedef enum {
    EMAGE_MATCH_NONE = 0,                  /* it is only listed */
    EMAGE_MATCH_TEXT,                      /* wild cards */
    EMAGE_MATCH_NAME,                      /* and neither case nor accents */
    EMAGE_MATCH_CODE,                      /* wild cards, lists */
    EMAGE_MATCH_UID,                       /* lists */
    EMAGE_MATCH_DATE,                      /* ranges */
    EMAGE_MATCH_TIME,
    EMAGE_MATCH_NUMBER
} emage_match_t;


typedef struct {
    uint32_t       tag;
    uint32_t       sub;
    emage_level_t  level;
    emage_match_t  match;
    bool           personal;               /* hashed in the journal */
    emage_str_t    keyword;                /* of tag, or of sub if any */
} emage_attribute_def_t;

/* Ascending by tag, then sub.  At most 64: there is a bit for each. */

#define EMAGE_ATTRIBUTES_MAX  64

extern const emage_attribute_def_t  emage_attribute_defs[];
extern const uint32_t               emage_attribute_ndefs;


/*
 * The number of an attribute, -1 when it is not known.  A name is a tag of
 * eight hex digits or a keyword (PS3.6), with a dot before an attribute of a
 * sequence's items.
 */

int emage_attribute_find(uint32_t tag, uint32_t sub);
int emage_attribute_named(emage_str_t name);

/* Whether a name looks like that of an attribute, known or not. */

bool emage_attribute_like(emage_str_t name);


/*
 * Values.  Wild cards: "*" any characters, "?" one; `fold`: neither case nor
 * accents of Latin, Greek and Cyrillic letters matter.  Both are UTF-8; what is
 * longer than 1,024 characters does not match.
 */

bool emage_text_match(emage_str_t pattern, emage_str_t value, bool fold);

/* Whether `s` is UTF-8 without control characters. */

bool emage_text_valid(emage_str_t s);

/* Whether a date, time or number asked for is one; ranges with "-". */

bool emage_date_valid(emage_str_t s);
bool emage_time_valid(emage_str_t s);
bool emage_number_valid(emage_str_t s);

bool emage_date_match(emage_str_t asked, emage_str_t value);
bool emage_time_match(emage_str_t asked, emage_str_t value);
bool emage_number_match(emage_str_t asked, emage_str_t value);


#endif /* EMAGE_ATTRIBUTES_H */
