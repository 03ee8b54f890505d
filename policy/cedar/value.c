/*
 * Copyright (C) The e-mage authors
 *
 * Order and equality of values; sets and records are kept in normal form.
 */


#include "cedar_core.h"


static int cedar_bytes_cmp(const cedar_value_t *a, const cedar_value_t *b);
static int cedar_ip_cmp(const cedar_ip_t *a, const cedar_ip_t *b);
static void cedar_value_sift(cedar_value_t *v, uint32_t i, uint32_t n);


static int
cedar_bytes_cmp(const cedar_value_t *a, const cedar_value_t *b)
{
    if (a->len != b->len) {
        return (a->len < b->len) ? -1 : 1;
    }

    if (a->len == 0 || a->u.s == b->u.s) {
        return 0;
    }

    return memcmp(a->u.s, b->u.s, a->len);
}


static int
cedar_ip_cmp(const cedar_ip_t *a, const cedar_ip_t *b)
{
    if (a->v6 != b->v6) {
        return a->v6 ? 1 : -1;
    }

    if (a->prefix != b->prefix) {
        return (a->prefix < b->prefix) ? -1 : 1;
    }

    return memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4);
}


/*
 * Recursion ends at the depth of the values, which whoever makes them caps at
 * CEDAR_MAX_DEPTH levels.
 */

int
cedar_value_cmp(const cedar_value_t *a, const cedar_value_t *b)
{
    int                   rc;
    uint32_t              i;
    const cedar_field_t  *f, *g;

    if (a->kind != b->kind) {
        return (a->kind < b->kind) ? -1 : 1;
    }

    switch (a->kind) {

    case CEDAR_BOOL:
        return (int) a->u.b - (int) b->u.b;

    case CEDAR_STRING:
        return cedar_bytes_cmp(a, b);

    case CEDAR_ENTITY:
        if (a->sym != b->sym) {
            return (a->sym < b->sym) ? -1 : 1;
        }

        return cedar_bytes_cmp(a, b);

    case CEDAR_IP:
        return cedar_ip_cmp(a->u.ip, b->u.ip);

    case CEDAR_SET:
    case CEDAR_RECORD:
        if (a->len != b->len) {
            return (a->len < b->len) ? -1 : 1;
        }

        for (i = 0; i < a->len; i++) {

            if (a->kind == CEDAR_SET) {
                rc = cedar_value_cmp(&a->u.set[i], &b->u.set[i]);

            } else {
                f = &a->u.rec[i];
                g = &b->u.rec[i];

                if (f->name != g->name) {
                    return (f->name < g->name) ? -1 : 1;
                }

                rc = cedar_value_cmp(&f->value, &g->value);
            }

            if (rc != 0) {
                return rc;
            }
        }

        return 0;

    default:
        return (a->u.i < b->u.i) ? -1 : (a->u.i > b->u.i);
    }
}


static void
cedar_value_sift(cedar_value_t *v, uint32_t i, uint32_t n)
{
    uint32_t       k;
    cedar_value_t  t;

    for ( ;; ) {
        k = 2 * i + 1;

        if (k >= n) {
            return;
        }

        if (k + 1 < n && cedar_value_cmp(&v[k], &v[k + 1]) < 0) {
            k++;
        }

        if (cedar_value_cmp(&v[i], &v[k]) >= 0) {
            return;
        }

        t = v[i];
        v[i] = v[k];
        v[k] = t;
        i = k;
    }
}


/* Heapsort for many: libc's qsort may allocate. */

uint32_t
cedar_set_normalise(cedar_value_t *v, uint32_t n)
{
    uint32_t       i, k;
    cedar_value_t  t;

    if (n > 16) {
        for (i = n / 2; i-- > 0; /* void */ ) {
            cedar_value_sift(v, i, n);
        }

        for (i = n - 1; i > 0; i--) {
            t = v[0];
            v[0] = v[i];
            v[i] = t;
            cedar_value_sift(v, 0, i);
        }

    } else {
        for (i = 1; i < n; i++) {
            t = v[i];

            for (k = i; k > 0 && cedar_value_cmp(&v[k - 1], &t) > 0; k--) {
                v[k] = v[k - 1];
            }

            v[k] = t;
        }
    }

    for (i = 0, k = 0; i < n; i++) {
        if (k == 0 || cedar_value_cmp(&v[k - 1], &v[i]) != 0) {
            v[k++] = v[i];
        }
    }

    return k;
}


bool
cedar_set_contains(const cedar_value_t *set, const cedar_value_t *v)
{
    int       rc;
    uint32_t  i, lo, hi, mid;

    lo = 0;
    hi = set->len;

    if (hi <= 8) {
        for (i = 0; i < hi; i++) {
            if (cedar_value_eq(&set->u.set[i], v)) {
                return true;
            }
        }

        return false;
    }

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        rc = cedar_value_cmp(&set->u.set[mid], v);

        if (rc == 0) {
            return true;
        }

        if (rc < 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return false;
}


const cedar_value_t *
cedar_record_get(const cedar_value_t *rec, cedar_symbol_t name)
{
    uint32_t              lo, hi, mid;
    const cedar_field_t  *f;

    lo = 0;
    hi = rec->len;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        f = &rec->u.rec[mid];

        if (f->name == name) {
            return &f->value;
        }

        if (f->name < name) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return NULL;
}
