package Test::Emage::Records;

# Copyright (C) The e-mage authors
#
# Records without DICOM: patients and studies made as the store makes them,
# nodes that hold a lease, and what the ledger says.

use strict;
use warnings;

use Digest::SHA ();
use File::Path ();
use JSON::PP ();
use Time::HiRes qw(sleep time);

use Test::Emage::Process;

use Exporter 'import';
our @EXPORT = qw(P study_new records lease apply_all records_of partition
                 write_study_json);

use constant P => 'emage:{0}:';
use constant ISSUER => '750000001';

my $json = JSON::PP->new->canonical->ascii;
my $n = 0;


# A study of a new patient: (Study UID, pid).  Its study.json lies in the store.

sub study_new {
    my ($t, %o) = @_;
    my $r = $t->redis();
    my $uid = '1.2.826.' . ++$n . ".$$";
    my $id = $o{id} // "P$n-$$";
    my $new = sprintf '%032x', 0;
    substr $new, $_, 1, sprintf('%x', int rand 16) for 0 .. 31;

    my $patient = patient_document($new, $id, $o{status} // 'local');
    my $key = 'emage:id:' . Digest::SHA::hmac_sha256_hex(
        ISSUER . "\0" . $id, slurp($t->path('id.key')));
    my $got = $r->call('FCALL', 'emage_identify', 2, $key,
                       P . "patient:$new", $new, $json->encode($patient));
    die "identify: $got->[0]\n" if $got->[0] ne 'ok';
    my $pid = $got->[1];

    my $study = study_document($uid, $pid, $id, %o);
    $got = $r->call('FCALL', 'emage_change', 6,
                    (map { P . $_ } qw(seq changes leases epoch reconciled)),
                    P . "study:$uid", $pid, "test$n", 0,
                    $json->encode($study));
    die "change: $got->[0]\n" if $got->[0] ne 'ok';

    write_study_json($t, $uid, $pid, $id, $o{status} // 'local');
    return ($uid, $pid);
}


sub patient_document {
    my ($pid, $id, $status) = @_;

    return { version => 1, pid => $pid,
             identity => { status => $status,
                           identifiers => [ { issuer => ISSUER,
                                              id => $id } ] },
             consent => { inclusion => 'none', sharing => 'none',
                          expires => 0,
                          recorded => { by => '', how => '', text => '',
                                        at => 0 } },
             relations => [], exclusions => [],
             emergency_excluded => JSON::PP::false, overrides => [],
             tickets => [], representatives => [],
             erasure => { requested => 0, state => 'none' } };
}


sub study_document {
    my ($uid, $pid, $id, %o) = @_;

    return { version => 1, study => $uid, pid => $pid,
             sources => [ { org => ISSUER, issuer => ISSUER, id => $id } ],
             revision => 'r00000001-00000001', published => 1790000000000,
             reports => [], release => 'validated', confidentiality => 'N',
             marks => { map { ($_ => JSON::PP::false) }
                        qw(masked hidden_patient hidden_representatives) },
             state => 'active', quarantine => $o{quarantine} // '' };
}


sub write_study_json {
    my ($t, $uid, $pid, $id, $status) = @_;
    my $dir = $t->store() . "/studies/$uid/r00000001-00000001";

    File::Path::make_path($dir);
    spew("$dir/study.json", $json->encode({
        version => 1, study => $uid, revision => 'r00000001-00000001',
        pid => $pid,
        identity => { status => $status,
                      identifiers => [ { issuer => ISSUER, id => $id } ] },
        sources => [ { org => ISSUER, issuer => ISSUER, id => $id } ],
        published => 1790000000000, revised => 1790000000000,
        quarantine => '', classes => {}, reports => [], row => {} }));
}


# Every record in Redis, as text by key.

sub records {
    my ($t) = @_;
    my $r = $t->redis();
    my ($cursor, %all) = (0);

    do {
        my $reply = $r->call('SCAN', $cursor, 'MATCH', P . '*', 'COUNT', 500);
        $cursor = $reply->[0];
        /^\Q${\P}\E(?:study|patient):/ and $all{$_} = 1 for @{$reply->[1]};
    } while ($cursor ne '0');

    $all{$_} = $r->call('GET', $_) for keys %all;
    return \%all;
}

sub records_of { $json->decode($_[0]->redis()->call('GET', P . $_[1]) // '{}') }

sub partition {
    my ($t) = @_;
    my $r = $t->redis();
    return map { $r->call('GET', P . $_) } qw(epoch seq reconciled);
}


# Asks for a lease: the reply of emage_lease.

sub lease {
    my ($r, $node, $epoch, $applied, $nonce) = @_;

    return $r->call('FCALL', 'emage_lease', 5,
                    (map { P . $_ } qw(epoch seq changes leases reconciled)),
                    $node, $epoch, $applied, $nonce);
}


# A node that applies what it is told until it is granted; what it holds then.

sub apply_all {
    my ($r, $node, $held) = @_;
    $held //= { epoch => '', seq => 0, nonce => '' };

    for (1 .. 10) {
        my @a = @{lease($r, $node, @{$held}{qw(epoch seq nonce)})};
        return $held if $a[0] eq 'granted';
        return { %$held, state => $a[0] }
            if $a[0] ne 'flush' && $a[0] ne 'behind';
        @{$held}{qw(epoch seq nonce)} = @a[1 .. 3] if $a[0] eq 'flush';
        @{$held}{qw(seq nonce)} = @a[1, 2] if $a[0] eq 'behind';
    }

    return { %$held, state => 'lost' };
}


1;
