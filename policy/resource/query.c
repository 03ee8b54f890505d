
/*
 * Copyright (C) The e-mage authors
 *
 * From the query of a URL to matching keys and options.
 */


#include <emage/query.h>

#include "attributes.h"

#include <string.h>


#define EMAGE_OPTION_LIMIT     0x01
#define EMAGE_OPTION_OFFSET    0x02
#define EMAGE_OPTION_FUZZY     0x04
#define EMAGE_OPTION_EMPTY     0x08
#define EMAGE_OPTION_MULTIPLE  0x10


typedef struct {
    emage_query_t  *query;
    emage_error_t  *err;
    char           *text;                  /* what is decoded next goes here */
    unsigned        seen;                  /* options */
    uint64_t        universal;             /* keys that ask for anything */
} emage_query_parser_t;


static emage_rc_t emage_query_parameter(emage_query_parser_t *p,
    emage_str_t raw);
static bool emage_query_decode(emage_query_parser_t *p, emage_str_t raw,
    emage_str_t *out);
static emage_str_t emage_query_trim(emage_str_t s);
static emage_rc_t emage_query_option(emage_query_parser_t *p,
    emage_str_t name, emage_str_t value, bool *known);
static emage_rc_t emage_query_once(emage_query_parser_t *p, unsigned bit,
    emage_str_t name);
static emage_rc_t emage_query_number(emage_query_parser_t *p,
    emage_str_t name, emage_str_t value, uint32_t *out);
static emage_rc_t emage_query_flag(emage_query_parser_t *p, emage_str_t name,
    emage_str_t value, bool *out);
static void emage_query_include(emage_query_t *query, emage_str_t list);
static emage_rc_t emage_query_key(emage_query_parser_t *p, emage_str_t name,
    emage_str_t value);
static bool emage_query_key_valid(emage_match_t match, emage_str_t value);
static bool emage_query_item(emage_str_t list, size_t *pos,
    emage_str_t *item);


