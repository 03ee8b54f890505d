#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# What is served is what was stored: every frame, bulk value, instance and
# metadata answer of the synthetic set, of the files that python3-pydicom
# ships, and of the shared files when they are there, compared with what
# pydicom's and DCMTK's own readers find in the files that came in.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::Multipart;

use JSON::PP qw(decode_json);

my $t = Test::Emage->new(workers => 1);

$t->backend();
$t->synthetic();

my @sources = ($t->path('in'), $t->pydicom_data());
my $shared = $t->shared('dicom');

if ($shared && !($Test::Emage::build =~ /asan/ && !$ENV{EMAGE_LONG})) {
    push @sources, sort grep { -d && !m{/odd$} } glob "$shared/*";
}

my $files = $t->ingest(@sources);
my %count;
$count{$_->{status}}++ for @$files;
note join ', ', map { "$count{$_} $_" } sort keys %count;

cmp_ok($count{accepted} // 0, '>=', 40, 'files were accepted');
is(scalar(grep { $_->{status} eq 'refused' && !$_->{reason} } @$files), 0,
   'each refusal has its reason');

$t->share_all();
$t->run();

my $token = $t->professional();


# The last accepted file of each SOP Instance UID, as pydicom reads it.

my (%expect, %unread);

for my $f ($t->describe(map { $_->{path} }
                        grep { $_->{status} ne 'refused' } @$files))
{
    if ($f->{error}) {
        $unread{$f->{path}} = $f->{error};
        next;
    }

    my ($status) = map { $_->{status} } grep { $_->{path} eq $f->{path} }
                   @$files;
    next if $status eq 'unchanged' && $expect{$f->{instance}};
    $expect{$f->{instance}} = $f;
}

note "pydicom cannot read $_: $unread{$_}" for sort keys %unread;


# One connection for all of it.

my $c;

sub get {
    my ($path, $accept, %h) = @_;

    $c //= $t->http();
    $c->send($t->request_text($path, token => $token, keep => 1,
                              headers => { Accept => $accept, %h }));
    my $r = $c->response();
    $t->served($path, $r);

    unless ($r->{complete}
            && ($r->{headers}{connection} // '') ne 'close')
    {
        $c->close();
        undef $c;
    }

    return $r;
}


my $octets = 'multipart/related; type="application/octet-stream"; '
             . 'transfer-syntax=*';
my (@wrong, $instances, $frames, $bulk, $bytes);

sub wrong { push @wrong, join ' ', @_ }

sub same {
    my ($body, $forms) = @_;
    my $sum = sha256_hex($body);
    return grep { $_->[0] == length $body && $_->[1] eq $sum } @$forms;
}


for my $uid (sort keys %expect) {
    my $e = $expect{$uid};
    my $base = "/dicom-web/studies/$e->{study}/series/$e->{series}"
               . "/instances/$uid";

    unless ($e->{study} && $e->{series}) {
        next;
    }

    $instances++;

    # frames, one by one and all at once

    my $n = scalar @{$e->{frames}};

    for my $k (1 .. $n) {
        my $r = get("$base/frames/$k", $octets);

        if ($r->{status} != 200) {
            wrong("$e->{path}: frame $k of $n: status $r->{status}");
            last;
        }

        my $parts = eval { parts($r) };

        unless ($parts && @$parts == 1) {
            wrong("$e->{path}: frame $k: ", $@ || 'several parts');
            next;
        }

        $frames++;
        $bytes += length $parts->[0]{body};
        same($parts->[0]{body}, $e->{frames}[$k - 1])
            or wrong("$e->{path}: frame $k differs:",
                     length $parts->[0]{body}, 'bytes, not',
                     $e->{frames}[$k - 1][0][0]);
    }

    if ($n > 1 && $n <= 64) {
        my $r = get("$base/frames/" . join(',', reverse 1 .. $n), $octets);
        my $parts = eval { parts($r) } || [];
        my $ok = @$parts == $n;

        for my $k (1 .. $n) {
            $ok &&= same($parts->[$n - $k]{body}, $e->{frames}[$k - 1]);
        }

        $ok or wrong("$e->{path}: all frames at once: status $r->{status}");
    }

    my $past = get("$base/frames/" . ($n + 1), $octets);
    $past->{status} == 404 or wrong("$e->{path}: frame past the last:",
                                    $past->{status});

    # the object itself, as multipart and alone

    my $r = get($base, 'multipart/related; type="application/dicom"; '
                       . 'transfer-syntax=*');
    my $parts = eval { parts($r) } || [];
    my $alone = get($base, 'application/dicom; transfer-syntax=*');
    my $stored = slurp((glob $t->store() . "/studies/$e->{study}/"
                        . $t->revision($e->{study})
                        . "/$e->{series}/$uid.dcm")[0]);

    @$parts == 1 && $parts->[0]{body} eq $stored
        or wrong("$e->{path}: the object as multipart: status $r->{status}");
    $alone->{body} eq $stored
        or wrong("$e->{path}: the object alone: status $alone->{status}");

    # metadata names bulk values; each is what pydicom reads

    my $m = get("$base/metadata", 'application/dicom+json');
    my $json = eval { decode_json($m->{body}) };

    unless (ref $json eq 'ARRAY' && @$json == 1) {
        wrong("$e->{path}: metadata: status $m->{status} $@");
        next;
    }

    spew($t->path("tmp/$uid.json"), $m->{body});

    for my $path (bulk_paths($json->[0])) {
        next unless $path =~ m{/bulkdata/(.+)$};
        my $want = $e->{bulk}{$1};
        my $b = get($path, 'multipart/related; '
                           . 'type="application/octet-stream"');
        my $p = eval { parts($b) } || [];

        unless ($b->{status} == 200 && @$p == 1) {
            wrong("$e->{path}: $path: status $b->{status}");
            next;
        }

        next unless $want;
        $bulk++;
        same($p->[0]{body}, [$want])
            or wrong("$e->{path}: $1: ", length $p->[0]{body}, 'bytes, not',
                     $want->[0]);
    }
}


# The paths of all BulkDataURIs, below the service's root.

sub bulk_paths {
    my ($ds) = @_;
    my @found;

    for my $e (values %$ds) {
        if ($e->{BulkDataURI}) {
            my ($path) = $e->{BulkDataURI} =~ m{(/studies/.*)$};
            push @found, "/dicom-web$path" if $path;

        } elsif ($e->{vr} eq 'SQ') {
            push @found, map { bulk_paths($_) } grep { ref } @{$e->{Value}};
        }
    }

    return @found;
}


is(scalar @wrong, 0, sprintf '%d instances: %d frames (%d bytes), %d bulk '
   . 'values', map { $_ // 0 } $instances, $frames, $bytes, $bulk)
    or diag join "\n", @wrong[0 .. ($#wrong > 39 ? 39 : $#wrong)];
cmp_ok($frames // 0, '>', 60, 'frames were compared');
cmp_ok($bulk // 0, '>', 2, 'bulk values were compared');


# Metadata against dcm2json, attribute by attribute.

my @pairs = map { [$expect{$_}{path}, $t->path("tmp/$_.json")] }
            grep { -e $t->path("tmp/$_.json") } sort keys %expect;
my @differ = $t->compare_metadata(@pairs);

is(scalar @differ, 0, scalar(@pairs) . ' metadata answers equal dcm2json but '
   . 'for the documented coercions')
    or diag join "\n", @differ[0 .. ($#differ > 39 ? 39 : $#differ)];
