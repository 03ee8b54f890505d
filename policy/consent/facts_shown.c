
/*
 * Copyright (C) The e-mage authors
 *
 * Facts from what "emage-consent show" prints: recorded records.
 */


#include "facts_json.h"

#include <stdlib.h>
#include <string.h>


static const json_t *emage_shown_study(const json_t *root,
    emage_str_t study, emage_error_t *err);
static emage_rc_t emage_shown_facts(const json_t *study,
    const json_t *patient, emage_facts_t **out, emage_error_t *err);


emage_rc_t
emage_facts_shown(emage_str_t text, emage_str_t study, emage_facts_t **out,
    emage_error_t *err)
{
    json_t        *root;
    emage_rc_t     rc;
    json_error_t   why;
    const json_t  *record;

    *out = NULL;

    root = json_loadb(text.data == NULL ? "" : text.data, text.len,
                      JSON_REJECT_DUPLICATES, &why);

    if (!json_is_object(json_object_get(root, "patient"))
        || !json_is_array(json_object_get(root, "studies")))
    {
        emage_error_set(err, "not records: %s; give what \"emage-consent "
                        "show\" prints", root == NULL ? why.text
                        : "\"patient\" or \"studies\" is missing");
        json_decref(root);
        return EMAGE_ERROR;
    }

    record = emage_shown_study(root, study, err);

    rc = (record == NULL) ? EMAGE_NOTFOUND
         : emage_shown_facts(record, json_object_get(root, "patient"), out,
                             err);
    json_decref(root);

    return rc;
}


/* The study that is meant: an empty name means the only one. */

static const json_t *
emage_shown_study(const json_t *root, emage_str_t study, emage_error_t *err)
{
    size_t         i, n;
    const json_t  *list, *item;

    list = json_object_get(root, "studies");
    n = json_array_size(list);

    if (study.len == 0 && n == 1) {
        return json_array_get(list, 0);
    }

    for (i = 0; i < n && study.len != 0; i++) {
        item = json_array_get(list, i);

        if (emage_str_eq(emage_string(item, "study"), study)) {
            return item;
        }
    }

    if (study.len == 0) {
        emage_error_set(err, "the records hold %zu studies: name one", n);

    } else {
        emage_error_set(err, "the records hold no study %.*s",
                        (int) (study.len > 64 ? 64 : study.len), study.data);
    }

    return NULL;
}


static emage_rc_t
emage_shown_facts(const json_t *study, const json_t *patient,
    emage_facts_t **out, emage_error_t *err)
{
    char        *s, *p;
    emage_rc_t   rc;

    s = json_dumps(study, JSON_COMPACT);
    p = json_dumps(patient, JSON_COMPACT);

    if (s == NULL || p == NULL) {
        emage_error_set(err, "records: out of memory");
        rc = EMAGE_NOMEM;

    } else {
        rc = emage_facts_parse(emage_str_c(s), emage_str_c(p), out, err);
    }

    free(s);
    free(p);

    return rc;
}
