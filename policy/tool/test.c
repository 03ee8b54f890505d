/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy test: the cases beside the policies, and their coverage.
 */


#include "tool_cases.h"

#include <string.h>


typedef struct {
    const char       *dir;
    bool              json;
    bool              coverage;
    tool_cases_t      cases;
    tool_coverage_t   total;
    emage_buf_t       failures;      /* as JSON */
    emage_buf_t       missing;
} tool_test_t;


static int tool_test_run(int argc, char **argv);
static int tool_test_dir(tool_test_t *t, const cedar_set_t *set);
static void tool_test_text(const tool_test_t *t, emage_buf_t *out);
static void tool_test_json(const tool_test_t *t, emage_buf_t *out);
static void tool_counts(emage_buf_t *out, const char *a, size_t n,
    const char *b, size_t m, const char *c);
static bool tool_covered(const tool_test_t *t);


const tool_command_t  tool_test = {
    "test", tool_test_run,
    "usage: emage-policy test DIR [--coverage] [--json]\n"
    "\n"
    "Runs the cases of DIR/*.case.json against the policies of DIR.  A case\n"
    "is {\"name\", \"request\", \"entities\", \"decision\", \"reason\",\n"
    "\"errors\"}; the right decision for the wrong reason fails.\n"
    "\n"
    "--coverage: every policy must apply in some case and not in another,\n"
    "and every condition (each when and unless, and each part of its rows\n"
    "of && and ||) must be reached as true and as false; names those that\n"
    "are not.\n"
    "\n"
    "exit status: 0 all as expected (and covered), 1 not, 2 wrong use or\n"
    "unreadable input\n"
};


static int
tool_test_run(int argc, char **argv)
{
    int             status;
    tool_test_t     t;
    cedar_set_t    *set;
    tool_option_t   options[] = {
        { "--coverage", NULL, &t.coverage },
        { "--json", NULL, &t.json }
    };

    memset(&t, 0, sizeof(t));

    if (!tool_options(argc, argv, options, 2, &t.dir)) {
        return TOOL_USAGE;
    }

    if (t.dir == NULL) {
        fputs("emage-policy: test needs one directory; see --help\n",
              stderr);
        return TOOL_USAGE;
    }

    set = tool_set_load(t.dir);
    if (set == NULL) {
        return TOOL_USAGE;
    }

    emage_buf_init(&t.failures, TOOL_MAX_FILE);
    emage_buf_init(&t.missing, TOOL_MAX_FILE);

    status = tool_test_dir(&t, set);

    tool_cases_free(&t.cases);
    emage_buf_free(&t.failures);
    emage_buf_free(&t.missing);
    cedar_set_destroy(set);

    return status;
}


static int
tool_test_dir(tool_test_t *t, const cedar_set_t *set)
{
    int          status;
    emage_buf_t  out;

    if (!tool_cases_init(&t->cases, set, t->json ? &t->failures : NULL)) {
        return TOOL_USAGE;
    }

    status = tool_cases_run(&t->cases, t->dir);

    if (status == TOOL_USAGE) {
        return status;
    }

    if (t->cases.cases == 0) {
        fprintf(stderr, "emage-policy: %s: no case in *.case.json; add "
                "some\n", t->dir);
        return TOOL_USAGE;
    }

    if (t->coverage) {
        tool_coverage(&t->cases, t->json, &t->missing, &t->total);

        if (!tool_covered(t)) {
            status = TOOL_FAILED;
        }
    }

    emage_buf_init(&out, TOOL_MAX_FILE);

    if (t->json) {
        tool_test_json(t, &out);

    } else {
        tool_test_text(t, &out);
    }

    out.failed = out.failed || t->failures.failed || t->missing.failed;

    if (!tool_write("test", &out)) {
        status = TOOL_USAGE;
    }

    emage_buf_free(&out);

    return status;
}


static bool
tool_covered(const tool_test_t *t)
{
    return t->total.policies == t->total.policies_covered
           && t->total.conditions == t->total.conditions_covered;
}


static void
tool_counts(emage_buf_t *out, const char *a, size_t n, const char *b,
    size_t m, const char *c)
{
    emage_buf_add_c(out, a);
    emage_buf_add_int(out, (int64_t) n);
    emage_buf_add_c(out, b);
    emage_buf_add_int(out, (int64_t) m);
    emage_buf_add_c(out, c);
}


static void
tool_test_text(const tool_test_t *t, emage_buf_t *out)
{
    tool_counts(out, "", t->cases.cases - t->cases.failed, " of ",
                t->cases.cases, " cases as expected\n");

    if (!t->coverage) {
        return;
    }

    if (t->missing.len != 0) {
        emage_buf_add(out, t->missing.data, t->missing.len);
    }

    tool_counts(out, "covered: ", t->total.policies_covered, " of ",
                t->total.policies, " policies");
    tool_counts(out, ", ", t->total.conditions_covered, " of ",
                t->total.conditions, " conditions\n");
}


static void
tool_test_json(const tool_test_t *t, emage_buf_t *out)
{
    emage_buf_add_c(out, "{\"cases\":");
    emage_buf_add_int(out, (int64_t) t->cases.cases);
    emage_buf_add_c(out, ",\"failed\":[");

    if (t->failures.len != 0) {
        emage_buf_add(out, t->failures.data, t->failures.len);
    }

    emage_buf_add_c(out, "]");

    if (t->coverage) {
        tool_counts(out, ",\"coverage\":{\"policies\":", t->total.policies,
                    ",\"policies_covered\":", t->total.policies_covered, "");
        tool_counts(out, ",\"conditions\":", t->total.conditions,
                    ",\"conditions_covered\":", t->total.conditions_covered,
                    ",\"missing\":[");

        if (t->missing.len != 0) {
            emage_buf_add(out, t->missing.data, t->missing.len);
        }

        emage_buf_add_c(out, "]}");
    }

    emage_buf_add_c(out, "}\n");
}
