
/*
 * Copyright (C) The e-mage authors
 *
 * Opening: where Redis, journal, store and key are on this installation.
 */


#include "records_core.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>


#define EMAGE_DEFAULT_REDIS    "unix:/run/redis/emage.sock"
#define EMAGE_DEFAULT_JOURNAL  "/var/log/emage"
#define EMAGE_DEFAULT_STORE    "/srv/emage"
#define EMAGE_DEFAULT_KEY      "/etc/emage/identifiers.key"
#define EMAGE_DEFAULT_REGION   "e-mage"


static emage_rc_t emage_config_fill(emage_records_t *rec,
    const emage_records_conf_t *conf, emage_error_t *err);
static emage_rc_t emage_config_announced(emage_records_t *rec,
    emage_error_t *err);
static emage_rc_t emage_config_defaults(emage_records_t *rec,
    emage_error_t *err);
static bool emage_config_set(char **dst, const char *value, const char *env);
static bool emage_config_actor(emage_records_t *rec, const char *actor);
static emage_rc_t emage_records_create(const emage_records_conf_t *conf,
    bool unchecked, emage_records_t **out, emage_error_t *err);


emage_rc_t
emage_records_open(const emage_records_conf_t *conf, emage_records_t **out,
    emage_error_t *err)
{
    return emage_records_create(conf, false, out, err);
}


emage_rc_t
emage_records_open_unchecked(const emage_records_conf_t *conf,
    emage_records_t **out, emage_error_t *err)
{
    return emage_records_create(conf, true, out, err);
}


static emage_rc_t
emage_records_create(const emage_records_conf_t *conf, bool unchecked,
    emage_records_t **out, emage_error_t *err)
{
    emage_rc_t        rc;
    emage_records_t  *rec;
    struct sigaction  sa;

    *out = NULL;

    rec = calloc(1, sizeof(emage_records_t));
    if (rec == NULL) {
        emage_error_set(err, "out of memory");
        return EMAGE_NOMEM;
    }

    rec->unchecked = unchecked;

    /*
     * A server that goes away while being written to must be an error, not
     * the end of the process; a handler of the program's own stays.
     */

    if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL) {
        (void) signal(SIGPIPE, SIG_IGN);
    }

    rc = emage_config_fill(rec, conf, err);

    if (rc == EMAGE_OK) {
        rc = emage_records_connect(rec, err);

        if (rc == EMAGE_UNAVAILABLE && unchecked) {

            /* the daemon waits for a server that is away */

            rc = EMAGE_OK;
        }
    }

    if (rc == EMAGE_OK && !unchecked) {
        rc = emage_records_locate(rec, err);
    }

    if (rc != EMAGE_OK) {
        emage_records_close(rec);
        return rc;
    }

    *out = rec;

    return EMAGE_OK;
}


/* What neither caller nor environment said: from Redis, then the defaults. */

emage_rc_t
emage_records_locate(emage_records_t *rec, emage_error_t *err)
{
    emage_rc_t  rc;

    if (rec->located) {
        return EMAGE_OK;
    }

    rc = emage_config_announced(rec, err);

    if (rc == EMAGE_OK) {
        rc = emage_config_defaults(rec, err);
    }

    rec->located = (rc == EMAGE_OK);

    return rc;
}


/* False only without memory: the first of value and environment that is set. */

static bool
emage_config_set(char **dst, const char *value, const char *env)
{
    if (*dst != NULL) {
        return true;
    }

    if (value == NULL || *value == '\0') {
        value = (env == NULL) ? NULL : getenv(env);
    }

    if (value == NULL || *value == '\0') {
        return true;
    }

    *dst = strdup(value);

    return *dst != NULL;
}


static emage_rc_t
emage_config_fill(emage_records_t *rec, const emage_records_conf_t *conf,
    emage_error_t *err)
{
    rec->timeout_ms = (conf->timeout_ms == 0) ? EMAGE_RECORDS_TIMEOUT
                                              : conf->timeout_ms;

    if (gethostname(rec->node, sizeof(rec->node) - 1) != 0
        || rec->node[0] == '\0')
    {
        memcpy(rec->node, "node", sizeof("node"));
    }

    rec->node[sizeof(rec->node) - 1] = '\0';

    if (!emage_config_set(&rec->url, conf->redis, "EMAGE_REDIS")
        || !emage_config_set(&rec->url, EMAGE_DEFAULT_REDIS, NULL)
        || !emage_config_set(&rec->journal, conf->journal, "EMAGE_JOURNAL")
        || !emage_config_set(&rec->store, conf->store, "EMAGE_STORE")
        || !emage_config_set(&rec->key_file, conf->key, "EMAGE_KEY")
        || !emage_config_set(&rec->region, conf->region, "EMAGE_REGION")
        || !emage_config_set(&rec->process, conf->process, NULL)
        || !emage_config_set(&rec->process, "tool", NULL)
        || !emage_config_actor(rec, conf->actor))
    {
        emage_error_set(err, "out of memory");
        return EMAGE_NOMEM;
    }

    return EMAGE_OK;
}


