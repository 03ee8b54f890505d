
/*
 * Copyright (C) The e-mage authors
 *
 * The pictures of a series: of the middle one of its images, drawn by a worker.
 */


#include "series_core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"
#include "worker.h"


#define EMAGE_RENDERED_MAX   ((uint64_t) 256 << 20)
#define EMAGE_THUMBNAIL_MAX  ((uint64_t) 1 << 20)


typedef struct {
    const emage_shown_t  *shown;
    char                  object[PATH_MAX];
    char                  full[PATH_MAX];
    char                  thumb[PATH_MAX];
} emage_drawing_t;


static int emage_shown_cmp(const void *a, const void *b);
static const emage_manifest_file_t *emage_render_old(emage_series_build_t *s,
    const char *name);
static emage_rc_t emage_render_link(emage_series_build_t *s, const char *name,
    const emage_manifest_file_t *f);
static emage_rc_t emage_render_new(emage_series_build_t *s,
    const emage_shown_t *shown);
static bool emage_render_draw(void *data);
static emage_rc_t emage_render_keep(emage_series_build_t *s,
    const emage_drawing_t *d);
static bool emage_render_sound(const emage_map_t *map, uint64_t max);
static emage_rc_t emage_render_drop(emage_series_build_t *s, const char *path);


emage_rc_t
emage_series_show(emage_series_build_t *s, emage_str_t sop, emage_class_t cls,
    uint32_t nframes, const json_t *row)
{
    size_t          max;
    json_t         *number;
    emage_shown_t  *shown;

    if (cls != EMAGE_CLASS_IMAGE || nframes == 0 || sop.len > EMAGE_UID_MAX) {
        return EMAGE_OK;
    }

    if (s->nshown == s->max_shown) {
        max = (s->max_shown == 0) ? 64 : 2 * s->max_shown;

        shown = realloc(s->shown, max * sizeof(emage_shown_t));
        if (shown == NULL) {
            return emage_build_nomem(s->b);
        }

        s->shown = shown;
        s->max_shown = max;
    }

    shown = &s->shown[s->nshown++];

    memcpy(shown->uid, sop.data, sop.len);
    shown->uid[sop.len] = '\0';
    shown->nframes = nframes;

    number = json_array_get(json_object_get(json_object_get(row, "00200013"),
                                            "Value"), 0);

    shown->number = json_is_integer(number) ? json_integer_value(number)
                                            : INT64_MAX;

    return EMAGE_OK;
}


static int
emage_shown_cmp(const void *a, const void *b)
{
    const emage_shown_t  *x = a, *y = b;

    if (x->number != y->number) {
        return (x->number > y->number) ? 1 : -1;
    }

    return strcmp(x->uid, y->uid);
}


emage_rc_t
emage_series_render(emage_series_build_t *s)
{
    char                          full[256], thumb[256];
    emage_rc_t                    rc;
    const emage_shown_t          *shown;
    const emage_manifest_file_t  *f, *t;

    if (s->nshown == 0) {
        return EMAGE_OK;
    }

    qsort(s->shown, s->nshown, sizeof(emage_shown_t), emage_shown_cmp);

    shown = &s->shown[s->nshown / 2];

    (void) snprintf(full, sizeof(full), "%s/%s.jpg", s->uid, shown->uid);
    (void) snprintf(thumb, sizeof(thumb), "%s/%s.thumb.jpg", s->uid,
                    shown->uid);

    f = emage_render_old(s, full);
    t = emage_render_old(s, thumb);

    if (f == NULL || t == NULL || emage_build_replaced(s->b, shown->uid)) {
        return emage_render_new(s, shown);
    }

    rc = emage_render_link(s, full, f);

    if (rc == EMAGE_OK) {
        rc = emage_render_link(s, thumb, t);
    }

    if (rc == EMAGE_OK
        && emage_index_writer_rendering(s->writer, emage_str_c(shown->uid),
                                        f->sum.size, t->sum.size)
           != EMAGE_OK)
    {
        rc = emage_build_nomem(s->b);
    }

    return rc;
}


static const emage_manifest_file_t *
emage_render_old(emage_series_build_t *s, const char *name)
{
    return (s->old_index == NULL) ? NULL
                                  : emage_manifest_file(s->b->conf->old, name);
}


