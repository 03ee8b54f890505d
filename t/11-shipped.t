#!/usr/bin/perl

# Copyright (C) The e-mage authors
#
# The configuration that is shipped is one that starts: nginx.conf passes
# nginx -t, redis.conf is Redis's own language, the units name one another.

use strict;
use warnings;

use lib 't/lib';
use Test::Emage;

my $t = Test::Emage->new();
my $d = $t->dir();
my $conf = "$Test::Emage::top/conf";

$t->issuer('pro');
$t->tls();
spew("$d/id.key", '0123456789abcdef' x 2);
chmod 0600, "$d/id.key";


# nginx.conf, with its paths below the test's directory

my $text = slurp("$conf/nginx.conf");
my %path = ('/usr/lib/nginx/modules/ngx_http_emage_module.so'
                => "$Test::Emage::build/modules/ngx_http_emage_module.so",
            '/run/nginx.pid' => "$d/nginx.pid",
            '/var/log/nginx/error.log' => "$d/logs/error.log",
            '/var/log/nginx/access.log' => "$d/logs/access.log",
            '/run/redis/emage.sock' => "$d/redis.sock",
            '/etc/emage/policy' => "$conf/policy",
            '/etc/emage/identifiers.key' => "$d/id.key",
            '/etc/emage/issuers/professionals.jwks' => "$d/pro.jwks",
            '/etc/emage/tls/server.crt' => "$d/tls.crt",
            '/etc/emage/tls/server.key' => "$d/tls.key",
            '/var/log/emage' => "$d/journal",
            '/srv/emage' => "$d/store");

for my $from (sort { length $b <=> length $a } keys %path) {
    ok($text =~ s/\Q$from\E(?=[\s;])/$path{$from}/g, "nginx.conf has $from");
}

my @left = grep { !/\Q$d\E|\Q$conf\E|\Q$Test::Emage::build\E/
                  && !m{^/etc/nginx/} } $text =~ m{^\s*[^#\n]*?\s(/[\w./-]+);}mg;
is("@left", '/metrics' x !!@left, 'no other path in it');

$text =~ s/^user .*$//m if $> != 0;
my ($rc, $out) = $t->nginx_test($text);
is($rc, 0, 'nginx.conf passes nginx -t') or diag $out;


# redis.conf, on a socket of the test's

my $redis = slurp("$conf/redis.conf");
mkdir "$d/shipped";
ok($redis =~ s{/run/redis/emage.sock}{$d/shipped.sock}, 'redis.conf: socket');
ok($redis =~ s{/var/lib/redis/emage}{$d/shipped}, 'redis.conf: directory');
spew("$d/shipped.conf", $redis);

$t->spawn('shipped redis', 'redis-server', "$d/shipped.conf");
ok($t->wait_for('Redis of redis.conf', 10, sub { -S "$d/shipped.sock" }),
   'redis.conf starts');
($rc, $out) = run_command('redis-cli', '-s', "$d/shipped.sock", 'CONFIG',
                          'GET', 'maxmemory-policy');
like($out, qr/noeviction/, 'redis.conf: never forgets a record');
ok(-d "$d/shipped/appendonlydir", 'redis.conf: writes what it is told');
$t->end('shipped redis', TERM => 10);


# units

my %unit = map { m{([^/]+)$} => slurp($_) } glob "$conf/systemd/*.service";
my $dropin = join '', map { slurp($_) } glob "$conf/systemd/*.d/*.conf";

for my $name (map { split ' ' } "$dropin @unit{sort keys %unit}"
              =~ /^(?:Wants|After|Requires)=(.*)$/mg)
{
    next if $name !~ /^emage-/;
    ok($unit{$name}, "$name is shipped");
}

for my $name (sort keys %unit) {
    my ($tool, $command) = $unit{$name} =~ m{^ExecStart=/usr/bin/(\S+) (\S+)}m;
    next if $tool !~ /^emage-/;
    my (undef, undef, $usage) = $t->tool($tool, '--help');
    (undef, $out) = $t->tool($tool, '--help');
    like("$out$usage", qr/\b\Q$command\E\b/, "$name: $tool knows $command");
}

$t->finish();
