/*
 * Copyright (C) The e-mage authors
 *
 * The table of functions and methods, and the extensions ip and decimal.
 */


#include "cedar_core.h"


#define CEDAR_FN(name, args, method, a0, a1, result)                         \
    { emage_str(name), args, method, { a0, a1 }, result }


static bool cedar_ip4_parse(emage_str_t s, uint8_t *bytes);
static bool cedar_ip6_parse(emage_str_t s, uint8_t *bytes);
static bool cedar_ip6_groups(emage_str_t s, uint16_t *group, uint32_t *n);
static bool cedar_ip_prefix(emage_str_t s, uint32_t max, uint8_t *prefix);


/* In the order of cedar_fn_t. */

static const cedar_fn_info_t  cedar_fns[CEDAR_FN_MAX] = {
    CEDAR_FN("", 0, false, 0, 0, 0),
    CEDAR_FN("contains", 2, true, 0, 0, 0),
    CEDAR_FN("containsAll", 2, true, 0, 0, 0),
    CEDAR_FN("containsAny", 2, true, 0, 0, 0),
    CEDAR_FN("isEmpty", 1, true, 0, 0, 0),
    CEDAR_FN("hasTag", 2, true, 0, 0, 0),
    CEDAR_FN("getTag", 2, true, 0, 0, 0),
    CEDAR_FN("ip", 1, false, CEDAR_STRING, 0, CEDAR_IP),
    CEDAR_FN("decimal", 1, false, CEDAR_STRING, 0, CEDAR_DECIMAL),
    CEDAR_FN("datetime", 1, false, CEDAR_STRING, 0, CEDAR_DATETIME),
    CEDAR_FN("duration", 1, false, CEDAR_STRING, 0, CEDAR_DURATION),
    CEDAR_FN("isIpv4", 1, true, CEDAR_IP, 0, CEDAR_BOOL),
    CEDAR_FN("isIpv6", 1, true, CEDAR_IP, 0, CEDAR_BOOL),
    CEDAR_FN("isLoopback", 1, true, CEDAR_IP, 0, CEDAR_BOOL),
    CEDAR_FN("isMulticast", 1, true, CEDAR_IP, 0, CEDAR_BOOL),
    CEDAR_FN("isInRange", 2, true, CEDAR_IP, CEDAR_IP, CEDAR_BOOL),
    CEDAR_FN("lessThan", 2, true, CEDAR_DECIMAL, CEDAR_DECIMAL, CEDAR_BOOL),
    CEDAR_FN("lessThanOrEqual", 2, true, CEDAR_DECIMAL, CEDAR_DECIMAL,
             CEDAR_BOOL),
    CEDAR_FN("greaterThan", 2, true, CEDAR_DECIMAL, CEDAR_DECIMAL,
             CEDAR_BOOL),
    CEDAR_FN("greaterThanOrEqual", 2, true, CEDAR_DECIMAL, CEDAR_DECIMAL,
             CEDAR_BOOL),
    CEDAR_FN("offset", 2, true, CEDAR_DATETIME, CEDAR_DURATION,
             CEDAR_DATETIME),
    CEDAR_FN("durationSince", 2, true, CEDAR_DATETIME, CEDAR_DATETIME,
             CEDAR_DURATION),
    CEDAR_FN("toDate", 1, true, CEDAR_DATETIME, 0, CEDAR_DATETIME),
    CEDAR_FN("toTime", 1, true, CEDAR_DATETIME, 0, CEDAR_DURATION),
    CEDAR_FN("toMilliseconds", 1, true, CEDAR_DURATION, 0, CEDAR_LONG),
    CEDAR_FN("toSeconds", 1, true, CEDAR_DURATION, 0, CEDAR_LONG),
    CEDAR_FN("toMinutes", 1, true, CEDAR_DURATION, 0, CEDAR_LONG),
    CEDAR_FN("toHours", 1, true, CEDAR_DURATION, 0, CEDAR_LONG),
    CEDAR_FN("toDays", 1, true, CEDAR_DURATION, 0, CEDAR_LONG)
};


const cedar_fn_info_t *
cedar_fn_info(cedar_fn_t fn)
{
    return &cedar_fns[fn];
}


