package Test::Emage::Load;

# Copyright (C) The e-mage authors
#
# Clients in processes of their own, each asking in turn for one thing after
# another, a connection each, until they are told to stop; and what they saw of
# every request, with its times.

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(time sleep);


# asks: a list of { name, path, token (or a list of tokens, taken in turn),
# headers, body (what a 200 must be), foreign (what no answer may hold) };
# clients: their number; pause: seconds between two requests; wait: what a
# request may take; once: each client asks once.

sub new {
    my ($class, $t, %o) = @_;
    my $self = bless { t => $t, %o, pids => {} }, $class;

    for my $n (1 .. $o{clients} // 2) {
        my $file = $t->path('load.' . ++$t->{loads});
        my $pid = fork() // die "fork: $!";

        if ($pid == 0) {
            $self->client($file, $n);
            POSIX::_exit(0);
        }

        $self->{pids}{$pid} = $file;
    }

    return $self;
}


sub client {
    my ($self, $file, $n) = @_;
    my $end = 0;
    local $SIG{TERM} = sub { $end = 1 };

    open my $out, '>', $file or return;

    for (my $k = $n; !$end; $k++) {
        my $i = $k % @{$self->{asks}};
        my $ask = $self->{asks}[$i];
        my $token = $ask->{token};

        $token = $token->[$k % @$token] if ref $token;

        my $sent = time();
        my $a = eval {
            $self->{t}->http_get($ask->{path}, token => $token,
                headers => $ask->{headers},
                connection => { timeout => $self->{wait} // 20 });
        } || {};
        my $body = $a->{body} // '';
        my $right = !(defined $ask->{body} && ($a->{status} // 0) == 200
                      && $body ne $ask->{body});

        $right = 0 if defined $ask->{foreign}
                      && index($body, $ask->{foreign}) >= 0;

        printf $out "%d %.6f %.6f %.6f %d %d %d\n", $i, $sent,
               $a->{first} || 0, time(), $a->{status} || 0, $right,
               length $body;
        last if $self->{once};
        sleep $self->{pause} if $self->{pause};
    }

    close $out;
}


# Stops them.  Every request as { name, sent, first, end, status, right }; what
# was served is remembered for the check against the journal.

sub stop {
    my ($self) = @_;

    kill 'TERM', keys %{$self->{pids}};
    return $self->finish();
}

sub finish {
    my ($self) = @_;
    my @all;

    for my $pid (keys %{$self->{pids}}) {
        waitpid $pid, 0;
        open my $in, '<', $self->{pids}{$pid} or next;

        while (<$in>) {
            my ($i, @v) = split;
            my %s = (name => $self->{asks}[$i]{name});
            @s{qw(sent first end status right length)} = @v;
            push @all, \%s;
            $self->{t}->served($self->{asks}[$i]{path},
                               { status => $s{status}, body => '',
                                 first => $s{first} })
                if $s{status} == 200;
        }
    }

    $self->{pids} = {};
    return sort { $a->{sent} <=> $b->{sent} } @all;
}


# How often which answer was given, for the name of a test.

sub summary {
    my (@samples) = @_;
    my %n;

    $n{"$_->{name} $_->{status}"}++ for @samples;
    return join ', ', map { "$_: $n{$_}" } sort keys %n;
}


1;
