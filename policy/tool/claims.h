
/*
 * Copyright (C) The e-mage authors
 *
 * Claims from a command line, for tokens and sessions.
 */


#ifndef EMAGE_TOOL_CLAIMS_H
#define EMAGE_TOOL_CLAIMS_H


#include <emage/base.h>


typedef struct {
    const char   *text;              /* JSON, "-": standard input, or NULL */
    const char  **set;               /* NAME=TEXT or NAME:=JSON */
    int           nset;
    long          lifetime;          /* s, for exp */
} tool_claims_t;

/* Says "emage-token: ..." on standard error; returns 2. */

int tool_claims_fail(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * The claims as JSON text, with iat, exp and jti unless they are given; the
 * caller frees it.  NULL: what is wrong was said.
 */

char *tool_claims_text(const tool_claims_t *claims);

/* Reads at most `max` bytes of a file ("-": standard input) into `out`. */

emage_rc_t tool_claims_slurp(const char *path, size_t max, emage_buf_t *out);


#endif /* EMAGE_TOOL_CLAIMS_H */
