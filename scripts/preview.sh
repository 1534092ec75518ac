#!/bin/sh
# Draw the boards into docs/images with Grafana's own library, in headless Chromium.
# PROMETHEUS_URL is where the data is; without, a stack is started and lived in for some minutes.
# SECONDS_SHOWN (240) is how much of it is shown.
#
# The library and all it brings are half a gigabyte, which nobody but this needs: they are installed
# into the user's cache, once for each version of the lock file, and not into the project's tree.
set -eu
cd "$(dirname "$0")/.."

command -v npm >/dev/null || { echo "this needs Node.js and npm" >&2; exit 1; }
cache="${XDG_CACHE_HOME:-$HOME/.cache}/yychat/preview"
mkdir -p "$cache"
if ! cmp -s grafana/preview/package-lock.json "$cache/installed"; then
    cp grafana/preview/package.json grafana/preview/package-lock.json grafana/preview/.npmrc "$cache/"
    npm --prefix "$cache" ci
    cp grafana/preview/package-lock.json "$cache/installed"
fi
rm -rf "$cache/src"
cp -R grafana/preview/src grafana/preview/shoot.mjs "$cache/"

shoot="node $cache/shoot.mjs --out docs/images --seconds ${SECONDS_SHOWN:-240}"
boards=$(ls grafana/dashboards/*.json)
# shellcheck disable=SC2086 # lists of words
if [ -n "${PROMETHEUS_URL-}" ]; then
    exec $shoot $boards --prometheus "$PROMETHEUS_URL"
else
    export PYTHONPATH=tests:grafana
    exec "${VENV:-.venv}/bin/python" -m dashboards.preview $shoot $boards --prometheus
fi
