
/*
 * Copyright (C) The e-mage authors
 *
 * What the store writes as text or bytes and reads again: numbers of DICOM
 * JSON, character sets, a worker's answer, MANIFEST, names of revisions.
 */


#include <stdlib.h>
#include <string.h>

#include "charset.h"
#include "layout.h"
#include "manifest.h"
#include "metadata.h"
#include "object.h"
#include "rows.h"
#include "tap.h"


static void test_numbers(void);
static void test_charsets(void);
static void test_wire(void);
static void test_manifest(void);
static void test_names(void);
static void test_join(void);


static void
test_numbers(void)
{
    size_t       i;
    emage_buf_t  b;

    static const struct {
        const char  *in;
        bool         integer;
        const char  *out;
    } decimals[] = {
        { "1", true, "1" }, { "+007", true, "7" }, { "-0", true, "-0" },
        { "1.5", true, "\"1.5\"" }, { "", true, "\"\"" },
        { "1.5", false, "1.5" }, { ".5", false, "0.5" },
        { "5.", false, "5" }, { "-.25e-3", false, "-0.25e-3" },
        { "1E+05", false, "1e05" }, { "1e", false, "\"1e\"" },
        { "1e999", false, "\"1e999\"" }, { "1,5", false, "\"1,5\"" },
        { "0x10", false, "\"0x10\"" }, { "NaN", false, "\"NaN\"" },
        { "1 2", false, "\"1 2\"" }, { "-", false, "\"-\"" },
        { "12345678901234567890", true, "\"12345678901234567890\"" }
    };

    for (i = 0; i < sizeof(decimals) / sizeof(decimals[0]); i++) {
        emage_buf_init(&b, 256);

        (void) emage_metadata_decimal(&b, emage_str_c(decimals[i].in),
                                      decimals[i].integer);

        tap_ok(strcmp(emage_buf_cstr(&b), decimals[i].out) == 0,
               "%s \"%s\" is %s", decimals[i].integer ? "IS" : "DS",
               decimals[i].in, decimals[i].out);

        emage_buf_free(&b);
    }

    emage_buf_init(&b, 256);

    (void) emage_metadata_real(&b, 0.1, false);
    (void) emage_buf_add_c(&b, " ");
    (void) emage_metadata_real(&b, (double) 0.1f, true);
    (void) emage_buf_add_c(&b, " ");
    (void) emage_metadata_real(&b, 1.0 / 0.0, false);
    (void) emage_buf_add_c(&b, " ");
    (void) emage_metadata_real(&b, 0.0 / 0.0, true);

    tap_ok(strcmp(emage_buf_cstr(&b), "0.1 0.100000001 \"Infinity\" \"NaN\"")
           == 0, "reals: %s", b.data);

    emage_buf_reset(&b);
    (void) emage_metadata_base64(&b, (const unsigned char *) "abcd", 4, 1);
    (void) emage_metadata_base64(&b, (const unsigned char *) "badc", 4, 2);

    tap_ok(strcmp(emage_buf_cstr(&b), "\"YWJjZA==\"\"YWJjZA==\"") == 0,
           "base64, and of swapped words");

    emage_buf_free(&b);
}


