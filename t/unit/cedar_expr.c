/*
 * Copyright (C) The e-mage authors
 *
 * Expressions: each is the condition of one policy, and is true, false, an
 * error when evaluated, or no Cedar at all.
 */


#include <emage/cedar.h>

#include "tap.h"


typedef struct {
    char         want;               /* t, f, e: error, x: refused */
    const char  *text;
} expr_case_t;


static const expr_case_t  cases[] = {

    /* logic: only what is needed is evaluated */

    { 't', "true" },
    { 'f', "false" },
    { 'e', "1" },
    { 't', "true || 1" },
    { 'f', "false && 1" },
    { 'e', "1 && true" },
    { 'e', "true && 1" },
    { 't', "!false" },
    { 't', "!!true" },
    { 'x', "!!!!!true" },
    { 't', "if true then true else 1" },
    { 'e', "if 1 then true else false" },
    { 'x', "true && if true then true else false" },
    { 't', "true && (if false then 1 else true)" },
    { 't', "false || false || true" },
    { 't', "true || false && false" },

    /* numbers */

    { 't', "1 + 2 * 3 == 7" },
    { 't', "(1 + 2) * 3 == 9" },
    { 't', "7 - 2 - 1 == 4" },
    { 't', "-9223372036854775808 < 9223372036854775807" },
    { 'x', "9223372036854775808 == 1" },
    { 'x', "-(9223372036854775808) == 1" },
    { 'e', "--9223372036854775808 == 1" },
    { 'e', "9223372036854775807 + 1 == 0" },
    { 'e', "-9223372036854775808 - 1 == 0" },
    { 'e', "9223372036854775807 * 2 == 0" },
    { 't', "---1 == -1" },
    { 'x', "-----1 == -1" },
    { 'e', "1 + \"a\" == 1" },
    { 't', "1 <= 1 && 1 >= 1 && !(1 < 1) && !(1 > 1)" },
    { 'x', "1 < 2 < 3" },
    { 'e', "\"a\" < \"b\"" },
    { 'x', "1 / 2 == 0" },

    /* equality never fails */

    { 'f', "1 == \"1\"" },
    { 't', "1 != true" },
    { 't', "[1, 2, 2] == [2, 1]" },
    { 't', "[[1], []] == [[], [1]]" },
    { 't', "{a: 1, \"b\": [2]} == {b: [2], a: 1}" },
    { 'f', "{a: 1} == {a: 1, b: 1}" },
    { 'x', "{a: 1, a: 2} == {}" },
    { 't', "principal == User::\"ann\"" },
    { 'f', "principal == Doc::\"ann\"" },

    /* strings and patterns */

    { 't', "\"\\u{e9}\\n\\t\\\\\\\"\\x41\" like \"*A\"" },
    { 'x', "\"\\q\" == \"q\"" },
    { 'x', "\"\\x80\" == \"\"" },
    { 'x', "\"\\u{d800}\" == \"\"" },
    { 'x', "\"\\*\" == \"*\"" },
    { 't', "\"a*c\" like \"a\\*c\"" },
    { 'f', "\"abc\" like \"a\\*c\"" },
    { 't', "\"abcabc\" like \"a*bc\"" },
    { 't', "\"abcabc\" like \"*ca*\"" },
    { 'f', "\"aba\" like \"ab*ba\"" },
    { 't', "\"\" like \"*\"" },
    { 't', "\"aaa\" like \"*a*a*a*\"" },
    { 'f', "\"aa\" like \"*a*a*a*\"" },
    { 'f', "\"ab\" like \"a\"" },
    { 'e', "1 like \"*\"" },

    /* attributes */

    { 't', "principal.n == 5" },
    { 't', "principal[\"n\"] == 5" },
    { 'e', "principal.nope == 5" },
    { 'e', "User::\"bob\".n == 5" },
    { 'f', "User::\"bob\" has n" },
    { 't', "principal has n" },
    { 'f', "principal has nope" },
    { 't', "principal has rec.a" },
    { 'f', "principal has rec.a2.b" },
    { 'e', "principal has n.b" },
    { 't', "context has deep.a.b && context.deep.a.b == 1" },
    { 'f', "context has deep.x.b" },
    { 'e', "1 has a" },
    { 't', "context has \"k\"" },
    { 'x', "context has if" },
    { 'x', "context.true" },
    { 't', "{a: {b: 2}}.a.b == 2" },

    /* sets */

    { 't', "principal.set.contains(\"x\")" },
    { 'f', "principal.set.contains(1)" },
    { 't', "principal.set.containsAll([\"y\", \"x\"])" },
    { 't', "principal.set.containsAll([])" },
    { 'f', "principal.set.containsAll([\"x\", \"z\"])" },
    { 't', "principal.set.containsAny([\"z\", \"x\"])" },
    { 'f', "principal.set.containsAny([])" },
    { 't', "[].isEmpty()" },
    { 'f', "principal.set.isEmpty()" },
    { 'e', "1.contains(1)" },
    { 'e', "[1].containsAll(1)" },
    { 'x', "[1].contains()" },
    { 'x', "contains([1], 1)" },
    { 'x', "[1].nope(1)" },
    { 't', "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18].contains(17)" },

    /* entities */

    { 't', "principal in Team::\"a\"" },
    { 't', "principal in Team::\"all\"" },
    { 't', "principal in User::\"ann\"" },
    { 'f', "principal in Team::\"b\"" },
    { 't', "principal in [Team::\"b\", Team::\"all\"]" },
    { 'f', "principal in []" },
    { 'e', "principal in [Team::\"a\", 1]" },
    { 'e', "principal in 1" },
    { 'e', "1 in principal" },
    { 't', "principal is User" },
    { 'f', "principal is Team" },
    { 't', "principal is User in Team::\"a\"" },
    { 'f', "principal is Team in 1" },
    { 'e', "1 is User" },
    { 't', "action in Action::\"look\"" },
    { 'f', "action in Action::\"write\"" },
    { 't', "principal.hasTag(\"t1\") && principal.getTag(\"t1\") == \"v\"" },
    { 'f', "principal.hasTag(\"t2\")" },
    { 'e', "principal.getTag(\"t2\") == \"v\"" },
    { 'e', "User::\"bob\".getTag(\"t1\") == \"v\"" },
    { 'f', "User::\"bob\".hasTag(\"t1\")" },
    { 'e', "principal.hasTag(1)" },

    /* ip */

    { 't', "principal.ip == ip(\"10.1.2.3\")" },
    { 'f', "principal.ip == ip(\"10.1.2.3/24\")" },
    { 't', "principal.ip.isInRange(ip(\"10.0.0.0/8\"))" },
    { 'f', "ip(\"10.0.0.0/8\").isInRange(principal.ip)" },
    { 't', "ip(\"::1\").isLoopback() && ip(\"127.9.9.9/8\").isLoopback()" },
    { 'f', "ip(\"127.0.0.0/7\").isLoopback()" },
    { 't', "ip(\"ff00::/8\").isMulticast()" },
    { 'f', "ip(\"0.0.0.0/0\").isMulticast()" },
    { 't', "ip(\"2001:DB8::1\").isIpv6()" },
    { 'f', "ip(\"2001:db8::1\").isIpv4()" },
    { 't', "ip(\"1:2:3:4:5:6:7::\") == ip(\"1:2:3:4:5:6:7:0\")" },
    { 'e', "ip(\"1:2:3:4:5:6:7:8::\").isIpv6()" },
    { 'e', "ip(\"1::2::3\").isIpv6()" },
    { 'e', "ip(\"::ffff:1.2.3.4\").isIpv6()" },
    { 'e', "ip(\"1.2.3\").isIpv4()" },
    { 'e', "ip(\"01.2.3.4\").isIpv4()" },
    { 'e', "ip(\"1.2.3.256\").isIpv4()" },
    { 'e', "ip(\"1.2.3.4/33\").isIpv4()" },
    { 'e', "ip(\"1.2.3.4/08\").isIpv4()" },
    { 'e', "ip(\"1.2.3.4/\").isIpv4()" },
    { 'e', "ip(principal.s).isIpv4()" },
    { 'e', "ip() == ip(\"::\")" },

    /* decimal */

    { 't', "decimal(\"1.5\") == decimal(\"1.5000\")" },
    { 't', "decimal(\"-0.5\").lessThan(decimal(\"0.0\"))" },
    { 't', "decimal(\"1.5\").lessThanOrEqual(decimal(\"1.5\"))" },
    { 't', "principal.d.greaterThan(decimal(\"1.2344\"))" },
    { 't', "principal.d.greaterThanOrEqual(decimal(\"1.2345\"))" },
    { 't', "decimal(\"-922337203685477.5808\") != decimal(\"0.0\")" },
    { 'e', "decimal(\"922337203685477.5808\") != decimal(\"0.0\")" },
    { 'e', "decimal(\"1\") == decimal(\"1.0\")" },
    { 'e', "decimal(\"1.\") == decimal(\"1.0\")" },
    { 'e', "decimal(\".5\") == decimal(\"0.5\")" },
    { 'e', "decimal(\"1.23456\") == decimal(\"1.0\")" },
    { 'e', "decimal(\"+1.0\") == decimal(\"1.0\")" },
    { 'e', "decimal(\"1.0\") < decimal(\"2.0\")" },

    /* datetime and duration */

    { 't', "datetime(\"1970-01-01\").toTime() == duration(\"0ms\")" },
    { 't', "datetime(\"2024-02-29T12:00:00Z\") > datetime(\"2024-02-29\")" },
    { 'e', "datetime(\"2023-02-29\") == datetime(\"2023-03-01\")" },
    { 't', "datetime(\"2024-01-01T00:00:00.123+0100\") "
           "== datetime(\"2023-12-31T23:00:00.123Z\")" },
    { 'e', "datetime(\"2024-01-01T24:00:00Z\") == datetime(\"2024-01-02\")" },
    { 'e', "datetime(\"2024-01-01T00:00:00\") == datetime(\"2024-01-01\")" },
    { 'e', "datetime(\"2024-1-1\") == datetime(\"2024-01-01\")" },
    { 'e', "datetime(\"2024-01-01T00:00:00+2400\") "
           "== datetime(\"2024-01-01\")" },
    { 't', "datetime(\"1969-12-31T23:59:59.999Z\").toDate() "
           "== datetime(\"1969-12-31\")" },
    { 't', "datetime(\"1969-12-31T23:00:00Z\").toTime() "
           "== duration(\"23h\")" },
    { 't', "datetime(\"2024-01-01\").offset(duration(\"-1d\")) "
           "== datetime(\"2023-12-31\")" },
    { 't', "datetime(\"2024-01-02\").durationSince(datetime(\"2024-01-01\"))"
           " == duration(\"1d\")" },
    { 't', "duration(\"1d2h3m4s5ms\").toMilliseconds() == 93784005" },
    { 't', "duration(\"-90s\").toMinutes() == -1" },
    { 't', "duration(\"36h\").toDays() == 1" },
    { 't', "duration(\"1h\").toSeconds() == 3600" },
    { 't', "duration(\"90m\").toHours() == 1" },
    { 'e', "duration(\"2h1d\") == duration(\"26h\")" },
    { 'e', "duration(\"\") == duration(\"0s\")" },
    { 'e', "duration(\"1\") == duration(\"1s\")" },
    { 'e', "duration(\"1d1d\") == duration(\"2d\")" },
    { 't', "duration(\"-9223372036854775808ms\") < duration(\"0s\")" },
    { 'e', "duration(\"9223372036854775808ms\") > duration(\"0s\")" },
    { 't', "principal.dt < datetime(\"2100-01-01\")" },
    { 't', "principal.du == duration(\"1s\")" },
    { 'e', "principal.dt < principal.du" },
    { 'e', "datetime(\"2024-01-01\").offset(duration("
           "\"9223372036854775807ms\")) > principal.dt" },

    /* words */

    { 'x', "nope" },
    { 'x', "nope(1)" },
    { 'x', "principal(1)" },
    { 'x', "User" },
    { 'x', "" },
    { 'x', "true true" },
    { 'x', "[1, 2" },
    { 'x', "\"abc" },
    { 'x', "principal." },
    { 'x', "?principal == principal" },
    { 'x', "__cedar::User::\"a\" == principal" },
    { 'x', "true && && true" },
    { 'x', "1 = 1" },
    { 't', "[1, 2,].contains(2) // a comment" },
};


