
/*
 * Copyright (C) The e-mage authors
 *
 * What e-mage takes from DCMTK: the dictionary, the way from Implicit VR LE and
 * Explicit VR BE to Explicit VR LE, and pictures.  The other side is C++; no
 * exception and no log line leaves it.
 */


#ifndef EMAGE_BRIDGE_H
#define EMAGE_BRIDGE_H


#include <emage/base.h>


/* Once a process: silences DCMTK, loads the dictionary.  False: none found. */

bool emage_dcmtk_init(void);


/* VR of a public element by the dictionary; "UN" when it has none. */

void emage_dcmtk_vr(uint32_t tag, char vr[2]);


/*
 * Reads a Part 10 file and writes it to `to` in Explicit VR LE; nothing but
 * the encoding changes.  `swap32`: pixel data of 32 bits were written in big
 * endian as whole numbers, as the common toolkits do, and not as pairs of
 * 16-bit words.
 */

emage_rc_t emage_dcmtk_reencode(const char *from, const char *to, bool swap32,
    emage_error_t *err);


/*
 * Draws frame `frame` (from 0) of a Part 10 file as JPEG: whole at quality 90
 * to `full`, fitted into 256 x 256 (never enlarged) at quality 80 to `thumb`.
 * Grey values go through the first VOI window, else the first VOI LUT, else
 * from the least to the greatest.  EMAGE_ERROR: DCMTK cannot decode it.  Files
 * that were begun are left.
 */

#define EMAGE_THUMBNAIL_SIDE  256

emage_rc_t emage_dcmtk_render(const char *path, uint32_t frame,
    const char *full, const char *thumb, emage_error_t *err);


#endif /* EMAGE_BRIDGE_H */
