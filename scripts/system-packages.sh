#!/bin/sh
# Have every program the tests call; do nothing when all of them are there.
# Installs with apt-get as root or through `sudo -n`, and otherwise says what is missing.
set -eu

# What has to work, and the Debian package that brings it.
missing=""
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
need python3-venv "${PYTHON:-python3}" -c 'import ensurepip, venv'
need nodejs node --version
need npm npm --version
need redis-server redis-server --version
need redis-tools redis-cli --version
need nginx-light nginx -v
need prometheus promtool --version
need prometheus-alertmanager amtool --version
need docker-compose docker-compose version
need busybox busybox true
need prometheus-redis-exporter prometheus-redis-exporter -version

[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root=none
fi
if [ "$as_root" = none ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need these programs, which are not here and which I may not install:" >&2
    echo "   $missing   (names of Debian packages)" >&2
    exit 1
fi

echo "installing$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086 # both are lists of words
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends $missing
