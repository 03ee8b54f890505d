
/*
 * Copyright (C) The e-mage authors
 */


#include <emage/accept.h>

#include <string.h>


#define EMAGE_OCTETS  emage_str("application/octet-stream")


/* A reader of the header: `p` moves towards `last`. */

typedef struct {
    const char  *p;
    const char  *last;
} emage_accept_reader_t;


static bool emage_ascii_eq(emage_str_t a, emage_str_t b);
static bool emage_token_char(char c);
static void emage_accept_space(emage_accept_reader_t *rd);
static bool emage_accept_token(emage_accept_reader_t *rd, emage_str_t *out);
static bool emage_accept_value(emage_accept_reader_t *rd, emage_str_t *out);
static bool emage_accept_q(emage_str_t value, unsigned *q);
static bool emage_accept_range(emage_accept_reader_t *rd,
    emage_accept_range_t *range);
static void emage_accept_skip(emage_accept_reader_t *rd);
static bool emage_type_matches(emage_str_t range, emage_str_t type);
static bool emage_syntax_matches(const emage_accept_range_t *range,
    const emage_stored_t *stored, bool octets);
static emage_form_t emage_range_form(const emage_accept_range_t *range,
    emage_resource_kind_t kind, const emage_stored_t *stored, bool single,
    bool *as_octets);
static emage_form_t emage_any_form(emage_resource_kind_t kind);


static bool
emage_ascii_eq(emage_str_t a, emage_str_t b)
{
    char    c, d;
    size_t  i;

    if (a.len != b.len) {
        return false;
    }

    for (i = 0; i < a.len; i++) {
        c = a.data[i];
        d = b.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (d >= 'A' && d <= 'Z') {
            d |= 0x20;
        }

        if (c != d) {
            return false;
        }
    }

    return true;
}


/*
 * tchar of RFC 9110 section 5.6.2, and "/", which clients leave unquoted in
 * type=application/dicom.
 */

static bool
emage_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9'))
    {
        return true;
    }

    return c != '\0' && strchr("!#$%&'*+-.^_`|~/", c) != NULL;
}


static void
emage_accept_space(emage_accept_reader_t *rd)
{
    while (rd->p < rd->last && (*rd->p == ' ' || *rd->p == '\t')) {
        rd->p++;
    }
}


static bool
emage_accept_token(emage_accept_reader_t *rd, emage_str_t *out)
{
    out->data = rd->p;

    while (rd->p < rd->last && emage_token_char(*rd->p)) {
        rd->p++;
    }

    out->len = (size_t) (rd->p - out->data);

    return out->len > 0;
}


/* A token or a quoted string; one with a backslash is not understood. */

static bool
emage_accept_value(emage_accept_reader_t *rd, emage_str_t *out)
{
    if (rd->p == rd->last || *rd->p != '"') {
        return emage_accept_token(rd, out);
    }

    rd->p++;
    out->data = rd->p;

    while (rd->p < rd->last && *rd->p != '"') {
        if (*rd->p == '\\') {
            return false;
        }

        rd->p++;
    }

    if (rd->p == rd->last) {
        return false;
    }

    out->len = (size_t) (rd->p - out->data);
    rd->p++;

    return true;
}


static bool
emage_accept_q(emage_str_t value, unsigned *q)
{
    size_t    i;
    unsigned  n, scale;

    if (value.len == 0 || value.len > 5
        || (value.data[0] != '0' && value.data[0] != '1')
        || (value.len > 1 && value.data[1] != '.'))
    {
        return false;
    }

    n = (unsigned) (value.data[0] - '0') * 1000;
    scale = 100;

    for (i = 2; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return false;
        }

        n += (unsigned) (value.data[i] - '0') * scale;
        scale /= 10;
    }

    *q = n;

    return n <= 1000;
}


static bool
emage_accept_range(emage_accept_reader_t *rd, emage_accept_range_t *range)
{
    emage_str_t  name, value;

    memset(range, 0, sizeof(*range));
    range->q = 1000;

    if (!emage_accept_token(rd, &range->type)) {
        return false;
    }

    range->multipart = emage_ascii_eq(range->type,
                                      emage_str("multipart/related"));

    for ( ;; ) {
        emage_accept_space(rd);

        if (rd->p == rd->last || *rd->p == ',') {
            return true;
        }

        if (*rd->p != ';') {
            return false;
        }

        rd->p++;
        emage_accept_space(rd);

        if (rd->p < rd->last && (*rd->p == ';' || *rd->p == ',')) {
            continue;
        }

        if (rd->p == rd->last) {
            return true;
        }

        if (!emage_accept_token(rd, &name)) {
            return false;
        }

        emage_accept_space(rd);

        if (rd->p == rd->last || *rd->p != '=') {
            return false;
        }

        rd->p++;
        emage_accept_space(rd);

        if (!emage_accept_value(rd, &value)) {
            return false;
        }

        if (emage_ascii_eq(name, emage_str("q"))) {
            if (!emage_accept_q(value, &range->q)) {
                return false;
            }

        } else if (emage_ascii_eq(name, emage_str("transfer-syntax"))) {
            range->transfer_syntax = value;

        } else if (range->multipart
                   && emage_ascii_eq(name, emage_str("type")))
        {
            range->part = value;
        }
    }
}


