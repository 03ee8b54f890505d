
/*
 * Copyright (C) The e-mage authors
 *
 * Searches: what a query asks for, which rows have it, and what is written.
 */


#include <emage/query.h>

#include <stdlib.h>
#include <string.h>

#include "oom.h"
#include "tap.h"


static const char  study_json[] =
    "{\"classes\":{\"evidence\":1,\"image\":2,\"report\":1},"
    "\"date\":\"20260131\",\"identity\":{\"identifiers\":["
    "{\"id\":\"P-123\",\"issuer\":\"750000001\"}],\"status\":\"local\"},"
    "\"modalities\":[\"CT\",\"SR\"],"
    "\"pid\":\"0123456789abcdef0123456789abcdef\",\"published\":1,"
    "\"quarantine\":\"\",\"reports\":[\"1.2.9\"],"
    "\"revised\":1,\"revision\":\"r00000001-00000000\","
    "\"row\":{\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
    "\"00080020\":{\"vr\":\"DA\",\"Value\":[\"20260131\"]},"
    "\"00080030\":{\"vr\":\"TM\",\"Value\":[\"103015.500\"]},"
    "\"00080050\":{\"vr\":\"SH\",\"Value\":[\"A1\"]},"
    "\"00080061\":{\"vr\":\"CS\",\"Value\":[\"CT\",\"SR\"]},"
    "\"00081030\":{\"vr\":\"LO\",\"Value\":[\"CHEST, sagittal\"]},"
    "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":"
    "\"Müller^Ørjan\",\"Ideographic\":\"山田^太郎\"}]},"
    "\"00100020\":{\"vr\":\"LO\",\"Value\":"
    "[\"0123456789abcdef0123456789abcdef\"]},"
    "\"00100030\":{\"vr\":\"DA\",\"Value\":[\"1970.02.01\"]},"
    "\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]},"
    "\"00201206\":{\"vr\":\"IS\",\"Value\":[2]},"
    "\"00201208\":{\"vr\":\"IS\",\"Value\":[4]}},"
    "\"sources\":[{\"id\":\"P-123\",\"issuer\":\"750000001\",\"org\":\"o\"},"
    "{\"id\":\"77\",\"issuer\":\"x\",\"org\":\"x\"}],"
    "\"study\":\"1.2\",\"version\":1}";

static const char  series_json[] =
    "[{\"count\":2,\"modality\":\"CT\",\"row\":{"
    "\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},"
    "\"00080060\":{\"vr\":\"CS\",\"Value\":[\"CT\"]},"
    "\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2\"]},"
    "\"0020000E\":{\"vr\":\"UI\",\"Value\":[\"1.2.3\"]},"
    "\"00200011\":{\"vr\":\"IS\",\"Value\":[7]},"
    "\"00400275\":{\"vr\":\"SQ\",\"Value\":[{\"00400009\":{\"vr\":\"SH\","
    "\"Value\":[\"S1\"]}},{\"00401001\":{\"vr\":\"SH\",\"Value\":[\"R2\"]}}"
    "]}},\"uid\":\"1.2.3\"},"
    "{\"count\":2,\"modality\":\"SR\",\"row\":{},\"uid\":\"1.2.4\"}]";

static const char  instances_json[] =
    "[{\"class\":\"image\",\"row\":{"
    "\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2.3.1\"]},"
    "\"00200013\":{\"vr\":\"IS\",\"Value\":[1]},"
    "\"00280010\":{\"vr\":\"US\",\"Value\":[512]}},\"uid\":\"1.2.3.1\"},"
    "{\"class\":\"report\",\"row\":{},\"uid\":\"1.2.3.2\"}]";


static char           text[EMAGE_QUERY_MAX];
static emage_rows_t  *study, *series, *instances;


static emage_rows_t *
rows(emage_level_t level, const char *json)
{
    emage_rows_t   *r;
    emage_error_t   err;

    err.text[0] = '\0';

    if (emage_rows_parse(level, emage_str_c(json), &r, &err) != EMAGE_OK) {
        printf("# %s\n", err.text);
        return NULL;
    }

    return r;
}


