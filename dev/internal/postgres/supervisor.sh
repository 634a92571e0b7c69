# SPDX-License-Identifier: Apache-2.0
#
# Runs one Postgres for as long as its owner lives. The owner holds the other
# end of our standard input and never writes: end of file means it is stopping,
# or gone, SIGKILL included. Everything the server leaves behind is removed
# here, so that a killed owner leaves as little as one that stops in order.
#
# Needs only a POSIX shell; runs with the privileges of the server.
set -u

bin=$1       # folder of initdb and postgres
data=$2      # folder of this server alone; the cluster is in $data/cluster
sockets=$3   # folder of the Unix socket, removed at the end
scratch=$4   # the data folder again if it is temporary, else empty
superuser=$5
nosync=$6    # --no-sync or empty
revive=$7    # anything to start a server that was killed again, or empty
shift 7      # the rest are arguments of postgres

cluster=$data/cluster

exec 3<&0 </dev/null
trap '' PIPE # a killed owner reads our messages no more
trap 'cd /; rm -rf "$sockets" ${scratch:+"$scratch"}' EXIT

if ! cd "$data" 2>/dev/null || ! [ -w . ]; then
    echo "user $(id -un), as whom Postgres runs, cannot enter or write the data folder $data:" \
        "choose one whose parents all users may enter (as root, not below a home folder)" >&2
    exit 1
fi

# A cluster gets its name only when complete: an interrupted initdb starts over.
if ! [ -e "$cluster" ]; then
    rm -rf "$cluster.new"
    "$bin/initdb" -D "$cluster.new" -U "$superuser" -E UTF8 --no-locale \
        --auth-local=trust --auth-host=reject ${nosync:+"$nosync"} >/dev/null 3<&- || exit
    mv "$cluster.new" "$cluster" || exit
fi

# The last owner may have been killed just now and its server be shutting down.
# After 3 s it is Postgres that decides whether the lock file is stale.
tries=0
while [ "$tries" -lt 30 ] && pid=$(head -n 1 "$cluster/postmaster.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1))
    sleep 0.1
done

# SIGINT is Postgres's fast shutdown. It is repeated because the first may come
# before the server listens to it. SIGQUIT, after 30 s, is the immediate one.
stop_with_owner() {
    read -r _ <&3
    tries=0
    while [ "$tries" -lt 150 ] && kill -s INT "$1"; do
        tries=$((tries + 1))
        sleep 0.2
    done
    kill -s QUIT "$1"
}

# A server that was killed is started again where that is asked for. It refuses to
# start until the last of its old processes has ended, so it has half a minute's
# tries.
tries=0
while :; do
    "$bin/postgres" -D "$cluster" "$@" 3<&- &
    postgres=$!
    stop_with_owner "$postgres" >/dev/null 2>&1 &
    watcher=$!
    wait "$postgres"
    status=$?
    kill "$watcher" 2>/dev/null
    if [ "$status" -gt 128 ] && [ -n "$revive" ]; then
        tries=30
    elif [ "$status" -eq 0 ] || [ "$tries" -eq 0 ]; then
        exit "$status"
    fi
    tries=$((tries - 1))
    sleep 1
done
