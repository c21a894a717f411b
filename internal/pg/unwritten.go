package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// FreezeMark is one moment of one database, by which UnwrittenSince later
// tells whether anything was written to it since.
type FreezeMark struct {
	// System is the cluster's system identifier, Database the database's OID.
	System   string `json:"system"`
	Database uint32 `json:"database"`
	// Xmin and Xmax are the bounds of the cluster's snapshot: every
	// transaction below Xmin had ended, none from Xmax on had.
	Xmin int64 `json:"xmin"`
	Xmax int64 `json:"xmax"`
	// Rows sums up how many rows were ever inserted, updated and deleted in the
	// tables of the database (catalogs included, what ANALYZE writes left out),
	// Sequences where the sequences stand.
	Rows      string `json:"rows"`
	Sequences string `json:"sequences"`
	// UserRows is Rows without the catalogs and temporary objects.
	UserRows string `json:"user_rows"`
	// TakenAt is the server's clock.
	TakenAt time.Time `json:"taken_at"`
}

// statsLag is how late a session of an idle client may report its rows to the
// counters (PostgreSQL 15 and later: 10 s, PGSTAT_IDLE_INTERVAL).
const statsLag = 11 * time.Second

// statsPause is the time between two looks at the counters meanwhile.
const statsPause = 500 * time.Millisecond

// TakeMark reads the mark of the database that conn is connected to. conn must not be inside a transaction: its snapshot would hide
// what came after.
func TakeMark(ctx context.Context, conn *pgx.Conn) (FreezeMark, error) {
	var m FreezeMark
	if conn.PgConn().TxStatus() != 'I' {
		return m, errors.New("take mark: the session is inside a transaction")
	}
	err := conn.QueryRow(ctx, fit(conn, `
		select (`+systemIdentifier+`), d.oid,
			txid_snapshot_xmin(s.now), txid_snapshot_xmax(s.now), (`+rowDigest+`), (`+sequenceDigest+`), (`+rowDigest+userTables+`), clock_timestamp()
		from pg_catalog.pg_database d, (select txid_current_snapshot() as now offset 0) s
		where d.datname = current_database()`)).
		Scan(&m.System, &m.Database, &m.Xmin, &m.Xmax, &m.Rows, &m.Sequences, &m.UserRows, &m.TakenAt)
	if err != nil {
		return m, fmt.Errorf("take mark: %w", err)
	}
	return m, nil
}

// systemIdentifier is what pg_control says. Before 9.6 only a superuser may
// read that, as the first eight bytes of the file (pg_control.h); for others
// the database's OID and the transaction counter must do.
const systemIdentifier = `
	select system_identifier::text from pg_catalog.pg_control_system() --[9.6+]
	select case when rolsuper then encode(pg_read_binary_file('global/pg_control', 0, 8), 'hex') else 'unknown' end --[<9.6]
	from pg_catalog.pg_roles where rolname = current_user --[<9.6]
`

// rowDigest leaves out shared catalogs, which belong to no database, and the
// statistics that (auto)analyze writes, with their TOAST tables. It is sums,
// not a hash: a server may be forbidden to use MD5.
const rowDigest = `
	select concat_ws(' ', sum(s.n_tup_ins), sum(s.n_tup_upd), sum(s.n_tup_del),
		sum(s.relid::bigint * (s.n_tup_ins::numeric * 3 + s.n_tup_upd * 5 + s.n_tup_del * 7)))
	from pg_catalog.pg_stat_all_tables s join pg_catalog.pg_class c on c.oid = s.relid
	where not c.relisshared and not exists (
		select from pg_catalog.pg_class a
		where a.oid in ('pg_catalog.pg_statistic'::regclass, to_regclass('pg_catalog.pg_statistic_ext_data'))
			and c.oid in (a.oid, a.reltoastrelid))`

// userTables leaves out what is not the users' own, and what ends with its
// session.
const userTables = ` and s.schemaname <> 'information_schema' and s.schemaname !~ '^pg_'`

