/*
 * Copyright (C) The e-mage authors
 *
 * The subcommands of emage-policy, and what they share.  This room reads
 * files and prints; what it prints is made in policy/cedar.
 */


#ifndef EMAGE_POLICY_TOOL_H
#define EMAGE_POLICY_TOOL_H


#include <emage/cedar.h>

#include <stdio.h>


#define TOOL_MAX_FILE  (32 * 1024 * 1024)
#define TOOL_SCRATCH   (4 * 1024 * 1024)

/* Exit statuses. */

#define TOOL_OK        0
#define TOOL_FAILED    1
#define TOOL_USAGE     2


/* A subcommand: its name, what it does, and what --help says of it. */

typedef struct {
    const char   *name;
    int         (*run)(int argc, char **argv);
    const char   *help;
} tool_command_t;

extern const tool_command_t  tool_check;
extern const tool_command_t  tool_authorize;
extern const tool_command_t  tool_explain;
extern const tool_command_t  tool_test;
extern const tool_command_t  tool_validate;
extern const tool_command_t  tool_format;
extern const tool_command_t  tool_to_json;
extern const tool_command_t  tool_from_json;
extern const tool_command_t  tool_link;


/* An option: with a value (a file), or a flag. */

typedef struct {
    const char   *name;
    const char  **value;
    bool         *flag;
} tool_option_t;

/*
 * Reads options, in any order, and one argument where `argument` is not NULL.
 * False: what is wrong was said.
 */

bool tool_options(int argc, char **argv, const tool_option_t *options,
    size_t n, const char **argument);

/* Reads a whole file; false: said why not.  The caller frees `b` if true. */

bool tool_read(const char *path, emage_buf_t *b);

/* The name behind the last slash. */

const char *tool_base(const char *path);

/* A finished set of files, the last two may be NULL; NULL: said why not. */

cedar_set_t *tool_set_files(const char *policies, const char *schema,
    const char *links);

/*
 * A finished set of the schemas and policies of a directory; NULL: `err` says
 * why not, and *status is TOOL_FAILED if something in it is wrong, TOOL_USAGE
 * if it could not be read.  tool_set_load says it itself.
 */

cedar_set_t *tool_set_open(const char *dir, int *status,
    emage_error_t *err);
cedar_set_t *tool_set_load(const char *dir);

/*
 * Reads a study's and its patient's records into `b` as "emage-consent show"
 * prints them; `redis` may be NULL.  This room knows no Redis: the program that
 * links it says how.
 */

typedef emage_rc_t (*tool_records_pt)(const char *redis, const char *study,
    emage_buf_t *b, emage_error_t *err);

extern tool_records_pt  tool_records_read;

/* Writes all of `b` to standard output, or says that it cannot. */

bool tool_write(const char *command, const emage_buf_t *b);

/*
 * Problems found: counted, and printed as compilers do, "file:line:col:
 * message", the line, and a caret under the column; or, with `json`, appended
 * to it as objects, parted by commas.  `data` of tool_report is a
 * tool_problems_t.
 */

typedef struct {
    size_t        n;
    emage_buf_t  *json;
} tool_problems_t;

void tool_report(void *data, const cedar_message_t *m);
void tool_problem(tool_problems_t *p, const char *file, const char *text);

/* Decides one case; false if a limit is met. */

bool tool_decide(const cedar_set_t *set, const cedar_case_t *c,
    cedar_result_t *r);


#endif /* EMAGE_POLICY_TOOL_H */
