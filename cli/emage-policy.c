/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy: checks, validates and asks policies.
 */


#include <emage/cedar.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define POLICY_MAX_FILE   (32 * 1024 * 1024)
#define POLICY_SCRATCH    (4 * 1024 * 1024)

/* Exit statuses. */

#define POLICY_OK         0
#define POLICY_FAILED     1
#define POLICY_USAGE      2


typedef int (*policy_command_pt)(int argc, char **argv);

typedef struct {
    const char         *name;
    policy_command_pt   run;
    const char         *help;
} policy_command_t;

typedef struct {
    const char   *name;
    const char  **value;
} policy_option_t;

typedef struct {
    size_t       problems;
    size_t       cases;
    size_t       failed;
    uint32_t    *used;               /* per policy: cases that it decided */
} policy_check_t;


static int policy_check(int argc, char **argv);
static int policy_authorize(int argc, char **argv);
static int policy_validate(int argc, char **argv);
static int policy_help(const policy_command_t *c, FILE *out, int status);
static int policy_options(int argc, char **argv, policy_option_t *options,
    size_t n, const char **argument);
static bool policy_read(const char *path, emage_buf_t *b);
static cedar_set_t *policy_set_files(const char *policies,
    const char *schema);
static cedar_set_t *policy_set_load(const char *dir, int *status);
static void policy_check_set(const cedar_set_t *set, const char *dir,
    policy_check_t *check);
static const char *policy_base(const char *path);
static bool policy_add(cedar_set_t *set, const char *path, bool schema,
    emage_error_t *err);
static void policy_report(void *data, const cedar_message_t *m);
static bool policy_decide(const cedar_set_t *set, const cedar_case_t *c,
    cedar_result_t *r);
static int policy_answer(const cedar_set_t *set, const cedar_cases_t *cases);
static int policy_run_cases(const cedar_set_t *set, const char *dir,
    policy_check_t *check);
static int policy_is_case(const struct dirent *entry);
static bool policy_run_file(const cedar_set_t *set, const char *path,
    policy_check_t *check);
static void policy_run_case(const cedar_set_t *set, const char *file,
    const cedar_case_t *c, policy_check_t *check);
static void policy_case_failed(const cedar_set_t *set, const char *file,
    const cedar_case_t *c, const cedar_result_t *r);


static const policy_command_t  commands[] = {
    { "check", policy_check,
      "usage: emage-policy check DIR\n"
      "\n"
      "Reads DIR/*.cedarschema and DIR/*.cedar, validates the policies\n"
      "against the schema, looks for policies without @id and permits\n"
      "without @basis, and runs the cases of DIR/*.case.json: the right\n"
      "decision for the wrong reason fails.\n"
      "\n"
      "exit status: 0 fine, 1 problems found, 2 wrong use\n" },

    { "authorize", policy_authorize,
      "usage: emage-policy authorize --policies FILE --entities FILE\n"
      "           --requests FILE [--schema FILE]\n"
      "\n"
      "Answers each request of a JSON array of {principal, action,\n"
      "resource, context} with one line of JSON: decision, reason, errors.\n"
      "Policies are called policy0, policy1, ... unless they have an @id.\n"
      "\n"
      "exit status: 0 all answered, 2 wrong use or unreadable input\n" },

    { "validate", policy_validate,
      "usage: emage-policy validate --policies FILE --schema FILE\n"
      "\n"
      "Validates policies against a schema, as Cedar does in strict mode.\n"
      "\n"
      "exit status: 0 valid, 1 not valid, 2 wrong use or unreadable input\n"
    }
};

#define POLICY_COMMANDS  (sizeof(commands) / sizeof(commands[0]))


int
main(int argc, char **argv)
{
    size_t  i;

    for (i = 0; argc > 1 && i < POLICY_COMMANDS; i++) {

        if (strcmp(argv[1], commands[i].name) != 0) {
            continue;
        }

        if (argc > 2 && strcmp(argv[2], "--help") == 0) {
            return policy_help(&commands[i], stdout, POLICY_OK);
        }

        return commands[i].run(argc - 2, argv + 2);
    }

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        return policy_help(NULL, stdout, POLICY_OK);
    }

    if (argc > 1) {
        fprintf(stderr, "emage-policy: no such command: %s\n", argv[1]);
    }

    return policy_help(NULL, stderr, POLICY_USAGE);
}


