
/*
 * Copyright (C) The e-mage authors
 *
 * The decision: narrowed facts as a Cedar request, asked once for each kind of
 * content that the study can have.
 */


#include "policy_core.h"

#include <string.h>


/* A kind of content, and the bit that permits it. */

typedef struct {
    unsigned      bit;
    emage_str_t   content;
    emage_str_t   status;
} emage_content_t;


static const emage_content_t  emage_contents[] = {
    { EMAGE_PERMIT_IMAGE, emage_str("image"), emage_str("none") },
    { EMAGE_PERMIT_EVIDENCE, emage_str("evidence"), emage_str("none") },
    { EMAGE_PERMIT_REPORT_NONE, emage_str("report"), emage_str("none") },
    { EMAGE_PERMIT_REPORT_PRELIMINARY, emage_str("report"),
      emage_str("preliminary") },
    { EMAGE_PERMIT_REPORT_FINAL, emage_str("report"), emage_str("final") },
    { EMAGE_PERMIT_REPORT_AMENDED, emage_str("report"), emage_str("amended") }
};

#define EMAGE_CONTENTS  (sizeof(emage_contents) / sizeof(emage_contents[0]))


static const emage_str_t  emage_sharings[] = {
    emage_str("none"), emage_str("active"), emage_str("refused"),
    emage_str("withdrawn"), emage_str("expired")
};

static const emage_str_t  emage_inclusions[] = {
    emage_str("none"), emage_str("given"), emage_str("refused")
};

static const emage_str_t  emage_states[] = {
    emage_str("active"), emage_str("restricted"), emage_str("erasing")
};

static const emage_str_t  emage_erasures[] = {
    emage_str("none"), emage_str("requested"), emage_str("purging")
};

static const emage_str_t  emage_relations[] = {
    emage_str("self"), emage_str("named"), emage_str("team"),
    emage_str("opinion"), emage_str("organisation"), emage_str("none")
};

static const emage_str_t  emage_overrides[] = {
    emage_str("none"), emage_str("BTG"), emage_str("ETREAT")
};

static const emage_str_t  emage_confidentialities[] = {
    emage_str("N"), emage_str("R"), emage_str("V")
};


/* Policies that decided, of permits or of refusals. */

typedef struct {
    uint32_t  n;
    bool      override;                      /* every one of them is by it */
    uint32_t  index[EMAGE_REASONS_MAX];
} emage_reasons_t;


static void emage_question_make(const emage_facts_t *facts,
    const emage_subject_t *subject, const emage_narrow_t *narrow,
    emage_question_t *q);
static emage_rc_t emage_question_ask(const emage_policy_t *policy,
    const emage_question_t *q, emage_scratch_t *scratch,
    emage_answer_t *answer);
static bool emage_content_asked(const emage_question_t *q, size_t i);
static cedar_record_t *emage_request_build(const emage_policy_t *policy,
    const emage_question_t *q, cedar_request_t *req);
static void emage_reasons_add(const emage_policy_t *policy,
    const cedar_result_t *result, emage_reasons_t *reasons);


emage_rc_t
emage_decide(const emage_policy_t *policy, const emage_facts_t *facts,
    const emage_subject_t *subject, emage_action_t action, int64_t now,
    emage_scratch_t *scratch, emage_verdict_t *out)
{
    uint32_t           i;
    emage_rc_t         rc;
    emage_memo_t      *slot;
    emage_answer_t     fresh;
    emage_narrow_t     narrow;
    emage_question_t   q;

    const emage_answer_t  *answer;

    memset(out, 0, sizeof(emage_verdict_t));

    out->purpose = subject->purpose;
    out->until = EMAGE_UNTIL_NEVER;

    if (action != EMAGE_ACTION_VIEW || scratch->policy != policy) {
        return EMAGE_ERROR;
    }

    if (!facts->known || subject->kind <= EMAGE_SUBJECT_NONE
        || subject->kind > EMAGE_SUBJECT_SYSTEM)
    {
        return EMAGE_OK;
    }

    emage_narrow(facts, subject, now, &narrow);
    emage_question_make(facts, subject, &narrow, &q);

    slot = emage_memo_slot(scratch->memo, &q);

    if (slot != NULL && emage_memo_holds(slot, &q)) {
        answer = &slot->answer;

    } else {
        rc = emage_question_ask(policy, &q, scratch, &fresh);
        if (rc != EMAGE_OK) {
            return rc;
        }

        if (slot != NULL) {
            emage_memo_keep(slot, &q, &fresh);
        }

        answer = &fresh;
    }

    out->permits = answer->permits;
    out->errors = answer->errors;
    out->nreasons = answer->nreasons;
    out->until = narrow.until;

    for (i = 0; i < answer->nreasons; i++) {
        out->reasons[i] = cedar_policy_id(policy->set, answer->reasons[i]);
    }

    if (answer->permits != 0 && answer->override
        && narrow.override != EMAGE_OVERRIDE_NONE)
    {
        out->purpose = emage_overrides[narrow.override];
    }

    return EMAGE_OK;
}


