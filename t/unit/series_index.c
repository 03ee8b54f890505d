
/*
 * Copyright (C) The e-mage authors
 *
 * series.idx and study.idx: what the writer writes the reader reads, and no
 * damaged byte goes unnoticed.
 */


#include <emage/series_index.h>

#include <stdlib.h>
#include <string.h>

#include "oom.h"
#include "tap.h"


static emage_rc_t build(emage_buf_t *out, emage_error_t *err);
static void test_read(const emage_buf_t *file);
static void test_damage(const emage_buf_t *file);
static void test_refuse(void);
static void test_oom(void);
static void test_study(void);


static const emage_slice_t  one[] = { { 1000, 512, 0 } };
static const emage_slice_t  two[] = { { 1512, 100, 0 }, { 1620, 28, 0 } };
static const emage_slice_t  bits[] = { { 0, 33, 1 } };
static const emage_slice_t  past[] = { { 1990, 11, 0 } };


static emage_rc_t
build(emage_buf_t *out, emage_error_t *err)
{
    size_t                   i;
    emage_rc_t               rc;
    emage_index_writer_t    *w;
    emage_index_instance_t   in;

    static const char *const  uids[] = { "1.2.3", "1.2.10", "1.2" };

    rc = emage_index_writer_create(&w);
    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; i < 3; i++) {
        memset(&in, 0, sizeof(in));

        in.uid = emage_str_c(uids[i]);
        in.sop_class = emage_str("1.2.840.10008.5.1.4.1.1.2");
        in.transfer_syntax = emage_str("1.2.840.10008.1.2.1");
        in.cls = (emage_class_t) i;
        in.file_size = 2000;
        in.extra_size = 33;
        in.meta_offset = 100 * i;
        in.meta_length = 90;
        in.meta_size = 300;
        in.meta_crc = 0xdeadbeef;

        rc = emage_index_writer_instance(w, &in);

        if (rc == EMAGE_OK && i != 2) {
            rc = emage_index_writer_frame(w, one, 1);
        }

        if (rc == EMAGE_OK && i != 2) {
            rc = emage_index_writer_frame(w, two, 2);
        }

        if (rc == EMAGE_OK && i == 0) {
            rc = emage_index_writer_bulk(w, emage_str("7FE00010"),
                                         emage_null_str, one, 1);
        }

        if (rc == EMAGE_OK && i == 0) {
            rc = emage_index_writer_bulk(w, emage_str("00420011"),
                                         emage_str("application/pdf"), bits,
                                         1);
        }

        if (rc == EMAGE_OK && i == 0) {
            rc = emage_index_writer_bulk(w, emage_str("00400555/2/0040A30A"),
                                         emage_null_str, two, 2);
        }

        if (rc != EMAGE_OK) {
            goto done;
        }
    }

    rc = emage_index_writer_rendering(w, emage_str("1.2.3"), 5000, 300);

    if (rc == EMAGE_OK) {
        rc = emage_index_writer_finish(w, out, err);
    }

done:

    emage_index_writer_destroy(w);

    return rc;
}


