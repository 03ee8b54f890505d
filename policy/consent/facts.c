
/*
 * Copyright (C) The e-mage authors
 *
 * What facts tell to those who hold them.
 */


#include "facts_core.h"


emage_str_t
emage_facts_study(const emage_facts_t *facts)
{
    return facts->study;
}


emage_str_t
emage_facts_pid(const emage_facts_t *facts)
{
    return facts->pid;
}


emage_str_t
emage_facts_revision(const emage_facts_t *facts)
{
    return facts->revision;
}


int64_t
emage_facts_study_version(const emage_facts_t *facts)
{
    return facts->study_version;
}


int64_t
emage_facts_patient_version(const emage_facts_t *facts)
{
    return facts->patient_version;
}


size_t
emage_facts_size(const emage_facts_t *facts)
{
    return facts->size;
}


unsigned
emage_facts_need(const emage_facts_t *facts, emage_class_t cls,
    emage_str_t sop_instance)
{
    int       rc;
    uint32_t  low, high, mid;

    if (cls == EMAGE_CLASS_IMAGE) {
        return EMAGE_PERMIT_IMAGE;
    }

    if (cls == EMAGE_CLASS_EVIDENCE) {
        return EMAGE_PERMIT_EVIDENCE;
    }

    if (cls != EMAGE_CLASS_REPORT) {
        return EMAGE_PERMIT_NEVER;
    }

    low = 0;
    high = facts->nreports;

    while (low < high) {
        mid = low + (high - low) / 2;

        rc = emage_str_cmp(sop_instance, facts->reports[mid].instance);

        if (rc == 0) {
            return EMAGE_PERMIT_REPORT_NONE << facts->reports[mid].status;
        }

        if (rc < 0) {
            high = mid;

        } else {
            low = mid + 1;
        }
    }

    return EMAGE_PERMIT_REPORT_NONE;
}
