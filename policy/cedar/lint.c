/*
 * Copyright (C) The e-mage authors
 *
 * e-mage's own rules for policies, beyond what Cedar demands.
 */


#include "cedar_check.h"
#include "cedar_print.h"


static bool cedar_lint_text(const cedar_policy_t *p, emage_str_t key,
    emage_str_t *text);
static bool cedar_lint_twin(const cedar_set_t *set, const cedar_policy_t *p,
    emage_str_t id);
static bool cedar_lint_policy(const cedar_set_t *set,
    const cedar_policy_t *p, cedar_report_pt report, void *data);


/* Text of an annotation that is there and not empty. */

static bool
cedar_lint_text(const cedar_policy_t *p, emage_str_t key, emage_str_t *text)
{
    uint32_t  i;

    for (i = 0; i < p->annotations_n; i++) {
        if (emage_str_eq(p->annotations[i].key, key)) {
            *text = p->annotations[i].value;
            return text->len != 0;
        }
    }

    return false;
}


/* Does an earlier policy or template have the same @id? */

static bool
cedar_lint_twin(const cedar_set_t *set, const cedar_policy_t *p,
    emage_str_t id)
{
    uint32_t               i, k;
    emage_str_t            other;
    const cedar_policy_t  *q;

    i = k = 0;

    while ((q = cedar_statement_next(set, &i, &k)) != NULL && q != p) {
        if (cedar_lint_text(q, emage_str("id"), &other)
            && emage_str_eq(id, other))
        {
            return true;
        }
    }

    return false;
}


static bool
cedar_lint_policy(const cedar_set_t *set, const cedar_policy_t *p,
    cedar_report_pt report, void *data)
{
    bool         ok;
    emage_str_t  id, basis;

    ok = true;

    if (!cedar_lint_text(p, emage_str("id"), &id)) {
        cedar_report(set, p, p->pos, "this policy has no name; add "
                     "@id(\"...\")", report, data);
        ok = false;

    } else if (cedar_lint_twin(set, p, id)) {
        cedar_report(set, p, p->pos, "another policy has the same @id; give "
                     "this one its own", report, data);
        ok = false;
    }

    if (p->effect == CEDAR_PERMIT
        && !cedar_lint_text(p, emage_str("basis"), &basis))
    {
        cedar_report(set, p, p->pos, "this permit does not say what law it "
                     "rests on; add @basis(\"...\")", report, data);
        ok = false;
    }

    if (set->has_schema && cedar_policy_impossible(set, p)) {
        cedar_report(set, p, p->pos, "no request can ever meet this policy: "
                     "it is false for every action, principal and resource "
                     "of the schema; correct its condition or remove it",
                     report, data);
        ok = false;
    }

    return ok;
}


/* Links are their template's: what is wrong with them is said once, there. */

emage_rc_t
cedar_set_lint(const cedar_set_t *set, cedar_report_pt report, void *data)
{
    uint32_t               i, k;
    emage_rc_t             rc;
    const cedar_policy_t  *p;

    if (!set->finished) {
        return EMAGE_ERROR;
    }

    rc = EMAGE_OK;
    i = k = 0;

    while ((p = cedar_statement_next(set, &i, &k)) != NULL) {
        if (!cedar_lint_policy(set, p, report, data)) {
            rc = EMAGE_ERROR;
        }
    }

    return rc;
}
