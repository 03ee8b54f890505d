#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# A Redis that started anew, went back in time or was wiped, with the daemon
# beside it: until the records are where the ledgers are, no lease and no
# change; then all is as it was last acknowledged.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Records;

use Time::HiRes qw(sleep time);

my $t = Test::Emage->new();
my $rdb = $t->path('redis/dump.rdb');


# A Redis that saves only when it is told to.

sub start {
    my $d = $t->dir();

    $t->spawn('redis', 'redis-server', '--port', 0, '--unixsocket',
              "$d/redis.sock", '--dir', "$d/redis", '--appendonly', 'no',
              '--save', '', '--logfile', "$d/logs/redis.log");
    return $t->wait_for('redis', 10, sub {
        my $r = $t->redis();
        return $r && eval { $r->call('PING') };
    });
}

sub crash { $t->end('redis', KILL => 5) or die "redis does not die\n" }

# Whether the daemon finishes, and how long that took.

sub recovers {
    my ($name) = @_;
    my $start = time();
    my $ok = $t->wait_for('reconciliation', 15, sub {
        my $r = $t->redis() or return 0;
        my $id = eval { $r->call('GET', P . 'reconciled') } or return 0;
        return $r->call('INFO', 'server') =~ /run_id:\Q$id\E/
               && $r->call('EXISTS', P . 'epoch');
    });

    ok($ok, sprintf '%s: reconciled after %.2f s', $name, time() - $start);
}

