
/*
 * Copyright (C) The e-mage authors
 *
 * MANIFEST: what a revision is made of, and what each object was when it came.
 */


#ifndef EMAGE_MANIFEST_H
#define EMAGE_MANIFEST_H


#include <emage/resource.h>

#include "digest.h"


typedef struct {
    char            series[EMAGE_UID_MAX + 1];
    char            sop[EMAGE_UID_MAX + 1];
    char            org[EMAGE_UID_MAX + 1];
    char            transfer_syntax[EMAGE_UID_MAX + 1];   /* as received */
    uint64_t        size;                                 /* as received */
    unsigned char   received[EMAGE_SHA256_LEN];
    unsigned char   dataset[EMAGE_SHA256_LEN];
    unsigned char   content[EMAGE_SHA256_LEN];
    char           *path;                                 /* it came from */
} emage_manifest_object_t;


typedef struct {
    emage_sum_t   sum;
    char         *path;              /* below the revision */
} emage_manifest_file_t;


/* Zeroed memory is an empty one. */

typedef struct {
    char                      study[EMAGE_UID_MAX + 1];
    char                      revision[EMAGE_UID_MAX + 1];
    emage_manifest_object_t  *objects;
    size_t                    nobjects;
    size_t                    max_objects;
    emage_manifest_file_t    *files;
    size_t                    nfiles;
    size_t                    max_files;
} emage_manifest_t;


/* Both copy what they are given, the path too. */

emage_rc_t emage_manifest_add_object(emage_manifest_t *m,
    const emage_manifest_object_t *object);
emage_rc_t emage_manifest_add_file(emage_manifest_t *m, const char *path,
    const emage_sum_t *sum);

/* NULL: none. */

const emage_manifest_object_t *emage_manifest_find(const emage_manifest_t *m,
    const char *sop);
const emage_manifest_file_t *emage_manifest_file(const emage_manifest_t *m,
    const char *path);

/* Sorts, and appends the text to `out`. */

emage_rc_t emage_manifest_write(emage_manifest_t *m, emage_buf_t *out);

/* EMAGE_ERROR: damaged, `err` says where. */

emage_rc_t emage_manifest_parse(emage_manifest_t *m, emage_str_t text,
    emage_error_t *err);

void emage_manifest_free(emage_manifest_t *m);


#endif /* EMAGE_MANIFEST_H */
