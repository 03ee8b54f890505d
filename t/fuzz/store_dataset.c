
/*
 * Copyright (C) The e-mage authors
 *
 * Any bytes as a DICOM file: recognised, walked, cut into frames and turned
 * into JSON, as a worker does it.  The first byte chooses the encoding.
 */


#include <stdlib.h>
#include <string.h>

#include "../../dicom-store/attributes.c"
#include "../../dicom-store/charset.c"
#include "../../dicom-store/dataset.c"
#include "../../dicom-store/dataset_value.c"
#include "../../dicom-store/fragments.c"
#include "../../dicom-store/metadata.c"
#include "../../dicom-store/metadata_text.c"
#include "../../dicom-store/metadata_value.c"
#include "../../dicom-store/offsets.c"
#include "../../dicom-store/part10.c"

#include <jansson.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_index(const emage_dataset_t *ds, const emage_attributes_t *at)
{
    bool                     only;
    emage_buf_t              extra, out;
    emage_index_writer_t    *w;
    emage_index_instance_t   in;

    static const char *const  syntaxes[] = {
        "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.102"
    };

    memset(&in, 0, sizeof(in));

    in.uid = emage_str("1.2");
    in.sop_class = emage_str("1.2");
    in.transfer_syntax = emage_str_c(syntaxes[at->encapsulated
                                              + (at->rows & 1
                                                 && at->encapsulated)]);
    in.file_size = ds->len;

    emage_buf_init(&extra, 1 << 24);
    emage_buf_init(&out, 1 << 26);

    if (emage_index_writer_create(&w) != EMAGE_OK) {
        return;
    }

    if (emage_index_writer_instance(w, &in) == EMAGE_OK
        && emage_offsets_write(ds, at, in.transfer_syntax, w, &extra, &only,
                               NULL) == EMAGE_OK
        && emage_index_writer_extra(w, extra.len) == EMAGE_OK
        && emage_index_writer_finish(w, &out, NULL) == EMAGE_ERROR)
    {
        /* what the walker finds is sound for the reader, whatever the file */

        abort();
    }

    emage_index_writer_destroy(w);
    emage_buf_free(&extra);
    emage_buf_free(&out);
}


/* Every line is a tag and JSON, in UTF-8. */

static void
fuzz_lines(const emage_buf_t *text)
{
    char    *line, *end, *stop;
    json_t  *json;

    if (text->len == 0) {
        return;
    }

    line = text->data;
    stop = text->data + text->len;

    while (line != NULL && line < stop) {
        end = memchr(line, '\n', (size_t) (stop - line));

        if (end == NULL || end - line < 10) {
            abort();
        }

        json = json_loadb(line + 9, (size_t) (end - line - 9),
                          JSON_REJECT_DUPLICATES, NULL);

        if (json == NULL) {
            abort();
        }

        json_decref(json);
        line = end + 1;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    emage_buf_t         text;
    emage_part10_t      p10;
    emage_dataset_t     ds;
    emage_metadata_t    md;
    emage_attributes_t  at;

    if (size == 0) {
        return 0;
    }

    memset(&ds, 0, sizeof(ds));
    memset(&md, 0, sizeof(md));

    ds.data = data + 1;
    ds.len = size - 1;
    ds.encoding = (emage_encoding_t) (data[0] % 3);

    if (data[0] & 0x80) {

        if (emage_part10_read(ds.data, ds.len, &p10, NULL) != EMAGE_OK) {
            return 0;
        }

        ds.start = p10.dataset;
        ds.encoding = p10.encoding;
    }

    if (emage_attributes_read(&ds, &at, NULL) != EMAGE_OK) {
        return 0;
    }

    (void) emage_attributes_class(&at);

    if (ds.encoding == EMAGE_EXPLICIT_LE) {
        fuzz_index(&ds, &at);
    }

    if (emage_charset_create(&md.charset) != EMAGE_OK) {
        return 0;
    }

    md.dataset = &ds;
    md.bulk_uri = emage_str("/dicom-web/bulkdata/");

    emage_buf_init(&text, 1 << 26);

    if (emage_metadata_write(&md, &text, NULL) == EMAGE_OK) {
        fuzz_lines(&text);
    }

    emage_buf_free(&text);
    emage_charset_destroy(md.charset);

    return 0;
}
