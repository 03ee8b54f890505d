
/*
 * Copyright (C) The e-mage authors
 *
 * Loading the policy: validated, linted, and over the schema that this code
 * fills.
 */


#include "policy_core.h"

#include <stdlib.h>
#include <string.h>


typedef struct {
    emage_error_t  *err;
    unsigned        n;
} emage_policy_report_t;


/*
 * Validates only if the schema has every attribute that requests carry, of the
 * type they carry: it is loaded beside the directory's schema, and thrown away.
 */

static const char  emage_policy_probe[] =
    "@id(\"probe\") permit (\n"
    "    principal is Emage::Professional,\n"
    "    action == Emage::Action::\"view\",\n"
    "    resource is Emage::Study\n"
    ") when {\n"
    "    principal.profession == \"\" && resource.confidentiality == \"\"\n"
    "    && resource.state == \"\" && resource.masked\n"
    "    && resource.hiddenPatient && resource.hiddenRepresentatives\n"
    "    && resource.quarantined && resource.released\n"
    "    && context.content == \"\" && context.status == \"\"\n"
    "    && context.purpose == \"\" && context.relation == \"\"\n"
    "    && context.override == \"\" && context.excluded\n"
    "    && context.inclusion == \"\" && context.sharing == \"\"\n"
    "    && context.emergencyExcluded && context.erasure == \"\"\n"
    "};\n"
    "@id(\"probe-kinds\") permit (principal, action, resource) when {\n"
    "    principal is Emage::Patient || principal is Emage::Representative\n"
    "    || principal is Emage::Support || principal is Emage::Officer\n"
    "    || principal is Emage::System\n"
    "};\n";


static emage_rc_t emage_policy_fill(emage_policy_t *policy, const char *dir,
    emage_error_t *err);
static emage_rc_t emage_policy_check_schema(const char *dir,
    emage_error_t *err);
static void emage_policy_symbols(cedar_set_t *set, emage_symbols_t *sym);
static emage_rc_t emage_policy_annotations(emage_policy_t *policy,
    emage_error_t *err);
static void emage_policy_report(void *data, const cedar_message_t *m);


emage_rc_t
emage_policy_load(const char *dir, emage_policy_t **out, emage_error_t *err)
{
    emage_rc_t       rc;
    emage_policy_t  *policy;

    *out = NULL;

    policy = calloc(1, sizeof(emage_policy_t));
    if (policy == NULL) {
        emage_error_set(err, "%s: out of memory", dir);
        return EMAGE_NOMEM;
    }

    rc = emage_policy_fill(policy, dir, err);

    if (rc == EMAGE_OK) {
        rc = emage_policy_check_schema(dir, err);
    }

    if (rc != EMAGE_OK) {
        emage_policy_free(policy);
        return rc;
    }

    *out = policy;

    return EMAGE_OK;
}


void
emage_policy_free(emage_policy_t *policy)
{
    if (policy == NULL) {
        return;
    }

    cedar_set_destroy(policy->set);
    free(policy->override);
    free(policy);
}


emage_str_t
emage_policy_revision(const emage_policy_t *policy)
{
    return emage_str_c(cedar_set_digest(policy->set));
}


const cedar_set_t *
emage_policy_set(const emage_policy_t *policy)
{
    return policy->set;
}


