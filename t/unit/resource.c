
/*
 * Copyright (C) The e-mage authors
 *
 * From path to resource: the kinds there are, and everything that is none.
 */


#include <emage/resource.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"


#define S   "studies/1.2"
#define E   S "/series/1.3"
#define I   E "/instances/1.4"

#define D8   "12345678"
#define U64  D8 D8 D8 D8 D8 D8 D8 D8


static void test_uid(void);
static void test_kinds(void);
static void test_searches(void);
static void test_none(void);
static void test_frames(void);
static void test_bulk(void);
static void test_mutations(void);


static void
test_uid(void)
{
    size_t  i;

    static const struct {
        emage_str_t  s;
        bool         ok;
    } cases[] = {
        { { "1", 1 }, true }, { { "1.2.840.10008.1.2.1", 19 }, true },
        { { "0.0", 3 }, true }, { { "1.02", 4 }, true },
        { { U64, 64 }, true }, { { U64 "1", 65 }, false },
        { { "", 0 }, false }, { { NULL, 0 }, false }, { { ".", 1 }, false },
        { { "1.", 2 }, false }, { { ".1", 2 }, false },
        { { "1..2", 4 }, false }, { { "..", 2 }, false },
        { { "1.2a", 4 }, false }, { { "1.2\0", 4 }, false },
        { { "1 2", 3 }, false }, { { "-1", 2 }, false },
        { { "1/2", 3 }, false }, { { "\xc2\xb2", 2 }, false }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_ok(emage_uid_valid(cases[i].s) == cases[i].ok, "UID %zu: %s", i,
               cases[i].ok ? "valid" : "not valid");
    }
}