static void
emage_question_make(const emage_facts_t *facts,
    const emage_subject_t *subject, const emage_narrow_t *narrow,
    emage_question_t *q)
{
    emage_small_t  *small;

    small = &q->small;

    small->kind = (uint8_t) subject->kind;
    small->relation = (uint8_t) narrow->relation;
    small->override = (uint8_t) narrow->override;
    small->sharing = (uint8_t) narrow->sharing;
    small->excluded = narrow->excluded;
    small->released = narrow->released;
    small->confidentiality = (uint8_t) facts->confidentiality;
    small->state = (uint8_t) facts->state;
    small->masked = facts->masked;
    small->hidden_patient = facts->hidden_patient;
    small->hidden_representatives = facts->hidden_representatives;
    small->quarantined = facts->quarantined;
    small->inclusion = (uint8_t) facts->inclusion;
    small->emergency_excluded = facts->emergency_excluded;
    small->erasure = (uint8_t) facts->erasure;
    small->statuses = (uint8_t) facts->statuses;

    q->string[EMAGE_QUESTION_ID] = subject->id;
    q->string[EMAGE_QUESTION_PROFESSION] = subject->profession;
    q->string[EMAGE_QUESTION_PURPOSE] = subject->purpose;
    q->string[EMAGE_QUESTION_STUDY] = facts->study;
}


/* Cedar, once for each kind of content that the study can have. */

static emage_rc_t
emage_question_ask(const emage_policy_t *policy, const emage_question_t *q,
    emage_scratch_t *scratch, emage_answer_t *answer)
{
    size_t            i;
    emage_rc_t        rc;
    cedar_record_t   *context;
    cedar_result_t    result;
    emage_reasons_t   permits, forbids, *reasons;

    memset(answer, 0, sizeof(emage_answer_t));

    context = emage_request_build(policy, q, scratch->request);

    permits.n = 0;
    permits.override = true;
    forbids.n = 0;
    forbids.override = true;

    for (i = 0; i < EMAGE_CONTENTS; i++) {

        if (!emage_content_asked(q, i)) {
            continue;
        }

        cedar_record_string(context, policy->sym.content,
                            emage_contents[i].content);
        cedar_record_string(context, policy->sym.status,
                            emage_contents[i].status);

        rc = cedar_decide(policy->set, scratch->request, NULL, scratch->work,
                          sizeof(scratch->work), &result);

        if (rc != EMAGE_OK) {
            return rc;
        }

        answer->errors += result.errors_n;

        if (result.decision == CEDAR_ALLOW) {
            answer->permits |= emage_contents[i].bit;
            emage_reasons_add(policy, &result, &permits);

        } else {
            emage_reasons_add(policy, &result, &forbids);
        }
    }

    if (answer->errors > 0) {

        /* a policy that cannot be evaluated may be the one that forbids */

        answer->permits = 0;
    }

    reasons = (answer->permits != 0) ? &permits : &forbids;

    answer->nreasons = reasons->n;
    answer->override = reasons->override;
    memcpy(answer->reasons, reasons->index, sizeof(reasons->index));

    return EMAGE_OK;
}


/* Without an entry a report has no status; others must have one. */

static bool
emage_content_asked(const emage_question_t *q, size_t i)
{
    return emage_contents[i].bit <= EMAGE_PERMIT_REPORT_NONE
           || (q->small.statuses * EMAGE_PERMIT_REPORT_NONE
               & emage_contents[i].bit) != 0;
}


