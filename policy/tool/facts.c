/*
 * Copyright (C) The e-mage authors
 *
 * Requests from records: recorded in a file, or those of Redis, which the
 * program that links this room reads for it.
 */


#include "tool_facts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>


typedef struct {
    const tool_facts_t    *f;
    emage_str_t            study;
    bool                 (*each)(void *data, const cedar_set_t *set,
                                 cedar_request_t *req, const char *title);
    void                  *data;
    const emage_policy_t  *policy;
    size_t                 n;
} tool_ask_t;


static bool tool_subject(const tool_facts_t *f, char *teams,
    emage_subject_t *subject);
static bool tool_time(const char *text, int64_t *ms);
static bool tool_records(const tool_facts_t *f, emage_buf_t *b);
static bool tool_facts_decide(tool_ask_t *ask, const emage_facts_t *facts);
static emage_rc_t tool_facts_each(void *data, const emage_asked_t *asked);


tool_records_pt  tool_records_read;


bool
tool_facts_ask(const tool_facts_t *f,
    bool (*each)(void *data, const cedar_set_t *set, cedar_request_t *req,
                 const char *title), void *data)
{
    bool             ok;
    tool_ask_t       ask;
    emage_buf_t      b;
    emage_error_t    err;
    emage_facts_t   *facts;
    emage_policy_t  *policy;

    if (emage_policy_load(f->dir, &policy, &err) != EMAGE_OK) {
        fprintf(stderr, "%s\n", err.text);
        return false;
    }

    ok = false;
    facts = NULL;
    emage_buf_init(&b, TOOL_RECORDS_MAX);

    if (tool_records(f, &b)) {

        if (emage_facts_shown((emage_str_t) { b.data, b.len },
                              emage_str_c(f->study), &facts, &err)
            != EMAGE_OK)
        {
            fprintf(stderr, "emage-policy: %s\n", err.text);

        } else {
            memset(&ask, 0, sizeof(ask));
            ask.f = f;
            ask.each = each;
            ask.data = data;
            ask.policy = policy;
            ask.study = emage_facts_study(facts);

            ok = tool_facts_decide(&ask, facts);
        }
    }

    emage_facts_free(facts);
    emage_buf_free(&b);
    emage_policy_free(policy);

    return ok;
}


static bool
tool_records(const tool_facts_t *f, emage_buf_t *b)
{
    emage_error_t  err;

    if (f->records != NULL && f->redis != NULL) {
        fputs("emage-policy: give --records or --redis, not both\n", stderr);
        return false;
    }

    if (f->records != NULL) {

        if (cedar_file_load(f->records, b, &err) == EMAGE_OK) {
            return true;
        }

    } else if (tool_records_read(f->redis, f->study, b, &err) == EMAGE_OK) {
        return true;
    }

    fprintf(stderr, "emage-policy: %s\n", err.text);

    return false;
}


static bool
tool_facts_decide(tool_ask_t *ask, const emage_facts_t *facts)
{
    bool               ok;
    char              *teams;
    int64_t            now;
    emage_rc_t         rc;
    emage_scratch_t   *scratch;
    emage_subject_t    subject;

    teams = strdup(ask->f->teams == NULL ? "" : ask->f->teams);
    scratch = emage_scratch_create(ask->policy);
    ok = false;

    if (teams == NULL || scratch == NULL) {
        fputs("emage-policy: out of memory\n", stderr);

    } else if (tool_subject(ask->f, teams, &subject)
               && tool_time(ask->f->at, &now))
    {
        rc = emage_decide_each(ask->policy, facts, &subject,
                               EMAGE_ACTION_VIEW, now, scratch,
                               tool_facts_each, ask);

        if (rc == EMAGE_NOTFOUND) {
            fputs("emage-policy: this study has no record: nothing is "
                  "asked, it is refused\n", stderr);

        } else if (rc == EMAGE_OK && ask->n == 0) {
            fprintf(stderr, "emage-policy: no \"%s\" is ever asked for; "
                    "--content is image, evidence or report\n",
                    ask->f->content);

        } else {
            ok = (rc == EMAGE_OK);
        }
    }

    emage_scratch_free(scratch);
    free(teams);

    return ok;
}


static emage_rc_t
tool_facts_each(void *data, const emage_asked_t *asked)
{
    char         title[256];
    tool_ask_t  *ask;

    ask = data;

    if (ask->f->content != NULL
        && !emage_str_eq(asked->content, emage_str_c(ask->f->content)))
    {
        return EMAGE_OK;
    }

    ask->n++;

    snprintf(title, sizeof(title), "study %.*s, %.*s%s%.*s",
             (int) ask->study.len, ask->study.data,
             (int) asked->content.len, asked->content.data,
             emage_str_eq(asked->content, emage_str("report")) ? " " : "",
             emage_str_eq(asked->content, emage_str("report"))
             ? (int) asked->status.len : 0, asked->status.data);

    return ask->each(ask->data, emage_policy_set(ask->policy),
                     asked->request, title) ? EMAGE_OK : EMAGE_ERROR;
}


/* `teams` is cut in place. */

static bool
tool_subject(const tool_facts_t *f, char *teams, emage_subject_t *subject)
{
    char  *p, *save;

    memset(subject, 0, sizeof(emage_subject_t));

    subject->kind = (f->kind == NULL) ? EMAGE_SUBJECT_PROFESSIONAL
                    : emage_subject_kind_parse(emage_str_c(f->kind));
    subject->id = emage_str_c(f->subject);
    subject->organisation = emage_str_c(f->organisation);
    subject->purpose = emage_str_c(f->purpose == NULL ? "TREAT"
                                                      : f->purpose);

    if (subject->kind == EMAGE_SUBJECT_PROFESSIONAL) {
        subject->profession = emage_str_c(f->profession == NULL
                                          ? "physician" : f->profession);
    }

    if (subject->kind == EMAGE_SUBJECT_NONE) {
        fprintf(stderr, "emage-policy: --kind %s: is professional, patient, "
                "representative, support, officer or system\n", f->kind);
        return false;
    }

    for (p = strtok_r(teams, ",", &save); p != NULL;
         p = strtok_r(NULL, ",", &save))
    {
        if (subject->nteams == EMAGE_SUBJECT_TEAMS_MAX) {
            fprintf(stderr, "emage-policy: --teams: %d at most\n",
                    EMAGE_SUBJECT_TEAMS_MAX);
            return false;
        }

        subject->teams[subject->nteams++] = emage_str_c(p);
    }

    return true;
}


static bool
tool_time(const char *text, int64_t *ms)
{
    char             *end;
    struct tm         tm;
    struct timespec   ts;

    if (text == NULL) {
        (void) clock_gettime(CLOCK_REALTIME, &ts);
        *ms = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
        return true;
    }

    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0'
        && strlen(text) < 16)
    {
        *ms = strtoll(text, NULL, 10);
        return true;
    }

    memset(&tm, 0, sizeof(tm));
    end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

    if (end == NULL || *end != '\0') {
        memset(&tm, 0, sizeof(tm));
        end = strptime(text, "%Y-%m-%d", &tm);
    }

    if (end == NULL || *end != '\0') {
        fprintf(stderr, "emage-policy: --at %s: is 2026-12-31, "
                "2026-12-31T08:00:00Z or milliseconds since 1970\n", text);
        return false;
    }

    *ms = (int64_t) timegm(&tm) * 1000;

    return true;
}
