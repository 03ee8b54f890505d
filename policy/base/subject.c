
/*
 * Copyright (C) The e-mage authors
 *
 * Names of subject kinds, and a subject flattened for shared memory.
 */


#include <emage/subject.h>

#include <string.h>


/*
 * The packed form: version, kind, number of teams (a byte each), expires (8
 * bytes), then every string as a length of 2 bytes and its bytes, in the order
 * of the structure.  Numbers in host order: it never leaves the machine.
 */

#define EMAGE_SUBJECT_PACKED   1
#define EMAGE_SUBJECT_HEADER   (3 + sizeof(int64_t))
#define EMAGE_SUBJECT_STRINGS  7


static const emage_str_t  emage_subject_kinds[] = {
    emage_str("none"),
    emage_str("professional"),
    emage_str("patient"),
    emage_str("representative"),
    emage_str("support"),
    emage_str("officer"),
    emage_str("system")
};

#define EMAGE_SUBJECT_KINDS                                                   \
    (sizeof(emage_subject_kinds) / sizeof(emage_subject_kinds[0]))


static void emage_subject_strings(emage_subject_t *subject,
    emage_str_t *strings[EMAGE_SUBJECT_STRINGS]);


emage_str_t
emage_subject_kind_name(emage_subject_kind_t kind)
{
    if ((size_t) kind >= EMAGE_SUBJECT_KINDS) {
        return emage_subject_kinds[EMAGE_SUBJECT_NONE];
    }

    return emage_subject_kinds[kind];
}


emage_subject_kind_t
emage_subject_kind_parse(emage_str_t name)
{
    size_t  i;

    for (i = 1; i < EMAGE_SUBJECT_KINDS; i++) {
        if (emage_str_eq(name, emage_subject_kinds[i])) {
            return (emage_subject_kind_t) i;
        }
    }

    return EMAGE_SUBJECT_NONE;
}


static void
emage_subject_strings(emage_subject_t *subject,
    emage_str_t *strings[EMAGE_SUBJECT_STRINGS])
{
    strings[0] = &subject->issuer;
    strings[1] = &subject->id;
    strings[2] = &subject->profession;
    strings[3] = &subject->organisation;
    strings[4] = &subject->purpose;
    strings[5] = &subject->acr;
    strings[6] = &subject->session;
}


size_t
emage_subject_pack(const emage_subject_t *subject, void *dst, size_t size)
{
    char             *p;
    size_t            need;
    uint16_t          len;
    uint32_t          i, n;
    emage_str_t       s;
    emage_str_t      *strings[EMAGE_SUBJECT_STRINGS];
    emage_subject_t   copy;

    if ((size_t) subject->kind >= EMAGE_SUBJECT_KINDS
        || subject->nteams > EMAGE_SUBJECT_TEAMS_MAX)
    {
        return 0;
    }

    copy = *subject;
    emage_subject_strings(&copy, strings);

    if (size > EMAGE_SUBJECT_MAX) {
        size = EMAGE_SUBJECT_MAX;
    }

    need = EMAGE_SUBJECT_HEADER;

    if (size < need) {
        return 0;
    }

    p = dst;

    p[0] = EMAGE_SUBJECT_PACKED;
    p[1] = (char) subject->kind;
    p[2] = (char) subject->nteams;
    memcpy(p + 3, &subject->expires, sizeof(int64_t));

    n = EMAGE_SUBJECT_STRINGS + subject->nteams;

    for (i = 0; i < n; i++) {

        s = (i < EMAGE_SUBJECT_STRINGS)
            ? *strings[i] : subject->teams[i - EMAGE_SUBJECT_STRINGS];

        if (s.len > size - need || size - need - s.len < sizeof(len)) {
            return 0;
        }

        len = (uint16_t) s.len;
        memcpy(p + need, &len, sizeof(len));
        need += sizeof(len);

        if (s.len > 0) {
            memcpy(p + need, s.data, s.len);
            need += s.len;
        }
    }

    return need;
}


emage_rc_t
emage_subject_unpack(const void *src, size_t len, emage_subject_t *out)
{
    size_t        pos;
    uint16_t      n;
    uint32_t      i, count;
    const char   *p;
    emage_str_t  *s;
    emage_str_t  *strings[EMAGE_SUBJECT_STRINGS];

    memset(out, 0, sizeof(emage_subject_t));

    p = src;

    if (len < EMAGE_SUBJECT_HEADER || len > EMAGE_SUBJECT_MAX
        || p[0] != EMAGE_SUBJECT_PACKED
        || (unsigned char) p[1] >= EMAGE_SUBJECT_KINDS
        || (unsigned char) p[2] > EMAGE_SUBJECT_TEAMS_MAX)
    {
        return EMAGE_ERROR;
    }

    emage_subject_strings(out, strings);

    pos = EMAGE_SUBJECT_HEADER;
    count = EMAGE_SUBJECT_STRINGS + (unsigned char) p[2];

    for (i = 0; i < count; i++) {

        if (len - pos < sizeof(n)) {
            goto damaged;
        }

        memcpy(&n, p + pos, sizeof(n));
        pos += sizeof(n);

        if (n > len - pos) {
            goto damaged;
        }

        s = (i < EMAGE_SUBJECT_STRINGS)
            ? strings[i] : &out->teams[i - EMAGE_SUBJECT_STRINGS];

        s->data = p + pos;
        s->len = n;
        pos += n;
    }

    if (pos != len) {
        goto damaged;
    }

    memcpy(&out->expires, p + 3, sizeof(int64_t));
    out->nteams = (unsigned char) p[2];
    out->kind = (emage_subject_kind_t) p[1];

    return EMAGE_OK;

damaged:

    memset(out, 0, sizeof(emage_subject_t));

    return EMAGE_ERROR;
}
