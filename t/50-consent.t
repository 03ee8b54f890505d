#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Changes of records: the tool, the Redis functions, the ledger, conflicts, and
# the wait for every node that holds a lease.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Records;

use Time::HiRes qw(sleep time);

my $t = Test::Emage->new();

$t->redis_start() or die "redis does not start\n";
my $r = $t->redis();

# first use

my ($rc, $out, $err) = $t->tool('emage-consent', 'show', '--study', '1.2');
is($rc, 2, 'before init nothing works');
like($err, qr/run "emage-consent init"/, 'and it says what to do');

$out = $t->consent('init');
like($out, qr/key: made .*\nfunctions: loaded.*epoch: first/s, 'init');
is((stat $t->path('id.key'))[2] & 07777, 0600, 'the key is its owner\'s');
is(-s $t->path('id.key'), 32, 'the key has 32 bytes');

my $key = slurp($t->path('id.key'));
my ($epoch) = partition($t);
$out = $t->consent('init');
like($out, qr/key: \S+\nfunctions: version \d+\n.*epoch: set/s, 'init again');
is(slurp($t->path('id.key')), $key, 'keeps the key');
is((partition($t))[0], $epoch, 'keeps the epoch');

$r->call('FUNCTION', 'DELETE', 'emage');
$r->call('FUNCTION', 'LOAD', "#!lua name=emage\nredis.register_function"
         . "{function_name = 'emage_version', flags = {'no-writes'}, "
         . "callback = function() return 0 end}");
($rc, $out, $err) = $t->tool('emage-consent', 'studies');
is($rc, 2, 'functions of another version are not used');
like($err, qr/version 0 are loaded.*emage-consent init/, 'and it says so');
like($t->consent('init'), qr/functions: loaded/, 'init replaces them');

$t->{backend} = 1;


# words

my ($study, $pid) = study_new($t);

for ([ 2 ], [ 2, 'frobnicate' ], [ 2, 'withdraw' ], [ 2, 'show', '--bogus' ],
     [ 2, 'emergency-exclude', '--study', $study ],
     [ 2, 'emergency-exclude', 'maybe', '--study', $study ],
     [ 2, 'set', '--study', $study ],
     [ 2, 'set', '--study', $study, '--sharing', 'maybe' ],
     [ 2, 'relate', '--study', $study ],
     [ 2, 'relate', '--study', $study, '--team', 'no-bar' ],
     [ 2, 'relate', '--study', $study, '--team', 'a|b', '--until', 'soon' ],
     [ 2, 'relate', '--study', $study, '--team', 'a|b', '--dates', '2026' ],
     [ 2, 'override', '--study', $study, '--professional', 'a|b' ],
     [ 2, 'override', '--study', $study, '--professional', 'a|b',
       '--reason', 'x', '--hours', '25' ],
     [ 2, 'withdraw', '--study', $study, '--patient', $pid ],
     [ 2, 'withdraw', '--patient', 'short' ],
     [ 1, 'withdraw', '--study', '9.9.9' ],
     [ 1, 'withdraw', '--patient', 'f' x 32 ],
     [ 1, 'show', '--identifier', '750000001|nobody' ],
     [ 0, 'withdraw', '--help' ], [ 0, '--help' ])
{
    my ($want, @args) = @$_;
    ($rc) = $t->tool('emage-consent', @args);
    is($rc, $want, "exit $want: @args");
}

is((partition($t))[1], 2, 'none of them changed anything');


# edits

my @who = ('--study', $study);

$t->consent('set', @who, '--inclusion', 'given', '--sharing', 'active',
            '--by', 'urn:x|1', '--how', 'oral', '--text', 'v1',
            '--expires', '2030-01-01');
my $p = records_of($t, "patient:$pid");
is($p->{consent}{sharing}, 'active', 'set');
is($p->{consent}{expires}, 1893456000000, 'expires');
is_deeply([ @{$p->{consent}{recorded}}{qw(by how text)} ],
          [ 'urn:x|1', 'oral', 'v1' ], 'who, how, which text');
cmp_ok(abs($p->{consent}{recorded}{at} - time() * 1000), '<', 10000, 'when');
is($p->{version}, 2, 'the version went up');

$t->consent('relate', @who, '--team', 'urn:t|a', '--hours', '2',
            '--studies', "$study,1.2", '--modalities', 'CT,MR', '--dates',
            '20260101,20261231', '--basis', 'admission');
