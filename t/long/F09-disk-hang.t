#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# F9: a sync of the journal does not come back for a minute.
#
# Expectation: who waits for it is told after 5 s, who comes later at once; the
# event loop lives, metrics and refusals of nobodies are answered as ever, and a
# withdrawal is acknowledged within its bound and cuts an open download.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Load;

use Time::HiRes qw(time sleep);

plan(skip_all => 'no strace')
    if (run_command('strace', '-q', '-o', '/dev/null', 'true'))[0];

my $t = Test::Emage->new(workers => 1);

$t->backend();
my $set = $t->synthetic('only=native', 'big=48');
$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(ct1 big);
$t->allow(qr/the disk has not answered/, qr/journal/);
$t->run($Test::Emage::default_conf
        =~ s/(location .dicom)/location = \/metrics { emage_status; }\n$1/r);

my $token = $t->professional();
my $path = "/dicom-web/studies/$set->{ct1}{study}/metadata";
my $big = "/dicom-web/studies/$set->{big}{study}";
my ($worker) = $t->workers_pids();

is($t->http_get($path, token => $token)->{status}, 200, 'served');

my $download = $t->http(rcvbuf => 65536);
$download->send($t->request_text($big, token => $token));
$download->pull(16384, 10);
$t->served($big, { status => 200, body => '', first => $download->{first} });

# the sync that begins now hangs; so does every later one

$t->spawn('strace', 'strace', '-f', '-q', '-o', '/dev/null', '-e',
          'trace=fdatasync', '-e', 'inject=fdatasync:delay_enter=60000000',
          '-p', $worker);
$t->wait_for('strace', 5, sub {
    return slurp("/proc/$worker/status") =~ /^TracerPid:\s*[1-9]/m;
});

my $load = Test::Emage::Load->new($t, clients => 3, pause => 0.02, asks => [
    { name => 'metrics', path => '/metrics' },
    { name => 'nobody', path => $path } ]);
my $waits = Test::Emage::Load->new($t, clients => 3, once => 1, asks => [
    map { { name => 'new', path => $path, token => $t->professional(n => $_) } }
    1 .. 3 ]);

sleep 1;
my $start = time();
my ($rc, $out, $err) = $t->tool('emage-consent', 'withdraw', '--study',
                                $set->{big}{study});
my $took = time() - $start;
is($rc, 0, 'a withdrawal is acknowledged') or diag $err;
cmp_ok($took, '<', 2, sprintf 'after %.0f ms', $took * 1000);
my $n = $download->drain(2);
cmp_ok($n, '<', 6e6, "the download is cut ($n bytes were under way)");
$download->close();

my @waits = $waits->finish();
is(scalar(grep { $_->{status} == 503 } @waits), 3, 'who waits is told');
is(scalar(grep { $_->{end} - $_->{sent} > 6.5 } @waits), 0, 'within 5 s')
    or diag map { sprintf "%.1f s\n", $_->{end} - $_->{sent} } @waits;

$start = time();
is($t->http_get($path, token => $t->professional(n => 99))->{status}, 503,
   'who comes later is told');
cmp_ok(time() - $start, '<', 1, 'at once');
like($t->error_log(), qr/the disk has not answered for 5000 ms/,
     'the log tells of it');

my @all = $load->stop();
my @slow = sort { $b <=> $a } map { $_->{end} - $_->{sent} } @all;
is(scalar(grep { $_->{status} != ($_->{name} eq 'metrics' ? 200 : 401) } @all),
   0, 'metrics and nobodies are answered: '
      . Test::Emage::Load::summary(@all));
cmp_ok($slow[0], '<', 1, sprintf 'the event loop lives: the slowest of %d '
       . 'answers took %.0f ms', scalar @all, $slow[0] * 1000);

$t->end('strace', INT => 10);
ok($t->wait_for('the disk', 20, sub {
    return $t->http_get($path, token => $token)->{status} == 200;
}), 'served again');
