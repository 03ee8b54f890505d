
/*
 * Copyright (C) The e-mage authors
 *
 * The walker, and the frames it leads to: no length is trusted, and fragments
 * become the frames they were.
 */


#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "encoding.h"
#include "offsets.h"
#include "part10.h"
#include "tap.h"


typedef struct {
    unsigned char  data[8192];
    size_t         len;
} bytes_t;


static void put(bytes_t *b, const void *data, size_t len);
static void put_u32(bytes_t *b, uint32_t n);
static void put_tag(bytes_t *b, uint16_t group, uint16_t element);
static void put_short(bytes_t *b, uint16_t group, uint16_t element,
    const char *vr, const void *value, uint16_t len);
static void put_item(bytes_t *b, const void *value, uint32_t len);
static void nested(bytes_t *b, unsigned depth);
static emage_rc_t walk(const bytes_t *b, emage_error_t *err);
static emage_rc_t each(void *data, const emage_event_t *ev);
static emage_rc_t bulk_path(void *data, const emage_event_t *ev);
static void test_walk(void);
static void test_truncated(void);
static void test_bulk(void);
static emage_series_index_t *frames_of(bytes_t *b, const char *ts,
    bytes_t *index, emage_error_t *err);
static void image_head(bytes_t *b, const char *frames);
static void test_fragments(void);
static void test_native(void);
static void test_part10(void);


static void
put(bytes_t *b, const void *data, size_t len)
{
    if (len > sizeof(b->data) - b->len) {
        abort();
    }

    memcpy(b->data + b->len, data, len);
    b->len += len;
}


static void
put_u32(bytes_t *b, uint32_t n)
{
    unsigned char  p[4] = { n & 255, n >> 8 & 255, n >> 16 & 255, n >> 24 };

    put(b, p, 4);
}


static void
put_tag(bytes_t *b, uint16_t group, uint16_t element)
{
    put_u32(b, (uint32_t) element << 16 | group);
}


static void
put_short(bytes_t *b, uint16_t group, uint16_t element, const char *vr,
    const void *value, uint16_t len)
{
    unsigned char  l[2] = { len & 255, len >> 8 };

    put_tag(b, group, element);
    put(b, vr, 2);
    put(b, l, 2);
    put(b, value, len);
}


static void
put_item(bytes_t *b, const void *value, uint32_t len)
{
    put_tag(b, 0xfffe, 0xe000);
    put_u32(b, len);
    put(b, value, len);
}


static void
nested(bytes_t *b, unsigned depth)
{
    put_tag(b, 0x0040, 0xa730);
    put(b, "SQ\0", 4);
    put_u32(b, 0xffffffff);

    if (depth > 1) {
        put_tag(b, 0xfffe, 0xe000);
        put_u32(b, 0xffffffff);
        nested(b, depth - 1);
        put_tag(b, 0xfffe, 0xe00d);
        put_u32(b, 0);
    }

    put_tag(b, 0xfffe, 0xe0dd);
    put_u32(b, 0);
}


static emage_rc_t
each(void *data, const emage_event_t *ev)
{
    size_t  *n = data;

    /* what is reported lies in the file */

    if (ev->value + ev->length > n[1] || ev->offset > ev->value) {
        return EMAGE_CONFLICT;
    }

    n[0]++;

    return EMAGE_OK;
}


static emage_rc_t
walk(const bytes_t *b, emage_error_t *err)
{
    size_t           n[2];
    emage_dataset_t  ds;

    memset(&ds, 0, sizeof(ds));

    ds.data = b->data;
    ds.len = b->len;

    n[0] = 0;
    n[1] = b->len;

    return emage_dataset_walk(&ds, each, n, err);
}


