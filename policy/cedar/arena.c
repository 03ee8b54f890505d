/*
 * Copyright (C) The e-mage authors
 *
 * Capped arenas, and the names that live in them.
 */


#include "cedar_core.h"


#define CEDAR_BLOCK_MIN  (16 * 1024)
#define CEDAR_BLOCK_MAX  (1024 * 1024)


struct cedar_block_s {
    cedar_block_t  *next;
    uint64_t        align;
};


static bool cedar_symbols_rehash(cedar_symbols_t *t, uint32_t size);


void
cedar_arena_init(cedar_arena_t *a, size_t max)
{
    memset(a, 0, sizeof(cedar_arena_t));

    a->max = max;
    a->next_size = CEDAR_BLOCK_MIN;
}


void
cedar_arena_fixed(cedar_arena_t *a, void *block, size_t size)
{
    memset(a, 0, sizeof(cedar_arena_t));

    a->pos = block;
    a->end = a->pos + size;
}


void
cedar_arena_free(cedar_arena_t *a)
{
    cedar_block_t  *b, *next;

    for (b = a->blocks; b != NULL; b = next) {
        next = b->next;
        free(b);
    }

    memset(a, 0, sizeof(cedar_arena_t));
}


void *
cedar_alloc_slow(cedar_arena_t *a, size_t size)
{
    char           *p;
    size_t          need;
    cedar_block_t  *b;

    if (a->next_size == 0 || a->failed || size > a->max) {
        a->failed = true;
        return NULL;
    }

    size = (size + 7) & ~(size_t) 7;
    need = size + sizeof(cedar_block_t);

    if (need < a->next_size) {
        need = a->next_size;
    }

    if (need > a->max - a->used) {
        need = size + sizeof(cedar_block_t);

        if (need > a->max - a->used) {
            a->failed = true;
            return NULL;
        }
    }

    b = malloc(need);
    if (b == NULL) {
        a->failed = true;
        return NULL;
    }

    b->next = a->blocks;
    a->blocks = b;
    a->used += need;

    if (a->next_size < CEDAR_BLOCK_MAX) {
        a->next_size *= 2;
    }

    p = (char *) b + sizeof(cedar_block_t);
    a->pos = p + size;
    a->end = (char *) b + need;

    return p;
}


void *
cedar_zalloc(cedar_arena_t *a, size_t size)
{
    void  *p;

    p = cedar_alloc(a, size);

    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


bool
cedar_strdup(cedar_arena_t *a, emage_str_t s, emage_str_t *copy)
{
    char  *p;

    p = cedar_alloc(a, s.len + 1);
    if (p == NULL) {
        return false;
    }

    if (s.len != 0) {
        memcpy(p, s.data, s.len);
    }

    p[s.len] = '\0';
    copy->data = p;
    copy->len = s.len;

    return true;
}


void *
cedar_grow(cedar_arena_t *a, void *array, size_t n, size_t size)
{
    void  *p;

    if (n == 0) {
        return cedar_array(a, 4, size);
    }

    if (n < 4 || (n & (n - 1)) != 0) {
        return array;
    }

    p = cedar_array(a, n * 2, size);

    if (p != NULL) {
        memcpy(p, array, n * size);
    }

    return p;
}


/* Eight bytes at a time; the last ones overlap those before. */

uint32_t
cedar_hash(const void *data, size_t len, uint32_t seed)
{
    uint32_t              low, high;
    uint64_t              h, w;
    const unsigned char  *p;

    p = data;
    h = (seed + len * 0x100000001ull) * 0x9e3779b97f4a7c15ull;

    for ( /* void */ ; len > 8; len -= 8, p += 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0x9fb21c651e98df25ull;
        h ^= h >> 32;
    }

    w = 0;

    if (len >= 4) {
        memcpy(&low, p, 4);
        memcpy(&high, p + len - 4, 4);
        w = (uint64_t) high << 32 | low;

    } else if (len > 0) {
        w = p[0] | (uint32_t) p[len / 2] << 8 | (uint32_t) p[len - 1] << 16;
    }

    h = (h ^ w) * 0x9fb21c651e98df25ull;

    return (uint32_t) (h ^ h >> 32);
}


bool
cedar_symbols_init(cedar_symbols_t *t, const cedar_symbols_t *parent,
    cedar_arena_t *arena)
{
    memset(t, 0, sizeof(cedar_symbols_t));

    t->parent = parent;
    t->arena = arena;
    t->base = (parent == NULL) ? 1 : parent->base + parent->n;

    return cedar_symbols_rehash(t, 64);
}


static bool
cedar_symbols_rehash(cedar_symbols_t *t, uint32_t size)
{
    uint32_t  i, k, *slots;

    slots = cedar_zalloc(t->arena, size * sizeof(uint32_t));
    if (slots == NULL) {
        return false;
    }

    for (i = 0; i < t->n; i++) {
        k = cedar_hash(t->names[i].data, t->names[i].len, 0) & (size - 1);

        while (slots[k] != 0) {
            k = (k + 1) & (size - 1);
        }

        slots[k] = t->base + i;
    }

    t->slots = slots;
    t->size = size;

    return true;
}


cedar_symbol_t
cedar_symbol_find(const cedar_symbols_t *t, emage_str_t name)
{
    uint32_t  k, h, s;

    h = cedar_hash(name.data, name.len, 0);

    for ( /* void */ ; t != NULL; t = t->parent) {
        k = h & (t->size - 1);

        while (t->slots[k] != 0) {
            s = t->slots[k];

            if (emage_str_eq(t->names[s - t->base], name)) {
                return s;
            }

            k = (k + 1) & (t->size - 1);
        }
    }

    return CEDAR_NO_SYMBOL;
}


cedar_symbol_t
cedar_symbol_intern(cedar_symbols_t *t, emage_str_t name)
{
    uint32_t        k;
    emage_str_t    *names;
    cedar_symbol_t  s;

    s = cedar_symbol_find(t, name);
    if (s != CEDAR_NO_SYMBOL) {
        return s;
    }

    if (t->base + t->n >= CEDAR_MAX_SYMBOLS) {
        t->arena->failed = true;
        return CEDAR_NO_SYMBOL;
    }

    names = cedar_grow(t->arena, t->names, t->n, sizeof(emage_str_t));
    if (names == NULL) {
        return CEDAR_NO_SYMBOL;
    }

    t->names = names;

    if (!cedar_strdup(t->arena, name, &names[t->n])) {
        return CEDAR_NO_SYMBOL;
    }

    if ((t->n + 1) * 2 > t->size && !cedar_symbols_rehash(t, t->size * 2)) {
        return CEDAR_NO_SYMBOL;
    }

    s = t->base + t->n++;
    k = cedar_hash(name.data, name.len, 0) & (t->size - 1);

    while (t->slots[k] != 0) {
        k = (k + 1) & (t->size - 1);
    }

    t->slots[k] = s;

    return s;
}


emage_str_t
cedar_symbol_name(const cedar_symbols_t *t, cedar_symbol_t s)
{
    for ( /* void */ ; t != NULL; t = t->parent) {
        if (s >= t->base) {
            return (s < t->base + t->n) ? t->names[s - t->base]
                                        : emage_null_str;
        }
    }

    return emage_null_str;
}
