
/*
 * Copyright (C) The e-mage authors
 */


#include "metadata.h"

#include <stdio.h>
#include <string.h>


typedef struct {
    const emage_metadata_t  *md;
    emage_buf_t             *out;
    emage_buf_t              text;       /* of the value at hand, UTF-8 */
    emage_error_t           *err;

    /* Specific Character Set of the dataset and of each item on the way */

    emage_str_t              declared[EMAGE_DATASET_DEPTH_MAX + 1];
    uint32_t                 items[EMAGE_DATASET_DEPTH_MAX + 1];
    bool                     first[EMAGE_DATASET_DEPTH_MAX + 1];
    bool                     charset_told;
} emage_md_writer_t;


typedef enum {
    EMAGE_VALUE_RAW = 0,
    EMAGE_VALUE_STRINGS,             /* split at backslashes */
    EMAGE_VALUE_TEXT,                /* one value */
    EMAGE_VALUE_NAMES,
    EMAGE_VALUE_DS,
    EMAGE_VALUE_IS,
    EMAGE_VALUE_NUMBERS
} emage_value_t;


typedef struct {
    char           vr[3];
    emage_value_t  kind;
    unsigned       size;             /* of a number, or of a unit of bytes */
    bool           charset;          /* Specific Character Set applies */
} emage_vr_rule_t;


static const emage_vr_rule_t  emage_vr_rules[] = {
    { "AE", EMAGE_VALUE_STRINGS, 1, false },
    { "AS", EMAGE_VALUE_STRINGS, 1, false },
    { "AT", EMAGE_VALUE_NUMBERS, 4, false },
    { "CS", EMAGE_VALUE_STRINGS, 1, false },
    { "DA", EMAGE_VALUE_STRINGS, 1, false },
    { "DS", EMAGE_VALUE_DS, 1, false },
    { "DT", EMAGE_VALUE_STRINGS, 1, false },
    { "FD", EMAGE_VALUE_NUMBERS, 8, false },
    { "FL", EMAGE_VALUE_NUMBERS, 4, false },
    { "IS", EMAGE_VALUE_IS, 1, false },
    { "LO", EMAGE_VALUE_STRINGS, 1, true },
    { "LT", EMAGE_VALUE_TEXT, 1, true },
    { "OB", EMAGE_VALUE_RAW, 1, false },
    { "OD", EMAGE_VALUE_RAW, 8, false },
    { "OF", EMAGE_VALUE_RAW, 4, false },
    { "OL", EMAGE_VALUE_RAW, 4, false },
    { "OV", EMAGE_VALUE_RAW, 8, false },
    { "OW", EMAGE_VALUE_RAW, 2, false },
    { "PN", EMAGE_VALUE_NAMES, 1, true },
    { "SH", EMAGE_VALUE_STRINGS, 1, true },
    { "SL", EMAGE_VALUE_NUMBERS, 4, false },
    { "SS", EMAGE_VALUE_NUMBERS, 2, false },
    { "ST", EMAGE_VALUE_TEXT, 1, true },
    { "SV", EMAGE_VALUE_NUMBERS, 8, false },
    { "TM", EMAGE_VALUE_STRINGS, 1, false },
    { "UC", EMAGE_VALUE_STRINGS, 1, true },
    { "UI", EMAGE_VALUE_STRINGS, 1, false },
    { "UL", EMAGE_VALUE_NUMBERS, 4, false },
    { "UN", EMAGE_VALUE_RAW, 1, false },
    { "UR", EMAGE_VALUE_TEXT, 1, false },
    { "US", EMAGE_VALUE_NUMBERS, 2, false },
    { "UT", EMAGE_VALUE_TEXT, 1, true },
    { "UV", EMAGE_VALUE_NUMBERS, 8, false }
};


static emage_rc_t emage_md_event(void *data, const emage_event_t *ev);
static emage_rc_t emage_md_element(emage_md_writer_t *w,
    const emage_event_t *ev);
static emage_str_t emage_md_nuls(emage_md_writer_t *w, emage_str_t s,
    bool split);
static emage_rc_t emage_md_encapsulated(emage_md_writer_t *w,
    const emage_event_t *ev);
