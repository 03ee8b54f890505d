#!/usr/bin/perl

# Copyright (C) The e-mage authors

# Schemas in Cedar's JSON format: they mean what the same as text means.

use lib 't/lib';
use Test::Emage::Policy;

my %record = (type => 'Record');
my $long = { type => 'Long' };

my $schema = {
    N => {
        commonTypes => { T => { %record, attributes => { a => $long } } },
        entityTypes => {
            User => { memberOfTypes => [ 'Team' ], tags => { type => 'String' },
                shape => { %record, attributes => {
                    'a b' => { type => 'Boolean', required => $JSON::PP::false },
                    ip => { type => 'Extension', name => 'ipaddr' },
                    t => { type => 'T' },
                    us => { type => 'Set',
                        element => { type => 'Entity', name => 'User' } },
                    any => { type => 'EntityOrCommon', name => 'T' } } } },
            Team => { annotations => { doc => 'x' } },
            Doc => { shape => { type => 'T' } },
            Color => { enum => [ 'red' ] } },
        actions => {
            all => {}, none => { appliesTo => undef },
            'view it' => { memberOf => [ { id => 'all' },
                { id => 'none', type => 'N::Action' } ],
                appliesTo => { principalTypes => [ 'User' ],
                    resourceTypes => [ 'Doc', 'Color' ],
                    context => { %record, attributes => { n => $long } } } } }
    },
    '' => { entityTypes => {}, actions => {} }
};

spew("$dir/s.json", $json->encode($schema));

valid('every kind of attribute', 0, 'principal.ip.isLoopback()'
    . ' && principal.t.a == context.n && principal.us.contains(principal)'
    . ' && (if principal has "a b" then principal["a b"] else true)'
    . ' && principal.any.a == 1 && principal.hasTag("t")'
    . ' && principal.getTag("t") == "x"');
valid('optional without has', 1, 'principal["a b"]');
valid('shape that is a named type', 0, 'resource is N::Doc && resource.a > 1');
valid('wrong type', 1, 'principal.t.a == "x"');
valid('parents', 0, 'principal in N::Team::"t"');
valid('enumerated', 0, 'resource == N::Color::"red"');
valid('not enumerated', 1, 'resource == N::Color::"blue"');
valid('action groups', 0, 'action in N::Action::"all"'
    . ' && action in N::Action::"none"');

refused('no object', [], qr/^s\.json: namespace "": expected an object of/);
refused('unknown member', { '' => { entityTypes => {}, actions => {},
    zap => 1 } }, qr/a member that schemas do not have/);
refused('no actions', { '' => { entityTypes => {} } },
    qr/needs "entityTypes" and "actions"/);
refused('no name', { '' => { entityTypes => { 'A b' => {} },
    actions => {} } }, qr/^s\.json: entity type "A b": not a name/);
refused('open record', entity(shape => { %record, attributes => {},
    additionalAttributes => $JSON::PP::true }),
    qr/entity type "A": a record has "attributes", and no/);
refused('enum empty', entity(enum => []), qr/at least one id/);
refused('enum and shape', entity(enum => [ 'x' ], shape => $long),
    qr/a member that schemas do not have/);
refused('parent undeclared', entity(memberOfTypes => [ 'Z' ]),
    qr/no such entity type: "Z"/);
refused('shape that is none', entity(shape => $long),
    qr/the shape of an entity type must be a record/);
refused('no such extension', entity(shape => { %record, attributes => {
    a => { type => 'Extension', name => 'zip' } } }),
    qr/no such type: "zip"/);
refused('more than a name', entity(memberOfTypes => [ 'A]; entity B' ]),
    qr/expected the name of an entity type/);
refused('appliesTo by half', { '' => { entityTypes => { A => {} }, actions => {
    v => { appliesTo => { principalTypes => [ 'A' ] } } } } },
    qr/^s\.json: action "v": "appliesTo" needs/);

my $deep = $long;
$deep = { type => 'Set', element => $deep } for 1 .. 200;
refused('nested deep', entity(tags => $deep), qr/nested too deep/);

done_testing();

###############################################################################

sub entity {
    return { '' => { entityTypes => { A => { @_ } }, actions => {} } };
}

sub validate {
    my ($condition) = @_;

    spew("$dir/p.cedar", "permit (principal, action, resource)\n"
        . "when { $condition };\n");

    return tool('validate', '--policies', "$dir/p.cedar", '--schema',
        "$dir/s.json");
}

sub valid {
    my ($name, $want, $condition) = @_;

    my ($status, $out, $err) = validate($condition);

    is($status, $want, $name) or diag $err;
}

sub refused {
    my ($name, $schema, $want) = @_;

    spew("$dir/s.json", $json->encode($schema));

    my ($status, $out, $err) = validate('true');

    is($status, 2, "refused: $name");
    like($err, $want, 'says so');
}
