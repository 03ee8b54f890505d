
/*
 * Copyright (C) The e-mage authors
 */


#include <emage/resource.h>

#include <string.h>


static bool emage_resource_segment(emage_str_t *rest, emage_str_t *segment);
static bool emage_resource_frames(emage_resource_t *res, emage_str_t list);
static bool emage_resource_bulk(emage_str_t path);
static emage_resource_kind_t emage_resource_search(emage_str_t segment);


bool
emage_uid_valid(emage_str_t s)
{
    char    c, prev;
    size_t  i;

    if (s.len == 0 || s.len > EMAGE_UID_MAX) {
        return false;
    }

    prev = '.';

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c == '.') {
            if (prev == '.') {
                return false;
            }

        } else if (c < '0' || c > '9') {
            return false;
        }

        prev = c;
    }

    return prev != '.';
}


/*
 * Takes the next segment off `rest`.  False when the path has ended or the
 * segment is empty; an empty rest after a slash is an empty segment.
 */

static bool
emage_resource_segment(emage_str_t *rest, emage_str_t *segment)
{
    size_t       len;
    const char  *slash;

    if (rest->data == NULL || rest->len == 0) {
        return false;
    }

    slash = memchr(rest->data, '/', rest->len);

    if (slash == NULL) {
        *segment = *rest;
        *rest = emage_null_str;
        return true;
    }

    len = (size_t) (slash - rest->data);

    segment->data = rest->data;
    segment->len = len;

    rest->data += len + 1;
    rest->len -= len + 1;

    /* the slash promises another segment */

    return len > 0 && rest->len > 0;
}


static bool
emage_resource_frames(emage_resource_t *res, emage_str_t list)
{
    size_t    i, digits;
    uint64_t  n;

    n = 0;
    digits = 0;
    res->nframes = 0;

    for (i = 0; i <= list.len; i++) {

        if (i == list.len || list.data[i] == ',') {

            if (digits == 0 || ++res->nframes > EMAGE_FRAMES_MAX) {
                return false;
            }

            n = 0;
            digits = 0;
            continue;
        }

        if (list.data[i] < '0' || list.data[i] > '9') {
            return false;
        }

        if (digits == 0 && list.data[i] == '0') {
            return false;
        }

        n = n * 10 + (uint64_t) (list.data[i] - '0');
        digits++;

        if (n > 0x7fffffff) {
            return false;
        }
    }

    res->frames = list;

    return true;
}


uint32_t
emage_resource_frame_next(const emage_resource_t *res, size_t *pos)
{
    char      c;
    uint32_t  n;

    n = 0;

    while (*pos < res->frames.len) {
        c = res->frames.data[(*pos)++];

        if (c == ',') {
            break;
        }

        n = n * 10 + (uint32_t) (c - '0');
    }

    return n;
}


/* TTTTTTTT or TTTTTTTT/n/TTTTTTTT..., hex in upper case, items from 1 */

static bool
emage_resource_bulk(emage_str_t path)
{
    size_t       i;
    unsigned     level;
    emage_str_t  rest, segment;

    if (path.len == 0 || path.len > EMAGE_BULK_MAX) {
        return false;
    }

    rest = path;

    for (level = 0; rest.len > 0; level++) {

        if (!emage_resource_segment(&rest, &segment)) {
            return false;
        }

        if (level % 2 == 0) {
            if (segment.len != 8) {
                return false;
            }

            for (i = 0; i < 8; i++) {
                if (!(segment.data[i] >= '0' && segment.data[i] <= '9')
                    && !(segment.data[i] >= 'A' && segment.data[i] <= 'F'))
                {
                    return false;
                }
            }

            continue;
        }

        if (segment.len > 9 || segment.data[0] == '0') {
            return false;
        }

        for (i = 0; i < segment.len; i++) {
            if (segment.data[i] < '0' || segment.data[i] > '9') {
                return false;
            }
        }
    }

    return level % 2 == 1;
}


/* The last segment of a search, which is the only one without a UID. */

static emage_resource_kind_t
emage_resource_search(emage_str_t segment)
{
    if (emage_str_eq(segment, emage_str("studies"))) {
        return EMAGE_RESOURCE_SEARCH_STUDIES;
    }

    if (emage_str_eq(segment, emage_str("series"))) {
        return EMAGE_RESOURCE_SEARCH_SERIES;
    }

    if (emage_str_eq(segment, emage_str("instances"))) {
        return EMAGE_RESOURCE_SEARCH_INSTANCES;
    }

    return EMAGE_RESOURCE_NONE;
}


bool
emage_resource_is_search(emage_resource_kind_t kind)
{
    return kind == EMAGE_RESOURCE_SEARCH_STUDIES
           || kind == EMAGE_RESOURCE_SEARCH_SERIES
           || kind == EMAGE_RESOURCE_SEARCH_INSTANCES;
}


