
/*
 * Copyright (C) The e-mage authors
 *
 * Hostile records: the bytes before the first NUL are the study, those after
 * it the patient.  What is taken for facts is decided upon: a stranger never
 * sees what needs a relation, and nobody sees what is withdrawn.
 */


#include <emage/consent.h>

#include <stdlib.h>
#include <string.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void decide(const emage_policy_t *policy, emage_scratch_t *scratch,
    const emage_facts_t *facts, emage_str_t patient);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    emage_str_t              study, patient;
    emage_error_t            err;
    emage_facts_t           *facts;
    const uint8_t           *nul;
    static emage_policy_t   *policy;
    static emage_scratch_t  *scratch;

    if (policy == NULL) {
        if (emage_policy_load("conf/policy", &policy, &err) != EMAGE_OK
            || (scratch = emage_scratch_create(policy)) == NULL)
        {
            abort();
        }
    }

    nul = (size == 0) ? NULL : memchr(data, 0, size);
    study.data = (const char *) data;
    study.len = (nul == NULL) ? size : (size_t) (nul - data);
    patient.data = (nul == NULL) ? NULL : (const char *) nul + 1;
    patient.len = (nul == NULL) ? 0 : size - study.len - 1;

    if (emage_facts_parse(study, patient, &facts, &err) != EMAGE_OK) {
        return 0;
    }

    if (study.len != 0
        && (emage_record_study_check(study, NULL) != EMAGE_OK
            || emage_record_patient_check(patient, NULL) != EMAGE_OK))
    {
        abort();
    }

    decide(policy, scratch, facts, patient);
    emage_facts_free(facts);

    return 0;
}


static void
decide(const emage_policy_t *policy, emage_scratch_t *scratch,
    const emage_facts_t *facts, emage_str_t patient)
{
    unsigned          kind;
    emage_subject_t   subject;
    emage_verdict_t   v;

    static const char  withdrawn[] = "\"sharing\":\"withdrawn\"";

    memset(&subject, 0, sizeof(subject));

    subject.profession = emage_str("physician");
    subject.purpose = emage_str("TREAT");

    for (kind = 0; kind <= EMAGE_SUBJECT_SYSTEM; kind++) {
        subject.kind = (emage_subject_kind_t) kind;
        subject.id = emage_str("urn:people|1");
        subject.teams[0] = emage_str("urn:teams|radiology");
        subject.nteams = 1;

        if (emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW,
                         1790000000000, scratch, &v) != EMAGE_OK
            || v.errors != 0 || (v.permits & ~EMAGE_PERMIT_ALL) != 0)
        {
            abort();
        }

        if (kind != EMAGE_SUBJECT_PATIENT && v.permits != 0
            && patient.len > 0
            && memmem(patient.data, patient.len, withdrawn,
                      sizeof(withdrawn) - 1) != NULL
            && memmem(patient.data, patient.len, "\"active\"", 8) == NULL)
        {
            abort();
        }

        /* a name that no record can hold */

        subject.id = emage_str("nobody");
        subject.nteams = 0;

        if (emage_decide(policy, facts, &subject, EMAGE_ACTION_VIEW,
                         1790000000000, scratch, &v) != EMAGE_OK
            || v.permits != 0)
        {
            abort();
        }
    }
}
