
/*
 * Copyright (C) The e-mage authors
 *
 * Accept negotiation: what real viewers send, and what PS3.18 section 8.7
 * makes of it.
 */


#include <emage/accept.h>

#include "tap.h"


#define LE     "1.2.840.10008.1.2.1"
#define JPEG   "1.2.840.10008.1.2.4.50"
#define JLS    "1.2.840.10008.1.2.4.80"


typedef struct {
    const char             *accept;
    emage_resource_kind_t   kind;
    const char             *media;
    const char             *syntax;
    bool                    single;
    emage_form_t            form;
    bool                    octets;
} case_t;


#define M  EMAGE_FORM_MULTIPART
#define S  EMAGE_FORM_SINGLE
#define N  EMAGE_FORM_NONE

#define OBJ    EMAGE_RESOURCE_INSTANCE, "application/dicom"
#define SER    EMAGE_RESOURCE_SERIES, "application/dicom"
#define FRM    EMAGE_RESOURCE_FRAMES
#define META   EMAGE_RESOURCE_SERIES_METADATA, "application/dicom+json", ""
#define BULK   EMAGE_RESOURCE_BULKDATA
#define REND   EMAGE_RESOURCE_RENDERED
#define THUMB  EMAGE_RESOURCE_SERIES_THUMBNAIL, "image/jpeg", ""
#define OCT    "application/octet-stream"


static const case_t  cases[] = {

    /* whole objects */

    { "", OBJ, LE, true, M, false },
    { "*/*", OBJ, LE, true, M, false },
    { "multipart/related; type=\"application/dicom\"", OBJ, LE, true, M,
      false },
    { "multipart/related;type=application/dicom", OBJ, JPEG, true, M, false },
    { "multipart/related; type=\"application/dicom\"; transfer-syntax=*", SER,
      JPEG, false, M, false },
    { "multipart/related; type=\"application/dicom\"; transfer-syntax=" LE,
      OBJ, JPEG, true, N, false },
    { "multipart/related; type=\"application/dicom\"; transfer-syntax=" JPEG,
      OBJ, JPEG, true, M, false },
    { "application/dicom", OBJ, LE, true, S, false },
    { "application/dicom", SER, LE, false, N, false },
    { "application/dicom;q=0.5, multipart/related;type=\"application/dicom\"",
      OBJ, LE, true, M, false },
    { "application/dicom, multipart/related;type=\"application/dicom\";q=0.9",
      OBJ, LE, true, S, false },
    { "application/dicom;q=0", OBJ, LE, true, N, false },
    { "image/jpeg", OBJ, LE, true, N, false },
    { "multipart/related; type=\"image/jpeg\"", OBJ, LE, true, N, false },
    { "multipart/*", OBJ, LE, true, M, false },

    /* frames, as OHIF and dicomweb-client ask */

    { "multipart/related; type=application/octet-stream; transfer-syntax=*",
      FRM, OCT, LE, true, M, false },
    { "multipart/related; type=application/octet-stream; transfer-syntax=*",
      FRM, "image/jls", JLS, true, M, true },
    { "multipart/related; type=\"application/octet-stream\"", FRM, OCT, LE,
      true, M, false },
    { "multipart/related; type=\"application/octet-stream\"", FRM,
      "image/jpeg", JPEG, true, N, false },
    { "multipart/related; type=\"image/jpeg\"; transfer-syntax=" JPEG, FRM,
      "image/jpeg", JPEG, true, M, false },
    { "multipart/related; type=\"image/jpeg\"; transfer-syntax=" JPEG, FRM,
      "image/jls", JLS, true, N, false },
    { "image/jls", FRM, "image/jls", JLS, true, S, false },
    { "image/jls", FRM, "image/jls", JLS, false, N, false },
    { "image/*", FRM, "image/jls", JLS, true, S, false },
    { "application/octet-stream", FRM, OCT, LE, true, S, false },
    { "application/octet-stream", FRM, "image/jls", JLS, true, N, false },
    { "*/*", FRM, "image/jls", JLS, true, M, false },

    /* metadata */

    { "application/dicom+json", META, true, S, false },
    { "APPLICATION/DICOM+JSON", META, true, S, false },
    { "application/json", META, true, S, false },
    { "application/dicom+json, multipart/related; type=x/y", META, true, S,
      false },
    { "multipart/related; type=\"application/dicom+xml\"", META, true, N,
      false },
    { "*/*", META, true, S, false },
    { "text/html", META, true, N, false },

    /* bulk data */

    { "*/*", BULK, "application/pdf", "", true, S, false },
    { "application/pdf", BULK, "application/pdf", "", true, S, false },
    { "application/octet-stream", BULK, "application/pdf", "", true, S,
      true },
    { "multipart/related; type=\"application/octet-stream\"", BULK, OCT, "",
      true, M, false },
    { "text/html", BULK, OCT, "", true, N, false },
    { "multipart/*", BULK, OCT, "", true, M, false },

    /* renderings: single parts, of one type each */

    { "", THUMB, true, S, false },
    { "image/jpeg", THUMB, true, S, false },
    { "image/*", THUMB, true, S, false },
    { "text/html, image/avif, */*;q=0.8", THUMB, true, S, false },
    { "image/png", THUMB, true, N, false },
    { "image/png, image/jpeg;q=0.5", THUMB, true, S, false },
    { "multipart/*", THUMB, true, N, false },
    { "multipart/related; type=\"image/jpeg\"", THUMB, true, N, false },
    { "application/octet-stream", THUMB, true, N, false },
    { "application/pdf", REND, "application/pdf", "", true, S, false },
    { "application/*", REND, "application/pdf", "", true, S, false },
    { "image/*", REND, "application/pdf", "", true, N, false },
    { "application/pdf", REND, "image/jpeg", "", true, N, false },

    /* syntax */

    { "application/dicom+json;;q=0.3;", META, true, S, false },
    { " \t application/dicom+json \t", META, true, S, false },
    { "a b c, application/dicom+json", META, true, S, false },
    { "\"application/dicom+json\"", META, true, N, false },
    { "application/dicom+json;q=2", META, true, N, false },
    { "application/dicom+json;q=1.001", META, true, N, false },
    { "application/dicom+json;x=\"a,b", META, true, N, false },
    { "x/y;a=\"q,r\", application/dicom+json", META, true, S, false },
};


