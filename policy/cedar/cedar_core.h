/*
 * Copyright (C) The e-mage authors
 *
 * What every file of the Cedar room shares: arenas, names, values.
 */


#ifndef CEDAR_CORE_H
#define CEDAR_CORE_H


#include <emage/cedar.h>

#include <stdlib.h>
#include <string.h>


/*
 * An arena: blocks that are freed together, capped in all.  A failed
 * allocation leaves `failed` set, so that callers may check late.  An arena
 * over a fixed block (scratch, request) has next_size 0 and never grows.
 */

typedef struct cedar_block_s  cedar_block_t;

typedef struct {
    char           *pos;
    char           *end;
    cedar_block_t  *blocks;
    size_t          used;            /* bytes taken from the system */
    size_t          max;
    size_t          next_size;
    bool            failed;
} cedar_arena_t;

void cedar_arena_init(cedar_arena_t *a, size_t max);
void cedar_arena_fixed(cedar_arena_t *a, void *block, size_t size);
void cedar_arena_free(cedar_arena_t *a);

/* 8-byte aligned, not zeroed; NULL when the cap is met. */

void *cedar_alloc_slow(cedar_arena_t *a, size_t size);

static inline void *
cedar_alloc(cedar_arena_t *a, size_t size)
{
    char  *p;

    p = a->pos;

    if (size > (size_t) (a->end - p) || ((size + 7) & ~(size_t) 7)
        > (size_t) (a->end - p))
    {
        return cedar_alloc_slow(a, size);
    }

    a->pos = p + ((size + 7) & ~(size_t) 7);

    return p;
}

/* An array of n elements; an overflowing size fails. */

static inline void *
cedar_array(cedar_arena_t *a, size_t n, size_t size)
{
    if (n > ((size_t) 1 << 40) / size) {
        a->failed = true;
        return NULL;
    }

    return cedar_alloc(a, n * size);
}

void *cedar_zalloc(cedar_arena_t *a, size_t size);
bool cedar_strdup(cedar_arena_t *a, emage_str_t s, emage_str_t *copy);

/*
 * Room for one more element in a growing array of `n`: doubles at powers of
 * two, so that no capacity needs keeping.  Returns the array or NULL.
 */

void *cedar_grow(cedar_arena_t *a, void *array, size_t n, size_t size);


/* Names.  A child table (entities from JSON) extends a finished set's. */

typedef struct cedar_symbols_s  cedar_symbols_t;

struct cedar_symbols_s {
    const cedar_symbols_t  *parent;
    cedar_arena_t          *arena;
    emage_str_t            *names;   /* of symbols base .. base + n - 1 */
    uint32_t               *slots;   /* open addressing: symbol or 0 */
    uint32_t                base;
    uint32_t                n;
    uint32_t                size;    /* of slots, a power of two */
};

bool cedar_symbols_init(cedar_symbols_t *t, const cedar_symbols_t *parent,
    cedar_arena_t *arena);
cedar_symbol_t cedar_symbol_find(const cedar_symbols_t *t, emage_str_t name);
cedar_symbol_t cedar_symbol_intern(cedar_symbols_t *t, emage_str_t name);
emage_str_t cedar_symbol_name(const cedar_symbols_t *t, cedar_symbol_t s);

uint32_t cedar_hash(const void *data, size_t len, uint32_t seed);


/*
 * A value, 16 bytes.  Sets are sorted and without duplicates, records sorted
 * by symbol: so equality is element by element.
 */

typedef enum {
    CEDAR_BOOL = 1,
    CEDAR_LONG,
    CEDAR_STRING,
    CEDAR_ENTITY,
    CEDAR_SET,
    CEDAR_RECORD,
    CEDAR_DECIMAL,
    CEDAR_DATETIME,
    CEDAR_DURATION,
    CEDAR_IP
} cedar_kind_t;

typedef struct cedar_value_s  cedar_value_t;
typedef struct cedar_field_s  cedar_field_t;

typedef struct {
    uint8_t  bytes[16];              /* network order; IPv4 in the first 4 */
    uint8_t  prefix;
    bool     v6;
} cedar_ip_t;

struct cedar_value_s {
    uint32_t  kind:8;
    uint32_t  sym:24;                /* entity type */
    uint32_t  len;                   /* bytes, elements, fields */

    union {
        bool                  b;
        int64_t               i;     /* long, decimal, datetime, duration */
        const char           *s;     /* string, entity id */
        const cedar_value_t  *set;
        const cedar_field_t  *rec;
        const cedar_ip_t     *ip;
    } u;
};

struct cedar_field_s {
    cedar_symbol_t  name;
    cedar_value_t   value;
};

/* Attributes of one record, in a text. */

#define CEDAR_MAX_RECORD   4096

#define CEDAR_MAX_SYMBOLS  ((1u << 24) - 1)

/* A total order; 0 is Cedar's equality. */

int cedar_value_cmp(const cedar_value_t *a, const cedar_value_t *b);

/* Equality of n bytes, without a call for few. */

