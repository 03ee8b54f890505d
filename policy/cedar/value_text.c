/*
 * Copyright (C) The e-mage authors
 *
 * Values of requests as Cedar's text.
 */


#include "cedar_parts.h"
#include "cedar_print.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>


#define CEDAR_VALUE_DEPTH  8         /* what lies deeper is left out */


static const cedar_symbols_t *cedar_symbols_of(const cedar_set_t *set,
    const cedar_entities_t *entities);
static void cedar_value_list(const cedar_symbols_t *symbols,
    const cedar_value_t *v, unsigned depth, emage_buf_t *b);
static void cedar_value_fields(const cedar_symbols_t *symbols,
    const cedar_value_t *v, unsigned depth, emage_buf_t *b);
static void cedar_value_number(const cedar_value_t *v, emage_buf_t *b);
static void cedar_value_ip(const cedar_ip_t *ip, emage_buf_t *b);


static const cedar_symbols_t *
cedar_symbols_of(const cedar_set_t *set, const cedar_entities_t *entities)
{
    return (entities != NULL) ? &entities->symbols : &set->symbols;
}


emage_rc_t
cedar_request_text(const cedar_request_t *req,
    const cedar_entities_t *entities, cedar_part_kind_t part, emage_buf_t *b)
{
    const cedar_value_t  *v;

    v = (part == CEDAR_PART_PRINCIPAL) ? &req->principal
        : (part == CEDAR_PART_ACTION) ? &req->action : &req->resource;

    if (v->kind == CEDAR_ENTITY) {
        cedar_value_text(cedar_symbols_of(req->set, entities), v, 0, b);
    }

    return b->failed ? EMAGE_NOMEM : EMAGE_OK;
}


void
cedar_value_text(const cedar_symbols_t *symbols, const cedar_value_t *v,
    unsigned depth, emage_buf_t *b)
{
    if (depth > CEDAR_VALUE_DEPTH) {
        emage_buf_add_c(b, "...");
        return;
    }

    switch (v->kind) {

    case CEDAR_BOOL:
        emage_buf_add_c(b, v->u.b ? "true" : "false");
        break;

    case CEDAR_LONG:
        emage_buf_add_int(b, v->u.i);
        break;

    case CEDAR_STRING:
        cedar_print_quoted(b, (emage_str_t) { v->u.s, v->len }, false);
        break;

    case CEDAR_ENTITY:
        emage_buf_add_str(b, cedar_symbol_name(symbols, v->sym));
        emage_buf_add_c(b, "::");
        cedar_print_quoted(b, (emage_str_t) { v->u.s, v->len }, false);
        break;

    case CEDAR_SET:
        cedar_value_list(symbols, v, depth, b);
        break;

    case CEDAR_RECORD:
        cedar_value_fields(symbols, v, depth, b);
        break;

    case CEDAR_IP:
        cedar_value_ip(v->u.ip, b);
        break;

    default:
        cedar_value_number(v, b);
        break;
    }
}


static void
cedar_value_list(const cedar_symbols_t *symbols, const cedar_value_t *v,
    unsigned depth, emage_buf_t *b)
{
    uint32_t  i;

    emage_buf_add_c(b, "[");

    for (i = 0; i < v->len && !b->failed; i++) {
        emage_buf_add_c(b, (i == 0) ? "" : ", ");
        cedar_value_text(symbols, &v->u.set[i], depth + 1, b);
    }

    emage_buf_add_c(b, "]");
}


static void
cedar_value_fields(const cedar_symbols_t *symbols, const cedar_value_t *v,
    unsigned depth, emage_buf_t *b)
{
    uint32_t  i;

    emage_buf_add_c(b, "{");

    for (i = 0; i < v->len && !b->failed; i++) {
        emage_buf_add_c(b, (i == 0) ? "" : ", ");
        cedar_print_quoted(b, cedar_symbol_name(symbols, v->u.rec[i].name),
                           false);
        emage_buf_add_c(b, ": ");
        cedar_value_text(symbols, &v->u.rec[i].value, depth + 1, b);
    }

    emage_buf_add_c(b, "}");
}


static void
cedar_value_number(const cedar_value_t *v, emage_buf_t *b)
{
    char      text[64];
    uint64_t  u;

    switch (v->kind) {

    case CEDAR_DECIMAL:
        u = (v->u.i < 0) ? 0 - (uint64_t) v->u.i : (uint64_t) v->u.i;
        snprintf(text, sizeof(text), "decimal(\"%s%" PRIu64 ".%04" PRIu64
                 "\")", v->u.i < 0 ? "-" : "", u / 10000, u % 10000);
        break;

    case CEDAR_DATETIME:

        /* years of four digits; others as their number */

        if (v->u.i >= 0 && v->u.i < INT64_C(253402300800000)) {
            memcpy(text, "datetime(\"", 10);
            emage_time_format(text + 10, v->u.i);
            memcpy(text + 10 + EMAGE_TIME_LEN, "\")", 3);
            break;
        }

        snprintf(text, sizeof(text), "datetime(%" PRId64 " ms)", v->u.i);
        break;

    default:
        snprintf(text, sizeof(text), "duration(\"%" PRId64 "ms\")", v->u.i);
        break;
    }

    emage_buf_add_c(b, text);
}


static void
cedar_value_ip(const cedar_ip_t *ip, emage_buf_t *b)
{
    char  text[INET6_ADDRSTRLEN + 8];

    if (inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->bytes, text,
                  INET6_ADDRSTRLEN) == NULL)
    {
        return;
    }

    emage_buf_add_c(b, "ip(\"");
    emage_buf_add_c(b, text);

    if (ip->prefix != (ip->v6 ? 128 : 32)) {
        emage_buf_add_c(b, "/");
        emage_buf_add_int(b, ip->prefix);
    }

    emage_buf_add_c(b, "\")");
}
