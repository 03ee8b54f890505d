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
    "           [--links FILE]\n"
    "\n"
    "Validates policies against a schema, as Cedar does in strict mode.\n"
    "\n"
    "exit status: 0 valid, 1 not valid, 2 wrong use or unreadable input\n"
};


static int
tool_validate_run(int argc, char **argv)
{
    emage_rc_t        rc;
    const char       *policies, *schema, *links;
    cedar_set_t      *set;
    tool_option_t     options[] = {
        { "--policies", &policies, NULL },
        { "--schema", &schema, NULL },
        { "--links", &links, NULL }
    };

    policies = schema = links = NULL;

    if (!tool_options(argc, argv, options, 3, NULL)
        || policies == NULL || schema == NULL)
    {
        fputs("emage-policy: validate needs --policies and --schema\n",
              stderr);
        return TOOL_USAGE;
    }

    set = tool_set_files(policies, schema, links);
    if (set == NULL) {
        return TOOL_USAGE;
    }

    rc = cedar_set_validate(set, tool_report, NULL);
    cedar_set_destroy(set);

    if (rc == EMAGE_NOMEM) {
        fputs("emage-policy: no memory to validate with\n", stderr);
        return TOOL_USAGE;
    }

    return (rc == EMAGE_OK) ? TOOL_OK : TOOL_FAILED;
}
