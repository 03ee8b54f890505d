/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy check: a directory of policies as the gateway reads it.
 */


#include "tool_cases.h"

#include <string.h>


typedef struct {
    const char       *dir;
    bool              json;
    cedar_set_t      *set;
    tool_problems_t   problems;
    tool_cases_t      cases;
    emage_buf_t       failures;      /* as JSON */
    emage_buf_t       found;
} tool_check_t;


static int tool_check_run(int argc, char **argv);
static int tool_check_dir(tool_check_t *check);
static void tool_check_set(tool_check_t *check);
static bool tool_check_print(tool_check_t *check);
static bool tool_check_json(tool_check_t *check, const char *error);
static void tool_check_names(tool_check_t *check, const char *title,
    bool (*in)(const tool_check_t *check, size_t i));
static bool tool_check_idle(const tool_check_t *check, size_t i);
static bool tool_check_nameless(const tool_check_t *check, size_t i);


const tool_command_t  tool_check = {
    "check", tool_check_run,
    "usage: emage-policy check DIR [--json]\n"
    "\n"
    "Reads DIR/*.cedarschema (and *.cedarschema.json), DIR/*.cedar (and\n"
    "*.cedar.json), validates the policies against the schema, looks for\n"
    "policies without an @id of their own, permits without @basis, and\n"
    "policies that no request can ever meet, and runs the cases of\n"
    "DIR/*.case.json: the right decision for the wrong reason fails.\n"
    "Names policies that no case reaches, and those without the sentences\n"
    "that \"explain\" says (@label_en, @label_fr): these are no problems.\n"
    "\n"
    "exit status: 0 fine, 1 problems found, 2 wrong use or unreadable input\n"
};


static int
tool_check_run(int argc, char **argv)
{
    int            status;
    tool_check_t   check;
    tool_option_t  options[] = {
        { "--json", NULL, &check.json }
    };

    memset(&check, 0, sizeof(check));

    if (!tool_options(argc, argv, options, 1, &check.dir)) {
        return TOOL_USAGE;
    }

    if (check.dir == NULL) {
        fputs("emage-policy: check needs one directory; see --help\n",
              stderr);
        return TOOL_USAGE;
    }

    emage_buf_init(&check.found, TOOL_MAX_FILE);
    emage_buf_init(&check.failures, TOOL_MAX_FILE);
    check.problems.json = check.json ? &check.found : NULL;

    status = tool_check_dir(&check);

    tool_cases_free(&check.cases);
    cedar_set_destroy(check.set);
    emage_buf_free(&check.found);
    emage_buf_free(&check.failures);

    return status;
}


static int
tool_check_dir(tool_check_t *check)
{
    int            status;
    emage_error_t  err;

    check->set = tool_set_open(check->dir, &status, &err);

    if (check->set == NULL) {

        if (check->json && status == TOOL_FAILED) {
            return tool_check_json(check, err.text) ? status : TOOL_USAGE;
        }

        fprintf(stderr, "%s\n", err.text);
        return status;
    }

    if (!tool_cases_init(&check->cases, check->set,
                         check->json ? &check->failures : NULL))
    {
        return TOOL_USAGE;
    }

    tool_check_set(check);
    status = tool_cases_run(&check->cases, check->dir);

    if (status == TOOL_OK && check->problems.n != 0) {
        status = TOOL_FAILED;
    }

    if (status != TOOL_USAGE
        && !(check->json ? tool_check_json(check, NULL)
                         : tool_check_print(check)))
    {
        return TOOL_USAGE;
    }

    return status;
}


static void
tool_check_set(tool_check_t *check)
{
    if (!cedar_set_has_schema(check->set)) {
        tool_problem(&check->problems, check->dir, "no *.cedarschema in it, "
                     "so that nothing can be validated; add one");

    } else if (cedar_set_validate(check->set, tool_report, &check->problems)
               == EMAGE_NOMEM)
    {
        tool_problem(&check->problems, check->dir, "no memory to validate "
                     "with");
    }

    (void) cedar_set_lint(check->set, tool_report, &check->problems);
}


static bool
tool_check_print(tool_check_t *check)
{
    printf("%zu policies, %zu problem%s, %zu of %zu cases as expected, "
           "revision %.16s\n", cedar_policy_count(check->set),
           check->problems.n, check->problems.n == 1 ? "" : "s",
           check->cases.cases - check->cases.failed, check->cases.cases,
           cedar_set_digest(check->set));

    tool_check_names(check, "no case reaches ", tool_check_idle);
    tool_check_names(check, "without @label_en or @label_fr: ",
                     tool_check_nameless);

    return fflush(stdout) == 0;
}


static void
tool_check_names(tool_check_t *check, const char *title,
    bool (*in)(const tool_check_t *check, size_t i))
{
    size_t       i, n;
    emage_str_t  id;

    for (i = 0, n = 0; i < cedar_policy_count(check->set); i++) {
        id = cedar_policy_id(check->set, i);

        if (!in(check, i)) {
            continue;
        }

        if (check->json) {
            emage_buf_add_c(&check->found, (n == 0) ? "" : ",");
            emage_buf_add_json(&check->found, id);

        } else {
            printf("%s%.*s\n", title, (int) id.len, id.data);
        }

        n++;
    }
}


static bool
tool_check_idle(const tool_check_t *check, size_t i)
{
    return check->cases.cases != 0 && check->cases.reach[i].decided == 0;
}


static bool
tool_check_nameless(const tool_check_t *check, size_t i)
{
    emage_str_t  text;

    return !cedar_policy_annotation(check->set, i, emage_str("label_en"),
                                    &text)
           || !cedar_policy_annotation(check->set, i, emage_str("label_fr"),
                                       &text);
}


/* `error`: the policies could not be read at all. */

static bool
tool_check_json(tool_check_t *check, const char *error)
{
    bool         ok;
    emage_buf_t  problems;

    problems = check->found;
    emage_buf_init(&check->found, TOOL_MAX_FILE);

    emage_buf_add_c(&check->found, "{\"policies\":");
    emage_buf_add_int(&check->found, (error != NULL) ? 0
                      : (int64_t) cedar_policy_count(check->set));
    emage_buf_add_c(&check->found, ",\"revision\":");
    emage_buf_add_json(&check->found, emage_str_c(error != NULL ? ""
                       : cedar_set_digest(check->set)));
    emage_buf_add_c(&check->found, ",\"problems\":[");

    if (error != NULL) {
        emage_buf_add_c(&check->found, "{\"text\":");
        emage_buf_add_json(&check->found, emage_str_c(error));
        emage_buf_add_c(&check->found, "}");

    } else if (problems.len != 0) {
        emage_buf_add(&check->found, problems.data, problems.len);
    }

    emage_buf_add_c(&check->found, "],\"cases\":");
    emage_buf_add_int(&check->found, (int64_t) check->cases.cases);
    emage_buf_add_c(&check->found, ",\"failed\":[");

    if (check->failures.len != 0) {
        emage_buf_add(&check->found, check->failures.data,
                      check->failures.len);
    }

    emage_buf_add_c(&check->found, "],\"unreached\":[");

    if (error == NULL) {
        tool_check_names(check, NULL, tool_check_idle);
    }

    emage_buf_add_c(&check->found, "],\"nameless\":[");

    if (error == NULL) {
        tool_check_names(check, NULL, tool_check_nameless);
    }

    emage_buf_add_c(&check->found, "]}\n");

    ok = !problems.failed && !check->failures.failed
         && tool_write("check", &check->found);
    emage_buf_free(&problems);

    return ok;
}
