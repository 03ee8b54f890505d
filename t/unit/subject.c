
/*
 * Copyright (C) The e-mage authors
 *
 * Subjects: names of kinds, packing and unpacking.
 */


#include <emage/subject.h>

#include <stdlib.h>
#include <string.h>

#include "tap.h"


static void subject_fill(emage_subject_t *subject);
static bool subject_same(const emage_subject_t *a, const emage_subject_t *b);
static void subject_damaged(const char *packed, size_t len);


static void
subject_fill(emage_subject_t *subject)
{
    memset(subject, 0, sizeof(emage_subject_t));

    subject->kind = EMAGE_SUBJECT_PROFESSIONAL;
    subject->issuer = emage_str("psc");
    subject->id = emage_str("urn:oid:1.2.250.1.71.4.2.1|810101201234");
    subject->profession = emage_str("physician");
    subject->organisation = emage_str("urn:x|750000001");
    subject->purpose = emage_str("TREAT");
    subject->session = emage_str("00112233445566778899aabbccddeeff");
    subject->teams[0] = emage_str("urn:x|team-1");
    subject->teams[1] = emage_str("urn:x|team-2");
    subject->nteams = 2;
    subject->expires = 1790000000123;
}


static bool
subject_same(const emage_subject_t *a, const emage_subject_t *b)
{
    uint32_t  i;

    if (a->kind != b->kind || a->expires != b->expires
        || a->nteams != b->nteams
        || !emage_str_eq(a->issuer, b->issuer)
        || !emage_str_eq(a->id, b->id)
        || !emage_str_eq(a->profession, b->profession)
        || !emage_str_eq(a->organisation, b->organisation)
        || !emage_str_eq(a->purpose, b->purpose)
        || !emage_str_eq(a->acr, b->acr)
        || !emage_str_eq(a->session, b->session))
    {
        return false;
    }

    for (i = 0; i < a->nteams; i++) {
        if (!emage_str_eq(a->teams[i], b->teams[i])) {
            return false;
        }
    }

    return true;
}


/*
 * Every shorter length, and every byte changed: refused or read within bounds.
 * The copy is allocated exactly, so that a sanitizer sees any step outside.
 */

static void
subject_damaged(const char *packed, size_t len)
{
    char             *p;
    bool              ok;
    size_t            i;
    emage_subject_t   out;

    ok = true;

    for (i = 0; i < len; i++) {
        p = malloc(i + 1);
        memcpy(p, packed, i);

        if (emage_subject_unpack(p, i, &out) == EMAGE_OK
            || out.kind != EMAGE_SUBJECT_NONE)
        {
            ok = false;
        }

        free(p);
    }

    tap_ok(ok, "every shorter length is refused and names nobody");

    ok = true;

    for (i = 0; i < len; i++) {
        p = malloc(len);
        memcpy(p, packed, len);
        p[i] = (char) 0xff;

        if (emage_subject_unpack(p, len, &out) != EMAGE_OK
            && out.kind != EMAGE_SUBJECT_NONE)
        {
            ok = false;
        }

        free(p);
    }

    tap_ok(ok, "every byte changed: a refusal names nobody");
}


int
main(void)
{
    char             packed[EMAGE_SUBJECT_MAX], *big;
    size_t           len;
    emage_subject_t  subject, out;

    tap_ok(emage_subject_kind_parse(emage_str("patient"))
           == EMAGE_SUBJECT_PATIENT, "a kind by name");
    tap_ok(emage_subject_kind_parse(emage_str("patien"))
           == EMAGE_SUBJECT_NONE, "a prefix is no kind");
    tap_ok(emage_subject_kind_parse(emage_str("none")) == EMAGE_SUBJECT_NONE
           && emage_subject_kind_parse(emage_null_str) == EMAGE_SUBJECT_NONE,
           "none and the empty name are nobody");
    tap_ok(emage_str_eq(emage_subject_kind_name(EMAGE_SUBJECT_SYSTEM),
                        emage_str("system"))
           && emage_str_eq(emage_subject_kind_name(99), emage_str("none")),
           "name of a kind");

    subject_fill(&subject);

    len = emage_subject_pack(&subject, packed, sizeof(packed));
    tap_ok(len > 0, "packs");
    tap_ok(emage_subject_unpack(packed, len, &out) == EMAGE_OK
           && subject_same(&subject, &out), "unpacks the same");

    tap_ok(emage_subject_pack(&subject, packed, len) == len
           && emage_subject_pack(&subject, packed, len - 1) == 0
           && emage_subject_pack(&subject, packed, 0) == 0,
           "packs into exactly its length and into no less");

    (void) emage_subject_pack(&subject, packed, sizeof(packed));
    subject_damaged(packed, len);

    packed[len] = 0;
    tap_ok(emage_subject_unpack(packed, len + 1, &out) == EMAGE_ERROR,
           "bytes behind the end are refused");

    memset(&subject, 0, sizeof(subject));
    len = emage_subject_pack(&subject, packed, sizeof(packed));
    tap_ok(len > 0 && emage_subject_unpack(packed, len, &out) == EMAGE_OK
           && out.kind == EMAGE_SUBJECT_NONE, "nobody packs as nobody");

    subject_fill(&subject);
    subject.nteams = EMAGE_SUBJECT_TEAMS_MAX + 1;
    tap_ok(emage_subject_pack(&subject, packed, sizeof(packed)) == 0,
           "too many teams do not pack");

    subject_fill(&subject);
    big = calloc(1, 2 * EMAGE_SUBJECT_MAX);
    subject.id.data = big;
    subject.id.len = 2 * EMAGE_SUBJECT_MAX;
    tap_ok(emage_subject_pack(&subject, packed, sizeof(packed)) == 0,
           "a string over the limit does not pack");
    free(big);

    return tap_done();
}