static bool
parses(const char *raw, emage_level_t level, emage_query_t *q)
{
    emage_error_t  err;

    err.text[0] = '\0';

    if (emage_query_parse(emage_str_c(raw), level, text, q, &err)
        == EMAGE_OK)
    {
        return true;
    }

    if (err.text[0] == '\0') {
        printf("# no text of an error\n");
        exit(1);
    }

    return false;
}


static void
test_match(void)
{
    size_t         i;
    emage_query_t  q;

    static const struct {
        const char  *query;
        bool         match;
    } cases[] = {
        { "", true }, { "&&", true }, { "foo=bar&_=1", true },
        { "PatientName=", true }, { "PatientName=*", true },
        { "PatientName=M%C3%BCller%5E%C3%98rjan", true },
        { "PatientName=MULLER%5Eorjan", true },
        { "PatientName=muller^orjan^^", true },
        { "PatientName=M%C3%BCller", false }, { "PatientName=*orja?", true },
        { "PatientName=mu*", true }, { "PatientName=*ller*", true },
        { "PatientName=u*", false }, { "PatientName=*%E5%A4%AA%E9%83%8E",
          true },
        { "PatientName=%E5%B1%B1%3F^*", true }, { "00100010=mu*", true },
        { "00100010=mu*&PatientSex=M", false },
        { "StudyDescription=CHEST*", true },
        { "StudyDescription=chest*", false },
        { "StudyDescription=CHEST,+sagittal", true },
        { "StudyDescription=CHEST,%20sagittal+", true },
        { "00081030=*sag*tal", true }, { "00081030=*sag*tals", false },
        { "00081030=??????,*", false }, { "00081030=?????,*", true },
        { "AccessionNumber=A1", true }, { "AccessionNumber=A", false },
        { "AccessionNumber=a1", false },
        { "StudyDate=20260131", true }, { "StudyDate=20260130", false },
        { "StudyDate=20260101-20260131", true },
        { "StudyDate=20260201-", false }, { "StudyDate=-20260131", true },
        { "StudyDate=20260131-", true }, { "StudyDate=-20260130", false },
        { "PatientBirthDate=19700201", true },
        { "StudyTime=1030", true }, { "StudyTime=10", true },
        { "StudyTime=103015", true }, { "StudyTime=103015.5", true },
        { "StudyTime=103016", false }, { "StudyTime=1029", false },
        { "StudyTime=1000-1030", true }, { "StudyTime=1000-1029", false },
        { "StudyTime=1031-", false }, { "StudyTime=-103015.4", false },
        { "ModalitiesInStudy=CT", true }, { "ModalitiesInStudy=SR", true },
        { "ModalitiesInStudy=MR", false }, { "ModalitiesInStudy=C?", true },
        { "ModalitiesInStudy=MR,SR", true },
        { "ModalitiesInStudy=MR%5CSR", true },
        { "StudyInstanceUID=1.2", true }, { "StudyInstanceUID=1.3", false },
        { "StudyInstanceUID=1.3,1.2", true },
        { "StudyInstanceUID=1.3&StudyInstanceUID=1.2", true },
        { "StudyInstanceUID=1.3&StudyDate=20260131&0020000D=1.2", true },
        { "StudyInstanceUID=1.3&0020000d=1.4", false },
        { "StudyInstanceUID=1.2&StudyInstanceUID=1.2", true },
        { "StudyInstanceUID=,", true },
        { "PatientID=0123456789abcdef0123456789abcdef", true },
        { "PatientID=P-123", true }, { "00100020=*123*", true },
        { "PatientID=77", true }, { "PatientID=7", false },
        { "PatientID=750000001", false },
        { "OtherPatientIDsSequence.PatientID=77", true },
        { "00101002.00100021=750000001", true },
        { "00101002.00100021=75000000", false },
        { "NumberOfStudyRelatedInstances=04", true },
        { "NumberOfStudyRelatedInstances=5", false },
        { "StudyID=*", true }, { "StudyID=1", false },
        { "Modality=MR", true }, { "SeriesInstanceUID=1.9", true },
        { "SOPInstanceUID=1.9", true }, { "Manufacturer=x", true },
        { "00080070=x", true }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tap_ok(parses(cases[i].query, EMAGE_LEVEL_STUDY, &q)
               && emage_query_match(&q, EMAGE_LEVEL_STUDY, &study->rows[0],
                                    NULL)
                  == cases[i].match,
               "%s: %s", cases[i].query, cases[i].match ? "yes" : "no");
    }
}