sub same_as {
    my ($before, $name) = @_;
    my $now = records($t);
    my @differ = grep { ($now->{$_} // '') ne $before->{$_} } keys %$before;

    is(scalar @differ, 0, "$name: the records are as they were")
        or diag "$before->{$differ[0]}\n" . ($now->{$differ[0]} // 'missing');
    is(scalar(keys %$now), scalar(keys %$before), "$name: and no others");
}

sub lease_state { my $h = apply_all($t->redis(), 'n1', @_); $h->{state} // 'granted' }


start() or die;
$t->consent('init');
$t->{backend} = 1;
$t->reconcile_start() or die;

my ($study, $pid) = study_new($t);
my ($other, $opid) = study_new($t);
my @who = ('--study', $study);
my ($rc, $out, $err);

$t->consent('set', @who, '--inclusion', 'given', '--sharing', 'active');
$t->consent('relate', @who, '--team', 'urn:t|a');
$t->consent('report-status', $_, '--instance', '1.9', '--status', 'final')
    for map { "--study=$_" } $study, $other;
$t->consent('exclude', '--study', $other, '--professional', 'urn:p|1');

$t->redis()->call('SAVE');
rename $rdb, "$rdb.old";

$t->consent('withdraw', @who);
$t->consent('mark', 'masked', 'on', @who);
my $before = records($t);
my $node = apply_all($t->redis(), 'n1');


# 1. killed and started with yesterday's data

crash();
($rc, $out, $err) = $t->tool('emage-consent', 'show', @who);
is($rc, 2, 'without Redis the tool says so');
rename "$rdb.old", $rdb;
start();
is(lease_state($node), 'unreconciled', 'old data: no lease before');
($rc, $out, $err) = $t->tool('emage-consent', 'override', @who,
                             '--professional', 'urn:p|9', '--reason', 'x');
is($rc, 2, 'old data: no change before');
like($err, qr/not reconciled/, 'old data: and it says why');
recovers('old data');
same_as($before, 'old data');
is(records_of($t, "patient:$pid")->{consent}{sharing}, 'withdrawn',
   'old data: the withdrawal holds');
is(lease($t->redis(), 'n1', @{$node}{qw(epoch seq nonce)})->[0], 'flush',
   'old data: a node must drop its facts');
is(lease_state($node), 'granted', 'old data: then it may serve');


# 2. killed and started empty

crash();
unlink $rdb;
start();
recovers('empty');
same_as($before, 'empty');
is($t->consent('show', '--identifier', "750000001|P1-$$") =~ /"pid": "$pid"/,
   1, 'empty: the patient is found by identifier again');
is_deeply($t->redis()->call('SMEMBERS', 'emage:care:urn:t|a'), [ $pid ],
          'empty: the care hint is back');
is($t->redis()->call('HGET', 'emage:config', 'store'), $t->store(),
   'empty: it is announced again where things are');


# 3. wiped while running: no sooner than every old lease has run out

$node = apply_all($t->redis(), 'n1');
my $start = time();
$t->redis()->call('FLUSHALL');
is(lease_state($node), 'unreconciled', 'wiped: no lease');
recovers('wiped');
cmp_ok(time() - $start, '>', 1.2, 'wiped: not before old leases are over');
same_as($before, 'wiped');


# 4. the epoch alone is gone

$t->redis()->call('DEL', P . 'epoch');
is(lease_state($node), 'unreconciled', 'no epoch: no lease');
recovers('no epoch');
same_as($before, 'no epoch');


# 5. a sequence that goes back under the same epoch

$node = apply_all($t->redis(), 'n1');
$t->redis()->call('SET', P . 'seq', 3);
isnt(lease_state($node), 'granted', 'sequence back: no lease');
my ($epoch) = partition($t);
ok($t->wait_for('a new epoch', 15, sub { ((partition($t))[0] // $epoch)
                                         ne $epoch }),
   'sequence back: the daemon sees it');
recovers('sequence back');
same_as($before, 'sequence back');


# 6. Redis away for long; the daemon is quiet about it

crash();
sleep 1.5;
my $log = slurp($t->path('logs/reconcile.err'));
start();
recovers('away for long');
same_as($before, 'away for long');
my @said = grep { /onnection|No such file/ } split /\n/,
           substr slurp($t->path('logs/reconcile.err')), 0;
cmp_ok(scalar @said, '<', 14, 'away for long: said once, not each time');


# 7. lost functions

$t->redis()->call('FUNCTION', 'FLUSH');
crash();
start();
recovers('functions lost');
cmp_ok($t->redis()->call('FCALL_RO', 'emage_version', 0), '>', 0,
   'functions lost: loaded again');


# 8. a writer that died leaves a restriction: settled while all runs

$t->end('reconcile');
$t->spawn('reconcile', "$Test::Emage::build/bin/emage-consent", 'reconcile',
          '--settle', '1s');
my ($third, $tpid) = study_new($t);
$t->consent('set', '--study', $third, '--sharing', 'active');
{
    local %ENV = (%ENV, %{$t->{env}});
    my ($k) = run_command('strace', '-qq', '-o', '/dev/null', '-e',
                          'trace=fdatasync', '-e',
                          'inject=fdatasync:signal=KILL:when=2',
                          "$Test::Emage::build/bin/emage-consent", 'withdraw',
                          '--study', $third);
}
is(records_of($t, "patient:$tpid")->{consent}{sharing}, 'active',
   'a withdrawal died before Redis had it');

# meanwhile somebody excludes a professional: neither may undo the other

$t->consent('exclude', '--study', $third, '--professional', 'urn:p|4');
ok($t->wait_for('settling', 15, sub {
    records_of($t, "patient:$tpid")->{consent}{sharing} eq 'withdrawn'
}), 'it is put in force by the daemon');
is(scalar @{records_of($t, "patient:$tpid")->{exclusions}}, 1,
   'and what came in between stays');
like(slurp($t->path('logs/reconcile.err')), qr/was not finished: applied/,
     'the log tells');
$before = records($t);


# 9. the same, and then everything is lost

my ($fourth, $fpid) = study_new($t);
$t->consent('set', '--study', $fourth, '--sharing', 'active');
{
    local %ENV = (%ENV, %{$t->{env}});
    my ($k) = run_command('strace', '-qq', '-o', '/dev/null', '-e',
                          'trace=fdatasync', '-e',
                          'inject=fdatasync:signal=KILL:when=2',
                          "$Test::Emage::build/bin/emage-consent", 'withdraw',
                          '--study', $fourth);
    ($k) = run_command('strace', '-qq', '-o', '/dev/null', '-e',
                       'trace=fdatasync', '-e',
                       'inject=fdatasync:signal=KILL:when=2',
                       "$Test::Emage::build/bin/emage-consent", 'relate',
                       '--study', $fourth, '--team', 'urn:t|never');
}
$t->redis()->call('FLUSHALL');
recovers('unfinished, then wiped');
is(records_of($t, "patient:$fpid")->{consent}{sharing}, 'withdrawn',
   'the unfinished withdrawal is in force');
is(scalar @{records_of($t, "patient:$fpid")->{relations}}, 0,
   'the unfinished relation is not');
my %open;
for ($t->journal('ledger')) {
    $open{$_->{id}} = 1 if $_->{type} eq 'prepare';
    delete $open{$_->{id}} if $_->{type} =~ /^(?:commit|abort)$/;
}
is(scalar keys %open, 0, 'nothing in the ledger is open');


# 10. a second wipe gives the same again: replay of replays

$before = records($t);
$t->redis()->call('FLUSHALL');
recovers('wiped again');
same_as($before, 'wiped again');


# 11. a damaged ledger: nothing is permitted, and it says which file

my ($file) = grep { slurp($_) =~ /"type":"prepare"/ }
             glob $t->path('journal/ledger/*consent*');
my $text = slurp($file);
(my $bad = $text) =~ s/"effect":"(\w)/"effect":"x$1/;
spew($file, $bad);
$t->redis()->call('FLUSHALL');
sleep 2.5;
is(lease_state($node), 'unreconciled', 'damaged ledger: nothing is permitted');
like(slurp($t->path('logs/reconcile.err')), qr/\Q@{[$file =~ m{([^\/]+)$}]}\E/,
     'damaged ledger: the log names it');
spew($file, $text);
recovers('ledger restored');
same_as($before, 'ledger restored');


# 12. no ledger: not mounted, or lost

for my $lost (0, 1) {
    rename $t->path('journal/ledger'), $t->path('journal/away');
    mkdir $t->path('journal/ledger') if $lost;
    $t->redis()->call('DEL', P . 'reconciled');
    sleep 2.5;
    is(lease_state($node), 'unreconciled',
       ($lost ? 'an empty' : 'no') . ' ledger: nothing is permitted');
    rmdir $t->path('journal/ledger');
    rename $t->path('journal/away'), $t->path('journal/ledger');
    recovers('ledger back');
}

my @why = split /\n/, slurp($t->path('logs/reconcile.err'));
ok((grep { /ledger \S+: No such file.*--journal/ } @why), 'it says: missing');
ok((grep { /tell of no change: restore them/ } @why), 'it says: lost');
same_as($before, 'ledger back');


# 13. it ends when it is told to

$start = time();
ok($t->end('reconcile', TERM => 3), 'the daemon ends');
is($t->{status}{reconcile}, 0, 'in order');
