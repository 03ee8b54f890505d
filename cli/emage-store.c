
/*
 * Copyright (C) The e-mage authors
 *
 * emage-store: DICOM files into the store, and a look at what is in it.
 */


#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest.h"
#include "inspect.h"
#include "report.h"


#define EXIT_REFUSED  1
#define EXIT_USAGE    2

#define BASE_URL      "/dicom-web"

/* what a node may still use: lease, margin, and a generous rest */

#define SWEEP_AGE_MS  10000


typedef struct {
    emage_ingest_conf_t   ingest;
    const char           *report;
    const char           *study;
    const char           *series;
    const char           *instance;
    const char           *frame;
    const char           *path;
    const char           *pdf;
    const char           *title;
    bool                  orphans;
    bool                  help;
    char                **args;
    int                   nargs;
} emage_options_t;


typedef struct {
    const char  *name;
    int        (*run)(emage_options_t *opt);
    const char  *usage;
    const char  *text;
} emage_command_t;


static int run_ingest(emage_options_t *opt);
static int run_report(emage_options_t *opt);
static int run_list(emage_options_t *opt);
static int run_verify(emage_options_t *opt);
static int run_sweep(emage_options_t *opt);
static int run_frame(emage_options_t *opt);
static int run_bulk(emage_options_t *opt);
static int run_metadata(emage_options_t *opt);
static bool parse(int argc, char **argv, emage_options_t *opt);
static bool source_valid(emage_options_t *opt);
static bool base_url_valid(emage_options_t *opt);
static bool word_valid(const char *s);
static int open_store(emage_options_t *opt, bool records,
    emage_records_t **rec, emage_store_t *st);
static int run_item(emage_options_t *opt, int what);
static int fail(const char *fmt, const char *text);
static void usage(FILE *out);


static const emage_command_t  commands[] = {
    { "ingest", run_ingest,
      "--org ID [--issuer OID] [--default-charset CS] [--jobs N]\n"
      "    [--report FILE] [--base-url PATH] PATH...",
      "Reads DICOM files and publishes their studies." },
    { "report", run_report,
      "--study UID --pdf FILE [--title TEXT] [--org ID]",
      "Adds a PDF to a study as a report; prints its SOP Instance UID.\n"
      "      Seen once \"emage-consent report-status\" has said what it is." },
    { "list", run_list, "", "Lists the studies of the store." },
    { "verify", run_verify, "",
      "Holds the store against its manifests and the records." },
    { "sweep", run_sweep, "[--orphans]",
      "Removes revisions that no record names." },
    { "frame", run_frame,
      "--study UID --series UID --instance UID --frame N",
      "Writes a frame to the standard output." },
    { "bulk", run_bulk,
      "--study UID --series UID --instance UID --path TTTTTTTT[/n/TTTTTTTT]",
      "Writes a bulk value." },
    { "metadata", run_metadata, "--study UID --series UID --instance UID",
      "Writes the metadata of an instance." },
    { NULL, NULL, NULL, NULL }
};


int
main(int argc, char **argv)
{
    emage_options_t         opt;
    const emage_command_t  *c;

    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }

    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }

    for (c = commands; c->name != NULL; c++) {
        if (strcmp(argv[1], c->name) == 0) {
            break;
        }
    }

    if (c->name == NULL) {
        fprintf(stderr, "emage-store: no command \"%s\", see --help\n",
                argv[1]);
        return EXIT_USAGE;
    }

    if (!parse(argc - 1, argv + 1, &opt)) {
        return EXIT_USAGE;
    }

    if (opt.help) {
        printf("usage: emage-store %s %s\n\n%s\n", c->name, c->usage, c->text);
        return 0;
    }

    return c->run(&opt);
}


