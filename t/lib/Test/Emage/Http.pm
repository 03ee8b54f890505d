package Test::Emage::Http;

# Copyright (C) The e-mage authors
#
# A client that sends the very bytes it is given and says when which bytes
# came back: HTTP/1.1 over plain TCP or TLS, with pipelining, slow reading and
# small receive buffers.

use strict;
use warnings;

use IO::Select;
use Socket qw(SOL_SOCKET SO_RCVBUF IPPROTO_TCP TCP_NODELAY inet_aton
              pack_sockaddr_in PF_INET SOCK_STREAM);
use Time::HiRes qw(time sleep);


# port, tls (CA file), alpn, rcvbuf (bytes, set before connecting), timeout

sub new {
    my ($class, %o) = @_;

    my $self = bless { timeout => 20, buf => '', %o, received => 0 }, $class;

    socket(my $fh, PF_INET, SOCK_STREAM, 0) or die "socket: $!";

    if ($o{rcvbuf}) {
        setsockopt($fh, SOL_SOCKET, SO_RCVBUF, pack('i', $o{rcvbuf}))
            or die "SO_RCVBUF: $!";
    }

    connect($fh, pack_sockaddr_in($o{port}, inet_aton('127.0.0.1')))
        or die "connect to port $o{port}: $!";
    setsockopt($fh, IPPROTO_TCP, TCP_NODELAY, 1);
    binmode($fh);

    if ($o{tls}) {
        require IO::Socket::SSL;

        IO::Socket::SSL->start_SSL($fh,
            SSL_ca_file         => $o{tls},
            SSL_hostname        => 'localhost',
            SSL_verifycn_name   => 'localhost',
            SSL_verifycn_scheme => 'http',
            ($o{alpn} ? (SSL_alpn_protocols => $o{alpn}) : ()))
            or die "TLS: $IO::Socket::SSL::SSL_ERROR";
    }

    $self->{io} = $fh;
    return $self;
}


sub send {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';

    my $off = 0;

    while ($off < length $bytes) {
        my $n = syswrite($self->{io}, $bytes, length($bytes) - $off, $off);
        return 0 unless defined $n;
        $off += $n;
    }

    return 1;
}


# Reads once, at most `max` bytes, into the buffer: the number of bytes, 0 at
# the end, undef after `timeout` seconds or (with `reset` set) after a reset.

sub pull {
    my ($self, $max, $timeout) = @_;

    my $until = time() + ($timeout // $self->{timeout});

    for ( ;; ) {
        my $pending = $self->{tls} ? $self->{io}->pending() : 0;

        unless ($pending) {
            my $left = $until - time();
            return undef if $left <= 0;
            next unless IO::Select->new($self->{io})->can_read($left);
        }

        my $n = sysread($self->{io}, my $chunk, $max // 65536);

        unless (defined $n) {
            next if $!{EAGAIN} || $!{EINTR};
            $self->{reset} = "$!" || 'TLS error';
            return undef;
        }

        if ($n > 0) {
            $self->{first} //= time();
            $self->{last} = time();
            $self->{received} += $n;
            $self->{buf} .= $chunk;
        }

        return $n;
    }
}


# The next response on the connection: status, headers (lower-case name, all
# values joined by ", "), head, body, complete, first and last (times).

sub response {
    my ($self, %o) = @_;

    $self->{first} = length $self->{buf} ? time() : undef;

    my %r = (status => 0, body => '', complete => 0, head => '',
             headers => {});

    until ($self->{buf} =~ /\r\n\r\n/) {
        my $n = $self->pull();
        return $self->_end(\%r) unless $n;
    }

    ($r{head}, $self->{buf}) = $self->{buf} =~ /\A(.*?\r\n\r\n)(.*)\z/s;
    my ($line, @lines) = split /\r\n/, $r{head};
    ($r{status}) = $line =~ m{^HTTP/1\.[01] (\d+)};
    $r{line} = $line;

    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*?)\s*$/ or next;
        my $key = lc $name;
        $r{headers}{$key} = defined $r{headers}{$key}
                          ? "$r{headers}{$key}, $value" : $value;
    }

    my $h = $r{headers};

    if ($o{head} || $r{status} =~ /^(?:1..|204|304)$/) {
        $r{complete} = 1;

    } elsif (($h->{'transfer-encoding'} // '') =~ /chunked/i) {
        $self->_chunked(\%r);

    } elsif (defined $h->{'content-length'}) {
        $self->_counted(\%r, $h->{'content-length'}, $o{slow});

    } else {
        while ($self->pull()) { }
        $r{body} = $self->{buf};
        $self->{buf} = '';
        $r{complete} = !$self->{reset};
    }

    return $self->_end(\%r);
}


sub _end {
    my ($self, $r) = @_;
    $r->{reset} = $self->{reset};
    $r->{first} = $self->{first};
    $r->{last} = $self->{last};
    return $r;
}


sub _counted {
    my ($self, $r, $length, $slow) = @_;
    my @parts;
    my $have = 0;

    while ($have < $length) {
        if (length $self->{buf} == 0) {
            sleep($slow) if $slow;
            $self->pull($slow ? 4096 : 1048576) or last;
        }

        my $part = substr($self->{buf}, 0, $length - $have, '');
        $have += length $part;
        push @parts, $part;
    }

    $r->{body} = join '', @parts;
    $r->{complete} = $have == $length;
}


sub _chunked {
    my ($self, $r) = @_;

    for ( ;; ) {
        my $line;

        until (($line) = $self->{buf} =~ /\A([0-9a-fA-F]+[^\r\n]*\r\n)/) {
            $self->pull() or return;
        }

        my $head = length $line;
        my $size = hex(($line =~ /^(\w+)/)[0]);

        while (length $self->{buf} < $head + $size + 2) {
            $self->pull() or return;
        }

        $r->{body} .= substr($self->{buf}, $head, $size);
        substr($self->{buf}, 0, $head + $size + 2, '');

        if ($size == 0) {
            $r->{complete} = 1;
            return;
        }
    }
}


# Reads and drops until the end, a reset or `timeout` seconds of silence; the
# number of bytes that came.

sub drain {
    my ($self, $timeout) = @_;
    my $sum = length $self->{buf};

    while (my $n = $self->pull(1048576, $timeout)) {
        $sum += $n;
        $self->{buf} = '';
    }

    $self->{buf} = '';
    return $sum;
}


sub close {
    my ($self) = @_;

    if ($self->{tls}) {
        $self->{io}->close(SSL_no_shutdown => 1);

    } else {
        close $self->{io};
    }
}


1;
