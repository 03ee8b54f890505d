
/*
 * Copyright (C) The e-mage authors
 *
 * From the encoding an object came in to the one it is kept in: Explicit VR LE
 * in a Part 10 file, or byte for byte.
 */


#ifndef EMAGE_ENCODING_H
#define EMAGE_ENCODING_H


#include "charset.h"
#include "dataset.h"
#include "file.h"
#include "object.h"


/*
 * Makes <n>.dcm of <n>.src and removes the latter.  Explicit VR LE and
 * compressed files are kept byte for byte (`kept`); a dataset without meta
 * header gets one; deflated ones are inflated; Implicit VR LE and Explicit VR
 * BE are re-encoded, and the result is held against the original, value by
 * value, so that nothing is stored that is not what came.  Sets received_ts
 * and stored_ts of `out`.
 */

emage_rc_t emage_encoding_settle(const emage_object_conf_t *conf,
    emage_object_t *out, emage_charset_t *charset, bool *kept,
    emage_error_t *err);

/* The dataset of a stored file. */

emage_rc_t emage_encoding_stored(const emage_map_t *map, emage_dataset_t *ds,
    emage_error_t *err);

/*
 * SHA-256 over what must be equal for two objects to be one: the values of the
 * pixel data, or without pixels every element outside groups 0008, 0010, 0012,
 * 0020, 0032 and 0038 (who, when, which order), and the SOP class.
 */

emage_rc_t emage_encoding_content(const emage_dataset_t *ds, bool pixels,
    unsigned char *sha256);


#endif /* EMAGE_ENCODING_H */
