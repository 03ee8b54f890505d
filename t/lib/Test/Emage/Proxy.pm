package Test::Emage::Proxy;

# Copyright (C) The e-mage authors
#
# A Redis that cannot be trusted: stands between nginx and the real one and
# tears, delays, drops or falsifies what comes back, as a control file says.
# Of the modes, "deaf" drops what nginx says, "stall" holds what Redis says, and
# "overtaken" holds back replies with facts, and what follows them on the same
# connection, so that changes reach the node before them.

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(time sleep);

use constant OVERTAKEN => 0.4;              # s


my %answer = (
    garbage  => "HTTP/1.1 400 Bad Request\r\n\r\n",
    loading  => "-LOADING Redis is loading the dataset in memory\r\n",
    noauth   => "-NOAUTH Authentication required.\r\n",
    readonly => "-READONLY You can't write against a read only replica.\r\n",
    integer  => ":1\r\n",
    null     => "\$-1\r\n",
    empty    => "*0\r\n",
    nullarray => "*-1\r\n",
    huge     => "\$2000000000\r\n",
    wide     => "*100000000\r\n",
    deep     => "*1\r\n" x 200,
    negative => "\$-7\r\n",
    status   => "+granted\r\n",
    forged   => "*2\r\n\$7\r\ngranted\r\n:999999\r\n",
    newline  => "\r\n",
    nul      => "\0" x 64,
);


# The modes that answer something else altogether.

sub answers { return sort keys %answer }


# Starts the proxy as a process of the test; mode() changes what it does.

sub new {
    my ($class, $t) = @_;
    my $self = bless { t => $t, control => $t->path('proxy.mode'),
                       path => $t->path('proxy.sock') }, $class;

    $self->mode('pass');
    my $listen = IO::Socket::UNIX->new(Local => $self->{path}, Listen => 20)
        or die "$self->{path}: $!";
    chmod 0777, $self->{path};

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        $SIG{PIPE} = 'IGNORE';
        $SIG{TERM} = sub { POSIX::_exit(0) };
        eval { $self->loop($listen) };
        POSIX::_exit(0);
    }

    $t->{pids}{proxy} = $pid;
    return $self;
}


sub mode {
    my ($self, $mode) = @_;
    open my $f, '>', "$self->{control}.new" or die "$self->{control}: $!";
    print $f $mode;
    close $f;
    rename "$self->{control}.new", $self->{control};
}


sub current {
    my ($self) = @_;
    open my $f, '<', $self->{control} or return 'pass';
    return scalar(<$f>) // 'pass';
}


sub loop {
    my ($self, $listen) = @_;
    my $select = IO::Select->new($listen);
    my (%peer, %client, %held);

    for ( ;; ) {
        my $mode = $self->current();

        if ($mode ne 'stall') {
            for my $fh (map { $_->[0] } grep { $_->[2] <= time() }
                        values %held)
            {
                $self->forward($fh, delete($held{fileno $fh})->[1], $mode);
            }
        }

        for my $fh ($select->can_read(0.02)) {
            if ($fh == $listen) {
                my $c = $listen->accept() or next;
                my $s = IO::Socket::UNIX->new(
                    Peer => $self->{t}->path('redis.sock'));

                if ($mode eq 'refuse' || !$s) {
                    close $c;
                    next;
                }

                @peer{fileno $c, fileno $s} = ($s, $c);
                $client{fileno $s} = 1;
                $select->add($c, $s);
                next;
            }

            my $number = fileno($fh) // next;     # closed with its peer
            my $peer = $peer{$number} or next;
            my $n = sysread $fh, my $bytes, 65536;
            my $keep = $n ? 1 : 0;

            if ($n && $client{fileno $fh}) {
                if ($mode eq 'stall' || $held{fileno $peer}
                    || $mode eq 'overtaken' && $bytes =~ /"sharing"/)
                {
                    $held{fileno $peer} //= [$peer, '', $mode eq 'overtaken'
                                                        ? time() + OVERTAKEN
                                                        : 0];
                    $held{fileno $peer}[1] .= $bytes;
                    next;
                }

                $keep = $self->forward($peer, $bytes, $mode);

            } elsif ($n && $mode ne 'deaf') {
                syswrite $peer, $bytes;
            }

            unless ($keep) {
                for my $end ($fh, $peer) {
                    $select->remove($end);
                    delete $held{fileno $end};
                    delete $client{fileno $end};
                    delete $peer{fileno $end};
                    close $end;
                }
            }
        }
    }
}


# Passes bytes of Redis on, or what the mode makes of them; false: close.

sub forward {
    my ($self, $to, $bytes, $mode) = @_;

    if ($mode eq 'split') {
        for my $b (split //, substr $bytes, 0, 64, '') {
            syswrite $to, $b;
            sleep 0.0005;
        }

        syswrite $to, $bytes if length $bytes;

    } elsif ($mode eq 'late') {
        sleep 0.4;
        syswrite $to, $bytes;

    } elsif ($mode eq 'half') {
        syswrite $to, substr $bytes, 0, length($bytes) / 2;
        return 0;

    } elsif ($mode eq 'close' || $mode eq 'refuse') {
        return 0;

    } elsif ($mode eq 'extra') {
        syswrite $to, "$bytes+OK\r\n";

    } elsif ($mode eq 'twice') {
        syswrite $to, $bytes . $bytes;

    } elsif ($mode =~ m{^s/(.*)/(.*)/$}) {
        my ($from, $into) = ($1, $2);
        $bytes =~ s/$from/$into/g;
        syswrite $to, $bytes;

    } else {
        syswrite $to, $answer{$mode} // $bytes;
    }

    return 1;
}


1;
