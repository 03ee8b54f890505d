
/*
 * Copyright (C) The e-mage authors
 *
 * The loaded policy and the names that requests use.
 */


#ifndef EMAGE_POLICY_CORE_H
#define EMAGE_POLICY_CORE_H


#include "facts_core.h"

#include <emage/cedar.h>


#define EMAGE_REQUEST_BLOCK  (16 * 1024)
#define EMAGE_SCRATCH_BLOCK  (16 * 1024)


/* Symbols of conf/policy/emage.cedarschema. */

typedef struct {
    cedar_symbol_t  kinds[EMAGE_SUBJECT_SYSTEM + 1];    /* of principals */
    cedar_symbol_t  action;
    cedar_symbol_t  study;

    cedar_symbol_t  profession;                         /* Professional */

    cedar_symbol_t  confidentiality;                    /* Study */
    cedar_symbol_t  state;
    cedar_symbol_t  masked;
    cedar_symbol_t  hidden_patient;
    cedar_symbol_t  hidden_representatives;
    cedar_symbol_t  quarantined;
    cedar_symbol_t  released;

    cedar_symbol_t  content;                            /* context */
    cedar_symbol_t  status;
    cedar_symbol_t  purpose;
    cedar_symbol_t  relation;
    cedar_symbol_t  override;
    cedar_symbol_t  excluded;
    cedar_symbol_t  inclusion;
    cedar_symbol_t  sharing;
    cedar_symbol_t  emergency_excluded;
    cedar_symbol_t  erasure;
} emage_symbols_t;


struct emage_policy_s {
    cedar_set_t      *set;
    emage_symbols_t   sym;
    bool             *override;              /* each: @purpose("override") */
};


/*
 * All that a decision depends on: small numbers (enums and booleans of the
 * narrowed facts) and four strings.  The request is made from this alone, so
 * that two equal questions have one answer.
 */

#define EMAGE_QUESTION_STRINGS  4

typedef struct {
    uint8_t      kind;
    uint8_t      relation;
    uint8_t      override;
    uint8_t      sharing;
    uint8_t      excluded;
    uint8_t      released;
    uint8_t      confidentiality;
    uint8_t      state;
    uint8_t      masked;
    uint8_t      hidden_patient;
    uint8_t      hidden_representatives;
    uint8_t      quarantined;
    uint8_t      inclusion;
    uint8_t      emergency_excluded;
    uint8_t      erasure;
    uint8_t      statuses;
} emage_small_t;

typedef struct {
    emage_small_t  small;
    emage_str_t    string[EMAGE_QUESTION_STRINGS];
} emage_question_t;

#define EMAGE_QUESTION_ID          0
#define EMAGE_QUESTION_PROFESSION  1
#define EMAGE_QUESTION_PURPOSE     2
#define EMAGE_QUESTION_STUDY       3


typedef struct {
    unsigned  permits;
    uint32_t  errors;
    uint32_t  nreasons;
    bool      override;                      /* every reason is by it */
    uint32_t  reasons[EMAGE_REASONS_MAX];    /* policies */
} emage_answer_t;


/*
 * The last answers.  A viewer asks for hundreds of frames of one study: the
 * question is the same, and so is the answer, as long as facts and time do not
 * change it.  Compared whole; what does not fit is asked anew.
 */

#define EMAGE_MEMO_SLOTS  64                 /* a power of two */
#define EMAGE_MEMO_TEXT   192                /* bytes of all strings */

typedef struct {
    bool            used;
    emage_small_t   small;
    uint16_t        len[EMAGE_QUESTION_STRINGS];
    char            text[EMAGE_MEMO_TEXT];
    emage_answer_t  answer;
} emage_memo_t;

/* The slot of a question, NULL if it does not fit in one. */

emage_memo_t *emage_memo_slot(emage_memo_t *memo, const emage_question_t *q);
bool emage_memo_holds(const emage_memo_t *slot, const emage_question_t *q);
void emage_memo_keep(emage_memo_t *slot, const emage_question_t *q,
    const emage_answer_t *answer);


struct emage_scratch_s {
    const emage_policy_t  *policy;
    cedar_request_t       *request;
    uint64_t               block[EMAGE_REQUEST_BLOCK / sizeof(uint64_t)];
    uint64_t               work[EMAGE_SCRATCH_BLOCK / sizeof(uint64_t)];
    emage_memo_t           memo[EMAGE_MEMO_SLOTS];
};


#endif /* EMAGE_POLICY_CORE_H */
