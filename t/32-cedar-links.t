#!/usr/bin/perl

# Copyright (C) The e-mage authors

# Templates and their links: what Cedar 4.13 links, refuses and decides.

use lib 't/lib';
use Test::Emage::Policy;

spew("$dir/s.cedarschema", <<'EOS');
entity Team; entity User in [Team] { age: Long };
entity Folder; entity Doc in [Folder]; entity Color enum ["red"];
action view appliesTo { principal: [User], resource: [Doc] };
EOS

spew("$dir/e.json", '[
    {"uid": {"type": "User", "id": "ann"}, "attrs": {"age": 3},
     "parents": [{"type": "Team", "id": "t"}]},
    {"uid": {"type": "Doc", "id": "d"}, "attrs": {},
     "parents": [{"type": "Folder", "id": "f"}]}]');

spew("$dir/r.json", $json->encode([ map { {
    principal => { type => 'User', id => $_ },
    action => { type => 'Action', id => 'view' },
    resource => { type => 'Doc', id => 'd' }, context => {} } }
    qw/ ann bob / ]));

my $both = '@id("t") permit (principal == ?principal, action,'
    . ' resource in ?resource);';

my %ann = ('?principal' => 'User::"ann"');
my %folder = ('?resource' => { type => 'Folder', id => 'f' });

links('a template alone decides nothing', $both, [], '', '');
links('linked', $both, [ [ t => l => { %ann, %folder } ] ], 'l', '');
links('two links', $both, [ [ t => l => { %ann, %folder } ],
    [ t => m => { %folder, '?principal' => 'User::"bob"' } ] ], 'l', 'm');
links('is in', '@id("t") permit (principal is User in ?principal, action,'
    . ' resource);', [ [ t => l => { '?principal' => 'Team::"t"' } ] ],
    'l', '');
links('is in another', '@id("t") permit (principal is User in ?principal,'
    . ' action, resource);', [ [ t => l => { '?principal' => 'Team::"u"' } ] ],
    '', '');
links('names count on', 'permit (principal == ?principal, action, resource);'
    . 'permit (principal == User::"bob", action, resource);',
    [ [ policy0 => l => { %ann } ] ], 'l', 'policy1');

refused('slot missing', $both, [ [ t => l => { %ann } ] ],
    qr/^l\.json: link 0: template "t" has a slot \?resource; give/);
refused('slot too many', '@id("t") permit (principal == ?principal, action,'
    . ' resource);', [ [ t => l => { %ann, %folder } ] ],
    qr/^l\.json: link 0: template "t" has no slot \?resource; leave/);
refused('id taken by a policy', "$both \@id(\"l\") permit (principal, action,"
    . ' resource);', [ [ t => l => { %ann, %folder } ] ],
    qr/there is a policy "l" already/);
refused('id taken by a template', $both, [ [ t => t => { %ann, %folder } ] ],
    qr/there is a policy "t" already/);
refused('id taken by a link', $both, [ ([ t => l => { %ann, %folder } ]) x 2 ],
    qr/^l\.json: link 1: there is a policy "l" already/);
refused('no such template', $both, [ [ z => l => { %ann, %folder } ] ],
    qr/there is no template "z"/);
refused('a policy is no template', '@id("t") permit (principal, action,'
    . ' resource);', [ [ t => l => {} ] ], qr/there is no template "t"/);
refused('value is no entity', $both,
    [ [ t => l => { %folder, '?principal' => 'ann' } ] ],
    qr/^l\.json: link 0: expected an entity/);
refused('slot in a condition', 'permit (principal == ?principal, action,'
    . ' resource) when { principal in ?principal };', [],
    qr/^p\.cedar:1:\d+: a template slot may stand in the scope only/);
refused('wrong slot', 'permit (principal == ?resource, action, resource);',
    [], qr/^p\.cedar:1:22: "\?resource" cannot stand here; name an entity, or/);
refused('slot of an action', 'permit (principal, action == ?action,'
    . ' resource);', [], qr/"\?action" cannot stand here; an action has no/);
refused('slot in a list', 'permit (principal in [?principal], action,'
    . ' resource);', [], qr/^p\.cedar:1:22: expected/);

valid('template', $both, [], 0);
valid('wrong attribute in a template', '@id("t") permit (principal in'
    . ' ?principal, action, resource) when { principal.nope };', [], 1);
valid('unknown type in a template', '@id("t") permit (principal is Zap in'
    . ' ?principal, action, resource);', [], 1);
valid('link of an unknown type', $both, [ [ t => l => { %folder,
    '?principal' => 'Zap::"z"' } ] ], 1);
valid('link', $both, [ [ t => l => { %ann, %folder } ] ], 0);

done_testing();

###############################################################################

sub files {
    my ($policies, $links) = @_;

    spew("$dir/p.cedar", $policies);
    spew("$dir/l.json", $json->encode([ map {
        { template_id => $_->[0], link_id => $_->[1], args => $_->[2] } }
        @$links ]));

    return ('--policies', "$dir/p.cedar", '--schema', "$dir/s.cedarschema",
        '--links', "$dir/l.json");
}

sub ask {
    return tool('authorize', files(@_), '--entities', "$dir/e.json",
        '--requests', "$dir/r.json");
}

sub links {
    my ($name, $policies, $links, @reasons) = @_;

    my ($status, $out, $err) = ask($policies, $links);

    is("$status $err$out", '0 ' . join('', map { $_ eq ''
        ? qq({"decision":"deny","reason":[],"errors":[]}\n)
        : qq({"decision":"allow","reason":["$_"],"errors":[]}\n) }
        @reasons), $name);
}

sub refused {
    my ($name, $policies, $links, $want) = @_;

    my ($status, $out, $err) = ask($policies, $links);

    is($status, 2, $name);
    like($err, $want, "$name: says so");
}

sub valid {
    my ($name, $policies, $links, $want) = @_;

    my ($status, $out, $err) = tool('validate', files($policies, $links));

    is($status, $want, "$name: verdict") or diag $err;
}
