#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# The ways round a guard that nginx offers: subrequests, internal redirects,
# satisfy, try_files, X-Accel-Redirect, error_page, nested blocks.  Each is tried
# for a study that is refused, with a valid token, and must not give a byte of
# it; and for one that is permitted, where a way that works must be recorded.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

my $t = Test::Emage->new(workers => 1);

$t->backend();
my $set = $t->synthetic('only=native,documents');
$t->ingest($t->path('in'));
$t->share($set->{ct1}{study});

sub path {
    my ($i) = @_;
    return "/dicom-web/studies/$i->{study}/series/$i->{series}"
           . "/instances/$i->{instance}";
}

my $good = path($set->{ct1});
my $bad = path($set->{foreign});
my $d = $t->dir();

mkdir "$d/www";
mkdir "$d/www/x";
spew("$d/www/ssi-$_->[0].shtml", "<!--#include virtual=\"$_->[1]\" -->\n")
    for [good => $good], [bad => $bad];
spew("$d/www/x/page", 'page');

$t->run(<<'CONF' =~ s/%%GOOD%%/$good/gr =~ s/%%BAD%%/$bad/gr);
%%GLOBALS%%
events { }
http {
    %%HTTP%%

    server {
        listen 127.0.0.1:%%PORT_0%%;
        root %%TESTDIR%%/www;

        location /dicom-web/ { emage %%STORE%%; }

        # subrequests

        location /ssi/ { alias %%TESTDIR%%/www/; ssi on;
                         ssi_types text/plain *; }
        location /add-good/ { alias %%TESTDIR%%/www/x/;
                              addition_types *; add_before_body %%GOOD%%; }
        location /add-bad/ { alias %%TESTDIR%%/www/x/;
                             addition_types *; add_after_body %%BAD%%; }
        location /auth-good/ { alias %%TESTDIR%%/www/x/;
                               auth_request %%GOOD%%; }
        location /auth-bad/ { alias %%TESTDIR%%/www/x/;
                              auth_request %%BAD%%; }
        location /mirror/ { mirror %%BAD%%; alias %%TESTDIR%%/www/x/; }

        # internal redirects

        location /accel-good { proxy_pass http://127.0.0.1:%%PORT_2%%/good; }
        location /accel-bad { proxy_pass http://127.0.0.1:%%PORT_2%%/bad; }
        location /accel-file { proxy_pass http://127.0.0.1:%%PORT_2%%/file; }
        location /try-good { try_files /none %%GOOD%%; }
        location /try-bad { try_files /none %%BAD%%; }
        location /rewrite-good { rewrite ^ %%GOOD%%; }
        location /rewrite-bad { rewrite ^ %%BAD%%; }
        location /error-good { error_page 404 = %%GOOD%%; }
        location /error-bad { error_page 404 = %%BAD%%; }
        location /named { error_page 404 = @named; }
        location @named { rewrite ^ %%BAD%% break; }
        location /index/ { index %%BAD%%; alias %%TESTDIR%%/www/y/; }
    }

    # what stands around the guard

    server {
        listen 127.0.0.1:%%PORT_1%%;
        error_page 401 403 404 503 = /page;
        root %%TESTDIR%%/www/x;

        location /dicom-web/ {
            satisfy any;
            allow all;
            auth_request off;
            emage %%STORE%%;
            error_page 404 =200 %%GOOD%%;

            if ($arg_x) { set $y 1; }
            if ($arg_b) { break; }
            limit_except GET { deny all; }
        }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        location /good { add_header X-Accel-Redirect %%GOOD%%; return 200; }
        location /bad { add_header X-Accel-Redirect %%BAD%%; return 200; }
        location /file {
            add_header X-Accel-Redirect /dicom-web/../../store/studies;
            return 200;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_3%%;
        location /dicom-web/ { slice 64k; emage %%STORE%%;
                               try_files $uri %%GOOD%%; }
    }
}
CONF

my $token = $t->professional();
my $pixels = substr slurp($set->{ct1}{path}), -4000, 3000;
my $secret = substr slurp($set->{foreign}{path}), -2000, 1000;

sub get {
    my ($path, %o) = @_;
    my $r = $t->http_get($path, token => $token, %o,
                         headers => { Accept => '*/*',
                                      %{$o{headers} || {}} });
    $r->{mine} = index($r->{body}, $pixels) >= 0;
    $r->{foreign} = index($r->{body}, $secret) >= 0
                    || $r->{body} =~ /foreign/;
    return $r;
}

ok(get($good)->{mine}, 'the direct way is open');
ok(!get($bad)->{foreign}, 'and closed');

for (['ssi/ssi-bad.shtml' => 'SSI'], ['add-bad/page' => 'addition'],
     ['auth-bad/page' => 'auth_request'], ['mirror/page' => 'mirror'],
     ['accel-bad' => 'X-Accel-Redirect'],
     ['accel-file' => 'X-Accel-Redirect to a file'],
     ['try-bad' => 'try_files'], ['rewrite-bad' => 'rewrite'],
     ['error-bad' => 'error_page'], ['named' => 'a named location'],
     ['index/' => 'index'])
{
    my ($path, $name) = @$_;

    for my $token_given ($token, '') {
        my $r = $t->http_get("/$path", token => $token_given);
        ok(index($r->{body}, $secret) < 0 && $r->{body} !~ /foreign/,
           "$name: nothing of a refused study"
           . ($token_given ? '' : ' without a token'));
    }
}

# Subrequests cannot be cut by a withdrawal: the guard takes none at all.

ok(!get('/ssi/ssi-good.shtml')->{mine}, 'SSI: nothing even when permitted');
ok(!get('/add-good/page')->{mine}, 'addition: nothing even when permitted');
isnt(get('/auth-good/page')->{status}, 200, 'auth_request: no oracle');

# Internal redirects are the main request: decided for the URI they lead to.

for (qw(accel-good try-good rewrite-good error-good)) {
    my $r = get("/$_");
    $t->served($good, $r) if $r->{mine};
    my $anonymous = $t->http_get("/$_");
    ok($anonymous->{status} != 200 || index($anonymous->{body}, $pixels) < 0,
       "$_: nothing without a token (with one: $r->{status})");
}

# What stands around the guard opens nothing.

for my $q ('', '?x=1', '?b=1') {
    my %at = (connection => { port => $t->port(1) });
    ok(!get("$bad$q", %at)->{foreign},
       "satisfy any, allow all, nested blocks$q: closed");
    my $r = $t->http_get("$good$q", %at);
    ok(index($r->{body}, $pixels) < 0, "no token$q: closed");
    ok(get("$good$q", %at)->{mine}, "permitted$q: open");
}

{
    my %at = (connection => { port => $t->port(3) });
    ok(!get($bad, %at)->{foreign}, 'slice and try_files: closed');
    ok(index($t->http_get($bad, %at)->{body}, $secret) < 0,
       'slice and try_files without a token: closed');
}

# Headers that some deployments trust.

for my $h (['X-Original-URI' => $good], ['X-Rewrite-URL' => $good],
           ['X-Accel-Redirect' => $good], ['X-Forwarded-User' => 'admin'],
           ['X-Remote-User' => 'admin'], ['X-HTTP-Method-Override' => 'PUT'],
           ['X-Forwarded-Uri' => $good], ['Forwarded' => 'for=127.0.0.1'],
           ['Authorization' => "Bearer $token, Bearer x"],
           ['Upgrade' => 'h2c'], ['Range' => 'bytes=0-10'],
           ['If-None-Match' => '*'], ['If-Match' => '*'],
           ['If-Modified-Since' => 'Wed, 21 Oct 2099 07:28:00 GMT'],
           ['If-Range' => '"x"'], ['TE' => 'trailers'])
{
    my ($name, $value) = @$h;
    my $r = get($bad, headers => { $name => $value },
                ($name eq 'Authorization' ? (token => '') : ()));
    my $plain = get('/dicom-web/studies/1.2.3', headers => { $name => $value },
                    ($name eq 'Authorization' ? (token => '') : ()));
    ok(!$r->{foreign} && $r->{status} == $plain->{status}
       && $r->{status} =~ /^(?:401|404)$/, "$name: closed, and no oracle")
        or diag "$r->{status}, unknown $plain->{status}";
}

$t->allow(qr/rewrite or internal redirection cycle/);
