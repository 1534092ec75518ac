#!/bin/sh
# Say clearly what is wrong with this machine's Python, before anything else does.
PYTHON=${PYTHON:-python3}

command -v "$PYTHON" >/dev/null 2>&1 || {
    echo "YYChat needs Python 3.11 or newer; there is no '$PYTHON' here." >&2
    echo "Debian, Ubuntu: apt-get install python3 python3-venv" >&2
    exit 1
}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "YYChat needs Python 3.11 or newer; '$PYTHON' is $("$PYTHON" --version 2>&1)." >&2
    echo "Name a newer one: make PYTHON=python3.12 ..." >&2
    exit 1
}
"$PYTHON" -c 'import ensurepip, sqlite3, ssl, venv' 2>/dev/null || {
    echo "'$PYTHON' lacks venv, ensurepip, ssl or sqlite3, which YYChat needs." >&2
    echo "Debian, Ubuntu: apt-get install python3-venv" >&2
    exit 1
}
