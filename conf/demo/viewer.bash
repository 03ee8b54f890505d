#!/bin/bash
#
# Copyright (C) The e-mage authors
#
# The viewer of the demonstration, served beside the guard; sourced by demo.
# DEMONSTRATION ONLY: the sign-in page hands a session to whoever asks.


viewer=$build/npm/ohif-3.13.2


session() {
    "$bin/emage-token" session --lifetime 86400 --idle 86400 \
        --claims "$(jq -nc --argjson claims "$1" '{aud: "emage"} + $claims')"
}


# /sign-in/NAME gives the cookie of a session.

sign_in() {
    local flags='Path=/; Secure; HttpOnly; SameSite=Lax'

    printf '%s\n' \
        "location = /sign-in/$1 {" \
        '    add_header  Cache-Control no-store;' \
        "    add_header  Set-Cookie \"__Host-emage=$2; $flags\";" \
        '    return  303 /;' \
        '}'
}


# Nothing is written when the viewer could not be fetched.

configure_viewer() {
    [ -f "$viewer/index.html" ] || return 0

    (umask 077; {
        echo "# DEMONSTRATION ONLY: sessions for whoever asks"
        sed -e "s|@VIEWER@|$viewer|g" -e "s|@TOP@|$top|g" \
            "$top/conf/demo/viewer.conf.in"
        sign_in professional "$(session "$claims_professional")"
        sign_in stranger "$(session "$claims_stranger")"
        sign_in patient "$(session "$claims_patient")"
    } > "$dir/viewer.conf")
}


say_viewer() {
    [ -f "$dir/viewer.conf" ] || return 0

    say
    say "The viewer: https://localhost:$port/sign-in/"
    say "  (the browser does not know the demonstration's certificate: go on," \
        "or import $dir/tls/ca.crt)"
}
