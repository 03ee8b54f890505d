
/*
 * Copyright (C) The e-mage authors
 *
 * The restrictive meet of two documents of one record.  A restriction that was
 * never finished may have been prepared from a version that is no longer the
 * current one; putting its document in place would undo what came between.
 * Instead both are kept: what either of them takes away is gone.
 */


#include "records_json.h"

#include <string.h>


static bool emage_meet_word(json_t *doc, const json_t *with,
    const char *name, const char *const *order);
static bool emage_meet_or(json_t *doc, const json_t *with, const char *name);
static bool emage_meet_both(json_t *doc, const json_t *with,
    const char *name, const char *a, const char *b);
static bool emage_meet_either(json_t *doc, const json_t *with,
    const char *name);
static bool emage_meet_least(json_t *doc, const json_t *with,
    const char *name);
static const json_t *emage_meet_find(const json_t *list, const json_t *item,
    const char *a, const char *b);
static bool emage_meet_patient(json_t *doc, const json_t *with);
static bool emage_meet_consent(json_t *doc, const json_t *with);
static bool emage_meet_relations(json_t *doc, const json_t *with);
static bool emage_meet_study(json_t *doc, const json_t *with);


/* From the least to the most restrictive. */

static const char *const  emage_order_inclusion[] = {
    "given", "none", "refused", NULL
};

static const char *const  emage_order_sharing[] = {
    "active", "none", "refused", "withdrawn", NULL
};

static const char *const  emage_order_identity[] = {
    "QUAL", "local", "quarantined", NULL
};

static const char *const  emage_order_erasure[] = {
    "none", "requested", "purging", NULL
};

static const char *const  emage_order_release[] = {
    "at-once", "validated", NULL
};

static const char *const  emage_order_confidentiality[] = {
    "N", "R", "V", NULL
};

static const char *const  emage_order_state[] = {
    "active", "restricted", "erasing", NULL
};

static const char *const  emage_order_status[] = {
    "amended", "final", "preliminary", "none", NULL
};


emage_rc_t
emage_document_meet(emage_record_kind_t kind, json_t *doc,
    const json_t *with)
{
    bool  ok;

    ok = (kind == EMAGE_RECORD_STUDY) ? emage_meet_study(doc, with)
                                      : emage_meet_patient(doc, with);

    return ok ? EMAGE_OK : EMAGE_NOMEM;
}


/* The word that stands later in `order`; unknown words stay as they are. */

static bool
emage_meet_word(json_t *doc, const json_t *with, const char *name,
    const char *const *order)
{
    int          i, mine, theirs;
    emage_str_t  word;

    mine = -1;
    theirs = -1;

    for (i = 0; order[i] != NULL; i++) {
        word = emage_str_c(order[i]);

        if (emage_str_eq(emage_json_str(doc, name), word)) {
            mine = i;
        }

        if (emage_str_eq(emage_json_str(with, name), word)) {
            theirs = i;
        }
    }

    if (theirs <= mine) {
        return true;
    }

    return json_object_set(doc, name, json_object_get(with, name)) == 0;
}


static bool
emage_meet_or(json_t *doc, const json_t *with, const char *name)
{
    if (!json_is_true(json_object_get(with, name))) {
        return true;
    }

    return json_object_set_new(doc, name, json_true()) == 0;
}


static const json_t *
emage_meet_find(const json_t *list, const json_t *item, const char *a,
    const char *b)
{
    size_t         i;
    const json_t  *other;

    for (i = 0; i < json_array_size(list); i++) {
        other = json_array_get(list, i);

        if (a == NULL) {
            if (json_equal(other, item)) {
                return other;
            }

            continue;
        }

        if (json_equal(json_object_get(other, a), json_object_get(item, a))
            && (b == NULL || json_equal(json_object_get(other, b),
                                        json_object_get(item, b))))
        {
            return other;
        }
    }

    return NULL;
}


/* A list of what is granted: only what both have, by members `a` and `b`. */

static bool
emage_meet_both(json_t *doc, const json_t *with, const char *name,
    const char *a, const char *b)
{
    size_t         i;
    json_t        *list;
    const json_t  *theirs;

    list = json_object_get(doc, name);
    theirs = json_object_get(with, name);

    for (i = json_array_size(list); i > 0; i--) {
        if (emage_meet_find(theirs, json_array_get(list, i - 1), a, b) == NULL
            && json_array_remove(list, i - 1) != 0)
        {
            return false;
        }
    }

    return true;
}


/* A list of what is taken away: what either has. */

