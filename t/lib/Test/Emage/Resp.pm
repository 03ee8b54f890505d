package Test::Emage::Resp;

# Copyright (C) The e-mage authors
#
# A RESP client over a unix socket: call('GET', 'x') returns the reply as Perl
# values (errors die).

use strict;
use warnings;

use IO::Socket::UNIX;


sub new {
    my ($class, $path) = @_;
    my $io = IO::Socket::UNIX->new(Peer => $path) or return undef;
    return bless { io => $io }, $class;
}


sub call {
    my ($self, @args) = @_;
    my $out = '*' . @args . "\r\n";

    $out .= '$' . length($_) . "\r\n$_\r\n" for @args;
    $self->{io}->syswrite($out);
    return $self->reply();
}


sub reply {
    my ($self) = @_;
    local $/ = "\r\n";

    defined(my $line = readline $self->{io}) or die "redis: connection lost\n";
    chomp $line;
    my $type = substr $line, 0, 1, '';

    return $line if $type eq '+' || $type eq ':';
    die "redis: $line\n" if $type eq '-';

    if ($type eq '$') {
        return undef if $line < 0;
        read($self->{io}, my $value, $line + 2) == $line + 2
            or die "redis: short reply\n";
        return substr $value, 0, $line;
    }

    if ($type eq '*') {
        return undef if $line < 0;
        return [ map { $self->reply() } 1 .. $line ];
    }

    die "redis: no RESP: $type$line\n";
}


1;
