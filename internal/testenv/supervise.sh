# Owns one throwaway PostgreSQL cluster: makes it, says "ready", waits until its
# last user has ended, stops it and removes it.
#
# A user is a process that holds the fifo "users" open for writing. The kernel
# closes it however the process ends, so nobody is forgotten. The file "open"
# invites others to join: who has opened the fifo and then still finds "open" is
# a user. Removing it and waiting a second time lets no one slip in between.
#
# usage: sh -c "$(cat supervise.sh)" supervise DIR BIN INITDB-OPTIONS SERVER-OPTIONS
dir=$1 bin=$2 init=$3 options=$4

cd "$dir" || exit 1
trap '' HUP INT
exec 3<users

fail() {
	cat log
	cd / && rm -rf "$dir"
	exit 1
}

init() { # $1: locale
	rm -rf data
	# shellcheck disable=SC2086 # the options are words
	"$bin/initdb" -D data -U chatledger -A trust -E UTF8 --locale="$1" $init >>log 2>&1 3<&-
}

init C.UTF-8 || init C || fail
"$bin/pg_ctl" -D data -w -t 60 -l log -o "$options" start >>log 2>&1 3<&- || fail
: >open
echo ready
exec >/dev/null 2>&1

cat <&3
rm -f open
cat <&3

"$bin/pg_ctl" -D data -w -t 30 -m immediate stop 3<&-
cd / && rm -rf "$dir"
