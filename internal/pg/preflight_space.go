package pg

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/fault"
)

// size measures the source.
func (p *preflight) size(ctx context.Context) error {
	err := p.source.conn.QueryRow(ctx, `
		select count(*), coalesce(sum(greatest(c.reltuples, 0)), 0)::int8,
			coalesce(sum(pg_table_size(c.oid)), 0)::int8 + case when $1 then pg_relation_size('pg_catalog.pg_largeobject') else 0 end,
			coalesce(sum(pg_indexes_size(c.oid)), 0)::int8, case when $1 then (select count(*) from pg_catalog.pg_largeobject_metadata) else 0 end
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
			and `+p.filter.SQL("n.nspname", "c.relname"), p.filter.All()).
		Scan(&p.survey.Tables, &p.survey.Rows, &p.survey.Bytes, &p.survey.IndexBytes, &p.survey.LargeObjects)
	if err != nil {
		return fmt.Errorf("read sizes of source: %w", err)
	}
	return nil
}

// demand is what a copy takes of the target's disk, in bytes.
type demand struct {
	data  int64 // tables, large objects and indexes as the source has them
	wal   int64 // the write-ahead log's bound
	sorts int64 // temporary files of the index builds under way
}

func (d demand) total() int64 { return d.data + d.wal + d.sorts }

// bloatAllowed is the share of the source's size that a copy may be, because a
// copy leaves dead space behind.
const bloatAllowed = 0.5

// tunedWAL is max_wal_size as tuned sets it.
const tunedWAL = 16 << 30

// space compares what the copy will take with what the target's disk has left,
// where that can be seen: on this machine.
func (p *preflight) space(ctx context.Context) error {
	if p.survey.Finished || p.survey.Begun {
		return nil
	}
	need := demand{data: p.survey.Bytes + p.survey.IndexBytes}
	unit := "pg_size_bytes(current_setting('max_wal_size'))"
	if p.target.version < firstControl { // max_wal_size, or segments before it
		unit = "1073741824"
	}
	if err := p.target.conn.QueryRow(ctx, "select "+unit+"::int8").Scan(&need.wal); err != nil {
		return fmt.Errorf("read settings of target: %w", err)
	}
	if p.Tuning.Wanted {
		need.wal = max(need.wal, tunedWAL)
	}
	err := p.source.conn.QueryRow(ctx, `
		select coalesce(sum(size), 0)::int8 from (select pg_relation_size(indexrelid) as size from pg_catalog.pg_index where indexrelid >= 16384 order by 1 desc limit $1) i`,
		max(p.Jobs, 1)).Scan(&need.sorts)
	if err != nil {
		return fmt.Errorf("read sizes of source: %w", err)
	}
	text := fmt.Sprintf("%s on the target: %s for tables and indexes, up to %s of write-ahead log, up to %s for sorting",
		inBytes(need.total()), inBytes(need.data), inBytes(need.wal), inBytes(need.sorts))
	free, err := p.target.free(ctx)
	if err != nil {
		return err
	}
	if free < 0 {
		p.fact("disk", "%s; how much is free there cannot be asked in SQL", text)
		return nil
	}
	p.fact("disk", "%s; free: %s", text, inBytes(free))
	switch {
	case float64(free) < bloatAllowed*float64(need.data):
		return fault.New(fault.Failed, fmt.Sprintf("the target's disk has %s free, and the source's tables and indexes take %s", inBytes(free), inBytes(need.data)), "enlarge the target's disk, or drop on the source what nobody needs")
	case free < need.total():
		p.warn("the target's disk has %s free and may need %s: enlarge it before the copy", inBytes(free), inBytes(need.total()))
	}
	return nil
}

// free is what the file system of a server on this machine has left, -1 if the
// server is elsewhere or hides its directory.
func (s *place) free(ctx context.Context) (int64, error) {
	if !s.local() {
		return -1, nil
	}
	directory, err := s.texts(ctx, "settings", "select setting from pg_catalog.pg_settings where name = 'data_directory' and setting is not null")
	if err != nil || len(directory) == 0 {
		return -1, err
	}
	port, err := s.texts(ctx, "settings", "select setting from pg_catalog.pg_settings where name = 'port'")
	if err != nil {
		return -1, err
	}
	// A container answers on this machine too, from directories of its own.
	lines, err := os.ReadFile(filepath.Join(directory[0], "postmaster.pid"))
	if err != nil || len(port) == 0 || !strings.Contains(string(lines), "\n"+directory[0]+"\n") || !strings.Contains(string(lines), "\n"+port[0]+"\n") {
		return -1, nil //nolint:nilerr // not there, or not for this user to see: the space cannot be told
	}
	return freeBytes(directory[0])
}

// freeBytes is what an ordinary user may still write to the file system of a
// directory.
func freeBytes(directory string) (int64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(directory, &disk); err != nil {
		return -1, fmt.Errorf("ask free space of %q: %w", directory, err)
	}
	return int64(disk.Bavail) * int64(disk.Bsize), nil //nolint:gosec,unconvert // the types differ between systems
}

// local tells whether the session's other end is on this machine, as far as
// its address tells.
func (s *place) local() bool {
	address := s.conn.PgConn().Conn().RemoteAddr()
	if address.Network() == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(address.String())
	return err == nil && net.ParseIP(host).IsLoopback()
}

func inBytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
