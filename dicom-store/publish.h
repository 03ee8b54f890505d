
/*
 * Copyright (C) The e-mage authors
 *
 * The store's side of the records: who a patient is, what is published of a
 * study, and the change that makes a revision visible.
 */


#ifndef EMAGE_PUBLISH_H
#define EMAGE_PUBLISH_H


#include <emage_records.h>

#include "rows.h"


/* Who sends: an organisation, and the issuer of its patient ids. */

typedef struct {
    const char  *org;
    const char  *issuer;             /* by default the organisation */
    bool         qualified;          /* the issuer is an OID of the INS */
} emage_source_t;


/* Whether `issuer` is an OID of the INS, whose ids are of status QUAL. */

bool emage_publish_qualified(const char *issuer);


typedef struct emage_publish_s  emage_publish_t;

/* Errors as emage_records_open.  `actor` is who runs the program. */

emage_rc_t emage_publish_open(const emage_records_conf_t *conf,
    const emage_source_t *source, emage_publish_t **out, emage_error_t *err);
void emage_publish_close(emage_publish_t *p);

emage_records_t *emage_publish_records(emage_publish_t *p);


/*
 * The issuer under which `id` is known: the INS only for what has its form.
 */

emage_str_t emage_publish_issuer(const emage_publish_t *p, emage_str_t id);

/* The pid of a patient id, found or made; remembered for this run. */

emage_rc_t emage_publish_identify(emage_publish_t *p, const char *id,
    char *pid, emage_error_t *err);

/* Whether the patient refuses that his data are held. */

emage_rc_t emage_publish_refused(emage_publish_t *p, const char *pid,
    bool *refused, emage_error_t *err);


/* What a study's record says; read under the study's lock. */

typedef struct {
    bool      exists;
    int64_t   version;
    json_t   *record;                /* NULL unless it exists */
    char      pid[EMAGE_PID_LEN + 1];
    char      revision[65];          /* empty: none */
    bool      erasing;
} emage_study_record_t;

emage_rc_t emage_publish_read(emage_publish_t *p, const char *study,
    emage_study_record_t *out, emage_error_t *err);
void emage_publish_release(emage_study_record_t *record);

/* Whether (organisation, issuer, id) is a source of the study already. */

bool emage_publish_has_source(const emage_publish_t *p,
    const emage_study_record_t *record, const char *id);


/*
 * The members of study.json that are not of the rows: identity, sources,
 * published, revised, quarantine.  `ids` are the patient ids, as they came, of
 * this run's objects.  NULL: no memory.
 */

json_t *emage_publish_head(const emage_publish_t *p,
    const emage_study_record_t *record, const char *const *ids, size_t n,
    const char *quarantine);

/*
 * Makes `revision` visible (or, when it is the one already, only notes
 * sources): the change is acknowledged when this returns EMAGE_OK.  `head` is
 * what study.json has; `pid` the patient's.
 */

emage_rc_t emage_publish_change(emage_publish_t *p, const char *study,
    const emage_study_record_t *record, const char *pid, const char *revision,
    const json_t *study_json, emage_error_t *err);


#endif /* EMAGE_PUBLISH_H */