static void
usage(FILE *out)
{
    const emage_command_t  *c;

    fprintf(out, "usage: emage-store COMMAND ...\n\n");

    for (c = commands; c->name != NULL; c++) {
        fprintf(out, "  %-9s %s\n      %s\n", c->name, c->text, c->usage);
    }

    fprintf(out, "\n"
"Common options: --store DIR, --redis unix:/path|redis://host:port,\n"
"--journal DIR, --key FILE; without them EMAGE_STORE, EMAGE_REDIS,\n"
"EMAGE_JOURNAL, EMAGE_KEY, then what \"emage-consent init\" announced.\n\n"
"--org            the organisation that sends (FINESS)\n"
"--issuer         issuer of its patient ids; default: the organisation.  An\n"
"                 OID of the INS says that its ids are INS of status QUAL.\n"
"--default-charset  character set of text that declares none (\"ISO_IR 100\")\n"
"--base-url       what BulkDataURIs begin with; default " BASE_URL "\n"
"--orphans        sweep: studies without any record too\n\n"
"Exit status: 0 nothing refused (or wrong), 1 something, 2 wrong use or\n"
"environment.\n");
}


static int
fail(const char *fmt, const char *text)
{
    fprintf(stderr, "emage-store: ");
    fprintf(stderr, fmt, text);
    fprintf(stderr, "\n");

    return EXIT_USAGE;
}


static bool
parse(int argc, char **argv, emage_options_t *opt)
{
    int    c;
    char  *end;
    long   n;

    static const struct option  options[] = {
        { "store", required_argument, NULL, 's' },
        { "redis", required_argument, NULL, 'r' },
        { "journal", required_argument, NULL, 'j' },
        { "key", required_argument, NULL, 'k' },
        { "region", required_argument, NULL, 'g' },
        { "org", required_argument, NULL, 'o' },
        { "issuer", required_argument, NULL, 'i' },
        { "default-charset", required_argument, NULL, 'c' },
        { "jobs", required_argument, NULL, 'n' },
        { "report", required_argument, NULL, 'R' },
        { "base-url", required_argument, NULL, 'b' },
        { "quiet", no_argument, NULL, 'q' },
        { "orphans", no_argument, NULL, 'O' },
        { "study", required_argument, NULL, 'S' },
        { "series", required_argument, NULL, 'E' },
        { "instance", required_argument, NULL, 'I' },
        { "frame", required_argument, NULL, 'F' },
        { "path", required_argument, NULL, 'P' },
        { "pdf", required_argument, NULL, 'D' },
        { "title", required_argument, NULL, 'T' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };

    memset(opt, 0, sizeof(*opt));

    opt->ingest.base_url = BASE_URL;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {

        switch (c) {
        case 's':
            opt->ingest.store = optarg;
            opt->ingest.records.store = optarg;
            break;
        case 'r':
            opt->ingest.records.redis = optarg;
            break;
        case 'j':
            opt->ingest.records.journal = optarg;
            break;
        case 'k':
            opt->ingest.records.key = optarg;
            break;
        case 'g':
            opt->ingest.records.region = optarg;
            break;
        case 'o':
            opt->ingest.source.org = optarg;
            break;
        case 'i':
            opt->ingest.source.issuer = optarg;
            break;
        case 'c':
            opt->ingest.default_charset = optarg;
            break;
        case 'n':
            n = strtol(optarg, &end, 10);

            if (*end != '\0' || end == optarg || n < 1 || n > 64) {
                (void) fail("--jobs %s: must be 1 to 64", optarg);
                return false;
            }

            opt->ingest.jobs = (unsigned) n;
            break;
        case 'R':
            opt->report = optarg;
            break;
        case 'b':
            opt->ingest.base_url = optarg;
            break;
        case 'q':
            opt->ingest.quiet = true;
            break;
        case 'O':
            opt->orphans = true;
            break;
        case 'S':
            opt->study = optarg;
            break;
        case 'E':
            opt->series = optarg;
            break;
        case 'I':
            opt->instance = optarg;
            break;
        case 'F':
            opt->frame = optarg;
            break;
        case 'P':
            opt->path = optarg;
            break;
        case 'D':
            opt->pdf = optarg;
            break;
        case 'T':
            opt->title = optarg;
            break;
        case 'h':
            opt->help = true;
            break;
        default:
            (void) fail("see %s", "--help");
            return false;
        }
    }

    opt->args = argv + optind;
    opt->nargs = argc - optind;

    return true;
}


/* A word of records and manifests. */

static bool
word_valid(const char *s)
{
    size_t  i;

    for (i = 0; s[i] != '\0'; i++) {
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'Z')
              || (s[i] >= 'a' && s[i] <= 'z') || strchr("._:-", s[i]) != NULL))
        {
            return false;
        }
    }

    return i >= 1 && i <= EMAGE_UID_MAX;
}


