/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy: checks, validates, converts and asks policies.  Each command
 * is a file of policy/tool; what that room may not know, Redis, is here.
 */


#include "../policy/tool/tool.h"
#include "emage_edit.h"

#include <string.h>


static emage_rc_t policy_records(const char *redis, const char *study,
    emage_buf_t *b, emage_error_t *err);
static int policy_help(const tool_command_t *c, FILE *out, int status);


static const tool_command_t *const  commands[] = {
    &tool_check,
    &tool_authorize,
    &tool_explain,
    &tool_test,
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

    tool_records_read = policy_records;

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


/* A read that needs neither ledger nor store. */

static emage_rc_t
policy_records(const char *redis, const char *study, emage_buf_t *b,
    emage_error_t *err)
{
    char                   pid[EMAGE_PID_LEN + 1];
    emage_rc_t             rc;
    emage_records_t       *rec;
    emage_records_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.redis = redis;
    conf.process = "emage-policy";
    pid[EMAGE_PID_LEN] = '\0';

    rc = emage_records_open(&conf, &rec, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_records_study_pid(rec, emage_str_c(study), pid, err);

    if (rc == EMAGE_OK) {
        rc = emage_records_show(rec, emage_str_c(pid), emage_str_c(study), b,
                                err);
    }

    emage_records_close(rec);

    return rc;
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
