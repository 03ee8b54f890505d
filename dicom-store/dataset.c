
/*
 * Copyright (C) The e-mage authors
 */


#include "dataset.h"

#include <stdio.h>
#include <string.h>


#define EMAGE_UNDEFINED     0xffffffffu

#define EMAGE_TAG_ITEM      EMAGE_TAG(0xfffe, 0xe000)
#define EMAGE_TAG_ITEM_END  EMAGE_TAG(0xfffe, 0xe00d)
#define EMAGE_TAG_SEQ_END   EMAGE_TAG(0xfffe, 0xe0dd)


typedef struct {
    const emage_dataset_t  *ds;
    emage_event_pt          each;
    void                   *data;
    emage_error_t          *err;
    emage_encoding_t        encoding;    /* of the container being walked */
    uint64_t                pos;
    bool                    meta;        /* stop where group 2 ends */
    emage_step_t            steps[EMAGE_DATASET_DEPTH_MAX];
} emage_walk_t;


static emage_rc_t emage_walk_elements(emage_walk_t *w, uint64_t end,
    bool delimited, unsigned depth);
static emage_rc_t emage_walk_header(emage_walk_t *w, uint64_t end,
    emage_event_t *ev, uint32_t *length);
static emage_rc_t emage_walk_value(emage_walk_t *w, uint64_t end,
    emage_event_t *ev, uint32_t length);
static emage_rc_t emage_walk_sequence(emage_walk_t *w, uint64_t end,
    emage_event_t *ev, uint32_t length);
static emage_rc_t emage_walk_item(emage_walk_t *w, uint64_t end,
    const emage_event_t *seq, uint32_t number, uint64_t offset,
    uint32_t length);
static emage_rc_t emage_walk_fragments(emage_walk_t *w, uint64_t end,
    emage_event_t *ev);
static emage_rc_t emage_walk_marker(emage_walk_t *w, uint64_t end,
    uint32_t in, uint32_t *tag, uint32_t *length);
static emage_rc_t emage_walk_tell(emage_walk_t *w, emage_event_t *ev,
    emage_at_t at);
static emage_rc_t emage_walk_damaged(emage_walk_t *w, uint32_t tag,
    uint64_t offset, const char *what);
static bool emage_walk_padding(const emage_walk_t *w, uint64_t end);
static int emage_vr_form(const char *vr);


emage_rc_t
emage_dataset_walk(const emage_dataset_t *ds, emage_event_pt each, void *data,
    emage_error_t *err)
{
    emage_walk_t  w;

    w.ds = ds;
    w.each = each;
    w.data = data;
    w.err = err;
    w.encoding = ds->encoding;
    w.pos = ds->start;
    w.meta = false;

    if (ds->start > ds->len) {
        emage_error_set(err, "no dataset behind the meta header");
        return EMAGE_ERROR;
    }

    return emage_walk_elements(&w, ds->len, false, 0);
}


emage_rc_t
emage_dataset_walk_meta(const emage_dataset_t *ds, emage_event_pt each,
    void *data, uint64_t *end, emage_error_t *err)
{
    uint64_t              limit;
    emage_rc_t            rc;
    emage_walk_t          w;
    const unsigned char  *p;

    w.ds = ds;
    w.each = each;
    w.data = data;
    w.err = err;
    w.encoding = EMAGE_EXPLICIT_LE;
    w.pos = ds->start;
    w.meta = true;

    limit = ds->len;
    p = ds->data + ds->start;

    if (ds->len - ds->start >= 12
        && emage_dataset_u32(p, false) == 0x00000002
        && memcmp(p + 4, "UL\4\0", 4) == 0
        && emage_dataset_u32(p + 8, false) <= ds->len - ds->start - 12)
    {
        limit = ds->start + 12 + emage_dataset_u32(p + 8, false);
    }

    rc = emage_walk_elements(&w, limit, false, 0);

    *end = w.pos;

    return rc;
}