static bool
source_valid(emage_options_t *opt)
{
    emage_source_t  *source;

    source = &opt->ingest.source;

    if (source->org == NULL) {
        (void) fail("ingest: who sends? give %s", "--org FINESS");
        return false;
    }

    if (source->issuer == NULL) {
        source->issuer = source->org;
    }

    if (!word_valid(source->org) || !word_valid(source->issuer)) {
        (void) fail("--org and --issuer must be 1 to 64 of %s",
                    "[0-9A-Za-z._:-]");
        return false;
    }

    source->qualified = emage_publish_qualified(source->issuer);

    return base_url_valid(opt);
}


static bool
base_url_valid(emage_options_t *opt)
{
    const char  *s;

    for (s = opt->ingest.base_url; *s != '\0'; s++) {
        if (*s <= ' ' || *s >= 0x7f || strchr("\"\\<>", *s) != NULL) {
            (void) fail("--base-url %s: not fit for a URL",
                        opt->ingest.base_url);
            return false;
        }
    }

    if (strlen(opt->ingest.base_url) > 256) {
        (void) fail("--base-url: more than %s bytes", "256");
        return false;
    }

    return true;
}


static int
run_ingest(emage_options_t *opt)
{
    int                    i;
    long                   cpus;
    bool                   refused;
    size_t                 n;
    emage_rc_t             rc;
    emage_error_t          err, late;
    emage_ingest_files_t   files;

    if (!source_valid(opt)) {
        return EXIT_USAGE;
    }

    if (opt->nargs == 0) {
        return fail("ingest: which files? give %s", "PATH...");
    }

    if (opt->ingest.jobs == 0) {
        cpus = sysconf(_SC_NPROCESSORS_ONLN);
        opt->ingest.jobs = (cpus < 1) ? 1 : (cpus > 64) ? 64
                                                        : (unsigned) cpus;
    }

    memset(&files, 0, sizeof(files));

    for (i = 0; i < opt->nargs; i++) {
        if (emage_ingest_walk(&files, opt->args[i], &err) != EMAGE_OK) {
            emage_ingest_files_free(&files);
            return fail("%s", err.text);
        }
    }

    rc = emage_ingest_run(&opt->ingest, &files, &err);

    emage_ingest_table(&files);

    if (rc != EMAGE_OK) {
        (void) fail("%s", err.text);
    }

    if (opt->report != NULL
        && emage_ingest_report(&files, opt->report, &late) != EMAGE_OK)
    {
        rc = EMAGE_UNAVAILABLE;
        (void) fail("%s", late.text);
    }

    refused = false;

    for (n = 0; n < files.n; n++) {
        if (files.list[n].status == EMAGE_FILE_REFUSED) {
            refused = true;
        }
    }

    emage_ingest_files_free(&files);

    return (rc != EMAGE_OK) ? EXIT_USAGE : refused ? EXIT_REFUSED : 0;
}


static int
run_report(emage_options_t *opt)
{
    char           sop[EMAGE_UID_MAX + 1];
    emage_rc_t     rc;
    emage_error_t  err;

    if (opt->study == NULL || opt->pdf == NULL) {
        return fail("report: give %s", "--study UID and --pdf FILE");
    }

    if (opt->ingest.source.org != NULL
        && !word_valid(opt->ingest.source.org))
    {
        return fail("--org must be 1 to 64 of %s", "[0-9A-Za-z._:-]");
    }

    if (!base_url_valid(opt)) {
        return EXIT_USAGE;
    }

    rc = emage_report_add(&opt->ingest, opt->study, opt->pdf,
                          opt->title == NULL ? "Report" : opt->title, sop,
                          &err);
    if (rc == EMAGE_OK) {
        printf("%s\n", sop);
        return 0;
    }

    (void) fail("%s", err.text);

    return (rc == EMAGE_ERROR || rc == EMAGE_NOTFOUND) ? EXIT_REFUSED
                                                       : EXIT_USAGE;
}


/* Opens the records, when they are wanted or have to say where the store is. */

