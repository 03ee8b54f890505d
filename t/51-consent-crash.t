#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# A change that is killed at any step: emage-consent dies at its Nth write, read
# or sync, for every N.  Afterwards reconcile settles it, Redis and ledger agree,
# and both agree again after Redis was wiped.
#
# A restriction that reached the ledger is in force; a grant is in force only
# if Redis had it.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Records;

my $tool = "$Test::Emage::build/bin/emage-consent";

plan(skip_all => 'strace is not installed')
    if system('strace -V >/dev/null 2>&1') != 0;
plan(skip_all => 'strace may not trace here')
    if system('strace -qq -e trace=none true >/dev/null 2>&1') != 0;

my $t = Test::Emage->new();

$t->redis_start() or die "redis does not start\n";
$t->consent('init');
$t->{backend} = 1;

my $r = $t->redis();


# Runs a command that dies at the Nth call of a system call; whether it did.

sub killed {
    my ($call, $when, @args) = @_;
    local %ENV = (%ENV, %{$t->{env}});
    my ($rc) = run_command('strace', '-qq', '-o', '/dev/null', '-e',
                           "trace=$call", '-e',
                           "inject=$call:signal=KILL:when=$when", $tool,
                           @args);
    return $rc != 0;
}


# The prepare of the last change, its outcome, as the ledger has them.

sub ledger_of {
    my ($pid, $event) = @_;
    my (%prepare, %outcome);

    for ($t->journal('ledger')) {
        $prepare{$_->{id}} = $_ if $_->{type} eq 'prepare'
            && $_->{pid} eq $pid && $_->{event} eq $event;
        $outcome{$_->{id}} = $_->{type} if $_->{type} =~ /^(?:commit|abort)$/;
    }

    return map { $outcome{$_} // 'open' } keys %prepare;
}


my %kinds = (
    restrict => [ 'withdraw', 'consent', sub {
        records_of($t, "patient:$_[0]")->{consent}{sharing} eq 'withdrawn'
    } ],
    grant => [ 'relate', 'relation', sub {
        @{records_of($t, "patient:$_[0]")->{relations}} > 0
    } ],
);
my (%points, %seen);

for my $effect (sort keys %kinds) {
    my ($command, $event, $done) = @{$kinds{$effect}};
    my @more = $command eq 'relate' ? ('--team', 'urn:t|a') : ();

    for my $call (qw(write fdatasync read fsync)) {
        my $wrong = 0;

        # the first reads are those of the dynamic linker

        for my $when (($call eq 'read' ? 10 : 1) .. 60) {
            my ($study, $pid) = study_new($t);
            my $died = killed($call, $when, $command, '--study', $study,
                              @more);

            last unless $died;
            $points{$effect}++;

            my @before = ledger_of($pid, $event);
            my $was = $done->($pid);
            $t->tool('emage-consent', 'reconcile', '--once', '--settle', '0');
            my @after = ledger_of($pid, $event);
            my $is = $done->($pid);

            # settled: no change is open, and what is in force was committed

            my $commits = grep { $_ eq 'commit' } @after;
            my $bad = grep { $_ eq 'open' } @after;
            $bad ||= ($is ? 1 : 0) != ($commits ? 1 : 0);

            # a restriction on the disk is in force; what was, stays

            $bad ||= $effect eq 'restrict' && @before && !$is;
            $bad ||= $was && !$is;
            $bad ||= $effect eq 'grant' && !$was && $is;

            $seen{$effect}{ (@before ? $before[0] : 'nothing')
                            . ($was ? ' made' : '') }++;
            next unless $bad;
            $wrong++;
            diag "$effect, $call $when: before @before" . ($was ? ' made' : '')
                 . ", after @after" . ($is ? ' made' : '');
        }

        is($wrong, 0, "$effect: killed at each $call");
    }
}

for my $effect (sort keys %kinds) {
    ok($seen{$effect}{$_}, "$effect: $seen{$effect}{$_} deaths left: $_")
        for 'nothing', 'open', 'open made';
}

cmp_ok($points{restrict}, '>', 20, "$points{restrict} points of a restriction");


# wiped: the same again

my $before = records($t);
my ($epoch, $seq) = partition($t);

$r->call('FLUSHALL');
$r->call('FUNCTION', 'FLUSH');
my ($rc, $out, $err) = $t->tool('emage-consent', 'reconcile', '--once');
is($rc, 0, 'reconciled after a wipe') or diag $err;

my $after = records($t);
my (%b, %a) = ();
my @differ = grep { comparable($before->{$_}) ne comparable($after->{$_}) }
             keys %$before;
is(scalar @differ, 0, scalar(keys %$before) . ' records are as they were')
    or diag "$differ[0]: $before->{$differ[0]}\n"
            . ($after->{$differ[0]} // 'missing');
isnt((partition($t))[0], $epoch, 'in a new epoch');
cmp_ok((partition($t))[1], '>', grep_max(), 'with a sequence above the ledger');

# Records that only the tests wrote begin at version 1 again.

sub comparable {
    my ($text) = @_;
    my $d = JSON::PP::decode_json($text // '{}');
    delete $d->{version} if ($d->{version} // 0) == 1;
    return JSON::PP->new->canonical->encode($d);
}

sub grep_max {
    my $max = 0;
    for ($t->journal('ledger')) {
        $max = $_->{number} if ($_->{number} // 0) > $max;
    }
    return $max;
}
