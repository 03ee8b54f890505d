
/*
 * Copyright (C) The e-mage authors
 */


#include "manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>


#define EMAGE_MANIFEST_HEAD  "emage-manifest 1"
#define EMAGE_MANIFEST_TAIL  15          /* "crc32 XXXXXXXX\n" */
#define EMAGE_MANIFEST_MAX   (1u << 24)  /* lines of a kind */
#define EMAGE_FIELDS         10


static void *emage_man_room(void *list, size_t n, size_t *max, size_t size);
static int emage_man_object_cmp(const void *a, const void *b);
static int emage_man_file_cmp(const void *a, const void *b);
static void emage_man_hex(emage_buf_t *out, const unsigned char *sha256);
static void emage_man_path(emage_buf_t *out, const char *path);
static bool emage_man_line(emage_manifest_t *m, emage_str_t line);
static bool emage_man_object(emage_manifest_t *m, const emage_str_t *f);
static bool emage_man_file(emage_manifest_t *m, const emage_str_t *f);
static bool emage_man_word(char *dst, emage_str_t s);
static bool emage_man_number(emage_str_t s, uint64_t *n);
static char *emage_man_unpath(emage_str_t s);


static void *
emage_man_room(void *list, size_t n, size_t *max, size_t size)
{
    void    *p;
    size_t   want;

    if (n < *max) {
        return list;
    }

    want = (*max == 0) ? 64 : *max * 2;

    if (want > EMAGE_MANIFEST_MAX) {
        return NULL;
    }

    p = realloc(list, want * size);

    if (p != NULL) {
        *max = want;
    }

    return p;
}


emage_rc_t
emage_manifest_add_object(emage_manifest_t *m,
    const emage_manifest_object_t *object)
{
    void                     *p;
    emage_manifest_object_t  *o;

    p = emage_man_room(m->objects, m->nobjects, &m->max_objects,
                       sizeof(emage_manifest_object_t));
    if (p == NULL) {
        return EMAGE_NOMEM;
    }

    m->objects = p;

    o = &m->objects[m->nobjects];
    *o = *object;

    o->path = strdup(object->path);
    if (o->path == NULL) {
        return EMAGE_NOMEM;
    }

    m->nobjects++;

    return EMAGE_OK;
}


emage_rc_t
emage_manifest_add_file(emage_manifest_t *m, const char *path,
    const emage_sum_t *sum)
{
    void                   *p;
    emage_manifest_file_t  *f;

    p = emage_man_room(m->files, m->nfiles, &m->max_files,
                       sizeof(emage_manifest_file_t));
    if (p == NULL) {
        return EMAGE_NOMEM;
    }

    m->files = p;

    f = &m->files[m->nfiles];
    f->sum = *sum;

    f->path = strdup(path);
    if (f->path == NULL) {
        return EMAGE_NOMEM;
    }

    m->nfiles++;

    return EMAGE_OK;
}


static int
emage_man_object_cmp(const void *a, const void *b)
{
    const emage_manifest_object_t  *x = a, *y = b;

    return strcmp(x->sop, y->sop);
}


static int
emage_man_file_cmp(const void *a, const void *b)
{
    const emage_manifest_file_t  *x = a, *y = b;

    return strcmp(x->path, y->path);
}


/* The objects are in the order of their SOP Instance UIDs once written. */

const emage_manifest_object_t *
emage_manifest_find(const emage_manifest_t *m, const char *sop)
{
    emage_manifest_object_t  key;

    if (m->nobjects == 0) {
        return NULL;
    }

    (void) snprintf(key.sop, sizeof(key.sop), "%s", sop);

    return bsearch(&key, m->objects, m->nobjects, sizeof(key),
                   emage_man_object_cmp);
}


const emage_manifest_file_t *
emage_manifest_file(const emage_manifest_t *m, const char *path)
{
    emage_manifest_file_t  key;

    if (m->nfiles == 0) {
        return NULL;
    }

    key.path = (char *) (uintptr_t) path;

    return bsearch(&key, m->files, m->nfiles, sizeof(key), emage_man_file_cmp);
}


static void
emage_man_hex(emage_buf_t *out, const unsigned char *sha256)
{
    char  hex[2 * EMAGE_SHA256_LEN];

    emage_hex(hex, sha256, EMAGE_SHA256_LEN);

    (void) emage_buf_add(out, hex, sizeof(hex));
    (void) emage_buf_add_c(out, " ");
}