static void
test_levels(void)
{
    emage_query_t  q;

    tap_ok(parses("Modality=CT&SeriesNumber=007&StudyInstanceUID=1.2"
                  "&RequestAttributesSequence.ScheduledProcedureStepID=S1"
                  "&00400275.RequestedProcedureID=R?", EMAGE_LEVEL_SERIES, &q)
           && emage_query_match(&q, EMAGE_LEVEL_STUDY, &study->rows[0], NULL)
           && emage_query_match(&q, EMAGE_LEVEL_SERIES, &series->rows[0],
                                NULL)
           && !emage_query_match(&q, EMAGE_LEVEL_SERIES, &series->rows[1],
                                 NULL)
           && q.ignored == 0 && emage_query_has(&q, EMAGE_LEVEL_SERIES)
           && !emage_query_has(&q, EMAGE_LEVEL_INSTANCE), "series");

    tap_ok(parses("SOPInstanceUID=1.2.3.1&Rows=512&InstanceNumber=1",
                  EMAGE_LEVEL_INSTANCE, &q)
           && emage_query_match(&q, EMAGE_LEVEL_INSTANCE, &instances->rows[0],
                                NULL)
           && !emage_query_match(&q, EMAGE_LEVEL_INSTANCE,
                                 &instances->rows[1], NULL), "instances");

    tap_ok(parses("Modality=CT&00080060=MR&00081190=x&Bogus=1&bogus=1",
                  EMAGE_LEVEL_STUDY, &q) && q.nkeys == 0 && q.ignored == 4,
           "what is no key of the level is ignored, and counted");
}


static void
test_options(void)
{
    emage_query_t  q;

    tap_ok(parses("limit=101&offset=7&fuzzymatching=false&includefield="
                  "00081030%2C00080060,StudyDate&includefield=PatientName",
                  EMAGE_LEVEL_STUDY, &q)
           && q.limited && q.limit == 101 && q.offset == 7 && !q.fuzzy
           && !q.include_all && __builtin_popcountll(q.include) == 4,
           "options");
    tap_ok(parses("limit=0", EMAGE_LEVEL_STUDY, &q) && q.limited
           && q.limit == 0, "limit 0");
    tap_ok(parses("includefield=all&fuzzymatching=true"
                  "&emptyvaluematching=true&multiplevaluematching=true",
                  EMAGE_LEVEL_STUDY, &q)
           && !q.limited && q.include_all && q.fuzzy && q.emptyvalue
           && q.multiplevalue, "all options");
}


