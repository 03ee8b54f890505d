
/*
 * Copyright (C) The e-mage authors
 *
 * emage-consent: reads and changes consent and what belongs to it, and keeps
 * Redis in step with the ledgers.
 */


#include "emage_edit.h"
#include "emage_reconcile.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define EXIT_DONE     0
#define EXIT_REFUSED  1
#define EXIT_USAGE    2

#define RECONCILE_INTERVAL  200              /* ms */
#define RECONCILE_BACKOFF   5000             /* ms, at most */
#define SETTLE_AGE          15000            /* ms */


typedef struct {
    emage_records_conf_t   conf;
    emage_edit_t           edit;
    const char            *patient;
    const char            *identifier;
    const char            *study;
    char                   pid[EMAGE_PID_LEN + 1];
    double                 hours;
    int64_t                interval;
    int64_t                settle;
    bool                   once;
    bool                   cancel;
    int                    nargs;
    char                 **args;
} options_t;


typedef int (*command_pt)(options_t *opt);


typedef struct {
    const char  *name;
    command_pt   run;
    int          nargs;                      /* words that must follow */
    const char  *usage;
    const char  *help;
} command_t;


static int run_init(options_t *opt);
static int run_show(options_t *opt);
static int run_studies(options_t *opt);
static int run_edit(options_t *opt);
static int run_withdraw(options_t *opt);
static int run_reconcile(options_t *opt);


static const char     *command_name;
static volatile sig_atomic_t  stop;


#define WHO   "--patient PID | --identifier 'issuer|id' | --study UID"
#define WHOM  "--professional|--team|--organisation 'system|id'"

static const command_t  commands[] = {
    { "init", run_init, 0, "",
      "Makes the key file and the ledger's directory, loads the Redis\n"
      "functions, announces where things are, and sets the first epoch of an\n"
      "empty installation.  Can be run again at any time." },
    { "show", run_show, 0, WHO, "Prints the records as JSON." },
    { "studies", run_studies, 0, "[" WHO "]",
      "Lists Study Instance UIDs: of a patient, or of all." },
    { "set", run_edit, 0,
      WHO "\n    [--inclusion none|given|refused]\n"
      "    [--sharing none|active|refused] [--expires TIME|never]\n"
      "    [--by 'system|id'] [--how patient|oral|written] [--text VERSION]",
      "Records consent." },
    { "withdraw", run_withdraw, 0,
      WHO "\n    [--by 'system|id'] [--how patient|oral|written]"
      " [--text VERSION]",
      "Withdraws sharing.  Returns when no node serves on it any more." },
    { "relate", run_edit, 0,
      WHO "\n    " WHOM "\n"
      "    [--studies UID,UID] [--modalities CT,MR] [--dates FROM,TO]\n"
      "    [--basis admission|consultation|opinion|delegation]\n"
      "    [--by 'system|id'] [--from TIME] [--until TIME] [--hours N]"
      " [--days N]",
      "Adds a relation.  With --studies, and without --patient or\n"
      "--identifier, the patient is that of --study." },
    { "unrelate", run_edit, 0, WHO "\n    --id ID | " WHOM,
      "Ends relations." },
    { "exclude", run_edit, 0, WHO "\n    " WHOM " [--from TIME]",
      "The patient excludes somebody." },
    { "include", run_edit, 0, WHO "\n    " WHOM, "Ends an exclusion." },
    { "emergency-exclude", run_edit, 1, "on|off " WHO,
      "The patient excludes emergency access, or allows it again." },
    { "override", run_edit, 0,
      WHO "\n    --professional 'system|id' --reason TEXT"
      " [--purpose BTG|ETREAT] [--hours N]",
      "Opens the record in an emergency, for 2 hours unless said otherwise." },
    { "erase-request", run_edit, 0, WHO " [--cancel]",
      "Requests erasure, or takes the request back before the purge." },
    { "report-status", run_edit, 0,
      "--study UID --instance UID | --all\n"
      "    --status none|preliminary|final|amended",
      "Sets the status of a report, or of all that are listed." },
    { "release", run_edit, 1, "validated|at-once --study UID",
      "When the patient may see images: after validation, or at once." },
    { "mark", run_edit, 2,
      "masked|hidden-patient|hidden-representatives on|off --study UID",
      "Hides a study from professionals, patient or representatives." },
    { "confidentiality", run_edit, 1, "N|R|V --study UID",
      "Sets the confidentiality code of a study." },
    { "restrict", run_edit, 1, "on|off --study UID",
      "Restricts processing of a study (GDPR art. 18)." },
    { "resolve", run_edit, 0, "--study UID",
      "Ends the quarantine of a study and of its pseudo-patient." },
    { "reconcile", run_reconcile, 0,
      "[--once] [--interval 200ms] [--settle 15s]",
      "Runs until it is told to stop: brings a Redis that started anew, went\n"
      "back in time or was wiped to where the ledgers are, and settles\n"
      "changes whose writer died." },
    { NULL, NULL, 0, NULL, NULL }
};