/* A path of the outside world, as one word. */

static void
emage_man_path(emage_buf_t *out, const char *path)
{
    char  text[4];

    for ( ; *path != '\0'; path++) {

        if (*path > ' ' && *path < 0x7f && *path != '%') {
            (void) emage_buf_add(out, path, 1);
            continue;
        }

        (void) snprintf(text, sizeof(text), "%%%02X",
                        (unsigned) (unsigned char) *path);
        (void) emage_buf_add(out, text, 3);
    }
}


emage_rc_t
emage_manifest_write(emage_manifest_t *m, emage_buf_t *out)
{
    char                      text[512];
    size_t                    i, start;
    emage_manifest_file_t    *f;
    emage_manifest_object_t  *o;

    start = out->len;

    if (m->nobjects != 0) {
        qsort(m->objects, m->nobjects, sizeof(emage_manifest_object_t),
              emage_man_object_cmp);
    }

    if (m->nfiles != 0) {
        qsort(m->files, m->nfiles, sizeof(emage_manifest_file_t),
              emage_man_file_cmp);
    }

    (void) snprintf(text, sizeof(text), EMAGE_MANIFEST_HEAD "\nstudy %s\n"
                    "revision %s\n", m->study, m->revision);
    (void) emage_buf_add_c(out, text);

    for (i = 0; i < m->nobjects; i++) {
        o = &m->objects[i];

        (void) snprintf(text, sizeof(text), "object %s %s %s %s %llu ",
                        o->series, o->sop, o->org, o->transfer_syntax,
                        (unsigned long long) o->size);

        (void) emage_buf_add_c(out, text);
        emage_man_hex(out, o->received);
        emage_man_hex(out, o->dataset);
        emage_man_hex(out, o->content);
        emage_man_path(out, o->path);
        (void) emage_buf_add_c(out, "\n");
    }

    for (i = 0; i < m->nfiles; i++) {
        f = &m->files[i];

        (void) snprintf(text, sizeof(text), "file %llu %08x ",
                        (unsigned long long) f->sum.size,
                        (unsigned) f->sum.crc32);

        (void) emage_buf_add_c(out, text);
        emage_man_hex(out, f->sum.sha256);
        (void) emage_buf_add_c(out, f->path);
        (void) emage_buf_add_c(out, "\n");
    }

    if (out->failed) {
        return EMAGE_NOMEM;
    }

    (void) snprintf(text, sizeof(text), "crc32 %08x\n",
                    (unsigned) crc32_z(0, (const Bytef *) out->data + start,
                                       out->len - start));

    return emage_buf_add_c(out, text);
}


static bool
emage_man_word(char *dst, emage_str_t s)
{
    if (s.len == 0 || s.len > EMAGE_UID_MAX) {
        return false;
    }

    memcpy(dst, s.data, s.len);
    dst[s.len] = '\0';

    return true;
}


static bool
emage_man_number(emage_str_t s, uint64_t *n)
{
    size_t  i;

    *n = 0;

    if (s.len == 0 || s.len > 19) {
        return false;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }

        *n = *n * 10 + (uint64_t) (s.data[i] - '0');
    }

    return true;
}


static char *
emage_man_unpath(emage_str_t s)
{
    char    *path;
    size_t   i, n;

    path = malloc(s.len + 1);
    if (path == NULL) {
        return NULL;
    }

    for (i = 0, n = 0; i < s.len; i++) {

        if (s.data[i] == '%' && s.len - i > 2
            && emage_unhex(path + n, s.data + i + 1, 2))
        {
            n++;
            i += 2;
            continue;
        }

        path[n++] = s.data[i];
    }

    path[n] = '\0';

    return path;
}


static bool
emage_man_object(emage_manifest_t *m, const emage_str_t *f)
{
    emage_rc_t               rc;
    emage_manifest_object_t  o;

    memset(&o, 0, sizeof(o));

    if (!emage_uid_valid(f[1]) || !emage_uid_valid(f[2])
        || !emage_man_word(o.series, f[1]) || !emage_man_word(o.sop, f[2])
        || !emage_man_word(o.org, f[3])
        || !emage_man_word(o.transfer_syntax, f[4])
        || !emage_man_number(f[5], &o.size)
        || f[6].len != 2 * EMAGE_SHA256_LEN
        || f[7].len != 2 * EMAGE_SHA256_LEN
        || f[8].len != 2 * EMAGE_SHA256_LEN
        || !emage_unhex(o.received, f[6].data, f[6].len)
        || !emage_unhex(o.dataset, f[7].data, f[7].len)
        || !emage_unhex(o.content, f[8].data, f[8].len))
    {
        return false;
    }

    o.path = emage_man_unpath(f[9]);
    if (o.path == NULL) {
        return false;
    }

    rc = emage_manifest_add_object(m, &o);

    free(o.path);

    return rc == EMAGE_OK;
}


