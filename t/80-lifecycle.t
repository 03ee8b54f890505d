#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Reload, quit and killed workers, under load: no request is lost in a reload,
# none is answered without its guard, a download that spans a reload ends whole
# or by a withdrawal, and what a killed worker had served was recorded.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use POSIX ();
use Time::HiRes qw(time sleep);

my $t = Test::Emage->new(workers => 2);

$t->backend();
my $set = $t->synthetic('only=native,documents', 'big=48');
$t->ingest($t->path('in'));
$t->share($_) for $set->{ct1}{study}, $set->{big}{study};
$t->run();

my $token = $t->professional();
my $instance = "/dicom-web/studies/$set->{ct1}{study}"
               . "/series/$set->{ct1}{series}/instances/$set->{ct1}{instance}";
my $foreign = "/dicom-web/studies/$set->{foreign}{study}";
my $big = "/dicom-web/studies/$set->{big}{study}";
my $body = $t->http_get($instance, token => $token)->{body};


# Clients in processes of their own: each asks in turn for what is permitted,
# for what is refused, and without a token, a connection each, until told to
# stop.  A line a request: kind, status, whether the body is right, first byte.

sub clients {
    my ($n) = @_;

    return map {
        pipe(my $r, my $w);
        my $pid = fork() // die;

        if ($pid == 0) {
            my $end = 0;
            local $SIG{TERM} = sub { $end = 1 };
            close $r;

            for (my $k = 0; !$end; $k++) {
                my @kind = ([permitted => $instance, $token],
                            [refused => $foreign, $token],
                            [anonymous => $instance, undef]);
                my ($kind, $path, $with) = @{$kind[$k % 3]};
                my $a = eval { $t->http_get($path, token => $with) } || {};
                my $right = $kind eq 'permitted' ? ($a->{body} // '') eq $body
                            : index($a->{body} // '', 'DICM') < 0;
                printf $w "%s %d %d %.6f\n", $kind, $a->{status} || 0, $right,
                       $a->{first} || 0;
            }

            close $w;
            POSIX::_exit(0);
        }

        close $w;
        { pid => $pid, out => $r };
    } 1 .. $n;
}


# Stops the clients: counts by "kind status", and how many bodies were wrong.

sub gather {
    my (@clients) = @_;
    my (%count, $wrong);

    kill 'TERM', map { $_->{pid} } @clients;

    for my $c (@clients) {
        while (readline $c->{out}) {
            my ($kind, $status, $right, $first) = split;
            $count{"$kind $status"}++;
            $wrong++ if !$right && $status == 200;
            $t->served($instance, { status => $status, body => $body,
                                    first => $first })
                if $kind eq 'permitted';
        }

        waitpid $c->{pid}, 0;
    }

    return (\%count, $wrong // 0);
}

sub summary { join ', ', map { "$_: $_[0]{$_}" } sort keys %{$_[0]} }


# 1. reload after reload

my $rounds = $ENV{EMAGE_LONG} ? 60 : 6;
my @c = clients(2);

for (1 .. $rounds) {
    sleep 0.4;
    ok($t->reload(), "reload $_");
}

my ($count, $wrong) = gather(@c);
my @lost = grep { !/^(?:permitted 200|refused 404|anonymous 401)$/ }
           keys %$count;

is(scalar @lost, 0, 'no request lost or answered otherwise in '
   . "$rounds reloads: " . summary($count)) or diag tell($count);
is($wrong, 0, 'every body was the right one');
cmp_ok($count->{'permitted 200'} // 0, '>', 20, 'and there was load');


# 2. a download that spans a reload: to its end, and cut by a withdrawal in the
#    old worker

sub slow_open {
    my $c = $t->http(rcvbuf => 65536);
    $c->send($t->request_text($big, token => $token));
    $c->pull(16384, 10);
    $t->served($big, { status => 200, body => '', first => $c->{first} });
    return $c;
}

{
    my $c = slow_open();
    kill 'HUP', $t->{pids}{nginx};
    sleep 0.5;

    my $r = $c->response();
    ok($r->{complete}, 'a download over a reload ends whole');
    is(length $r->{body}, $r->{headers}{'content-length'}, 'to the byte');
    $c->close();

    $c = slow_open();
    my %old = map { $_ => 1 } $t->workers_pids();
    kill 'HUP', $t->{pids}{nginx};
    ok($t->wait_for('new workers', 10, sub {
        grep { !$old{$_} } $t->workers_pids();
    }), 'workers were replaced');
    sleep 0.3;
    ok((grep { $old{$_} } $t->workers_pids()),
       'the old worker goes on with its download');

    my $start = time();
    $t->consent('withdraw', '--study', $set->{big}{study});
    my $took = time() - $start;
    cmp_ok($took, '<', 1.5, sprintf 'a withdrawal reaches the old worker: '
           . '%.0f ms', $took * 1000);
    my $n = $c->drain(2);
    cmp_ok($n, '<', 5e6, "the download is cut ($n bytes were under way)");
    $c->close();
    $t->share($set->{big}{study});
    ok($t->wait_for('the old worker', 20, sub {
        !grep { $old{$_} } $t->workers_pids();
    }), 'the old worker ends');
}


# 3. killed workers: service comes back, what was served was recorded (checked
#    at the end), the lease does not stick

my $kills = $ENV{EMAGE_LONG} ? 100 : 8;
@c = clients(2);

for (1 .. $kills) {
    sleep 0.25;
    my @w = $t->workers_pids();
    kill 'KILL', $w[rand @w] if @w;
}

sleep 0.5;
($count, $wrong) = gather(@c);
my @odd = grep { !/^(?:permitted 200|refused 404|anonymous 401|\w+ 503|\w+ 0)$/
               } keys %$count;
is(scalar @odd, 0, "$kills killed workers: " . summary($count))
    or diag summary($count);
is($wrong, 0, 'no wrong body');
ok($t->wait_lease(), 'the node is back');
is($t->http_get($instance, token => $token)->{body}, $body, 'and serves');

my $start = time();
$t->consent('withdraw', '--study', $set->{ct1}{study});
my $took = time() - $start;
cmp_ok($took, '<', 1.5, sprintf 'a withdrawal is not held up by the dead: '
       . '%.0f ms', $took * 1000);
$t->share($set->{ct1}{study});


# 4. quit: what is under way ends, nothing is taken any more

{
    my $c = slow_open();
    my $pid = $t->{pids}{nginx};
    kill 'QUIT', $pid;
    sleep 0.3;
    my $r = $c->response();
    ok($r->{complete}, 'quit: the open download ends whole');
    $c->close();
    ok($t->end('nginx', 20), 'quit: nginx ends');
    ok(!eval { $t->http_get($instance, token => $token); 1 },
       'quit: nobody answers');
}

$t->allow(qr/worker process \d+ exited on signal 9/);
