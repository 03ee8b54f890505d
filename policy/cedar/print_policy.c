/*
 * Copyright (C) The e-mage authors
 *
 * Whole policies as text: annotations, scope, conditions, comments.
 */


#include "cedar_print.h"


#define CEDAR_LINE  68               /* bytes of a condition on one line */


static void cedar_pt_scope(cedar_printer_t *p, const char *name,
    const cedar_scope_t *s);
static void cedar_pt_policy(cedar_printer_t *p, const cedar_policy_t *pol);
static void cedar_pt_annotation(cedar_printer_t *p, emage_str_t key,
    emage_str_t value);
static void cedar_pt_comments(cedar_printer_t *p, const cedar_policy_t *pol);
static bool cedar_comment_at(emage_str_t text, size_t from, size_t to,
    size_t *at);
static void cedar_pt_condition(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pt_row(cedar_printer_t *p, const cedar_node_t *n,
    uint8_t kind);


static void
cedar_pt_scope(cedar_printer_t *p, const char *name, const cedar_scope_t *s)
{
    uint32_t  i;

    emage_buf_add_c(p->b, name);

    if (s->kind == CEDAR_SCOPE_IS || s->kind == CEDAR_SCOPE_IS_IN) {
        emage_buf_add_c(p->b, " is ");
        cedar_pt_symbol(p, s->type);
    }

    if (s->kind == CEDAR_SCOPE_EQ) {
        emage_buf_add_c(p->b, " == ");

    } else if (s->kind == CEDAR_SCOPE_IN || s->kind == CEDAR_SCOPE_IS_IN) {
        emage_buf_add_c(p->b, " in ");

    } else {
        return;
    }

    if (s->slot) {
        emage_buf_add_c(p->b, "?");
        emage_buf_add_c(p->b, name);
        return;
    }

    emage_buf_add_c(p->b, s->list ? "[" : "");

    for (i = 0; i < s->n; i++) {
        emage_buf_add_c(p->b, (i == 0) ? "" : ", ");
        cedar_pt_uid(p, &s->uids[i]);
    }

    emage_buf_add_c(p->b, s->list ? "]" : "");
}


/* One line, or a line for each part of a row of && or ||. */

static void
cedar_pt_condition(cedar_printer_t *p, const cedar_node_t *n)
{
    size_t  start;

    if (n->kind == CEDAR_N_NOT && n->written == CEDAR_AS_UNLESS) {
        n = n->arg[0];
        emage_buf_add_c(p->b, "\nunless { ");

    } else {
        emage_buf_add_c(p->b, "\nwhen { ");
    }

    start = p->b->len;
    cedar_pt(p, n, CEDAR_P_IF);

    if (p->b->len - start > CEDAR_LINE && !p->b->failed
        && (n->kind == CEDAR_N_AND || n->kind == CEDAR_N_OR))
    {
        p->b->len = start - 1;
        emage_buf_add_c(p->b, "\n    ");
        cedar_pt_row(p, n, n->kind);
        emage_buf_add_c(p->b, "\n}");
        return;
    }

    emage_buf_add_c(p->b, " }");
}


static void
cedar_pt_row(cedar_printer_t *p, const cedar_node_t *n, uint8_t kind)
{
    bool  and;

    and = (kind == CEDAR_N_AND);

    if (n->kind != kind) {
        cedar_pt(p, n, and ? CEDAR_P_AND : CEDAR_P_OR);
        return;
    }

    cedar_pt_row(p, n->arg[0], kind);
    emage_buf_add_c(p->b, and ? "\n    && " : "\n    || ");
    cedar_pt(p, n->arg[1], and ? CEDAR_P_RELATION : CEDAR_P_AND);
}


static void
cedar_pt_annotation(cedar_printer_t *p, emage_str_t key, emage_str_t value)
{
    emage_buf_add_c(p->b, "@");
    emage_buf_add_str(p->b, key);
    emage_buf_add_c(p->b, "(");
    cedar_print_quoted(p->b, value, false);
    emage_buf_add_c(p->b, ")\n");
}


/* What stands before a policy is white space and comments. */

static void
cedar_pt_comments(cedar_printer_t *p, const cedar_policy_t *pol)
{
    size_t       i, from;
    emage_str_t  s;

    s = pol->source->text;

    for (i = pol->before; i < pol->start; i++) {

        if (s.data[i] != '/') {
            continue;
        }

        for (from = i; i < pol->start && s.data[i] != '\n'; i++) {
            /* void */
        }

        emage_buf_add(p->b, s.data + from, i - from);
        emage_buf_add_c(p->b, "\n");
    }
}


/* The first comment of text[from .. to), which holds whole tokens. */

static bool
cedar_comment_at(emage_str_t text, size_t from, size_t to, size_t *at)
{
    size_t  i;
    bool    quoted;

    for (i = from, quoted = false; i < to; i++) {

        if (text.data[i] == '"') {
            quoted = !quoted;

        } else if (quoted && text.data[i] == '\\') {
            i++;

        } else if (!quoted && text.data[i] == '/') {
            *at = i;
            return true;
        }
    }

    return false;
}


bool
cedar_policies_comment(const cedar_set_t *set, emage_str_t *file,
    uint32_t *line, uint32_t *column)
{
    size_t                 at;
    uint32_t               i, k;
    emage_str_t            text;
    const cedar_policy_t  *p;
    const cedar_source_t  *s;

    i = k = 0;

    while ((p = cedar_statement_next(set, &i, &k)) != NULL) {

        if (cedar_comment_at(p->source->text, p->start, p->end, &at)) {
            *file = p->source->name;
            cedar_source_place(p->source, at, line, column, &text);
            return true;
        }
    }

    for (i = 0; i < set->sources_n; i++) {
        s = set->sources[i];

        if (s->kind == CEDAR_SOURCE_POLICIES
            && cedar_comment_at(s->text, s->end, s->text.len, &at))
        {
            *file = s->name;
            cedar_source_place(s, at, line, column, &text);
            return true;
        }
    }

    return false;
}


static void
cedar_pt_policy(cedar_printer_t *p, const cedar_policy_t *pol)
{
    bool                       named;
    uint32_t                   i;
    const cedar_annotation_t  *a;

    named = pol->named;

    for (i = 0; i < pol->annotations_n; i++) {
        a = &pol->annotations[i];

        if (named && emage_str_eq(a->key, emage_str("id"))) {
            cedar_pt_annotation(p, a->key, pol->id);
            named = false;

        } else if (!a->bare) {
            cedar_pt_annotation(p, a->key, a->value);

        } else {
            emage_buf_add_c(p->b, "@");
            emage_buf_add_str(p->b, a->key);
            emage_buf_add_c(p->b, "\n");
        }
    }

    if (named) {
        cedar_pt_annotation(p, emage_str("id"), pol->id);
    }

    emage_buf_add_c(p->b, (pol->effect == CEDAR_PERMIT) ? "permit ("
                                                        : "forbid (");
    cedar_pt_scope(p, "principal", &pol->principal);
    emage_buf_add_c(p->b, ", ");
    cedar_pt_scope(p, "action", &pol->action);
    emage_buf_add_c(p->b, ", ");
    cedar_pt_scope(p, "resource", &pol->resource);
    emage_buf_add_c(p->b, ")");

    for (i = 0; i < pol->conds_n; i++) {
        cedar_pt_condition(p, pol->conds[i]);
    }

    emage_buf_add_c(p->b, ";\n");
}


/* Templates and policies stand in two lists, each in the order of the text. */

const cedar_policy_t *
cedar_statement_next(const cedar_set_t *set, uint32_t *i, uint32_t *k)
{
    const cedar_policy_t  *p, *t;

    while (*i < set->policies_n && set->policies[*i].linked != NULL) {
        (*i)++;
    }

    p = (*i < set->policies_n) ? &set->policies[*i] : NULL;
    t = (*k < set->templates_n) ? set->templates[*k] : NULL;

    if (p != NULL && (t == NULL || p->statement < t->statement)) {
        (*i)++;
        return p;
    }

    *k += (t != NULL);

    return t;
}


emage_rc_t
cedar_policies_text(const cedar_set_t *set, bool linked, emage_buf_t *b)
{
    uint32_t               i, k;
    const char            *gap;
    cedar_printer_t        p;
    const cedar_policy_t  *pol;

    p.set = set;
    p.b = b;
    i = k = 0;

    for (gap = ""; !b->failed; gap = "\n") {

        pol = !linked ? cedar_statement_next(set, &i, &k)
              : (i < set->policies_n) ? &set->policies[i++] : NULL;

        if (pol == NULL) {
            break;
        }

        emage_buf_add_c(b, gap);

        if (!linked) {
            cedar_pt_comments(&p, pol);
        }

        cedar_pt_policy(&p, pol);
    }

    return b->failed ? EMAGE_NOMEM : EMAGE_OK;
}
