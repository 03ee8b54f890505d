/*
 * Copyright (C) The e-mage authors
 *
 * What the subcommands share: options, files, messages.
 */


#include "tool.h"

#include <string.h>


typedef emage_rc_t (*tool_add_pt)(cedar_set_t *set, emage_str_t name,
    emage_str_t text, emage_error_t *err);


static bool tool_is_json(const char *path);
static bool tool_add(cedar_set_t *set, const char *path, tool_add_pt add,
    emage_error_t *err);
static void tool_report_json(tool_problems_t *p, const cedar_message_t *m);


bool
tool_options(int argc, char **argv, const tool_option_t *options, size_t n,
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

        if (k < n && options[k].flag != NULL) {
            *options[k].flag = true;

        } else if (k < n && i + 1 < argc && *options[k].value == NULL) {
            *options[k].value = argv[++i];

        } else if (k < n) {
            fprintf(stderr, "emage-policy: give %s once, with a file\n",
                    options[k].name);
            return false;

        } else if (argument != NULL && *argument == NULL
                   && argv[i][0] != '-')
        {
            *argument = argv[i];

        } else {
            fprintf(stderr, "emage-policy: do not know what to do with "
                    "\"%s\"; see --help\n", argv[i]);
            return false;
        }
    }

    return true;
}


bool
tool_read(const char *path, emage_buf_t *b)
{
    emage_error_t  err;

    emage_buf_init(b, TOOL_MAX_FILE);

    if (cedar_file_load(path, b, &err) != EMAGE_OK) {
        fprintf(stderr, "emage-policy: %s\n", err.text);
        emage_buf_free(b);
        return false;
    }

    return true;
}


const char *
tool_base(const char *path)
{
    const char  *slash;

    slash = strrchr(path, '/');

    return (slash == NULL) ? path : slash + 1;
}


static bool
tool_add(cedar_set_t *set, const char *path, tool_add_pt add,
    emage_error_t *err)
{
    emage_rc_t   rc;
    emage_buf_t  b;
    emage_str_t  name, text;

    emage_buf_init(&b, TOOL_MAX_FILE);
    rc = cedar_file_load(path, &b, err);

    if (rc == EMAGE_OK) {
        name = emage_str_c(tool_base(path));
        text = (emage_str_t) { (b.len == 0) ? "" : b.data, b.len };
        rc = add(set, name, text, err);
    }

    emage_buf_free(&b);

    return rc == EMAGE_OK;
}


static bool
tool_is_json(const char *path)
{
    size_t  len;

    len = strlen(path);

    return len > 5 && strcmp(path + len - 5, ".json") == 0;
}


cedar_set_t *
tool_set_files(const char *policies, const char *schema, const char *links)
{
    cedar_set_t    *set;
    emage_error_t   err;

    err.text[0] = '\0';

    if (cedar_set_create(&set, &(cedar_options_t) { 0, true }, &err)
        == EMAGE_OK
        && (schema == NULL
            || tool_add(set, schema, tool_is_json(schema)
                                     ? cedar_set_add_schema_json
                                     : cedar_set_add_schema, &err))
        && tool_add(set, policies, tool_is_json(policies)
                                   ? cedar_set_add_policies_json
                                   : cedar_set_add_policies, &err)
        && (links == NULL || tool_add(set, links, cedar_set_add_links, &err))
        && cedar_set_finish(set, &err) == EMAGE_OK)
    {
        return set;
    }

    fprintf(stderr, "%s\n", err.text);
    cedar_set_destroy(set);

    return NULL;
}


cedar_set_t *
tool_set_open(const char *dir, int *status, emage_error_t *err)
{
    emage_rc_t    rc;
    cedar_set_t  *set;

    *status = TOOL_USAGE;
    err->text[0] = '\0';

    rc = cedar_set_create(&set, &(cedar_options_t) { 0, true }, err);

    if (rc == EMAGE_OK) {
        rc = cedar_set_add_directory(set, dir, err);
    }

    if (rc == EMAGE_OK) {
        rc = cedar_set_finish(set, err);
    }

    if (rc == EMAGE_OK) {
        *status = TOOL_OK;
        return set;
    }

    *status = (rc == EMAGE_ERROR) ? TOOL_FAILED : TOOL_USAGE;
    cedar_set_destroy(set);

    return NULL;
}


cedar_set_t *
tool_set_load(const char *dir)
{
    int             status;
    cedar_set_t    *set;
    emage_error_t   err;

    set = tool_set_open(dir, &status, &err);

    if (set == NULL) {
        fprintf(stderr, "%s\n", err.text);
    }

    return set;
}


bool
tool_write(const char *command, const emage_buf_t *b)
{
    if (!b->failed
        && (b->len == 0 || fwrite(b->data, 1, b->len, stdout) == b->len)
        && fflush(stdout) == 0)
    {
        return true;
    }

    fprintf(stderr, "emage-policy: %s: cannot write it all\n", command);

    return false;
}


void
tool_problem(tool_problems_t *p, const char *file, const char *text)
{
    p->n++;

    if (p->json == NULL) {
        fprintf(stderr, "%s: %s\n", file, text);
        return;
    }

    emage_buf_add_c(p->json, (p->n > 1) ? ",{\"file\":" : "{\"file\":");
    emage_buf_add_json(p->json, emage_str_c(file));
    emage_buf_add_c(p->json, ",\"text\":");
    emage_buf_add_json(p->json, emage_str_c(text));
    emage_buf_add_c(p->json, "}");
}


void
tool_report(void *data, const cedar_message_t *m)
{
    uint32_t          i;
    tool_problems_t  *p;

    p = data;
    p->n++;

    if (p->json != NULL) {
        tool_report_json(p, m);
        return;
    }

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


static void
tool_report_json(tool_problems_t *p, const cedar_message_t *m)
{
    emage_buf_add_c(p->json, (p->n > 1) ? ",{\"file\":" : "{\"file\":");
    emage_buf_add_json(p->json, m->file);
    emage_buf_add_c(p->json, ",\"line\":");
    emage_buf_add_int(p->json, m->line);
    emage_buf_add_c(p->json, ",\"column\":");
    emage_buf_add_int(p->json, m->column);
    emage_buf_add_c(p->json, ",\"text\":");
    emage_buf_add_json(p->json, emage_str_c(m->text));
    emage_buf_add_c(p->json, ",\"source\":");
    emage_buf_add_json(p->json, m->source);
    emage_buf_add_c(p->json, "}");
}


bool
tool_decide(const cedar_set_t *set, const cedar_case_t *c, cedar_result_t *r)
{
    static char  scratch[TOOL_SCRATCH] __attribute__((aligned(16)));

    return cedar_decide(set, c->request, c->entities, scratch,
                        sizeof(scratch), r) == EMAGE_OK;
}
