package Test::Emage::Dicom;

# Copyright (C) The e-mage authors
#
# Objects for a node: made, found, ingested, shared, and described by readers
# that are not ours.

use strict;
use warnings;

use JSON::PP qw(decode_json);

use Test::Emage::Process;


# Runs emage-store ingest; what its report says of each file.

sub ingest {
    my ($self, @args) = @_;
    my $report = $self->path('ingest.json');

    unshift @args, '--org', '750000001' unless grep { $_ eq '--org' } @args;
    my ($rc, $out, $err) = $self->tool('emage-store', 'ingest',
                                       '--report', $report, @args);
    die "emage-store ingest: exit $rc: $err" if $rc > 1;
    return decode_json(slurp($report))->{files};
}


# The tests' own objects below in/: name => { path, study, series, ... }.

sub synthetic {
    my ($self, @args) = @_;
    my ($rc, $out, $err) = run_command('/usr/bin/python3',
        "$Test::Emage::top/t/lib/synthetic_set.py", $self->path('in'), @args);
    die "synthetic_set.py: $err" if $rc;
    return decode_json($out);
}


# Where Debian's python3-pydicom keeps its files.

sub pydicom_data {
    my ($rc, $out, $err) = run_command('/usr/bin/python3', '-c',
        'import os, pydicom; print(os.path.dirname(pydicom.__file__))');
    die "python3-pydicom: $err" if $rc;
    chomp $out;
    return "$out/data";
}


# Consent to sharing and a relation of the team, for the patient of a study.

sub share {
    my ($self, $study, $team) = @_;

    $self->consent('set', '--study', $study, '--inclusion', 'given',
                   '--sharing', 'active');
    $self->consent('relate', '--study', $study, '--team',
                   "$Test::Emage::team_system|" . ($team // 'radiology'));
}


# The same for every study there is: quarantines resolved, reports final.

sub share_all {
    my ($self) = @_;
    my %done;

    for my $study ($self->studies()) {
        my $record = $self->study_record($study);

        $self->consent('resolve', '--study', $study)
            if $record->{quarantine};
        $self->share($study) unless $done{$self->study_record($study)->{pid}}++;
        $self->consent('report-status', '--study', $study, '--instance', $_,
                       '--status', 'final') for $self->reports($study);
    }
}


# SOP Instance UIDs of class report in the published revision.

sub reports {
    my ($self, $study) = @_;
    my $file = $self->store() . "/studies/$study/" . $self->revision($study)
               . '/study.json';
    return @{decode_json(slurp($file))->{reports}};
}


sub studies { return split /\n/, $_[0]->consent('studies') }


sub study_record {
    my ($self, $study) = @_;
    return decode_json($self->redis()->call('GET', "emage:{0}:study:$study"));
}

sub patient_record {
    my ($self, $study) = @_;
    my $pid = $self->study_record($study)->{pid};
    return decode_json($self->redis()->call('GET', "emage:{0}:patient:$pid"));
}

sub revision { $_[0]->study_record($_[1])->{revision} }


# What pydicom reads in files, by t/lib/frames.py.

sub describe {
    my ($self, @files) = @_;
    my $list = $self->path('describe.in');

    spew($list, join '', map { "$_\n" } @files);
    my ($rc, $out, $err) = run_command('/bin/sh', '-c',
        'exec /usr/bin/python3 "$1" < "$2"', 'sh',
        "$Test::Emage::top/t/lib/frames.py", $list);
    die "frames.py: $err" if $rc;
    return map { decode_json($_) } split /\n/, $out;
}


# [DICOM file, metadata answer] pairs against dcm2json: the differences.

sub compare_metadata {
    my ($self, @pairs) = @_;
    my $list = $self->path('compare.in');

    spew($list, join '', map { "$_->[0]\t$_->[1]\n" } @pairs);
    my ($rc, $out, $err) = run_command('/bin/sh', '-c',
        'exec /usr/bin/python3 "$1" < "$2"', 'sh',
        "$Test::Emage::top/t/lib/metadata.py", $list);
    die "metadata.py: $err" if $rc;
    return split /\n/, $out;
}


1;
