#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Encoded, dotted, doubled and overlong paths: each is either the resource that
# its once-decoded form names, decided as such, or the uniform refusal, equal
# byte for byte but for the request id.  (What is no HTTP at all is nginx's 400
# before any guard.)

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

my $t = Test::Emage->new();

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{ct1}{study});
$t->run();

my $token = $t->professional();
my ($mine, $foreign) = map {
    my $i = $set->{$_};
    { s => $i->{study}, e => $i->{series}, i => $i->{instance} };
} qw(ct1 foreign);

my $root = '/dicom-web';
my $good = path($mine);
my $bad = path($foreign);

sub path {
    my ($p) = @_;
    return "/studies/$p->{s}/series/$p->{e}/instances/$p->{i}";
}


# A response as it is compared: without date and request id.

sub masked {
    my ($r) = @_;
    my $head = $r->{head};

    $head =~ s/^Date: .*?\r\n//mi;
    return ($head . $r->{body}) =~ s/[0-9a-f]{32}/<id>/gr;
}

sub get { return $t->http_get($_[0], token => $token, as => $good) }

my $refusal = get("$root/studies/1.2.3.4");
is($refusal->{status}, 404, 'an unknown study is refused');
like($refusal->{body}, qr/not shared with you/i, 'with a helpful text');
unlike($refusal->{head}, qr/^(?:ETag|Last-Modified|Accept-Ranges):/mi,
       'and nothing that tells of an object');

my $plain = get($root . $good);
is($plain->{status}, 200, 'the plain path is served');
is(masked(get($root . $bad)), masked($refusal),
   "another patient's study looks as one that does not exist");


# The same resource in other spellings: served, the same bytes.

