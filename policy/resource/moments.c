
/*
 * Copyright (C) The e-mage authors
 *
 * Dates, times and numbers of a query against those of a row (PS3.4 sections
 * C.2.2.2.1 and C.2.2.2.5).
 */


#include "attributes.h"

#include <string.h>


/* Microseconds of a day that a time means: one with fewer digits means more. */

typedef struct {
    int64_t  first;
    int64_t  last;
} emage_span_t;


static bool emage_range_split(emage_str_t s, emage_str_t *from,
    emage_str_t *to);
static bool emage_digits(emage_str_t s, size_t n, int64_t *value);
static bool emage_date_value(emage_str_t s, int64_t *date);
static bool emage_time_value(emage_str_t s, emage_span_t *span);
static bool emage_number_value(emage_str_t s, int64_t *number);


/* "a-b", "a-" and "-b"; false for a single value. */

static bool
emage_range_split(emage_str_t s, emage_str_t *from, emage_str_t *to)
{
    const char  *dash;

    dash = (s.len == 0) ? NULL : memchr(s.data, '-', s.len);

    if (dash == NULL) {
        return false;
    }

    from->data = s.data;
    from->len = (size_t) (dash - s.data);

    to->data = dash + 1;
    to->len = s.len - from->len - 1;

    return true;
}


static bool
emage_digits(emage_str_t s, size_t n, int64_t *value)
{
    size_t  i;

    if (s.len != n) {
        return false;
    }

    *value = 0;

    for (i = 0; i < n; i++) {

        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }

        *value = *value * 10 + (s.data[i] - '0');
    }

    return true;
}


/* YYYYMMDD, or YYYY.MM.DD as it was once written. */

static bool
emage_date_value(emage_str_t s, int64_t *date)
{
    int64_t  day;
    char     text[8];

    if (s.len == 10 && s.data[4] == '.' && s.data[7] == '.') {
        memcpy(text, s.data, 4);
        memcpy(text + 4, s.data + 5, 2);
        memcpy(text + 6, s.data + 8, 2);

        s.data = text;
        s.len = 8;
    }

    if (!emage_digits(s, 8, date)) {
        return false;
    }

    day = *date % 10000;

    return day / 100 >= 1 && day / 100 <= 12 && day % 100 >= 1
           && day % 100 <= 31;
}


/* HH, HHMM, HHMMSS or HHMMSS.F to HHMMSS.FFFFFF; colons as once written. */

static bool
emage_time_value(emage_str_t s, emage_span_t *span)
{
    char         text[13];
    size_t       i, n;
    int64_t      part, unit;

    static const int64_t  units[] = { 3600000000, 60000000, 1000000 };
    static const int64_t  limits[] = { 23, 59, 60 };

    for (i = 0, n = 0; i < s.len; i++) {

        if (s.data[i] == ':' && (i == 2 || i == 5)) {
            continue;
        }

        if (n == sizeof(text)) {
            return false;
        }

        text[n++] = s.data[i];
    }

    if (n != 2 && n != 4 && n < 6) {
        return false;
    }

    span->first = 0;
    unit = 0;

    for (i = 0; i < 3 && 2 * i < n; i++) {

        if (!emage_digits((emage_str_t) { text + 2 * i, 2 }, 2, &part)
            || part > limits[i])
        {
            return false;
        }

        unit = units[i];
        span->first += part * unit;
    }

    if (n > 6) {

        if (text[6] != '.' || n == 7) {
            return false;
        }

        for (i = 7; i < n; i++) {

            if (!emage_digits((emage_str_t) { text + i, 1 }, 1, &part)) {
                return false;
            }

            unit /= 10;
            span->first += part * unit;
        }
    }

    span->last = span->first + unit - 1;

    return true;
}


static bool
emage_number_value(emage_str_t s, int64_t *number)
{
    bool  minus;

    minus = false;

    if (s.len > 0 && (s.data[0] == '-' || s.data[0] == '+')) {
        minus = (s.data[0] == '-');
        s.data++;
        s.len--;
    }

    if (s.len == 0 || s.len > 12 || !emage_digits(s, s.len, number)) {
        return false;
    }

    if (minus) {
        *number = -*number;
    }

    return true;
}


bool
emage_date_valid(emage_str_t s)
{
    int64_t      date;
    emage_str_t  from, to;

    if (!emage_range_split(s, &from, &to)) {
        return emage_date_value(s, &date);
    }

    return (from.len != 0 || to.len != 0)
           && (from.len == 0 || emage_date_value(from, &date))
           && (to.len == 0 || emage_date_value(to, &date));
}


bool
emage_date_match(emage_str_t asked, emage_str_t value)
{
    int64_t      date, border;
    emage_str_t  from, to;

    if (!emage_date_value(value, &date)) {
        return false;
    }

    if (!emage_range_split(asked, &from, &to)) {
        return emage_date_value(asked, &border) && border == date;
    }

    if (from.len != 0 && (!emage_date_value(from, &border) || date < border)) {
        return false;
    }

    return to.len == 0 || (emage_date_value(to, &border) && date <= border);
}


bool
emage_time_valid(emage_str_t s)
{
    emage_str_t   from, to;
    emage_span_t  span;

    if (!emage_range_split(s, &from, &to)) {
        return emage_time_value(s, &span);
    }

    return (from.len != 0 || to.len != 0)
           && (from.len == 0 || emage_time_value(from, &span))
           && (to.len == 0 || emage_time_value(to, &span));
}


/* A row's time counts from its beginning: 10:30 lies in 1030 and in 10. */

bool
emage_time_match(emage_str_t asked, emage_str_t value)
{
    emage_str_t   from, to;
    emage_span_t  time, border;

    if (!emage_time_value(value, &time)) {
        return false;
    }

    if (!emage_range_split(asked, &from, &to)) {
        return emage_time_value(asked, &border)
               && time.first >= border.first && time.first <= border.last;
    }

    if (from.len != 0 && (!emage_time_value(from, &border)
                          || time.first < border.first))
    {
        return false;
    }

    return to.len == 0 || (emage_time_value(to, &border)
                           && time.first <= border.last);
}


bool
emage_number_valid(emage_str_t s)
{
    int64_t  number;

    return emage_number_value(s, &number);
}


bool
emage_number_match(emage_str_t asked, emage_str_t value)
{
    int64_t  a, b;

    return emage_number_value(asked, &a) && emage_number_value(value, &b)
           && a == b;
}
