#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# The rules of the house that a machine can check: which way the arrows point,
# where each library is included, calls that are banned, and sizes.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

chdir $Test::Emage::top or die;

my @files = grep { -f } split /\0/, `git ls-files -z 2>/dev/null`;
@files = split /\n/, `find . -path ./build -prune -o -type f -print`
    unless @files;
s{^\./}{} for @files;

my %text = map { $_ => slurp($_) } @files;
my @c = grep { /\.(?:c|cc|h)$/ } @files;


# Lines of `files` that match, without comments, as "file:line: text".

sub hits {
    my ($re, @in) = @_;
    my @found;

    for my $file (@in) {
        my $code = $text{$file};
        $code =~ s{(/\*.*?\*/)}{ $1 =~ s/[^\n]//gr }gse;
        my $n = 0;

        for (split /\n/, $code) {
            $n++;
            push @found, "$file:$n: $_" if /$re/;
        }
    }

    return @found;
}

sub none {
    my ($name, @found) = @_;
    is(scalar @found, 0, $name) or diag join "\n", @found;
}

sub under { my ($re) = @_; return grep { /$re/ } @c }
sub outside { my ($re) = @_; return grep { !/$re/ } @c }


# arrows

none('policy/ includes no nginx header',
     hits(qr/#\s*include\s*[<"]ngx_/, under(qr{^(?:policy|dicom-store|records|journal|cli)/})));
none('policy/ knows neither records nor journal nor store',
     hits(qr/#\s*include\s*[<"].*emage_(?:records|journal|store)/,
          under(qr{^policy/})));
none('journal/ knows no records',
     hits(qr/#\s*include\s*[<"].*emage_records/, under(qr{^journal/})));
none('the module knows neither records nor store',
     hits(qr/#\s*include\s*[<"](?:emage_records|dcmtk_bridge|publish|ingest)/,
          under(qr{^ngx_emage_module/})));
none('nothing includes the module',
     hits(qr/#\s*include\s*[<"]ngx_(?:http_)?emage/,
          outside(qr{^(?:ngx_emage_module|t)/})));
none('the Redis link knows no HTTP',
     hits(qr/ngx_http/,
          under(qr{^ngx_emage_module/ngx_emage_(?:redis|resp|journal|lease)})));

# libraries

none('hiredis is included in two places',
     hits(qr/#\s*include\s*<hiredis/,
          outside(qr{^(?:ngx_emage_module/ngx_emage_resp\.c|records/)})));
none('cjose is included in policy/token',
     hits(qr/#\s*include\s*<cjose/, outside(qr{^policy/token/})));
none('DCMTK is included in the bridge',
     hits(qr/#\s*include\s*["<]dcmtk/,
          outside(qr{^dicom-store/dcmtk_bridge\.cc$})));
none('the bridge is the only C++',
     grep { /\.(?:cc|cpp|cxx|hpp)$/ && $_ ne 'dicom-store/dcmtk_bridge.cc' }
     @files);

# calls

none('no unbounded string calls',
     hits(qr/\b(?:strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca)\s*\(/,
          outside(qr{^t/})));
none('no assert', hits(qr/\bassert\s*\(/, outside(qr{^t/})));
none('identity is compared whole: no strncmp',
     hits(qr/\b(?:ngx_)?strn(?:case)?cmp\s*\(/, outside(qr{^t/})));
none('nothing forks or runs a shell in the module',
     hits(qr/\b(?:system|popen|fork|exec[lv]p?e?)\s*\(/,
          under(qr{^(?:ngx_emage_module|policy)/})));

# sizes and form

none('no source over 700 lines',
     map { my $n = () = $text{$_} =~ /\n/g; $n > 700 ? "$_: $n" : () }
     grep { /\.(?:c|cc|h|lua|pm|py|t)$/ } @files);
none('80 columns',
     map { my $f = $_; my $n = 0;
           map { $n++; utf8::decode(my $l = $_);
                 length($l) > 80 ? "$f:$n" : () }
           split /\n/, $text{$f} } @c);
none('no tabs, no white space at line ends',
     map { my $f = $_; my $n = 0;
           map { $n++; /\t|[ ]$/ ? "$f:$n" : () } split /\n/, $text{$f} }
     grep { /\.(?:c|cc|h|lua|pm|py|t|cedar|cedarschema)$/ } @files);
none('each source says whose it is',
     grep { $text{$_} !~ /Copyright \(C\) The e-mage authors/ }
     grep { /\.(?:c|cc|h|lua|pm|py|t)$/ } @files);

my $marks = join '|', 'TO' . 'DO', 'FIX' . 'ME', 'XX' . 'X', 'HA' . 'CK';

none('no unfinished marks',
     map { my $f = $_; my $n = 0;
           map { $n++; /\b(?:$marks)\b/ ? "$f:$n: $_" : () }
           split /\n/, $text{$f} }
     grep { !m{^t/fuzz/corpus/|^LICENSE} && -T } @files);

done_testing();
