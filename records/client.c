
/*
 * Copyright (C) The e-mage authors
 *
 * The blocking link to Redis: connecting, one command at a time, and what its
 * errors mean.
 */


#include "records_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <emage/functions.h>


typedef struct {
    const char  *prefix;
    const char  *meaning;
} emage_reply_error_t;


/*
 * Error replies of a server that cannot serve now.  Redis refuses the command
 * as a whole, so that nothing has changed.
 */

static const emage_reply_error_t  emage_reply_errors[] = {
    { "LOADING",    "it is still loading its data" },
    { "READONLY",   "it is a replica: name the primary" },
    { "MASTERDOWN", "it has lost its primary" },
    { "MISCONF",    "it cannot save to its disk: see its log" },
    { "NOREPLICAS", "it has too few replicas" },
    { "OOM",        "it is out of memory: raise maxmemory" },
    { "BUSY",       "it is busy with a script" },
    { "CLUSTERDOWN", "its cluster is down" },
    { "NOAUTH",     "it wants a password: give it in the address" },
    { "WRONGPASS",  "the password is wrong" },
    { NULL, NULL }
};


static emage_rc_t emage_client_open(emage_records_t *rec,
    emage_error_t *err);
static bool emage_client_scheme(const char *url, const char *scheme);
static emage_rc_t emage_client_tcp(emage_records_t *rec, const char *url,
    struct timeval tv, emage_error_t *err);
static emage_rc_t emage_client_setup(emage_records_t *rec,
    const char *password, const char *db, emage_error_t *err);
static emage_rc_t emage_client_failed(emage_records_t *rec,
    emage_error_t *err);
static emage_rc_t emage_client_refused(emage_records_t *rec,
    const redisReply *reply, emage_error_t *err);
static emage_rc_t emage_client_exec(emage_records_t *rec, size_t argc,
    const emage_str_t *argv, redisReply **reply, emage_error_t *err);
static void emage_info_value(emage_str_t info, const char *name, char *dst,
    size_t size);


void
emage_records_disconnect(emage_records_t *rec)
{
    if (rec->redis != NULL) {
        redisFree(rec->redis);
        rec->redis = NULL;
    }
}


emage_rc_t
emage_records_connect(emage_records_t *rec, emage_error_t *err)
{
    int64_t     version;
    emage_rc_t  rc;

    if (rec->redis != NULL) {
        return EMAGE_OK;
    }

    rc = emage_client_open(rec, err);

    if (rc == EMAGE_OK && !rec->unchecked) {
        rc = emage_records_version(rec, &version, err);
    }

    if (rc != EMAGE_OK) {
        emage_records_disconnect(rec);
    }

    return rc;
}


static emage_rc_t
emage_client_open(emage_records_t *rec, emage_error_t *err)
{
    struct timeval  tv;

    tv.tv_sec = rec->timeout_ms / 1000;
    tv.tv_usec = rec->timeout_ms % 1000 * 1000;

    if (emage_client_scheme(rec->url, "unix:")) {
        rec->redis = redisConnectUnixWithTimeout(rec->url + 5, tv);

        if (rec->redis == NULL || rec->redis->err != 0
            || redisSetTimeout(rec->redis, tv) != REDIS_OK)
        {
            return emage_client_failed(rec, err);
        }

        return EMAGE_OK;
    }

    return emage_client_tcp(rec, rec->url, tv, err);
}


static bool
emage_client_scheme(const char *url, const char *scheme)
{
    size_t  len;

    len = strlen(scheme);

    return strlen(url) > len && memcmp(url, scheme, len) == 0;
}


/* redis://[:password@]host[:port][/db] */

static emage_rc_t
emage_client_tcp(emage_records_t *rec, const char *url, struct timeval tv,
    emage_error_t *err)
{
    long         port;
    char        *copy, *host, *p, *password, *db, *end;
    emage_rc_t   rc;

    if (!emage_client_scheme(url, "redis://")) {
        emage_error_set(err, "redis address: write unix:/path or "
                        "redis://host:port");
        return EMAGE_ERROR;
    }

    copy = strdup(url + 8);
    if (copy == NULL) {
        emage_error_set(err, "out of memory");
        return EMAGE_NOMEM;
    }

    host = copy;
    password = NULL;

    p = strrchr(copy, '@');
    if (p != NULL) {
        *p = '\0';
        host = p + 1;
        password = (*copy == ':') ? copy + 1 : copy;
    }

    db = strchr(host, '/');
    if (db != NULL) {
        *db++ = '\0';
    }

    port = 6379;

    p = strrchr(host, ':');
    if (p != NULL) {
        *p = '\0';
        port = strtol(p + 1, &end, 10);

        if (*end != '\0' || port < 1 || port > 65535) {
            emage_error_set(err, "redis address: bad port \"%s\"", p + 1);
            free(copy);
            return EMAGE_ERROR;
        }
    }

    rec->redis = redisConnectWithTimeout(host, (int) port, tv);

    if (rec->redis == NULL || rec->redis->err != 0
        || redisSetTimeout(rec->redis, tv) != REDIS_OK)
    {
        rc = emage_client_failed(rec, err);

    } else {
        rc = emage_client_setup(rec, password, db, err);
    }

    free(copy);

    return rc;
}


