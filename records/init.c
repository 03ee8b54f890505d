
/*
 * Copyright (C) The e-mage authors
 *
 * First use: key, directories, functions, announcement, first epoch.
 */


#include "emage_reconcile.h"
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include <emage/functions.h>


static emage_rc_t emage_init_key(emage_records_t *rec, bool *done,
    emage_error_t *err);
static emage_rc_t emage_init_write_key(const char *path, emage_error_t *err);
static emage_rc_t emage_init_sync_dir(const char *path, emage_error_t *err);
static emage_rc_t emage_init_ledger(emage_records_t *rec, emage_error_t *err);
static emage_rc_t emage_init_epoch(emage_records_t *rec, bool *done,
    emage_error_t *err);
static bool emage_init_same(emage_records_t *rec);
static emage_rc_t emage_init_empty(emage_records_t *rec, bool *empty,
    emage_error_t *err);
static bool emage_init_dir_empty(const char *path);
static emage_rc_t emage_init_found(void *data, emage_str_t study);


emage_rc_t
emage_records_init(const emage_records_conf_t *conf, emage_buf_t *text,
    emage_error_t *err)
{
    bool              key, functions, epoch;
    emage_rc_t        rc;
    emage_records_t  *rec;

    rc = emage_records_open_unchecked(conf, &rec, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if ((rc = emage_records_connect(rec, err)) != EMAGE_OK
        || (rc = emage_records_locate(rec, err)) != EMAGE_OK
        || (rc = emage_init_key(rec, &key, err)) != EMAGE_OK
        || (rc = emage_init_ledger(rec, err)) != EMAGE_OK
        || (rc = emage_init_functions(rec, &functions, err)) != EMAGE_OK
        || (rc = emage_init_announce(rec, err)) != EMAGE_OK)
    {
        emage_records_close(rec);
        return rc;
    }

    (void) emage_buf_add_c(text, key ? "key: made " : "key: ");
    (void) emage_buf_add_c(text, rec->key_file);
    (void) emage_buf_add_c(text, functions ? "\nfunctions: loaded, version "
                                           : "\nfunctions: version ");
    (void) emage_buf_add_int(text, EMAGE_FUNCTIONS_VERSION);
    (void) emage_buf_add_c(text, "\njournal: ");
    (void) emage_buf_add_c(text, rec->journal);
    (void) emage_buf_add_c(text, "\nstore: ");
    (void) emage_buf_add_c(text, rec->store);
    (void) emage_buf_add_c(text, "\nregion: ");
    (void) emage_buf_add_c(text, rec->region);
    (void) emage_buf_add_c(text, "\n");

    rc = emage_init_epoch(rec, &epoch, err);

    if (rc == EMAGE_OK) {
        (void) emage_buf_add_c(text, epoch ? "epoch: first\n" : "epoch: set\n");
    }

    emage_records_close(rec);

    return rc;
}


static emage_rc_t
emage_init_key(emage_records_t *rec, bool *done, emage_error_t *err)
{
    emage_rc_t   rc;
    struct stat  st;

    *done = false;

    if (stat(rec->key_file, &st) == 0) {
        return emage_records_load_key(rec, err);
    }

    if (errno != ENOENT) {
        emage_error_set(err, "key %s: %s", rec->key_file, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_init_write_key(rec->key_file, err);

    if (rc == EMAGE_OK) {
        rc = emage_records_load_key(rec, err);
        *done = true;
    }

    return rc;
}


/* A temporary name first: half a key must never be taken for one. */

static emage_rc_t
emage_init_write_key(const char *path, emage_error_t *err)
{
    int            fd, failed;
    char           tmp[4096];
    unsigned char  key[32];

    if (snprintf(tmp, sizeof(tmp), "%s.%d.tmp", path, (int) getpid())
        >= (int) sizeof(tmp))
    {
        emage_error_set(err, "key: the path is too long");
        return EMAGE_ERROR;
    }

    if (!emage_random(key, sizeof(key))) {
        emage_error_set(err, "key: no random numbers");
        return EMAGE_UNAVAILABLE;
    }

    fd = open(tmp, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (fd == -1) {
        emage_error_set(err, "key %s: %s", tmp, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    failed = (write(fd, key, sizeof(key)) != (ssize_t) sizeof(key)
              || fsync(fd) != 0);

    if (close(fd) != 0) {
        failed = 1;
    }

    memset(key, 0, sizeof(key));

    /* link, not rename: a key that another process made stays */

    if (failed || (link(tmp, path) != 0 && errno != EEXIST)) {
        emage_error_set(err, "key %s: cannot be written: %s", path,
                        strerror(errno));
        (void) unlink(tmp);
        return EMAGE_UNAVAILABLE;
    }

    (void) unlink(tmp);

    return emage_init_sync_dir(path, err);
}


static emage_rc_t
emage_init_sync_dir(const char *path, emage_error_t *err)
{
    int          fd;
    char         copy[4096];
    emage_rc_t   rc;

    (void) snprintf(copy, sizeof(copy), "%s", path);

    rc = EMAGE_OK;
    fd = open(dirname(copy), O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1 || fsync(fd) != 0) {
        emage_error_set(err, "%s: its directory cannot be synced: %s", path,
                        strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    if (fd != -1) {
        (void) close(fd);
    }

    return rc;
}


static emage_rc_t
emage_init_ledger(emage_records_t *rec, emage_error_t *err)
{
    char  dir[4096];

    if (!emage_ledger_dir(rec, dir, sizeof(dir))) {
        emage_error_set(err, "journal: the path is too long");
        return EMAGE_ERROR;
    }

    if ((mkdir(rec->journal, 0750) != 0 && errno != EEXIST)
        || (mkdir(dir, 0750) != 0 && errno != EEXIST))
    {
        emage_error_set(err, "journal %s: %s", dir, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    return emage_init_sync_dir(dir, err);
}


/* Whether the loaded text is ours, to the byte. */

static bool
emage_init_same(emage_records_t *rec)
{
    bool          same;
    size_t        i;
    redisReply   *reply, *lib;
    emage_str_t   argv[5];

    argv[0] = emage_str("FUNCTION");
    argv[1] = emage_str("LIST");
    argv[2] = emage_str("LIBRARYNAME");
    argv[3] = emage_str(EMAGE_FUNCTIONS_NAME);
    argv[4] = emage_str("WITHCODE");

    if (emage_records_call(rec, 5, argv, &reply, NULL) != EMAGE_OK) {
        return false;
    }

    same = false;

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) {
        lib = reply->element[0];

        for (i = 0; lib->type == REDIS_REPLY_ARRAY && i + 1 < lib->elements;
             i += 2)
        {
            if (emage_str_eq(emage_reply_str(lib->element[i]),
                             emage_str("library_code")))
            {
                same = emage_str_eq(emage_reply_str(lib->element[i + 1]),
                                    emage_functions_text());
            }
        }
    }

    freeReplyObject(reply);

    return same;
}


emage_rc_t
emage_init_functions(emage_records_t *rec, bool *done, emage_error_t *err)
{
    int64_t       version;
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[4];
    emage_error_t  why;

    if (done != NULL) {
        *done = false;
    }

    rc = emage_records_connect(rec, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_records_version(rec, &version, &why);

    if (rc == EMAGE_UNAVAILABLE
        || (rc == EMAGE_ERROR && version > EMAGE_FUNCTIONS_VERSION))
    {
        if (err != NULL) {
            *err = why;
        }

        return rc;
    }

    if (rc == EMAGE_OK && emage_init_same(rec)) {
        return EMAGE_OK;
    }

    argv[0] = emage_str("FUNCTION");
    argv[1] = emage_str("LOAD");
    argv[2] = emage_str("REPLACE");
    argv[3] = emage_functions_text();

    rc = emage_records_call(rec, 4, argv, &reply, err);

    if (rc == EMAGE_OK) {
        freeReplyObject(reply);

        if (done != NULL) {
            *done = true;
        }
    }

    return rc;
}


emage_rc_t
emage_init_announce(emage_records_t *rec, emage_error_t *err)
{
    size_t        i, n;
    char         *real[3];
    emage_rc_t    rc;
    redisReply   *reply;
    emage_str_t   argv[10];

    const char  *paths[3] = { rec->journal, rec->store, rec->key_file };

    static const emage_str_t  names[] = {
        emage_str("journal"), emage_str("store"), emage_str("key")
    };

    n = 0;

    argv[n++] = emage_str("HSET");
    argv[n++] = emage_str(EMAGE_KEY_CONFIG);

    /* whoever reads it may stand in another directory */

    for (i = 0; i < 3; i++) {
        real[i] = realpath(paths[i], NULL);

        argv[n++] = names[i];
        argv[n++] = emage_str_c((real[i] == NULL) ? paths[i] : real[i]);
    }

    argv[n++] = emage_str("region");
    argv[n++] = emage_str_c(rec->region);

    rc = emage_records_call(rec, n, argv, &reply, err);

    for (i = 0; i < 3; i++) {
        free(real[i]);
    }

    if (rc == EMAGE_OK) {
        freeReplyObject(reply);
    }

    return rc;
}


static emage_rc_t
emage_init_epoch(emage_records_t *rec, bool *done, emage_error_t *err)
{
    bool             empty;
    char             epoch[EMAGE_RECORDS_ID_LEN + 1];
    emage_rc_t       rc;
    redisReply      *reply;
    emage_str_t      argv[9];
    emage_server_t   server;

    *done = false;

    rc = emage_records_server(rec, &server, err);

    if (rc != EMAGE_OK || emage_server_reconciled(&server)) {
        return rc;
    }

    rc = emage_init_empty(rec, &empty, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!empty || server.epoch[0] != '\0') {
        emage_error_set(err, "there are records already: run \"emage-consent "
                        "reconcile\"; nothing is permitted until it has "
                        "finished");
        return EMAGE_CONFLICT;
    }

    if (!emage_records_random_id(epoch)) {
        emage_error_set(err, "no random numbers");
        return EMAGE_UNAVAILABLE;
    }

    argv[0] = emage_str("FCALL");
    argv[1] = emage_str("emage_reconciled");
    argv[2] = emage_str("3");
    argv[3] = emage_str(EMAGE_KEY_EPOCH);
    argv[4] = emage_str(EMAGE_KEY_RECONCILED);
    argv[5] = emage_str(EMAGE_KEY_SEQ);
    argv[6] = emage_str_c(epoch);
    argv[7] = emage_str_c(server.run_id);
    argv[8] = emage_str("0");

    rc = emage_records_call(rec, 9, argv, &reply, err);

    if (rc == EMAGE_OK) {
        freeReplyObject(reply);
        *done = true;
    }

    return rc;
}


static emage_rc_t
emage_init_found(void *data, emage_str_t study)
{
    bool  *empty = data;

    (void) study;

    *empty = false;

    return EMAGE_NOTFOUND;
}


/* Neither ledgers, nor store, nor Redis know of any record. */

static emage_rc_t
emage_init_empty(emage_records_t *rec, bool *empty, emage_error_t *err)
{
    char         dir[4096];
    emage_rc_t   rc;

    *empty = false;

    if (!emage_ledger_dir(rec, dir, sizeof(dir))
        || !emage_init_dir_empty(dir))
    {
        return EMAGE_OK;
    }

    (void) snprintf(dir, sizeof(dir), "%s/studies", rec->store);

    if (!emage_init_dir_empty(dir)) {
        return EMAGE_OK;
    }

    *empty = true;

    rc = emage_records_studies(rec, emage_null_str, emage_init_found, empty,
                               err);

    return (rc == EMAGE_NOTFOUND) ? EMAGE_OK : rc;
}


static bool
emage_init_dir_empty(const char *path)
{
    DIR            *dir;
    bool            empty;
    struct dirent  *entry;

    dir = opendir(path);

    if (dir == NULL) {
        return errno == ENOENT;
    }

    empty = true;

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            empty = false;
            break;
        }
    }

    (void) closedir(dir);

    return empty;
}
