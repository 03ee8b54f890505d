#!/usr/bin/perl

# Copyright (C) The e-mage authors

# emage-policy test, its coverage, --json, --help and exit statuses: 0 is yes,
# 1 is no, 2 is wrong use or unreadable input, with nothing on standard output.

use lib 't/lib';
use Test::Emage::Policy;

my $policy = "$Test::Emage::Policy::top/conf/policy";

my $schema = <<'EOS';
entity User = { age: Long };
entity Doc;
action read appliesTo { principal: User, resource: Doc,
    context: { open: Bool } };
EOS

my $policies = <<'EOS';
@id("adults")
@basis("house rule")
permit (principal, action, resource)
when { principal.age >= 18 && context.open };
EOS

shipped();
covered();
failing();
problems();
unreadable();
help();

done_testing();


sub shipped {
    my ($status, $out, $err) = tool('test', $policy, '--coverage');

    is("$status $err", '0 ', 'the cases of the shipped policies');
    like($out, qr/^(\d+)\ of\ \1\ cases\ as\ expected\n
        covered:\ (\d+)\ of\ \2\ policies,\ (\d+)\ of\ \3\ conditions\n\z/x,
        'reach each policy and condition as true and as false');

    my $got = ask(0, 'test', $policy, '--coverage', '--json');

    is_deeply([ $got->{failed}, $got->{coverage}{missing} ], [ [], [] ],
        'as JSON too');
    cmp_ok($got->{cases}, '>', 100, 'the number of cases');
    is($got->{coverage}{conditions_covered}, $got->{coverage}{conditions},
        'all conditions');

    $got = ask(0, 'check', $policy, '--json');

    is_deeply([ @$got{qw/ problems failed unreached nameless /} ],
        [ [], [], [], [] ], 'check --json: no problem');
    like($got->{revision}, qr/^[0-9a-f]{64}\z/, 'and the revision');
}


sub covered {
    my @cases = (one('an adult', 20, 1, 'allow'), one('a child', 10, 1));

    my $d = policy_dir($policies, @cases);
    my ($status, $out, $err) = tool('test', $d);

    is("$status $err$out", "0 2 of 2 cases as expected\n", 'both as expected');

    ($status, $out, $err) = tool('test', $d, '--coverage');

    is("$status $err$out", <<'EOS', 'a condition that is true only');
1 2 of 2 cases as expected
p.cedar:4:31: adults: in no case false: context.open
covered: 1 of 1 policies, 2 of 3 conditions
EOS

    is_deeply(ask(1, 'test', $d, '--json', '--coverage')->{coverage}, {
        policies => 1, policies_covered => 1, conditions => 3,
        conditions_covered => 2, missing => [ {
            policy => 'adults', file => 'p.cedar', line => 4, column => 31,
            never => 'false', condition => 'context.open' } ] },
        'as JSON');

    $d = policy_dir($policies, $cases[1]);
    ($status, $out, $err) = tool('test', $d, '--coverage');

    is("$status $err$out", <<'EOS', 'a policy that never applies');
1 1 of 1 cases as expected
p.cedar:3:1: adults: in no case applied
p.cedar:4:8: adults: in no case true: principal.age >= 18 && context.open
p.cedar:4:8: adults: in no case true: principal.age >= 18
p.cedar:4:31: adults: in no case reached: context.open
covered: 0 of 1 policies, 0 of 3 conditions
EOS

    $d = policy_dir($policies, @cases, one('closed', 20, 0));
    ($status, $out, $err) = tool('test', $d, '--coverage');

    is("$status $err$out", <<'EOS', 'all of it, once the case is there');
0 3 of 3 cases as expected
covered: 1 of 1 policies, 3 of 3 conditions
EOS
}


sub failing {
    my $d = policy_dir($policies, one('a child', 10, 1, 'allow'));
    my ($status, $out, $err) = tool('test', $d);

    is("$status $out", "1 0 of 1 cases as expected\n", 'a case fails');
    like($err, qr/^t\.case\.json: a child: expected allow for adults, got /,
        'and is named');

    my $failed = ask(1, 'test', $d, '--json')->{failed};

    is(@$failed, 1, 'one failed, as JSON');
    is_deeply([ @{ $failed->[0] }{qw/ file case expected /} ],
        [ 't.case.json', 'a child', { decision => 'allow',
            reason => [ 'adults' ], errors => [] } ], 'what was expected');
    is($failed->[0]{got}{decision}, 'deny', 'what came');

    # the right decision for the wrong reason

    my $case = one('an adult', 20, 1, 'allow');
    $case->{reason} = [];

    is(@{ ask(1, 'check', policy_dir($policies, $case), '--json')->{failed} },
        1, 'check --json: the wrong reason fails');
}