emage_rc_t
emage_decide_each(const emage_policy_t *policy, const emage_facts_t *facts,
    const emage_subject_t *subject, emage_action_t action, int64_t now,
    emage_scratch_t *scratch, emage_asked_pt each, void *data)
{
    size_t             i;
    emage_rc_t         rc;
    emage_asked_t      asked;
    emage_narrow_t     narrow;
    cedar_record_t    *context;
    emage_question_t   q;

    if (action != EMAGE_ACTION_VIEW || scratch->policy != policy) {
        return EMAGE_ERROR;
    }

    if (!facts->known || subject->kind <= EMAGE_SUBJECT_NONE
        || subject->kind > EMAGE_SUBJECT_SYSTEM)
    {
        return EMAGE_NOTFOUND;
    }

    emage_narrow(facts, subject, now, &narrow);
    emage_question_make(facts, subject, &narrow, &q);
    context = emage_request_build(policy, &q, scratch->request);
    asked.request = scratch->request;
    rc = EMAGE_OK;

    for (i = 0; i < EMAGE_CONTENTS && rc == EMAGE_OK; i++) {

        if (!emage_content_asked(&q, i)) {
            continue;
        }

        asked.content = emage_contents[i].content;
        asked.status = emage_contents[i].status;
        asked.permit = emage_contents[i].bit;

        cedar_record_string(context, policy->sym.content, asked.content);
        cedar_record_string(context, policy->sym.status, asked.status);

        rc = each(data, &asked);
    }

    return rc;
}


/* What is the same for every kind of content; returns the context. */

static cedar_record_t *
emage_request_build(const emage_policy_t *policy, const emage_question_t *q,
    cedar_request_t *req)
{
    cedar_record_t         *rec;
    cedar_symbol_t          kind;
    const emage_small_t    *small;
    const emage_symbols_t  *sym;

    sym = &policy->sym;
    small = &q->small;
    kind = sym->kinds[small->kind];

    cedar_request_reset(req);
    cedar_request_principal(req, kind, q->string[EMAGE_QUESTION_ID]);
    cedar_request_action(req, sym->action, emage_str("view"));
    cedar_request_resource(req, sym->study, q->string[EMAGE_QUESTION_STUDY]);

    rec = cedar_request_entity(req, kind, q->string[EMAGE_QUESTION_ID]);

    if (small->kind == EMAGE_SUBJECT_PROFESSIONAL) {
        cedar_record_string(rec, sym->profession,
                            q->string[EMAGE_QUESTION_PROFESSION]);
    }

    rec = cedar_request_entity(req, sym->study,
                               q->string[EMAGE_QUESTION_STUDY]);

    cedar_record_string(rec, sym->confidentiality,
                        emage_confidentialities[small->confidentiality]);
    cedar_record_string(rec, sym->state, emage_states[small->state]);
    cedar_record_bool(rec, sym->masked, small->masked);
    cedar_record_bool(rec, sym->hidden_patient, small->hidden_patient);
    cedar_record_bool(rec, sym->hidden_representatives,
                      small->hidden_representatives);
    cedar_record_bool(rec, sym->quarantined, small->quarantined);
    cedar_record_bool(rec, sym->released, small->released);

    rec = cedar_request_context(req);

    cedar_record_string(rec, sym->purpose,
                        q->string[EMAGE_QUESTION_PURPOSE]);
    cedar_record_string(rec, sym->relation, emage_relations[small->relation]);
    cedar_record_string(rec, sym->override, emage_overrides[small->override]);
    cedar_record_bool(rec, sym->excluded, small->excluded);
    cedar_record_string(rec, sym->inclusion,
                        emage_inclusions[small->inclusion]);
    cedar_record_string(rec, sym->sharing, emage_sharings[small->sharing]);
    cedar_record_bool(rec, sym->emergency_excluded,
                      small->emergency_excluded);
    cedar_record_string(rec, sym->erasure, emage_erasures[small->erasure]);

    return rec;
}


static void
emage_reasons_add(const emage_policy_t *policy, const cedar_result_t *result,
    emage_reasons_t *reasons)
{
    uint32_t  i, j;

    for (i = 0; i < result->reason_n; i++) {

        if (!policy->override[result->reason[i]]) {
            reasons->override = false;
        }

        for (j = 0; j < reasons->n; j++) {
            if (reasons->index[j] == result->reason[i]) {
                break;
            }
        }

        if (j == reasons->n && reasons->n < EMAGE_REASONS_MAX) {
            reasons->index[reasons->n++] = result->reason[i];
        }
    }
}