/* To the next comma that is not inside a quoted string. */

static void
emage_accept_skip(emage_accept_reader_t *rd)
{
    bool  quoted;

    quoted = false;

    while (rd->p < rd->last && (quoted || *rd->p != ',')) {
        if (*rd->p == '"') {
            quoted = !quoted;
        }

        rd->p++;
    }
}


emage_rc_t
emage_accept_parse(emage_str_t header, emage_accept_t *out)
{
    emage_accept_range_t   range;
    emage_accept_reader_t  rd;

    out->n = 0;

    if (header.len > EMAGE_ACCEPT_MAX) {
        return EMAGE_ERROR;
    }

    rd.p = header.data;
    rd.last = header.data + header.len;

    emage_accept_space(&rd);

    if (rd.p == rd.last) {
        memset(&out->ranges[0], 0, sizeof(out->ranges[0]));
        out->ranges[0].type = emage_str("*/*");
        out->ranges[0].q = 1000;
        out->n = 1;
        return EMAGE_OK;
    }

    while (rd.p < rd.last) {
        emage_accept_space(&rd);

        if (emage_accept_range(&rd, &range)) {

            if (out->n == EMAGE_ACCEPT_RANGES) {
                return EMAGE_ERROR;
            }

            out->ranges[out->n++] = range;
        }

        emage_accept_skip(&rd);

        if (rd.p < rd.last) {
            rd.p++;
        }
    }

    return out->n > 0 ? EMAGE_OK : EMAGE_ERROR;
}


static bool
emage_type_matches(emage_str_t range, emage_str_t type)
{
    size_t  n;

    if (range.len == 0 || emage_str_eq(range, emage_str("*/*"))) {
        return true;
    }

    if (range.len > 2 && range.data[range.len - 1] == '*'
        && range.data[range.len - 2] == '/')
    {
        n = range.len - 1;

        if (type.len < n) {
            return false;
        }

        range.len = n;
        type.len = n;
    }

    return emage_ascii_eq(range, type);
}


static bool
emage_syntax_matches(const emage_accept_range_t *range,
    const emage_stored_t *stored, bool octets)
{
    if (emage_str_eq(range->transfer_syntax, emage_str("*"))) {
        return true;
    }

    if (range->transfer_syntax.len > 0) {
        return emage_str_eq(range->transfer_syntax, stored->transfer_syntax);
    }

    /* octets without a transfer syntax are uncompressed */

    return !octets || emage_ascii_eq(stored->media_type, EMAGE_OCTETS);
}


/* What a client gets that takes anything. */

static emage_form_t
emage_any_form(emage_resource_kind_t kind)
{
    switch (kind) {
    case EMAGE_RESOURCE_STUDY_METADATA:
    case EMAGE_RESOURCE_SERIES_METADATA:
    case EMAGE_RESOURCE_INSTANCE_METADATA:
    case EMAGE_RESOURCE_BULKDATA:
    case EMAGE_RESOURCE_RENDERED:
    case EMAGE_RESOURCE_THUMBNAIL:
    case EMAGE_RESOURCE_SERIES_THUMBNAIL:
    case EMAGE_RESOURCE_SEARCH_STUDIES:
    case EMAGE_RESOURCE_SEARCH_SERIES:
    case EMAGE_RESOURCE_SEARCH_INSTANCES:
        return EMAGE_FORM_SINGLE;
    default:
        return EMAGE_FORM_MULTIPART;
    }
}


