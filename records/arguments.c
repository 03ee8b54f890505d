
/*
 * Copyright (C) The e-mage authors
 *
 * Options, times, durations and lists of the command line.
 */


#include "emage_arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define EMAGE_RECONCILE_INTERVAL  200        /* ms */
#define EMAGE_SETTLE_AGE          15000      /* ms */
#define EMAGE_HOURS_MAX           (24.0 * 366 * 100)


static int64_t emage_argument_time(const char *s);
static int64_t emage_argument_duration(const char *s);
static bool emage_argument_list(char *s, emage_edit_list_t *list);
static bool emage_argument_subject(emage_arguments_t *args, const char *kind);
static bool emage_argument_hours(double *hours, double unit);
static const char **emage_argument_string(emage_arguments_t *args, int c);
static bool emage_argument_take(emage_arguments_t *args, int c,
    double *hours);


static const struct option  emage_long_options[] = {
    { "redis", required_argument, NULL, 'r' },
    { "journal", required_argument, NULL, 'j' },
    { "store", required_argument, NULL, 's' },
    { "key", required_argument, NULL, 'k' },
    { "region", required_argument, NULL, 'g' },
    { "actor", required_argument, NULL, 'a' },
    { "patient", required_argument, NULL, 'p' },
    { "identifier", required_argument, NULL, 'i' },
    { "study", required_argument, NULL, 'u' },
    { "inclusion", required_argument, NULL, 'I' },
    { "sharing", required_argument, NULL, 'S' },
    { "expires", required_argument, NULL, 'x' },
    { "by", required_argument, NULL, 'b' },
    { "how", required_argument, NULL, 'H' },
    { "text", required_argument, NULL, 't' },
    { "professional", required_argument, NULL, 'P' },
    { "subject", required_argument, NULL, 'P' },
    { "team", required_argument, NULL, 'T' },
    { "organisation", required_argument, NULL, 'O' },
    { "id", required_argument, NULL, 'd' },
    { "studies", required_argument, NULL, 'U' },
    { "modalities", required_argument, NULL, 'M' },
    { "modality", required_argument, NULL, 'M' },
    { "dates", required_argument, NULL, 'D' },
    { "basis", required_argument, NULL, 'B' },
    { "from", required_argument, NULL, 'f' },
    { "until", required_argument, NULL, 'n' },
    { "hours", required_argument, NULL, 'o' },
    { "days", required_argument, NULL, 'y' },
    { "purpose", required_argument, NULL, 'e' },
    { "reason", required_argument, NULL, 'R' },
    { "instance", required_argument, NULL, 'c' },
    { "all", no_argument, NULL, 'A' },
    { "status", required_argument, NULL, 'v' },
    { "cancel", no_argument, NULL, 'C' },
    { "once", no_argument, NULL, '1' },
    { "without-ledger", no_argument, NULL, 'W' },
    { "interval", required_argument, NULL, 'N' },
    { "settle", required_argument, NULL, 'L' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 }
};


emage_rc_t
emage_arguments_parse(int argc, char **argv, emage_arguments_t *out,
    emage_error_t *err)
{
    int              c;
    double           hours;
    emage_edit_t    *edit;
    struct timespec  ts;

    memset(out, 0, sizeof(emage_arguments_t));

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    edit = &out->edit;

    edit->expires = -1;
    edit->now = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    out->interval = EMAGE_RECONCILE_INTERVAL;
    out->settle = EMAGE_SETTLE_AGE;
    hours = 0;

    while ((c = getopt_long(argc, argv, "", emage_long_options, NULL)) != -1) {

        if (c == '?') {
            emage_error_set(err, "see --help");
            return EMAGE_ERROR;
        }

        if (!emage_argument_take(out, c, &hours)) {
            emage_error_set(err, "not a value of that option: \"%s\"",
                            optarg);
            return EMAGE_ERROR;
        }
    }

    out->nargs = argc - optind;
    out->args = argv + optind;

    if (hours == 0) {
        return EMAGE_OK;
    }

    if (edit->until != 0) {
        emage_error_set(err, "give --until, or --hours or --days");
        return EMAGE_ERROR;
    }

    edit->until = ((edit->from == 0) ? edit->now : edit->from)
                  + (int64_t) (hours * 3600000);

    return EMAGE_OK;
}


/* -1 if it is no time; dates begin at midnight UTC. */

static int64_t
emage_argument_time(const char *s)
{
    int        n, end;
    char      *rest;
    int64_t    ms;
    struct tm  tm;

    memset(&tm, 0, sizeof(tm));
    end = 0;

    n = sscanf(s, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &end);

    if (n == 3 && s[end] == 'T') {
        s += end;
        end = 0;
        n = 3 + sscanf(s, "T%2d:%2d:%2dZ%n", &tm.tm_hour, &tm.tm_min,
                       &tm.tm_sec, &end);
    }

    if ((n == 3 || n == 6) && end > 0 && s[end] == '\0') {
        tm.tm_year -= 1900;
        tm.tm_mon--;

        return (int64_t) timegm(&tm) * 1000;
    }

    errno = 0;
    ms = strtoll(s, &rest, 10);

    return (errno == 0 && rest != s && *rest == '\0' && ms >= 0) ? ms : -1;
}


