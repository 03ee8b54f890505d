#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# A journal that somebody deletes, and a disk that hangs: no request rides on
# an intent that is not there any more, and who waits is told after a while.

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
$t->allow(qr/was deleted by somebody/, qr/the disk has not answered/);
$t->run();

my $token = $t->professional();
my $study = "/dicom-web/studies/$set->{ct1}{study}";

# 1. deleted: what is folded after that has an intent of its own

my $c = $t->http();

$c->send($t->request_text("$study/metadata", token => $token, keep => 1));
is($c->response()->{status}, 200, 'before');
$c->close();

my @intents = grep { $_->{type} eq 'intent' } $t->journal();
is(scalar @intents, 1, 'one intent');
my ($file) = glob $t->path('journal/access/*.jsonl');
my $records = slurp($file);
unlink $file;

ok($t->wait_for('a new file', 5, sub {
    return scalar glob $t->path('journal/access/*.jsonl');
}), 'the journal goes on in another file');
sleep 0.1;

is($t->http_get("$study/metadata", token => $token)->{status}, 200,
   'the same again, in time to be folded');

@intents = grep { $_->{type} eq 'intent' } $t->journal();
is(scalar @intents, 1, 'has an intent in the file that is there');

# 2. a sync that takes longer than anybody waits

SKIP: {
    my ($rc) = run_command('strace', '-q', '-o', '/dev/null', 'true');
    skip 'no strace', 2 if $rc;

    my ($worker) = $t->workers_pids();

    $t->spawn('strace', 'strace', '-f', '-q', '-o', '/dev/null', '-p', $worker,
              '-e', 'trace=fdatasync',
              '-e', 'inject=fdatasync:delay_enter=7000000');
    sleep 1;

    my $start = time();
    my $r = $t->http_get("$study/series/$set->{ct1}{series}/metadata",
                         token => $token);

    is($r->{status}, 503, 'a hanging disk');
    ok(time() - $start < 6.5, 'who waits is told before it answers');

    $t->end('strace', INT => 10);
}

ok($t->wait_for('the disk', 20, sub {
    my $r = eval { $t->http_get("$study/metadata", token => $token) };
    return $r && $r->{status} == 200;
}), 'served again');

# back from a copy, or the outcome of its intent would rightly be damage

spew($file, $records);

$t->finish();
done_testing();
