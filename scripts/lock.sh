#!/bin/sh
# Write requirements.lock, requirements-image.lock (what a container has beyond that: mem0's way to
# PostgreSQL, and MCP) and requirements-dev.lock: every package pinned, every file of it hashed, no index
# named, right for each Python and platform we support.
# Pins already there stay. `--upgrade` takes the newest, `--upgrade-package NAME` one.
set -eu
cd "$(dirname "$0")/.."

# A throw-away copy of uv, pinned so that the same input gives the same files. It
# does not read pip's settings, and --no-config keeps its own out: what this
# machine is told about packages has no place in files made for every machine.
# UV_DEFAULT_INDEX names another index where one must be used.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv==0.13.9

lock() {
    unset UV_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS
    "$scratch/venv/bin/uv" pip compile pyproject.toml --quiet --no-config \
        --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
        --custom-compile-command "make lock" "$@"
}

lock --group build --output-file requirements.lock "$@"
lock --group build --extra mcp --extra mem0-pgvector --constraint requirements.lock \
    --output-file requirements-image.lock "$@"
lock --group build --group dev --constraint requirements.lock \
    --output-file requirements-dev.lock "$@"
