/*
 * Copyright (C) The e-mage authors
 *
 * Zero bytes in JSON, carried through a parser that has none in keys.
 */


#ifndef CEDAR_JSON_TEXT_H
#define CEDAR_JSON_TEXT_H


#include "cedar_core.h"


bool cedar_json_needs_shield(emage_str_t text);
emage_rc_t cedar_json_shield(emage_str_t text, emage_buf_t *b);

/* In place; returns the new length. */

size_t cedar_json_unshield(char *s, size_t len);


#endif /* CEDAR_JSON_TEXT_H */
