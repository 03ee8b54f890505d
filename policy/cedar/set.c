/*
 * Copyright (C) The e-mage authors
 *
 * Policy sets: made, filled, finished; and what can be asked of them.
 */


#include "cedar_parse.h"

#include <openssl/evp.h>


#define CEDAR_DEFAULT_MAX  (64 * 1024 * 1024)


static emage_rc_t cedar_set_add(cedar_set_t *set, emage_str_t name,
    emage_str_t text, cedar_source_kind_t kind, emage_error_t *err);
static emage_rc_t cedar_set_parse(cedar_set_t *set, cedar_source_t *source,
    emage_error_t *err);
static bool cedar_digest_part(EVP_MD_CTX *ctx, emage_str_t s);
static emage_rc_t cedar_digest_make(cedar_set_t *set);


emage_rc_t
cedar_set_create(cedar_set_t **set, const cedar_options_t *options,
    emage_error_t *err)
{
    size_t         max;
    cedar_set_t   *s;
    cedar_arena_t  arena;

    *set = NULL;

    max = (options != NULL && options->max_bytes != 0)
          ? options->max_bytes : CEDAR_DEFAULT_MAX;

    /* the set lives in its own arena */

    cedar_arena_init(&arena, max);
    s = cedar_zalloc(&arena, sizeof(cedar_set_t));

    if (s != NULL) {
        s->arena = arena;

        if (options != NULL) {
            s->options = *options;
        }

        if (cedar_symbols_init(&s->symbols, NULL, &s->arena)) {
            *set = s;
            return EMAGE_OK;
        }

        arena = s->arena;
    }

    cedar_arena_free(&arena);
    emage_error_set(err, "no memory for a policy set of up to %zu bytes",
                    max);

    return EMAGE_NOMEM;
}


void
cedar_set_destroy(cedar_set_t *set)
{
    cedar_arena_t  arena;

    if (set != NULL) {
        arena = set->arena;
        cedar_arena_free(&arena);
    }
}


static emage_rc_t
cedar_set_add(cedar_set_t *set, emage_str_t name, emage_str_t text,
    cedar_source_kind_t kind, emage_error_t *err)
{
    emage_rc_t        rc;
    cedar_source_t   *source, **list;

    if (set->finished || set->broken) {
        emage_error_set(err, "%.*s: the policy set is %s; start a new one",
                        (int) name.len, name.data,
                        set->broken ? "spoilt by an error" : "finished");
        return EMAGE_ERROR;
    }

    if (text.len > CEDAR_MAX_TEXT) {
        set->broken = true;
        emage_error_set(err, "%.*s: larger than %d bytes; split it",
                        (int) name.len, name.data, CEDAR_MAX_TEXT);
        return EMAGE_ERROR;
    }

    source = cedar_zalloc(&set->arena, sizeof(cedar_source_t));
    list = cedar_grow(&set->arena, set->sources, set->sources_n,
                      sizeof(cedar_source_t *));

    if (source == NULL || list == NULL
        || !cedar_strdup(&set->arena, name, &source->name)
        || !cedar_strdup(&set->arena, text, &source->text))
    {
        set->broken = true;
        emage_error_set(err, "%.*s: no memory, or over the limit of %zu "
                        "bytes for one policy set", (int) name.len,
                        name.data, set->arena.max);
        return EMAGE_NOMEM;
    }

    source->kind = kind;
    set->sources = list;
    list[set->sources_n++] = source;

    rc = cedar_set_parse(set, source, err);

    if (rc != EMAGE_OK) {
        set->broken = true;
    }

    return rc;
}


static emage_rc_t
cedar_set_parse(cedar_set_t *set, cedar_source_t *source, emage_error_t *err)
{
    switch (source->kind) {

    case CEDAR_SOURCE_SCHEMA:
        set->has_schema = true;
        return cedar_parse_schema(set, source, err);

    case CEDAR_SOURCE_SCHEMA_JSON:
        set->has_schema = true;
        return cedar_schema_read(set, source, err);

    case CEDAR_SOURCE_LINKS:
        return cedar_links_read(set, source, err);

    case CEDAR_SOURCE_JSON:
        return cedar_policies_read(set, source, err);

    default:
        return cedar_parse_policies(set, source, err);
    }
}


emage_rc_t
cedar_set_add_schema(cedar_set_t *set, emage_str_t name, emage_str_t text,
    emage_error_t *err)
{
    return cedar_set_add(set, name, text, CEDAR_SOURCE_SCHEMA, err);
}


emage_rc_t
cedar_set_add_policies(cedar_set_t *set, emage_str_t name, emage_str_t text,
    emage_error_t *err)
{
    return cedar_set_add(set, name, text, CEDAR_SOURCE_POLICIES, err);
}


