
/*
 * Copyright (C) The e-mage authors
 */


#include "part10.h"

#include <string.h>


#define EMAGE_PREAMBLE  128

/* a UUID-derived root (PS3.5 annex B.2) with no registration of its own */

#define EMAGE_IMPLEMENTATION  "2.25.202042594957983774527239377009149974005"
#define EMAGE_IMPLEMENTATION_NAME  "E_MAGE"


typedef struct {
    const emage_dataset_t  *ds;
    emage_part10_t         *p10;
} emage_p10_reader_t;


static bool emage_p10_prefix(const unsigned char *data, uint64_t len);
static bool emage_p10_guess(const unsigned char *data, uint64_t len,
    emage_encoding_t *encoding, bool *meta);
static emage_rc_t emage_p10_event(void *data, const emage_event_t *ev);
static emage_rc_t emage_p10_syntax(emage_part10_t *p10, emage_error_t *err);
static void emage_p10_element(emage_buf_t *b, uint16_t element,
    const char *vr, emage_str_t value);


static bool
emage_p10_prefix(const unsigned char *data, uint64_t len)
{
    return len >= EMAGE_PREAMBLE + 4
           && memcmp(data + EMAGE_PREAMBLE, "DICM", 4) == 0;
}


/*
 * A file without prefix begins with its meta header, or with a dataset, whose
 * first group is 8 since every object has a SOP Class UID there.
 */

static bool
emage_p10_guess(const unsigned char *data, uint64_t len,
    emage_encoding_t *encoding, bool *meta)
{
    bool      letters;
    uint32_t  group, element, length;

    if (len < 16) {
        return false;
    }

    letters = data[4] >= 'A' && data[4] <= 'Z' && data[5] >= 'A'
              && data[5] <= 'Z';

    group = emage_dataset_u16(data, false);
    element = emage_dataset_u16(data + 2, false);
    length = emage_dataset_u32(data + 4, false);

    *meta = false;

    if (group == 2 && element <= 0x10 && letters) {
        *meta = true;
        *encoding = EMAGE_EXPLICIT_LE;
        return true;
    }

    if (group == 8 && element <= 0x20 && letters) {
        *encoding = EMAGE_EXPLICIT_LE;
        return true;
    }

    if (group == 8 && element <= 0x20 && length <= len - 8 && length <= 256) {
        *encoding = EMAGE_IMPLICIT_LE;
        return true;
    }

    if (data[0] == 0 && data[1] == 8 && data[2] == 0 && data[3] <= 0x20
        && letters)
    {
        *encoding = EMAGE_EXPLICIT_BE;
        return true;
    }

    return false;
}


bool
emage_part10_plausible(const unsigned char *data, size_t len,
    emage_error_t *err)
{
    bool              meta;
    emage_encoding_t  encoding;

    if (len == 0) {
        emage_error_set(err, "not a DICOM file: empty");
        return false;
    }

    if (emage_p10_prefix(data, len)
        || emage_p10_guess(data, len, &encoding, &meta))
    {
        return true;
    }

    emage_error_set(err, "not a DICOM file: no DICM prefix at byte 128 and no "
                    "dataset at its start");

    return false;
}


