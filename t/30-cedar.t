#!/usr/bin/perl

# Copyright (C) The e-mage authors

# Cedar's public integration tests, through emage-policy: the hand-written
# ones all, of the generated corpus every fortieth ("make conformance" runs
# all).  Without the archive a few cases stand below.

use lib 't/lib';
use Test::Emage::Policy;
use Test::Emage::Conform;

my $archive = "$shared/cedar/cedar-integration-tests.tar.xz";

small();
checks();

SKIP: {
    skip 'no ../shared/cedar/cedar-integration-tests.tar.xz', 12
        unless -r $archive;

    # unpack what is run, no more: the archive holds 16000 files

    my @names = suite_names($archive);
    my @corpus = grep { m!corpus-tests/[0-9a-f]+\.json$! } sort @names;
    my $i = 0;

    @corpus = grep { $i++ % 40 == 0 } @corpus;

    my %run = map { s/\.json$//r => 1 } @corpus;

    my $root = suite_unpack($archive, $dir, grep {
        my ($stem) = m!^(.*corpus-tests/[0-9a-f]+)\.!;
        !m!/$! && (defined $stem ? $run{$stem} : 1) } @names);

    agree('hand-written tests', $root, sort glob("$root/tests/*/*.json"));
    agree('corpus', $root, map { "$dir/$_" } @corpus);
}

done_testing();

###############################################################################

sub agree {
    my ($name, $root, @files) = @_;

    my ($n, @differ) = suite_run($root, @files);

    diag("$name: $_") for @differ > 40 ? @differ[0 .. 39] : @differ;

    is($n->{$_}[0], $n->{$_}[1],
        "$name: $_ agree, $n->{$_}[0]/$n->{$_}[1]") for @suite_counts;
}

sub small {
    spew("$dir/s.cedarschema", <<'EOF');
entity Team;
entity User in [Team] { age: Long, nick?: String };
entity Doc { owner: User };
action read, write appliesTo {
    principal: [User], resource: [Doc], context: { ip?: ipaddr }
};
EOF

    spew("$dir/p.cedar", <<'EOF');
permit (principal in Team::"a", action == Action::"read", resource);
@id("owner")
permit (principal, action, resource) when { resource.owner == principal };
forbid (principal, action, resource)
when { context has ip && context.ip.isInRange(ip("10.0.0.0/8")) };
forbid (principal, action == Action::"write", resource)
when { principal.age + 9223372036854775807 < 0 };
EOF

    spew("$dir/e.json", <<'EOF');
[
 {"uid": {"type": "User", "id": "ann"}, "attrs": {"age": 30},
  "parents": [{"type": "Team", "id": "a"}]},
 {"uid": {"type": "User", "id": "bob"}, "attrs": {"age": -3}, "parents": []},
 {"uid": {"type": "Doc", "id": "d"},
  "attrs": {"owner": {"type": "User", "id": "bob"}}, "parents": []}
]
EOF

    my @requests = map {
        { principal => { type => 'User', id => $_->[0] },
          action => { type => 'Action', id => $_->[1] },
          resource => { type => 'Doc', id => 'd' },
          context => $_->[2] ? { ip => $_->[2] } : {} }
    } ([ 'ann', 'read' ], [ 'ann', 'write' ], [ 'bob', 'write' ],
       [ 'bob', 'read', '10.1.2.3' ], [ 'eve', 'read' ]);

    spew("$dir/r.json", $json->encode(\@requests));

    my ($status, $out, $err) = tool('validate', '--policies',
        "$dir/p.cedar", '--schema', "$dir/s.cedarschema");

    is($status, 0, 'small set is valid');
    is($err, '', 'and nothing is said of it');

    ($status, $out) = tool('authorize', '--policies', "$dir/p.cedar",
        '--schema', "$dir/s.cedarschema", '--entities', "$dir/e.json",
        '--requests', "$dir/r.json");

    is($status, 0, 'small set answers');
    is($out, <<'EOF', 'with decisions, reasons and errors');
{"decision":"allow","reason":["policy0"],"errors":[]}
{"decision":"deny","reason":[],"errors":["policy3"]}
{"decision":"allow","reason":["owner"],"errors":[]}
{"decision":"deny","reason":["policy2"],"errors":[]}
{"decision":"deny","reason":[],"errors":[]}
EOF

    spew("$dir/bad.cedar", "permit (principal, action, resource)\n"
        . "when { principal.nick == \"x\" };\n");

    ($status, $out, $err) = tool('validate', '--policies',
        "$dir/bad.cedar", '--schema', "$dir/s.cedarschema");

    is($status, 1, 'optional attribute without has');
    like($err, qr/^bad.cedar:2:8: attribute "nick" of User is optional/,
        'says where');

    spew("$dir/torn.cedar", "permit (principal, action resource);\n");

    ($status, $out, $err) = tool('validate', '--policies',
        "$dir/torn.cedar", '--schema', "$dir/s.cedarschema");

    is($status, 2, 'syntax error');
    like($err, qr/^torn.cedar:1:27: expected /, 'says where');

    ($status, $out, $err) = tool('validate');
    is($status, 2, 'wrong use');
}

# A directory as conf/policy is one: validation, lint, cases.

sub checks {
    my $d = "$dir/policy";

    mkdir $d or die "$d: $!";

    spew("$d/x.cedarschema", <<'EOF');
entity User { staff: Bool };
entity Doc { x?: Long };
action read appliesTo { principal: [User], resource: [Doc] };
EOF

    spew("$d/a.cedar", <<'EOF');
@id("staff")
@basis("art. 1")
permit (principal, action, resource) when { principal.staff };
EOF

    spew("$d/b.cedar", <<'EOF');
@id("all")
@basis("art. 2")
permit (principal, action, resource) when { resource has x };
@id("none")
forbid (principal == User::"mallory", action, resource);
EOF

    my $case = { name => 'staff may', decision => 'allow',
        reason => [ 'staff' ], errors => [],
        request => {
            principal => { type => 'User', id => 'ann' },
            action => { type => 'Action', id => 'read' },
            resource => { type => 'Doc', id => 'd' }, context => {} },
        entities => [ { uid => { type => 'User', id => 'ann' },
            attrs => { staff => JSON::PP::true }, parents => [] } ] };

    spew("$d/one.case.json", $json->encode([ $case ]));

    my ($status, $out, $err) = tool('check', $d);

    is($status, 0, 'check: fine') or diag $err;
    like($out, qr/^3 policies, 0 problems, 1 of 1 cases as expected/,
        'says what it did');
    like($out, qr/^no case reaches all\nno case reaches none$/m,
        'and what no case reached');

    $case->{reason} = [ 'all' ];
    spew("$d/one.case.json", $json->encode([ $case ]));

    ($status, $out, $err) = tool('check', $d);

    is($status, 1, 'right decision for the wrong reason');
    like($err, qr/^one.case.json: staff may: expected allow for all, got /,
        'is told');

    spew("$d/c.cedar", <<'EOF');
@id("staff")
permit (principal, action, resource) when { principal.stuff };
EOF

    ($status, $out, $err) = tool('check', $d);

    is($status, 1, 'problems');
    like($err, qr/^c\.cedar:2:45:\ User\ has\ no\ attribute\ "stuff".*\n
        \ {4}permit.*\n\ {48}\^$/mx, 'with line and caret');
    like($err, qr/^c\.cedar:2:1: another policy has the same \@id/m,
        'duplicate id');
    like($err, qr/^c\.cedar:2:1: this permit does not say what law/m,
        'no basis');

    spew("$d/c.cedar", "\@id(\"never\")\nforbid (principal, action, "
        . "resource)\nwhen { resource is User };\n\@id(\"team\")\n"
        . "forbid (principal is Doc, action, resource);\n");

    ($status, $out, $err) = tool('check', $d);

    is($status, 1, 'policies that nothing meets');
    like($err, qr/^c\.cedar:2:1:\ no\ request\ can\ ever\ meet\ this.*\n
        \ {4}forbid\ \(.*\n\ {4}\^$/mx, 'by its condition');
    like($err, qr/^c\.cedar:5:1: no action of the schema fits this scope; /m,
        'by its scope');

    spew("$d/c.cedar", "forbid (principal, action, resource)\n");

    ($status, $out, $err) = tool('check', $d);

    is($status, 1, 'syntax error');
    like($err, qr/^c\.cedar:2:1: expected ";" at the end of the policy, /,
        'and where');

    is((tool('check', "$dir/nowhere"))[0], 2, 'no such directory');
    is((tool('check'))[0], 2, 'no directory at all');
}
