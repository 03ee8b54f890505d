
/*
 * Copyright (C) The e-mage authors
 *
 * A dataset as DICOM JSON (PS3.18 annex F), in UTF-8.  docs/store-format.md
 * lists where values are coerced.
 */


#ifndef EMAGE_METADATA_H
#define EMAGE_METADATA_H


#include "charset.h"
#include "dataset.h"


/* A value that metadata may take; more is refused, as no viewer could. */

#define EMAGE_METADATA_MAX  (256u << 20)


typedef struct {
    const emage_dataset_t  *dataset;
    emage_charset_t        *charset;
    emage_str_t             default_charset;   /* empty: none */

    /*
     * What a BulkDataURI begins with, up to and with "/bulkdata/".  Empty: to
     * compare two encodings, where bulk values are given by length alone, and
     * SS, which Implicit VR cannot tell from US, counts as that.
     */

    emage_str_t             bulk_uri;

    /* fragments of several frames are no one value: no BulkDataURI */

    bool                    frames_only;
} emage_metadata_t;


/*
 * Appends the dataset to `out`: a line an element of the dataset, "TTTTTTTT "
 * and the JSON of the element, in ascending order; so the lines of the patient
 * can be exchanged before they are joined (emage_metadata_join).  Errors as
 * emage_dataset_walk; EMAGE_NOMEM when the text would be too long.
 */

emage_rc_t emage_metadata_write(const emage_metadata_t *md, emage_buf_t *out,
    emage_error_t *err);


/*
 * Appends the value of an element of text VR in UTF-8, as metadata has it,
 * whole (not split at backslashes).
 */

emage_rc_t emage_metadata_text(const emage_metadata_t *md,
    const emage_event_t *ev, emage_str_t declared, emage_buf_t *out);

/*
 * The patient id of `ev` in UTF-8 without the spaces around it, held by
 * `text`.  EMAGE_ERROR when it has bytes that mean nothing, or control
 * characters: two ids must never become one.
 */

emage_rc_t emage_metadata_patient_id(const emage_metadata_t *md,
    const emage_event_t *ev, emage_str_t declared, emage_buf_t *text,
    emage_str_t *id);

/* `s` without the spaces and NULs behind it, and before it if `leading`. */

emage_str_t emage_metadata_trim(emage_str_t s, bool leading);

/* Bytes of the numbers that a value of this VR consists of. */

unsigned emage_metadata_unit(const char *vr);


/* Appends one value of VR FL or FD; NaN and infinities as strings. */

emage_rc_t emage_metadata_real(emage_buf_t *out, double n, bool is_single);

/*
 * Appends the text of a DS or IS as a JSON number when it is one (PS3.5 table
 * 6.2-1, written as RFC 8259 wants it), else as a string.
 */

emage_rc_t emage_metadata_decimal(emage_buf_t *out, emage_str_t s,
    bool integer);

/* Appends bytes in base64 with quotes; `unit`: bytes to turn round, or 1. */

emage_rc_t emage_metadata_base64(emage_buf_t *out, const unsigned char *p,
    size_t len, size_t unit);


#endif /* EMAGE_METADATA_H */
