#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# emage-audit against an attacker with a text editor and the code: every edit,
# deletion, insertion, exchange, cut, fork and renumbering is found; what is
# asked is what is shown.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use Digest::SHA ();
use File::Temp ();
use Time::HiRes qw(sleep);

my $audit = "$Test::Emage::build/bin/emage-audit";
my $writer = "$Test::Emage::build/unit/journal_writer";

plan(skip_all => 'run make first') unless -x $audit && -x $writer;

srand(20);

my $dir = File::Temp::tempdir(CLEANUP => 1);
my $n = 0;
my $tries = $ENV{EMAGE_LONG} ? 60 : 20;       # of each attack


# A directory with the three files as they were written.

my $clean = "$dir/clean/access";
mkdir "$dir/clean" or die;
is((run_command($writer, $clean))[0], 0, 'a journal of three files');
my @names = map { m{([^/]+)$} } sort glob "$clean/*.jsonl";
my %clean = map { $_ => [split /^/, slurp("$clean/$_")] } @names;

sub verify { return run_command($audit, 'verify', @_) }

sub fresh { my %f = map { $_ => [@{$clean{$_}}] } @names; return \%f }

sub put {
    my ($files) = @_;
    my $d = "$dir/" . $n++;
    mkdir $d or die;
    spew("$d/$_", join '', @{$files->{$_}}) for keys %$files;
    return $d;
}

# Writes all links of a file anew from a line on, as one who knows how would.

