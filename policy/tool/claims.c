
/*
 * Copyright (C) The e-mage authors
 *
 * Claims from a command line: JSON, single members, and what is added.
 */


#include "claims.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>


#define TOOL_CLAIMS_USAGE  2
#define TOOL_CLAIMS_MAX    8192            /* bytes of JSON */


static bool tool_claims_set(json_t *claims, const char *text);
static bool tool_claims_defaults(json_t *claims, long lifetime);
static json_t *tool_claims_read(const tool_claims_t *opt);


int
tool_claims_fail(const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, "emage-token: ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fprintf(stderr, "\n");

    return TOOL_CLAIMS_USAGE;
}


/* "-" is standard input */

emage_rc_t
tool_claims_slurp(const char *path, size_t max, emage_buf_t *out)
{
    int      fd;
    char     chunk[4096];
    ssize_t  n;

    emage_buf_init(out, max);

    fd = STDIN_FILENO;

    if (strcmp(path, "-") != 0) {
        fd = open(path, O_RDONLY|O_CLOEXEC);

        if (fd == -1) {
            (void) tool_claims_fail("%s: cannot be opened: %s",
                                    path, strerror(errno));
            return EMAGE_UNAVAILABLE;
        }
    }

    do {
        n = read(fd, chunk, sizeof(chunk));

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            (void) tool_claims_fail("%s: cannot be read: %s",
                                    path, strerror(errno));
            break;
        }

        if (emage_buf_add(out, chunk, (size_t) n) != EMAGE_OK) {
            (void) tool_claims_fail("%s: longer than %zu bytes", path, max);
            n = -1;
            break;
        }

    } while (n != 0);

    if (fd != STDIN_FILENO) {
        (void) close(fd);
    }

    return (n == 0) ? EMAGE_OK : EMAGE_ERROR;
}


/* NAME=TEXT or NAME:=JSON */

static bool
tool_claims_set(json_t *claims, const char *text)
{
    bool         ok;
    char        *name;
    size_t       len;
    json_t      *value;
    const char  *equal;

    equal = strchr(text, '=');

    if (equal == NULL || equal == text) {
        (void) tool_claims_fail("--claim %s: must be NAME=TEXT or NAME:=JSON",
                                text);
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
        (void) tool_claims_fail("--claim %s: the value is not JSON or not "
                                "UTF-8", text);
        return false;
    }

    name = strndup(text, len);
    ok = name != NULL && json_object_set_new(claims, name, value) == 0;

    free(name);

    if (!ok) {
        (void) tool_claims_fail("out of memory, or a name that is not UTF-8");
    }

    return ok;
}


static bool
tool_claims_defaults(json_t *claims, long lifetime)
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
        (void) tool_claims_fail("out of memory");
    }

    return ok;
}


static json_t *
tool_claims_read(const tool_claims_t *opt)
{
    int           i;
    json_t       *claims;
    emage_buf_t   text;
    json_error_t  error;

    if (opt->text == NULL) {
        claims = json_object();

    } else if (strcmp(opt->text, "-") == 0) {

        if (tool_claims_slurp("-", TOOL_CLAIMS_MAX, &text) != EMAGE_OK) {
            emage_buf_free(&text);
            return NULL;
        }

        claims = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES,
                            &error);
        emage_buf_free(&text);

    } else {
        claims = json_loads(opt->text, JSON_REJECT_DUPLICATES, &error);
    }

    if (!json_is_object(claims)) {
        (void) tool_claims_fail("claims: not a JSON object");
        json_decref(claims);
        return NULL;
    }

    for (i = 0; i < opt->nset; i++) {
        if (!tool_claims_set(claims, opt->set[i])) {
            json_decref(claims);
            return NULL;
        }
    }

    if (!tool_claims_defaults(claims, opt->lifetime)) {
        json_decref(claims);
        return NULL;
    }

    return claims;
}


char *
tool_claims_text(const tool_claims_t *opt)
{
    char    *text;
    json_t  *claims;

    claims = tool_claims_read(opt);
    text = (claims == NULL) ? NULL : json_dumps(claims, JSON_COMPACT);
    json_decref(claims);

    return text;
}
