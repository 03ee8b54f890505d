#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Who sees what, through the whole node: each row changes the records with
# emage-consent and says, for every subject, whether images (I) and the report
# (R) are served.  Anything but 200 and 404 fails.  "emage-policy explain" must
# say the same of images.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use JSON::PP qw(decode_json);
use Time::HiRes qw(sleep);

my $t = Test::Emage->new(workers => 1);
my $org = '750000001';

$t->backend();
$t->issuer('patients');
$t->{http}{issuers} = $t->issuer_block('pro')
    . $t->issuer_block('patients', kind => 'patient', subject_system => $org,
                       claim_teams => undef, claim_profession => undef,
                       claim_organisation => undef);

my $set = $t->synthetic('only=native,documents');
my ($image, $report) = @$set{qw(ct1 report)};
my $study = $image->{study};

is($report->{study}, $study, 'one study has images and a report');
$t->ingest($t->path('in'));
$t->run();

my %who = (
    team => { sub => '1' },
    named => { sub => '2', teams => undef },
    stranger => { sub => '3', teams => ['cardiology'] },
    nurse => { sub => '4', profession => 'nurse' },
    secretary => { sub => '5', profession => 'secretary' },
    purpose => { sub => '6', purpose => 'PATRQT' },
    patient => { issuer => 'patients', sub => 'P-11', purpose => 'PATRQT' },
    other => { issuer => 'patients', sub => 'P-12', purpose => 'PATRQT' },
);

my %token = map { $_ => $who{$_}{issuer} ? $t->token(%{$who{$_}})
                                         : $t->professional(%{$who{$_}}) }
            keys %who;


sub status {
    my ($who, $i) = @_;
    return $t->http_get("/dicom-web/studies/$i->{study}/series/$i->{series}"
                        . "/instances/$i->{instance}/metadata",
                        token => $token{$who})->{status};
}

sub sees {
    my ($who) = @_;
    my $out = '';

    for ([I => $image], [R => $report]) {
        my ($letter, $i) = @$_;
        my $s = status($who, $i);
        $out .= $s == 200 ? $letter : $s == 404 ? '' : " $s ";
    }

    return $out || '-';
}

sub consent { $t->consent(@_, '--study', $study) }


# Whether images are served, as emage-policy explains it.

