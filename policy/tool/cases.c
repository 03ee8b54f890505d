/*
 * Copyright (C) The e-mage authors
 *
 * Cases run and compared: the right decision for the wrong reason fails.
 */


#include "tool_cases.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>


static int tool_is_case(const struct dirent *entry);
static bool tool_cases_file(tool_cases_t *c, const char *path);
static bool tool_case_run(tool_cases_t *c, const char *file,
    const cedar_case_t *cs);
static bool tool_case_reach(tool_cases_t *c, const cedar_case_t *cs,
    const cedar_result_t *r);
static void tool_case_failed(tool_cases_t *c, const char *file,
    const cedar_case_t *cs, const cedar_result_t *r);
static void tool_case_json(tool_cases_t *c, const char *file,
    const cedar_case_t *cs, const char *got);
static void tool_ids_json(emage_buf_t *b, const char *name,
    const emage_str_t *ids, uint32_t n);


bool
tool_cases_init(tool_cases_t *c, const cedar_set_t *set, emage_buf_t *json)
{
    size_t         i, n;
    tool_reach_t  *r;

    memset(c, 0, sizeof(tool_cases_t));
    c->set = set;
    c->json = json;

    n = cedar_policy_count(set);
    c->reach = calloc(n + 1, sizeof(tool_reach_t));

    for (i = 0; c->reach != NULL && i < n; i++) {
        r = &c->reach[i];

        if (cedar_parts_create(set, i, &r->parts) == EMAGE_OK) {
            r->seen = calloc(cedar_parts_count(r->parts) + 1,
                             sizeof(tool_seen_t));
        }

        if (r->seen == NULL) {
            break;
        }
    }

    if (c->reach == NULL || i < n) {
        fputs("emage-policy: no memory to run the cases with\n", stderr);
        tool_cases_free(c);
        return false;
    }

    return true;
}


void
tool_cases_free(tool_cases_t *c)
{
    size_t  i;

    for (i = 0; c->reach != NULL && i < cedar_policy_count(c->set); i++) {
        cedar_parts_destroy(c->reach[i].parts);
        free(c->reach[i].seen);
    }

    free(c->reach);
    c->reach = NULL;
}


int
tool_cases_run(tool_cases_t *c, const char *dir)
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
        ok = ok && tool_cases_file(c, path);
        free(list[i]);
    }

    free(list);

    return !ok ? TOOL_USAGE : (c->failed != 0) ? TOOL_FAILED : TOOL_OK;
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
tool_cases_file(tool_cases_t *c, const char *path)
{
    bool            ok;
    size_t          i;
    emage_rc_t      rc;
    emage_buf_t     b;
    emage_error_t   err;
    cedar_cases_t  *cases;

    if (!tool_read(path, &b)) {
        return false;
    }

    rc = cedar_cases_load(c->set, NULL, emage_str_c(tool_base(path)),
                          (emage_str_t) { b.data, b.len }, &cases, &err);
    emage_buf_free(&b);

    if (rc != EMAGE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return false;
    }

    for (i = 0, ok = true; ok && i < cedar_cases_count(cases); i++) {
        ok = tool_case_run(c, tool_base(path), cedar_cases_at(cases, i));
    }

    cedar_cases_destroy(cases);

    return ok;
}


static bool
tool_case_run(tool_cases_t *c, const char *file, const cedar_case_t *cs)
{
    cedar_result_t  r;

    c->cases++;

    if (!tool_decide(c->set, cs, &r)) {
        fprintf(stderr, "%s: %.*s: cannot be decided: over a limit\n", file,
                (int) cs->name.len, cs->name.data);
        return false;
    }

    if (!cs->expected || !cedar_case_agrees(c->set, cs, &r)) {
        c->failed++;
        tool_case_failed(c, file, cs, &r);
    }

    return tool_case_reach(c, cs, &r);
}


