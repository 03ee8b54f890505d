
/*
 * Copyright (C) The e-mage authors
 *
 * emage-audit: proves the journal whole, and answers who saw what.
 */


#include <emage_journal.h>
#include <journal_audit.h>

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define EXIT_DAMAGED  1
#define EXIT_USAGE    2

#define DEPTH         8                     /* of directories */
#define POLL_NS       200000000


typedef struct {
    emage_journal_filter_t   filter;
    const char              *heads;
    bool                     json;
    char                   **paths;
    int                      npaths;
} options_t;

typedef struct {
    int64_t   time;
    uint64_t  offset;
    uint32_t  file;
} hit_t;

typedef struct {
    hit_t   *hit;
    size_t   n;
    size_t   size;
} hits_t;

typedef struct {
    char                  *path;
    emage_journal_file_t   file;
    bool                   done;            /* closed, damaged or abandoned */
} tail_t;

typedef struct {
    tail_t  *tail;
    size_t   n;
    int      status;
} tails_t;


static volatile sig_atomic_t  stop;


static int usage(FILE *out);
static void say(const char *text);
static bool collect(const options_t *opt, emage_journal_paths_t *paths);
static int verify(const options_t *opt);
static int heads(const options_t *opt);
static bool show(const options_t *opt, const emage_journal_record_t *record,
    emage_str_t line);
static bool hits_add(hits_t *hits, int64_t time, uint64_t offset,
    uint32_t file);
static int hit_cmp(const void *a, const void *b);
static emage_rc_t find(const options_t *opt, const char *path, uint32_t n,
    hits_t *hits, emage_error_t *err);
static bool print_hit(const options_t *opt, const char *path,
    uint64_t offset);
static int search(const options_t *opt);
static void on_signal(int signo);
static bool tails_update(const options_t *opt, tails_t *tails);
static void tail_read(const options_t *opt, tails_t *tails, tail_t *tail,
    bool quiet);
static int follow(const options_t *opt);
static int parse(int argc, char **argv, options_t *opt);


static int
usage(FILE *out)
{
    fprintf(out,
"usage: emage-audit verify [--heads FILE] PATH...\n"
"       emage-audit heads PATH...\n"
"       emage-audit search [FILTER]... [--json] PATH...\n"
"       emage-audit follow [FILTER]... [--json] PATH...\n"
"\n"
"PATH is a journal file, or a directory with *.jsonl files at any depth.\n"
"\n"
"verify   checks number, link and shape of every record, and that every\n"
"         outcome has its intent; with --heads also that every file still\n"
"         holds what it held when the heads were printed\n"
"heads    prints \"file seq hash\" lines, to be kept on another machine\n"
"search   prints the records that match all filters, in the order of time\n"
"follow   prints records as they are written; with --since earlier ones first\n"
"\n"
"filters: --subject 'SYSTEM|ID'  --pid PID  --study UID  --type TYPE\n"
"         --decision permit|deny  --reason ID  --request ID\n"
"         --since TIME  --until TIME (RFC 3339; until is excluded)\n"
"\n"
"Exit status: 0 intact, 1 damaged, 2 wrong use or a file that cannot be read.\n"
    );

    return (out == stderr) ? EXIT_USAGE : 0;
}


static void
say(const char *text)
{
    (void) fflush(stdout);

    fprintf(stderr, "emage-audit: %s\n", text);
}


static bool
collect(const options_t *opt, emage_journal_paths_t *paths)
{
    int            i;
    emage_error_t  err;

    memset(paths, 0, sizeof(*paths));

    for (i = 0; i < opt->npaths; i++) {
        if (emage_journal_paths_add(paths, opt->paths[i], DEPTH, &err)
            != EMAGE_OK)
        {
            say(err.text);
            return false;
        }
    }

    return true;
}


