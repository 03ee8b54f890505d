
/*
 * Copyright (C) The e-mage authors
 *
 * The few attributes of an object that the store itself acts on.
 */


#ifndef EMAGE_ATTRIBUTES_H
#define EMAGE_ATTRIBUTES_H


#include <emage/series_index.h>

#include "dataset.h"


/* The strings point into the dataset. */

typedef struct {
    emage_str_t    sop_class;
    emage_str_t    sop;
    emage_str_t    study;
    emage_str_t    series;
    emage_str_t    modality;
    emage_str_t    conversion;           /* (0008,0064) */
    emage_str_t    charset;              /* (0008,0005) */
    emage_str_t    photometric;
    emage_str_t    mime;                 /* (0042,0012) */
    emage_str_t    title;                /* code value of (0040,A043) */
    emage_event_t  patient_id;           /* tag 0: absent */
    emage_event_t  pixels;               /* the element that holds them */
    bool           encapsulated;
    uint32_t       rows;
    uint32_t       columns;
    uint32_t       samples;
    uint32_t       bits_allocated;
    uint32_t       frames;               /* (0028,0008); 1 when absent */
    bool           frames_bad;           /* stated, but not a number over 0 */
} emage_attributes_t;


emage_rc_t emage_attributes_read(const emage_dataset_t *ds,
    emage_attributes_t *out, emage_error_t *err);


/* The class by docs/store-format.md, "Class of an instance". */

emage_class_t emage_attributes_class(const emage_attributes_t *at);


#endif /* EMAGE_ATTRIBUTES_H */
