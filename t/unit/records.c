
/*
 * Copyright (C) The e-mage authors
 *
 * Documents and ledgers without Redis: what the ledger may know, the meet of
 * two documents, and what a set of ledgers says.
 */


#include "../../records/replay.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "consent_fixture.h"
#include "tap.h"


static void
check_document(void)
{
    char           study[16384], patient[16384];
    json_t        *a, *b, *bare;
    fixture_t      f;
    emage_buf_t    text;
    emage_error_t  err;

    memset(&f, 0, sizeof(f));
    fixture_text(&f, study, patient, sizeof(study));

    tap_ok(emage_document_parse(emage_str_c(patient), "x", &a, &err)
           == EMAGE_OK && emage_document_version(a) == 5
           && !emage_document_deleted(a), "a document");

    bare = emage_document_strip(a);
    emage_buf_init(&text, 16384);
    (void) emage_document_text(bare, &text);

    tap_ok(strstr(emage_buf_cstr(&text), "identifiers") == NULL
           && strstr(text.data, "\"42\"") == NULL
           && strstr(text.data, "\"status\":\"local\"") != NULL,
           "stripped: a status, and no name");
    tap_ok(strstr(patient, "identifiers") != NULL
           && json_object_get(json_object_get(a, "identity"), "identifiers")
              != NULL, "the original keeps it");
    tap_ok(!emage_document_same(a, bare, false)
           && emage_document_same(a, bare, true),
           "the same for the ledger, not for Redis");

    tap_ok(emage_document_adopt(bare, a)
           && emage_document_same(a, bare, false), "takes it back");

    (void) json_object_set_new(bare, "version", json_integer(9));
    tap_ok(emage_document_same(a, bare, false),
           "versions do not count in a comparison");
    (void) json_object_set_new(bare, "emergency_excluded", json_true());
    tap_ok(!emage_document_same(a, bare, true), "content does");

    b = emage_document_patient(emage_str(PID), "local", emage_str("7"),
                               emage_str("P"));
    emage_buf_reset(&text);
    tap_ok(b != NULL && emage_document_text(b, &text) == EMAGE_OK
           && emage_record_patient_check((emage_str_t) { text.data,
                                                         text.len }, &err)
              == EMAGE_OK, "a new patient is a patient");
    json_decref(b);

    tap_ok(emage_document_parse(emage_str("[]"), "x", &b, &err)
           == EMAGE_ERROR
           && emage_document_parse(emage_str("{\"version\":1}"), "x", &b,
                                   &err) == EMAGE_ERROR
           && emage_document_parse(emage_str("{\"version\":1,\"version\":1}"),
                                   "x", &b, &err) == EMAGE_ERROR,
           "what is no document: %s", err.text);

    emage_buf_free(&text);
    json_decref(bare);
    json_decref(a);
}


typedef struct {
    const char           *name;
    fixture_t             now;
    fixture_t             with;
    fixture_t             meet;
    emage_record_kind_t   kind;
} meet_t;


#define REL(id, until)                                                        \
    "{\"id\":\"" id "\",\"kind\":\"team\",\"subject\":\"a|b\","               \
    "\"studies\":[],\"modalities\":[],\"dates\":[],\"basis\":\"admission\","  \
    "\"by\":\"\",\"from\":0,\"until\":" until "}"


