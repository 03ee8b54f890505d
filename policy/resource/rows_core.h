
/*
 * Copyright (C) The e-mage authors
 *
 * What parsed rows consist of, for the two files that know it.
 */


#ifndef EMAGE_ROWS_CORE_H
#define EMAGE_ROWS_CORE_H


#include "attributes.h"


/*
 * While rows are being parsed, strings and values are named by their places in
 * `text` and `values`, both of which may still move.
 */

typedef struct {
    emage_rows_t        rows;              /* what callers see; first */

    emage_buf_t         text;
    emage_attribute_t  *attributes;
    size_t              nattributes;
    size_t              attributes_size;
    emage_str_t        *values;
    size_t              nvalues;
    size_t              values_size;
    emage_row_t        *list;
    size_t              nlist;
    size_t              list_size;
    bool                failed;            /* no memory */
} emage_rows_memory_t;


/* Identifiers of a study, in what is being parsed. */

typedef struct {
    emage_str_t  id[EMAGE_ROWS_IDS_MAX];
    emage_str_t  issuer[EMAGE_ROWS_IDS_MAX];
    uint32_t     n;
} emage_rows_ids_t;


/* Room for one more element of a list. */

bool emage_rows_grow(void **list, size_t n, size_t *size, size_t element);

void emage_rows_text(emage_rows_memory_t *m, emage_str_t s, emage_str_t *out);

/* An attribute of the last row, or NULL; a value of the last attribute. */

emage_attribute_t *emage_rows_attribute(emage_rows_memory_t *m, uint32_t tag,
    uint32_t sub);
void emage_rows_value(emage_rows_memory_t *m, emage_attribute_t *a,
    emage_str_t s);

/* OtherPatientIDsSequence of the identifiers, listed when asked for. */

void emage_rows_others(emage_rows_memory_t *m, const emage_rows_ids_t *ids);

/* When nothing moves any more, places become addresses. */

void emage_rows_settle(emage_rows_memory_t *m);


#endif /* EMAGE_ROWS_CORE_H */
