
/*
 * Copyright (C) The e-mage authors
 *
 * The journal's format: what is sealed is read, and nothing else is.
 */


#include <stdlib.h>
#include <time.h>

#include <openssl/evp.h>

#include "journal_access.h"
#include "oom.h"
#include "tap.h"


static bool lines(emage_journal_reader_t *r, emage_str_t text,
    emage_error_t *err);
static void test_seal(void);
static void test_bodies(void);
static void test_hostile(void);
static void test_reader(void);
static void test_name(void);
static void test_oom(void);
static void test_speed(void);


/* Hands every line of `text` to the reader; false at the first refused. */

static bool
lines(emage_journal_reader_t *r, emage_str_t text, emage_error_t *err)
{
    emage_str_t  line;
    const char  *end;

    while (text.len > 0) {
        end = memchr(text.data, '\n', text.len);

        if (end == NULL) {
            return false;
        }

        line.data = text.data;
        line.len = (size_t) (end - text.data);

        if (emage_journal_reader_line(r, line, err) != EMAGE_OK) {
            return false;
        }

        text.data += line.len + 1;
        text.len -= line.len + 1;
    }

    return true;
}


static void
test_seal(void)
{
    char            hex[64], want[128];
    emage_buf_t     out;
    emage_chain_t   chain, before;
    unsigned char   md[32];

    emage_buf_init(&out, EMAGE_JOURNAL_LINE_MAX);
    emage_chain_init(&chain);

    tap_ok(emage_chain_seal(&chain, emage_str("\"type\":\"x\""), &out)
           == EMAGE_OK, "seal");

    (void) snprintf(want, sizeof(want), "{\"seq\":0,\"prev\":\"%064d\","
                    "\"type\":\"x\"}\n", 0);

    tap_is_str(emage_buf_cstr(&out), want, "the first line");

    (void) EVP_Digest(out.data, out.len - 1, md, NULL, EVP_sha256(), NULL);
    emage_hex(hex, md, 32);

    tap_ok(chain.seq == 1 && memcmp(chain.prev, hex, 64) == 0,
           "the chain holds the hash of the line without its newline");

    before = chain;

    tap_ok(emage_chain_seal(&chain, emage_str("\"a\":\n1"), &out)
           == EMAGE_ERROR, "a newline in a body is refused");
    tap_ok(emage_chain_seal(&chain, emage_null_str, &out) == EMAGE_ERROR,
           "an empty body is refused");

    out.max = out.len + 20;
    out.size = out.len + 1;

    tap_ok(emage_chain_seal(&chain, emage_str("\"type\":\"x\""), &out)
           == EMAGE_NOMEM, "a full buffer");
    tap_ok(memcmp(&before, &chain, sizeof(chain)) == 0 && !out.failed
           && strlen(want) == out.len,
           "a failure changes neither chain nor buffer");

    emage_buf_free(&out);
}


static void
test_bodies(void)
{
    emage_buf_t     b;
    emage_access_t  a;

    emage_buf_init(&b, 65536);

    fill(&a, EMAGE_ACCESS_INTENT);

    tap_ok(emage_access_body(&b, &a) == EMAGE_OK, "intent");
    tap_is_str(emage_buf_cstr(&b),
               "\"type\":\"intent\",\"time\":\"2026-11-24T08:15:30.123Z\","
               "\"decision_id\":\"4f1c3c1e8a9b4d5e6f708192a3b4c5d6\","
               "\"request_id\":\"9a8b7c6d5e4f3a2b1c0d\","
               "\"subject_kind\":\"professional\","
               "\"subject\":\"urn:oid:1.2.250.1.71.4.2.1|810101201234\","
               "\"issuer\":\"psc\",\"profession\":\"physician\","
               "\"organisation\":\"urn:finess|750000001\","
               "\"session\":\"0123456789abcdef0123456789abcdef\","
               "\"purpose\":\"TREAT\",\"action\":\"series\","
               "\"study\":\"1.2.840.113619.2.55.3.604688119.868."
               "1249343483.504\","
               "\"series\":\"1.2.840.113619.2.55.3.604688119.868."
               "1249343483.510\","
               "\"pid\":\"00112233445566778899aabbccddeeff\","
               "\"decision\":\"permit\","
               "\"reasons\":[\"care-team-named\",\"sharing-active\"],"
               "\"policy\":\"2f7d91c4a0b35e18\",\"study_version\":3,"
               "\"patient_version\":7", "its members and their order");

    emage_buf_reset(&b);
    memset(&a, 0, sizeof(a));
    a.type = EMAGE_ACCESS_OUTCOME;
    a.decision_id = emage_str("d");
    a.status = 200;
    a.requests = 4;
    a.bytes = UINT64_MAX;
    a.frames = 12;
    a.incomplete = 1;
    a.ninstances = 2;
    a.instances = emage_str("[\"1.2\",\"1.3\"]");
    a.duration = 1234;

    tap_ok(emage_access_body(&b, &a) == EMAGE_OK, "outcome");
    tap_is_str(emage_buf_cstr(&b),
               "\"type\":\"outcome\",\"time\":\"1970-01-01T00:00:00.000Z\","
               "\"decision_id\":\"d\",\"decision\":\"permit\","
               "\"status\":200,\"requests\":4,\"bytes\":9223372036854775807,"
               "\"frames\":12,\"incomplete\":1,\"ninstances\":2,"
               "\"instances\":[\"1.2\",\"1.3\"],\"duration\":1234",
               "its members and their order");

    emage_buf_reset(&b);
    memset(&a, 0, sizeof(a));
    a.type = EMAGE_ACCESS_REFUSAL;
    a.errors = 2;
    a.cause = emage_str("facts");

    (void) emage_access_body(&b, &a);
    tap_is_str(emage_buf_cstr(&b),
               "\"type\":\"refusal\",\"time\":\"1970-01-01T00:00:00.000Z\","
               "\"decision\":\"deny\",\"errors\":2,\"cause\":\"facts\"",
               "a refusal without subject");

    a.type = (emage_access_type_t) 3;
    tap_ok(emage_access_body(&b, &a) == EMAGE_ERROR, "an unknown type");

    emage_buf_reset(&b);
    (void) emage_count_body(&b, 1795508130, "unauthenticated", 17);
    tap_is_str(emage_buf_cstr(&b),
               "\"type\":\"count\",\"time\":\"2026-11-24T08:15:30.000Z\","
               "\"what\":\"unauthenticated\",\"n\":17", "a count");

    tap_ok(emage_journal_open_body(&b, "other", a.pid, a.pid, 0)
           == EMAGE_ERROR, "an unknown kind of file");

    emage_buf_free(&b);
}