cedar_fn_t
cedar_fn_find(emage_str_t name)
{
    cedar_fn_t  fn;

    for (fn = CEDAR_FN_NONE + 1; fn < CEDAR_FN_MAX; fn++) {
        if (emage_str_eq(cedar_fns[fn].name, name)) {
            return fn;
        }
    }

    return CEDAR_FN_NONE;
}


const char *
cedar_fn_construct(cedar_fn_t fn, emage_str_t text, cedar_arena_t *a,
    cedar_value_t *v)
{
    cedar_ip_t  *ip;

    *v = cedar_value(cedar_fns[fn].result);

    switch (fn) {

    case CEDAR_FN_IP:
        ip = cedar_alloc(a, sizeof(cedar_ip_t));
        if (ip == NULL) {
            return "out of scratch memory";
        }

        v->u.ip = ip;

        return cedar_ip_parse(text, ip) ? NULL
               : "not an address or range such as \"192.0.2.1\" or "
                 "\"2001:db8::/32\"";

    case CEDAR_FN_DECIMAL:
        return cedar_decimal_parse(text, &v->u.i) ? NULL
               : "not a decimal number such as \"-12.3456\", with one to "
                 "four digits behind the point";

    case CEDAR_FN_DATETIME:
        return cedar_datetime_parse(text, &v->u.i) ? NULL
               : "not a date such as \"2026-11-24\" or "
                 "\"2026-11-24T08:15:30.123Z\"";

    case CEDAR_FN_DURATION:
        return cedar_duration_parse(text, &v->u.i) ? NULL
               : "not a duration such as \"1d2h3m4s5ms\"";

    default:
        return "not a constructor";
    }
}


static bool
cedar_ip4_parse(emage_str_t s, uint8_t *bytes)
{
    size_t    i, digits;
    uint32_t  n, v;

    for (i = 0, n = 0; n < 4; n++) {

        if (n != 0 && (i >= s.len || s.data[i++] != '.')) {
            return false;
        }

        for (v = 0, digits = 0; i < s.len && s.data[i] >= '0'
             && s.data[i] <= '9'; i++, digits++)
        {
            /* no leading zeros: some read them as octal */

            if (digits == 3 || (digits != 0 && v == 0)) {
                return false;
            }

            v = v * 10 + (s.data[i] - '0');
        }

        if (digits == 0 || v > 255) {
            return false;
        }

        bytes[n] = v;
    }

    return i == s.len;
}


/* Colon-separated groups of one to four hex digits; none is fine. */

static bool
cedar_ip6_groups(emage_str_t s, uint16_t *group, uint32_t *n)
{
    int       d;
    char      c;
    size_t    i, digits;
    uint32_t  v;

    *n = 0;

    if (s.len == 0) {
        return true;
    }

    for (i = 0; /* void */ ; i++) {

        for (v = 0, digits = 0; i < s.len && s.data[i] != ':'; i++) {
            c = s.data[i];
            d = (c >= '0' && c <= '9') ? c - '0'
                : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                : (c >= 'A' && c <= 'F') ? c - 'A' + 10 : -1;

            if (d < 0 || ++digits > 4) {
                return false;
            }

            v = v * 16 + d;
        }

        if (digits == 0 || *n == 8) {
            return false;
        }

        group[(*n)++] = v;

        if (i == s.len) {
            return true;
        }
    }
}


static bool
cedar_ip6_parse(emage_str_t s, uint8_t *bytes)
{
    size_t       i, gap;
    uint16_t     head[8], tail[8], all[8];
    uint32_t     nh, nt, k;
    emage_str_t  left, right;

    gap = s.len;

    for (i = 0; i + 1 < s.len; i++) {
        if (s.data[i] == ':' && s.data[i + 1] == ':') {
            gap = i;
            break;
        }
    }

    left = (emage_str_t) { s.data, gap };
    right = (gap < s.len)
            ? (emage_str_t) { s.data + gap + 2, s.len - gap - 2 }
            : emage_null_str;

    if (!cedar_ip6_groups(left, head, &nh)
        || !cedar_ip6_groups(right, tail, &nt))
    {
        return false;
    }

    if (gap < s.len ? nh + nt > 7 : nh != 8) {
        return false;
    }

    memset(all, 0, sizeof(all));
    memcpy(all, head, nh * sizeof(uint16_t));
    memcpy(&all[8 - nt], tail, nt * sizeof(uint16_t));

    for (k = 0; k < 8; k++) {
        bytes[2 * k] = all[k] >> 8;
        bytes[2 * k + 1] = all[k] & 0xff;
    }

    return true;
}


