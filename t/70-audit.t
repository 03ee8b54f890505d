#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# The access journal: what stands in it and what does not, folding, order of
# sync and first byte, a journal that cannot be written, and tampering.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use File::Copy ();
use JSON::PP qw(decode_json);
use POSIX ();
use Time::HiRes qw(time sleep);

my $t = Test::Emage->new(workers => 1);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{ct1}{study});
$t->run();

my $token = $t->professional();
my $i = $set->{multi};
my $base = "/dicom-web/studies/$i->{study}/series/$i->{series}"
           . "/instances/$i->{instance}";
my $octets = 'multipart/related; type="application/octet-stream"; '
             . 'transfer-syntax=*';
my $access = $t->path('journal/access');

sub get {
    my ($path, %o) = @_;
    return $t->http_get($path, token => $token, %o,
                        headers => { Accept => $octets,
                                     %{$o{headers} || {}} });
}

sub records { my ($type) = @_; grep { $_->{type} eq $type } $t->journal() }

sub text { join '', map { slurp($_) } glob "$access/*.jsonl" }


# what stands in it

my $before = time();
is(get("$base/frames/1")->{status}, 200, 'a frame is served');

my ($intent) = records('intent');
ok($intent, 'and has an intent');
is($intent->{subject}, $t->subject(), 'subject');
is($intent->{subject_kind}, 'professional', 'kind');
is($intent->{issuer}, 'pro', 'issuer');
is($intent->{profession}, 'physician', 'profession');
is($intent->{organisation}, "$Test::Emage::org_system|750000001",
   'organisation');
is($intent->{purpose}, 'TREAT', 'purpose');
is($intent->{study}, $i->{study}, 'study');
is($intent->{pid}, $t->study_record($i->{study})->{pid}, 'pid');
is($intent->{decision}, 'permit', 'decision');
ok(@{$intent->{reasons} || []}, 'reasons: ' . join ', ',
   @{$intent->{reasons} || []});
