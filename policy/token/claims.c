
/*
 * Copyright (C) The e-mage authors
 *
 * From the claims of a verified token to a subject, by the issuer's rules.
 */


#include "token_core.h"

#include <string.h>


#define EMAGE_CLAIM_LEVELS  8
#define EMAGE_CLAIM_ID_MAX  128            /* bytes */
#define EMAGE_CLAIM_PARTS   (8 + EMAGE_SUBJECT_TEAMS_MAX)


/* The buffer moves while it grows: where the strings lie is set at the end. */

typedef struct {
    emage_buf_t  *store;
    unsigned      n;

    struct {
        emage_str_t  *field;
        size_t        offset;
    } part[EMAGE_CLAIM_PARTS];
} emage_claims_t;


static const emage_jose_json_t *emage_claim(const emage_jose_json_t *claims,
    emage_str_t path);
static bool emage_claim_id(const emage_jose_json_t *value, emage_str_t *out);
static bool emage_claim_text(emage_str_t text);
static bool emage_claims_add(emage_claims_t *map, emage_str_t *field,
    emage_str_t text);
static bool emage_claims_add_id(emage_claims_t *map, emage_str_t *field,
    emage_str_t system, emage_str_t id);
static bool emage_claims_kind(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_subject_kind_t *kind);
static bool emage_claims_purpose(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_subject_kind_t kind,
    emage_str_t *purpose);
static bool emage_claims_teams(emage_claims_t *map,
    const emage_issuer_t *issuer, const emage_jose_json_t *claims,
    emage_subject_t *subject);
static bool emage_claims_fill(emage_claims_t *map,
    const emage_issuer_t *issuer, const emage_jose_json_t *claims,
    emage_subject_t *subject);


/* "a.b.c": what is left is tried as one name first, then cut at its dot */

static const emage_jose_json_t *
emage_claim(const emage_jose_json_t *claims, emage_str_t path)
{
    size_t                    len;
    unsigned                  level;
    const char               *dot;
    const emage_jose_json_t  *value;

    for (level = 0; level < EMAGE_CLAIM_LEVELS && path.len != 0; level++) {

        value = emage_jose_get(claims, path);
        if (value != NULL) {
            return value;
        }

        dot = memchr(path.data, '.', path.len);
        if (dot == NULL) {
            return NULL;
        }

        len = (size_t) (dot - path.data);

        claims = emage_jose_get(claims, (emage_str_t) { path.data, len });
        if (claims == NULL) {
            return NULL;
        }

        path.data += len + 1;
        path.len -= len + 1;
    }

    return NULL;
}


/*
 * No control character (C0, DEL, C1) and no '|', which ends the system.  The
 * text comes from the JSON library: it is well-formed UTF-8.
 */

static bool
emage_claim_text(emage_str_t text)
{
    size_t                i;
    const unsigned char  *p;

    if (text.len == 0 || text.len > EMAGE_CLAIM_ID_MAX) {
        return false;
    }

    p = (const unsigned char *) text.data;

    for (i = 0; i < text.len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f || p[i] == '|'
            || (p[i] == 0xc2 && i + 1 < text.len && p[i + 1] < 0xa0))
        {
            return false;
        }
    }

    return true;
}


static bool
emage_claim_id(const emage_jose_json_t *value, emage_str_t *out)
{
    return emage_jose_string(value, out) && emage_claim_text(*out);
}


static bool
emage_claims_add(emage_claims_t *map, emage_str_t *field, emage_str_t text)
{
    return emage_claims_add_id(map, field, emage_null_str, text);
}


static bool
emage_claims_add_id(emage_claims_t *map, emage_str_t *field,
    emage_str_t system, emage_str_t id)
{
    if (map->n == EMAGE_CLAIM_PARTS) {
        return false;
    }

    map->part[map->n].field = field;
    map->part[map->n].offset = map->store->len;
    map->n++;

    if (system.len != 0) {
        (void) emage_buf_add_str(map->store, system);
        (void) emage_buf_add(map->store, "|", 1);
    }

    (void) emage_buf_add_str(map->store, id);

    field->len = map->store->len - map->part[map->n - 1].offset;

    return !map->store->failed;
}


static bool
emage_claims_kind(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_subject_kind_t *kind)
{
    emage_str_t  name;

    *kind = issuer->kind;

    if (*kind == EMAGE_SUBJECT_NONE
        && emage_claim_id(emage_claim(claims, issuer->claim_kind), &name))
    {
        *kind = emage_subject_kind_parse(name);
    }

    return *kind != EMAGE_SUBJECT_NONE;
}