static const struct option  long_options[] = {
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
    { "interval", required_argument, NULL, 'N' },
    { "settle", required_argument, NULL, 'L' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 }
};


static int
fail(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "emage-consent: ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");

    return EXIT_USAGE;
}


/* Nobody's request is refused for the sake of a broken environment. */

static int
status_of(emage_rc_t rc)
{
    switch (rc) {

    case EMAGE_OK:
        return EXIT_DONE;

    case EMAGE_CONFLICT:
    case EMAGE_NOTFOUND:
        return EXIT_REFUSED;

    default:
        return EXIT_USAGE;
    }
}


static int
failed(emage_rc_t rc, const emage_error_t *err)
{
    (void) fail("%s: %s", command_name, err->text);

    return status_of(rc);
}


static int
usage(FILE *out, const command_t *command)
{
    const command_t  *c;

    if (command != NULL) {
        fprintf(out, "usage: emage-consent %s %s\n\n%s\n", command->name,
                command->usage, command->help);

    } else {
        fprintf(out, "usage: emage-consent COMMAND ...\n\n");

        for (c = commands; c->name != NULL; c++) {
            fprintf(out, "  %-18s %.*s\n", c->name,
                    (int) strcspn(c->help, "\n"), c->help);
        }

        fprintf(out, "\nemage-consent COMMAND --help tells more.\n");
    }

    fprintf(out,
"\nCommon options: --redis unix:/path|redis://host:port, --journal DIR,\n"
"--store DIR, --key FILE, --region NAME, --actor 'system|id'; without them\n"
"EMAGE_REDIS, EMAGE_JOURNAL, EMAGE_STORE, EMAGE_KEY, EMAGE_REGION, then what\n"
"\"emage-consent init\" announced.  A TIME is 2026-12-31, 2026-12-31T08:00:00Z\n"
"or milliseconds since 1970.\n"
"Exit status: 0 done, 1 refused, 2 wrong use or environment.\n");

    return (out == stderr) ? EXIT_USAGE : EXIT_DONE;
}


static int64_t
now_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* -1 if it is no time; dates begin at midnight UTC. */

static int64_t
parse_time(const char *s)
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
parse_duration(const char *s)
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
parse_list(char *s, emage_edit_list_t *list)
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


static bool
parse_subject(options_t *opt, const char *kind)
{
    if (opt->edit.subject != NULL) {
        (void) fail("%s: one professional, team or organisation at a time",
                    command_name);
        return false;
    }

    opt->edit.subject = optarg;
    opt->edit.kind = kind;

    return true;
}


static bool
parse_number(const char *s, double *n)
{
    char  *end;

    *n = strtod(s, &end);

    return end != s && *end == '\0' && *n > 0 && *n <= 24.0 * 366 * 100;
}


/* One option; false after a message. */

