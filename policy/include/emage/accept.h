
/*
 * Copyright (C) The e-mage authors
 *
 * Accept negotiation for DICOMweb (DICOM PS3.18 section 8.7, RFC 9110 section
 * 12.5.1).  Pure: no allocation, strings point into the header's text.
 */


#ifndef EMAGE_ACCEPT_H
#define EMAGE_ACCEPT_H


#include <emage/base.h>
#include <emage/resource.h>


#define EMAGE_ACCEPT_RANGES  32
#define EMAGE_ACCEPT_MAX     4096      /* bytes of the header */


/*
 * One media range.  `type` is a media type, possibly with stars; for
 * multipart/related `part` is its "type" parameter (empty: any).
 * `transfer_syntax` is empty when not given, "*" for any.  `q` is in
 * thousandths.
 */

typedef struct {
    emage_str_t  type;
    emage_str_t  part;
    emage_str_t  transfer_syntax;
    unsigned     q;
    bool         multipart;
} emage_accept_range_t;

typedef struct {
    emage_accept_range_t  ranges[EMAGE_ACCEPT_RANGES];
    uint32_t              n;
} emage_accept_t;


/*
 * Parses the value of Accept, several fields joined by commas.  An empty or
 * absent header is one range, any media type.  Malformed ranges are left out;
 * EMAGE_ERROR when nothing well-formed is left, or over the limits above.
 */

emage_rc_t emage_accept_parse(emage_str_t header, emage_accept_t *out);


/* What is stored: the data's own media type and transfer syntax. */

typedef struct {
    emage_str_t  media_type;
    emage_str_t  transfer_syntax;      /* empty: none applies (bulk data) */
} emage_stored_t;

typedef enum {
    EMAGE_FORM_NONE = 0,               /* 406 */
    EMAGE_FORM_MULTIPART,
    EMAGE_FORM_SINGLE
} emage_form_t;

/*
 * The best form in which all `n` stored kinds can be delivered.  `single`:
 * whether the answer may be a single part (one object asked for).
 * `as_octets`: set when the parts are to be labelled application/octet-stream
 * because the client asked for them so, with a transfer syntax.
 *
 * Where no transfer syntax is given: a DICOM object names its own, so any is
 * delivered; octets without one are uncompressed by definition (table
 * 8.7.3-2), so compressed frames are not: they would be drawn as noise.
 */

emage_form_t emage_accept_choose(const emage_accept_t *accept,
    emage_resource_kind_t kind, const emage_stored_t *stored, uint32_t n,
    bool single, bool *as_octets);


/* Frame media type of a transfer syntax (PS3.18 table 8.7.3-2). */

emage_str_t emage_frame_media_type(emage_str_t transfer_syntax);


#endif /* EMAGE_ACCEPT_H */
