#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Every configuration that would not be guarded, or not work, is refused by
# nginx -t with a message that names what to change.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

my $t = Test::Emage->new();
my $d = $t->dir();

$t->issuer($_) for qw(pro other);
mkdir "$d/www";
mkdir "$d/empty";
mkdir "$d/badpolicy";
symlink "$d/store", "$d/link";
spew("$d/badpolicy/a.cedar", "permit (principal, action, resource) whenever;\n");
spew("$d/nokeys.jwks", "{\"keys\":[]}");
spew("$d/broken.jwks", "{");


# A configuration from its parts; what is given replaces the default.

sub conf {
    my (%o) = @_;

    my %p = (main => '', redis => "emage_redis unix:$d/redis.sock;",
             policy => "emage_policy $Test::Emage::top/conf/policy;",
             journal => "emage_journal $d/journal;",
             issuer => $t->issuer_block('pro'), http => '', server => '',
             location => "location /dicom-web/ { emage $d/store; }", %o);

    return "%%GLOBALS%% $p{main} events { }\nhttp {\n$p{redis}\n$p{policy}\n"
           . "$p{journal}\n$p{issuer}\n$p{http}\nserver {\n"
           . "listen 127.0.0.1:%%PORT_0%%;\nroot $d/www;\n$p{server}\n"
           . "$p{location}\n}\n}\n";
}

sub issuer { return $t->issuer_block('pro', @_) }

sub refused {
    my ($name, $re, %o) = @_;
    my ($rc, $text) = $t->nginx_test(conf(%o));

    ok($rc != 0 && $text =~ $re, $name)
        or diag $rc ? $text : 'was accepted';
}

sub accepted {
    my ($name, %o) = @_;
    my ($rc, $text) = $t->nginx_test(conf(%o));
    is($rc, 0, $name) or diag $text;
}


accepted('the shipped shape');
accepted('options of Redis',
         redis => "emage_redis 127.0.0.1:6399 timeout=20ms db=3;");
accepted('names and sizes',
         http => 'emage_node node1; emage_cache 1m;');
accepted('two issuers', issuer => issuer()
         . $t->issuer_block('other', organisation => '750000002'));
accepted('an unguarded server beside it',
         server => "location / { root $d/www; }");

# what is needed

refused('no Redis', qr/"emage" needs "emage_redis"/, redis => '');
refused('no policy', qr/"emage" needs "emage_policy"/, policy => '');
refused('no journal', qr/"emage" needs "emage_journal"/, journal => '');
refused('no issuer', qr/"emage" needs "emage_issuer"/, issuer => '');

refused('Redis twice', qr/"emage_redis" directive is duplicate/,
        http => "emage_redis unix:$d/other.sock;");
refused('policy twice', qr/"emage_policy" directive is duplicate/,
        http => "emage_policy $d/empty;");
refused('journal twice', qr/"emage_journal" directive is duplicate/,
        http => "emage_journal $d/empty;");

# values

refused('a Redis deadline too long', qr/must be 1ms to 1s/,
        redis => "emage_redis unix:$d/redis.sock timeout=5s;");
refused('a Redis deadline of nothing', qr/must be 1ms to 1s/,
        redis => "emage_redis unix:$d/redis.sock timeout=0;");
refused('an unknown Redis parameter', qr/unknown parameter "retry=1"/,
        redis => "emage_redis unix:$d/redis.sock retry=1;");
refused('no switch turns it off', qr/unknown directive "emage_enforce"/,
        http => 'emage_enforce off;');

# the key of identifier hashes

spew("$d/short.key", 'x' x 31);
spew("$d/long.key", 'x' x 33);
spew("$d/open.key", 'x' x 32);
spew("$d/good.key", 'x' x 32);
chmod 0600, "$d/$_.key" for qw(short long good);
chmod 0644, "$d/open.key";

accepted('a key', http => "emage_key $d/good.key;");
refused('a key twice', qr/"emage_key" directive is duplicate/,
        http => "emage_key $d/good.key; emage_key $d/good.key;");