static void emage_md_key(emage_md_writer_t *w, const emage_event_t *ev,
    const char *vr);
static void emage_md_close(emage_md_writer_t *w, const emage_event_t *ev);
static void emage_md_uri(emage_md_writer_t *w, const emage_event_t *ev,
    emage_str_t path);
static void emage_md_strings(emage_md_writer_t *w,
    const emage_vr_rule_t *rule, emage_str_t s);
static bool emage_md_nameless(emage_str_t s);
static void emage_md_name(emage_md_writer_t *w, emage_str_t s);
static void emage_md_numbers(emage_md_writer_t *w, const emage_event_t *ev,
    const emage_vr_rule_t *rule);
static void emage_md_number(emage_md_writer_t *w, const char *vr,
    const unsigned char *p, bool be);
static const emage_vr_rule_t *emage_md_rule(emage_md_writer_t *w,
    const emage_event_t *ev);


emage_rc_t
emage_metadata_write(const emage_metadata_t *md, emage_buf_t *out,
    emage_error_t *err)
{
    emage_rc_t         rc;
    emage_md_writer_t  w;

    memset(&w, 0, sizeof(w));

    w.md = md;
    w.out = out;
    w.err = err;
    w.first[0] = true;

    emage_buf_init(&w.text, EMAGE_METADATA_MAX);

    rc = emage_dataset_walk(md->dataset, emage_md_event, &w, err);

    emage_buf_free(&w.text);

    if (rc == EMAGE_OK && out->failed) {
        rc = EMAGE_NOMEM;
    }

    if (rc == EMAGE_NOMEM) {
        emage_error_set(err, "metadata of more than %u MiB",
                        EMAGE_METADATA_MAX >> 20);
    }

    return rc;
}


static emage_rc_t
emage_md_event(void *data, const emage_event_t *ev)
{
    emage_md_writer_t  *w = data;

    if (w->out->failed) {
        return EMAGE_NOMEM;
    }

    /* all text is UTF-8 now, which the dataset says even if it said nothing */

    if (ev->depth == 0 && !w->charset_told
        && ev->tag > EMAGE_TAG_CHARSET - 1 && ev->at != EMAGE_AT_FRAGMENT)
    {
        w->charset_told = true;

        if (ev->tag != EMAGE_TAG_CHARSET) {
            (void) emage_buf_add_c(w->out, "00080005 {\"vr\":\"CS\",\"Value\":"
                                   "[\"ISO_IR 192\"]}\n");
        }
    }

    switch (ev->at) {

    case EMAGE_AT_ELEMENT:
        return emage_md_element(w, ev);

    case EMAGE_AT_SEQUENCE:
        w->items[ev->depth] = 0;
        emage_md_key(w, ev, "SQ");
        break;

    case EMAGE_AT_ITEM:
        (void) emage_buf_add_c(w->out, w->items[ev->depth]++ == 0
                                       ? ",\"Value\":[{" : ",{");
        w->first[ev->depth + 1] = true;
        w->declared[ev->depth + 1] = w->declared[ev->depth];
        break;

    case EMAGE_AT_ITEM_END:
        (void) emage_buf_add_c(w->out, "}");
        break;

    case EMAGE_AT_SEQUENCE_END:
        (void) emage_buf_add_c(w->out, w->items[ev->depth] != 0 ? "]" : "");
        emage_md_close(w, ev);
        break;

    case EMAGE_AT_ENCAPSULATED_END:
        return emage_md_encapsulated(w, ev);

    case EMAGE_AT_ENCAPSULATED:
    case EMAGE_AT_FRAGMENT:
        break;
    }

    return EMAGE_OK;
}


static void
emage_md_key(emage_md_writer_t *w, const emage_event_t *ev, const char *vr)
{
    char  text[32];

    if (ev->depth == 0) {
        (void) snprintf(text, sizeof(text), "%08X {\"vr\":\"%.2s\"",
                        (unsigned) ev->tag, vr);

    } else {
        (void) snprintf(text, sizeof(text), "%s\"%08X\":{\"vr\":\"%.2s\"",
                        w->first[ev->depth] ? "" : ",", (unsigned) ev->tag,
                        vr);

        w->first[ev->depth] = false;
    }

    (void) emage_buf_add_c(w->out, text);
}


