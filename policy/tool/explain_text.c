/*
 * Copyright (C) The e-mage authors
 *
 * An explanation for people, in English or French.
 */


#include "tool_explain.h"

#include <string.h>


typedef enum {
    TOOL_ASKS = 0,
    TOOL_ON,
    TOOL_PERMITTED,
    TOOL_REFUSED,
    TOOL_ERRORS,
    TOOL_BY_PERMITS,
    TOOL_BY_FORBIDS,
    TOOL_BY_NOBODY,
    TOOL_ALSO_PERMITS,
    TOOL_MISSING,
    TOOL_FAULTY,
    TOOL_IDLE,
    TOOL_OTHERS,
    TOOL_BASIS,
    TOOL_WHEN,
    TOOL_UNLESS,
    TOOL_YES,
    TOOL_NO,
    TOOL_FAULT,
    TOOL_NO_CONDITION
} tool_phrase_t;


/* Columns are padded by hand: French letters are two bytes. */

static const char *const  tool_phrases[][2] = {
    [TOOL_ASKS] = { "asked by  ", "demandé par " },
    [TOOL_ON] = { "for       ", "pour        " },
    [TOOL_PERMITTED] = { "PERMITTED", "PERMIS" },
    [TOOL_REFUSED] = { "REFUSED", "REFUSÉ" },
    [TOOL_ERRORS] = { "A policy could not be evaluated: the gateway then "
                      "serves nothing.",
                      "Une règle n'a pas pu être évaluée : la passerelle ne "
                      "délivre alors rien." },
    [TOOL_BY_PERMITS] = { "Permitted by", "Permis par" },
    [TOOL_BY_FORBIDS] = { "Refused by", "Refusé par" },
    [TOOL_BY_NOBODY] = { "No policy permits it, and what no policy permits "
                         "is refused.",
                         "Aucune règle ne le permet, et ce qu'aucune règle "
                         "ne permet est refusé." },
    [TOOL_ALSO_PERMITS] = { "Would have permitted, but a refusal prevails",
                            "Auraient permis, mais un refus l'emporte" },
    [TOOL_MISSING] = { "Would permit, if every condition held",
                       "Permettraient, si toutes les conditions étaient "
                       "remplies" },
    [TOOL_FAULTY] = { "Could not be evaluated", "N'ont pas pu être évaluées" },
    [TOOL_IDLE] = { "Could refuse, but do not apply",
                    "Pourraient refuser, mais ne s'appliquent pas" },
    [TOOL_OTHERS] = { "About others", "Concernent d'autres demandes" },
    [TOOL_BASIS] = { "basis: ", "fondement : " },
    [TOOL_WHEN] = { "when    ", "si       " },
    [TOOL_UNLESS] = { "unless  ", "sauf si  " },
    [TOOL_YES] = { "yes  ", "oui  " },
    [TOOL_NO] = { "no   ", "non  " },
    [TOOL_FAULT] = { "??   ", "??   " },
    [TOOL_NO_CONDITION] = { "always", "toujours" }
};


typedef struct {
    tool_answer_t  *a;
    size_t          n;
    bool            only;            /* one reading: its name is not said */
    bool            plain;           /* the last one was true or false */
} tool_found_t;


static void tool_say(tool_answer_t *a, tool_phrase_t phrase);
static void tool_group(tool_answer_t *a, tool_phrase_t title,
    bool (*in)(const tool_answer_t *a, const tool_story_t *s));
static bool tool_in_reasons(const tool_answer_t *a, const tool_story_t *s);
static bool tool_in_also(const tool_answer_t *a, const tool_story_t *s);
static bool tool_in_faulty(const tool_answer_t *a, const tool_story_t *s);
static bool tool_in_missing(const tool_answer_t *a, const tool_story_t *s);
static bool tool_in_idle(const tool_answer_t *a, const tool_story_t *s);
static void tool_story(tool_answer_t *a, const tool_story_t *s);
static void tool_condition(tool_answer_t *a, const tool_story_t *s,
    size_t k);
static void tool_line(tool_answer_t *a, const tool_story_t *s, size_t k,
    tool_phrase_t head);
static void tool_found(void *data, const cedar_reading_t *reading);
static void tool_count(void *data, const cedar_reading_t *reading);
static void tool_others(tool_answer_t *a);
static void tool_request(tool_answer_t *a);


