
/*
 * Copyright (C) The e-mage authors
 *
 * The query of a search (DICOM PS3.18 section 8.3.4; matching as in PS3.4
 * section C.2.2.2): parsing, matching a row, writing it.  Pure: no allocation
 * but in the buffers that are handed in.
 */


#ifndef EMAGE_QUERY_H
#define EMAGE_QUERY_H


#include <emage/base.h>
#include <emage/rows.h>


#define EMAGE_QUERY_MAX         16384      /* bytes of the query as sent */
#define EMAGE_QUERY_PARAMETERS  128
#define EMAGE_QUERY_KEYS        64         /* matching keys and repeated UIDs */
#define EMAGE_QUERY_TEXT_MAX    256        /* bytes of a value, but of UIDs */


/* A matching key; what it stands for is private to query*.c. */

typedef struct {
    uint32_t     attribute;                /* in the dictionary */
    emage_str_t  value;                   /* decoded, not empty, not just "*" */
} emage_query_key_t;


/*
 * `text` is `size` bytes of the caller's that the values point into.  Two
 * counts tell what the answer has to warn of: `ignored` attributes that are no
 * key of this level or not known here, and the options that are not supported
 * (`fuzzy`, `emptyvalue`, `multiplevalue`).
 */

typedef struct {
    emage_level_t      level;
    emage_query_key_t  keys[EMAGE_QUERY_KEYS];   /* ascending by attribute */
    uint32_t           nkeys;

    uint64_t           include;            /* a bit an attribute */
    bool               include_all;
    bool               limited;
    uint32_t           limit;
    uint32_t           offset;

    bool               fuzzy;
    bool               emptyvalue;
    bool               multiplevalue;
    uint32_t           ignored;
} emage_query_t;


/*
 * Parses what stands behind "?" (null or empty: no query), as it was sent, for
 * a search of `level`.  `text` takes at least `raw.len` bytes.  EMAGE_ERROR
 * for what PS3.18 calls a bad request: over the limits above, a bad escape,
 * text that is no UTF-8 or has control characters, a key twice (UIDs
 * may be repeated), a limit, offset, date, time, number or UID that is none.
 * Unknown parameters are let through.
 */

emage_rc_t emage_query_parse(emage_str_t raw, emage_level_t level, char *text,
    emage_query_t *out, emage_error_t *err);


/*
 * The next UID that key `tag` asks for, of lists and repetitions; `pos` starts
 * at 0.  False at the end, and at once if there is no such key: then every UID
 * is asked for.
 */

bool emage_query_uid(const emage_query_t *query, uint32_t tag, size_t *pos,
    emage_str_t *uid);

/* The text of a key, or the null string; for one that is not repeated. */

emage_str_t emage_query_value(const emage_query_t *query, uint32_t tag);


/*
 * Whether a row of `level` has what the keys of that level ask for.  An
 * attribute of `overlay` (may be NULL) counts instead of the row's own.
 */

bool emage_query_match(const emage_query_t *query, emage_level_t level,
    const emage_row_t *row, const emage_overlay_t *overlay);

/* Whether there is a key of `level` at all. */

bool emage_query_has(const emage_query_t *query, emage_level_t level);


/*
 * Writes one result, {...}.  `rows` are those of the study, its series and the
 * instance, down to the level of the query; the rest NULL.  `overlays` are
 * theirs (each may be NULL).  Of the levels above, all attributes are written
 * from level `from` on (those that the path does not fix), of the others what
 * is to be included.
 */

emage_rc_t emage_query_write(const emage_query_t *query, emage_level_t from,
    const emage_row_t *const *rows, const emage_overlay_t *const *overlays,
    emage_buf_t *out);


/*
 * The query as a JSON object for the journal.  Names, identifiers, birth dates
 * and free text are given by `hash`: 32 hex digits into `hex` (false: there is
 * no key, the value is left out as null).
 */

typedef bool (*emage_query_hash_pt)(void *data, emage_str_t name,
    emage_str_t value, char *hex);

emage_rc_t emage_query_describe(const emage_query_t *query,
    emage_query_hash_pt hash, void *data, emage_buf_t *out);


#endif /* EMAGE_QUERY_H */
