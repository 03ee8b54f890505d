
/*
 * Copyright (C) The e-mage authors
 *
 * The rows of a published revision: what study.json, series.json and
 * instances.json (docs/store-format.md) say of a study, its series and their
 * instances, ready to be matched and listed.  Pure: works on text.
 */


#ifndef EMAGE_ROWS_H
#define EMAGE_ROWS_H


#include <emage/base.h>
#include <emage/resource.h>
#include <emage/series_index.h>


#define EMAGE_ROWS_TEXT_MAX    (32 * 1024 * 1024)   /* bytes of one file */
#define EMAGE_ROWS_IDS_MAX     64                   /* of one study */


typedef enum {
    EMAGE_LEVEL_STUDY = 0,
    EMAGE_LEVEL_SERIES,
    EMAGE_LEVEL_INSTANCE
} emage_level_t;


/*
 * An attribute of a row.  `json` is its value in the DICOM JSON model, with
 * the braces.  `values` are what can be matched: strings as they are, numbers
 * in decimal, of a person name every component group.  `sub` is not 0 for an
 * attribute inside the items of sequence `tag`; such a one has no `json`.
 * `extra` ones are listed only when they are asked for.
 */

typedef struct {
    uint32_t            tag;               /* 0x00080020 */
    uint32_t            sub;
    bool                extra;
    emage_str_t         json;
    const emage_str_t  *values;
    uint32_t            nvalues;
} emage_attribute_t;


/* A row; attributes ascend by tag, then sub. */

typedef struct {
    emage_str_t               uid;         /* of study, series or instance */
    emage_str_t               modality;    /* of a series, may be empty */
    emage_class_t             cls;         /* of an instance */
    uint32_t                  count;       /* of a series: instances */
    const emage_attribute_t  *attributes;
    uint32_t                  nattributes;
} emage_row_t;


/*
 * One file.  What stands below `n` is of study.json: the pid, the names of its
 * date and revision, its instances by class, and the UIDs of its reports.
 */

typedef struct {
    const emage_row_t  *rows;              /* ascending by UID */
    uint32_t            n;

    emage_str_t         pid;
    emage_str_t         date;              /* YYYYMMDD, or empty */
    emage_str_t         revision;
    uint32_t            classes[3];        /* by emage_class_t */
    const emage_str_t  *reports;
    uint32_t            nreports;
} emage_rows_t;


/*
 * Parses one file of a revision: study.json, series.json or instances.json by
 * `level`.  Immutable, the caller's, released by emage_rows_free; nothing
 * points into `text`.  EMAGE_ERROR when it is not as docs/store-format.md says
 * (`err` names what), EMAGE_NOMEM.
 *
 * Of a study the identifiers under which its objects arrived match as PatientID
 * beside the regional one, and are its OtherPatientIDsSequence (extra).
 */

emage_rc_t emage_rows_parse(emage_level_t level, emage_str_t text,
    emage_rows_t **out, emage_error_t *err);
void emage_rows_free(emage_rows_t *rows);

/* Bytes held, for bounded caches. */

size_t emage_rows_size(const emage_rows_t *rows);

/* The row of a UID, or NULL. */

const emage_row_t *emage_rows_find(const emage_rows_t *rows, emage_str_t uid);


/*
 * Attributes that take the place of a row's, or join them: what the server
 * adds (RetrieveURL), and what is counted anew for a subject who may see a part
 * (ModalitiesInStudy and the numbers of related series and instances).
 * Attributes are added in ascending order of tags; EMAGE_NOMEM over the limits.
 */

#define EMAGE_OVERLAY_MAX     8            /* attributes */
#define EMAGE_OVERLAY_VALUES  64
#define EMAGE_OVERLAY_TEXT    4096         /* bytes */

typedef struct {
    emage_attribute_t  attributes[EMAGE_OVERLAY_MAX];
    emage_str_t        values[EMAGE_OVERLAY_VALUES];
    uint32_t           n;
    uint32_t           nvalues;
    size_t             len;
    char               text[EMAGE_OVERLAY_TEXT];
} emage_overlay_t;

void emage_overlay_init(emage_overlay_t *overlay);

/*
 * `vr`: two letters.  The strings are copied.  Without strings the attribute is
 * taken away: viewers break on one that has no value.
 */

emage_rc_t emage_overlay_strings(emage_overlay_t *overlay, uint32_t tag,
    const char *vr, const emage_str_t *strings, uint32_t n);
emage_rc_t emage_overlay_number(emage_overlay_t *overlay, uint32_t tag,
    const char *vr, uint32_t number);


#endif /* EMAGE_ROWS_H */
