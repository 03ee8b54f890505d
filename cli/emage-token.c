
/*
 * Copyright (C) The e-mage authors
 *
 * emage-token: verifies tokens as the module does, and signs them for tests
 * and the demonstration.
 */


#include <emage/token.h>

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


typedef struct {
    const char   *jwks;
    const char   *key;
    const char   *kty;
    const char   *alg;
    const char   *typ;
    const char   *out;
    const char   *claims;
    long          lifetime;
    const char  **claim;                    /* of argv's length */
    int           nclaims;
} options_t;


static int usage(FILE *out);
static int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static emage_rc_t slurp(const char *path, size_t max, emage_buf_t *out);
static unsigned parse_algs(const char *list);
static int verify(const options_t *opt);
static bool set_claim(json_t *claims, const char *text);
static bool set_defaults(json_t *claims, long lifetime);
static json_t *read_claims(const options_t *opt);
static int sign(const options_t *opt);
static bool write_key(const char *path, const emage_buf_t *key);
static int keygen(const options_t *opt);
static int public(const options_t *opt);
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
"\n"
"verify reads a token (compact JWS) from standard input, checks its signature\n"
"and prints the result: ok, malformed, algorithm, critical, key or signature.\n"
"sign adds iat, exp and jti unless they are given.  public prints a key set.\n"
"Exit status: 0 valid or done, 1 invalid or failed, 2 wrong use.\n");

    return (out == stderr) ? EXIT_USAGE : 0;
}


static int
fail(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "emage-token: ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");

    return EXIT_USAGE;
}


/* "-" is standard input */

static emage_rc_t
slurp(const char *path, size_t max, emage_buf_t *out)
{
    int      fd;
    char     chunk[4096];
    ssize_t  n;

    emage_buf_init(out, max);

    fd = STDIN_FILENO;

    if (strcmp(path, "-") != 0) {
        fd = open(path, O_RDONLY|O_CLOEXEC);

        if (fd == -1) {
            (void) fail("%s: cannot be opened: %s", path, strerror(errno));
            return EMAGE_UNAVAILABLE;
        }
    }

    do {
        n = read(fd, chunk, sizeof(chunk));

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            (void) fail("%s: cannot be read: %s", path, strerror(errno));
            break;
        }

        if (emage_buf_add(out, chunk, (size_t) n) != EMAGE_OK) {
            (void) fail("%s: longer than %zu bytes", path, max);
            n = -1;
            break;
        }

    } while (n != 0);

    if (fd != STDIN_FILENO) {
        (void) close(fd);
    }

    return (n == 0) ? EMAGE_OK : EMAGE_ERROR;
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

    rc = slurp(opt->jwks, EMAGE_JWKS_MAX, &set);

    if (rc != EMAGE_OK) {
        emage_buf_free(&set);
        return EXIT_USAGE;
    }

    text = (emage_str_t) { set.data, set.len };
    rc = emage_jwks_load(text, algs, &jwks, &err);

    emage_buf_free(&set);

    if (rc != EMAGE_OK) {

        /* whatever the token, no key of this set can have signed it */

        (void) fail("%s: %s", opt->jwks, err.text);
        printf("%s\n", emage_token_result_name(EMAGE_TOKEN_KEY).data);

        return EXIT_INVALID;
    }

    /* an over-long token is invalid, not a wrong use */

    if (slurp("-", 4 * EMAGE_TOKEN_MAX, &token) == EMAGE_OK) {
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


/* NAME=TEXT or NAME:=JSON */

static bool
set_claim(json_t *claims, const char *text)
{
    bool         ok;
    char        *name;
    size_t       len;
    json_t      *value;
    const char  *equal;

    equal = strchr(text, '=');

    if (equal == NULL || equal == text) {
        (void) fail("--claim %s: must be NAME=TEXT or NAME:=JSON", text);
        return false;
    }

    len = (size_t) (equal - text);

    if (len > 1 && text[len - 1] == ':') {
        len--;
        value = json_loads(equal + 1, JSON_DECODE_ANY|JSON_REJECT_DUPLICATES,
                           NULL);

    } else {
        value = json_string(equal + 1);
    }

    if (value == NULL) {
        (void) fail("--claim %s: the value is not JSON or not UTF-8", text);
        return false;
    }

    name = strndup(text, len);
    ok = name != NULL && json_object_set_new(claims, name, value) == 0;

    free(name);

    if (!ok) {
        (void) fail("out of memory, or a name that is not UTF-8");
    }

    return ok;
}


static bool
set_defaults(json_t *claims, long lifetime)
{
    bool     ok;
    char     jti[32];
    time_t   now;
    uint8_t  bytes[sizeof(jti) / 2];

    ok = true;
    now = time(NULL);

    if (json_object_get(claims, "iat") == NULL) {
        ok = json_object_set_new(claims, "iat", json_integer(now)) == 0;
    }

    if (ok && json_object_get(claims, "exp") == NULL) {
        ok = json_object_set_new(claims, "exp",
                                 json_integer(now + lifetime)) == 0;
    }

    if (ok && json_object_get(claims, "jti") == NULL) {
        ok = emage_random(bytes, sizeof(bytes));

        emage_hex(jti, bytes, sizeof(bytes));

        ok = ok && json_object_set_new(claims, "jti",
                                       json_stringn(jti, sizeof(jti))) == 0;
    }

    if (!ok) {
        (void) fail("out of memory");
    }

    return ok;
}


static json_t *
read_claims(const options_t *opt)
{
    int           i;
    json_t       *claims;
    emage_buf_t   text;
    json_error_t  error;

    if (opt->claims == NULL) {
        claims = json_object();

    } else if (strcmp(opt->claims, "-") == 0) {

        if (slurp("-", EMAGE_TOKEN_MAX, &text) != EMAGE_OK) {
            emage_buf_free(&text);
            return NULL;
        }

        claims = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES,
                            &error);
        emage_buf_free(&text);

    } else {
        claims = json_loads(opt->claims, JSON_REJECT_DUPLICATES, &error);
    }

    if (!json_is_object(claims)) {
        (void) fail("claims: not a JSON object");
        json_decref(claims);
        return NULL;
    }

    for (i = 0; i < opt->nclaims; i++) {
        if (!set_claim(claims, opt->claim[i])) {
            json_decref(claims);
            return NULL;
        }
    }

    if (!set_defaults(claims, opt->lifetime)) {
        json_decref(claims);
        return NULL;
    }

    return claims;
}


