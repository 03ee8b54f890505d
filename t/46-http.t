#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# How an answer is given: media types by Accept, HEAD, ranges, ETags, gzip, the
# same bytes for the same request, pipelining, HTTP/1.0 and many streams of one
# HTTP/2 connection.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::H2;
use Test::Emage::Multipart;

use IO::Uncompress::Gunzip ();

my $t = Test::Emage->new(workers => 1);

$t->backend();
my $set = $t->synthetic();
$t->ingest($t->path('in'));
$t->share_all();
my $foreign = '/dicom-web/studies/1.2.3.4';
$t->run();

my $token = $t->professional();

sub path {
    my ($i, $more) = @_;
    return "/dicom-web/studies/$i->{study}/series/$i->{series}"
           . "/instances/$i->{instance}" . ($more // '');
}

sub get {
    my ($path, %o) = @_;
    my $accept = delete $o{accept};
    my %h = %{delete $o{headers} || {}};
    $h{Accept} = $accept if defined $accept;
    return $t->http_get($path, token => $token, headers => \%h, %o);
}

sub type {
    my $type = $_[0]{headers}{'content-type'} // '';
    return $type =~ s/;\s*(?:boundary|transfer-syntax)=[^;]*//gr;
}


# media types: [resource, Accept, status, Content-Type of the whole, of a part]

my $any = '; transfer-syntax=*';
my $oct = 'multipart/related; type="application/octet-stream"';
my $dcm = 'multipart/related; type="application/dicom"';
my ($ct, $jpeg, $pdf) = map { path($set->{$_}) } qw(ct1 jpegfrag pdf);
my $json = 'application/dicom+json';

for (
    [$ct, undef, 200, $dcm],
    [$ct, '*/*', 200, $dcm],
    [$ct, $dcm, 200, $dcm],
    [$ct, "$dcm$any", 200, $dcm],
    [$ct, 'multipart/related; type=application/dicom', 200, $dcm],
    [$ct, 'application/dicom', 200, 'application/dicom'],
    [$ct, "application/dicom$any", 200, 'application/dicom'],
    [$ct, 'application/dicom; transfer-syntax=1.2.840.10008.1.2.1', 200,
     'application/dicom'],
    [$ct, 'application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50', 406],
    [$ct, 'image/png', 406],
    [$ct, 'text/html, image/png;q=0.5, */*;q=0.1', 200, $dcm],
    [$ct, 'application/dicom;q=0, */*;q=0', 406],
    [$ct, "$dcm;q=0.5, application/dicom", 200, 'application/dicom'],

    ["$ct/frames/1", "$oct$any", 200, $oct],
    ["$ct/frames/1", 'multipart/related; type=application/octet-stream; '
     . 'transfer-syntax=*', 200, $oct],
    ["$ct/frames/1", $oct, 200, $oct],
    ["$ct/frames/1", '*/*', 200, $oct],
    ["$ct/frames/1", 'application/octet-stream', 200,
     'application/octet-stream'],
    ["$ct/frames/1", 'multipart/related; type="image/jpeg"; '
     . 'transfer-syntax=1.2.840.10008.1.2.4.50', 406],

    ["$jpeg/frames/1", "$oct$any", 200, $oct],
    ["$jpeg/frames/1", 'multipart/related; type="image/jpeg"', 200,
     'multipart/related; type="image/jpeg"'],
    ["$jpeg/frames/1", 'multipart/related; type="image/jpeg"; '
     . 'transfer-syntax=1.2.840.10008.1.2.4.50', 200,
     'multipart/related; type="image/jpeg"'],
    ["$jpeg/frames/1", $oct, 406],

    ["$ct/metadata", $json, 200, $json],
    ["$ct/metadata", '*/*', 200, $json],
    ["$ct/metadata", 'application/json', 200, $json],
    ["$ct/metadata", 'multipart/related; type="application/dicom+xml"', 406],

    ["$pdf/bulkdata/00420011", "$oct", 200],
    ["$pdf/bulkdata/00420011", '*/*', 200],
    ["$pdf/bulkdata/00420011", 'application/pdf', 200, 'application/pdf'],
) {
    my ($path, $accept, $status, $type) = @$_;
    my $r = get($path, accept => $accept);
    my ($short) = $path =~ m{([^/]+/[^/]+)$};
    is($r->{status}, $status, "$short, " . ($accept // 'no Accept')
       . ": $status");
    is(type($r), $type, "$short: $type") if $type && $r->{status} == 200;
    like($r->{body}, qr/1\.2\.840\.10008|Stored as|dicom/i,
         "$short: says what is stored") if $status == 406;
}

is(get($foreign, accept => 'image/png')->{status}, 404,
   '406 comes after the permit');

$t->wait_for('the record of a 406', 5, sub {
    grep { ($_->{cause} // '') eq 'not acceptable' } $t->journal('access');
});

my ($unmet) = grep { ($_->{cause} // '') eq 'not acceptable' }
              $t->journal('access');
is($unmet->{type} // '', 'refusal', '406 is recorded');
ok($unmet->{study} && $unmet->{subject}, 'with study and subject');


{
    my ($part) = @{parts(get("$jpeg/frames/2", accept => "$oct$any"))};
    like($part->{headers}{'content-type'}, qr/transfer-syntax=/,
         'a part names its transfer syntax');
}


# one request, one body

my $multi = path($set->{multi});
my $whole = "/dicom-web/studies/$set->{ct1}{study}";
my %full;

for my $path ("$ct/frames/1", "$multi/frames/1,3,2", $ct, $multi, $whole,
              "$whole/metadata", "$pdf/bulkdata/00420011")
{
    my @r = map { get($path, accept => $path =~ /metadata/ ? $json
                                       : $path =~ /frames/ ? "$oct$any"
                                       : '*/*') } 1 .. 2;
    my ($short) = $path =~ m{([^/]+/[^/]+)$};
    ok($r[0]{status} == 200 && $r[0]{body} eq $r[1]{body},
       "$short: the same bytes again");
    is($r[0]{headers}{etag}, $r[1]{headers}{etag}, "$short: the same ETag");
    like($r[0]{headers}{'cache-control'} // '', qr/private/,
         "$short: private");
    like($r[0]{headers}{vary} // '', qr/Authorization/, "$short: Vary");
    $full{$path} = $r[0];
}

my %tags = map { $_->{headers}{etag} => 1 } values %full;
is(scalar keys %tags, scalar keys %full, 'each resource has its own ETag');


# HEAD and conditions

for my $path (sort keys %full) {
    my $f = $full{$path};
    my ($short) = $path =~ m{([^/]+/[^/]+)$};
    my %o = (accept => $path =~ /metadata/ ? $json
                     : $path =~ /frames/ ? "$oct$any" : '*/*');
    my $h = get($path, %o, method => 'HEAD');

    ok($h->{status} == 200 && $h->{body} eq '', "$short: HEAD");
    is($h->{headers}{etag}, $f->{headers}{etag}, "$short: HEAD has the ETag");
    is($h->{headers}{'content-length'}, $f->{headers}{'content-length'},
       "$short: and the length");

    my $etag = $f->{headers}{etag};
    my $n = get($path, %o, headers => { 'If-None-Match' => $etag });
    ok($n->{status} == 304 && $n->{body} eq '', "$short: 304");
    is(get($path, %o, headers => { 'If-None-Match' => '"other"' })->{status},
       200, "$short: another ETag, the body");
    is(get($path, %o, headers => { 'If-None-Match' => "\"x\", $etag" })
           ->{status}, 304, "$short: a list of ETags");
}

is($t->http_get($ct, headers => { 'If-None-Match' =>
                                      $full{$ct}{headers}{etag} })->{status},
   401, 'no 304 without an identity');
is(get($foreign, headers => { 'If-None-Match' => '*' })->{status}, 404,
   'no 304 without a permit');


# ranges

srand 7;

for my $path ("$ct/frames/1", "$multi/frames/1,3,2", $multi, $whole) {
    my $f = $full{$path};
    my $len = length $f->{body};
    my ($short) = $path =~ m{([^/]+/[^/]+)$};
    my %o = (accept => $path =~ /frames/ ? "$oct$any" : '*/*');
    my @ranges = ([0, 0], [0, 99], [$len - 1, $len - 1], [1, $len - 1],
                  [$len - 5, $len + 500],
                  map { my $a = int rand $len;
                        [$a, $a + int rand($len - $a)] } 1 .. 12);
    my @wrong;

    for (@ranges) {
        my ($a, $b) = @$_;
        my $r = get($path, %o, headers => { Range => "bytes=$a-$b" });
        my $end = $b >= $len ? $len - 1 : $b;

        $r->{status} == 206
            && $r->{body} eq substr($f->{body}, $a, $end - $a + 1)
            && $r->{headers}{'content-range'} eq "bytes $a-$end/$len"
            or push @wrong, "$a-$b: $r->{status}";
    }

    is(scalar @wrong, 0, "$short: ranges") or diag "@wrong";

    my $r = get($path, %o, headers => { Range => 'bytes=-10' });
    is($r->{body}, substr($f->{body}, -10), "$short: the last ten");
    $r = get($path, %o, headers => { Range => 'bytes=100-' });
    is(length $r->{body}, $len - 100, "$short: from the hundredth");

    $r = get($path, %o, headers => { Range => "bytes=$len-" });
    is($r->{status}, 416, "$short: past the end");
    is($r->{headers}{'content-range'}, "bytes */$len", "$short: says so");

    $r = get($path, %o, headers => { Range => 'bytes=0-1,5-9' });
    ok($r->{status} == 200 && $r->{body} eq $f->{body},
       "$short: several ranges, the whole");

    for ('bytes=5-2', 'bytes=x', 'chars=0-1', 'bytes=-',
         'bytes=18446744073709551610-18446744073709551615')
    {
        $r = get($path, %o, headers => { Range => $_ });
        ok($r->{status} =~ /^(?:200|416)$/, "$short: $_: $r->{status}");
    }

    $r = get($path, %o, headers => { Range => 'bytes=0-9',
                                     'If-Range' => $f->{headers}{etag} });
    is($r->{status}, 206, "$short: If-Range of this revision");
    $r = get($path, %o, headers => { Range => 'bytes=0-9',
                                     'If-Range' => '"old"' });
    ok($r->{status} == 200 && $r->{body} eq $f->{body},
       "$short: If-Range of another");
}


# gzip

for my $path ("$ct/metadata", "$whole/metadata",
              "$whole/series/$set->{ct1}{series}/metadata")
{
    my $plain = get($path, accept => $json);
    my $gzip = get($path, accept => $json,
                   headers => { 'Accept-Encoding' => 'gzip' });
    my ($short) = $path =~ m{([^/]+/[^/]+)$};

    is($gzip->{headers}{'content-encoding'}, 'gzip', "$short: gzip");
    ok(!$plain->{headers}{'content-encoding'}, "$short: and not");
    like($gzip->{headers}{vary} // '', qr/Accept-Encoding/, "$short: Vary");

    my $body = $gzip->{body};
    IO::Uncompress::Gunzip::gunzip(\$body => \my $out, MultiStream => 0)
        or diag $IO::Uncompress::Gunzip::GunzipError;
    ok(length $out && $out eq $plain->{body}, "$short: the same inside");
    ok(eval { JSON::PP::decode_json($out); 1 }, "$short: JSON");
    ok(length $gzip->{body} < length $plain->{body}, "$short: and smaller");
}


# HTTP/1.0; pipelining

{
    my $c = $t->http();
    $c->send("GET $ct HTTP/1.0\r\nAuthorization: Bearer $token\r\n\r\n");
    my $r = $c->response();
    $t->served($ct, $r);
    is($r->{body}, $full{$ct}{body}, 'HTTP/1.0');
    $c->close();

    my @paths = ("$ct/frames/1", "$multi/frames/1,3,2", $foreign, $ct,
                 "$whole/metadata", $multi);
    $c = $t->http();
    $c->send(join '', map {
        $t->request_text($_, token => $token, keep => 1, headers => {
            Accept => /metadata/ ? $json : /frames/ ? "$oct$any" : '*/*' })
    } (@paths) x 5);

    my $wrong = 0;

    for my $path ((@paths) x 5) {
        my $r = $c->response();
        $t->served($path, $r);
        $wrong++ unless $path eq $foreign
                        ? $r->{status} == 404
                        : $r->{body} eq $full{$path}{body};
    }

    is($wrong, 0, 'thirty requests pipelined, each its own answer');
    $c->close();
}


# Many streams.  A machine so busy that the lease is not renewed in time answers
# 503 and resets what is under way (nothing is served on it): then once more.

for my $try (1 .. 5) {
    my $h = Test::Emage::H2->new(port => $t->port(1),
                                 tls => $t->path('tls.crt'));
    my %want;

    for my $n (1 .. 100) {
        my $path = ("$ct/frames/1", "$multi/frames/1,3,2", $foreign,
                    $multi)[$n % 4];
        my $id = $h->request($path, authorization => "Bearer $token",
                             accept => $path =~ /frames/ ? "$oct$any" : '*/*');
        $want{$id} = $path;
    }

    my ($wrong, %seen) = 0;

    for my $id (sort { $a <=> $b } keys %want) {
        my $s = $h->finish($id);
        $t->served($want{$id}, { status => $s->{status}, body => '',
                                 first => $s->{first} });
        $seen{$s->{status}}++;
        $wrong++ unless $want{$id} eq $foreign
                        ? $s->{status} == 404
                        : $s->{status} == 200
                          && $s->{body} eq $full{$want{$id}}{body};
    }

    $h->close();
    next if $try < 5 && ($seen{503} || $seen{0})
            && $t->error_log() =~ /lease (?:unavailable|has expired)/;

    is($wrong, 0, 'a hundred streams at once: '
       . join ', ', map { "$seen{$_} of $_" } sort keys %seen);
    last;
}
