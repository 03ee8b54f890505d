
/*
 * Copyright (C) The e-mage authors
 *
 * RESP as values.  ngx_emage_resp.c is the only file of the module that
 * includes hiredis, and uses it as a codec alone.
 */


#ifndef _NGX_EMAGE_RESP_H_INCLUDED_
#define _NGX_EMAGE_RESP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_EMAGE_RESP_NIL = 0,
    NGX_EMAGE_RESP_STRING,
    NGX_EMAGE_RESP_STATUS,
    NGX_EMAGE_RESP_ERROR,
    NGX_EMAGE_RESP_INTEGER,
    NGX_EMAGE_RESP_ARRAY
} ngx_emage_resp_type_e;


/*
 * A reply, valid inside the callback it is given to.  Accessors never fail:
 * a wrong type or a missing element reads as NIL, an empty string or 0, so a
 * lying peer can only make less of itself.
 */

typedef struct ngx_emage_resp_s  ngx_emage_resp_t;

ngx_emage_resp_type_e ngx_emage_resp_type(const ngx_emage_resp_t *reply);
ngx_uint_t ngx_emage_resp_count(const ngx_emage_resp_t *reply);
const ngx_emage_resp_t *ngx_emage_resp_at(const ngx_emage_resp_t *reply,
    ngx_uint_t n);
ngx_str_t ngx_emage_resp_str(const ngx_emage_resp_t *reply);

/* An integer reply, or a string reply that is all of a decimal int64. */

ngx_int_t ngx_emage_resp_int(const ngx_emage_resp_t *reply, int64_t *out);


/*
 * The parser of one connection.  `max` bytes of one reply, nesting and number
 * of elements are capped.
 */

typedef struct ngx_emage_resp_parser_s  ngx_emage_resp_parser_t;

ngx_emage_resp_parser_t *ngx_emage_resp_parser_create(size_t max);
void ngx_emage_resp_parser_destroy(ngx_emage_resp_parser_t *parser);

/* NGX_OK, or NGX_ERROR: over the cap or out of memory, close the link. */

ngx_int_t ngx_emage_resp_feed(ngx_emage_resp_parser_t *parser, u_char *data,
    size_t len);

/*
 * NGX_OK with a reply to be released by ngx_emage_resp_free, NGX_AGAIN when
 * more bytes are needed, NGX_ERROR when the bytes are no RESP.
 */

ngx_int_t ngx_emage_resp_next(ngx_emage_resp_parser_t *parser,
    ngx_emage_resp_t **reply);
void ngx_emage_resp_free(ngx_emage_resp_t *reply);

/*
 * Appends one command to `out` (at most `last`), returns the end or NULL when
 * it does not fit.  Length-prefixed: arguments may hold any byte.
 */

u_char *ngx_emage_resp_command(u_char *out, u_char *last, ngx_uint_t argc,
    const ngx_str_t *argv);
size_t ngx_emage_resp_command_len(ngx_uint_t argc, const ngx_str_t *argv);


#endif /* _NGX_EMAGE_RESP_H_INCLUDED_ */