static int
sign(const options_t *opt)
{
    char           *text;
    json_t         *claims, *key;
    emage_rc_t      rc;
    const char     *alg;
    emage_buf_t     jwk, out;
    emage_error_t   err;

    if (opt->key == NULL) {
        return usage(stderr);
    }

    if (slurp(opt->key, 65536, &jwk) != EMAGE_OK) {
        emage_buf_free(&jwk);
        return EXIT_USAGE;
    }

    claims = read_claims(opt);
    text = (claims == NULL) ? NULL : json_dumps(claims, JSON_COMPACT);
    json_decref(claims);

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
        (void) fail("%s: %s", opt->key, err.text);
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
        return fail("out of memory") == 0;
    }

    slash = strrchr(parent, '/');

    if (slash != NULL) {
        slash[(slash == parent) ? 1 : 0] = '\0';
    }

    fd = mkostemp(temp, O_CLOEXEC);                /* mode 0600 */

    if (fd == -1) {
        (void) fail("%s: cannot be created: %s", path, strerror(errno));
        free(parent);
        free(temp);
        return false;
    }

    n = write(fd, key->data, key->len);
    ok = n == (ssize_t) key->len && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;

    ok = ok && link(temp, path) == 0;

    if (!ok) {
        (void) fail("%s: cannot be written: %s", path, strerror(errno));
    }

    (void) unlink(temp);

    if (ok) {
        dir = open((slash == NULL) ? "." : parent, O_RDONLY|O_DIRECTORY);
        ok = dir != -1 && fsync(dir) == 0;

        if (!ok) {
            (void) fail("%s: cannot be synced: %s", path, strerror(errno));
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
        return fail("%s", err.text);
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

    rc = slurp(opt->key, 65536, &jwk);

    if (rc == EMAGE_OK) {
        rc = emage_jwk_public((emage_str_t) { jwk.data, jwk.len }, &out, &err);

        if (rc == EMAGE_OK) {
            printf("%.*s\n", (int) out.len, out.data);

        } else {
            (void) fail("%s: %s", opt->key, err.text);
        }
    }

    emage_buf_free(&jwk);
    emage_buf_free(&out);

    return (rc == EMAGE_OK) ? 0 : EXIT_INVALID;
}


static int
parse(int argc, char **argv, options_t *opt)
{
    int    c;
    char  *end;

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
            errno = 0;
            opt->lifetime = strtol(optarg, &end, 10);

            if (errno != 0 || *end != '\0' || opt->lifetime < -1000000000
                || opt->lifetime > 1000000000)
            {
                return fail("--lifetime %s: must be a number of seconds",
                            optarg);
            }

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
        { "public", public }
    };

    if (argc > 1 && (strcmp(argv[1], "--help") == 0
                     || strcmp(argv[1], "help") == 0))
    {
        return usage(stdout);
    }

    memset(&opt, 0, sizeof(opt));
    opt.lifetime = 3600;
    opt.claim = calloc((size_t) argc + 1, sizeof(char *));

    if (opt.claim == NULL) {
        return fail("out of memory");
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
