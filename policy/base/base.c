
/*
 * Copyright (C) The e-mage authors
 */


#include <emage/base.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/random.h>


static int emage_hex_digit(unsigned char c);


bool
emage_str_eq(emage_str_t a, emage_str_t b)
{
    if (a.len != b.len) {
        return false;
    }

    return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}


bool
emage_str_eq_consttime(emage_str_t a, emage_str_t b)
{
    size_t                  i;
    volatile unsigned char  diff;

    if (a.len != b.len) {
        return false;
    }

    diff = 0;

    for (i = 0; i < a.len; i++) {
        diff |= (unsigned char) a.data[i] ^ (unsigned char) b.data[i];
    }

    return diff == 0;
}


emage_str_t
emage_str_c(const char *s)
{
    emage_str_t  str;

    str.data = s;
    str.len = (s == NULL) ? 0 : strlen(s);

    return str;
}


int
emage_str_cmp(emage_str_t a, emage_str_t b)
{
    int     rc;
    size_t  n;

    n = (a.len < b.len) ? a.len : b.len;
    rc = (n == 0) ? 0 : memcmp(a.data, b.data, n);

    if (rc != 0) {
        return rc;
    }

    return (a.len > b.len) - (a.len < b.len);
}


void
emage_error_set(emage_error_t *err, const char *fmt, ...)
{
    va_list  args;

    if (err == NULL) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
}


static int
emage_hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


void
emage_hex(char *dst, const void *src, size_t len)
{
    size_t                i;
    const unsigned char  *p;

    static const char  digits[] = "0123456789abcdef";

    p = src;

    for (i = 0; i < len; i++) {
        dst[2 * i] = digits[p[i] >> 4];
        dst[2 * i + 1] = digits[p[i] & 15];
    }
}


bool
emage_unhex(void *dst, const char *src, size_t len)
{
    int             hi, lo;
    size_t          i;
    unsigned char  *p;

    if (len % 2 != 0) {
        return false;
    }

    p = dst;

    for (i = 0; i < len; i += 2) {
        hi = emage_hex_digit((unsigned char) src[i]);
        lo = emage_hex_digit((unsigned char) src[i + 1]);

        if (hi < 0 || lo < 0) {
            return false;
        }

        p[i / 2] = (unsigned char) (hi << 4 | lo);
    }

    return true;
}


void
emage_time_format(char *dst, int64_t ms)
{
    char       buf[64];
    time_t     sec;
    int64_t    msec;
    struct tm  tm;

    sec = (time_t) (ms / 1000);
    msec = ms % 1000;

    if (msec < 0) {
        msec += 1000;
        sec--;
    }

    if (gmtime_r(&sec, &tm) == NULL || tm.tm_year < -1900
        || tm.tm_year > 8099)
    {
        memcpy(dst, "0000-00-00T00:00:00.000Z", EMAGE_TIME_LEN);
        return;
    }

    (void) snprintf(buf, sizeof(buf), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                    tm.tm_hour, tm.tm_min, tm.tm_sec, (int) msec);

    memcpy(dst, buf, EMAGE_TIME_LEN);
}


bool
emage_random(void *dst, size_t len)
{
    char     *p;
    ssize_t   n;

    p = dst;

    while (len > 0) {
        n = getrandom(p, len, 0);

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }

            return false;
        }

        p += n;
        len -= (size_t) n;
    }

    return true;
}
