/*
 * Copyright (C) The e-mage authors
 *
 * What of the policies the cases reached: every policy and every condition, as
 * true and as false.
 */


#include "tool_cases.h"


typedef struct {
    const tool_cases_t  *c;
    bool                 json;
    emage_buf_t         *out;
    size_t               told;
} tool_missing_t;


static void tool_missing(tool_missing_t *m, size_t policy, size_t part,
    const tool_seen_t *seen);
static void tool_missing_json(tool_missing_t *m, emage_str_t file,
    uint32_t line, uint32_t column, emage_str_t id, const char *never,
    emage_str_t text);


#define TOOL_WHOLE  SIZE_MAX


void
tool_coverage(const tool_cases_t *c, bool json, emage_buf_t *out,
    tool_coverage_t *total)
{
    size_t               i, k;
    tool_seen_t         *seen;
    tool_reach_t        *reach;
    tool_missing_t       m;
    const cedar_part_t  *part;

    m.c = c;
    m.json = json;
    m.out = out;
    m.told = 0;

    *total = (tool_coverage_t) { 0, 0, 0, 0 };

    for (i = 0; i < cedar_policy_count(c->set); i++) {
        reach = &c->reach[i];
        total->policies++;

        if (reach->whole.yes != 0 && reach->whole.no != 0) {
            total->policies_covered++;

        } else {
            tool_missing(&m, i, TOOL_WHOLE, &reach->whole);
        }

        for (k = 0; k < cedar_parts_count(reach->parts); k++) {
            part = cedar_parts_at(reach->parts, k);

            if (part->kind <= CEDAR_PART_RESOURCE || part->constant) {
                continue;
            }

            seen = &reach->seen[k];
            total->conditions++;

            if (seen->yes != 0 && seen->no != 0) {
                total->conditions_covered++;

            } else {
                tool_missing(&m, i, k, seen);
            }
        }
    }
}


static void
tool_missing(tool_missing_t *m, size_t policy, size_t k,
    const tool_seen_t *seen)
{
    uint32_t             line, column;
    emage_buf_t          text;
    emage_str_t          id, file, words;
    const char          *never;
    const cedar_part_t  *part;

    id = cedar_policy_id(m->c->set, policy);
    cedar_policy_place(m->c->set, policy, &file, &line);
    column = 1;
    emage_buf_init(&text, TOOL_MAX_FILE);

    if (k != TOOL_WHOLE) {
        part = cedar_parts_at(m->c->reach[policy].parts, k);
        line = part->line;
        column = part->column;
        cedar_part_text(m->c->reach[policy].parts, k, &text);
    }

    never = (k == TOOL_WHOLE)
            ? ((seen->yes == 0) ? "applied" : "left out")
            : (seen->yes != 0) ? "false" : (seen->no != 0) ? "true"
            : "reached";
    words = (emage_str_t) { (text.len == 0) ? "" : text.data, text.len };

    if (m->json) {
        tool_missing_json(m, file, line, column, id, never, words);

    } else {
        emage_buf_add_str(m->out, file);
        emage_buf_add_c(m->out, ":");
        emage_buf_add_int(m->out, line);
        emage_buf_add_c(m->out, ":");
        emage_buf_add_int(m->out, column);
        emage_buf_add_c(m->out, ": ");
        emage_buf_add_str(m->out, id);
        emage_buf_add_c(m->out, ": in no case ");
        emage_buf_add_c(m->out, never);
        emage_buf_add_c(m->out, (k == TOOL_WHOLE) ? "" : ": ");
        emage_buf_add_str(m->out, words);
        emage_buf_add_c(m->out, "\n");
    }

    m->out->failed = m->out->failed || text.failed;
    emage_buf_free(&text);
    m->told++;
}


static void
tool_missing_json(tool_missing_t *m, emage_str_t file, uint32_t line,
    uint32_t column, emage_str_t id, const char *never, emage_str_t text)
{
    emage_buf_add_c(m->out, (m->told == 0) ? "{\"policy\":"
                                           : ",{\"policy\":");
    emage_buf_add_json(m->out, id);
    emage_buf_add_c(m->out, ",\"file\":");
    emage_buf_add_json(m->out, file);
    emage_buf_add_c(m->out, ",\"line\":");
    emage_buf_add_int(m->out, line);
    emage_buf_add_c(m->out, ",\"column\":");
    emage_buf_add_int(m->out, column);
    emage_buf_add_c(m->out, ",\"never\":");
    emage_buf_add_json(m->out, emage_str_c(never));
    emage_buf_add_c(m->out, ",\"condition\":");

    if (text.len == 0) {
        emage_buf_add_c(m->out, "null");

    } else {
        emage_buf_add_json(m->out, text);
    }

    emage_buf_add_c(m->out, "}");
}
