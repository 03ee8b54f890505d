
/*
 * Copyright (C) The e-mage authors
 *
 * The few types every room shares: counted strings, error texts, and a
 * growing buffer with a hard cap.  Pure C: no nginx, no I/O.
 */


#ifndef EMAGE_BASE_H
#define EMAGE_BASE_H


#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


/*
 * A counted string.  Never assumed to be terminated, never owned: it lives as
 * long as what it points into.
 */

typedef struct {
    const char  *data;
    size_t       len;
} emage_str_t;

#define emage_str(literal)  ((emage_str_t) { (literal), sizeof(literal) - 1 })
#define emage_null_str      ((emage_str_t) { NULL, 0 })


/*
 * Equality of counted strings: length first, then every byte.  This is the one
 * way to compare identifiers; prefixes never match.
 */

bool emage_str_eq(emage_str_t a, emage_str_t b);

/* As emage_str_eq, in a time that depends on the length alone. */

bool emage_str_eq_consttime(emage_str_t a, emage_str_t b);

/* A counted string over a terminated one; NULL gives the null string. */

emage_str_t emage_str_c(const char *s);

/*
 * Byte order of two counted strings, <0, 0 or >0; a prefix sorts first.
 */

int emage_str_cmp(emage_str_t a, emage_str_t b);


/*
 * The result of everything that can fail.  EMAGE_OK is the only success.
 */

typedef enum {
    EMAGE_OK = 0,
    EMAGE_ERROR,                 /* bad input; the text says where and what */
    EMAGE_NOMEM,                 /* an allocation failed or a cap was met */
    EMAGE_NOTFOUND,
    EMAGE_CONFLICT,              /* version or content differs */
    EMAGE_UNAVAILABLE            /* a needed service or disk does not answer */
} emage_rc_t;


/*
 * An error text, for people: lower case, names the file, the position and
 * what to do.  Always terminated.  Functions take a pointer that may be NULL.
 */

typedef struct {
    char  text[512];
} emage_error_t;

void emage_error_set(emage_error_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


/*
 * A buffer that grows to a cap and no further.  After a failed append `failed`
 * stays set and every later append fails: check once, at the end.
 */

typedef struct {
    char    *data;
    size_t   len;
    size_t   size;
    size_t   max;
    bool     failed;
} emage_buf_t;

/* `max`: bytes the buffer may ever hold.  Nothing is allocated yet. */

void emage_buf_init(emage_buf_t *b, size_t max);
void emage_buf_free(emage_buf_t *b);
void emage_buf_reset(emage_buf_t *b);

emage_rc_t emage_buf_add(emage_buf_t *b, const void *data, size_t len);
emage_rc_t emage_buf_add_str(emage_buf_t *b, emage_str_t s);
emage_rc_t emage_buf_add_c(emage_buf_t *b, const char *s);
emage_rc_t emage_buf_add_int(emage_buf_t *b, int64_t n);

/*
 * Appends `s` as a JSON string with its quotes (RFC 8259 section 7).  Control
 * bytes, DEL, '"', '\', U+2028/2029 and bidirectional controls are escaped;
 * bytes that are not UTF-8 become U+FFFD: one line stays one record.
 */

emage_rc_t emage_buf_add_json(emage_buf_t *b, emage_str_t s);

/* Terminates the content (not counted in len); NULL if the buffer failed. */

const char *emage_buf_cstr(emage_buf_t *b);


/* `dst` takes 2 * len bytes, lower case, not terminated. */

void emage_hex(char *dst, const void *src, size_t len);

/* `dst` takes len / 2 bytes; false unless all of `src` is hex, even length. */

bool emage_unhex(void *dst, const char *src, size_t len);

/*
 * RFC 3339 time in UTC with milliseconds ("2026-11-24T08:15:30.123Z", 24
 * bytes, not terminated), from milliseconds since 1970.
 */

#define EMAGE_TIME_LEN  24

void emage_time_format(char *dst, int64_t ms);

/*
 * malloc for a library that goes on after a failed allocation (jansson drops a
 * byte of the string it is reading): the failure is remembered for this thread
 * until asked for.  emage_latch_failed() is called before the library, to
 * forget, and after it: true means that what the library made is not to be
 * trusted.  Memory is released with free().
 */

void *emage_latch_malloc(size_t size);
bool emage_latch_failed(void);

/* Random bytes from the kernel; false if there are none. */

bool emage_random(void *dst, size_t len);


#endif /* EMAGE_BASE_H */
