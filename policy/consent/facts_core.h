
/*
 * Copyright (C) The e-mage authors
 *
 * Facts, as the files of this room see them: the two records of a study
 * reduced to what can matter to a decision about it.
 */


#ifndef EMAGE_FACTS_CORE_H
#define EMAGE_FACTS_CORE_H


#include <emage/consent.h>


typedef enum {
    EMAGE_STATUS_NONE = 0,
    EMAGE_STATUS_PRELIMINARY,
    EMAGE_STATUS_FINAL,
    EMAGE_STATUS_AMENDED,
    EMAGE_STATUS_N
} emage_status_t;


typedef enum {
    EMAGE_SHARING_NONE = 0,
    EMAGE_SHARING_ACTIVE,
    EMAGE_SHARING_REFUSED,
    EMAGE_SHARING_WITHDRAWN,
    EMAGE_SHARING_EXPIRED                  /* active, and past its end */
} emage_sharing_t;


typedef enum {
    EMAGE_INCLUSION_NONE = 0,
    EMAGE_INCLUSION_GIVEN,
    EMAGE_INCLUSION_REFUSED
} emage_inclusion_t;


typedef enum {
    EMAGE_STATE_ACTIVE = 0,
    EMAGE_STATE_RESTRICTED,
    EMAGE_STATE_ERASING
} emage_state_t;


typedef enum {
    EMAGE_ERASURE_NONE = 0,
    EMAGE_ERASURE_REQUESTED,
    EMAGE_ERASURE_PURGING
} emage_erasure_t;


/* In the order of weight: of several running relations the first counts. */

typedef enum {
    EMAGE_RELATION_SELF = 0,
    EMAGE_RELATION_NAMED,
    EMAGE_RELATION_TEAM,
    EMAGE_RELATION_OPINION,
    EMAGE_RELATION_ORGANISATION,
    EMAGE_RELATION_NONE
} emage_relation_t;


typedef enum {
    EMAGE_OVERRIDE_NONE = 0,
    EMAGE_OVERRIDE_BTG,
    EMAGE_OVERRIDE_ETREAT
} emage_override_t;


typedef enum {
    EMAGE_CONFIDENTIALITY_N = 0,
    EMAGE_CONFIDENTIALITY_R,
    EMAGE_CONFIDENTIALITY_V
} emage_confidentiality_t;


/*
 * Somebody, from a time (0: always) until a time (0: open-ended).  `value`:
 * emage_relation_t or emage_override_t; relations whose scope leaves this
 * study out are not kept.
 */

typedef struct {
    emage_str_t  subject;
    int64_t      from;
    int64_t      until;
    uint32_t     value;
} emage_period_t;


typedef struct {
    emage_str_t     instance;
    emage_status_t  status;
} emage_report_t;


struct emage_facts_s {
    size_t                    size;
    bool                      known;       /* there is such a study */

    emage_str_t               study;
    emage_str_t               pid;
    emage_str_t               revision;
    int64_t                   study_version;
    int64_t                   patient_version;

    int64_t                   published;
    bool                      at_once;
    bool                      reported;    /* some report final or amended */
    unsigned                  statuses;    /* bit a status that a report has */
    emage_confidentiality_t   confidentiality;
    bool                      masked;
    bool                      hidden_patient;
    bool                      hidden_representatives;
    emage_state_t             state;
    bool                      quarantined; /* study or identity */

    emage_inclusion_t         inclusion;
    emage_sharing_t           sharing;
    int64_t                   expires;
    bool                      emergency_excluded;
    emage_erasure_t           erasure;

    const emage_report_t     *reports;     /* in the order of instances */
    uint32_t                  nreports;
    const emage_period_t     *relations;
    uint32_t                  nrelations;
    const emage_period_t     *exclusions;
    uint32_t                  nexclusions;
    const emage_period_t     *overrides;
    uint32_t                  noverrides;
    const emage_str_t        *identifiers; /* "issuer|id" */
    uint32_t                  nidentifiers;
};


/*
 * What concerns one subject now: finite, in the words of the policy.  `until`
 * is when time alone may change any of it.
 */

typedef struct {
    emage_relation_t   relation;
    emage_override_t   override;
    emage_sharing_t    sharing;
    bool               excluded;
    bool               released;           /* images, to the patient */
    int64_t            until;
} emage_narrow_t;

#define EMAGE_UNTIL_NEVER  INT64_MAX

/* Images are the patient's this long after first publication, at the latest. */

#define EMAGE_RELEASE_AFTER  ((int64_t) 7 * 24 * 3600 * 1000)

void emage_narrow(const emage_facts_t *facts, const emage_subject_t *subject,
    int64_t now, emage_narrow_t *out);


#endif /* EMAGE_FACTS_CORE_H */
