//go:build bench

package pg

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

//go:embed testdata/bench.sql
var benchData string

// benchJobs is how many sessions read each side, of every contender.
const benchJobs = 2

// TestVerifyFigures compares the headcount with reading both sides and throwing
// the rows away, and with hashing them on the servers, in turn.
func TestVerifyFigures(t *testing.T) {
	rounds := benchNumber(t, "EVAC_BENCH_ROUNDS", 7)
	source, target := benchSides(t)
	if os.Getenv("EVAC_BENCH_ONLY") != "narrow" {
		benchWhole(t, source, target, rounds)
	}
	if os.Getenv("EVAC_BENCH_SOURCE") == "" && os.Getenv("EVAC_BENCH_ONLY") != "whole" {
		benchNarrow(t, source, target, rounds)
	}
}

func benchWhole(t *testing.T, source, target secret.DSN, rounds int) {
	if os.Getenv("EVAC_BENCH_SOURCE") == "" {
		scale := strconv.Itoa(benchNumber(t, "EVAC_BENCH_SCALE", 10))
		benchLoad(t, source, target, strings.ReplaceAll(benchData, ":scale", scale))
	}
	tables := benchTables(t, source, "")
	verify := func() {
		if got := benchHeadcount(t, source, target, Selection{}); !got.Equal() {
			t.Fatalf("the sides differ: %v", got.Differences)
		}
	}
	read, count, hash := benchRounds(rounds,
		func() { benchEach(t, source, target, tables, benchRead) }, verify,
		func() { benchEach(t, source, target, tables, benchHash) })
	benchSay("verify_whole", read, count, hash)
}

func benchNarrow(t *testing.T, source, target secret.DSN, rounds int) {
	millions := benchNumber(t, "EVAC_BENCH_MILLIONS", 25)
	benchLoad(t, source, target, fmt.Sprintf(`
		create table narrow (a int primary key, b int);
		create table keyless (a int, b int);
		insert into narrow select i, i::bigint * 7 %% 1000003 from generate_series(1, %d000000) i;
		insert into keyless select * from narrow;
		vacuum analyze narrow;
		vacuum analyze keyless`, millions))
	once(t, target, "update narrow set b = -1 where a = 1234567; update keyless set b = -1 where a = 1234567")
	for _, table := range []string{"narrow", "keyless"} {
		tables := benchTables(t, source, table)
		verify := func() {
			got := benchHeadcount(t, source, target, Selection{Tables: []string{"public." + table}})
			if got.Data.Rows != int64(millions)*1_000_000 || got.Data.Equal() || len(got.Differences) > 2 {
				t.Fatalf("found %+v", got)
			}
		}
		read, count, hash := benchRounds(rounds,
			func() { benchEach(t, source, target, tables, benchRead) }, verify,
			func() { benchEach(t, source, target, tables, benchHash) })
		benchSay("verify_"+table, read, count, hash)
	}
}

// benchSides are databases of two servers that keep what they are told.
func benchSides(t *testing.T) (source, target secret.DSN) {
	if dsn := os.Getenv("EVAC_BENCH_SOURCE"); dsn != "" {
		return secret.NewDSN(dsn), secret.NewDSN(os.Getenv("EVAC_BENCH_TARGET"))
	}
	durable := func(o *servers.Options) {
		for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
			o.Settings[name] = "on"
		}
		o.Settings["shared_buffers"], o.Settings["max_wal_size"] = "128MB", "4GB"
	}
	return testenv.Database(t, testenv.OwnPostgres(t, testenv.Older, durable)), testenv.Database(t, testenv.OwnPostgres(t, testenv.Newer, durable))
}

// benchLoad runs the same statements on both sides.
func benchLoad(t *testing.T, source, target secret.DSN, sql string) {
	t.Helper()
	var both errgroup.Group
	for _, side := range []secret.DSN{source, target} {
		both.Go(func() error {
			conn, err := pgx.Connect(t.Context(), side.Reveal())
			if err != nil {
				return err
			}
			for statement := range strings.SplitSeq(sql, ";\n") {
				if _, err := conn.Exec(t.Context(), statement); err != nil {
					return fmt.Errorf("%s: %w", statement, err)
				}
			}
			return conn.Close(t.Context())
		})
	}
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
}

// benchTables are all tables, the largest first.
func benchTables(t *testing.T, dsn secret.DSN, only string) []string {
	t.Helper()
	rows, err := dial(t, dsn).Query(t.Context(), `
		select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema)' and $1::text in ('', c.relname::text) order by pg_table_size(c.oid) desc`, only)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// benchEach does something to every table of both sides, with as many sessions
// as the headcount has.
func benchEach(t *testing.T, source, target secret.DSN, tables []string, do func(ctx context.Context, conn *pgx.Conn, table string) error) {
	t.Helper()
	var work errgroup.Group
	for _, side := range []secret.DSN{source, target} {
		queue := make(chan string, len(tables))
		for _, table := range tables {
			queue <- table
		}
		close(queue)
		for range benchJobs {
			work.Go(func() error {
				conn, err := Connect(t.Context(), side, ConnOptions{Application: "bench", Side: Source})
				if err != nil {
					return err
				}
				for table := range queue {
					if err := do(t.Context(), conn, table); err != nil {
						return err
					}
				}
				return conn.Close(t.Context())
			})
		}
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
}

func benchRead(ctx context.Context, conn *pgx.Conn, table string) error {
	_, err := conn.PgConn().CopyTo(ctx, io.Discard, "copy (select * from only "+table+") to stdout")
	return err
}

// benchHash is what pgcopydb 0.18 asks of a server to compare a table.
func benchHash(ctx context.Context, conn *pgx.Conn, table string) error {
	_, err := conn.Exec(ctx, "select count(1), sum(hashtext(t::text)::bigint) from only "+table+" as t")
	return err
}

func benchHeadcount(t *testing.T, source, target secret.DSN, s Selection) VerifyResult {
	t.Helper()
	result, err := Verify(t.Context(), source, target, VerifyOptions{
		Jobs: benchJobs, MaxDifferences: 20, Memory: 128 << 20, Select: s, Total: func(int64) {}, Read: func(int64) {}, Found: func(Difference) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// benchRounds times three contenders in turn, in seconds.
func benchRounds(rounds int, contenders ...func()) (a, b, c []float64) {
	lists := make([][]float64, len(contenders))
	for range rounds {
		for i, do := range contenders {
			start := time.Now()
			do()
			lists[i] = append(lists[i], time.Since(start).Seconds())
		}
	}
	return lists[0], lists[1], lists[2]
}

// benchSay prints medians, and the medians of the ratios within each round.
func benchSay(name string, read, count, hash []float64) {
	fmt.Printf("bench %s_seconds %.2f s (reading and throwing away %.2f, hashing on the servers %.2f) rounds %.2f\n", name, benchMedian(count), benchMedian(read), benchMedian(hash), count)
	for _, peer := range []struct {
		name string
		list []float64
		goal float64
	}{{"read", read, 1.5}, {"server_hash", hash, 1}} {
		ratios := make([]float64, len(count))
		for i := range count {
			ratios[i] = count[i] / peer.list[i]
		}
		verdict := "ok"
		if benchMedian(ratios) > peer.goal {
			verdict = "short"
		}
		fmt.Printf("bench %s_per_%s %.2f x goal <= %.1f %s\n", name, peer.name, benchMedian(ratios), peer.goal, verdict)
	}
}

func benchMedian(list []float64) float64 { return slices.Sorted(slices.Values(list))[len(list)/2] }

func benchNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
