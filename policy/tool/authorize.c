/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy authorize: requests answered.
 */


#include "tool.h"


static int tool_authorize_run(int argc, char **argv);
static int tool_answer(const cedar_set_t *set, const cedar_cases_t *cases);


const tool_command_t  tool_authorize = {
    "authorize", tool_authorize_run,
    "usage: emage-policy authorize --policies FILE --entities FILE\n"
    "           --requests FILE [--schema FILE]\n"
    "\n"
    "Answers each request of a JSON array of {principal, action,\n"
    "resource, context} with one line of JSON: decision, reason, errors.\n"
    "Policies are called policy0, policy1, ... unless they have an @id.\n"
    "\n"
    "exit status: 0 all answered, 2 wrong use or unreadable input\n"
};


static int
tool_authorize_run(int argc, char **argv)
{
    int                status;
    const char        *policies, *schema, *entities, *requests;
    emage_buf_t        b, q;
    cedar_set_t       *set;
    emage_error_t      err;
    cedar_cases_t     *cases;
    cedar_entities_t  *ents;
    tool_option_t      options[] = {
        { "--policies", &policies, NULL },
        { "--schema", &schema, NULL },
        { "--entities", &entities, NULL },
        { "--requests", &requests, NULL }
    };

    policies = schema = entities = requests = NULL;

    if (!tool_options(argc, argv, options, 4, NULL)
        || policies == NULL || entities == NULL || requests == NULL)
    {
        fputs("emage-policy: authorize needs --policies, --entities and "
              "--requests\n", stderr);
        return TOOL_USAGE;
    }

    status = TOOL_USAGE;
    cases = NULL;
    ents = NULL;
    emage_buf_init(&b, 0);
    emage_buf_init(&q, 0);

    set = tool_set_files(policies, schema);

    if (set != NULL && tool_read(entities, &b) && tool_read(requests, &q))
    {
        if (cedar_entities_load(set, emage_str_c(tool_base(entities)),
                                (emage_str_t) { b.data, b.len }, &ents, &err)
            != EMAGE_OK
            || cedar_cases_load(set, ents, emage_str_c(tool_base(requests)),
                                (emage_str_t) { q.data, q.len }, &cases, &err)
               != EMAGE_OK)
        {
            fprintf(stderr, "%s\n", err.text);

        } else {
            status = tool_answer(set, cases);
        }
    }

    cedar_cases_destroy(cases);
    cedar_entities_destroy(ents);
    cedar_set_destroy(set);
    emage_buf_free(&b);
    emage_buf_free(&q);

    return status;
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
