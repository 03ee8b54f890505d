#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# F8: the disk of the journal fails: the Nth write or sync of a worker ends with
# EIO, for every N of some accesses.
#
# Expectation: the file is given up at the first error and another one begun;
# who waited gets 503; a sync that failed is never followed by one that counts.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use Time::HiRes qw(time sleep);

my $t = Test::Emage->new(workers => 1);

$t->backend();
my $set = $t->synthetic('only=native');
$t->ingest($t->path('in'));
$t->share($set->{ct1}{study});
$t->allow(qr/journal|fence/);
$t->run($Test::Emage::default_conf
        =~ s/^events/thread_pool default threads=1;\nevents/mr);

plan(skip_all => 'no strace')
    if (run_command('strace', '-q', '-o', '/dev/null', 'true'))[0];

my @tokens = map { $t->professional(n => $_) } 1 .. 300;
my $path = "/dicom-web/studies/$set->{ct1}{study}/metadata";
my ($worker) = $t->workers_pids();


# The file that the worker has open.

sub current {
    my ($file) = grep { m{/journal/access/} }
                 map { readlink($_) // () } glob "/proc/$worker/fd/*";
    return $file // '';
}

my $k = 0;

sub status {
    sleep 0.02;
    return $t->http_get($path, token => $tokens[$k++ % @tokens])->{status};
}

my (%seen, %hurt);

for my $call (qw(pwrite64 fdatasync fsync)) {
    for my $n (1 .. ($ENV{EMAGE_LONG} ? 8 : 3)) {
        my $name = "$call $n";

        ok($t->wait_for('service', 15, sub { status() == 200 && current() }),
           "$name: served before");
        my $file = current();
        my $trace = $t->path("trace.$call.$n");

        $t->spawn('strace', 'strace', '-f', '-q', '-o', $trace, '-e',
                  "trace=$call", '-e', "inject=$call:error=EIO:when=$n",
                  '-p', $worker);
        $t->wait_for('strace', 5, sub {
            return slurp("/proc/$worker/status") =~ /^TracerPid:\s*[1-9]/m;
        });

        my @s;
        my $until = time() + 3;

        until (time() > $until || slurp($trace) =~ /INJECTED/) {
            push @s, status();
        }

        push @s, status() for 1 .. 2;
        $t->end('strace', INT => 5);
        $seen{$_}++ for @s;

        is(scalar(grep { $_ != 200 && $_ != 503 } @s), 0,
           "$name: every request is answered (@s)");

        next unless slurp($trace) =~ /INJECTED/ && $call ne 'fsync';
        $hurt{$call}++;
        ok($t->wait_for('another file', 5, sub { current() ne $file }),
           "$name: the file is given up");
    }
}

cmp_ok($hurt{$_} // 0, '>', 1, "$_ failed $hurt{$_} times")
    for qw(pwrite64 fdatasync);
ok($seen{503}, "some were refused: $seen{503} of "
   . ($seen{503} + $seen{200}));
is(($t->workers_pids())[0], $worker, 'the worker lives');
ok($t->wait_for('service', 15, sub { status() == 200 }), 'and serves');
