
/*
 * Copyright (C) The e-mage authors
 */


#include "attributes.h"

#include <string.h>


typedef struct {
    const emage_dataset_t  *ds;
    emage_attributes_t     *at;
} emage_at_reader_t;


static emage_rc_t emage_at_event(void *data, const emage_event_t *ev);
static void emage_at_element(emage_at_reader_t *r, const emage_event_t *ev);
static void emage_at_frames(emage_at_reader_t *r, emage_str_t s);
static uint32_t emage_at_number(emage_at_reader_t *r, const emage_event_t *ev);
static bool emage_at_one_of(emage_str_t s, const char *const *list);
static bool emage_at_below(emage_str_t uid, const char *root);


emage_rc_t
emage_attributes_read(const emage_dataset_t *ds, emage_attributes_t *out,
    emage_error_t *err)
{
    emage_at_reader_t  r;

    memset(out, 0, sizeof(*out));

    out->samples = 1;
    out->frames = 1;

    r.ds = ds;
    r.at = out;

    return emage_dataset_walk(ds, emage_at_event, &r, err);
}


static emage_rc_t
emage_at_event(void *data, const emage_event_t *ev)
{
    emage_at_reader_t  *r = data;

    if (ev->at == EMAGE_AT_ELEMENT && ev->depth == 0) {
        emage_at_element(r, ev);

    } else if (ev->at == EMAGE_AT_ENCAPSULATED_END && ev->depth == 0) {
        r->at->pixels = *ev;
        r->at->encapsulated = true;

    } else if (ev->at == EMAGE_AT_ELEMENT && ev->depth == 1
               && ev->tag == EMAGE_TAG(0x0008, 0x0100)
               && ev->steps[0].tag == EMAGE_TAG(0x0040, 0xa043))
    {
        r->at->title = emage_dataset_text(r->ds, ev);
    }

    return EMAGE_OK;
}


static void
emage_at_element(emage_at_reader_t *r, const emage_event_t *ev)
{
    emage_str_t          s;
    emage_attributes_t  *at;

    at = r->at;
    s = emage_dataset_text(r->ds, ev);

    switch (ev->tag) {

    case EMAGE_TAG_CHARSET:
        at->charset = s;
        break;

    case EMAGE_TAG_SOP_CLASS:
        at->sop_class = s;
        break;

    case EMAGE_TAG_SOP:
        at->sop = s;
        break;

    case EMAGE_TAG_MODALITY:
        at->modality = s;
        break;

    case EMAGE_TAG(0x0008, 0x0064):
        at->conversion = s;
        break;

    case EMAGE_TAG_PATIENT_ID:
        at->patient_id = *ev;
        break;

    case EMAGE_TAG_STUDY:
        at->study = s;
        break;

    case EMAGE_TAG_SERIES:
        at->series = s;
        break;

    case EMAGE_TAG(0x0028, 0x0002):
        at->samples = emage_at_number(r, ev);
        break;

    case EMAGE_TAG(0x0028, 0x0004):
        at->photometric = s;
        break;

    case EMAGE_TAG(0x0028, 0x0008):
        emage_at_frames(r, s);
        break;

    case EMAGE_TAG(0x0028, 0x0010):
        at->rows = emage_at_number(r, ev);
        break;

    case EMAGE_TAG(0x0028, 0x0011):
        at->columns = emage_at_number(r, ev);
        break;

    case EMAGE_TAG(0x0028, 0x0100):
        at->bits_allocated = emage_at_number(r, ev);
        break;

    case EMAGE_TAG(0x0042, 0x0012):
        at->mime = s;
        break;

    case EMAGE_TAG_FLOAT_PIXELS:
    case EMAGE_TAG_DOUBLE_PIXELS:
    case EMAGE_TAG_PIXELS:
        at->pixels = *ev;
        break;
    }
}


static uint32_t
emage_at_number(emage_at_reader_t *r, const emage_event_t *ev)
{
    if (ev->length < 2) {
        return 0;
    }

    return emage_dataset_u16(r->ds->data + ev->value, ev->big_endian);
}