static void
test_kinds(void)
{
    size_t            i;
    emage_resource_t  r;

    static const struct {
        const char            *path;
        emage_resource_kind_t  kind;
        const char            *name;
        unsigned               uids;
    } cases[] = {
        { S, EMAGE_RESOURCE_STUDY, "study", 1 },
        { S "/metadata", EMAGE_RESOURCE_STUDY_METADATA, "study-metadata", 1 },
        { E, EMAGE_RESOURCE_SERIES, "series", 2 },
        { E "/metadata", EMAGE_RESOURCE_SERIES_METADATA, "series-metadata",
          2 },
        { I, EMAGE_RESOURCE_INSTANCE, "instance", 3 },
        { I "/metadata", EMAGE_RESOURCE_INSTANCE_METADATA,
          "instance-metadata", 3 },
        { I "/frames/1", EMAGE_RESOURCE_FRAMES, "frames", 3 },
        { I "/bulkdata/00420011", EMAGE_RESOURCE_BULKDATA, "bulkdata", 3 },
        { I "/rendered", EMAGE_RESOURCE_RENDERED, "rendered", 3 },
        { I "/thumbnail", EMAGE_RESOURCE_THUMBNAIL, "thumbnail", 3 },
        { E "/thumbnail", EMAGE_RESOURCE_SERIES_THUMBNAIL, "series-thumbnail",
          2 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        tap_ok(emage_resource_parse(emage_str_c(cases[i].path), &r) == EMAGE_OK
               && r.kind == cases[i].kind
               && emage_str_eq(emage_resource_kind_name(r.kind),
                               emage_str_c(cases[i].name))
               && emage_str_eq(r.study, emage_str("1.2"))
               && emage_str_eq(r.series, cases[i].uids > 1 ? emage_str("1.3")
                                                           : emage_null_str)
               && emage_str_eq(r.instance, cases[i].uids > 2
                               ? emage_str("1.4") : emage_null_str),
               "%s is %s", cases[i].path, cases[i].name);
    }

    tap_ok(emage_str_eq(emage_resource_kind_name(EMAGE_RESOURCE_NONE),
                        emage_str("none")), "no resource is none");
}


static void
test_searches(void)
{
    size_t            i;
    emage_resource_t  r;

    static const struct {
        const char            *path;
        emage_resource_kind_t  kind;
        unsigned               uids;
    } cases[] = {
        { "studies", EMAGE_RESOURCE_SEARCH_STUDIES, 0 },
        { "series", EMAGE_RESOURCE_SEARCH_SERIES, 0 },
        { "instances", EMAGE_RESOURCE_SEARCH_INSTANCES, 0 },
        { S "/series", EMAGE_RESOURCE_SEARCH_SERIES, 1 },
        { S "/instances", EMAGE_RESOURCE_SEARCH_INSTANCES, 1 },
        { E "/instances", EMAGE_RESOURCE_SEARCH_INSTANCES, 2 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        tap_ok(emage_resource_parse(emage_str_c(cases[i].path), &r) == EMAGE_OK
               && r.kind == cases[i].kind && emage_resource_is_search(r.kind)
               && emage_str_eq(r.study, cases[i].uids > 0 ? emage_str("1.2")
                                                          : emage_null_str)
               && emage_str_eq(r.series, cases[i].uids > 1 ? emage_str("1.3")
                                                           : emage_null_str)
               && r.instance.len == 0, "%s is a search", cases[i].path);
    }

    (void) emage_resource_parse(emage_str(S), &r);
    tap_ok(!emage_resource_is_search(r.kind), "a study is no search");
}


static void
test_none(void)
{
    size_t            i;
    emage_resource_t  r, zero;

    static const char *const  bad[] = {
        "", "/", "studies/", "series/", "instances/", "studies/studies", "/" S,
        "Studies/1.2", "study/1.2",
        "studies//1.2", S "/", S "//", S "/.", S "/..", "studies/../1.2",
        S "/../1.2", S "/1.3", S "/metadata/", S "/metadata/x",
        S "/Metadata", S "/metadatax", S "/studies", S "/series/",
        S "/instances/1.4", S "/rendered", "studies/1.2a", "studies/%31",
        "studies/1.2\\", "studies/1.2;x", "studies/1.2?x", "studies/ 1.2",
        "studies/" U64 "1", E "/", E "/frames/1", E "/series",
        E "/studies", E "/instances/", I "/instances", I "/series",
        "series/1.3/instances", "series/instances", E "/instances//1.4",
        E "/bulkdata/00420011", I "/",
        I "/frames", I "/frames/", I "/bulkdata", I "/bulkdata/",
        I "/metadata/frames/1", I "/frames/1/rendered", S "/thumbnail",
        E "/rendered", E "/thumbnail/", E "/thumbnails", I "/rendered/",
        I "/rendered/1", I "/Thumbnail", "thumbnail",
        I I, "series/1.3", "instances/1.4", "studies/1.2/series/1.3/series/1.4"
    };

    memset(&zero, 0, sizeof(zero));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&r, 0xff, sizeof(r));

        tap_ok(emage_resource_parse(emage_str_c(bad[i]), &r) == EMAGE_NOTFOUND
               && r.kind == EMAGE_RESOURCE_NONE && r.study.data == NULL
               && r.instance.data == NULL, "\"%s\" is none", bad[i]);
    }

    tap_ok(emage_resource_parse(emage_str("studies/1.2\0"), &r)
           == EMAGE_NOTFOUND, "a NUL at the end");
    tap_ok(emage_resource_parse(emage_str("studies\0/1.2"), &r)
           == EMAGE_NOTFOUND, "a NUL inside");
    tap_ok(emage_resource_parse(emage_null_str, &r) == EMAGE_NOTFOUND,
           "nothing at all");
}


static void
test_frames(void)
{
    char              path[8192];
    size_t            i, pos;
    unsigned          n;
    emage_rc_t        rc;
    emage_resource_t  r;

    static const struct {
        const char  *list;
        unsigned     n;
    } cases[] = {
        { "1", 1 }, { "1,2,7", 3 }, { "7,7,1", 3 }, { "2147483647", 1 },
        { "2147483648", 0 }, { "99999999999999999999", 0 }, { "0", 0 },
        { "01", 0 }, { "+1", 0 }, { "-1", 0 }, { "1,", 0 }, { ",1", 0 },
        { "1,,2", 0 }, { ",", 0 }, { "1 ", 0 }, { "1-3", 0 }, { "1.0", 0 },
        { "a", 0 }, { "1/2", 0 }, { "1,0", 0 }, { "18446744073709551617", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) snprintf(path, sizeof(path), I "/frames/%s", cases[i].list);
        rc = emage_resource_parse(emage_str_c(path), &r);

        tap_ok(r.nframes == cases[i].n && (rc == EMAGE_OK) == (cases[i].n > 0),
               "frames %s: %u", cases[i].list, cases[i].n);
    }

    (void) emage_resource_parse(emage_str(I "/frames/1,20,2147483647"), &r);
    pos = 0;
    tap_ok(emage_resource_frame_next(&r, &pos) == 1
           && emage_resource_frame_next(&r, &pos) == 20
           && emage_resource_frame_next(&r, &pos) == 2147483647
           && emage_resource_frame_next(&r, &pos) == 0
           && emage_resource_frame_next(&r, &pos) == 0, "read one by one");

    (void) snprintf(path, sizeof(path), I "/frames/1");

    for (n = 1; n < EMAGE_FRAMES_MAX; n++) {
        memcpy(path + strlen(I "/frames/1") + 2 * (n - 1), ",1", 3);
    }

    tap_ok(emage_resource_parse(emage_str_c(path), &r) == EMAGE_OK
           && r.nframes == EMAGE_FRAMES_MAX, "1,024 frames");

    memcpy(path + strlen(path), ",1", 3);
    tap_ok(emage_resource_parse(emage_str_c(path), &r) == EMAGE_NOTFOUND,
           "1,025 frames");
}


