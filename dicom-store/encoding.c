
/*
 * Copyright (C) The e-mage authors
 */


#include "encoding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "attributes.h"
#include "bridge.h"
#include "metadata.h"
#include "part10.h"


#define EMAGE_DICOMDIR      "1.2.840.10008.1.3.10"

/* a deflated dataset is text and small pictures; a bomb is refused */

#define EMAGE_INFLATED_MAX  ((size_t) 1 << 30)


typedef struct {
    const emage_object_conf_t  *conf;
    emage_charset_t            *charset;
    emage_error_t              *err;
    emage_part10_t              p10;
    emage_map_t                 map;     /* <n>.src */
    char                        src[512];
    char                        dcm[512];
} emage_enc_t;


typedef struct {
    const emage_dataset_t  *ds;
    emage_digest_t         *digest;
    bool                    pixels;
    unsigned                pixel_unit;  /* of swapped pixel data, 0: by VR */
} emage_enc_digest_t;


static emage_rc_t emage_enc_run(emage_enc_t *e, emage_object_t *out,
    bool *kept);
static emage_rc_t emage_enc_inflate(emage_enc_t *e);
static emage_rc_t emage_enc_wrap(emage_enc_t *e, const char *path,
    const void *data, size_t len, const char *ts);
static emage_rc_t emage_enc_reencode(emage_enc_t *e);
static emage_rc_t emage_enc_compare(emage_enc_t *e,
    const emage_dataset_t *original);
static emage_rc_t emage_enc_differ(emage_enc_t *e, const emage_buf_t *was,
    const emage_buf_t *is, bool bulk_equal);
static emage_rc_t emage_enc_text(emage_enc_t *e, const emage_dataset_t *ds,
    emage_buf_t *out);
static emage_rc_t emage_enc_bulk(const emage_dataset_t *ds, unsigned unit,
    unsigned char *sha256);
static emage_rc_t emage_enc_bulk_event(void *data, const emage_event_t *ev);
static emage_rc_t emage_enc_content_event(void *data, const emage_event_t *ev);
static emage_rc_t emage_enc_digest_walk(emage_enc_digest_t *d,
    emage_event_pt each, unsigned char *sha256);
static bool emage_enc_swapped(emage_digest_t *d, const unsigned char *p,
    uint64_t len, unsigned unit);


