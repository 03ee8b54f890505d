package Test::Emage::Multipart;

# Copyright (C) The e-mage authors
#
# multipart/related as PS3.18 sends it, parsed strictly: the boundary of the
# Content-Type, CRLF everywhere, no preamble, no epilogue.

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(parts);


# The parts of a response: [{ headers => {}, body => '' }]; dies when any byte
# is not where it belongs.

sub parts {
    my ($r) = @_;

    my $type = $r->{headers}{'content-type'} // '';
    my ($boundary) = $type =~ m{^multipart/related;.*\bboundary="?([^";]+)"?}
        or die "no multipart: $type\n";

    my @parts;
    my $at = 0;
    my $body = \$r->{body};

    for ( ;; ) {
        my $start = ($at ? "\r\n" : '') . "--$boundary";
        substr($$body, $at, length $start) eq $start
            or die "no boundary at $at\n";
        $at += length $start;

        if (substr($$body, $at, 2) eq '--') {
            $at += 2;
            $at += 2 if substr($$body, $at, 2) eq "\r\n";
            die "bytes after the closing boundary\n" if $at != length $$body;
            return \@parts;
        }

        substr($$body, $at, 2) eq "\r\n" or die "no CRLF at $at\n";
        my $end = index $$body, "\r\n\r\n", $at;
        die "a part's header does not end\n" if $end < 0;

        my %h = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () }
                split /\r\n/, substr($$body, $at + 2, $end - $at - 2);
        $at = $end + 4;

        my $next = index $$body, "\r\n--$boundary", $at;
        die "a part does not end\n" if $next < 0;

        push @parts, { headers => \%h,
                       body => substr($$body, $at, $next - $at) };
        $at = $next;
    }
}


1;
