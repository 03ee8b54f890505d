
/*
 * Copyright (C) The e-mage authors
 *
 * The facts about a study and its patient, an entry a study: from the worker's
 * cache while the node's lease lives and nothing about the patient has
 * changed, else from Redis, once for however many wait.  And verdicts on them.
 */


#ifndef _NGX_HTTP_EMAGE_ENTRY_H_INCLUDED_
#define _NGX_HTTP_EMAGE_ENTRY_H_INCLUDED_


#include "ngx_http_emage.h"


/*
 * NGX_OK with want->entry fresh and one reference, NGX_AGAIN: want->handler
 * will be called in the event loop, then ask again; NGX_DECLINED when the
 * study is not known, NGX_ERROR when facts cannot be had now (want->cause says
 * why).  `want` must stay in place until then, or be left.
 */

ngx_int_t ngx_http_emage_entry_get(ngx_http_emage_want_t *want,
    emage_str_t *study);

/* Gives the reference back, or stops waiting. */

void ngx_http_emage_entry_leave(ngx_http_emage_want_t *want);

/* Likewise of a fresh entry, which the next one who asks reads anew. */

void ngx_http_emage_entry_drop(ngx_http_emage_want_t *want);

/* One more reference, to be given back with ngx_http_emage_entry_release(). */

void ngx_http_emage_entry_hold(ngx_http_emage_entry_t *entry);
void ngx_http_emage_entry_release(ngx_http_emage_entry_t *entry);

/* Whether an entry may be used now. */

ngx_uint_t ngx_http_emage_entry_fresh(ngx_http_emage_entry_t *entry);

const emage_facts_t *ngx_http_emage_entry_facts(
    ngx_http_emage_entry_t *entry);
const ngx_emage_stamp_t *ngx_http_emage_entry_stamp(
    ngx_http_emage_entry_t *entry);

/* Decides by policy, remembering the verdict with the facts; or NGX_ERROR. */

ngx_int_t ngx_http_emage_entry_decide(ngx_http_emage_entry_t *entry,
    const emage_subject_t *subject, ngx_log_t *log, emage_verdict_t *verdict);


#endif /* _NGX_HTTP_EMAGE_ENTRY_H_INCLUDED_ */
