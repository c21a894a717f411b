//go:build bench

package pg

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
)

// benchRows make a table of 1.7 GB and an index of 0.3 GB.
const benchRows = 13_000_000

// warmJobs is how much is read at once, by warm and by what it is compared with.
const warmJobs = 4

// TestWarmRate compares warming with the raw read of the same files, the
// server restarted and the machine's caches dropped before each. EVAC_BENCH_DIR
// is where the server is, EVAC_BENCH_ROUNDS how many rounds there are: 0 only
// makes the server.
func TestWarmRate(t *testing.T) {
	b := &warmBench{ctx: t.Context(), t: t, dir: os.Getenv("EVAC_BENCH_DIR")}
	rounds, err := strconv.Atoi(os.Getenv("EVAC_BENCH_ROUNDS"))
	b.must(err)
	b.start()
	t.Cleanup(b.stop)
	b.load()
	contenders := []struct {
		name string
		rate func() float64
	}{
		{"raw", func() float64 { return b.raw(warmJobs) }},
		{"raw_one", func() float64 { return b.raw(1) }},
		{"prewarm", func() float64 { return b.warm("") }},
		{"scans", func() float64 { return b.warm("bench") }},
	}
	rates, ratios := map[string][]float64{}, map[string][]float64{}
	for round := range rounds {
		now := map[string]float64{}
		for i := range contenders {
			c := contenders[(i+round)%len(contenders)]
			b.cold()
			now[c.name] = c.rate()
			rates[c.name] = append(rates[c.name], now[c.name])
		}
		for _, c := range contenders[2:] {
			ratios[c.name] = append(ratios[c.name], now[c.name]/now["raw"])
		}
		fmt.Println("round", round+1, now)
	}
	if rounds == 0 {
		return
	}
	for _, c := range contenders {
		fmt.Printf("bench warm_%s_rate %.0f MB/s\n", c.name, median(rates[c.name]))
	}
	for _, c := range contenders[2:] {
		ratio, said := median(ratios[c.name]), "ok"
		if ratio < 0.9 {
			said = "short"
		}
		fmt.Printf("bench warm_%s_of_raw %.2f ratio goal >= 0.90 %s\n", c.name, ratio, said)
	}
}

type warmBench struct {
	ctx context.Context
	t   *testing.T
	dir string
	srv *servers.Postgres
}

func (b *warmBench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *warmBench) start() {
	cache, err := servers.CacheDir()
	b.must(err)
	older, _, _, err := servers.Pair(b.ctx, cache, slog.New(slog.NewTextHandler(io.Discard, nil)))
	b.must(err)
	b.srv, err = servers.StartPostgres(b.ctx, servers.Options{
		Install: older, Dir: filepath.Join(b.dir, "server"), DieWithParent: true,
		Settings: map[string]string{"max_wal_size": "8GB", "autovacuum": "off"},
	})
	b.must(err)
}

func (b *warmBench) stop() {
	b.must(b.srv.Stop(context.WithoutCancel(b.ctx), servers.Fast))
}

// cold restarts the server without anything in memory.
func (b *warmBench) cold() {
	b.stop()
	b.must(exec.Command("sync").Run())
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		b.t.Fatalf("drop the machine's caches: %v: run as root, on Linux", err)
	}
	b.start()
}

// load fills the database of an ordinary owner, once.
func (b *warmBench) load() {
	admin := b.srv.DSN("postgres", "")
	if text(b.t, admin, "select count(*)::text from pg_database where datname = 'bench'") == "1" {
		return
	}
	for _, sql := range []string{"create role bench login", "create database bench owner bench"} {
		once(b.t, admin, sql)
	}
	db := b.srv.DSN("bench", "bench")
	for _, sql := range []string{
		"create table account (id int, branch int, balance int, filler char(84))",
		"insert into account select i, i % 100, 0, '' from generate_series(1, " + strconv.Itoa(benchRows) + ") i",
		"create index account_id on account (id)",
		"vacuum freeze analyze account",
	} {
		once(b.t, db, sql)
	}
	once(b.t, admin, "checkpoint")
}

// raw reads the files of the table and its index through the machine's cache,
// as the server does: so many pieces of 32 MiB at once as warm does.
func (b *warmBench) raw(jobs int) float64 {
	var files []string
	for _, name := range []string{"account", "account_id"} {
		path := filepath.Join(b.srv.DataDir(), text(b.t, b.srv.DSN("bench", ""), "select pg_relation_filepath('"+name+"')"))
		more, err := filepath.Glob(path + ".*")
		b.must(err)
		slices.Sort(more)
		files = append(append(files, path), more...)
	}
	began := time.Now()
	pieces := make(chan *io.SectionReader)
	var group errgroup.Group
	for range jobs {
		group.Go(func() error {
			buffer := make([]byte, 1<<20)
			var failed error
			for p := range pieces { // to the end, else nobody takes them
				for at := int64(0); at < p.Size(); at += int64(len(buffer)) {
					if _, err := p.ReadAt(buffer, at); err != nil && err != io.EOF {
						failed = err
					}
				}
			}
			return failed
		})
	}
	var bytes int64
	for _, name := range files {
		file, err := os.Open(name)
		b.must(err)
		defer func() { b.must(file.Close()) }()
		info, err := file.Stat()
		b.must(err)
		bytes += info.Size()
		for from := int64(0); from < info.Size(); from += pieceBlocks * 8192 {
			pieces <- io.NewSectionReader(file, from, min(pieceBlocks*8192, info.Size()-from))
		}
	}
	close(pieces)
	b.must(group.Wait())
	return float64(bytes) / 1e6 / time.Since(began).Seconds()
}

// warm warms the database as a user.
func (b *warmBench) warm(user string) float64 {
	began := time.Now()
	r, err := Warm(b.ctx, benchOptions(b.srv.DSN("bench", user)))
	took := time.Since(began)
	b.must(err)
	if r.Percent != 100 || user != "" && r.Way != "scans" {
		b.t.Fatalf("result %+v", r)
	}
	return float64(r.Bytes) / 1e6 / took.Seconds()
}

func benchOptions(db secret.DSN) WarmOptions {
	o := warming(db)
	o.Jobs = warmJobs
	return o
}
