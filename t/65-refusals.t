#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Two refusals cannot be told apart: status, header fields, length and what
# becomes of the connection are the same whether a study is unknown, foreign,
# withdrawn or no study at all, whatever the method and the conditions; and
# each takes the same way through Redis.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

my $t = Test::Emage->new(workers => 1);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{ct1}{study});
$t->run();

my $token = $t->professional();
my $stranger = $t->professional(sub => '899900000001', teams => [],
                                organisation => '759999999');

my %study = (unknown => '1.2.3.4.5.6.7.8.9', foreign => $set->{foreign}{study},
             shared => $set->{ct1}{study});


# What can be seen of an answer: all but the request id and the date.

sub seen {
    my ($path, %o) = @_;
    my $c = $t->http();

    $c->send($t->request_text($path, token => $stranger, keep => 1, %o));
    my $r = $c->response(head => ($o{method} // '') eq 'HEAD');

    # a second request tells whether the connection is still of use

    $c->send($t->request_text('/dicom-web/x', token => $stranger));
    my $next = eval { $c->response() } || {};
    $c->close();

    my %h = %{$r->{headers}};
    delete $h{date};
    (my $body = $r->{body}) =~ s/"request":"[0-9a-f]{32}"/ID/;

    return join "\n", $r->{status}, (map { "$_: $h{$_}" } sort keys %h),
                      $body, 'then ' . ($next->{status} // 'nothing');
}

my @kinds = (
    ['', {}], ['/metadata', {}], ['/series/1.2', {}],
    ['/series/1.2/instances/1.3', {}],
    ['/series/1.2/instances/1.3/frames/1', {}],
    ['', { method => 'HEAD' }],
    ['', { headers => { Range => 'bytes=0-1' } }],
    ['', { headers => { Range => 'bytes=99999999999-' } }],
    ['', { headers => { 'If-None-Match' => '*' } }],
    ['', { headers => { 'If-Match' => '"x"' } }],
    ['', { headers => { 'If-Unmodified-Since' =>
                        'Sat, 29 Oct 1994 19:43:31 GMT' } }],
    ['', { headers => { 'If-Modified-Since' =>
                        'Fri, 29 Oct 2100 19:43:31 GMT' } }],
    ['', { headers => { Accept => 'image/png' } }],
    ['/metadata', { headers => { 'Accept-Encoding' => 'gzip' } }],
);

my ($want) = seen('/dicom-web/studies/none/of/these');
like($want, qr/^404\n/, 'no study at all');

for my $kind (@kinds) {
    my ($rest, $o) = @$kind;
    my $name = join ' ', $o->{method} // 'GET', "study$rest",
                    map { "$_: $o->{headers}{$_}" }
                    keys %{$o->{headers} || {}};
    my %got = map { $_ => seen("/dicom-web/studies/$study{$_}$rest", %$o) }
              keys %study;

    is($got{foreign}, $got{unknown}, "$name: foreign as unknown");
    is($got{shared}, $got{unknown}, "$name: shared with others as unknown");
    is($got{unknown}, $want, "$name: as no study")
        if ($o->{method} // '') ne 'HEAD';
}


# How often Redis is asked.

sub asked {
    my ($path) = @_;
    my $redis = $t->redis();
    my $calls = sub {
        return $redis->call('INFO', 'commandstats')
               =~ /cmdstat_fcall_ro:calls=(\d+)/ ? $1 : 0;
    };

    my $before = $calls->();
    $t->http_get($path, token => $stranger) for 1 .. 20;
    return $calls->() - $before;
}

$t->http_get("/dicom-web/studies/$study{shared}", token => $token);

my $unknown = asked("/dicom-web/studies/$study{unknown}");

is($unknown, 20, 'Redis is asked for an unknown study each time');
is(asked("/dicom-web/studies/$study{$_}"), $unknown, "and for a $_ one")
    for qw(foreign shared);

is($t->http_get("/dicom-web/studies/$study{shared}/metadata",
                token => $token)->{status}, 200, 'still shared');

$t->finish();
done_testing();