static void
test_read(const emage_buf_t *file)
{
    uint32_t                 n;
    emage_slice_t            s;
    emage_error_t            err;
    emage_index_item_t       item;
    emage_series_index_t    *idx;
    emage_index_instance_t   in;

    if (!tap_ok(emage_series_index_open(file->data, file->len, &idx, &err)
                == EMAGE_OK, "opens"))
    {
        printf("# %s\n", err.text);
        return;
    }

    tap_ok(emage_series_index_count(idx) == 3, "three instances");
    tap_ok(emage_series_index_metadata_size(idx) == 290, "metadata size");

    tap_ok(emage_series_index_get(idx, 0, &in) == EMAGE_OK
           && emage_str_eq(in.uid, emage_str("1.2")), "order of bytes: 1.2");
    tap_ok(emage_series_index_get(idx, 1, &in) == EMAGE_OK
           && emage_str_eq(in.uid, emage_str("1.2.10")), "then 1.2.10");
    tap_ok(emage_series_index_get(idx, 3, &in) == EMAGE_NOTFOUND, "no 4th");

    tap_ok(emage_series_index_find(idx, emage_str("1.2.1"), NULL, &in)
           == EMAGE_NOTFOUND, "a prefix is another instance");
    tap_ok(emage_series_index_find(idx, emage_str("1.2.3"), &n, &in)
           == EMAGE_OK && n == 2, "found by UID");

    tap_ok(in.file_size == 2000 && in.extra_size == 33 && in.meta_offset == 0
           && in.meta_length == 90 && in.meta_size == 300
           && in.rendered_size == 5000 && in.thumbnail_size == 300
           && in.meta_crc == 0xdeadbeef && in.cls == EMAGE_CLASS_IMAGE
           && emage_str_eq(in.sop_class,
                           emage_str("1.2.840.10008.5.1.4.1.1.2"))
           && emage_str_eq(in.transfer_syntax,
                           emage_str("1.2.840.10008.1.2.1")),
           "every field comes back");

    tap_ok(in.nframes == 2 && in.nbulk == 3, "2 frames, 3 bulk values");
    tap_ok(emage_series_index_frame(idx, &in, 0, &item) == EMAGE_NOTFOUND
           && emage_series_index_frame(idx, &in, 3, &item) == EMAGE_NOTFOUND,
           "frames 0 and 3 do not exist");
    tap_ok(emage_series_index_frame(idx, &in, 2, &item) == EMAGE_OK
           && item.length == 128 && item.nslices == 2, "frame 2: 2 slices");
    tap_ok(emage_series_index_slice(idx, &item, 1, &s) == EMAGE_OK
           && s.offset == 1620 && s.length == 28 && s.file == 0,
           "its second slice");
    tap_ok(emage_series_index_slice(idx, &item, 2, &s) == EMAGE_NOTFOUND,
           "no third");

    tap_ok(emage_series_index_bulk(idx, &in, emage_str("00420011"), &item)
           == EMAGE_OK
           && emage_str_eq(item.media_type, emage_str("application/pdf"))
           && emage_series_index_slice(idx, &item, 0, &s) == EMAGE_OK
           && s.file == 1 && s.length == 33, "bulk value in the extra file");
    tap_ok(emage_series_index_bulk(idx, &in, emage_str("00400555/2/0040A30A"),
                                   &item)
           == EMAGE_OK, "bulk value of an item");
    tap_ok(emage_series_index_bulk(idx, &in, emage_str("7FE0001"), &item)
           == EMAGE_NOTFOUND, "prefix of a path");
    tap_ok(emage_series_index_bulk_at(idx, &in, 0, &item) == EMAGE_OK
           && emage_str_eq(item.path, emage_str("00400555/2/0040A30A"))
           && emage_series_index_bulk_at(idx, &in, 3, &item)
              == EMAGE_NOTFOUND, "bulk values by number, sorted");

    emage_series_index_close(idx);
}


/* Every byte changed, every length cut: the reader says no each time. */

static void
test_damage(const emage_buf_t *file)
{
    char                  *copy;
    size_t                 i, opened;
    emage_error_t          err;
    emage_series_index_t  *idx;

    copy = malloc(file->len);
    if (copy == NULL) {
        return;
    }

    opened = 0;

    for (i = 0; i < file->len * 8; i++) {
        memcpy(copy, file->data, file->len);
        copy[i / 8] ^= (char) (1 << i % 8);

        if (emage_series_index_open(copy, file->len, &idx, &err) == EMAGE_OK) {
            opened++;
            emage_series_index_close(idx);
        }
    }

    tap_ok(opened == 0, "no flipped bit of %zu opens", file->len * 8);

    opened = 0;

    for (i = 0; i < file->len; i++) {
        memcpy(copy, file->data, i);

        if (emage_series_index_open(copy, i, &idx, NULL) == EMAGE_OK) {
            opened++;
            emage_series_index_close(idx);
        }
    }

    tap_ok(opened == 0, "no shorter file opens");

    free(copy);
}


static void
test_refuse(void)
{
    unsigned                 i;
    emage_buf_t              out;
    emage_error_t            err;
    emage_index_writer_t    *w;
    emage_index_instance_t   in;

    memset(&in, 0, sizeof(in));

    in.uid = emage_str("1.2");
    in.sop_class = emage_str("1.2.3");
    in.transfer_syntax = emage_str("1.2.4");
    in.file_size = 2000;

    for (i = 0; i < 9; i++) {
        emage_buf_init(&out, 1 << 20);

        if (emage_index_writer_create(&w) != EMAGE_OK) {
            return;
        }

        in.uid = (i == 1) ? emage_str("../1") : emage_str("1.2");
        in.cls = (i == 7) ? EMAGE_CLASS_REPORT : EMAGE_CLASS_IMAGE;

        (void) emage_index_writer_instance(w, &in);

        if (i == 6 || i == 7) {
            (void) emage_index_writer_frame(w, one, 1);
        }

        if (i == 0) {
            (void) emage_index_writer_instance(w, &in);

        } else if (i == 2) {
            (void) emage_index_writer_frame(w, past, 1);

        } else if (i == 3) {
            (void) emage_index_writer_frame(w, bits, 1);

        } else if (i == 4) {
            (void) emage_index_writer_bulk(w, emage_str("7FE00010"),
                                           emage_null_str, one, 1);
            (void) emage_index_writer_bulk(w, emage_str("7FE00010"),
                                           emage_null_str, one, 1);

        } else if (i == 5) {
            (void) emage_index_writer_bulk(w, emage_str("7FE00010"),
                                           emage_str("a/b\r\nX: y"), one, 1);

        } else if (i > 5) {
            (void) emage_index_writer_rendering(w, in.uid, 9, i == 6 ? 0 : 9);
        }

        tap_ok(emage_index_writer_finish(w, &out, &err) == EMAGE_ERROR
               && out.len == 0,
               "not written: %s",
               i == 0 ? "a UID twice"
               : i == 1 ? "a UID that is a path"
               : i == 2 ? "a slice past the file"
               : i == 3 ? "a slice of a file that is not there"
               : i == 4 ? "a bulk path twice"
               : i == 5 ? "a media type with a newline"
               : i == 6 ? "a picture without thumbnail"
               : i == 7 ? "a picture of a report" : "a picture of no frame");

        emage_index_writer_destroy(w);
        emage_buf_free(&out);
    }
}