static bool
emage_config_actor(emage_records_t *rec, const char *actor)
{
    int             n;
    struct passwd  *pw;

    if (actor != NULL && *actor != '\0') {
        rec->actor = strdup(actor);
        return rec->actor != NULL;
    }

    pw = getpwuid(getuid());

    n = (pw != NULL) ? asprintf(&rec->actor, "os:%s", pw->pw_name)
                     : asprintf(&rec->actor, "os:%u", (unsigned) getuid());

    if (n < 0) {
        rec->actor = NULL;
        return false;
    }

    return true;
}


/* What "emage-consent init" wrote down in Redis. */

static emage_rc_t
emage_config_announced(emage_records_t *rec, emage_error_t *err)
{
    size_t        i;
    char        **dst;
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[2], name, value;

    argv[0] = emage_str("HGETALL");
    argv[1] = emage_str(EMAGE_KEY_CONFIG);

    rc = emage_records_call(rec, 2, argv, &reply, err);

    if (rc != EMAGE_OK) {
        return rc;
    }

    for (i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements;
         i += 2)
    {
        name = emage_reply_str(reply->element[i]);
        value = emage_reply_str(reply->element[i + 1]);

        if (emage_str_eq(name, emage_str("journal"))) {
            dst = &rec->journal;

        } else if (emage_str_eq(name, emage_str("store"))) {
            dst = &rec->store;

        } else if (emage_str_eq(name, emage_str("key"))) {
            dst = &rec->key_file;

        } else if (emage_str_eq(name, emage_str("region"))) {
            dst = &rec->region;

        } else {
            continue;
        }

        if (value.len > 0 && !emage_config_set(dst, value.data, NULL)) {
            freeReplyObject(reply);
            emage_error_set(err, "out of memory");
            return EMAGE_NOMEM;
        }
    }

    freeReplyObject(reply);

    return EMAGE_OK;
}


static emage_rc_t
emage_config_defaults(emage_records_t *rec, emage_error_t *err)
{
    if (!emage_config_set(&rec->journal, EMAGE_DEFAULT_JOURNAL, NULL)
        || !emage_config_set(&rec->store, EMAGE_DEFAULT_STORE, NULL)
        || !emage_config_set(&rec->key_file, EMAGE_DEFAULT_KEY, NULL)
        || !emage_config_set(&rec->region, EMAGE_DEFAULT_REGION, NULL))
    {
        emage_error_set(err, "out of memory");
        return EMAGE_NOMEM;
    }

    return EMAGE_OK;
}


void
emage_records_close(emage_records_t *rec)
{
    if (rec == NULL) {
        return;
    }

    (void) emage_ledger_close(rec, NULL);

    emage_records_disconnect(rec);

    free(rec->url);
    free(rec->journal);
    free(rec->store);
    free(rec->key_file);
    free(rec->region);
    free(rec->process);
    free(rec->actor);

    memset(rec->key, 0, sizeof(rec->key));
    free(rec);
}


const char *
emage_records_journal(const emage_records_t *rec)
{
    return rec->journal;
}


const char *
emage_records_store(const emage_records_t *rec)
{
    return rec->store;
}


const char *
emage_records_region(const emage_records_t *rec)
{
    return rec->region;
}


emage_rc_t
emage_records_load_key(emage_records_t *rec, emage_error_t *err)
{
    int          fd;
    char         extra;
    ssize_t      n;
    struct stat  st;

    if (rec->have_key) {
        return EMAGE_OK;
    }

    fd = open(rec->key_file, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        emage_error_set(err, "key %s: %s: run \"emage-consent init\"",
                        rec->key_file, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    if (fstat(fd, &st) == 0 && (st.st_mode & (S_IRWXO|S_IWGRP)) != 0) {
        (void) close(fd);
        emage_error_set(err, "key %s: others may read it: chmod 0600",
                        rec->key_file);
        return EMAGE_ERROR;
    }

    n = read(fd, rec->key, sizeof(rec->key));

    if (n == (ssize_t) sizeof(rec->key) && read(fd, &extra, 1) == 0) {
        rec->have_key = true;
    }

    (void) close(fd);

    if (!rec->have_key) {
        emage_error_set(err, "key %s: is not 32 bytes", rec->key_file);
        return EMAGE_ERROR;
    }

    return EMAGE_OK;
}


int64_t
emage_records_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


int64_t
emage_records_boottime_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_BOOTTIME, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


bool
emage_records_random_id(char *id)
{
    unsigned char  bytes[EMAGE_RECORDS_ID_LEN / 2];

    if (!emage_random(bytes, sizeof(bytes))) {
        return false;
    }

    emage_hex(id, bytes, sizeof(bytes));
    id[EMAGE_RECORDS_ID_LEN] = '\0';

    return true;
}


emage_str_t
emage_records_key(char *dst, const char *prefix, emage_str_t name)
{
    size_t       len;
    emage_str_t  key;

    len = strlen(prefix);

    if (len + name.len > EMAGE_RECORDS_KEY_MAX) {
        return emage_null_str;
    }

    memcpy(dst, prefix, len);
    memcpy(dst + len, name.data, name.len);

    key.data = dst;
    key.len = len + name.len;

    return key;
}