// sequenceDigest sees what the transaction counter does not: nextval draws most
// values without a transaction number. Sequences that are not logged are left
// out: a crash of the server sets them back, and nobody drew from them then.
const sequenceDigest = `
	select concat_ws(' ', count(*), sum(l.value), sum(c.oid::bigint * l.value::numeric))
	from pg_catalog.pg_class c
	join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	cross join lateral (select
		case when c.relkind = 'S' and has_sequence_privilege(c.oid, 'select, usage') then pg_sequence_last_value(c.oid) end as value --[10+]
		case when c.relkind = 'S' and has_sequence_privilege(c.oid, 'select') then substring(query_to_xml( --[<10]
			format('select case when is_called then last_value end as v from %I.%I', n.nspname, c.relname), false, true, '')::text from '<v>(-?\d+)</v>')::int8 end as value --[<10]
	) l
	where c.relkind = 'S' and c.relpersistence = 'p'`

// UnwrittenSince tells whether nothing at all was committed to the database
// since the mark was taken, and why it says so. Without any transaction in the
// whole cluster that is proved by the transaction counter; where other
// databases or ANALYZE moved that, the counters of each table decide, once the
// sessions of this database that did anything since the mark have ended, or
// after the time that their reports may lag behind (11 s). In doubt the answer
// is false.
//
// Whoever goes on reading must take the new snapshot first and ask then, on
// another session: conn must not be inside a transaction.
func UnwrittenSince(ctx context.Context, conn *pgx.Conn, mark FreezeMark) (unwritten bool, reason string, err error) {
	return sinceMark(ctx, conn, mark, FreezeMark.writtenSince)
}

// UnusedSince is UnwrittenSince for what is the users' own: rows of their
// tables, and sequences. Changes of the catalogs do not count.
func UnusedSince(ctx context.Context, conn *pgx.Conn, mark FreezeMark) (unused bool, reason string, err error) {
	return sinceMark(ctx, conn, mark, FreezeMark.usedSince)
}

func sinceMark(ctx context.Context, conn *pgx.Conn, mark FreezeMark, written func(now, old FreezeMark) string) (bool, string, error) {
	late := time.NewTimer(statsLag)
	defer late.Stop()
	sessions := owing{conn: conn}
	for lagging := true; ; {
		told, err := sessions.told(ctx, mark.TakenAt)
		if err != nil {
			return false, "", err
		}
		now, err := TakeMark(ctx, conn)
		if err != nil {
			return false, "", err
		}
		if why := written(now, mark); why != "" {
			return false, why, nil
		}
		if now.silentSince(mark) {
			return true, fmt.Sprintf("no transaction ended in the cluster since %s", clock(mark.TakenAt)), nil
		}
		if told || !lagging {
			return true, fmt.Sprintf("transactions ended in the cluster since %s, but no row counter and no sequence of this database moved", clock(mark.TakenAt)), nil
		}
		select {
		case <-late.C:
			lagging = false
		case <-time.After(statsPause):
		case <-ctx.Done():
			return false, "", fmt.Errorf("wait for the row counters: %w", context.Cause(ctx))
		}
	}
}

// silentSince tells whether no transaction that could write ended anywhere in
// the cluster: none was under way at the mark, and none has begun and ended.
func (m FreezeMark) silentSince(old FreezeMark) bool {
	return m.writtenSince(old) == "" && old.Xmin == old.Xmax && m.Xmax == old.Xmax
}

// usedSince is writtenSince for the users' own rows.
func (m FreezeMark) usedSince(old FreezeMark) string {
	m.Rows, old.Rows = m.UserRows, old.UserRows
	return m.writtenSince(old)
}

// rowsWritten is what the counters of the tables say.
const rowsWritten = "rows were written"

// writtenSince says what was written since the old mark, "" if nothing shows.
func (m FreezeMark) writtenSince(old FreezeMark) string {
	switch {
	case m.System != old.System:
		return fmt.Sprintf("it is another server: system identifier %s, was %s", m.System, old.System)
	case m.Database != old.Database:
		return fmt.Sprintf("it is another database: OID %d, was %d", m.Database, old.Database)
	case m.Xmax < old.Xmax:
		return fmt.Sprintf("the server was set back: next transaction %d, was %d", m.Xmax, old.Xmax)
	case m.Sequences != old.Sequences:
		return "a sequence was drawn from"
	case m.Rows != old.Rows && (m.Xmax != old.Xmax || old.Xmin != old.Xmax):
		return rowsWritten
	}
	return ""
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
