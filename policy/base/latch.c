
/*
 * Copyright (C) The e-mage authors
 */


#include <emage/base.h>

#include <stdlib.h>


static __thread bool  emage_latch;


void *
emage_latch_malloc(size_t size)
{
    void  *p;

    p = malloc(size);

    if (p == NULL) {
        emage_latch = true;
    }

    return p;
}


bool
emage_latch_failed(void)
{
    bool  failed;

    failed = emage_latch;
    emage_latch = false;

    return failed;
}