static void
run(const case_t *c)
{
    bool            octets;
    emage_form_t    form;
    emage_accept_t  accept;
    emage_stored_t  stored;

    stored.media_type = emage_str_c(c->media);
    stored.transfer_syntax = emage_str_c(c->syntax);

    form = EMAGE_FORM_NONE;
    octets = false;

    if (emage_accept_parse(emage_str_c(c->accept), &accept) == EMAGE_OK) {
        form = emage_accept_choose(&accept, c->kind, &stored, 1, c->single,
                                   &octets);
    }

    tap_ok(form == c->form && octets == c->octets, "\"%s\" of %s %s",
           c->accept, c->media, c->syntax);
}


static void
mixed(void)
{
    bool            octets;
    emage_accept_t  accept;
    emage_stored_t  stored[2];

    stored[0].media_type = emage_str("application/dicom");
    stored[0].transfer_syntax = emage_str(LE);
    stored[1].media_type = emage_str("application/dicom");
    stored[1].transfer_syntax = emage_str(JPEG);

    (void) emage_accept_parse(emage_str("multipart/related; "
                              "type=\"application/dicom\"; "
                              "transfer-syntax=" LE), &accept);

    tap_ok(emage_accept_choose(&accept, EMAGE_RESOURCE_SERIES, stored, 2,
                               false, &octets) == EMAGE_FORM_NONE,
           "one syntax does not take a series of two");

    (void) emage_accept_parse(emage_str("multipart/related; "
                              "type=\"application/dicom\"; "
                              "transfer-syntax=*"), &accept);

    tap_ok(emage_accept_choose(&accept, EMAGE_RESOURCE_SERIES, stored, 2,
                               false, &octets) == EMAGE_FORM_MULTIPART,
           "any syntax does");
}


static void
limits(void)
{
    size_t          i, n;
    emage_accept_t  accept;

    static char  text[8192];

    for (n = 0, i = 0; i < EMAGE_ACCEPT_RANGES; i++) {
        memcpy(text + n, "a/b,", 4);
        n += 4;
    }

    tap_ok(emage_accept_parse((emage_str_t) { text, n }, &accept) == EMAGE_OK
           && accept.n == EMAGE_ACCEPT_RANGES, "as many ranges as allowed");

    memcpy(text + n, "a/b", 3);

    tap_ok(emage_accept_parse((emage_str_t) { text, n + 3 }, &accept)
           == EMAGE_ERROR, "one more is refused");

    memset(text, 'a', sizeof(text));

    tap_ok(emage_accept_parse((emage_str_t) { text, EMAGE_ACCEPT_MAX + 1 },
                              &accept)
           == EMAGE_ERROR, "a header that is too long is refused");

    tap_ok(emage_str_eq(emage_frame_media_type(emage_str(JPEG)),
                        emage_str("image/jpeg"))
           && emage_str_eq(emage_frame_media_type(emage_str(LE)),
                           emage_str(OCT)),
           "media types of frames");
}


int
main(void)
{
    size_t  i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run(&cases[i]);
    }

    mixed();
    limits();

    return tap_done();
}
