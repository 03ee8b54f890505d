/*
 * Copyright (C) The e-mage authors
 *
 * The index: which policies can a request meet?
 *
 * A scope cannot fail, so a policy whose scope is not met can be passed over.
 * Policies that name an entity, principal or resource, are found by that
 * entity; all others, "open", by the request's action and types, for what the
 * schema allows.  A request that it does not allow asks all open policies.
 */


#include "cedar_check.h"
#include "cedar_code.h"


/* Open policies times environments; beyond, requests go the long way. */

#define CEDAR_MAX_ENTRIES  (4 * 1024 * 1024)


static bool cedar_is_open(const cedar_scope_t *s);
static bool cedar_index_open(cedar_set_t *set);
static bool cedar_index_envs(cedar_set_t *set);
static bool cedar_index_env(cedar_set_t *set, const cedar_action_t *a,
    cedar_env_t *env, cedar_entry_t *room);
static uint32_t cedar_index_start(const cedar_set_t *set,
    const cedar_action_t *a, const cedar_env_t *env, uint32_t pc);
static void cedar_index_guess(const cedar_set_t *set, const cedar_action_t *a,
    cedar_env_t *env, const cedar_type_t **types);
static int cedar_env_cmp(const void *one, const void *two);
static bool cedar_index_keyed(cedar_set_t *set);
static const cedar_value_t *cedar_index_key(const cedar_policy_t *p,
    bool resource);
static bool cedar_index_sides(cedar_set_t *set, uint8_t *side, uint32_t *n);
static bool cedar_index_buckets(cedar_set_t *set, cedar_keyed_t *k,
    const uint8_t *side, bool resource);
static uint32_t cedar_index_probe(const cedar_keyed_t *k, uint32_t hash,
    const cedar_value_t *uid);


emage_rc_t
cedar_index_build(cedar_set_t *set)
{
    return (cedar_compile(set) && cedar_index_open(set)
            && cedar_index_envs(set) && cedar_index_keyed(set))
           ? EMAGE_OK : EMAGE_NOMEM;
}


static bool
cedar_is_open(const cedar_scope_t *s)
{
    return s->kind == CEDAR_SCOPE_ANY || s->kind == CEDAR_SCOPE_IS;
}


static bool
cedar_index_open(cedar_set_t *set)
{
    uint32_t         i;
    cedar_policy_t  *p;

    set->open = cedar_array(&set->arena, set->policies_n + 1,
                            sizeof(cedar_entry_t));
    if (set->open == NULL) {
        return false;
    }

    for (i = 0; i < set->policies_n; i++) {
        p = &set->policies[i];

        if (cedar_is_open(&p->principal) && cedar_is_open(&p->resource)) {
            set->open[set->open_n].policy = i * 4 + p->effect;
            set->open[set->open_n++].pc = p->pc;
        }
    }

    return true;
}


static bool
cedar_index_envs(cedar_set_t *set)
{
    size_t               work;
    uint32_t             i, p, r;
    cedar_action_t      *a;
    cedar_entry_t       *room;
    const cedar_type_t  *types[CEDAR_MAX_SLOTS];

    work = 0;
    room = cedar_array(&set->arena, set->open_n + 1, sizeof(cedar_entry_t));

    for (i = 0; i < set->schema.actions_n && room != NULL; i++) {
        a = &set->schema.actions[i];

        work += (size_t) a->principals_n * a->resources_n
                * (set->open_n + set->slots_n);

        if (work > CEDAR_MAX_ENTRIES) {
            break;
        }

        a->envs = cedar_array(&set->arena,
                              (size_t) a->principals_n * a->resources_n,
                              sizeof(cedar_env_t));
        if (a->envs == NULL) {
            return false;
        }

        for (p = 0; p < a->principals_n; p++) {
            for (r = 0; r < a->resources_n; r++) {
                a->envs[a->envs_n].principal = a->principals[p]->sym;
                a->envs[a->envs_n].resource = a->resources[r]->sym;

                if (!cedar_index_env(set, a, &a->envs[a->envs_n], room)) {
                    return false;
                }

                cedar_index_guess(set, a, &a->envs[a->envs_n++], types);
            }
        }

        if (a->envs_n > 1) {
            qsort(a->envs, a->envs_n, sizeof(cedar_env_t), cedar_env_cmp);
        }
    }

    return room != NULL;
}


static int
cedar_env_cmp(const void *one, const void *two)
{
    const cedar_env_t  *a = one, *b = two;

    if (a->principal != b->principal) {
        return (a->principal < b->principal) ? -1 : 1;
    }

    return (a->resource < b->resource) ? -1 : (a->resource > b->resource);
}


