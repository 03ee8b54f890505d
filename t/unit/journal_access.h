
/*
 * Copyright (C) The e-mage authors
 *
 * What the tests of the journal share: an access record with everything in it.
 */


#ifndef EMAGE_TEST_JOURNAL_H
#define EMAGE_TEST_JOURNAL_H


#include <emage_journal.h>

#include <string.h>


static const emage_str_t  reasons[] = {
    { "care-team-named", 15 }, { "sharing-active", 14 }
};

static emage_subject_t  subject;


static inline emage_str_t
str(const emage_buf_t *b)
{
    return (emage_str_t) { b->data, b->len };
}


static inline void
fill(emage_access_t *a, emage_access_type_t type)
{
    memset(a, 0, sizeof(*a));
    memset(&subject, 0, sizeof(subject));

    subject.kind = EMAGE_SUBJECT_PROFESSIONAL;
    subject.issuer = emage_str("psc");
    subject.id = emage_str("urn:oid:1.2.250.1.71.4.2.1|810101201234");
    subject.profession = emage_str("physician");
    subject.organisation = emage_str("urn:finess|750000001");
    subject.session = emage_str("0123456789abcdef0123456789abcdef");

    a->type = type;
    a->time = 1795508130123;
    a->decision_id = emage_str("4f1c3c1e8a9b4d5e6f708192a3b4c5d6");
    a->request_id = emage_str("9a8b7c6d5e4f3a2b1c0d");
    a->subject = &subject;
    a->purpose = emage_str("TREAT");
    a->action = emage_str("series");
    a->study = emage_str("1.2.840.113619.2.55.3.604688119.868.1249343483.504");
    a->series = emage_str("1.2.840.113619.2.55.3.604688119.868.1249343483.510");
    a->pid = emage_str("00112233445566778899aabbccddeeff");
    a->reasons = reasons;
    a->nreasons = 2;
    a->policy = emage_str("2f7d91c4a0b35e18");
    a->study_version = 3;
    a->patient_version = 7;
}


#endif /* EMAGE_TEST_JOURNAL_H */