static void
emage_md_close(emage_md_writer_t *w, const emage_event_t *ev)
{
    (void) emage_buf_add_c(w->out, ev->depth == 0 ? "}\n" : "}");
}


static void
emage_md_uri(emage_md_writer_t *w, const emage_event_t *ev, emage_str_t path)
{
    char  text[32];

    (void) emage_buf_add_c(w->out, ",\"BulkDataURI\":\"");

    if (w->md->bulk_uri.len == 0) {
        (void) snprintf(text, sizeof(text), "%llu",
                        (unsigned long long) ev->length);
        (void) emage_buf_add_c(w->out, text);

    } else {
        (void) emage_buf_add_str(w->out, w->md->bulk_uri);
        (void) emage_buf_add_str(w->out, path);
    }

    (void) emage_buf_add_c(w->out, "\"");
}


static emage_rc_t
emage_md_encapsulated(emage_md_writer_t *w, const emage_event_t *ev)
{
    char         path[EMAGE_BULK_MAX + 1];
    emage_str_t  s;

    s.data = path;

    emage_md_key(w, ev, ev->vr);

    if (!(ev->depth == 0 && w->md->frames_only)
        && emage_dataset_bulk(ev, path, &s.len))
    {
        emage_md_uri(w, ev, s);
    }

    emage_md_close(w, ev);

    return EMAGE_OK;
}


/*
 * UN that only stands because the length did not fit 16 bits is read by the
 * dictionary (PS3.5 section 6.2.2, note 3).
 */

static const emage_vr_rule_t *
emage_md_rule(emage_md_writer_t *w, const emage_event_t *ev)
{
    char    vr[2];
    size_t  i;

    memcpy(vr, ev->vr, 2);

    if (w->md->bulk_uri.len == 0 && memcmp(vr, "SS", 2) == 0) {
        memcpy(vr, "US", 2);
    }

    if (memcmp(vr, "UN", 2) == 0 && ev->length > 65534
        && w->md->dataset->vr != NULL)
    {
        w->md->dataset->vr(ev->tag, vr);

        if (memcmp(vr, "SQ", 2) == 0) {
            memcpy(vr, "UN", 2);
        }
    }

    for (i = 0; i < sizeof(emage_vr_rules) / sizeof(emage_vr_rules[0]); i++) {
        if (memcmp(emage_vr_rules[i].vr, vr, 2) == 0) {
            return &emage_vr_rules[i];
        }
    }

    /* a VR of a later edition: bytes, under its own name */

    return NULL;
}


/*
 * NUL inside a value, which JSON could say and its readers stumble over: a
 * byte that is no UTF-8 in its place becomes U+FFFD.  Padding stays to be cut.
 */

static emage_str_t
emage_md_nuls(emage_md_writer_t *w, emage_str_t s, bool split)
{
    bool         padding;
    size_t       i;
    emage_buf_t  copy;

    emage_buf_init(&copy, EMAGE_METADATA_MAX);

    if (emage_buf_add_str(&copy, s) != EMAGE_OK) {
        emage_buf_free(&copy);
        w->out->failed = true;
        return emage_null_str;
    }

    emage_buf_free(&w->text);
    w->text = copy;

    s.data = copy.data;
    padding = true;

    for (i = s.len; i > 0; i--) {

        if (copy.data[i - 1] == '\\' && split) {
            padding = true;

        } else if (copy.data[i - 1] == '\0' && !padding) {
            copy.data[i - 1] = (char) 0xff;

        } else if (copy.data[i - 1] != ' ' && copy.data[i - 1] != '\0') {
            padding = false;
        }
    }

    return s;
}


