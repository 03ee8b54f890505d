
/*
 * Copyright (C) The e-mage authors
 *
 * One file on its way into the store: what a worker process does with it, and
 * what it tells the parent about it.
 */


#ifndef EMAGE_OBJECT_H
#define EMAGE_OBJECT_H


#include <emage/resource.h>
#include <emage/series_index.h>

#include "digest.h"


#define EMAGE_PATIENT_ID_MAX  256    /* bytes of UTF-8 */
#define EMAGE_REASON_MAX      1024


typedef struct {
    bool            refused;
    char            reason[EMAGE_REASON_MAX];

    char            study[EMAGE_UID_MAX + 1];
    char            series[EMAGE_UID_MAX + 1];
    char            sop[EMAGE_UID_MAX + 1];
    char            sop_class[EMAGE_UID_MAX + 1];
    char            received_ts[EMAGE_UID_MAX + 1];
    char            stored_ts[EMAGE_UID_MAX + 1];
    char            patient_id[EMAGE_PATIENT_ID_MAX + 1];
    emage_class_t   cls;
    bool            pixels;

    emage_sum_t     received;        /* the file as it came */
    emage_sum_t     stored;          /* <n>.dcm */
    emage_sum_t     extra;           /* <n>.frames, size 0: none */
    unsigned char   dataset[EMAGE_SHA256_LEN];
    unsigned char   content[EMAGE_SHA256_LEN];
} emage_object_t;


typedef struct {
    const char  *dir;                /* incoming/<txn> */
    uint32_t     number;             /* names the staged files */
    const char  *base_url;           /* of BulkDataURIs */
    emage_str_t  default_charset;
} emage_object_conf_t;


/*
 * Reads the file at `path` and leaves beside each other in `dir`:
 *
 *   <n>.dcm      the object as it will be stored
 *   <n>.frames   its extracted frames, if any
 *   <n>.idx      a series.idx of this one instance, without metadata
 *   <n>.meta     its metadata, a line an element (emage_metadata_write)
 *
 * Nothing is synced: what is published is, when it gets its name.  A file that
 * is no object, or none that can be kept, is `refused` with the
 * reason.  EMAGE_UNAVAILABLE: the disk failed, `err` says how.
 */

emage_rc_t emage_object_stage(const emage_object_conf_t *conf,
    const char *path, emage_object_t *out, emage_error_t *err);


/* "<dir>/<n><suffix>"; false when it is too long. */

bool emage_object_path(char *dst, size_t size, const char *dir,
    uint32_t number, const char *suffix);


/*
 * The result as bytes for a pipe, and back.  Decoding accepts exactly what
 * encoding can write: lengths, UIDs and classes are checked, since the process
 * at the other end has parsed a hostile file.
 */

#define EMAGE_OBJECT_WIRE_MAX  4096

emage_rc_t emage_object_encode(const emage_object_t *o, emage_buf_t *out);
bool emage_object_decode(emage_object_t *o, const void *data, size_t len);


#endif /* EMAGE_OBJECT_H */
