#!/bin/sh
# Run the whole of YYChat on this machine, from its packages: two instances on one Redis, the
# simulator that answers them, a gentle load, and Prometheus and Alertmanager that watch. The
# programs are in scripts/Procfile, their data below data/stack. Ctrl-C stops them all.
# Ports are not the usual ones where a package may have started a service of its own.
# PEOPLE and WATCHDOG_URL_FILE are passed on to alertmanager/render.sh.
set -eu
cd "$(dirname "$0")/.."
home=$PWD/data/stack
PATH=$PWD/.venv/bin:$PATH

python - 8000 8001 16379 18080 19090 19093 19121 19464 19465 <<'END'
import socket, sys
for port in sys.argv[1:]:
    try:
        socket.create_server(("127.0.0.1", int(port))).close()
    except OSError:
        sys.exit(f"port {port} is in use: make stack needs it")
END

umask 077
mkdir -p "$home/redis"
secret() { [ -s "$1" ] || python -c 'import secrets; print(secrets.token_hex(32))' >"$1"; }
secret "$home/owner.secret"
secret "$home/alert_token"
rm -rf "$home/prometheus"
cp -R prometheus "$home/prometheus"
ln -sfn stack "$home/prometheus/targets/active"
YYCHAT_URL=http://127.0.0.1:8000 YYCHAT_ALERT_TOKEN_FILE="$home/alert_token" \
    alertmanager/render.sh "$home/alertmanager.yml"

export PATH PYTHONUNBUFFERED=1
export OPENAI_BASE_URL=http://127.0.0.1:18080/v1 OPENAI_MODEL=simulated
export YYCHAT_EMBEDDING_MODEL=simulated-embedding
export REDIS_URL=redis://127.0.0.1:16379/0 YYCHAT_OWNER_SECRET_FILE="$home/owner.secret"
export YYCHAT_ALERT_TOKEN_FILE="$home/alert_token" YYCHAT_METRICS_PORT=19464
export YYCHAT_ALERTMANAGER_URL=http://127.0.0.1:19093
export YYCHAT_LOG_LEVEL=WARNING YYCHAT_SHUTDOWN_SECONDS=2

cat <<'END'
YYChat        http://127.0.0.1:8000/v1 and http://127.0.0.1:8001/v1 (no key needed)
Simulator     http://127.0.0.1:18080/control (what goes wrong, on order)
Prometheus    http://127.0.0.1:19090/alerts
Alertmanager  http://127.0.0.1:19093
Redis         redis://127.0.0.1:16379/0
END
exec honcho -e /dev/null -f scripts/Procfile start
