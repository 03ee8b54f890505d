/*
 * Copyright (C) The e-mage authors
 *
 * emage-policy explain: why a request is permitted or refused.
 */


#include "tool_explain.h"
#include "tool_facts.h"

#include <stdlib.h>
#include <string.h>


typedef struct {
    tool_facts_t        facts;
    const char         *requests;
    const char         *entities;
    const char         *name;
    const char         *lang;
    bool                json;
    cedar_language_t    language;
    emage_buf_t         out;
    size_t              answers;
} tool_explain_t;


static int tool_explain_run(int argc, char **argv);
static bool tool_explain_options(tool_explain_t *x, int argc, char **argv);
static bool tool_explain_recorded(tool_explain_t *x);
static bool tool_explain_cases(tool_explain_t *x, const cedar_set_t *set,
    const cedar_cases_t *cases);
static bool tool_explain_facts(tool_explain_t *x);
static bool tool_asked(void *data, const cedar_set_t *set,
    cedar_request_t *req, const char *title);
static bool tool_explain_one(tool_explain_t *x, const cedar_set_t *set,
    cedar_request_t *req, const cedar_entities_t *entities,
    const char *title);
static bool tool_stories(tool_answer_t *a);
static void tool_stories_free(tool_answer_t *a);


const tool_command_t  tool_explain = {
    "explain", tool_explain_run,
    "usage: emage-policy explain DIR --study UID --subject 'system|id'\n"
    "           [--kind KIND] [--profession CODE]\n"
    "           [--organisation 'system|id'] [--teams 'system|id,...']\n"
    "           [--purpose CODE] [--content image|evidence|report]\n"
    "           [--at TIME] [--redis URL | --records FILE]\n"
    "           [--lang en|fr] [--json]\n"
    "       emage-policy explain DIR --requests FILE [--entities FILE]\n"
    "           [--name NAME] [--lang en|fr] [--json]\n"
    "\n"
    "Says why the policies of DIR permit or refuse a request: which\n"
    "policies applied, and of each condition whether it held, with the\n"
    "values that it read.  DIR is read as \"check\" does.\n"
    "\n"
    "The first form asks for a study as the gateway does, once for each\n"
    "kind of content: its records come from Redis, or from FILE, what\n"
    "\"emage-consent show\" printed.  KIND is professional (default),\n"
    "patient, representative, support, officer or system; --profession is\n"
    "physician and --purpose TREAT unless given.  TIME is\n"
    "2026-12-31T08:00:00Z or milliseconds since 1970; default: now.\n"
    "\n"
    "The second form takes requests as \"authorize\" does, or cases as\n"
    "\"test\" does; --name: only the case of that name.\n"
    "\n"
    "exit status: 0 explained, whatever the decision; 2 wrong use,\n"
    "unreadable input, no such study\n"
};


static int
tool_explain_run(int argc, char **argv)
{
    int             status;
    tool_explain_t  x;

    memset(&x, 0, sizeof(x));
    status = TOOL_USAGE;

    if (!tool_explain_options(&x, argc, argv)) {
        return TOOL_USAGE;
    }

    emage_buf_init(&x.out, TOOL_MAX_FILE);
    emage_buf_add_c(&x.out, x.json ? "[" : "");

    if ((x.requests != NULL) ? tool_explain_recorded(&x)
                             : tool_explain_facts(&x))
    {
        emage_buf_add_c(&x.out, x.json ? "]\n" : "");

        status = tool_write("explain", &x.out) ? TOOL_OK : TOOL_USAGE;
    }

    emage_buf_free(&x.out);

    return status;
}


static bool
tool_explain_options(tool_explain_t *x, int argc, char **argv)
{
    tool_facts_t   *f;
    tool_option_t   options[] = {
        { "--study", &x->facts.study, NULL },
        { "--subject", &x->facts.subject, NULL },
        { "--kind", &x->facts.kind, NULL },
        { "--profession", &x->facts.profession, NULL },
        { "--organisation", &x->facts.organisation, NULL },
        { "--teams", &x->facts.teams, NULL },
        { "--purpose", &x->facts.purpose, NULL },
        { "--content", &x->facts.content, NULL },
        { "--at", &x->facts.at, NULL },
        { "--redis", &x->facts.redis, NULL },
        { "--records", &x->facts.records, NULL },
        { "--requests", &x->requests, NULL },
        { "--entities", &x->entities, NULL },
        { "--name", &x->name, NULL },
        { "--lang", &x->lang, NULL },
        { "--json", NULL, &x->json }
    };

    f = &x->facts;

    if (!tool_options(argc, argv, options,
                      sizeof(options) / sizeof(options[0]), &f->dir))
    {
        return false;
    }

    if (f->dir == NULL || (x->requests != NULL) == (f->subject != NULL)
        || (x->requests == NULL && f->study == NULL && f->records == NULL))
    {
        fputs("emage-policy: explain needs a directory, and either --study "
              "and --subject or --requests; see --help\n", stderr);
        return false;
    }

    if (x->lang == NULL || strcmp(x->lang, "en") == 0) {
        x->language = CEDAR_ENGLISH;

    } else if (strcmp(x->lang, "fr") == 0) {
        x->language = CEDAR_FRENCH;

    } else {
        fputs("emage-policy: --lang is en or fr\n", stderr);
        return false;
    }

    return true;
}


