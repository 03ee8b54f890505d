
/*
 * Copyright (C) The e-mage authors
 *
 * Intents and outcomes, joined by their decision.
 */


#include "journal_audit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define EMAGE_INTENTS_BUCKETS  65536        /* a power of two */


typedef struct emage_journal_event_s  emage_journal_event_t;

struct emage_journal_event_s {
    emage_journal_event_t  *next;
    int64_t                 time;
    uint64_t                line;
    uint32_t                file;
    size_t                  len;
    char                    decision[];
};

struct emage_journal_intents_s {
    emage_journal_event_t  *open[EMAGE_INTENTS_BUCKETS];
    emage_journal_event_t  *early;          /* outcomes read before intents */
};


static size_t emage_journal_bucket(emage_str_t s);
static emage_journal_event_t *emage_journal_event(emage_str_t decision,
    int64_t time, uint32_t file, uint64_t line);
static emage_journal_event_t **emage_journal_intents_find(
    emage_journal_intents_t *intents, emage_str_t decision);
static bool emage_journal_intents_close(emage_journal_intents_t *intents,
    emage_str_t decision, int64_t time, bool any);
static void emage_journal_events_free(emage_journal_event_t *event);


emage_journal_intents_t *
emage_journal_intents_create(void)
{
    return calloc(1, sizeof(emage_journal_intents_t));
}


static void
emage_journal_events_free(emage_journal_event_t *event)
{
    emage_journal_event_t  *next;

    for ( /* void */ ; event != NULL; event = next) {
        next = event->next;
        free(event);
    }
}


void
emage_journal_intents_free(emage_journal_intents_t *intents)
{
    size_t  i;

    if (intents == NULL) {
        return;
    }

    for (i = 0; i < EMAGE_INTENTS_BUCKETS; i++) {
        emage_journal_events_free(intents->open[i]);
    }

    emage_journal_events_free(intents->early);
    free(intents);
}


static size_t
emage_journal_bucket(emage_str_t s)
{
    size_t    i;
    uint64_t  h;

    h = 0xcbf29ce484222325u;                /* FNV-1a */

    for (i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.data[i]) * 0x100000001b3u;
    }

    return (h ^ h >> 32) & (EMAGE_INTENTS_BUCKETS - 1);
}


static emage_journal_event_t *
emage_journal_event(emage_str_t decision, int64_t time, uint32_t file,
    uint64_t line)
{
    emage_journal_event_t  *event;

    event = malloc(sizeof(*event) + decision.len);

    if (event != NULL) {
        event->next = NULL;
        event->time = time;
        event->line = line;
        event->file = file;
        event->len = decision.len;

        if (decision.len != 0) {
            memcpy(event->decision, decision.data, decision.len);
        }
    }

    return event;
}


static emage_journal_event_t **
emage_journal_intents_find(emage_journal_intents_t *intents,
    emage_str_t decision)
{
    emage_str_t              own;
    emage_journal_event_t  **event;

    event = &intents->open[emage_journal_bucket(decision)];

    for ( /* void */ ; *event != NULL; event = &(*event)->next) {
        own.data = (*event)->decision;
        own.len = (*event)->len;

        if (emage_str_eq(own, decision)) {
            break;
        }
    }

    return event;
}


emage_rc_t
emage_journal_intents_open(emage_journal_intents_t *intents,
    emage_str_t decision, int64_t time, uint32_t file)
{
    emage_journal_event_t  **place;

    place = emage_journal_intents_find(intents, decision);

    if (*place != NULL) {
        return EMAGE_CONFLICT;
    }

    *place = emage_journal_event(decision, time, file, 0);

    return (*place == NULL) ? EMAGE_NOMEM : EMAGE_OK;
}


/* True, and the intent is gone, if there is one from before `time`. */

static bool
emage_journal_intents_close(emage_journal_intents_t *intents,
    emage_str_t decision, int64_t time, bool any)
{
    emage_journal_event_t   *event, **place;

    place = emage_journal_intents_find(intents, decision);
    event = *place;

    if (event == NULL || (!any && event->time > time)) {
        return false;
    }

    *place = event->next;
    free(event);

    return true;
}


emage_rc_t
emage_journal_intents_outcome(emage_journal_intents_t *intents,
    emage_str_t decision, int64_t time, uint32_t file, uint64_t line,
    bool again)
{
    emage_journal_event_t   *event, **place;

    /* within a file the order of lines decides, not the clock */

    place = emage_journal_intents_find(intents, decision);

    if (emage_journal_intents_close(intents, decision, time,
                                    *place != NULL && (*place)->file == file))
    {
        return EMAGE_OK;
    }

    if (again) {
        return EMAGE_OK;
    }

    event = emage_journal_event(decision, time, file, line);
    if (event == NULL) {
        return EMAGE_NOMEM;
    }

    event->next = intents->early;
    intents->early = event;

    return EMAGE_OK;
}


void
emage_journal_intents_settle(emage_journal_intents_t *intents,
    emage_journal_orphan_pt orphan, void *data)
{
    size_t                  i;
    emage_str_t             decision;
    emage_journal_event_t  *event, **place;

    for (event = intents->early; event != NULL; event = event->next) {
        decision.data = event->decision;
        decision.len = event->len;

        place = emage_journal_intents_find(intents, decision);

        /* an intent further down in the same file came too late */

        if ((*place != NULL && (*place)->file == event->file)
            || !emage_journal_intents_close(intents, decision, event->time,
                                            false))
        {
            orphan(data, true, event->file, event->line);
        }
    }

    for (i = 0; i < EMAGE_INTENTS_BUCKETS; i++) {
        for (event = intents->open[i]; event != NULL; event = event->next) {
            orphan(data, false, event->file, event->line);
        }
    }
}


bool
emage_journal_process_alive(int64_t pid, int64_t opened)
{
    int              fd;
    char             path[64], stat[1024], *p;
    ssize_t          n;
    unsigned         i;
    int64_t          now, started, up;
    struct timespec  ts;

    if (pid <= 0 || pid > INT32_MAX
        || (kill((pid_t) pid, 0) != 0 && errno == ESRCH))
    {
        return false;
    }

    /* a later process of the same number is another one */

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return errno != ENOENT;
    }

    n = read(fd, stat, sizeof(stat) - 1);
    (void) close(fd);

    if (n <= 0) {
        return true;
    }

    stat[n] = '\0';

    /* the 22nd field, counted from after the name, which may hold spaces */

    p = strrchr(stat, ')');

    for (i = 2; p != NULL && i < 22; i++) {
        p = strchr(p + 1, ' ');
    }

    if (p == NULL) {
        return true;
    }

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    now = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    (void) clock_gettime(CLOCK_BOOTTIME, &ts);
    up = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    started = now - up + strtoll(p + 1, NULL, 10) * 1000
                         / sysconf(_SC_CLK_TCK);

    return started <= opened + 2000;
}