static bool
tool_case_reach(tool_cases_t *c, const cedar_case_t *cs,
    const cedar_result_t *r)
{
    size_t               i, k;
    bool                 scope;
    cedar_truth_t        truth;
    tool_reach_t        *reach;
    const cedar_part_t  *part;

    static char  scratch[TOOL_SCRATCH] __attribute__((aligned(16)));

    for (i = 0; i < r->reason_n; i++) {
        c->reach[r->reason[i]].decided++;
    }

    for (i = 0; i < cedar_policy_count(c->set); i++) {
        reach = &c->reach[i];

        if (cedar_parts_ask(reach->parts, cs->request, cs->entities, scratch,
                            sizeof(scratch), &truth) != EMAGE_OK)
        {
            fputs("emage-policy: a case cannot be taken apart: over a "
                  "limit\n", stderr);
            return false;
        }

        reach->whole.yes += (truth == CEDAR_TRUTH_TRUE);
        reach->whole.no += (truth == CEDAR_TRUTH_FALSE);

        for (k = 0, scope = true; k < cedar_parts_count(reach->parts); k++) {
            part = cedar_parts_at(reach->parts, k);

            if (part->kind <= CEDAR_PART_RESOURCE) {
                scope = scope && part->truth == CEDAR_TRUTH_TRUE;
            }

            if (scope && part->reached) {
                reach->seen[k].yes += (part->truth == CEDAR_TRUTH_TRUE);
                reach->seen[k].no += (part->truth == CEDAR_TRUTH_FALSE);
            }
        }
    }

    return true;
}


static void
tool_case_failed(tool_cases_t *c, const char *file, const cedar_case_t *cs,
    const cedar_result_t *r)
{
    uint32_t     i;
    emage_str_t  id;
    emage_buf_t  b;

    static char  scratch[65536] __attribute__((aligned(16)));

    emage_buf_init(&b, TOOL_MAX_FILE);
    (void) cedar_result_json(c->set, r, &b);

    if (c->json != NULL) {
        tool_case_json(c, file, cs, b.failed ? "null" : emage_buf_cstr(&b));
        emage_buf_free(&b);
        return;
    }

    if (!cs->expected) {
        fprintf(stderr, "%s: %.*s: says no decision; add \"decision\" and "
                "\"reason\"\n", file, (int) cs->name.len, cs->name.data);
        emage_buf_free(&b);
        return;
    }

    fprintf(stderr, "%s: %.*s: expected %s for", file, (int) cs->name.len,
            cs->name.data, (cs->decision == CEDAR_ALLOW) ? "allow" : "deny");

    for (i = 0; i < cs->reason_n; i++) {
        fprintf(stderr, " %.*s", (int) cs->reason[i].len,
                cs->reason[i].data);
    }

    fprintf(stderr, "%s, got %s\n", cs->reason_n == 0 ? " no policy" : "",
            b.failed ? "?" : emage_buf_cstr(&b));
    emage_buf_free(&b);

    for (i = 0; i < r->errors_n; i++) {
        id = cedar_policy_id(c->set, r->errors[i]);
        fprintf(stderr, "    %.*s: %s\n", (int) id.len, id.data,
                cedar_explain(c->set, r->errors[i], cs->request,
                              cs->entities, scratch, sizeof(scratch)));
    }
}


static void
tool_ids_json(emage_buf_t *b, const char *name, const emage_str_t *ids,
    uint32_t n)
{
    uint32_t  i;

    emage_buf_add_c(b, name);

    for (i = 0; i < n; i++) {
        emage_buf_add_c(b, (i == 0) ? "" : ",");
        emage_buf_add_json(b, ids[i]);
    }

    emage_buf_add_c(b, "]");
}


static void
tool_case_json(tool_cases_t *c, const char *file, const cedar_case_t *cs,
    const char *got)
{
    emage_buf_add_c(c->json, (c->failed > 1) ? ",{\"file\":"
                                             : "{\"file\":");
    emage_buf_add_json(c->json, emage_str_c(file));
    emage_buf_add_c(c->json, ",\"case\":");
    emage_buf_add_json(c->json, cs->name);
    emage_buf_add_c(c->json, ",\"expected\":");

    if (cs->expected) {
        emage_buf_add_c(c->json, (cs->decision == CEDAR_ALLOW)
                                 ? "{\"decision\":\"allow\""
                                 : "{\"decision\":\"deny\"");
        tool_ids_json(c->json, ",\"reason\":[", cs->reason, cs->reason_n);
        tool_ids_json(c->json, ",\"errors\":[", cs->errors, cs->errors_n);
        emage_buf_add_c(c->json, "}");

    } else {
        emage_buf_add_c(c->json, "null");
    }

    emage_buf_add_c(c->json, ",\"got\":");
    emage_buf_add_c(c->json, got);
    emage_buf_add_c(c->json, "}");
}