static int
policy_help(const policy_command_t *c, FILE *out, int status)
{
    fputs((c != NULL) ? c->help
          : "usage: emage-policy check|authorize|validate ...\n"
            "\n"
            "emage-policy COMMAND --help tells more.\n", out);

    return status;
}


/* Reads --name VALUE pairs, and one argument where `argument` is not NULL. */

static int
policy_options(int argc, char **argv, policy_option_t *options, size_t n,
    const char **argument)
{
    int     i;
    size_t  k;

    for (i = 0; i < argc; i++) {

        for (k = 0; k < n; k++) {
            if (strcmp(argv[i], options[k].name) == 0) {
                break;
            }
        }

        if (k < n && i + 1 < argc && *options[k].value == NULL) {
            *options[k].value = argv[++i];

        } else if (k < n) {
            fprintf(stderr, "emage-policy: give %s once, with a file\n",
                    options[k].name);
            return POLICY_USAGE;

        } else if (argument != NULL && *argument == NULL
                   && argv[i][0] != '-')
        {
            *argument = argv[i];

        } else {
            fprintf(stderr, "emage-policy: do not know what to do with "
                    "\"%s\"; see --help\n", argv[i]);
            return POLICY_USAGE;
        }
    }

    return POLICY_OK;
}


static bool
policy_read(const char *path, emage_buf_t *b)
{
    emage_error_t  err;

    emage_buf_init(b, POLICY_MAX_FILE);

    if (cedar_file_load(path, b, &err) != EMAGE_OK) {
        fprintf(stderr, "emage-policy: %s\n", err.text);
        emage_buf_free(b);
        return false;
    }

    return true;
}


static const char *
policy_base(const char *path)
{
    const char  *slash;

    slash = strrchr(path, '/');

    return (slash == NULL) ? path : slash + 1;
}


static bool
policy_add(cedar_set_t *set, const char *path, bool schema,
    emage_error_t *err)
{
    emage_rc_t   rc;
    emage_buf_t  b;
    emage_str_t  name, text;

    emage_buf_init(&b, POLICY_MAX_FILE);
    rc = cedar_file_load(path, &b, err);

    if (rc == EMAGE_OK) {
        name = emage_str_c(policy_base(path));
        text = (emage_str_t) { (b.len == 0) ? "" : b.data, b.len };

        rc = schema ? cedar_set_add_schema(set, name, text, err)
                    : cedar_set_add_policies(set, name, text, err);
    }

    emage_buf_free(&b);

    return rc == EMAGE_OK;
}


/* The line and a caret under the column, as compilers do. */

static void
policy_report(void *data, const cedar_message_t *m)
{
    uint32_t         i;
    policy_check_t  *check;

    check = data;
    check->problems++;

    fprintf(stderr, "%.*s:%u:%u: %s\n", (int) m->file.len, m->file.data,
            m->line, m->column, m->text);

    if (m->source.len == 0 || m->source.len > 200) {
        return;
    }

    fprintf(stderr, "    %.*s\n    ", (int) m->source.len, m->source.data);

    for (i = 0; i + 1 < m->column; i++) {
        putc((m->source.data[i] == '\t') ? '\t' : ' ', stderr);
    }

    fputs("^\n", stderr);
}


/* A finished set from two files, `schema` may be NULL; NULL: told why not. */

static cedar_set_t *
policy_set_files(const char *policies, const char *schema)
{
    cedar_set_t    *set;
    emage_error_t   err;

    err.text[0] = '\0';

    if (cedar_set_create(&set, &(cedar_options_t) { 0, true }, &err)
        == EMAGE_OK
        && (schema == NULL || policy_add(set, schema, true, &err))
        && policy_add(set, policies, false, &err)
        && cedar_set_finish(set, &err) == EMAGE_OK)
    {
        return set;
    }

    fprintf(stderr, "%s\n", err.text);
    cedar_set_destroy(set);

    return NULL;
}


