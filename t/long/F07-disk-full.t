#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# F7: the disk of the journals is full: less than the reserve is left, then two
# pages, one, none, so that records end in the middle; and a write that fails
# for want of space although there seemed to be enough.
#
# Expectation: 503 before any byte, told in the log within a second; withdrawals
# go on while the reserve lasts, and are never acknowledged without their record
# after that; what is torn is recovered.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Load;

use Time::HiRes qw(time sleep);

plan(skip_all => 'a small file system needs root') if $> != 0;

my $t = Test::Emage->new(workers => 2);
my $disk = $t->path('journal');

plan(skip_all => 'no tmpfs can be mounted')
    if (run_command('mount', '-t', 'tmpfs', '-o', 'size=64m,mode=0777', 'none',
                    $disk))[0];

END { run_command('umount', '-l', $disk) if defined $disk }

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(ct1 bulk);
$t->allow(qr/journal/);

# one thread, so that strace, which counts by thread, counts all of them

$t->run($Test::Emage::default_conf
        =~ s/^events/thread_pool default threads=1;\nevents/mr);

my @tokens = map { $t->professional(n => $_) } 1 .. 24;
my %path = map { $_ => "/dicom-web/studies/$set->{$_}{study}/metadata" }
           qw(ct1 bulk);
my @asks = map { { name => $_, path => $path{$_}, token => \@tokens } }
           sort keys %path;
my @who = ('--study', $set->{ct1}{study});

sub load { Test::Emage::Load->new($t, asks => \@asks, clients => 2,
                                  pause => 0.005) }

sub sharing { $t->patient_record($set->{ct1}{study})->{consent}{sharing} }


# Leaves so many pages.

sub fill {
    my ($pages) = @_;
    my $n = 0;

    # Perl's buffers would hide what did not fit

    open my $f, '>>', "$disk/ballast.$pages" or die;
    $n++ while defined syswrite $f, "\0" x 65536;
    $n++ while defined syswrite $f, "\0" x 4096;
    close $f;
    truncate "$disk/ballast.$pages", (-s "$disk/ballast.$pages")
                                     - 4096 * $pages;
}

sub free { unlink glob "$disk/ballast.*" }

sub served_again {
    my ($name) = @_;
    my $start = time();

    return ok($t->wait_for($name, 15, sub {
        return $t->http_get($path{bulk}, token => $tokens[0])->{status} == 200;
    }), "$name: served again") && sprintf '%.1f', time() - $start;
}


# 1. below the reserve

{
    my $load = load();
    sleep 0.5;
    fill(15 * 256);
    my $full = time();
    my $told;

    $t->wait_for('the log', 5, sub {
        $told = time() if $t->error_log() =~ /kept for withdrawals/;
        return $told;
    });
    cmp_ok(($told // 1e12) - $full, '<', 1, 'the log tells of it in a second');
    sleep 1;

    my ($rc, $out, $err) = $t->tool('emage-consent', 'withdraw', @who);
    is($rc, 0, 'a withdrawal is taken from the reserve') or diag $err;
    my @after = grep { $_->{sent} > $full + 1 } $load->stop();
    is(scalar(grep { $_->{status} != 503 } @after), 0,
       'below the reserve: nothing is served ('
       . Test::Emage::Load::summary(@after) . ')');
}


# 2. nothing left: a record of the ledger is longer than a page

$t->consent('relate', @who, '--professional', "urn:people|$_" . 'x' x 90)
    for 1 .. 40;

for my $pages (2, 1, 0) {
    fill($pages);
    my ($before, $seq) = (sharing(),
                          $t->redis()->call('GET', 'emage:{0}:seq'));
    my $load = load();
    my ($rc, $out, $err) = $t->tool('emage-consent', 'set', @who, '--sharing',
                                    'active');

    isnt($rc, 0, "$pages pages left: a change is not acknowledged");
    like($err, qr/ledger|journal|space/i, 'and says why') or diag $out . $err;
    is(sharing(), $before, 'nor made');
    is($t->redis()->call('GET', 'emage:{0}:seq'), $seq, 'nor numbered');
    sleep 0.3;

    my @all = $load->stop();
    is(scalar(grep { $_->{status} != 503 } @all), 0,
       "$pages pages left: nothing is served ("
       . Test::Emage::Load::summary(@all) . ')');
    unlink "$disk/ballast.$pages";
}

free();
my $took = served_again('space again');
is($t->http_get($path{ct1}, token => $tokens[1])->{status}, 404,
   "the withdrawal holds, $took s later");


# 3. a write that finds no space

$t->share($set->{ct1}{study});

for my $n (1 .. 4) {
    my @old = sort glob "$disk/access/*.jsonl";

    $t->spawn("strace$_", 'strace', '-f', '-q', '-o', '/dev/null', '-e',
              'trace=pwrite64', '-e', "inject=pwrite64:error=ENOSPC:when=$n+",
              '-p', ($t->workers_pids())[$_]) for 0, 1;
    sleep 1;
    my $load = load();
    sleep 1.5;
    $t->end("strace$_", INT => 5) for 0, 1;
    my @all = $load->stop();

    ok((grep { $_->{status} == 503 } @all), "write $n finds no space: 503");
    is(scalar(grep { $_->{status} !~ /^(200|503)$/ } @all), 0,
       "write $n: all are answered (" . Test::Emage::Load::summary(@all)
       . ')');
    served_again("write $n");
}

$t->finish();
done_testing();
