#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# emage-token: what it signs it verifies, keys stay secret, the public JOSE
# vectors by way of the command line, and OpenSSL agrees with the signatures.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use File::Temp ();
use JSON::PP ();
use MIME::Base64 qw(decode_base64url);

my $tool = "$Test::Emage::build/bin/emage-token";

plan(skip_all => 'run make first') unless -x $tool;

my $dir = File::Temp::tempdir(CLEANUP => 1);

sub token { return run_command($tool, @_) }

# The token comes by standard input.

sub verify {
    my ($set, $token, @args) = @_;
    spew("$dir/token", $token);
    my ($rc, $out, $err) =
        run_command('/bin/sh', '-c', 'exec "$@" < "$0"', "$dir/token", $tool,
                    'verify', '--jwks', $set, @args);
    chomp $out;
    return wantarray ? ($rc, $out, $err) : "$rc $out";
}

sub part { return JSON::PP::decode_json(decode_base64url((split /\./, $_[0])[$_[1]])) }


for (['RSA', 'RS256'], ['RSA', 'PS256'], ['EC', 'ES256']) {
    my ($kty, $alg) = @$_;
    my $key = "$dir/$alg.jwk";

    is((token('keygen', '--kty', $kty, '--alg', $alg, '--out', $key))[0], 0,
       "a key for $alg");
    is((stat $key)[2] & 0777, 0600, 'nobody else can read it');
    is((token('keygen', '--kty', $kty, '--alg', $alg, '--out', $key))[0], 1,
       'nor overwrite it');

    my ($rc, $set) = token('public', '--key', $key);
    is($rc, 0, 'its public half');
    my $public = JSON::PP::decode_json($set)->{keys}[0];
    is(join(' ', grep { exists $public->{$_} } qw(d p q dp dq qi k)), '',
       'has nothing private');
    spew("$dir/$alg.jwks", $set);

    ($rc, my $jws) = token('sign', '--key', $key, '--typ', 'at+jwt',
                           '--claim', 'iss=https://op', '--claim',
                           'teams:=["a","b"]', '--lifetime', '60');
    chomp $jws;
    is_deeply(part($jws, 0), { alg => $alg, typ => 'at+jwt',
                               kid => $public->{kid} }, 'a header');
    my $claims = part($jws, 1);
    is($claims->{exp} - $claims->{iat}, 60, 'its lifetime');
    like($claims->{jti}, qr/^[0-9a-f]{32}$/, 'an id');
    is_deeply($claims->{teams}, ['a', 'b'], 'claims as given');
    is(scalar verify("$dir/$alg.jwks", $jws), '0 ok', 'verifies');
    is(scalar verify("$dir/$alg.jwks", "$jws\n"), '0 ok', 'with a newline');
    is(scalar verify("$dir/$alg.jwks", "$jws\n", '--alg',
                     $alg eq 'ES256' ? 'RS256' : 'ES256'), '1 key',
       'not if the algorithm is not allowed');
    my $changed = $jws;
    substr($changed, -20, 1) =~ tr/A-Za-z0-9_-/B-ZAb-za1-90\-_/;
    is(scalar verify("$dir/$alg.jwks", $changed), '1 signature',
       'nor changed');
    is(scalar verify("$dir/$alg.jwks", $jws . '=' x 2), '1 malformed',
       'nor padded');
}

# OpenSSL's own command line agrees

SKIP: {
    skip 'no openssl', 1 if system('openssl version >/dev/null 2>&1') != 0;

    my ($rc, $jws) = token('sign', '--key', "$dir/RS256.jwk");
    chomp $jws;
    my ($h, $p, $s) = split /\./, $jws;
    my $k = JSON::PP::decode_json(slurp("$dir/RS256.jwks"))->{keys}[0];

    spew("$dir/asn1", "asn1=SEQUENCE:k\n[k]\nalg=SEQUENCE:a\nkey=BITWRAP,"
         . "SEQUENCE:r\n[a]\noid=OID:rsaEncryption\np=NULL\n[r]\nn=INTEGER:0x"
         . unpack('H*', decode_base64url($k->{n})) . "\ne=INTEGER:0x"
         . unpack('H*', decode_base64url($k->{e})) . "\n");
    spew("$dir/signature", decode_base64url($s));
    spew("$dir/signed", "$h.$p");
    run_command('openssl', 'asn1parse', '-genconf', "$dir/asn1", '-noout',
                '-out', "$dir/key.der");
    my ($vrc, $out) = run_command('openssl', 'dgst', '-sha256', '-verify',
                                  "$dir/key.der", '-keyform', 'DER',
                                  '-signature', "$dir/signature",
                                  "$dir/signed");
    like($out, qr/Verified OK/, 'OpenSSL verifies what we signed');
}

is((token())[0], 2, 'no command: 2');
is((token('verify'))[0], 2, 'no key set: 2');
is(scalar((verify("$dir/none", 'x'))[0]), 2, 'no such key set: 2');
is((token('sign', '--key', "$dir/RS256.jwk", '--claims', '[1]'))[0], 2,
   'claims that are no object: 2');
is((token('sign', '--key', "$dir/RS256.jwk", '--claims', '{"a":1,"a":2}'))[0],
   2, 'claims given twice: 2');
is((token('sign', '--key', "$dir/RS256.jwk", '--alg', 'HS256'))[0], 1,
   'a symmetric algorithm: 1');
is((token('sign', '--key', "$dir/RS256.jwk", '--alg', 'PS256'))[0], 1,
   'another algorithm than the key\'s: 1');
is((token('keygen', '--kty', 'oct', '--out', "$dir/oct"))[0], 2,
   'a symmetric key: 2');


# Public vectors

for my $name (qw(json_web_signature_test json_web_key_test)) {
  SKIP: {
    my $file = "$Test::Emage::shared/jose/$name.json";
    skip "no $file", 1 unless -f $file;

    my %n = (invalid => 0, valid => 0, accepted => 0);
    my @wrong;

    for my $group (@{JSON::PP::decode_json(slurp($file))->{testGroups}}) {
        my $key = $group->{public} // $group->{private};
        $key = { keys => [$key] } unless $key->{keys};
        spew("$dir/set", JSON::PP::encode_json($key));

        for my $test (@{$group->{tests}}) {
            my ($rc, $out) = verify("$dir/set", $test->{jws});
            $n{$test->{result}}++;
            $n{accepted}++ if $rc == 0;

            push @wrong, "$test->{tcId}: $rc $out"
                if $rc > 1 || ($rc == 0) != ($out eq 'ok')
                   || ($rc == 0 && $test->{result} ne 'valid')
                   || ($rc == 1 && $test->{result} eq 'valid'
                       && part($test->{jws}, 0)->{alg}
                          =~ /^(?:RS256|PS256|ES256)$/);
        }
    }

    is("@wrong", '', "$name: $n{invalid} invalid, all refused; $n{valid} valid,"
       . " $n{accepted} accepted, the others of other algorithms");
  }
}

done_testing();
