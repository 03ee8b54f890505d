
/*
 * Copyright (C) The e-mage authors
 *
 * Whatever a Redis says: cut into pieces by the first byte, it gives the same
 * replies as in one piece, none beyond the caps.  What is no command reads
 * back as it was written.  Of nginx only headers are needed, and two functions.
 */


#include "../../ngx_emage_module/ngx_emage_resp.c"

#include <stdarg.h>
#include <stdio.h>


#define MAX  65536                         /* bytes of a reply */


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_cycle_t     fuzz_cycle;
volatile ngx_cycle_t  *ngx_cycle = &fuzz_cycle;


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return calloc(1, size);
}


/* Of a type byte, one number and CR LF, as the commands use it. */

u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    buf += snprintf((char *) buf, NGX_EMAGE_RESP_HEADER + 1, "%c%zu\r\n",
                    fmt[0], va_arg(args, size_t));
    va_end(args);

    return buf;
}


static ngx_uint_t
fuzz_walk(const ngx_emage_resp_t *reply, ngx_uint_t depth)
{
    int64_t     n;
    ngx_str_t   str;
    ngx_uint_t  i, count, sum;

    str = ngx_emage_resp_str(reply);
    count = ngx_emage_resp_count(reply);
    sum = str.len + ngx_emage_resp_type(reply) + 1;

    if (str.len > MAX || count > NGX_EMAGE_RESP_ELEMENTS || depth > 16
        || ngx_emage_resp_at(reply, count) != NULL)
    {
        abort();
    }

    for (i = 0; i < str.len; i++) {
        sum = sum * 31 + str.data[i];
    }

    if (ngx_emage_resp_int(reply, &n) == NGX_OK) {
        sum += (ngx_uint_t) n;
    }

    for (i = 0; i < count; i++) {
        sum = sum * 31 + fuzz_walk(ngx_emage_resp_at(reply, i), depth + 1);
    }

    return sum;
}


/* A sum of all replies, and the number of bytes that stand for an error. */

static ngx_uint_t
fuzz_parse(const uint8_t *data, size_t size, size_t piece, ngx_int_t *rc)
{
    size_t                    n;
    u_char                   *copy;
    ngx_uint_t                sum;
    ngx_emage_resp_t         *reply;
    ngx_emage_resp_parser_t  *parser;

    parser = ngx_emage_resp_parser_create(MAX);
    copy = malloc(size + 1);

    if (parser == NULL || copy == NULL) {
        abort();
    }

    sum = 0;
    *rc = NGX_AGAIN;

    while (size != 0 && *rc == NGX_AGAIN) {
        n = ngx_min(piece, size);

        memcpy(copy, data, n);
        *rc = ngx_emage_resp_feed(parser, copy, n);

        data += n;
        size -= n;

        while (*rc == NGX_OK) {
            *rc = ngx_emage_resp_next(parser, &reply);

            if (*rc == NGX_OK) {
                sum = sum * 31 + fuzz_walk(reply, 0);
                ngx_emage_resp_free(reply);
            }
        }
    }

    free(copy);
    ngx_emage_resp_parser_destroy(parser);

    return sum;
}


static void
fuzz_command(const uint8_t *data, size_t size)
{
    u_char                   *out, *last;
    ngx_str_t                 argv[3], str;
    ngx_uint_t                i;
    ngx_emage_resp_t         *reply;
    ngx_emage_resp_parser_t  *parser;

    argv[0].data = (u_char *) data;
    argv[0].len = size / 3;
    argv[1].data = argv[0].data + argv[0].len;
    argv[1].len = 0;
    argv[2].data = argv[1].data;
    argv[2].len = size - argv[0].len;

    parser = ngx_emage_resp_parser_create(MAX);

    /* its last header is written by snprintf(), with a NUL */

    out = malloc(ngx_emage_resp_command_len(3, argv) + 1);

    if (parser == NULL || out == NULL) {
        abort();
    }

    last = out + ngx_emage_resp_command_len(3, argv);

    if (ngx_emage_resp_command(out, last - 1, 3, argv) != NULL
        || ngx_emage_resp_command(out, last, 3, argv) != last
        || ngx_emage_resp_feed(parser, out, last - out) != NGX_OK
        || ngx_emage_resp_next(parser, &reply) != NGX_OK
        || ngx_emage_resp_count(reply) != 3)
    {
        abort();
    }

    for (i = 0; i < 3; i++) {
        str = ngx_emage_resp_str(ngx_emage_resp_at(reply, i));

        if (str.len != argv[i].len
            || (str.len && memcmp(str.data, argv[i].data, str.len) != 0))
        {
            abort();
        }
    }

    free(out);
    ngx_emage_resp_free(reply);
    ngx_emage_resp_parser_destroy(parser);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t   whole, cut;
    ngx_uint_t  a, b;

    if (size < 2 || size > MAX / 2) {
        return 0;
    }

    a = fuzz_parse(data + 1, size - 1, size, &whole);
    b = fuzz_parse(data + 1, size - 1, data[0] % 17 + 1, &cut);

    /* a piece that holds an error takes the replies before it with it */

    if (whole == NGX_AGAIN && (cut != whole || a != b)) {
        abort();
    }

    if (cut == NGX_AGAIN && whole != cut) {
        abort();
    }

    fuzz_command(data + 1, size - 1);

    return 0;
}
