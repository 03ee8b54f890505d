/*
 * Copyright (C) The e-mage authors
 *
 * Methods of sets and entities, and the extensions' functions.
 */


#include "cedar_eval.h"


#define CEDAR_DAY  86400000


static bool cedar_call_set(cedar_eval_t *e, cedar_fn_t fn,
    const cedar_value_t *a, const cedar_value_t *b, cedar_value_t *v);
static bool cedar_call_tag(cedar_eval_t *e, cedar_fn_t fn,
    const cedar_value_t *a, const cedar_value_t *b, cedar_value_t *v);
static bool cedar_call_extension(cedar_eval_t *e, cedar_fn_t fn,
    const cedar_value_t *a, const cedar_value_t *b, cedar_value_t *v);
static bool cedar_call_time(cedar_eval_t *e, cedar_fn_t fn, int64_t a,
    int64_t b, cedar_value_t *v);
static bool cedar_set_meets(const cedar_value_t *a, const cedar_value_t *b,
    bool all);


bool
cedar_eval_call(cedar_eval_t *e, const cedar_node_t *n, cedar_value_t *v)
{
    uint32_t                i;
    cedar_value_t           arg[2];
    const cedar_fn_info_t  *info;

    if (n->fault != NULL) {
        return cedar_fault(e, n->fault);
    }

    info = cedar_fn_info(n->fn);

    if (n->n != info->args) {
        return cedar_fault(e, "wrong number of arguments");
    }

    arg[1] = cedar_value(0);

    for (i = 0; i < n->n; i++) {
        if (!cedar_eval(e, n->arg[i], &arg[i])) {
            return false;
        }
    }

    if (info->result != 0) {
        for (i = 0; i < n->n; i++) {
            if (arg[i].kind != info->arg[i]) {
                return cedar_fault(e, "type error: an argument of an "
                                   "extension function has the wrong type");
            }
        }

        return cedar_call_extension(e, n->fn, &arg[0], &arg[1], v);
    }

    if (n->fn == CEDAR_FN_HAS_TAG || n->fn == CEDAR_FN_GET_TAG) {
        return cedar_call_tag(e, n->fn, &arg[0], &arg[1], v);
    }

    return cedar_call_set(e, n->fn, &arg[0], &arg[1], v);
}


/* Both are sorted: one walk.  `all`: is every element of b in a? */

static bool
cedar_set_meets(const cedar_value_t *a, const cedar_value_t *b, bool all)
{
    int       rc;
    uint32_t  i, k;

    for (i = 0, k = 0; i < a->len && k < b->len; /* void */ ) {
        rc = cedar_value_cmp(&a->u.set[i], &b->u.set[k]);

        if (rc == 0) {
            if (!all) {
                return true;
            }

            i++;
            k++;

        } else if (rc < 0) {
            i++;

        } else {
            if (all) {
                return false;
            }

            k++;
        }
    }

    return all && k == b->len;
}


static bool
cedar_call_set(cedar_eval_t *e, cedar_fn_t fn, const cedar_value_t *a,
    const cedar_value_t *b, cedar_value_t *v)
{
    bool  r;

    if (a->kind != CEDAR_SET
        || ((fn == CEDAR_FN_CONTAINS_ALL || fn == CEDAR_FN_CONTAINS_ANY)
            && b->kind != CEDAR_SET))
    {
        return cedar_fault(e, "type error: expected a set");
    }

    switch (fn) {

    case CEDAR_FN_CONTAINS:
        r = cedar_set_contains(a, b);
        break;

    case CEDAR_FN_IS_EMPTY:
        r = (a->len == 0);
        break;

    default:
        r = cedar_set_meets(a, b, fn == CEDAR_FN_CONTAINS_ALL);
        break;
    }

    *v = cedar_value_bool(r);

    return true;
}


/* A tag that no name was interned for is on no entity. */