static int
policy_validate(int argc, char **argv)
{
    emage_rc_t        rc;
    const char       *policies, *schema;
    cedar_set_t      *set;
    policy_check_t    check;
    policy_option_t   options[] = {
        { "--policies", &policies },
        { "--schema", &schema }
    };

    policies = schema = NULL;

    if (policy_options(argc, argv, options, 2, NULL) != POLICY_OK
        || policies == NULL || schema == NULL)
    {
        fputs("emage-policy: validate needs --policies and --schema\n",
              stderr);
        return POLICY_USAGE;
    }

    set = policy_set_files(policies, schema);
    if (set == NULL) {
        return POLICY_USAGE;
    }

    memset(&check, 0, sizeof(check));
    rc = cedar_set_validate(set, policy_report, &check);
    cedar_set_destroy(set);

    if (rc == EMAGE_NOMEM) {
        fputs("emage-policy: no memory to validate with\n", stderr);
        return POLICY_USAGE;
    }

    return (rc == EMAGE_OK) ? POLICY_OK : POLICY_FAILED;
}


static bool
policy_decide(const cedar_set_t *set, const cedar_case_t *c,
    cedar_result_t *r)
{
    static char  scratch[POLICY_SCRATCH] __attribute__((aligned(16)));

    return cedar_decide(set, c->request, c->entities, scratch,
                        sizeof(scratch), r) == EMAGE_OK;
}


