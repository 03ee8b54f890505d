/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy: checks, validates, converts and asks policies.  Each command
 * is a file of policy/tool.
 */


#include "../policy/tool/tool.h"

#include <string.h>


static int policy_help(const tool_command_t *c, FILE *out, int status);


static const tool_command_t *const  commands[] = {
    &tool_check,
    &tool_authorize,
    &tool_validate,
    &tool_format,
    &tool_to_json,
    &tool_from_json,
    &tool_link
};

#define POLICY_COMMANDS  (sizeof(commands) / sizeof(commands[0]))


int
main(int argc, char **argv)
{
    size_t  i;

    for (i = 0; argc > 1 && i < POLICY_COMMANDS; i++) {

        if (strcmp(argv[1], commands[i]->name) != 0) {
            continue;
        }

        if (argc > 2 && strcmp(argv[2], "--help") == 0) {
            return policy_help(commands[i], stdout, TOOL_OK);
        }

        return commands[i]->run(argc - 2, argv + 2);
    }

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        return policy_help(NULL, stdout, TOOL_OK);
    }

    if (argc > 1) {
        fprintf(stderr, "emage-policy: no such command: %s\n", argv[1]);
    }

    return policy_help(NULL, stderr, TOOL_USAGE);
}


static int
policy_help(const tool_command_t *c, FILE *out, int status)
{
    size_t  i;

    if (c != NULL) {
        fputs(c->help, out);
        return status;
    }

    fputs("usage: emage-policy ", out);

    for (i = 0; i < POLICY_COMMANDS; i++) {
        fprintf(out, "%s%s", (i == 0) ? "" : "|", commands[i]->name);
    }

    fputs(" ...\n\nemage-policy COMMAND --help tells more.\n", out);

    return status;
}
