
/*
 * Copyright (C) The e-mage authors
 *
 * Members of a record, and the forms that strings in it may have.
 */


#include "facts_json.h"

#include <string.h>


emage_str_t
emage_string(const json_t *object, const char *name)
{
    json_t       *value;
    emage_str_t   s;

    value = json_object_get(object, name);

    s.data = json_string_value(value);
    s.len = json_string_length(value);

    return s;
}


int64_t
emage_integer(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}


bool
emage_boolean(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}


int
emage_word(emage_str_t s, const char *words)
{
    int          n;
    const char  *end;

    for (n = 0; /* void */ ; n++) {
        end = strchr(words, '|');

        if (emage_str_eq(s, (emage_str_t) { words,
                                            (end == NULL)
                                            ? strlen(words)
                                            : (size_t) (end - words) }))
        {
            return n;
        }

        if (end == NULL) {
            return -1;
        }

        words = end + 1;
    }
}


bool
emage_valid_uid(emage_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] != '.' && (s.data[i] < '0' || s.data[i] > '9')) {
            return false;
        }
    }

    return s.len >= 1 && s.len <= 64;
}


bool
emage_valid_pid(emage_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if ((s.data[i] < '0' || s.data[i] > '9')
            && (s.data[i] < 'a' || s.data[i] > 'f'))
        {
            return false;
        }
    }

    return s.len == 32;
}


bool
emage_valid_date(emage_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
    }

    return s.len == 8;
}


bool
emage_valid_revision(emage_str_t s)
{
    char    c;
    size_t  i;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if ((c < '0' || c > '9') && (c < 'A' || c > 'Z')
            && (c < 'a' || c > 'z') && c != '-')
        {
            return false;
        }
    }

    return s.len >= 1 && s.len <= EMAGE_REVISION_MAX;
}


bool
emage_valid_modality(emage_str_t s)
{
    return s.len >= 1 && s.len <= 16;
}


/* "system|id", neither of them empty. */

bool
emage_valid_subject(emage_str_t s)
{
    const char  *bar;

    if (s.len == 0) {
        return false;
    }

    bar = memchr(s.data, '|', s.len);

    return bar != NULL && bar != s.data && bar != s.data + s.len - 1;
}
