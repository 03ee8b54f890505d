
/*
 * Copyright (C) The e-mage authors
 */


#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attributes.h"
#include "encoding.h"
#include "file.h"
#include "metadata.h"
#include "offsets.h"
#include "part10.h"


typedef struct {
    const emage_object_conf_t  *conf;
    emage_object_t             *out;
    emage_charset_t            *charset;
    emage_map_t                 map;     /* <n>.dcm */
    emage_dataset_t             ds;
    emage_attributes_t          at;
    bool                        kept;    /* byte for byte as received */
    bool                        frames_only;
    emage_error_t              *err;
} emage_stage_t;


static emage_rc_t emage_stage_run(emage_stage_t *s, const char *path);
static emage_rc_t emage_stage_copy(emage_stage_t *s, const char *path);
static emage_rc_t emage_stage_copy_fd(emage_stage_t *s, int from, int to);
static emage_rc_t emage_stage_identify(emage_stage_t *s);
static emage_rc_t emage_stage_uid(emage_stage_t *s, emage_str_t value,
    char *dst, const char *name);
static emage_rc_t emage_stage_patient(emage_stage_t *s);
static emage_rc_t emage_stage_index(emage_stage_t *s);
static emage_rc_t emage_stage_metadata(emage_stage_t *s);
static emage_rc_t emage_stage_save(emage_stage_t *s, const char *suffix,
    const emage_buf_t *data);
static emage_rc_t emage_stage_digest(emage_stage_t *s);


bool
emage_object_path(char *dst, size_t size, const char *dir, uint32_t number,
    const char *suffix)
{
    int  n;

    n = snprintf(dst, size, "%s/%u%s", dir, (unsigned) number, suffix);

    return n > 0 && (size_t) n < size;
}


emage_rc_t
emage_object_stage(const emage_object_conf_t *conf, const char *path,
    emage_object_t *out, emage_error_t *err)
{
    emage_rc_t     rc;
    emage_stage_t  s;

    memset(out, 0, sizeof(*out));
    memset(&s, 0, sizeof(s));

    s.conf = conf;
    s.out = out;
    s.err = err;
    s.map.data = (const unsigned char *) "";

    rc = emage_charset_create(&s.charset);

    if (rc == EMAGE_OK) {
        rc = emage_stage_run(&s, path);

    } else {
        emage_error_set(err, "no memory");
    }

    emage_file_unmap(&s.map);
    emage_charset_destroy(s.charset);

    if (rc == EMAGE_OK) {
        return EMAGE_OK;
    }

    if (rc == EMAGE_UNAVAILABLE) {
        return rc;
    }

    /* bad input, or more than a worker can hold: this file only */

    out->refused = true;
    (void) snprintf(out->reason, sizeof(out->reason), "%s", err->text);

    return EMAGE_OK;
}


