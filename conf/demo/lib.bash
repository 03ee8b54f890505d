#!/bin/bash
#
# Copyright (C) The e-mage authors
#
# Processes, ingest and consents of the demonstration; sourced by demo.


say() { printf '%s\n' "$*"; }


# A process of ours: its pid file lies in our directory, and its command line
# names this build.

is_ours() {
    [ -r "/proc/$1/cmdline" ] \
        && tr '\0' ' ' < "/proc/$1/cmdline" | grep -qF -- "$build"
}


end_process() {
    local pid n

    [ -f "$dir/$1.pid" ] || return 0
    pid=$(cat "$dir/$1.pid")

    if [ -n "$pid" ] && is_ours "$pid"; then
        kill -TERM "$pid"

        for ((n = 0; n < 100; n++)); do
            [ -d "/proc/$pid" ] || break
            sleep 0.1
        done

        [ ! -d "/proc/$pid" ] || kill -KILL "$pid"
        say "stopped $1 ($pid)"
    fi

    rm -f "$dir/$1.pid"
}


# wait_until SECONDS WHAT COMMAND...

wait_until() {
    local end=$((SECONDS + $1)) what=$2
    shift 2

    until "$@" > /dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            say "$what did not come up; see $dir/log" >&2
            exit 2
        fi

        sleep 0.05
    done
}


free_port() {
    local port

    while :; do
        port=$((20000 + RANDOM % 10000))
        (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || break
    done

    echo "$port"
}


redis() { redis-cli -s "$dir/redis.sock" "$@"; }


start_redis() {
    if [ ${#dir} -gt 90 ]; then
        say "$dir is too long for a unix socket; use a shorter path" >&2
        exit 2
    fi

    sed -E -e "s|^(unixsocket +).*|\\1$dir/redis.sock|" \
        -e "s|^(unixsocketperm +).*|\\1700|" \
        -e "s|^(dir +).*|\\1$dir/redis|" "$top/conf/redis.conf" \
        > "$dir/redis.conf"

    redis-server "$dir/redis.conf" --daemonize yes \
        --pidfile "$dir/redis.pid" --logfile "$dir/log/redis.log" > /dev/null

    wait_until 10 redis redis PING
}


reconciled() {
    local id
    id=$(redis --raw GET 'emage:{0}:reconciled')
    [ -n "$id" ] && redis INFO server | grep -q "run_id:$id"
}


start_reconcile() {
    setsid "$bin/emage-consent" reconcile \
        > "$dir/log/reconcile.log" 2>&1 < /dev/null &
    echo $! > "$dir/reconcile.pid"
    wait_until 20 "emage-consent reconcile" reconciled
}


start_nginx() {
    /usr/sbin/nginx -p "$dir" -e "$dir/log/error.log" -c "$dir/nginx.conf" \
        > "$dir/log/nginx.log" 2>&1 < /dev/null \
        || { cat "$dir/log/nginx.log" >&2; exit 2; }

    wait_until 10 nginx test -s "$dir/nginx.pid"
    wait_until 10 "the lease" answers 404 "$professional" studies/1.2.3
}


# answers STATUS TOKEN PATH

answers() {
    [ "$(curl -s --cacert "$dir/tls/ca.crt" -o /dev/null -w '%{http_code}' \
        -H "Authorization: Bearer $2" \
        "https://localhost:$port/dicom-web/$3")" = "$1" ]
}


ingest() {
    local rc=0

    "$bin/emage-store" ingest --org "$org" --report "$dir/ingest.json" "$@" \
        > "$dir/log/ingest.log" 2>&1 || rc=$?

    if [ $rc -gt 1 ]; then
        tail -20 "$dir/log/ingest.log" >&2
        exit 2
    fi

    jq -r '.files | group_by(.status)
           | map("  \(length) \(.[0].status)") | .[]' "$dir/ingest.json"
}


ingest_samples() {
    local at
    local -a files

    if [ -n "${DICOM:-}" ]; then
        ingest "$DICOM"

    else
        at=$(/usr/bin/python3 -c 'import os, pydicom
print(os.path.dirname(pydicom.__file__))')
        mapfile -t files < <(find "$at/data" -name '*.dcm' | sort)
        ingest "${files[@]}"
    fi

    cp "$dir/ingest.json" "$dir/samples.json"
    say "  each file's fate: $dir/samples.json"
}


consent() { "$bin/emage-consent" "$@" >> "$dir/log/consent.log"; }


share() {
    consent set --study "$1" --inclusion given --sharing active
    consent relate --study "$1" --team "$team"
}


# The report instances of a study, as its published revision lists them.

reports() {
    jq -r '.reports[]' "$dir/store/studies/$1/$(record "$1" .revision)"/study.json
}


record() { redis GET "emage:{0}:study:$1" | jq -r "$2"; }


finalize() {
    local instance

    for instance in $(reports "$1"); do
        consent report-status --study "$1" --instance "$instance" \
            --status final
    done
}


own_consents() {
    local study

    for study in "$shown" "$withdrawn" "$large"; do
        share "$study"
    done

    finalize "$shown"
}


# Half of the patients share with the care team; with CONSENT=all every one,
# quarantined studies included, and every report is final.

sample_consents() {
    local study pid n=0
    local -A seen=(["$(record "$shown" .pid)"]=1
                   ["$(record "$withdrawn" .pid)"]=1
                   ["$(record "$large" .pid)"]=1)

    for study in $("$bin/emage-consent" studies); do
        case $study in
        "$shown" | "$withdrawn" | "$large") continue ;;
        esac

        if [ "${CONSENT:-}" = all ]; then
            [ -z "$(record "$study" .quarantine)" ] \
                || consent resolve --study "$study"
            finalize "$study"
        fi

        pid=$(record "$study" .pid)
        [ -z "${seen[$pid]:-}" ] || continue
        seen[$pid]=1
        n=$((n + 1))

        if [ "${CONSENT:-}" = all ] || [ $((n % 2)) = 0 ]; then
            share "$study"
        fi
    done

    say "  $n patients; $([ "${CONSENT:-}" = all ] && echo all || echo half)" \
        "of them share with the care team"
}