static void
test_bad(void)
{
    size_t         i;
    emage_query_t  q;
    static char    long_query[EMAGE_QUERY_MAX + 2];

    static const char *const  bad[] = {
        "limit=", "limit=x", "limit=-1", "limit=1.5", "limit=1234567890",
        "limit=1&limit=1", "offset=1&offset=2", "offset=%2B1",
        "fuzzymatching=1", "fuzzymatching=TRUE",
        "fuzzymatching=true&fuzzymatching=true",
        "PatientName=a&PatientName=b", "PatientName=a&00100010=a",
        "PatientName=&PatientName=a", "PatientName=a&PatientName=*",
        "StudyDate=2026", "StudyDate=20261301", "StudyDate=20260132",
        "StudyDate=20260101-20260201-20260301", "StudyDate=-",
        "StudyDate=2026*", "StudyTime=1", "StudyTime=2400",
        "StudyTime=1260", "StudyTime=120000.", "StudyTime=120000.1234567",
        "StudyTime=abc", "StudyTime=-", "StudyInstanceUID=abc",
        "StudyInstanceUID=1.2,*", "StudyInstanceUID=1..2",
        "NumberOfStudyRelatedInstances=x",
        "NumberOfStudyRelatedInstances=1234567890123",
        "PatientName=%", "PatientName=%4", "PatientName=%zz", "%=1",
        "PatientName=%00", "PatientName=a%0Ab", "PatientName=%7F",
        "PatientName=%C3", "PatientName=%C0%80", "PatientName=\xff",
        "PatientName=%ED%A0%80", "foo=%00", "PatientName=%C2%85",
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tap_ok(!parses(bad[i], EMAGE_LEVEL_STUDY, &q) && q.nkeys == 0,
               "%s: bad", bad[i]);
    }

    memset(long_query, '&', sizeof(long_query) - 1);
    tap_ok(!parses(long_query, EMAGE_LEVEL_STUDY, &q), "too long");

    long_query[EMAGE_QUERY_PARAMETERS + 1] = '\0';
    tap_ok(!parses(long_query, EMAGE_LEVEL_STUDY, &q), "too many parameters");

    strcpy(long_query, "PatientName=");
    memset(long_query + 12, 'x', EMAGE_QUERY_TEXT_MAX + 1);
    long_query[12 + EMAGE_QUERY_TEXT_MAX + 1] = '\0';
    tap_ok(!parses(long_query, EMAGE_LEVEL_STUDY, &q), "a value too long");

    long_query[12 + EMAGE_QUERY_TEXT_MAX] = '\0';
    tap_ok(parses(long_query, EMAGE_LEVEL_STUDY, &q), "a long value");

    long_query[0] = '\0';

    for (i = 0; i <= EMAGE_QUERY_KEYS; i++) {
        strcat(long_query, "0020000D=1&");
    }

    tap_ok(!parses(long_query, EMAGE_LEVEL_STUDY, &q), "too many keys");
}


static void
test_uids(void)
{
    size_t         pos;
    unsigned       n;
    emage_str_t    uid;
    emage_query_t  q;

    static const char *const  want[] = { "1.1", "1.2", "1.3", "1.4", "1.5" };

    (void) parses("StudyInstanceUID=1.1,1.2&StudyDate=20260101"
                  "&StudyInstanceUID=,1.3,&StudyInstanceUID=1.4%5C1.5",
                  EMAGE_LEVEL_STUDY, &q);

    for (n = 0, pos = 0; emage_query_uid(&q, 0x0020000D, &pos, &uid); n++) {
        if (n == 5 || !emage_str_eq(uid, emage_str_c(want[n]))) {
            break;
        }
    }

    tap_ok(n == 5, "UIDs of lists and repetitions");

    pos = 0;
    tap_ok(!emage_query_uid(&q, 0x0020000E, &pos, &uid), "none of a series");
    tap_ok(emage_str_eq(emage_query_value(&q, 0x00080020),
                        emage_str("20260101"))
           && emage_query_value(&q, 0x00100020).data == NULL, "a value");
}


static bool
hash(void *data, emage_str_t name, emage_str_t value, char *hex)
{
    (void) value;

    if (data == NULL) {
        return false;
    }

    memset(hex, 'a', 32);
    memcpy(hex, name.data, 4);

    return true;
}