static emage_rc_t
emage_md_element(emage_md_writer_t *w, const emage_event_t *ev)
{
    char                    path[EMAGE_BULK_MAX + 1];
    emage_rc_t              rc;
    emage_str_t             s;
    emage_event_t           named;
    const unsigned char    *p;
    const emage_vr_rule_t  *rule;

    /* group lengths say nothing in JSON; group 2 is no part of a dataset */

    if ((ev->tag & 0xffff) == 0 || ev->tag >> 16 <= 2) {
        return EMAGE_OK;
    }

    rule = emage_md_rule(w, ev);
    named = *ev;

    if (rule != NULL) {
        memcpy(named.vr, rule->vr, 2);
    }

    emage_md_key(w, &named, named.vr);

    if (ev->tag == EMAGE_TAG_CHARSET) {
        w->declared[ev->depth] = emage_dataset_text(w->md->dataset, ev);

        (void) emage_buf_add_c(w->out, ",\"Value\":[\"ISO_IR 192\"]");
        emage_md_close(w, ev);

        return EMAGE_OK;
    }

    s.data = path;
    p = w->md->dataset->data + ev->value;

    if (emage_dataset_bulk(&named, path, &s.len)) {
        emage_md_uri(w, ev, s);

    } else if (ev->length == 0) {
        /* no Value, no BulkDataURI, no InlineBinary */

    } else if (rule == NULL || rule->kind == EMAGE_VALUE_RAW) {
        (void) emage_buf_add_c(w->out, ",\"InlineBinary\":");
        (void) emage_metadata_base64(w->out, p, ev->length,
                                     ev->big_endian && rule != NULL
                                     ? rule->size : 1);

    } else if (rule->kind == EMAGE_VALUE_NUMBERS) {
        emage_md_numbers(w, ev, rule);

    } else {
        emage_buf_reset(&w->text);

        if (rule->charset) {
            rc = emage_metadata_text(w->md, ev, w->declared[ev->depth],
                                     &w->text);
            if (rc != EMAGE_OK) {
                return rc;
            }

            s.data = w->text.data;
            s.len = w->text.len;

        } else {
            s.data = (const char *) p;
            s.len = ev->length;
        }

        s = emage_metadata_trim(s, false);

        if (s.len != 0 && memchr(s.data, '\0', s.len) != NULL) {
            s = emage_md_nuls(w, s, rule->kind != EMAGE_VALUE_TEXT);
        }

        emage_md_strings(w, rule, s);
    }

    emage_md_close(w, ev);

    return EMAGE_OK;
}


/* Delimiters alone are no name. */

static bool
emage_md_nameless(emage_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] != '^' && s.data[i] != '=' && s.data[i] != ' ') {
            return false;
        }
    }

    return true;
}


static void
emage_md_name(emage_md_writer_t *w, emage_str_t s)
{
    bool         first;
    size_t       i, k;
    emage_str_t  group;

    static const char *const  names[] = {
        "\"Alphabetic\":", "\"Ideographic\":", "\"Phonetic\":"
    };

    if (emage_md_nameless(s)) {
        (void) emage_buf_add_c(w->out, "null");
        return;
    }

    (void) emage_buf_add_c(w->out, "{");

    first = true;

    for (k = 0; k < 3; k++) {

        for (i = 0; i < s.len && s.data[i] != '='; i++) { /* void */ }

        group.data = s.data;
        group.len = i;
        group = emage_metadata_trim(group, false);

        /* empty components at the end are none (PS3.5 section 6.2.1.1) */

        while (group.len > 0 && group.data[group.len - 1] == '^') {
            group.len--;
        }

        if (group.len != 0) {
            (void) emage_buf_add_c(w->out, first ? "" : ",");
            (void) emage_buf_add_c(w->out, names[k]);
            (void) emage_buf_add_json(w->out, group);
            first = false;
        }

        if (i == s.len) {
            break;
        }

        s.data += i + 1;
        s.len -= i + 1;
    }

    (void) emage_buf_add_c(w->out, "}");
}


