
/*
 * Copyright (C) The e-mage authors
 *
 * The outside of a DICOM file (PS3.10 section 7): preamble, meta header,
 * transfer syntax; recognised by content, whatever the name.
 */


#ifndef EMAGE_PART10_H
#define EMAGE_PART10_H


#include "dataset.h"


#define EMAGE_TS_IMPLICIT_LE  "1.2.840.10008.1.2"
#define EMAGE_TS_EXPLICIT_LE  "1.2.840.10008.1.2.1"
#define EMAGE_TS_DEFLATED     "1.2.840.10008.1.2.1.99"
#define EMAGE_TS_EXPLICIT_BE  "1.2.840.10008.1.2.2"


typedef struct {
    bool              preamble;      /* 128 bytes and "DICM" */
    bool              meta;          /* elements of group 2 */
    bool              deflated;
    uint64_t          dataset;       /* its first byte */
    emage_encoding_t  encoding;      /* once inflated */
    emage_str_t       sop_class;     /* from the meta header, may be empty */
    emage_str_t       transfer_syntax;
} emage_part10_t;


/*
 * Whether these first bytes of a file (all, or at least 4096) may be DICOM at
 * all; `err` says "not a DICOM file: ...".
 */

bool emage_part10_plausible(const unsigned char *data, size_t len,
    emage_error_t *err);

/* The strings of `out` point into `data`. */

emage_rc_t emage_part10_read(const unsigned char *data, uint64_t len,
    emage_part10_t *out, emage_error_t *err);

/* Appends preamble, prefix and a meta header of our own. */

emage_rc_t emage_part10_header(emage_buf_t *out, emage_str_t sop_class,
    emage_str_t sop, emage_str_t transfer_syntax);


#endif /* EMAGE_PART10_H */
