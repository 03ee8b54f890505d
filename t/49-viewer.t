#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# OHIF in headless Chromium through the gateway: with a session of the care
# team a CT is drawn and listed, a stranger's list is empty, and a withdrawal
# empties the list at the next query.  Nobody but this node is asked anything.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use JSON::PP qw(decode_json);

my $npm = "$Test::Emage::top/build/npm";
my ($ohif) = glob "$npm/ohif-*/index.html";
my ($chromium) = grep { -x } '/usr/bin/chromium';

plan(skip_all => 'once is enough: not under ASan')
    if $Test::Emage::build =~ /asan/;
plan(skip_all => 'no chromium: apt-get install chromium') unless $chromium;
plan(skip_all => 'no viewer or no playwright-core in build/npm: '
                 . 'conf/demo/modules test build')
    unless $ohif && -d "$npm/node_modules/playwright-core";

my $viewer = $ohif =~ s{/index\.html$}{}r;
my $t = Test::Emage->new(workers => 2);

$t->backend();
my $data = $t->pydicom_data();
my ($ct) = grep { -f } "$data/test_files/CT_small.dcm",
                       "$data/CT_small.dcm";
plan(skip_all => 'no CT_small.dcm in python3-pydicom') unless $ct;

$t->ingest($ct);
my ($study) = $t->studies();
$t->consent('resolve', '--study', $study)
    if $t->study_record($study)->{quarantine};
$t->share($study);

my $team = $t->session();
my $stranger = $t->session(sub => '899900000001', teams => [],
                           organisation => '759999999');

$t->run(<<"CONF");
%%GLOBALS%%
events { worker_connections 512; }
http {
    %%HTTP%%
    include /etc/nginx/mime.types;
    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% ssl http2;
        location /dicom-web/ { emage %%STORE%%; }
        location / { root $viewer; try_files \$uri /index.html; }
        location = /app-config.js {
            alias %%TOP%%/conf/demo/app-config.js;
        }
    }
}
CONF

sub look {
    my ($id, $path) = @_;
    my ($rc, $out, $err) = run_command('timeout', 60, 'node',
        "$Test::Emage::top/t/lib/viewer.js", "$npm/node_modules", $chromium,
        'https://localhost:' . $t->port(1), $id, $path);
    is($rc, 0, "the browser: $path") or diag $err;
    return eval { decode_json($out) } // {};
}

my $seen = look($team, "/viewer?StudyInstanceUIDs=$study");
cmp_ok($seen->{colours} // 0, '>', 16, 'a CT is drawn, in many greys');
is(join(' ', @{$seen->{hosts} || []}), 'localhost:' . $t->port(1),
   'no other host is asked');

like(look($team, '/')->{text} // '', qr/CompressedSamples/, 'it is listed');
unlike(look($stranger, '/')->{text} // '', qr/CompressedSamples/,
       'a stranger has an empty list');
is(look($stranger, "/viewer?StudyInstanceUIDs=$study")->{colours} // 0, 0,
   'and nothing opens');

$t->consent('withdraw', '--study', $study);
unlike(look($team, '/')->{text} // '', qr/CompressedSamples/,
       'after a withdrawal the list is empty');
