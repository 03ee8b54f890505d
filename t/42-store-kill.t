#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# An ingest that is killed leaves each study as it was or as it will be: at
# every fsync, rename, link and mkdir of a first ingest and of a new revision,
# and at random moments of a larger one with its workers.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use File::Path qw(make_path remove_tree);
use POSIX ();
use Time::HiRes qw(sleep);

plan(skip_all => 'strace is not installed')
    unless grep { -x "$_/strace" } split /:/, $ENV{PATH};

my $t = Test::Emage->new();

$t->backend();

my $made = $t->synthetic('only=native');
my $studies = 0;
my @first = map { $made->{$_}{path} } qw(ct1 bits);
my $asan = $Test::Emage::build =~ /asan/;


# What a node would serve: the revision that the record names is whole.

sub consistent {
    my ($name) = @_;
    my ($rc, $out, $err) = $t->tool('emage-store', 'verify');
    my @bad = grep { !/no record names it|has no record|fault\(s\)/ }
              split /\n/, $out;

    return 1 if $rc < 2 && !@bad;
    diag "$name: exit $rc\n$err", join "\n", @bad;
    return 0;
}

sub strace {
    my ($call, $n, @files) = @_;
    local %ENV = (%ENV, %{$t->{env}});

    return run_command('strace', '-o', $t->path('strace'), '-e',
        "trace=$call", '-e', "inject=$call:signal=KILL:when=$n",
        "$Test::Emage::build/bin/emage-store", 'ingest', '--quiet', '--jobs',
        1, '--org', '750000001', @files);
}


# Studies that the store does not have yet.

sub fresh {
    my ($n) = @_;
    my @paths;

    for my $name (qw(ct1 bits)) {
        push @paths, $t->path("fresh-$n-$name.dcm");
        my ($rc, $out, $err) = run_command('/usr/bin/python3', '-c',
            'import sys, pydicom; ds = pydicom.dcmread(sys.argv[1]);'
            . 'ds.StudyInstanceUID += sys.argv[3];'
            . 'ds.SOPInstanceUID += sys.argv[3];'
            . 'ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID;'
            . 'ds.save_as(sys.argv[2])', $made->{$name}{path}, $paths[-1],
            ".$n");
        die "pydicom: $err" if $rc;
    }

    return @paths;
}


# A header change makes the study's next revision.

my $changes = 0;

sub changed {
    my $path = $t->path('changed.dcm');
    my ($rc, $out, $err) = run_command('/usr/bin/python3', '-c',
        'import sys, pydicom; ds = pydicom.dcmread(sys.argv[1]);'
        . 'ds.SeriesDescription = sys.argv[3]; ds.save_as(sys.argv[2])',
        $made->{ct1}{path}, $path, 'change ' . ++$changes);
    die "pydicom: $err" if $rc;
    return $path;
}

# LeakSanitizer does not work under ptrace.

$t->{env}{ASAN_OPTIONS} = 'detect_leaks=0';

for my $call (qw(fsync rename link mkdir)) {
    my ($n, $sound, $killed) = (0, 1, 0);
    my $step = $call eq 'fsync' ? ($asan ? 9 : 2) : 1;
    my @files = fresh(++$studies);

    for ($n = 1; $n < 400; $n += $step) {
        my ($rc, $out, $err) = strace($call, $n, @files);

        $sound &&= consistent("$call $n");
        last if $rc == 0 || !$sound;
        $killed++;
    }

    ok($sound && $killed && $n < 400, "first ingest: killed at $killed points of $call");
}

is(scalar(grep { $_->{status} ne 'refused' } @{$t->ingest(@first)}), 2,
   'then it succeeds');

for my $call (qw(fsync rename link)) {
    my ($n, $sound, $killed) = (0, 1, 0);
    my $step = $call eq 'fsync' ? ($asan ? 9 : 3) : 1;

    for ($n = 1; $n < 400; $n += $step) {
        my ($rc) = strace($call, $n, changed());

        $sound &&= consistent("$call $n");
        last if $rc == 0 || !$sound;
        $killed++;
    }

    ok($sound && $killed && $n < 400, "new revision: killed at $killed points of $call");
}


# At random, with workers.

my @data = ($t->path('in'), $t->pydicom_data());
my ($sound, $rounds) = (1, $asan ? 3 : 6);

for my $round (1 .. $rounds) {
    my $pid = fork() // die;

    if ($pid == 0) {
        $ENV{$_} = $t->{env}{$_} for keys %{$t->{env}};
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec "$Test::Emage::build/bin/emage-store", 'ingest', '--org',
             '750000001', @data or POSIX::_exit(127);
    }

    sleep(0.05 + rand 1.5);
    kill 'KILL', $pid;
    waitpid $pid, 0;
    $sound &&= consistent("round $round");
}

ok($sound, "killed $rounds times at random: every named revision is whole");

my $files = $t->ingest(@data);

is(scalar(grep { $_->{reason} =~ /not published/ } @$files), 0,
   'the next ingest goes through');
is(join(' ', glob $t->store() . '/incoming/*'), '',
   'and removes what was left over');

sleep 10.5;
$t->tool_ok('emage-store', 'sweep', '--orphans');

my ($rc, $out, $err) = $t->tool('emage-store', 'verify');

is($rc, 0, 'after a sweep store and records agree') or diag $out . $err;
