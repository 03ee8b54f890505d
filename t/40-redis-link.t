#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# The link to Redis and the lease, against a scripted server: handshake, torn
# and lying replies, what the log tells the operator, and that the fence is on
# disk before Redis hears what was applied.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::FakeRedis;

use Time::HiRes qw(time sleep);

my $t = Test::Emage->new(workers => 1, no_lease => 1);
my $fake = Test::Emage::FakeRedis->new($t);
my $conf = $Test::Emage::default_conf;

# nothing of the backend is needed but a key

$t->{backend} = 1;
$t->issuer('pro');
$t->allow(qr/fence: records went back in time/,
          qr/fence-tester.json": damaged content/);

my $url = 'unix:' . $fake->path() . ' timeout=100ms db=3';

$conf =~ s/%%HTTP%%/my $h = $t->http_block();
                    $h =~ s{emage_redis [^;]*}{emage_node tester; emage_redis $url}; $h/e;

$fake->script();
$t->run($conf);

my $token = $t->professional();
my $path = '/dicom-web/studies/1.2.3.4.5/metadata';
my $fence = $t->path('journal/fence-tester.json');
my $seen = 0;

# Each time a study of its own: facts are remembered.

sub status {
    my $p = $path;

    $p =~ s/4\.5/'4.' . (10000 + $seen++)/e;
    my $r = eval { $t->http_get($p, token => $token) };
    return $r ? $r->{status} : 0;
}

sub served { $t->wait_for($_[0], 10, sub { status() == 404 }) }

sub logged {
    my ($re) = @_;
    my @n = $t->error_log() =~ /$re/g;
    return scalar @n;
}


# the handshake

ok(served('an honest server'), 'an unknown study is refused');

my @first = $fake->commands();
is(join(' ', map { $_->[1] eq 'FCALL_RO' ? $_->[2] : $_->[1] } @first[0, 1]),
   'SELECT emage_version', 'handshake before anything else');
is($first[0][2], '3', 'and of the right database');

my ($lease) = grep { $_->[2] eq 'emage_lease' } @first;
is(join(' ', @$lease[3 .. 8]), '5 ' . join(' ', map { "emage:{0}:$_" }
   qw(epoch seq changes leases reconciled)), 'keys of emage_lease');
is(join('|', @$lease[10 .. 12]), '|0|', 'a new node knows nothing');
like($lease->[9], qr/^[0-9A-Za-z._-]+-[0-9a-f]{8}$/,
     'a node is named by its zone');


# a handshake that fails keeps the link closed, and says what to do, once

my %refusal = (
    'LOADING' => ["-LOADING Redis is loading\r\n", qr/loading its data, wait/],
    'NOAUTH' => ["-NOAUTH Authentication required.\r\n", qr/give .* password/],
    'MOVED' => ["-MOVED 1 127.0.0.1:7001\r\n", qr/a cluster node/],
    'READONLY' => ["-READONLY You can't write\r\n", qr/this is a replica/],
    'missing functions' => ["-ERR Function not found\r\n",
                            qr/run "emage-consent init"/],
    'another version' => [":99\r\n", qr/functions of version 99, .* needs \d/],
    'no version' => ["+OK\r\n", qr/functions of version 0/],
    'an array' => ["*1\r\n:1\r\n", undef],
);

for my $name (sort keys %refusal) {
    my ($answer, $re) = @{$refusal{$name}};

    my $before = $re ? logged($re) : 0;

    $fake->script(emage_version => $answer);
    $t->wait_for("the log of $name", 5, sub { logged($re) > $before }) if $re;
    sleep 0.4;
    is(status(), 503, "$name: nothing is answered");
    is(logged($re), $before + 1, "$name: said once") if $re;
    $fake->script();
    ok(served($name), "$name: and back");
}


# replies torn and late

$fake->script(emage_facts => { bytes => resp(['fake', \7, undef, undef]) });
ok(served('bytes'), 'a reply in single bytes is a reply');

my $whole = resp(['fake', \7, undef, undef]);

for my $cut (1, 4, 9, length($whole) - 1) {
    $fake->script(emage_facts => [substr($whole, 0, $cut), { close => 1 }]);
    sleep 0.3;
    is(status(), 503, "cut after $cut bytes");
}

$fake->script(emage_facts => { stall => 1 });
sleep 0.5;
my $start = time;
is(status(), 503, 'no reply');
cmp_ok(time() - $start, '<', 1, 'is given up in time');

$fake->script(emage_facts => [{ pause => 0.3 }, $whole]);
sleep 0.5;
is(status(), 503, 'a late reply is none');


# replies that lie

my %lie = (
    'one too many' => "$whole$whole",
    'no RESP' => "HTTP/1.1 200 OK\r\n\r\n",
    'huge string' => "\$2147483647\r\nabc",
    'huge array' => "*2147483647\r\n",
    'number with more' => ":12 \r\n",
    'number too large' => "*2\r\n:99999999999999999999\r\n:1\r\n",
    'string without its end' => "\$4\r\nfakeXX",
    'deep' => "*1\r\n" x 20 . ":1\r\n",
    'newline alone' => "+OK\n",
    'status' => "+OK\r\n",
    'nil' => "\$-1\r\n",
    'nil array' => "*-1\r\n",
    'integer' => ":7\r\n",
    'empty array' => "*0\r\n",
    'short array' => resp(['fake']),
    'wrong types' => resp([\1, 'seven', \1, \1]),
    'another epoch' => resp(['ekaf', \7, undef, undef]),
    'prefix of the epoch' => resp(['fak', \7, undef, undef]),
    'negative sequence' => resp(['fake', \-7, undef, undef]),
    'no sequence' => resp(['fake', undef, undef, undef]),
    'READONLY' => "-READONLY You can't write against a replica\r\n",
    'MOVED' => "-MOVED 1 127.0.0.1:7001\r\n",
);

for my $name (sort keys %lie) {
    $fake->script(emage_facts => $lie{$name});
    sleep 0.25;

    # "one too many" answers the first request rightly

    my @s = grep { $_ != 404 } map { status() } 1 .. 3;
    ok(@s && !grep({ $_ != 503 } @s), "$name: @s");
}

$fake->script();
ok(served('the end of lies'), 'and back');


# the lease: what was applied is on disk before Redis hears of it

is(slurp($fence), qq({"epoch":"fake","seq":7,"nonce":"n7"}\n), 'the fence');

$fake->stop();
$fake->commands();
$fake->script(with => { seq => 9, nonce => 'n9', pids => ['a' x 32] },
    emage_lease => sub {
        my ($node, $epoch, $seq, $nonce) = @_;

        return resp(['behind', \9, 'n9', 'a' x 32]) if $seq == 7;
        return resp(['granted', \9]) if slurp($fence) =~ /"seq":9,"nonce":"n9"/;
        return "-ERR the fence is not written\r\n";
    });

my @asked;
ok($t->wait_for('two questions', 10, sub {
    push @asked, grep { $_->[2] eq 'emage_lease' } $fake->commands();
    return @asked > 1;
}), 'changes were applied');
is(join(' ', @{$asked[0]}[10 .. 12]), 'fake 7 n7', 'asked with the old one');
is(join(' ', @{$asked[1]}[10 .. 12]), 'fake 9 n9', 'then with the new one');
cmp_ok($asked[1][0] - $asked[0][0], '<', 2, 'at once');
is(logged(qr/the fence is not written/), 0, 'on disk before');
ok(served('the lease'), 'and the lease is granted');


# refusals of the lease

for (['fence', \9], ['unreconciled']) {
    my $name = $_->[0];

    $fake->script(emage_lease => resp($_));
    $t->wait_for($name, 5, sub { status() == 503 });
    sleep 0.5;
    is(status(), 503, "$name: nothing is answered");
    is(logged($name eq 'fence' ? qr/fence: records went back/
                               : qr/records are not reconciled/), 1,
       "$name: said once");
    $fake->script(with => { epoch => "after-$name" });
    ok(served("after $name"), "$name: a new epoch ends it");
}

# answers that cannot be

for (['granted', \8], ['granted'], ['behind', \7, 'n7'], ['behind', \99],
     ['flush', 'a b', \9, 'n'], ['flush', '', \9, 'n'], ['flush', 'e', \-1, 'n'],
     ['flush', 'e', \9, 'x' x 65], ['grante', \7], [], 'granted', \1)
{
    my $text = resp($_) =~ s/\r\n/ /gr;

    $fake->script(with => { epoch => 'after-unreconciled' },
                  emage_lease => resp($_));
    sleep 1.2;
    is(status(), 503, "no lease by $text");
}

$fake->script(with => { epoch => 'after-unreconciled' });
ok(served('the lease'), 'and back');


# after a restart the node remembers

$fake->script(with => { epoch => 'after-unreconciled', seq => 12,
                        nonce => 'n12' });
ok(served('sequence 12'), 'more changes');
ok($t->wait_for('the fence', 3, sub { slurp($fence) =~ /"seq":12,/ }),
   'are in the fence');
ok($t->stop(), 'nginx quits');
$fake->commands();
$t->nginx_start();
ok(served('the restart'), 'after a restart');
($lease) = grep { $_->[2] eq 'emage_lease' } $fake->commands();
is(join(' ', @$lease[10 .. 12]), 'after-unreconciled 12 n12',
   'the first question is asked with the fence');

ok($t->stop(), 'nginx quits');
spew($fence, '{"epoch":"after-unreconciled","seq":1');
my ($rc, $text) = $t->nginx_test($conf);
isnt($rc, 0, 'a damaged fence is refused');
like($text, qr/fence ".*": damaged content; .*restore it, or remove it/,
     'with what to do');