emage_rc_t
cedar_set_add_policies_json(cedar_set_t *set, emage_str_t name,
    emage_str_t text, emage_error_t *err)
{
    return cedar_set_add(set, name, text, CEDAR_SOURCE_JSON, err);
}


emage_rc_t
cedar_set_add_schema_json(cedar_set_t *set, emage_str_t name,
    emage_str_t text, emage_error_t *err)
{
    return cedar_set_add(set, name, text, CEDAR_SOURCE_SCHEMA_JSON, err);
}


emage_rc_t
cedar_set_add_links(cedar_set_t *set, emage_str_t name, emage_str_t text,
    emage_error_t *err)
{
    return cedar_set_add(set, name, text, CEDAR_SOURCE_LINKS, err);
}


cedar_symbol_t
cedar_set_symbol(cedar_set_t *set, emage_str_t name)
{
    if (set->finished) {
        return cedar_symbol_find(&set->symbols, name);
    }

    return cedar_symbol_intern(&set->symbols, name);
}


emage_rc_t
cedar_set_finish(cedar_set_t *set, emage_error_t *err)
{
    emage_rc_t  rc;

    if (set->finished || set->broken) {
        emage_error_set(err, "the policy set is %s; start a new one",
                        set->broken ? "spoilt by an error" : "finished");
        return EMAGE_ERROR;
    }

    set->broken = true;

    rc = cedar_schema_resolve(set, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (set->arena.failed || cedar_index_build(set) != EMAGE_OK
        || cedar_digest_make(set) != EMAGE_OK)
    {
        emage_error_set(err, "no memory, or over the limit of %zu bytes for "
                        "one policy set", set->arena.max);
        return EMAGE_NOMEM;
    }

    set->broken = false;
    set->finished = true;

    return EMAGE_OK;
}


/* Each part is preceded by its length, so that parts cannot run together. */

static bool
cedar_digest_part(EVP_MD_CTX *ctx, emage_str_t s)
{
    int      i;
    uint8_t  len[8];

    for (i = 0; i < 8; i++) {
        len[i] = (uint64_t) s.len >> (56 - 8 * i);
    }

    return EVP_DigestUpdate(ctx, len, sizeof(len)) == 1
           && EVP_DigestUpdate(ctx, s.data, s.len) == 1;
}


static emage_rc_t
cedar_digest_make(cedar_set_t *set)
{
    bool             ok;
    uint32_t         i;
    unsigned         len;
    EVP_MD_CTX      *ctx;
    cedar_source_t  *s;
    unsigned char    md[EVP_MAX_MD_SIZE];

    static const emage_str_t  kinds[] = {
        emage_str("policies"), emage_str("schema"), emage_str("links"),
        emage_str("policies-json"), emage_str("schema-json")
    };

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return EMAGE_NOMEM;
    }

    ok = (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);

    for (i = 0; i < set->sources_n && ok; i++) {
        s = set->sources[i];

        ok = cedar_digest_part(ctx, kinds[s->kind])
             && cedar_digest_part(ctx, s->name)
             && cedar_digest_part(ctx, s->text);
    }

    ok = ok && EVP_DigestFinal_ex(ctx, md, &len) == 1 && len == 32;

    EVP_MD_CTX_free(ctx);

    if (!ok) {
        return EMAGE_NOMEM;
    }

    emage_hex(set->digest, md, 32);

    return EMAGE_OK;
}


const char *
cedar_set_digest(const cedar_set_t *set)
{
    return set->digest;
}


bool
cedar_set_has_schema(const cedar_set_t *set)
{
    return set->has_schema;
}


size_t
cedar_policy_count(const cedar_set_t *set)
{
    return set->policies_n;
}


emage_str_t
cedar_policy_id(const cedar_set_t *set, size_t i)
{
    return (i < set->policies_n) ? set->policies[i].id : emage_null_str;
}


cedar_effect_t
cedar_policy_effect(const cedar_set_t *set, size_t i)
{
    return (i < set->policies_n) ? set->policies[i].effect : CEDAR_FORBID;
}


void
cedar_policy_place(const cedar_set_t *set, size_t i, emage_str_t *file,
    uint32_t *line)
{
    uint32_t  column;

    *file = emage_null_str;
    *line = 0;

    if (i < set->policies_n) {
        *file = set->policies[i].source->name;
        cedar_source_place(set->policies[i].source, set->policies[i].pos,
                           line, &column, NULL);
    }
}


bool
cedar_policy_annotation(const cedar_set_t *set, size_t i, emage_str_t key,
    emage_str_t *value)
{
    uint32_t               k;
    const cedar_policy_t  *p;

    if (i >= set->policies_n) {
        return false;
    }

    p = &set->policies[i];

    for (k = 0; k < p->annotations_n; k++) {
        if (emage_str_eq(p->annotations[k].key, key)) {
            *value = p->annotations[k].value;
            return true;
        }
    }

    return false;
}
