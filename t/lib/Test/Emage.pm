package Test::Emage;

# Copyright (C) The e-mage authors
#
# A whole node for one test: a scratch directory with a private Redis, the
# reconcile daemon, Debian's nginx with the module, issuer keys, a store that
# is filled through emage-store.  At the end of every test the error log, the
# journal's chain, and each served answer's earlier intent are checked.
#
# Environment: EMAGE_BUILD (default build), EMAGE_SHARED (default ../shared),
# EMAGE_LEAVE=1 keeps the scratch directory.

use strict;
use warnings;

use Cwd ();
use File::Path ();
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(time sleep);

use Test::Emage::Check;
use Test::Emage::Dicom;
use Test::Emage::Http;
use Test::Emage::Process;
use Test::Emage::Resp;

use parent -norequire, 'Exporter', 'Test::Emage::Process',
                       'Test::Emage::Dicom';
our @EXPORT = (@Test::More::EXPORT, @Test::Emage::Process::EXPORT);

our ($top) = Cwd::abs_path(__FILE__) =~ m{^(.*)/t/lib/Test/Emage\.pm$};
our $build = $ENV{EMAGE_BUILD} // 'build';
$build = "$top/$build" unless $build =~ m{^/};
our $shared = $ENV{EMAGE_SHARED} // "$top/../shared";

our %professional = (sub => '810101201234', profession => 'physician',
                     organisation => '750000001', purpose => 'TREAT',
                     teams => ['radiology']);
our $subject_system = 'urn:oid:1.2.250.1.71.4.2.1';
our $org_system = 'urn:oid:1.2.250.1.71.4.2.2';
our $team_system = 'urn:example:teams';

my @live;


sub new {
    my ($class, %o) = @_;

    my $dir = File::Temp::tempdir('emage-XXXXXX', TMPDIR => 1);
    chmod 0755, $dir;

    my $self = bless { dir => $dir, pids => {}, served => [], allowed => [],
                       workers => 2, owner => $$, %o, ports => [],
                       locks => [] }, $class;

    mkdir "$dir/$_" or die "$dir/$_: $!" for qw(logs store journal tmp redis);

    $self->{env} = {
        EMAGE_REDIS => "unix:$dir/redis.sock", EMAGE_STORE => "$dir/store",
        EMAGE_JOURNAL => "$dir/journal", EMAGE_KEY => "$dir/id.key",
        ASAN_OPTIONS => 'detect_leaks=0:abort_on_error=0',
        UBSAN_OPTIONS => 'print_stacktrace=1',
    };

    push @live, $self;
    return $self;
}


sub dir { $_[0]{dir} }
sub path { "$_[0]{dir}/$_[1]" }
sub store { "$_[0]{dir}/store" }
sub shared { -d "$shared/$_[1]" ? "$shared/$_[1]" : undef }


# A free port of the loopback address; a datagram socket on the same number
# keeps other tests away from it.