emage_rc_t
emage_resource_parse(emage_str_t path, emage_resource_t *out)
{
    emage_str_t       rest, segment;
    emage_resource_t  res;

    static const struct {
        emage_str_t            name;
        emage_resource_kind_t  self;
        emage_resource_kind_t  metadata;
    } levels[] = {
        { { "studies", 7 }, EMAGE_RESOURCE_STUDY,
          EMAGE_RESOURCE_STUDY_METADATA },
        { { "series", 6 }, EMAGE_RESOURCE_SERIES,
          EMAGE_RESOURCE_SERIES_METADATA },
        { { "instances", 9 }, EMAGE_RESOURCE_INSTANCE,
          EMAGE_RESOURCE_INSTANCE_METADATA }
    };

    size_t        i;
    emage_str_t  *uids[3];

    memset(out, 0, sizeof(*out));
    memset(&res, 0, sizeof(res));

    uids[0] = &res.study;
    uids[1] = &res.series;
    uids[2] = &res.instance;

    rest = path;

    for (i = 0; i < 3; i++) {

        /* studies below a study there are none; all else can be listed */

        res.kind = emage_resource_search(rest);

        if (res.kind != EMAGE_RESOURCE_NONE
            && (i == 0 || res.kind != EMAGE_RESOURCE_SEARCH_STUDIES)
            && (i < 2 || res.kind == EMAGE_RESOURCE_SEARCH_INSTANCES))
        {
            *out = res;
            return EMAGE_OK;
        }

        if (!emage_resource_segment(&rest, &segment)
            || !emage_str_eq(segment, levels[i].name)
            || !emage_resource_segment(&rest, uids[i])
            || !emage_uid_valid(*uids[i]))
        {
            return EMAGE_NOTFOUND;
        }

        if (rest.len == 0) {
            res.kind = levels[i].self;

        } else if (emage_str_eq(rest, emage_str("metadata"))) {
            res.kind = levels[i].metadata;

        } else if (i == 1 && emage_str_eq(rest, emage_str("thumbnail"))) {
            res.kind = EMAGE_RESOURCE_SERIES_THUMBNAIL;

        } else if (i == 2 && emage_str_eq(rest, emage_str("thumbnail"))) {
            res.kind = EMAGE_RESOURCE_THUMBNAIL;

        } else if (i == 2 && emage_str_eq(rest, emage_str("rendered"))) {
            res.kind = EMAGE_RESOURCE_RENDERED;

        } else {
            continue;
        }

        *out = res;
        return EMAGE_OK;
    }

    if (!emage_resource_segment(&rest, &segment)) {
        return EMAGE_NOTFOUND;
    }

    if (emage_str_eq(segment, emage_str("frames"))
        && emage_resource_frames(&res, rest))
    {
        res.kind = EMAGE_RESOURCE_FRAMES;

    } else if (emage_str_eq(segment, emage_str("bulkdata"))
               && emage_resource_bulk(rest))
    {
        res.kind = EMAGE_RESOURCE_BULKDATA;
        res.bulk = rest;

    } else {
        return EMAGE_NOTFOUND;
    }

    *out = res;

    return EMAGE_OK;
}


emage_str_t
emage_resource_kind_name(emage_resource_kind_t kind)
{
    switch (kind) {
    case EMAGE_RESOURCE_STUDY:
        return emage_str("study");
    case EMAGE_RESOURCE_SERIES:
        return emage_str("series");
    case EMAGE_RESOURCE_INSTANCE:
        return emage_str("instance");
    case EMAGE_RESOURCE_STUDY_METADATA:
        return emage_str("study-metadata");
    case EMAGE_RESOURCE_SERIES_METADATA:
        return emage_str("series-metadata");
    case EMAGE_RESOURCE_INSTANCE_METADATA:
        return emage_str("instance-metadata");
    case EMAGE_RESOURCE_FRAMES:
        return emage_str("frames");
    case EMAGE_RESOURCE_BULKDATA:
        return emage_str("bulkdata");
    case EMAGE_RESOURCE_RENDERED:
        return emage_str("rendered");
    case EMAGE_RESOURCE_THUMBNAIL:
        return emage_str("thumbnail");
    case EMAGE_RESOURCE_SERIES_THUMBNAIL:
        return emage_str("series-thumbnail");
    case EMAGE_RESOURCE_SEARCH_STUDIES:
        return emage_str("search-studies");
    case EMAGE_RESOURCE_SEARCH_SERIES:
        return emage_str("search-series");
    case EMAGE_RESOURCE_SEARCH_INSTANCES:
        return emage_str("search-instances");
    case EMAGE_RESOURCE_NONE:
        break;
    }

    return emage_str("none");
}
