
/*
 * Copyright (C) The e-mage authors
 *
 * Guarded locations: the "emage" directive, and the proof at configuration
 * time that no other location leads to the store.
 */


#include "ngx_http_emage.h"


typedef struct {
    ngx_str_t   name;
    ngx_str_t   root;
    unsigned    partial:1;           /* up to the first variable */
} ngx_http_emage_location_t;


static ngx_int_t ngx_http_emage_check_root(ngx_conf_t *cf,
    ngx_http_emage_location_t *loc, ngx_str_t *store);
static u_char *ngx_http_emage_real_path(ngx_conf_t *cf, ngx_str_t *path);
static char *ngx_http_emage_gunzip(ngx_conf_t *cf);


ngx_int_t
ngx_http_emage_init_locations(ngx_conf_t *cf,
    ngx_http_emage_main_conf_t *emcf)
{
    if (ngx_array_init(&emcf->locations, cf->pool, 16,
                       sizeof(ngx_http_emage_location_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_array_init(&emcf->stores, cf->pool, 2, sizeof(ngx_str_t));
}


void *
ngx_http_emage_create_loc_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->store = { 0, NULL };
     *     conf->prefix = { 0, NULL };
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_http_emage_loc_conf_t));
}


/*
 * Called for every location, it is also the place where each one's root is
 * noted: none but a guarded location may lead to the store.
 */

char *
ngx_http_emage_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_emage_loc_conf_t *prev = parent;
    ngx_http_emage_loc_conf_t *conf = child;

    u_char                      *p;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_emage_location_t   *loc;
    ngx_http_emage_main_conf_t  *emcf;

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_emage_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" blocks are guarded as what they stand in */

    if (clcf->noname && conf->store.len == 0 && prev->store.len != 0) {
        *conf = *prev;
        clcf->handler = ngx_http_emage_handler;
    }

    if (conf->store.len != 0) {

        if (clcf->handler != ngx_http_emage_handler) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "another directive took over location \"%V\" "
                               "from \"emage\"; keep \"emage\" alone in it",
                               &clcf->name);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (clcf->root.data == NULL) {
        return NGX_CONF_OK;
    }

    loc = ngx_array_push(&emcf->locations);
    if (loc == NULL) {
        return NGX_CONF_ERROR;
    }

    loc->name = clcf->name;
    loc->root = clcf->root;
    loc->partial = 0;

    if (loc->root.len == 0) {

        /* nginx has taken the slash from "root /" */

        ngx_str_set(&loc->root, "/");
    }

    p = ngx_strlchr(loc->root.data, loc->root.data + loc->root.len, '$');

    if (p != NULL) {
        loc->root.len = p - loc->root.data;
        loc->partial = 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_emage(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_emage_loc_conf_t *elcf = conf;

    u_char                      *real;
    ngx_str_t                   *value, *store, path;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_emage_main_conf_t  *emcf;

    if (elcf->store.len != 0) {
        return "is duplicate";
    }

    emcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_emage_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname || clcf->named
#if (NGX_PCRE)
        || clcf->regex
#endif
        || clcf->exact_match
        || clcf->name.len == 0 || clcf->name.data[clcf->name.len - 1] != '/')
    {
        return "belongs in a prefix location that ends with a slash, "
               "such as \"location /dicom-web/\"";
    }

    value = cf->args->elts;
    path = value[1];

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    real = ngx_http_emage_real_path(cf, &path);

    if (real == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "store \"%V\" cannot be used; create it with "
                           "\"emage-store ingest\"", &path);
        return NGX_CONF_ERROR;
    }

    elcf->store.data = real;
    elcf->store.len = ngx_strlen(real);

    if (elcf->store.len == 1) {
        return "cannot have \"/\" as its store";
    }

    store = ngx_array_push(&emcf->stores);
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    *store = elcf->store;

    elcf->prefix = clcf->name;
    clcf->handler = ngx_http_emage_handler;
    emcf->used = 1;

    return ngx_http_emage_gunzip(cf);
}


