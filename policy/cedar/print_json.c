/*
 * Copyright (C) The e-mage authors
 *
 * Policies in Cedar's JSON format.
 */


#include "cedar_print.h"


static void cedar_pj_node(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pj_sides(cedar_printer_t *p, const char *op,
    const cedar_node_t *n);
static void cedar_pj_arg(cedar_printer_t *p, const char *op,
    const cedar_node_t *a);
static void cedar_pj_value(cedar_printer_t *p, const cedar_value_t *v);
static void cedar_pj_has(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pj_like(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pj_is(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pj_if(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pj_record(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pj_call(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pj_list(cedar_printer_t *p, const cedar_node_t *n);
static void cedar_pj_symbol(cedar_printer_t *p, cedar_symbol_t s);
static void cedar_pj_uid(cedar_printer_t *p, const cedar_value_t *v);
static void cedar_pj_scope(cedar_printer_t *p, const char *name,
    const cedar_scope_t *s);
static void cedar_pj_links(cedar_printer_t *p);


static void
cedar_pj_symbol(cedar_printer_t *p, cedar_symbol_t s)
{
    emage_buf_add_json(p->b, cedar_symbol_name(&p->set->symbols, s));
}


static void
cedar_pj_uid(cedar_printer_t *p, const cedar_value_t *v)
{
    emage_buf_add_c(p->b, "{\"type\":");
    cedar_pj_symbol(p, v->sym);
    emage_buf_add_c(p->b, ",\"id\":");
    emage_buf_add_json(p->b, (emage_str_t) { v->u.s, v->len });
    emage_buf_add_c(p->b, "}");
}


static void
cedar_pj_value(cedar_printer_t *p, const cedar_value_t *v)
{
    emage_buf_add_c(p->b, "{\"Value\":");

    switch (v->kind) {

    case CEDAR_BOOL:
        emage_buf_add_c(p->b, v->u.b ? "true" : "false");
        break;

    case CEDAR_LONG:
        emage_buf_add_int(p->b, v->u.i);
        break;

    case CEDAR_STRING:
        emage_buf_add_json(p->b, (emage_str_t) { v->u.s, v->len });
        break;

    default:
        emage_buf_add_c(p->b, "{\"__entity\":");
        cedar_pj_uid(p, v);
        emage_buf_add_c(p->b, "}");
        break;
    }

    emage_buf_add_c(p->b, "}");
}


static void
cedar_pj_sides(cedar_printer_t *p, const char *op, const cedar_node_t *n)
{
    emage_buf_add_c(p->b, "{\"");
    emage_buf_add_c(p->b, op);
    emage_buf_add_c(p->b, "\":{\"left\":");
    cedar_pj_node(p, n->arg[0]);
    emage_buf_add_c(p->b, ",\"right\":");
    cedar_pj_node(p, n->arg[1]);
    emage_buf_add_c(p->b, "}}");
}


static void
cedar_pj_arg(cedar_printer_t *p, const char *op, const cedar_node_t *a)
{
    emage_buf_add_c(p->b, "{\"");
    emage_buf_add_c(p->b, op);
    emage_buf_add_c(p->b, "\":{\"arg\":");
    cedar_pj_node(p, a);
    emage_buf_add_c(p->b, "}}");
}


/* Depth is that of the tree, which its makers cap. */

static void
cedar_pj_node(cedar_printer_t *p, const cedar_node_t *n)
{
    const cedar_node_t  *a;

    static const char *const  vars[] = {
        [CEDAR_N_PRINCIPAL] = "{\"Var\":\"principal\"}",
        [CEDAR_N_ACTION] = "{\"Var\":\"action\"}",
        [CEDAR_N_RESOURCE] = "{\"Var\":\"resource\"}",
        [CEDAR_N_CONTEXT] = "{\"Var\":\"context\"}"
    };

    static const char *const  ops[] = {
        [CEDAR_N_AND] = "&&", [CEDAR_N_OR] = "||", [CEDAR_N_EQ] = "==",
        [CEDAR_N_LT] = "<", [CEDAR_N_LE] = "<=", [CEDAR_N_ADD] = "+",
        [CEDAR_N_SUB] = "-", [CEDAR_N_MUL] = "*", [CEDAR_N_IN] = "in"
    };

    if (n->kind < sizeof(vars) / sizeof(vars[0]) && vars[n->kind] != NULL) {
        emage_buf_add_c(p->b, vars[n->kind]);
        return;
    }

    if (n->kind < sizeof(ops) / sizeof(ops[0]) && ops[n->kind] != NULL) {
        cedar_pj_sides(p, ops[n->kind], n);
        return;
    }

    switch (n->kind) {

    case CEDAR_N_LIT:
        cedar_pj_value(p, &n->value);
        break;

    case CEDAR_N_NOT:
        a = n->arg[0];

        if (n->written == CEDAR_AS_OPERATOR) {
            cedar_pj_sides(p, (a->kind == CEDAR_N_EQ) ? "!="
                           : (a->kind == CEDAR_N_LE) ? ">" : ">=", a);

        } else {
            cedar_pj_arg(p, "!", a);
        }

        break;

    case CEDAR_N_NEG:
        cedar_pj_arg(p, "neg", n->arg[0]);
        break;

    case CEDAR_N_HAS:
        cedar_pj_has(p, n);
        break;

    case CEDAR_N_LIKE:
        cedar_pj_like(p, n);
        break;

    case CEDAR_N_IS:
    case CEDAR_N_IS_IN:
        cedar_pj_is(p, n);
        break;

    case CEDAR_N_IF:
        cedar_pj_if(p, n);
        break;

    case CEDAR_N_SET:
        emage_buf_add_c(p->b, "{\"Set\":");
        cedar_pj_list(p, n);
        emage_buf_add_c(p->b, "}");
        break;

    case CEDAR_N_RECORD:
        cedar_pj_record(p, n);
        break;

    case CEDAR_N_ATTR:
        emage_buf_add_c(p->b, "{\".\":{\"left\":");
        cedar_pj_node(p, n->arg[0]);
        emage_buf_add_c(p->b, ",\"attr\":");
        cedar_pj_symbol(p, n->sym);
        emage_buf_add_c(p->b, "}}");
        break;

    default:
        cedar_pj_call(p, n);
        break;
    }
}


static void
cedar_pj_has(cedar_printer_t *p, const cedar_node_t *n)
{
    uint32_t  i;

    emage_buf_add_c(p->b, "{\"has\":{\"left\":");
    cedar_pj_node(p, n->arg[0]);
    emage_buf_add_c(p->b, (n->n == 1) ? ",\"attr\":" : ",\"attr\":[");

    for (i = 0; i < n->n; i++) {
        emage_buf_add_c(p->b, (i == 0) ? "" : ",");
        cedar_pj_symbol(p, n->names[i]);
    }

    emage_buf_add_c(p->b, (n->n == 1) ? "}}" : "]}}");
}


static void
cedar_pj_like(cedar_printer_t *p, const cedar_node_t *n)
{
    size_t       len;
    uint32_t     i;
    const char  *sep;
    emage_str_t  s;

    emage_buf_add_c(p->b, "{\"like\":{\"left\":");
    cedar_pj_node(p, n->arg[0]);
    emage_buf_add_c(p->b, ",\"pattern\":[");
    sep = "";

    for (i = 0; i < n->pattern->n; i++) {

        if (i != 0) {
            emage_buf_add_c(p->b, sep);
            emage_buf_add_c(p->b, "\"Wildcard\"");
            sep = ",";
        }

        /* a literal for each character, as Cedar has it */

        for (s = n->pattern->piece[i]; s.len != 0; sep = ",") {

            for (len = 1; len < s.len && (s.data[len] & 0xc0) == 0x80;
                 len++)
            {
                /* void */
            }

            emage_buf_add_c(p->b, sep);
            emage_buf_add_c(p->b, "{\"Literal\":");
            emage_buf_add_json(p->b, (emage_str_t) { s.data, len });
            emage_buf_add_c(p->b, "}");

            s.data += len;
            s.len -= len;
        }
    }

    emage_buf_add_c(p->b, "]}}");
}


static void
cedar_pj_is(cedar_printer_t *p, const cedar_node_t *n)
{
    emage_buf_add_c(p->b, "{\"is\":{\"left\":");
    cedar_pj_node(p, n->arg[0]);
    emage_buf_add_c(p->b, ",\"entity_type\":");
    cedar_pj_symbol(p, n->sym);

    if (n->kind == CEDAR_N_IS_IN) {
        emage_buf_add_c(p->b, ",\"in\":");
        cedar_pj_node(p, n->arg[1]);
    }

    emage_buf_add_c(p->b, "}}");
}


static void
cedar_pj_if(cedar_printer_t *p, const cedar_node_t *n)
{
    emage_buf_add_c(p->b, "{\"if-then-else\":{\"if\":");
    cedar_pj_node(p, n->arg[0]);
    emage_buf_add_c(p->b, ",\"then\":");
    cedar_pj_node(p, n->arg[1]);
    emage_buf_add_c(p->b, ",\"else\":");
    cedar_pj_node(p, n->arg[2]);
    emage_buf_add_c(p->b, "}}");
}


static void
cedar_pj_record(cedar_printer_t *p, const cedar_node_t *n)
{
    uint32_t  i;

    emage_buf_add_c(p->b, "{\"Record\":{");

    for (i = 0; i < n->n; i++) {
        emage_buf_add_c(p->b, (i == 0) ? "" : ",");
        cedar_pj_symbol(p, n->names[i]);
        emage_buf_add_c(p->b, ":");
        cedar_pj_node(p, n->arg[i]);
    }

    emage_buf_add_c(p->b, "}}");
}


static void
cedar_pj_list(cedar_printer_t *p, const cedar_node_t *n)
{
    uint32_t  i;

    emage_buf_add_c(p->b, "[");

    for (i = 0; i < n->n; i++) {
        emage_buf_add_c(p->b, (i == 0) ? "" : ",");
        cedar_pj_node(p, n->arg[i]);
    }

    emage_buf_add_c(p->b, "]");
}


static void
cedar_pj_call(cedar_printer_t *p, const cedar_node_t *n)
{
    const cedar_fn_info_t  *info;

    info = cedar_fn_info(n->fn);

    if (n->fn == CEDAR_FN_IS_EMPTY) {
        cedar_pj_arg(p, "isEmpty", n->arg[0]);

    } else if (info->result == 0) {
        cedar_pj_sides(p, info->name.data, n);

    } else {
        emage_buf_add_c(p->b, "{");
        emage_buf_add_json(p->b, info->name);
        emage_buf_add_c(p->b, ":");
        cedar_pj_list(p, n);
        emage_buf_add_c(p->b, "}");
    }
}


void
cedar_print_json(const cedar_set_t *set, const cedar_node_t *n,
    emage_buf_t *b)
{
    cedar_printer_t  p;

    p.set = set;
    p.b = b;
    cedar_pj_node(&p, n);
}


static void
cedar_pj_scope(cedar_printer_t *p, const char *name, const cedar_scope_t *s)
{
    bool      is;
    uint32_t  i;

    static const char *const  ops[] = {
        [CEDAR_SCOPE_ANY] = "All", [CEDAR_SCOPE_EQ] = "==",
        [CEDAR_SCOPE_IN] = "in", [CEDAR_SCOPE_IS] = "is",
        [CEDAR_SCOPE_IS_IN] = "is"
    };

    is = (s->kind == CEDAR_SCOPE_IS || s->kind == CEDAR_SCOPE_IS_IN);

    emage_buf_add_c(p->b, ",\"");
    emage_buf_add_c(p->b, name);
    emage_buf_add_c(p->b, "\":{\"op\":\"");
    emage_buf_add_c(p->b, ops[s->kind]);
    emage_buf_add_c(p->b, "\"");

    if (is) {
        emage_buf_add_c(p->b, ",\"entity_type\":");
        cedar_pj_symbol(p, s->type);
    }

    if (s->kind == CEDAR_SCOPE_IS_IN) {
        emage_buf_add_c(p->b, ",\"in\":{");

    } else if (s->kind == CEDAR_SCOPE_EQ || s->kind == CEDAR_SCOPE_IN) {
        emage_buf_add_c(p->b, ",");
    }

    if (s->slot) {
        emage_buf_add_c(p->b, "\"slot\":\"?");
        emage_buf_add_c(p->b, name);
        emage_buf_add_c(p->b, "\"");

    } else if (s->list && s->n != 1) {
        emage_buf_add_c(p->b, "\"entities\":[");

        for (i = 0; i < s->n; i++) {
            emage_buf_add_c(p->b, (i == 0) ? "" : ",");
            cedar_pj_uid(p, &s->uids[i]);
        }

        emage_buf_add_c(p->b, "]");

    } else if (s->n != 0) {
        emage_buf_add_c(p->b, "\"entity\":");
        cedar_pj_uid(p, &s->uids[0]);
    }

    emage_buf_add_c(p->b, (s->kind == CEDAR_SCOPE_IS_IN) ? "}}" : "}");
}


void
cedar_print_policy_json(const cedar_set_t *set, const cedar_policy_t *pol,
    emage_buf_t *b)
{
    bool                 unless;
    uint32_t             i;
    cedar_node_t        *c;
    cedar_printer_t      p;

    p.set = set;
    p.b = b;

    emage_buf_add_c(b, (pol->effect == CEDAR_PERMIT)
                       ? "{\"effect\":\"permit\"" : "{\"effect\":\"forbid\"");
    cedar_pj_scope(&p, "principal", &pol->principal);
    cedar_pj_scope(&p, "action", &pol->action);
    cedar_pj_scope(&p, "resource", &pol->resource);
    emage_buf_add_c(b, ",\"conditions\":[");

    for (i = 0; i < pol->conds_n; i++) {
        c = pol->conds[i];
        unless = (c->kind == CEDAR_N_NOT && c->written == CEDAR_AS_UNLESS);

        emage_buf_add_c(b, (i == 0) ? "" : ",");
        emage_buf_add_c(b, unless ? "{\"kind\":\"unless\",\"body\":"
                                  : "{\"kind\":\"when\",\"body\":");
        cedar_pj_node(&p, unless ? c->arg[0] : c);
        emage_buf_add_c(b, "}");
    }

    emage_buf_add_c(b, "]");

    for (i = 0; i < pol->annotations_n; i++) {
        emage_buf_add_c(b, (i == 0) ? ",\"annotations\":{" : ",");
        emage_buf_add_json(b, pol->annotations[i].key);
        emage_buf_add_c(b, ":");

        if (pol->annotations[i].bare) {
            emage_buf_add_c(b, "null");

        } else {
            emage_buf_add_json(b, pol->annotations[i].value);
        }
    }

    emage_buf_add_c(b, (pol->annotations_n != 0) ? "}}" : "}");
}


static void
cedar_pj_links(cedar_printer_t *p)
{
    uint32_t               i;
    const char            *sep;
    const cedar_policy_t  *pol;

    sep = "";

    for (i = 0; i < p->set->policies_n; i++) {
        pol = &p->set->policies[i];

        if (pol->linked == NULL) {
            continue;
        }

        emage_buf_add_c(p->b, sep);
        emage_buf_add_c(p->b, "{\"templateId\":");
        emage_buf_add_json(p->b, pol->linked->id);
        emage_buf_add_c(p->b, ",\"newId\":");
        emage_buf_add_json(p->b, pol->id);
        emage_buf_add_c(p->b, ",\"values\":{");

        if (pol->linked->principal.slot) {
            emage_buf_add_c(p->b, "\"?principal\":");
            cedar_pj_uid(p, &pol->principal.uids[0]);
        }

        if (pol->linked->resource.slot) {
            emage_buf_add_c(p->b, pol->linked->principal.slot
                                  ? ",\"?resource\":" : "\"?resource\":");
            cedar_pj_uid(p, &pol->resource.uids[0]);
        }

        emage_buf_add_c(p->b, "}}");
        sep = ",\n";
    }
}


emage_rc_t
cedar_policies_json(const cedar_set_t *set, emage_buf_t *b)
{
    uint32_t               i, k;
    const char            *sep;
    cedar_printer_t        p;
    const cedar_policy_t  *pol;

    p.set = set;
    p.b = b;
    i = k = 0;
    sep = "\n";

    emage_buf_add_c(b, "{\"staticPolicies\":{");

    while ((pol = cedar_statement_next(set, &i, &k)) != NULL && !b->failed) {

        if (!pol->principal.slot && !pol->resource.slot) {
            emage_buf_add_c(b, sep);
            emage_buf_add_json(b, pol->id);
            emage_buf_add_c(b, ":");
            cedar_print_policy_json(set, pol, b);
            sep = ",\n";
        }
    }

    emage_buf_add_c(b, "},\n\"templates\":{");

    for (k = 0; k < set->templates_n && !b->failed; k++) {
        emage_buf_add_c(b, (k == 0) ? "\n" : ",\n");
        emage_buf_add_json(b, set->templates[k]->id);
        emage_buf_add_c(b, ":");
        cedar_print_policy_json(set, set->templates[k], b);
    }

    emage_buf_add_c(b, "},\n\"templateLinks\":[");
    cedar_pj_links(&p);

    return emage_buf_add_c(b, "]}\n");
}
