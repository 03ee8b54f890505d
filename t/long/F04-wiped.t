#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# F4: a Redis that was wiped (FLUSHALL), that starts empty because nothing was
# persistent, and that starts from the files of an earlier day, in which the
# consent of today stood otherwise; with and without the daemon.
#
# Expectation: until the ledger's truth is back nothing is served, and then
# what was last acknowledged holds: a withdrawal that the old data does not know
# is effective, by a new epoch.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Load;

use Time::HiRes qw(time sleep);

my $t = Test::Emage->new(workers => 2);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(ct1 bulk);
$t->allow(qr/records went back in time/);
$t->run();

my $token = $t->professional();
my %path = map { $_ => "/dicom-web/studies/$set->{$_}{study}/metadata" }
           qw(ct1 bulk);
my @asks = map { { name => $_, path => $path{$_}, token => $token } }
           sort keys %path;
my $yesterday = $t->path('yesterday');


sub crash { $t->end('redis', KILL => 5) or die "redis does not die\n" }

sub status { $t->http_get($path{$_[0]}, token => $token)->{status} }

sub epoch { $t->redis()->call('GET', 'emage:{0}:epoch') // '' }


# The files as they are now; in them both studies are shared.

sub keep {
    $t->share($set->{$_}{study}) for qw(ct1 bulk);
    my $r = $t->redis();

    run_command('rm', '-rf', $yesterday);
    is((run_command('cp', '-a', $t->path('redis'), $yesterday))[0], 0,
       'the files of yesterday are kept');
}


# Breaks Redis with the daemon stopped; nothing may be served until it runs.

sub fault {
    my ($name, $break) = @_;

    keep();
    $t->consent('withdraw', '--study', $set->{ct1}{study});
    is(status('ct1'), 404, "$name: withdrawn");
    is(status('bulk'), 200, "$name: the other is served");
    my $epoch = epoch();

    kill 'STOP', $t->{pids}{reconcile};
    my $load = Test::Emage::Load->new($t, asks => \@asks, clients => 2,
                                      pause => 0.005);
    sleep 0.3;
    my $start = time();
    $break->();
    my $broken = time();
    sleep 2.5;
    my @all = $load->stop();
    my @after = grep { $_->{sent} > $broken + 1 } @all;

    # a study that nobody touched may be served until the lease has run out

    is(scalar(grep { $_->{status} == 200 && $_->{name} eq 'ct1' } @all), 0,
       "$name: what is withdrawn is never served");
    is(scalar(grep { $_->{status} == 200 } @after), 0, "$name: nothing is "
       . 'served before it is reconciled ('
       . Test::Emage::Load::summary(@after) . ')');

    $load = Test::Emage::Load->new($t, asks => \@asks, clients => 2,
                                   pause => 0.005);
    my $cont = time();
    kill 'CONT', $t->{pids}{reconcile};
    ok($t->wait_for('service', 20, sub { status('bulk') == 200 }),
       sprintf '%s: served again', $name);
    my $took = time() - $cont;
    sleep 0.5;
    @all = $load->stop();

    cmp_ok($took, '<', 10, sprintf '%s: after %.1f s', $name, $took);
    is(scalar(grep { $_->{status} == 200 && $_->{name} eq 'ct1' } @all), 0,
       "$name: the withdrawal holds (" . Test::Emage::Load::summary(@all)
       . ')');
    isnt(epoch(), $epoch, "$name: under a new epoch");
}


fault('FLUSHALL', sub { $t->redis()->call('FLUSHALL') });

fault('an empty start', sub {
    crash();
    run_command('rm', '-rf', $t->path('redis'));
    mkdir $t->path('redis');
    $t->redis_start() or die;
});

fault('the files of yesterday', sub {
    crash();
    run_command('rm', '-rf', $t->path('redis'));
    run_command('cp', '-a', $yesterday, $t->path('redis'));
    $t->redis_start() or die;
});

# again, with a node that knows nothing but its fence on disk

fault('the files of yesterday, and nginx killed', sub {
    crash();
    run_command('rm', '-rf', $t->path('redis'));
    run_command('cp', '-a', $yesterday, $t->path('redis'));
    my @workers = $t->workers_pids();
    $t->end('nginx', KILL => 5);
    kill 'KILL', @workers;
    $t->redis_start() or die;
    $t->{no_lease} = 1;
    $t->nginx_start() or die "nginx does not start\n";
    $t->{no_lease} = 0;
});
