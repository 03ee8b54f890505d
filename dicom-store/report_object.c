
/*
 * Copyright (C) The e-mage authors
 */


#include "report_object.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "part10.h"


#define EMAGE_PDF_STORAGE   "1.2.840.10008.5.1.4.1.1.104.1"
#define EMAGE_REPORT_TS     "1.2.840.10008.1.2.1"
#define EMAGE_REPORT_VALUE  65534


static void emage_report_head(emage_buf_t *out, uint32_t tag, const char *vr,
    size_t len);
static void emage_report_text(emage_buf_t *out, uint32_t tag, const char *vr,
    emage_str_t value);
static void emage_report_c(emage_buf_t *out, uint32_t tag, const char *vr,
    const char *value);
static void emage_report_row(emage_buf_t *out, const json_t *row,
    uint32_t tag, const char *vr);
static void emage_report_value(emage_buf_t *text, const json_t *value);
static void emage_report_general(emage_buf_t *out,
    const emage_report_object_t *o);
static void emage_report_u16(emage_buf_t *out, unsigned n);
static void emage_report_u32(emage_buf_t *out, uint32_t n);


bool
emage_report_uid(char *dst, size_t size)
{
    int            n;
    char           digits[40];
    size_t         i, len;
    unsigned       rest;
    unsigned char  b[16];

    if (!emage_random(b, sizeof(b))) {
        return false;
    }

    /* a UUID of version 4, RFC 4122 section 4.4, as a decimal number */

    b[6] = (unsigned char) ((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char) ((b[8] & 0x3f) | 0x80);

    len = sizeof(digits) - 1;
    digits[len] = '\0';

    do {
        rest = 0;

        for (i = 0; i < sizeof(b); i++) {
            rest = rest * 256 + b[i];
            b[i] = (unsigned char) (rest / 10);
            rest %= 10;
        }

        digits[--len] = (char) ('0' + rest);

    } while (len > 0);

    while (digits[len] == '0') {
        len++;
    }

    n = snprintf(dst, size, "2.25.%s", digits + len);

    return n > 0 && (size_t) n < size;
}


bool
emage_report_title(const char *title, size_t max)
{
    size_t       i, n;
    json_t      *text;

    text = json_string(title);       /* refuses what is no UTF-8 */

    if (text == NULL) {
        return false;
    }

    json_decref(text);

    n = 0;

    for (i = 0; title[i] != '\0'; i++) {
        unsigned char  c = (unsigned char) title[i];

        if (c < ' ' || c == 0x7f || c == '\\') {
            return false;
        }

        n += ((c & 0xc0) != 0x80);
    }

    return n >= 1 && n <= max;
}


static void
emage_report_u16(emage_buf_t *out, unsigned n)
{
    unsigned char  b[2] = { (unsigned char) n, (unsigned char) (n >> 8) };

    (void) emage_buf_add(out, b, 2);
}


static void
emage_report_u32(emage_buf_t *out, uint32_t n)
{
    emage_report_u16(out, n & 0xffff);
    emage_report_u16(out, n >> 16);
}


/* PS3.5 section 7.1.2; a failed buffer stays failed. */

static void
emage_report_head(emage_buf_t *out, uint32_t tag, const char *vr, size_t len)
{
    emage_report_u16(out, tag >> 16);
    emage_report_u16(out, tag & 0xffff);
    (void) emage_buf_add(out, vr, 2);

    if (strcmp(vr, "OB") == 0 || strcmp(vr, "SQ") == 0) {
        emage_report_u16(out, 0);
        emage_report_u32(out, (uint32_t) len);

    } else {
        emage_report_u16(out, (unsigned) len);
    }
}


static void
emage_report_text(emage_buf_t *out, uint32_t tag, const char *vr,
    emage_str_t value)
{
    char  pad;

    if (value.len > EMAGE_REPORT_VALUE) {
        value.len = 0;
    }

    emage_report_head(out, tag, vr, value.len + value.len % 2);
    (void) emage_buf_add(out, value.data, value.len);

    if (value.len % 2 != 0) {
        pad = (strcmp(vr, "UI") == 0) ? '\0' : ' ';
        (void) emage_buf_add(out, &pad, 1);
    }
}


static void
emage_report_c(emage_buf_t *out, uint32_t tag, const char *vr,
    const char *value)
{
    emage_report_text(out, tag, vr, emage_str_c(value));
}


/* A value of DICOM JSON: a string, or the groups of a person's name. */

static void
emage_report_value(emage_buf_t *text, const json_t *value)
{
    size_t       i, last;
    const char  *group[3];

    if (json_is_string(value)) {
        (void) emage_buf_add(text, json_string_value(value),
                             json_string_length(value));
        return;
    }

    group[0] = json_string_value(json_object_get(value, "Alphabetic"));
    group[1] = json_string_value(json_object_get(value, "Ideographic"));
    group[2] = json_string_value(json_object_get(value, "Phonetic"));

    last = (group[2] != NULL) ? 2 : (group[1] != NULL) ? 1 : 0;

    for (i = 0; i <= last; i++) {
        if (i > 0) {
            (void) emage_buf_add(text, "=", 1);
        }

        if (group[i] != NULL) {
            (void) emage_buf_add_c(text, group[i]);
        }
    }
}


/* What the study's row has of an attribute, empty when it has nothing. */

static void
emage_report_row(emage_buf_t *out, const json_t *row, uint32_t tag,
    const char *vr)
{
    char          name[16];
    json_t       *values, *value;
    size_t        i;
    emage_buf_t   text;

    (void) snprintf(name, sizeof(name), "%08X", (unsigned) tag);

    emage_buf_init(&text, EMAGE_REPORT_VALUE);

    values = json_object_get(json_object_get(row, name), "Value");

    json_array_foreach(values, i, value) {
        if (i > 0) {
            (void) emage_buf_add(&text, "\\", 1);
        }

        emage_report_value(&text, value);
    }

    emage_report_text(out, tag, vr,
                      text.failed ? emage_null_str
                                  : (emage_str_t) { text.data, text.len });

    emage_buf_free(&text);
}


/* SOP common, study, patient, series: ascending by tag. */

static void
emage_report_general(emage_buf_t *out, const emage_report_object_t *o)
{
    char       date[16], clock[16];
    time_t     now;
    struct tm  tm;

    date[0] = '\0';
    clock[0] = '\0';
    now = time(NULL);

    if (localtime_r(&now, &tm) != NULL) {
        (void) strftime(date, sizeof(date), "%Y%m%d", &tm);
        (void) strftime(clock, sizeof(clock), "%H%M%S", &tm);
    }

    emage_report_c(out, 0x00080005, "CS", "ISO_IR 192");
    emage_report_c(out, 0x00080012, "DA", date);
    emage_report_c(out, 0x00080013, "TM", clock);
    emage_report_c(out, 0x00080016, "UI", EMAGE_PDF_STORAGE);
    emage_report_c(out, 0x00080018, "UI", o->sop);
    emage_report_row(out, o->row, 0x00080020, "DA");
    emage_report_c(out, 0x00080023, "DA", date);
    emage_report_c(out, 0x0008002a, "DT", "");
    emage_report_row(out, o->row, 0x00080030, "TM");
    emage_report_c(out, 0x00080033, "TM", clock);
    emage_report_row(out, o->row, 0x00080050, "SH");
    emage_report_c(out, 0x00080060, "CS", "DOC");
    emage_report_c(out, 0x00080064, "CS", "WSD");
    emage_report_c(out, 0x00080070, "LO", "e-mage");
    emage_report_row(out, o->row, 0x00080090, "PN");
    emage_report_row(out, o->row, 0x00081030, "LO");
    emage_report_c(out, 0x0008103e, "LO", o->title);
    emage_report_row(out, o->row, 0x00100010, "PN");
    emage_report_c(out, 0x00100020, "LO", o->patient_id);
    emage_report_row(out, o->row, 0x00100030, "DA");
    emage_report_row(out, o->row, 0x00100040, "CS");
    emage_report_c(out, 0x0020000d, "UI", o->study);
    emage_report_c(out, 0x0020000e, "UI", o->series);
    emage_report_row(out, o->row, 0x00200010, "SH");
    emage_report_c(out, 0x00200011, "IS", "9000");
    emage_report_c(out, 0x00200013, "IS", "1");
    emage_report_c(out, 0x00280301, "CS", "YES");
}


emage_rc_t
emage_report_write(const emage_report_object_t *o, emage_buf_t *out)
{
    if (emage_part10_header(out, emage_str(EMAGE_PDF_STORAGE),
                            emage_str_c(o->sop), emage_str(EMAGE_REPORT_TS))
        != EMAGE_OK)
    {
        return EMAGE_NOMEM;
    }

    emage_report_general(out, o);

    /* encapsulated document module (PS3.3 section C.24.2) */

    emage_report_head(out, 0x0040a043, "SQ", 0);
    emage_report_c(out, 0x00420010, "ST", o->title);
    emage_report_head(out, 0x00420011, "OB", o->pdf.len + o->pdf.len % 2);
    (void) emage_buf_add(out, o->pdf.data, o->pdf.len);

    if (o->pdf.len % 2 != 0) {
        (void) emage_buf_add(out, "\0", 1);
    }

    emage_report_c(out, 0x00420012, "LO", "application/pdf");
    emage_report_head(out, 0x00420015, "UL", 4);
    emage_report_u32(out, (uint32_t) o->pdf.len);

    return out->failed ? EMAGE_NOMEM : EMAGE_OK;
}
