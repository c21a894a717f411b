//go:build bench

package pg

import (
	"cmp"
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
	given := os.Getenv("EVAC_BENCH_SOURCE") != ""
	for _, name := range strings.Fields(cmp.Or(os.Getenv("EVAC_BENCH_WHAT"), "whole narrow keyless")) {
		if !given {
			benchLoad(t, source, target, benchScript(t, name))
		}
		if name == "whole" {
			benchOne(t, name, source, target, rounds, Selection{NotTables: []string{"public.narrow", "public.keyless"}}, 0)
			continue
		}
		if !given {
			once(t, target, "update "+name+" set b = -1 where a = 1234567")
		}
		benchOne(t, name, source, target, rounds, Selection{Tables: []string{"public." + name}}, 1)
	}
}

// benchScript makes the data of one figure.
func benchScript(t *testing.T, name string) string {
	if name == "whole" {
		return strings.ReplaceAll(benchData, ":scale", strconv.Itoa(benchNumber(t, "EVAC_BENCH_SCALE", 10)))
	}
	key := map[string]string{"narrow": "primary key"}[name]
	return fmt.Sprintf(`
		create table %[1]s (a int %[2]s, b int);
		insert into %[1]s select i, i::bigint * 7 %% 1000003 from generate_series(1, %[3]d000000) i;
		vacuum analyze %[1]s`, name, key, benchNumber(t, "EVAC_BENCH_MILLIONS", 25))
}

// benchOne prints the figures of a part of the databases in which so many rows
// differ.
func benchOne(t *testing.T, name string, source, target secret.DSN, rounds int, s Selection, differ int64) {
	f, err := s.Filter()
	if err != nil {
		t.Fatal(err)
	}
	tables := benchTables(t, source, f)
	var contenders [3][]float64
	for range rounds {
		for i, do := range []func(){
			func() { benchEach(t, source, target, tables, benchRead) },
			func() { benchHeadcount(t, source, target, s, differ) },
			func() { benchEach(t, source, target, tables, benchHash) },
		} {
			start := time.Now()
			do()
			contenders[i] = append(contenders[i], time.Since(start).Seconds())
		}
	}
	benchSay("verify_"+name, contenders[0], contenders[1], contenders[2])
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

// benchTables are the tables that are meant, the largest first.
func benchTables(t *testing.T, dsn secret.DSN, f Filter) []string {
	t.Helper()
	rows, err := dial(t, dsn).Query(t.Context(), `
		select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'm') and c.relispopulated and n.nspname !~ '^(pg_|information_schema)' and `+f.SQL("n.nspname", "c.relname")+" order by pg_table_size(c.oid) desc")
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

func benchHeadcount(t *testing.T, source, target secret.DSN, s Selection, differ int64) {
	t.Helper()
	result, err := Verify(t.Context(), source, target, VerifyOptions{
		Jobs: benchJobs, MaxDifferences: 20, Memory: 128 << 20, Select: s, Total: func(int64) {}, Read: func(int64) {}, Found: func(Difference) {},
	})
	if d := result.Data; err != nil || max(d.Missing, d.Extra, d.Different) != differ || len(result.Differences) > 2 {
		t.Fatalf("%v, found %+v", err, result)
	}
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
