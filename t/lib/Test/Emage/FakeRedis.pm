package Test::Emage::FakeRedis;

# Copyright (C) The e-mage authors
#
# A scripted Redis on a unix socket.  Every command is answered by the rule of
# its name (of the function, for FCALL): a list of steps, or a sub that returns
# one.  Steps: a string is written as it is; { pause => seconds };
# { bytes => string, each => seconds } writes byte by byte; { close => 1 };
# { stall => 1 } answers nothing on this connection any more.
#
# The rules run in a process of their own; what it was asked stands in a log,
# one JSON array a command, with the time in front.

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

use Exporter 'import';
our @EXPORT = qw(resp);


# RESP of a Perl value: undef, \number (integer), string, or array.

sub resp {
    my ($v) = @_;

    return "\$-1\r\n" unless defined $v;
    return ":$$v\r\n" if ref $v eq 'SCALAR';
    return '*' . @$v . "\r\n" . join('', map { resp($_) } @$v)
        if ref $v eq 'ARRAY';
    return '$' . length($v) . "\r\n$v\r\n";
}


# The version of the functions that the module asks for.

sub functions_version {
    my ($top) = __FILE__ =~ m{^(.*?)/?t/lib/Test/Emage/FakeRedis\.pm$};
    my $file = (length $top ? $top : '.')
               . '/policy/include/emage/functions.h';

    open my $f, '<', $file or die "$file: $!";
    local $/;
    my ($version) = <$f> =~ /EMAGE_FUNCTIONS_VERSION\s+(\d+)/
        or die "$file: no version\n";
    return $version;
}


# A node that behaves: one epoch, a sequence, no records.

sub defaults {
    my (%o) = (epoch => 'fake', seq => 7, nonce => 'n7', pids => [],
               version => functions_version(), @_);

    return (
        AUTH => "+OK\r\n",
        SELECT => "+OK\r\n",
        emage_version => resp(\$o{version}),
        emage_facts => resp([$o{epoch}, \$o{seq}, undef, undef]),
        emage_lease => sub {
            my (undef, $epoch, $seq, $nonce) = @_;

            return resp(['flush', $o{epoch}, \$o{seq}, $o{nonce}])
                if $epoch ne $o{epoch};
            return resp(['fence', \$o{seq}])
                if $seq > $o{seq} || $seq == $o{seq} && $nonce ne $o{nonce};
            return resp(['behind', \$o{seq}, $o{nonce}, @{$o{pids}}])
                if $seq < $o{seq};
            return resp(['granted', \$o{seq}]);
        },
    );
}


sub new {
    my ($class, $t, $name) = @_;
    $name //= 'fake';

    return bless { t => $t, name => $name, path => $t->path("$name.sock"),
                   log => $t->path("$name.log") }, $class;
}

sub path { $_[0]{path} }


# Starts anew, with the defaults and these rules over them.

sub script {
    my ($self, %rules) = @_;
    my %with = %{delete $rules{with} || {}};

    $self->stop();
    %rules = (defaults(%with), %rules);

    my $listen = IO::Socket::UNIX->new(Local => $self->{path}, Listen => 20)
        or die "$self->{path}: $!";
    chmod 0777, $self->{path};

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        $SIG{PIPE} = 'IGNORE';
        $SIG{TERM} = sub { POSIX::_exit(0) };
        eval { $self->loop($listen, \%rules); 1 } or warn $@;
        POSIX::_exit(0);
    }

    close $listen;
    $self->{t}{pids}{$self->{name}} = $pid;
    return $self;
}


sub stop {
    my ($self) = @_;
    $self->{t}->end($self->{name});
    unlink $self->{path};
}


# The commands received since the last call, as [time, words ...].

sub commands {
    my ($self) = @_;
    open my $f, '<', $self->{log} or return ();
    seek $f, $self->{read} // 0, 0;

    my @all = map { JSON::PP::decode_json($_) } grep { /\n\z/ } <$f>;
    $self->{read} = tell $f;
    return @all;
}


sub loop {
    my ($self, $listen, $rules) = @_;
    my $select = IO::Select->new($listen);
    my (%in, %stalled);

    open my $log, '>>', $self->{log} or die "$self->{log}: $!";
    $log->autoflush(1);

    for ( ;; ) {
        for my $fh ($select->can_read()) {
            if ($fh == $listen) {
                my $c = $listen->accept() or next;
                $c->autoflush(1);
                $select->add($c);
                $in{fileno $c} = '';
                next;
            }

            my $n = fileno $fh;
            my $open = sysread $fh, $in{$n}, 65536, length $in{$n};

            while ($open && (my @words = command(\$in{$n}))) {
                print $log JSON::PP::encode_json([time(), @words]), "\n";
                next if $stalled{$n};

                my $did = answer($fh, $rules, @words);
                $stalled{$n} = 1 if $did eq 'stall';
                $open = 0 if $did eq 'close';
            }

            unless ($open) {
                $select->remove($fh);
                delete $in{$n};
                delete $stalled{$n};
                close $fh;
            }
        }
    }
}


# Takes one whole command off the input, or nothing.

sub command {
    my ($in) = @_;

    $$in =~ /\A\*(\d+)\r\n/ or return ();
    my ($argc, $at) = ($1, $+[0]);
    my @words;

    for (1 .. $argc) {
        substr($$in, $at) =~ /\A\$(\d+)\r\n/ or return ();
        my ($len, $head) = ($1, $+[0]);
        return () if length($$in) < $at + $head + $len + 2;
        push @words, substr $$in, $at + $head, $len;
        $at += $head + $len + 2;
    }

    substr $$in, 0, $at, '';
    return @words;
}


sub answer {
    my ($fh, $rules, @words) = @_;
    my ($name, @args) = @words;

    # functions: FCALL name number-of-keys keys ... arguments ...

    if ($name =~ /^FCALL/) {
        (my $keys, $name) = ($words[2], $words[1]);
        @args = @words[3 + $keys .. $#words];
    }

    my $rule = $rules->{$name} // "-ERR unknown command '$name'\r\n";
    my @steps = ref $rule eq 'CODE' ? $rule->(@args)
                : ref $rule eq 'ARRAY' ? @$rule : ($rule);

    for my $step (@steps) {
        if (!ref $step) {
            print $fh $step;

        } elsif (exists $step->{pause}) {
            sleep $step->{pause};

        } elsif (exists $step->{bytes}) {
            for (split //, $step->{bytes}) {
                syswrite $fh, $_;
                sleep $step->{each} // 0.002;
            }

        } elsif ($step->{close}) {
            return 'close';

        } elsif ($step->{stall}) {
            return 'stall';
        }
    }

    return 'done';
}


1;
