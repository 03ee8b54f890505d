
/*
 * Copyright (C) The e-mage authors
 *
 * A PDF as a report of a study that is here: wrapped as an Encapsulated PDF
 * object (PS3.3 section A.45.1), in a series of its own, and published.
 */


#ifndef EMAGE_REPORT_H
#define EMAGE_REPORT_H


#include "ingest.h"


#define EMAGE_REPORT_MAX        ((uint64_t) 100 << 20)   /* bytes of the PDF */
#define EMAGE_REPORT_TITLE_MAX  64                       /* characters */


/*
 * Adds the PDF at `pdf` to `study` under `title` (UTF-8).  The organisation of
 * `conf->source` may be NULL: that of the study; its issuer is that of the
 * study's patient id.  `sop` takes EMAGE_UID_MAX + 1 bytes.  The status of the
 * report is "none" until somebody sets it: nobody sees it before.
 *
 * EMAGE_NOTFOUND: no such study.  EMAGE_ERROR: no PDF, too large, a title that
 * is none, or the study takes nothing; EMAGE_UNAVAILABLE: the environment.
 */

emage_rc_t emage_report_add(const emage_ingest_conf_t *conf, const char *study,
    const char *pdf, const char *title, char *sop, emage_error_t *err);


#endif /* EMAGE_REPORT_H */
