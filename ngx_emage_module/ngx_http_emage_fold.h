
/*
 * Copyright (C) The e-mage authors
 *
 * Folds: requests that one durable intent covers, and what they delivered.
 */


#ifndef _NGX_HTTP_EMAGE_FOLD_H_INCLUDED_
#define _NGX_HTTP_EMAGE_FOLD_H_INCLUDED_


#include "ngx_http_emage.h"


struct ngx_http_emage_fold_s {
    ngx_queue_t       queue;               /* of a bucket, while linked */
    ngx_queue_t       order;               /* oldest first */
    u_char            key[16];
    u_char            id[NGX_HTTP_EMAGE_DECISION_LEN];
    uint64_t          ticket;              /* of the intent */
    uint64_t          outcome;             /* likewise, 0: to be written */
    ngx_msec_t        created;
    ngx_uint_t        open;                /* requests under way */

    emage_access_t    access;
    emage_subject_t   subject;
    u_char           *strings;             /* that the two point into */
    emage_str_t       reasons[EMAGE_REASONS_MAX];

    uint64_t         *seen;                /* hashes of listed instances */
    emage_buf_t       instances;

    unsigned          linked:1;            /* further requests may join */
    unsigned          durable:1;
};


ngx_int_t ngx_http_emage_fold_init(ngx_cycle_t *cycle);

/* The fold that a request with this record may join, or NULL. */

void ngx_http_emage_fold_key(ngx_http_emage_ctx_t *ctx,
    emage_access_t *access, u_char *key);
ngx_http_emage_fold_t *ngx_http_emage_fold_find(u_char *key);

/*
 * A new fold with a copy of everything its closing record needs; its intent,
 * `access`, has been written as `ticket`.
 */

ngx_http_emage_fold_t *ngx_http_emage_fold_create(u_char *key,
    emage_access_t *access, uint64_t ticket);

/* No further request joins; closed when none is open. */

void ngx_http_emage_fold_unlink(ngx_http_emage_fold_t *fold);
void ngx_http_emage_fold_close(ngx_http_emage_fold_t *fold);

/* Adds an instance that was delivered. */

void ngx_http_emage_fold_list(ngx_http_emage_fold_t *fold,
    emage_str_t instance);

/* Closes folds whose time has passed, or every one. */

void ngx_http_emage_fold_sweep(ngx_uint_t all);

/* access: writes a record into the journal. */

ngx_int_t ngx_http_emage_access_write(emage_access_t *access,
    uint64_t *ticket);


#endif /* _NGX_HTTP_EMAGE_FOLD_H_INCLUDED_ */
