
/*
 * Copyright (C) The e-mage authors
 *
 * Files: mapped to read, written to stay.
 */


#ifndef EMAGE_FILE_H
#define EMAGE_FILE_H


#include <emage/base.h>


/* A file in memory, read-only; an empty file has data "" and size 0. */

typedef struct {
    const unsigned char  *data;
    uint64_t              size;
} emage_map_t;

emage_rc_t emage_file_map(const char *path, emage_map_t *map,
    emage_error_t *err);
void emage_file_unmap(emage_map_t *map);


/* Reads a whole file into `out`; EMAGE_NOTFOUND, EMAGE_UNAVAILABLE. */

emage_rc_t emage_file_read(const char *path, emage_buf_t *out,
    emage_error_t *err);

/* Writes a new file (it must not exist) and syncs it. */

emage_rc_t emage_file_write(const char *path, const void *data, size_t len,
    emage_error_t *err);

/* The same without sync: for what a later step syncs or throws away. */

emage_rc_t emage_file_write_draft(const char *path, const void *data,
    size_t len, emage_error_t *err);

/* All of `len` bytes, through short writes and EINTR. */

emage_rc_t emage_file_write_fd(int fd, const void *data, size_t len);

/* Syncs a file or directory by name. */

emage_rc_t emage_file_sync(const char *path, emage_error_t *err);

/* mkdir that may exist. */

emage_rc_t emage_file_mkdir(const char *path, emage_error_t *err);

/* "a/b", or false when it does not fit. */

bool emage_file_join(char *dst, size_t size, const char *a, const char *b);

/* Removes a tree, not following links; depth at most 8. */

emage_rc_t emage_file_remove_tree(const char *path, emage_error_t *err);

/*
 * The names in a directory but "." and "..", in byte order; free with
 * emage_file_names_free.
 */

typedef struct {
    char    **list;
    size_t    n;
} emage_names_t;

emage_rc_t emage_file_names(const char *path, emage_names_t *out,
    emage_error_t *err);
void emage_file_names_free(emage_names_t *names);


#endif /* EMAGE_FILE_H */
