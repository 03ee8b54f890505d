#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Searches by dicomweb-client, the library below OHIF.  Needs node and the npm
# packages dicomweb-client and xhr2 in EMAGE_NODE_MODULES.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use JSON::PP qw(decode_json);

my $modules = $ENV{EMAGE_NODE_MODULES}
              // "$Test::Emage::top/build/npm/node_modules";

plan(skip_all => 'no dicomweb-client and xhr2 in EMAGE_NODE_MODULES')
    unless -d "$modules/dicomweb-client" && -d "$modules/xhr2"
           && `node --version 2>/dev/null` =~ /^v/;

my $t = Test::Emage->new(workers => 1);

$t->backend();

my ($rc, $out, $err) = run_command('/usr/bin/python3',
    "$Test::Emage::top/t/lib/search_set.py", $t->path('in'));
die "search_set.py: $err" if $rc;
my $set = decode_json($out);

$t->ingest($t->path('in'));
$t->share($set->{$_}{study}) for qw(zoe11 jane);
$t->run();

($rc, $out, $err) = run_command('node',
    "$Test::Emage::top/t/lib/dicomweb_client.js", $modules,
    'http://127.0.0.1:' . $t->port(0) . '/dicom-web', $t->professional(),
    $set->{zoe11}{study}, $set->{zoe11}{series});
is($rc, 0, 'the client ends well') or diag $err;

my %found = map { $_->[0] => $_ } map { decode_json($_) } split /\n/, $out;

sub found {
    my ($name, @names) = @_;
    my $what = pop @names;
    is(join(' ', @{$found{$name}[2] || []}),
       join(' ', map { $set->{$_}{$what} } @names), $name);
}

found('studies', qw(mr zoe11 jane undated study));
found('studies, filtered', qw(zoe11 study));
found('studies, none', 'study');
found('series', qw(zoe11 zoe21 series));
found('instances', qw(zoe11 zoe12 instance));
found('all instances', qw(zoe11 zoe12 zoe13 zoe21 zoe22 zoe23 instance));
is($found{bad}[1], 400, 'a bad request');
