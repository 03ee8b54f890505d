
/*
 * Copyright (C) The e-mage authors
 *
 * emage-token: verifies tokens as the module does, signs them for tests and
 * the demonstration, opens and ends sessions.
 */


#include "../policy/tool/claims.h"

#include <emage/token.h>

#include "emage_session.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>

#include <jansson.h>


#define EXIT_INVALID  1
#define EXIT_USAGE    2

#define TOKEN_LIFETIME    3600              /* s */
#define SESSION_LIFETIME  (8 * 3600)
#define SESSION_IDLE      1800


typedef struct {
    const char   *jwks;
    const char   *key;
    const char   *kty;
    const char   *alg;
    const char   *typ;
    const char   *out;
    const char   *claims;
    const char   *redis;
    const char   *end;
    long          lifetime;                 /* s, 0: not given */
    long          idle;                     /* s */
    const char  **claim;                    /* of argv's length */
    int           nclaims;
} options_t;


static int usage(FILE *out);
static unsigned parse_algs(const char *list);
static int verify(const options_t *opt);
static char *claims_of(const options_t *opt, long lifetime);
static int sign(const options_t *opt);
static bool write_key(const char *path, const emage_buf_t *key);
static int keygen(const options_t *opt);
static int public(const options_t *opt);
static int session(const options_t *opt);
static int session_begin(emage_records_t *rec, const options_t *opt);
static int session_finish(emage_records_t *rec, const options_t *opt);
static int seconds(const char *name, long min, long *value);
static int parse(int argc, char **argv, options_t *opt);


static int
usage(FILE *out)
{
    fprintf(out,
"usage: emage-token verify --jwks FILE [--alg RS256,PS256,ES256]\n"
"       emage-token sign --key JWK [--alg ALG] [--typ TYPE]\n"
"                        [--claims JSON|-] [--claim NAME=TEXT|NAME:=JSON]...\n"
"                        [--lifetime SECONDS]\n"
"       emage-token keygen --kty RSA|EC [--alg ALG] --out FILE\n"
"       emage-token public --key JWK\n"
"       emage-token session [--redis URL] [--claims JSON|-] [--claim ...]...\n"
"                        [--lifetime SECONDS] [--idle SECONDS]\n"
"       emage-token session [--redis URL] --end ID|-\n"
"\n"
"verify reads a token (compact JWS) from standard input, checks its signature\n"
"and prints the result: ok, malformed, algorithm, critical, key or signature.\n"
"sign adds iat, exp and jti unless they are given.  public prints a key set.\n"
"session opens a session for the claims; it ends after --lifetime (8 h), or\n"
"--idle (30 min) without use, and prints its id: the value of the cookie\n"
EMAGE_SESSION_COOKIE ", shown this once.  --end ends one on every node.\n"
"Exit status: 0 valid or done, 1 invalid or failed, 2 wrong use.\n");

    return (out == stderr) ? EXIT_USAGE : 0;
}


static unsigned
parse_algs(const char *list)
{
    unsigned     alg, all;
    emage_str_t  name;
    const char  *end;

    all = 0;

    for ( ;; ) {
        end = strchrnul(list, ',');

        name.data = list;
        name.len = (size_t) (end - list);

        alg = emage_alg_parse(name);

        if (alg == 0) {
            return 0;
        }

        all |= alg;

        if (*end == '\0') {
            return all;
        }

        list = end + 1;
    }
}