static int
policy_answer(const cedar_set_t *set, const cedar_cases_t *cases)
{
    size_t           i, n;
    emage_buf_t      b;
    cedar_result_t   r;

    n = cedar_cases_count(cases);
    emage_buf_init(&b, POLICY_MAX_FILE);

    for (i = 0; i < n; i++) {
        emage_buf_reset(&b);

        if (!policy_decide(set, cedar_cases_at(cases, i), &r)) {
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
        return POLICY_USAGE;
    }

    return POLICY_OK;
}


static int
policy_authorize(int argc, char **argv)
{
    int                status;
    const char        *policies, *schema, *entities, *requests;
    emage_buf_t        b, q;
    cedar_set_t       *set;
    emage_error_t      err;
    cedar_cases_t     *cases;
    cedar_entities_t  *ents;
    policy_option_t    options[] = {
        { "--policies", &policies },
        { "--schema", &schema },
        { "--entities", &entities },
        { "--requests", &requests }
    };

    policies = schema = entities = requests = NULL;

    if (policy_options(argc, argv, options, 4, NULL) != POLICY_OK
        || policies == NULL || entities == NULL || requests == NULL)
    {
        fputs("emage-policy: authorize needs --policies, --entities and "
              "--requests\n", stderr);
        return POLICY_USAGE;
    }

    status = POLICY_USAGE;
    cases = NULL;
    ents = NULL;
    emage_buf_init(&b, 0);
    emage_buf_init(&q, 0);

    set = policy_set_files(policies, schema);

    if (set != NULL && policy_read(entities, &b) && policy_read(requests, &q))
    {
        if (cedar_entities_load(set, emage_str_c(policy_base(entities)),
                                (emage_str_t) { b.data, b.len }, &ents, &err)
            != EMAGE_OK
            || cedar_cases_load(set, ents, emage_str_c(policy_base(requests)),
                                (emage_str_t) { q.data, q.len }, &cases, &err)
               != EMAGE_OK)
        {
            fprintf(stderr, "%s\n", err.text);

        } else {
            status = policy_answer(set, cases);
        }
    }

    cedar_cases_destroy(cases);
    cedar_entities_destroy(ents);
    cedar_set_destroy(set);
    emage_buf_free(&b);
    emage_buf_free(&q);

    return status;
}


/* A finished set from DIR; NULL: *status says what is wrong. */

static cedar_set_t *
policy_set_load(const char *dir, int *status)
{
    emage_rc_t      rc;
    cedar_set_t    *set;
    emage_error_t   err;

    *status = POLICY_USAGE;
    err.text[0] = '\0';

    rc = cedar_set_create(&set, &(cedar_options_t) { 0, true }, &err);

    if (rc == EMAGE_OK) {
        rc = cedar_set_add_directory(set, dir, &err);
    }

    if (rc == EMAGE_OK) {
        rc = cedar_set_finish(set, &err);
    }

    if (rc == EMAGE_OK) {
        return set;
    }

    fprintf(stderr, "%s\n", err.text);
    *status = (rc == EMAGE_ERROR) ? POLICY_FAILED : POLICY_USAGE;
    cedar_set_destroy(set);

    return NULL;
}


static int
policy_check(int argc, char **argv)
{
    int              status;
    size_t           i;
    const char      *dir;
    emage_str_t      id;
    cedar_set_t     *set;
    policy_check_t   check;

    dir = NULL;
    memset(&check, 0, sizeof(check));

    if (policy_options(argc, argv, NULL, 0, &dir) != POLICY_OK
        || dir == NULL)
    {
        fputs("emage-policy: check needs one directory; see --help\n",
              stderr);
        return POLICY_USAGE;
    }

    set = policy_set_load(dir, &status);
    if (set == NULL) {
        return status;
    }

    policy_check_set(set, dir, &check);

    check.used = calloc(cedar_policy_count(set) + 1, sizeof(uint32_t));
    status = (check.used == NULL) ? POLICY_USAGE
                                  : policy_run_cases(set, dir, &check);

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

    if (status == POLICY_OK && (check.problems != 0 || check.failed != 0)) {
        status = POLICY_FAILED;
    }

    return status;
}


static void
policy_check_set(const cedar_set_t *set, const char *dir,
    policy_check_t *check)
{
    if (!cedar_set_has_schema(set)) {
        fprintf(stderr, "%s: no *.cedarschema in it, so that nothing can be "
                "validated; add one\n", dir);
        check->problems++;

    } else if (cedar_set_validate(set, policy_report, check) == EMAGE_NOMEM) {
        fputs("emage-policy: no memory to validate with\n", stderr);
        check->problems++;
    }

    (void) cedar_set_lint(set, policy_report, check);
}


static int
policy_run_cases(const cedar_set_t *set, const char *dir,
    policy_check_t *check)
{
    int              i, n;
    bool             ok;
    char             path[4096];
    struct dirent  **list;

    n = scandir(dir, &list, policy_is_case, alphasort);

    if (n < 0) {
        fprintf(stderr, "emage-policy: %s: %s\n", dir, strerror(errno));
        return POLICY_USAGE;
    }

    for (i = 0, ok = true; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
        ok = ok && policy_run_file(set, path, check);
        free(list[i]);
    }

    free(list);

    return ok ? POLICY_OK : POLICY_USAGE;
}


static int
policy_is_case(const struct dirent *entry)
{
    size_t  len;

    len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 10
           && strcmp(entry->d_name + len - 10, ".case.json") == 0;
}


static bool
policy_run_file(const cedar_set_t *set, const char *path,
    policy_check_t *check)
{
    size_t          i;
    emage_rc_t      rc;
    emage_buf_t     b;
    emage_error_t   err;
    cedar_cases_t  *cases;

    if (!policy_read(path, &b)) {
        return false;
    }

    rc = cedar_cases_load(set, NULL, emage_str_c(policy_base(path)),
                          (emage_str_t) { b.data, b.len }, &cases, &err);
    emage_buf_free(&b);

    if (rc != EMAGE_OK) {
        fprintf(stderr, "%s\n", err.text);
        check->problems++;
        return rc == EMAGE_ERROR;
    }

    for (i = 0; i < cedar_cases_count(cases); i++) {
        policy_run_case(set, policy_base(path), cedar_cases_at(cases, i),
                        check);
    }

    cedar_cases_destroy(cases);

    return true;
}


static void
policy_run_case(const cedar_set_t *set, const char *file,
    const cedar_case_t *c, policy_check_t *check)
{
    uint32_t        i;
    cedar_result_t  r;

    check->cases++;

    if (!policy_decide(set, c, &r)) {
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
        policy_case_failed(set, file, c, &r);
    }
}


static void
policy_case_failed(const cedar_set_t *set, const char *file,
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
