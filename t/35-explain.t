#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# emage-policy explain: what it says of a request is what the authorizer
# decides, with sentences and values, in English and French.

use lib 't/lib';
use Test::Emage::Policy;

my $policy = "$Test::Emage::Policy::top/conf/policy";

my $schema = <<'EOF';
entity Team;
entity User in [Team] { age: Long, nick?: String };
entity Doc { owner: User, tags: Set<String> };
action read appliesTo { principal: [User], resource: [Doc],
    context: { ip: ipaddr, at: datetime } };
EOF

agrees();
words();
shipped();
generic();
faults();
records();
wrong();

done_testing();

###############################################################################

# Every case: explain's reasons are the case's, and it reaches the same answer.

sub agrees {
    my ($n, @differ) = (0);

    for my $file (sort glob("$policy/*.case.json")) {
        my $cases = $json->decode(slurp($file));
        my ($status, $out, $err) = tool('explain', $policy, '--requests',
            $file, '--json');
        my $said = $status == 0 ? $json->decode($out) : [];

        is("$status $err", '0 ', $file =~ s!.*/!!r);
        is(scalar @$said, scalar @$cases, 'as many answers as cases');

        for my $i (0 .. $#$cases) {
            my ($c, $s) = ($cases->[$i], $said->[$i]);
            my @applies = map { $_->{id} }
                grep { ref $_->{applies} && $_->{applies}
                       && ($_->{effect} eq 'permit')
                          == ($c->{decision} eq 'allow') }
                @{$s->{policies}};
            my $want = join ' ', sort @{$c->{reason}};

            $n++;
            push @differ, $c->{name}
                if $s->{decision} ne $c->{decision}
                   || join(' ', sort @{$s->{reason}}) ne $want
                   || join(' ', sort @applies) ne $want;
        }
    }

    cmp_ok($n, '>', 100, "explained $n cases");
    is("@differ", '', 'and each as it is decided');
}

sub one {
    my ($name, @more) = @_;

    my ($file) = $name =~ /^(\w+)/;
    my ($status, $out, $err) = tool('explain', $policy, '--requests',
        "$policy/$file.case.json", '--name', $name, @more);

    is("$status $err", '0 ', "$name @more");

    return $out;
}

sub words {
    my $name = 'refusals: several at once';
    my $en = one($name);

    like($en, qr/^REFUSED$/m, 'the decision');
    like($en, qr/^Refused by:\n\n  sharing-withdrawn\n    The patient refused/m,
        'who refused, in a sentence');
    like($en, qr/^    basis: CSP art\. L1110-4 IV/m, 'with the law');
    has($en, '      when    yes  the consent to sharing is withdrawn or'
        . ' refused  [withdrawn]', 'a condition that holds');
    has($en, '      unless  no   the one who asks is a patient'
        . '  [a professional]', 'an exception that does not');
    like($en, qr/^Would permit, if .*:\n.*^  professional-images$/ms,
        'what could permit');
    has($en, '      when    no   the consent to sharing is active'
        . '  [withdrawn]', 'and what it misses');
    like($en, qr/^About others: patient-images, /m, 'who is not concerned');

    my $fr = one($name, '--lang', 'fr');

    like($fr, qr/^REFUSÉ$/m, 'in French');
    like($fr, qr/^Refusé par :\n\n  sharing-withdrawn\n    Le patient a ref/m,
        'who refused');
    has($fr, '      si       oui  le consentement au partage est retiré ou'
        . ' refusé  [retiré]', 'a condition');
    has($fr, '      sauf si  non  la personne qui demande est un patient'
        . '  [un professionnel]', 'an exception');
    unlike($fr, qr/^ *(?:when|unless|Refused)\b/m, 'and no English');
}

sub has {
    my ($text, $line, $name) = @_;

    like($text, qr/^\Q$line\E$/m, $name);
}

# Every policy, attribute and type that ships is called something.