static int
verify(const options_t *opt)
{
    unsigned              algs;
    emage_rc_t            rc;
    emage_buf_t           set, token, payload;
    emage_str_t           text;
    emage_jwks_t         *jwks;
    emage_error_t         err;
    emage_token_result_t  result;

    algs = parse_algs((opt->alg != NULL) ? opt->alg : "RS256,PS256,ES256");

    if (opt->jwks == NULL || algs == 0) {
        return usage(stderr);
    }

    rc = tool_claims_slurp(opt->jwks, EMAGE_JWKS_MAX, &set);

    if (rc != EMAGE_OK) {
        emage_buf_free(&set);
        return EXIT_USAGE;
    }

    text = (emage_str_t) { set.data, set.len };
    rc = emage_jwks_load(text, algs, &jwks, &err);

    emage_buf_free(&set);

    if (rc != EMAGE_OK) {

        /* whatever the token, no key of this set can have signed it */

        (void) tool_claims_fail("%s: %s", opt->jwks, err.text);
        printf("%s\n", emage_token_result_name(EMAGE_TOKEN_KEY).data);

        return EXIT_INVALID;
    }

    /* an over-long token is invalid, not a wrong use */

    if (tool_claims_slurp("-", 4 * EMAGE_TOKEN_MAX, &token) == EMAGE_OK) {
        while (token.len > 0 && (token.data[token.len - 1] == '\n'
                                 || token.data[token.len - 1] == '\r'))
        {
            token.len--;
        }

        emage_buf_init(&payload, EMAGE_TOKEN_MAX);

        result = emage_jws_verify(jwks, (emage_str_t) { token.data, token.len },
                                  &payload);

        emage_buf_free(&payload);

    } else {
        result = EMAGE_TOKEN_MALFORMED;
    }

    emage_buf_free(&token);
    emage_jwks_free(jwks);

    printf("%s\n", emage_token_result_name(result).data);

    return (result == EMAGE_TOKEN_OK) ? 0 : EXIT_INVALID;
}


static char *
claims_of(const options_t *opt, long lifetime)
{
    tool_claims_t  claims;

    claims.text = opt->claims;
    claims.set = opt->claim;
    claims.nset = opt->nclaims;
    claims.lifetime = (opt->lifetime != 0) ? opt->lifetime : lifetime;

    return tool_claims_text(&claims);
}


static int
sign(const options_t *opt)
{
    char           *text;
    json_t         *key;
    emage_rc_t      rc;
    const char     *alg;
    emage_buf_t     jwk, out;
    emage_error_t   err;

    if (opt->key == NULL) {
        return usage(stderr);
    }

    if (tool_claims_slurp(opt->key, 65536, &jwk) != EMAGE_OK) {
        emage_buf_free(&jwk);
        return EXIT_USAGE;
    }

    text = claims_of(opt, TOKEN_LIFETIME);

    if (text == NULL) {
        emage_buf_free(&jwk);
        return EXIT_USAGE;
    }

    /* a key that names its algorithm need not be told it again */

    key = json_loadb(jwk.data, jwk.len, 0, NULL);
    alg = (opt->alg != NULL) ? opt->alg
                             : json_string_value(json_object_get(key, "alg"));

    emage_buf_init(&out, 4 * EMAGE_TOKEN_MAX);

    if (alg == NULL) {
        emage_error_set(&err, "the key names no algorithm, give --alg");
        rc = EMAGE_ERROR;

    } else {
        rc = emage_token_sign((emage_str_t) { jwk.data, jwk.len }, alg,
                              opt->typ, emage_str_c(text), &out, &err);
    }

    if (rc == EMAGE_OK) {
        printf("%.*s\n", (int) out.len, out.data);

    } else {
        (void) tool_claims_fail("%s: %s", opt->key, err.text);
    }

    json_decref(key);
    free(text);
    emage_buf_free(&jwk);
    emage_buf_free(&out);

    return (rc == EMAGE_OK) ? 0 : EXIT_INVALID;
}


/* A key is never overwritten, and never readable by others for a moment. */

static bool
write_key(const char *path, const emage_buf_t *key)
{
    int      fd, dir;
    bool     ok;
    char    *temp, *parent, *slash;
    ssize_t  n;

    temp = NULL;
    parent = strdup(path);

    if (parent == NULL || asprintf(&temp, "%s.XXXXXX", path) < 0) {
        free(parent);
        return tool_claims_fail("out of memory") == 0;
    }

    slash = strrchr(parent, '/');

    if (slash != NULL) {
        slash[(slash == parent) ? 1 : 0] = '\0';
    }

    fd = mkostemp(temp, O_CLOEXEC);                /* mode 0600 */

    if (fd == -1) {
        (void) tool_claims_fail("%s: cannot be created: %s",
                                path, strerror(errno));
        free(parent);
        free(temp);
        return false;
    }

    n = write(fd, key->data, key->len);
    ok = n == (ssize_t) key->len && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;

    ok = ok && link(temp, path) == 0;

    if (!ok) {
        (void) tool_claims_fail("%s: cannot be written: %s",
                                path, strerror(errno));
    }

    (void) unlink(temp);

    if (ok) {
        dir = open((slash == NULL) ? "." : parent, O_RDONLY|O_DIRECTORY);
        ok = dir != -1 && fsync(dir) == 0;

        if (!ok) {
            (void) tool_claims_fail("%s: cannot be synced: %s",
                                    path, strerror(errno));
        }

        if (dir != -1) {
            (void) close(dir);
        }
    }

    free(parent);
    free(temp);

    return ok;
}


