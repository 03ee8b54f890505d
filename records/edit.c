
/*
 * Copyright (C) The e-mage authors
 *
 * Performing an edit: read, change a copy, compare and set, and again when
 * somebody else was faster.
 */


#include "edit.h"

#include <stdlib.h>
#include <string.h>


#define EMAGE_EDIT_TRIES  8
#define EMAGE_EDIT_DOCS   2


/* The documents of one attempt. */

typedef struct {
    size_t                 n;
    json_t                *doc[EMAGE_EDIT_DOCS];
    emage_buf_t            text[EMAGE_EDIT_DOCS];
    emage_record_write_t   writes[EMAGE_EDIT_DOCS];
} emage_edit_run_t;


static const emage_edit_command_t *emage_edit_find(
    const emage_edit_command_t *commands, const char *name);
static emage_rc_t emage_edit_once(emage_records_t *rec,
    const emage_edit_command_t *command, emage_str_t pid, emage_str_t study,
    const emage_edit_t *edit, emage_ack_t *ack, emage_error_t *err);
static emage_rc_t emage_edit_load(emage_records_t *rec,
    emage_edit_run_t *run, emage_record_kind_t kind, emage_str_t key,
    emage_error_t *err);
static emage_rc_t emage_edit_identity(emage_records_t *rec,
    emage_edit_run_t *run, emage_str_t pid, emage_error_t *err);
static emage_rc_t emage_show_study(void *data, emage_str_t study);


emage_rc_t
emage_records_edit(emage_records_t *rec, const char *name, emage_str_t pid,
    emage_str_t study, const emage_edit_t *edit, emage_ack_t *ack,
    emage_error_t *err)
{
    unsigned                     i;
    emage_rc_t                   rc;
    const emage_edit_command_t  *command;

    command = emage_edit_find(emage_edit_patient_commands, name);

    if (command == NULL) {
        command = emage_edit_find(emage_edit_study_commands, name);
    }

    if (command == NULL) {
        emage_error_set(err, "%s: no such edit", name);
        return EMAGE_ERROR;
    }

    if (command->kind == EMAGE_RECORD_STUDY && study.len == 0) {
        emage_error_set(err, "%s: give --study", name);
        return EMAGE_ERROR;
    }

    rc = EMAGE_CONFLICT;

    for (i = 0; i < EMAGE_EDIT_TRIES && rc == EMAGE_CONFLICT; i++) {
        rc = emage_edit_once(rec, command, pid, study, edit, ack, err);
    }

    return rc;
}


static const emage_edit_command_t *
emage_edit_find(const emage_edit_command_t *commands, const char *name)
{
    const emage_edit_command_t  *c;

    for (c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }

    return NULL;
}


static emage_rc_t
emage_edit_once(emage_records_t *rec, const emage_edit_command_t *command,
    emage_str_t pid, emage_str_t study, const emage_edit_t *edit,
    emage_ack_t *ack, emage_error_t *err)
{
    size_t            i;
    emage_rc_t        rc;
    emage_change_t    change;
    emage_edit_run_t  run;

    memset(&run, 0, sizeof(run));

    for (i = 0; i < EMAGE_EDIT_DOCS; i++) {
        emage_buf_init(&run.text[i], EMAGE_RECORD_TEXT_MAX);
    }

    change.effect = EMAGE_CHANGE_GRANT;

    rc = emage_edit_load(rec, &run, command->kind,
                         (command->kind == EMAGE_RECORD_STUDY) ? study : pid,
                         err);

    if (rc == EMAGE_OK) {
        rc = command->edit(run.doc[0], edit, &change.effect, err);
    }

    if (rc == EMAGE_OK && strcmp(command->name, "resolve") == 0) {
        rc = emage_edit_identity(rec, &run, pid, err);
    }

    for (i = 0; rc == EMAGE_OK && i < run.n; i++) {

        if (emage_document_text(run.doc[i], &run.text[i]) != EMAGE_OK) {
            rc = emage_edit_nomem(err);
        }

        run.writes[i].json = (emage_str_t) { run.text[i].data,
                                             run.text[i].len };
    }

    if (rc == EMAGE_OK) {
        change.pid = pid;
        change.event = command->event;
        change.writes = run.writes;
        change.nwrites = run.n;

        rc = emage_records_change(rec, &change, ack, err);
    }

    for (i = 0; i < EMAGE_EDIT_DOCS; i++) {
        json_decref(run.doc[i]);
        emage_buf_free(&run.text[i]);
    }

    return rc;
}


