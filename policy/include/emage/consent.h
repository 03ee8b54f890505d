
/*
 * Copyright (C) The e-mage authors
 *
 * From records to a decision: what the two records of a study say, narrowed to
 * what concerns this subject now, as a Cedar request with finite attributes.
 * Pure: the records come as text, the time as a number.
 */


#ifndef EMAGE_CONSENT_H
#define EMAGE_CONSENT_H


#include <emage/base.h>
#include <emage/cedar.h>
#include <emage/series_index.h>
#include <emage/subject.h>


#define EMAGE_RECORD_MAX      (256 * 1024)   /* bytes of one record */
#define EMAGE_REVISION_MAX    64             /* bytes of a revision's name */
#define EMAGE_REASONS_MAX     8


/* The policy: *.cedar and the schema of a directory, compiled. */

typedef struct emage_policy_s  emage_policy_t;

/*
 * Loads every *.cedar (in the order of names) and the *.cedarschema of `dir`,
 * validates them against the schema, and checks that the schema is the one
 * this code fills.  EMAGE_ERROR with file:line:col and the remedy.
 */

emage_rc_t emage_policy_load(const char *dir, emage_policy_t **out,
    emage_error_t *err);
void emage_policy_free(emage_policy_t *policy);

/* sha-256 over names and contents, 64 hex digits; valid until free. */

emage_str_t emage_policy_revision(const emage_policy_t *policy);


/*
 * The parsed records of one study and its patient.  Immutable, one allocation
 * tree, owned by the caller.  EMAGE_ERROR for anything that is not exactly as
 * docs/records.md says (unknown state, wrong type, missing member, a version
 * below 1, pid of study and patient not the same): facts that are not
 * understood permit nothing.  `patient` may be empty only if `study` is.
 */

typedef struct emage_facts_s  emage_facts_t;

emage_rc_t emage_facts_parse(emage_str_t study, emage_str_t patient,
    emage_facts_t **out, emage_error_t *err);
void emage_facts_free(emage_facts_t *facts);

/*
 * The same from what "emage-consent show" prints, {"patient", "studies"}: the
 * facts of `study`, or of the only one when it is empty.  EMAGE_NOTFOUND: it
 * is not among them.  For tools.
 */

emage_rc_t emage_facts_shown(emage_str_t text, emage_str_t study,
    emage_facts_t **out, emage_error_t *err);

emage_str_t emage_facts_study(const emage_facts_t *facts);
emage_str_t emage_facts_pid(const emage_facts_t *facts);
emage_str_t emage_facts_revision(const emage_facts_t *facts);
int64_t emage_facts_study_version(const emage_facts_t *facts);
int64_t emage_facts_patient_version(const emage_facts_t *facts);

/* Bytes held, for bounded caches. */

size_t emage_facts_size(const emage_facts_t *facts);


/*
 * Whether one record is as docs/records.md says; EMAGE_ERROR names the member.
 * Writers ask before anything is written.
 */

emage_rc_t emage_record_study_check(emage_str_t json, emage_error_t *err);
emage_rc_t emage_record_patient_check(emage_str_t json, emage_error_t *err);


/*
 * What may be seen of a study is one bit a kind of content: images, evidence,
 * and reports by their status.
 */

#define EMAGE_PERMIT_IMAGE               0x01
#define EMAGE_PERMIT_EVIDENCE            0x02
#define EMAGE_PERMIT_REPORT_NONE         0x04
#define EMAGE_PERMIT_REPORT_PRELIMINARY  0x08
#define EMAGE_PERMIT_REPORT_FINAL        0x10
#define EMAGE_PERMIT_REPORT_AMENDED      0x20
#define EMAGE_PERMIT_ALL                 0x3f

/*
 * The bit an instance needs: its class, and for a report its status.  For a
 * class that is none, EMAGE_PERMIT_NEVER, which no verdict has.
 */

#define EMAGE_PERMIT_NEVER               0x80000000u

unsigned emage_facts_need(const emage_facts_t *facts, emage_class_t cls,
    emage_str_t sop_instance);


typedef enum {
    EMAGE_ACTION_VIEW = 0                    /* retrieve, metadata, frames */
} emage_action_t;

/*
 * Zeroed memory denies.  `permits`: EMAGE_PERMIT_* bits.  `reasons`: ids of
 * the policies that decided: of those that permitted if any bit is set, else
 * of those that forbade; they point into the policy.  `errors`: policies that
 * failed to evaluate; then `permits` is 0.  `purpose`: the purpose of use that
 * was in effect ("BTG" when an override opened the record).  `until`: ms since
 * 1970 from which time alone may change the verdict (a relation or override
 * starts or ends, consent expires, release by time).
 */

typedef struct {
    unsigned     permits;
    uint32_t     nreasons;
    uint32_t     errors;
    emage_str_t  reasons[EMAGE_REASONS_MAX];
    emage_str_t  purpose;
    int64_t      until;
} emage_verdict_t;

/*
 * Scratch memory of a decision, one for each thread, reused; it remembers the
 * last answers, since a viewer asks the same for every frame.  NULL when there
 * is no memory.
 */

typedef struct emage_scratch_s  emage_scratch_t;

emage_scratch_t *emage_scratch_create(const emage_policy_t *policy);
void emage_scratch_free(emage_scratch_t *scratch);

/*
 * Decides for every kind of content at once.  `now`: ms since 1970.  Always
 * fills `out`; anything but EMAGE_OK goes with permits 0.
 */

emage_rc_t emage_decide(const emage_policy_t *policy,
    const emage_facts_t *facts, const emage_subject_t *subject,
    emage_action_t action, int64_t now, emage_scratch_t *scratch,
    emage_verdict_t *out);

/*
 * The requests that emage_decide asks, one for each kind of content that the
 * study can have, for tools that explain: `content` and `status` are those of
 * the request, `permit` its EMAGE_PERMIT_* bit; all live during the call.
 * Anything but EMAGE_OK from `each` stops and is returned.  EMAGE_NOTFOUND: of
 * a study without a record, or nobody, nothing is asked: it is refused.
 */

typedef struct {
    cedar_request_t  *request;
    emage_str_t       content;
    emage_str_t       status;
    unsigned          permit;
} emage_asked_t;

typedef emage_rc_t (*emage_asked_pt)(void *data, const emage_asked_t *asked);

emage_rc_t emage_decide_each(const emage_policy_t *policy,
    const emage_facts_t *facts, const emage_subject_t *subject,
    emage_action_t action, int64_t now, emage_scratch_t *scratch,
    emage_asked_pt each, void *data);

/* The policies, finished; they live as long as the policy. */

const cedar_set_t *emage_policy_set(const emage_policy_t *policy);


#endif /* EMAGE_CONSENT_H */
