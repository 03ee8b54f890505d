
/*
 * Copyright (C) The e-mage authors
 *
 * RESP over hiredis' reader.  What the peer announces is checked before the
 * reader sees it: hiredis 0.14 allocates an array as soon as its header has
 * come, whatever number stands in it.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_emage_resp.h"

#include <hiredis/hiredis.h>


#define NGX_EMAGE_RESP_ELEMENTS  65536      /* of one reply, nested ones too */
#define NGX_EMAGE_RESP_HEADER    24         /* type and a decimal int64 */


typedef enum {
    NGX_EMAGE_RESP_TYPE = 0,
    NGX_EMAGE_RESP_NUMBER,                  /* the header of ':', '$', '*' */
    NGX_EMAGE_RESP_TEXT,                    /* the line of '+', '-' */
    NGX_EMAGE_RESP_BULK,
    NGX_EMAGE_RESP_BULK_CR,
    NGX_EMAGE_RESP_BULK_LF
} ngx_emage_resp_state_e;


struct ngx_emage_resp_parser_s {
    redisReader             *reader;
    size_t                   max;

    /* the reply being received */

    ngx_emage_resp_state_e   state;
    size_t                   size;          /* bytes so far */
    size_t                   skip;          /* bytes left of a bulk string */
    ngx_uint_t               pending;       /* elements still to come */
    ngx_uint_t               elements;      /* announced in all */
    ngx_uint_t               number_len;
    u_char                   number[NGX_EMAGE_RESP_HEADER];

    unsigned                 failed:1;
};


static ngx_int_t ngx_emage_resp_check(ngx_emage_resp_parser_t *parser,
    u_char *p, u_char *last);
static ngx_int_t ngx_emage_resp_type_byte(ngx_emage_resp_parser_t *parser,
    u_char ch);
static ngx_int_t ngx_emage_resp_header(ngx_emage_resp_parser_t *parser);
static void ngx_emage_resp_element(ngx_emage_resp_parser_t *parser);
static ngx_int_t ngx_emage_resp_decimal(const u_char *p, size_t len,
    int64_t *out);
static size_t ngx_emage_resp_digits(size_t n);


ngx_emage_resp_type_e
ngx_emage_resp_type(const ngx_emage_resp_t *reply)
{
    const redisReply  *r = (const redisReply *) reply;

    if (r == NULL) {
        return NGX_EMAGE_RESP_NIL;
    }

    switch (r->type) {

    case REDIS_REPLY_STRING:
        return NGX_EMAGE_RESP_STRING;

    case REDIS_REPLY_STATUS:
        return NGX_EMAGE_RESP_STATUS;

    case REDIS_REPLY_ERROR:
        return NGX_EMAGE_RESP_ERROR;

    case REDIS_REPLY_INTEGER:
        return NGX_EMAGE_RESP_INTEGER;

    case REDIS_REPLY_ARRAY:
        return NGX_EMAGE_RESP_ARRAY;

    default:
        return NGX_EMAGE_RESP_NIL;
    }
}


ngx_uint_t
ngx_emage_resp_count(const ngx_emage_resp_t *reply)
{
    const redisReply  *r = (const redisReply *) reply;

    if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->element == NULL) {
        return 0;
    }

    return r->elements;
}


const ngx_emage_resp_t *
ngx_emage_resp_at(const ngx_emage_resp_t *reply, ngx_uint_t n)
{
    const redisReply  *r = (const redisReply *) reply;

    if (n >= ngx_emage_resp_count(reply)) {
        return NULL;
    }

    return (const ngx_emage_resp_t *) r->element[n];
}


ngx_str_t
ngx_emage_resp_str(const ngx_emage_resp_t *reply)
{
    ngx_str_t          str;
    const redisReply  *r = (const redisReply *) reply;

    ngx_str_null(&str);

    if (r == NULL || r->str == NULL) {
        return str;
    }

    if (r->type == REDIS_REPLY_STRING
        || r->type == REDIS_REPLY_STATUS
        || r->type == REDIS_REPLY_ERROR)
    {
        str.data = (u_char *) r->str;
        str.len = r->len;
    }

    return str;
}