static void
test_charsets(void)
{
    size_t            i;
    emage_buf_t       b;
    emage_charset_t  *cs;

    static const struct {
        const char  *set;
        const char  *in;
        const char  *out;
    } cases[] = {
        { "ISO_IR 100", "Buc^J\xe9r\xf4me", "Buc^J\xc3\xa9r\xc3\xb4me" },
        { "ISO_IR 144", "\xbb\xee", "\xd0\x9b\xd1\x8e" },
        { "\\ISO 2022 IR 87", "\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
          "\xe5\xb1\xb1\xe7\x94\xb0^\xe5\xa4\xaa\xe9\x83\x8e" },
        { "GB18030", "\xcd\xf5^\xd0\xa1", "\xe7\x8e\x8b^\xe5\xb0\x8f" },
        { "ISO 2022 IR 13\\ISO 2022 IR 87", "\xd4\xcf\xc0\xde^\xc0\xdb\xb3",
          "\xef\xbe\x94\xef\xbe\x8f\xef\xbe\x80\xef\xbe\x9e^"
          "\xef\xbe\x80\xef\xbe\x9b\xef\xbd\xb3" },
        { "\\ISO 2022 IR 149", "\x1b$)C\xb1\xe8^\x1b$)C\xc8\xf1",
          "\xea\xb9\x80^\xed\x9d\xac" },
        { "\\ISO 2022 IR 58", "\x1b$)A\xb5\xda", "\xe7\xac\xac" },
        { "ISO 2022 IR 100\\ISO 2022 IR 144", "J\xe9^\x1b-L\xbb\xee^\xe9",
          "J\xc3\xa9^\xd0\x9b\xd1\x8e^\xc3\xa9" },
        { "ISO_IR 192", "\xc3\xa9", "\xc3\xa9" }
    };

    if (emage_charset_create(&cs) != EMAGE_OK) {
        return;
    }

    emage_buf_init(&b, 4096);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        emage_buf_reset(&b);

        tap_ok(emage_charset_select(cs, emage_str_c(cases[i].set)) == EMAGE_OK
               && emage_charset_convert(cs, emage_str_c(cases[i].in), "\\^=",
                                        &b) == EMAGE_OK
               && strcmp(emage_buf_cstr(&b), cases[i].out) == 0,
               "%s", cases[i].set);
    }

    tap_ok(emage_charset_select(cs, emage_str("ISO_IR 999"))
           == EMAGE_NOTFOUND, "a character set that does not exist");

    emage_buf_reset(&b);

    tap_ok(emage_charset_select(cs, emage_str("ISO_IR 6")) == EMAGE_OK
           && emage_charset_convert(cs, emage_str("a\xe9"), "\\", &b)
              == EMAGE_ERROR
           && emage_charset_convert(cs, emage_str("a\x1b*Z"), "\\", &b)
              == EMAGE_ERROR
           && b.len == 0, "bytes that mean nothing");

    emage_buf_free(&b);
    emage_charset_destroy(cs);
}


static void
test_wire(void)
{
    size_t           i, read;
    emage_buf_t      b;
    emage_object_t   o, back;

    memset(&o, 0, sizeof(o));

    memcpy(o.study, "1.2", 3);
    memcpy(o.series, "1.3", 3);
    memcpy(o.sop, "1.4", 3);
    memcpy(o.sop_class, "1.5", 3);
    memcpy(o.received_ts, "1.6", 3);
    memcpy(o.stored_ts, "1.7", 3);
    memcpy(o.patient_id, "P", 1);
    o.cls = EMAGE_CLASS_REPORT;
    o.stored.size = 10;

    emage_buf_init(&b, EMAGE_OBJECT_WIRE_MAX);

    tap_ok(emage_object_encode(&o, &b) == EMAGE_OK
           && emage_object_decode(&back, b.data, b.len)
           && memcmp(&o, &back, sizeof(o)) == 0, "an answer comes back");

    read = 0;

    for (i = 0; i < b.len; i++) {
        read += emage_object_decode(&back, b.data, i);
    }

    tap_ok(read == 0, "no shorter one is read");

    for (i = 0; i < b.len * 8; i++) {
        b.data[i / 8] ^= (char) (1 << i % 8);
        (void) emage_object_decode(&back, b.data, b.len);
        b.data[i / 8] ^= (char) (1 << i % 8);
    }

    emage_buf_reset(&b);
    memcpy(o.sop, "../../x", 7);

    tap_ok(emage_object_encode(&o, &b) == EMAGE_OK
           && !emage_object_decode(&back, b.data, b.len),
           "a UID that is a path is not believed");

    emage_buf_free(&b);
}


static void
test_manifest(void)
{
    size_t                     i, read;
    emage_buf_t                b;
    emage_sum_t                sum;
    emage_error_t              err;
    emage_manifest_t           m, back;
    emage_manifest_object_t    o;

    memset(&m, 0, sizeof(m));
    memset(&o, 0, sizeof(o));
    memset(&sum, 9, sizeof(sum));

    memcpy(m.study, "1.2", 4);
    memcpy(m.revision, "r00000001-00000000", 19);
    memcpy(o.series, "1.3", 4);
    memcpy(o.org, "750000001", 10);
    memcpy(o.transfer_syntax, "1.2.840.10008.1.2", 18);
    o.path = (char *) (uintptr_t) "/in/an\xc3\xa9 100%\n.dcm";

    sum.size = 1234567890123;

    memcpy(o.sop, "1.9", 4);
    (void) emage_manifest_add_object(&m, &o);
    memcpy(o.sop, "1.4", 4);
    (void) emage_manifest_add_object(&m, &o);
    (void) emage_manifest_add_file(&m, "1.3/1.4.dcm", &sum);
    (void) emage_manifest_add_file(&m, "1.3/1.10.dcm", &sum);

    emage_buf_init(&b, 65536);

    tap_ok(emage_manifest_write(&m, &b) == EMAGE_OK
           && emage_manifest_parse(&back, (emage_str_t) { b.data, b.len },
                                   &err) == EMAGE_OK
           && back.nobjects == 2 && back.nfiles == 2, "a manifest is read");

    tap_ok(emage_manifest_find(&back, "1.9") != NULL
           && strcmp(emage_manifest_find(&back, "1.9")->path, o.path) == 0,
           "an object, with the path it came from");
    tap_ok(emage_manifest_find(&back, "1.90") == NULL, "no other");
    tap_ok(emage_manifest_file(&back, "1.3/1.10.dcm") != NULL
           && emage_manifest_file(&back, "1.3/1.10.dcm")->sum.size
              == sum.size, "a file");

    emage_manifest_free(&back);

    read = 0;

    for (i = 0; i < b.len * 8; i++) {
        b.data[i / 8] ^= (char) (1 << i % 8);
        read += emage_manifest_parse(&back,
                                     (emage_str_t) { b.data, b.len }, &err)
                == EMAGE_OK;
        b.data[i / 8] ^= (char) (1 << i % 8);
    }

    tap_ok(read == 0, "no flipped bit is read");

    emage_manifest_free(&m);
    emage_buf_free(&b);
}