static emage_rc_t
emage_p10_event(void *data, const emage_event_t *ev)
{
    emage_p10_reader_t  *r = data;

    if (ev->at != EMAGE_AT_ELEMENT || ev->depth != 0) {
        return EMAGE_OK;
    }

    if (ev->tag == EMAGE_TAG(0x0002, 0x0002)) {
        r->p10->sop_class = emage_dataset_text(r->ds, ev);

    } else if (ev->tag == EMAGE_TAG(0x0002, 0x0010)) {
        r->p10->transfer_syntax = emage_dataset_text(r->ds, ev);
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_p10_syntax(emage_part10_t *p10, emage_error_t *err)
{
    if (p10->transfer_syntax.len == 0) {
        emage_error_set(err, "no transfer syntax UID (0002,0010) in the meta "
                        "header");
        return EMAGE_ERROR;
    }

    if (!emage_uid_valid(p10->transfer_syntax)) {
        emage_error_set(err, "illegal transfer syntax UID (0002,0010) in the "
                        "meta header");
        return EMAGE_ERROR;
    }

    p10->encoding = EMAGE_EXPLICIT_LE;

    if (emage_str_eq(p10->transfer_syntax, emage_str(EMAGE_TS_IMPLICIT_LE))) {
        p10->encoding = EMAGE_IMPLICIT_LE;

    } else if (emage_str_eq(p10->transfer_syntax,
                            emage_str(EMAGE_TS_EXPLICIT_BE)))
    {
        p10->encoding = EMAGE_EXPLICIT_BE;

    } else if (emage_str_eq(p10->transfer_syntax,
                            emage_str(EMAGE_TS_DEFLATED)))
    {
        p10->deflated = true;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_part10_read(const unsigned char *data, uint64_t len,
    emage_part10_t *out, emage_error_t *err)
{
    emage_rc_t          rc;
    emage_error_t       why;
    emage_dataset_t     ds;
    emage_p10_reader_t  r;

    memset(out, 0, sizeof(*out));
    memset(&ds, 0, sizeof(ds));

    ds.data = data;
    ds.len = len;

    if (emage_p10_prefix(data, len)) {
        out->preamble = true;
        out->meta = true;
        ds.start = EMAGE_PREAMBLE + 4;

    } else if (!emage_p10_guess(data, len, &out->encoding, &out->meta)) {
        (void) emage_part10_plausible(data, len, err);
        return EMAGE_ERROR;
    }

    if (!out->meta) {

        switch (out->encoding) {
        case EMAGE_IMPLICIT_LE:
            out->transfer_syntax = emage_str(EMAGE_TS_IMPLICIT_LE);
            break;
        case EMAGE_EXPLICIT_BE:
            out->transfer_syntax = emage_str(EMAGE_TS_EXPLICIT_BE);
            break;
        case EMAGE_EXPLICIT_LE:
            out->transfer_syntax = emage_str(EMAGE_TS_EXPLICIT_LE);
            break;
        }

        return EMAGE_OK;
    }

    r.ds = &ds;
    r.p10 = out;

    rc = emage_dataset_walk_meta(&ds, emage_p10_event, &r, &out->dataset,
                                 &why);

    if (rc != EMAGE_OK) {
        emage_error_set(err, "meta header: %.400s", why.text);
        return rc;
    }

    return emage_p10_syntax(out, err);
}


static void
emage_p10_element(emage_buf_t *b, uint16_t element, const char *vr,
    emage_str_t value)
{
    unsigned char  head[8];
    size_t         len;

    len = value.len + value.len % 2;

    head[0] = 2;
    head[1] = 0;
    head[2] = (unsigned char) element;
    head[3] = (unsigned char) (element >> 8);
    head[4] = (unsigned char) vr[0];
    head[5] = (unsigned char) vr[1];
    head[6] = (unsigned char) len;
    head[7] = (unsigned char) (len >> 8);

    (void) emage_buf_add(b, head, 8);
    (void) emage_buf_add_str(b, value);

    if (value.len % 2 != 0) {
        (void) emage_buf_add(b, vr[0] == 'U' ? "\0" : " ", 1);
    }
}


emage_rc_t
emage_part10_header(emage_buf_t *out, emage_str_t sop_class, emage_str_t sop,
    emage_str_t transfer_syntax)
{
    size_t                start, n;
    unsigned char         length[4];
    static const char     zero[EMAGE_PREAMBLE];

    /* (0002,0000) UL 4, then (0002,0001) OB 2 with its value 00 01 */

    static const char     version[] = "\2\0\1\0OB\0\0\2\0\0\0\0\1";
    static const char     group[] = "\2\0\0\0UL\4\0";

    (void) emage_buf_add(out, zero, EMAGE_PREAMBLE);
    (void) emage_buf_add_c(out, "DICM");
    (void) emage_buf_add(out, group, sizeof(group) - 1);
    (void) emage_buf_add(out, zero, 4);

    start = out->len;

    (void) emage_buf_add(out, version, sizeof(version) - 1);

    emage_p10_element(out, 0x0002, "UI", sop_class);
    emage_p10_element(out, 0x0003, "UI", sop);
    emage_p10_element(out, 0x0010, "UI", transfer_syntax);
    emage_p10_element(out, 0x0012, "UI", emage_str(EMAGE_IMPLEMENTATION));
    emage_p10_element(out, 0x0013, "SH", emage_str(EMAGE_IMPLEMENTATION_NAME));

    if (out->failed) {
        return EMAGE_NOMEM;
    }

    n = out->len - start;

    length[0] = (unsigned char) n;
    length[1] = (unsigned char) (n >> 8);
    length[2] = (unsigned char) (n >> 16);
    length[3] = (unsigned char) (n >> 24);

    memcpy(out->data + start - 4, length, 4);

    return EMAGE_OK;
}
