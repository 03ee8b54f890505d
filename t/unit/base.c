
/*
 * Copyright (C) The e-mage authors
 *
 * Counted strings, the capped buffer, JSON escaping, hex and time.
 */


#include <emage/base.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "oom.h"
#include "tap.h"


static void test_str(void);
static void test_buf(void);
static void test_json(void);
static void test_json_random(void);
static void test_hex(void);
static void test_time(void);
static void test_error(void);
static void test_oom(void);


static void
test_str(void)
{
    tap_ok(emage_str_eq(emage_str("abc"), emage_str("abc")), "equal");
    tap_ok(!emage_str_eq(emage_str("abc"), emage_str("ab")), "a prefix");
    tap_ok(!emage_str_eq(emage_str("ab"), emage_str("abc")), "a longer one");
    tap_ok(!emage_str_eq(emage_str("a\0b"), emage_str("a\0c")), "after a NUL");
    tap_ok(emage_str_eq(emage_null_str, emage_str("")), "null and empty");
    tap_ok(emage_str_eq_consttime(emage_str("abc"), emage_str("abc"))
           && !emage_str_eq_consttime(emage_str("abc"), emage_str("abd"))
           && !emage_str_eq_consttime(emage_str("abc"), emage_str("abcd"))
           && emage_str_eq_consttime(emage_null_str, emage_null_str),
           "in constant time");
    tap_ok(emage_str_cmp(emage_str("a"), emage_str("ab")) < 0
           && emage_str_cmp(emage_str("b"), emage_str("ab")) > 0
           && emage_str_cmp(emage_str("\xff"), emage_str("a")) > 0
           && emage_str_cmp(emage_null_str, emage_str("")) == 0,
           "order of bytes");
    tap_ok(emage_str_c(NULL).len == 0 && emage_str_c("abc").len == 3, "from C");
}


static void
test_buf(void)
{
    int          i;
    bool         ok;
    emage_buf_t  b;

    emage_buf_init(&b, 1000);

    ok = true;

    for (i = 0; i < 1000; i++) {
        ok = ok && emage_buf_add(&b, "x", 1) == EMAGE_OK;
    }

    tap_ok(ok && b.len == 1000, "grows to its cap");
    tap_ok(emage_buf_cstr(&b) != NULL && strlen(b.data) == 1000,
           "and is terminated there");
    tap_ok(emage_buf_add(&b, "", 0) == EMAGE_OK, "nothing always fits");
    tap_ok(emage_buf_add(&b, "x", 1) == EMAGE_NOMEM && b.failed
           && b.len == 1000, "no further");
    tap_ok(emage_buf_add(&b, "", 0) == EMAGE_NOMEM
           && emage_buf_cstr(&b) == NULL, "a failure stays");

    emage_buf_reset(&b);
    tap_ok(emage_buf_add_c(&b, "a") == EMAGE_OK
           && emage_buf_add_int(&b, INT64_MIN) == EMAGE_OK
           && emage_buf_add_str(&b, emage_str("z")) == EMAGE_OK, "until reset");
    tap_is_str(emage_buf_cstr(&b), "a-9223372036854775808z", "content");
    tap_ok(emage_buf_add(&b, b.data, SIZE_MAX) == EMAGE_NOMEM,
           "no length overflows");

    emage_buf_free(&b);
    tap_ok(b.data == NULL && b.max == 1000 && !b.failed, "free");

    emage_buf_init(&b, 0);
    tap_ok(emage_buf_add(&b, "x", 1) == EMAGE_NOMEM, "a cap of nothing");
    emage_buf_free(&b);
}


static void
test_json(void)
{
    size_t       i;
    emage_buf_t  b;

    static const struct {
        emage_str_t  in;
        const char  *out;
    } cases[] = {
        { { "", 0 }, "\"\"" },
        { { "plain", 5 }, "\"plain\"" },
        { { "a\"\\/", 4 }, "\"a\\\"\\\\/\"" },
        { { "\r\n\t\0\x1b\x7f", 6 },
          "\"\\u000d\\u000a\\u0009\\u0000\\u001b\\u007f\"" },
        { { "h\xc3\xb4pital", 8 }, "\"h\xc3\xb4pital\"" },
        { { "\xf0\x9f\xa9\xba", 4 }, "\"\xf0\x9f\xa9\xba\"" },
        { { "\xc2\x85", 2 }, "\"\\u0085\"" },
        { { "\xe2\x80\xa8\xe2\x80\xa9", 6 }, "\"\\u2028\\u2029\"" },
        { { "\xe2\x80\xae\xe2\x81\xa6\xd8\x9c", 8 },
          "\"\\u202e\\u2066\\u061c\"" },
        { { "\xef\xbb\xbf", 3 }, "\"\\ufeff\"" },
        { { "\xff", 1 }, "\"\\ufffd\"" },
        { { "\xc0\xaf", 2 }, "\"\\ufffd\\ufffd\"" },
        { { "\xed\xa0\x80", 3 }, "\"\\ufffd\\ufffd\\ufffd\"" },
        { { "\xf4\x90\x80\x80", 4 },
          "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
        { { "\xe2\x80", 2 }, "\"\\ufffd\\ufffd\"" },
        { { "a\xc3", 2 }, "\"a\\ufffd\"" },
        { { "\xc3" "a", 2 }, "\"\\ufffda\"" }
    };

    emage_buf_init(&b, 1000);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        emage_buf_reset(&b);
        (void) emage_buf_add_json(&b, cases[i].in);

        tap_is_str(emage_buf_cstr(&b), cases[i].out, "JSON %s", cases[i].out);
    }

    emage_buf_free(&b);
}


