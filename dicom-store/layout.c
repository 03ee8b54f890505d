
/*
 * Copyright (C) The e-mage authors
 */


#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "file.h"


#define EMAGE_LOCKS  64


static emage_rc_t emage_lock_file(const char *path, int *fd,
    emage_error_t *err);
static emage_rc_t emage_txn_sweep(const emage_store_t *st,
    emage_error_t *err);


emage_rc_t
emage_store_open(const char *dir, bool create, emage_store_t *out,
    emage_error_t *err)
{
    int          n;
    char         path[PATH_MAX];
    size_t       i;
    struct stat  st;

    static const char *const  parts[] = {
        "studies", "incoming", "quarantine", "locks"
    };

    n = snprintf(out->root, sizeof(out->root), "%s", dir);

    if (n <= 0 || (size_t) n >= sizeof(out->root)) {
        emage_error_set(err, "store directory: empty or too long a name");
        return EMAGE_UNAVAILABLE;
    }

    if (create && emage_file_mkdir(dir, err) != EMAGE_OK) {
        return EMAGE_UNAVAILABLE;
    }

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {

        if (!emage_store_path(out, path, sizeof(path), parts[i], NULL, NULL)) {
            return EMAGE_UNAVAILABLE;
        }

        if (create) {
            if (emage_file_mkdir(path, err) != EMAGE_OK) {
                return EMAGE_UNAVAILABLE;
            }

        } else if (stat(path, &st) == -1) {
            emage_error_set(err, "%.400s is no store: %s", dir,
                            strerror(errno));
            return EMAGE_UNAVAILABLE;
        }
    }

    return create ? emage_file_sync(dir, err) : EMAGE_OK;
}


bool
emage_store_path(const emage_store_t *st, char *dst, size_t size,
    const char *a, const char *b, const char *c)
{
    int  n;

    n = snprintf(dst, size, "%s%s%s%s%s%s%s", st->root, a ? "/" : "",
                 a ? a : "", b ? "/" : "", b ? b : "", c ? "/" : "",
                 c ? c : "");

    return n > 0 && (size_t) n < size;
}


