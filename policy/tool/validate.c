/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy validate: Cedar's strict validation.
 */


#include "tool.h"


static int tool_validate_run(int argc, char **argv);


const tool_command_t  tool_validate = {
    "validate", tool_validate_run,
    "usage: emage-policy validate --policies FILE --schema FILE\n"
    "           [--links FILE] [--json]\n"
    "\n"
    "Validates policies against a schema, as Cedar does in strict mode.\n"
    "\n"
    "exit status: 0 valid, 1 not valid, 2 wrong use or unreadable input\n"
};


static int
tool_validate_run(int argc, char **argv)
{
    int               status;
    emage_rc_t        rc;
    bool              json;
    const char       *policies, *schema, *links;
    emage_buf_t       out;
    cedar_set_t      *set;
    tool_problems_t   problems;
    tool_option_t     options[] = {
        { "--policies", &policies, NULL },
        { "--schema", &schema, NULL },
        { "--links", &links, NULL },
        { "--json", NULL, &json }
    };

    policies = schema = links = NULL;
    json = false;

    if (!tool_options(argc, argv, options, 4, NULL)) {
        return TOOL_USAGE;
    }

    if (policies == NULL || schema == NULL) {
        fputs("emage-policy: validate needs --policies and --schema\n",
              stderr);
        return TOOL_USAGE;
    }

    set = tool_set_files(policies, schema, links);
    if (set == NULL) {
        return TOOL_USAGE;
    }

    emage_buf_init(&out, TOOL_MAX_FILE);
    problems.n = 0;
    problems.json = json ? &out : NULL;
    emage_buf_add_c(&out, json ? "{\"problems\":[" : "");

    rc = cedar_set_validate(set, tool_report, &problems);
    cedar_set_destroy(set);

    status = (rc == EMAGE_OK) ? TOOL_OK : TOOL_FAILED;

    if (rc == EMAGE_NOMEM) {
        fputs("emage-policy: no memory to validate with\n", stderr);
        status = TOOL_USAGE;

    } else if (json) {
        emage_buf_add_c(&out, (rc == EMAGE_OK) ? "],\"valid\":true}\n"
                                               : "],\"valid\":false}\n");
        status = tool_write("validate", &out) ? status : TOOL_USAGE;
    }

    emage_buf_free(&out);

    return status;
}
