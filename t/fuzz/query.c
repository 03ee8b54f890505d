
/*
 * Copyright (C) The e-mage authors
 *
 * A query and rows: the first byte is the level, the first line the query,
 * the rest the rows.  What is written is always JSON.
 */


#include <emage/query.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static bool
hash(void *data, emage_str_t name, emage_str_t value, char *hex)
{
    (void) data;
    (void) value;

    memset(hex, 'a', 32);

    return name.len > 0;
}


static void
check(emage_buf_t *out)
{
    json_t  *json;

    json = out->failed ? NULL : json_loadb(out->data, out->len,
                                           JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL) {
        abort();
    }

    json_decref(json);
    emage_buf_reset(out);
}


static void
list(emage_level_t level, emage_str_t text, const emage_query_t *q,
    emage_buf_t *out)
{
    uint32_t                i;
    emage_rows_t           *rows;
    emage_error_t           err;
    emage_overlay_t         overlay;
    const emage_row_t      *r[3];
    const emage_overlay_t  *o[3];

    if (emage_rows_parse(level, text, &rows, &err) != EMAGE_OK) {
        return;
    }

    emage_overlay_init(&overlay);
    (void) emage_overlay_number(&overlay, 0x00081190, "IS", 1);

    for (i = 0; i < rows->n; i++) {
        (void) emage_query_match(q, level, &rows->rows[i], &overlay);

        r[0] = r[1] = r[2] = &rows->rows[i];
        o[0] = o[1] = o[2] = &overlay;

        if (emage_query_write(q, level, r, o, out) == EMAGE_OK) {
            check(out);
        }
    }

    emage_rows_free(rows);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char          *text;
    size_t         pos;
    emage_str_t    raw, rest, uid;
    emage_buf_t    out;
    emage_error_t  err;
    emage_level_t  level;
    emage_query_t  q;
    const char    *line;

    if (size < 2) {
        return 0;
    }

    level = (emage_level_t) (data[0] % 3);

    raw.data = (const char *) data + 1;
    raw.len = size - 1;
    rest = emage_null_str;

    line = memchr(raw.data, '\n', raw.len);

    if (line != NULL) {
        rest.data = line + 1;
        rest.len = (size_t) (raw.data + raw.len - rest.data);
        raw.len = (size_t) (line - raw.data);
    }

    text = malloc(raw.len + 1);

    if (text == NULL) {
        return 0;
    }

    emage_buf_init(&out, 16 * 1024 * 1024);

    if (emage_query_parse(raw, level, text, &q, &err) == EMAGE_OK) {

        pos = 0;

        while (emage_query_uid(&q, 0x0020000D, &pos, &uid)) {
            if (!emage_uid_valid(uid)) {
                abort();
            }
        }

        if (emage_query_describe(&q, hash, NULL, &out) != EMAGE_OK) {
            abort();
        }

        check(&out);
        list(level, rest, &q, &out);
    }

    emage_buf_free(&out);
    free(text);

    return 0;
}
