/*
 * Copyright (C) The e-mage authors
 *
 * Tokens of policies and schemas, and the errors that point at them.
 */


#include "cedar_parse.h"

#include <stdio.h>


static bool cedar_is_ident(char c, bool first);
static bool cedar_is_digit(char c);
static uint32_t cedar_skip(const char *s, uint32_t i, uint32_t n);
static uint32_t cedar_lex_string(const char *s, uint32_t i, uint32_t n);


void
cedar_parser_init(cedar_parser_t *p, cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err)
{
    memset(p, 0, sizeof(cedar_parser_t));

    p->set = set;
    p->source = source;
    p->arena = &set->arena;
    p->err = err;

    cedar_next(p);
}


static bool
cedar_is_digit(char c)
{
    return c >= '0' && c <= '9';
}


static bool
cedar_is_ident(char c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (!first && cedar_is_digit(c));
}


static uint32_t
cedar_skip(const char *s, uint32_t i, uint32_t n)
{
    while (i < n) {

        if (s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r')) {
            i++;

        } else if (s[i] == '/' && i + 1 < n && s[i + 1] == '/') {

            while (i < n && s[i] != '\n' && s[i] != '\r') {
                i++;
            }

        } else {
            break;
        }
    }

    return i;
}


/* From the opening quote to behind the closing one; 0 if there is none. */

static uint32_t
cedar_lex_string(const char *s, uint32_t i, uint32_t n)
{
    for (i++; i < n; i++) {

        if (s[i] == '\\') {
            i++;

        } else if (s[i] == '"') {
            return i + 1;
        }
    }

    return 0;
}


void
cedar_next(cedar_parser_t *p)
{
    uint32_t        i, n, start;
    const char     *s;
    cedar_token_t  *t;

    static const char *two[] = { "::", "&&", "||", "==", "!=", "<=", ">=" };

    t = &p->tok;
    s = p->source->text.data;
    n = p->source->text.len;
    start = cedar_skip(s, p->pos, n);
    i = start;

    t->kind = CEDAR_TOK_BAD;

    if (p->failed || i == n) {
        t->kind = CEDAR_TOK_END;

    } else if (cedar_is_ident(s[i], true)) {
        t->kind = CEDAR_TOK_IDENT;

        while (i < n && cedar_is_ident(s[i], false)) {
            i++;
        }

    } else if (cedar_is_digit(s[i])) {
        t->kind = CEDAR_TOK_NUMBER;

        while (i < n && cedar_is_digit(s[i])) {
            i++;
        }

    } else if (s[i] == '"') {
        i = cedar_lex_string(s, i, n);

        if (i != 0) {
            t->kind = CEDAR_TOK_STRING;
            t->pos = start;
            t->text = (emage_str_t) { s + start + 1, i - start - 2 };
            p->pos = i;
            return;
        }

        i = n;

    } else if (s[i] == '?' && i + 1 < n && cedar_is_ident(s[i + 1], true)) {
        t->kind = CEDAR_TOK_SLOT;

        for (i++; i < n && cedar_is_ident(s[i], false); i++) { /* void */ }

    } else if (strchr("(){}[],;:.<>=!+-*@?", s[i]) != NULL
               || (i + 1 < n && (memcmp(&s[i], "&&", 2) == 0
                                 || memcmp(&s[i], "||", 2) == 0)))
    {
        t->kind = (s[i] == '\0') ? CEDAR_TOK_BAD : CEDAR_TOK_PUNCT;

        for (i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
            if (start + 1 < n && memcmp(&s[start], two[i], 2) == 0) {
                break;
            }
        }

        i = start + (i < sizeof(two) / sizeof(two[0]) ? 2 : 1);

    } else {
        i++;
    }

    t->pos = start;
    t->text = (emage_str_t) { s + start, i - start };
    p->pos = i;
}


bool
cedar_at(const cedar_parser_t *p, const char *s)
{
    return (p->tok.kind == CEDAR_TOK_IDENT || p->tok.kind == CEDAR_TOK_PUNCT)
           && emage_str_eq(p->tok.text, emage_str_c(s));
}


bool
cedar_take(cedar_parser_t *p, const char *s)
{
    if (!cedar_at(p, s)) {
        return false;
    }

    cedar_next(p);

    return true;
}


