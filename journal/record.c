
/*
 * Copyright (C) The e-mage authors
 *
 * A parsed record: the one file of this room that knows the JSON library.
 */


#include "journal_core.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>


static bool emage_journal_digits(emage_str_t *s, unsigned n, int *value);
static bool emage_journal_zone(emage_str_t s, int64_t *ms);
static int64_t emage_journal_days(int year, int month, int day);


emage_rc_t
emage_journal_record_parse(emage_str_t line, emage_journal_record_t **out,
    emage_error_t *err)
{
    char          *near;
    size_t         len;
    json_t        *json;
    json_error_t   error;

    *out = NULL;

    if (line.len > EMAGE_JOURNAL_LINE_MAX) {
        emage_error_set(err, "line is longer than %d bytes",
                        EMAGE_JOURNAL_LINE_MAX);
        return EMAGE_ERROR;
    }

    json_set_alloc_funcs(emage_latch_malloc, free);
    (void) emage_latch_failed();

    json = json_loadb(line.data, line.len,
                      JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, &error);

    if (emage_latch_failed()) {
        json_decref(json);
        emage_error_set(err, "out of memory");
        return EMAGE_NOMEM;
    }

    if (json == NULL) {

        /* what the library quotes from the line is not fit for a terminal */

        near = strstr(error.text, " near ");
        len = (near == NULL) ? strlen(error.text)
                             : (size_t) (near - error.text);

        emage_error_set(err, "not one JSON object: %.*s at byte %d",
                        (int) len, error.text, error.position);
        return EMAGE_ERROR;
    }

    if (!json_is_object(json)) {
        json_decref(json);
        emage_error_set(err, "not one JSON object");
        return EMAGE_ERROR;
    }

    *out = (emage_journal_record_t *) json;

    return EMAGE_OK;
}


void
emage_journal_record_free(emage_journal_record_t *record)
{
    json_decref((json_t *) record);
}


emage_str_t
emage_journal_record_str(const emage_journal_record_t *record,
    const char *name)
{
    json_t       *value;
    emage_str_t   s;

    value = json_object_get((const json_t *) record, name);

    if (!json_is_string(value)) {
        return emage_null_str;
    }

    s.data = json_string_value(value);
    s.len = json_string_length(value);

    return s;
}


bool
emage_journal_record_int(const emage_journal_record_t *record,
    const char *name, int64_t *value)
{
    json_t  *member;

    member = json_object_get((const json_t *) record, name);

    if (!json_is_integer(member)) {
        return false;
    }

    *value = json_integer_value(member);

    return true;
}


bool
emage_journal_record_lists(const emage_journal_record_t *record,
    const char *name, emage_str_t value)
{
    size_t        i;
    json_t       *item, *list;
    emage_str_t   s;

    list = json_object_get((const json_t *) record, name);

    json_array_foreach(list, i, item) {

        if (!json_is_string(item)) {
            continue;
        }

        s.data = json_string_value(item);
        s.len = json_string_length(item);

        if (emage_str_eq(s, value)) {
            return true;
        }
    }

    return false;
}


emage_rc_t
emage_journal_record_member(const emage_journal_record_t *record, size_t n,
    emage_str_t *name, emage_buf_t *value)
{
    char  *text;
    void  *iter;

    iter = json_object_iter((json_t *) record);

    while (iter != NULL && n > 0) {
        iter = json_object_iter_next((json_t *) record, iter);
        n--;
    }

    if (iter == NULL) {
        return EMAGE_NOTFOUND;
    }

    text = json_dumps(json_object_iter_value(iter),
                      JSON_COMPACT|JSON_ENCODE_ANY|JSON_ENSURE_ASCII);
    if (text == NULL) {
        return EMAGE_NOMEM;
    }

    *name = emage_str_c(json_object_iter_key(iter));

    (void) emage_buf_add_c(value, text);
    free(text);

    return value->failed ? EMAGE_NOMEM : EMAGE_OK;
}


bool
emage_journal_record_time(const emage_journal_record_t *record, int64_t *ms)
{
    emage_str_t  text;

    if (emage_journal_record_int(record, "time", ms)) {
        return true;
    }

    text = emage_journal_record_str(record, "time");

    return text.len != 0 && emage_journal_time_parse(text, ms);
}


static bool
emage_journal_digits(emage_str_t *s, unsigned n, int *value)
{
    unsigned  i;

    if (s->len < n) {
        return false;
    }

    *value = 0;

    for (i = 0; i < n; i++) {
        if (s->data[i] < '0' || s->data[i] > '9') {
            return false;
        }

        *value = *value * 10 + (s->data[i] - '0');
    }

    s->data += n;
    s->len -= n;

    return true;
}


/* Days since 1970-01-01 of a date of the Gregorian calendar. */

static int64_t
emage_journal_days(int year, int month, int day)
{
    int64_t  era, yoe, doy;

    /* years from March, so that the leap day comes last */

    year -= (month <= 2);
    era = ((year >= 0) ? year : year - 399) / 400;
    yoe = year - era * 400;
    doy = (153 * (month + ((month > 2) ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}


/* ".123", then "Z" or "+02:00" or nothing; moves `ms` */

static bool
emage_journal_zone(emage_str_t s, int64_t *ms)
{
    int  digit, hour, minute, scale, sign;

    if (s.len > 0 && s.data[0] == '.') {
        s.data++;
        s.len--;

        if (!emage_journal_digits(&s, 1, &digit)) {
            return false;
        }

        scale = 100;

        do {
            *ms += digit * scale;
            scale /= 10;
        } while (emage_journal_digits(&s, 1, &digit));
    }

    if (s.len == 0
        || emage_str_eq(s, emage_str("Z")) || emage_str_eq(s, emage_str("z")))
    {
        return true;
    }

    if (s.data[0] != '+' && s.data[0] != '-') {
        return false;
    }

    sign = (s.data[0] == '+') ? 1 : -1;

    s.data++;
    s.len--;

    if (!emage_journal_digits(&s, 2, &hour) || s.len == 0 || s.data[0] != ':') {
        return false;
    }

    s.data++;
    s.len--;

    if (!emage_journal_digits(&s, 2, &minute) || s.len != 0 || hour > 23
        || minute > 59)
    {
        return false;
    }

    *ms -= (int64_t) sign * (hour * 60 + minute) * 60000;

    return true;
}


bool
emage_journal_time_parse(emage_str_t text, int64_t *ms)
{
    int       part[6];
    size_t    i;

    /* what follows each part; a space may stand for the T */

    static const char      after[] = "--T:: ";
    static const unsigned  digits[] = { 4, 2, 2, 2, 2, 2 };

    for (i = 0; i < 6; i++) {

        if (!emage_journal_digits(&text, digits[i], &part[i])) {
            return false;
        }

        if (i == 2 && text.len == 0) {
            part[3] = part[4] = part[5] = 0;
            break;
        }

        if (i == 5) {
            break;
        }

        if (text.len == 0
            || (text.data[0] != after[i]
                && !(i == 2 && (text.data[0] == ' ' || text.data[0] == 't'))))
        {
            return false;
        }

        text.data++;
        text.len--;
    }

    if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31
        || part[3] > 23 || part[4] > 59 || part[5] > 60)
    {
        return false;
    }

    *ms = ((emage_journal_days(part[0], part[1], part[2]) * 24 + part[3]) * 60
           + part[4]) * 60000 + part[5] * 1000;

    return emage_journal_zone(text, ms);
}
