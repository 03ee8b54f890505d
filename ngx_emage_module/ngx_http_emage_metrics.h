
/*
 * Copyright (C) The e-mage authors
 *
 * Counters of a node in shared memory, for "emage_status".
 */


#ifndef _NGX_HTTP_EMAGE_METRICS_H_INCLUDED_
#define _NGX_HTTP_EMAGE_METRICS_H_INCLUDED_


#include "ngx_http_emage.h"


typedef enum {
    NGX_HTTP_EMAGE_PERMITTED = 0,
    NGX_HTTP_EMAGE_DENIED,
    NGX_HTTP_EMAGE_UNAUTHENTICATED,
    NGX_HTTP_EMAGE_UNAVAILABLE,
    NGX_HTTP_EMAGE_NOT_ACCEPTABLE,
    NGX_HTTP_EMAGE_RESET,                  /* of those permitted */
    NGX_HTTP_EMAGE_BYTES,
    NGX_HTTP_EMAGE_FACTS_CACHED,
    NGX_HTTP_EMAGE_FACTS_FETCHED,
    NGX_HTTP_EMAGE_BODY_CACHED,
    NGX_HTTP_EMAGE_BODY_READ,
    NGX_HTTP_EMAGE_COUNTERS
} ngx_http_emage_counter_e;


typedef enum {
    NGX_HTTP_EMAGE_WAIT_REDIS = 0,
    NGX_HTTP_EMAGE_WAIT_JOURNAL,
    NGX_HTTP_EMAGE_WAITS
} ngx_http_emage_wait_e;


ngx_int_t ngx_http_emage_metrics_add(ngx_conf_t *cf,
    ngx_http_emage_main_conf_t *emcf);

/* No lock, no system call. */

void ngx_http_emage_count(ngx_http_emage_counter_e counter, uint64_t n);

/* Counts the policies that decided. */

void ngx_http_emage_count_reasons(const emage_verdict_t *verdict);

/* CLOCK_MONOTONIC in us; and how long something was waited for since. */

uint64_t ngx_http_emage_clock(void);
void ngx_http_emage_waited(ngx_http_emage_wait_e wait, uint64_t since);

/* The "emage_status" directive. */

char *ngx_http_emage_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_HTTP_EMAGE_METRICS_H_INCLUDED_ */