static emage_form_t
emage_range_form(const emage_accept_range_t *range,
    emage_resource_kind_t kind, const emage_stored_t *stored, bool single,
    bool *as_octets)
{
    bool          octets;
    emage_str_t   asked;
    emage_form_t  form;

    if (range->multipart
        || emage_ascii_eq(range->type, emage_str("multipart/*")))
    {
        if (emage_any_form(kind) == EMAGE_FORM_SINGLE
            && kind != EMAGE_RESOURCE_BULKDATA)
        {
            return EMAGE_FORM_NONE;
        }

        form = EMAGE_FORM_MULTIPART;
        asked = range->part;

    } else if (emage_str_eq(range->type, emage_str("*/*"))) {
        return emage_syntax_matches(range, stored, false)
               ? emage_any_form(kind) : EMAGE_FORM_NONE;

    } else {
        if (!single) {
            return EMAGE_FORM_NONE;
        }

        form = EMAGE_FORM_SINGLE;
        asked = range->type;
    }

    octets = emage_ascii_eq(asked, EMAGE_OCTETS);

    if (emage_type_matches(asked, stored->media_type)) {
        return emage_syntax_matches(range, stored, octets)
               ? form : EMAGE_FORM_NONE;
    }

    /* application/json for application/dicom+json */

    if (emage_ascii_eq(asked, emage_str("application/json"))
        && emage_ascii_eq(stored->media_type,
                          emage_str("application/dicom+json")))
    {
        return form;
    }

    /* frames and bulk data of any type can be had as octets */

    if (octets && kind == EMAGE_RESOURCE_BULKDATA) {
        *as_octets = true;
        return form;
    }

    if (octets && kind == EMAGE_RESOURCE_FRAMES
        && emage_syntax_matches(range, stored, true))
    {
        *as_octets = true;
        return form;
    }

    return EMAGE_FORM_NONE;
}


emage_form_t
emage_accept_choose(const emage_accept_t *accept, emage_resource_kind_t kind,
    const emage_stored_t *stored, uint32_t n, bool single, bool *as_octets)
{
    bool          octets, best_octets;
    unsigned      best_q;
    uint32_t      i, k;
    emage_form_t  form, one, best;

    best = EMAGE_FORM_NONE;
    best_q = 0;
    best_octets = false;

    for (i = 0; i < accept->n; i++) {

        /* the first of equal weight wins; weight 0 never does */

        if (accept->ranges[i].q <= best_q) {
            continue;
        }

        form = EMAGE_FORM_NONE;
        octets = false;

        for (k = 0; k < n; k++) {
            one = emage_range_form(&accept->ranges[i], kind, &stored[k],
                                   single, &octets);

            if (one == EMAGE_FORM_NONE) {
                form = EMAGE_FORM_NONE;
                break;
            }

            form = one;
        }

        if (form != EMAGE_FORM_NONE) {
            best = form;
            best_q = accept->ranges[i].q;
            best_octets = octets;
        }
    }

    *as_octets = best_octets;

    return best;
}


emage_str_t
emage_frame_media_type(emage_str_t transfer_syntax)
{
    size_t  i;

    static const struct {
        emage_str_t  uid;
        emage_str_t  type;
    } types[] = {
#define emage_syntax(uid, type)                                              \
        { { uid, sizeof(uid) - 1 }, { type, sizeof(type) - 1 } }
        emage_syntax("1.2.840.10008.1.2.4.50", "image/jpeg"),
        emage_syntax("1.2.840.10008.1.2.4.51", "image/jpeg"),
        emage_syntax("1.2.840.10008.1.2.4.57", "image/jpeg"),
        emage_syntax("1.2.840.10008.1.2.4.70", "image/jpeg"),
        emage_syntax("1.2.840.10008.1.2.4.80", "image/jls"),
        emage_syntax("1.2.840.10008.1.2.4.81", "image/jls"),
        emage_syntax("1.2.840.10008.1.2.4.90", "image/jp2"),
        emage_syntax("1.2.840.10008.1.2.4.91", "image/jp2"),
        emage_syntax("1.2.840.10008.1.2.4.92", "image/jpx"),
        emage_syntax("1.2.840.10008.1.2.4.93", "image/jpx"),
        emage_syntax("1.2.840.10008.1.2.4.100", "video/mpeg2"),
        emage_syntax("1.2.840.10008.1.2.4.101", "video/mpeg2"),
        emage_syntax("1.2.840.10008.1.2.4.102", "video/mp4"),
        emage_syntax("1.2.840.10008.1.2.4.103", "video/mp4"),
        emage_syntax("1.2.840.10008.1.2.4.104", "video/mp4"),
        emage_syntax("1.2.840.10008.1.2.4.105", "video/mp4"),
        emage_syntax("1.2.840.10008.1.2.4.106", "video/mp4"),
        emage_syntax("1.2.840.10008.1.2.4.110", "image/jxl"),
        emage_syntax("1.2.840.10008.1.2.4.111", "image/jxl"),
        emage_syntax("1.2.840.10008.1.2.4.112", "image/jxl"),
        emage_syntax("1.2.840.10008.1.2.4.201", "image/jphc"),
        emage_syntax("1.2.840.10008.1.2.4.202", "image/jphc"),
        emage_syntax("1.2.840.10008.1.2.4.203", "image/jphc"),
        emage_syntax("1.2.840.10008.1.2.5", "image/dicom-rle")
#undef emage_syntax
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (emage_str_eq(types[i].uid, transfer_syntax)) {
            return types[i].type;
        }
    }

    return EMAGE_OCTETS;
}