static void
test_describe(void)
{
    emage_buf_t    out;
    emage_query_t  q;

    emage_buf_init(&out, 65536);

    (void) parses("StudyInstanceUID=1.1&PatientName=x&StudyDate=20260101-"
                  "&PatientBirthDate=19700101&StudyInstanceUID=1.2&limit=5"
                  "&offset=2&OtherPatientIDsSequence.PatientID=7",
                  EMAGE_LEVEL_STUDY, &q);

    (void) emage_query_describe(&q, hash, &out, &out);
    tap_is_str(emage_buf_cstr(&out),
               "{\"StudyDate\":\"20260101-\","
               "\"PatientName\":\"Patiaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
               "\"PatientBirthDate\":\"Patiaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
               "\"OtherPatientIDsSequence.PatientID\":"
               "\"Patiaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
               "\"StudyInstanceUID\":[\"1.1\",\"1.2\"],"
               "\"limit\":5,\"offset\":2}", "for the journal");

    emage_buf_reset(&out);
    (void) parses("AccessionNumber=1", EMAGE_LEVEL_STUDY, &q);
    (void) emage_query_describe(&q, hash, NULL, &out);
    tap_is_str(emage_buf_cstr(&out), "{\"AccessionNumber\":null}",
               "without a key");

    emage_buf_reset(&out);
    (void) parses("offset=3", EMAGE_LEVEL_STUDY, &q);
    (void) emage_query_describe(&q, hash, NULL, &out);
    tap_is_str(emage_buf_cstr(&out), "{\"offset\":3}", "an option alone");

    emage_buf_free(&out);
}


