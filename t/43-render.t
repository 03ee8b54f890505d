#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# What the store draws, and the reports it makes: the middle image of each
# series as a JPEG and a thumbnail, held against pixels that pydicom reads and
# DCMTK decodes; a PDF wrapped as an object.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use JSON::PP qw(decode_json);

my $t = Test::Emage->new();

$t->backend();

my $set = $t->synthetic();
$t->ingest($t->path('in'));

sub dir {
    my ($i) = @_;
    return $t->store() . "/studies/$i->{study}/" . $t->revision($i->{study})
           . "/$i->{series}";
}

sub pictures {
    my ($i) = @_;
    my $dir = dir($i);
    return join ' ', map { s{^.*/}{}r } glob "$dir/*.jpg";
}

# Height, width and components by the frame header (ITU-T T.81 B.2.2).

sub size {
    my ($jpeg) = @_;
    my $at = 2;

    return 'no JPEG' unless $jpeg =~ /^\xff\xd8\xff.*\xff\xd9\z/s;

    while ($at < length $jpeg) {
        my ($mark, $len) = unpack "\@$at n n", $jpeg;
        return join ' x ', unpack '@' . ($at + 5) . ' n n C', $jpeg
            if $mark == 0xffc0 || $mark == 0xffc1;
        $at += 2 + $len;
    }

    return 'no frame';
}


# which one

my ($ct2, $multi, $report) = @$set{qw(ct2 multi report)};

is(pictures($ct2), "$ct2->{instance}.jpg $ct2->{instance}.thumb.jpg",
   'the middle one of three');
is(pictures($multi), "$multi->{instance}.jpg $multi->{instance}.thumb.jpg",
   'the only one');
is(pictures($report), '', 'no picture of a report');
is(pictures($set->{pdf}), '', 'nor of a document');
is(pictures($set->{bits}), '', 'nor of a segmentation');
is(pictures($set->{jpeglarge}), '', 'nor of what is no JPEG inside');


# what it shows

my $full = dir($multi) . "/$multi->{instance}.jpg";
my $thumb = dir($multi) . "/$multi->{instance}.thumb.jpg";

is(size(slurp($full)), '300 x 300 x 1', 'whole');
is(size(slurp($thumb)), '256 x 256 x 1', 'within 256 x 256');
is(size(slurp(dir($set->{rgbodd}) . "/$set->{rgbodd}{instance}.thumb.jpg")),
   '5 x 5 x 3', 'a small one is not enlarged');

sub differs {
    my ($dicom, $frame, $jpeg) = @_;
    my $tmp = $t->path('drawn');

    for my $cmd (['img2dcm', $jpeg, "$tmp.jpg.dcm"],
                 ['dcmdjpeg', "$tmp.jpg.dcm", "$tmp.dcm"])
    {
        my ($rc, $out, $err) = run_command(@$cmd);
        return "@$cmd: $err" if $rc;
    }

    my ($rc, $out, $err) = run_command('/usr/bin/python3', '-c', <<'PY',
import sys, numpy, pydicom
ds = pydicom.dcmread(sys.argv[1])
n = int(sys.argv[2])
size = ds.Rows * ds.Columns
want = numpy.frombuffer(ds.PixelData, "<u2").astype(float)
want = want[n * size:(n + 1) * size]
c, w = (float(ds.WindowCenter), float(ds.WindowWidth)) \
    if "WindowWidth" in ds else (None, None)
lo, hi = (c - 0.5 - (w - 1) / 2, c - 0.5 + (w - 1) / 2) if w \
    else (want.min(), want.max())
want = numpy.clip((want - lo) / (hi - lo), 0, 1) * 255
have = numpy.frombuffer(pydicom.dcmread(sys.argv[3]).PixelData, "u1")[:size]
print(round(abs(want - have).mean(), 2))
PY
                                       $dicom, $frame, "$tmp.dcm");
    chomp $out;
    return $rc ? $err : $out;
}

my $off = differs($multi->{path}, 2, $full);
ok($off =~ /^[\d.]+$/ && $off < 4, "the middle frame, $off off on average");
my $other = differs($multi->{path}, 0, $full);
cmp_ok($other, '>', $off, "and no other, which is $other off");

my ($rc, $out, $err) = run_command('/usr/bin/python3', '-c',
    'import sys, pydicom; ds = pydicom.dcmread(sys.argv[1]);'
    . 'ds.WindowCenter, ds.WindowWidth = 200, 300;'
    . 'ds.StudyInstanceUID += ".5"; ds.SeriesInstanceUID += ".5";'
    . 'ds.SOPInstanceUID += ".5";'
    . 'ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID;'
    . 'ds.save_as(sys.argv[2])', $multi->{path}, $t->path('window.dcm'));
my $window = { study => "$multi->{study}.5", series => "$multi->{series}.5",
               instance => "$multi->{instance}.5" };

$t->ingest($t->path('window.dcm'));
$off = differs($t->path('window.dcm'), 2,
               dir($window) . "/$window->{instance}.jpg");
ok($off =~ /^[\d.]+$/ && $off < 4, "through its window, $off off");


# compressed ones that others have made

my %codec = ('MR_small_RLE.dcm' => 'RLE', 'JPEG-lossy.dcm' => 'JPEG',
             'MR_small_jpeg_ls_lossless.dcm' => 'JPEG-LS',
             'color3d_jpeg_baseline.dcm' => 'JPEG in colour');
my $data = $t->pydicom_data() . '/test_files';

