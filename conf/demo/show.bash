#!/bin/bash
#
# Copyright (C) The e-mage authors
#
# The five requests of the demonstration, with their journal records; sourced
# by demo.


# Asks for PATH with TOKEN and says what came, then what the journal says.

request() {
    local title=$1 token=$2 path=$3 before got
    before=$(records)

    say
    say "$title"
    say "  GET /dicom-web/$path"

    got=$(curl -s --cacert "$dir/tls/ca.crt" -o "$dir/tmp/answer" \
        -w '%{http_version} %{http_code} %{size_download} %{content_type}' \
        -H "Authorization: Bearer $token" \
        -H 'Accept: multipart/related; type="application/dicom"' \
        "https://localhost:$port/dicom-web/$path")

    set -- $got
    say "  HTTP/$1 $2, $3 bytes, ${*:4}"

    if [ "$2" != 200 ]; then
        jq -r '"  " + .detail' "$dir/tmp/answer" \
            2> /dev/null || sed 's/^/  /' "$dir/tmp/answer"
    fi

    last_status=$2
    journal_since "$before"
}


records() { cat "$dir"/journal/access/*.jsonl 2> /dev/null | wc -l; }


# What the journal gained, in short; it is written in groups of 20 ms.

journal_since() {
    sleep 0.2
    cat "$dir"/journal/access/*.jsonl | jq -rs --argjson n "$1" '
        sort_by(.time) | .[$n:][]
        | select(.type == "intent" or .type == "refusal" or .type == "outcome")
        | "  journal: \(.type) \(.subject // "-")"
          + " \(.action // "") \(.study // "")"
          + (if .reasons then " because \(.reasons | join(", "))" else "" end)
          + (if .purpose then " [\(.purpose)]" else "" end)
          + (if .cause then " (\(.cause))" else "" end)'
}


expect() {
    if [ "$last_status" != "$1" ]; then
        say "expected $1 and got $last_status; see $dir/log/error.log" >&2
        exit 1
    fi
}


cut_download() {
    local got before size at_ack end ms

    before=$(records)

    say
    say "5. A download of 200 MB, cut by a withdrawal"
    say "  GET /dicom-web/studies/$large"

    curl -s --http1.1 --limit-rate 40M --cacert "$dir/tls/ca.crt" \
        -H "Authorization: Bearer $professional" \
        -o "$dir/tmp/large" -w '%{http_code} %{size_download}' \
        "https://localhost:$port/dicom-web/studies/$large" \
        > "$dir/tmp/large.out" 2>&1 &

    got=$!
    sleep 1
    ms=$(date +%s%3N)
    consent withdraw --study "$large"
    ms=$(($(date +%s%3N) - ms))
    at_ack=$(stat -c %s "$dir/tmp/large")

    end=0
    wait $got || end=$?
    size=$(stat -c %s "$dir/tmp/large")

    say "  withdrawal acknowledged after $ms ms (the command included)"
    say "  written by curl until then: $at_ack bytes; after it:" \
        "$((size - at_ack)), from its own buffers"
    say "  curl ended with $end ($(curl_error $end)), whole study: no"
    rm -f "$dir/tmp/large"

    if [ "$end" = 0 ]; then
        say "the download was not cut; see $dir/log/error.log" >&2
        exit 1
    fi

    journal_since "$before"
}


curl_error() {
    case $1 in
    0)  echo "complete" ;;
    18) echo "partial file" ;;
    56) echo "connection reset" ;;
    92) echo "stream reset" ;;
    *)  echo "error" ;;
    esac
}


show() {
    say
    say "A node runs at https://localhost:$port/dicom-web"
    say "  (processes, files, logs and journal: $dir)"

    request "1. The care team asks for a study that is shared with it" \
        "$professional" "studies/$shown/series/$shown.1/instances/$shown.1.1"
    expect 200

    request "2. A stranger asks for the same" \
        "$stranger" "studies/$shown/series/$shown.1/instances/$shown.1.1"
    expect 404

    consent override --study "$withdrawn" \
        --professional "$subjects|810109999999" --purpose BTG \
        --reason "unconscious patient, stroke suspected"

    request "3. The stranger breaks the glass for another patient" \
        "$stranger" "studies/$withdrawn"
    expect 200

    consent withdraw --study "$withdrawn"

    request "4. That patient has withdrawn: the care team asks" \
        "$professional" "studies/$withdrawn"
    expect 404

    cut_download

    say_viewer

    say
    say "Try it:"
    say "  . $dir/env"
    say '  curl --cacert $EMAGE_CA -H "Authorization: Bearer' \
        '$EMAGE_TOKEN_PROFESSIONAL" $EMAGE_URL/studies/$EMAGE_STUDY/metadata'
    say "  $bin/emage-consent show --study \$EMAGE_STUDY"
    say "  $bin/emage-audit follow \$EMAGE_JOURNAL/access"
    say "  $bin/emage-store list"
    say "It stays up until: make demo-stop"
}