static void
test_bulk(void)
{
    char              path[512];
    size_t            i;
    emage_rc_t        rc;
    emage_resource_t  r;

    static const struct {
        const char  *bulk;
        bool         ok;
    } cases[] = {
        { "7FE00010", true }, { "7fe00010", false }, { "7FE0001", false },
        { "7FE000100", false }, { "7FE0001G", false },
        { "00400275/1/00420011", true }, { "00400275/0/00420011", false },
        { "00400275/01/00420011", false }, { "00400275/x/00420011", false },
        { "00400275/999999999/00420011", true },
        { "00400275/1000000000/00420011", false }, { "00400275/1", false },
        { "00400275/1/", false }, { "00400275//00420011", false },
        { "/00420011", false }, { "00420011/", false }, { "..", false },
        { "00400275/1/00400275/2/00420011", true },
        { "00420011\x7f", false }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) snprintf(path, sizeof(path), I "/bulkdata/%s", cases[i].bulk);
        rc = emage_resource_parse(emage_str_c(path), &r);

        tap_ok((rc == EMAGE_OK) == cases[i].ok
               && emage_str_eq(r.bulk, cases[i].ok ? emage_str_c(cases[i].bulk)
                                                   : emage_null_str),
               "bulk %s: %s", cases[i].bulk, cases[i].ok ? "valid" : "none");
    }

    (void) snprintf(path, sizeof(path), I "/bulkdata/00400275");

    for (i = 0; i < 10; i++) {
        memcpy(path + strlen(path), "/1/00400275", 12);
    }

    tap_ok(emage_resource_parse(emage_str_c(path), &r) == EMAGE_OK,
           "118 bytes of path");

    memcpy(path + strlen(path), "/1/00400275", 12);
    tap_ok(emage_resource_parse(emage_str_c(path), &r) == EMAGE_NOTFOUND,
           "129 bytes of path");
}


/* Any byte put anywhere: what still parses holds nothing but its grammar. */

static void
test_mutations(void)
{
    int               c;
    char              path[128];
    size_t            i, k, len, bad, good;
    emage_resource_t  r;

    static const char *const  seeds[] = {
        I "/frames/1,2", I "/bulkdata/00400275/1/00420011", E "/metadata"
    };

    bad = 0;
    good = 0;

    for (k = 0; k < 3; k++) {
        len = strlen(seeds[k]);

        for (i = 0; i < len; i++) {
            for (c = 0; c < 256; c++) {
                memcpy(path, seeds[k], len);
                path[i] = (char) c;

                if (emage_resource_parse((emage_str_t) { path, len }, &r)
                    != EMAGE_OK)
                {
                    continue;
                }

                good++;
                bad += strspn(r.study.data, "0123456789.") < r.study.len
                       || !emage_uid_valid(r.study)
                       || !emage_uid_valid(r.series)
                       || (r.instance.len && !emage_uid_valid(r.instance));
            }
        }
    }

    tap_ok(bad == 0 && good > 0, "%zu changed paths parse, all to UIDs", good);
}


int
main(void)
{
    test_uid();
    test_kinds();
    test_searches();
    test_none();
    test_frames();
    test_bulk();
    test_mutations();

    return tap_done();
}
