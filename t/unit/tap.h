
/*
 * Copyright (C) The e-mage authors
 *
 * TAP from C, as much as the unit tests need: tap_ok() or tap_is_str() a line,
 * tap_done() the plan at the end, returning the exit status.
 */


#ifndef EMAGE_TAP_H
#define EMAGE_TAP_H


#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>


static unsigned  tap_count;
static unsigned  tap_failed;


static inline bool
__attribute__((format(printf, 4, 5)))
tap_result(bool ok, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    tap_count++;

    printf("%sok %u - ", ok ? "" : "not ", tap_count);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");

    if (!ok) {
        tap_failed++;
        printf("# failed at %s line %d\n", file, line);
    }

    fflush(stdout);

    return ok;
}


#define tap_ok(cond, ...)                                                     \
    tap_result((cond), __FILE__, __LINE__, __VA_ARGS__)


/* Two terminated strings, both shown when they differ; NULL never passes. */

#define tap_is_str(got, want, ...)                                            \
    tap_is_str_result((got), (want), __FILE__, __LINE__, __VA_ARGS__)

#define tap_is_str_result(got, want, file, line, ...)                         \
    (tap_result(tap_same((got), (want)), file, line, __VA_ARGS__)             \
     || (tap_differ((got), (want)), false))


static inline bool
tap_same(const char *got, const char *want)
{
    return got != NULL && want != NULL && strcmp(got, want) == 0;
}


static inline void
tap_differ(const char *got, const char *want)
{
    printf("# got  %s\n", (got == NULL) ? "nothing" : got);
    printf("# want %s\n", (want == NULL) ? "nothing" : want);
}


static inline int
tap_done(void)
{
    printf("1..%u\n", tap_count);

    if (tap_failed != 0) {
        printf("# failed %u of %u\n", tap_failed, tap_count);
    }

    return tap_failed != 0;
}


#endif /* EMAGE_TAP_H */
