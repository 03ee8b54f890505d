
/*
 * Copyright (C) The e-mage authors
 *
 * Directives, configurations, start and end of a worker; nothing else.
 */


#include "ngx_http_emage.h"
#include "ngx_http_emage_cache.h"
#include "ngx_http_emage_drain.h"
#include "ngx_http_emage_metrics.h"
#include "ngx_http_emage_rows.h"
#include "ngx_http_emage_session.h"
#include "ngx_http_emage_store.h"


static void *ngx_http_emage_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_emage_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_http_emage_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_emage_init_process(ngx_cycle_t *cycle);
static void ngx_http_emage_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_emage_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_emage_policy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_emage_journal(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_emage_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void ngx_http_emage_policy_cleanup(void *data);


static ngx_command_t  ngx_http_emage_commands[] = {

    { ngx_string("emage_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_emage_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("emage_policy"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_emage_policy,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("emage_journal"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_emage_journal,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("emage_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_emage_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("emage_node"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_emage_main_conf_t, node),
      NULL },

    { ngx_string("emage_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_emage_main_conf_t, body_cache),
      NULL },

    { ngx_string("emage_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_emage_issuer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("emage_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_emage_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("emage"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_emage,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_emage_module_ctx = {
    ngx_http_emage_add_variables,          /* preconfiguration */
    ngx_http_emage_postconfiguration,      /* postconfiguration */

    ngx_http_emage_create_main_conf,       /* create main configuration */
    ngx_http_emage_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_emage_create_loc_conf,        /* create location configuration */
    ngx_http_emage_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_emage_module = {
    NGX_MODULE_V1,
    &ngx_http_emage_module_ctx,            /* module context */
    ngx_http_emage_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_emage_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_emage_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_http_emage_worker_t  *ngx_http_emage_worker;


static void *
ngx_http_emage_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_emage_main_conf_t  *emcf;

    emcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_emage_main_conf_t));
    if (emcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     emcf->policy = NULL;
     *     emcf->lease = NULL;
     *     emcf->tokens = NULL;
     *     emcf->redis_set = 0;
     *     emcf->used = 0;
     */

    emcf->body_cache = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&emcf->issuers, cf->pool, 4, sizeof(emage_issuer_t))
        != NGX_OK
        || ngx_http_emage_init_locations(cf, emcf) != NGX_OK)
    {
        return NULL;
    }

    return emcf;
}


static char *
ngx_http_emage_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_emage_main_conf_t *emcf = conf;

    ngx_conf_init_size_value(emcf->body_cache, 64 * 1024 * 1024);

    if (emcf->node.len == 0) {
        emcf->node = cf->cycle->hostname;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_emage_postconfiguration(ngx_conf_t *cf)
{
    ngx_str_t                    name;
    ngx_uint_t                   i;
    const char                  *missing;
    emage_issuer_t              *issuer;
    ngx_http_emage_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_emage_module);

    if (!emcf->used) {
        return NGX_OK;
    }

    missing = !emcf->redis_set ? "emage_redis"
              : emcf->policy == NULL ? "emage_policy"
              : emcf->journal.len == 0 ? "emage_journal"
              : emcf->issuers.nelts == 0 ? "emage_issuer"
              : NULL;

    if (missing != NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"emage\" needs \"%s\", which is not set at http level",
                      missing);
        return NGX_ERROR;
    }

    if (ngx_http_emage_check_locations(cf, emcf) != NGX_OK) {
        return NGX_ERROR;
    }

    issuer = emcf->issuers.elts;

    for (i = 0; i < emcf->issuers.nelts && !emcf->key_set; i++) {
        if (issuer[i].kind == EMAGE_SUBJECT_PATIENT) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "issuer \"%*s\" is of patients, whose lists stay "
                          "empty without \"emage_key\"",
                          issuer[i].name.len, issuer[i].name.data);
        }
    }

    ngx_str_set(&name, "request_id");

    emcf->request_id_index = ngx_http_get_variable_index(cf, &name);
    if (emcf->request_id_index == NGX_ERROR) {
        return NGX_ERROR;
    }

    emcf->pool = ngx_thread_pool_add(cf, NULL);
    if (emcf->pool == NULL) {
        return NGX_ERROR;
    }

    emcf->lease = ngx_emage_lease_add(cf, &emcf->node, &emcf->journal,
                                      &ngx_http_emage_module);
    if (emcf->lease == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_emage_metrics_add(cf, emcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_emage_tokens_add(cf, emcf);
}


static char *
ngx_http_emage_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_emage_main_conf_t *emcf = conf;

    ngx_str_t   *value, s;
    ngx_int_t    n;
    ngx_url_t    u;
    ngx_uint_t   i;

    if (emcf->redis_set) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = value[1];
    u.default_port = 6379;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        if (u.err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in address \"%V\" of Redis; use "
                               "unix:/path or host:port", u.err, &u.url);
        }

        return NGX_CONF_ERROR;
    }

    emcf->redis.url = u;
    emcf->redis.timeout = 50;
    emcf->redis.connect_timeout = 250;
    emcf->redis.db = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_emage_begins(&value[i], "timeout=", 0)) {
            s.data = value[i].data + 8;
            s.len = value[i].len - 8;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n < 1 || n > 1000) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"timeout\" of \"emage_redis\" is "
                                   "\"%V\"; it must be 1ms to 1s", &s);
                return NGX_CONF_ERROR;
            }

            emcf->redis.timeout = (ngx_msec_t) n;
            continue;
        }

        if (ngx_http_emage_begins(&value[i], "db=", 0)) {
            n = ngx_atoi(value[i].data + 3, value[i].len - 3);

            if (n == NGX_ERROR) {
                return "has an invalid \"db\"";
            }

            emcf->redis.db = (ngx_uint_t) n;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown parameter \"%V\"; \"emage_redis\" takes "
                           "\"timeout=\" and \"db=\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    emcf->redis_set = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_emage_policy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_emage_main_conf_t *emcf = conf;

    ngx_str_t           *value;
    emage_error_t        err;
    ngx_pool_cleanup_t  *cln;

    if (emcf->policy_dir.len != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;
    emcf->policy_dir = value[1];

    if (ngx_conf_full_name(cf->cycle, &emcf->policy_dir, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    err.text[0] = '\0';

    if (emage_policy_load((char *) emcf->policy_dir.data, &emcf->policy, &err)
        != EMAGE_OK)
    {
        emcf->policy = NULL;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "policy refused: %s",
                           err.text);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_emage_policy_cleanup;
    cln->data = emcf->policy;

    return NGX_CONF_OK;
}


static void
ngx_http_emage_policy_cleanup(void *data)
{
    emage_policy_free(data);
}


static char *
ngx_http_emage_journal(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_emage_main_conf_t *emcf = conf;

    ngx_str_t        *value;
    ngx_file_info_t   fi;

    if (emcf->journal.len != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;
    emcf->journal = value[1];

    if (ngx_conf_full_name(cf->cycle, &emcf->journal, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_file_info(emcf->journal.data, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "journal directory \"%V\" cannot be used; create "
                           "it, writable for the workers' user",
                           &emcf->journal);
        return NGX_CONF_ERROR;
    }

    if (!ngx_is_dir(&fi)) {
        return "is not a directory";
    }

    return NGX_CONF_OK;
}


/*
 * The key of identifier hashes, by which a patient's own studies are found and
 * the journal names whom a search asked for.  Read once, by the master.
 */

static char *
ngx_http_emage_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_emage_main_conf_t *emcf = conf;

    ssize_t           n;
    ngx_fd_t          fd;
    ngx_str_t        *value, name;
    ngx_file_info_t   fi;
    u_char            key[EMAGE_IDENTIFIER_KEY + 1];

    if (emcf->key_set) {
        return "is duplicate";
    }

    value = cf->args->elts;
    name = value[1];

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE || ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "key \"%V\" cannot be read; name the file that "
                           "\"emage-consent init\" made", &name);

        if (fd != NGX_INVALID_FILE) {
            (void) ngx_close_file(fd);
        }

        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, key, sizeof(key));

    (void) ngx_close_file(fd);

    if (!ngx_is_file(&fi) || n != EMAGE_IDENTIFIER_KEY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key \"%V\" is not %d bytes; name the file that "
                           "\"emage-consent init\" made", &name,
                           EMAGE_IDENTIFIER_KEY);
        return NGX_CONF_ERROR;
    }

    if (fi.st_mode & (S_IRGRP|S_IWGRP|S_IROTH|S_IWOTH)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key \"%V\" can be read by others; chmod 0600",
                           &name);
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(emcf->key, key, EMAGE_IDENTIFIER_KEY);
    ngx_explicit_memzero(key, sizeof(key));

    emcf->key_set = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_emage_init_process(ngx_cycle_t *cycle)
{
    ngx_http_emage_worker_t     *worker;
    ngx_http_emage_main_conf_t  *emcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    emcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_emage_module);

    if (emcf == NULL || !emcf->used) {
        return NGX_OK;
    }

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_http_emage_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    worker->conf = emcf;
    worker->cycle = cycle;
    worker->lease = emcf->lease;

    ngx_queue_init(&worker->transfers);
    ngx_http_emage_drain_init(worker);
    emage_buf_init(&worker->buf, EMAGE_JOURNAL_LINE_MAX);

    worker->scratch = emage_scratch_create(emcf->policy);
    if (worker->scratch == NULL) {
        return NGX_ERROR;
    }

    ngx_http_emage_worker = worker;

    if (ngx_http_emage_session_init(cycle) != NGX_OK
        || ngx_http_emage_facts_init(cycle) != NGX_OK
        || ngx_http_emage_access_init(cycle) != NGX_OK
        || ngx_http_emage_store_init(cycle) != NGX_OK
        || ngx_http_emage_rows_init(cycle) != NGX_OK
        || ngx_http_emage_cache_init(cycle, emcf->body_cache) != NGX_OK)
    {
        return NGX_ERROR;
    }

    worker->journal = ngx_emage_journal_create(cycle, &emcf->journal,
                                               &emcf->node, emcf->pool);
    if (worker->journal == NULL) {
        return NGX_ERROR;
    }

    worker->redis = ngx_emage_redis_create(cycle, &emcf->redis,
                                           NGX_EMAGE_FUNCTIONS_VERSION);
    if (worker->redis == NULL) {
        return NGX_ERROR;
    }

    ngx_emage_lease_on_change(emcf->lease, ngx_http_emage_watch, worker);

    return ngx_emage_lease_start(emcf->lease, cycle, worker->redis);
}


static void
ngx_http_emage_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_emage_worker_t  *worker;

    worker = ngx_http_emage_worker;

    if (worker == NULL) {
        return;
    }

    ngx_http_emage_access_exit();

    ngx_emage_journal_destroy(worker->journal);
    ngx_emage_redis_destroy(worker->redis);

    emage_scratch_free(worker->scratch);
    emage_buf_free(&worker->buf);
}