ngx_int_t
ngx_emage_resp_int(const ngx_emage_resp_t *reply, int64_t *out)
{
    const redisReply  *r = (const redisReply *) reply;

    *out = 0;

    if (r == NULL) {
        return NGX_ERROR;
    }

    if (r->type == REDIS_REPLY_INTEGER) {
        *out = r->integer;
        return NGX_OK;
    }

    if (r->type == REDIS_REPLY_STRING && r->str != NULL) {
        return ngx_emage_resp_decimal((u_char *) r->str, r->len, out);
    }

    return NGX_ERROR;
}


ngx_emage_resp_parser_t *
ngx_emage_resp_parser_create(size_t max)
{
    ngx_emage_resp_parser_t  *parser;

    parser = ngx_calloc(sizeof(ngx_emage_resp_parser_t), ngx_cycle->log);
    if (parser == NULL) {
        return NULL;
    }

    parser->reader = redisReaderCreate();
    if (parser->reader == NULL) {
        ngx_free(parser);
        return NULL;
    }

    parser->max = max;
    parser->pending = 1;

    return parser;
}


void
ngx_emage_resp_parser_destroy(ngx_emage_resp_parser_t *parser)
{
    if (parser == NULL) {
        return;
    }

    redisReaderFree(parser->reader);
    ngx_free(parser);
}


