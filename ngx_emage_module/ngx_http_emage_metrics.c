
/*
 * Copyright (C) The e-mage authors
 */


#include "ngx_http_emage_metrics.h"


#define NGX_HTTP_EMAGE_REASONS      256    /* policies counted */
#define NGX_HTTP_EMAGE_REASON_LEN   64
#define NGX_HTTP_EMAGE_BUCKETS      12
#define NGX_HTTP_EMAGE_STATUS_MAX   (64 * 1024)


/*
 * A name is written once, under the zone's mutex, before `len` is set; after
 * that it is only read.
 */

typedef struct {
    uint64_t    count;
    uint64_t    len;
    u_char      name[NGX_HTTP_EMAGE_REASON_LEN];
} ngx_http_emage_reason_t;


typedef struct {
    uint64_t    buckets[NGX_HTTP_EMAGE_BUCKETS + 1];
    uint64_t    sum;                       /* us */
} ngx_http_emage_histogram_t;


typedef struct {
    uint64_t                    counters[NGX_HTTP_EMAGE_COUNTERS];
    ngx_http_emage_histogram_t  waits[NGX_HTTP_EMAGE_WAITS];
    ngx_http_emage_reason_t     reasons[NGX_HTTP_EMAGE_REASONS];
} ngx_http_emage_metrics_t;


static ngx_int_t ngx_http_emage_metrics_init(ngx_shm_zone_t *zone, void *data);
static ngx_http_emage_reason_t *ngx_http_emage_reason(
    ngx_http_emage_metrics_t *metrics, const emage_str_t *name);
static ngx_int_t ngx_http_emage_status_handler(ngx_http_request_t *r);
static void ngx_http_emage_status_counters(emage_buf_t *b,
    ngx_http_emage_metrics_t *metrics);
static void ngx_http_emage_status_waits(emage_buf_t *b,
    ngx_http_emage_metrics_t *metrics);
static void ngx_http_emage_status_reasons(emage_buf_t *b,
    ngx_http_emage_metrics_t *metrics);
static void ngx_http_emage_status_lease(emage_buf_t *b);
static void ngx_http_emage_status_add(emage_buf_t *b, const char *fmt, ...);


/* Upper bounds in us, and as Prometheus writes them. */

static const struct {
    uint64_t     us;
    const char  *le;
} ngx_http_emage_bounds[NGX_HTTP_EMAGE_BUCKETS] = {
    { 100, "0.0001" }, { 250, "0.00025" }, { 500, "0.0005" },
    { 1000, "0.001" }, { 2500, "0.0025" }, { 5000, "0.005" },
    { 10000, "0.01" }, { 25000, "0.025" }, { 50000, "0.05" },
    { 100000, "0.1" }, { 500000, "0.5" }, { 1000000, "1" }
};


ngx_int_t
ngx_http_emage_metrics_add(ngx_conf_t *cf, ngx_http_emage_main_conf_t *emcf)
{
    ngx_str_t  name;

    ngx_str_set(&name, "emage_metrics");

    emcf->metrics = ngx_shared_memory_add(cf, &name,
                                          sizeof(ngx_http_emage_metrics_t)
                                          + 16 * ngx_pagesize,
                                          &ngx_http_emage_module);
    if (emcf->metrics == NULL) {
        return NGX_ERROR;
    }

    emcf->metrics->init = ngx_http_emage_metrics_init;
    emcf->metrics->data = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_emage_metrics_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    shpool->data = ngx_slab_calloc(shpool, sizeof(ngx_http_emage_metrics_t));
    if (shpool->data == NULL) {
        return NGX_ERROR;
    }

    zone->data = shpool->data;

    return NGX_OK;
}


void
ngx_http_emage_count(ngx_http_emage_counter_e counter, uint64_t n)
{
    ngx_http_emage_metrics_t  *metrics;

    metrics = ngx_http_emage_worker->conf->metrics->data;

    (void) __atomic_add_fetch(&metrics->counters[counter], n,
                              __ATOMIC_RELAXED);
}


void
ngx_http_emage_count_reasons(const emage_verdict_t *verdict)
{
    uint32_t                   i;
    ngx_http_emage_reason_t   *reason;
    ngx_http_emage_metrics_t  *metrics;

    metrics = ngx_http_emage_worker->conf->metrics->data;

    for (i = 0; i < verdict->nreasons; i++) {
        reason = ngx_http_emage_reason(metrics, &verdict->reasons[i]);

        if (reason != NULL) {
            (void) __atomic_add_fetch(&reason->count, 1, __ATOMIC_RELAXED);
        }
    }
}


/* Open addressing; the first request of a new policy takes a place for it. */