static bool
parse_option(options_t *opt, int c)
{
    double         n;
    int64_t       *when;
    emage_edit_t  *edit;

    edit = &opt->edit;

    switch (c) {

    case 'r': opt->conf.redis = optarg; return true;
    case 'j': opt->conf.journal = optarg; return true;
    case 's': opt->conf.store = optarg; return true;
    case 'k': opt->conf.key = optarg; return true;
    case 'g': opt->conf.region = optarg; return true;
    case 'a': opt->conf.actor = optarg; return true;
    case 'p': opt->patient = optarg; return true;
    case 'i': opt->identifier = optarg; return true;
    case 'u': opt->study = optarg; return true;
    case 'I': edit->inclusion = optarg; return true;
    case 'S': edit->sharing = optarg; return true;
    case 'b': edit->by = optarg; return true;
    case 'H': edit->how = optarg; return true;
    case 't': edit->text = optarg; return true;
    case 'P': return parse_subject(opt, "named");
    case 'T': return parse_subject(opt, "team");
    case 'O': return parse_subject(opt, "organisation");
    case 'd': edit->id = optarg; return true;
    case 'U': return parse_list(optarg, &edit->studies);
    case 'M': return parse_list(optarg, &edit->modalities);
    case 'D': return parse_list(optarg, &edit->dates);
    case 'B': edit->basis = optarg; return true;
    case 'e': edit->purpose = optarg; return true;
    case 'R': edit->reason = optarg; return true;
    case 'c': edit->instance = optarg; return true;
    case 'A': edit->instance = "all"; return true;
    case 'v': edit->value = optarg; return true;
    case 'C': edit->off = true; return true;
    case '1': opt->once = true; return true;

    case 'o':
    case 'y':

        if (!parse_number(optarg, &n)) {
            (void) fail("%s: not a number: \"%s\"", command_name, optarg);
            return false;
        }

        opt->hours = (c == 'o') ? n : n * 24;
        return true;

    case 'N':
    case 'L':
        when = (c == 'N') ? &opt->interval : &opt->settle;
        *when = parse_duration(optarg);
        break;

    case 'x':
    case 'f':
    case 'n':
        when = (c == 'x') ? &edit->expires
               : (c == 'f') ? &edit->from : &edit->until;
        *when = (strcmp(optarg, "never") == 0) ? 0 : parse_time(optarg);
        break;

    default:
        return false;
    }

    if (*when < 0) {
        (void) fail("%s: not a time: \"%s\"", command_name, optarg);
        return false;
    }

    return true;
}


/* EXIT_DONE, or the status to leave with (*done is set then). */

static int
parse(int argc, char **argv, const command_t *command, options_t *opt,
    bool *done)
{
    int  c;

    memset(opt, 0, sizeof(*opt));

    opt->edit.expires = -1;
    opt->edit.now = now_ms();
    opt->interval = RECONCILE_INTERVAL;
    opt->settle = SETTLE_AGE;
    opt->conf.process = (command->run == run_reconcile) ? "reconcile"
                                                        : "consent";
    *done = true;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {

        if (c == 'h') {
            return usage(stdout, command);
        }

        if (!parse_option(opt, c)) {
            return EXIT_USAGE;
        }
    }

    opt->nargs = argc - optind;
    opt->args = argv + optind;

    if (opt->nargs != command->nargs) {
        (void) fail("%s: %s", command_name,
                    (opt->nargs > command->nargs) ? "a word too many"
                                                  : "a word is missing");
        return usage(stderr, command);
    }

    if (opt->edit.until != 0 && opt->hours != 0) {
        return fail("%s: --until, or --hours or --days", command_name);
    }

    if (opt->hours != 0) {
        opt->edit.until = ((opt->edit.from == 0) ? opt->edit.now
                                                 : opt->edit.from)
                          + (int64_t) (opt->hours * 3600000);
    }

    *done = false;

    return EXIT_DONE;
}


/* Whose records: sets opt->pid. */

