
/*
 * Copyright (C) The e-mage authors
 */


#include "rows.h"

#include <string.h>


/* what identifies the patient for one source */

typedef enum {
    EMAGE_ID_ID = 0,                 /* (0010,0020) */
    EMAGE_ID_ISSUER,                 /* (0010,0021) */
    EMAGE_ID_TYPE,                   /* (0010,0022) */
    EMAGE_ID_QUALIFIERS,             /* (0010,0024) */
    EMAGE_ID_N
} emage_id_t;


static const char *const  emage_id_tags[] = {
    "00100020", "00100021", "00100022", "00100024"
};


typedef struct {
    const emage_identity_t  *who;
    emage_buf_t             *json;
    emage_str_t              ids[EMAGE_ID_N];
    bool                     identity;   /* the regional id is written */
    bool                     others;     /* and the sequence of others */
    bool                     first;
} emage_joiner_t;


static bool emage_rows_line(emage_str_t *rest, emage_str_t *tag,
    emage_str_t *value);
static void emage_rows_member(emage_joiner_t *j, emage_str_t tag,
    emage_str_t value);
static void emage_rows_before(emage_joiner_t *j, emage_str_t tag);
static void emage_rows_lo(emage_joiner_t *j, const char *tag, emage_str_t s);
static void emage_rows_others(emage_joiner_t *j, emage_str_t existing);
static json_t *emage_rows_pick(const json_t *dataset,
    const char *const *tags);
static int emage_rows_sink(const char *data, size_t len, void *out);


/* Takes the next line off `rest`: eight digits, a space, JSON. */

static bool
emage_rows_line(emage_str_t *rest, emage_str_t *tag, emage_str_t *value)
{
    size_t       i;
    const char  *end;

    end = memchr(rest->data, '\n', rest->len);

    if (end == NULL || end - rest->data < 12 || rest->data[8] != ' ') {
        return false;
    }

    tag->data = rest->data;
    tag->len = 8;

    for (i = 0; i < 8; i++) {
        if (!((tag->data[i] >= '0' && tag->data[i] <= '9')
              || (tag->data[i] >= 'A' && tag->data[i] <= 'F')))
        {
            return false;
        }
    }

    value->data = rest->data + 9;
    value->len = (size_t) (end - value->data);

    rest->len -= (size_t) (end + 1 - rest->data);
    rest->data = end + 1;

    return true;
}


static void
emage_rows_member(emage_joiner_t *j, emage_str_t tag, emage_str_t value)
{
    (void) emage_buf_add_c(j->json, j->first ? "\"" : ",\"");
    (void) emage_buf_add_str(j->json, tag);
    (void) emage_buf_add_c(j->json, "\":");
    (void) emage_buf_add_str(j->json, value);

    j->first = false;
}


static void
emage_rows_lo(emage_joiner_t *j, const char *tag, emage_str_t s)
{
    (void) emage_buf_add_c(j->json, j->first ? "\"" : ",\"");
    (void) emage_buf_add_c(j->json, tag);
    (void) emage_buf_add_c(j->json, "\":{\"vr\":\"LO\",\"Value\":[");
    (void) emage_buf_add_json(j->json, s);
    (void) emage_buf_add_c(j->json, "]}");

    j->first = false;
}


/* What belongs before `tag` and is not in the lines (NULL tag: at the end). */

static void
emage_rows_before(emage_joiner_t *j, emage_str_t tag)
{
    if (!j->identity
        && (tag.len == 0 || emage_str_cmp(tag, emage_str("00100021")) > 0))
    {
        j->identity = true;

        emage_rows_lo(j, "00100020", j->who->pid);
        emage_rows_lo(j, "00100021", j->who->region);
    }

    if (!j->others
        && (tag.len == 0 || emage_str_cmp(tag, emage_str("00101002")) > 0))
    {
        j->others = true;

        emage_rows_others(j, emage_null_str);
    }
}


/*
 * The source's identifier first, then what the source itself had put there.
 * `existing` is the sequence of the dataset, or null.
 */