/* Whatever the bytes, another's parser reads one string of one line. */

static void
test_json_random(void)
{
    int          i, k, bad;
    char         bytes[64];
    json_t      *json;
    emage_buf_t  b;

    bad = 0;
    srand(7);
    emage_buf_init(&b, 1000);

    for (i = 0; i < 20000; i++) {
        for (k = 0; k < 64; k++) {
            bytes[k] = (char) ((i % 2) ? rand() : (rand() % 32) | 0xc0);

            if (k % 3) {
                bytes[k] = (char) ((bytes[k] & 0x3f) | 0x80);
            }
        }

        emage_buf_reset(&b);
        (void) emage_buf_add_json(&b, (emage_str_t) { bytes, 64 });

        json = json_loadb(b.data, b.len, JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

        bad += !json_is_string(json) || memchr(b.data, '\n', b.len) != NULL;

        json_decref(json);
    }

    tap_ok(bad == 0, "20,000 strings of random bytes");

    emage_buf_free(&b);
}


static void
test_hex(void)
{
    char  hex[8], raw[4];

    emage_hex(hex, "\x00\x9f\xAb\xff", 4);
    tap_ok(memcmp(hex, "009fabff", 8) == 0, "hex");
    tap_ok(emage_unhex(raw, "009FabfF", 8)
           && memcmp(raw, "\x00\x9f\xab\xff", 4) == 0, "back");
    tap_ok(!emage_unhex(raw, "0", 1) && !emage_unhex(raw, "0g", 2)
           && !emage_unhex(raw, " 0", 2) && !emage_unhex(raw, "@0", 2)
           && !emage_unhex(raw, "\x10\x10", 2) && emage_unhex(raw, "", 0),
           "no other character");
}


static void
test_time(void)
{
    size_t  i;
    char    out[EMAGE_TIME_LEN + 1];

    static const struct {
        int64_t      ms;
        const char  *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1795508130123, "2026-11-24T08:15:30.123Z" },
        { 951782399999, "2000-02-28T23:59:59.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { 253402300800000, "0000-00-00T00:00:00.000Z" },
        { INT64_MAX, "0000-00-00T00:00:00.000Z" },
        { INT64_MIN, "0000-00-00T00:00:00.000Z" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(out, 0, sizeof(out));
        emage_time_format(out, cases[i].ms);

        tap_is_str(out, cases[i].text, "time %lld", (long long) cases[i].ms);
    }
}


static void
test_error(void)
{
    char           big[2000], a[16], b[16];
    emage_error_t  err;

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';

    emage_error_set(&err, "%s", big);
    tap_ok(strlen(err.text) == sizeof(err.text) - 1, "a long text is cut");
    emage_error_set(NULL, "%s", big);
    tap_ok(true, "nobody wants the text");

    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    tap_ok(emage_random(a, sizeof(a)) && emage_random(b, sizeof(b))
           && memcmp(a, b, sizeof(a)) != 0, "random bytes");
}


static void
test_oom(void)
{
    void         *p;
    emage_buf_t   b;

    if (!OOM_READY) {
        return;
    }

    emage_buf_init(&b, 100000);
    (void) emage_buf_add_c(&b, "kept");

    oom_after = 0;
    oom_all = true;
    tap_ok(emage_buf_add(&b, "", 0) == EMAGE_OK,
           "nothing to add needs no memory");
    oom_after = 0;
    p = emage_latch_malloc(1);
    oom_after = -1;

    tap_ok(p == NULL && emage_latch_failed() && !emage_latch_failed(),
           "a failed allocation is remembered once");

    p = emage_latch_malloc(1);
    tap_ok(p != NULL && !emage_latch_failed(), "a good one is none");
    free(p);

    oom_after = 0;
    oom_all = false;
    (void) emage_buf_add(&b, (char[1000]) { 0 }, 1000);
    oom_after = -1;

    tap_ok(b.failed && b.len == 4 && memcmp(b.data, "kept", 4) == 0,
           "a buffer without memory keeps what it has");

    emage_buf_free(&b);
}


int
main(void)
{
    test_str();
    test_buf();
    test_json();
    test_json_random();
    test_hex();
    test_time();
    test_error();
    test_oom();

    return tap_done();
}