emage_rc_t
emage_encoding_settle(const emage_object_conf_t *conf, emage_object_t *out,
    emage_charset_t *charset, bool *kept, emage_error_t *err)
{
    emage_rc_t   rc;
    emage_enc_t  e;

    memset(&e, 0, sizeof(e));

    e.conf = conf;
    e.charset = charset;
    e.err = err;

    *kept = false;

    if (!emage_object_path(e.src, sizeof(e.src), conf->dir, conf->number,
                           ".src")
        || !emage_object_path(e.dcm, sizeof(e.dcm), conf->dir, conf->number,
                              ".dcm"))
    {
        emage_error_set(err, "name of the staging directory is too long");
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_map(e.src, &e.map, err);

    if (rc == EMAGE_OK) {
        rc = emage_enc_run(&e, out, kept);
        emage_file_unmap(&e.map);
    }

    if (rc == EMAGE_OK && !*kept && unlink(e.src) == -1) {
        emage_error_set(err, "cannot remove %.400s: %s", e.src,
                        strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    return rc;
}


static emage_rc_t
emage_enc_run(emage_enc_t *e, emage_object_t *out, bool *kept)
{
    emage_rc_t       rc;
    emage_dataset_t  ds;

    rc = emage_part10_read(e->map.data, e->map.size, &e->p10, e->err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (emage_str_eq(e->p10.sop_class, emage_str(EMAGE_DICOMDIR))) {
        emage_error_set(e->err, "a DICOMDIR: it lists other files and holds "
                        "no object");
        return EMAGE_ERROR;
    }

    memcpy(out->received_ts, e->p10.transfer_syntax.data,
           e->p10.transfer_syntax.len);

    if (e->p10.deflated || e->p10.encoding != EMAGE_EXPLICIT_LE) {
        memcpy(out->stored_ts, EMAGE_TS_EXPLICIT_LE,
               sizeof(EMAGE_TS_EXPLICIT_LE));

    } else {
        memcpy(out->stored_ts, out->received_ts, sizeof(out->stored_ts));
    }

    if (e->p10.deflated) {
        return emage_enc_inflate(e);
    }

    if (e->p10.encoding != EMAGE_EXPLICIT_LE) {
        return emage_enc_reencode(e);
    }

    if (e->p10.preamble) {
        *kept = true;

        if (rename(e->src, e->dcm) == -1) {
            emage_error_set(e->err, "cannot rename %.400s: %s", e->src,
                            strerror(errno));
            return EMAGE_UNAVAILABLE;
        }

        return EMAGE_OK;
    }

    /* without preamble: the same bytes behind one, or behind a meta header */

    ds.data = e->map.data;
    ds.len = e->map.size;

    return emage_enc_wrap(e, e->dcm, ds.data, ds.len, out->stored_ts);
}


/*
 * A Part 10 file of a dataset without one.  Data that have a meta header keep
 * it and only lack the preamble.
 */

static emage_rc_t
emage_enc_wrap(emage_enc_t *e, const char *path, const void *data, size_t len,
    const char *ts)
{
    emage_rc_t          rc;
    emage_buf_t         file;
    emage_dataset_t     ds;
    emage_attributes_t  at;

    static const char  zero[128];

    memset(&ds, 0, sizeof(ds));

    ds.data = data;
    ds.len = len;
    ds.encoding = e->p10.encoding;
    ds.vr = emage_dcmtk_vr;

    emage_buf_init(&file, len + 4096);

    if (e->p10.meta && !e->p10.deflated && !e->p10.preamble) {
        (void) emage_buf_add(&file, zero, sizeof(zero));
        rc = emage_buf_add_c(&file, "DICM");

    } else {
        rc = emage_attributes_read(&ds, &at, e->err);

        if (rc == EMAGE_OK
            && (!emage_uid_valid(at.sop_class) || !emage_uid_valid(at.sop)))
        {
            emage_error_set(e->err, at.sop_class.len == 0
                            ? "no SOP class UID (0008,0016)"
                            : at.sop.len == 0 ? "no SOP instance UID "
                              "(0008,0018)" : "illegal SOP class or instance "
                              "UID");
            rc = EMAGE_ERROR;
        }

        if (rc == EMAGE_OK) {
            rc = emage_part10_header(&file, at.sop_class, at.sop,
                                     emage_str_c(ts));
        }
    }

    if (rc == EMAGE_OK && emage_buf_add(&file, data, len) != EMAGE_OK) {
        emage_error_set(e->err, "no memory for a file of %zu bytes", len);
        rc = EMAGE_NOMEM;
    }

    if (rc == EMAGE_OK) {
        rc = emage_file_write_draft(path, file.data, file.len, e->err);

        if (rc != EMAGE_OK) {
            rc = EMAGE_UNAVAILABLE;
        }
    }

    emage_buf_free(&file);

    return rc;
}


/* Deflated Explicit VR LE (PS3.5 section A.5) inflates to what was meant. */

static emage_rc_t
emage_enc_inflate(emage_enc_t *e)
{
    int             zrc;
    uInt            chunk;
    size_t          left;
    z_stream        z;
    emage_rc_t      rc;
    emage_buf_t     out;
    unsigned char  *buf;

    static const uInt  size = 1 << 18;

    memset(&z, 0, sizeof(z));

    buf = malloc(size);

    if (buf == NULL || inflateInit2(&z, -15) != Z_OK) {
        free(buf);
        emage_error_set(e->err, "no memory");
        return EMAGE_NOMEM;
    }

    emage_buf_init(&out, EMAGE_INFLATED_MAX);

    left = e->map.size - e->p10.dataset;
    z.next_in = (Bytef *) (uintptr_t) (e->map.data + e->p10.dataset);
    zrc = Z_OK;
    rc = EMAGE_OK;

    while (zrc == Z_OK && rc == EMAGE_OK) {

        if (z.avail_in == 0) {
            chunk = (left > size) ? size : (uInt) left;
            z.avail_in = chunk;
            left -= chunk;
        }

        z.next_out = buf;
        z.avail_out = size;

        zrc = inflate(&z, Z_NO_FLUSH);

        if (zrc == Z_OK || zrc == Z_STREAM_END) {
            rc = emage_buf_add(&out, buf, size - z.avail_out);
        }
    }

    (void) inflateEnd(&z);
    free(buf);

    if (rc != EMAGE_OK) {
        emage_error_set(e->err, "deflated dataset of more than %zu MiB",
                        EMAGE_INFLATED_MAX >> 20);

    } else if (zrc != Z_STREAM_END) {
        emage_error_set(e->err, "deflated dataset does not inflate: truncated "
                        "or damaged");
        rc = EMAGE_ERROR;

    } else {
        rc = emage_enc_wrap(e, e->dcm, out.data, out.len,
                            EMAGE_TS_EXPLICIT_LE);
    }

    emage_buf_free(&out);

    return rc;
}


static emage_rc_t
emage_enc_reencode(emage_enc_t *e)
{
    char             p10[512];
    emage_rc_t       rc;
    const char      *from;
    emage_dataset_t  ds;

    memset(&ds, 0, sizeof(ds));

    ds.data = e->map.data;
    ds.len = e->map.size;
    ds.start = e->p10.dataset;
    ds.encoding = e->p10.encoding;
    ds.vr = emage_dcmtk_vr;

    from = e->src;

    if (!e->p10.preamble) {

        if (!emage_object_path(p10, sizeof(p10), e->conf->dir,
                               e->conf->number, ".p10"))
        {
            emage_error_set(e->err, "name of the staging directory is too "
                            "long");
            return EMAGE_UNAVAILABLE;
        }

        rc = emage_enc_wrap(e, p10, e->map.data, e->map.size,
                            e->p10.encoding == EMAGE_EXPLICIT_BE
                            ? EMAGE_TS_EXPLICIT_BE : EMAGE_TS_IMPLICIT_LE);
        if (rc != EMAGE_OK) {
            return rc;
        }

        from = p10;
    }

    /* the toolkit sees nothing that the walker has not found sound */

    rc = emage_enc_compare(e, &ds);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_dcmtk_reencode(from, e->dcm,
                              e->p10.encoding == EMAGE_EXPLICIT_BE, e->err);

    if (rc == EMAGE_OK) {
        rc = emage_enc_compare(e, &ds);
    }

    if (from == p10 && unlink(p10) == -1 && rc == EMAGE_OK) {
        emage_error_set(e->err, "cannot remove %.400s: %s", p10,
                        strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    return rc;
}


static emage_rc_t
emage_enc_text(emage_enc_t *e, const emage_dataset_t *ds, emage_buf_t *out)
{
    emage_metadata_t  md;

    memset(&md, 0, sizeof(md));

    md.dataset = ds;
    md.charset = e->charset;
    md.default_charset = e->conf->default_charset;

    return emage_metadata_write(&md, out, e->err);
}


/*
 * Before re-encoding (no <n>.dcm yet): walks the original, which must be
 * sound.  Afterwards: every value must have come through, numbers turned round
 * from big endian.
 */

static emage_rc_t
emage_enc_compare(emage_enc_t *e, const emage_dataset_t *original)
{
    unsigned            unit;
    emage_rc_t          rc;
    emage_buf_t         was, is;
    emage_map_t         map;
    emage_dataset_t     ds;
    unsigned char       a[EMAGE_SHA256_LEN], b[EMAGE_SHA256_LEN];
    emage_attributes_t  at;

    rc = emage_attributes_read(original, &at, e->err);
    if (rc != EMAGE_OK || access(e->dcm, F_OK) == -1) {
        return rc;
    }

    rc = emage_file_map(e->dcm, &map, e->err);
    if (rc != EMAGE_OK) {
        return EMAGE_UNAVAILABLE;
    }

    emage_buf_init(&was, EMAGE_METADATA_MAX);
    emage_buf_init(&is, EMAGE_METADATA_MAX);

    unit = (at.bits_allocated == 32) ? 4 : 0;

    rc = emage_encoding_stored(&map, &ds, e->err);

    if (rc == EMAGE_OK) {
        rc = emage_enc_text(e, original, &was);
    }

    if (rc == EMAGE_OK) {
        rc = emage_enc_text(e, &ds, &is);
    }

    if (rc == EMAGE_OK
        && (emage_enc_bulk(original, unit, a) != EMAGE_OK
            || emage_enc_bulk(&ds, unit, b) != EMAGE_OK))
    {
        emage_error_set(e->err, "no memory");
        rc = EMAGE_NOMEM;
    }

    if (rc == EMAGE_OK) {
        rc = emage_enc_differ(e, &was, &is, memcmp(a, b, sizeof(a)) == 0);
    }

    emage_file_unmap(&map);
    emage_buf_free(&was);
    emage_buf_free(&is);

    return rc;
}


/* Both texts are lines "TTTTTTTT {...}": the first that differs is named. */

static emage_rc_t
emage_enc_differ(emage_enc_t *e, const emage_buf_t *was,
    const emage_buf_t *is, bool bulk_equal)
{
    size_t  i, line;

    line = 0;

    for (i = 0; i < was->len && i < is->len; i++) {

        if (was->data[i] != is->data[i]) {
            break;
        }

        if (was->data[i] == '\n') {
            line = i + 1;
        }
    }

    if (i == was->len && i == is->len) {

        if (bulk_equal) {
            return EMAGE_OK;
        }

        emage_error_set(e->err, "pixel data or another bulk value would not "
                        "survive re-encoding as explicit VR little endian");
        return EMAGE_ERROR;
    }

    emage_error_set(e->err, "element (%.4s,%.4s) would not survive "
                    "re-encoding as explicit VR little endian",
                    line + 8 <= was->len ? was->data + line : "????",
                    line + 8 <= was->len ? was->data + line + 4 : "????");

    return EMAGE_ERROR;
}


static bool
emage_enc_swapped(emage_digest_t *d, const unsigned char *p, uint64_t len,
    unsigned unit)
{
    size_t         i, n;
    unsigned char  block[4096];

    while (len > 0) {
        n = (len > sizeof(block)) ? sizeof(block) : (size_t) len;

        for (i = 0; i < n; i++) {
            block[i] = ((i ^ (unit - 1)) < n) ? p[i ^ (unit - 1)] : p[i];
        }

        if (!emage_digest_add(d, block, n)) {
            return false;
        }

        p += n;
        len -= n;
    }

    return true;
}


static emage_rc_t
emage_enc_bulk_event(void *data, const emage_event_t *ev)
{
    char                  path[EMAGE_BULK_MAX + 1];
    size_t                len;
    unsigned              unit;
    emage_enc_digest_t   *d = data;
    const unsigned char  *p;

    if (ev->at != EMAGE_AT_ELEMENT || !emage_dataset_bulk(ev, path, &len)) {
        return EMAGE_OK;
    }

    p = d->ds->data + ev->value;
    unit = ev->big_endian ? emage_metadata_unit(ev->vr) : 1;

    if (ev->big_endian && ev->depth == 0 && ev->tag == EMAGE_TAG_PIXELS
        && d->pixel_unit != 0)
    {
        unit = d->pixel_unit;
    }

    /* an odd length is padded when it is written again */

    len = ev->length;

    if (!emage_enc_swapped(d->digest, p, len, unit)
        || (len % 2 != 0 && !emage_digest_add(d->digest, "", 1)))
    {
        return EMAGE_NOMEM;
    }

    return EMAGE_OK;
}


static emage_rc_t
emage_enc_digest_walk(emage_enc_digest_t *d, emage_event_pt each,
    unsigned char *sha256)
{
    emage_rc_t   rc;
    emage_sum_t  sum;

    d->digest = emage_digest_create();
    if (d->digest == NULL) {
        return EMAGE_NOMEM;
    }

    rc = emage_dataset_walk(d->ds, each, d, NULL);

    if (rc == EMAGE_OK && !emage_digest_final(d->digest, &sum)) {
        rc = EMAGE_NOMEM;
    }

    if (rc == EMAGE_OK) {
        memcpy(sha256, sum.sha256, EMAGE_SHA256_LEN);
    }

    emage_digest_destroy(d->digest);

    return rc;
}


static emage_rc_t
emage_enc_bulk(const emage_dataset_t *ds, unsigned unit,
    unsigned char *sha256)
{
    emage_enc_digest_t  d;

    memset(&d, 0, sizeof(d));

    d.ds = ds;
    d.pixel_unit = unit;

    return emage_enc_digest_walk(&d, emage_enc_bulk_event, sha256);
}


emage_rc_t
emage_encoding_stored(const emage_map_t *map, emage_dataset_t *ds,
    emage_error_t *err)
{
    emage_rc_t      rc;
    emage_part10_t  p10;

    rc = emage_part10_read(map->data, map->size, &p10, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    memset(ds, 0, sizeof(*ds));

    ds->data = map->data;
    ds->len = map->size;
    ds->start = p10.dataset;
    ds->encoding = EMAGE_EXPLICIT_LE;
    ds->vr = emage_dcmtk_vr;

    return EMAGE_OK;
}


static emage_rc_t
emage_enc_content_event(void *data, const emage_event_t *ev)
{
    bool                 pixels;
    uint16_t             group;
    uint64_t             from;
    emage_enc_digest_t  *d = data;

    if (ev->depth != 0
        || (ev->at != EMAGE_AT_ELEMENT && ev->at != EMAGE_AT_SEQUENCE_END
            && ev->at != EMAGE_AT_ENCAPSULATED_END))
    {
        return EMAGE_OK;
    }

    pixels = (ev->tag == EMAGE_TAG_PIXELS || ev->tag == EMAGE_TAG_FLOAT_PIXELS
              || ev->tag == EMAGE_TAG_DOUBLE_PIXELS);

    group = (uint16_t) (ev->tag >> 16);
    from = ev->offset;

    if (d->pixels) {

        if (!pixels) {
            return EMAGE_OK;
        }

        from = ev->value;

    } else if (ev->tag != EMAGE_TAG_SOP_CLASS
               && (group <= 0x0008 || group == 0x0010 || group == 0x0012
                   || group == 0x0020 || group == 0x0032 || group == 0x0038))
    {
        return EMAGE_OK;
    }

    return emage_digest_add(d->digest, d->ds->data + from,
                            ev->value + ev->length - from)
           ? EMAGE_OK : EMAGE_NOMEM;
}


emage_rc_t
emage_encoding_content(const emage_dataset_t *ds, bool pixels,
    unsigned char *sha256)
{
    emage_enc_digest_t  d;

    memset(&d, 0, sizeof(d));

    d.ds = ds;
    d.pixels = pixels;

    return emage_enc_digest_walk(&d, emage_enc_content_event, sha256);
}