bool
cedar_expect(cedar_parser_t *p, const char *s, const char *where)
{
    char  what[80];

    if (cedar_take(p, s)) {
        return true;
    }

    snprintf(what, sizeof(what), "\"%s\" %s", s, where);

    return cedar_unexpected(p, what);
}


bool
cedar_fail(cedar_parser_t *p, uint32_t pos, const char *fmt, ...)
{
    char      text[320];
    va_list   args;
    uint32_t  line, column;

    if (p->failed) {
        return false;
    }

    p->failed = true;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    cedar_source_place(p->source, pos, &line, &column, NULL);

    emage_error_set(p->err, "%.*s:%u:%u: %s", (int) p->source->name.len,
                    p->source->name.data, line, column, text);

    return false;
}


bool
cedar_unexpected(cedar_parser_t *p, const char *what)
{
    int                   len;
    const cedar_token_t  *t;

    t = &p->tok;
    len = (t->text.len > 40) ? 40 : (int) t->text.len;

    switch (t->kind) {

    case CEDAR_TOK_END:
        return cedar_fail(p, t->pos, "expected %s, found the end of the file",
                          what);

    case CEDAR_TOK_STRING:
        return cedar_fail(p, t->pos, "expected %s, found the string \"%.*s\"",
                          what, len, t->text.data);

    case CEDAR_TOK_BAD:
        if (t->text.data[0] == '"') {
            return cedar_fail(p, t->pos, "this string does not end; "
                              "close it with \"");
        }

        return cedar_fail(p, t->pos, "expected %s, found a character that "
                          "has no meaning here", what);

    default:
        return cedar_fail(p, t->pos, "expected %s, found \"%.*s\"", what, len,
                          t->text.data);
    }
}


bool
cedar_nomem(cedar_parser_t *p)
{
    p->nomem = true;
    p->arena->failed = true;

    return cedar_fail(p, p->tok.pos, "no memory, or over the limit of %zu "
                      "bytes for one policy set; split or shorten it",
                      p->arena->max);
}


emage_rc_t
cedar_parser_rc(const cedar_parser_t *p)
{
    if (p->nomem || p->arena->failed) {
        return EMAGE_NOMEM;
    }

    return p->failed ? EMAGE_ERROR : EMAGE_OK;
}


bool
cedar_enter(cedar_parser_t *p)
{
    if (++p->depth > CEDAR_MAX_DEPTH) {
        return cedar_fail(p, p->tok.pos, "nested deeper than %d levels; "
                          "simplify it", CEDAR_MAX_DEPTH);
    }

    return true;
}


bool
cedar_is_name(emage_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (!cedar_is_ident(s.data[i], i == 0)) {
            return false;
        }
    }

    return s.len != 0 && !cedar_reserved(s);
}


bool
cedar_reserved(emage_str_t word)
{
    size_t  i;

    static const char *words[] = {
        "true", "false", "if", "then", "else", "in", "is", "like", "has",
        "__cedar"
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (emage_str_eq(word, emage_str_c(words[i]))) {
            return true;
        }
    }

    return false;
}


bool
cedar_ident(cedar_parser_t *p, const char *what, emage_str_t *s)
{
    if (p->tok.kind != CEDAR_TOK_IDENT) {
        return cedar_unexpected(p, what);
    }

    if (cedar_reserved(p->tok.text)) {
        return cedar_fail(p, p->tok.pos, "\"%.*s\" is a reserved word and "
                          "cannot be %s", (int) p->tok.text.len,
                          p->tok.text.data, what);
    }

    *s = p->tok.text;
    cedar_next(p);

    return true;
}


void
cedar_source_place(const cedar_source_t *s, uint32_t pos, uint32_t *line,
    uint32_t *column, emage_str_t *text)
{
    uint32_t     i, n, start;
    const char  *p;

    p = s->text.data;
    n = s->text.len;
    start = 0;
    *line = 1;

    if (pos > n) {
        pos = n;
    }

    for (i = 0; i < pos; i++) {
        if (p[i] == '\n') {
            (*line)++;
            start = i + 1;
        }
    }

    *column = pos - start + 1;

    if (text != NULL) {
        for (i = start; i < n && p[i] != '\n' && p[i] != '\r'; i++) {
            /* void */
        }

        *text = (emage_str_t) { p + start, i - start };
    }
}