static emage_rc_t
emage_client_setup(emage_records_t *rec, const char *password,
    const char *db, emage_error_t *err)
{
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[2];

    if (password != NULL) {
        argv[0] = emage_str("AUTH");
        argv[1] = emage_str_c(password);

        rc = emage_client_exec(rec, 2, argv, &reply, err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        freeReplyObject(reply);
    }

    if (db != NULL && *db != '\0') {
        argv[0] = emage_str("SELECT");
        argv[1] = emage_str_c(db);

        rc = emage_client_exec(rec, 2, argv, &reply, err);
        if (rc != EMAGE_OK) {
            return rc;
        }

        freeReplyObject(reply);
    }

    return EMAGE_OK;
}


/* Names why the link failed, and drops it: a pipeline has no other answer. */

static emage_rc_t
emage_client_failed(emage_records_t *rec, emage_error_t *err)
{
    int          code;
    const char  *why, *where;

    code = errno;

    /* an address may hold a password: show what follows it */

    where = strrchr(rec->url, '@');
    where = (where == NULL) ? rec->url : where + 1;

    if (rec->redis == NULL) {
        why = "out of memory";

    } else if (rec->redis->err == REDIS_ERR_EOF) {
        why = "the connection was lost";

    } else if (rec->redis->err == REDIS_ERR_IO
               && (code == EAGAIN || code == EWOULDBLOCK))
    {
        why = "no answer in time";

    } else {
        why = rec->redis->errstr;
    }

    emage_error_set(err, "redis %s: %s", where, why);
    emage_records_disconnect(rec);

    return EMAGE_UNAVAILABLE;
}


static emage_rc_t
emage_client_refused(emage_records_t *rec, const redisReply *reply,
    emage_error_t *err)
{
    size_t                      len;
    const char                 *where;
    const emage_reply_error_t  *e;

    where = strrchr(rec->url, '@');
    where = (where == NULL) ? rec->url : where + 1;

    for (e = emage_reply_errors; e->prefix != NULL; e++) {
        len = strlen(e->prefix);

        if (reply->len > len && memcmp(reply->str, e->prefix, len) == 0
            && reply->str[len] == ' ')
        {
            emage_error_set(err, "redis %s: %s", where, e->meaning);
            return EMAGE_UNAVAILABLE;
        }
    }

    if (strstr(reply->str, "Function not found") != NULL) {
        emage_error_set(err, "redis %s: the functions are not loaded: run "
                        "\"emage-consent init\"", where);
        return EMAGE_ERROR;
    }

    emage_error_set(err, "redis %s: %.*s", where,
                    (int) strcspn(reply->str, "\r\n"), reply->str);

    return EMAGE_ERROR;
}


static emage_rc_t
emage_client_exec(emage_records_t *rec, size_t argc, const emage_str_t *argv,
    redisReply **reply, emage_error_t *err)
{
    size_t       i, len[64];
    const char  *args[64];
    emage_rc_t   rc;

    *reply = NULL;
    rec->sent = false;

    if (argc > 64) {
        emage_error_set(err, "redis: too many arguments");
        return EMAGE_ERROR;
    }

    for (i = 0; i < argc; i++) {
        args[i] = (argv[i].data == NULL) ? "" : argv[i].data;
        len[i] = argv[i].len;
    }

    rec->sent = true;
    errno = 0;

    *reply = redisCommandArgv(rec->redis, (int) argc, args, len);

    if (*reply == NULL) {
        return emage_client_failed(rec, err);
    }

    if ((*reply)->type == REDIS_REPLY_ERROR) {
        rec->sent = false;
        rc = emage_client_refused(rec, *reply, err);

        freeReplyObject(*reply);
        *reply = NULL;

        return rc;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_records_call(emage_records_t *rec, size_t argc, const emage_str_t *argv,
    redisReply **reply, emage_error_t *err)
{
    emage_rc_t  rc;

    *reply = NULL;

    rc = emage_records_connect(rec, err);

    if (rc != EMAGE_OK) {
        rec->sent = false;
        return rc;
    }

    return emage_client_exec(rec, argc, argv, reply, err);
}


emage_rc_t
emage_records_version(emage_records_t *rec, int64_t *version,
    emage_error_t *err)
{
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[3];

    argv[0] = emage_str("FCALL_RO");
    argv[1] = emage_str("emage_version");
    argv[2] = emage_str("0");

    *version = 0;

    rc = emage_client_exec(rec, 3, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!emage_reply_int(reply, version)) {
        *version = 0;
    }

    freeReplyObject(reply);

    if (*version != EMAGE_FUNCTIONS_VERSION) {
        emage_error_set(err, "redis: functions of version %lld are loaded, "
                        "this program needs %d: %s", (long long) *version,
                        EMAGE_FUNCTIONS_VERSION,
                        (*version < EMAGE_FUNCTIONS_VERSION)
                        ? "run \"emage-consent init\""
                        : "install the newer e-mage here too");
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


emage_rc_t
emage_records_get(emage_records_t *rec, emage_str_t key, redisReply **reply,
    emage_error_t *err)
{
    emage_rc_t   rc;
    emage_str_t  argv[2];

    argv[0] = emage_str("GET");
    argv[1] = key;

    rc = emage_records_call(rec, 2, argv, reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if ((*reply)->type == REDIS_REPLY_NIL) {
        freeReplyObject(*reply);
        *reply = NULL;
        return EMAGE_NOTFOUND;
    }

    if ((*reply)->type != REDIS_REPLY_STRING) {
        freeReplyObject(*reply);
        *reply = NULL;
        emage_error_set(err, "redis: unexpected answer to GET %.*s",
                        (int) key.len, key.data);
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


emage_str_t
emage_reply_str(const redisReply *reply)
{
    emage_str_t  s;

    if (reply->type != REDIS_REPLY_STRING
        && reply->type != REDIS_REPLY_STATUS)
    {
        return emage_null_str;
    }

    s.data = reply->str;
    s.len = (size_t) reply->len;

    return s;
}


bool
emage_reply_int(const redisReply *reply, int64_t *n)
{
    char       *end;
    long long   value;

    if (reply->type == REDIS_REPLY_INTEGER) {
        *n = reply->integer;
        return true;
    }

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0
        || reply->len > 16 || reply->str[0] < '0' || reply->str[0] > '9')
    {
        return false;
    }

    value = strtoll(reply->str, &end, 10);

    if (*end != '\0') {
        return false;
    }

    *n = value;

    return true;
}


static void
emage_info_value(emage_str_t info, const char *name, char *dst, size_t size)
{
    size_t       i, n, len;
    const char  *p;

    dst[0] = '\0';
    len = strlen(name);

    for (i = 0; i + len < info.len; i++) {

        if ((i > 0 && info.data[i - 1] != '\n')
            || memcmp(info.data + i, name, len) != 0)
        {
            continue;
        }

        p = info.data + i + len;

        for (n = 0; i + len + n < info.len && p[n] > ' '; n++) { /* void */ }

        if (n < size) {
            memcpy(dst, p, n);
            dst[n] = '\0';
        }

        return;
    }
}


emage_rc_t
emage_records_server(emage_records_t *rec, emage_server_t *server,
    emage_error_t *err)
{
    size_t        i;
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[4], s;
    char         *dst[2];

    memset(server, 0, sizeof(emage_server_t));

    argv[0] = emage_str("INFO");
    argv[1] = emage_str("server");

    rc = emage_records_call(rec, 2, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    emage_info_value(emage_reply_str(reply), "run_id:", server->run_id,
                     sizeof(server->run_id));
    freeReplyObject(reply);

    argv[0] = emage_str("MGET");
    argv[1] = emage_str(EMAGE_KEY_RECONCILED);
    argv[2] = emage_str(EMAGE_KEY_EPOCH);
    argv[3] = emage_str(EMAGE_KEY_SEQ);

    rc = emage_records_call(rec, 4, argv, &reply, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3
        || server->run_id[0] == '\0')
    {
        freeReplyObject(reply);
        emage_error_set(err, "redis: unexpected answer about its state");
        return EMAGE_ERROR;
    }

    dst[0] = server->reconciled;
    dst[1] = server->epoch;

    for (i = 0; i < 2; i++) {
        s = emage_reply_str(reply->element[i]);

        if (s.len > 0 && s.len < sizeof(server->epoch)) {
            memcpy(dst[i], s.data, s.len);
        }
    }

    if (!emage_reply_int(reply->element[2], &server->seq)) {
        server->seq = 0;
    }

    freeReplyObject(reply);

    return EMAGE_OK;
}


bool
emage_server_reconciled(const emage_server_t *server)
{
    return server->epoch[0] != '\0'
           && emage_str_eq(emage_str_c(server->run_id),
                           emage_str_c(server->reconciled));
}