$t->consent('relate', @who, '--professional', 'urn:p|1');
like($t->consent('relate', @who, '--subject', 'urn:p|1'), qr/unchanged/,
     'the same relation again changes nothing');
$p = records_of($t, "patient:$pid");
is(scalar @{$p->{relations}}, 2, 'relate');
is_deeply([ @{$p->{relations}[0]}{qw(kind subject studies modalities dates
                                     basis)} ],
          [ 'team', 'urn:t|a', [ $study, '1.2' ], [ 'CT', 'MR' ],
            [ '20260101', '20261231' ], 'admission' ], 'with its limits');
is($p->{relations}[0]{until} - $p->{relations}[0]{from}, 7200000, 'for 2 h');
is_deeply($r->call('SMEMBERS', 'emage:care:urn:t|a'), [ $pid ],
          'the care hint is kept');
is_deeply($r->call('SMEMBERS', P . "patient-studies:$pid"), [ $study ],
          'the study hint is kept');

$t->consent('unrelate', @who, '--id', $p->{relations}[0]{id});
is(scalar @{records_of($t, "patient:$pid")->{relations}}, 1, 'unrelate');
is($r->call('EXISTS', 'emage:care:urn:t|a'), 0, 'the care hint goes');

$t->consent('exclude', @who, '--professional', 'urn:p|2');
$t->consent('exclude', @who, '--organisation', 'urn:o|1');
$t->consent('include', @who, '--subject', 'urn:p|2');
is_deeply([ map { $_->{subject} }
            @{records_of($t, "patient:$pid")->{exclusions}} ],
          [ 'urn:o|1' ], 'exclude and include');

$t->consent('emergency-exclude', 'on', @who);
ok(records_of($t, "patient:$pid")->{emergency_excluded}, 'no emergencies');
$t->consent('emergency-exclude', 'off', @who);
ok(!records_of($t, "patient:$pid")->{emergency_excluded}, 'emergencies');

$t->consent('override', @who, '--professional', 'urn:p|3', '--reason',
            "str\x{c3}\x{b6}ke", '--purpose', 'ETREAT');
my $o = records_of($t, "patient:$pid")->{overrides}[0];
is($o->{until} - $o->{from}, 7200000, 'an override lasts 2 h');
is($o->{purpose}, 'ETREAT', 'and has a purpose');

$t->consent('report-status', @who, '--instance', '1.2.9', '--status', 'final');
$t->consent('report-status', @who, '--instance', '1.2.8', '--status', 'none');
$t->consent('report-status', @who, '--all', '--status', 'amended');
my $s = records_of($t, "study:$study");
is(join(' ', map { "$_->{instance}:$_->{status}" } @{$s->{reports}}),
   '1.2.9:amended 1.2.8:amended', 'report-status');

$t->consent('release', 'at-once', @who);
$t->consent('confidentiality', 'R', @who);
$t->consent('mark', 'masked', 'on', @who);
$t->consent('mark', 'hidden-patient', 'on', @who);
$t->consent('mark', 'masked', 'off', @who);
$t->consent('restrict', 'on', @who);
$s = records_of($t, "study:$study");
is(join(' ', @{$s}{qw(release confidentiality state)}, map { $_ ? 1 : 0 }
        @{$s->{marks}}{qw(masked hidden_patient hidden_representatives)}),
   'at-once R restricted 0 1 0', 'release, confidentiality, mark, restrict');

$t->consent('erase-request', @who);
is(records_of($t, "patient:$pid")->{erasure}{state}, 'requested', 'erasure');
$t->consent('erase-request', @who, '--cancel');
is(records_of($t, "patient:$pid")->{erasure}{state}, 'none', 'taken back');

my ($strange, $stranger) = study_new($t, status => 'quarantined',
                                     quarantine => 'no patient identifier');
$t->consent('resolve', '--study', $strange);
is(records_of($t, "study:$strange")->{quarantine}, '', 'resolve: the study');
is(records_of($t, "patient:$stranger")->{identity}{status}, 'local',
   'resolve: the pseudo-patient');

like($t->consent('show', '--identifier', "750000001|P1-$$"),
     qr/"pid": "$pid".*"study": "\Q$study\E"/s, 'show, by identifier');