static emage_rc_t
emage_stage_run(emage_stage_t *s, const char *path)
{
    char        file[512];
    emage_rc_t  rc;

    rc = emage_stage_copy(s, path);

    if (rc == EMAGE_OK) {
        rc = emage_encoding_settle(s->conf, s->out, s->charset, &s->kept,
                                   s->err);
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    if (!emage_object_path(file, sizeof(file), s->conf->dir, s->conf->number,
                           ".dcm"))
    {
        emage_error_set(s->err, "name of the staging directory is too long");
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_map(file, &s->map, s->err);

    if (rc == EMAGE_OK) {
        rc = emage_encoding_stored(&s->map, &s->ds, s->err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_attributes_read(&s->ds, &s->at, s->err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_stage_identify(s);
    }

    if (rc == EMAGE_OK) {
        rc = emage_stage_patient(s);
    }

    if (rc == EMAGE_OK) {
        rc = emage_stage_index(s);
    }

    if (rc == EMAGE_OK) {
        rc = emage_stage_metadata(s);
    }

    if (rc == EMAGE_OK) {
        rc = emage_stage_digest(s);
    }

    return rc;
}


/* To <n>.src first: what is read afterwards cannot change any more. */

static emage_rc_t
emage_stage_copy(emage_stage_t *s, const char *path)
{
    int          from, to;
    char         file[512];
    emage_rc_t   rc;
    struct stat  st;

    from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (from == -1) {
        emage_error_set(s->err, "cannot be read: %s", strerror(errno));
        return EMAGE_ERROR;
    }

    if (fstat(from, &st) == -1 || !S_ISREG(st.st_mode)) {
        emage_error_set(s->err, "not a DICOM file: not a regular file");
        (void) close(from);
        return EMAGE_ERROR;
    }

    if (!emage_object_path(file, sizeof(file), s->conf->dir, s->conf->number,
                           ".src"))
    {
        emage_error_set(s->err, "name of the staging directory is too long");
        (void) close(from);
        return EMAGE_UNAVAILABLE;
    }

    to = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

    if (to == -1) {
        emage_error_set(s->err, "cannot create %.400s: %s", file,
                        strerror(errno));
        (void) close(from);
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_stage_copy_fd(s, from, to);

    (void) close(from);

    if (close(to) == -1 && rc == EMAGE_OK) {
        emage_error_set(s->err, "cannot write %.400s: %s", file,
                        strerror(errno));
        rc = EMAGE_UNAVAILABLE;
    }

    return rc;
}


static emage_rc_t
emage_stage_copy_fd(emage_stage_t *s, int from, int to)
{
    char            *buf;
    bool             first;
    ssize_t          n;
    emage_rc_t       rc;
    emage_digest_t  *d;

    static const size_t  size = 1 << 20;

    buf = malloc(size);
    d = emage_digest_create();

    rc = (buf == NULL || d == NULL) ? EMAGE_NOMEM : EMAGE_OK;

    if (rc != EMAGE_OK) {
        emage_error_set(s->err, "no memory");
    }

    for (first = true; rc == EMAGE_OK; first = false) {
        n = read(from, buf, size);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            emage_error_set(s->err, "cannot be read: %s", strerror(errno));
            rc = EMAGE_ERROR;
            break;
        }

        if (first && !emage_part10_plausible((unsigned char *) buf,
                                             (size_t) n, s->err))
        {
            rc = EMAGE_ERROR;
            break;
        }

        if (n == 0) {
            break;
        }

        if (!emage_digest_add(d, buf, (size_t) n)
            || emage_file_write_fd(to, buf, (size_t) n) != EMAGE_OK)
        {
            emage_error_set(s->err, "cannot write to %.300s: %s",
                            s->conf->dir, strerror(errno));
            rc = EMAGE_UNAVAILABLE;
        }
    }

    if (rc == EMAGE_OK && !emage_digest_final(d, &s->out->received)) {
        emage_error_set(s->err, "no memory");
        rc = EMAGE_NOMEM;
    }

    emage_digest_destroy(d);
    free(buf);

    return rc;
}


static emage_rc_t
emage_stage_uid(emage_stage_t *s, emage_str_t value, char *dst,
    const char *name)
{
    if (value.len == 0) {
        emage_error_set(s->err, "no %s", name);
        return EMAGE_ERROR;
    }

    if (!emage_uid_valid(value)) {
        emage_error_set(s->err, "illegal %s%s", name,
                        value.len > EMAGE_UID_MAX
                        ? ": more than 64 characters" : "");
        return EMAGE_ERROR;
    }

    memcpy(dst, value.data, value.len);
    dst[value.len] = '\0';

    return EMAGE_OK;
}


static emage_rc_t
emage_stage_identify(emage_stage_t *s)
{
    bool             native;
    emage_rc_t       rc;
    emage_object_t  *o;

    o = s->out;

    rc = emage_stage_uid(s, s->at.sop_class, o->sop_class,
                         "SOP class UID (0008,0016)");

    if (rc == EMAGE_OK) {
        rc = emage_stage_uid(s, s->at.sop, o->sop,
                             "SOP instance UID (0008,0018)");
    }

    if (rc == EMAGE_OK) {
        rc = emage_stage_uid(s, s->at.study, o->study,
                             "study instance UID (0020,000D)");
    }

    if (rc == EMAGE_OK) {
        rc = emage_stage_uid(s, s->at.series, o->series,
                             "series instance UID (0020,000E)");
    }

    if (rc != EMAGE_OK) {
        return rc;
    }

    /* a reader decides by the transfer syntax how to read the pixels */

    native = emage_str_eq(emage_str_c(o->stored_ts),
                          emage_str(EMAGE_TS_EXPLICIT_LE));

    if (s->at.encapsulated && native) {
        emage_error_set(s->err, "pixel data in fragments, but transfer syntax "
                        "%s is native", o->received_ts);
        return EMAGE_ERROR;
    }

    if (s->at.pixels.tag == EMAGE_TAG_PIXELS && !s->at.encapsulated && !native)
    {
        emage_error_set(s->err, "native pixel data, but transfer syntax %s is "
                        "compressed", o->received_ts);
        return EMAGE_ERROR;
    }

    o->cls = emage_attributes_class(&s->at);
    o->pixels = (s->at.pixels.tag != 0);

    return EMAGE_OK;
}


static emage_rc_t
emage_stage_patient(emage_stage_t *s)
{
    emage_rc_t        rc;
    emage_buf_t       text;
    emage_str_t       id;
    emage_metadata_t  md;

    if (s->at.patient_id.tag == 0) {
        return EMAGE_OK;
    }

    memset(&md, 0, sizeof(md));

    md.dataset = &s->ds;
    md.charset = s->charset;
    md.default_charset = s->conf->default_charset;

    emage_buf_init(&text, 1 << 20);

    rc = emage_metadata_patient_id(&md, &s->at.patient_id, s->at.charset,
                                   &text, &id);

    if (rc == EMAGE_OK && id.len > EMAGE_PATIENT_ID_MAX) {
        emage_error_set(s->err, "patient ID (0010,0020) of %zu bytes, at most "
                        "%u are legal here", id.len, EMAGE_PATIENT_ID_MAX);
        rc = EMAGE_ERROR;

    } else if (rc == EMAGE_OK) {
        memcpy(s->out->patient_id, id.data, id.len);

    } else {
        emage_error_set(s->err, "patient ID (0010,0020) cannot be read");
    }

    emage_buf_free(&text);

    return rc;
}


static emage_rc_t
emage_stage_save(emage_stage_t *s, const char *suffix,
    const emage_buf_t *data)
{
    char        file[512];
    emage_rc_t  rc;

    if (!emage_object_path(file, sizeof(file), s->conf->dir, s->conf->number,
                           suffix))
    {
        emage_error_set(s->err, "name of the staging directory is too long");
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_file_write_draft(file, data->data, data->len, s->err);

    return (rc == EMAGE_OK) ? EMAGE_OK : EMAGE_UNAVAILABLE;
}


static emage_rc_t
emage_stage_index(emage_stage_t *s)
{
    emage_rc_t               rc;
    emage_buf_t              index, extra;
    emage_index_writer_t    *w;
    emage_index_instance_t   in;

    emage_buf_init(&index, (size_t) 4 << 30);
    emage_buf_init(&extra, (size_t) 4 << 30);

    memset(&in, 0, sizeof(in));

    in.uid = emage_str_c(s->out->sop);
    in.sop_class = emage_str_c(s->out->sop_class);
    in.transfer_syntax = emage_str_c(s->out->stored_ts);
    in.cls = s->out->cls;
    in.file_size = s->map.size;

    rc = emage_index_writer_create(&w);

    if (rc == EMAGE_OK) {
        rc = emage_index_writer_instance(w, &in);
    }

    if (rc == EMAGE_OK) {
        rc = emage_offsets_write(&s->ds, &s->at, in.transfer_syntax, w, &extra,
                                 &s->frames_only, s->err);

    } else {
        emage_error_set(s->err, "no memory");
    }

    if (rc == EMAGE_OK && extra.len != 0) {
        rc = emage_index_writer_extra(w, extra.len);

        if (rc == EMAGE_OK) {
            rc = emage_stage_save(s, ".frames", &extra);
        }

        if (rc == EMAGE_OK) {
            rc = emage_digest_block(extra.data, extra.len, &s->out->extra);
        }
    }

    if (rc == EMAGE_OK) {
        rc = emage_index_writer_finish(w, &index, s->err);
    }

    if (rc == EMAGE_OK) {
        rc = emage_stage_save(s, ".idx", &index);
    }

    emage_index_writer_destroy(w);
    emage_buf_free(&index);
    emage_buf_free(&extra);

    return rc;
}


static emage_rc_t
emage_stage_metadata(emage_stage_t *s)
{
    char              uri[1024];
    int               n;
    emage_rc_t        rc;
    emage_buf_t       text;
    emage_metadata_t  md;

    n = snprintf(uri, sizeof(uri), "%s/studies/%s/series/%s/instances/%s"
                 "/bulkdata/", s->conf->base_url, s->out->study,
                 s->out->series, s->out->sop);

    if (n < 0 || (size_t) n >= sizeof(uri)) {
        emage_error_set(s->err, "base url too long");
        return EMAGE_UNAVAILABLE;
    }

    md.dataset = &s->ds;
    md.charset = s->charset;
    md.default_charset = s->conf->default_charset;
    md.bulk_uri.data = uri;
    md.bulk_uri.len = (size_t) n;
    md.frames_only = s->frames_only;

    emage_buf_init(&text, EMAGE_METADATA_MAX);

    rc = emage_metadata_write(&md, &text, s->err);

    if (rc == EMAGE_OK) {
        rc = emage_stage_save(s, ".meta", &text);
    }

    emage_buf_free(&text);

    return rc;
}


static emage_rc_t
emage_stage_digest(emage_stage_t *s)
{
    emage_rc_t   rc;
    emage_sum_t  sum;

    rc = EMAGE_OK;

    if (s->kept) {
        s->out->stored = s->out->received;

    } else {
        rc = emage_digest_block(s->map.data, s->map.size, &s->out->stored);
    }

    if (rc == EMAGE_OK) {
        rc = emage_digest_block(s->map.data + s->ds.start,
                                s->map.size - s->ds.start, &sum);
        memcpy(s->out->dataset, sum.sha256, EMAGE_SHA256_LEN);
    }

    if (rc == EMAGE_OK) {
        rc = emage_encoding_content(&s->ds, s->out->pixels, s->out->content);
    }

    if (rc != EMAGE_OK) {
        emage_error_set(s->err, "no memory");
    }

    return rc;
}