static void
test_write(void)
{
    emage_buf_t             out;
    emage_query_t           q;
    emage_overlay_t         s, e, i;
    const emage_row_t      *r[3];
    const emage_overlay_t  *o[3];

    emage_buf_init(&out, 65536);

    r[0] = &study->rows[0];
    r[1] = &series->rows[0];
    r[2] = &instances->rows[0];

    emage_overlay_init(&s);
    emage_overlay_init(&e);
    emage_overlay_init(&i);

    tap_ok(emage_overlay_strings(&s, 0x00080061, "CS",
                                 (emage_str_t[]) { emage_str("CT") }, 1)
           == EMAGE_OK
           && emage_overlay_strings(&s, 0x00081190, "UR",
                                    (emage_str_t[]) { emage_str("/s/\"") }, 1)
              == EMAGE_OK
           && emage_overlay_number(&s, 0x00201206, "IS", 1) == EMAGE_OK
           && emage_overlay_number(&s, 0x00201208, "IS", 2) == EMAGE_OK
           && emage_overlay_number(&e, 0x00201209, "IS", 2) == EMAGE_OK,
           "overlays");
    tap_ok(emage_overlay_number(&s, 0x00201208, "IS", 2) != EMAGE_OK
           && emage_overlay_number(&s, 0x00080005, "IS", 2) != EMAGE_OK,
           "in ascending order only");

    o[0] = &s;
    o[1] = &e;
    o[2] = &i;

    (void) parses("ModalitiesInStudy=SR", EMAGE_LEVEL_STUDY, &q);
    tap_ok(emage_query_match(&q, EMAGE_LEVEL_STUDY, r[0], NULL)
           && !emage_query_match(&q, EMAGE_LEVEL_STUDY, r[0], &s),
           "what is counted anew is what is asked for");

    (void) parses("", EMAGE_LEVEL_STUDY, &q);
    tap_ok(emage_overlay_strings(&i, 0x00080061, "CS", NULL, 0) == EMAGE_OK
           && emage_query_write(&q, EMAGE_LEVEL_STUDY,
                                (const emage_row_t *[]) { r[0], NULL, NULL },
                                (const emage_overlay_t *[]) { &i, NULL, NULL },
                                &out) == EMAGE_OK
           && strstr(emage_buf_cstr(&out), "00080061") == NULL
           && strstr(out.data, "00081030") != NULL,
           "without a value there is no attribute");
    emage_overlay_init(&i);
    emage_buf_reset(&out);

    (void) emage_query_write(&q, EMAGE_LEVEL_STUDY,
                             (const emage_row_t *[]) { r[0], NULL, NULL },
                             (const emage_overlay_t *[]) { &s, NULL, NULL },
                             &out);
    tap_ok(strstr(emage_buf_cstr(&out), "\"00080061\":{\"vr\":\"CS\","
                  "\"Value\":[\"CT\"]},\"00081030\"") != NULL
           && strstr(out.data, "\"00081190\":{\"vr\":\"UR\",\"Value\":"
                     "[\"/s/\\\"\"]},\"00100010\":{\"vr\":\"PN\",\"Value\":"
                     "[{\"Alphabetic\":\"Müller^Ørjan\"") != NULL
           && strstr(out.data, "\"00201206\":{\"vr\":\"IS\",\"Value\":[1]},"
                     "\"00201208\":{\"vr\":\"IS\",\"Value\":[2]}}") != NULL
           && strstr(out.data, "00101002") == NULL, "a study");

    emage_buf_reset(&out);
    (void) parses("includefield=OtherPatientIDsSequence", EMAGE_LEVEL_STUDY,
                  &q);
    (void) emage_query_write(&q, EMAGE_LEVEL_STUDY,
                             (const emage_row_t *[]) { r[0], NULL, NULL },
                             (const emage_overlay_t *[]) { &s, NULL, NULL },
                             &out);
    tap_ok(strstr(emage_buf_cstr(&out), "\"00101002\":{\"vr\":\"SQ\","
                  "\"Value\":[{\"00100020\":{\"vr\":\"LO\",\"Value\":"
                  "[\"P-123\"]},\"00100021\":{\"vr\":\"LO\",\"Value\":"
                  "[\"750000001\"]}},{\"00100020\":{\"vr\":\"LO\",\"Value\":"
                  "[\"77\"]}") != NULL, "identifiers when they are asked for");

    emage_buf_reset(&out);
    (void) parses("includefield=PatientName", EMAGE_LEVEL_INSTANCE, &q);
    (void) emage_query_write(&q, EMAGE_LEVEL_INSTANCE, r, o, &out);
    tap_is_str(emage_buf_cstr(&out),
               "{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2.3.1\"]},"
               "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":"
               "\"Müller^Ørjan\",\"Ideographic\":\"山田^太郎\"}]},"
               "\"00200013\":{\"vr\":\"IS\",\"Value\":[1]},"
               "\"00280010\":{\"vr\":\"US\",\"Value\":[512]}}",
               "an instance, and what is included");

    emage_buf_reset(&out);
    (void) parses("", EMAGE_LEVEL_INSTANCE, &q);
    (void) emage_query_write(&q, EMAGE_LEVEL_SERIES, r, o, &out);
    tap_ok(strstr(emage_buf_cstr(&out), "\"00080060\"") != NULL
           && strstr(out.data, "\"00201209\":{\"vr\":\"IS\",\"Value\":[2]}")
              != NULL
           && strstr(out.data, "\"00100010\"") == NULL,
           "levels that the path leaves open");

    emage_buf_free(&out);
}


