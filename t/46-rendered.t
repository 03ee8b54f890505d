#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Pictures and thumbnails through the gateway: which there are, in which media
# types, guarded as their instances are.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

my $t = Test::Emage->new(workers => 1);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share_all();

$t->issuer('pat');
$t->{http}{issuers} = $t->issuer_block('pro')
    . $t->issuer_block('pat', kind => 'patient', subject_system => '750000001',
                       map { $_ => undef } qw(claim_profession claim_teams
                       claim_organisation organisation_system team_system));
$t->run();

my $token = $t->professional();
my $stranger = $t->professional(sub => '810109999999', teams => []);
my $patient = $t->token(issuer => 'pat', sub => 'P-11', purpose => 'PATRQT');

sub series { "/dicom-web/studies/$_[0]{study}/series/$_[0]{series}" }
sub instance { series($_[0]) . "/instances/$_[0]{instance}" }

sub get {
    my ($path, %o) = @_;
    my $accept = delete $o{accept};
    my %h = %{delete $o{headers} || {}};
    $h{Accept} = $accept if defined $accept;
    return $t->http_get($path, token => $token, headers => \%h, %o);
}

sub stored {
    my ($i, $suffix) = @_;
    return slurp($t->store() . "/studies/$i->{study}/"
                 . $t->revision($i->{study})
                 . "/$i->{series}/$i->{instance}.$suffix");
}


# what there is

my ($ct1, $ct2, $multi, $pdf) = @$set{qw(ct1 ct2 multi pdf)};
my $r = get(instance($ct2) . '/rendered');

is($r->{status}, 200, 'the middle one of a series is drawn');
is($r->{headers}{'content-type'}, 'image/jpeg', 'as image/jpeg');
is($r->{body}, stored($ct2, 'jpg'), 'as stored');
like($r->{headers}{'cache-control'}, qr/private/, 'for this client alone');

my $etag = $r->{headers}{etag};

$r = get(instance($ct2) . '/thumbnail');
is($r->{body}, stored($ct2, 'thumb.jpg'), 'its thumbnail');
isnt($r->{headers}{etag}, $etag, 'has another tag');
is(get(series($ct2) . '/thumbnail')->{body}, $r->{body},
   'which is that of the series');
is(get(series($ct2) . '/thumbnail?viewport=128,128')->{body}, $r->{body},
   'whatever the viewport');
is(get(instance($multi) . '/rendered')->{body}, stored($multi, 'jpg'),
   'several frames');

$r = get(instance($pdf) . '/rendered');
is($r->{headers}{'content-type'}, 'application/pdf', 'a document as PDF');
is($r->{body}, get(instance($pdf) . '/bulkdata/00420011')->{body},
   'is its bulk value');


# media types

for (
    [instance($ct2) . '/rendered', 'image/jpeg', 200],
    [instance($ct2) . '/rendered', 'image/*', 200],
    [instance($ct2) . '/rendered', 'text/html, image/avif, */*;q=0.8', 200],
    [instance($ct2) . '/rendered', 'image/png', 406],
    [instance($ct2) . '/rendered', 'application/pdf', 406],
    [instance($ct2) . '/rendered', 'application/dicom', 406],
    [instance($ct2) . '/rendered', 'application/octet-stream', 406],
    [instance($ct2) . '/rendered', 'multipart/related; type="image/jpeg"',
     406],
    [series($ct2) . '/thumbnail', 'image/jpeg', 200],
    [series($ct2) . '/thumbnail', 'image/gif', 406],
    [instance($pdf) . '/rendered', 'application/pdf', 200],
    [instance($pdf) . '/rendered', 'image/jpeg', 406],
) {
    my ($path, $accept, $status) = @$_;
    is(get($path, accept => $accept)->{status}, $status,
       ($path =~ m{([^/]+)$})[0] . ", $accept: $status");
}


# as all answers: HEAD, conditions, ranges

$r = get(instance($ct2) . '/rendered', method => 'HEAD');
is($r->{headers}{'content-length'}, length stored($ct2, 'jpg'), 'HEAD');
is(get(instance($ct2) . '/rendered',
       headers => { 'If-None-Match' => $etag })->{status}, 304,
   'not modified');
