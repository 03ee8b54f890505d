/*
 * Copyright (C) The e-mage authors
 *
 * The extensions datetime and duration: milliseconds as text.
 */


#include "cedar_core.h"


static bool cedar_digits(emage_str_t s, size_t at, size_t n, int64_t *v);
static bool cedar_date_days(int64_t y, int64_t m, int64_t d, int64_t *days);
static bool cedar_time_zone(emage_str_t s, size_t at, int64_t *ms);
static bool cedar_duration_unit(emage_str_t s, size_t *at, int64_t *ms,
    uint32_t *rank);


static bool
cedar_digits(emage_str_t s, size_t at, size_t n, int64_t *v)
{
    size_t  i;

    if (s.len < n || at > s.len - n) {
        return false;
    }

    *v = 0;

    for (i = at; i < at + n; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }

        *v = *v * 10 + (s.data[i] - '0');
    }

    return true;
}


/* Days from 1970-01-01 in the proleptic Gregorian calendar. */

static bool
cedar_date_days(int64_t y, int64_t m, int64_t d, int64_t *days)
{
    bool     leap;
    int64_t  last, era, yoe, doy;

    static const uint8_t  len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
                                    30, 31 };

    leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

    if (m < 1 || m > 12 || d < 1) {
        return false;
    }

    last = len[m - 1] + (m == 2 && leap);

    if (d > last) {
        return false;
    }

    /* the year begins in March, so that the leap day is its last */

    y -= (m <= 2);
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

    *days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;

    return true;
}


/* "Z", "+0130" or "-0130" to the end of `s`. */

static bool
cedar_time_zone(emage_str_t s, size_t at, int64_t *ms)
{
    int64_t  h, m;

    *ms = 0;

    if (s.len - at == 1) {
        return s.data[at] == 'Z';
    }

    if (s.len - at != 5 || (s.data[at] != '+' && s.data[at] != '-')
        || !cedar_digits(s, at + 1, 2, &h) || !cedar_digits(s, at + 3, 2, &m)
        || h > 23 || m > 59)
    {
        return false;
    }

    *ms = (h * 60 + m) * 60000;

    if (s.data[at] == '-') {
        *ms = -*ms;
    }

    return true;
}


bool
cedar_datetime_parse(emage_str_t s, int64_t *ms)
{
    size_t   at;
    int64_t  y, mo, d, h, mi, sec, milli, days, zone;

    if (!cedar_digits(s, 0, 4, &y) || s.len < 10 || s.data[4] != '-'
        || !cedar_digits(s, 5, 2, &mo) || s.data[7] != '-'
        || !cedar_digits(s, 8, 2, &d) || !cedar_date_days(y, mo, d, &days))
    {
        return false;
    }

    *ms = days * 86400000;

    if (s.len == 10) {
        return true;
    }

    if (s.len < 20 || s.data[10] != 'T' || !cedar_digits(s, 11, 2, &h)
        || s.data[13] != ':' || !cedar_digits(s, 14, 2, &mi)
        || s.data[16] != ':' || !cedar_digits(s, 17, 2, &sec)
        || h > 23 || mi > 59 || sec > 59)
    {
        return false;
    }

    at = 19;
    milli = 0;

    if (s.data[at] == '.') {
        if (!cedar_digits(s, at + 1, 3, &milli) || s.len < at + 5) {
            return false;
        }

        at += 4;
    }

    if (!cedar_time_zone(s, at, &zone)) {
        return false;
    }

    *ms += ((h * 60 + mi) * 60 + sec) * 1000 + milli - zone;

    return true;
}


/* Takes one number and unit; units go down, *ms counts down. */

static bool
cedar_duration_unit(emage_str_t s, size_t *at, int64_t *ms, uint32_t *rank)
{
    size_t    i, start;
    int64_t   v;
    uint32_t  k;

    static const struct {
        emage_str_t  name;
        int64_t      ms;
    } units[] = {
        { emage_str("d"), 86400000 },
        { emage_str("h"), 3600000 },
        { emage_str("m"), 60000 },
        { emage_str("s"), 1000 },
        { emage_str("ms"), 1 }
    };

    for (i = *at, v = 0; i < s.len && s.data[i] >= '0' && s.data[i] <= '9';
         i++)
    {
        if (__builtin_mul_overflow(v, 10, &v)
            || __builtin_sub_overflow(v, s.data[i] - '0', &v))
        {
            return false;
        }
    }

    if (i == *at) {
        return false;
    }

    start = i;

    while (i < s.len && s.data[i] >= 'a' && s.data[i] <= 'z') {
        i++;
    }

    for (k = *rank; k < 5; k++) {
        if (emage_str_eq((emage_str_t) { s.data + start, i - start },
                         units[k].name))
        {
            *rank = k + 1;
            *at = i;

            return !__builtin_mul_overflow(v, units[k].ms, &v)
                   && !__builtin_add_overflow(*ms, v, ms);
        }
    }

    return false;
}


bool
cedar_duration_parse(emage_str_t s, int64_t *ms)
{
    bool      neg;
    size_t    at;
    int64_t   v;
    uint32_t  rank;

    neg = (s.len != 0 && s.data[0] == '-');
    at = neg;
    rank = 0;
    v = 0;

    if (at == s.len) {
        return false;
    }

    while (at < s.len) {
        if (!cedar_duration_unit(s, &at, &v, &rank)) {
            return false;
        }
    }

    *ms = v;

    return neg || !__builtin_sub_overflow((int64_t) 0, v, ms);
}
