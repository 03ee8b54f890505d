package Test::Emage::Check;

# Copyright (C) The e-mage authors
#
# What every test ends with: a clean error log, no sanitizer line, journals
# whose chains verify, and for each answer that a client got an intent record
# that was written before its first byte.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::Local ();

use Test::Emage::Process;


sub all {
    my ($t) = @_;

    log_is_clean($t);
    no_sanitizer($t);

    return unless $t->{backend};

    for my $kind (qw(access ledger)) {
        my $dir = $t->path("journal/$kind");
        my @files = glob "$dir/*.jsonl";
        next unless @files;
        my ($rc, $out, $err) = $t->tool('emage-audit', 'verify', $dir);
        is($rc, 0, "the $kind journal verifies") or diag $out . $err;
    }

    served_is_recorded($t) if @{$t->{served}};
}


sub log_is_clean {
    my ($t) = @_;

    my @bad = grep { /\[(?:alert|emerg|crit)\]|open socket #/ }
              split /\n/, $t->error_log();

    for my $re (@{$t->{allowed}}) {
        @bad = grep { $_ !~ $re } @bad;
    }

    is(scalar @bad, 0, 'no alert in error.log')
        or diag join "\n", @bad[0 .. ($#bad > 9 ? 9 : $#bad)];
}


sub no_sanitizer {
    my ($t) = @_;
    my @found;

    for my $file (glob $t->path('logs/*')) {
        push @found, map { "$file: $_" }
                     grep { /Sanitizer|runtime error:/ }
                     split /\n/, slurp($file);
    }

    is(scalar @found, 0, 'no sanitizer line')
        or diag join "\n", @found[0 .. ($#found > 9 ? 9 : $#found)];
}


# RFC 3339 in UTC to seconds.

sub seconds {
    my ($text) = @_;
    my @p = $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)Z$/
        or return 0;
    return Time::Local::timegm(@p[5, 4, 3, 2], $p[1] - 1, $p[0]) + $p[6];
}


# Folding: an intent covers its study, or its series, for 10 s (and for as long
# as an answer that began under it).

use constant FOLD => 10;

sub served_is_recorded {
    my ($t) = @_;
    my (@intents, $missing);

    for my $r ($t->journal('access')) {
        next unless ($r->{type} // '') eq 'intent';
        push @intents, { time => seconds($r->{time}),
                         study => $r->{study} // '',
                         series => $r->{series} // '' };
    }

    for my $s (@{$t->{served}}) {
        my ($study) = $s->{path} =~ m{/studies/([0-9.]+)};
        my ($series) = $s->{path} =~ m{/series/([0-9.]+)};

        next if grep {
            $_->{study} eq ($study // '')
            && ($_->{series} eq '' || $_->{series} eq ($series // ''))
            && $_->{time} <= $s->{first} + 0.001
            && $_->{time} >= $s->{first} - FOLD - ($s->{wait} // 5)
        } @intents;

        diag "no intent before the first byte of $s->{path}"
            if ++$missing <= 10;
    }

    is($missing // 0, 0, scalar(@{$t->{served}})
       . ' served answers have an earlier intent');
}


1;
