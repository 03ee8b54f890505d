
/*
 * Copyright (C) The e-mage authors
 *
 * The emage_issuer block: whose tokens are taken, and what they mean.
 */


#include "ngx_http_emage.h"

#include <openssl/evp.h>


/* A parameter that is a plain string of emage_issuer_t. */

typedef struct {
    ngx_str_t   name;
    ngx_uint_t  offset;
} ngx_http_emage_issuer_param_t;


typedef struct {
    emage_issuer_t  *issuer;
    ngx_str_t        jwks;               /* file */
    ngx_str_t        keys;               /* its content */
} ngx_http_emage_issuer_ctx_t;


static char *ngx_http_emage_issuer_param(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_http_emage_issuer_algorithms(ngx_conf_t *cf,
    emage_issuer_t *issuer);
static char *ngx_http_emage_issuer_keys(ngx_conf_t *cf,
    ngx_http_emage_issuer_ctx_t *ictx);
static char *ngx_http_emage_issuer_done(ngx_conf_t *cf,
    ngx_http_emage_issuer_ctx_t *ictx);
static ngx_int_t ngx_http_emage_issuer_digest(ngx_http_emage_main_conf_t *emcf,
    ngx_http_emage_issuer_ctx_t *ictx);
static void ngx_http_emage_jwks_cleanup(void *data);


#define ngx_http_emage_param(name, member)                                   \
    { ngx_string(name), offsetof(emage_issuer_t, member) }

static ngx_http_emage_issuer_param_t  ngx_http_emage_issuer_params[] = {
    ngx_http_emage_param("issuer", issuer),
    ngx_http_emage_param("audience", audience),
    ngx_http_emage_param("claim_kind", claim_kind),
    ngx_http_emage_param("claim_id", claim_id),
    ngx_http_emage_param("claim_profession", claim_profession),
    ngx_http_emage_param("claim_organisation", claim_organisation),
    ngx_http_emage_param("claim_purpose", claim_purpose),
    ngx_http_emage_param("claim_teams", claim_teams),
    ngx_http_emage_param("subject_system", subject_system),
    ngx_http_emage_param("organisation_system", organisation_system),
    ngx_http_emage_param("team_system", team_system),
    ngx_http_emage_param("organisation", organisation),
    { ngx_null_string, 0 }
};


char *
ngx_http_emage_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_emage_main_conf_t *emcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_conf_t                    save;
    emage_issuer_t               *issuer;
    ngx_http_emage_issuer_ctx_t   ictx;

    value = cf->args->elts;
    issuer = emcf->issuers.elts;

    for (i = 0; i < emcf->issuers.nelts; i++) {
        if (emage_str_eq(issuer[i].name, ngx_http_emage_str(&value[1]))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "issuer \"%V\" is defined twice", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    issuer = ngx_array_push(&emcf->issuers);
    if (issuer == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(issuer, sizeof(emage_issuer_t));
    ngx_memzero(&ictx, sizeof(ngx_http_emage_issuer_ctx_t));

    issuer->name = ngx_http_emage_str(&value[1]);
    issuer->claim_id = emage_str("sub");
    issuer->skew = 30;

    ictx.issuer = issuer;

    save = *cf;
    cf->handler = ngx_http_emage_issuer_param;
    cf->handler_conf = (char *) &ictx;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_emage_issuer_done(cf, &ictx);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    /* the same iss in two blocks would make the rules a matter of order */

    issuer = emcf->issuers.elts;

    for (i = 0; i < emcf->issuers.nelts - 1; i++) {
        if (emage_str_eq(issuer[i].issuer, ictx.issuer->issuer)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "issuers \"%*s\" and \"%*s\" have the same "
                               "\"issuer\"", issuer[i].name.len,
                               issuer[i].name.data, ictx.issuer->name.len,
                               ictx.issuer->name.data);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_emage_issuer_digest(emcf, &ictx) != NGX_OK) {
        return "cannot be digested: no memory";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_emage_issuer_param(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_emage_issuer_ctx_t  *ictx;

    ngx_int_t                       n;
    ngx_str_t                      *value;
    emage_str_t                    *member;
    emage_issuer_t                 *issuer;
    ngx_http_emage_issuer_param_t  *param;

    ictx = (ngx_http_emage_issuer_ctx_t *) cf->handler_conf;
    issuer = ictx->issuer;
    value = cf->args->elts;

    if (ngx_strcmp(value[0].data, "algorithms") == 0) {
        return ngx_http_emage_issuer_algorithms(cf, issuer);
    }

    if (cf->args->nelts != 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of an issuer takes one value", &value[0]);
        return NGX_CONF_ERROR;
    }

    for (param = ngx_http_emage_issuer_params; param->name.len; param++) {

        if (ngx_strcmp(param->name.data, value[0].data) != 0) {
            continue;
        }

        member = (emage_str_t *) ((char *) issuer + param->offset);
        *member = ngx_http_emage_str(&value[1]);

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[0].data, "jwks") == 0) {
        ictx->jwks = value[1];
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[0].data, "type") == 0) {
        issuer->typ = ngx_strcmp(value[1].data, "any") == 0
                      ? emage_null_str : ngx_http_emage_str(&value[1]);
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[0].data, "kind") == 0) {
        issuer->kind = emage_subject_kind_parse(ngx_http_emage_str(&value[1]));

        if (issuer->kind == EMAGE_SUBJECT_NONE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown subject kind \"%V\"; it is one of "
                               "professional, patient, representative, "
                               "support, officer, system", &value[1]);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[0].data, "skew") == 0
        || ngx_strcmp(value[0].data, "max_age") == 0)
    {
        n = ngx_parse_time(&value[1], 1);

        if (n == NGX_ERROR || (value[0].data[0] == 's' && n > 60)
            || n > 86400)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of an issuer is \"%V\"; \"skew\" is at "
                               "most 60s, \"max_age\" at most 1d", &value[0],
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        if (value[0].data[0] == 's') {
            issuer->skew = (unsigned) n;

        } else {
            issuer->max_age = (unsigned) n;
        }

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%V\" of an issuer", &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_emage_issuer_algorithms(ngx_conf_t *cf, emage_issuer_t *issuer)
{
    unsigned     alg;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;
    issuer->algs = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        alg = emage_alg_parse(ngx_http_emage_str(&value[i]));

        if (alg == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "algorithm \"%V\" is not allowed; RS256, PS256 "
                               "and ES256 are", &value[i]);
            return NGX_CONF_ERROR;
        }

        issuer->algs |= alg;
    }

    if (issuer->algs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"algorithms\" of an issuer names none");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_emage_issuer_done(ngx_conf_t *cf, ngx_http_emage_issuer_ctx_t *ictx)
{
    const char      *missing;
    emage_issuer_t  *issuer;

    issuer = ictx->issuer;

    missing = issuer->issuer.len == 0 ? "issuer"
              : issuer->audience.len == 0 ? "audience"
              : ictx->jwks.len == 0 ? "jwks"
              : (issuer->kind == EMAGE_SUBJECT_NONE
                 && issuer->claim_kind.len == 0) ? "kind\" or \"claim_kind"
              : issuer->claim_id.len == 0 ? "claim_id"
              : NULL;

    if (missing != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "issuer \"%*s\" has no \"%s\"", issuer->name.len,
                           issuer->name.data, missing);
        return NGX_CONF_ERROR;
    }

    if (issuer->algs == 0) {
        issuer->algs = EMAGE_ALG_RS256|EMAGE_ALG_PS256|EMAGE_ALG_ES256;
    }

    if (issuer->subject_system.len == 0) {
        issuer->subject_system = issuer->issuer;
    }

    if (issuer->organisation_system.len == 0) {
        issuer->organisation_system = issuer->issuer;
    }

    if (issuer->team_system.len == 0) {
        issuer->team_system = issuer->issuer;
    }

    return ngx_http_emage_issuer_keys(cf, ictx);
}


static char *
ngx_http_emage_issuer_keys(ngx_conf_t *cf, ngx_http_emage_issuer_ctx_t *ictx)
{
    size_t               size;
    ssize_t              n;
    ngx_str_t            path;
    ngx_file_t           file;
    emage_jwks_t        *jwks;
    emage_error_t        err;
    ngx_file_info_t      fi;
    ngx_pool_cleanup_t  *cln;

    path = ictx->jwks;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name = path;
    file.log = cf->log;

    file.fd = ngx_open_file(path.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "key set \"%V\" cannot be opened", &path);
        return NGX_CONF_ERROR;
    }

    n = NGX_ERROR;

    if (ngx_fd_info(file.fd, &fi) != NGX_FILE_ERROR
        && ngx_is_file(&fi) && ngx_file_size(&fi) <= EMAGE_JWKS_MAX)
    {
        size = (size_t) ngx_file_size(&fi);

        ictx->keys.data = ngx_pnalloc(cf->pool, size + 1);

        if (ictx->keys.data != NULL) {
            n = ngx_read_file(&file, ictx->keys.data, size, 0);
        }
    }

    (void) ngx_close_file(file.fd);

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key set \"%V\" cannot be read, or is over %d "
                           "bytes", &path, EMAGE_JWKS_MAX);
        return NGX_CONF_ERROR;
    }

    ictx->keys.len = n;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    err.text[0] = '\0';

    if (emage_jwks_load(ngx_http_emage_str(&ictx->keys), ictx->issuer->algs,
                        &jwks, &err)
        != EMAGE_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "key set \"%V\" refused: %s",
                           &path, err.text);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_emage_jwks_cleanup;
    cln->data = jwks;

    ictx->issuer->jwks = jwks;

    return NGX_CONF_OK;
}


