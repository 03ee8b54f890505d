
/*
 * Copyright (C) The e-mage authors
 *
 * A worker's result on its way through a pipe.
 */


#include "object.h"

#include <string.h>


#define EMAGE_WIRE_VERSION  1


typedef struct {
    const unsigned char  *p;
    size_t                left;
    bool                  bad;
} emage_wire_t;


static void emage_wire_put_text(emage_buf_t *out, const char *s);
static void emage_wire_put_number(emage_buf_t *out, uint64_t n);
static void emage_wire_put_sum(emage_buf_t *out, const emage_sum_t *sum);
static void emage_wire_take(emage_wire_t *w, void *dst, size_t len);
static uint64_t emage_wire_number(emage_wire_t *w);
static void emage_wire_text(emage_wire_t *w, char *dst, size_t size);
static void emage_wire_sum(emage_wire_t *w, emage_sum_t *sum);
static bool emage_wire_uid(const char *s);


static void
emage_wire_put_number(emage_buf_t *out, uint64_t n)
{
    size_t         i;
    unsigned char  b[8];

    for (i = 0; i < 8; i++) {
        b[i] = (unsigned char) (n >> 8 * i);
    }

    (void) emage_buf_add(out, b, 8);
}


static void
emage_wire_put_text(emage_buf_t *out, const char *s)
{
    emage_wire_put_number(out, strlen(s));
    (void) emage_buf_add_c(out, s);
}


static void
emage_wire_put_sum(emage_buf_t *out, const emage_sum_t *sum)
{
    (void) emage_buf_add(out, sum->sha256, EMAGE_SHA256_LEN);
    emage_wire_put_number(out, sum->crc32);
    emage_wire_put_number(out, sum->size);
}


emage_rc_t
emage_object_encode(const emage_object_t *o, emage_buf_t *out)
{
    emage_wire_put_number(out, EMAGE_WIRE_VERSION);
    emage_wire_put_number(out, o->refused);
    emage_wire_put_text(out, o->reason);
    emage_wire_put_text(out, o->study);
    emage_wire_put_text(out, o->series);
    emage_wire_put_text(out, o->sop);
    emage_wire_put_text(out, o->sop_class);
    emage_wire_put_text(out, o->received_ts);
    emage_wire_put_text(out, o->stored_ts);
    emage_wire_put_text(out, o->patient_id);
    emage_wire_put_number(out, o->cls);
    emage_wire_put_number(out, o->pixels);
    emage_wire_put_sum(out, &o->received);
    emage_wire_put_sum(out, &o->stored);
    emage_wire_put_sum(out, &o->extra);
    (void) emage_buf_add(out, o->dataset, EMAGE_SHA256_LEN);

    return emage_buf_add(out, o->content, EMAGE_SHA256_LEN);
}


static void
emage_wire_take(emage_wire_t *w, void *dst, size_t len)
{
    if (w->bad || len > w->left) {
        w->bad = true;
        memset(dst, 0, len);
        return;
    }

    memcpy(dst, w->p, len);

    w->p += len;
    w->left -= len;
}


static uint64_t
emage_wire_number(emage_wire_t *w)
{
    size_t         i;
    uint64_t       n;
    unsigned char  b[8];

    emage_wire_take(w, b, 8);

    n = 0;

    for (i = 0; i < 8; i++) {
        n |= (uint64_t) b[i] << 8 * i;
    }

    return n;
}


static void
emage_wire_text(emage_wire_t *w, char *dst, size_t size)
{
    uint64_t  len;

    len = emage_wire_number(w);

    dst[0] = '\0';

    if (len >= size) {
        w->bad = true;
        return;
    }

    emage_wire_take(w, dst, (size_t) len);

    dst[len] = '\0';

    if (strlen(dst) != len) {
        w->bad = true;
    }
}


static void
emage_wire_sum(emage_wire_t *w, emage_sum_t *sum)
{
    uint64_t  crc;

    emage_wire_take(w, sum->sha256, EMAGE_SHA256_LEN);

    crc = emage_wire_number(w);

    sum->crc32 = (uint32_t) crc;
    sum->size = emage_wire_number(w);

    if (crc > UINT32_MAX) {
        w->bad = true;
    }
}


static bool
emage_wire_uid(const char *s)
{
    return emage_uid_valid(emage_str_c(s));
}


bool
emage_object_decode(emage_object_t *o, const void *data, size_t len)
{
    uint64_t      version, refused, cls, pixels;
    emage_wire_t  w;

    memset(o, 0, sizeof(*o));

    w.p = data;
    w.left = len;
    w.bad = false;

    version = emage_wire_number(&w);
    refused = emage_wire_number(&w);

    emage_wire_text(&w, o->reason, sizeof(o->reason));
    emage_wire_text(&w, o->study, sizeof(o->study));
    emage_wire_text(&w, o->series, sizeof(o->series));
    emage_wire_text(&w, o->sop, sizeof(o->sop));
    emage_wire_text(&w, o->sop_class, sizeof(o->sop_class));
    emage_wire_text(&w, o->received_ts, sizeof(o->received_ts));
    emage_wire_text(&w, o->stored_ts, sizeof(o->stored_ts));
    emage_wire_text(&w, o->patient_id, sizeof(o->patient_id));

    cls = emage_wire_number(&w);
    pixels = emage_wire_number(&w);

    emage_wire_sum(&w, &o->received);
    emage_wire_sum(&w, &o->stored);
    emage_wire_sum(&w, &o->extra);
    emage_wire_take(&w, o->dataset, EMAGE_SHA256_LEN);
    emage_wire_take(&w, o->content, EMAGE_SHA256_LEN);

    if (w.bad || w.left != 0 || version != EMAGE_WIRE_VERSION || refused > 1
        || cls > EMAGE_CLASS_REPORT || pixels > 1)
    {
        return false;
    }

    o->refused = (refused == 1);
    o->cls = (emage_class_t) cls;
    o->pixels = (pixels == 1);

    if (o->refused) {
        return o->reason[0] != '\0';
    }

    return emage_wire_uid(o->study) && emage_wire_uid(o->series)
           && emage_wire_uid(o->sop) && emage_wire_uid(o->sop_class)
           && emage_wire_uid(o->received_ts) && emage_wire_uid(o->stored_ts)
           && o->stored.size != 0;
}