$r = get(instance($ct2) . '/rendered', headers => { Range => 'bytes=2-9' });
is("$r->{status} " . ($r->{body} eq substr(stored($ct2, 'jpg'), 2, 8)),
   '206 1', 'a range');


# what there is not, and who is not to see it: one answer

sub form {
    my ($r) = @_;
    my %h = %{$r->{headers}};

    delete $h{date};
    return join "\n", map { s/[0-9a-f]{16,}/ID/gr } $r->{status},
           (map { "$_: $h{$_}" } sort keys %h), $r->{body};
}

my $none = form(get('/dicom-web/studies/1.2.3.4'));

for (
    ['another instance of the series', instance($ct1) . '/rendered'],
    ['its thumbnail', instance($ct1) . '/thumbnail'],
    ['a structured report', instance($set->{report}) . '/rendered'],
    ['a series of reports', series($set->{report}) . '/thumbnail'],
    ['a thumbnail of a document', instance($pdf) . '/thumbnail'],
    ['a series that is not there', series($ct2) . '9/thumbnail'],
    ['a study', "/dicom-web/studies/$ct2->{study}/thumbnail"],
    ['a stranger', instance($ct2) . '/rendered', $stranger],
    ['a stranger, the series', series($ct2) . '/thumbnail', $stranger],
    ['a stranger, a document', instance($pdf) . '/rendered', $stranger],
) {
    my ($name, $path, $who) = @$_;
    is(form(get($path, token => $who // $token)), $none, $name);
}

is($t->http_get(series($ct2) . '/thumbnail')->{status}, 401, 'nobody');


# the journal knows what was seen

my @seen = grep { ($_->{type} // $_->{record} // '') ne '' }
           $t->journal('access');
ok(scalar(grep { /series-thumbnail/ } map { JSON::PP->new->encode($_) } @seen),
   'the journal names thumbnails');


# a report that is added: seen by its status alone

my $study = $ct2->{study};
spew($t->path('new.pdf'), "%PDF-1.7\n" . 'report ' x 500 . "\n%%EOF\n");

my $sop = $t->tool_ok('emage-store', 'report', '--study', $study, '--pdf',
                      $t->path('new.pdf'), '--title', 'Compte rendu');
chomp $sop;

my ($dcm) = glob $t->store() . "/studies/$study/" . $t->revision($study)
                 . "/*/$sop.dcm";
my ($uid) = $dcm =~ m{([^/]+)/[^/]+$};
my $new = { study => $study, series => $uid, instance => $sop };

sub seen {
    my ($who) = @_;
    my $r = get(instance($new) . '/rendered', token => $who);

    return $r->{status} == 404 && form($r) eq $none ? 'no'
           : $r->{status} == 200 && $r->{body} eq slurp($t->path('new.pdf'))
             ? 'yes' : "$r->{status} " . length $r->{body};
}

sub all_see {
    my ($status, $professional, $patient_sees) = @_;

    $t->consent('report-status', '--study', $study, '--instance', $sop,
                '--status', $status) if $status;
    $status ||= 'no status';
    is(seen($token), $professional, "$status: professional $professional");
    is(seen($patient), $patient_sees, "$status: patient $patient_sees");
    is(seen($stranger), 'no', "$status: stranger no");
}

all_see('', 'no', 'no');
all_see('preliminary', 'no', 'no');
all_see('final', 'yes', 'yes');
all_see('amended', 'yes', 'yes');
all_see('preliminary', 'no', 'no');
all_see('final', 'yes', 'yes');
is(get(series($ct2) . '/thumbnail')->{status}, 200, 'images as before');

$t->consent('set', '--study', $study, '--sharing', 'withdrawn');
is(seen($token), 'no', 'withdrawn: professional no');
is(seen($patient), 'yes', 'withdrawn: patient yes');
is(form(get(series($ct2) . '/thumbnail')), $none, 'nor a thumbnail');
is(form(get(instance($ct2) . '/rendered')), $none, 'nor a picture');