void
tool_answer_text(tool_answer_t *a)
{
    bool    reasons;
    size_t  i;

    tool_request(a);
    tool_say(a, (a->decision == CEDAR_ALLOW && !a->errors) ? TOOL_PERMITTED
                                                           : TOOL_REFUSED);
    emage_buf_add_c(a->out, "\n");

    if (a->errors) {
        tool_say(a, TOOL_ERRORS);
        emage_buf_add_c(a->out, "\n");
    }

    for (i = 0, reasons = false; i < a->n; i++) {
        reasons = reasons || tool_decided(a, &a->stories[i]);
    }

    if (!reasons) {
        tool_say(a, TOOL_BY_NOBODY);
        emage_buf_add_c(a->out, "\n");
    }

    tool_group(a, TOOL_FAULTY, tool_in_faulty);
    tool_group(a, (a->decision == CEDAR_ALLOW) ? TOOL_BY_PERMITS
                                               : TOOL_BY_FORBIDS,
               tool_in_reasons);
    tool_group(a, TOOL_ALSO_PERMITS, tool_in_also);
    tool_group(a, TOOL_MISSING, tool_in_missing);
    tool_group(a, TOOL_IDLE, tool_in_idle);
    tool_others(a);
}


static void
tool_say(tool_answer_t *a, tool_phrase_t phrase)
{
    emage_buf_add_c(a->out, tool_phrases[phrase][a->language]);
}


static void
tool_request(tool_answer_t *a)
{
    emage_buf_add_c(a->out, a->title);
    emage_buf_add_c(a->out, "\n  ");
    tool_say(a, TOOL_ASKS);
    cedar_request_text(a->request, a->entities, CEDAR_PART_PRINCIPAL,
                       a->out);
    emage_buf_add_c(a->out, "\n  ");
    tool_say(a, TOOL_ON);
    cedar_request_text(a->request, a->entities, CEDAR_PART_ACTION, a->out);
    emage_buf_add_c(a->out, ", ");
    cedar_request_text(a->request, a->entities, CEDAR_PART_RESOURCE, a->out);
    emage_buf_add_c(a->out, "\n\n");
}


static bool
tool_in_reasons(const tool_answer_t *a, const tool_story_t *s)
{
    return tool_decided(a, s);
}


static bool
tool_in_also(const tool_answer_t *a, const tool_story_t *s)
{
    return s->truth == CEDAR_TRUTH_TRUE && !tool_decided(a, s);
}


static bool
tool_in_faulty(const tool_answer_t *a, const tool_story_t *s)
{
    (void) a;

    return s->truth == CEDAR_TRUTH_FAULT;
}


static bool
tool_in_missing(const tool_answer_t *a, const tool_story_t *s)
{
    return s->truth == CEDAR_TRUTH_FALSE && s->scope
           && cedar_policy_effect(a->set, s->policy) == CEDAR_PERMIT
           && a->decision != CEDAR_ALLOW;
}


static bool
tool_in_idle(const tool_answer_t *a, const tool_story_t *s)
{
    return s->truth == CEDAR_TRUTH_FALSE && s->scope
           && cedar_policy_effect(a->set, s->policy) == CEDAR_FORBID;
}


static void
tool_group(tool_answer_t *a, tool_phrase_t title,
    bool (*in)(const tool_answer_t *a, const tool_story_t *s))
{
    bool    said;
    size_t  i;

    for (i = 0, said = false; i < a->n; i++) {

        if (!in(a, &a->stories[i])) {
            continue;
        }

        if (!said) {
            emage_buf_add_c(a->out, "\n");
            tool_say(a, title);
            emage_buf_add_c(a->out, a->language == CEDAR_FRENCH ? " :\n"
                                                                : ":\n");
            said = true;
        }

        tool_story(a, &a->stories[i]);
    }
}


static void
tool_story(tool_answer_t *a, const tool_story_t *s)
{
    size_t               k;
    bool                 said;
    emage_str_t          text;
    const cedar_part_t  *part;

    emage_buf_add_c(a->out, "\n  ");
    emage_buf_add_str(a->out, cedar_policy_id(a->set, s->policy));
    emage_buf_add_c(a->out, "\n");

    text = tool_label(a, s->policy);

    if (text.len != 0) {
        emage_buf_add_c(a->out, "    ");
        emage_buf_add_str(a->out, text);
        emage_buf_add_c(a->out, "\n");
    }

    if (cedar_policy_annotation(a->set, s->policy, emage_str("basis"), &text)
        && text.len != 0)
    {
        emage_buf_add_c(a->out, "    ");
        tool_say(a, TOOL_BASIS);
        emage_buf_add_str(a->out, text);
        emage_buf_add_c(a->out, "\n");
    }

    for (k = 0, said = false; k < cedar_parts_count(s->parts); k++) {
        part = cedar_parts_at(s->parts, k);

        if (part->depth == 0 && (part->kind == CEDAR_PART_WHEN
                                 || part->kind == CEDAR_PART_UNLESS))
        {
            tool_condition(a, s, k);
            said = true;
        }
    }

    if (!said) {
        emage_buf_add_c(a->out, "      ");
        tool_say(a, TOOL_NO_CONDITION);
        emage_buf_add_c(a->out, "\n");
    }
}