static void
ngx_http_emage_jwks_cleanup(void *data)
{
    emage_jwks_free(data);
}


/*
 * Adds everything that gives a token its meaning to the digest under which
 * verified tokens are remembered, each value with its length before it.
 */

static ngx_int_t
ngx_http_emage_issuer_digest(ngx_http_emage_main_conf_t *emcf,
    ngx_http_emage_issuer_ctx_t *ictx)
{
    int                             ok;
    uint64_t                        n[5];
    emage_str_t                    *member;
    EVP_MD_CTX                     *md;
    emage_issuer_t                 *issuer;
    ngx_http_emage_issuer_param_t  *param;

    issuer = ictx->issuer;

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    n[0] = issuer->algs;
    n[1] = issuer->kind;
    n[2] = issuer->max_age;
    n[3] = issuer->skew;
    n[4] = ictx->keys.len;

    ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL)
         && EVP_DigestUpdate(md, emcf->issuers_digest, 32)
         && EVP_DigestUpdate(md, n, sizeof(n))
         && EVP_DigestUpdate(md, ictx->keys.data, ictx->keys.len)
         && EVP_DigestUpdate(md, &issuer->name.len, sizeof(size_t))
         && EVP_DigestUpdate(md, issuer->name.data, issuer->name.len)
         && EVP_DigestUpdate(md, &issuer->typ.len, sizeof(size_t))
         && EVP_DigestUpdate(md, issuer->typ.data, issuer->typ.len);

    for (param = ngx_http_emage_issuer_params; param->name.len && ok; param++) {
        member = (emage_str_t *) ((char *) issuer + param->offset);

        ok = EVP_DigestUpdate(md, &member->len, sizeof(size_t))
             && EVP_DigestUpdate(md, member->data, member->len);
    }

    ok = ok && EVP_DigestFinal_ex(md, emcf->issuers_digest, NULL);

    EVP_MD_CTX_free(md);

    return ok ? NGX_OK : NGX_ERROR;
}
