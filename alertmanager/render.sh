#!/bin/sh
# Write the configuration that Alertmanager runs with, from alertmanager.yml beside this script:
#   render.sh /etc/alertmanager/rendered.yml
# YYCHAT_URL                where the service is (http://127.0.0.1:8000)
# YYCHAT_ALERT_TOKEN_FILE   the token it wants; Alertmanager reads it itself
# WATCHDOG_URL_FILE         where the Watchdog goes; without, nowhere
# PEOPLE                    a file of people/ (its first lines say what it needs); without, nobody
#                           is paged
# ${NAME} in that file becomes the variable NAME, or the content of the file that NAME_FILE names.
# The result may hold secrets: nobody else can read it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$1
fail() {
    echo "render.sh: $1" >&2
    exit 1
}
safe() { # $1 is a name, $2 its value: what would end a quoted YAML text is refused
    case $2 in
        *"'"* | *"
"*) fail "$1 has a quote or a line end in it" ;;
    esac
}
escaped() { printf '%s' "$1" | sed 's/[\\|&]/\\&/g'; }
value() { # of the variable $1
    eval "given=\${$1-} file=\${$1_FILE-}"
    if [ -z "$given" ] && [ -n "$file" ]; then
        [ -r "$file" ] || fail "$1_FILE: $file cannot be read"
        given=$(cat "$file")
    fi
    [ -n "$given" ] || fail "$1 is needed, or $1_FILE"
    safe "$1" "$given"
    printf '%s' "$given"
}

umask 077
sed "/^  # people:/,\$d" "$here/alertmanager.yml" >"$out.new"
if [ -n "${PEOPLE-}" ]; then
    cat "$PEOPLE" >>"$out.new"
else
    sed "1,/^  # people:/d" "$here/alertmanager.yml" >>"$out.new"
fi

url=${YYCHAT_URL:-http://127.0.0.1:8000} token=${YYCHAT_ALERT_TOKEN_FILE:-alert_token}
safe YYCHAT_URL "$url"
safe YYCHAT_ALERT_TOKEN_FILE "$token"
sed -e "s|http://127.0.0.1:8000|$(escaped "$url")|" \
    -e "s|credentials_file: alert_token|credentials_file: '$(escaped "$token")'|" \
    -e "s|\[templates/|[$(escaped "$here")/templates/|" "$out.new" >"$out.next"
mv "$out.next" "$out.new"

if [ -n "${WATCHDOG_URL_FILE-}" ]; then
    watchdog=$(value WATCHDOG_URL)
    sed "s|^  - name: watchdog .*|  - name: watchdog\\
    webhook_configs: [{url: '$(escaped "$watchdog")', send_resolved: false}]|" "$out.new" >"$out.next"
    mv "$out.next" "$out.new"
fi
for name in $(sed -n '/^ *#/d; s/.*${\([A-Z_]*\)}.*/\1/p' "$out.new" | sort -u); do
    filled=$(value "$name")
    sed "s|\${$name}|$(escaped "$filled")|" "$out.new" >"$out.next"
    mv "$out.next" "$out.new"
done
mv "$out.new" "$out"