static bool
emage_meet_either(json_t *doc, const json_t *with, const char *name)
{
    size_t   i;
    json_t  *list, *theirs, *item;

    list = json_object_get(doc, name);
    theirs = json_object_get(with, name);

    for (i = 0; i < json_array_size(theirs); i++) {
        item = json_array_get(theirs, i);

        if (emage_meet_find(list, item, NULL, NULL) == NULL
            && json_array_append(list, item) != 0)
        {
            return false;
        }
    }

    return true;
}


/* An end: the earlier of two, where 0 means none. */

static bool
emage_meet_least(json_t *doc, const json_t *with, const char *name)
{
    int64_t  mine, theirs;

    mine = emage_json_int(doc, name);
    theirs = emage_json_int(with, name);

    if (theirs == 0 || (mine != 0 && mine <= theirs)) {
        return true;
    }

    return json_object_set_new(doc, name, json_integer(theirs)) == 0;
}


static bool
emage_meet_patient(json_t *doc, const json_t *with)
{
    return emage_meet_word(json_object_get(doc, "identity"),
                           json_object_get(with, "identity"), "status",
                           emage_order_identity)
           && emage_meet_consent(json_object_get(doc, "consent"),
                                 json_object_get(with, "consent"))
           && emage_meet_relations(doc, with)
           && emage_meet_either(doc, with, "exclusions")
           && emage_meet_or(doc, with, "emergency_excluded")
           && emage_meet_both(doc, with, "overrides", "subject", "from")
           && emage_meet_both(doc, with, "tickets", NULL, NULL)
           && emage_meet_both(doc, with, "representatives", NULL, NULL)
           && emage_meet_word(json_object_get(doc, "erasure"),
                              json_object_get(with, "erasure"), "state",
                              emage_order_erasure)
           && emage_meet_least(json_object_get(doc, "erasure"),
                               json_object_get(with, "erasure"),
                               "requested");
}


static bool
emage_meet_consent(json_t *doc, const json_t *with)
{
    bool          ok;
    emage_str_t   before;

    before = emage_json_str(doc, "sharing");

    ok = json_object_set_new(doc, "was", json_stringn(before.data,
                                                      before.len)) == 0
         && emage_meet_word(doc, with, "inclusion", emage_order_inclusion)
         && emage_meet_word(doc, with, "sharing", emage_order_sharing)
         && emage_meet_least(doc, with, "expires");

    /* who took it back, and how, is told with it */

    if (ok && !json_equal(json_object_get(doc, "was"),
                          json_object_get(doc, "sharing")))
    {
        ok = json_object_set(doc, "recorded",
                             json_object_get(with, "recorded")) == 0;
    }

    (void) json_object_del(doc, "was");

    return ok;
}


static bool
emage_meet_relations(json_t *doc, const json_t *with)
{
    size_t         i;
    json_t        *list;
    const json_t  *other;

    if (!emage_meet_both(doc, with, "relations", "id", NULL)) {
        return false;
    }

    list = json_object_get(doc, "relations");

    for (i = 0; i < json_array_size(list); i++) {
        other = emage_meet_find(json_object_get(with, "relations"),
                                json_array_get(list, i), "id", NULL);

        if (other == NULL
            || !emage_meet_least(json_array_get(list, i), other, "until"))
        {
            return false;
        }
    }

    return true;
}


static bool
emage_meet_study(json_t *doc, const json_t *with)
{
    size_t         i;
    json_t        *marks, *list;
    const json_t  *theirs, *other;

    marks = json_object_get(doc, "marks");
    theirs = json_object_get(with, "marks");

    if (!emage_meet_word(doc, with, "release", emage_order_release)
        || !emage_meet_word(doc, with, "confidentiality",
                            emage_order_confidentiality)
        || !emage_meet_word(doc, with, "state", emage_order_state)
        || !emage_meet_or(marks, theirs, "masked")
        || !emage_meet_or(marks, theirs, "hidden_patient")
        || !emage_meet_or(marks, theirs, "hidden_representatives")
        || !emage_meet_both(doc, with, "reports", "instance", NULL))
    {
        return false;
    }

    if (emage_json_str(doc, "quarantine").len == 0
        && json_object_set(doc, "quarantine",
                           json_object_get(with, "quarantine")) != 0)
    {
        return false;
    }

    list = json_object_get(doc, "reports");

    for (i = 0; i < json_array_size(list); i++) {
        other = emage_meet_find(json_object_get(with, "reports"),
                                json_array_get(list, i), "instance", NULL);

        if (other == NULL
            || !emage_meet_word(json_array_get(list, i), other, "status",
                                emage_order_status))
        {
            return false;
        }
    }

    return true;
}