static emage_rc_t
emage_lock_file(const char *path, int *fd, emage_error_t *err)
{
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

    if (*fd == -1) {
        emage_error_set(err, "cannot open %.400s: %s", path, strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    while (flock(*fd, LOCK_EX) == -1) {

        if (errno == EINTR) {
            continue;
        }

        emage_error_set(err, "cannot lock %.400s: %s", path, strerror(errno));
        (void) close(*fd);
        *fd = -1;

        return EMAGE_UNAVAILABLE;
    }

    return EMAGE_OK;
}


/*
 * The names of the locks say nothing about a study, so that nothing has to be
 * removed when one is erased.
 */

emage_rc_t
emage_store_lock(const emage_store_t *st, emage_str_t study, int *fd,
    emage_error_t *err)
{
    char  path[PATH_MAX], name[8];

    (void) snprintf(name, sizeof(name), "%02x",
                    (unsigned) (crc32_z(0, (const Bytef *) study.data,
                                        study.len) % EMAGE_LOCKS));

    if (!emage_store_path(st, path, sizeof(path), "locks", name, NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    return emage_lock_file(path, fd, err);
}


void
emage_store_unlock(int fd)
{
    if (fd != -1) {
        (void) close(fd);
    }
}


/* Under the lock of incoming/: nobody begins meanwhile. */

static emage_rc_t
emage_txn_sweep(const emage_store_t *st, emage_error_t *err)
{
    int            fd;
    char           dir[PATH_MAX], path[PATH_MAX];
    size_t         i;
    emage_rc_t     rc;
    emage_names_t  names;

    if (!emage_store_path(st, dir, sizeof(dir), "incoming", NULL, NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_names(dir, &names, err);

    for (i = 0; rc == EMAGE_OK && i < names.n; i++) {

        if (!emage_file_join(path, sizeof(path), dir, names.list[i])) {
            continue;
        }

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd == -1) {
            continue;
        }

        /* its owner lives as long as this fails */

        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            rc = emage_file_remove_tree(path, err);
        }

        (void) close(fd);
    }

    emage_file_names_free(&names);

    return rc;
}


emage_rc_t
emage_txn_begin(const emage_store_t *st, emage_txn_t *txn, emage_error_t *err)
{
    int            lock;
    char           path[PATH_MAX], name[48], hex[17];
    emage_rc_t     rc;
    unsigned char  random[8];

    txn->fd = -1;

    if (!emage_store_path(st, path, sizeof(path), "locks", "incoming", NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_lock_file(path, &lock, err);
    if (rc != EMAGE_OK) {
        return rc;
    }

    rc = emage_txn_sweep(st, err);
    if (rc != EMAGE_OK) {
        goto done;
    }

    rc = EMAGE_UNAVAILABLE;

    if (!emage_random(random, sizeof(random))) {
        emage_error_set(err, "no random bytes");
        goto done;
    }

    emage_hex(hex, random, sizeof(random));
    hex[16] = '\0';

    (void) snprintf(name, sizeof(name), "%d-%s", (int) getpid(), hex);

    if (!emage_store_path(st, txn->dir, sizeof(txn->dir), "incoming", name,
                          NULL)
        || emage_file_mkdir(txn->dir, err) != EMAGE_OK)
    {
        goto done;
    }

    txn->fd = open(txn->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (txn->fd == -1 || flock(txn->fd, LOCK_EX | LOCK_NB) == -1) {
        emage_error_set(err, "cannot lock %.400s: %s", txn->dir,
                        strerror(errno));
        goto done;
    }

    rc = EMAGE_OK;

done:

    emage_store_unlock(lock);

    return rc;
}


emage_rc_t
emage_txn_end(emage_txn_t *txn, emage_error_t *err)
{
    emage_rc_t  rc;

    if (txn->fd == -1) {
        return EMAGE_OK;
    }

    rc = emage_file_remove_tree(txn->dir, err);

    (void) close(txn->fd);
    txn->fd = -1;

    return rc;
}


bool
emage_revision_valid(emage_str_t name, uint32_t *n)
{
    size_t  i;

    if (name.len != 18 || name.data[0] != 'r' || name.data[9] != '-') {
        return false;
    }

    *n = 0;

    for (i = 1; i < 9; i++) {
        if (name.data[i] < '0' || name.data[i] > '9') {
            return false;
        }

        *n = *n * 10 + (uint32_t) (name.data[i] - '0');
    }

    for (i = 10; i < 18; i++) {
        if (!((name.data[i] >= '0' && name.data[i] <= '9')
              || (name.data[i] >= 'a' && name.data[i] <= 'f')))
        {
            return false;
        }
    }

    return true;
}


emage_rc_t
emage_revision_name(const emage_store_t *st, const char *study, char *dst,
    emage_error_t *err)
{
    char           dir[PATH_MAX], hex[9];
    size_t         i;
    uint32_t       n, last;
    emage_rc_t     rc;
    emage_names_t  names;
    unsigned char  random[4];

    if (!emage_store_path(st, dir, sizeof(dir), "studies", study, NULL)) {
        return EMAGE_UNAVAILABLE;
    }

    last = 0;

    rc = emage_file_names(dir, &names, err);

    if (rc != EMAGE_OK && rc != EMAGE_NOTFOUND) {
        return rc;
    }

    for (i = 0; rc == EMAGE_OK && i < names.n; i++) {
        if (emage_revision_valid(emage_str_c(names.list[i]), &n) && n > last) {
            last = n;
        }
    }

    if (rc == EMAGE_OK) {
        emage_file_names_free(&names);
    }

    if (last >= 99999999 || !emage_random(random, sizeof(random))) {
        emage_error_set(err, "study %s: no name for another revision", study);
        return EMAGE_UNAVAILABLE;
    }

    emage_hex(hex, random, sizeof(random));
    hex[8] = '\0';

    (void) snprintf(dst, EMAGE_REVISION_MAX + 1, "r%08u-%s",
                    (unsigned) last + 1, hex);

    return EMAGE_OK;
}
