#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# F12: a worker is killed at every kind of system call of an access, at its
# first, second and later occurrence; then at random, under load.
#
# Expectation: what a client got any byte of is recorded; the lease does not
# stick, the other workers go on, and a withdrawal is acknowledged in its bound.

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
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(ct1 bulk);
$t->allow(qr/worker process \d+ exited on signal 9/);

my $conf = $Test::Emage::default_conf
           =~ s/^events/thread_pool default threads=1;\nevents/mr;

$t->run($conf);

my @tokens = map { $t->professional(n => $_) } 1 .. 120;
my ($k, %status) = 0;
my $path = "/dicom-web/studies/$set->{ct1}{study}/series/$set->{ct1}{series}"
           . "/instances/$set->{ct1}{instance}";
my $body = $t->http_get($path, token => $tokens[0])->{body};


sub ask {
    my $load = Test::Emage::Load->new($t, clients => 1, once => 1, wait => 5,
        asks => [{ name => 'ct1', path => $path, body => $body,
                   token => $tokens[++$k % @tokens] }]);
    return $load;
}

sub worker { return ($t->workers_pids())[0] // 0 }

sub traced {
    my ($pid) = @_;
    return slurp("/proc/$pid/status") =~ /^TracerPid:\s*[1-9]/m;
}

# 1. which calls an access makes

my $trace = $t->path('trace');
my $traced = worker();
$t->spawn('strace', 'strace', '-f', '-q', '-o', $trace, '-p', $traced);
$t->wait_for('strace', 5, sub { traced($traced) });
sleep 0.3;
ask()->finish();
sleep 0.2;
$t->end('strace', INT => 5);

my %calls;
$calls{$_}++ for slurp($trace) =~ /^\d+\s+(?:<\.\.\. )?([a-z_0-9]+)[( ]/mg;
my @calls = grep { !/^(?:futex|restart_syscall|exit|rt_sig\w+)$/ }
            sort keys %calls;
cmp_ok(scalar @calls, '>', 8, "an access makes: @calls");


# 2. killed at each

my ($killed, $stuck, $torn) = (0, 0, 0);

for my $call (@calls) {
    for my $n ($ENV{EMAGE_LONG} ? (1, 2, 4) : 1) {
        my $pid = worker();

        $t->spawn('strace', 'strace', '-f', '-q', '-o', '/dev/null', '-e',
                  "trace=$call", '-e', "inject=$call:signal=KILL:when=$n",
                  '-p', $pid);
        $t->wait_for('strace', 3, sub { traced($pid) || worker() != $pid });

        my $load = ask();
        my $until = time() + 1;

        sleep 0.01 while worker() == $pid && time() < $until;
        my ($r) = $load->finish();
        $t->end('strace', INT => 5);
        $status{$r->{status}}++;
        $torn++ if $r->{status} == 200 && !$r->{right};
        next if worker() == $pid;
        $killed++;
        $t->wait_for("service after $call $n", 10, sub {
            $t->http_get($path, token => $tokens[0])->{status} == 200;
        }) or $stuck++;
    }
}

cmp_ok($killed, '>', @calls / 2, "killed $killed times; clients saw "
       . join ', ', map { "$_: $status{$_}" } sort keys %status);
is($stuck, 0, 'and it always came back');


# 3. at random: of four workers, one is gone at any time

$t->{workers} = 4;
$t->stop();
$t->run($conf);

my $load = Test::Emage::Load->new($t, clients => 4, wait => 5, asks => [
    { name => 'ct1', path => $path, body => $body, token => \@tokens },
    { name => 'foreign', foreign => $set->{foreign}{instance},
      path => "/dicom-web/studies/$set->{foreign}{study}/metadata",
      token => \@tokens } ]);
my $kills = $ENV{EMAGE_LONG} ? 150 : 20;

for (1 .. $kills) {
    sleep 0.02 + rand 0.15;
    my @w = $t->workers_pids();
    kill 'KILL', $w[rand @w] if @w;
}

my $start = time();
$t->consent('withdraw', '--study', $set->{bulk}{study});
my $took = time() - $start;
sleep 0.5;
my @all = $load->stop();

cmp_ok($took, '<', 3, sprintf 'a withdrawal is not held up by the dead: '
       . '%.0f ms', $took * 1000);
is(scalar(grep { $_->{status} == 200 && $_->{name} eq 'foreign' } @all), 0,
   'nothing foreign: ' . Test::Emage::Load::summary(@all));
is(scalar(grep { !$_->{right} && $_->{length} == length $body } @all), 0,
   'no wrong body');
cmp_ok(scalar(grep { $_->{status} == 200 } @all), '>', @all / 8,
       "$kills workers killed: the others go on");
ok($t->wait_lease(), 'the lease is there');