static ngx_http_emage_reason_t *
ngx_http_emage_reason(ngx_http_emage_metrics_t *metrics,
    const emage_str_t *name)
{
    uint32_t                  hash;
    uint64_t                  len;
    ngx_uint_t                i;
    ngx_slab_pool_t          *shpool;
    ngx_http_emage_reason_t  *reason;

    if (name->len == 0 || name->len > NGX_HTTP_EMAGE_REASON_LEN) {
        return NULL;
    }

    hash = ngx_murmur_hash2((u_char *) name->data, name->len);

    for (i = 0; i < NGX_HTTP_EMAGE_REASONS; i++) {

        reason = &metrics->reasons[(hash + i) % NGX_HTTP_EMAGE_REASONS];
        len = __atomic_load_n(&reason->len, __ATOMIC_ACQUIRE);

        if (len == 0) {
            shpool = (ngx_slab_pool_t *)
                         ngx_http_emage_worker->conf->metrics->shm.addr;

            ngx_shmtx_lock(&shpool->mutex);

            len = reason->len;

            if (len == 0) {
                ngx_memcpy(reason->name, name->data, name->len);
                len = name->len;
                __atomic_store_n(&reason->len, len, __ATOMIC_RELEASE);
            }

            ngx_shmtx_unlock(&shpool->mutex);
        }

        if (len == name->len
            && ngx_memcmp(reason->name, name->data, name->len) == 0)
        {
            return reason;
        }
    }

    return NULL;
}


uint64_t
ngx_http_emage_clock(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_MONOTONIC, &ts) == -1) {
        return 0;
    }

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


void
ngx_http_emage_waited(ngx_http_emage_wait_e wait, uint64_t since)
{
    uint64_t                     us;
    ngx_uint_t                   i;
    ngx_http_emage_metrics_t    *metrics;
    ngx_http_emage_histogram_t  *h;

    metrics = ngx_http_emage_worker->conf->metrics->data;
    h = &metrics->waits[wait];
    us = ngx_http_emage_clock() - since;

    for (i = 0; i < NGX_HTTP_EMAGE_BUCKETS; i++) {
        if (us <= ngx_http_emage_bounds[i].us) {
            break;
        }
    }

    (void) __atomic_add_fetch(&h->buckets[i], 1, __ATOMIC_RELAXED);
    (void) __atomic_add_fetch(&h->sum, us, __ATOMIC_RELAXED);
}


char *
ngx_http_emage_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_emage_handler) {
        return "cannot be in a guarded location; give it one of its own";
    }

    clcf->handler = ngx_http_emage_status_handler;

    return NGX_CONF_OK;
}


/* Text of Prometheus, version 0.0.4. */