is($t->consent('studies', '--patient', $pid), "$study\n", 'studies');
is(join(' ', sort split /\n/, $t->consent('studies')),
   join(' ', sort $study, $strange), 'studies of all');


# the withdrawal, and again

$out = $t->consent('withdraw', @who, '--how', 'patient');
like($out, qr/^withdraw: acknowledged, seq (\d+), holders 0, expired 0, /,
     'withdraw');
my $seq = (partition($t))[1];
like($t->consent('withdraw', @who), qr/acknowledged \(was withdrawn\), seq $seq/,
     'withdrawn already: acknowledged, nothing changed');
is((partition($t))[1], $seq, 'no new sequence');


# what the ledger tells, and what it does not

my @ledger = $t->journal('ledger');
my ($prepares, $commits) = map { my $x = $_;
                                 scalar grep { $_->{type} eq $x } @ledger }
                           qw(prepare commit);
is($prepares, $commits, 'each change was prepared and committed');
my ($w) = grep { ($_->{effect} // '') eq 'restrict'
                 && $_->{docs}[0]{doc}{consent}
                 && $_->{docs}[0]{doc}{consent}{sharing} eq 'withdrawn' }
          @ledger;
is($w->{event}, 'consent', 'the withdrawal stands there');
is($w->{docs}[0]{key}, $pid, 'of this patient');
like($w->{actor}, qr/^os:/, 'by whom');
is_deeply($w->{docs}[0]{doc}{identity}, { status => 'local' },
          'without a name');
is(scalar(grep { slurp($_) =~ /P\d+-$$(?!")/ && slurp($_) =~ /"identifiers"/ }
          glob $t->path('journal/ledger/*')), 0, 'no file has identifiers');


# everybody at once

my @kids = map {
    my $i = $_;
    my $kid = fork() // die;
    if ($kid == 0) {
        my ($k) = $t->tool('emage-consent', 'exclude', @who,
                           '--professional', "urn:many|$i");
        POSIX::_exit($k);
    }
    $kid;
} 1 .. 6;
my $ok = 0;
for (@kids) { waitpid $_, 0; $ok++ if $? == 0 }
is($ok, 6, 'six at once: each succeeds, by trying again');
is(scalar(grep { $_->{subject} =~ /^urn:many/ }
          @{records_of($t, "patient:$pid")->{exclusions}}), 6,
   'and nobody\'s change was lost');


# leases

my $node = apply_all($r, 'n1');
ok(!$node->{state}, 'a node is granted once it has applied everything');
is($r->call('HGET', P . 'leases', 'n1'), $node->{seq}, 'and is a holder');
is(lease($r, 'n1', $node->{epoch}, $node->{seq}, 'other')->[0], 'fence',
   'another nonce at its sequence: fence');
is(lease($r, 'n1', $node->{epoch}, $node->{seq} + 1, 'x')->[0], 'fence',
   'a sequence that was never given: fence');
is(lease($r, 'n1', 'unknown', $node->{seq}, $node->{nonce})->[0], 'flush',
   'an unknown epoch: flush');
$_ = eval { lease($r, 'n 1', $node->{epoch}, 1, 'x') };
like($@, qr/EMAGE/, 'a bad node name is refused');

# n1 is silent: waited out

my $start = time();
$out = $t->consent('set', @who, '--sharing', 'active');
my $took = time() - $start;
cmp_ok($took, '>', 1.2, sprintf 'a silent node is waited out (%.2f s)', $took);
cmp_ok($took, '<', 1.6, 'and not longer');
is($r->call('HLEN', P . 'leases'), 0, 'and is removed');
is(lease($r, 'n1', @{$node}{qw(epoch seq nonce)})->[0], 'behind',
   'it has no lease until it has applied the change');

# n1 answers: acknowledged at once

my $kid = fork() // die;

if ($kid == 0) {
    my $k = $t->redis();
    my $until = time() + 5;
    my $held;
    while (time() < $until) {
        $held = apply_all($k, 'n1', $held);
        sleep 0.02;
    }
    POSIX::_exit(0);
}

$t->wait_for('a lease', 5, sub {
    ($r->call('HGET', P . 'leases', 'n1') // 0) == (partition($t))[1]
});
$start = time();
$out = $t->consent('withdraw', @who);
$took = time() - $start;
like($out, qr/holders 1, expired 0/, 'a node that answers is confirmed');
cmp_ok($took, '<', 0.6, sprintf 'at once (%.0f ms in all)', $took * 1000);
my ($wait) = $out =~ /wait ([\d.]+) ms/;
cmp_ok($wait, '<', 300, "acknowledged $wait ms after the change");
kill 'KILL', $kid;
waitpid $kid, 0;


# a lagging node that has missed more than one change

$node = { %$node };
is_deeply([ @{lease($r, 'n2', @{$node}{qw(epoch seq nonce)})}[0, 1] ],
          [ 'behind', (partition($t))[1] ], 'behind, and how far');


# the server refuses

$r->call('REPLICAOF', '127.0.0.1', 1);
($rc, $out, $err) = $t->tool('emage-consent', 'override', @who,
                             '--professional', 'urn:p|7', '--reason', 'x');
is($rc, 2, 'a replica is not written to');
like($err, qr/replica/, 'and it says why');
like($err, qr/nothing was changed/, 'and that nothing was');
$r->call('REPLICAOF', 'NO', 'ONE');

chmod 0500, $t->path('journal/ledger');
SKIP: {
    skip 'root writes everywhere', 2 if $> == 0;
    ($rc, $out, $err) = $t->tool('emage-consent', 'set', @who, '--sharing',
                                 'active');
    is($rc, 2, 'without a ledger nothing is changed');
    like($err, qr/nothing was changed/, 'and it says so');
}
chmod 0750, $t->path('journal/ledger');

rename $t->path('journal/ledger'), $t->path('journal/away');
spew($t->path('journal/ledger'), 'no directory');
$seq = (partition($t))[1];
($rc, $out, $err) = $t->tool('emage-consent', 'set', @who, '--sharing',
                             'active');
is($rc, 2, 'a ledger that cannot be opened: nothing is changed');
like($err, qr/nothing was changed/, 'and it says so');
is((partition($t))[1], $seq, 'nor is it');
unlink $t->path('journal/ledger');
rename $t->path('journal/away'), $t->path('journal/ledger');


# functions are strict

for ([ 'emage_facts', 3, P . 'study:1.2', P . 'epoch', P . 'seq', '1.3' ],
     [ 'emage_facts', 3, P . 'study:1.2/', P . 'epoch', P . 'seq', '1.2/' ],
     [ 'emage_change', 5, (map { P . $_ } qw(seq changes leases epoch
                                             reconciled)), $pid, 'x' ],
     [ 'emage_change', 6, (map { P . $_ } qw(seq changes leases epoch
                                             reconciled)),
       P . "patient:$pid", 'f' x 32, 'x', 0, '{"version":1}' ],
     [ 'emage_change', 6, (map { P . $_ } qw(seq changes leases epoch
                                             reconciled)),
       'foreign', $pid, 'x', 0, qq({"version":1,"pid":"$pid"}) ],
     [ 'emage_change', 6, (map { P . $_ } qw(seq changes leases epoch
                                             reconciled)),
       P . "patient:$pid", $pid, 'x', 0, '[1]' ],
     [ 'emage_reconciled', 3, (map { P . $_ } qw(epoch reconciled seq)), 'e',
       'another run', 0 ],
     [ 'emage_expire', 1, 'foreign', 0 ])
{
    my ($name, @args) = @$_;
    eval { $r->call('FCALL', $name, @args) };
    like($@, qr/EMAGE/, "$name refuses: " . substr "@args", -40);
}

is($r->call('FCALL', 'emage_offer', 1, P . "patient:$pid", $pid, 99,
            qq({"version":99,"pid":"$pid"})), 'reconciled',
   'nothing is offered to a server that is reconciled');

is_deeply($r->call('FCALL', 'emage_facts', 3, P . "study:$study", P . 'epoch',
                   P . 'seq', $study)->[2], $r->call('GET', P . "study:$study"),
          'facts are one reading');

$r->call('DEL', P . 'reconciled');
is(lease($r, 'n1', @{$node}{qw(epoch seq nonce)})->[0], 'unreconciled',
   'without a reconciliation no lease');
($rc, $out, $err) = $t->tool('emage-consent', 'withdraw', @who);
is($rc, 2, 'and no change');
like($err, qr/reconcile/, 'and it says what to do');