static void
test_oom(void)
{
    long                   n, before;
    bool                   all, sound;
    emage_rc_t             rc;
    emage_buf_t            out;
    emage_error_t          err;

    if (!OOM_READY) {
        tap_ok(true, "out of memory # SKIP the sanitizer allocates");
        return;
    }

    for (all = false; ; all = true) {
        sound = true;

        for (n = 0; n < 200; n++) {
            before = oom_live;

            emage_buf_init(&out, 1 << 20);

            oom_all = all;
            oom_after = n;
            rc = build(&out, &err);
            oom_after = -1;

            emage_buf_free(&out);

            if (oom_live != before) {
                sound = false;
            }

            if (rc == EMAGE_OK) {
                break;
            }

            if (rc != EMAGE_NOMEM) {
                sound = false;
            }
        }

        tap_ok(sound && n > 5 && n < 200,
               "out of memory at each of %ld allocations%s", n,
               all ? ", and at all after it" : "");

        if (all) {
            return;
        }
    }
}


static void
test_study(void)
{
    size_t                i, opened;
    uint32_t              n;
    emage_buf_t           out;
    emage_str_t           data;
    emage_error_t         err;
    emage_study_series_t  got[2];

    static const emage_study_series_t  series[] = {
        { { "1.2.3", 5 }, 7 }, { { "1.3", 3 }, 4294967295u }
    };

    emage_buf_init(&out, 4096);

    tap_ok(emage_study_index_write(series, 2, &out) == EMAGE_OK,
           "study index written");

    data.data = out.data;
    data.len = out.len;

    tap_ok(emage_study_index_parse(data, got, 2, &n, &err) == EMAGE_OK
           && n == 2 && got[0].count == 7 && got[1].count == 4294967295u
           && emage_str_eq(got[1].uid, emage_str("1.3")), "and read");
    tap_ok(emage_study_index_parse(data, NULL, 0, &n, &err) == EMAGE_OK
           && n == 2, "and counted");
    tap_ok(emage_study_index_parse(data, got, 1, &n, &err) == EMAGE_NOMEM,
           "no room for two");

    opened = 0;

    for (i = 0; i < out.len * 8; i++) {
        out.data[i / 8] ^= (char) (1 << i % 8);
        opened += (emage_study_index_parse(data, got, 2, &n, NULL)
                   == EMAGE_OK);
        out.data[i / 8] ^= (char) (1 << i % 8);
    }

    for (data.len = 0; data.len < out.len; data.len++) {
        opened += (emage_study_index_parse(data, got, 2, &n, NULL)
                   == EMAGE_OK);
    }

    tap_ok(opened == 0, "no flipped bit, no shorter file is read");

    emage_buf_reset(&out);

    tap_ok(emage_study_index_write(series, 0, &out) == EMAGE_OK
           && emage_study_index_parse((emage_str_t) { out.data, out.len },
                                      got, 2, &n, NULL)
              == EMAGE_OK
           && n == 0, "a study of no series");

    emage_buf_free(&out);
}


int
main(void)
{
    emage_buf_t    file;
    emage_error_t  err;

    emage_buf_init(&file, 1 << 20);

    err.text[0] = '\0';

    if (!tap_ok(build(&file, &err) == EMAGE_OK, "written")) {
        printf("# %s\n", err.text);
        return tap_done();
    }

    test_read(&file);
    test_damage(&file);
    test_refuse();
    test_oom();
    test_study();

    emage_buf_free(&file);

    return tap_done();
}