/* CR LF, NUL, ESC, overlong UTF-8, bidi: still one line, one object */

static void
test_hostile(void)
{
    bool                    ok;
    size_t                  i, k;
    char                    bytes[300];
    emage_buf_t             out, b;
    emage_error_t           err;
    emage_chain_t           chain;
    emage_access_t          a;
    emage_journal_reader_t  r;

    emage_buf_init(&out, 64 * 1024 * 1024);
    emage_buf_init(&b, EMAGE_JOURNAL_LINE_MAX);
    emage_chain_init(&chain);
    emage_journal_reader_init(&r);

    ok = emage_journal_open_body(&b, "access", emage_str("n\r\n\"x"),
                                 emage_str("\x1b[2J\0p"), 0) == EMAGE_OK
         && emage_chain_seal(&chain, str(&b), &out) == EMAGE_OK;

    srand(1);

    for (i = 0; i < 2000; i++) {
        fill(&a, (emage_access_type_t) (i % 3));

        for (k = 0; k < sizeof(bytes); k++) {
            bytes[k] = (char) (i < 256 ? (size_t) (i + k) : (size_t) rand());
        }

        a.request_id = (emage_str_t) { bytes, 100 };
        a.study = (emage_str_t) { bytes + 100, 100 };
        subject.id = (emage_str_t) { bytes + 200, 100 };
        a.cause = emage_str("\xe2\x80\xae\xc0\xaf\xed\xa0\x80\r\n{\"seq\":1");

        emage_buf_reset(&b);

        ok = ok && emage_access_body(&b, &a) == EMAGE_OK
             && emage_chain_seal(&chain, str(&b), &out) == EMAGE_OK;
    }

    tap_ok(ok && lines(&r, str(&out), &err) && r.line == 2001,
           "2,000 hostile records are 2,000 lines");

    emage_buf_free(&out);
    emage_buf_free(&b);
}