static int
verify(const options_t *opt)
{
    int                     rc;
    emage_error_t           err;
    emage_journal_heads_t   known;
    emage_journal_paths_t   paths;
    emage_journal_report_t  report;

    rc = EXIT_USAGE;
    memset(&known, 0, sizeof(known));

    if (!collect(opt, &paths)) {
        goto done;
    }

    if (opt->heads != NULL
        && emage_journal_heads_load(&known, opt->heads, &err) != EMAGE_OK)
    {
        say(err.text);
        goto done;
    }

    if (emage_journal_verify(&paths, &known, stdout, stderr, &report)
        != EMAGE_OK)
    {
        say("out of memory");
        goto done;
    }

    printf("%zu files, %ju records, %ju damaged places, %ju torn last "
           "records\n%ju intents with outcome unknown, %ju in progress\n",
           paths.n, (uintmax_t) report.records, (uintmax_t) report.damage,
           (uintmax_t) report.torn, (uintmax_t) report.unknown,
           (uintmax_t) report.running);

    rc = (report.damage != 0) ? EXIT_DAMAGED
                              : (report.unreadable != 0) ? EXIT_USAGE : 0;

done:

    emage_journal_heads_free(&known);
    emage_journal_paths_free(&paths);

    return rc;
}


static int
heads(const options_t *opt)
{
    int                     rc;
    size_t                  i;
    emage_rc_t              status;
    emage_str_t             line;
    emage_error_t           err;
    emage_journal_file_t    in;
    emage_journal_paths_t   paths;

    rc = collect(opt, &paths) ? 0 : EXIT_USAGE;

    for (i = 0; rc != EXIT_USAGE && i < paths.n; i++) {
        status = emage_journal_file_open(&in, paths.path[i].path, &err);

        while (status == EMAGE_OK) {
            status = emage_journal_file_next(&in, &line, &err);
        }

        if (status != EMAGE_NOTFOUND) {
            say(err.text);
            rc = (status == EMAGE_ERROR) ? EXIT_DAMAGED : EXIT_USAGE;

        } else if (in.reader.line > 0) {
            printf("%s %llu %.*s\n", paths.path[i].name,
                   (unsigned long long) in.reader.chain.seq - 1,
                   EMAGE_HASH_LEN, in.reader.chain.prev);
        }

        emage_journal_file_close(&in);
    }

    emage_journal_paths_free(&paths);

    return rc;
}


static bool
show(const options_t *opt, const emage_journal_record_t *record,
    emage_str_t line)
{
    bool         ok;
    emage_buf_t  text;

    if (opt->json) {
        return fwrite(line.data, 1, line.len, stdout) == line.len
               && putchar('\n') != EOF;
    }

    emage_buf_init(&text, 16 * EMAGE_JOURNAL_LINE_MAX);

    ok = emage_journal_record_print(record, &text) == EMAGE_OK
         && fwrite(text.data, 1, text.len, stdout) == text.len
         && putchar('\n') != EOF;

    emage_buf_free(&text);

    return ok;
}


static bool
hits_add(hits_t *hits, int64_t time, uint64_t offset, uint32_t file)
{
    hit_t   *list;
    size_t   size;

    if (hits->n == hits->size) {
        size = (hits->size == 0) ? 1024 : hits->size * 2;

        list = realloc(hits->hit, size * sizeof(hit_t));
        if (list == NULL) {
            return false;
        }

        hits->hit = list;
        hits->size = size;
    }

    hits->hit[hits->n].time = time;
    hits->hit[hits->n].offset = offset;
    hits->hit[hits->n].file = file;
    hits->n++;

    return true;
}


static int
hit_cmp(const void *a, const void *b)
{
    const hit_t  *x = a, *y = b;

    if (x->time != y->time) {
        return (x->time > y->time) - (x->time < y->time);
    }

    if (x->file != y->file) {
        return (x->file > y->file) - (x->file < y->file);
    }

    return (x->offset > y->offset) - (x->offset < y->offset);
}


/* EMAGE_NOTFOUND at the end of the file */

static emage_rc_t
find(const options_t *opt, const char *path, uint32_t n, hits_t *hits,
    emage_error_t *err)
{
    int64_t                time;
    emage_rc_t             rc;
    emage_str_t            line;
    emage_journal_file_t   in;

    rc = emage_journal_file_open(&in, path, err);

    while (rc == EMAGE_OK) {
        rc = emage_journal_file_next(&in, &line, err);

        if (rc != EMAGE_OK
            || !emage_journal_filter_match(&opt->filter, in.record))
        {
            continue;
        }

        time = 0;
        (void) emage_journal_record_time(in.record, &time);

        if (!hits_add(hits, time, in.offset, n)) {
            emage_error_set(err, "out of memory");
            rc = EMAGE_NOMEM;
        }
    }

    emage_journal_file_close(&in);

    return rc;
}