static ngx_int_t
ngx_http_emage_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_buf_t                 *b;
    emage_buf_t                text;
    ngx_chain_t                out;
    ngx_http_emage_metrics_t  *metrics;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_emage_worker == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    metrics = ngx_http_emage_worker->conf->metrics->data;

    emage_buf_init(&text, NGX_HTTP_EMAGE_STATUS_MAX);

    ngx_http_emage_status_counters(&text, metrics);
    ngx_http_emage_status_waits(&text, metrics);
    ngx_http_emage_status_reasons(&text, metrics);
    ngx_http_emage_status_lease(&text);

    if (text.failed) {
        emage_buf_free(&text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b = ngx_create_temp_buf(r->pool, text.len);

    if (b == NULL) {
        emage_buf_free(&text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, text.data, text.len);
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text.len;
    ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;

    emage_buf_free(&text);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_emage_status_counters(emage_buf_t *b,
    ngx_http_emage_metrics_t *metrics)
{
    ngx_uint_t  i;

    static const struct {
        const char  *help;                 /* of the first of a name */
        const char  *name;
        const char  *labels;
    } counters[NGX_HTTP_EMAGE_COUNTERS] = {
        { "Requests to guarded locations by how they were decided.",
          "emage_requests_total", "{decision=\"permit\"}" },
        { NULL, "emage_requests_total", "{decision=\"deny\"}" },
        { NULL, "emage_requests_total", "{decision=\"unauthenticated\"}" },
        { NULL, "emage_requests_total", "{decision=\"unavailable\"}" },
        { NULL, "emage_requests_total", "{decision=\"not_acceptable\"}" },
        { "Transfers reset because what they were permitted on changed.",
          "emage_transfers_reset_total", "" },
        { "Bytes of bodies delivered.", "emage_bytes_total", "" },
        { "Facts by where they came from.", "emage_facts_total",
          "{from=\"cache\"}" },
        { NULL, "emage_facts_total", "{from=\"redis\"}" },
        { "Bodies by where they came from.", "emage_bodies_total",
          "{from=\"cache\"}" },
        { NULL, "emage_bodies_total", "{from=\"store\"}" }
    };

    for (i = 0; i < NGX_HTTP_EMAGE_COUNTERS; i++) {

        if (counters[i].help != NULL) {
            ngx_http_emage_status_add(b, "# HELP %s %s\n# TYPE %s counter\n",
                                      counters[i].name, counters[i].help,
                                      counters[i].name);
        }

        ngx_http_emage_status_add(b, "%s%s %uL\n", counters[i].name,
                                  counters[i].labels,
                                  metrics->counters[i]);
    }
}


static void
ngx_http_emage_status_waits(emage_buf_t *b, ngx_http_emage_metrics_t *metrics)
{
    uint64_t                     n;
    ngx_uint_t                   i, k;
    ngx_http_emage_histogram_t  *h;

    static const char  *names[NGX_HTTP_EMAGE_WAITS] = {
        "emage_redis_wait_seconds",
        "emage_journal_wait_seconds"
    };

    static const char  *helps[NGX_HTTP_EMAGE_WAITS] = {
        "How long requests waited for facts from Redis.",
        "How long requests waited for a durable intent."
    };

    for (i = 0; i < NGX_HTTP_EMAGE_WAITS; i++) {
        h = &metrics->waits[i];
        n = 0;

        ngx_http_emage_status_add(b, "# HELP %s %s\n# TYPE %s histogram\n",
                                  names[i], helps[i], names[i]);

        for (k = 0; k < NGX_HTTP_EMAGE_BUCKETS; k++) {
            n += h->buckets[k];
            ngx_http_emage_status_add(b, "%s_bucket{le=\"%s\"} %uL\n",
                                      names[i], ngx_http_emage_bounds[k].le,
                                      n);
        }

        n += h->buckets[NGX_HTTP_EMAGE_BUCKETS];

        ngx_http_emage_status_add(b, "%s_bucket{le=\"+Inf\"} %uL\n"
                                     "%s_sum %uL.%06uL\n%s_count %uL\n",
                                  names[i], n, names[i], h->sum / 1000000,
                                  h->sum % 1000000, names[i], n);
    }
}


/* Ids of policies are [0-9A-Za-z_-], so no label needs an escape. */

static void
ngx_http_emage_status_reasons(emage_buf_t *b,
    ngx_http_emage_metrics_t *metrics)
{
    u_char                   *p;
    uint64_t                  len;
    ngx_uint_t                i;
    ngx_http_emage_reason_t  *reason;

    ngx_http_emage_status_add(b, "# HELP emage_reasons_total Decisions by the "
                                 "policies that made them.\n"
                                 "# TYPE emage_reasons_total counter\n");

    for (i = 0; i < NGX_HTTP_EMAGE_REASONS; i++) {
        reason = &metrics->reasons[i];
        len = __atomic_load_n(&reason->len, __ATOMIC_ACQUIRE);

        if (len == 0) {
            continue;
        }

        for (p = reason->name; p < reason->name + len; p++) {
            if (*p == '"' || *p == '\\' || *p == LF) {
                break;
            }
        }

        if (p == reason->name + len) {
            ngx_http_emage_status_add(b, "emage_reasons_total{policy=\"%*s\"} "
                                         "%uL\n", (size_t) len, reason->name,
                                      reason->count);
        }
    }
}


static void
ngx_http_emage_status_lease(emage_buf_t *b)
{
    ngx_uint_t          i;
    ngx_str_t          *state;
    ngx_emage_lease_t  *lease;

    static const char  *states[] = { "live", "expired", "unreconciled",
                                     "fenced" };

    lease = ngx_http_emage_worker->lease;
    state = ngx_emage_lease_state(lease);

    ngx_http_emage_status_add(b, "# HELP emage_lease State of this node's "
                                 "lease.\n# TYPE emage_lease gauge\n");

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        ngx_http_emage_status_add(b, "emage_lease{state=\"%s\"} %d\n",
                                  states[i],
                                  ngx_strcmp(state->data, states[i]) == 0);
    }

    ngx_http_emage_status_add(b, "# HELP emage_sequence Last change that this "
                                 "node has applied.\n"
                                 "# TYPE emage_sequence gauge\n"
                                 "emage_sequence %uL\n"
                                 "# HELP emage_journal_ok Whether this worker "
                                 "can write its journal.\n"
                                 "# TYPE emage_journal_ok gauge\n"
                                 "emage_journal_ok %ui\n",
                              ngx_emage_lease_seq(lease),
                    ngx_emage_journal_ok(ngx_http_emage_worker->journal));
}


static void
ngx_http_emage_status_add(emage_buf_t *b, const char *fmt, ...)
{
    u_char   *p, line[1024];
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(line, line + sizeof(line), fmt, args);
    va_end(args);

    (void) emage_buf_add(b, line, p - line);
}