sub problems {
    my $d = policy_dir($policies . <<'EOS');
@id("no-basis")
permit (principal, action, resource) when { principal.size > 1 };
EOS

    my @args = ('--policies', "$d/p.cedar", '--schema', "$d/s.cedarschema");
    my $got = ask(1, 'validate', '--json', @args);

    ok(!$got->{valid}, 'validate --json: not valid');
    is(@{ $got->{problems} }, 1, 'one problem');
    is($got->{problems}[0]{file} . ':' . $got->{problems}[0]{line},
        'p.cedar:6', 'its place');
    like($got->{problems}[0]{text}, qr/size/, 'its text');
    like($got->{problems}[0]{source}, qr/^permit .*size > 1/, 'its line');

    is(@{ ask(1, 'check', $d, '--json')->{problems} }, 2,
        'check --json: the permit without basis too');

    $d = policy_dir($policies);
    @args = ('--policies', "$d/p.cedar", '--schema', "$d/s.cedarschema");

    is_deeply(ask(0, 'validate', '--json', @args),
        { problems => [], valid => JSON::PP::true }, 'valid');

    $got = ask(1, 'check', policy_dir('permit (principal'), '--json');

    is(@{ $got->{problems} }, 1, 'check --json: policies with an error');
    like($got->{problems}[0]{text}, qr/^p\.cedar:1:\d+: /, 'its place');
}


sub unreadable {
    my $none = policy_dir($policies);
    my $broken = policy_dir($policies);

    spew("$broken/t.case.json", '[{');

    for ([ qr/needs one directory; see --help/, 'test' ],
         [ qr/needs one directory; see --help/, 'check' ],
         [ qr/do not know what to do with "--cover"/, 'test', $none,
             '--cover' ],
         [ qr/do not know what to do with "--json"/, 'format', '--json' ],
         [ qr/: no case in \*\.case\.json; add some/, 'test', $none,
             '--json' ],
         [ qr/^t\.case\.json/, 'test', $broken, '--json' ],
         [ qr/^t\.case\.json/, 'check', $broken, '--json' ],
         [ qr/no-such-dir/, 'test', "$dir/no-such-dir" ],
         [ qr/no-such-dir/, 'check', "$dir/no-such-dir", '--json' ],
         [ qr/^p\.cedar:1:/, 'test', policy_dir('permit (') ],
         [ qr/no such command: nothing/, 'nothing' ])
    {
        my ($re, @args) = @$_;
        my ($status, $out, $err) = tool(@args);

        is("$status $out", '2 ', "status 2, nothing written: $args[0]");
        like($err, $re, 'what is wrong');
    }
}


sub help {
    for (qw/ check authorize explain test validate format to-json from-json
             link /)
    {
        my ($status, $out, $err) = tool($_, '--help');

        is("$status $err", '0 ', "$_ --help");
        like($out, qr/^usage: emage-policy $_ .*^exit status: 0 /ms,
            'says the usage and the exit statuses');
    }

    my ($status, $out, $err) = tool('--help');

    is("$status $err", '0 ', '--help');
    like($out, qr/^usage: emage-policy check\|.*\|test\|/, 'all commands');
}


# The object on standard output, and nothing on standard error.

sub ask {
    my ($expected, @args) = @_;
    my ($status, $out, $err) = tool(@args);

    is("$status $err", "$expected ", "status of @args[0, -1]");

    return eval { $json->decode($out) } // {};
}


sub one {
    my ($name, $age, $open, $decision) = @_;

    return { name => $name, request => {
            principal => { type => 'User', id => 'u' },
            action => { type => 'Action', id => 'read' },
            resource => { type => 'Doc', id => 'd' },
            context => { open => $open ? JSON::PP::true : JSON::PP::false } },
        entities => [
            { uid => { type => 'User', id => 'u' }, attrs => { age => $age },
              parents => [] },
            { uid => { type => 'Doc', id => 'd' }, attrs => {},
              parents => [] } ],
        decision => $decision // 'deny',
        reason => [ defined $decision ? 'adults' : () ], errors => [] };
}


sub policy_dir {
    my ($text, @cases) = @_;

    our $n //= 0;
    my $d = "$dir/p" . $n++;

    mkdir($d) or die "$d: $!";
    spew("$d/s.cedarschema", $schema);
    spew("$d/p.cedar", $text);
    spew("$d/t.case.json", $json->encode(\@cases)) if @cases;

    return $d;
}