sub explained {
    my ($name) = @_;
    my $w = $who{$name};
    my @teams = exists $w->{teams} ? @{$w->{teams} // []} : 'radiology';
    my @subject = $w->{issuer}
        ? ('--kind', 'patient', '--subject', "$org|$w->{sub}")
        : ('--subject', "$Test::Emage::subject_system|$w->{sub}",
           '--organisation', "$Test::Emage::org_system|$org",
           '--profession', $w->{profession} // 'physician',
           map { ('--teams', "$Test::Emage::team_system|$_") } @teams);

    my $out = $t->tool_ok('emage-policy', 'explain',
                          "$Test::Emage::top/conf/policy", '--study', $study,
                          '--content', 'image', '--json', '--purpose',
                          $w->{purpose} // 'TREAT', @subject);
    return decode_json($out)->[0]{served} ? "$name:I" : "$name:-";
}


# A row: what is done, then "subject: what is seen" for all who see something.

sub row {
    my ($title, $do, %want) = @_;
    $do->();

    my %got = map { $_ => sees($_) } keys %token;
    $want{$_} //= '-' for keys %token;
    my ($g, $w) = map { my $h = $_; join ' ', map { "$_:$h->{$_}" }
                        sort keys %$h } \%got, \%want;
    is($g, $w, $title);

    my @some = qw(patient stranger team);
    my @say = map { explained($_) } @some;
    is("@say", join(' ', map { "$_:" . ($want{$_} =~ /I/ ? 'I' : '-') }
                    @some), '... and so it is explained');
}

my $team = "$Test::Emage::team_system|radiology";
my $person = "$Test::Emage::subject_system|";
my %team = (team => 'I', nurse => 'I');


row('nothing recorded: nobody', sub { });
row('sharing alone opens nothing', sub {
    consent('set', '--inclusion', 'given', '--sharing', 'active');
});
row('a team relation: images', sub { consent('relate', '--team', $team) },
    %team);
row('a named relation beside it', sub {
    consent('relate', '--professional', "${person}2");
}, %team, named => 'I');

row('a final report: the report, and images for the patient', sub {
    consent('report-status', '--instance', $report->{instance}, '--status',
            'final');
}, team => 'IR', nurse => 'IR', named => 'IR', patient => 'IR');
row('a preliminary report is for nobody', sub {
    consent('report-status', '--instance', $report->{instance}, '--status',
            'preliminary');
}, %team, named => 'I');
row('an amended one is', sub {
    consent('report-status', '--all', '--status', 'amended');
}, team => 'IR', nurse => 'IR', named => 'IR', patient => 'IR');

my %all = (team => 'IR', nurse => 'IR', named => 'IR', patient => 'IR');
my %patient = (patient => 'IR');

# exclusions, marks, states

row('excluded by name', sub {
    consent('exclude', '--professional', "${person}1");
}, %all, team => '-');
row('and included again', sub {
    consent('include', '--professional', "${person}1");
}, %all);
row('excluded by team', sub { consent('exclude', '--team', $team) },
    %patient, named => 'IR');
row('included again', sub { consent('include', '--team', $team) }, %all);
row('masked', sub { consent('mark', 'masked', 'on') }, %patient);
row('unmasked', sub { consent('mark', 'masked', 'off') }, %all);
row('hidden from the patient', sub {
    consent('mark', 'hidden-patient', 'on');
}, %all, patient => '-');
row('shown', sub { consent('mark', 'hidden-patient', 'off') }, %all);
row('restricted', sub { consent('restrict', 'on') }, %patient);
row('not restricted', sub { consent('restrict', 'off') }, %all);
row('confidential: named only', sub { consent('confidentiality', 'R') },
    %patient, named => 'IR');
row('very: named only', sub { consent('confidentiality', 'V') },
    %patient, named => 'IR');
row('normal', sub { consent('confidentiality', 'N') }, %all);

# emergencies

row('break-glass by a physician', sub {
    consent('override', '--professional', "${person}3", '--reason',
            'unconscious, stroke suspected');
}, %all, stranger => 'IR');
row('a masked study stays masked', sub { consent('mark', 'masked', 'on') },
    %patient);
row('unmasked', sub { consent('mark', 'masked', 'off') },
    %all, stranger => 'IR');
row('emergencies excluded: the care team only', sub {
    $t->consent('emergency-exclude', 'on', '--study', $study);
}, %all);
row('allowed again', sub {
    $t->consent('emergency-exclude', 'off', '--study', $study);
}, %all, stranger => 'IR');
row('sharing refused: no override helps', sub {
    consent('set', '--sharing', 'refused');
}, %patient);
row('sharing not asked: the override alone', sub {
    consent('set', '--sharing', 'none');
}, %patient, stranger => 'IR');
row('active', sub { consent('set', '--sharing', 'active') },
    %all, stranger => 'IR');
row('withdrawn: the patient alone', sub { consent('withdraw') }, %patient);
row('active again', sub { consent('set', '--sharing', 'active') },
    %all, stranger => 'IR');

# time

row('consent that expired', sub {
    consent('set', '--sharing', 'active', '--expires', '2020-01-01');
}, %patient, stranger => 'IR');
row('open-ended', sub {
    consent('set', '--sharing', 'active', '--expires', 'never');
}, %all, stranger => 'IR');
row('the named relation ends', sub {
    consent('unrelate', '--professional', "${person}2");
}, %all, named => '-', stranger => 'IR');
row('one that has not begun', sub {
    consent('relate', '--professional', "${person}2", '--from', '2099-01-01');
}, %all, named => '-', stranger => 'IR');
row('one of other studies', sub {
    consent('relate', '--professional', "${person}2", '--studies', '1.2.3');
}, %all, named => '-', stranger => 'IR');

# time alone closes what is cached: nobody changes a record

{
    my $until = int(1000 * Time::HiRes::time()) + 3000;
    consent('relate', '--professional', "${person}2", '--until', $until);
    is(sees('named'), 'IR', 'a relation for three seconds');
    sleep 0.5;
    is(sees('named'), 'IR', 'while it runs');
    sleep 3;
    is(sees('named'), '-', 'and after it');
}

# erasure

row('erasure requested: the patient alone', sub { consent('erase-request') },
    %patient);
row('taken back', sub { consent('erase-request', '--cancel') },
    %all, named => '-', stranger => 'IR');


# A study seen in part: lists, metadata and bodies agree.

{
    consent('report-status', '--all', '--status', 'preliminary');
    my $r = $t->http_get("/dicom-web/studies/$study/metadata",
                         token => $token{team});
    my %uid = map { $_->{'00080018'}{Value}[0] => 1 }
              @{decode_json($r->{body})};
    ok($uid{$image->{instance}}, 'metadata of the study has the images');
    ok(!$uid{$report->{instance}}, 'and not the report');
    is($t->http_get("/dicom-web/studies/$study/series/$report->{series}",
                    token => $token{team})->{status}, 404,
       'a series of nothing permitted is not there');
    my $whole = $t->http_get("/dicom-web/studies/$study",
                             token => $token{team});
    ok(index($whole->{body}, $image->{instance}) > 0
       && index($whole->{body}, $report->{instance}) < 0,
       'nor is it in the whole study');

    consent('report-status', '--all', '--status', 'final');
    my $again = $t->http_get("/dicom-web/studies/$study/metadata",
                             token => $token{team});
    isnt($again->{headers}{etag}, $r->{headers}{etag},
         'the ETag is another when more is seen');
}