static bool
emage_claims_purpose(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_subject_kind_t kind,
    emage_str_t *purpose)
{
    size_t                    i;
    const emage_jose_json_t  *value;

    static const emage_str_t  known[] = {
        { "TREAT", 5 }, { "ETREAT", 6 }, { "BTG", 3 }, { "PATRQT", 6 },
        { "FAMRQT", 6 }, { "HSYSADMIN", 9 }
    };

    value = emage_claim(claims, issuer->claim_purpose);

    if (value != NULL) {
        if (!emage_claim_id(value, purpose)) {
            return false;
        }

        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            if (emage_str_eq(*purpose, known[i])) {
                return true;
            }
        }

        return false;
    }

    switch (kind) {

    case EMAGE_SUBJECT_PROFESSIONAL:
        *purpose = emage_str("TREAT");
        break;

    case EMAGE_SUBJECT_PATIENT:
        *purpose = emage_str("PATRQT");
        break;

    case EMAGE_SUBJECT_REPRESENTATIVE:
        *purpose = emage_str("FAMRQT");
        break;

    case EMAGE_SUBJECT_SUPPORT:
        *purpose = emage_str("HSYSADMIN");
        break;

    default:
        *purpose = emage_null_str;
        break;
    }

    return true;
}


static bool
emage_claims_teams(emage_claims_t *map, const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_subject_t *subject)
{
    size_t                    i, n;
    emage_str_t               id, system;
    const emage_jose_json_t  *value, *item;

    value = emage_claim(claims, issuer->claim_teams);

    if (value == NULL) {
        return true;
    }

    n = emage_jose_is_array(value) ? emage_jose_count(value) : 1;

    if (n > EMAGE_SUBJECT_TEAMS_MAX) {
        return false;
    }

    system = (issuer->team_system.len != 0) ? issuer->team_system
                                            : issuer->issuer;

    for (i = 0; i < n; i++) {
        item = emage_jose_is_array(value) ? emage_jose_at(value, i) : value;

        if (!emage_claim_id(item, &id)
            || !emage_claims_add_id(map, &subject->teams[i], system, id))
        {
            return false;
        }
    }

    subject->nteams = (uint32_t) n;

    return true;
}


static bool
emage_claims_fill(emage_claims_t *map, const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_subject_t *subject)
{
    emage_str_t               id, name, purpose, system;
    const emage_jose_json_t  *value;

    name = (issuer->claim_id.len != 0) ? issuer->claim_id : emage_str("sub");
    system = (issuer->subject_system.len != 0) ? issuer->subject_system
                                               : issuer->issuer;

    if (!emage_claims_kind(issuer, claims, &subject->kind)
        || !emage_claims_purpose(issuer, claims, subject->kind, &purpose)
        || !emage_claim_id(emage_claim(claims, name), &id)
        || !emage_claims_add(map, &subject->issuer, issuer->name)
        || !emage_claims_add(map, &subject->purpose, purpose)
        || !emage_claims_add_id(map, &subject->id, system, id))
    {
        return false;
    }

    value = emage_claim(claims, issuer->claim_profession);

    if (value != NULL
        && (!emage_claim_id(value, &id)
            || !emage_claims_add(map, &subject->profession, id)))
    {
        return false;
    }

    system = (issuer->organisation_system.len != 0)
             ? issuer->organisation_system : issuer->issuer;

    if (issuer->organisation.len != 0) {

        /* the operator may have written the system himself */

        id = issuer->organisation;

        if (memchr(id.data, '|', id.len) != NULL) {
            system = emage_null_str;
        }

        if (!emage_claims_add_id(map, &subject->organisation, system, id)) {
            return false;
        }

    } else {
        value = emage_claim(claims, issuer->claim_organisation);

        if (value != NULL
            && (!emage_claim_id(value, &id)
                || !emage_claims_add_id(map, &subject->organisation, system,
                                        id)))
        {
            return false;
        }
    }

    /* how the person was authenticated: kept if it can be, never required */

    if (emage_claim_id(emage_jose_get(claims, emage_str("acr")), &id)
        && !emage_claims_add(map, &subject->acr, id))
    {
        return false;
    }

    return emage_claims_teams(map, issuer, claims, subject);
}


emage_token_result_t
emage_claims_map(const emage_issuer_t *issuer,
    const emage_jose_json_t *claims, emage_str_t session, emage_buf_t *store,
    emage_subject_t *subject)
{
    bool            ok;
    unsigned        i;
    emage_claims_t  map;

    map.store = store;
    map.n = 0;

    ok = emage_claims_fill(&map, issuer, claims, subject)
         && emage_claims_add(&map, &subject->session, session);

    if (store->failed) {
        return EMAGE_TOKEN_NOMEM;
    }

    if (!ok) {
        return EMAGE_TOKEN_CLAIMS;
    }

    for (i = 0; i < map.n; i++) {
        map.part[i].field->data = store->data + map.part[i].offset;
    }

    return EMAGE_TOKEN_OK;
}