#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const meet_t  meets[] = {
    { "a withdrawal over a later exclusion",
      { .exclusions = EXCLUSION(ME, "1") }, { .sharing = "withdrawn" },
      { .sharing = "withdrawn", .exclusions = EXCLUSION(ME, "1") } },
    { "an exclusion over a later withdrawal",
      { .sharing = "withdrawn" }, { .exclusions = EXCLUSION(ME, "1") },
      { .sharing = "withdrawn", .exclusions = EXCLUSION(ME, "1") } },
    { "exclusions of both, once",
      { .exclusions = EXCLUSION(ME, "1") },
      { .exclusions = EXCLUSION(ME, "1") "," EXCLUSION("a|c", "2") },
      { .exclusions = EXCLUSION(ME, "1") "," EXCLUSION("a|c", "2") } },
    { "an ended relation stays ended",
      { .relations = REL("r1", "0") "," REL("r2", "0") },
      { .relations = REL("r2", "0") }, { .relations = REL("r2", "0") } },
    { "the earlier end of a relation",
      { .relations = REL("r1", "0") }, { .relations = REL("r1", "7") },
      { .relations = REL("r1", "7") } },
    { "the earlier end of a relation, the other way",
      { .relations = REL("r1", "5") }, { .relations = REL("r1", "7") },
      { .relations = REL("r1", "5") } },
    { "an override only if both have it",
      { .overrides = OVERRIDE_NOW("BTG") }, { .inclusion = "refused" },
      { .inclusion = "refused" } },
    { "emergencies", { .emergency_excluded = false },
      { .emergency_excluded = true }, { .emergency_excluded = true } },
    { "erasure", { .erasure = "none" }, { .erasure = "requested" },
      { .erasure = "requested" } },
    { "a purge goes on", { .erasure = "purging" },
      { .erasure = "requested" }, { .erasure = "purging" } },
    { "expiry, the earlier", { .expires = 9 }, { .expires = 5 },
      { .expires = 5 } },
    { "expiry, one", { .expires = 0 }, { .expires = 5 }, { .expires = 5 } },
    { "identity in doubt", { .identity = "local" },
      { .identity = "quarantined" }, { .identity = "quarantined" } },
    { "sharing none takes active away", { .sharing = "active" },
      { .sharing = "none" }, { .sharing = "none" } },
    { "a refusal is not softened", { .sharing = "refused" },
      { .sharing = "none" }, { .sharing = "refused" } },
    { "marks of both", { .marks = "masked" }, { .marks = "masked" },
      { .marks = "masked" }, EMAGE_RECORD_STUDY },
    { "a mark", { .marks = "" }, { .marks = "hidden_patient" },
      { .marks = "hidden_patient" }, EMAGE_RECORD_STUDY },
    { "confidentiality", { .confidentiality = "R" },
      { .confidentiality = "V" }, { .confidentiality = "V" },
      EMAGE_RECORD_STUDY },
    { "release", { .release = "at-once" }, { .release = "validated" },
      { .release = "validated" }, EMAGE_RECORD_STUDY },
    { "state", { .state = "erasing" }, { .state = "restricted" },
      { .state = "erasing" }, EMAGE_RECORD_STUDY },
    { "quarantine", { .quarantine = "" }, { .quarantine = "why" },
      { .quarantine = "why" }, EMAGE_RECORD_STUDY },
    { "a report taken back",
      { .reports = REPORT("1.1", "final") "," REPORT("1.2", "final") },
      { .reports = REPORT("1.1", "none") "," REPORT("1.2", "amended") },
      { .reports = REPORT("1.1", "none") "," REPORT("1.2", "final") },
      EMAGE_RECORD_STUDY }
};


static void
check_meet(const meet_t *m)
{
    char                  text[3][2][16384];
    bool                  ok;
    json_t               *doc[3];
    size_t                i, k;
    emage_buf_t           out;
    emage_error_t         err;
    emage_record_kind_t   kind;
    const fixture_t      *f[3] = { &m->now, &m->with, &m->meet };

    kind = m->kind;
    k = (kind == EMAGE_RECORD_STUDY) ? 0 : 1;

    for (i = 0; i < 3; i++) {
        fixture_text(f[i], text[i][0], text[i][1], sizeof(text[i][0]));

        if (emage_document_parse(emage_str_c(text[i][k]), "x", &doc[i], &err)
            != EMAGE_OK)
        {
            tap_ok(false, "%s: %s", m->name, err.text);
            return;
        }
    }

    ok = emage_document_meet(kind, doc[0], doc[1]) == EMAGE_OK
         && emage_document_same(doc[0], doc[2], false);

    emage_buf_init(&out, 16384);
    (void) emage_document_text(doc[0], &out);

    ok = ok && (kind == EMAGE_RECORD_STUDY
                ? emage_record_study_check((emage_str_t) { out.data,
                                                           out.len }, &err)
                : emage_record_patient_check((emage_str_t) { out.data,
                                                             out.len }, &err))
               == EMAGE_OK;

    /* the meet with what was met changes nothing more */

    ok = ok && emage_document_meet(kind, doc[0], doc[1]) == EMAGE_OK
         && emage_document_same(doc[0], doc[2], false);

    if (!tap_ok(ok, "meet: %s", m->name)) {
        printf("# %s\n", emage_buf_cstr(&out));
    }

    emage_buf_free(&out);

    for (i = 0; i < 3; i++) {
        json_decref(doc[i]);
    }
}


/* Two ledgers, the outcome of a change in the one that is read first. */

static void
ledger_write(const char *dir, const char *process, const char *const *bodies,
    size_t n)
{
    size_t                   i;
    emage_error_t            err;
    emage_journal_writer_t  *writer;

    if (emage_journal_writer_open(dir, "ledger", emage_str("n"),
                                  emage_str_c(process), &writer, &err)
        != EMAGE_OK)
    {
        tap_ok(false, "%s", err.text);
        return;
    }

    for (i = 0; i < n; i++) {
        if (emage_journal_writer_append(writer, emage_str_c(bodies[i]), &err)
            != EMAGE_OK)
        {
            tap_ok(false, "%s", err.text);
        }
    }

    (void) emage_journal_writer_close(writer, &err);
}


