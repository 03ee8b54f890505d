#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# F6: the links between the node and Redis are cut in one direction or the
# other, slowed down, made to say everything twice, and a reply with facts is
# held back until a change has overtaken it on another link.
#
# Expectation: a withdrawal is acknowledged within its bound whatever the links
# do, and nothing that was asked or answered after the acknowledgement is served.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Load;
use Test::Emage::Proxy;

use POSIX ();
use Time::HiRes qw(time sleep);

use constant BOUND => 1.5;

my $slow = $Test::Emage::build =~ /asan/ ? 2 : 0.5;    # the command itself
my $t = Test::Emage->new(workers => 4);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(ct1 bulk);

my $proxy = Test::Emage::Proxy->new($t);
my $conf = $Test::Emage::default_conf;

$conf =~ s/%%HTTP%%/my $h = $t->http_block();
                    $h =~ s{redis\.sock timeout=500ms}{proxy.sock timeout=1s};
                    $h/e;
$t->run($conf);

my $token = $t->professional();
my $study = $set->{ct1}{study};
my $path = "/dicom-web/studies/$study/metadata";
my @asks = ({ name => 'ct1', path => $path, token => $token },
            { name => 'bulk', token => $token,
              path => "/dicom-web/studies/$set->{bulk}{study}/metadata" });

sub withdraw {
    my $start = time();
    my ($rc, $out, $err) = $t->tool('emage-consent', 'withdraw', '--study',
                                    $study);
    my $ack = time();

    diag $out . $err if $rc;
    return ($rc, $ack - $start, $ack);
}

sub served_again {
    my ($name) = @_;

    $proxy->mode('pass');
    $t->share($study);
    return ok($t->wait_for($name, 10, sub {
        $t->http_get($path, token => $token)->{status} == 200;
    }), "$name: served again");
}

served_again('at first');


# 1. whole links

for my $mode ('deaf', 'stall', 'late', 'twice') {
    my $load = Test::Emage::Load->new($t, asks => \@asks, clients => 3,
                                       pause => 0.003);

    sleep 0.4;
    $proxy->mode($mode);
    sleep 0.1;
    my ($rc, $took, $ack) = withdraw();
    sleep 1.5;
    my @all = $load->stop();
    my @after = grep { $_->{sent} > $ack && $_->{name} eq 'ct1' } @all;

    is($rc, 0, "$mode: the withdrawal is acknowledged");
    cmp_ok($took, '<', BOUND + $slow, sprintf '%s: after %.0f ms', $mode,
           $took * 1000);
    is(scalar(grep { $_->{status} == 200 } @after), 0,
       "$mode: nothing is served after it ("
       . Test::Emage::Load::summary(@after) . ')');
    is(scalar(grep { !$_->{status} } @all), 0,
       "$mode: each of " . @all . ' requests is answered');
    served_again($mode);
}


# 2. a reply with facts that a change overtakes: who asks is in the middle of
#    the request when the withdrawal is acknowledged

my $rounds = $ENV{EMAGE_LONG} ? 40 : 10;
my ($overtaken, $wrong) = (0, 0);

for (1 .. $rounds) {
    $t->share($study);
    $proxy->mode('overtaken');
    sleep 0.06;

    my $load = Test::Emage::Load->new($t, clients => 1, once => 1,
                                      asks => [$asks[0]]);
    sleep 0.05;
    my ($rc, $took, $ack) = withdraw();
    my ($r) = $load->finish();

    $proxy->mode('pass');
    next if $rc || !$r->{first} || $r->{first} <= $ack;
    $overtaken++;
    $wrong++ if $r->{status} == 200;
}

cmp_ok($overtaken, '>', $rounds / 10,
       "facts were overtaken by a change: $overtaken of $rounds");
is($wrong, 0, 'facts that a change has overtaken are not used');
served_again('overtaken');
