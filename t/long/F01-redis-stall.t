#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# F1: Redis is stopped for 0.1 to 10 s, with clients asking for what the worker
# knows, for what it has to fetch, and for what is refused.
#
# Expectation: nothing is decided on facts after the lease has run out, every
# request is answered within the deadline, and replies that come after the stall
# are given to nobody else.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Load;

use Time::HiRes qw(time sleep);

use constant { LEASE => 1.0, TIMEOUT => 0.5, SLACK => 0.25 };

my $t = Test::Emage->new(workers => 2);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(ct1 bulk);
$t->run();

my $token = $t->professional();
my @asks;

for (qw(ct1 bulk foreign)) {
    my $path = "/dicom-web/studies/$set->{$_}{study}/metadata";
    my $r = $t->http_get($path, token => $token);

    push @asks, { name => $_, path => $path, token => $token,
                  ($_ eq 'foreign' ? (foreign => $set->{foreign}{instance})
                                   : (body => $r->{body})) };
}

is(scalar(grep { length($_->{body} // '') > 100 } @asks), 2, 'two are served');

my @workers = sort $t->workers_pids();

for my $seconds (0.1, 0.4, 0.9, 1.5, 3, $ENV{EMAGE_LONG} ? 10 : ()) {
    my $load = Test::Emage::Load->new($t, asks => \@asks, clients => 3,
                                       pause => 0.003);

    sleep 0.7;
    my $stop = time();
    kill 'STOP', $t->{pids}{redis};
    sleep $seconds;
    my $cont = time();
    kill 'CONT', $t->{pids}{redis};
    ok($t->wait_lease(), "$seconds s: the lease comes back");
    sleep 0.5;

    my @all = $load->stop();
    my @in = grep { $_->{sent} > $stop && $_->{sent} < $cont } @all;
    my @after = grep { $_->{sent} > $stop + LEASE && $_->{first} < $cont } @in;
    my @late = grep { $_->{end} - $_->{sent} > TIMEOUT + SLACK } @in;

    # a request that a worker took while the lease lived may be answered later

    is(scalar(grep { $_->{status} == 200 } @after), 0,
       "$seconds s: nothing is served after the lease has run out ("
       . Test::Emage::Load::summary(@after) . ')');
    is(scalar(grep { !$_->{status} } @all), 0,
       "$seconds s: each of " . @all . ' requests is answered');
    is(scalar @late, 0, "$seconds s: in time")
        or diag map { sprintf "%s %d %.3f s\n", @{$_}{qw(name status)},
                      $_->{end} - $_->{sent} } @late[0 .. ($#late > 4 ? 4
                                                           : $#late)];
    is(scalar(grep { !$_->{right} } @all), 0,
       "$seconds s: nobody gets another's answer");
    is(scalar(grep { $_->{name} eq 'foreign' && $_->{status} !~ /^(404|503)$/ }
                   @all), 0, "$seconds s: what is refused stays refused");
}

is(join(' ', sort $t->workers_pids()), "@workers", 'no worker was lost');