/* A line for each part of a row of &&, else one for the whole. */

static void
tool_condition(tool_answer_t *a, const tool_story_t *s, size_t k)
{
    size_t               i;
    tool_phrase_t        head;
    const cedar_part_t  *part, *below;

    part = cedar_parts_at(s->parts, k);
    head = (part->kind == CEDAR_PART_UNLESS) ? TOOL_UNLESS : TOOL_WHEN;
    below = cedar_parts_at(s->parts, k + 1);

    if (part->leaf || !part->conjunction || below == NULL) {
        tool_line(a, s, k, head);
        return;
    }

    for (i = k + 1; (below = cedar_parts_at(s->parts, i)) != NULL
                    && below->depth > 0; i++)
    {
        if (below->depth == 1) {
            tool_line(a, s, i, head);
        }
    }
}


static void
tool_line(tool_answer_t *a, const tool_story_t *s, size_t k,
    tool_phrase_t head)
{
    tool_found_t         found;
    const cedar_part_t  *part;

    part = cedar_parts_at(s->parts, k);

    emage_buf_add_c(a->out, "      ");
    tool_say(a, head);
    tool_say(a, (part->truth == CEDAR_TRUTH_FAULT) ? TOOL_FAULT
                : (part->truth == CEDAR_TRUTH_TRUE) ? TOOL_YES : TOOL_NO);
    cedar_part_words(s->parts, k, a->request, a->language, a->out);

    found.a = a;
    found.n = 0;
    (void) cedar_part_readings(s->parts, k, a->request, a->entities,
                               a->scratch, TOOL_SCRATCH, a->language,
                               tool_count, &found);
    found.only = (found.n == 1);

    /* of one boolean attribute the line says it all */

    if (found.only && found.plain) {
        found.n = 0;

    } else {
        found.n = 0;
        (void) cedar_part_readings(s->parts, k, a->request, a->entities,
                                   a->scratch, TOOL_SCRATCH, a->language,
                                   tool_found, &found);
    }

    if (found.n != 0) {
        emage_buf_add_c(a->out, "]");
    }

    if (part->fault != NULL) {
        emage_buf_add_c(a->out, " -- ");
        emage_buf_add_c(a->out, part->fault);
    }

    emage_buf_add_c(a->out, "\n");
}


static void
tool_count(void *data, const cedar_reading_t *reading)
{
    tool_found_t  *found;

    found = data;

    if (reading->value != NULL) {
        found->plain = (strcmp(reading->value, "true") == 0
                        || strcmp(reading->value, "false") == 0);
        found->n++;
    }
}


static void
tool_found(void *data, const cedar_reading_t *reading)
{
    size_t         n;
    emage_buf_t   *out;
    tool_found_t  *found;

    found = data;
    out = found->a->out;
    n = found->n;
    tool_count(data, reading);

    if (found->n == n) {
        return;
    }

    emage_buf_add_c(out, (n == 0) ? "  [" : "; ");

    if (!found->only) {
        emage_buf_add_c(out, reading->words);
        emage_buf_add_c(out, found->a->language == CEDAR_FRENCH ? " : "
                                                                : ": ");
    }

    emage_buf_add_c(out, reading->value_words);
}


/* Policies whose scope the request does not meet: names alone. */

static void
tool_others(tool_answer_t *a)
{
    size_t         i;
    bool           said;
    tool_story_t  *s;

    for (i = 0, said = false; i < a->n; i++) {
        s = &a->stories[i];

        if (s->scope || s->truth != CEDAR_TRUTH_FALSE) {
            continue;
        }

        if (!said) {
            emage_buf_add_c(a->out, "\n");
            tool_say(a, TOOL_OTHERS);
        }

        emage_buf_add_c(a->out, said ? ", "
                        : (a->language == CEDAR_FRENCH) ? " : " : ": ");
        emage_buf_add_str(a->out, cedar_policy_id(a->set, s->policy));
        said = true;
    }

    emage_buf_add_c(a->out, said ? ".\n" : "");
}