sub shipped {
    my $text = slurp("$policy/emage.cedarschema");
    my @attrs = $text =~ /^\s+(\w+): (?:String|Bool)/gm;

    for my $lang (qw/ en fr /) {
        my $out = one('refusals: several at once', '--json', '--lang', $lang);
        my $policies = $json->decode($out)->[0]{policies};
        my @nameless = map { $_->{id} } grep { $_->{label} eq '' } @$policies;

        is("@nameless", '', "every policy has a sentence: $lang");

        my @labels = $text =~ /\@label_$lang\("[^"]+"\)
            (?:\s*\@\w+\("[^"]+"\))*\s*(\w+):/gx;

        is("@labels", "@attrs", 'every attribute has a name');

        my $words = join "\n", map { $_->{words} }
            map { @{$_->{parts}} } @$policies;

        unlike($words, qr/context\.|resource\.|principal\./,
            'so that no condition is left in code');
    }
}

# Faults, other attributes, other operators: said as they stand.

sub generic {
    my $text = ask(17, <<'EOF');
@id("all")
permit (principal in Team::"a", action == Action::"read", resource)
when { principal.age >= 18 && principal.age < 65 || resource.owner == principal }
when { resource.tags.contains("open") && context.at > datetime("2026-01-01") }
unless { context.ip.isInRange(ip("10.0.0.0/8")) }
unless { principal has nick && principal.nick like "x*" };
EOF

    like($text, qr/^PERMITTED$/m, 'generic: permitted, by the owner');
    has($text, '      when    yes  (principal.age is at least 18, and'
        . ' principal.age is less than 65), or resource.owner is the one who'
        . ' asks  [principal.age: 17; resource.owner: User::"u"; the one who'
        . ' asks: User::"u"]', 'a row in a row');
    has($text, '      when    yes  resource.tags contains "open"  [["open"]]',
        'a set');
    has($text, '      when    yes  context.at is more than'
        . ' datetime("2026-01-01")  [datetime("2026-11-24T00:00:00.000Z")]',
        'a time');
    has($text, '      unless  no   context.ip.isInRange(ip("10.0.0.0/8"))'
        . '  [ip("192.0.2.1")]', 'an address');
    has($text, '      unless  no   the one who asks has nick  [User::"u"]',
        'an attribute that is not there');
    has($text, '      unless  ??   principal.nick like "x*" -- attribute'
        . ' missing', 'so what is behind has no value, and is not reached');
}

sub faults {
    my $set = '@id("over") permit (principal, action, resource) when {'
        . ' principal.age + 9223372036854775807 > 0 };';
    my $text = ask(17, $set);

    like($text, qr/^REFUSED\nA policy could not be evaluated/m, 'a fault');
    like($text, qr/^Could not be evaluated:\n\n  over\n.*integer overflow$/ms,
        'where, and why');

    my $all = $json->decode(ask(17, $set, '--json'))->[0];

    is("@{$all->{errors}} $all->{policies}[0]{applies}", 'over error',
        'as JSON');
    ok(!$all->{served}, 'nothing is served');
}

sub ask {
    my ($age, $policies, @more) = @_;

    mkdir "$dir/p";
    spew("$dir/p/s.cedarschema", $schema);
    spew("$dir/p/p.cedar", $policies);
    spew("$dir/e.json", $json->encode([
        { uid => { type => 'User', id => 'u' }, attrs => { age => $age },
          parents => [ { type => 'Team', id => 'a' } ] },
        { uid => { type => 'Doc', id => 'd' }, parents => [], attrs => {
            owner => { type => 'User', id => 'u' }, tags => [ 'open' ] } },
    ]));
    spew("$dir/r.json", $json->encode([ {
        principal => { type => 'User', id => 'u' },
        action => { type => 'Action', id => 'read' },
        resource => { type => 'Doc', id => 'd' },
        context => { ip => '192.0.2.1', at => '2026-11-24' } } ]));

    my ($status, $out, $err) = tool('explain', "$dir/p", '--requests',
        "$dir/r.json", '--entities', "$dir/e.json", @more);

    is("$status $err", '0 ', 'explained');

    return $out;
}

# Records as "emage-consent show" prints them; t/30-decision.t has real ones.

sub records {
    for (['{"patient": {}, "studies": []}',
          qr/^emage-policy: the records hold no study 1\.2\.3$/],
         ['{"patient": {}, "studies": [{"study": "1.2.3"}]}',
          qr/^emage-policy: .+$/],
         ['{"patient": ',
          qr/^emage-policy: not records: .*; give what "emage-consent show"/])
    {
        spew("$dir/shown.json", $_->[0]);

        my ($status, $out, $err) = tool('explain', $policy, '--records',
            "$dir/shown.json", '--study', '1.2.3', '--subject', 'urn:x|1');

        is("$status $out", '2 ', "not to be read: $_->[0]");
        like($err, $_->[1], 'is said');
    }
}

sub wrong {
    my @who = ('--subject', 'urn:x|1');

    for ([ [], 'needs a directory' ],
         [ [ $policy ], 'needs a directory' ],
         [ [ $policy, '--study', '1.2' ], 'needs a directory' ],
         [ [ $policy, '--study', '1.2', @who, '--lang', 'de' ],
           '--lang is en or fr' ],
         [ [ $policy, '--requests', "$dir/none.json" ], 'No such file' ],
         [ [ $policy, '--requests', "$policy/refusals.case.json", '--name',
             'nobody' ], 'no request in it is called nobody' ],
         [ [ $policy, '--study', '1.2', @who, '--redis',
             "unix:$dir/no.sock" ], 'no.sock' ],
         [ [ "$dir/nowhere", '--study', '1.2', @who ], 'nowhere' ])
    {
        my ($status, $out, $err) = tool('explain', @{$_->[0]});

        is("$status $out", '2 ', "refused: $_->[1]");
        like($err, qr/\A[^\n]*\Q$_->[1]\E[^\n]*\n\z/, 'in one sentence');
    }
}
