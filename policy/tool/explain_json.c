/*
 * Copyright (C) The e-mage authors
 *
 * An explanation for programs: one JSON object a request.
 */


#include "tool_explain.h"


typedef struct {
    emage_buf_t  *out;
    size_t        n;
} tool_list_t;


static void tool_member(tool_answer_t *a, const char *name,
    cedar_part_kind_t part);
static void tool_ids(tool_answer_t *a, const char *name,
    bool (*in)(const tool_answer_t *a, const tool_story_t *s));
static bool tool_is_fault(const tool_answer_t *a, const tool_story_t *s);
static void tool_policy(tool_answer_t *a, const tool_story_t *s);
static void tool_part(tool_answer_t *a, const tool_story_t *s, size_t k);
static void tool_text(tool_answer_t *a, const char *name,
    const emage_buf_t *b);
static void tool_truth(emage_buf_t *out, cedar_truth_t truth);
static void tool_reading(void *data, const cedar_reading_t *reading);
static void tool_add(emage_buf_t *out, const char *name, const char *value);


void
tool_answer_json(tool_answer_t *a)
{
    size_t  i;

    emage_buf_add_c(a->out, "{");
    tool_add(a->out, "request", a->title);
    tool_member(a, "principal", CEDAR_PART_PRINCIPAL);
    tool_member(a, "action", CEDAR_PART_ACTION);
    tool_member(a, "resource", CEDAR_PART_RESOURCE);
    emage_buf_add_c(a->out, (a->decision == CEDAR_ALLOW)
                            ? ",\"decision\":\"allow\""
                            : ",\"decision\":\"deny\"");
    emage_buf_add_c(a->out, (a->decision == CEDAR_ALLOW && !a->errors)
                            ? ",\"served\":true" : ",\"served\":false");
    tool_ids(a, "reason", tool_decided);
    tool_ids(a, "errors", tool_is_fault);
    emage_buf_add_c(a->out, ",\"policies\":[");

    for (i = 0; i < a->n; i++) {
        emage_buf_add_c(a->out, (i == 0) ? "" : ",");
        tool_policy(a, &a->stories[i]);
    }

    emage_buf_add_c(a->out, "]}");
}


static void
tool_add(emage_buf_t *out, const char *name, const char *value)
{
    emage_buf_add_c(out, "\"");
    emage_buf_add_c(out, name);
    emage_buf_add_c(out, "\":");

    if (value == NULL) {
        emage_buf_add_c(out, "null");

    } else {
        emage_buf_add_json(out, emage_str_c(value));
    }
}


static void
tool_text(tool_answer_t *a, const char *name, const emage_buf_t *b)
{
    if (b->failed) {
        a->out->failed = true;
        return;
    }

    emage_buf_add_c(a->out, ",\"");
    emage_buf_add_c(a->out, name);
    emage_buf_add_c(a->out, "\":");
    emage_buf_add_json(a->out, (emage_str_t) { (b->len == 0) ? "" : b->data,
                                               b->len });
}


static void
tool_member(tool_answer_t *a, const char *name, cedar_part_kind_t part)
{
    emage_buf_t  b;

    emage_buf_init(&b, TOOL_MAX_FILE);
    cedar_request_text(a->request, a->entities, part, &b);
    tool_text(a, name, &b);
    emage_buf_free(&b);
}


static bool
tool_is_fault(const tool_answer_t *a, const tool_story_t *s)
{
    (void) a;

    return s->truth == CEDAR_TRUTH_FAULT;
}


static void
tool_ids(tool_answer_t *a, const char *name,
    bool (*in)(const tool_answer_t *a, const tool_story_t *s))
{
    size_t  i, n;

    emage_buf_add_c(a->out, ",\"");
    emage_buf_add_c(a->out, name);
    emage_buf_add_c(a->out, "\":[");

    for (i = 0, n = 0; i < a->n; i++) {
        if (in(a, &a->stories[i])) {
            emage_buf_add_c(a->out, (n++ == 0) ? "" : ",");
            emage_buf_add_json(a->out,
                               cedar_policy_id(a->set,
                                               a->stories[i].policy));
        }
    }

    emage_buf_add_c(a->out, "]");
}


static void
tool_truth(emage_buf_t *out, cedar_truth_t truth)
{
    emage_buf_add_c(out, (truth == CEDAR_TRUTH_TRUE) ? "true"
                         : (truth == CEDAR_TRUTH_FALSE) ? "false"
                         : "\"error\"");
}