static emage_rc_t
select_patient(emage_records_t *rec, options_t *opt, emage_error_t *err)
{
    const char  *bar;

    if ((opt->patient != NULL) + (opt->identifier != NULL)
        + (opt->study != NULL) != 1)
    {
        emage_error_set(err, "give one of --patient, --identifier, --study");
        return EMAGE_ERROR;
    }

    if (opt->patient != NULL) {

        if (strlen(opt->patient) != EMAGE_PID_LEN) {
            emage_error_set(err, "a pid has %d hex digits", EMAGE_PID_LEN);
            return EMAGE_ERROR;
        }

        memcpy(opt->pid, opt->patient, EMAGE_PID_LEN);

        return EMAGE_OK;
    }

    if (opt->study != NULL) {
        return emage_records_study_pid(rec, emage_str_c(opt->study), opt->pid,
                                       err);
    }

    bar = strchr(opt->identifier, '|');

    if (bar == NULL) {
        emage_error_set(err, "an identifier is 'issuer|id'");
        return EMAGE_ERROR;
    }

    return emage_records_patient_find(rec,
                                      (emage_str_t) { opt->identifier,
                                          (size_t) (bar - opt->identifier) },
                                      emage_str_c(bar + 1), opt->pid, err);
}


static int
run_init(options_t *opt)
{
    emage_rc_t     rc;
    emage_buf_t    text;
    emage_error_t  err;

    emage_buf_init(&text, 64 * 1024);

    rc = emage_records_init(&opt->conf, &text, &err);

    if (text.len > 0) {
        fwrite(text.data, 1, text.len, stdout);
    }

    emage_buf_free(&text);

    if (rc == EMAGE_CONFLICT) {

        /* all that init does is done */

        printf("epoch: not set: %s\n", err.text);
        return EXIT_DONE;
    }

    return (rc == EMAGE_OK) ? EXIT_DONE : failed(rc, &err);
}


static int
run_show(options_t *opt)
{
    emage_rc_t        rc;
    emage_buf_t       text;
    emage_error_t     err;
    emage_records_t  *rec;

    rc = emage_records_open(&opt->conf, &rec, &err);
    if (rc != EMAGE_OK) {
        return failed(rc, &err);
    }

    emage_buf_init(&text, 64 * 1024 * 1024);

    rc = select_patient(rec, opt, &err);

    if (rc == EMAGE_OK) {
        rc = emage_records_show(rec, emage_str_c(opt->pid),
                                emage_str_c(opt->study), &text, &err);
    }

    if (rc == EMAGE_OK) {
        fwrite(text.data, 1, text.len, stdout);
        printf("\n");
    }

    emage_buf_free(&text);
    emage_records_close(rec);

    return (rc == EMAGE_OK) ? EXIT_DONE : failed(rc, &err);
}


static emage_rc_t
print_study(void *data, emage_str_t study)
{
    (void) data;

    printf("%.*s\n", (int) study.len, study.data);

    return EMAGE_OK;
}


static int
run_studies(options_t *opt)
{
    emage_rc_t        rc;
    emage_error_t     err;
    emage_records_t  *rec;

    rc = emage_records_open(&opt->conf, &rec, &err);
    if (rc != EMAGE_OK) {
        return failed(rc, &err);
    }

    if (opt->patient != NULL || opt->identifier != NULL
        || opt->study != NULL)
    {
        rc = select_patient(rec, opt, &err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_records_studies(rec, emage_str_c(opt->pid), print_study,
                                   NULL, &err);
    }

    emage_records_close(rec);

    return (rc == EMAGE_OK) ? EXIT_DONE : failed(rc, &err);
}


/* Words that follow the command become what the edit is given. */

static int
take_words(options_t *opt)
{
    const char  *word;

    if (opt->nargs == 0) {
        return EXIT_DONE;
    }

    word = opt->args[opt->nargs - 1];

    if (strcmp(command_name, "confidentiality") == 0
        || strcmp(command_name, "release") == 0)
    {
        opt->edit.value = word;
        return EXIT_DONE;
    }

    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0) {
        return fail("%s: say on or off, not \"%s\"", command_name, word);
    }

    opt->edit.off = (strcmp(word, "off") == 0);

    if (opt->nargs == 2) {
        opt->edit.value = opt->args[0];
    }

    return EXIT_DONE;
}


