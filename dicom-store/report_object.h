
/*
 * Copyright (C) The e-mage authors
 *
 * The object that carries a PDF, byte by byte.
 */


#ifndef EMAGE_REPORT_OBJECT_H
#define EMAGE_REPORT_OBJECT_H


#include "rows.h"


typedef struct {
    const json_t  *row;              /* the study's, of study.json */
    const char    *study;
    const char    *series;
    const char    *sop;
    const char    *patient_id;       /* as its source knows him; may be empty */
    const char    *title;
    emage_str_t    pdf;
} emage_report_object_t;


/* A UID of 128 random bits (PS3.5 section B.2); false: no random bytes. */

bool emage_report_uid(char *dst, size_t size);

/*
 * Whether `title` is UTF-8 without control characters and backslashes, of 1 to
 * `max` characters.
 */

bool emage_report_title(const char *title, size_t max);

/* Appends a Part 10 file in Explicit VR LE; EMAGE_NOMEM past the cap. */

emage_rc_t emage_report_write(const emage_report_object_t *o,
    emage_buf_t *out);


#endif /* EMAGE_REPORT_OBJECT_H */