for my $same (
    ['an encoded letter'         => "$root/%73tudies/" . substr $good, 9],
    ['an encoded digit'          => $root . $good =~ s/1\.2\./%31.2./r],
    ['an encoded dot'            => $root . $good =~ s/1\.2/1%2e2/r],
    ['an encoded slash'          => $root . $good =~ s{/series}{%2Fseries}r],
    ['two slashes, merged'       => $root . $good =~ s{/series}{//series}r],
    ['a dot segment'             => "$root/." . $good],
    ['there and back'            => "$root/studies/.." . $good],
    ['a query'                   => "$root$good?frames=1&x=%00"],
    ['a fragment'                => "$root$good#x"],
) {
    my ($name, $path) = @$same;
    my $r = get($path);
    ok($r->{status} == 200 && $r->{body} eq $plain->{body}, "$name: the same")
        or diag "$path: $r->{status}";
    my $f = get($path =~ s/\Q$mine->{i}\E/$foreign->{i}/r
                      =~ s/\Q$mine->{e}\E/$foreign->{e}/r
                      =~ s/\Q$mine->{s}\E/$foreign->{s}/r);
    ok($f->{status} == 404, "$name: no way to another patient's");
}


# Everything else: the uniform refusal.

my $uid65 = '1.' . '2' x 63;
my $stem = "$root$good";

for my $other (
    ['a trailing slash'          => "$stem/"],
    ['a doubled encoding'        => $stem =~ s/studies/%2573tudies/r],
    ['a doubled encoded slash'   => $stem =~ s{/series}{%252Fseries}r],
    ['an encoded dot dot doubled' => "$root/%252e%252e$good"],
    ['a backslash'               => $stem =~ s{/series}{%5Cseries}r],
    ['dots and a semicolon'      => "$root/..;$good"],
    ['a path parameter'          => "$stem;x=1"],
    ['an encoded question mark'  => "$stem%3Fx"],
    ['an encoded blank'          => "$stem%20"],
    ['a plus'                    => "$stem+"],
    ['a newline'                 => "$stem%0a"],
    ['an overlong slash'         => $stem =~ s{/series}{%c0%afseries}r],
    ['an overlong dot'           => $stem =~ s/1\.2/1%c0%ae2/r],
    ['a full-width digit'        => $stem =~ s/1\.2/%ef%bc%91.2/r],
    ['upper case'                => $stem =~ s/studies/Studies/r],
    ['a letter in a UID'         => "$root/studies/1.2a"],
    ['a UID that begins with a dot' => "$root/studies/.1.2"],
    ['a UID that ends with a dot' => "$root/studies/1.2."],
    ['two dots in a UID'         => "$root/studies/1..2"],
    ['65 characters'             => "$root/studies/$uid65"],
    ['4,000 characters'          => "$root/studies/" . '1.2' x 1300],
    ['no study, slash'           => "$root/studies/"],
    ['the root'                  => "$root/"],
    ['one segment too many'      => "$stem/frames/1/2"],
    ['frame 0'                   => "$stem/frames/0"],
    ['frame 01'                  => "$stem/frames/01"],
    ['frame -1'                  => "$stem/frames/-1"],
    ['frame 1,'                  => "$stem/frames/1,"],
    ['frame 2 of 1'              => "$stem/frames/2"],
    ['frame 1 and 2 of 1'        => "$stem/frames/1,2"],
    ['frame 2^32 + 1'            => "$stem/frames/4294967297"],
    ['1,025 frames'              => "$stem/frames/" . join ',', (1) x 1025],
    ['no frame'                  => "$stem/frames"],
    ['a file of the store'       => "$root/studies/$mine->{s}/study.json"],
    ['the MANIFEST'              => "$root/studies/$mine->{s}/MANIFEST"],
    ['the file itself'           => "$stem.dcm"],
    ['a bulk value that is none' => "$stem/bulkdata/00091001"],
    ['bulk in lower case'        => "$stem/bulkdata/7fe00010"],
    ['a series of another study' =>
        "$root/studies/$mine->{s}/series/$foreign->{e}"],
    ['an instance of another series' =>
        "$root/studies/$mine->{s}/series/$mine->{e}/instances/$foreign->{i}"],
) {
    my ($name, $path) = @$other;
    is(masked(get($path)), masked($refusal), "$name: the uniform refusal");
}


# What nginx refuses by itself, or what leaves the guarded location.

for my $none (
    ['NUL, encoded'        => "$stem%00", qr/^400$/],
    ['half an encoding'    => "$stem%2", qr/^400$/],
    ['no hex'              => "$stem%zz", qr/^400$/],
    ['above the root'      => '/../../etc/passwd', qr/^400$/],
    ['out of the location' => "$root/../etc/passwd", qr/^40[034]$/],
    ['encoded dot dot'     => "$root/%2e%2e/etc/passwd", qr/^40[034]$/],
    ['the location without slash' => $root, qr/^30[1]|404$/],
) {
    my ($name, $path, $re) = @$none;
    my $r = get($path);
    like($r->{status}, $re, "$name: nothing");
}

for my $raw ("GET $root$good\0 HTTP/1.1\r\nHost: localhost\r\n"
             . "Authorization: Bearer $token\r\nConnection: close\r\n\r\n",
             "GET  $root$good HTTP/1.1\r\n\r\n", "\0\xff\x80\r\n\r\n")
{
    my $c = $t->http();
    $c->send($raw);
    my $r = $c->response();
    ok($r->{status} == 400 || $r->{status} == 0, 'broken request: nothing');
    $c->close();
}


# The absolute form names the same resource.

my $c = $t->http();
$c->send($t->request_text("http://localhost$root$good", token => $token));
my $r = $c->response();
$t->served($good, $r);
is($r->{body}, $plain->{body}, 'the absolute form: the same');


# Methods: two, and the refusal of the others tells nothing.

for my $method (qw(POST PUT DELETE OPTIONS PATCH PROPFIND COPY MOVE)) {
    my @r = map { $t->http_get($root . $_, token => $token, method => $method) }
            $good, $bad, '/studies/1.2.3.4';
    is($r[0]{status}, 405, "$method: 405");
    ok(masked($r[0]) eq masked($r[1]) && masked($r[0]) eq masked($r[2]),
       "$method: the same for all");
}

my @head = map { $t->http_get($root . $_, token => $token, method => 'HEAD') }
           $bad, '/studies/1.2.3.4';
ok($head[0]{status} == 404 && masked($head[0]) eq masked($head[1]),
   'HEAD is refused alike');


# No identity: 401, the same for everything.

my @none = map { $t->http_get($root . $_) } $good, $bad, '/x', '/studies/1.2';
is($none[0]{status}, 401, 'no token: 401');
is(scalar(grep { masked($_) ne masked($none[0]) } @none), 0,
   'the same for everything');
