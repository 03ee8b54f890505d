
/*
 * Copyright (C) The e-mage authors
 *
 * study.idx: which series a revision has.
 */


#include <emage/resource.h>
#include <emage/series_index.h>

#include <stdio.h>
#include <string.h>
#include <zlib.h>


#define EMAGE_STUDY_INDEX_HEAD  "emage-study-index 1\n"

/* "crc32 XXXXXXXX\n" */

#define EMAGE_STUDY_INDEX_TAIL  15


static bool emage_study_index_tail(emage_str_t data);
static bool emage_study_index_line(emage_str_t *rest,
    emage_study_series_t *out);


static bool
emage_study_index_tail(emage_str_t data)
{
    char      want[EMAGE_STUDY_INDEX_TAIL + 1];
    size_t    body;
    uint32_t  crc;

    body = data.len - EMAGE_STUDY_INDEX_TAIL;
    crc = (uint32_t) crc32_z(0, (const Bytef *) data.data, body);

    (void) snprintf(want, sizeof(want), "crc32 %08x\n", (unsigned) crc);

    return memcmp(data.data + body, want, EMAGE_STUDY_INDEX_TAIL) == 0;
}


static bool
emage_study_index_line(emage_str_t *rest, emage_study_series_t *out)
{
    size_t    i;
    uint64_t  count;

    for (i = 0; i < rest->len && rest->data[i] != ' '; i++) { /* void */ }

    out->uid.data = rest->data;
    out->uid.len = i;

    if (i == rest->len || !emage_uid_valid(out->uid)) {
        return false;
    }

    count = 0;

    for (i++; i < rest->len && rest->data[i] != '\n'; i++) {
        if (rest->data[i] < '0' || rest->data[i] > '9') {
            return false;
        }

        count = count * 10 + (uint64_t) (rest->data[i] - '0');

        if (count > UINT32_MAX) {
            return false;
        }
    }

    if (i == rest->len || count == 0) {
        return false;
    }

    out->count = (uint32_t) count;

    rest->data += i + 1;
    rest->len -= i + 1;

    return true;
}


emage_rc_t
emage_study_index_parse(emage_str_t data, emage_study_series_t *series,
    uint32_t max, uint32_t *n, emage_error_t *err)
{
    size_t                head;
    uint32_t              count;
    emage_str_t           rest, prev;
    emage_study_series_t  line;

    *n = 0;
    head = sizeof(EMAGE_STUDY_INDEX_HEAD) - 1;

    if (data.len < head + EMAGE_STUDY_INDEX_TAIL
        || memcmp(data.data, EMAGE_STUDY_INDEX_HEAD, head) != 0)
    {
        emage_error_set(err, "study index: not an index, ingest again");
        return EMAGE_ERROR;
    }

    if (!emage_study_index_tail(data)) {
        emage_error_set(err, "study index: checksum differs: damaged");
        return EMAGE_ERROR;
    }

    rest.data = data.data + head;
    rest.len = data.len - head - EMAGE_STUDY_INDEX_TAIL;

    prev = emage_null_str;

    for (count = 0; rest.len != 0; count++) {

        if (!emage_study_index_line(&rest, &line)
            || (count > 0 && emage_str_cmp(prev, line.uid) >= 0))
        {
            emage_error_set(err, "study index: line %u is not sound",
                            count + 2);
            return EMAGE_ERROR;
        }

        prev = line.uid;

        if (series == NULL) {
            continue;
        }

        if (count == max) {
            emage_error_set(err, "study index: over %u series", max);
            return EMAGE_NOMEM;
        }

        series[count] = line;
    }

    *n = count;

    return EMAGE_OK;
}


emage_rc_t
emage_study_index_write(const emage_study_series_t *series, uint32_t n,
    emage_buf_t *out)
{
    char      tail[EMAGE_STUDY_INDEX_TAIL + 1];
    size_t    start;
    uint32_t  i, crc;

    start = out->len;

    (void) emage_buf_add_c(out, EMAGE_STUDY_INDEX_HEAD);

    for (i = 0; i < n; i++) {
        (void) emage_buf_add_str(out, series[i].uid);
        (void) emage_buf_add_c(out, " ");
        (void) emage_buf_add_int(out, series[i].count);
        (void) emage_buf_add_c(out, "\n");
    }

    if (out->failed) {
        return EMAGE_NOMEM;
    }

    crc = (uint32_t) crc32_z(0, (const Bytef *) out->data + start,
                             out->len - start);

    (void) snprintf(tail, sizeof(tail), "crc32 %08x\n", (unsigned) crc);

    return emage_buf_add_c(out, tail);
}
