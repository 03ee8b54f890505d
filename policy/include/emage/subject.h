
/*
 * Copyright (C) The e-mage authors
 *
 * The subject of a request: who asks, as the identity provider vouched for it.
 * Made from a verified token or session, handed to the policy, recorded in the
 * journal.
 */


#ifndef EMAGE_SUBJECT_H
#define EMAGE_SUBJECT_H


#include <emage/base.h>


#define EMAGE_SUBJECT_TEAMS_MAX  16
#define EMAGE_SUBJECT_MAX        4096      /* bytes of a packed subject */


typedef enum {
    EMAGE_SUBJECT_NONE = 0,                /* zeroed memory is nobody */
    EMAGE_SUBJECT_PROFESSIONAL,
    EMAGE_SUBJECT_PATIENT,
    EMAGE_SUBJECT_REPRESENTATIVE,
    EMAGE_SUBJECT_SUPPORT,
    EMAGE_SUBJECT_OFFICER,                 /* data protection officer */
    EMAGE_SUBJECT_SYSTEM                   /* a producing site's system */
} emage_subject_kind_t;


/*
 * `id`, `organisation` and `teams` are written "system|id": the system is
 * fixed by the issuer's configuration, never by the token, so that two issuers
 * cannot speak for each other's people.  `profession` is the code the policy
 * knows ("physician", "nurse", ...).  `purpose` is an HL7 v3-ActReason code
 * (TREAT, ETREAT, BTG, PATRQT, FAMRQT, HSYSADMIN).  `session` is what access
 * records are folded by: a digest, never the token itself.
 */

typedef struct {
    emage_subject_kind_t  kind;
    emage_str_t           issuer;          /* name of its block */
    emage_str_t           id;
    emage_str_t           profession;
    emage_str_t           organisation;
    emage_str_t           purpose;
    emage_str_t           acr;
    emage_str_t           session;         /* 32 hex digits */
    emage_str_t           teams[EMAGE_SUBJECT_TEAMS_MAX];
    uint32_t              nteams;
    int64_t               expires;         /* ms since 1970 */
} emage_subject_t;


emage_str_t emage_subject_kind_name(emage_subject_kind_t kind);

/* EMAGE_SUBJECT_NONE for an unknown name. */

emage_subject_kind_t emage_subject_kind_parse(emage_str_t name);

/*
 * Flattens a subject into `dst` (at most `size` bytes) so that it can lie in
 * shared memory; returns the length, 0 if it does not fit.  Unpacking checks
 * every length; the strings then point into `src`.
 */

size_t emage_subject_pack(const emage_subject_t *subject, void *dst,
    size_t size);
emage_rc_t emage_subject_unpack(const void *src, size_t len,
    emage_subject_t *out);


#endif /* EMAGE_SUBJECT_H */