static void
test_walk(void)
{
    bytes_t        b;
    emage_error_t  err;

    b.len = 0;
    nested(&b, 32);
    tap_ok(walk(&b, &err) == EMAGE_OK, "32 sequences deep");

    b.len = 0;
    nested(&b, 33);
    tap_ok(walk(&b, &err) == EMAGE_ERROR
           && strstr(err.text, "deeper than 32") != NULL, "33: %s", err.text);

    b.len = 0;
    put_short(&b, 8, 0x60, "CS", "CT", 2);
    put_short(&b, 8, 0x16, "UI", "1.2", 3);
    tap_ok(walk(&b, &err) == EMAGE_ERROR
           && strstr(err.text, "(0008,0016) at byte 10: out of order"),
           "out of order: %s", err.text);

    b.len = 0;
    put_short(&b, 8, 0x60, "CS", "CT", 2);
    put_short(&b, 8, 0x60, "CS", "MR", 2);
    tap_ok(walk(&b, &err) == EMAGE_ERROR && strstr(err.text, "twice"),
           "twice: %s", err.text);

    b.len = 0;
    put_short(&b, 8, 0x60, "cs", "CT", 2);
    tap_ok(walk(&b, &err) == EMAGE_ERROR && strstr(err.text, "its VR"),
           "no VR: %s", err.text);

    b.len = 0;
    put_tag(&b, 0x7fe0, 0x10);
    put(&b, "OW\0", 4);
    put_u32(&b, 0xc0000000);
    put(&b, "abcd", 4);
    tap_ok(walk(&b, &err) == EMAGE_ERROR
           && strstr(err.text, "claims 3221225472 bytes, 4 are left"),
           "3 GB of 4 bytes: %s", err.text);

    b.len = 0;
    put_short(&b, 8, 0x60, "CS", "CT", 2);
    put_tag(&b, 0xfffe, 0xe0dd);
    put_u32(&b, 0);
    tap_ok(walk(&b, &err) == EMAGE_ERROR && strstr(err.text, "out of place"),
           "a stray delimiter: %s", err.text);

    b.len = 0;
    put_short(&b, 8, 0x60, "CS", "CT", 2);
    put(&b, "\0\0\0\0\0\0\0\0\0\0", 11);
    tap_ok(walk(&b, &err) == EMAGE_OK, "zeros behind the last element");

    /* an item that is longer than its sequence */

    b.len = 0;
    put_tag(&b, 0x0040, 0xa730);
    put(&b, "SQ\0", 4);
    put_u32(&b, 18);
    put_tag(&b, 0xfffe, 0xe000);
    put_u32(&b, 12);
    put_short(&b, 8, 0x60, "CS", "CT  ", 4);
    tap_ok(walk(&b, &err) == EMAGE_ERROR, "an item over its sequence: %s",
           err.text);
}


static void
test_truncated(void)
{
    size_t         full, sound;
    bytes_t        b;
    emage_rc_t     rc;
    emage_error_t  err;

    b.len = 0;
    put_short(&b, 8, 0x60, "CS", "CT", 2);
    nested(&b, 3);
    put_tag(&b, 0x7fe0, 0x10);
    put(&b, "OB\0", 4);
    put_u32(&b, 0xffffffff);
    put_item(&b, "", 0);
    put_item(&b, "\xff\xd8\xff\xd9", 4);
    put_tag(&b, 0xfffe, 0xe0dd);
    put_u32(&b, 0);

    full = b.len;
    sound = 0;

    tap_ok(walk(&b, &err) == EMAGE_OK, "a dataset");

    for (b.len = 0; b.len < full; b.len++) {
        rc = walk(&b, &err);

        /* between two elements of the dataset it is a shorter dataset */

        if (rc == EMAGE_OK) {
            sound++;

        } else if (rc != EMAGE_ERROR) {
            sound = 1000;
        }
    }

    tap_ok(sound == 3, "cut anywhere else it is refused");
}


static emage_rc_t
bulk_path(void *data, const emage_event_t *ev)
{
    char    path[EMAGE_BULK_MAX + 1];
    size_t  len;
    char   *out = data;

    if (ev->at == EMAGE_AT_ELEMENT && emage_dataset_bulk(ev, path, &len)) {
        memcpy(out, path, len);
        out[len] = '\0';
    }

    return EMAGE_OK;
}


static void
test_bulk(void)
{
    char             path[EMAGE_BULK_MAX + 1];
    bytes_t          b;
    unsigned char    value[1026];
    emage_dataset_t  ds;

    memset(value, 7, sizeof(value));

    b.len = 0;
    put_tag(&b, 0x0040, 0xa730);
    put(&b, "SQ\0", 4);
    put_u32(&b, 0xffffffff);
    put_item(&b, "", 0);
    put_tag(&b, 0xfffe, 0xe000);
    put_u32(&b, 0xffffffff);
    put_tag(&b, 0x0042, 0x0011);
    put(&b, "OB\0", 4);
    put_u32(&b, 1026);
    put(&b, value, 1026);
    put_tag(&b, 0xfffe, 0xe00d);
    put_u32(&b, 0);
    put_tag(&b, 0xfffe, 0xe0dd);
    put_u32(&b, 0);

    memset(&ds, 0, sizeof(ds));

    ds.data = b.data;
    ds.len = b.len;
    path[0] = '\0';

    tap_ok(emage_dataset_walk(&ds, bulk_path, path, NULL) == EMAGE_OK
           && strcmp(path, "0040A730/2/00420011") == 0,
           "path of a value in the second item: %s", path);
}


