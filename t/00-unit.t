#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# The C unit tests: each binary of build/unit prints TAP of its own; here it is
# one test, with what it printed when it fails.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

my $dir = "$Test::Emage::build/unit";
my @names = map { m{([^/]+)\.c$} } glob "$Test::Emage::top/t/unit/*.c";

plan(skip_all => "no unit tests in $dir: run make unit") unless -d $dir;

for my $name (sort @names) {
    my ($rc, $out, $err) = run_command("$dir/$name");
    my ($plan) = $out =~ /^1\.\.(\d+)$/m;
    my $n = () = $out =~ /^(?:not )?ok \d+/mg;

    ok($rc == 0 && $plan && $plan == $n && $out !~ /^not ok/m,
       sprintf '%s: %d tests', $name, $n)
        or diag join "\n", grep { /^(?:not ok|#)/ } split /\n/, "$out$err";
}

done_testing();