static void
emage_rows_others(emage_joiner_t *j, emage_str_t existing)
{
    bool          outer, own;
    size_t        i;
    emage_str_t   rest;

    static const char  head[] = "{\"vr\":\"SQ\",\"Value\":[";

    rest = emage_null_str;

    if (existing.len > sizeof(head)
        && memcmp(existing.data, head, sizeof(head) - 1) == 0)
    {
        rest.data = existing.data + sizeof(head) - 1;
        rest.len = existing.len - (sizeof(head) - 1);
    }

    own = (j->ids[EMAGE_ID_ID].len != 0);

    if (!own && rest.len == 0) {

        if (existing.len != 0) {
            emage_rows_member(j, emage_str("00101002"), existing);
        }

        return;
    }

    outer = j->first;

    (void) emage_buf_add_c(j->json, outer ? "\"00101002\":"
                                          : ",\"00101002\":");
    (void) emage_buf_add_c(j->json, head);

    if (own) {
        (void) emage_buf_add_c(j->json, "{");

        j->first = true;

        for (i = 0; i < EMAGE_ID_N; i++) {

            if (i == EMAGE_ID_ISSUER && j->ids[i].len == 0) {
                emage_rows_lo(j, emage_id_tags[i], j->who->issuer);

            } else if (j->ids[i].len != 0) {
                emage_rows_member(j, emage_str_c(emage_id_tags[i]),
                                  j->ids[i]);
            }
        }

        (void) emage_buf_add_c(j->json, rest.len != 0 ? "}," : "}]}");
    }

    j->first = false;

    (void) emage_buf_add_str(j->json, rest);
}


