#!/usr/bin/perl

# Copyright (C) The e-mage authors

# authorize --validate-requests: entities and requests that Cedar takes or
# refuses.  The verdicts below are those of Cedar 4.13.

use lib 't/lib';
use Test::Emage::Policy;

spew("$dir/p.cedar", "permit (principal, action, resource);\n");
spew("$dir/s.cedarschema", <<'EOS');
entity Team; entity Org; entity Doc; entity Folder in [Folder];
entity Color enum ["red", "blue"];
entity User in [Team] { age: Long, nick?: String, ip?: ipaddr, c?: Color,
    rec?: {a: Long, b?: Set<User>}, when?: datetime } tags Long;
action view, edit in [all] appliesTo { principal: [User],
    resource: [Doc, Color], context: {ip: ipaddr, n?: Long, c?: Color} };
action all, root; action sub in [all]; action leaf in [sub];
EOS

# Entities.

sub uid { return { type => $_[0], id => $_[1] } }
sub user {
    my ($attrs, $parents, $tags) = @_;
    return { uid => uid('User', 'u'), attrs => $attrs,
        parents => $parents // [], $tags ? (tags => $tags) : () };
}
sub thing {
    my ($type, $id, $attrs, @parents) = @_;
    return { uid => uid($type, $id), attrs => $attrs,
        parents => [ @parents ] };
}
sub act { my ($id, @in) = @_;
    return thing('Action', $id, {}, map { uid('Action', $_) } @in) }

my $dt = { __extn => { fn => 'datetime', arg => '1970-01-01' } };
my $du = { __extn => { fn => 'duration', arg => '1d' } };

entities('as declared', '', user({ age => 1 }));
entities('attribute missing', qr/User::"u": attribute "age" is missing/,
    user({}));
entities('attribute too many', qr/the schema has no attribute "x" here/,
    user({ age => 1, x => 2 }));
entities('wrong type',
    qr/User::"u", attribute age: expected Long, found a String/,
    user({ age => '1' }));
entities('tag', '', user({ age => 1 }, [], { t => 1 }));
entities('wrong tag', qr/User::"u", tag t: expected Long, found a String/,
    user({ age => 1 }, [], { t => 'x' }));
entities('no tags declared', qr/tag a: the schema gives this type no tags/,
    { %{thing('Team', 't', {})}, tags => { a => 1 } });
entities('parent', '', user({ age => 1 }, [ uid('Team', 't') ]));
entities('wrong parent', qr/lets none of its type be in a Org/,
    user({ age => 1 }, [ uid('Org', 't') ]));
entities('enumerated', '', user({ age => 1, c => uid('Color', 'red') }));
entities('not enumerated', qr/Color::"green" is not one of the ids/,
    user({ age => 1, c => uid('Color', 'green') }));
entities('enumerated entity', '', thing('Color', 'red', {}));
entities('not enumerated entity', qr/Color::"green" is not one of the ids/,
    thing('Color', 'green', {}));
entities('unknown type', qr/has no such entity type/, thing('Foo', 'r', {}));
entities('record lacks', qr/attribute rec: attribute "a" is missing/,
    user({ age => 1, rec => {} }));
entities('record has more', qr/attribute rec: the schema has no attribute/,
    user({ age => 1, rec => { a => 1, z => 1 } }));
entities('set', '',
    user({ age => 1, rec => { a => 1, b => [ uid('User', 'x') ] } }));
entities('set of others',
    qr/attribute rec\.b: expected User, found an entity of type Doc/,
    user({ age => 1, rec => { a => 1, b => [
        { __entity => uid('Doc', 'x') } ] } }));
entities('implicit ip is none', qr/not an address/,
    user({ age => 1, ip => 'x' }));
entities('ip', '', user({ age => 1, ip => '1.1.1.1' }));
entities('ip spelt out', '',
    user({ age => 1, ip => { __extn => { fn => 'ip', arg => '1.1.1.1' } } }));
entities('another extension', qr/expected ipaddr, found a decimal/,
    user({ age => 1, ip => { __extn => { fn => 'decimal', arg => '1.1' } } }));
entities('offset', '', user({ age => 1,
    when => { __extn => { fn => 'offset', args => [ $dt, $du ] } } }));
entities('entity as a string', qr/expected Color, found a String/,
    user({ age => 1, c => 'Color::"red"' }));
entities('the same twice', '', user({ age => 1 }), user({ age => 1 }));
entities('twice', qr/stands twice, and not alike/,
    user({ age => 1 }), user({ age => 2 }));
entities('circle', qr/is its own ancestor/,
    thing('Folder', 'a', {}, uid('Folder', 'b')),
    thing('Folder', 'b', {}, uid('Folder', 'a')));
entities('no parents', qr/parents: is missing/,
    { uid => uid('Team', 't'), attrs => {} });
entities('no attrs', qr/attrs: is missing/,
    { uid => uid('Team', 't'), parents => [] });
entities('more members', '', { %{thing('Team', 't', {})}, foo => 1 });
entities('a fraction', qr/no null and no fractions/, user({ age => 1.5 }));

# an action must have all its groups, or stay away

my $differs = qr/this action is not as the schema declares it/;

entities('action in its group', '', act('edit', 'all'));
entities('action without', $differs, act('view'));
entities('indirect groups', '', act('leaf', 'sub', 'all'));
entities("action in $_", $differs, act('leaf', $_)) for qw/ sub all /;
entities('action unknown', qr/the schema has no such action/, act('nope'));
entities('action with attributes', $differs,
    thing('Action', 'all', { a => 1 }));

# Requests.

request('request', '');
request('no such action', qr/^r\.json: request 0, action: the schema has no/,
    action => uid('Action', 'x'));
request('wrong principal', qr/principal: this action does not apply to a Tea/,
    principal => uid('Team', 'x'));
request('unknown principal', qr/principal: the schema has no entity type Zap/,
    principal => uid('Zap', 'x'));
request('enumerated resource', '', resource => uid('Color', 'red'));
request('not enumerated resource', qr/resource: Color::"x" is not one of/,
    resource => uid('Color', 'x'));
request('context lacks', qr/context: attribute "ip" is missing/,
    context => {});
request('context has more', qr/context: the schema has no attribute "z"/,
    context => { ip => '1.1.1.1', z => 1 });
request('context of wrong type', qr/context n: expected Long, found a String/,
    context => { ip => '1.1.1.1', n => '1' });
request('context not enumerated', qr/context c: Color::"x" is not one of/,
    context => { ip => '1.1.1.1', c => uid('Color', 'x') });
request('applies to nothing', qr/does not apply to a User/,
    action => uid('Action', 'root'), context => {});

my ($status, $out, $err) = tool('authorize', '--policies', "$dir/p.cedar",
    '--entities', "$dir/e.json", '--requests', "$dir/r.json",
    '--validate-requests');

is($status, 2, 'no schema');
is($err, "emage-policy: --validate-requests needs a --schema\n", 'says so');

done_testing();

###############################################################################

sub entities {
    my ($name, $want, @list) = @_;
    ask($name, $want, [ @list ]);
}

sub request {
    my ($name, $want, %parts) = @_;
    ask($name, $want, [], %parts);
}

sub ask {
    my ($name, $want, $list, %parts) = @_;

    spew("$dir/e.json", $json->encode($list));
    spew("$dir/r.json", $json->encode([ {
        principal => uid('User', 'u'), action => uid('Action', 'view'),
        resource => uid('Doc', 'd'), context => { ip => '1.2.3.4' },
        %parts } ]));

    my ($status, $out, $err) = tool('authorize', '--policies',
        "$dir/p.cedar", '--schema', "$dir/s.cedarschema", '--entities',
        "$dir/e.json", '--requests', "$dir/r.json", '--validate-requests');

    if ($want eq '') {
        is("$status $out$err", qq(0 {"decision":"allow","reason":["policy0"],)
            . qq("errors":[]}\n), $name);
        return;
    }

    like("$status $out$err", qr/^2 /, $name);
    like($err, $want, "$name: says so");
}