static emage_rc_t
emage_render_link(emage_series_build_t *s, const char *name,
    const emage_manifest_file_t *f)
{
    char  from[PATH_MAX];

    if (!emage_file_join(from, sizeof(from), s->b->old_dir, name)) {
        return EMAGE_UNAVAILABLE;
    }

    return emage_build_link(s->b, from, name, &f->sum);
}


/* In the worker: the object has passed ours, DCMTK's parser is another. */

static bool
emage_render_draw(void *data)
{
    emage_error_t     err;
    emage_drawing_t  *d = data;

    return emage_dcmtk_render(d->object, d->shown->nframes / 2, d->full,
                              d->thumb, &err)
           == EMAGE_OK;
}


static emage_rc_t
emage_render_new(emage_series_build_t *s, const emage_shown_t *shown)
{
    char              name[256];
    emage_rc_t        rc, dropped;
    emage_error_t     why;
    emage_drawing_t   d;

    d.shown = shown;

    (void) snprintf(name, sizeof(name), "%s/%s.dcm", s->uid, shown->uid);

    if (!emage_file_join(d.object, sizeof(d.object), s->b->dir, name)
        || !emage_file_join(d.full, sizeof(d.full), s->b->conf->txn->dir,
                            "rendered.jpg")
        || !emage_file_join(d.thumb, sizeof(d.thumb), s->b->conf->txn->dir,
                            "thumbnail.jpg"))
    {
        emage_error_set(s->b->err, "name of the store directory is too long");
        return EMAGE_UNAVAILABLE;
    }

    rc = emage_worker_call(d.object, emage_render_draw, &d, &why);

    if (rc == EMAGE_OK) {
        rc = emage_render_keep(s, &d);

    } else if (rc == EMAGE_ERROR) {
        rc = EMAGE_OK;

    } else {
        *s->b->err = why;
    }

    dropped = emage_render_drop(s, d.full);

    if (dropped == EMAGE_OK) {
        dropped = emage_render_drop(s, d.thumb);
    }

    return (rc == EMAGE_OK) ? dropped : rc;
}


static emage_rc_t
emage_render_drop(emage_series_build_t *s, const char *path)
{
    if (unlink(path) == -1 && errno != ENOENT) {
        emage_error_set(s->b->err, "cannot remove %.400s: %s", path,
                        strerror(errno));
        return EMAGE_UNAVAILABLE;
    }

    return EMAGE_OK;
}


/* A JPEG from its first marker to its last (ITU-T T.81 annex B). */

static bool
emage_render_sound(const emage_map_t *map, uint64_t max)
{
    return map->size >= 5 && map->size <= max
           && map->data[0] == 0xff && map->data[1] == 0xd8
           && map->data[2] == 0xff
           && map->data[map->size - 2] == 0xff
           && map->data[map->size - 1] == 0xd9;
}


static emage_rc_t
emage_render_keep(emage_series_build_t *s, const emage_drawing_t *d)
{
    char         name[256];
    emage_rc_t   rc;
    emage_map_t  full, thumb;

    rc = emage_file_map(d->full, &full, s->b->err);
    if (rc != EMAGE_OK) {
        return (rc == EMAGE_NOTFOUND) ? EMAGE_OK : rc;
    }

    rc = emage_file_map(d->thumb, &thumb, s->b->err);

    if (rc != EMAGE_OK) {
        emage_file_unmap(&full);
        return (rc == EMAGE_NOTFOUND) ? EMAGE_OK : rc;
    }

    if (emage_render_sound(&full, EMAGE_RENDERED_MAX)
        && emage_render_sound(&thumb, EMAGE_THUMBNAIL_MAX))
    {
        (void) snprintf(name, sizeof(name), "%s/%s.jpg", s->uid,
                        d->shown->uid);

        rc = emage_build_file(s->b, name, full.data, full.size);

        (void) snprintf(name, sizeof(name), "%s/%s.thumb.jpg", s->uid,
                        d->shown->uid);

        if (rc == EMAGE_OK) {
            rc = emage_build_file(s->b, name, thumb.data, thumb.size);
        }

        if (rc == EMAGE_OK
            && emage_index_writer_rendering(s->writer,
                                            emage_str_c(d->shown->uid),
                                            full.size, thumb.size)
               != EMAGE_OK)
        {
            rc = emage_build_nomem(s->b);
        }
    }

    emage_file_unmap(&full);
    emage_file_unmap(&thumb);

    return rc;
}
