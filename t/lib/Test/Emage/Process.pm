package Test::Emage::Process;

# Copyright (C) The e-mage authors
#
# Processes that never outlive their test, and the small helpers around files
# and commands.

use strict;
use warnings;

use File::Temp ();
use POSIX ();
use Test::More ();
use Time::HiRes qw(time sleep);

use Exporter 'import';
our @EXPORT = qw(slurp spew run_command sha256_hex);


sub spawn {
    my ($self, $name, @command) = @_;

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        $ENV{$_} = $self->{env}{$_} for keys %{$self->{env}};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/logs/$name.out";
        open STDERR, '>>', "$self->{dir}/logs/$name.err";
        exec('setpriv', '--pdeathsig', 'TERM', @command)
            or POSIX::_exit(127);
    }

    $self->{pids}{$name} = $pid;
    return $pid;
}


sub end {
    my ($self, $name, @signals) = @_;
    my $pid = delete $self->{pids}{$name} or return 1;

    for (@signals ? @signals : (TERM => 10, KILL => 5)) {
        if (/^\d+$/) {
            my $until = time() + $_;

            while (time() < $until) {
                if (waitpid($pid, POSIX::WNOHANG()) == $pid) {
                    $self->{status}{$name} = $?;
                    return 1;
                }

                sleep 0.01;
            }

        } else {
            kill $_, $pid;
        }
    }

    $self->{pids}{$name} = $pid;
    return 0;
}


sub wait_for {
    my ($self, $what, $seconds, $code) = @_;
    my $until = time() + $seconds;

    while (time() < $until) {
        return 1 if $code->();
        sleep 0.01;
    }

    Test::More::diag "gave up waiting for $what after $seconds s";
    return 0;
}


sub slurp {
    my ($file) = @_;
    open my $f, '<:raw', $file or return '';
    local $/;
    return scalar(<$f>) // '';
}

sub spew {
    my ($file, $text) = @_;
    open my $f, '>:raw', $file or die "$file: $!";
    print $f $text;
    close $f or die "$file: $!";
}

sub sha256_hex { require Digest::SHA; return Digest::SHA::sha256_hex(@_) }

sub run_command {
    my (@command) = @_;
    my @file = map { File::Temp->new(TEMPLATE => 'emage-out-XXXXXX',
                                     TMPDIR => 1) } 1 .. 2;
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $file[0]->filename;
        open STDERR, '>', $file[1]->filename;
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    my $rc = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    return ($rc, slurp($file[0]->filename), slurp($file[1]->filename));
}


1;
