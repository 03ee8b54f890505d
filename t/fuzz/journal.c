
/*
 * Copyright (C) The e-mage authors
 *
 * A hostile file against the reader, and hostile bytes in a record: what was
 * sealed always reads back.
 */


#include <journal_core.h>

#include <stdlib.h>
#include <string.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    emage_str_t              s = { (const char *) data, size };
    emage_buf_t              body, out;
    emage_chain_t            chain;
    emage_journal_reader_t   reader;

    emage_journal_reader_init(&reader);
    (void) emage_journal_reader_line(&reader, s, NULL);

    emage_buf_init(&body, EMAGE_JOURNAL_LINE_MAX);
    emage_buf_init(&out, EMAGE_JOURNAL_LINE_MAX);
    emage_chain_init(&chain);

    if (emage_journal_open_body(&body, "access", s, s, (int64_t) size)
        == EMAGE_OK
        && emage_chain_seal(&chain, (emage_str_t) { body.data, body.len },
                            &out) == EMAGE_OK
        && emage_journal_reader_line(&reader, (emage_str_t) { out.data,
                                     out.len - 1 }, NULL) != EMAGE_OK
        && reader.line == 0)
    {
        abort();
    }

    emage_buf_free(&body);
    emage_buf_free(&out);

    return 0;
}
