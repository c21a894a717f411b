# Two targets are for everybody: demo and test. Both install what they need.
SHELL := /bin/bash
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
TOOL := go tool -modfile=tools/go.mod

.PHONY: demo test build release lint torture torture-salvage matrix-postgres bench-conduct bench-memory bench-postgres bench-salvage bench-salvage-to bench-verify bench-warm docs clean prepare unit

demo: build ## a whole moving night on real servers of this machine
	./bin/evac demo move

test: prepare lint unit ## everything that CI runs

build: ## bin/evac
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/evac ./cmd/evac

release: ## static binaries for each platform in dist/
	scripts/release '$(LDFLAGS)'

prepare: ## installs what the tests need (apt or brew, pip)
	scripts/prepare

unit:
	@dir=$$(scripts/fast-tmp) && trap 'rm -rf "$$dir"' EXIT && set -x && TMPDIR="$$dir" go test ./...

lint: ## formatting, vet, staticcheck, unchecked errors, generated files, walls
	@test -z "$$(gofmt -l cmd internal examples)" || { gofmt -l cmd internal examples; echo 'run gofmt -w on these'; exit 1; }
	go vet ./...
	go vet -tags torture ./...
	$(TOOL) staticcheck ./...
	$(TOOL) errcheck -ignoretests -exclude tools/errcheck.txt ./...

torture: ## kills the conductor at random and at every journal write, hundreds of times
	go test -count=1 -timeout 60m -tags torture -run 'TestTorture' -v ./internal/torture -full

matrix-postgres: ## moves everything between all majors from 9.4 to 18
	@dir=$$(scripts/fast-tmp) && trap 'rm -rf "$$dir"' EXIT && set -x && TMPDIR="$$dir" go test -count=1 -timeout 30m -tags torture -v -run TestMatrix ./internal/pg

torture-postgres: ## moves databases while evac, servers, network and disks fail, at hundreds of instants
	@dir=$$(scripts/fast-tmp) && trap 'rm -rf "$$dir"' EXIT && set -x && TMPDIR="$$dir" \
	go test -count=1 -timeout 90m -tags torture -run 'TestPostgres' -v ./internal/torture -full

torture-salvage: ## salvages damaged stores, thousands of them, against the truth (EVAC_FIXTURES); kills salvages and loads at random instants and at their writes
	@dir=$$(scripts/fast-tmp) && trap 'rm -rf "$$dir"' EXIT && set -x && export TMPDIR="$$dir" && \
	go test -count=1 -timeout 90m -tags torture -run 'TestTortureSalvage' -v ./internal/crdb/salvage && \
	go test -count=1 -timeout 60m -tags torture -run 'TestSalvage' -v ./internal/torture -full

bench-postgres: ## a database copied, beside pg_dump and pgcopydb (half an hour)
	scripts/bench-postgres

bench-salvage-to: ## dead stores to a proved database, beside the server's own COPY (EVAC_STORES_DIR names the stores)
	scripts/bench/salvage-to

bench-memory: ## the most memory that evac takes for a table of wide rows (5 GB of disk on each side)
	scripts/bench-memory

bench-conduct: ## what the conductor itself costs
	scripts/bench-conduct

bench-warm: ## how fast a cold database is read into memory
	scripts/bench-warm

bench-salvage: ## rows out of raw stores, beside reading the stores alone (three stores of 2 GB; EVAC_FIXTURES)
	scripts/bench-salvage

bench-verify: ## what the headcount costs beside plain reading
	scripts/bench-verify

docs: build ## writes docs/kinds and the outputs shown in the documents anew
	scripts/docs

clean:
	rm -rf bin dist evac-demo-*
