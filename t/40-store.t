#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# What goes into the store comes out of it: files of every kind and of no kind,
# the rules for a UID that is seen again, identity, quarantine, verification.
# The store is read by t/lib/store_set.py from its description alone.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP qw(decode_json);

my $t = Test::Emage->new();

$t->backend();

my $made = $t->synthetic('only=native,encapsulated,documents,twin');
my $in = $t->path('in');
my $asan = $Test::Emage::build =~ /asan/ && !$ENV{EMAGE_LONG};


sub status {
    my ($files) = @_;
    my %n;

    $n{$_->{status}}++ for @$files;
    return join ', ', map { ($n{$_} // 0) . " $_" }
           qw(accepted unchanged refused);
}

sub of {
    my ($files, $re) = @_;
    my @found = grep { $_->{path} =~ $re } @$files;

    return wantarray ? @found : $found[0];
}

sub verify_ok {
    my ($name) = @_;
    my ($rc, $out, $err) = $t->tool('emage-store', 'verify');

    is($rc, 0, "verify: $name") or diag $out . $err;
}


# Holds the accepted files against pydicom and DCMTK.

sub compare {
    my ($name, @paths) = @_;
    my $answers = $t->path('answers');

    make_path($answers);
    spew($t->path('paths'), join '', map { "$_\n" } @paths);

    my ($rc, $out, $err) = run_command('/bin/sh', '-c',
        "/usr/bin/python3 $Test::Emage::top/t/lib/frames.py < \$1 |"
        . " /usr/bin/python3 $Test::Emage::top/t/lib/store_set.py \$2 \$3",
        'sh', $t->path('paths'), $t->store(), $answers);
    my @lines = split /\n/, $out;
    my $sum = pop @lines;
    my @meta = map { s/^meta\t//r } grep { /^meta\t/ } @lines;
    my @bad = grep { !/^meta\t/ } @lines;

    ok($rc == 0 && !@bad && $sum =~ /^[1-9]/, "$name: " . ($sum // 'nothing'))
        or diag join "\n", $err, @bad;

    spew($t->path('meta'), join '', map { "$_\n" } @meta);

    ($rc, $out, $err) = run_command('/bin/sh', '-c',
        "/usr/bin/python3 $Test::Emage::top/t/lib/metadata.py < \$1", 'sh',
        $t->path('meta'));
    is($out, '', "$name: metadata of " . @meta . ' instances as dcm2json')
        or diag $err;
}


# The synthetic set: one of every shape.

mkdir "$in/none" or die;
spew("$in/none/text.dcm", "no DICOM at all\n" x 100);
spew("$in/none/empty.dcm", '');
symlink($in, "$in/none/loop") or die;

my $files = $t->ingest($in);

is(status([grep { $_->{path} !~ m{/none/} } @$files]),
   (keys(%$made)) . ' accepted, 0 unchanged, 0 refused', 'every shape');
like(of($files, qr/text\.dcm/)->{reason}, qr/^not a DICOM file: no DICM/,
     'a text file');
like(of($files, qr/empty\.dcm/)->{reason}, qr/^not a DICOM file: empty/,
     'an empty file');
like(of($files, qr/loop/)->{reason}, qr/link to a folder/,
     'a link to a folder is not followed');
is(join("\n", map { $_->{path} } @$files),
   join("\n", sort map { $_->{path} } @$files), 'in the order of bytes');
verify_ok('the synthetic set');
compare('synthetic', map { $made->{$_}{path} } grep { $_ ne 'twin' }
        sort keys %$made);

my $before = $t->revision($made->{ct1}{study});

is(status($files = $t->ingest('--jobs', 1, $in)),
   '0 accepted, ' . keys(%$made) . ' unchanged, 3 refused', 'once more');
is($t->revision($made->{ct1}{study}), $before, 'no new revision');

my ($rc, $out, $err) = $t->tool('emage-store', 'list');
like($out, qr/^\Q$made->{ct1}{study}\E  \Q$before\E  /m, 'listed');


# Seen again.

my $again = $t->path('again');

sub change {
    my ($name, $from, $code) = @_;
    my $path = "$again/$name.dcm";

    make_path($again);

    my ($rc, $out, $err) = run_command('/usr/bin/python3', '-c',
        "import sys, pydicom; ds = pydicom.dcmread(sys.argv[1]); $code;"
        . ' ds.save_as(sys.argv[2])', $made->{$from}{path}, $path);
    die "pydicom: $err" if $rc;
    return $path;
}

$files = $t->ingest(change(pixels => 'ct2',
    'p = bytearray(ds.PixelData); p[9000] ^= 1; ds.PixelData = bytes(p)'));
is($files->[0]{status}, 'refused', 'other pixels are refused');
like($files->[0]{reason}, qr{^SOP\ instance\ UID\ already\ stored\ with\ other
     \ content:\ \S+in/ct2\.dcm\ .*again/pixels\.dcm}x, 'and both named');

$files = $t->ingest(change(syntax => 'ct2',
    'ds.is_little_endian = True; ds.is_implicit_VR = True;'
    . 'ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"'));
like($files->[0]{reason}, qr/other content \(transfer syntax\)/,
     'the same pixels in another transfer syntax are');

my $header = change(header => 'ct2', 'ds.SeriesDescription = "corrected"');

$files = $t->ingest('--org', '750000002', '--issuer', '750000001', $header);
is("$files->[0]{status}: $files->[0]{reason}", 'unchanged: same content as the'
   . ' object of 750000001, whose header is kept',
   'another header of another organisation');
is(join(' ', sort map { $_->{org} }
        @{$t->study_record($made->{ct2}{study})->{sources}}),
   '750000001 750000002', 'which is noted as a source');

$files = $t->ingest($header);
is($files->[0]{status}, 'accepted', 'another header of the same');
isnt($t->revision($made->{ct2}{study}), $before, 'makes a new revision');
like($t->tool_ok('emage-store', 'metadata', '--study', $made->{ct2}{study},
                 '--series', $made->{ct2}{series},
                 '--instance', $made->{ct2}{instance}),
     qr/"0008103E":\{"vr":"LO","Value":\["corrected"\]\}/,
     'which has the new header');
is(-e $t->store() . "/studies/$made->{ct2}{study}/$before" ? 1 : 0, 0,
   'the old one is gone');
verify_ok('after a new revision');
compare('new revision', $header, $made->{ct1}{path}, $made->{ct3}{path});

$files = $t->ingest(change(other => 'ct3', 'ds.PatientID = "P-999"'));
is("$files->[0]{status}: $files->[0]{reason}", 'accepted: quarantined: SOP'
   . ' instance UID belongs to another patient', 'of another patient');
my @kept = glob $t->store() . "/quarantine/$made->{ct3}{study}/*";
is(scalar(@kept), 2, 'and kept aside');

$files = $t->ingest(change(study => 'ct3', 'ds.SOPInstanceUID += ".7";'
    . 'ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID;'
    . 'ds.PatientID = "P-999"'));
like($files->[0]{reason}, qr/^quarantined: study instance UID belongs/,
     'an object of another patient in a study');

$files = $t->ingest(change(elsewhere => 'ct3', 'ds.StudyInstanceUID += ".7"'));
like($files->[0]{reason}, qr/^SOP instance UID already stored .* in study /,
     'the same instance in another study of the patient is refused');

$files = $t->ingest(change(thief => 'ct3', 'ds.StudyInstanceUID += ".7";'
    . 'ds.PatientID = "P-999"'));
like($files->[0]{reason}, qr/^quarantined: SOP instance UID belongs/,
     'and quarantined in another patient\'s');


# Identity.

my $metadata = decode_json($t->tool_ok('emage-store', 'metadata', '--study',
    $made->{ct1}{study}, '--series', $made->{ct1}{series}, '--instance',
    $made->{ct1}{instance}));
my $pid = $t->study_record($made->{ct1}{study})->{pid};

is($metadata->{'00100020'}{Value}[0], $pid, 'PatientID is the pid');
is($metadata->{'00100021'}{Value}[0], 'e-mage', 'of the region');
is($metadata->{'00101002'}{Value}[0]{'00100020'}{Value}[0], 'P-11',
   'the original stands among the others');
is($metadata->{'00101002'}{Value}[0]{'00100021'}{Value}[0], '750000001',
   'with its issuer');

sub elsewhere {
    my ($name, $n, $id) = @_;

    return change($name => 'foreign', "ds.PatientID = '$id';"
        . "ds.StudyInstanceUID += '.$n'; ds.SeriesInstanceUID += '.$n';"
        . "ds.SOPInstanceUID += '.$n';"
        . 'ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID');
}

sub pid_of { $t->study_record("$made->{foreign}{study}.$_[0]")->{pid} }

$t->ingest(elsewhere(local1 => 101, 'P-77'));
$t->ingest('--org', '750000002', elsewhere(local2 => 102, 'P-77'));
isnt(pid_of(101), pid_of(102), 'one local id of two sites is two patients');

my @ins = ('--issuer', '1.2.250.1.213.1.4.10');

$t->ingest(@ins, elsewhere(ins1 => 103, '185057800608436'));
$t->ingest('--org', '750000002', @ins, elsewhere(ins2 => 104,
                                                 '185057800608436'));
is(pid_of(103), pid_of(104), 'one INS of two sites is one patient');

$t->ingest(@ins, elsewhere(noins1 => 105, 'P-78'));
$t->ingest('--org', '750000002', @ins, elsewhere(noins2 => 106, 'P-78'));
isnt(pid_of(105), pid_of(106), 'what is no INS is not taken for one');

$files = $t->ingest(elsewhere(nobody => 107, ''));
is("$files->[0]{status}: $files->[0]{reason}",
   'accepted: quarantined: no patient identifier', 'no patient id');
is($t->study_record("$made->{foreign}{study}.107")->{quarantine},
   'no patient identifier', 'the record says so');
is($t->ingest("$again/nobody.dcm")->[0]{status}, 'unchanged', 'once more');
$t->consent('resolve', '--study', "$made->{foreign}{study}.107");

my $more = change(more => 'foreign', 'ds.PatientID = "";'
    . 'ds.StudyInstanceUID += ".107"; ds.SeriesInstanceUID += ".107";'
    . 'ds.SOPInstanceUID += ".1071";'
    . 'ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID');

is($t->ingest($more)->[0]{reason}, '', 'resolved: more of it is welcome');
is($t->study_record("$made->{foreign}{study}.107")->{quarantine}, '',
   'and it stays resolved');
verify_ok('patients and quarantine');


# Wrong use, wrong environment.

($rc, $out, $err) = $t->tool('emage-store', 'ingest', $in);
is($rc, 2, 'no --org');
($rc, $out, $err) = $t->tool('emage-store', 'ingest', '--org', 'a b', $in);
is($rc, 2, 'an --org that is no word');
($rc, $out, $err) = $t->tool('emage-store', 'ingest', '--org', 1, "$in/nix");
is($rc, 2, 'a path that is not there');
($rc, $out, $err) = $t->tool('emage-store', 'ingest', '--org', 1, '--redis',
                             'unix:/nowhere/redis.sock', $in);
ok($rc == 2 && $err =~ m{/nowhere/redis\.sock}, 'no Redis')
    or diag "$rc $err";
like($out, qr/^0 accepted, 0 unchanged, \d+ refused$/m, 'nothing published');


# Damage.

my ($victim) = glob $t->store() . "/studies/$made->{multi}{study}/*/"
               . "$made->{multi}{series}/*.dcm";
my $bytes = slurp($victim);

spew($victim, substr($bytes, 0, -1) . chr(ord(substr $bytes, -1) ^ 1));
($rc, $out) = $t->tool('emage-store', 'verify');
ok($rc == 1 && $out =~ /\.dcm: is not what MANIFEST says/, 'a changed byte')
    or diag $out;
spew($victim, $bytes);

my $series = $victim =~ s{/[^/]+$}{}r;
spew("$series/1.2.3.dcm", 'x');
($rc, $out) = $t->tool('emage-store', 'verify');
ok($rc == 1 && $out =~ /1\.2\.3\.dcm: is not in MANIFEST/, 'a foreign file');
unlink "$series/1.2.3.dcm" or die;

my $gone = $t->store() . "/studies/$made->{foreign}{study}.101";
rename $gone, $t->path('gone') or die;
($rc, $out) = $t->tool('emage-store', 'verify');
ok($rc == 1 && $out =~ /has a record, but is not in the store/,
   'a record without study');
rename $t->path('gone'), $gone or die;

my ($orphan) = glob "$gone/*";
run_command('cp', '-rl', $orphan, "$gone/r00000009-00000000");
($rc, $out) = $t->tool('emage-store', 'verify');
ok($rc == 1 && $out =~ /no record names it/, 'a revision without record');
$t->tool_ok('emage-store', 'sweep');
verify_ok('after a sweep');


# Real files, and files made to hurt.

my @sources = ($t->pydicom_data());
my $shared = $t->shared('dicom');

push @sources, sort grep { -d } glob "$shared/*" if $shared && !$asan;

my $start = time;
$files = $t->ingest(@sources);
note status($files) . ' in ' . (time - $start) . ' s';

is(scalar(grep { $_->{status} eq 'refused' && !$_->{reason} } @$files), 0,
   'each refusal has its reason');
is(join("\n", map { "$_->{path}: $_->{reason}" }
        grep { $_->{reason} =~ /worker (?:was|crashed|ended|answered)/ }
        @$files), '', 'no worker crashed, hung or was cut off');

if ($shared && !$asan) {
    my @well = grep { $_->{status} eq 'refused'
                      && $_->{reason} !~ /already stored with other content/ }
               of($files, qr{^\Q$shared\E/(?!odd/)});

    is(join("\n", map { "$_->{path}: $_->{reason}" } @well), '',
       'every well-formed file is stored, or its UID is taken');
}

verify_ok('real files');

my %last;
$last{$_->{instance}} = $_->{path}
    for grep { !$_->{error} }
        $t->describe(map { $_->{path} } grep { $_->{status} eq 'accepted'
                     && $_->{reason} !~ /belongs to another/ } @$files);
compare('real', sort values %last);

is(join(' ', glob $t->store() . '/incoming/*'), '', 'nothing is left over');