static int
keygen(const options_t *opt)
{
    bool           ok;
    emage_buf_t    key;
    emage_error_t  err;

    if (opt->kty == NULL || opt->out == NULL) {
        return usage(stderr);
    }

    emage_buf_init(&key, 65536);

    if (emage_jwk_generate(opt->kty, opt->alg, &key, &err) != EMAGE_OK) {
        emage_buf_free(&key);
        return tool_claims_fail("%s", err.text);
    }

    ok = emage_buf_add_c(&key, "\n") == EMAGE_OK && write_key(opt->out, &key);

    emage_buf_free(&key);

    return ok ? 0 : EXIT_INVALID;
}


static int
public(const options_t *opt)
{
    emage_rc_t     rc;
    emage_buf_t    jwk, out;
    emage_error_t  err;

    if (opt->key == NULL) {
        return usage(stderr);
    }

    emage_buf_init(&out, EMAGE_JWKS_MAX);

    rc = tool_claims_slurp(opt->key, 65536, &jwk);

    if (rc == EMAGE_OK) {
        rc = emage_jwk_public((emage_str_t) { jwk.data, jwk.len }, &out, &err);

        if (rc == EMAGE_OK) {
            printf("%.*s\n", (int) out.len, out.data);

        } else {
            (void) tool_claims_fail("%s: %s", opt->key, err.text);
        }
    }

    emage_buf_free(&jwk);
    emage_buf_free(&out);

    return (rc == EMAGE_OK) ? 0 : EXIT_INVALID;
}


static int
session(const options_t *opt)
{
    int                   rc;
    emage_error_t         err;
    emage_records_t      *rec;
    emage_records_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.redis = opt->redis;
    conf.process = "emage-token";

    if (emage_records_open(&conf, &rec, &err) != EMAGE_OK) {
        (void) tool_claims_fail("%s", err.text);
        return EXIT_INVALID;
    }

    rc = (opt->end != NULL) ? session_finish(rec, opt)
                            : session_begin(rec, opt);

    emage_records_close(rec);

    return rc;
}


static int
session_begin(emage_records_t *rec, const options_t *opt)
{
    char           id[EMAGE_SESSION_ID], *claims;
    long           idle, lifetime;
    emage_rc_t     rc;
    emage_error_t  err;

    idle = (opt->idle != 0) ? opt->idle : SESSION_IDLE;
    lifetime = (opt->lifetime != 0) ? opt->lifetime : SESSION_LIFETIME;

    claims = claims_of(opt, lifetime);

    if (claims == NULL) {
        return EXIT_USAGE;
    }

    rc = emage_session_open(rec, emage_str_c(claims), (int64_t) idle * 1000,
                            (int64_t) lifetime * 1000, id, &err);
    free(claims);

    if (rc != EMAGE_OK) {
        (void) tool_claims_fail("%s", err.text);
        return (rc == EMAGE_ERROR) ? EXIT_USAGE : EXIT_INVALID;
    }

    printf("%.*s\n", (int) sizeof(id), id);

    return 0;
}


