
/*
 * Copyright (C) The e-mage authors
 *
 * What people do to records: consent, relations, exclusions, overrides, report
 * status and the rest, each a change of its own.
 */


#ifndef EMAGE_EDIT_H
#define EMAGE_EDIT_H


#include "emage_records.h"


#define EMAGE_EDIT_LIST_MAX  256


typedef struct {
    const char  *item[EMAGE_EDIT_LIST_MAX];
    size_t       n;
} emage_edit_list_t;


/*
 * What an edit is given; NULL and 0 where nothing was.  Subjects are
 * "system|id".  Times are ms since 1970; -1 where 0 means something.
 */

typedef struct {
    const char         *inclusion;
    const char         *sharing;
    const char         *by;
    const char         *how;
    const char         *text;
    int64_t             expires;      /* -1: leave */
    const char         *kind;         /* of a relation: named, team, ... */
    const char         *subject;
    const char         *id;           /* of a relation */
    emage_edit_list_t   studies;
    emage_edit_list_t   modalities;
    emage_edit_list_t   dates;        /* two: from and to, YYYYMMDD */
    const char         *basis;
    int64_t             from;
    int64_t             until;
    const char         *purpose;      /* BTG, ETREAT */
    const char         *reason;
    const char         *instance;     /* "all": every report of the study */
    const char         *value;        /* status, release, N R V, mark */
    bool                off;          /* take the mark or request back */
    int64_t             now;
} emage_edit_t;

/*
 * Performs edit `name` on the records of `pid` (and `study`, for edits of a
 * study; else empty), trying again when somebody else was faster.
 *
 *     set withdraw relate unrelate exclude include emergency-exclude override
 *     erase-request                                       the patient's record
 *     report-status release mark confidentiality resolve  the study's
 *
 * EMAGE_ERROR: not known, or what it was given is wrong.  Otherwise as
 * emage_records_change.
 */

emage_rc_t emage_records_edit(emage_records_t *rec, const char *name,
    emage_str_t pid, emage_str_t study, const emage_edit_t *edit,
    emage_ack_t *ack, emage_error_t *err);

/* The pid of a study's patient into `pid` (EMAGE_PID_LEN bytes). */

emage_rc_t emage_records_study_pid(emage_records_t *rec, emage_str_t study,
    char *pid, emage_error_t *err);

/*
 * The records of a patient as indented JSON {"patient", "studies"}; with
 * `study` that study alone.
 */

emage_rc_t emage_records_show(emage_records_t *rec, emage_str_t pid,
    emage_str_t study, emage_buf_t *out, emage_error_t *err);


#endif /* EMAGE_EDIT_H */
