
/*
 * Copyright (C) The e-mage authors
 *
 * Where the frames and bulk values of a stored object lie.
 */


#ifndef EMAGE_OFFSETS_H
#define EMAGE_OFFSETS_H


#include "attributes.h"


/*
 * Writes the frames and bulk values of the object last given to `w`
 * (emage_index_writer_instance).  `ds` is the stored file, in Explicit VR LE;
 * `transfer_syntax` its transfer syntax.  Frames that do not start on a byte
 * are appended to `extra`, whole bytes each, which becomes <SOPUID>.frames.
 * `frames_only` is set when fragments of several frames are no bulk value.
 *
 * EMAGE_ERROR when frames cannot be told apart or are not all there.
 */

emage_rc_t emage_offsets_write(const emage_dataset_t *ds,
    const emage_attributes_t *at, emage_str_t transfer_syntax,
    emage_index_writer_t *w, emage_buf_t *extra, bool *frames_only,
    emage_error_t *err);


/* Media type of compressed pixel data (PS3.18 table 8.7.3-2); may be empty. */

emage_str_t emage_offsets_media(emage_str_t transfer_syntax);


#endif /* EMAGE_OFFSETS_H */
