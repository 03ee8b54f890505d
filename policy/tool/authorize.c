/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy authorize: requests answered.
 */


#include "tool.h"


static int tool_authorize_run(int argc, char **argv);
static int tool_ask(const cedar_set_t *set, const char *entities,
    const char *requests, bool validate);
static bool tool_conform(const cedar_set_t *set,
    const cedar_entities_t *entities, const char *entities_name,
    const cedar_cases_t *cases, const char *requests_name);
static int tool_answer(const cedar_set_t *set, const cedar_cases_t *cases);


const tool_command_t  tool_authorize = {
    "authorize", tool_authorize_run,
    "usage: emage-policy authorize --policies FILE --entities FILE\n"
    "           --requests FILE [--schema FILE [--validate-requests]]\n"
    "           [--links FILE]\n"
    "\n"
    "Answers each request of a JSON array of {principal, action,\n"
    "resource, context} with one line of JSON: decision, reason, errors.\n"
    "Policies are called policy0, policy1, ... unless they have an @id.\n"
    "--links: links of the templates among the policies, as \"link\" takes.\n"
    "--validate-requests: entities and requests must be as the schema says.\n"
    "\n"
    "exit status: 0 all answered, 2 wrong use or unreadable input\n"
};


static int
tool_authorize_run(int argc, char **argv)
{
    int             status;
    bool            validate;
    const char     *policies, *schema, *entities, *requests, *links;
    cedar_set_t    *set;
    tool_option_t   options[] = {
        { "--policies", &policies, NULL },
        { "--schema", &schema, NULL },
        { "--entities", &entities, NULL },
        { "--requests", &requests, NULL },
        { "--links", &links, NULL },
        { "--validate-requests", NULL, &validate }
    };

    policies = schema = entities = requests = links = NULL;
    validate = false;

    if (!tool_options(argc, argv, options, 6, NULL)
        || policies == NULL || entities == NULL || requests == NULL)
    {
        fputs("emage-policy: authorize needs --policies, --entities and "
              "--requests\n", stderr);
        return TOOL_USAGE;
    }

    if (validate && schema == NULL) {
        fputs("emage-policy: --validate-requests needs a --schema\n",
              stderr);
        return TOOL_USAGE;
    }

    set = tool_set_files(policies, schema, links);
    if (set == NULL) {
        return TOOL_USAGE;
    }

    status = tool_ask(set, entities, requests, validate);
    cedar_set_destroy(set);

    return status;
}


static int
tool_ask(const cedar_set_t *set, const char *entities, const char *requests,
    bool validate)
{
    int                status;
    emage_buf_t        b, q;
    emage_error_t      err;
    cedar_cases_t     *cases;
    cedar_entities_t  *ents;

    status = TOOL_USAGE;
    cases = NULL;
    ents = NULL;
    emage_buf_init(&b, 0);
    emage_buf_init(&q, 0);

    if (tool_read(entities, &b) && tool_read(requests, &q)) {

        if (cedar_entities_load(set, emage_str_c(tool_base(entities)),
                                (emage_str_t) { b.data, b.len }, &ents, &err)
            != EMAGE_OK
            || cedar_cases_load(set, ents, emage_str_c(tool_base(requests)),
                                (emage_str_t) { q.data, q.len }, &cases, &err)
               != EMAGE_OK)
        {
            fprintf(stderr, "%s\n", err.text);

        } else if (!validate
                   || tool_conform(set, ents, tool_base(entities), cases,
                                   tool_base(requests)))
        {
            status = tool_answer(set, cases);
        }
    }

    cedar_cases_destroy(cases);
    cedar_entities_destroy(ents);
    emage_buf_free(&b);
    emage_buf_free(&q);

    return status;
}


/* All are validated before the first is answered: no partial answer. */

static bool
tool_conform(const cedar_set_t *set, const cedar_entities_t *entities,
    const char *entities_name, const cedar_cases_t *cases,
    const char *requests_name)
{
    bool                 ok;
    size_t               i;
    emage_error_t        err;
    const cedar_case_t  *c;

    if (cedar_entities_validate(entities, &err) != EMAGE_OK) {
        fprintf(stderr, "%s: %s\n", entities_name, err.text);
        return false;
    }

    for (i = 0, ok = true; i < cedar_cases_count(cases); i++) {
        c = cedar_cases_at(cases, i);

        if ((c->entities != entities
             && cedar_entities_validate(c->entities, &err) != EMAGE_OK)
            || cedar_request_validate(set, c->request, c->entities, &err)
               != EMAGE_OK)
        {
            fprintf(stderr, "%s: request %zu, %s\n", requests_name, i,
                    err.text);
            ok = false;
        }
    }

    return ok;
}


static int
tool_answer(const cedar_set_t *set, const cedar_cases_t *cases)
{
    size_t           i, n;
    emage_buf_t      b;
    cedar_result_t   r;

    n = cedar_cases_count(cases);
    emage_buf_init(&b, TOOL_MAX_FILE);

    for (i = 0; i < n; i++) {
        emage_buf_reset(&b);

        if (!tool_decide(set, cedar_cases_at(cases, i), &r)) {
            fprintf(stderr, "emage-policy: request %zu cannot be decided: "
                    "over a limit\n", i);
            break;
        }

        if (cedar_result_json(set, &r, &b) != EMAGE_OK
            || fwrite(b.data, 1, b.len, stdout) != b.len
            || putchar('\n') == EOF)
        {
            break;
        }
    }

    emage_buf_free(&b);

    if (i != n || fflush(stdout) != 0) {
        fputs("emage-policy: not every request was answered\n", stderr);
        return TOOL_USAGE;
    }

    return TOOL_OK;
}
