
/*
 * Copyright (C) The e-mage authors
 *
 * Access records: who saw what, or was refused.  The order of the members is
 * part of the format.
 */


#include "emage_journal.h"


static void emage_access_str(emage_buf_t *body, emage_str_t name,
    emage_str_t value);
static void emage_access_int(emage_buf_t *body, emage_str_t name,
    uint64_t value);
static void emage_access_subject(emage_buf_t *body,
    const emage_subject_t *subject);
static void emage_access_search(emage_buf_t *body,
    const emage_access_t *access);
static void emage_access_decision(emage_buf_t *body,
    const emage_access_t *access);
static void emage_access_outcome(emage_buf_t *body,
    const emage_access_t *access);


/* `name` comes with its comma, quotes and colon */

static void
emage_access_str(emage_buf_t *body, emage_str_t name, emage_str_t value)
{
    if (value.len == 0) {
        return;
    }

    (void) emage_buf_add_str(body, name);
    (void) emage_buf_add_json(body, value);
}


static void
emage_access_int(emage_buf_t *body, emage_str_t name, uint64_t value)
{
    (void) emage_buf_add_str(body, name);
    (void) emage_buf_add_int(body, (value > INT64_MAX) ? INT64_MAX
                                                       : (int64_t) value);
}


static void
emage_access_subject(emage_buf_t *body, const emage_subject_t *subject)
{
    emage_access_str(body, emage_str(",\"subject_kind\":"),
                     emage_subject_kind_name(subject->kind));
    emage_access_str(body, emage_str(",\"subject\":"), subject->id);
    emage_access_str(body, emage_str(",\"issuer\":"), subject->issuer);
    emage_access_str(body, emage_str(",\"profession\":"),
                     subject->profession);
    emage_access_str(body, emage_str(",\"organisation\":"),
                     subject->organisation);
    emage_access_str(body, emage_str(",\"acr\":"), subject->acr);
    emage_access_str(body, emage_str(",\"session\":"), subject->session);
}


/* What was asked for, and whom the answer names. */

static void
emage_access_search(emage_buf_t *body, const emage_access_t *access)
{
    if (access->query.len != 0) {
        (void) emage_buf_add_str(body, emage_str(",\"query\":"));
        (void) emage_buf_add_str(body, access->query);
    }

    emage_access_int(body, emage_str(",\"rows\":"), access->rows);

    if (access->studies.len != 0) {
        (void) emage_buf_add_str(body, emage_str(",\"studies\":"));
        (void) emage_buf_add_str(body, access->studies);
    }

    if (access->pids.len != 0) {
        (void) emage_buf_add_str(body, emage_str(",\"pids\":"));
        (void) emage_buf_add_str(body, access->pids);
    }
}


static void
emage_access_decision(emage_buf_t *body, const emage_access_t *access)
{
    uint32_t  i;

    (void) emage_buf_add_str(body, (access->type == EMAGE_ACCESS_REFUSAL)
                                   ? emage_str(",\"decision\":\"deny\"")
                                   : emage_str(",\"decision\":\"permit\""));

    if (access->nreasons != 0) {
        (void) emage_buf_add_str(body, emage_str(",\"reasons\":["));

        for (i = 0; i < access->nreasons; i++) {
            if (i > 0) {
                (void) emage_buf_add(body, ",", 1);
            }

            (void) emage_buf_add_json(body, access->reasons[i]);
        }

        (void) emage_buf_add(body, "]", 1);
    }

    if (access->errors != 0) {
        emage_access_int(body, emage_str(",\"errors\":"), access->errors);
    }

    emage_access_str(body, emage_str(",\"cause\":"), access->cause);
    emage_access_str(body, emage_str(",\"policy\":"), access->policy);

    /* versions of records start at 1 */

    if (access->study_version > 0) {
        emage_access_int(body, emage_str(",\"study_version\":"),
                         (uint64_t) access->study_version);
    }

    if (access->patient_version > 0) {
        emage_access_int(body, emage_str(",\"patient_version\":"),
                         (uint64_t) access->patient_version);
    }
}


static void
emage_access_outcome(emage_buf_t *body, const emage_access_t *access)
{
    emage_access_int(body, emage_str(",\"status\":"), access->status);
    emage_access_int(body, emage_str(",\"requests\":"), access->requests);
    emage_access_int(body, emage_str(",\"bytes\":"), access->bytes);
    emage_access_int(body, emage_str(",\"frames\":"), access->frames);
    emage_access_int(body, emage_str(",\"incomplete\":"), access->incomplete);
    emage_access_int(body, emage_str(",\"ninstances\":"), access->ninstances);

    if (access->instances.len != 0) {
        (void) emage_buf_add_str(body, emage_str(",\"instances\":"));
        (void) emage_buf_add_str(body, access->instances);
    }

    emage_access_int(body, emage_str(",\"duration\":"),
                     (access->duration < 0) ? 0
                                            : (uint64_t) access->duration);

    if (access->again) {
        (void) emage_buf_add_str(body, emage_str(",\"again\":1"));
    }
}


emage_rc_t
emage_access_body(emage_buf_t *body, const emage_access_t *access)
{
    char  time[EMAGE_TIME_LEN];

    static const emage_str_t  types[] = {
        { "\"type\":\"intent\",\"time\":\"", 24 },
        { "\"type\":\"outcome\",\"time\":\"", 25 },
        { "\"type\":\"refusal\",\"time\":\"", 25 }
    };

    if ((unsigned) access->type >= sizeof(types) / sizeof(types[0])) {
        return EMAGE_ERROR;
    }

    emage_time_format(time, access->time);

    (void) emage_buf_add_str(body, types[access->type]);
    (void) emage_buf_add(body, time, EMAGE_TIME_LEN);
    (void) emage_buf_add(body, "\"", 1);

    emage_access_str(body, emage_str(",\"decision_id\":"),
                     access->decision_id);
    emage_access_str(body, emage_str(",\"request_id\":"), access->request_id);

    if (access->subject != NULL) {
        emage_access_subject(body, access->subject);
    }

    emage_access_str(body, emage_str(",\"purpose\":"), access->purpose);
    emage_access_str(body, emage_str(",\"action\":"), access->action);
    emage_access_str(body, emage_str(",\"study\":"), access->study);
    emage_access_str(body, emage_str(",\"series\":"), access->series);
    emage_access_str(body, emage_str(",\"instance\":"), access->instance);
    emage_access_str(body, emage_str(",\"pid\":"), access->pid);

    if (access->search) {
        emage_access_search(body, access);
    }

    emage_access_decision(body, access);

    if (access->type == EMAGE_ACCESS_OUTCOME) {
        emage_access_outcome(body, access);
    }

    return body->failed ? EMAGE_NOMEM : EMAGE_OK;
}


emage_rc_t
emage_count_body(emage_buf_t *body, int64_t second, const char *what,
    uint64_t n)
{
    char  time[EMAGE_TIME_LEN];

    emage_time_format(time, second * 1000);

    (void) emage_buf_add_str(body, emage_str("\"type\":\"count\",\"time\":\""));
    (void) emage_buf_add(body, time, EMAGE_TIME_LEN);
    (void) emage_buf_add_str(body, emage_str("\",\"what\":"));
    (void) emage_buf_add_json(body, emage_str_c(what));

    emage_access_int(body, emage_str(",\"n\":"), n);

    return body->failed ? EMAGE_NOMEM : EMAGE_OK;
}