static void
emage_at_frames(emage_at_reader_t *r, emage_str_t s)
{
    size_t    i;
    uint64_t  n;

    n = 0;
    i = 0;

    while (i < s.len && s.data[i] == ' ') {
        i++;
    }

    /* an empty value says nothing, as if absent */

    if (i == s.len) {
        return;
    }

    for ( ; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9' || n > INT32_MAX) {
            r->at->frames_bad = true;
            return;
        }

        n = n * 10 + (uint64_t) (s.data[i] - '0');
    }

    if (n == 0 || n > INT32_MAX) {
        r->at->frames_bad = true;
        return;
    }

    r->at->frames = (uint32_t) n;
}


static bool
emage_at_one_of(emage_str_t s, const char *const *list)
{
    for ( ; *list != NULL; list++) {
        if (emage_str_eq(s, emage_str_c(*list))) {
            return true;
        }
    }

    return false;
}


/* Whether `uid` is `root` or a component below it. */

static bool
emage_at_below(emage_str_t uid, const char *root)
{
    size_t  n;

    n = strlen(root);

    return uid.len >= n && memcmp(uid.data, root, n) == 0
           && (uid.len == n || uid.data[n] == '.');
}


#define EMAGE_STORAGE  "1.2.840.10008.5.1.4.1.1"


emage_class_t
emage_attributes_class(const emage_attributes_t *at)
{
    /* dose, CAD, key objects, logs: what machines and workstations note */

    static const char *const  evidence[] = {
        EMAGE_STORAGE ".88.40", EMAGE_STORAGE ".88.50",
        EMAGE_STORAGE ".88.59", EMAGE_STORAGE ".88.65",
        EMAGE_STORAGE ".88.67", EMAGE_STORAGE ".88.68",
        EMAGE_STORAGE ".88.69", EMAGE_STORAGE ".88.71",
        EMAGE_STORAGE ".88.73", EMAGE_STORAGE ".88.74",
        EMAGE_STORAGE ".88.75", EMAGE_STORAGE ".88.76",
        EMAGE_STORAGE ".88.77",

        /* segmentation, registration, raw data and the like */

        EMAGE_STORAGE ".66", EMAGE_STORAGE ".67",

        /* presentation states */

        EMAGE_STORAGE ".11",

        /* radiotherapy but for its images: dose, structures, plans */

        EMAGE_STORAGE ".481.2", EMAGE_STORAGE ".481.3",
        EMAGE_STORAGE ".481.4", EMAGE_STORAGE ".481.5",
        EMAGE_STORAGE ".481.6", EMAGE_STORAGE ".481.7",
        EMAGE_STORAGE ".481.8", EMAGE_STORAGE ".481.9",
        NULL
    };

    /* titles (DCM) of SR that are measurements or dose, whatever the class */

    static const char *const  titles[] = { "126000", "113701", NULL };

    /* modalities that an acquisition does not have */

    static const char *const  papers[] = { "", "OT", "DOC", "SR", NULL };

    size_t  i;

    for (i = 0; evidence[i] != NULL; i++) {
        if (emage_at_below(at->sop_class, evidence[i])) {
            return EMAGE_CLASS_EVIDENCE;
        }
    }

    if (emage_at_below(at->sop_class, EMAGE_STORAGE ".88")) {
        return emage_at_one_of(at->title, titles) ? EMAGE_CLASS_EVIDENCE
                                                  : EMAGE_CLASS_REPORT;
    }

    if (emage_at_below(at->sop_class, EMAGE_STORAGE ".104")
        || emage_at_below(at->sop_class, EMAGE_STORAGE ".78.6"))
    {
        return EMAGE_CLASS_REPORT;
    }

    /* secondary captures: an image only when nothing speaks for a document */

    if (emage_at_below(at->sop_class, EMAGE_STORAGE ".7")) {

        if (emage_at_one_of(at->modality, papers)
            || emage_str_eq(at->conversion, emage_str("SD")))
        {
            return EMAGE_CLASS_REPORT;
        }

        return EMAGE_CLASS_IMAGE;
    }

    return EMAGE_CLASS_IMAGE;
}
