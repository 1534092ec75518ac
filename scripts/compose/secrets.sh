#!/bin/sh
# Make the secrets that containers share, each in the folder below $1 that is mounted only into
# those who read it. What is there already stays as it is.
set -eu
cd "$1"

random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# $1 is a file, $2 who may read it, $3 its content. Written aside, so that it is there whole or not.
keep() {
    [ ! -s "$1" ] || return 0
    (umask 077 && printf '%s' "$3" >"$1.new")
    chmod "$2" "$1.new"
    mv "$1.new" "$1"
}

# 444: other containers read these as users of their own.
keep shared/owner.secret 400 "$(random)"
keep alerting/token 444 "$(random)"
keep grafana/admin_password 444 "$(random)"
keep postgres/password 444 "$(random)"
keep postgres/url 400 "postgresql://yychat:$(cat postgres/password)@postgres/yychat"