static inline bool
cedar_bytes_eq(const char *a, const char *b, size_t n)
{
    uint32_t  c, d, e, f;
    uint64_t  g, h, i, k;

    if (a == b || n == 0) {
        return true;
    }

    if (n > 16) {
        return memcmp(a, b, n) == 0;
    }

    if (n >= 8) {
        memcpy(&g, a, 8);
        memcpy(&h, b, 8);
        memcpy(&i, a + n - 8, 8);
        memcpy(&k, b + n - 8, 8);

        return ((g ^ h) | (i ^ k)) == 0;
    }

    if (n >= 4) {
        memcpy(&c, a, 4);
        memcpy(&d, b, 4);
        memcpy(&e, a + n - 4, 4);
        memcpy(&f, b + n - 4, 4);

        return ((c ^ d) | (e ^ f)) == 0;
    }

    return a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1];
}

static inline bool
cedar_uid_eq(const cedar_value_t *a, const cedar_value_t *b)
{
    return a->sym == b->sym && a->len == b->len
           && cedar_bytes_eq(a->u.s, b->u.s, a->len);
}

/* Equality, quick for what policies mostly compare. */

static inline bool
cedar_value_eq(const cedar_value_t *a, const cedar_value_t *b)
{
    if (a->kind != b->kind) {
        return false;
    }

    if (a->kind == CEDAR_STRING || a->kind == CEDAR_ENTITY) {
        return cedar_uid_eq(a, b);
    }

    if (a->kind == CEDAR_BOOL) {
        return a->u.b == b->u.b;
    }

    return cedar_value_cmp(a, b) == 0;
}

/* Sorts in place and drops duplicates; returns the new count. */

uint32_t cedar_set_normalise(cedar_value_t *v, uint32_t n);

bool cedar_set_contains(const cedar_value_t *set, const cedar_value_t *v);
const cedar_value_t *cedar_record_get(const cedar_value_t *rec,
    cedar_symbol_t name);

static inline cedar_value_t
cedar_value(cedar_kind_t kind)
{
    return (cedar_value_t) { .kind = kind };
}

static inline cedar_value_t
cedar_value_bool(bool b)
{
    return (cedar_value_t) { .kind = CEDAR_BOOL, .u.b = b };
}

static inline cedar_value_t
cedar_value_int(cedar_kind_t kind, int64_t i)
{
    return (cedar_value_t) { .kind = kind, .u.i = i };
}

static inline cedar_value_t
cedar_value_string(emage_str_t s)
{
    return (cedar_value_t) { .kind = CEDAR_STRING, .len = s.len,
                             .u.s = s.data };
}

static inline cedar_value_t
cedar_value_uid(cedar_symbol_t type, emage_str_t id)
{
    return (cedar_value_t) { .kind = CEDAR_ENTITY, .sym = type,
                             .len = id.len, .u.s = id.data };
}


/* Extension constructors from text, of Cedar's strict forms. */

bool cedar_ip_parse(emage_str_t s, cedar_ip_t *ip);
bool cedar_decimal_parse(emage_str_t s, int64_t *v);
bool cedar_datetime_parse(emage_str_t s, int64_t *ms);
bool cedar_duration_parse(emage_str_t s, int64_t *ms);

bool cedar_ip_loopback(const cedar_ip_t *ip);
bool cedar_ip_multicast(const cedar_ip_t *ip);
bool cedar_ip_in_range(const cedar_ip_t *ip, const cedar_ip_t *range);


/* Everything that is called with parentheses. */

typedef enum {
    CEDAR_FN_NONE = 0,
    CEDAR_FN_CONTAINS,
    CEDAR_FN_CONTAINS_ALL,
    CEDAR_FN_CONTAINS_ANY,
    CEDAR_FN_IS_EMPTY,
    CEDAR_FN_HAS_TAG,
    CEDAR_FN_GET_TAG,
    CEDAR_FN_IP,                     /* from here on: extensions */
    CEDAR_FN_DECIMAL,
    CEDAR_FN_DATETIME,
    CEDAR_FN_DURATION,
    CEDAR_FN_IS_IPV4,
    CEDAR_FN_IS_IPV6,
    CEDAR_FN_IS_LOOPBACK,
    CEDAR_FN_IS_MULTICAST,
    CEDAR_FN_IS_IN_RANGE,
    CEDAR_FN_LESS,
    CEDAR_FN_LESS_EQ,
    CEDAR_FN_GREATER,
    CEDAR_FN_GREATER_EQ,
    CEDAR_FN_OFFSET,
    CEDAR_FN_DURATION_SINCE,
    CEDAR_FN_TO_DATE,
    CEDAR_FN_TO_TIME,
    CEDAR_FN_TO_MILLISECONDS,
    CEDAR_FN_TO_SECONDS,
    CEDAR_FN_TO_MINUTES,
    CEDAR_FN_TO_HOURS,
    CEDAR_FN_TO_DAYS,
    CEDAR_FN_MAX
} cedar_fn_t;

typedef struct {
    emage_str_t  name;
    uint8_t      args;               /* with the receiver */
    bool         method;
    uint8_t      arg[2];             /* cedar_kind_t; 0: not an extension's */
    uint8_t      result;
} cedar_fn_info_t;

const cedar_fn_info_t *cedar_fn_info(cedar_fn_t fn);
cedar_fn_t cedar_fn_find(emage_str_t name);

/* Makes an extension value of `text`; NULL text or a fault: error text. */

const char *cedar_fn_construct(cedar_fn_t fn, emage_str_t text,
    cedar_arena_t *a, cedar_value_t *v);


#endif /* CEDAR_CORE_H */
