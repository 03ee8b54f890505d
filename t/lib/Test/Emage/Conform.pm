package Test::Emage::Conform;

# Copyright (C) The e-mage authors
#
# Cedar's public suite against emage-policy: every verdict of validation, of
# policies, entities and requests, and every decision, reasons and errors
# with it.  In the suite every set of entities and every request is one that
# its schema allows, unless the request says validateRequest: false.

use strict;
use warnings;

use Test::Emage::Policy;

use parent 'Exporter';
our @EXPORT = qw/ suite_names suite_unpack suite_run @suite_counts /;

# what is counted, in the order it is printed

our @suite_counts = ('policies', 'entities', 'requests', 'decisions',
    'reasons', 'errors');


sub suite_names {
    my ($archive) = @_;

    return split(/\n/, `tar -tJf '$archive'`);
}


# Unpacks `names` into `to`; the directory that holds corpus-tests.

sub suite_unpack {
    my ($archive, $to, @names) = @_;

    spew("$to/names", join "\n", @names);

    system('tar', '-xJf', $archive, '-C', $to, '-T', "$to/names") == 0
        or die "cannot unpack $archive\n";

    my ($root) = grep { -d "$_/corpus-tests" } ($to, glob("$to/*"));
    die "no corpus-tests in $archive\n" unless defined $root;

    return $root;
}


# ({ kind => [agree, total] }, differences as text) of some test files

sub suite_run {
    my ($root, @files) = @_;
    my %n = map { $_ => [0, 0] } @suite_counts;
    my @differ;

    for my $file (@files) {
        push @differ, suite_one($root, $file, \%n);
    }

    return (\%n, @differ);
}


sub suite_count {
    my ($n, $kind, $agrees) = @_;

    $n->{$kind}[1]++;
    $n->{$kind}[0]++ if $agrees;

    return $agrees;
}


sub suite_one {
    my ($root, $file, $n) = @_;

    my $test = $json->decode(slurp($file));
    my ($short) = $file =~ m!([^/]+/[^/]+)\.json$!;
    my @schema = ('--schema', "$root/$test->{schema}");
    my @policies = ('--policies', "$root/$test->{policies}");
    my $requests = $test->{requests};
    my @differ;

    my ($status, $out, $err) = tool('validate', @policies, @schema);

    unless (suite_count($n, 'policies',
        $status eq ($test->{shouldValidate} ? 0 : 1)))
    {
        push @differ, "$short: validate gave $status, should be "
            . ($test->{shouldValidate} ? 'valid' : 'not valid') . " $err";
    }

    spew("$dir/requests.json", $json->encode($requests));

    my @ask = ('authorize', @policies, @schema,
        '--entities', "$root/$test->{entities}",
        '--requests', "$dir/requests.json");

    ($status, $out, $err) = tool(@ask, '--validate-requests');

    my %refused = map { $_ => 1 } $err =~ /^requests\.json: request (\d+),/mg;

    unless (suite_count($n, 'entities', $status eq 0 || %refused)) {
        push @differ, "$short: entities are refused: $err";
    }

    for my $i (0 .. $#$requests) {
        my $want = $requests->[$i]{validateRequest} // JSON::PP::true;

        suite_count($n, 'requests', !$refused{$i} == !!$want)
            or push @differ, "$short: request $i is "
                . ($want ? 'refused' : 'taken') . ": $err";
    }

    ($status, $out, $err) = tool(@ask) if $status ne 0;

    my @lines = split(/\n/, $out);

    for my $i (0 .. $#$requests) {
        my $r = $requests->[$i];
        my $got = defined $lines[$i] ? $json->decode($lines[$i]) : {};
        my $same = suite_count($n, 'decisions',
            ($got->{decision} // '') eq $r->{decision});

        $same &= suite_count($n, 'reasons',
            ids($got->{reason}) eq ids($r->{reason}));
        $same &= suite_count($n, 'errors',
            ids($got->{errors}) eq ids($r->{errors}));

        push @differ, "$short, request $i: want $r->{decision} for "
            . ids($r->{reason}) . ", errors " . ids($r->{errors}) . ", got "
            . ($lines[$i] // "nothing $err") unless $same;
    }

    return @differ;
}


sub ids {
    my ($list) = @_;

    return ref $list eq 'ARRAY' ? $json->encode([ sort @$list ]) : 'none';
}


1;