static emage_rc_t
emage_edit_load(emage_records_t *rec, emage_edit_run_t *run,
    emage_record_kind_t kind, emage_str_t key, emage_error_t *err)
{
    size_t       n;
    int64_t      version;
    emage_rc_t   rc;
    emage_buf_t  text;

    n = run->n;
    emage_buf_init(&text, EMAGE_RECORD_TEXT_MAX);

    rc = (kind == EMAGE_RECORD_STUDY)
         ? emage_records_study_get(rec, key, &text, &version, err)
         : emage_records_patient_get(rec, key, &text, &version, err);

    if (rc == EMAGE_OK) {
        rc = emage_document_parse((emage_str_t) { text.data, text.len },
                                  "record", &run->doc[n], err);
    }

    emage_buf_free(&text);

    if (rc == EMAGE_OK) {
        run->writes[n].kind = kind;
        run->writes[n].key = key;
        run->writes[n].base = version;
        run->n++;
    }

    return rc;
}


/* A pseudo-patient whose study was resolved is nobody's suspect any more. */

static emage_rc_t
emage_edit_identity(emage_records_t *rec, emage_edit_run_t *run,
    emage_str_t pid, emage_error_t *err)
{
    json_t      *identity;
    emage_rc_t   rc;

    rc = emage_edit_load(rec, run, EMAGE_RECORD_PATIENT, pid, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    identity = json_object_get(run->doc[1], "identity");

    if (emage_str_eq(emage_json_str(identity, "status"),
                     emage_str("quarantined")))
    {
        return emage_edit_set(identity, "status", "local", err);
    }

    /* nothing of the patient changes: the study alone */

    run->n = 1;

    return EMAGE_OK;
}


emage_rc_t
emage_edit_nomem(emage_error_t *err)
{
    emage_error_set(err, "the text is not UTF-8, or out of memory");

    return EMAGE_NOMEM;
}


emage_rc_t
emage_edit_set(json_t *object, const char *name, const char *value,
    emage_error_t *err)
{
    return emage_json_set_str(object, name, emage_str_c(value))
           ? EMAGE_OK : emage_edit_nomem(err);
}


emage_rc_t
emage_edit_set_int(json_t *object, const char *name, int64_t value,
    emage_error_t *err)
{
    return json_object_set_new(object, name, json_integer(value)) == 0
           ? EMAGE_OK : emage_edit_nomem(err);
}


emage_rc_t
emage_records_study_pid(emage_records_t *rec, emage_str_t study, char *pid,
    emage_error_t *err)
{
    json_t       *doc;
    int64_t       version;
    emage_rc_t    rc;
    emage_buf_t   text;

    emage_buf_init(&text, EMAGE_RECORD_TEXT_MAX);

    rc = emage_records_study_get(rec, study, &text, &version, err);

    if (rc == EMAGE_OK) {
        rc = emage_document_parse((emage_str_t) { text.data, text.len },
                                  "study", &doc, err);
    }

    if (rc == EMAGE_OK) {
        memcpy(pid, emage_json_str(doc, "pid").data, EMAGE_PID_LEN);
        json_decref(doc);
    }

    emage_buf_free(&text);

    return rc;
}


/* show */

typedef struct {
    emage_records_t  *rec;
    json_t           *studies;
    emage_error_t    *err;
} emage_show_t;


static emage_rc_t
emage_show_study(void *data, emage_str_t study)
{
    emage_rc_t         rc;
    emage_show_t      *show = data;
    emage_edit_run_t   run;

    memset(&run, 0, sizeof(run));

    rc = emage_edit_load(show->rec, &run, EMAGE_RECORD_STUDY, study,
                         show->err);

    if (rc == EMAGE_NOTFOUND) {
        return EMAGE_OK;                     /* a hint that leads nowhere */
    }

    if (rc == EMAGE_OK
        && json_array_append_new(show->studies, run.doc[0]) != 0)
    {
        rc = emage_edit_nomem(show->err);
    }

    return rc;
}


emage_rc_t
emage_records_show(emage_records_t *rec, emage_str_t pid, emage_str_t study,
    emage_buf_t *out, emage_error_t *err)
{
    char             *text;
    json_t           *all;
    emage_rc_t        rc;
    emage_show_t      show;
    emage_edit_run_t  run;

    memset(&run, 0, sizeof(run));

    show.rec = rec;
    show.err = err;
    show.studies = json_array();

    if (show.studies == NULL) {
        return emage_edit_nomem(err);
    }

    rc = emage_edit_load(rec, &run, EMAGE_RECORD_PATIENT, pid, err);

    if (rc == EMAGE_OK) {
        rc = (study.len > 0)
             ? emage_show_study(&show, study)
             : emage_records_studies(rec, pid, emage_show_study, &show, err);
    }

    if (rc == EMAGE_OK) {
        all = json_pack("{s:O, s:O}", "patient", run.doc[0],
                        "studies", show.studies);

        text = json_dumps(all, JSON_INDENT(2)|JSON_SORT_KEYS
                               |JSON_ENSURE_ASCII);

        if (text == NULL || emage_buf_add_c(out, text) != EMAGE_OK) {
            rc = emage_edit_nomem(err);
        }

        free(text);
        json_decref(all);
    }

    json_decref(run.doc[0]);
    json_decref(show.studies);

    return rc;
}
