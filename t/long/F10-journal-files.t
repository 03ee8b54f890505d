#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# F10: under load, somebody deletes journal files, cuts them, moves them away,
# puts others in their place, moves the directory, takes its rights away, and
# rotates by signal.
#
# Expectation: noticed within a second, and from then on no byte without a record
# in a file that is there; a rotation loses nothing.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Load;

use Time::HiRes qw(time sleep);

my $t = Test::Emage->new(workers => 1);

$t->backend();
my $set = $t->synthetic('only=native');
$t->ingest($t->path('in'));
$t->share($set->{ct1}{study});
$t->allow(qr/journal/);
$t->run();

my @tokens = map { $t->professional(n => $_) } 1 .. 300;
my $access = $t->path('journal/access');
my ($worker) = $t->workers_pids();
my @asks = ({ name => 'ct1', token => \@tokens,
              path => "/dicom-web/studies/$set->{ct1}{study}/metadata" });
my %back;


# The file that the worker has open.

sub current {
    my ($file) = grep { m{/journal/access/|/away/} }
                 map { readlink($_) // () } glob "/proc/$worker/fd/*";
    return $file // '';
}


# Does something to the file while the worker stands still, so that what it held
# is known to the byte; how long until the worker writes elsewhere.

sub fault {
    my ($name, $bound, $code) = @_;

    ok($t->wait_for('a file', 5, sub { -s current() }), "$name: there is one");
    my $file = current();
    my $load = Test::Emage::Load->new($t, asks => \@asks, clients => 2,
                                      pause => 0.01);

    sleep 0.4;
    kill 'STOP', $worker;
    sleep 0.02;
    $back{$file} = slurp($file);
    $code->($file);
    my $start = time();
    kill 'CONT', $worker;

    ok($t->wait_for('another file', 5, sub {
        my $now = current();
        return $now && $now !~ /deleted/ && $now ne $file && -s $now;
    }), "$name: the worker goes on in another file");
    my $took = time() - $start;
    cmp_ok($took, '<', $bound, sprintf '%s: noticed after %.0f ms', $name,
           $took * 1000);
    sleep 0.5;

    my @all = $load->stop();
    is(scalar(grep { $_->{status} !~ /^(200|503)$/ } @all), 0,
       "$name: all are answered (" . Test::Emage::Load::summary(@all) . ')');
    my @late = grep { $_->{sent} > $start + $bound } @all;
    is(scalar(grep { $_->{status} != 200 } @late), 0,
       "$name: and served, once it is noticed");
}

# the files come back at the end: whoever did this could have kept them

sub away { (my $to = $_[0]) =~ s{/journal/access/}{/away/}; return $to }

mkdir $t->path('away');

my $base = qr{([^/]+)$};

fault('deleted', 1.1, sub { unlink $_[0] or die });

fault('cut', 1.1, sub { truncate $_[0], 100 or die });

fault('emptied', 1.1, sub { truncate $_[0], 0 or die });

fault('moved', 1.1, sub { rename $_[0], away($_[0]) or die });

fault('replaced', 1.1, sub {
    rename $_[0], away($_[0]) or die;
    spew($_[0], "{}\n");
});

fault('rotated by signal', 1.1, sub {
    rename $_[0], away($_[0]) or die;
    kill 'USR1', $t->{pids}{nginx};
});

fault('the directory moved and a new one made', 1.6, sub {
    rename $access, "$access.gone" or die;
    mkdir $access or die;
});

rename $_, $access . '/' . (split m{/})[-1] for glob "$access.gone/*.jsonl";

# root needs no rights

SKIP: {
    skip 'rights do not bind root', 1 if $> == 0;
    fault('no rights', 1.1, sub { chmod 0, $_[0], $access });
    chmod 0755, $access;
}

# files whose end the worker knew: what was moved has gone on after the copy

for my $file (keys %back) {
    my ($name) = $file =~ $base;
    my $moved = $t->path("away/$name");

    rename $moved, "$access/$name" if -e $moved;
    spew("$access/$name", $back{$file})
        if length(slurp("$access/$name")) < length $back{$file};
}

is(($t->workers_pids())[0], $worker, 'the worker lives');