static int
edit_records(options_t *opt, emage_ack_t *ack)
{
    emage_rc_t        rc;
    emage_error_t     err;
    emage_records_t  *rec;

    if (take_words(opt) != EXIT_DONE) {
        return EXIT_USAGE;
    }

    if (strcmp(command_name, "override") == 0 && opt->edit.until == 0) {
        opt->edit.until = opt->edit.now + 2 * 3600000;
    }

    rc = emage_records_open(&opt->conf, &rec, &err);
    if (rc != EMAGE_OK) {
        return failed(rc, &err);
    }

    rc = select_patient(rec, opt, &err);

    if (rc == EMAGE_OK) {
        rc = emage_records_edit(rec, command_name, emage_str_c(opt->pid),
                                emage_str_c(opt->study), &opt->edit, ack,
                                &err);
    }

    emage_records_close(rec);

    return (rc == EMAGE_OK) ? EXIT_DONE : failed(rc, &err);
}


static int
run_edit(options_t *opt)
{
    int          rc;
    emage_ack_t  ack;

    rc = edit_records(opt, &ack);

    if (rc == EXIT_DONE) {
        printf("%s: %s, seq %lld\n", command_name,
               ack.unchanged ? "unchanged" : "done", (long long) ack.seq);
    }

    return rc;
}


static int
run_withdraw(options_t *opt)
{
    int          rc;
    emage_ack_t  ack;

    rc = edit_records(opt, &ack);

    if (rc == EXIT_DONE) {
        printf("withdraw: acknowledged%s, seq %lld, holders %u, expired %u, "
               "wait %.1f ms\n", ack.unchanged ? " (was withdrawn)" : "",
               (long long) ack.seq, ack.holders, ack.expired,
               (double) ack.wait_us / 1000);
    }

    return rc;
}


static void
on_signal(int signo)
{
    (void) signo;

    stop = 1;
}


static void
reconcile_log(void *data, const char *text)
{
    (void) data;

    fprintf(stderr, "emage-consent: reconcile: %s\n", text);
}


static void
sleep_ms(int64_t ms)
{
    struct timespec  ts;

    ts.tv_sec = ms / 1000;
    ts.tv_nsec = ms % 1000 * 1000000;

    /* a signal ends it early, as it should */

    (void) nanosleep(&ts, NULL);
}


static int
run_reconcile(options_t *opt)
{
    int64_t              wait;
    emage_rc_t           rc;
    emage_error_t        err;
    struct sigaction     sa;
    emage_reconciler_t  *r;

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = on_signal;

    if (sigaction(SIGTERM, &sa, NULL) != 0
        || sigaction(SIGINT, &sa, NULL) != 0)
    {
        return fail("reconcile: sigaction: %s", strerror(errno));
    }

    rc = emage_reconciler_create(&opt->conf, opt->settle, reconcile_log, NULL,
                                 &r, &err);
    if (rc != EMAGE_OK) {
        return failed(rc, &err);
    }

    wait = opt->interval;

    while (!stop) {
        rc = emage_reconciler_step(r, &err);

        if (rc == EMAGE_OK && opt->once) {
            break;
        }

        /* without a text it only waits for old leases to run out */

        if (rc == EMAGE_OK || err.text[0] == '\0') {
            wait = opt->interval;

        } else if (opt->once) {
            break;

        } else if (wait < RECONCILE_BACKOFF) {
            wait = (wait * 2 < RECONCILE_BACKOFF) ? wait * 2
                                                  : RECONCILE_BACKOFF;
        }

        sleep_ms(wait);
    }

    emage_reconciler_destroy(r);

    return (stop || rc == EMAGE_OK) ? EXIT_DONE : EXIT_USAGE;
}


int
main(int argc, char **argv)
{
    int               rc;
    bool              done;
    options_t         opt;
    const command_t  *c;

    if (argc < 2) {
        return usage(stderr, NULL);
    }

    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        return usage(stdout, NULL);
    }

    for (c = commands; c->name != NULL; c++) {
        if (strcmp(argv[1], c->name) == 0) {
            break;
        }
    }

    if (c->name == NULL) {
        (void) fail("no command \"%s\"", argv[1]);
        return usage(stderr, NULL);
    }

    command_name = c->name;

    rc = parse(argc - 1, argv + 1, c, &opt, &done);

    if (done) {
        return rc;
    }

    rc = c->run(&opt);

    if (fflush(stdout) != 0) {
        return fail("%s: standard output: %s", command_name, strerror(errno));
    }

    return rc;
}
