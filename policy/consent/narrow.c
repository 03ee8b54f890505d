
/*
 * Copyright (C) The e-mage authors
 *
 * What a patient's record says about one subject now: of all relations,
 * exclusions and overrides, those that name this subject and are running.
 */


#include "facts_core.h"


static bool emage_period_running(const emage_period_t *period, int64_t now,
    int64_t *until);
static bool emage_subject_in(const emage_subject_t *subject,
    emage_str_t name);
static void emage_narrow_relation(const emage_facts_t *facts,
    const emage_subject_t *subject, int64_t now, emage_narrow_t *out);
static void emage_narrow_override(const emage_facts_t *facts,
    const emage_subject_t *subject, int64_t now, emage_narrow_t *out);
static void emage_narrow_sharing(const emage_facts_t *facts, int64_t now,
    emage_narrow_t *out);


void
emage_narrow(const emage_facts_t *facts, const emage_subject_t *subject,
    int64_t now, emage_narrow_t *out)
{
    uint32_t  i;
    int64_t   at;

    out->relation = EMAGE_RELATION_NONE;
    out->override = EMAGE_OVERRIDE_NONE;
    out->excluded = false;
    out->until = EMAGE_UNTIL_NEVER;

    emage_narrow_sharing(facts, now, out);
    emage_narrow_relation(facts, subject, now, out);
    emage_narrow_override(facts, subject, now, out);

    for (i = 0; i < facts->nexclusions; i++) {
        if (emage_subject_in(subject, facts->exclusions[i].subject)
            && emage_period_running(&facts->exclusions[i], now, &out->until))
        {
            out->excluded = true;
        }
    }

    out->released = facts->at_once || facts->reported;

    if (!out->released) {
        at = facts->published + EMAGE_RELEASE_AFTER;

        if (now >= at) {
            out->released = true;

        } else if (at < out->until) {
            out->until = at;
        }
    }
}


/* Whether `now` lies in the period; lowers `until` to its next border. */

static bool
emage_period_running(const emage_period_t *period, int64_t now,
    int64_t *until)
{
    if (period->until != 0 && now >= period->until) {
        return false;
    }

    if (now < period->from) {

        if (period->from < *until) {
            *until = period->from;
        }

        return false;
    }

    if (period->until != 0 && period->until < *until) {
        *until = period->until;
    }

    return true;
}


/* A professional himself, his organisation, or one of his teams. */

static bool
emage_subject_in(const emage_subject_t *subject, emage_str_t name)
{
    uint32_t  i;

    if (emage_str_eq(subject->id, name)
        || emage_str_eq(subject->organisation, name))
    {
        return true;
    }

    for (i = 0; i < subject->nteams; i++) {
        if (emage_str_eq(subject->teams[i], name)) {
            return true;
        }
    }

    return false;
}


static void
emage_narrow_sharing(const emage_facts_t *facts, int64_t now,
    emage_narrow_t *out)
{
    out->sharing = facts->sharing;

    if (facts->sharing != EMAGE_SHARING_ACTIVE || facts->expires == 0) {
        return;
    }

    if (now >= facts->expires) {
        out->sharing = EMAGE_SHARING_EXPIRED;

    } else if (facts->expires < out->until) {
        out->until = facts->expires;
    }
}


static void
emage_narrow_relation(const emage_facts_t *facts,
    const emage_subject_t *subject, int64_t now, emage_narrow_t *out)
{
    bool                   names;
    uint32_t               i, j;
    const emage_period_t  *r;

    if (facts->quarantined) {

        /* nobody is known to be related to a patient who is not known */

        return;
    }

    if (subject->kind == EMAGE_SUBJECT_PATIENT) {

        for (i = 0; i < facts->nidentifiers; i++) {
            if (emage_str_eq(subject->id, facts->identifiers[i])) {
                out->relation = EMAGE_RELATION_SELF;
            }
        }

        return;
    }

    if (subject->kind != EMAGE_SUBJECT_PROFESSIONAL) {
        return;
    }

    for (i = 0; i < facts->nrelations; i++) {
        r = &facts->relations[i];
        names = false;

        switch (r->value) {

        case EMAGE_RELATION_NAMED:
        case EMAGE_RELATION_OPINION:
            names = emage_str_eq(subject->id, r->subject);
            break;

        case EMAGE_RELATION_ORGANISATION:
            names = emage_str_eq(subject->organisation, r->subject);
            break;

        case EMAGE_RELATION_TEAM:

            for (j = 0; j < subject->nteams && !names; j++) {
                names = emage_str_eq(subject->teams[j], r->subject);
            }

            break;
        }

        if (names && emage_period_running(r, now, &out->until)
            && r->value < (uint32_t) out->relation)
        {
            out->relation = (emage_relation_t) r->value;
        }
    }
}


/* An override is personal. */

static void
emage_narrow_override(const emage_facts_t *facts,
    const emage_subject_t *subject, int64_t now, emage_narrow_t *out)
{
    uint32_t  i;

    if (subject->kind != EMAGE_SUBJECT_PROFESSIONAL) {
        return;
    }

    for (i = 0; i < facts->noverrides; i++) {
        if (emage_str_eq(subject->id, facts->overrides[i].subject)
            && emage_period_running(&facts->overrides[i], now, &out->until)
            && out->override == EMAGE_OVERRIDE_NONE)
        {
            out->override = (emage_override_t) facts->overrides[i].value;
        }
    }
}