static void
tool_policy(tool_answer_t *a, const tool_story_t *s)
{
    size_t       k;
    uint32_t     line;
    emage_str_t  file, basis;

    cedar_policy_place(a->set, s->policy, &file, &line);

    if (!cedar_policy_annotation(a->set, s->policy, emage_str("basis"),
                                 &basis))
    {
        basis = emage_str("");
    }

    emage_buf_add_c(a->out, "{\"id\":");
    emage_buf_add_json(a->out, cedar_policy_id(a->set, s->policy));
    emage_buf_add_c(a->out, (cedar_policy_effect(a->set, s->policy)
                             == CEDAR_PERMIT)
                            ? ",\"effect\":\"permit\""
                            : ",\"effect\":\"forbid\"");
    emage_buf_add_c(a->out, ",\"applies\":");
    tool_truth(a->out, s->truth);
    emage_buf_add_c(a->out, ",\"label\":");
    emage_buf_add_json(a->out, tool_label(a, s->policy));
    emage_buf_add_c(a->out, ",\"basis\":");
    emage_buf_add_json(a->out, basis);
    emage_buf_add_c(a->out, ",\"file\":");
    emage_buf_add_json(a->out, file);
    emage_buf_add_c(a->out, ",\"line\":");
    emage_buf_add_int(a->out, line);
    emage_buf_add_c(a->out, ",\"parts\":[");

    for (k = 0; k < cedar_parts_count(s->parts); k++) {
        emage_buf_add_c(a->out, (k == 0) ? "" : ",");
        tool_part(a, s, k);
    }

    emage_buf_add_c(a->out, "]}");
}


static void
tool_part(tool_answer_t *a, const tool_story_t *s, size_t k)
{
    emage_buf_t          text, words;
    tool_list_t          list;
    const cedar_part_t  *part;

    static const char *const  kinds[] = {
        "principal", "action", "resource", "when", "unless", "all", "any",
        "test"
    };

    part = cedar_parts_at(s->parts, k);
    emage_buf_init(&text, TOOL_MAX_FILE);
    emage_buf_init(&words, TOOL_MAX_FILE);
    cedar_part_text(s->parts, k, &text);
    cedar_part_words(s->parts, k, a->request, a->language, &words);

    emage_buf_add_c(a->out, "{");
    tool_add(a->out, "kind", kinds[part->kind]);
    emage_buf_add_c(a->out, ",\"depth\":");
    emage_buf_add_int(a->out, part->depth);
    emage_buf_add_c(a->out, ",\"line\":");
    emage_buf_add_int(a->out, part->line);
    emage_buf_add_c(a->out, ",\"column\":");
    emage_buf_add_int(a->out, part->column);
    tool_text(a, "text", &text);
    tool_text(a, "words", &words);
    emage_buf_add_c(a->out, ",\"holds\":");
    tool_truth(a->out, part->truth);
    emage_buf_add_c(a->out, part->reached ? ",\"reached\":true"
                                          : ",\"reached\":false");

    if (part->fault != NULL) {
        emage_buf_add_c(a->out, ",");
        tool_add(a->out, "fault", part->fault);
    }

    emage_buf_free(&text);
    emage_buf_free(&words);

    emage_buf_add_c(a->out, ",\"read\":[");
    list.out = a->out;
    list.n = 0;

    /* a row reads what its parts read */

    if (part->leaf
        && cedar_part_readings(s->parts, k, a->request, a->entities,
                               a->scratch, TOOL_SCRATCH, a->language,
                               tool_reading, &list) != EMAGE_OK)
    {
        a->out->failed = true;
    }

    emage_buf_add_c(a->out, "]}");
}


static void
tool_reading(void *data, const cedar_reading_t *reading)
{
    tool_list_t  *list;

    list = data;

    emage_buf_add_c(list->out, (list->n++ == 0) ? "{" : ",{");
    tool_add(list->out, "text", reading->text);
    emage_buf_add_c(list->out, ",");
    tool_add(list->out, "words", reading->words);
    emage_buf_add_c(list->out, ",");
    tool_add(list->out, "value", reading->value);
    emage_buf_add_c(list->out, ",");
    tool_add(list->out, "value_words", reading->value_words);
    emage_buf_add_c(list->out, "}");
}
