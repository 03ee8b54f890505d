package Test::Emage::H2;

# Copyright (C) The e-mage authors
#
# As much of HTTP/2 (RFC 9113) as it takes to open streams by hand, to stall
# one, and to see every frame with its time.  Header blocks are literals
# without Huffman coding; of the answers' blocks only the status is read.

use strict;
use warnings;

use Time::HiRes qw(time);

use Test::Emage::Http;

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
               PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8,
               CONTINUATION => 9 };


# As Test::Emage::Http->new; window: initial window of streams and connection.

sub new {
    my ($class, %o) = @_;

    my $window = delete $o{window} // 0x7fffffff;
    my $http = Test::Emage::Http->new(%o, alpn => ['h2']);

    my $self = bless { http => $http, next => 1, streams => {},
                       auto => $window == 0x7fffffff, bytes => 0 }, $class;

    $http->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                . frame(SETTINGS, 0, 0, pack('nN', 4, $window)));

    if ($window > 65535) {
        $http->send(frame(WINDOW_UPDATE, 0, 0, pack('N', $window - 65535)));
    }

    return $self;
}


sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
           . pack('CCN', $type, $flags, $stream) . $payload;
}


sub literal {
    my ($name, $value) = @_;
    return "\x10" . string($name) . string($value);
}


sub string {
    my ($s) = @_;
    my $n = length $s;

    return pack('C', $n) . $s if $n < 127;

    my $out = "\x7f";
    $n -= 127;

    while ($n > 127) {
        $out .= pack 'C', ($n & 127) | 128;
        $n >>= 7;
    }

    return $out . pack('C', $n) . $s;
}


# Sends a request without a body; the stream's number.

sub request {
    my ($self, $path, %h) = @_;
    my $id = $self->{next};

    my $block = join '', literal(':method', delete $h{':method'} // 'GET'),
                literal(':scheme', 'https'), literal(':path', $path),
                literal(':authority', delete $h{host} // 'localhost'),
                map { literal(lc $_, $h{$_}) } sort keys %h;

    $self->{next} += 2;
    $self->{streams}{$id} = { body => '', status => 0, done => 0, bytes => 0,
                              path => $path };
    $self->{http}->send(frame(HEADERS, 0x5, $id, $block));
    return $id;
}


# Reads one frame and applies it; the frame's type, or undef at the end, after
# a reset or after `timeout` seconds.

sub step {
    my ($self, $timeout) = @_;
    my $http = $self->{http};

    while (length $http->{buf} < 9) {
        $http->pull(1048576, $timeout) or return undef;
    }

    my ($h, $l, $type, $flags, $id) = unpack 'CnCCN', $http->{buf};
    my $len = ($h << 16) | $l;

    while (length $http->{buf} < 9 + $len) {
        $http->pull(1048576, $timeout) or return undef;
    }

    my $payload = substr($http->{buf}, 0, 9 + $len, '');
    substr($payload, 0, 9, '');
    my $s = $self->{streams}{$id};

    if ($type == DATA) {
        $self->{bytes} += $len;
        $self->{last_data} = time();

        if ($s) {
            $s->{first} //= time();
            $s->{bytes} += $len;
            $s->{body} .= $payload unless $self->{discard};
            $s->{done} = 1 if $flags & 1;
        }

        if ($self->{auto} && $len) {
            $http->send(frame(WINDOW_UPDATE, 0, 0, pack('N', $len))
                        . ($flags & 1 ? ''
                           : frame(WINDOW_UPDATE, 0, $id, pack('N', $len))));
        }

    } elsif ($type == HEADERS && $s) {
        $s->{first} //= time();
        $s->{status} ||= status($payload);
        $s->{done} = 1 if $flags & 1;

    } elsif ($type == RST_STREAM && $s) {
        $s->{done} = $s->{reset} = 1;

    } elsif ($type == SETTINGS && !($flags & 1)) {
        $http->send(frame(SETTINGS, 1, 0, ''));

    } elsif ($type == PING && !($flags & 1)) {
        $http->send(frame(PING, 1, 0, $payload));

    } elsif ($type == GOAWAY) {
        $self->{goaway} = 1;
    }

    return $type;
}


# nginx sends :status as an index of the static table, or as a literal with
# the name's index.

sub status {
    my ($block) = @_;
    my $n = 0;
    my @indexed = (200, 204, 206, 304, 400, 404, 500);

    while ($n < length $block) {
        my $b = ord substr $block, $n, 1;

        if (($b & 0xe0) == 0x20) {            # table size update
            $n++;
            next;
        }

        return $indexed[($b & 0x7f) - 8] if $b >= 0x88 && $b <= 0x8e;

        if (($b & 0x0f) == 8 || ($b & 0x3f) == 8) {
            my $len = ord substr $block, $n + 1, 1;
            my $value = substr $block, $n + 2, $len & 0x7f;
            return $len & 0x80 ? huffman_digits($value) : $value;
        }

        return 0;
    }

    return 0;
}


# Digits as RFC 7541 codes them: 0, 1, 2 in five bits, 3 to 9 in six.

sub huffman_digits {
    my ($bytes) = @_;
    my $bits = unpack 'B*', $bytes;
    my $out = '';

    while (length $bits >= 5 && $bits !~ /^1+$/) {
        if ($bits =~ s/^(000(?:00|01|10))//) {
            $out .= oct "0b$1";

        } elsif ($bits =~ s/^(0[01]{5})//) {
            $out .= oct("0b$1") - 0x19 + 3;

        } else {
            last;
        }
    }

    return $out;
}


# Runs until the stream is done, or nothing comes for `timeout` seconds.

sub finish {
    my ($self, $id, $timeout) = @_;
    my $s = $self->{streams}{$id};

    while (!$s->{done}) {
        defined $self->step($timeout // 20) or last;
    }

    return $s;
}


sub close { $_[0]{http}->close() }


1;