sub relink {
    my ($lines, $from) = @_;

    for my $i ($from .. $#$lines) {
        chomp(my $before = $i ? $lines->[$i - 1] : '');
        my $prev = $i ? Digest::SHA::sha256_hex($before) : '0' x 64;
        $lines->[$i] =~ s/^\{"seq":\d+,"prev":"[0-9a-f]{64}"/{"seq":$i,"prev":"$prev"/
            or die;
    }
}

sub pick { return 1 + int rand($#{$clean{$names[0]}} - 2) }


my ($rc, $out, $err) = verify($clean);
is($rc, 0, 'the untouched journal is intact') or diag $out, $err;
like($out, qr/^3 files, 126 records, 0 damaged places/m, 'all of it was read');
like($out, qr/^0 intents with outcome unknown, 0 in progress$/m,
     'every intent has its outcome');

($rc, my $heads) = run_command($audit, 'heads', $clean);
spew("$dir/heads", $heads);
is(scalar(() = $heads =~ /^\S+ 41 [0-9a-f]{64}$/mg), 3, 'three heads');
is((verify('--heads', "$dir/heads", $clean))[0], 0, 'which are met');


# Each attack changes one file in place; `heads` where a chain alone cannot
# tell.

my %attack = (
    edit => [0, sub {
        my ($f) = @_;
        my $i = pick();
        $f->[$i] =~ s/(\d)(\D*)$/(($1 + 1) % 10) . $2/e;
    }],
    'edit a byte' => [0, sub {
        my ($f) = @_;
        my $i = pick();
        my $at = int rand(length($f->[$i]) - 1);
        substr($f->[$i], $at, 1) ^= chr(1 << int rand 7);
    }],
    delete => [0, sub { splice @{$_[0]}, pick(), 1 }],
    insert => [0, sub { my $i = pick();
                        splice @{$_[0]}, $i, 0, $_[0][$i - 1] }],
    reorder => [0, sub { my $i = pick();
                         @{$_[0]}[$i, $i + 1] = @{$_[0]}[$i + 1, $i] }],
    renumber => [0, sub {
        my ($f) = @_;
        my $i = pick();
        splice @$f, $i, 1;
        s/"seq":(\d+)/'"seq":' . ($1 > $i ? $1 - 1 : $1)/e for @$f;
    }],
    'cut off the end' => [1, sub { splice @{$_[0]}, pick() }],
    'cut and close' => [1, sub {
        my ($f) = @_;
        my $close = $f->[-1];
        splice @$f, pick();
        push @$f, $close;
        relink($f, $#$f);
    }],
    'fork and go on' => [1, sub {
        my ($f) = @_;
        my $i = pick();
        $f->[$_] =~ s/"bytes":\d+/"bytes":1/ for $i .. $#$f;
        $f->[$i] =~ s/"time":"2026/"time":"2027/;
        relink($f, $i);
    }],
    're-sign all' => [1, sub {
        my ($f) = @_;
        s/810101201234/810101209999/ for @$f;
        relink($f, 0);
    }],
);

for my $name (sort keys %attack) {
    my ($anchored, $do) = @{$attack{$name}};
    my $caught = 0;

    for (1 .. $tries) {
        my $files = fresh();
        my $victim = $names[int rand 3];
        $do->($files->{$victim});
        my $d = put($files);
        ($rc, $out) = verify($anchored ? ('--heads', "$dir/heads") : (), $d);
        $caught++ if $rc == 1 && $out =~ m{\Q$victim\E:.*DAMAGED}
                     || $rc == 1 && $out =~ m{\Q$victim\E:.*\(DAMAGED\)};
        File::Path::rmtree($d);
    }

    is($caught, $tries, "$name: $tries of $tries caught");
}

# between files

{
    my %caught;

    for (1 .. $tries) {
        my ($a, $b) = (sort { rand() <=> 0.5 } @names)[0, 1];
        my $i = pick();

        my $files = fresh();
        ($files->{$a}[$i], $files->{$b}[$i]) =
            ($files->{$b}[$i], $files->{$a}[$i]);
        $caught{'swap lines'}++ if (verify(put($files)))[0] == 1;

        $files = fresh();
        @$files{$a, $b} = @$files{$b, $a};
        $caught{'swap files'}++ if (verify(put($files)))[0] == 1;

        $files = fresh();
        delete $files->{$a};
        $caught{'delete a file'}++
            if (verify('--heads', "$dir/heads", put($files)))[0] == 1;

        my $d = put(fresh());
        mkdir "$d/copy";
        my $copy = [@{$clean{$a}}];
        $copy->[$i] =~ s/"time":"2026/"time":"2027/;
        relink($copy, $i);
        spew("$d/copy/$a", join '', @$copy);
        $caught{'fork beside it'}++ if (verify($d))[0] == 1;
    }

    is($caught{$_} // 0, $tries, "$_: $tries of $tries caught")
        for 'swap lines', 'swap files', 'delete a file', 'fork beside it';
}


# what is damage and what is not

{
    my $files = fresh();
    splice @{$files->{$names[0]}}, 30;
    my $d = put($files);
    ($rc, $out) = verify($d);
    is($rc, 0, 'a file that was never closed is no damage');
    like($out, qr/\Q$names[0]\E: intact, 30 records, open, its process is gone/,
         'and is told');

    $files->{$names[0]}[-1] =~ s/.{10}\n$//;
    ($rc, $out) = verify(put($files));
    is($rc, 0, 'a torn last record neither');
    like($out, qr/line 30: torn last record \(never acknowledged\)/,
         'and is told');

    $files = fresh();
    $files->{$names[0]}[-1] .= 'x';
    is((verify(put($files)))[0], 1, 'bytes after the close record are');

    $files = fresh();
    $files->{$names[0]} = [];
    is((verify(put($files)))[0], 0, 'an empty file: created, then the end');

    $files = fresh();
    my $f = $files->{$names[1]};
    splice @$f, 6;
    $f->[-1] =~ /"type":"refusal"/ or diag $f->[-1];
    pop @$f;
    my ($intent) = grep { /"type":"intent"/ } reverse @$f;
    pop @$f while $f->[-1] ne $intent;
    ($rc, $out) = verify(put($files));
    is($rc, 0, 'an intent without outcome is no damage');
    like($out, qr/^1 intents with outcome unknown, 0 in progress$/m,
         'but its outcome is unknown');

    $files = fresh();
    $f = $files->{$names[1]};
    my ($at) = grep { $f->[$_] =~ /"type":"outcome"/ } 0 .. $#$f;
    $f->[$at] =~ s/("decision_id":")..../$1beef/;
    relink($f, $at);
    ($rc, $out) = verify(put($files));
    is($rc, 1, 'an outcome without intent is');
    like($out, qr/line @{[$at + 1]}: DAMAGED: outcome: no intent/, 'and where');

    $files = fresh();
    $f = $files->{$names[1]};
    splice @$f, $at + 1, 0, $f->[$at];
    relink($f, $at + 1);
    is((verify(put($files)))[0], 1, 'two outcomes of one intent are');
}

# across files: the worker had to open another one

{
    my $files = fresh();
    my ($a, $b) = @$files{@names[0, 1]};
    my ($at) = grep { $a->[$_] =~ /"type":"outcome"/ } 0 .. $#$a;
    my $outcome = splice @$a, $at, 1;
    relink($a, $at);
    splice @$b, 20, 0, $outcome;
    relink($b, 20);
    is((verify(put($files)))[0], 0, 'an outcome may lie in a later file');
}

is((verify("$dir/nowhere"))[0], 2, 'no such path: 2');
is((run_command($audit))[0], 2, 'no command: 2');
is((run_command($audit, 'verify'))[0], 2, 'no path: 2');
is((run_command($audit, 'search', '--pid', '', $clean))[0], 2,
   'an empty filter: 2');
is((run_command($audit, 'search', '--since', 'monday', $clean))[0], 2,
   'a bad time: 2');
spew("$dir/badheads", "a b c\n");
is((verify('--heads', "$dir/badheads", $clean))[0], 2, 'bad heads: 2');


# search

sub search {
    my ($rc, $out, $err) = run_command($audit, 'search', @_, $clean);
    is($rc, 0, "search @_") or diag $err;
    return split /\n/, $out;
}

my @all = map { @{$clean{$_}} } @names;
chomp @all;

for (['--pid', 'ffeeddccbbaa99887766554433221100',
      qr/"pid":"ffeeddccbbaa99887766554433221100"/],
     ['--type', 'refusal', qr/"type":"refusal"/],
     ['--decision', 'permit', qr/"decision":"permit"/],
     ['--reason', 'sharing-active', qr/"sharing-active"/],
     ['--reason', 'no-relation', qr/"cause":"no-relation"/],
     ['--request', 'r2-7', qr/"request_id":"r2-7"/],
     ['--subject', 'urn:oid:1.2.250.1.71.4.2.1|810101201234', qr/"subject":/],
     ['--subject', '810101201234', qr/^$/],
     ['--study', '1.2.840.113619.2.55.3.604688119.868.1249343483.504',
      qr/"study":/]) {
    my ($option, $value, $re) = @$_;
    my @got = search($option, $value, '--json');
    is_deeply([sort @got], [sort grep { /$re/ } @all],
              scalar(@got) . ' records, whole and no others');
}

my @times = map { /"time":"([^"]+)"/ } search('--json', '--type', 'intent');
is_deeply(\@times, [sort @times], 'over all files in the order of time');

my ($from, $to) = @times[5, 20];
my @window = map { /"time":"([^"]+)"/ }
    search('--json', '--type', 'intent', '--since', $from, '--until', $to);
is_deeply(\@window, [grep { $_ ge $from && $_ lt $to } @times],
          'since is included, until is not');

my ($line) = search('--request', 'r1-4');
like($line, qr/^2026-11-24T\S+Z refusal .*pid=0011\S+ decision=deny cause=no-r/,
     'a line for people');

{
    my $files = fresh();
    my $f = $files->{$names[0]};
    $f->[5] =~ s/"request_id":"[^"]*"/"request_id":"\\u001b[2J\\u202e x"/;
    relink($f, 5);
    ($rc, $out) = run_command($audit, 'search', '--type', 'refusal',
                              put($files));
    unlike($out, qr/[^\x20-\x7e\n]/, 'nothing of it steers the terminal');
    like($out, qr/request_id="\\u001B\[2J\\u202E x"/, 'but is shown');
}


# follow: complete lines only, of files old and new

{
    my $d = put(fresh());
    my $f = $clean{$names[0]};
    spew("$d/$names[0]", join '', @$f[0 .. 9]);

    my $pid = fork() // die;

    if ($pid == 0) {
        open STDOUT, '>', "$dir/followed";
        exec $audit, 'follow', '--json', $d or exit 127;
    }

    my $append = sub {
        open my $h, '>>', "$d/$_[0]" or die;
        syswrite $h, $_[1];
    };
    my $wait = sub {
        for (1 .. 50) {
            last if slurp("$dir/followed") eq $_[0];
            sleep 0.1;
        }
        return slurp("$dir/followed");
    };

    sleep 0.6;
    $append->($names[0], $f->[10] . substr($f->[11], 0, 50));
    is($wait->($f->[10]), $f->[10], 'a record at once, half of one not');
    $append->($names[0], substr $f->[11], 50);
    is($wait->("$f->[10]$f->[11]"), "$f->[10]$f->[11]", 'then the rest of it');

    my $new = $names[2] =~ s/2026/2027/r;
    my $g = [@{$clean{$names[2]}}[0 .. 2]];
    $append->($new, join '', @$g);
    my $want = join '', @$f[10, 11], @$g;
    is($wait->($want), $want, 'and those of a new file');

    kill TERM => $pid;
    waitpid $pid, 0;
    is($?, 0, 'until it is told to stop');
}


# the writer's disk fails, or the writer dies: what was acknowledged is whole

SKIP: {
    skip 'no strace', 1 if system('strace -V >/dev/null 2>&1') != 0;

    for my $fault ('fdatasync:error=EIO:when=1', 'fdatasync:error=EIO:when=2',
                   'fdatasync:error=EIO:when=17', 'write:error=ENOSPC:when=9',
                   'write:error=EIO:when=43', 'fsync:error=EIO:when=1',
                   'fdatasync:signal=KILL:when=5', 'write:signal=KILL:when=6')
    {
        my ($call) = $fault =~ /^(\w+)/;
        my $d = "$dir/" . $n++;
        my ($wrc) = run_command('strace', '-f', '-o', '/dev/null', '-e',
                                "trace=$call", '-e', "inject=$fault", $writer,
                                $d);
        isnt($wrc, 0, "$fault: the writer does not succeed");
        ($rc, $out) = verify($d);
        is($rc, 0, 'and leaves no damage') or diag $out;
    }
}

done_testing();