static bool
cedar_ip_prefix(emage_str_t s, uint32_t max, uint8_t *prefix)
{
    size_t    i;
    uint32_t  v;

    if (s.len == 0 || s.len > 3 || (s.data[0] == '0' && s.len != 1)) {
        return false;
    }

    for (i = 0, v = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }

        v = v * 10 + (s.data[i] - '0');
    }

    *prefix = v;

    return v <= max;
}


bool
cedar_ip_parse(emage_str_t s, cedar_ip_t *ip)
{
    const char   *slash;
    emage_str_t   addr;

    memset(ip, 0, sizeof(cedar_ip_t));

    if (s.len == 0 || s.len > 43) {
        return false;
    }

    slash = memchr(s.data, '/', s.len);
    addr.data = s.data;
    addr.len = (slash == NULL) ? s.len : (size_t) (slash - s.data);

    ip->v6 = (memchr(addr.data, ':', addr.len) != NULL);
    ip->prefix = ip->v6 ? 128 : 32;

    if (ip->v6 ? !cedar_ip6_parse(addr, ip->bytes)
        : !cedar_ip4_parse(addr, ip->bytes))
    {
        return false;
    }

    if (slash == NULL) {
        return true;
    }

    addr.data = slash + 1;
    addr.len = s.len - (slash + 1 - s.data);

    return cedar_ip_prefix(addr, ip->v6 ? 128 : 32, &ip->prefix);
}


bool
cedar_ip_loopback(const cedar_ip_t *ip)
{
    static const uint8_t  one[16] = { [15] = 1 };

    if (ip->v6) {
        return memcmp(ip->bytes, one, 16) == 0 && ip->prefix == 128;
    }

    return ip->bytes[0] == 127 && ip->prefix >= 8;
}


bool
cedar_ip_multicast(const cedar_ip_t *ip)
{
    if (ip->v6) {
        return ip->bytes[0] == 0xff && ip->prefix >= 8;
    }

    return (ip->bytes[0] & 0xf0) == 0xe0 && ip->prefix >= 4;
}


bool
cedar_ip_in_range(const cedar_ip_t *ip, const cedar_ip_t *range)
{
    uint32_t  whole, rest;

    if (ip->v6 != range->v6 || ip->prefix < range->prefix) {
        return false;
    }

    whole = range->prefix / 8;
    rest = range->prefix % 8;

    if (memcmp(ip->bytes, range->bytes, whole) != 0) {
        return false;
    }

    return rest == 0
           || ((ip->bytes[whole] ^ range->bytes[whole]) >> (8 - rest)) == 0;
}


bool
cedar_decimal_parse(emage_str_t s, int64_t *v)
{
    bool     neg;
    size_t   i, digits;
    int64_t  n;

    neg = (s.len != 0 && s.data[0] == '-');
    i = neg;
    n = 0;
    digits = 0;

    for ( /* void */ ; i < s.len && s.data[i] != '.'; i++, digits++) {

        /* counted down, so that the smallest number can be read */

        if (s.data[i] < '0' || s.data[i] > '9'
            || __builtin_mul_overflow(n, 10, &n)
            || __builtin_sub_overflow(n, s.data[i] - '0', &n))
        {
            return false;
        }
    }

    if (digits == 0 || i == s.len || s.len - i - 1 == 0
        || s.len - i - 1 > 4)
    {
        return false;
    }

    for (i++, digits = 0; digits < 4; digits++) {
        if (__builtin_mul_overflow(n, 10, &n)) {
            return false;
        }

        if (i == s.len) {
            continue;
        }

        if (s.data[i] < '0' || s.data[i] > '9'
            || __builtin_sub_overflow(n, s.data[i] - '0', &n))
        {
            return false;
        }

        i++;
    }

    *v = n;

    return neg || !__builtin_sub_overflow((int64_t) 0, n, v);
}