static void
image_head(bytes_t *b, const char *frames)
{
    b->len = 0;

    put_short(b, 8, 0x16, "UI", "1.2.3\0", 6);
    put_short(b, 8, 0x18, "UI", "1.2.4\0", 6);
    put_short(b, 0x28, 2, "US", "\1", 2);
    put_short(b, 0x28, 8, "IS", frames, (uint16_t) strlen(frames));
    put_short(b, 0x28, 0x10, "US", "\2", 2);
    put_short(b, 0x28, 0x11, "US", "\3", 2);
    put_short(b, 0x28, 0x100, "US", "\10", 2);
}


/* The index of an object; NULL and `err` when it is refused. */

static emage_series_index_t *
frames_of(bytes_t *b, const char *ts, bytes_t *index, emage_error_t *err)
{
    bool                     only;
    emage_rc_t               rc;
    emage_buf_t              extra, out;
    emage_dataset_t          ds;
    emage_attributes_t       at;
    emage_index_writer_t    *w;
    emage_series_index_t    *idx;
    emage_index_instance_t   in;

    memset(&ds, 0, sizeof(ds));
    memset(&in, 0, sizeof(in));

    ds.data = b->data;
    ds.len = b->len;

    in.uid = emage_str("1.2.4");
    in.sop_class = emage_str("1.2.3");
    in.transfer_syntax = emage_str_c(ts);
    in.file_size = b->len;

    emage_buf_init(&extra, 4096);
    emage_buf_init(&out, sizeof(index->data));

    idx = NULL;

    if (emage_index_writer_create(&w) != EMAGE_OK) {
        return NULL;
    }

    rc = emage_attributes_read(&ds, &at, err);

    if (rc == EMAGE_OK && emage_index_writer_instance(w, &in) == EMAGE_OK) {
        rc = emage_offsets_write(&ds, &at, in.transfer_syntax, w, &extra,
                                 &only, err);
    }

    if (rc == EMAGE_OK && emage_index_writer_extra(w, extra.len) == EMAGE_OK) {
        rc = emage_index_writer_finish(w, &out, err);
    }

    if (rc == EMAGE_OK) {
        index->len = 0;
        put(index, out.data, out.len);

        (void) emage_series_index_open(index->data, index->len, &idx, err);
    }

    emage_index_writer_destroy(w);
    emage_buf_free(&extra);
    emage_buf_free(&out);

    return idx;
}


static void
test_fragments(void)
{
    size_t                   i;
    bytes_t                  b, index;
    emage_error_t            err;
    emage_index_item_t       item[2];
    emage_series_index_t    *idx;
    emage_index_instance_t   in;

    /* two frames of two fragments: by table, by markers; tables that lie */

    static const struct {
        const char  *name;
        const char  *table;
        uint32_t     len;
        const char  *second;         /* fragment 3, where frame 2 begins */
        bool         ok;
    } cases[] = {
        { "basic offset table", "\0\0\0\0\x1c\0\0\0", 8, "none", true },
        { "start markers", "", 0, "\xff\xd8zz", true },
        { "a table that hits no item", "\0\0\0\0\x1d\0\0\0", 8, "\xff\xd8zz",
          true },
        { "a table past the end", "\0\0\0\0\xff\xff\xff\xff", 8, "none",
          false },
        { "a table that goes back", "\x1c\0\0\0\0\0\0\0", 8, "none", false },
        { "neither", "", 0, "none", false }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        image_head(&b, "2 ");
        put_tag(&b, 0x7fe0, 0x10);
        put(&b, "OB\0", 4);
        put_u32(&b, 0xffffffff);
        put_item(&b, cases[i].table, cases[i].len);
        put_item(&b, "\xff\xd8" "ab", 4);
        put_item(&b, "cdefghij", 8);
        put_item(&b, cases[i].second, 4);
        put_item(&b, "kl", 2);
        put_tag(&b, 0xfffe, 0xe0dd);
        put_u32(&b, 0);

        idx = frames_of(&b, "1.2.840.10008.1.2.4.50", &index, &err);

        if (!cases[i].ok) {
            tap_ok(idx == NULL && strstr(err.text, "cannot be told apart"),
                   "%s: refused", cases[i].name);
            emage_series_index_close(idx);
            continue;
        }

        tap_ok(idx != NULL
               && emage_series_index_get(idx, 0, &in) == EMAGE_OK
               && in.nframes == 2 && in.nbulk == 0
               && emage_series_index_frame(idx, &in, 1, &item[0]) == EMAGE_OK
               && emage_series_index_frame(idx, &in, 2, &item[1]) == EMAGE_OK
               && item[0].length == 12 && item[0].nslices == 2
               && item[1].length == 6 && item[1].nslices == 2,
               "%s", cases[i].name);

        emage_series_index_close(idx);
    }

    image_head(&b, "65535 ");
    put_tag(&b, 0x7fe0, 0x10);
    put(&b, "OB\0", 4);
    put_u32(&b, 0xffffffff);
    put_item(&b, "", 0);
    put_item(&b, "abcd", 4);
    put_tag(&b, 0xfffe, 0xe0dd);
    put_u32(&b, 0);

    tap_ok(frames_of(&b, "1.2.840.10008.1.2.4.50", &index, &err) == NULL
           && strstr(err.text, "only 1 fragments"), "more frames than "
           "fragments: %s", err.text);
}