/* "200ms", "15s", "2m"; a bare number is seconds.  -1 if it is none. */

static int64_t
emage_argument_duration(const char *s)
{
    char    *end;
    double   n;

    n = strtod(s, &end);

    if (end == s || n < 0 || n > 1e9) {
        return -1;
    }

    if (strcmp(end, "ms") == 0) {
        return (int64_t) n;
    }

    if (strcmp(end, "s") == 0 || *end == '\0') {
        return (int64_t) (n * 1000);
    }

    return (strcmp(end, "m") == 0) ? (int64_t) (n * 60000) : -1;
}


/* Adds "a,b,c"; the text is cut in place and must stay. */

static bool
emage_argument_list(char *s, emage_edit_list_t *list)
{
    char  *comma;

    for ( ;; ) {
        comma = strchr(s, ',');

        if (comma != NULL) {
            *comma = '\0';
        }

        if (*s != '\0') {

            if (list->n == EMAGE_EDIT_LIST_MAX) {
                return false;
            }

            list->item[list->n++] = s;
        }

        if (comma == NULL) {
            return true;
        }

        s = comma + 1;
    }
}


/* One subject only: a second one is no value. */

static bool
emage_argument_subject(emage_arguments_t *args, const char *kind)
{
    if (args->edit.subject != NULL) {
        return false;
    }

    args->edit.subject = optarg;
    args->edit.kind = kind;

    return true;
}


static bool
emage_argument_hours(double *hours, double unit)
{
    char    *end;
    double   n;

    n = strtod(optarg, &end);

    if (end == optarg || *end != '\0' || !(n > 0)
        || n * unit > EMAGE_HOURS_MAX)
    {
        return false;
    }

    *hours = n * unit;

    return true;
}


/* Where an option goes that is taken as it is; NULL for the others. */

static const char **
emage_argument_string(emage_arguments_t *args, int c)
{
    switch (c) {

    case 'r':
        return &args->conf.redis;

    case 'j':
        return &args->conf.journal;

    case 's':
        return &args->conf.store;

    case 'k':
        return &args->conf.key;

    case 'g':
        return &args->conf.region;

    case 'a':
        return &args->conf.actor;

    case 'p':
        return &args->patient;

    case 'i':
        return &args->identifier;

    case 'u':
        return &args->study;

    case 'I':
        return &args->edit.inclusion;

    case 'S':
        return &args->edit.sharing;

    case 'b':
        return &args->edit.by;

    case 'H':
        return &args->edit.how;

    case 't':
        return &args->edit.text;

    case 'd':
        return &args->edit.id;

    case 'B':
        return &args->edit.basis;

    case 'e':
        return &args->edit.purpose;

    case 'R':
        return &args->edit.reason;

    case 'c':
        return &args->edit.instance;

    case 'v':
        return &args->edit.value;

    default:
        return NULL;
    }
}


static bool
emage_argument_take(emage_arguments_t *args, int c, double *hours)
{
    int64_t       *when;
    const char   **string;
    emage_edit_t  *edit;

    string = emage_argument_string(args, c);

    if (string != NULL) {
        *string = optarg;
        return true;
    }

    edit = &args->edit;

    switch (c) {

    case 'h':
        args->help = true;
        return true;

    case '1':
        args->once = true;
        return true;

    case 'W':
        args->without_ledger = true;
        return true;

    case 'C':
        edit->off = true;
        return true;

    case 'A':
        edit->instance = "all";
        return true;

    case 'P':
        return emage_argument_subject(args, "named");

    case 'T':
        return emage_argument_subject(args, "team");

    case 'O':
        return emage_argument_subject(args, "organisation");

    case 'U':
        return emage_argument_list(optarg, &edit->studies);

    case 'M':
        return emage_argument_list(optarg, &edit->modalities);

    case 'D':
        return emage_argument_list(optarg, &edit->dates);

    case 'o':
        return emage_argument_hours(hours, 1);

    case 'y':
        return emage_argument_hours(hours, 24);

    case 'N':
        args->interval = emage_argument_duration(optarg);
        return args->interval > 0;

    case 'L':
        args->settle = emage_argument_duration(optarg);
        return args->settle >= 0;

    case 'x':
        when = &edit->expires;
        break;

    case 'f':
        when = &edit->from;
        break;

    case 'n':
        when = &edit->until;
        break;

    default:
        return false;
    }

    *when = (strcmp(optarg, "never") == 0) ? 0 : emage_argument_time(optarg);

    return *when >= 0;
}