static bool
emage_man_file(emage_manifest_t *m, const emage_str_t *f)
{
    char           path[256];
    unsigned char  crc[4];
    emage_sum_t    sum;

    if (!emage_man_number(f[1], &sum.size) || f[2].len != 8
        || !emage_unhex(crc, f[2].data, 8)
        || f[3].len != 2 * EMAGE_SHA256_LEN
        || !emage_unhex(sum.sha256, f[3].data, f[3].len)
        || f[4].len == 0 || f[4].len >= sizeof(path))
    {
        return false;
    }

    sum.crc32 = (uint32_t) crc[0] << 24 | (uint32_t) crc[1] << 16
                | (uint32_t) crc[2] << 8 | crc[3];

    memcpy(path, f[4].data, f[4].len);
    path[f[4].len] = '\0';

    return emage_manifest_add_file(m, path, &sum) == EMAGE_OK;
}


static bool
emage_man_line(emage_manifest_t *m, emage_str_t line)
{
    size_t       n, i, from;
    emage_str_t  f[EMAGE_FIELDS];

    n = 0;
    from = 0;

    for (i = 0; i <= line.len; i++) {

        if (i < line.len && line.data[i] != ' ') {
            continue;
        }

        if (n == EMAGE_FIELDS) {
            return false;
        }

        f[n].data = line.data + from;
        f[n++].len = i - from;
        from = i + 1;
    }

    if (n == 2 && emage_str_eq(f[0], emage_str("study"))) {
        return emage_man_word(m->study, f[1]);
    }

    if (n == 2 && emage_str_eq(f[0], emage_str("revision"))) {
        return emage_man_word(m->revision, f[1]);
    }

    if (n == 10 && emage_str_eq(f[0], emage_str("object"))) {
        return emage_man_object(m, f);
    }

    if (n == 5 && emage_str_eq(f[0], emage_str("file"))) {
        return emage_man_file(m, f);
    }

    return n == 2 && emage_str_eq(line, emage_str(EMAGE_MANIFEST_HEAD));
}


emage_rc_t
emage_manifest_parse(emage_manifest_t *m, emage_str_t text,
    emage_error_t *err)
{
    char         tail[EMAGE_MANIFEST_TAIL + 1];
    size_t       i, n;
    emage_str_t  line;

    memset(m, 0, sizeof(*m));

    if (text.len < EMAGE_MANIFEST_TAIL) {
        emage_error_set(err, "manifest: truncated");
        return EMAGE_ERROR;
    }

    text.len -= EMAGE_MANIFEST_TAIL;

    (void) snprintf(tail, sizeof(tail), "crc32 %08x\n",
                    (unsigned) crc32_z(0, (const Bytef *) text.data,
                                       text.len));

    if (memcmp(text.data + text.len, tail, EMAGE_MANIFEST_TAIL) != 0) {
        emage_error_set(err, "manifest: checksum differs: damaged");
        return EMAGE_ERROR;
    }

    for (n = 1; text.len > 0; n++) {

        for (i = 0; i < text.len && text.data[i] != '\n'; i++) { /* void */ }

        line.data = text.data;
        line.len = i;

        if (i == text.len || !emage_man_line(m, line)) {
            emage_error_set(err, "manifest: line %zu is not sound", n);
            emage_manifest_free(m);
            return EMAGE_ERROR;
        }

        text.data += i + 1;
        text.len -= i + 1;
    }

    return EMAGE_OK;
}


void
emage_manifest_free(emage_manifest_t *m)
{
    size_t  i;

    for (i = 0; i < m->nobjects; i++) {
        free(m->objects[i].path);
    }

    for (i = 0; i < m->nfiles; i++) {
        free(m->files[i].path);
    }

    free(m->objects);
    free(m->files);

    memset(m, 0, sizeof(*m));
}