static int
session_finish(emage_records_t *rec, const options_t *opt)
{
    emage_rc_t     rc;
    emage_ack_t    ack;
    emage_buf_t    id;
    emage_error_t  err;

    /* an id in the arguments shows in the list of processes: "-" hides it */

    emage_buf_init(&id, EMAGE_SESSION_ID + 1);

    if (strcmp(opt->end, "-") == 0) {

        if (tool_claims_slurp("-", EMAGE_SESSION_ID + 1, &id) != EMAGE_OK) {
            emage_buf_free(&id);
            return EXIT_USAGE;
        }

        if (id.len > 0 && id.data[id.len - 1] == '\n') {
            id.len--;
        }

    } else {
        (void) emage_buf_add_c(&id, opt->end);
    }

    rc = emage_session_end(rec, (emage_str_t) { id.data, id.len }, &ack, &err);

    emage_buf_free(&id);

    if (rc != EMAGE_OK) {
        (void) tool_claims_fail("%s", err.text);
        return (rc == EMAGE_ERROR) ? EXIT_USAGE : EXIT_INVALID;
    }

    printf("session: ended, acknowledged after %lld ms, seq %lld, holders %u, "
           "expired %u\n", (long long) ack.wait_us / 1000,
           (long long) ack.seq, ack.holders, ack.expired);

    return 0;
}


static int
seconds(const char *name, long min, long *value)
{
    char  *end;

    errno = 0;
    *value = strtol(optarg, &end, 10);

    if (errno != 0 || *end != '\0' || end == optarg || *value < min
        || *value > 1000000000 || *value == 0)
    {
        return tool_claims_fail("--%s %s: must be a number of seconds", name,
                                optarg);
    }

    return 0;
}


static int
parse(int argc, char **argv, options_t *opt)
{
    int  c;

    static const struct option  options[] = {
        { "jwks", required_argument, NULL, 'j' },
        { "key", required_argument, NULL, 'k' },
        { "kty", required_argument, NULL, 'y' },
        { "alg", required_argument, NULL, 'a' },
        { "typ", required_argument, NULL, 't' },
        { "out", required_argument, NULL, 'o' },
        { "claims", required_argument, NULL, 'c' },
        { "claim", required_argument, NULL, 'l' },
        { "lifetime", required_argument, NULL, 's' },
        { "idle", required_argument, NULL, 'i' },
        { "redis", required_argument, NULL, 'r' },
        { "end", required_argument, NULL, 'e' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'j':
            opt->jwks = optarg;
            break;
        case 'k':
            opt->key = optarg;
            break;
        case 'y':
            opt->kty = optarg;
            break;
        case 'a':
            opt->alg = optarg;
            break;
        case 't':
            opt->typ = optarg;
            break;
        case 'o':
            opt->out = optarg;
            break;
        case 'c':
            opt->claims = optarg;
            break;
        case 'l':
            opt->claim[opt->nclaims++] = optarg;
            break;
        case 's':
            if (seconds("lifetime", -1000000000, &opt->lifetime) != 0) {
                return EXIT_USAGE;
            }

            break;
        case 'i':
            if (seconds("idle", 1, &opt->idle) != 0) {
                return EXIT_USAGE;
            }

            break;
        case 'r':
            opt->redis = optarg;
            break;
        case 'e':
            opt->end = optarg;
            break;
        default:
            return EXIT_USAGE;
        }
    }

    return (optind == argc) ? 0 : EXIT_USAGE;
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
        { "sign", sign },
        { "keygen", keygen },
        { "public", public },
        { "session", session }
    };

    if (argc > 1 && (strcmp(argv[1], "--help") == 0
                     || strcmp(argv[1], "help") == 0))
    {
        return usage(stdout);
    }

    memset(&opt, 0, sizeof(opt));
    opt.claim = calloc((size_t) argc + 1, sizeof(char *));

    if (opt.claim == NULL) {
        return tool_claims_fail("out of memory");
    }

    rc = -1;

    for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {

        if (strcmp(argv[1], commands[i].name) == 0) {
            rc = parse(argc - 1, argv + 1, &opt);

            if (rc == 0) {
                rc = commands[i].run(&opt);

            } else {
                (void) usage(stderr);
            }

            break;
        }
    }

    free(opt.claim);

    if (rc == -1) {
        return usage(stderr);
    }

    if (fflush(stdout) != 0 || ferror(stdout)) {
        return EXIT_INVALID;
    }

    return rc;
}