/*
 * Metadata lies deflated in the store; for clients without gzip nginx's own
 * filter inflates it, so the location needs that filter, switched on.
 */

static char *
ngx_http_emage_gunzip(ngx_conf_t *cf)
{
    char           *rv;
    ngx_str_t      *value;
    ngx_uint_t      i;
    ngx_array_t     args, *saved;
    ngx_module_t   *module;
    ngx_command_t  *cmd;

    static const char  name[] = "ngx_http_gunzip_filter_module";

    module = NULL;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, name) == 0) {
            module = cf->cycle->modules[i];
            break;
        }
    }

    if (module == NULL) {
        return "needs an nginx built --with-http_gunzip_module";
    }

    for (cmd = module->commands; cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, "gunzip") == 0) {
            break;
        }
    }

    if (cmd->name.len == 0
        || ngx_array_init(&args, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = ngx_array_push_n(&args, 2);
    if (value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&value[0], "gunzip");
    ngx_str_set(&value[1], "on");

    saved = cf->args;
    cf->args = &args;

    rv = cmd->set(cf, cmd,
                  ((ngx_http_conf_ctx_t *) cf->ctx)
                      ->loc_conf[module->ctx_index]);

    cf->args = saved;

    if (rv != NGX_CONF_OK) {
        return "switches \"gunzip\" on by itself; take yours out";
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_emage_check_locations(ngx_conf_t *cf,
    ngx_http_emage_main_conf_t *emcf)
{
    ngx_str_t                  *store;
    ngx_uint_t                  i, k;
    ngx_http_emage_location_t  *loc;

    store = emcf->stores.elts;
    loc = emcf->locations.elts;

    for (i = 0; i < emcf->locations.nelts; i++) {
        for (k = 0; k < emcf->stores.nelts; k++) {
            if (ngx_http_emage_check_root(cf, &loc[i], &store[k]) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/*
 * A root covers the store when either path is the beginning of the other.  Of
 * a root with variables only what stands before them is known: it is refused
 * when the rest could lead into the store.
 */

static ngx_int_t
ngx_http_emage_check_root(ngx_conf_t *cf, ngx_http_emage_location_t *loc,
    ngx_str_t *store)
{
    size_t      n, len;
    u_char     *real;
    ngx_str_t   root;
    ngx_uint_t  covers;

    root = loc->root;

    if (!loc->partial) {
        real = ngx_http_emage_real_path(cf, &root);
        if (real != NULL) {
            root.data = real;
            root.len = ngx_strlen(real);
        }
    }

    len = root.len;

    while (len > 0 && !loc->partial && root.data[len - 1] == '/') {
        len--;
    }

    n = ngx_min(len, store->len);

    covers = ngx_memcmp(root.data, store->data, n) == 0
             && (loc->partial
                 || len == store->len
                 || (len < store->len && store->data[len] == '/')
                 || (len > store->len && root.data[store->len] == '/'));

    if (!covers) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "location \"%V\" has root or alias \"%V\"%s, which covers "
                  "the store \"%V\" without its guard; move one of them",
                  &loc->name, &loc->root, loc->partial ? "$..." : "", store);

    return NGX_ERROR;
}


/* In cf->pool, terminated; NULL when there is no such path. */

static u_char *
ngx_http_emage_real_path(ngx_conf_t *cf, ngx_str_t *path)
{
    char    *real;
    u_char  *name, *copy;
    size_t   len;

    name = ngx_pnalloc(cf->pool, path->len + 1);
    if (name == NULL) {
        return NULL;
    }

    (void) ngx_cpystrn(name, path->data, path->len + 1);

    real = realpath((char *) name, NULL);
    if (real == NULL) {
        return NULL;
    }

    len = ngx_strlen(real);

    copy = ngx_pnalloc(cf->pool, len + 1);
    if (copy != NULL) {
        ngx_memcpy(copy, real, len + 1);
    }

    free(real);

    return copy;
}