like($intent->{policy} // '', qr/^[0-9a-f]{64}$/, 'policy revision');
is($intent->{study_version}, $t->study_record($i->{study})->{version},
   'version of the study record');
is($intent->{patient_version}, $t->patient_record($i->{study})->{version},
   'version of the patient record');
like($intent->{decision_id} // '', qr/^[0-9a-f]{32}$/, 'decision id');
my $at = Test::Emage::Check::seconds($intent->{time});
cmp_ok(abs($at - $before), '<', 2, 'time');

my %session = map { $_->{session} => 1 } records('intent');


# folding: one intent for what follows, one outcome that counts it

my $burst = time();
get("$base/frames/" . ($_ % 4 + 1)) for 1 .. 40;
my $windows = 2 + int((time() - $burst) / 10);
my @mine = grep { $_->{study} eq $i->{study}
                  && $_->{action} eq $intent->{action} } records('intent');
cmp_ok(scalar @mine, '<=', $windows,
       'forty more requests: one more intent at most in 10 s');

is(scalar(grep { $_->{purpose} ne 'TREAT' } @mine), 0,
   'for the same purpose');

my $other = $t->professional();
is($t->http_get("$base/frames/1", token => $other,
                headers => { Accept => $octets })->{status}, 200,
   'another session');
@mine = grep { $_->{study} eq $i->{study} } records('intent');
my %sessions = map { $_->{session} => 1 } @mine;
is(scalar keys %sessions, 2, 'has an intent of its own');

is(get("/dicom-web/studies/$i->{study}/metadata")->{status} =~ /^(200|406)$/
   ? 1 : 0, 1, 'another action');


# refusals and nobodies

is(get("/dicom-web/studies/$set->{foreign}{study}")->{status}, 404, 'refused');
sleep 0.2;
my ($refusal) = grep { $_->{study} eq $set->{foreign}{study} }
                records('refusal');
ok($refusal, 'a refusal of an identified subject is written');
is($refusal->{decision}, 'deny', 'as a denial');
is($refusal->{subject}, $t->subject(), 'with the subject');

$t->http_get("$base/frames/1") for 1 .. 5;
ok($t->wait_for('the count', 5, sub {
    my $n = 0;
    $n += $_->{n} for grep { $_->{what} eq 'unauthenticated' }
                      records('count');
    return $n >= 5;
}), 'five nobodies are counted');


# what does not stand in it, nor in the logs

get("$base/frames/1?PatientName=Secret%0aName&00100020=P-11",
    headers => { 'User-Agent' => "x\e[31m\"},{\"seq\":99", Referer => 'P-11',
                 'X-Request-ID' => "a\"b" });
my $all = text();
unlike($all, qr/Secret|P-11|Anna|DEMO|\e/, 'no name, no patient id, no query');
unlike($all . $t->error_log(), qr/\Q$token\E/, 'no token');
unlike($all, qr/eyJ/, 'no part of a token');


# a subject whose claims are hostile stays one line

my $odd = $t->token(%Test::Emage::professional,
                    sub => "x\",\"seq\":1}\n{\"a\":\"\x{7}",
                    profession => "phy\nsician");
$t->http_get("$base/frames/1", token => $odd,
             headers => { Accept => $octets });
my @bad = grep { !eval { decode_json($_); 1 } } split /\n/, text();
is(scalar @bad, 0, 'every line is a record');


# the sync before the first byte, as the kernel saw it

SKIP: {
    my ($worker) = $t->workers_pids();
    my $trace = $t->path('trace');
    $t->spawn('strace', 'strace', '-f', '-s', 200, '-o', $trace, '-e',
              'trace=fdatasync,writev,sendto,write,sendfile', '-p', $worker);
    sleep 1;

    unless (grep { /^TracerPid:\s*[1-9]/ }
            split /\n/, slurp("/proc/$worker/status"))
    {
        $t->end('strace', INT => 5);
        skip 'strace cannot attach', 1;
    }

    my $r = $t->http_get("$base/frames/2", token => $t->professional(),
                         headers => { Accept => $octets });
    is($r->{status}, 200, 'a new session under strace');
    sleep 0.3;
    $t->end('strace', INT => 5);

    my ($synced, $order) = (0, '');

    for (split /\n/, slurp($trace)) {
        $synced = 1 if /fdatasync(?:\(\d+\)| resumed>\)?).*= 0/;
        $order ||= $synced ? 'after' : 'before'
            if /HTTP\/1\.1 200/;
    }

    is($order, 'after', 'the first byte leaves after the sync')
        or diag slurp($trace);
}


# a journal that cannot be written: nothing is served, all comes back

sub broken {
    my ($name, $break, $mend) = @_;

    $break->();
    my $new = $t->professional();
    ok($t->wait_for("503 ($name)", 5, sub {
        $t->http_get("$base/frames/1", token => $new,
                     headers => { Accept => $octets })->{status} == 503;
    }), "$name: 503");

    my $r = get("$base/frames/1");
    is($r->{status}, 503, "$name: also for a session that was folded");
    ok($r->{headers}{'retry-after'}, "$name: with Retry-After");
    $mend->();

    ok($t->wait_for("recovery ($name)", 10, sub {
        $t->http_get("$base/frames/1", token => $new,
                     headers => { Accept => $octets })->{status} == 200;
    }), "$name: served again");
    is(get("$base/frames/1")->{status}, 200, "$name: to all");
}

broken('a moved journal', sub { rename $access, "$access.away" or die },
       sub { rename "$access.away", $access or die });

broken('a deleted file and a lost directory', sub {
    rename $access, "$access.old" or die;
    spew($access, 'in the way');
}, sub { unlink $access; rename "$access.old", $access or die });

SKIP: {
    my ($worker) = $t->workers_pids();
    skip 'no strace', 1 unless -x '/usr/bin/strace';

    broken('a sync that fails', sub {
        $t->spawn('strace', 'strace', '-f', '-o', '/dev/null', '-e',
                  'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO',
                  '-p', $worker);
        sleep 0.5;
    }, sub { $t->end('strace', INT => 5) });
}

SKIP: {
    skip 'a small file system needs root', 1 if $> != 0;

    # a small disk over the directory: what lay there comes back afterwards

    my ($rc) = run_command('mount', '-t', 'tmpfs', '-o', 'size=24m', 'none',
                           $access);
    skip 'no tmpfs can be mounted', 1 if $rc;
    chmod 0777, $access;

    ok($t->wait_for('the new file', 10, sub {
        get("$base/frames/1")->{status} == 200 && glob "$access/*.jsonl";
    }), 'the journal moves on to another disk');

    broken('a full disk', sub {
        run_command('dd', 'if=/dev/zero', "of=$access/ballast", 'bs=64k');
        $t->http_get("$base/frames/1", token => $t->professional(),
                     headers => { Accept => $octets }) for 1 .. 20;
    }, sub { unlink "$access/ballast" });

    $t->stop();
    my @moved = glob "$access/*.jsonl";
    mkdir $t->path('moved');
    File::Copy::copy($_, $t->path('moved')) for @moved;
    is((run_command('umount', $access))[0], 0, 'the small disk is gone');
    File::Copy::copy($_, $access) for glob $t->path('moved/*');

    my ($vrc, $out, $err) = $t->tool('emage-audit', 'verify', $access);
    is($vrc, 0, 'what was on the full disk verifies') or diag $out . $err;
}

$t->stop();


# outcomes

my @outcomes = records('outcome');
my ($requests, %decision) = 0;
$decision{$_->{decision_id}} = 1 for records('intent');

for (grep { $_->{study} eq $i->{study} } @outcomes) {
    $requests += $_->{requests};
}

cmp_ok($requests, '>=', 42, "outcomes count the requests ($requests)");
is(scalar(grep { !$decision{$_->{decision_id}} } @outcomes), 0,
   'each outcome joins an intent');
ok((grep { grep { $_ eq $i->{instance} } @{$_->{instances} || []} }
    @outcomes), 'and names the instances');
ok((grep { $_->{bytes} > 180000 } @outcomes), 'bytes are counted');


# tampering: each is found

my $copy = $t->path('copy');
mkdir $copy;
File::Copy::copy($_, $copy) for glob "$access/*.jsonl";
my ($file) = sort { -s $b <=> -s $a } glob "$access/*.jsonl";
my @lines = split /^/, slurp($file);
cmp_ok(scalar @lines, '>', 8, 'there is a journal to tamper with');

sub tampered {
    my ($name, $found, @new) = @_;
    my ($base) = $file =~ m{([^/]+)$};
    spew("$copy/$base", join '', @new);
    my ($rc, $out, $err) = $t->tool('emage-audit', 'verify', $copy);
    ok($found ? $rc != 0 : $rc == 0, $name) or diag "exit $rc: $out$err";
    return $out . $err;
}

my $mid = int(@lines / 2);
my @edit = @lines;
$edit[$mid] =~ s/("time":"....)-../$1-99/;

tampered('untouched: verifies', 0, @lines);
tampered('an edited record', 1, @edit);
tampered('a record taken out', 1, @lines[0 .. $mid - 1],
         @lines[$mid + 1 .. $#lines]);
tampered('a record twice', 1, @lines[0 .. $mid], @lines[$mid .. $#lines]);
tampered('two records exchanged', 1, @lines[0 .. $mid - 1], $lines[$mid + 1],
         $lines[$mid], @lines[$mid + 2 .. $#lines]);
tampered('the beginning cut off', 1, @lines[1 .. $#lines]);
tampered('a record put in', 1, @lines[0 .. $mid], "{\"seq\":1}\n",
         @lines[$mid + 1 .. $#lines]);
like(tampered('a torn last line verifies', 0, @lines[0 .. $mid],
              substr $lines[$mid + 1], 0, 40), qr/torn/i, 'and is told');

$t->allow(qr/journal|emage/);