static void
test_native(void)
{
    bytes_t                  b, index;
    emage_slice_t            s;
    emage_error_t            err;
    emage_index_item_t       item;
    emage_series_index_t    *idx;
    emage_index_instance_t   in;

    image_head(&b, "2 ");
    put_tag(&b, 0x7fe0, 0x10);
    put(&b, "OB\0", 4);
    put_u32(&b, 12);
    put(&b, "abcdefghijkl", 12);

    idx = frames_of(&b, "1.2.840.10008.1.2.1", &index, &err);

    tap_ok(idx != NULL && emage_series_index_get(idx, 0, &in) == EMAGE_OK
           && in.nframes == 2 && in.nbulk == 1
           && emage_series_index_frame(idx, &in, 2, &item) == EMAGE_OK
           && emage_series_index_slice(idx, &item, 0, &s) == EMAGE_OK
           && s.length == 6 && memcmp(b.data + s.offset, "ghijkl", 6) == 0,
           "native frames are slices");

    emage_series_index_close(idx);

    image_head(&b, "3 ");
    put_tag(&b, 0x7fe0, 0x10);
    put(&b, "OB\0", 4);
    put_u32(&b, 12);
    put(&b, "abcdefghijkl", 12);

    tap_ok(frames_of(&b, "1.2.840.10008.1.2.1", &index, &err) == NULL
           && strstr(err.text, "has 12 bytes"), "too few pixels: %s",
           err.text);

    image_head(&b, "-1");
    put_tag(&b, 0x7fe0, 0x10);
    put(&b, "OB\0", 4);
    put_u32(&b, 0);

    tap_ok(frames_of(&b, "1.2.840.10008.1.2.1", &index, &err) == NULL,
           "a negative number of frames: %s", err.text);
}


static void
test_part10(void)
{
    emage_buf_t     file;
    emage_error_t   err;
    emage_part10_t  p10;

    emage_buf_init(&file, 4096);

    tap_ok(emage_part10_header(&file, emage_str("1.2.3"), emage_str("1.2.45"),
                               emage_str("1.2.840.10008.1.2.1"))
           == EMAGE_OK
           && emage_part10_read((unsigned char *) file.data, file.len, &p10,
                                &err) == EMAGE_OK
           && p10.preamble && p10.dataset == file.len
           && emage_str_eq(p10.sop_class, emage_str("1.2.3"))
           && emage_str_eq(p10.transfer_syntax,
                           emage_str("1.2.840.10008.1.2.1")),
           "a meta header of our own is read back");

    tap_ok(!emage_part10_plausible((const unsigned char *) "GIF89a", 6, &err)
           && strstr(err.text, "not a DICOM file") != NULL, "%s", err.text);

    emage_buf_free(&file);
}


int
main(void)
{
    test_walk();
    test_truncated();
    test_bulk();
    test_fragments();
    test_native();
    test_part10();

    return tap_done();
}
