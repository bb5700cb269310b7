#!/bin/sh
# Starts, restarts or stops three copies of worldclock: sh deploy/copies.sh start|restart|stop
set -eu
program=${PROGRAM:-target/release/worldclock}
run=target/copies
mkdir -p $run

start() {
    LIFECYCLE_BIND=127.0.0.$1:8080 LIFECYCLE_ADMIN=127.0.0.$1:9000 LIFECYCLE_DRAIN_DELAY=2s \
        WORLDCLOCK_DB=$run/$1.db "$program" 2>>"$run/$1.log" &
    echo $! >"$run/$1.pid"
    curl -fs -o /dev/null --retry 30 --retry-delay 1 --retry-all-errors \
        "http://127.0.0.$1:9000/readyz"
}

stop() {
    kill "$(cat "$run/$1.pid")"
    # Probes are answered until the process ends.
    while curl -s -o /dev/null "http://127.0.0.$1:9000/livez"; do sleep 0.1; done
}

for copy in 11 12 13; do
    case $1 in
        start) start $copy ;;
        restart) stop $copy && start $copy ;;
        stop) stop $copy ;;
        *) echo "start, restart or stop" >&2 && exit 2 ;;
    esac
done