refused('a key that is missing', qr/nowhere\.key" cannot be read/,
        http => "emage_key $d/nowhere.key;");
refused('a key that is too short', qr/short\.key" is not 32 bytes/,
        http => "emage_key $d/short.key;");
refused('a key that is too long', qr/long\.key" is not 32 bytes/,
        http => "emage_key $d/long.key;");
refused('a directory for a key', qr/is not 32 bytes/, http => "emage_key $d;");
refused('a key that others can read', qr/open\.key" can be read by others/,
        http => "emage_key $d/open.key;");

my (undef, $warning) = $t->nginx_test(conf(issuer => issuer()
    . $t->issuer_block('other', kind => 'patient')));
like($warning, qr/issuer "other" is of patients, .*"emage_key"/,
     'patients without a key: a warning');

# policy

refused('a policy directory that is missing', qr{\[emerg\].*nowhere},
        policy => "emage_policy $d/nowhere;");
refused('a policy directory without policies', qr{\[emerg\].*empty},
        policy => "emage_policy $d/empty;");
refused('a policy that does not parse, by file and line',
        qr{a\.cedar:1}, policy => "emage_policy $d/badpolicy;");

# issuers

refused('an issuer twice', qr/defined twice/, issuer => issuer() . issuer());
refused('two blocks of one iss', qr/have the same "issuer"/,
        issuer => issuer() . $t->issuer_block('other',
                                              issuer => 'https://pro.example'));
refused('a key file that is missing', qr/nowhere\.jwks/,
        issuer => issuer(jwks => "$d/nowhere.jwks"));
refused('a key set without keys', qr/nokeys\.jwks/,
        issuer => issuer(jwks => "$d/nokeys.jwks"));
refused('a broken key set', qr/broken\.jwks/,
        issuer => issuer(jwks => "$d/broken.jwks"));
refused('the algorithm none', qr/"none"/,
        issuer => issuer(algorithms => 'none'));
refused('a shared-secret algorithm', qr/"HS256"/,
        issuer => issuer(algorithms => 'ES256 HS256'));
refused('an unknown kind', qr/"superuser"/,
        issuer => issuer(kind => 'superuser'));
refused('a skew beyond a minute', qr/"skew"|skew/,
        issuer => issuer(skew => '10m'));
refused('an unknown parameter', qr/"validate"/,
        issuer => issuer(validate => 'off'));
refused('no audience', qr/"audience"/, issuer => issuer(audience => undef));
refused('no iss', qr/"issuer"/, issuer => issuer(issuer => undef));
refused('no keys', qr/"jwks"/, issuer => issuer(jwks => undef));

# locations

refused('an exact location', qr/prefix location that ends with a slash/,
        location => "location = /dicom-web { emage $d/store; }");
refused('a location without a slash', qr/prefix location that ends with/,
        location => "location /dicom-web { emage $d/store; }");
refused('a regular expression', qr/prefix location that ends with a slash/,
        location => "location ~ ^/d { emage $d/store; }");
refused('a named location', qr/prefix location that ends with a slash/,
        location => "location \@d { emage $d/store; }");
refused('twice in a location', qr/is duplicate/,
        location => "location /d/ { emage $d/store; emage $d/store; }");
refused('a store that is missing', qr/nowhere" cannot be used/,
        location => "location /d/ { emage $d/nowhere; }");
refused('the whole disk', qr/cannot have "\/" as its store/,
        location => 'location /d/ { emage /; }');
refused('another handler in its place', qr/another directive took over/,
        location => "location /d/ { emage $d/store; stub_status; }");

# other ways to the files

for ([root => "root $d;"], [root => "root $d/store;"],
     ['root below' => "root $d/store/studies;"],
     [alias => "alias $d/store/;"], ['a link' => "alias $d/link/;"],
     ['a variable' => "root $d/\$arg_x;"], ['all' => 'root /;'])
{
    my ($name, $text) = @$_;
    refused("$name beside the guard: $text", qr/covers the store/,
            server => "location /x/ { $text }");
}

accepted('a neighbour whose name begins alike',
         server => "location /x/ { root $d/store2; }");

