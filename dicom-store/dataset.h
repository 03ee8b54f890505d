
/*
 * Copyright (C) The e-mage authors
 *
 * The walker over an encoded DICOM dataset (PS3.5 section 7): it reports where
 * every element, item and fragment lies, in the order of the bytes, and trusts
 * no length.  Offsets of frames and bulk values and the metadata answers come
 * from one and the same walk, so that they cannot disagree.
 */


#ifndef EMAGE_DATASET_H
#define EMAGE_DATASET_H


#include <emage/base.h>
#include <emage/resource.h>


#define EMAGE_DATASET_DEPTH_MAX  32      /* sequences inside sequences */

#define EMAGE_TAG(group, element)                                             \
    ((uint32_t) (group) << 16 | (uint32_t) (element))

#define EMAGE_TAG_CHARSET        EMAGE_TAG(0x0008, 0x0005)
#define EMAGE_TAG_SOP_CLASS      EMAGE_TAG(0x0008, 0x0016)
#define EMAGE_TAG_SOP            EMAGE_TAG(0x0008, 0x0018)
#define EMAGE_TAG_MODALITY       EMAGE_TAG(0x0008, 0x0060)
#define EMAGE_TAG_PATIENT_ID     EMAGE_TAG(0x0010, 0x0020)
#define EMAGE_TAG_STUDY          EMAGE_TAG(0x0020, 0x000d)
#define EMAGE_TAG_SERIES         EMAGE_TAG(0x0020, 0x000e)
#define EMAGE_TAG_FLOAT_PIXELS   EMAGE_TAG(0x7fe0, 0x0008)
#define EMAGE_TAG_DOUBLE_PIXELS  EMAGE_TAG(0x7fe0, 0x0009)
#define EMAGE_TAG_PIXELS         EMAGE_TAG(0x7fe0, 0x0010)


typedef enum {
    EMAGE_EXPLICIT_LE = 0,
    EMAGE_IMPLICIT_LE,
    EMAGE_EXPLICIT_BE
} emage_encoding_t;


/* VR of a public element, for encodings that do not say; "UN" if unknown. */

typedef void (*emage_vr_pt)(uint32_t tag, char vr[2]);


typedef struct {
    const unsigned char  *data;      /* the file */
    uint64_t              len;
    uint64_t              start;     /* first byte of the dataset */
    emage_encoding_t      encoding;
    emage_vr_pt           vr;        /* NULL: what does not say is UN */
} emage_dataset_t;


/* A step into a sequence: its tag and the item's number, from 1. */

typedef struct {
    uint32_t  tag;
    uint32_t  item;
} emage_step_t;


typedef enum {
    EMAGE_AT_ELEMENT,                /* value and length: its value field */
    EMAGE_AT_SEQUENCE,               /* an SQ, or UN of undefined length */
    EMAGE_AT_ITEM,
    EMAGE_AT_ITEM_END,
    EMAGE_AT_SEQUENCE_END,
    EMAGE_AT_ENCAPSULATED,           /* pixel data in fragments begins */
    EMAGE_AT_FRAGMENT,               /* the first is the offset table */
    EMAGE_AT_ENCAPSULATED_END        /* value, length: all of its fragments */
} emage_at_t;


typedef struct {
    emage_at_t  at;
    uint32_t    tag;
    char        vr[3];
    bool        big_endian;          /* of the numbers in the value */
    unsigned    depth;               /* 0: the dataset itself */
    uint32_t    number;              /* fragment, from 1 */
    uint64_t    offset;              /* of the header in the file */
    uint64_t    value;               /* of the value in the file */
    uint64_t    length;

    const emage_step_t  *steps;      /* `depth` of them: the way here */
} emage_event_t;


/* Anything but EMAGE_OK ends the walk and is what the walk returns. */

typedef emage_rc_t (*emage_event_pt)(void *data, const emage_event_t *ev);


/*
 * Walks the whole dataset.  EMAGE_ERROR when it is not sound: a length that
 * leaves its container, an illegal VR, elements out of order or twice, nesting
 * past the limit; `err` names element and byte.
 */

emage_rc_t emage_dataset_walk(const emage_dataset_t *ds, emage_event_pt each,
    void *data, emage_error_t *err);


/*
 * Walks the meta header at `ds->start` (PS3.10 section 7.1): the elements of
 * group 2, to the end that (0002,0000) states or else to the first element of
 * another group.  `end` gets the first byte of the dataset.
 */

emage_rc_t emage_dataset_walk_meta(const emage_dataset_t *ds,
    emage_event_pt each, void *data, uint64_t *end, emage_error_t *err);


/* Numbers in a value. */

uint16_t emage_dataset_u16(const unsigned char *p, bool big_endian);
uint32_t emage_dataset_u32(const unsigned char *p, bool big_endian);
uint64_t emage_dataset_u64(const unsigned char *p, bool big_endian);


/* The value of `ev` as text, without trailing NUL and space. */

emage_str_t emage_dataset_text(const emage_dataset_t *ds,
    const emage_event_t *ev);

/*
 * Whether the value of `ev` is a bulk value, which metadata answers refer to
 * instead of holding it: numbers and bytes (never text) of more than 1 KiB,
 * pixel data of any size.  `path` gets its path as emage/resource.h spells it;
 * a path over EMAGE_BULK_MAX makes no bulk value.
 */

#define EMAGE_BULK_MIN  1024

bool emage_dataset_bulk(const emage_event_t *ev, char *path, size_t *len);


#endif /* EMAGE_DATASET_H */