static emage_rc_t
emage_policy_fill(emage_policy_t *policy, const char *dir,
    emage_error_t *err)
{
    emage_rc_t              rc;
    cedar_options_t         options;
    emage_policy_report_t   report;

    memset(&options, 0, sizeof(cedar_options_t));
    options.id_annotations = true;

    rc = cedar_set_create(&policy->set, &options, err);

    if (rc == EMAGE_OK) {
        rc = cedar_set_add_directory(policy->set, dir, err);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    emage_policy_symbols(policy->set, &policy->sym);

    rc = cedar_set_finish(policy->set, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!cedar_set_has_schema(policy->set)) {
        emage_error_set(err, "%s: has no *.cedarschema: copy the one that "
                        "e-mage ships", dir);
        return EMAGE_ERROR;
    }

    report.err = err;
    report.n = 0;

    rc = cedar_set_validate(policy->set, emage_policy_report, &report);

    if (rc == EMAGE_OK) {
        rc = cedar_set_lint(policy->set, emage_policy_report, &report);
    }

    if (rc != EMAGE_OK) {

        if (report.n == 0) {
            emage_error_set(err, "%s: cannot be validated: out of memory",
                            dir);
        }

        return rc;
    }

    return emage_policy_annotations(policy, err);
}


static void
emage_policy_report(void *data, const cedar_message_t *m)
{
    emage_policy_report_t  *report = data;

    report->n++;

    if (report->n > 1) {
        return;
    }

    emage_error_set(report->err, "%.*s:%u:%u: %s", (int) m->file.len,
                    m->file.data, m->line, m->column, m->text);
}


static emage_rc_t
emage_policy_check_schema(const char *dir, emage_error_t *err)
{
    emage_rc_t              rc;
    cedar_set_t            *set;
    cedar_options_t         options;
    emage_error_t           why;
    emage_policy_report_t   report;

    memset(&options, 0, sizeof(cedar_options_t));

    /* policies of the directory keep numbers here: no id can meet the probe */

    rc = cedar_set_create(&set, &options, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = cedar_set_add_directory(set, dir, err);

    if (rc == EMAGE_OK) {
        rc = cedar_set_add_policies(set, emage_str("probe"),
                                    emage_str_c(emage_policy_probe), err);
    }

    if (rc == EMAGE_OK) {
        rc = cedar_set_finish(set, err);
    }

    if (rc == EMAGE_OK) {
        report.err = &why;
        report.n = 0;
        why.text[0] = '\0';

        rc = cedar_set_validate(set, emage_policy_report, &report);

        if (rc != EMAGE_OK) {
            emage_error_set(err, "%s: the schema is not the one that this "
                            "version fills (%.200s): copy the one that it "
                            "ships", dir, why.text);
        }
    }

    cedar_set_destroy(set);

    return rc;
}


static void
emage_policy_symbols(cedar_set_t *set, emage_symbols_t *sym)
{
    size_t  i;

    static const emage_str_t  kinds[] = {
        emage_str(""), emage_str("Emage::Professional"),
        emage_str("Emage::Patient"), emage_str("Emage::Representative"),
        emage_str("Emage::Support"), emage_str("Emage::Officer"),
        emage_str("Emage::System")
    };

    for (i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        sym->kinds[i] = cedar_set_symbol(set, kinds[i]);
    }

    sym->action = cedar_set_symbol(set, emage_str("Emage::Action"));
    sym->study = cedar_set_symbol(set, emage_str("Emage::Study"));

    sym->profession = cedar_set_symbol(set, emage_str("profession"));

    sym->confidentiality = cedar_set_symbol(set,
                                            emage_str("confidentiality"));
    sym->state = cedar_set_symbol(set, emage_str("state"));
    sym->masked = cedar_set_symbol(set, emage_str("masked"));
    sym->hidden_patient = cedar_set_symbol(set, emage_str("hiddenPatient"));
    sym->hidden_representatives =
                    cedar_set_symbol(set, emage_str("hiddenRepresentatives"));
    sym->quarantined = cedar_set_symbol(set, emage_str("quarantined"));
    sym->released = cedar_set_symbol(set, emage_str("released"));

    sym->content = cedar_set_symbol(set, emage_str("content"));
    sym->status = cedar_set_symbol(set, emage_str("status"));
    sym->purpose = cedar_set_symbol(set, emage_str("purpose"));
    sym->relation = cedar_set_symbol(set, emage_str("relation"));
    sym->override = cedar_set_symbol(set, emage_str("override"));
    sym->excluded = cedar_set_symbol(set, emage_str("excluded"));
    sym->inclusion = cedar_set_symbol(set, emage_str("inclusion"));
    sym->sharing = cedar_set_symbol(set, emage_str("sharing"));
    sym->emergency_excluded =
                         cedar_set_symbol(set, emage_str("emergencyExcluded"));
    sym->erasure = cedar_set_symbol(set, emage_str("erasure"));
}


/* Which policies permit by the purpose of an override. */

static emage_rc_t
emage_policy_annotations(emage_policy_t *policy, emage_error_t *err)
{
    size_t       i, n;
    emage_str_t  value;

    n = cedar_policy_count(policy->set);

    policy->override = calloc(n + 1, sizeof(bool));
    if (policy->override == NULL) {
        emage_error_set(err, "policy: out of memory");
        return EMAGE_NOMEM;
    }

    for (i = 0; i < n; i++) {
        policy->override[i] = cedar_policy_annotation(policy->set, i,
                                                      emage_str("purpose"),
                                                      &value)
                              && emage_str_eq(value, emage_str("override"));
    }

    return EMAGE_OK;
}


emage_scratch_t *
emage_scratch_create(const emage_policy_t *policy)
{
    emage_scratch_t  *scratch;

    scratch = calloc(1, sizeof(emage_scratch_t));
    if (scratch == NULL) {
        return NULL;
    }

    scratch->policy = policy;
    scratch->request = cedar_request_create(policy->set, scratch->block,
                                            sizeof(scratch->block));

    if (scratch->request == NULL) {
        free(scratch);
        return NULL;
    }

    return scratch;
}


void
emage_scratch_free(emage_scratch_t *scratch)
{
    free(scratch);
}