static const char  schema[] =
    "entity Team in [Team]; entity User in [Team]; entity Doc;"
    "action look, write; action read in look appliesTo "
    "{ principal: User, resource: Doc };";


static void
build(cedar_set_t *set, cedar_request_t *req)
{
    emage_str_t      xs[] = { emage_str("y"), emage_str("x"),
                              emage_str("y") };
    cedar_record_t  *rec, *in;
    cedar_symbol_t   user, team;

    user = cedar_set_symbol(set, emage_str("User"));
    team = cedar_set_symbol(set, emage_str("Team"));

    cedar_request_principal(req, user, emage_str("ann"));
    cedar_request_action(req, cedar_set_symbol(set, emage_str("Action")),
                         emage_str("read"));
    cedar_request_resource(req, cedar_set_symbol(set, emage_str("Doc")),
                           emage_str("d"));

    rec = cedar_request_entity(req, user, emage_str("ann"));
    cedar_request_parent(rec, team, emage_str("a"));
    cedar_record_long(rec, cedar_set_symbol(set, emage_str("n")), 5);
    cedar_record_string(rec, cedar_set_symbol(set, emage_str("s")),
                        emage_str("text"));
    cedar_record_strings(rec, cedar_set_symbol(set, emage_str("set")), xs, 3);
    cedar_record_ip(rec, cedar_set_symbol(set, emage_str("ip")),
                    emage_str("10.1.2.3"));
    cedar_record_decimal(rec, cedar_set_symbol(set, emage_str("d")), 12345);
    cedar_record_datetime(rec, cedar_set_symbol(set, emage_str("dt")),
                          1700000000000);
    cedar_record_duration(rec, cedar_set_symbol(set, emage_str("du")), 1000);

    in = cedar_record_record(rec, cedar_set_symbol(set, emage_str("rec")));
    cedar_record_long(in, cedar_set_symbol(set, emage_str("a")), 1);

    cedar_record_string(cedar_request_tags(rec),
                        cedar_set_symbol(set, emage_str("t1")),
                        emage_str("v"));

    rec = cedar_request_entity(req, team, emage_str("a"));
    cedar_request_parent(rec, team, emage_str("all"));

    /* a circle is walked once */

    rec = cedar_request_entity(req, team, emage_str("all"));
    cedar_request_parent(rec, team, emage_str("a"));

    rec = cedar_request_context(req);
    cedar_record_string(rec, cedar_set_symbol(set, emage_str("k")),
                        emage_str("v"));
    in = cedar_record_record(rec, cedar_set_symbol(set, emage_str("deep")));
    in = cedar_record_record(in, cedar_set_symbol(set, emage_str("a")));
    cedar_record_long(in, cedar_set_symbol(set, emage_str("b")), 1);
}