emage_rc_t
emage_query_parse(emage_str_t raw, emage_level_t level, char *text,
    emage_query_t *out, emage_error_t *err)
{
    uint32_t              n;
    emage_rc_t            rc;
    const char           *amp;
    emage_str_t           part;
    emage_query_parser_t  p;

    memset(out, 0, sizeof(*out));
    memset(&p, 0, sizeof(p));

    out->level = level;

    p.query = out;
    p.err = err;
    p.text = text;

    if (raw.len > EMAGE_QUERY_MAX) {
        emage_error_set(err, "query over %d bytes", EMAGE_QUERY_MAX);
        return EMAGE_ERROR;
    }

    for (n = 0; raw.len != 0; n++) {

        if (n == EMAGE_QUERY_PARAMETERS) {
            emage_error_set(err, "over %d parameters",
                            EMAGE_QUERY_PARAMETERS);
            return EMAGE_ERROR;
        }

        amp = memchr(raw.data, '&', raw.len);

        part.data = raw.data;
        part.len = (amp == NULL) ? raw.len : (size_t) (amp - raw.data);

        if (part.len != 0) {
            rc = emage_query_parameter(&p, part);

            if (rc != EMAGE_OK) {
                memset(out, 0, sizeof(*out));
                return rc;
            }
        }

        if (amp == NULL) {
            break;
        }

        raw.data += part.len + 1;
        raw.len -= part.len + 1;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_query_parameter(emage_query_parser_t *p, emage_str_t raw)
{
    bool          known;
    emage_rc_t    rc;
    const char   *equals;
    emage_str_t   name, value;

    name = raw;
    value = emage_null_str;

    equals = memchr(raw.data, '=', raw.len);

    if (equals != NULL) {
        name.len = (size_t) (equals - raw.data);

        value.data = equals + 1;
        value.len = raw.len - name.len - 1;
    }

    if (!emage_query_decode(p, name, &name)
        || !emage_query_decode(p, value, &value)
        || !emage_text_valid(name) || !emage_text_valid(value))
    {
        emage_error_set(p->err, "a bad escape, control characters, or text "
                        "that is not UTF-8");
        return EMAGE_ERROR;
    }

    name = emage_query_trim(name);
    value = emage_query_trim(value);

    rc = emage_query_option(p, name, value, &known);

    if (rc != EMAGE_OK || known) {
        return rc;
    }

    return emage_query_key(p, name, value);
}


/* As forms encode: %XX, and "+" for a space. */

static bool
emage_query_decode(emage_query_parser_t *p, emage_str_t raw, emage_str_t *out)
{
    char    *dst;
    size_t   i;

    dst = p->text;
    out->data = dst;

    for (i = 0; i < raw.len; i++) {

        if (raw.data[i] == '+') {
            *dst++ = ' ';
            continue;
        }

        if (raw.data[i] != '%') {
            *dst++ = raw.data[i];
            continue;
        }

        if (raw.len - i < 3 || !emage_unhex(dst, raw.data + i + 1, 2)) {
            return false;
        }

        dst++;
        i += 2;
    }

    out->len = (size_t) (dst - p->text);
    p->text = dst;

    return true;
}


static emage_str_t
emage_query_trim(emage_str_t s)
{
    while (s.len > 0 && s.data[0] == ' ') {
        s.data++;
        s.len--;
    }

    while (s.len > 0 && s.data[s.len - 1] == ' ') {
        s.len--;
    }

    return s;
}


static emage_rc_t
emage_query_option(emage_query_parser_t *p, emage_str_t name,
    emage_str_t value, bool *known)
{
    emage_rc_t      rc;
    emage_query_t  *q;

    q = p->query;
    *known = true;

    if (emage_str_eq(name, emage_str("limit"))) {
        rc = emage_query_once(p, EMAGE_OPTION_LIMIT, name);
        q->limited = true;

        return (rc == EMAGE_OK) ? emage_query_number(p, name, value, &q->limit)
                                : rc;
    }

    if (emage_str_eq(name, emage_str("offset"))) {
        rc = emage_query_once(p, EMAGE_OPTION_OFFSET, name);

        return (rc == EMAGE_OK) ? emage_query_number(p, name, value,
                                                     &q->offset)
                                : rc;
    }

    if (emage_str_eq(name, emage_str("fuzzymatching"))) {
        rc = emage_query_once(p, EMAGE_OPTION_FUZZY, name);

        return (rc == EMAGE_OK) ? emage_query_flag(p, name, value, &q->fuzzy)
                                : rc;
    }

    if (emage_str_eq(name, emage_str("emptyvaluematching"))) {
        rc = emage_query_once(p, EMAGE_OPTION_EMPTY, name);

        return (rc == EMAGE_OK) ? emage_query_flag(p, name, value,
                                                   &q->emptyvalue)
                                : rc;
    }

    if (emage_str_eq(name, emage_str("multiplevaluematching"))) {
        rc = emage_query_once(p, EMAGE_OPTION_MULTIPLE, name);

        return (rc == EMAGE_OK) ? emage_query_flag(p, name, value,
                                                   &q->multiplevalue)
                                : rc;
    }

    if (emage_str_eq(name, emage_str("includefield"))) {
        emage_query_include(q, value);
        return EMAGE_OK;
    }

    *known = false;

    return EMAGE_OK;
}


static emage_rc_t
emage_query_once(emage_query_parser_t *p, unsigned bit, emage_str_t name)
{
    if (p->seen & bit) {
        emage_error_set(p->err, "\"%.*s\" is given twice", (int) name.len,
                        name.data);
        return EMAGE_ERROR;
    }

    p->seen |= bit;

    return EMAGE_OK;
}


static emage_rc_t
emage_query_number(emage_query_parser_t *p, emage_str_t name,
    emage_str_t value, uint32_t *out)
{
    size_t    i;
    uint32_t  n;

    n = 0;

    for (i = 0; i < value.len && i < 10; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }

        n = n * 10 + (uint32_t) (value.data[i] - '0');
    }

    if (value.len == 0 || value.len > 9 || i != value.len) {
        emage_error_set(p->err, "\"%.*s\" is no number up to 999999999",
                        (int) name.len, name.data);
        return EMAGE_ERROR;
    }

    *out = n;

    return EMAGE_OK;
}


static emage_rc_t
emage_query_flag(emage_query_parser_t *p, emage_str_t name,
    emage_str_t value, bool *out)
{
    if (emage_str_eq(value, emage_str("true"))) {
        *out = true;
        return EMAGE_OK;
    }

    if (emage_str_eq(value, emage_str("false"))) {
        *out = false;
        return EMAGE_OK;
    }

    emage_error_set(p->err, "\"%.*s\" is \"true\" or \"false\"",
                    (int) name.len, name.data);

    return EMAGE_ERROR;
}


/* The next item of a list with commas; false at its end. */

static bool
emage_query_item(emage_str_t list, size_t *pos, emage_str_t *item)
{
    size_t  i;

    while (*pos < list.len) {

        for (i = *pos; i < list.len; i++) {
            if (list.data[i] == ',' || list.data[i] == '\\') {
                break;
            }
        }

        item->data = list.data + *pos;
        item->len = i - *pos;
        *item = emage_query_trim(*item);

        *pos = i + 1;

        if (item->len != 0) {
            return true;
        }
    }

    return false;
}


/* What is not known here is not in the rows either. */

static void
emage_query_include(emage_query_t *query, emage_str_t list)
{
    int          n;
    size_t       pos;
    emage_str_t  item;

    pos = 0;

    while (emage_query_item(list, &pos, &item)) {

        if (emage_str_eq(item, emage_str("all"))) {
            query->include_all = true;
            continue;
        }

        n = emage_attribute_named(item);

        if (n != -1) {
            query->include |= (uint64_t) 1 << n;
        }
    }
}


static emage_rc_t
emage_query_key(emage_query_parser_t *p, emage_str_t name, emage_str_t value)
{
    int                           n;
    size_t                        pos;
    uint32_t                      i;
    emage_str_t                   item;
    emage_query_t                *q;
    emage_query_key_t            *key;
    const emage_attribute_def_t  *def;

    q = p->query;
    n = emage_attribute_named(name);

    if (n == -1) {
        q->ignored += emage_attribute_like(name) ? 1 : 0;
        return EMAGE_OK;
    }

    def = &emage_attribute_defs[n];

    if (def->match == EMAGE_MATCH_NONE || def->level > q->level) {
        q->ignored++;
        return EMAGE_OK;
    }

    /* keys stay in the order of attributes, so repeated UIDs stand together */

    for (i = q->nkeys; i > 0; i--) {
        if (q->keys[i - 1].attribute <= (uint32_t) n) {
            break;
        }
    }

    if (def->match != EMAGE_MATCH_UID) {

        if ((i > 0 && q->keys[i - 1].attribute == (uint32_t) n)
            || (p->universal & ((uint64_t) 1 << n)))
        {
            emage_error_set(p->err, "\"%.*s\" is given twice",
                            (int) def->keyword.len, def->keyword.data);
            return EMAGE_ERROR;
        }
    }

    pos = 0;

    if (value.len == 0 || emage_str_eq(value, emage_str("*"))
        || (def->match == EMAGE_MATCH_UID
            && !emage_query_item(value, &pos, &item)))
    {
        p->universal |= (uint64_t) 1 << n;
        return EMAGE_OK;
    }

    if (!emage_query_key_valid(def->match, value)) {
        emage_error_set(p->err,
                        "the value of \"%.*s\" is malformed or too long",
                        (int) def->keyword.len, def->keyword.data);
        return EMAGE_ERROR;
    }

    if (q->nkeys == EMAGE_QUERY_KEYS) {
        emage_error_set(p->err, "over %d matching keys", EMAGE_QUERY_KEYS);
        return EMAGE_ERROR;
    }

    key = &q->keys[i];
    memmove(key + 1, key, (q->nkeys - i) * sizeof(*key));

    key->attribute = (uint32_t) n;
    key->value = value;

    q->nkeys++;

    return EMAGE_OK;
}


static bool
emage_query_key_valid(emage_match_t match, emage_str_t value)
{
    size_t       pos;
    emage_str_t  item;

    if (match != EMAGE_MATCH_UID && value.len > EMAGE_QUERY_TEXT_MAX) {
        return false;
    }

    switch (match) {

    case EMAGE_MATCH_UID:
        pos = 0;

        while (emage_query_item(value, &pos, &item)) {
            if (!emage_uid_valid(item)) {
                return false;
            }
        }

        return true;

    case EMAGE_MATCH_DATE:
        return emage_date_valid(value);

    case EMAGE_MATCH_TIME:
        return emage_time_valid(value);

    case EMAGE_MATCH_NUMBER:
        return emage_number_valid(value);

    default:
        return true;
    }
}


bool
emage_query_uid(const emage_query_t *query, uint32_t tag, size_t *pos,
    emage_str_t *uid)
{
    int       n;
    size_t    at;
    uint32_t  i;

    n = emage_attribute_find(tag, 0);

    /* `pos` counts through all values of the key as if they were one text */

    at = *pos;

    for (i = 0; i < query->nkeys; i++) {

        if ((int) query->keys[i].attribute != n) {
            continue;
        }

        if (at > query->keys[i].value.len) {
            at -= query->keys[i].value.len + 1;
            continue;
        }

        *pos -= at;

        if (emage_query_item(query->keys[i].value, &at, uid)) {
            *pos += at;
            return true;
        }

        *pos += query->keys[i].value.len + 1;
        at = 0;
    }

    return false;
}


emage_str_t
emage_query_value(const emage_query_t *query, uint32_t tag)
{
    int       n;
    uint32_t  i;

    n = emage_attribute_find(tag, 0);

    for (i = 0; i < query->nkeys; i++) {
        if ((int) query->keys[i].attribute == n) {
            return query->keys[i].value;
        }
    }

    return emage_null_str;
}
