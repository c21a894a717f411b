# Two PostgreSQL servers for a measurement, to be sourced: `source` and `target`
# below $dir (EVAC_BENCH_DIR, kept if given and used again), on two ports from EVAC_BENCH_PORT on (6531), fsync on, and evac
# built beside them. They end with the script.
dir=${EVAC_BENCH_DIR:-}
bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb "$(command -v initdb || true)" 2>/dev/null | sort -V | tail -1)")
[ -x "$bin/initdb" ] || { echo "$0: no PostgreSQL server is installed (apt install postgresql)" >&2; exit 1; }
as_owner() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c 'exec "$@"' -- sh "$@"; else "$@"; fi; }
if [ -z "$dir" ]; then
	dir=$(mktemp -d /var/tmp/evac-bench-XXXXXX)
	remove=$dir
fi
mkdir -p "$dir" && chmod 755 "$dir"
[ "$(id -u)" != 0 ] || chown postgres "$dir"
dir=$(cd "$dir" && pwd)
stop() {
	for s in source target; do as_owner "$bin/pg_ctl" -D "$dir/$s" -m fast stop >/dev/null 2>&1 || true; done
	[ -z "${remove:-}" ] || rm -rf "$remove"
}
trap stop EXIT
port() { local first=${EVAC_BENCH_PORT:-6531}; [ "$1" = source ] && echo "$first" || echo $((first + 1)); }
dsn() { echo "postgres://postgres@127.0.0.1:$(port "$1")/$2"; }
for s in source target; do
	if [ ! -d "$dir/$s" ]; then
		as_owner "$bin/initdb" -D "$dir/$s" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
		printf "port=%s\nunix_socket_directories=''\nlisten_addresses='127.0.0.1'\n" "$(port $s)" | as_owner tee -a "$dir/$s/postgresql.conf" >/dev/null
	fi
	as_owner "$bin/pg_ctl" -D "$dir/$s" -l "$dir/$s.log" -w start >/dev/null
done
export PGHOST=127.0.0.1 PGUSER=postgres PATH="$bin:$PATH"
query() { psql -qAtX -v ON_ERROR_STOP=1 -p "$(port "$1")" -d "$2" -c "$3"; }
# fresh: an empty database dst, and both sides after a checkpoint.
fresh() {
	query target postgres "drop database if exists dst"
	query target postgres "create database dst template template0"
	query target postgres checkpoint
	query source postgres checkpoint
}
go build -o "$dir/evac" ./cmd/evac