static int
open_store(emage_options_t *opt, bool records, emage_records_t **rec,
    emage_store_t *st)
{
    const char     *dir;
    emage_error_t   err;

    *rec = NULL;

    dir = opt->ingest.store;

    if (dir == NULL) {
        dir = getenv("EMAGE_STORE");
    }

    if (records || dir == NULL) {

        opt->ingest.records.process = "emage-store";
        opt->ingest.records.actor = "os:emage-store";

        if (emage_records_open(&opt->ingest.records, rec, &err) != EMAGE_OK) {
            return fail("%s", err.text);
        }

        if (dir == NULL) {
            dir = emage_records_store(*rec);
        }
    }

    if (emage_store_open(dir, false, st, &err) != EMAGE_OK) {
        if (*rec != NULL) {
            emage_records_close(*rec);
        }

        return fail("%s", err.text);
    }

    return 0;
}


static int
run_list(emage_options_t *opt)
{
    emage_rc_t        rc;
    emage_error_t     err;
    emage_store_t     st;
    emage_records_t  *rec;

    if (open_store(opt, false, &rec, &st) != 0) {
        return EXIT_USAGE;
    }

    rc = emage_inspect_list(&st, &err);

    if (rec != NULL) {
        emage_records_close(rec);
    }

    return (rc == EMAGE_OK) ? 0 : fail("%s", err.text);
}


static int
run_verify(emage_options_t *opt)
{
    uint32_t          faults;
    emage_rc_t        rc;
    emage_error_t     err;
    emage_store_t     st;
    emage_records_t  *rec;

    if (open_store(opt, true, &rec, &st) != 0) {
        return EXIT_USAGE;
    }

    rc = emage_inspect_verify(&st, rec, &faults, &err);

    emage_records_close(rec);

    if (rc != EMAGE_OK) {
        return fail("%s", err.text);
    }

    printf("%u fault(s)\n", faults);

    return (faults == 0) ? 0 : EXIT_REFUSED;
}


static int
run_sweep(emage_options_t *opt)
{
    uint32_t          removed;
    emage_rc_t        rc;
    emage_error_t     err;
    emage_store_t     st;
    emage_records_t  *rec;

    if (open_store(opt, true, &rec, &st) != 0) {
        return EXIT_USAGE;
    }

    rc = emage_inspect_sweep(&st, rec, SWEEP_AGE_MS, opt->orphans, &removed,
                             &err);

    emage_records_close(rec);

    if (rc != EMAGE_OK) {
        return fail("%s", err.text);
    }

    printf("%u revision(s) removed\n", removed);

    return 0;
}


static int
run_item(emage_options_t *opt, int what)
{
    char             *end;
    unsigned long     n;
    emage_rc_t        rc;
    emage_error_t     err;
    emage_store_t     st;
    emage_records_t  *rec;

    n = 0;

    if (opt->study == NULL || opt->series == NULL || opt->instance == NULL) {
        return fail("give %s", "--study, --series and --instance");
    }

    if (what == 'F') {
        n = (opt->frame == NULL) ? 0 : strtoul(opt->frame, &end, 10);

        if (n == 0 || n > INT32_MAX || *end != '\0') {
            return fail("give %s", "--frame N, from 1");
        }
    }

    if (what == 'P' && opt->path == NULL) {
        return fail("give %s", "--path");
    }

    if (open_store(opt, false, &rec, &st) != 0) {
        return EXIT_USAGE;
    }

    if (what == 'F') {
        rc = emage_inspect_frame(&st, opt->study, opt->series, opt->instance,
                                 (uint32_t) n, &err);

    } else if (what == 'P') {
        rc = emage_inspect_bulk(&st, opt->study, opt->series, opt->instance,
                                opt->path, &err);

    } else {
        rc = emage_inspect_metadata(&st, opt->study, opt->series,
                                    opt->instance, &err);
    }

    if (rec != NULL) {
        emage_records_close(rec);
    }

    if (rc != EMAGE_OK) {
        (void) fail("%s", err.text);
        return (rc == EMAGE_UNAVAILABLE) ? EXIT_USAGE : EXIT_REFUSED;
    }

    return (fflush(stdout) == 0) ? 0 : fail("cannot %s", "write");
}


static int
run_frame(emage_options_t *opt)
{
    return run_item(opt, 'F');
}


static int
run_bulk(emage_options_t *opt)
{
    return run_item(opt, 'P');
}


static int
run_metadata(emage_options_t *opt)
{
    return run_item(opt, 'M');
}
