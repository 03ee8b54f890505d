#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# Searches: what a subject may retrieve and nothing else is listed and counted,
# page by page; a withdrawal empties the next list; strangers and unknown
# studies look alike; and the queries that viewers really send.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

use JSON::PP qw(decode_json);
use Time::HiRes qw(sleep);

my $t = Test::Emage->new(workers => 2);
my $many = $ENV{EMAGE_LONG} ? 1000 : 100;

$t->backend();
$t->issuer('people');

my ($rc, $out, $err) = run_command('/usr/bin/python3',
    "$Test::Emage::top/t/lib/search_set.py", $t->path('in'), "many=$many");
die "search_set.py: $err" if $rc;
my $set = decode_json($out);
my %study = map { $_ => $set->{$_}{study} } keys %$set;

$t->ingest($t->path('in'));
$t->share($study{$_}) for qw(zoe11 jane page1 lone);

$t->run(<<"CONF");
%%GLOBALS%%
events { worker_connections 512; }
http {
    %%HTTP%%
    emage_key %%TESTDIR%%/id.key;
    @{[ $t->issuer_block('people', kind => 'patient', subject_system =>
                         '750000001', claim_profession => undef,
                         claim_organisation => undef, claim_teams => undef,
                         organisation_system => undef, team_system => undef) ]}
    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% ssl http2;
        listen 127.0.0.1:%%PORT_2%% sndbuf=16k;
        location /dicom-web/ { emage %%STORE%%; }
    }
}
CONF

my $team = $t->professional();
my $stranger = $t->professional(sub => '899900000001', teams => [],
                                organisation => '759999999');
my $root = '/dicom-web';


sub answer {
    my ($path, %o) = @_;
    return $t->http_get("$root/$path", token => $team, %o);
}

sub list {
    my ($path, %o) = @_;
    my $r = answer($path, %o);
    my $rows = eval { decode_json($r->{body}) };

    unless ($r->{status} == 200 && ref $rows eq 'ARRAY') {
        diag "$path: status $r->{status}: $r->{body}";
        return [];
    }

    return $rows;
}

sub value {
    my ($row, $tag) = @_;
    my $v = $row->{$tag}{Value} or return undef;
    return join '\\', map { ref ? $_->{Alphabetic} : $_ } @$v;
}

my %name = map { $study{$_} => $_ } grep { !/^zoe(?!11)|^report/ } keys %study;

# The names of the studies of a list, in its order.