ngx_int_t
ngx_emage_resp_feed(ngx_emage_resp_parser_t *parser, u_char *data, size_t len)
{
    if (parser->failed) {
        return NGX_ERROR;
    }

    if (ngx_emage_resp_check(parser, data, data + len) != NGX_OK
        || redisReaderFeed(parser->reader, (char *) data, len) != REDIS_OK)
    {
        parser->failed = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_emage_resp_next(ngx_emage_resp_parser_t *parser, ngx_emage_resp_t **reply)
{
    void  *r;

    *reply = NULL;

    if (parser->failed) {
        return NGX_ERROR;
    }

    r = NULL;

    if (redisReaderGetReply(parser->reader, &r) != REDIS_OK) {
        parser->failed = 1;
        return NGX_ERROR;
    }

    if (r == NULL) {
        return NGX_AGAIN;
    }

    *reply = r;

    return NGX_OK;
}


void
ngx_emage_resp_free(ngx_emage_resp_t *reply)
{
    if (reply != NULL) {
        freeReplyObject(reply);
    }
}


/*
 * Follows the framing of the bytes, as hiredis will: every header strictly
 * decimal, every length and every number of elements below its cap.
 */

static ngx_int_t
ngx_emage_resp_check(ngx_emage_resp_parser_t *parser, u_char *p, u_char *last)
{
    u_char  *lf;
    size_t   n;

    while (p < last) {

        switch (parser->state) {

        case NGX_EMAGE_RESP_TYPE:
            parser->size++;

            if (ngx_emage_resp_type_byte(parser, *p++) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case NGX_EMAGE_RESP_NUMBER:
            parser->size++;

            if (*p == LF) {
                p++;

                if (ngx_emage_resp_header(parser) != NGX_OK) {
                    return NGX_ERROR;
                }

                break;
            }

            if (parser->number_len == NGX_EMAGE_RESP_HEADER) {
                return NGX_ERROR;
            }

            parser->number[parser->number_len++] = *p++;
            break;

        case NGX_EMAGE_RESP_TEXT:
            lf = ngx_strlchr(p, last, LF);
            n = (lf == NULL) ? (size_t) (last - p) : (size_t) (lf + 1 - p);

            parser->size += n;

            /* hiredis ends a line at CR LF only: the byte before must be CR */

            if (n > (lf != NULL)) {
                parser->number[0] = (lf != NULL) ? lf[-1] : last[-1];
            }

            p += n;

            if (lf != NULL) {
                if (parser->number[0] != CR) {
                    return NGX_ERROR;
                }

                ngx_emage_resp_element(parser);
            }

            break;

        case NGX_EMAGE_RESP_BULK:
            n = ngx_min(parser->skip, (size_t) (last - p));

            parser->size += n;
            parser->skip -= n;
            p += n;

            if (parser->skip == 0) {
                parser->state = NGX_EMAGE_RESP_BULK_CR;
            }

            break;

        case NGX_EMAGE_RESP_BULK_CR:
            parser->size++;

            if (*p++ != CR) {
                return NGX_ERROR;
            }

            parser->state = NGX_EMAGE_RESP_BULK_LF;
            break;

        case NGX_EMAGE_RESP_BULK_LF:
            parser->size++;

            if (*p++ != LF) {
                return NGX_ERROR;
            }

            ngx_emage_resp_element(parser);
            break;
        }

        if (parser->size > parser->max) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_emage_resp_type_byte(ngx_emage_resp_parser_t *parser, u_char ch)
{
    switch (ch) {

    case '+':
    case '-':
        parser->number[0] = '\0';
        parser->state = NGX_EMAGE_RESP_TEXT;
        return NGX_OK;

    case ':':
    case '$':
    case '*':
        parser->number[0] = ch;
        parser->number_len = 1;
        parser->state = NGX_EMAGE_RESP_NUMBER;
        return NGX_OK;

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_emage_resp_header(ngx_emage_resp_parser_t *parser)
{
    int64_t     n;
    ngx_uint_t  len;

    len = parser->number_len;

    if (len < 3 || parser->number[len - 1] != CR) {
        return NGX_ERROR;
    }

    if (ngx_emage_resp_decimal(parser->number + 1, len - 2, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    if (parser->number[0] == ':') {
        ngx_emage_resp_element(parser);
        return NGX_OK;
    }

    if (n < -1) {
        return NGX_ERROR;
    }

    if (parser->number[0] == '$') {

        if (n == -1) {
            ngx_emage_resp_element(parser);
            return NGX_OK;
        }

        if ((uint64_t) n > parser->max) {
            return NGX_ERROR;
        }

        parser->skip = n;
        parser->state = (n == 0) ? NGX_EMAGE_RESP_BULK_CR
                                 : NGX_EMAGE_RESP_BULK;
        return NGX_OK;
    }

    if (n > 0) {
        if (n > NGX_EMAGE_RESP_ELEMENTS - (int64_t) parser->elements) {
            return NGX_ERROR;
        }

        parser->elements += n;
        parser->pending += n;
    }

    ngx_emage_resp_element(parser);

    return NGX_OK;
}


/* One element is complete (an array's header counts as one). */

static void
ngx_emage_resp_element(ngx_emage_resp_parser_t *parser)
{
    parser->state = NGX_EMAGE_RESP_TYPE;
    parser->number_len = 0;

    if (--parser->pending == 0) {
        parser->pending = 1;
        parser->elements = 0;
        parser->size = 0;
    }
}


static ngx_int_t
ngx_emage_resp_decimal(const u_char *p, size_t len, int64_t *out)
{
    uint64_t    n, limit;
    ngx_uint_t  minus;

    minus = 0;
    limit = INT64_MAX;

    if (len > 1 && *p == '-') {
        minus = 1;
        limit++;
        p++;
        len--;
    }

    if (len == 0 || len > 19) {
        return NGX_ERROR;
    }

    for (n = 0; len; p++, len--) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        n = n * 10 + (*p - '0');
    }

    if (n > limit) {
        return NGX_ERROR;
    }

    *out = minus ? (int64_t) (0 - n) : (int64_t) n;

    return NGX_OK;
}


size_t
ngx_emage_resp_command_len(ngx_uint_t argc, const ngx_str_t *argv)
{
    size_t      len;
    ngx_uint_t  i;

    len = 1 + ngx_emage_resp_digits(argc) + 2;

    for (i = 0; i < argc; i++) {
        len += 1 + ngx_emage_resp_digits(argv[i].len) + 2 + argv[i].len + 2;
    }

    return len;
}


u_char *
ngx_emage_resp_command(u_char *out, u_char *last, ngx_uint_t argc,
    const ngx_str_t *argv)
{
    ngx_uint_t  i;

    if (out > last
        || ngx_emage_resp_command_len(argc, argv) > (size_t) (last - out))
    {
        return NULL;
    }

    out = ngx_sprintf(out, "*%ui\r\n", argc);

    for (i = 0; i < argc; i++) {
        out = ngx_sprintf(out, "$%uz\r\n", argv[i].len);

        if (argv[i].len) {
            out = ngx_cpymem(out, argv[i].data, argv[i].len);
        }

        *out++ = CR;
        *out++ = LF;
    }

    return out;
}


static size_t
ngx_emage_resp_digits(size_t n)
{
    size_t  digits;

    for (digits = 1; n >= 10; n /= 10) {
        digits++;
    }

    return digits;
}