emage_rc_t
emage_rows_join(emage_str_t lines, const emage_identity_t *who,
    emage_buf_t *json, json_t **dataset, emage_error_t *err)
{
    size_t          i, start;
    emage_str_t     rest, tag, value, prev;
    json_error_t    jerr;
    emage_joiner_t  j;

    *dataset = NULL;

    memset(&j, 0, sizeof(j));

    j.who = who;
    j.json = json;
    j.first = true;

    start = json->len;
    prev = emage_null_str;
    rest = lines;

    (void) emage_buf_add_c(json, "{");

    while (rest.len != 0) {

        if (!emage_rows_line(&rest, &tag, &value)
            || (prev.len != 0 && emage_str_cmp(prev, tag) >= 0))
        {
            emage_error_set(err, "metadata from a worker are not sound");
            return EMAGE_ERROR;
        }

        prev = tag;

        for (i = 0; i < EMAGE_ID_N; i++) {
            if (emage_str_eq(tag, emage_str_c(emage_id_tags[i]))) {
                break;
            }
        }

        if (i < EMAGE_ID_N) {

            /* an empty id identifies nobody */

            if (memmem(value.data, value.len, "\"Value\"", 7) != NULL) {
                j.ids[i] = value;
            }

            continue;
        }

        emage_rows_before(&j, tag);

        if (emage_str_eq(tag, emage_str("00101002"))) {
            j.others = true;
            emage_rows_others(&j, value);
            continue;
        }

        emage_rows_member(&j, tag, value);
    }

    emage_rows_before(&j, emage_null_str);

    if (emage_buf_add_c(json, "}") != EMAGE_OK) {
        emage_error_set(err, "no memory for metadata");
        return EMAGE_NOMEM;
    }

    *dataset = json_loadb(json->data + start, json->len - start,
                          JSON_REJECT_DUPLICATES, &jerr);

    if (*dataset == NULL || !json_is_object(*dataset)) {
        json_decref(*dataset);
        *dataset = NULL;

        emage_error_set(err, "metadata from a worker are no JSON: %.200s",
                        jerr.text);
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


static json_t *
emage_rows_pick(const json_t *dataset, const char *const *tags)
{
    json_t  *row, *value;

    row = json_object();

    for ( ; row != NULL && *tags != NULL; tags++) {
        value = json_object_get(dataset, *tags);

        /* an attribute without value is left out: viewers break on it */

        if (value == NULL || json_object_get(value, "Value") == NULL) {
            continue;
        }

        if (json_object_set(row, *tags, value) == -1) {
            json_decref(row);
            return NULL;
        }
    }

    return row;
}


json_t *
emage_rows_study(const json_t *dataset)
{
    static const char *const  tags[] = {
        "00080005", "00080020", "00080030", "00080050", "00080090",
        "00080201", "00081030", "00100010", "00100020", "00100021",
        "00100030", "00100040", "0020000D", "00200010", NULL
    };

    return emage_rows_pick(dataset, tags);
}


json_t *
emage_rows_series(const json_t *dataset)
{
    static const char *const  tags[] = {
        "00080005", "00080021", "00080031", "00080060", "00080201",
        "0008103E", "0020000D", "0020000E", "00200011", "00400244",
        "00400245", "00400275", NULL
    };

    return emage_rows_pick(dataset, tags);
}


json_t *
emage_rows_instance(const json_t *dataset, bool report)
{
    json_t  *row;

    static const char *const  tags[] = {
        "00080005", "00080016", "00080018", "00080201", "0020000D",
        "0020000E", "00200013", "00280008", "00280010", "00280011",
        "00280100", NULL
    };

    static const char *const  more[] = {
        "0040A043", "0040A491", "0040A493", "00420010", NULL
    };

    row = emage_rows_pick(dataset, tags);

    if (row != NULL && report) {
        json_t  *other = emage_rows_pick(dataset, more);

        if (other == NULL || !emage_rows_merge(row, other)) {
            json_decref(row);
            row = NULL;
        }

        json_decref(other);
    }

    if (row != NULL
        && !emage_rows_set_string(row, "00080056", "CS", "ONLINE"))
    {
        json_decref(row);
        row = NULL;
    }

    return row;
}


bool
emage_rows_merge(json_t *row, const json_t *other)
{
    return json_object_update_missing(row, (json_t *) (uintptr_t) other) == 0;
}


bool
emage_rows_set_strings(json_t *row, const char *tag, const char *vr,
    json_t *values)
{
    if (values == NULL) {
        return false;
    }

    return json_object_set_new(row, tag, json_pack("{s:s, s:o}", "vr", vr,
                                                   "Value", values))
           == 0;
}


bool
emage_rows_set_string(json_t *row, const char *tag, const char *vr,
    const char *s)
{
    return emage_rows_set_strings(row, tag, vr, json_pack("[s]", s));
}


bool
emage_rows_set_number(json_t *row, const char *tag, const char *vr,
    uint32_t n)
{
    return emage_rows_set_strings(row, tag, vr,
                                  json_pack("[I]", (json_int_t) n));
}


const char *
emage_rows_string(const json_t *row, const char *tag)
{
    return json_string_value(json_array_get(
               json_object_get(json_object_get(row, tag), "Value"), 0));
}


json_t *
emage_rows_parse(emage_str_t text, emage_error_t *err)
{
    json_t        *json;
    json_error_t   jerr;

    json = json_loadb(text.data == NULL ? "" : text.data, text.len,
                      JSON_REJECT_DUPLICATES, &jerr);

    if (json == NULL) {
        emage_error_set(err, "line %d: %.300s", jerr.line, jerr.text);
    }

    return json;
}


static int
emage_rows_sink(const char *data, size_t len, void *out)
{
    return emage_buf_add(out, data, len) == EMAGE_OK ? 0 : -1;
}


/* Rows are sorted by tag, which is the order of their keys' bytes. */

emage_rc_t
emage_rows_dump(const json_t *json, emage_buf_t *out)
{
    int  rc;

    rc = json_dump_callback(json, emage_rows_sink, out,
                            JSON_COMPACT | JSON_SORT_KEYS);

    return (rc == 0 && !out->failed) ? EMAGE_OK : EMAGE_NOMEM;
}