static void
test_reader(void)
{
    size_t                  i;
    emage_buf_t             b, out;
    emage_error_t           err;
    emage_chain_t           chain;
    emage_journal_reader_t  r;

    static const struct {
        const char  *body;
        const char  *rule;
        bool         first;                 /* in place of the open record */
    } bad[] = {
        { "\"type\":\"x\",\"time\":0,\"type\":\"y\"", "duplicate", false },
        { "\"type\":\"x\",\"time\":0,\"seq\":2", "duplicate", false },
        { "\"type\":\"x\",\"time\":0,\"a\":{\"b\":1,\"b\":2}", "duplicate",
          false },
        { "\"type\":\"x\",\"time\":0,\"a\":\"\xff\"", "decode", false },
        { "\"type\":\"x\",\"time\":0} {\"a\":1", "end of file", false },
        { "\"type\":\"x\",\"time\":0,\"a\":1e999", "overflow", false },
        { "\"type\":\"x\",\"time\":0,", "not one JSON object", false },
        { "\"time\":0", "without a type", false },
        { "\"type\":1,\"time\":0", "without a type", false },
        { "\"type\":\"x\"", "without a time", false },
        { "\"type\":\"x\",\"time\":\"yesterday\"", "without a time", false },
        { "\"type\":\"open\",\"time\":0,\"format\":1,\"kind\":\"access\"",
          "second open", false },
        { "\"type\":\"intent\",\"time\":0", "first record is not", true },
        { "\"type\":\"open\",\"time\":0,\"format\":2,\"kind\":\"access\"",
          "format", true },
        { "\"type\":\"open\",\"time\":0,\"format\":1,\"kind\":\"other\"",
          "kind", true }
    };

    emage_buf_init(&out, 65536);
    emage_buf_init(&b, 65536);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        emage_buf_reset(&b);
        emage_buf_reset(&out);
        emage_chain_init(&chain);
        emage_journal_reader_init(&r);

        if (!bad[i].first) {
            (void) emage_journal_open_body(&b, "access", emage_str("n"),
                                           emage_str("p"), 0);
            (void) emage_chain_seal(&chain, str(&b), &out);
        }

        (void) emage_chain_seal(&chain, emage_str_c(bad[i].body), &out);

        tap_ok(!lines(&r, str(&out), &err)
               && strstr(err.text, bad[i].rule) != NULL,
               "refused: %s (%s)", bad[i].rule, err.text);
    }

    emage_buf_reset(&b);
    emage_buf_reset(&out);
    emage_chain_init(&chain);
    emage_journal_reader_init(&r);

    (void) emage_journal_open_body(&b, "ledger", emage_str("n"),
                                   emage_str("p"), 0);
    (void) emage_chain_seal(&chain, str(&b), &out);
    emage_buf_reset(&b);
    (void) emage_journal_close_body(&b, 5);
    (void) emage_chain_seal(&chain, str(&b), &out);

    tap_ok(lines(&r, str(&out), &err) && r.closed, "a closed file");

    emage_buf_reset(&out);
    (void) emage_chain_seal(&chain, str(&b), &out);

    tap_ok(!lines(&r, str(&out), &err)
           && strstr(err.text, "after the close") != NULL,
           "nothing follows the close record");

    emage_journal_reader_init(&r);
    tap_ok(emage_journal_reader_line(&r, emage_null_str, &err) == EMAGE_ERROR,
           "an empty line");

    emage_buf_free(&b);
    emage_buf_free(&out);
}


static void
test_name(void)
{
    emage_buf_t  b;

    emage_buf_init(&b, 256);

    (void) emage_journal_file_name(&b, emage_str("../a b"), emage_str("w-0"),
                                   1795508130123);
    tap_is_str(emage_buf_cstr(&b), ".._a_b-w_0-20261124T081530123.jsonl",
               "a name stays in its directory");

    emage_buf_free(&b);
}


static void
test_oom(void)
{
    long            n;
    bool            ok;
    emage_rc_t      rc;
    emage_buf_t     b, out;
    emage_chain_t   chain, before;
    emage_access_t  a;

    if (!OOM_READY) {
        return;
    }

    ok = true;
    fill(&a, EMAGE_ACCESS_INTENT);

    for (n = 0; n < 100; n++) {
        emage_buf_init(&b, 65536);
        emage_buf_init(&out, 65536);
        emage_chain_init(&chain);
        before = chain;

        oom_after = n;
        oom_all = true;

        rc = emage_access_body(&b, &a);

        if (rc == EMAGE_OK) {
            rc = emage_chain_seal(&chain, str(&b), &out);
        }

        oom_after = -1;

        if (rc == EMAGE_OK) {
            break;
        }

        ok = ok && rc == EMAGE_NOMEM && out.len == 0
             && memcmp(&before, &chain, sizeof(chain)) == 0;

        emage_buf_free(&b);
        emage_buf_free(&out);
    }

    tap_ok(ok && n > 0 && n < 100, "no memory at the first to the %ldth time",
           n);

    emage_buf_free(&b);
    emage_buf_free(&out);
}


static void
test_speed(void)
{
    int              i;
    double           us;
    emage_buf_t      b, out;
    emage_chain_t    chain;
    emage_access_t   a;
    struct timespec  from, to;

    emage_buf_init(&b, 65536);
    emage_buf_init(&out, 65536);
    emage_chain_init(&chain);
    fill(&a, EMAGE_ACCESS_INTENT);

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);

    for (i = 0; i < 100000; i++) {
        emage_buf_reset(&b);
        emage_buf_reset(&out);
        a.time++;
        (void) emage_access_body(&b, &a);
        (void) emage_chain_seal(&chain, str(&b), &out);
    }

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);

    us = ((double) (to.tv_sec - from.tv_sec) * 1e9
          + (double) (to.tv_nsec - from.tv_nsec)) / 1e3 / 100000;

    printf("# %zu bytes a line: %.2f us for body and seal\n", out.len, us);

    tap_ok(chain.seq == 100000, "100,000 records sealed");

    emage_buf_free(&b);
    emage_buf_free(&out);
}


int
main(void)
{
    test_seal();
    test_bodies();
    test_hostile();
    test_reader();
    test_name();
    test_oom();
    test_speed();

    return tap_done();
}
