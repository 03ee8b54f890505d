
/*
 * Copyright (C) The e-mage authors
 *
 * The last answers, by their whole question.
 */


#include "policy_core.h"

#include <string.h>


emage_memo_t *
emage_memo_slot(emage_memo_t *memo, const emage_question_t *q)
{
    size_t    i, len;
    uint64_t  h, word;

    _Static_assert(sizeof(emage_small_t) == 2 * sizeof(uint64_t),
                   "every byte of it is compared");

    memcpy(&word, &q->small, sizeof(word));
    h = word * 0x9e3779b97f4a7c15ull;

    memcpy(&word, (const char *) &q->small + sizeof(word), sizeof(word));
    h = (h ^ word) * 0x9e3779b97f4a7c15ull;

    len = 0;

    for (i = 0; i < EMAGE_QUESTION_STRINGS; i++) {

        if (q->string[i].len > EMAGE_MEMO_TEXT - len) {
            return NULL;
        }

        len += q->string[i].len;

        /* the ends of ids differ: they spread well enough over the slots */

        word = q->string[i].len;

        if (q->string[i].len >= sizeof(word)) {
            memcpy(&word, q->string[i].data + q->string[i].len - sizeof(word),
                   sizeof(word));
        }

        h = (h ^ word ^ h >> 29) * 0x9e3779b97f4a7c15ull;
    }

    return &memo[(h >> 32) & (EMAGE_MEMO_SLOTS - 1)];
}


bool
emage_memo_holds(const emage_memo_t *slot, const emage_question_t *q)
{
    size_t       i;
    const char  *p;

    if (!slot->used
        || memcmp(&slot->small, &q->small, sizeof(emage_small_t)) != 0)
    {
        return false;
    }

    p = slot->text;

    for (i = 0; i < EMAGE_QUESTION_STRINGS; i++) {

        if (!emage_str_eq((emage_str_t) { p, slot->len[i] }, q->string[i])) {
            return false;
        }

        p += slot->len[i];
    }

    return true;
}


void
emage_memo_keep(emage_memo_t *slot, const emage_question_t *q,
    const emage_answer_t *answer)
{
    char    *p;
    size_t   i;

    slot->used = false;
    slot->small = q->small;

    p = slot->text;

    for (i = 0; i < EMAGE_QUESTION_STRINGS; i++) {
        slot->len[i] = (uint16_t) q->string[i].len;

        if (q->string[i].len > 0) {
            memcpy(p, q->string[i].data, q->string[i].len);
            p += q->string[i].len;
        }
    }

    slot->answer = *answer;
    slot->used = true;
}
