
/*
 * Copyright (C) The e-mage authors
 *
 * emage-consent: reads and changes consent and what belongs to it, and keeps
 * Redis in step with the ledgers.
 */


#include "emage_arguments.h"
#include "emage_reconcile.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define EXIT_DONE     0
#define EXIT_REFUSED  1
#define EXIT_USAGE    2

#define RECONCILE_BACKOFF  5000              /* ms, at most */


typedef int (*command_pt)(emage_arguments_t *opt);


typedef struct {
    const char  *name;
    command_pt   run;
    int          nargs;                      /* words that must follow */
    const char  *usage;
    const char  *help;
} command_t;


static int run_init(emage_arguments_t *opt);
static int run_show(emage_arguments_t *opt);
static int run_studies(emage_arguments_t *opt);
static int run_edit(emage_arguments_t *opt);
static int run_withdraw(emage_arguments_t *opt);
static int run_reconcile(emage_arguments_t *opt);


static const char     *command_name;
static volatile sig_atomic_t  stop;


#define WHO   "--patient PID | --identifier 'issuer|id' | --study UID"
#define WHOM  "--professional|--team|--organisation 'system|id'"

static const command_t  commands[] = {
    { "init", run_init, 0, "",
      "Prepares an installation; can be run again at any time.\n"
      "Makes the key file and the ledger's directory, loads the Redis\n"
      "functions, announces where things are, and sets the first epoch of an\n"
      "empty installation." },
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
      "Withdraws sharing.\n"
      "Returns when no node serves on it any more." },
    { "relate", run_edit, 0,
      WHO "\n    " WHOM "\n"
      "    [--studies UID,UID] [--modalities CT,MR] [--dates FROM,TO]\n"
      "    [--basis admission|consultation|opinion|delegation]\n"
      "    [--by 'system|id'] [--from TIME] [--until TIME] [--hours N]"
      " [--days N]",
      "Adds a relation of the patient with somebody." },
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
      "Opens the record in an emergency.\n"
      "For 2 hours unless said otherwise; 24 hours at most." },
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
      "[--once] [--interval 200ms] [--settle 15s] [--without-ledger]",
      "Keeps Redis in step with the ledgers, until it is told to stop.\n"
      "Brings a Redis that started anew, went back in time or was wiped to\n"
      "where the ledgers are, and settles changes whose writer died." },
    { NULL, NULL, 0, NULL, NULL }
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
"\"emage-consent init\" announced.\n"
"A TIME is 2026-12-31, 2026-12-31T08:00:00Z or milliseconds since 1970.\n"
"Exit status: 0 done, 1 refused, 2 wrong use or environment.\n");

    return (out == stderr) ? EXIT_USAGE : EXIT_DONE;
}


/* Whose records: sets opt->pid. */

static emage_rc_t
select_patient(emage_records_t *rec, emage_arguments_t *opt,
    emage_error_t *err)
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
run_init(emage_arguments_t *opt)
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
run_show(emage_arguments_t *opt)
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
run_studies(emage_arguments_t *opt)
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
take_words(emage_arguments_t *opt)
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
edit_records(emage_arguments_t *opt, emage_ack_t *ack)
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
run_edit(emage_arguments_t *opt)
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
run_withdraw(emage_arguments_t *opt)
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
run_reconcile(emage_arguments_t *opt)
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

    rc = emage_reconciler_create(&opt->conf, opt->settle, opt->without_ledger,
                                 reconcile_log, NULL, &r, &err);
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
    int                 rc;
    emage_rc_t          parsed;
    emage_error_t       err;
    const command_t    *c;
    emage_arguments_t   opt;

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

    parsed = emage_arguments_parse(argc - 1, argv + 1, &opt, &err);

    if (parsed != EMAGE_OK) {
        return failed(parsed, &err);
    }

    if (opt.help) {
        return usage(stdout, c);
    }

    if (opt.nargs != c->nargs) {
        (void) fail("%s: %s", command_name,
                    (opt.nargs > c->nargs) ? "a word too many"
                                           : "a word is missing");
        return usage(stderr, c);
    }

    opt.conf.process = (c->run == run_reconcile) ? "reconcile" : "consent";

    rc = c->run(&opt);

    if (fflush(stdout) != 0) {
        return fail("%s: standard output: %s", command_name, strerror(errno));
    }

    return rc;
}