static emage_rc_t
emage_walk_damaged(emage_walk_t *w, uint32_t tag, uint64_t offset,
    const char *what)
{
    emage_error_set(w->err, "element (%04X,%04X) at byte %llu: %s",
                    (unsigned) (tag >> 16), (unsigned) (tag & 0xffff),
                    (unsigned long long) offset, what);

    return EMAGE_ERROR;
}


static emage_rc_t
emage_walk_tell(emage_walk_t *w, emage_event_t *ev, emage_at_t at)
{
    ev->at = at;

    return w->each(w->data, ev);
}


/*
 * 2: a VR with a length of 16 bits; 4: of 32 bits behind two reserved bytes;
 * 0: no VR at all.  Unknown VRs of later editions have 32 bits (PS3.5 section
 * 7.1.2).
 */

static int
emage_vr_form(const char *vr)
{
    size_t             i;
    static const char  shorts[] = "AEASATCSDADSDTFLFDISLOLTPNSHSLSSSTTMUIULUS";

    if (vr[0] < 'A' || vr[0] > 'Z' || vr[1] < 'A' || vr[1] > 'Z') {
        return 0;
    }

    for (i = 0; i < sizeof(shorts) - 1; i += 2) {
        if (shorts[i] == vr[0] && shorts[i + 1] == vr[1]) {
            return 2;
        }
    }

    return 4;
}


/* Reads a header: `ev` gets all but its kind, `length` the length field. */

static emage_rc_t
emage_walk_header(emage_walk_t *w, uint64_t end, emage_event_t *ev,
    uint32_t *length)
{
    int                   form;
    bool                  be;
    uint64_t              left;
    const unsigned char  *p;

    p = w->ds->data + w->pos;
    left = end - w->pos;
    be = (w->encoding == EMAGE_EXPLICIT_BE);

    ev->offset = w->pos;
    ev->big_endian = be;
    ev->number = 0;
    ev->steps = w->steps;
    ev->tag = 0;
    ev->vr[2] = '\0';

    if (left < 8) {
        return emage_walk_damaged(w, 0, w->pos, "cut in its header; the file "
                                  "is truncated");
    }

    ev->tag = EMAGE_TAG(emage_dataset_u16(p, be),
                        emage_dataset_u16(p + 2, be));

    /* delimiters have no VR in any encoding */

    if (w->encoding == EMAGE_IMPLICIT_LE || ev->tag >> 16 == 0xfffe) {
        memcpy(ev->vr, "UN", 2);

        if (w->ds->vr != NULL) {
            w->ds->vr(ev->tag, ev->vr);
        }

        *length = emage_dataset_u32(p + 4, be);
        w->pos += 8;
        ev->value = w->pos;

        return EMAGE_OK;
    }

    memcpy(ev->vr, p + 4, 2);

    form = emage_vr_form(ev->vr);

    if (form == 0) {
        return emage_walk_damaged(w, ev->tag, ev->offset,
                                  "its VR is not two upper case letters");
    }

    if (form == 2) {
        *length = emage_dataset_u16(p + 6, be);
        w->pos += 8;
        ev->value = w->pos;

        return EMAGE_OK;
    }

    if (left < 12) {
        return emage_walk_damaged(w, ev->tag, ev->offset, "cut in its header; "
                                  "the file is truncated");
    }

    *length = emage_dataset_u32(p + 8, be);
    w->pos += 12;
    ev->value = w->pos;

    return EMAGE_OK;
}


/* Zeros behind the last element, as writers of fixed-size blocks leave. */

static bool
emage_walk_padding(const emage_walk_t *w, uint64_t end)
{
    uint64_t  i;

    for (i = w->pos; i < end; i++) {
        if (w->ds->data[i] != 0) {
            return false;
        }
    }

    return true;
}