#define PREPARE(id, base, next, sharing)                                      \
    "\"type\":\"prepare\",\"time\":\"2026-11-24T08:15:30.123Z\","             \
    "\"id\":\"" id "\",\"pid\":\"" PID "\",\"event\":\"consent\","            \
    "\"effect\":\"restrict\",\"actor\":\"os:x\",\"docs\":[{\"kind\":"         \
    "\"patient\",\"key\":\"" PID "\",\"base\":" base ",\"doc\":{"             \
    "\"version\":" next ",\"pid\":\"" PID "\",\"sharing\":\"" sharing "\"}}]"

#define COMMIT(id, number)                                                    \
    "\"type\":\"commit\",\"time\":\"2026-11-24T08:15:30.123Z\",\"id\":\""     \
    id "\",\"number\":" number

#define ABORT(id)                                                             \
    "\"type\":\"abort\",\"time\":\"2026-11-24T08:15:30.123Z\",\"id\":\""      \
    id "\",\"reason\":\"x\""


static emage_str_t
committed(const emage_ledgers_t *l)
{
    return emage_json_str(json_object_get(json_object_get(l->committed,
                                                          "patient " PID),
                                          "doc"), "sharing");
}


static void
check_replay(void)
{
    char              dir[] = "/tmp/emage-records-XXXXXX", path[256];
    emage_rc_t        rc;
    emage_error_t     err;
    emage_ledgers_t   l;
    emage_records_t   rec;

    static const char *const  first[] = {
        COMMIT("b", "12"), ABORT("d"), ABORT("e")
    };

    static const char *const  second[] = {
        PREPARE("a", "1", "2", "one"), COMMIT("a", "11"),
        PREPARE("b", "2", "3", "two"),
        PREPARE("c", "3", "4", "three"),
        PREPARE("d", "3", "4", "four"),
        PREPARE("e", "3", "4", "five"), COMMIT("e", "13")
    };

    static const char *const  wrong[] = {
        "\"type\":\"prepare\",\"time\":\"2026-11-24T08:15:30.123Z\","
        "\"id\":\"z\",\"pid\":\"" PID "\",\"event\":\"x\",\"docs\":[{"
        "\"kind\":\"other\",\"key\":\"k\",\"base\":1,\"doc\":null}]"
    };

    memset(&rec, 0, sizeof(rec));

    if (mkdtemp(dir) == NULL) {
        tap_ok(false, "mkdtemp");
        return;
    }

    rec.journal = dir;

    tap_ok(emage_ledgers_read(&rec, true, &l, &err) == EMAGE_UNAVAILABLE,
           "a directory that is not there is no empty ledger");
    emage_ledgers_free(&l);

    (void) snprintf(path, sizeof(path), "%s/ledger", dir);
    (void) mkdir(path, 0700);

    tap_ok(emage_ledgers_read(&rec, true, &l, &err) == EMAGE_OK
           && l.number == 0 && l.records == 0, "an empty one");
    emage_ledgers_free(&l);

    ledger_write(path, "a", first, 3);
    ledger_write(path, "b", second, 7);

    rc = emage_ledgers_read(&rec, true, &l, &err);

    tap_ok(rc == EMAGE_OK && l.number == 13, "ledgers are read: highest %lld",
           (long long) l.number);
    tap_ok(emage_str_eq(committed(&l), emage_str("five")),
           "the last version counts; a commit wins over an abort");
    tap_ok(json_object_size(l.open) == 1
           && json_object_get(l.open, "c") != NULL,
           "what has no outcome is open");
    tap_ok(json_object_size(l.aborted) == 1
           && json_object_get(l.aborted, "d") != NULL,
           "an abort before its prepare is found");
    tap_ok(emage_ledger_time(json_object_get(l.open, "c"))
           == 1795508130123, "the time of a record");
    emage_ledgers_free(&l);

    rc = emage_ledgers_read(&rec, false, &l, &err);
    tap_ok(rc == EMAGE_OK && json_object_size(l.committed) == 0
           && json_object_size(l.open) == 1, "without documents if not asked");
    emage_ledgers_free(&l);

    ledger_write(path, "c", wrong, 1);
    rc = emage_ledgers_read(&rec, true, &l, &err);
    tap_ok(rc == EMAGE_ERROR && strstr(err.text, "n-c-") != NULL,
           "a record that is none: %s", err.text);
    emage_ledgers_free(&l);

    (void) snprintf(path, sizeof(path), "rm -r %s", dir);
    (void) !system(path);
}


int
main(void)
{
    size_t  i;

    check_document();

    for (i = 0; i < sizeof(meets) / sizeof(meets[0]); i++) {
        check_meet(&meets[i]);
    }

    check_replay();

    return tap_done();
}