static const char *
outcome(const char *expr)
{
    char              text[512];
    emage_rc_t        rc;
    cedar_set_t      *set;
    const char       *r;
    emage_error_t     err;
    cedar_result_t    result;
    cedar_request_t  *req;

    static uint64_t   block[1024], scratch[1024];

    snprintf(text, sizeof(text),
             "permit (principal, action, resource) when { %s\n};", expr);

    if (cedar_set_create(&set, NULL, &err) != EMAGE_OK) {
        return "no memory";
    }

    rc = cedar_set_add_schema(set, emage_str("s"), emage_str_c(schema), &err);

    if (rc == EMAGE_OK) {
        rc = cedar_set_add_policies(set, emage_str("p"), emage_str_c(text),
                                    &err);
    }

    if (rc != EMAGE_OK) {
        cedar_set_destroy(set);
        return (rc == EMAGE_ERROR) ? "x" : "no memory";
    }

    req = cedar_request_create(set, block, sizeof(block));
    build(set, req);

    r = "?";

    if (cedar_set_finish(set, &err) == EMAGE_OK
        && cedar_decide(set, req, NULL, scratch, sizeof(scratch), &result)
           == EMAGE_OK)
    {
        r = (result.errors_n != 0) ? "e"
            : (result.decision == CEDAR_ALLOW) ? "t" : "f";

        if ((result.errors_n != 0)
            != (cedar_explain(set, 0, req, NULL, scratch,
                              sizeof(scratch))[0] != '\0'))
        {
            r = "not explained";
        }
    }

    cedar_set_destroy(set);

    return r;
}


int
main(void)
{
    char    want[2];
    size_t  i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        want[0] = cases[i].want;
        want[1] = '\0';

        tap_is_str(outcome(cases[i].text), want, "%s", cases[i].text);
    }

    return tap_done();
}