static void
emage_md_strings(emage_md_writer_t *w, const emage_vr_rule_t *rule,
    emage_str_t s)
{
    bool         number;
    size_t       i, n;
    emage_str_t  value;

    s = emage_metadata_trim(s, false);

    if (s.len == 0
        || (rule->kind == EMAGE_VALUE_NAMES && emage_md_nameless(s)))
    {
        return;
    }

    number = (rule->kind == EMAGE_VALUE_DS || rule->kind == EMAGE_VALUE_IS);

    for (n = 0; ; n++) {

        for (i = 0; i < s.len; i++) {
            if (s.data[i] == '\\' && rule->kind != EMAGE_VALUE_TEXT) {
                break;
            }
        }

        (void) emage_buf_add_c(w->out, n == 0 ? ",\"Value\":[" : ",");

        value.data = s.data;
        value.len = i;
        value = emage_metadata_trim(value, rule->kind != EMAGE_VALUE_TEXT);

        if (value.len == 0) {
            (void) emage_buf_add_c(w->out, "null");

        } else if (number) {
            (void) emage_metadata_decimal(w->out, value,
                                          rule->kind == EMAGE_VALUE_IS);

        } else if (rule->kind == EMAGE_VALUE_NAMES) {
            emage_md_name(w, value);

        } else {
            (void) emage_buf_add_json(w->out, value);
        }

        if (i == s.len) {
            break;
        }

        s.data += i + 1;
        s.len -= i + 1;
    }

    (void) emage_buf_add_c(w->out, "]");
}


static void
emage_md_numbers(emage_md_writer_t *w, const emage_event_t *ev,
    const emage_vr_rule_t *rule)
{
    uint64_t              i;
    const unsigned char  *p;

    p = w->md->dataset->data + ev->value;

    /* bytes that make no whole number are no value */

    for (i = 0; i + rule->size <= ev->length; i += rule->size) {
        (void) emage_buf_add_c(w->out, i == 0 ? ",\"Value\":[" : ",");
        emage_md_number(w, rule->vr, p + i, ev->big_endian);
    }

    (void) emage_buf_add_c(w->out, i == 0 ? "" : "]");
}


unsigned
emage_metadata_unit(const char *vr)
{
    size_t  i;

    for (i = 0; i < sizeof(emage_vr_rules) / sizeof(emage_vr_rules[0]); i++) {
        if (memcmp(emage_vr_rules[i].vr, vr, 2) == 0) {

            /* AT is a pair of 16-bit numbers */

            return (vr[0] == 'A' && vr[1] == 'T') ? 2 : emage_vr_rules[i].size;
        }
    }

    return 1;
}


static void
emage_md_number(emage_md_writer_t *w, const char *vr, const unsigned char *p,
    bool be)
{
    char      text[32];
    float     f;
    double    d;
    uint32_t  u32;
    uint64_t  u64;

    switch (vr[0] << 8 | vr[1]) {

    case 'A' << 8 | 'T':
        (void) snprintf(text, sizeof(text), "\"%04X%04X\"",
                        emage_dataset_u16(p, be), emage_dataset_u16(p + 2, be));
        (void) emage_buf_add_c(w->out, text);
        break;

    case 'F' << 8 | 'L':
        u32 = emage_dataset_u32(p, be);
        memcpy(&f, &u32, 4);
        (void) emage_metadata_real(w->out, (double) f, true);
        break;

    case 'F' << 8 | 'D':
        u64 = emage_dataset_u64(p, be);
        memcpy(&d, &u64, 8);
        (void) emage_metadata_real(w->out, d, false);
        break;

    case 'S' << 8 | 'S':
        (void) emage_buf_add_int(w->out, (int16_t) emage_dataset_u16(p, be));
        break;

    case 'U' << 8 | 'S':
        (void) emage_buf_add_int(w->out, emage_dataset_u16(p, be));
        break;

    case 'S' << 8 | 'L':
        (void) emage_buf_add_int(w->out, (int32_t) emage_dataset_u32(p, be));
        break;

    case 'U' << 8 | 'L':
        (void) emage_buf_add_int(w->out, emage_dataset_u32(p, be));
        break;

    default:

        /* past 2^53 a JSON reader would round: PS3.18 lets it be a string */

        u64 = emage_dataset_u64(p, be);

        if (vr[0] == 'S') {
            (void) snprintf(text, sizeof(text),
                            (int64_t) u64 > -(1LL << 53)
                            && (int64_t) u64 < (1LL << 53) ? "%lld"
                            : "\"%lld\"", (long long) u64);

        } else {
            (void) snprintf(text, sizeof(text),
                            u64 < (1ULL << 53) ? "%llu" : "\"%llu\"",
                            (unsigned long long) u64);
        }

        (void) emage_buf_add_c(w->out, text);
    }
}