const cedar_env_t *
cedar_env_find(const cedar_action_t *a, cedar_symbol_t principal,
    cedar_symbol_t resource)
{
    int          rc;
    uint32_t     lo, hi, mid;
    cedar_env_t  key;

    key.principal = principal;
    key.resource = resource;
    lo = 0;
    hi = a->envs_n;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        rc = cedar_env_cmp(&a->envs[mid], &key);

        if (rc == 0) {
            return &a->envs[mid];
        }

        if (rc < 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return NULL;
}


static bool
cedar_index_env(cedar_set_t *set, const cedar_action_t *a, cedar_env_t *env,
    cedar_entry_t *room)
{
    uint32_t         i, n, pc;
    cedar_policy_t  *p;

    for (i = 0, n = 0; i < set->open_n; i++) {
        p = &set->policies[set->open[i].policy / 4];

        if ((p->principal.type != CEDAR_NO_SYMBOL
             && p->principal.type != env->principal)
            || (p->resource.type != CEDAR_NO_SYMBOL
                && p->resource.type != env->resource)
            || !cedar_scope_action_hits(&p->action, a))
        {
            continue;
        }

        pc = cedar_index_start(set, a, env, p->pc);

        if (pc != CEDAR_END_MISS) {
            room[n].policy = set->open[i].policy;
            room[n++].pc = pc;
        }
    }

    env->n = n;
    env->entries = cedar_array(&set->arena, n, sizeof(cedar_entry_t));
    env->guess = cedar_array(&set->arena, set->slots_n, sizeof(uint16_t));

    if (env->entries == NULL || env->guess == NULL) {
        return false;
    }

    memcpy(env->entries, room, n * sizeof(cedar_entry_t));

    return true;
}


/*
 * The first tests of a condition are often about types and the action, which
 * are known here.  Code only goes forward (to lower numbers), so this ends.
 */

static uint32_t
cedar_index_start(const cedar_set_t *set, const cedar_action_t *a,
    const cedar_env_t *env, uint32_t pc)
{
    bool                 b;
    const cedar_code_t  *c;

    while (pc < CEDAR_END) {
        c = &set->code[pc];

        if (c->op == CEDAR_OP_IS && c->slot == CEDAR_SLOT_PRINCIPAL) {
            b = (c->u.value.sym == env->principal);

        } else if (c->op == CEDAR_OP_IS && c->slot == CEDAR_SLOT_RESOURCE) {
            b = (c->u.value.sym == env->resource);

        } else if (c->op == CEDAR_OP_EQ && c->slot == CEDAR_SLOT_ACTION) {
            b = cedar_value_eq(&c->u.value, &a->uid);

        } else {
            break;
        }

        pc = b ? c->yes : c->no;
    }

    return pc;
}


/* `types` is room for the type of each slot, as the schema has it. */

static void
cedar_index_guess(const cedar_set_t *set, const cedar_action_t *a,
    cedar_env_t *env, const cedar_type_t **types)
{
    uint32_t                    i;
    cedar_symbol_t              type;
    const cedar_attr_t         *attr;
    const cedar_type_t         *rec;
    const cedar_entity_type_t  *entity;

    for (i = 0; i < set->slots_n; i++) {
        env->guess[i] = 0;
        types[i] = (i == CEDAR_SLOT_CONTEXT) ? a->context : NULL;

        if (i < CEDAR_SLOT_ROOTS) {
            continue;
        }

        rec = types[set->slots[i].parent];
        type = (set->slots[i].parent == CEDAR_SLOT_PRINCIPAL)
               ? env->principal
               : (set->slots[i].parent == CEDAR_SLOT_RESOURCE)
               ? env->resource
               : (rec != NULL && rec->kind == CEDAR_T_ENTITY)
               ? rec->sym : CEDAR_NO_SYMBOL;

        if (type != CEDAR_NO_SYMBOL) {
            entity = cedar_schema_entity(set, type);
            rec = (entity == NULL) ? NULL : entity->attrs;
        }

        attr = (rec == NULL || rec->kind != CEDAR_T_RECORD)
               ? NULL : cedar_type_attr(rec, set->slots[i].name);

        if (attr != NULL) {
            env->guess[i] = attr - rec->attrs;
            types[i] = attr->type;
        }
    }
}


/* The entity that a scope names. */

static const cedar_value_t *
cedar_index_key(const cedar_policy_t *p, bool resource)
{
    const cedar_scope_t  *s;

    s = resource ? &p->resource : &p->principal;

    return cedar_is_open(s) ? NULL : &s->uids[0];
}


static bool
cedar_index_keyed(cedar_set_t *set)
{
    uint8_t        *side;
    uint32_t        i, n[2];
    cedar_keyed_t  *k;

    side = cedar_zalloc(&set->arena, set->policies_n + 1);

    if (side == NULL || !cedar_index_sides(set, side, n)) {
        return false;
    }

    for (i = 0; i < 2; i++) {
        k = cedar_zalloc(&set->arena, sizeof(cedar_keyed_t));
        if (k == NULL) {
            return false;
        }

        set->keyed[i] = k;
        k->n = n[i];

        if (n[i] != 0 && !cedar_index_buckets(set, k, side, i == 1)) {
            return false;
        }
    }

    return true;
}


/*
 * By which entity each policy is found: 1 principal, 2 resource.  Of two that
 * it names, by the one that fewer policies name.
 */

static bool
cedar_index_sides(cedar_set_t *set, uint8_t *side, uint32_t *n)
{
    uint32_t              i, k, h[2], mask, *count;
    const cedar_value_t  *uid[2];

    for (mask = 8; mask < set->policies_n * 2; mask *= 2) { /* void */ }

    count = cedar_zalloc(&set->arena, 2 * (size_t) mask * sizeof(uint32_t));
    if (count == NULL) {
        return false;
    }

    mask--;
    n[0] = 0;
    n[1] = 0;

    /* once to count, by hash, and once to choose */

    for (i = 0; i < 2 * set->policies_n; i++) {

        for (k = 0; k < 2; k++) {
            uid[k] = cedar_index_key(&set->policies[i % set->policies_n],
                                     k == 1);

            if (uid[k] != NULL) {
                h[k] = cedar_hash(uid[k]->u.s, uid[k]->len, uid[k]->sym);
                h[k] = (h[k] & mask) * 2 + k;
                count[h[k]] += (i < set->policies_n);
            }
        }

        if (i < set->policies_n || (uid[0] == NULL && uid[1] == NULL)) {
            continue;
        }

        k = (uid[0] == NULL
             || (uid[1] != NULL && count[h[1]] <= count[h[0]])) ? 1 : 0;

        side[i - set->policies_n] = k + 1;
        n[k]++;
    }

    return true;
}


static bool
cedar_index_buckets(cedar_set_t *set, cedar_keyed_t *k, const uint8_t *side,
    bool resource)
{
    uint32_t              i, b, h, size, first, *next;
    const cedar_value_t  *uid;

    for (size = 8; size < k->n * 2; size *= 2) { /* void */ }

    k->mask = size - 1;
    k->buckets = cedar_zalloc(&set->arena, size * sizeof(cedar_bucket_t));
    k->list = cedar_array(&set->arena, k->n, sizeof(uint32_t));
    next = cedar_array(&set->arena, size, sizeof(uint32_t));

    if (k->buckets == NULL || k->list == NULL || next == NULL) {
        return false;
    }

    for (i = 0; i < set->policies_n; i++) {

        if (side[i] == resource + 1) {
            uid = cedar_index_key(&set->policies[i], resource);
            h = cedar_hash(uid->u.s, uid->len, uid->sym);
            b = cedar_index_probe(k, h, uid);

            k->buckets[b].uid = *uid;
            k->buckets[b].hash = h;
            k->buckets[b].n++;
        }
    }

    for (b = 0, first = 0; b < size; b++) {
        k->buckets[b].first = first;
        next[b] = first;
        first += k->buckets[b].n;
    }

    for (i = 0; i < set->policies_n; i++) {

        if (side[i] == resource + 1) {
            uid = cedar_index_key(&set->policies[i], resource);
            h = cedar_hash(uid->u.s, uid->len, uid->sym);
            b = cedar_index_probe(k, h, uid);

            k->list[next[b]++] = i * 4 + set->policies[i].effect;
        }
    }

    return true;
}


/* The bucket of `uid`, or the empty one where it would be. */

static uint32_t
cedar_index_probe(const cedar_keyed_t *k, uint32_t hash,
    const cedar_value_t *uid)
{
    uint32_t               i;
    const cedar_bucket_t  *b;

    i = hash & k->mask;

    for ( ;; ) {
        b = &k->buckets[i];

        if (b->n == 0 || (b->hash == hash && cedar_uid_eq(&b->uid, uid))) {
            return i;
        }

        i = (i + 1) & k->mask;
    }
}


const cedar_bucket_t *
cedar_keyed_find(const cedar_keyed_t *k, const cedar_value_t *uid)
{
    const cedar_bucket_t  *b;

    b = &k->buckets[cedar_index_probe(k, cedar_hash(uid->u.s, uid->len,
                                                    uid->sym), uid)];

    return (b->n == 0) ? NULL : b;
}
