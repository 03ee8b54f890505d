
/*
 * Copyright (C) The e-mage authors
 *
 * An allocator that fails on command, for out-of-memory loops: include it in
 * one file of a test.  oom_after = n lets n allocations pass; the next fails,
 * and with oom_all every later one too.  Under a sanitizer, which has its own
 * allocator, nothing fails and OOM_READY is 0.
 */


#ifndef EMAGE_OOM_H
#define EMAGE_OOM_H


#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>


static long  oom_after = -1;
static bool  oom_all;

/* allocated and not yet released */

static long  oom_live __attribute__((unused));


#if defined(__SANITIZE_ADDRESS__)

#define OOM_READY  0

#else

#define OOM_READY  1

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);


static bool
oom_fails(void)
{
    if (oom_after < 0) {
        return false;
    }

    if (oom_after > 0) {
        oom_after--;
        return false;
    }

    if (!oom_all) {
        oom_after = -1;
    }

    return true;
}


void *
malloc(size_t size)
{
    void  *p;

    p = oom_fails() ? NULL : __libc_malloc(size);
    oom_live += (p != NULL);

    return p;
}


void *
calloc(size_t n, size_t size)
{
    void  *p;

    p = oom_fails() ? NULL : __libc_calloc(n, size);
    oom_live += (p != NULL);

    return p;
}


void *
realloc(void *old, size_t size)
{
    void  *p;

    p = oom_fails() ? NULL : __libc_realloc(old, size);
    oom_live += (p != NULL && old == NULL);

    return p;
}


void
free(void *p)
{
    oom_live -= (p != NULL);

    __libc_free(p);
}

#endif


#endif /* EMAGE_OOM_H */