sub names {
    my ($path, %o) = @_;
    return join ' ', map { $name{value($_, '0020000D')} // '?' }
                     @{list($path, %o)};
}


# what the team may see, most recent first

my @pages = map { "page$_" } 11, 12, 10, 9, 7, 8, 5, 6, 3, 4, 1, 2;
my $all = "mr zoe11 jane @pages undated";

is(names('studies'), $all, 'the studies of the team');
is(names('studies?includefield=all'), $all, 'with all attributes');
is(names('studies', token => $stranger), '', 'a stranger has none');

my ($zoe) = grep { value($_, '0020000D') eq $study{zoe11} }
            @{list('studies')};
is(value($zoe, '00100010'), "M\x{fc}ller^Zo\x{eb}", 'a name');
is(value($zoe, '00080061'), 'CT', 'modalities: without the report');
is(value($zoe, '00201206'), 2, 'series: without its series');
is(value($zoe, '00201208'), 6, 'instances: without the report');
is(value($zoe, '00081190'), "$root/studies/$study{zoe11}", 'RetrieveURL');
is(value($zoe, '00100020'), $t->study_record($study{zoe11})->{pid},
   'PatientID: the regional one');
is(join(' ', grep { !defined value($zoe, $_) } sort keys %$zoe), '',
   'no attribute without a value');


# filters

my %filter = (
    'PatientName=m%C3%BCller*'       => 'mr zoe11',
    'PatientName=*zoe*'              => 'mr zoe11',
    'PatientName=MULLER%5EZOE'       => 'mr zoe11',
    'PatientName=*e'                 => 'mr zoe11 jane undated',
    'PatientName=Secret*'            => '',
    'PatientID=S-21'                 => 'mr zoe11',
    '00100020=*S-2*&StudyDate=2023-' => undef,
    'PatientID=S-23'                 => '',
    '00100020=S-2?&PatientSex=F'     => 'mr zoe11 jane undated',
    'StudyDate=20240110'             => 'zoe11',
    'StudyDate=20240101-20251231'    => 'mr zoe11',
    'StudyDate=-20220101'            => 'page1 page2',
    'StudyDate=20250315-'            => 'mr',
    'StudyTime=1015&StudyDate=20240110' => 'zoe11',
    'StudyTime=1016-&StudyDate=20240110' => '',
    'ModalitiesInStudy=MR'           => 'mr',
    'ModalitiesInStudy=SR'           => '',
    'StudyDescription=*routine'      => 'zoe11',
    'StudyDescription=*ROUTINE'      => '',
    'AccessionNumber=A21-*'          => 'mr zoe11',
    'ReferringPhysicianName=referent*&ModalitiesInStudy=MR' => 'mr',
    'NumberOfStudyRelatedInstances=6' => 'zoe11',
    'NumberOfStudyRelatedInstances=7' => '',
    "StudyInstanceUID=$study{mr}"    => 'mr',
    "StudyInstanceUID=$study{mr},$study{sam},1.2.3&"
        . "StudyInstanceUID=$study{jane}" => 'mr jane',
    "StudyInstanceUID=$study{sam}"   => '',
    'StudyInstanceUID=1.2.3'         => '',
    'limit=3'                        => 'mr zoe11 jane',
    'limit=2&offset=1'               => 'zoe11 jane',
    'limit=0'                        => '',
    'offset=100'                     => '',
    'PatientName=Page*&limit=4&offset=10' => 'page1 page2',
    'Modality=MR&limit=1'            => 'mr',
    'foo=bar&_=1&limit=1'            => 'mr',
);

for my $q (sort keys %filter) {
    if (defined $filter{$q}) {
        is(names("studies?$q"), $filter{$q}, $q);

    } else {
        is(answer("studies?$q")->{status}, 400, "$q: a bad request");
    }
}

is(answer("studies?$_")->{status}, 400, "$_: a bad request")
    for 'PatientName=a&PatientName=b', 'limit=x', 'StudyInstanceUID=a',
        'PatientName=%', 'PatientName=%00', 'fuzzymatching=maybe',
        'StudyDate=' . 'x' x 300, join '&', ('StudyInstanceUID=1') x 200;

my $pid = $t->study_record($study{mr})->{pid};
is(names("studies?PatientID=$pid"), 'mr zoe11', 'by the regional PatientID');
my $other = $t->study_record($study{sam})->{pid};
is(names("studies?PatientID=$other"), '', 'by that of another patient');

my $together = join ' ', map { names("studies?limit=5&offset=$_") }
                         0, 5, 10, 15;
is($together =~ s/ +$//r, $all, 'pages make the whole');

my $r = answer('studies?limit=10&fuzzymatching=true&Modality=CT');
like($r->{headers}{warning}, qr/fuzzymatching parameter is not supported/,
     'fuzzy matching: a warning');
like($r->{headers}{warning}, qr/1 attributes .* ignored/,
     'no key of studies: a warning');
like($r->{headers}{warning}, qr/There are 6 additional results/,
     'more: a warning');
ok(!answer('studies?fuzzymatching=false')->{headers}{warning},
   'otherwise none');


# an empty list helps the honest reader as a refusal does

my $refusal = answer('studies/1.2.3');
my $empty = answer('studies', token => $stranger);
is($empty->{body}, '[]', 'an empty list');
is($empty->{headers}{'x-emage-notice'},
   decode_json($refusal->{body})->{detail}, 'has the text of a refusal');
ok(!answer('studies')->{headers}{'x-emage-notice'}, 'others have not');


# media types

is(answer('studies', headers => { Accept => $_ })->{headers}{'content-type'},
   'application/dicom+json', "Accept: $_")
    for 'application/dicom+json', 'application/json', '*/*',
        'multipart/related; type="application/dicom+xml", '
        . 'application/dicom+json; q=0.5';
my %not_acceptable = map { $_ => answer('studies', headers =>
                                        { Accept => $_ }) }
     'multipart/related; type="application/dicom+xml"', 'text/html',
    'application/dicom';
is($not_acceptable{$_}{status}, 406, "Accept: $_")
    for sort keys %not_acceptable;

{
    my $c = $t->http();
    $c->send($t->request_text("$root/studies", token => $team, keep => 1,
                              headers => { Accept => 'text/html' }) x 2);
    is($c->response()->{status}, 406, 'one answer a request') for 1 .. 2;
    is($c->pull(1, 0.5) // 'nothing', 'nothing', 'and no more');
    $c->close();
}

my $head = answer('studies', method => 'HEAD');
is($head->{headers}{'content-length'}, length answer('studies')->{body},
   'HEAD');
is(answer('studies', method => 'POST')->{status}, 405, 'POST');
is($t->http_get("$root/studies")->{status}, 401, 'nobody');


# series and instances

sub uids {
    my ($path, $tag, %o) = @_;
    return join ' ', map { value($_, $tag) } @{list($path, %o)};
}

my $s = "studies/$study{zoe11}";
is(uids("$s/series", '0020000E'), "$set->{zoe11}{series} "
   . $set->{zoe21}{series}, 'series: not that of the report');
is(uids("$s/series?SeriesNumber=2", '0020000E'), $set->{zoe21}{series},
   'by number');
is(uids("$s/series?00400275.00400009=STEP1", '0020000E'),
   $set->{zoe11}{series}, 'by step');
is(uids("$s/series?Modality=SR", '0020000E'), '', 'by modality');
is(uids("$s/series", '00201209'), '3 3', 'instances of each');
is(value(list("$s/series")->[0], '00081190'),
   "$root/$s/series/$set->{zoe11}{series}", 'RetrieveURL of a series');
ok(!exists list("$s/series")->[0]{'00100010'}
   && exists list("$s/series?includefield=PatientName")->[0]{'00100010'},
   'attributes of the study when they are asked for');
is(uids("$s/instances", '00080018'), join(' ', map { $set->{$_}{instance} }
   qw(zoe11 zoe12 zoe13 zoe21 zoe22 zoe23)), 'instances');
is(uids("$s/series/$set->{zoe11}{series}/instances?InstanceNumber=2",
        '00080018'), $set->{zoe12}{instance}, 'of a series, by number');
is(uids("$s/series/$set->{report}{series}/instances", '00080018'), '',
   'of the series of the report');
is(uids("$s/instances?limit=2&offset=3", '00200013'), '1 2', 'a page');
ok(exists list("$s/instances")->[0]{'00080060'},
   'with the attributes of the series');
is(uids("series?PatientID=S-21&Modality=MR", '0020000E'),
   $set->{mr}{series}, 'series of all studies');
is(uids('instances?limit=3&PatientName=page*', '0020000D'),
   join(' ', map { $study{$_} } @pages[0 .. 2]), 'instances of all studies');
is(scalar @{list('instances')}, 6 + 1 + 1 + 12 + 1, 'every one of them');


# lists agree with what can be retrieved

sub retrieved {
    my ($path) = @_;
    my $r = answer("$path/metadata", headers => { Accept => '*/*' });
    return 'none' if $r->{status} == 404;
    return join ' ', sort map { $_->{'00080018'}{Value}[0] }
                     @{decode_json($r->{body})};
}

sub agrees {
    my ($what) = @_;

    for my $n (qw(zoe11 mr jane lone sam)) {
        my $listed = join ' ', sort split ' ',
                     uids("studies/$study{$n}/instances", '00080018');
        is($listed || 'none', retrieved("studies/$study{$n}"),
           "$what: $n lists what it gives");

        my ($row) = @{list("studies?StudyInstanceUID=$study{$n}")};
        my @series = @{list("studies/$study{$n}/series")};
        my $n1 = @series;
        my $n2 = 0;
        my %m;

        $n2 += value($_, '00201209') // 0, $m{value($_, '00080060')}++
            for @series;
        is(defined $row ? value($row, '00201206') . ' '
           . value($row, '00201208') . ' ' . (value($row, '00080061') // '')
           : '0 0 ', "$n1 $n2 " . join('\\', sort keys %m),
           "$what: $n counts what it lists");
        is($n2, scalar(split(' ', $listed)), "$what: $n counts instances");
    }
}

agrees('no status');
is(names("studies?StudyInstanceUID=$study{lone}"), '',
   'a report without a status: no study');
$t->consent('report-status', '--study', $set->{$_}{study}, '--instance',
            $set->{$_}{instance}, '--status', 'final') for qw(report lone);
agrees('final');
is(names("studies?StudyInstanceUID=$study{lone}"), 'lone', 'once it is final');
is(names('studies?ModalitiesInStudy=SR'), 'lone zoe11', 'found by modality');


# strangers, and who is asked for what is not theirs

sub bytes {
    my ($path, %o) = @_;
    my $r = answer($path, %o);
    my %h = %{$r->{headers}};
    delete @h{qw(date x-emage-request)};
    return join "\n", $r->{status}, (map { "$_: $h{$_}" } sort keys %h),
                      $r->{body};
}

for my $what ('series', 'instances', 'series/1.2/instances',
              'series?SeriesNumber=1', 'instances?fuzzymatching=true')
{
    my $unknown = bytes("studies/1.2.3.4/$what", token => $stranger);
    is(bytes("studies/$study{$_}/$what", token => $stranger), $unknown,
       "studies/$_/$what is as unknown to a stranger") for qw(zoe11 sam);
    is(bytes("studies/$study{sam}/$what"), $unknown, 'and to the team');
}

is(bytes("studies?StudyInstanceUID=$study{sam}"),
   bytes('studies?StudyInstanceUID=1.2.3.4'), 'and in the list of studies');
is(bytes("studies?PatientID=$other"),
   bytes('studies?PatientID=' . '0' x 32), 'and of patients');


# a patient, by identifier

my %self = (issuer => 'people', sub => 'S-23', purpose => 'PATRQT');
my $sam = $t->token(%self);

is(names('studies', token => $sam), '', 'a patient before the release');
$t->consent('release', 'at-once', '--study', $study{sam});
is(names('studies', token => $sam), 'sam', 'after it');
is(names('studies', token => $t->token(%self, sub => 'S-25')), 'lone',
   "a patient's own report");
is(names('studies?PatientName=*', token => $t->token(%self, sub => 'S-25')),
   'lone', 'and nothing else');
is(names('studies', token => $t->token(%self, sub => 'S-99')), '',
   'a patient who is not known');
is(names("studies?StudyInstanceUID=$study{zoe11}",
         token => $t->token(%self, sub => 'S-25')), '',
   "not another patient's");


# named by an override alone: the hint leads there, the policy decides

my $emergency = $t->professional(sub => '899900000002', teams => [],
                                 organisation => '759999999');
is(names('studies', token => $emergency), '', 'before the override');
$t->consent('override', '--study', $study{sam}, '--professional',
            $t->subject('899900000002'), '--purpose', 'BTG', '--reason', 'test');
is(names('studies', token => $emergency), 'sam', 'with it');
is(names('studies', token => $stranger), '', 'for nobody else');


# a withdrawal empties the next list; other patients stay

sub set_sharing {
    my ($name, $value) = @_;
    $t->consent($value eq 'withdrawn' ? ('withdraw', '--study', $study{$name})
                : ('set', '--study', $study{$name}, '--sharing', $value));
}

for my $round (1 .. 3) {
    set_sharing('zoe11', 'withdrawn');
    is(names('studies?PatientName=M%C3%BC*'), '', "withdrawn, round $round");
    is(names('studies?PatientName=Doe*'), 'jane undated', 'not the others');
    is(bytes("$s/series"), bytes('studies/1.2.3.4/series'),
       'its series are unknown');
    set_sharing('zoe11', 'active');
    is(names('studies?PatientName=M%C3%BC*'), 'mr zoe11', 'given again');
}


# what OHIF sends

my $fields = 'includefield=00081030%2C00080060%2C00080090%2C00100030';
my $ohif = "studies?limit=101&offset=0&fuzzymatching=false&$fields";

is(names($ohif), "lone $all", 'OHIF: the list');
is(names("$ohif&PatientName=*Doe*"), 'jane undated', 'OHIF: by name');
is(names("$ohif&00100020=*S-21*"), 'mr zoe11', 'OHIF: by id');
is(names("$ohif&AccessionNumber=*21-2*"), 'mr', 'OHIF: by accession');
is(names("$ohif&StudyDescription=*nee*"), 'mr', 'OHIF: by description');
is(names("$ohif&ModalitiesInStudy=MR"), 'mr', 'OHIF: by modality');
is(names("$ohif&StudyDate=20240101-20241231"), 'zoe11', 'OHIF: by date');
is(names("$ohif&StudyInstanceUID=$study{mr}&StudyInstanceUID=$study{mr}"),
   'mr', 'OHIF: a study, twice');
is(names("studies?00100020=$pid&$fields"), 'mr zoe11', 'OHIF: priors');
is(uids("$s/series?includefield=0008103E%2C00080021", '0008103E'),
   'Series 1 Series 2 Series 9', 'OHIF: a row opened');
is(uids("$s/series?includefield=00080021%2C00080031%2C0008103E%2C00200011",
        '00200011'), '1 2 9', 'OHIF: a study opened');


# many studies: more than fetches under way, several turns

$t->share($study{many1});
is(scalar @{list('studies?PatientName=Many*')}, $many, "$many studies more");
is(scalar @{list('series?PatientName=Many*&limit=90')}, 90, 'their series');
is(names('studies?PatientName=Many*&offset=' . ($many - 1)),
   (sort { $study{$b} cmp $study{$a} } grep { /^many/ } keys %study)[0],
   'the last of them');
set_sharing('many1', 'withdrawn');
is(scalar @{list('studies?PatientName=Many*')}, 0, 'and none');
is(names($ohif), "lone $all", 'the others stay');
set_sharing('many1', 'active');


# a list that is being sent is cut off when one whom it names withdraws

sub open_list {
    my $c = $t->http(port => $t->port(2), rcvbuf => 4096);
    $c->send($t->request_text("$root/studies?PatientName=Many*",
                              token => $team));
    $c->pull(1024, 10);
    sleep 0.3;
    return $c;
}

{
    my $length = length answer('studies?PatientName=Many*')->{body};
    my $c = open_list();

    set_sharing('zoe11', $_) for qw(withdrawn active);
    my $n = $c->drain(3);
    cmp_ok($n, '>', $length, 'a change of another patient: sent whole');
    $c->close();

    $c = open_list();
    set_sharing('many1', 'withdrawn');
    sleep 0.25;
    $n = $c->drain(3);
    cmp_ok($n, '<', $length, 'a withdrawal: cut off');
    ok($c->{reset}, 'and reset');
    $c->close();
    set_sharing('many1', 'active');
}


# the journal: one durable intent before, names as keyed hashes

sub wait_journal {
    my ($code) = @_;
    my @found;
    $t->wait_for('the record', 15, sub {
        @found = grep { $code->($_) } $t->journal('access');
        return scalar @found;
    });
    return $found[0] // {};
}

list('studies?PatientName=*zoe*&PatientBirthDate=19700102&StudyDate=2024'
     . '0110-&PatientID=S-21&limit=7');
my $intent = wait_journal(sub {
    $_[0]{type} eq 'intent' && ($_[0]{query}{limit} // 0) == 7;
});
is($intent->{action}, 'search-studies', 'the intent: what was done');
is($intent->{query}{StudyDate}, '20240110-', 'a date of a study');
like($intent->{query}{$_}, qr/^[0-9a-f]{32}$/, "$_ is a keyed hash")
    for qw(PatientName PatientID PatientBirthDate);
is($intent->{rows}, 2, 'the number of rows');
is(join(' ', @{$intent->{studies}}), "$study{mr} $study{zoe11}",
   'the studies that were listed');
is(join(' ', @{$intent->{pids}}), $pid, 'and whose they are');

my $outcome = wait_journal(sub {
    $_[0]{type} eq 'outcome'
    && $_[0]{decision_id} eq ($intent->{decision_id} // '');
});
is($outcome->{rows}, 2, 'the outcome has the number of rows');
is(scalar(grep { slurp($_) =~ /zoe|S-21|19700102/i }
          glob $t->path('journal/access/*')), 0,
   'the journal names nobody');

my ($code, $found) = $t->tool('emage-audit', 'search', '--pid', $pid,
                              $t->path('journal/access'));
like($found, qr/$intent->{decision_id}/,
     'emage-audit finds a search by whom it listed');

my ($refused) = grep { $_->{type} eq 'refusal'
                       && $_->{action} eq 'search-series' }
                $t->journal('access');
ok($refused->{study}, 'a study that may not be seen: a refusal');


# Redis is killed in the middle

{
    my $until = time() + 30;
    my %status;
    my $pid = $t->{pids}{redis};

    kill 'STOP', $pid;
    my $r = answer('studies');
    is($r->{status}, 503, 'Redis does not answer: 503');
    is($r->{headers}{'retry-after'}, 1, 'to be tried again');
    kill 'CONT', $pid;
    ok($t->wait_for('recovery', 10, sub {
        answer('studies')->{status} == 200;
    }), 'and served again');

    $t->end('redis', KILL => 10);
    isnt(answer('studies')->{status}, 200, 'Redis is gone: not served');
    sleep 2;
    is(answer("$s/series")->{status}, 503, 'nor a study');
    $t->redis_start();
    ok($t->wait_for('recovery', 20, sub {
        answer('studies')->{status} == 200;
    }), 'a new Redis, reconciled: served again');
    is(names('studies?PatientName=M%C3%BC*'), 'mr zoe11', 'the same list');
}


# a damaged study is left out, the others stay

my $file = $t->store() . "/studies/$study{jane}/" . $t->revision($study{jane})
           . '/study.json';
my $json = slurp($file);
$t->reload();
unlink $file;
spew($file, '{"version":1}');
is(names('studies?PatientName=Doe*'), 'undated', 'a damaged study is left out');
like($t->error_log(), qr/study\.json.*cannot be used.*emage-store verify/,
     'and logged, with the remedy');
unlink $file;
spew($file, $json);
is(names('studies?PatientName=Doe*'), 'jane undated', 'mended');
