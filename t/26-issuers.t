#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Two issuers and two organisations never cross: the same subject, team and
# organisation id mean other people at the other issuer, the same patient id
# means another patient at the other organisation, and no key speaks for an
# issuer that is not its own.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

my $t = Test::Emage->new();

$t->backend();
$t->issuer('alpha');
$t->issuer('beta', 'RS256');

# The same patient id "P-11" at both organisations: two patients.

my $set = $t->synthetic('only=native,documents,twin');
my $in = $t->path('in');

$t->ingest('--org', '750000001', "$in/ct1.dcm", "$in/ct2.dcm");
$t->ingest('--org', '750000002', "$in/twin.dcm");
$t->ingest('--org', '750000002', '--issuer', '750000002', "$in/foreign.dcm");

my ($a, $b) = ($set->{ct1}, $set->{twin});

$t->{http}{issuers} =
    $t->issuer_block('alpha', subject_system => 'urn:alpha:people',
                     team_system => 'urn:alpha:teams',
                     organisation_system => 'urn:alpha:organisations')
    . $t->issuer_block('beta', algorithms => 'RS256 PS256',
                       subject_system => 'urn:beta:people',
                       team_system => 'urn:beta:teams',
                       organisation_system => 'urn:beta:organisations');
$t->{no_lease} = 1;

$t->share($a->{study}, 'radiology');
$t->consent('relate', '--study', $a->{study}, '--professional',
            'urn:alpha:people|42');
$t->consent('set', '--study', $b->{study}, '--inclusion', 'given',
            '--sharing', 'active');
$t->consent('relate', '--study', $b->{study}, '--professional',
            'urn:beta:people|42');
$t->consent('relate', '--study', $b->{study}, '--team',
            'urn:beta:teams|radiology');

$t->run();

my %same = (sub => '42', profession => 'physician', purpose => 'TREAT',
            organisation => '750000001', teams => ['radiology']);

sub asked {
    my ($study, $token) = @_;
    return $t->http_get("/dicom-web/studies/$study/metadata",
                        token => $token)->{status};
}

my %token = map { $_ => $t->token(issuer => $_, %same) } qw(alpha beta);

$t->{lease_token} = $token{alpha};
delete $t->{no_lease};
ok($t->wait_lease(), 'the lease');

is(asked($a->{study}, $token{alpha}), 200, 'alpha: its own');
is(asked($b->{study}, $token{beta}), 200, 'beta: its own');
is(asked($b->{study}, $token{alpha}), 404, 'alpha: not of beta');
is(asked($a->{study}, $token{beta}), 404, 'beta: not of alpha');

# by team alone, and by subject alone

for (['team', sub => '7'], ['subject', teams => undef]) {
    my ($name, %o) = @$_;
    my %k = map { $_ => $t->token(issuer => $_, %same, %o) } qw(alpha beta);
    is(asked($b->{study}, $k{beta}), 200, "beta by $name");
    is(asked($b->{study}, $k{alpha}), 404, "alpha by $name: not of beta");
    is(asked($a->{study}, $k{beta}), 404, "beta by $name: not of alpha");
}

# interleaved on one connection: no identity is remembered by it

{
    my $c = $t->http();
    my @want;

    for my $n (1 .. 40) {
        my $who = (qw(alpha beta))[$n % 2];
        my $study = ($a, $b)[int($n / 2) % 2]{study};
        push @want, [$n, $study,
                     ($who eq 'alpha') == ($study eq $a->{study}) ? 200 : 404];
        $c->send($t->request_text("/dicom-web/studies/$study/metadata",
                                  token => $token{$who}, keep => 1));
    }

    my $wrong = 0;

    for (@want) {
        my ($n, $study, $status) = @$_;
        my $r = $c->response();
        $t->served("/dicom-web/studies/$study/metadata", $r);
        $wrong++ if $r->{status} != $status;
        $wrong++ if $r->{status} == 200 && index($r->{body}, $study) < 0;
    }

    is($wrong, 0, '40 requests of both, pipelined on one connection');
    $c->close();
}


# keys and names

sub refused {
    my ($name, $token) = @_;
    is(asked($a->{study}, $token), 401, $name);
}

sub forged {
    my ($key, %claims) = @_;
    local $t->{issuers}{forged} = $t->{issuers}{$key};
    return $t->token(issuer => 'forged', %same, %claims);
}

refused("beta's key, alpha's name",
        forged('beta', iss => 'https://alpha.example'));
refused("alpha's key, beta's name",
        forged('alpha', iss => 'https://beta.example'));
refused('an unknown issuer', forged('alpha', iss => 'https://gamma.example'));
refused('a longer issuer', forged('alpha', iss => 'https://alpha.example/'));
refused('a shorter issuer', forged('alpha', iss => 'https://alpha.exampl'));
refused('no issuer', forged('alpha', iss => undef));
refused('another audience', $t->token(issuer => 'alpha', %same, aud => 'x'));
refused('no audience', $t->token(issuer => 'alpha', %same, aud => undef));
refused('expired', $t->token(issuer => 'alpha', %same, exp => int time() - 61));
refused('no expiry', $t->token(issuer => 'alpha', %same, exp => undef));
refused('not yet', $t->token(issuer => 'alpha', %same, nbf => int time() + 3600));
refused('no subject', $t->token(issuer => 'alpha', %same, sub => undef));
refused('an empty subject', $t->token(issuer => 'alpha', %same, sub => ''));

my @part = split /\./, $token{alpha};
my $none = 'eyJhbGciOiJub25lIn0';

refused('a changed payload', join '.', $part[0],
        (split /\./, $t->token(issuer => 'alpha', %same, sub => '43'))[1],
        $part[2]);
refused('alg none', "$none.$part[1].");
refused('alg none with the signature', "$none.$part[1].$part[2]");
refused('no signature', "$part[0].$part[1].");
refused('two parts', "$part[0].$part[1]");
refused('five parts', "$token{alpha}.x.y");
refused('over the cap', $token{alpha} . 'A' x 9000);
refused('not base64', join '.', $part[0], $part[1] . '*', $part[2]);
refused('a second token', "$token{alpha} $token{alpha}");
refused('nothing', '""');

# what a subject claims cannot leave its system

for my $sub ('urn:beta:people|42', '42|urn:beta:people', '|42', '42|', '*',
             '4', '42 ', ' 42', '0042', '42.0')
{
    isnt(asked($b->{study}, $t->token(issuer => 'alpha', %same, sub => $sub,
                                      teams => undef)), 200,
         "alpha's subject \"$sub\" is not of beta");
    isnt(asked($a->{study}, $t->token(issuer => 'alpha', %same, sub => $sub,
                                      teams => undef)), 200,
         'nor another of alpha');
}

# the same patient id elsewhere

isnt($t->study_record($a->{study})->{pid}, $t->study_record($b->{study})->{pid},
     'two patients');
is(asked($set->{foreign}{study}, $token{$_}), 404, "$_: a third patient")
    for qw(alpha beta);
