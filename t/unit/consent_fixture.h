
/*
 * Copyright (C) The e-mage authors
 *
 * Records for tests: members as JSON text, each with a default.
 */


#ifndef EMAGE_CONSENT_FIXTURE_H
#define EMAGE_CONSENT_FIXTURE_H


#include <emage/consent.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define PID        "00112233445566778899aabbccddeeff"
#define STUDY      "1.2.3"
#define NOW        ((int64_t) 1790000000000)
#define HOUR       ((int64_t) 3600000)
#define DAY        (24 * HOUR)

#define ME         "urn:people|1"
#define TEAM       "urn:teams|radiology"
#define ORG        "urn:orgs|750000001"


typedef struct {
    const char  *reports;                    /* items */
    const char  *release;
    const char  *confidentiality;
    const char  *marks;                      /* the one that is true */
    const char  *state;
    const char  *quarantine;
    const char  *extra;                      /* further members */
    int64_t      published;

    const char  *identity;                   /* status */
    const char  *inclusion;
    const char  *sharing;
    int64_t      expires;
    const char  *relations;
    const char  *exclusions;
    bool         emergency_excluded;
    const char  *overrides;
    const char  *erasure;
} fixture_t;


static inline const char *
fixture_or(const char *value, const char *fallback)
{
    return (value == NULL) ? fallback : value;
}


static inline void
fixture_text(const fixture_t *f, char *study, char *patient, size_t size)
{
    const char  *mark;

    mark = fixture_or(f->marks, "");

    (void) snprintf(study, size,
        "{\"version\":3,\"study\":\"" STUDY "\",\"pid\":\"" PID "\","
        "\"sources\":[{\"org\":\"7\",\"issuer\":\"7\",\"id\":\"P\"}],"
        "\"revision\":\"r00000001-abcdef01\",\"published\":%lld,"
        "\"reports\":[%s],\"release\":\"%s\",\"confidentiality\":\"%s\","
        "\"marks\":{\"masked\":%s,\"hidden_patient\":%s,"
        "\"hidden_representatives\":%s},\"state\":\"%s\","
        "\"quarantine\":\"%s\"%s}",
        (long long) ((f->published == 0) ? NOW : f->published),
        fixture_or(f->reports, ""), fixture_or(f->release, "validated"),
        fixture_or(f->confidentiality, "N"),
        strcmp(mark, "masked") == 0 ? "true" : "false",
        strcmp(mark, "hidden_patient") == 0 ? "true" : "false",
        strcmp(mark, "hidden_representatives") == 0 ? "true" : "false",
        fixture_or(f->state, "active"), fixture_or(f->quarantine, ""),
        fixture_or(f->extra, ""));

    (void) snprintf(patient, size,
        "{\"version\":5,\"pid\":\"" PID "\","
        "\"identity\":{\"status\":\"%s\",\"identifiers\":"
        "[{\"issuer\":\"ins\",\"id\":\"42\"}]},"
        "\"consent\":{\"inclusion\":\"%s\",\"sharing\":\"%s\","
        "\"expires\":%lld,\"recorded\":{\"by\":\"\",\"how\":\"oral\","
        "\"text\":\"v1\",\"at\":1}},\"relations\":[%s],\"exclusions\":[%s],"
        "\"emergency_excluded\":%s,\"overrides\":[%s],\"tickets\":[],"
        "\"representatives\":[],\"erasure\":{\"requested\":0,"
        "\"state\":\"%s\"}}",
        fixture_or(f->identity, "local"), fixture_or(f->inclusion, "given"),
        fixture_or(f->sharing, "active"), (long long) f->expires,
        fixture_or(f->relations, ""), fixture_or(f->exclusions, ""),
        f->emergency_excluded ? "true" : "false",
        fixture_or(f->overrides, ""), fixture_or(f->erasure, "none"));
}


static inline emage_rc_t
fixture_parse(const fixture_t *f, emage_facts_t **facts, emage_error_t *err)
{
    char  study[16384], patient[16384];

    fixture_text(f, study, patient, sizeof(study));

    return emage_facts_parse(emage_str_c(study), emage_str_c(patient), facts,
                             err);
}


/* A relation running for an hour before and after NOW. */

#define RELATION(kind, subject)                                               \
    RELATION_FOR(kind, subject, "consultation", "", "1789996400000",          \
                 "1790003600000")

#define RELATION_FOR(kind, subject, basis, studies, from, until)              \
    RELATION_IN(kind, subject, basis, studies, "", "", from, until)

#define RELATION_IN(kind, subject, basis, studies, modalities, dates, from,   \
                    until)                                                    \
    "{\"id\":\"r1\",\"kind\":\"" kind "\",\"subject\":\"" subject "\","       \
    "\"studies\":[" studies "],\"modalities\":[" modalities "],"              \
    "\"dates\":[" dates "],\"basis\":\"" basis "\",\"by\":\"\","              \
    "\"from\":" from ",\"until\":" until "}"

#define OVERRIDE(subject, purpose, from, until)                               \
    "{\"subject\":\"" subject "\",\"purpose\":\"" purpose "\","               \
    "\"reason\":\"stroke\",\"from\":" from ",\"until\":" until "}"

#define OVERRIDE_NOW(purpose)                                                 \
    OVERRIDE(ME, purpose, "1789996400000", "1790003600000")

#define EXCLUSION(subject, from)                                              \
    "{\"subject\":\"" subject "\",\"from\":" from "}"

#define REPORT(instance, status)                                              \
    "{\"instance\":\"" instance "\",\"status\":\"" status "\"}"

#define REPORTS                                                               \
    REPORT("1.1", "none") "," REPORT("1.2", "preliminary") ","                \
    REPORT("1.3", "final") "," REPORT("1.4", "amended")


#endif /* EMAGE_CONSENT_FIXTURE_H */