static void
test_names(void)
{
    uint32_t  n;

    tap_ok(emage_revision_valid(emage_str("r00000017-0a1b2c3d"), &n)
           && n == 17, "a revision");
    tap_ok(!emage_revision_valid(emage_str("r00000017-0a1b2c3"), &n)
           && !emage_revision_valid(emage_str("r00000017-0A1b2c3d"), &n)
           && !emage_revision_valid(emage_str("..0000017-0a1b2c3d"), &n),
           "and what is none");
}


static void
test_join(void)
{
    size_t             i;
    json_t            *dataset;
    emage_rc_t         rc;
    emage_buf_t        b;
    emage_error_t      err;
    emage_identity_t   who;

    static const char  own[] =
        "\"00100020\":{\"vr\":\"LO\",\"Value\":[\"PID\"]},"
        "\"00100021\":{\"vr\":\"LO\",\"Value\":[\"here\"]}";

    static const struct {
        const char  *lines;
        const char  *before;
        const char  *after;          /* NULL: refused */
    } cases[] = {
        { "00080060 {\"vr\":\"CS\"}\n", "{\"00080060\":{\"vr\":\"CS\"},",
          "}" },
        { "00100020 {\"vr\":\"LO\",\"Value\":[\"X\"]}\n"
          "00100040 {\"vr\":\"CS\"}\n", "{",
          ",\"00100040\":{\"vr\":\"CS\"},\"00101002\":{\"vr\":\"SQ\","
          "\"Value\":[{\"00100020\":{\"vr\":\"LO\",\"Value\":[\"X\"]},"
          "\"00100021\":{\"vr\":\"LO\",\"Value\":[\"there\"]}}]}}" },
        { "00101002 {\"vr\":\"SQ\",\"Value\":[{}]}\n", "{",
          ",\"00101002\":{\"vr\":\"SQ\",\"Value\":[{}]}}" },
        { "00080060 {\"vr\":\"CS\"}\n00080060 {\"vr\":\"CS\"}\n", NULL, NULL },
        { "00200010 {\"vr\":\"CS\"}\n00080060 {\"vr\":\"CS\"}\n", NULL, NULL },
        { "0008006g {\"vr\":\"CS\"}\n", NULL, NULL },
        { "00080060 {\"vr\":\"CS\"}", NULL, NULL },
        { "00080060 {\"vr\":\"CS\"},\"x\":1\n0009 {}\n", NULL, NULL },
        { "00080060 {\"vr\":\"CS\n", NULL, NULL }
    };

    who.pid = emage_str("PID");
    who.region = emage_str("here");
    who.issuer = emage_str("there");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        emage_buf_init(&b, 65536);

        rc = emage_rows_join(emage_str_c(cases[i].lines), &who, &b, &dataset,
                             &err);

        if (cases[i].after == NULL) {
            tap_ok(rc == EMAGE_ERROR && dataset == NULL, "lines %zu: %s", i,
                   err.text);

        } else {
            char  want[1024];

            (void) snprintf(want, sizeof(want), "%s%s%s", cases[i].before,
                            own, cases[i].after);

            tap_ok(rc == EMAGE_OK && strcmp(emage_buf_cstr(&b), want) == 0,
                   "lines %zu: %s", i, b.data);
        }

        json_decref(dataset);
        emage_buf_free(&b);
    }
}


int
main(void)
{
    test_numbers();
    test_charsets();
    test_wire();
    test_manifest();
    test_names();
    test_join();

    return tap_done();
}
