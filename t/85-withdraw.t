#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# A withdrawal against open downloads: HTTP/1.1 and HTTP/2, plain and TLS, by
# clients that read on and by clients that have stopped reading.  Nothing
# arrives later than 250 ms after the acknowledgement, but for what the
# client's own kernel had already received.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;
use Test::Emage::H2;

use POSIX ();
use Time::HiRes qw(time sleep);

use constant { BOUND => 0.25, RCVBUF => 4096, SNDBUF => 256 * 1024 };

# what the command itself takes is in the times below: more under a sanitizer

my $slow = $Test::Emage::build =~ /asan/ ? 2 : 0;

my $t = Test::Emage->new(workers => 2);

$t->backend();
my $set = $t->synthetic('only=native', 'big=64');
$t->ingest($t->path('in'));

my $study = $set->{big}{study};
my $path = "/dicom-web/studies/$study";
my $length = -s $set->{big}{path};

$t->share($set->{ct1}{study});

$t->run(<<'CONF');
%%GLOBALS%%
events { worker_connections 512; }
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT_0%% sndbuf=256k;
        listen 127.0.0.1:%%PORT_1%% ssl sndbuf=256k;
        listen 127.0.0.1:%%PORT_2%% http2 sndbuf=256k;
        listen 127.0.0.1:%%PORT_3%% ssl http2 sndbuf=256k;
        listen 127.0.0.1:%%PORT_4%% sndbuf=1m;
        listen 127.0.0.1:%%PORT_5%% ssl sndbuf=1m;
        listen 127.0.0.1:%%PORT_6%% http2 sndbuf=1m;
        listen 127.0.0.1:%%PORT_7%% ssl http2 sndbuf=1m;
        location /dicom-web/ { emage %%STORE%%; }
    }
}
CONF

my $token = $t->professional();
my %auth = (authorization => "Bearer $token");
my @kinds = (['HTTP/1.1', 0, 0, 0], ['HTTP/1.1 TLS', 1, 1, 0],
             ['HTTP/2', 2, 0, 1], ['HTTP/2 TLS', 3, 1, 1]);


# Opens a download and reads its beginning.

sub open_download {
    my ($kind, $stalled) = @_;
    my ($name, $port, $tls, $h2) = @$kind;

    my %o = (port => $t->port($port), rcvbuf => $stalled ? RCVBUF : 65536,
             ($tls ? (tls => $t->path('tls.crt')) : ()));
    my %d = (name => $name . ($stalled ? ', stalled' : ', reading'),
             stalled => $stalled, sum => 0, late => 0);

    if ($h2) {
        $d{h2} = Test::Emage::H2->new(%o);
        $d{h2}{discard} = 1;
        $d{http} = $d{h2}{http};
        $d{id} = $d{h2}->request($path, %auth, accept => '*/*');

        while ($d{h2}{bytes} < 65536) {
            defined $d{h2}->step(10) or last;
        }

        $d{status} = $d{h2}{streams}{$d{id}}{status};

    } else {
        $d{http} = Test::Emage::Http->new(%o);
        $d{http}->send($t->request_text($path, token => $token));

        while ($d{http}{received} < 65536) {
            $d{http}->pull(16384, 10) or last;
        }

        ($d{status}) = $d{http}{buf} =~ m{^HTTP/1.1 (\d+)};
        $d{http}{buf} = '';
    }

    $t->served($path, { status => $d{status}, body => '',
                        first => $d{http}{first} });
    return \%d;
}


# Reads what is there, a piece at most; notes the time of what came.  (HTTP/2
# needs no more either: its windows are open for all of the download.)

sub read_on {
    my ($d, $ack) = @_;
    return if $d->{ended};

    my $n = $d->{http}->pull(65536, 0.001);

    $d->{http}{buf} = '';
    $d->{ended} = 1 if $d->{http}{reset} || (defined $n && $n == 0);
    $d->{sum} += $n // 0;
    $d->{late} += $n if $n && $ack && time() > $ack + BOUND;
}


# Withdraws in a process of its own, reading on meanwhile: (seconds it took,
# time of the acknowledgement).