static bool
cedar_call_tag(cedar_eval_t *e, cedar_fn_t fn, const cedar_value_t *a,
    const cedar_value_t *b, cedar_value_t *v)
{
    emage_str_t             key;
    cedar_symbol_t          name;
    const cedar_ent_t      *ent;
    const cedar_value_t    *tag;
    const cedar_symbols_t  *symbols;

    if (a->kind != CEDAR_ENTITY) {
        return cedar_fault(e, "type error: only entities have tags");
    }

    if (b->kind != CEDAR_STRING) {
        return cedar_fault(e, "type error: a tag's name must be a string");
    }

    key = (emage_str_t) { b->u.s, b->len };
    symbols = (e->entities != NULL) ? &e->entities->symbols
                                    : &e->set->symbols;
    name = cedar_symbol_find(symbols, key);
    ent = cedar_eval_entity(e, a);

    tag = (ent == NULL || name == CEDAR_NO_SYMBOL)
          ? NULL : cedar_record_get(&ent->tags, name);

    if (fn == CEDAR_FN_HAS_TAG) {
        *v = cedar_value_bool(tag != NULL);
        return true;
    }

    if (tag == NULL) {
        return cedar_fault(e, (ent == NULL)
                           ? "no such entity, so no tag of it"
                           : "tag missing");
    }

    *v = *tag;

    return true;
}


static bool
cedar_call_extension(cedar_eval_t *e, cedar_fn_t fn, const cedar_value_t *a,
    const cedar_value_t *b, cedar_value_t *v)
{
    bool         r;
    const char  *fault;

    switch (fn) {

    case CEDAR_FN_IP:
    case CEDAR_FN_DECIMAL:
    case CEDAR_FN_DATETIME:
    case CEDAR_FN_DURATION:
        fault = cedar_fn_construct(fn, (emage_str_t) { a->u.s, a->len },
                                   e->scratch, v);

        return (fault == NULL) ? true : cedar_fault(e, fault);

    case CEDAR_FN_IS_IPV4:
        r = !a->u.ip->v6;
        break;

    case CEDAR_FN_IS_IPV6:
        r = a->u.ip->v6;
        break;

    case CEDAR_FN_IS_LOOPBACK:
        r = cedar_ip_loopback(a->u.ip);
        break;

    case CEDAR_FN_IS_MULTICAST:
        r = cedar_ip_multicast(a->u.ip);
        break;

    case CEDAR_FN_IS_IN_RANGE:
        r = cedar_ip_in_range(a->u.ip, b->u.ip);
        break;

    case CEDAR_FN_LESS:
        r = a->u.i < b->u.i;
        break;

    case CEDAR_FN_LESS_EQ:
        r = a->u.i <= b->u.i;
        break;

    case CEDAR_FN_GREATER:
        r = a->u.i > b->u.i;
        break;

    case CEDAR_FN_GREATER_EQ:
        r = a->u.i >= b->u.i;
        break;

    default:
        return cedar_call_time(e, fn, a->u.i, b->u.i, v);
    }

    *v = cedar_value_bool(r);

    return true;
}


static bool
cedar_call_time(cedar_eval_t *e, cedar_fn_t fn, int64_t a, int64_t b,
    cedar_value_t *v)
{
    bool     over;
    int64_t  r, rest;

    over = false;
    r = 0;

    /* the time of day is never negative, also before 1970 */

    rest = ((a % CEDAR_DAY) + CEDAR_DAY) % CEDAR_DAY;

    switch (fn) {

    case CEDAR_FN_OFFSET:
        over = __builtin_add_overflow(a, b, &r);
        break;

    case CEDAR_FN_DURATION_SINCE:
        over = __builtin_sub_overflow(a, b, &r);
        break;

    case CEDAR_FN_TO_DATE:
        over = __builtin_sub_overflow(a, rest, &r);
        break;

    case CEDAR_FN_TO_TIME:
        r = rest;
        break;

    case CEDAR_FN_TO_MILLISECONDS:
        r = a;
        break;

    case CEDAR_FN_TO_SECONDS:
        r = a / 1000;
        break;

    case CEDAR_FN_TO_MINUTES:
        r = a / 60000;
        break;

    case CEDAR_FN_TO_HOURS:
        r = a / 3600000;
        break;

    case CEDAR_FN_TO_DAYS:
        r = a / CEDAR_DAY;
        break;

    default:
        return cedar_fault(e, "no such function");
    }

    if (over) {
        return cedar_fault(e, "datetime or duration out of range");
    }

    *v = cedar_value_int(cedar_fn_info(fn)->result, r);

    return true;
}