static void
test_rows(void)
{
    size_t         i;
    emage_rows_t  *r;

    static const struct {
        emage_level_t  level;
        const char    *json;
    } bad[] = {
        { EMAGE_LEVEL_STUDY, "" }, { EMAGE_LEVEL_STUDY, "[]" },
        { EMAGE_LEVEL_STUDY, "{}" }, { EMAGE_LEVEL_STUDY, "{" },
        { EMAGE_LEVEL_SERIES, "{}" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"1\",\"row\":{}}]" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"x\",\"row\":{},\"count\":1}]" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"1\",\"row\":[],\"count\":1}]" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"1\",\"row\":{},\"count\":0}]" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"2\",\"row\":{},\"count\":1},"
                              "{\"uid\":\"1\",\"row\":{},\"count\":1}]" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"1\",\"row\":{\"0008\":{}},"
                              "\"count\":1}]" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"1\",\"row\":{\"0020000d\":{}},"
                              "\"count\":1}]" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"1\",\"row\":{\"00080020\":{},"
                              "\"00080005\":{}},\"count\":1}]" },
        { EMAGE_LEVEL_SERIES, "[{\"uid\":\"1\",\"row\":{\"00080020\":1},"
                              "\"count\":1}]" },
        { EMAGE_LEVEL_INSTANCE, "[{\"uid\":\"1\",\"row\":{}}]" },
        { EMAGE_LEVEL_INSTANCE, "[{\"uid\":\"1\",\"row\":{},"
                                "\"class\":\"x\"}]" }
    };

    tap_ok(study->n == 1 && study->nreports == 1
           && emage_str_eq(study->reports[0], emage_str("1.2.9"))
           && study->classes[EMAGE_CLASS_IMAGE] == 2
           && study->classes[EMAGE_CLASS_EVIDENCE] == 1
           && study->pid.len == 32
           && emage_str_eq(study->date, emage_str("20260131"))
           && emage_str_eq(study->revision, emage_str("r00000001-00000000")),
           "study.json");
    tap_ok(series->n == 2 && series->rows[0].count == 2
           && emage_str_eq(series->rows[1].modality, emage_str("SR"))
           && emage_rows_find(series, emage_str("1.2.4")) == &series->rows[1]
           && emage_rows_find(series, emage_str("1.2.5")) == NULL,
           "series.json");
    tap_ok(instances->n == 2 && instances->rows[1].cls == EMAGE_CLASS_REPORT,
           "instances.json");
    tap_ok(emage_rows_size(study) > 1000, "the size of it");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tap_ok(rows(bad[i].level, bad[i].json) == NULL, "damaged: %s",
               bad[i].json);
    }

    r = rows(EMAGE_LEVEL_SERIES, "[]");
    tap_ok(r != NULL && r->n == 0
           && emage_rows_find(r, emage_str("1")) == NULL, "no series");
    emage_rows_free(r);
}


/* Every allocation of a parse fails once, alone and with all that follow. */

static void
test_memory(void)
{
    int             all, level;
    long            n, live;
    unsigned        failed, wrong, leaks;
    emage_rc_t      rc;
    emage_rows_t   *r;
    emage_error_t   err;

    static const char *const  texts[] = {
        study_json, series_json, instances_json
    };

    failed = 0;
    wrong = 0;
    leaks = 0;

    for (level = 0; OOM_READY && level < 6; level++) {
        all = level % 2;

        for (n = 0; n < 10000; n++) {
            live = oom_live;
            oom_all = all;
            oom_after = n;

            rc = emage_rows_parse((emage_level_t) (level / 2),
                                  emage_str_c(texts[level / 2]), &r, &err);

            if (rc == EMAGE_OK && oom_after > 0) {
                oom_after = -1;
                emage_rows_free(r);
                break;
            }

            oom_after = -1;

            failed += (rc == EMAGE_NOMEM);
            wrong += (rc == EMAGE_ERROR);

            if (rc == EMAGE_OK) {
                emage_rows_free(r);
            }

            leaks += (oom_live != live);
        }
    }

    tap_ok(wrong == 0 && leaks == 0 && (failed > 100 || !OOM_READY),
           "%u parses without memory: %u taken for damage, %u leaks", failed,
           wrong, leaks);
}


int
main(void)
{
    study = rows(EMAGE_LEVEL_STUDY, study_json);
    series = rows(EMAGE_LEVEL_SERIES, series_json);
    instances = rows(EMAGE_LEVEL_INSTANCE, instances_json);

    if (!tap_ok(study != NULL && series != NULL && instances != NULL,
                "rows are parsed"))
    {
        return tap_done();
    }

    test_rows();
    test_match();
    test_levels();
    test_options();
    test_bad();
    test_uids();
    test_describe();
    test_write();
    test_memory();

    emage_rows_free(study);
    emage_rows_free(series);
    emage_rows_free(instances);

    return tap_done();
}
