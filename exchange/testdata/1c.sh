#!/bin/sh
# Sends files of CommerceML as 1C does, step by step, with curl:
#
#   1c.sh [--old | --zip] [--stop-after checkauth|init|query|part] URL USER PASSWORD FILE…
#
# Without an option it is 1C of today: a version, sessid, parts, import until it
# has ended. --old is 1C that knows no version and never asks for an import.
# --zip packs the files into one archive first (needs zip). --stop-after breaks
# the exchange off there, as a crash of 1C would. Exit code 1: a failure.
set -eu

old= pack= stop=
while :; do
	case ${1-} in
	--old) old=1; shift ;;
	--zip) pack=1; shift ;;
	--stop-after) stop=$2; shift 2 ;;
	*) break ;;
	esac
done
[ $# -ge 4 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
url=$1 user=$2 password=$3
shift 3

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cookie= sessid=
# ask STEP QUERY [CURL OPTION…]: one request; its answer is shown, and kept in $answer.
ask() {
	step=$1 query=$2
	shift 2
	answer=$(curl -sS --max-time 1800 -u "$user:$password" ${cookie:+-H "Cookie: $cookie"} "$@" "$url?type=sale&$query${sessid:+&sessid=$sessid}")
	printf '%s: %s\n' "$step" "$(printf %s "$answer" | tr '\n' ' ')"
	case $answer in failure*) exit 1 ;; esac
	[ "$stop" != "${step%% *}" ] || exit 0
}
line() { printf '%s\n' "$answer" | sed -n "$1p"; }

ask checkauth mode=checkauth
cookie=$(line 2)=$(line 3)
if [ -z "$old" ]; then
	sessid=$(line 4 | sed 's/^sessid=//')
	ask init "mode=init&version=3.1"
else
	ask init mode=init
fi
limit=$(line 2 | sed 's/^file_limit=//')
ask query mode=query
ask success mode=success

if [ -n "$pack" ]; then
	zip -q -j "$dir/v8_exchange.zip" "$@"
	set -- "$dir/v8_exchange.zip"
fi
for file; do
	name=$(basename "$file")
	rm -f "$dir"/part.*
	split -b "$limit" -a 6 "$file" "$dir/part."
	for part in "$dir"/part.*; do
		ask "part of $name" "mode=file&filename=$name" -H "Content-Type: application/octet-stream" -H "Expect:" --data-binary "@$part"
	done
	[ -z "$old" ] || continue
	while ask "import of $name" "mode=import&filename=$name"; do
		case $answer in progress*) ;; *) break ;; esac
	done
done