sub withdraw {
    my ($during) = @_;
    my $start = time();
    my $pid = fork() // die;

    if ($pid == 0) {
        my ($rc, $out, $err) = $t->tool('emage-consent', 'withdraw',
                                        '--study', $study);
        spew($t->path('withdraw.out'), $out . $err);
        POSIX::_exit($rc);
    }

    until (waitpid($pid, POSIX::WNOHANG()) == $pid) {
        $during->();
    }

    my $ack = time();
    is($?, 0, 'the withdrawal is acknowledged')
        or diag slurp($t->path('withdraw.out'));
    return ($ack - $start, $ack);
}


sub cut_all {
    my ($title, $bound, @downloads) = @_;
    my @reading = grep { !$_->{stalled} } @downloads;

    is(scalar(grep { ($_->{status} // 0) != 200 } @downloads), 0,
       "$title: " . @downloads . ' downloads are open')
        or diag map { "$_->{name}: " . ($_->{status} // '-') . "\n" }
                @downloads;

    my ($took, $ack) = withdraw(sub {
        read_on($_) for @reading;
        sleep 0.005;
    });

    cmp_ok($took, '<', $bound, sprintf '%s: acknowledged after %.0f ms',
           $title, $took * 1000);

    my $r = $t->http_get($path, token => $token);
    is($r->{status}, 404, "$title: a request after it is refused");

    my $until = time() + 1;

    while (time() < $until) {
        read_on($_, $ack) for @reading;
        sleep 0.005;
    }

    for my $d (@reading) {
        is($d->{late}, 0, "$title: $d->{name}: nothing 250 ms after it");
        ok($d->{sum} < $length, "$title: $d->{name}: not the whole");
        ok($d->{ended}, "$title: $d->{name}: the connection is gone");
    }

    return $ack;
}


sub grant {
    $t->share($study);
    is($t->http_get("$path/metadata", token => $token)->{status}, 200,
       'granted again');
}


# 1. all kinds at once

grant();
my @all = map { my $k = $_; map { open_download($k, $_) } 0, 1 } @kinds;
cut_all('all', 1.5 + $slow, @all);

for my $d (grep { $_->{stalled} } @all) {
    my $n = $d->{http}->drain(1);
    cmp_ok($n, '<=', 4 * RCVBUF, "$d->{name}: $n bytes when it reads again");
    ok($d->{http}{reset} || $n == 0, "$d->{name}: reset");
}

$_->{http}->close() for @all;


# 2. other streams and other patients: one connection of two studies

grant();
{
    my $h = Test::Emage::H2->new(port => $t->port(3), rcvbuf => 65536,
                                 tls => $t->path('tls.crt'));
    $h->{discard} = 1;
    my $big = $h->request($path, %auth, accept => '*/*');

    while ($h->{bytes} < 65536) {
        defined $h->step(10) or last;
    }

    $t->served($path, { status => 200, body => '',
                        first => $h->{streams}{$big}{first} // time() });
    my ($took, $ack) = withdraw(sub { sleep 0.005 });

    # nothing of the revoked study comes on, whatever becomes of the connection

    my $late = 0;

    while (1) {
        my $before = $h->{streams}{$big}{bytes};
        defined $h->step(1) or last;
        $late += $h->{streams}{$big}{bytes} - $before
            if time() > $ack + BOUND;
    }

    is($late, 0, 'a stream of a shared connection: nothing later');
    ok(!$h->{streams}{$big}{done} || $h->{streams}{$big}{reset},
       'and it did not end well');
    $h->close();

    my $c = Test::Emage::H2->new(port => $t->port(3),
                                 tls => $t->path('tls.crt'));
    my $other = "/dicom-web/studies/$set->{ct1}{study}/metadata";
    my $s = $c->finish($c->request($other, %auth));
    $t->served($other, { status => 200, body => '', first => $s->{first} });
    is($s->{status}, 200, "another patient's study is served on");
    $c->close();
}


# 3. responses that nginx is done with, but the kernel is not: the client has
#    stopped reading before the first byte

grant();

sub finished {
    my ($of, $name, $port, $tls, $h2, $closing) = @_;
    my $i = $set->{$of};
    my $frame = "/dicom-web/studies/$i->{study}/series/$i->{series}"
                . "/instances/$i->{instance}/frames/1";
    my %o = (port => $t->port($port), rcvbuf => RCVBUF,
             ($tls ? (tls => $t->path('tls.crt')) : ()));
    my %d = (name => "$name, finished, $of", frame => $frame);

    if ($h2) {
        my $h = Test::Emage::H2->new(%o);
        $h->{discard} = 1;
        $h->request($frame, %auth, accept => '*/*',
                    range => 'bytes=0-99999');
        $h->step(0.1) for 1 .. 3;
        $d{http} = $h->{http};
        $d{h2} = $h;

    } else {
        $d{http} = Test::Emage::Http->new(%o);
        $d{http}->send($t->request_text($frame, token => $token, headers => {
            Range => 'bytes=0-99999' }, keep => !$closing));
        $d{http}->pull(1024, 10);
    }

    $t->served($frame, { status => 206, body => '',
                         first => $d{http}{first} // time() });
    return \%d;
}

{
    my @ways = (['HTTP/1.1', 4, 0, 0], ['HTTP/1.1 TLS', 5, 1, 0],
                ['HTTP/1.1 closing', 4, 0, 0, 1],
                ['HTTP/2', 6, 0, 1], ['HTTP/2 TLS', 7, 1, 1]);

    # 100,000 bytes each: "big" is withdrawn, "multi" another patient's

    my @gone = map { finished('big', @$_) } @ways;
    my @stay = map { finished('multi', @$_) } @ways;
    push @gone, finished('big', 'half-closed', 4, 0, 0, 1),
                finished('big', 'half-closed, kept', 4, 0, 0, 0);
    sleep 0.7;

    # nginx closes these at once, and must not leave the rest to the kernel

    shutdown $_->{http}{io}, 1 for @gone[-2, -1];

    my ($rc) = $t->tool('emage-consent', 'withdraw', '--study',
                        $study);
    is($rc, 0, 'finished: the withdrawal is acknowledged');
    sleep BOUND;

    for my $d (@gone) {
        my $n = $d->{http}->drain(1);
        cmp_ok($n, '<=', 4 * RCVBUF, "$d->{name}: $n bytes afterwards");
        ok($d->{http}{reset} || $n == 0, "$d->{name}: reset");
    }

    for my $d (@stay) {
        my $n = $d->{http}->drain(1);
        cmp_ok($d->{http}{received}, '>=', 100000,
               "$d->{name}: $n bytes afterwards, all of it");
    }

    $_->{http}->close() for @gone, @stay;
    like(slurp($t->path('logs/error.log')), qr/what it still had to send/,
         'finished: the log says so');
}


# 4. a worker that is stopped cannot confirm: its lease is waited out

grant();
{
    my $d = open_download($kinds[0], 1);
    my @workers = $t->workers_pids();

    kill 'STOP', @workers;
    my ($took, $ack) = withdraw(sub { sleep 0.01 });
    cmp_ok($took, '<', 2.5 + $slow, sprintf 'stopped workers: acknowledged after '
           . '%.0f ms', $took * 1000);
    kill 'CONT', @workers;
    sleep 0.3;

    my $n = $d->{http}->drain(2);
    cmp_ok($n, '<', 2 * SNDBUF + 4 * RCVBUF,
           "stopped workers: $n bytes, which their kernel held");
    ok($d->{http}{reset}, 'stopped workers: then reset');
    $d->{http}->close();
    ok($t->wait_lease(), 'the lease comes back');
}


# 5. requests in a row around withdrawals: none that was sent after an
#    acknowledgement is permitted

my $rounds = $ENV{EMAGE_LONG} ? 40 : 4;
my ($wrong, $asked) = (0, 0);

for my $round (1 .. $rounds) {
    $t->share($study);

    my @kids = map {
        pipe(my $r, my $w);
        my $pid = fork() // die;

        if ($pid == 0) {
            close $r;
            my $until = time() + 2;

            while (time() < $until) {
                my $sent = time();
                my $a = eval { $t->http_get("$path/metadata",
                                            token => $token) };
                print $w "$sent ", $a ? $a->{status} : 0, "\n";
            }

            close $w;
            POSIX::_exit(0);
        }

        close $w;
        [$pid, $r];
    } 1 .. 2;

    sleep 0.3;
    my (undef, $ack) = withdraw(sub { sleep 0.002 });

    for (@kids) {
        my ($pid, $r) = @$_;

        while (<$r>) {
            my ($sent, $status) = split;
            $asked++;
            $wrong++ if $sent > $ack && $status != 404;
        }

        waitpid $pid, 0;
    }
}

is($wrong, 0, "$asked requests around $rounds withdrawals: none permitted "
   . 'after the acknowledgement');

