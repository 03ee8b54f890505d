#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Sessions: a cookie is as good as the token that it stands for, and no better;
# what is not exactly one well-formed cookie is 401; a session ends by itself,
# by time or idleness, and when it is ended no node accepts it once that was
# acknowledged, on open connections and downloads too.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::H2;

use POSIX ();
use Time::HiRes qw(time sleep);

my $t = Test::Emage->new(workers => 2);

$t->backend();
my $set = $t->synthetic('only=native', 'big=32');
$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(ct1 big);

my $conf = <<'CONF';
%%GLOBALS%%
events { worker_connections 512; }
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT_0%% sndbuf=256k;
        listen 127.0.0.1:%%PORT_1%% http2 sndbuf=256k;
        location /dicom-web/ { emage %%STORE%%; }
    }
}
CONF

$t->run($conf);

my $path = "/dicom-web/studies/$set->{ct1}{study}";
my $big = "/dicom-web/studies/$set->{big}{study}";
my $token = $t->professional();

# metadata is short, and of every study

sub get {
    my ($cookie, %o) = @_;
    my %h = (defined $cookie ? (Cookie => $cookie) : (),
             %{$o{headers} || {}});
    return $t->http_get($o{path} // "$path/metadata", %o, headers => \%h);
}

sub status { return get(@_)->{status} }

sub cookie { return "__Host-emage=$_[0]" }

my $id = $t->session();
my $good = cookie($id);


# as good as a token

like($id, qr/^[0-9a-f]{64}$/, 'an id of 256 bits');
my $by_token = get(undef, token => $token);
my $by_cookie = get($good);
is($by_cookie->{status}, 200, 'a cookie is accepted');
is($by_cookie->{body}, $by_token->{body}, 'for the same answer');
like($by_cookie->{headers}{vary}, qr/Cookie, Authorization/, 'which varies');
is(status($good), 200, 'again, from memory');
is(status("a=b; $good; c=d"), 200, 'among other cookies');
is(status("a=\"x;$good"), 200, 'or after a broken one');

my $stranger = $t->session(sub => '899900000001', teams => [],
                           organisation => '759999999');
is(status(cookie($stranger)), 404, 'a stranger is a stranger');
is(get(cookie($stranger), path => '/dicom-web/studies')->{body}, '[]',
   'with an empty list');
like(get($good, path => '/dicom-web/studies')->{body},
     qr/\Q$set->{ct1}{study}\E/, 'the team has a list');
is(status($good, method => 'POST'), 405, 'there is nothing to change');


# and no better

my $other = $id =~ tr/0-9a-f/1-9a-f0/r;

my %bad = (
    'an unknown id'        => cookie($other),
    'an empty one'         => '__Host-emage=',
    'no value'             => '__Host-emage',
    'a short one'          => cookie(substr $id, 1),
    'a long one'           => cookie("${id}0"),
    'upper case'           => cookie(uc $id),
    'quotes'               => cookie("\"$id\""),
    'a space before it'    => cookie(" $id"),
    'one of 3,000 bytes'   => cookie('a' x 3000),
    'its hash'             => cookie(sha256_hex($id)),
    'twice the same'       => "$good; $good",
    'two of them'          => "$good; " . cookie($stranger),
    'one good, one empty'  => "$good; __Host-emage=",
    'another name'         => "__Host-Emage=$id",
    'a longer name'        => "x__Host-emage=$id; __Host-emage2=$id",
    'no prefix'            => "emage=$id; __Secure-emage=$id",
    'a token in it'        => cookie($token),
);

is(status($bad{$_}), 401, "$_: 401") for sort keys %bad;

my @lines = map { cookie($_) } $id, $id;
my $http = $t->http();
$http->send("GET $path/metadata HTTP/1.1\r\nHost: localhost\r\n"
            . join('', map { "Cookie: $_\r\n" } @lines)
            . "Connection: close\r\n\r\n");
is($http->response()->{status}, 401, 'two header lines: 401');

is(status($good, token => $token), 401, 'a cookie and a token: 401');
is(status($good, headers => { Authorization => 'Basic eDp5' }), 401,
   'a cookie and any other authorization: 401');
is(status($_), 401, 'as bearer: 401')
    for map { +(undef, headers => { Authorization => "Bearer $_" }) }
        $id, sha256_hex($id), 'session:' . sha256_hex($id);

my $refusal = get(cookie($other));
is($refusal->{body} =~ s/[0-9a-f]{32}//r,
   get(undef)->{body} =~ s/[0-9a-f]{32}//r, 'one text for all of them');


# its issuer's rules hold

is(status(cookie($t->session(issuer => 'nobody'))), 401,
   'an issuer that is not configured');
is(status(cookie($t->session(aud => 'other'))), 401, 'another audience');
is(status(cookie($t->session(exp => int(time()) - 120))), 401,
   'claims that have expired');
is(status(cookie($t->session(sub => 'a|b'))), 401, 'an id that cannot be');


# time

my $short = cookie($t->session(lifetime => 2));
my $idle = cookie($t->session(idle => 2));
my $used = cookie($t->session(idle => 2));

is(status($_), 200, 'not yet') for $short, $idle, $used;

for (1 .. 5) {
    sleep 0.6;
    is(status($used), 200, 'kept by use') if $_ != 2;
}

is(status($short), 401, 'a lifetime ends');
is(status($idle), 401, 'idleness ends it');
is(scalar @{$t->redis()->call('KEYS', 'emage:{0}:session:'
                              . sha256_hex($short =~ s/.*=//r))}, 0,
   'and Redis has forgotten it');


# ended while requests are being made, on connections that stay open

sub end_session {
    my ($during, $id) = @_;
    my $pid = fork() // die;

    if ($pid == 0) {
        my ($rc, $out, $err) = $t->tool('emage-token', 'session', '--end',
                                        $id);
        spew($t->path('end.out'), $out . $err);
        POSIX::_exit($rc);
    }

    $during->() until waitpid($pid, POSIX::WNOHANG()) == $pid;
    is($?, 0, 'the end is acknowledged') or diag slurp($t->path('end.out'));
    return time();
}

my @open = map { $t->http() } 1 .. 6;
my (%count, $ack);

sub ask_all {
    for my $c (@open) {
        my $start = time();
        $c->send("GET $path/metadata HTTP/1.1\r\nHost: localhost\r\n"
                 . "Cookie: $good\r\n\r\n");
        my $r = $c->response();
        $count{$ack ? 'after' : 'before'}{$r->{status}}++;
        $count{late}++ if $ack && $start > $ack && $r->{status} == 200;
    }
}

ask_all();
is($count{before}{200}, 6, 'six connections');
$ack = end_session(\&ask_all, $id);
ask_all() for 1 .. 5;
is(join(' ', keys %{$count{after}}), 401, 'refused once acknowledged');
is($count{late} // 0, 0, 'none later');
is(status($good), 401, 'refused from then on');

my ($rc, $out, $err) = $t->tool('emage-token', 'session', '--end', $id);
is($rc, 1, 'ended twice');
like($err, qr/there is none of this id/, 'there is none');
($rc, $out, $err) = $t->tool('emage-token', 'session', '--end', 'abc');
is($rc, 2, 'no id');
like($err, qr/64 lower-case hex digits/, 'says what one is');
is(status(cookie($stranger)), 404, 'that of another one lasts');


# a download under way

for my $h2 (0, 1) {
    my $mine = $t->session();
    my ($c, $sum, $d);

    if ($h2) {
        $d = Test::Emage::H2->new(port => $t->port(1), rcvbuf => 65536);
        $d->{discard} = 1;
        $c = $d->{http};
        $d->request($big, cookie => cookie($mine), accept => '*/*');

        while ($d->{bytes} < 65536) {
            defined $d->step(10) or last;
        }

    } else {
        $c = $t->http(rcvbuf => 65536);
        $c->send($t->request_text($big, headers => { Cookie =>
                                                     cookie($mine) }));
        while ($c->{received} < 65536) { $c->pull(16384, 10) or last }
    }

    my $late = 0;
    my $at = end_session(sub { sleep 0.01 }, $mine);
    my $until = time() + 5;

    while (time() < $until) {
        my $n = $c->pull(65536, 1);
        $c->{buf} = '';
        last unless $n;
        $late += $n if time() > $at + 0.25 + ($Test::Emage::build =~ /asan/);
    }

    ok($c->{reset}, ($h2 ? 'HTTP/2' : 'HTTP/1.1') . ': reset');
    is($late, 0, 'nothing arrives later');
    cmp_ok($c->{received}, '<', 20e6, 'nor the whole of it');
}


# one that is not ended goes on, whoever's records change

my $lasting = $t->session();
my $c = $t->http(rcvbuf => 65536);
$c->send($t->request_text($big, headers => { Cookie => cookie($lasting) }));
$c->pull(16384, 10);
$t->consent('relate', '--study', $set->{big}{study}, '--team',
            "$Test::Emage::team_system|other");
end_session(sub { sleep 0.01 }, $t->session());
ok($c->response()->{complete}, 'a download of a session that lasts');


# a reload keeps sessions; issuers that are gone do not

ok($t->reload(), 'a reload');
is(status(cookie($lasting)), 200, 'keeps sessions');

my $text = slurp($t->path('nginx.conf'));
spew($t->path('nginx.conf'), $text =~ s/audience emage/audience other/r);
ok($t->reload(), 'another audience');
is(status(cookie($lasting)), 401, 'which the session has not');
spew($t->path('nginx.conf'), $text);
ok($t->reload(), 'the first one again');
is(status(cookie($lasting)), 200, 'and its sessions');


# nothing that is secret is written anywhere

my $secret = join '|', map { s/.*=//r } $good, $stranger, $lasting, $short;
my @found = grep { slurp($_) =~ /$secret/ }
            glob($t->path('logs/*')), glob($t->path('journal/*/*')),
            glob($t->path('redis/*')), glob($t->path('redis/*/*'));
is(join(' ', @found), '', 'no id in logs, journals or Redis');


# Redis starts anew: every session ends

$t->allow(qr/records went back in time/);
$t->redis()->call('FLUSHALL');
$t->consent('init');
$t->end('reconcile');
$t->reconcile_start();
$t->wait_lease();
is(status(cookie($lasting)), 401, 'after Redis was wiped');
is(status(undef, token => $token), 200, 'tokens are none of its business');

my $anew = $t->session();
is(status(cookie($anew)), 200, 'a new one');
$t->end('redis');
sleep 1.2;
is(status(cookie($anew)), 503, 'without Redis: unavailable');
$t->redis_start();
$t->wait_for('the lease', 15,
             sub { status(undef, token => $token) == 200 });
is(status(cookie($anew)), 401, 'after Redis was restarted');
