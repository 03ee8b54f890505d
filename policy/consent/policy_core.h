
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


struct emage_scratch_s {
    const emage_policy_t  *policy;
    cedar_request_t       *request;
    uint64_t               block[EMAGE_REQUEST_BLOCK / sizeof(uint64_t)];
    uint64_t               work[EMAGE_SCRATCH_BLOCK / sizeof(uint64_t)];
};


#endif /* EMAGE_POLICY_CORE_H */
