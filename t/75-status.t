#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# The node's metrics: what is counted, that the text is Prometheus', and that
# it names nobody.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use Time::HiRes qw(sleep);

my $t = Test::Emage->new(workers => 2);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{ct1}{study});
$t->run(<<'CONF');
%%GLOBALS%%

events { worker_connections 512; }

http {
    %%HTTP%%

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% ssl http2;

        location /dicom-web/ { emage %%STORE%%; }

        location = /metrics { emage_status; allow 127.0.0.1; deny all; }
    }
}
CONF

my $study = "/dicom-web/studies/$set->{ct1}{study}";
my $token = $t->professional();

sub metrics {
    my $text = $t->http_get('/metrics')->{body};
    my %m = map { /^(\S+) (\S+)$/ ? ($1 => $2) : () } split /\n/, $text;
    return wantarray ? ($text, %m) : \%m;
}

my $before = metrics();

is($before->{'emage_lease{state="live"}'}, 1, 'the lease lives');
is($before->{'emage_journal_ok'}, 1, 'the journal can be written');

is($t->http_get("$study/metadata", token => $token)->{status}, 200, 'permit')
    for 1 .. 3;
is($t->http_get("$study/metadata")->{status}, 401, 'no identity');
is($t->http_get('/dicom-web/studies/1.2.3', token => $token)->{status}, 404,
   'deny');
is($t->http_get($study, token => $token,
                headers => { Accept => 'text/html' })->{status}, 406,
   'not acceptable');

sleep 0.2;

my ($text, %after) = metrics();

my %d = map { $_ => $after{$_} - ($before->{$_} // 0) } keys %after;

is($d{'emage_requests_total{decision="permit"}'}, 3, 'permits are counted');
is($d{'emage_requests_total{decision="deny"}'}, 1, 'refusals');
is($d{'emage_requests_total{decision="unauthenticated"}'}, 1,
   'requests without identity');
is($d{'emage_requests_total{decision="not_acceptable"}'}, 1,
   'forms that are not stored');
cmp_ok($d{'emage_bytes_total'}, '>', 1000, 'bytes');
cmp_ok($d{'emage_redis_wait_seconds_count'}, '>=', 1, 'waits for Redis');
cmp_ok($d{'emage_journal_wait_seconds_count'}, '>=', 1,
       'waits for the journal');
cmp_ok($d{'emage_reasons_total{policy="professional-images"}'} // 0, '>=', 3,
       'the policy that decided');

is($after{'emage_journal_wait_seconds_bucket{le="+Inf"}'},
   $after{'emage_journal_wait_seconds_count'}, 'the last bucket is the count');

my @bad = grep { !/^# (?:HELP|TYPE) \w+ .+$/
                 && !/^\w+(?:\{\w+="[^"\\]*"\})? [0-9.]+$/ }
          split /\n/, $text;
is("@bad", '', 'every line is of the text format');

unlike($text, qr/$set->{ct1}{study}|8101012/, 'it names no study and nobody');

$t->consent('withdraw', '--study', $set->{ct1}{study});
is($t->http_get("$study/metadata", token => $token)->{status}, 404,
   'withdrawn');
cmp_ok(metrics()->{'emage_reasons_total{policy="sharing-withdrawn"}'} // 0,
       '>=', 1, 'the policy that refused');