static emage_rc_t
emage_walk_elements(emage_walk_t *w, uint64_t end, bool delimited,
    unsigned depth)
{
    bool           first;
    uint32_t       length, last;
    emage_rc_t     rc;
    emage_event_t  ev;

    last = 0;
    first = true;

    for ( ;; ) {

        if (w->pos == end
            || (depth == 0 && !w->meta && emage_walk_padding(w, end)))
        {

            if (delimited) {
                return emage_walk_damaged(w, EMAGE_TAG_ITEM_END, w->pos,
                                          "missing; the file is truncated");
            }

            return EMAGE_OK;
        }

        if (w->meta && depth == 0
            && (end - w->pos < 2
                || emage_dataset_u16(w->ds->data + w->pos, false) != 2))
        {
            return EMAGE_OK;
        }

        ev.depth = depth;

        rc = emage_walk_header(w, end, &ev, &length);
        if (rc != EMAGE_OK) {
            return rc;
        }

        if (ev.tag == EMAGE_TAG_ITEM_END && delimited) {
            return EMAGE_OK;
        }

        if (ev.tag >> 16 == 0xfffe) {
            return emage_walk_damaged(w, ev.tag, ev.offset,
                                      "an item delimiter out of place");
        }

        if (!first && ev.tag <= last) {
            return emage_walk_damaged(w, ev.tag, ev.offset,
                                      ev.tag == last ? "occurs twice"
                                      : "out of order");
        }

        first = false;
        last = ev.tag;

        rc = emage_walk_value(w, end, &ev, length);
        if (rc != EMAGE_OK) {
            return rc;
        }
    }
}


static emage_rc_t
emage_walk_value(emage_walk_t *w, uint64_t end, emage_event_t *ev,
    uint32_t length)
{
    char              what[128];
    bool              sequence;
    emage_rc_t        rc;
    emage_encoding_t  encoding;

    sequence = memcmp(ev->vr, "SQ", 2) == 0;

    if (length == EMAGE_UNDEFINED) {

        if (ev->tag == EMAGE_TAG_PIXELS && !sequence) {
            return emage_walk_fragments(w, end, ev);
        }

        /*
         * UN of undefined length is a sequence in Implicit VR LE whatever the
         * dataset's encoding (PS3.5 section 6.2.2)
         */

        encoding = w->encoding;

        if (memcmp(ev->vr, "UN", 2) == 0) {
            w->encoding = EMAGE_IMPLICIT_LE;

        } else if (!sequence) {
            return emage_walk_damaged(w, ev->tag, ev->offset, "its VR has no "
                                      "undefined length");
        }

        rc = emage_walk_sequence(w, end, ev, length);

        w->encoding = encoding;

        return rc;
    }

    if (length > end - w->pos) {
        (void) snprintf(what, sizeof(what), "claims %u bytes, %llu are left; "
                        "the file is truncated or damaged", length,
                        (unsigned long long) (end - w->pos));

        return emage_walk_damaged(w, ev->tag, ev->offset, what);
    }

    if (sequence) {
        return emage_walk_sequence(w, end, ev, length);
    }

    ev->length = length;
    w->pos += length;

    return emage_walk_tell(w, ev, EMAGE_AT_ELEMENT);
}


/* An item or delimiter header where only one may stand. */

static emage_rc_t
emage_walk_marker(emage_walk_t *w, uint64_t end, uint32_t in, uint32_t *tag,
    uint32_t *length)
{
    bool                  be;
    const unsigned char  *p;

    if (end - w->pos < 8) {
        return emage_walk_damaged(w, in, w->pos, "its items are cut; the file "
                                  "is truncated");
    }

    p = w->ds->data + w->pos;
    be = (w->encoding == EMAGE_EXPLICIT_BE);

    *tag = EMAGE_TAG(emage_dataset_u16(p, be), emage_dataset_u16(p + 2, be));
    *length = emage_dataset_u32(p + 4, be);

    if (*tag != EMAGE_TAG_ITEM && *tag != EMAGE_TAG_SEQ_END) {
        return emage_walk_damaged(w, in, w->pos, "holds something that is no "
                                  "item");
    }

    w->pos += 8;

    return EMAGE_OK;
}