static bool
print_hit(const options_t *opt, const char *path, uint64_t offset)
{
    FILE                    *f;
    bool                     ok;
    char                    *text;
    size_t                   size;
    ssize_t                  n;
    emage_str_t              line;
    emage_journal_record_t  *record;

    f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }

    ok = false;
    text = NULL;
    size = 0;

    if (fseeko(f, (off_t) offset, SEEK_SET) == 0) {
        n = getline(&text, &size, f);

        if (n > 0 && text[n - 1] == '\n') {
            line.data = text;
            line.len = (size_t) n - 1;

            if (emage_journal_record_parse(line, &record, NULL) == EMAGE_OK) {
                ok = show(opt, record, line);
                emage_journal_record_free(record);
            }
        }
    }

    free(text);
    (void) fclose(f);

    return ok;
}


static int
search(const options_t *opt)
{
    int                     rc;
    size_t                  i;
    hits_t                  hits;
    emage_rc_t              status;
    emage_error_t           err;
    emage_journal_paths_t   paths;

    memset(&hits, 0, sizeof(hits));
    rc = collect(opt, &paths) ? 0 : EXIT_USAGE;

    /* what precedes damage is still shown, and the damage told */

    for (i = 0; rc != EXIT_USAGE && i < paths.n; i++) {
        status = find(opt, paths.path[i].path, (uint32_t) i, &hits, &err);

        if (status != EMAGE_NOTFOUND) {
            say(err.text);
            rc = (status == EMAGE_ERROR) ? EXIT_DAMAGED : EXIT_USAGE;
        }
    }

    if (hits.n > 0) {
        qsort(hits.hit, hits.n, sizeof(hit_t), hit_cmp);
    }

    for (i = 0; i < hits.n; i++) {
        if (!print_hit(opt, paths.path[hits.hit[i].file].path,
                       hits.hit[i].offset))
        {
            say("a file changed while it was read, or the output is closed");
            rc = EXIT_USAGE;
            break;
        }
    }

    free(hits.hit);
    emage_journal_paths_free(&paths);

    return rc;
}


static void
on_signal(int signo)
{
    (void) signo;
    stop = 1;
}


/* Opens what is new below the paths. */

static bool
tails_update(const options_t *opt, tails_t *tails)
{
    size_t                  i, k;
    tail_t                 *list;
    emage_error_t           err;
    emage_journal_paths_t   paths;

    if (!collect(opt, &paths)) {
        emage_journal_paths_free(&paths);
        return false;
    }

    for (i = 0; i < paths.n; i++) {

        for (k = 0; k < tails->n; k++) {
            if (strcmp(tails->tail[k].path, paths.path[i].path) == 0) {
                break;
            }
        }

        if (k < tails->n) {
            continue;
        }

        list = realloc(tails->tail, (tails->n + 1) * sizeof(tail_t));
        if (list == NULL) {
            break;
        }

        tails->tail = list;
        list = &list[tails->n];

        memset(list, 0, sizeof(*list));

        if (emage_journal_file_open(&list->file, paths.path[i].path, &err)
            != EMAGE_OK)
        {
            say(err.text);
            tails->status = EXIT_USAGE;
            list->done = true;
        }

        list->path = paths.path[i].path;
        paths.path[i].path = NULL;
        tails->n++;
    }

    emage_journal_paths_free(&paths);

    return true;
}


static void
tail_read(const options_t *opt, tails_t *tails, tail_t *tail, bool quiet)
{
    emage_rc_t     rc;
    emage_str_t    line;
    emage_error_t  err;

    while ((rc = emage_journal_file_next(&tail->file, &line, &err))
           == EMAGE_OK)
    {
        if (!quiet
            && emage_journal_filter_match(&opt->filter, tail->file.record)
            && !show(opt, tail->file.record, line))
        {
            stop = 1;
            return;
        }
    }

    if (rc == EMAGE_NOTFOUND && !tail->file.reader.closed) {
        return;
    }

    if (rc != EMAGE_NOTFOUND) {
        say(err.text);
        tails->status = (rc == EMAGE_ERROR) ? EXIT_DAMAGED : EXIT_USAGE;
    }

    emage_journal_file_close(&tail->file);
    tail->done = true;
}