sub port {
    my ($self, $n) = @_;

    until (defined $self->{ports}[$n // 0]) {
        my $port = 10000 + int rand 20000;
        my $lock = IO::Socket::INET->new(Proto => 'udp', LocalPort => $port,
                                         LocalAddr => '127.0.0.1') or next;
        IO::Socket::INET->new(Proto => 'tcp', LocalAddr => '127.0.0.1',
                              LocalPort => $port, Listen => 1) or next;
        push @{$self->{locks}}, $lock;
        push @{$self->{ports}}, $port;
    }

    return $self->{ports}[$n // 0];
}


# tools

# Runs one of our tools: (exit status, standard output, standard error).

sub tool {
    my ($self, $name, @args) = @_;
    local %ENV = (%ENV, %{$self->{env}});
    return run_command("$build/bin/$name", @args);
}

sub tool_ok {
    my ($self, $name, @args) = @_;
    my ($rc, $out, $err) = $self->tool($name, @args);
    die "$name @args: exit $rc: $err$out" if $rc != 0;
    return $out;
}

# A command that finds Redis being reconciled says "try again": so it is done.

sub consent {
    my ($self, @args) = @_;

    for (1 .. 20) {
        my ($rc, $out, $err) = $self->tool('emage-consent', @args);
        return $out if $rc == 0;
        last if $err !~ /not reconciled yet/;
        sleep 0.5;
    }

    return $self->tool_ok('emage-consent', @args);
}


# redis and its daemon

sub redis_start {
    my ($self) = @_;
    my $d = $self->{dir};

    $self->spawn('redis', 'redis-server', '--port', 0, '--unixsocket',
                 "$d/redis.sock", '--dir', "$d/redis", '--appendonly', 'yes',
                 '--appendfsync', 'always', '--save', '',
                 '--logfile', "$d/logs/redis.log");
    return $self->wait_for('redis', 10, sub {
        my $r = $self->redis();
        return $r && eval { $r->call('PING') };
    });
}

sub redis { Test::Emage::Resp->new("$_[0]{dir}/redis.sock") }

sub reconcile_start {
    my ($self) = @_;

    $self->spawn('reconcile', "$build/bin/emage-consent", 'reconcile');
    return $self->wait_for('reconciliation', 15, sub {
        my $r = $self->redis() or return 0;
        my $id = eval { $r->call('GET', 'emage:{0}:reconciled') } or return 0;
        return $r->call('INFO', 'server') =~ /run_id:\Q$id\E/;
    });
}


# Redis, init, reconcile, keys: everything but nginx.

sub backend {
    my ($self) = @_;
    return if $self->{backend}++;

    $self->redis_start() or die "redis does not start\n";
    $self->consent('init');
    $self->reconcile_start()
        or die "reconcile does not end: "
               . slurp($self->path('logs/reconcile.err'));
    $self->issuer('pro');
}


# keys and tokens

sub issuer {
    my ($self, $name, $alg) = @_;
    $alg //= 'ES256';
    my $key = $self->path("$name.jwk");

    $self->tool_ok('emage-token', 'keygen', '--kty',
                   $alg eq 'ES256' ? 'EC' : 'RSA', '--alg', $alg,
                   '--out', $key);
    spew($self->path("$name.jwks"),
         $self->tool_ok('emage-token', 'public', '--key', $key));
    $self->{issuers}{$name} = { key => $key, alg => $alg };
}

sub token {
    my ($self, %claims) = @_;
    my $name = delete $claims{issuer} // 'pro';
    my $now = int time();

    # a claim that is undef is left out; exp, which is always there, is null

    %claims = (iss => "https://$name.example", aud => 'emage', iat => $now,
               exp => $now + 3600, %claims);
    delete $claims{$_} for grep { !defined $claims{$_} && $_ ne 'exp' }
                           keys %claims;

    my $out = $self->tool_ok('emage-token', 'sign', '--key',
                             $self->{issuers}{$name}{key}, '--claims',
                             JSON::PP->new->canonical->ascii
                                 ->encode(\%claims));
    chomp $out;
    return $out;
}

# A session for the claims that a token would have: the value of its cookie.
# `idle` and `lifetime`: seconds.

sub session {
    my ($self, %claims) = @_;
    my $name = delete $claims{issuer} // 'pro';
    my @args = map { defined $claims{$_} ? ("--$_", delete $claims{$_}) : () }
               qw(idle lifetime);

    %claims = (%professional, iss => "https://$name.example", aud => 'emage',
               %claims);

    my $out = $self->tool_ok('emage-token', 'session', @args, '--claims',
                             JSON::PP->new->canonical->ascii
                                 ->encode(\%claims));
    chomp $out;
    return $out;
}

sub professional { my $self = shift; $self->token(%professional, @_) }

sub subject { "$subject_system|" . ($_[1] // $professional{sub}) }


# nginx

sub tls {
    my ($self) = @_;
    my $d = $self->{dir};
    return if -e "$d/tls.crt";

    my ($rc, $out, $err) = run_command('openssl', 'req', '-x509', '-newkey',
        'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout',
        "$d/tls.key", '-out', "$d/tls.crt", '-days', 2, '-subj',
        '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost');
    die "openssl: $err" if $rc;
}

sub globals {
    my ($self) = @_;
    my $user = $> == 0 ? 'user root;' : '';

    return "load_module $build/modules/ngx_http_emage_module.so;\n"
           . "daemon off; $user worker_processes $self->{workers};\n"
           . "pid $self->{dir}/nginx.pid;\n"
           . "error_log $self->{dir}/logs/error.log info;\n"
           . "worker_shutdown_timeout 20s;\n";
}

sub http_block {
    my ($self, %o) = @_;
    my $d = $self->{dir};
    my $issuers = $o{issuers} // $self->issuer_block('pro');
    my $temp = join '', map { "${_}_temp_path $d/tmp/$_;\n" }
               qw(client_body proxy fastcgi uwsgi scgi);

    return "${temp}access_log off; client_header_buffer_size 4k;\n"
           . "large_client_header_buffers 4 16k; sendfile on;\n"
           . "ssl_certificate $d/tls.crt; ssl_certificate_key $d/tls.key;\n"
           . "ssl_protocols TLSv1.3; keepalive_requests 100000;\n"
           . "emage_redis unix:$d/redis.sock timeout=500ms;\n"
           . "emage_policy " . ($o{policy} // "$top/conf/policy") . ";\n"
           . "emage_journal $d/journal;\n$issuers";
}

sub issuer_block {
    my ($self, $name, %o) = @_;

    my %d = (issuer => "https://$name.example", audience => 'emage',
             jwks => "$self->{dir}/$name.jwks", algorithms => 'ES256',
             kind => 'professional', claim_profession => 'profession',
             claim_organisation => 'organisation', claim_purpose => 'purpose',
             claim_teams => 'teams', subject_system => $subject_system,
             organisation_system => $org_system,
             team_system => $team_system, %o);

    return "emage_issuer $name {\n"
           . join('', map { "    $_ $d{$_};\n" }
                      grep { defined $d{$_} } sort keys %d) . "}\n";
}

our $default_conf = <<'CONF';
%%GLOBALS%%
events { worker_connections 512; }
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% ssl http2;
        server_name localhost;
        location /dicom-web/ { emage %%STORE%%; }
    }
}
CONF

sub expand {
    my ($self, $text) = @_;

    $text =~ s/%%GLOBALS%%/$self->globals()/ge;
    $text =~ s/%%HTTP%%/$self->http_block(%{$self->{http} || {}})/ge;
    $text =~ s/%%TESTDIR%%/$self->{dir}/g;
    $text =~ s/%%STORE%%/$self->store()/ge;
    $text =~ s/%%TOP%%/$top/g;
    $text =~ s/%%PORT_(\d)%%/$self->port($1)/ge;
    return $text;
}

sub nginx_command {
    my ($self, @args) = @_;
    my $d = $self->{dir};

    return (($build =~ /asan/ ? ('env', 'LD_PRELOAD=' . asan_libraries()) : ()),
            '/usr/sbin/nginx', '-p', $d, '-c', "$d/nginx.conf",
            '-e', "$d/logs/error.log", @args);
}

my $asan;

sub asan_libraries {
    return $asan //= join ':',
        map { chomp(my $p = `gcc -print-file-name=$_`); $p }
        qw(libasan.so libubsan.so);
}

# nginx -t on a configuration: (exit status, what it says).

sub nginx_test {
    my ($self, $conf) = @_;
    $self->tls();
    spew($self->path('nginx.conf'), $self->expand($conf));
    my ($rc, $out, $err) = run_command($self->nginx_command('-t', '-e',
        $self->path('conf-test.log')));
    return ($rc, $out . $err);
}

sub run {
    my ($self, $conf) = @_;

    $self->backend();
    $self->tls();
    spew($self->path('nginx.conf'), $self->expand($conf // $default_conf));
    $self->nginx_start() or die "nginx does not start: "
        . slurp($self->path('logs/nginx.err'))
        . slurp($self->path('logs/error.log'));
    return $self;
}

sub nginx_start {
    my ($self) = @_;
    my $pid = $self->spawn('nginx', $self->nginx_command());

    return $self->wait_for('nginx', 20, sub {
        die "nginx ended at once\n"
            if waitpid($pid, POSIX::WNOHANG()) == $pid
               && delete $self->{pids}{nginx};
        return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $self->port(0));
    }) && $self->wait_lease();
}

# Until the node holds its lease: anything but 503.

sub wait_lease {
    my ($self) = @_;
    return 1 if $self->{no_lease};
    my $token = $self->{lease_token} //= $self->professional();

    return $self->wait_for('the lease', 10, sub {
        my $r = eval { $self->http_get('/dicom-web/studies/1.2.3.4.5',
                                       token => $token) };
        return $r && $r->{status} == 404;
    });
}

sub workers_pids {
    my ($self) = @_;
    my $master = $self->{pids}{nginx} or return ();
    open my $f, '<', "/proc/$master/task/$master/children" or return ();
    return split ' ', scalar(<$f>) // '';
}

sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->workers_pids();

    kill 'HUP', $self->{pids}{nginx};
    return $self->wait_for('reload', 30, sub {
        my @now = $self->workers_pids();
        return @now && !grep { $old{$_} } @now;
    });
}

sub stop { my ($self) = @_; return $self->end('nginx', QUIT => 30) }


# requests; each served answer is remembered for the check at the end

sub http {
    my ($self, %o) = @_;
    return Test::Emage::Http->new(port => $self->port($o{tls} ? 1 : 0), %o,
        ($o{tls} ? (tls => $self->path('tls.crt')) : ()));
}

sub request_text {
    my ($self, $path, %o) = @_;
    my $method = $o{method} // 'GET';

    return "$method $path HTTP/1.1\r\nHost: " . ($o{host} // 'localhost')
           . "\r\n" . ($o{token} ? "Authorization: Bearer $o{token}\r\n" : '')
           . join('', map { "$_: $o{headers}{$_}\r\n" }
                      sort keys %{$o{headers} || {}})
           . ($o{keep} ? '' : "Connection: close\r\n") . "\r\n";
}

sub http_get {
    my ($self, $path, %o) = @_;
    my $c = $self->http(%{$o{connection} || {}});

    $c->send($self->request_text($path, %o));
    my $r = $c->response(head => ($o{method} // '') eq 'HEAD');
    $c->close();
    $self->served($o{as} // $path, $r);
    return $r;
}

sub served {
    my ($self, $path, $r) = @_;
    return unless ($r->{status} == 200 || $r->{status} == 206)
                  && $path =~ m{/studies/} && !$r->{unguarded}
                  && $r->{body} ne '[]';
    push @{$self->{served}}, { path => $path, first => $r->{first} // time(),
                               body => length $r->{body} };
}


# The journal's records in order, decoded, with their file: access or ledger.

sub journal {
    my ($self, $kind) = @_;
    my @all;

    for my $file (sort glob $self->path('journal/' . ($kind // 'access')
                                        . '/*.jsonl')) {
        for (split /\n/, slurp($file)) {
            my $r = eval { JSON::PP::decode_json($_) } or next;
            push @all, { %$r, file => $file };
        }
    }

    return @all;
}

sub error_log { slurp($_[0]->path('logs/error.log')) }

sub allow { my ($self, @re) = @_; push @{$self->{allowed}}, @re }


# the end

sub finish {
    my ($self) = @_;
    return if $self->{finished}++;

    my $ran = exists $self->{pids}{nginx};
    my $quit = $self->stop();
    $self->end('nginx');
    $self->end($_) for 'reconcile', grep { $_ ne 'redis' }
                                    keys %{$self->{pids}};
    $self->end('redis');

    unless ($self->{aborted}) {
        ok($quit, 'nginx quits') if $ran;
        Test::Emage::Check::all($self);
    }
}

sub clean {
    my ($self) = @_;

    if ($ENV{EMAGE_LEAVE}) {
        diag "left: $self->{dir}";
        return;
    }

    File::Path::remove_tree($self->{dir});
}

END {
    my $rc = $?;
    my @mine = grep { $_->{owner} == $$ } @live;

    for my $t (@mine) {
        $t->{aborted} = 1 if $rc != 0;
        $t->finish();
    }

    my $builder = Test::More->builder;

    if (@mine && $rc == 0 && !$builder->{Skip_All}) {
        done_testing() unless $builder->has_plan;
    }

    if (@mine && (!$builder->is_passing || $rc != 0)) {
        for my $t (@mine) {
            my @log = split /\n/, $t->error_log();
            diag "error.log ends with:";
            diag "  $_" for @log[($#log > 20 ? $#log - 20 : 0) .. $#log];
        }
    }

    $_->clean() for @mine;
    $? = $rc;
}


1;
