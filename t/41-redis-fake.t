#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# A Redis that is torn, late, silent or lying: nothing is served on it, nothing
# crashes, and everything comes back by itself.  Replies cut into single bytes
# are replies all the same.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Proxy;

use Time::HiRes qw(time sleep);

my $t = Test::Emage->new(workers => 2);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(ct1 bulk);

my $proxy = Test::Emage::Proxy->new($t);
my $conf = $Test::Emage::default_conf;

$conf =~ s/%%HTTP%%/my $h = $t->http_block();
                    $h =~ s{redis\.sock timeout=500ms}{proxy.sock timeout=100ms};
                    $h/e;
$t->run($conf);

my $token = $t->professional();
my $path = "/dicom-web/studies/$set->{ct1}{study}/metadata";
my $cold = "/dicom-web/studies/$set->{bulk}{study}/metadata";
my $foreign = "/dicom-web/studies/$set->{foreign}{study}/metadata";
my @workers = sort $t->workers_pids();

sub status {
    my ($p) = @_;
    my $r = eval { $t->http_get($p, token => $token) };
    return $r ? $r->{status} : 0;
}

sub recovers {
    my ($name) = @_;
    $proxy->mode('pass');
    ok($t->wait_for($name, 10, sub { status($path) == 200 }),
       "$name: served again");
}

is(status($path), 200, 'through the proxy');
is(status($foreign), 404, 'and refused');


# replies in pieces are replies

$proxy->mode('split');
sleep 1.2;
is(status($path), 200, 'split into bytes: served');
is(status($foreign), 404, 'split into bytes: refused');
recovers('split');


# what is no reply in time, or no reply at all

for my $mode (qw(stall late half close refuse extra),
              Test::Emage::Proxy::answers())
{
    $proxy->mode($mode);

    # facts that are known may be used until the lease has run out

    sleep 1.15;

    my @s = map { status($_) } ($path, $cold, $foreign) x 2;
    is(scalar(grep { $_ == 200 || $_ == 206 } @s), 0,
       "$mode: nothing is served (@s)");
    is(scalar(grep { $_ == 0 } @s), 0, "$mode: every request is answered");
    recovers($mode);
}


# lies inside well-formed replies: facts that are not understood permit nothing

$t->consent('exclude', '--study', $set->{bulk}{study}, '--professional',
            $t->subject());

for my $lie ('s/"version":/"versiom":/', 's/"sharing":"active"/"sharing":"activ"/',
             's/"pid":"[0-9a-f]{32}","pub/"pid":"' . '0' x 32 . '","pub/',
             's/"state":"active"/"state":7       /',
             's/"revision":"r/"revision":"./',
             's/"study":"1\./"study":"2./')
{
    $proxy->mode($lie);

    # a change of the patient makes the node read again

    $t->consent('set', '--study', $set->{ct1}{study}, '--sharing', $_)
        for qw(refused active);
    my @s = map { status($path) } 1 .. 4;
    is(scalar(grep { $_ == 200 } @s), 0, "$lie: nothing is served (@s)");
    $proxy->mode('pass');
    $t->consent('set', '--study', $set->{ct1}{study}, '--sharing', $_)
        for qw(refused active);
    ok($t->wait_for('recovery', 10, sub { status($path) == 200 }),
       'and served again');
}


is(join(' ', sort $t->workers_pids()), "@workers", 'no worker was lost');