static int
follow(const options_t *opt)
{
    bool              quiet;
    size_t            i;
    tails_t           tails;
    struct timespec   pause;
    struct sigaction  action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;

    if (sigaction(SIGINT, &action, NULL) != 0
        || sigaction(SIGTERM, &action, NULL) != 0)
    {
        return EXIT_USAGE;
    }

    memset(&tails, 0, sizeof(tails));

    /* what is there already was not written while we look */

    quiet = (opt->filter.since == INT64_MIN);

    while (!stop) {
        if (!tails_update(opt, &tails)) {
            tails.status = EXIT_USAGE;
            break;
        }

        for (i = 0; i < tails.n && !stop; i++) {
            if (!tails.tail[i].done) {
                tail_read(opt, &tails, &tails.tail[i], quiet);
            }
        }

        quiet = false;

        if (fflush(stdout) != 0) {
            break;
        }

        pause.tv_sec = 0;
        pause.tv_nsec = POLL_NS;
        (void) nanosleep(&pause, NULL);
    }

    for (i = 0; i < tails.n; i++) {
        if (!tails.tail[i].done) {
            emage_journal_file_close(&tails.tail[i].file);
        }

        free(tails.tail[i].path);
    }

    free(tails.tail);

    return tails.status;
}


static int
parse(int argc, char **argv, options_t *opt)
{
    int                      c;
    int64_t                 *time;
    emage_journal_filter_t  *filter;

    static const struct option  options[] = {
        { "subject", required_argument, NULL, 0 },
        { "pid", required_argument, NULL, 1 },
        { "study", required_argument, NULL, 2 },
        { "decision", required_argument, NULL, 3 },
        { "type", required_argument, NULL, 4 },
        { "reason", required_argument, NULL, 5 },
        { "request", required_argument, NULL, 6 },
        { "since", required_argument, NULL, 'a' },
        { "until", required_argument, NULL, 'b' },
        { "heads", required_argument, NULL, 'h' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 }
    };

    filter = &opt->filter;

    /* in the order above */

    emage_str_t *const  fields[] = {
        &filter->subject, &filter->pid, &filter->study, &filter->decision,
        &filter->type, &filter->reason, &filter->request
    };

    emage_journal_filter_init(filter);

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {

        switch (c) {
        case 'h':
            opt->heads = optarg;
            break;
        case 'j':
            opt->json = true;
            break;
        case 'a':
        case 'b':
            time = (c == 'a') ? &filter->since : &filter->until;

            if (!emage_journal_time_parse(emage_str_c(optarg), time)) {
                say("a time must be as 2026-11-24T08:15:30Z");
                return EXIT_USAGE;
            }

            break;
        case '?':
            return EXIT_USAGE;
        default:
            *fields[c] = emage_str_c(optarg);

            /* an empty filter would match everything */

            if (fields[c]->len == 0) {
                say("a filter must not be empty");
                return EXIT_USAGE;
            }
        }
    }

    opt->paths = argv + optind;
    opt->npaths = argc - optind;

    return (opt->npaths > 0) ? 0 : EXIT_USAGE;
}


int
main(int argc, char **argv)
{
    int        rc;
    size_t     i;
    options_t  opt;

    static const struct {
        const char  *name;
        int        (*run)(const options_t *opt);
    } commands[] = {
        { "verify", verify },
        { "heads", heads },
        { "search", search },
        { "follow", follow }
    };

    if (argc > 1 && (strcmp(argv[1], "--help") == 0
                     || strcmp(argv[1], "help") == 0))
    {
        return usage(stdout);
    }

    memset(&opt, 0, sizeof(opt));

    for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {

        if (strcmp(argv[1], commands[i].name) != 0) {
            continue;
        }

        if (parse(argc - 1, argv + 1, &opt) != 0) {
            break;
        }

        rc = commands[i].run(&opt);

        if (fflush(stdout) != 0 || ferror(stdout)) {
            return EXIT_USAGE;
        }

        return rc;
    }

    return usage(stderr);
}