for my $name (sort keys %codec) {
    SKIP: {
        skip "no $name here", 1 unless -e "$data/$name";

        my ($f) = $t->describe("$data/$name");
        $t->ingest("$data/$name");
        like(pictures($f), qr/\.jpg .*\.thumb\.jpg/, "$codec{$name} is drawn");
    }
}


# later revisions

my $inode = (stat $full)[1];

sub add {
    my ($name, $from, $code) = @_;
    my $path = $t->path("$name.dcm");

    my ($rc, $out, $err) = run_command('/usr/bin/python3', '-c',
        "import sys, pydicom; ds = pydicom.dcmread(sys.argv[1]); $code;"
        . 'ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID;'
        . 'ds.save_as(sys.argv[2])', $set->{$from}{path}, $path);
    die "pydicom: $err" if $rc;
    return $path;
}

$t->ingest(add(later => 'ct1',
               'ds.SOPInstanceUID += ".9"; ds.InstanceNumber = "9"'),
           add(side => 'multi', 'ds.SOPInstanceUID = "1" +'
               . 'ds.SOPInstanceUID; ds.InstanceNumber = "0"'));
is((stat dir($multi) . "/$multi->{instance}.jpg")[1], $inode,
   'one that is still in the middle is linked');
is(pictures($ct2), join(' ', map { "$set->{ct3}{instance}$_" }
                        qw(.jpg .thumb.jpg)), 'else it is drawn anew');

($rc, $out) = $t->tool('emage-store', 'verify');
is($rc, 0, 'verify') or diag $out;

my $file = dir($ct2) . "/$set->{ct3}{instance}.thumb.jpg";
my $bytes = slurp($file);
spew($file, $bytes . 'x');
($rc, $out) = $t->tool('emage-store', 'verify');
ok($rc == 1 && $out =~ /thumb\.jpg: is not what MANIFEST says/,
   'a changed thumbnail');
spew($file, $bytes);


# a PDF as a report

my $pdf = $t->path('report.pdf');
spew($pdf, "%PDF-1.4\n" . join('', map { "% line $_\n" } 1 .. 999) . '%%EOF');

sub report { return $t->tool('emage-store', 'report', @_) }

my @to = ('--study', $ct2->{study}, '--pdf', $pdf);
my $before = decode_json(slurp(dir($ct2) . '/../study.json'));

($rc, $out, $err) = report(@to, '--title', "Compte rendu d'été");
is($rc, 0, 'a report is made') or diag $err;
like($out, qr/^2\.25\.[1-9]\d{30,38}\n\z/, 'its SOP Instance UID is printed');
chomp(my $sop = $out);

my $study = decode_json(slurp(dir($ct2) . '/../study.json'));
is($study->{classes}{report}, $before->{classes}{report} + 1, 'as a report');
ok((grep { $_ eq $sop } @{$study->{reports}}), 'named as one');
is(scalar(grep { $_->{instance} eq $sop && $_->{status} ne 'none' }
          @{$t->study_record($ct2->{study})->{reports}}), 0,
   'without a status');

my ($dcm) = glob $t->store() . "/studies/$ct2->{study}/"
                 . $t->revision($ct2->{study}) . "/2.25.*/$sop.dcm";

($rc, $out, $err) = run_command('/usr/bin/python3', '-c', <<'PY',
import sys, pydicom
a, b = (pydicom.dcmread(f) for f in sys.argv[1:3])
pdf = open(sys.argv[3], "rb").read()
assert b.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
for k in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex",
          "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber",
          "ReferringPhysicianName", "StudyDescription", "StudyID"):
    assert a[k].value == b[k].value, (k, a[k], b[k])
assert b.DocumentTitle == "Compte rendu d'été", b.DocumentTitle
assert b.EncapsulatedDocument[:b.EncapsulatedDocumentLength] == pdf
assert a.SeriesInstanceUID != b.SeriesInstanceUID
PY
                                $ct2->{path}, $dcm, $pdf);
is($rc, 0, 'it has what the study has') or diag $err;

($rc, $out, $err) = run_command('dcm2pdf', $dcm, $t->path('out.pdf'));
is($rc, 0, 'DCMTK reads it') or diag $err;

($rc, $out) = $t->tool('emage-store', 'verify');
is($rc, 0, 'verify') or diag $out;


# no report

spew($t->path('no.pdf'), "PDF-1.4\nnothing of the kind\n");

for (
    ['no PDF', qr/no\.pdf: not a PDF/, 1, '--study', $ct2->{study}, '--pdf',
     $t->path('no.pdf')],
    ['no file', qr/nix\.pdf/, 1, '--study', $ct2->{study}, '--pdf',
     $t->path('nix.pdf')],
    ['no such study', qr/1\.2\.3 is not here/, 1, '--study', '1.2.3', '--pdf',
     $pdf],
    ['no UID', qr/not a UID/, 1, '--study', '../1', '--pdf', $pdf],
    ['a title with a backslash', qr/--title/, 1, @to, '--title', 'a\\b'],
    ['no --pdf', qr/give --study/, 2, '--study', $ct2->{study}],
) {
    my ($name, $re, $want, @args) = @$_;
    my ($rc, $out, $err) = report(@args);
    ok($rc == $want && $err =~ $re, "refused: $name") or diag "$rc $err";
}

truncate $pdf, (100 << 20) + 1 or die;
($rc, $out, $err) = report(@to);
ok($rc == 1 && $err =~ /more than 100 MB/, 'refused: too large') or diag $err;
is(join(' ', glob $t->store() . '/incoming/*'), '', 'nothing is left over');