static emage_rc_t
emage_walk_sequence(emage_walk_t *w, uint64_t end, emage_event_t *ev,
    uint32_t length)
{
    bool        delimited;
    uint32_t    n, tag, item;
    uint64_t    offset;
    emage_rc_t  rc;

    delimited = (length == EMAGE_UNDEFINED);

    if (ev->depth == EMAGE_DATASET_DEPTH_MAX) {
        return emage_walk_damaged(w, ev->tag, ev->offset,
                                  "sequences nested deeper than 32");
    }

    if (!delimited) {
        end = w->pos + length;
    }

    memcpy(ev->vr, "SQ", 2);
    ev->length = 0;

    rc = emage_walk_tell(w, ev, EMAGE_AT_SEQUENCE);

    for (n = 1; rc == EMAGE_OK; n++) {

        if (!delimited && w->pos == end) {
            break;
        }

        offset = w->pos;

        rc = emage_walk_marker(w, end, ev->tag, &tag, &item);
        if (rc != EMAGE_OK) {
            return rc;
        }

        if (tag == EMAGE_TAG_SEQ_END) {

            if (!delimited) {
                return emage_walk_damaged(w, ev->tag, offset, "a delimiter in "
                                          "a sequence of known length");
            }

            break;
        }

        rc = emage_walk_item(w, end, ev, n, offset, item);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    ev->length = w->pos - ev->value;

    return emage_walk_tell(w, ev, EMAGE_AT_SEQUENCE_END);
}


static emage_rc_t
emage_walk_item(emage_walk_t *w, uint64_t end, const emage_event_t *seq,
    uint32_t number, uint64_t offset, uint32_t length)
{
    bool           delimited;
    emage_rc_t     rc;
    emage_event_t  ev;

    delimited = (length == EMAGE_UNDEFINED);

    if (!delimited) {

        if (length > end - w->pos) {
            return emage_walk_damaged(w, seq->tag, offset, "an item leaves "
                                      "its sequence");
        }

        end = w->pos + length;
    }

    w->steps[seq->depth].tag = seq->tag;
    w->steps[seq->depth].item = number;

    ev = *seq;
    ev.offset = offset;
    ev.value = w->pos;
    ev.length = 0;

    rc = emage_walk_tell(w, &ev, EMAGE_AT_ITEM);

    if (rc == EMAGE_OK) {
        rc = emage_walk_elements(w, end, delimited, seq->depth + 1);
    }

    if (rc == EMAGE_OK) {
        rc = emage_walk_tell(w, &ev, EMAGE_AT_ITEM_END);
    }

    return rc;
}


static emage_rc_t
emage_walk_fragments(emage_walk_t *w, uint64_t end, emage_event_t *ev)
{
    uint32_t       n, tag, length;
    emage_rc_t     rc;
    emage_event_t  f;

    ev->length = 0;

    rc = emage_walk_tell(w, ev, EMAGE_AT_ENCAPSULATED);

    for (n = 1; rc == EMAGE_OK; n++) {
        f = *ev;
        f.number = n;
        f.offset = w->pos;

        rc = emage_walk_marker(w, end, ev->tag, &tag, &length);
        if (rc != EMAGE_OK) {
            return rc;
        }

        if (tag == EMAGE_TAG_SEQ_END) {
            break;
        }

        if (length > end - w->pos) {
            return emage_walk_damaged(w, ev->tag, f.offset, "a fragment is "
                                      "longer than the file; it is truncated");
        }

        f.value = w->pos;
        f.length = length;
        w->pos += length;

        rc = emage_walk_tell(w, &f, EMAGE_AT_FRAGMENT);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    ev->length = w->pos - ev->value;

    return emage_walk_tell(w, ev, EMAGE_AT_ENCAPSULATED_END);
}
