/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy check: a directory of policies as the gateway reads it.
 */


#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>


typedef struct {
    size_t       problems;           /* first, for tool_report */
    size_t       cases;
    size_t       failed;
    uint32_t    *used;               /* per policy: cases that it decided */
} tool_check_t;


static int tool_check_run(int argc, char **argv);
static void tool_check_set(const cedar_set_t *set, const char *dir,
    tool_check_t *check);
static int tool_run_cases(const cedar_set_t *set, const char *dir,
    tool_check_t *check);
static int tool_is_case(const struct dirent *entry);
static bool tool_run_file(const cedar_set_t *set, const char *path,
    tool_check_t *check);
static void tool_run_case(const cedar_set_t *set, const char *file,
    const cedar_case_t *c, tool_check_t *check);
static void tool_case_failed(const cedar_set_t *set, const char *file,
    const cedar_case_t *c, const cedar_result_t *r);


const tool_command_t  tool_check = {
    "check", tool_check_run,
    "usage: emage-policy check DIR\n"
    "\n"
    "Reads DIR/*.cedarschema and DIR/*.cedar, validates the policies\n"
    "against the schema, looks for policies without an @id of their\n"
    "own, permits without @basis, and policies that no request can ever\n"
    "meet, and runs the cases of DIR/*.case.json: the right\n"
    "decision for the wrong reason fails.\n"
    "\n"
    "exit status: 0 fine, 1 problems found, 2 wrong use\n"
};


static int
tool_check_run(int argc, char **argv)
{
    int              status;
    size_t           i;
    const char      *dir;
    emage_str_t      id;
    cedar_set_t     *set;
    tool_check_t     check;

    dir = NULL;
    memset(&check, 0, sizeof(check));

    if (!tool_options(argc, argv, NULL, 0, &dir)
        || dir == NULL)
    {
        fputs("emage-policy: check needs one directory; see --help\n",
              stderr);
        return TOOL_USAGE;
    }

    set = tool_set_load(dir, &status);
    if (set == NULL) {
        return status;
    }

    tool_check_set(set, dir, &check);

    check.used = calloc(cedar_policy_count(set) + 1, sizeof(uint32_t));
    status = (check.used == NULL) ? TOOL_USAGE
                                  : tool_run_cases(set, dir, &check);

    printf("%zu policies, %zu problem%s, %zu of %zu cases as expected, "
           "revision %.16s\n", cedar_policy_count(set), check.problems,
           check.problems == 1 ? "" : "s", check.cases - check.failed,
           check.cases, cedar_set_digest(set));

    for (i = 0; check.cases != 0 && i < cedar_policy_count(set); i++) {
        id = cedar_policy_id(set, i);

        if (check.used[i] == 0) {
            printf("no case reaches %.*s\n", (int) id.len, id.data);
        }
    }

    free(check.used);
    cedar_set_destroy(set);

    if (status == TOOL_OK && (check.problems != 0 || check.failed != 0)) {
        status = TOOL_FAILED;
    }

    return status;
}


static void
tool_check_set(const cedar_set_t *set, const char *dir,
    tool_check_t *check)
{
    if (!cedar_set_has_schema(set)) {
        fprintf(stderr, "%s: no *.cedarschema in it, so that nothing can be "
                "validated; add one\n", dir);
        check->problems++;

    } else if (cedar_set_validate(set, tool_report, &check->problems)
               == EMAGE_NOMEM)
    {
        fputs("emage-policy: no memory to validate with\n", stderr);
        check->problems++;
    }

    (void) cedar_set_lint(set, tool_report, &check->problems);
}


static int
tool_run_cases(const cedar_set_t *set, const char *dir,
    tool_check_t *check)
{
    int              i, n;
    bool             ok;
    char             path[4096];
    struct dirent  **list;

    n = scandir(dir, &list, tool_is_case, alphasort);

    if (n < 0) {
        fprintf(stderr, "emage-policy: %s: %s\n", dir, strerror(errno));
        return TOOL_USAGE;
    }

    for (i = 0, ok = true; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
        ok = ok && tool_run_file(set, path, check);
        free(list[i]);
    }

    free(list);

    return ok ? TOOL_OK : TOOL_USAGE;
}


static int
tool_is_case(const struct dirent *entry)
{
    size_t  len;

    len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 10
           && strcmp(entry->d_name + len - 10, ".case.json") == 0;
}


static bool
tool_run_file(const cedar_set_t *set, const char *path,
    tool_check_t *check)
{
    size_t          i;
    emage_rc_t      rc;
    emage_buf_t     b;
    emage_error_t   err;
    cedar_cases_t  *cases;

    if (!tool_read(path, &b)) {
        return false;
    }

    rc = cedar_cases_load(set, NULL, emage_str_c(tool_base(path)),
                          (emage_str_t) { b.data, b.len }, &cases, &err);
    emage_buf_free(&b);

    if (rc != EMAGE_OK) {
        fprintf(stderr, "%s\n", err.text);
        check->problems++;
        return rc == EMAGE_ERROR;
    }

    for (i = 0; i < cedar_cases_count(cases); i++) {
        tool_run_case(set, tool_base(path), cedar_cases_at(cases, i),
                        check);
    }

    cedar_cases_destroy(cases);

    return true;
}


static void
tool_run_case(const cedar_set_t *set, const char *file,
    const cedar_case_t *c, tool_check_t *check)
{
    uint32_t        i;
    cedar_result_t  r;

    check->cases++;

    if (!tool_decide(set, c, &r)) {
        fprintf(stderr, "%s: %.*s: cannot be decided: over a limit\n", file,
                (int) c->name.len, c->name.data);
        check->failed++;
        return;
    }

    for (i = 0; i < r.reason_n; i++) {
        check->used[r.reason[i]]++;
    }

    if (!c->expected) {
        fprintf(stderr, "%s: %.*s: says no decision; add \"decision\" and "
                "\"reason\"\n", file, (int) c->name.len, c->name.data);
        check->failed++;

    } else if (!cedar_case_agrees(set, c, &r)) {
        check->failed++;
        tool_case_failed(set, file, c, &r);
    }
}


static void
tool_case_failed(const cedar_set_t *set, const char *file,
    const cedar_case_t *c, const cedar_result_t *r)
{
    uint32_t     i;
    emage_buf_t  b;

    static char  scratch[65536] __attribute__((aligned(16)));

    emage_buf_init(&b, 65536);
    (void) cedar_result_json(set, r, &b);

    fprintf(stderr, "%s: %.*s: expected %s for", file, (int) c->name.len,
            c->name.data, (c->decision == CEDAR_ALLOW) ? "allow" : "deny");

    for (i = 0; i < c->reason_n; i++) {
        fprintf(stderr, " %.*s", (int) c->reason[i].len, c->reason[i].data);
    }

    fprintf(stderr, "%s, got %s\n", c->reason_n == 0 ? " no policy" : "",
            b.failed ? "?" : emage_buf_cstr(&b));
    emage_buf_free(&b);

    for (i = 0; i < r->errors_n; i++) {
        fprintf(stderr, "    %.*s: %s\n",
                (int) cedar_policy_id(set, r->errors[i]).len,
                cedar_policy_id(set, r->errors[i]).data,
                cedar_explain(set, r->errors[i], c->request, c->entities,
                              scratch, sizeof(scratch)));
    }
}
