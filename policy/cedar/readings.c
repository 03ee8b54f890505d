/*
 * Copyright (C) The e-mage authors
 *
 * What a condition reads of a request, and what it found there.
 */


#include "cedar_parts.h"
#include "cedar_print.h"


#define CEDAR_MAX_READINGS  64       /* of one part */
#define CEDAR_MAX_READING   65536    /* bytes of one text */


typedef struct {
    cedar_words_t         w;
    cedar_eval_t          e;
    cedar_reading_pt      each;
    void                 *data;
    const cedar_node_t   *seen[CEDAR_MAX_READINGS];
    uint32_t              seen_n;
    bool                  failed;
} cedar_readings_t;


static void cedar_readings(cedar_readings_t *r, const cedar_node_t *n);
static void cedar_reading(cedar_readings_t *r, const cedar_node_t *n);
static void cedar_reading_value(cedar_readings_t *r, const cedar_node_t *n,
    const cedar_value_t *v, emage_buf_t *text, emage_buf_t *words);


emage_rc_t
cedar_part_readings(const cedar_parts_t *parts, size_t k,
    cedar_request_t *req, const cedar_entities_t *entities, void *scratch,
    size_t scratch_size, cedar_language_t language, cedar_reading_pt each,
    void *data)
{
    emage_rc_t        rc;
    cedar_arena_t     arena;
    cedar_readings_t  r;

    if (k >= parts->n) {
        return EMAGE_ERROR;
    }

    memset(&r, 0, sizeof(cedar_readings_t));

    rc = cedar_parts_start(&r.e, &arena, parts, req, entities, scratch,
                           scratch_size);
    if (rc != EMAGE_OK) {
        return rc;
    }

    r.w.set = parts->set;
    r.w.req = req;
    r.w.language = language;
    r.each = each;
    r.data = data;

    cedar_readings(&r, parts->list[k].node);

    return r.failed ? EMAGE_NOMEM : EMAGE_OK;
}


/* The longest terms: of context.a.b not context.a too. */

static void
cedar_readings(cedar_readings_t *r, const cedar_node_t *n)
{
    uint32_t  i, args;

    if (cedar_is_term(n)) {

        for (i = 0; i < r->seen_n; i++) {
            if (cedar_node_eq(r->seen[i], n)) {
                return;
            }
        }

        if (r->seen_n < CEDAR_MAX_READINGS) {
            r->seen[r->seen_n++] = n;
            cedar_reading(r, n);
        }

        return;
    }

    switch (n->kind) {

    case CEDAR_N_LIT:
    case CEDAR_N_BAD:
        args = 0;
        break;

    case CEDAR_N_IS:
    case CEDAR_N_HAS:
    case CEDAR_N_LIKE:
    case CEDAR_N_NOT:
    case CEDAR_N_NEG:
    case CEDAR_N_ATTR:
        args = 1;
        break;

    case CEDAR_N_IF:
        args = 3;
        break;

    case CEDAR_N_SET:
    case CEDAR_N_RECORD:
    case CEDAR_N_CALL:
        args = n->n;
        break;

    default:
        args = 2;
        break;
    }

    for (i = 0; i < args; i++) {
        cedar_readings(r, n->arg[i]);
    }
}


static void
cedar_reading(cedar_readings_t *r, const cedar_node_t *n)
{
    char             *start;
    bool              known;
    emage_buf_t       text, words, value, value_words;
    cedar_value_t     v;
    cedar_reading_t   reading;

    emage_buf_init(&text, CEDAR_MAX_READING);
    emage_buf_init(&words, CEDAR_MAX_READING);
    emage_buf_init(&value, CEDAR_MAX_READING);
    emage_buf_init(&value_words, CEDAR_MAX_READING);

    start = r->e.scratch->pos;
    known = cedar_eval(&r->e, n, &v);

    cedar_print_text(r->w.set, n, &text);
    r->w.b = &words;
    cedar_say_operand(&r->w, n, NULL);

    if (known) {
        cedar_reading_value(r, n, &v, &value, &value_words);
    }

    reading.text = emage_buf_cstr(&text);
    reading.words = emage_buf_cstr(&words);
    reading.value = known ? emage_buf_cstr(&value) : NULL;
    reading.value_words = known ? emage_buf_cstr(&value_words) : NULL;

    if (reading.text == NULL || reading.words == NULL
        || (known && (reading.value == NULL || reading.value_words == NULL)))
    {
        r->failed = true;

    } else {
        r->each(r->data, &reading);
    }

    r->e.scratch->pos = start;

    emage_buf_free(&text);
    emage_buf_free(&words);
    emage_buf_free(&value);
    emage_buf_free(&value_words);
}


/* An entity is called by its type, a code by what the schema says of it. */

static void
cedar_reading_value(cedar_readings_t *r, const cedar_node_t *n,
    const cedar_value_t *v, emage_buf_t *text, emage_buf_t *words)
{
    emage_str_t             s;
    const cedar_symbols_t  *symbols;

    symbols = (r->e.entities != NULL) ? &r->e.entities->symbols
                                      : &r->e.set->symbols;

    cedar_value_text(symbols, v, 0, text);
    r->w.b = words;

    if (v->kind == CEDAR_STRING
        && cedar_code_words(&r->w, cedar_term_attr(&r->w, n),
                            (emage_str_t) { v->u.s, v->len }, &s))
    {
        cedar_say_words(&r->w, s);
        return;
    }

    if (v->kind == CEDAR_BOOL) {
        emage_buf_add_c(words, (r->w.language == CEDAR_FRENCH)
                               ? (v->u.b ? "vrai" : "faux")
                               : (v->u.b ? "true" : "false"));
        return;
    }

    if (v->kind == CEDAR_ENTITY && cedar_type_words(&r->w, v->sym, &s)) {
        cedar_say_words(&r->w, s);
        return;
    }

    cedar_value_text(symbols, v, 0, words);
}