static bool
tool_explain_recorded(tool_explain_t *x)
{
    bool               ok;
    emage_buf_t        b, q;
    cedar_set_t       *set;
    emage_error_t      err;
    cedar_cases_t     *cases;
    cedar_entities_t  *ents;

    set = tool_set_load(x->facts.dir);
    if (set == NULL) {
        return false;
    }

    ok = false;
    cases = NULL;
    ents = NULL;
    emage_buf_init(&b, 0);
    emage_buf_init(&q, 0);

    if ((x->entities == NULL || tool_read(x->entities, &b))
        && tool_read(x->requests, &q))
    {
        if ((x->entities != NULL
             && cedar_entities_load(set, emage_str_c(tool_base(x->entities)),
                                    (emage_str_t) { b.data, b.len }, &ents,
                                    &err) != EMAGE_OK)
            || cedar_cases_load(set, ents,
                                emage_str_c(tool_base(x->requests)),
                                (emage_str_t) { q.data, q.len }, &cases,
                                &err) != EMAGE_OK)
        {
            fprintf(stderr, "%s\n", err.text);

        } else {
            ok = tool_explain_cases(x, set, cases);
        }
    }

    cedar_cases_destroy(cases);
    cedar_entities_destroy(ents);
    cedar_set_destroy(set);
    emage_buf_free(&b);
    emage_buf_free(&q);

    return ok;
}


static bool
tool_explain_cases(tool_explain_t *x, const cedar_set_t *set,
    const cedar_cases_t *cases)
{
    char                 title[256];
    size_t               i;
    const cedar_case_t  *c;

    for (i = 0; i < cedar_cases_count(cases); i++) {
        c = cedar_cases_at(cases, i);

        if (x->name != NULL && !emage_str_eq(c->name, emage_str_c(x->name))) {
            continue;
        }

        if (c->name.len != 0) {
            snprintf(title, sizeof(title), "%.*s", (int) c->name.len,
                     c->name.data);

        } else {
            snprintf(title, sizeof(title), "request %zu", i);
        }

        if (!tool_explain_one(x, set, c->request, c->entities, title)) {
            return false;
        }
    }

    if (x->answers == 0) {
        fprintf(stderr, "%s: no request in it%s%s\n",
                tool_base(x->requests),
                (x->name != NULL) ? " is called " : "; put one there",
                (x->name != NULL) ? x->name : "");
        return false;
    }

    return true;
}


static bool
tool_explain_facts(tool_explain_t *x)
{
    return tool_facts_ask(&x->facts, tool_asked, x);
}


static bool
tool_asked(void *data, const cedar_set_t *set, cedar_request_t *req,
    const char *title)
{
    return tool_explain_one(data, set, req, NULL, title);
}


static bool
tool_explain_one(tool_explain_t *x, const cedar_set_t *set,
    cedar_request_t *req, const cedar_entities_t *entities,
    const char *title)
{
    bool           ok;
    tool_answer_t  a;

    static char  scratch[TOOL_SCRATCH] __attribute__((aligned(16)));

    memset(&a, 0, sizeof(a));
    a.set = set;
    a.language = x->language;
    a.out = &x->out;
    a.request = req;
    a.entities = entities;
    a.title = title;
    a.scratch = scratch;

    ok = tool_stories(&a);

    if (ok) {
        emage_buf_add_c(&x->out, (x->answers++ == 0) ? ""
                                 : x->json ? ",\n" : "\n\n");

        if (x->json) {
            tool_answer_json(&a);

        } else {
            tool_answer_text(&a);
        }

    } else {
        fprintf(stderr, "emage-policy: %s: cannot be decided: over a "
                "limit\n", title);
    }

    tool_stories_free(&a);

    return ok;
}


/* Every policy, taken apart and asked; and the authorizer's own answer. */

static bool
tool_stories(tool_answer_t *a)
{
    size_t               i, k;
    tool_story_t        *s;
    cedar_result_t       result;
    const cedar_part_t  *part;

    a->n = cedar_policy_count(a->set);
    a->stories = calloc(a->n + 1, sizeof(tool_story_t));

    if (a->stories == NULL
        || cedar_decide(a->set, a->request, a->entities, a->scratch,
                        TOOL_SCRATCH, &result) != EMAGE_OK)
    {
        return false;
    }

    a->decision = result.decision;
    a->errors = (result.errors_n != 0);

    for (i = 0; i < a->n; i++) {
        s = &a->stories[i];
        s->policy = i;

        if (cedar_parts_create(a->set, i, &s->parts) != EMAGE_OK
            || cedar_parts_ask(s->parts, a->request, a->entities, a->scratch,
                               TOOL_SCRATCH, &s->truth) != EMAGE_OK)
        {
            return false;
        }

        s->scope = true;

        for (k = 0; (part = cedar_parts_at(s->parts, k)) != NULL
                    && part->kind <= CEDAR_PART_RESOURCE; k++)
        {
            s->scope = s->scope && part->truth == CEDAR_TRUTH_TRUE;
        }
    }

    return true;
}


static void
tool_stories_free(tool_answer_t *a)
{
    size_t  i;

    for (i = 0; a->stories != NULL && i < a->n; i++) {
        cedar_parts_destroy(a->stories[i].parts);
    }

    free(a->stories);
}


emage_str_t
tool_label(const tool_answer_t *a, size_t policy)
{
    emage_str_t  text;

    if (cedar_policy_annotation(a->set, policy,
                                (a->language == CEDAR_FRENCH)
                                ? emage_str("label_fr")
                                : emage_str("label_en"), &text))
    {
        return text;
    }

    return emage_str("");
}


/* As cedar_decide: the satisfied forbids, or else the satisfied permits. */

bool
tool_decided(const tool_answer_t *a, const tool_story_t *s)
{
    return s->truth == CEDAR_TRUTH_TRUE
           && (cedar_policy_effect(a->set, s->policy) == CEDAR_PERMIT)
              == (a->decision == CEDAR_ALLOW);
}
