package Test::Emage::Policy;

# Copyright (C) The e-mage authors
#
# For tests of emage-policy: runs it, in a scratch directory.

use strict;
use warnings;

use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use JSON::PP;
use Test::More;

use parent 'Exporter';
our @EXPORT = (@Test::More::EXPORT,
    qw/ $dir $json $shared $tool tool slurp spew /);

our $top = dirname(__FILE__) . '/../../../..';
our $shared = $ENV{EMAGE_SHARED} // "$top/../shared";
our $dir = tempdir(CLEANUP => 1);
our $json = JSON::PP->new->utf8->canonical;

my $build = $ENV{EMAGE_BUILD} // 'build';
$build = "$top/$build" unless $build =~ m!^/!;

our $tool = "$build/bin/emage-policy";


sub import {
    my ($class, @args) = @_;

    strict->import;
    warnings->import;
    plan(skip_all => "$tool is not built") unless -x $tool;
    $class->export_to_level(1, $class, @args);
}


# (exit status, standard output, standard error)

sub tool {
    my (@args) = @_;

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open(STDOUT, '>', "$dir/out") or die $!;
        open(STDERR, '>', "$dir/err") or die $!;
        exec($tool, @args) or die $!;
    }

    waitpid($pid, 0);

    return ($? & 127 ? "signal " . ($? & 127) : $? >> 8,
        slurp("$dir/out"), slurp("$dir/err"));
}


sub slurp {
    my ($file) = @_;

    open(my $f, '<:raw', $file) or die "$file: $!";
    local $/;

    return <$f> // '';
}


sub spew {
    my ($file, $text) = @_;

    open(my $f, '>:raw', $file) or die "$file: $!";
    print $f $text;
    close($f) or die "$file: $!";
}


1;
