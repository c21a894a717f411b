#!/usr/bin/env bash
# Plans the salvage of a large cluster of which only the metadata is there: 60
# stores, 25,000 ranges of seven replicas, 200,000 files, which are holes of the
# right size. Prints how long survey, map and plan take, and the most memory.
#
#   EVAC_ESTATE_DIR=DIR      stores that are there already, as this script made them; kept
#   EVAC_STORES_ARCHIVE=FILE packed store of a real cluster, whose schema it has
#                            (by default that of EVAC_FIXTURES)
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d /var/tmp/evac-bench-XXXXXX)
trap 'rm -rf "$work"' EXIT
if [ -z "${EVAC_ESTATE_DIR:-}" ]; then
	export EVAC_ESTATE_DIR=$work/estate EVAC_STORES_ARCHIVE=${EVAC_STORES_ARCHIVE:-${EVAC_FIXTURES:?names the folder of real stores}/tiny-v20.2a/n3.tar.zst}
	mkdir -p "$EVAC_ESTATE_DIR"
	echo "bench-salvage: making the metadata of a large cluster" >&2
	go test -count=1 -timeout 30m -tags bench -run '^TestMakeEstate$' ./internal/crdb/synth >&2
fi
go test -c -tags bench -o "$work/salvage.test" ./internal/crdb/salvage
"$work/salvage.test" -test.run '^TestEstateFigures$' -test.timeout 10m | grep -v '^PASS'
