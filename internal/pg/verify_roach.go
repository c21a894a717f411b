package pg

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// CockroachDB speaks PostgreSQL's protocol and much of its SQL, and lacks ctid,
// exported snapshots and most of the catalogs. What is asked of it here is in
// its documentation: AS OF SYSTEM TIME for one moment, SHOW as a source of rows,
// information_schema, and COPY TO STDOUT from v23.1 on, before that SELECT. No
// such server took part in a test.

// roach is what is known of a CockroachDB.
type roach struct {
	major, minor      int
	cluster, database string
}

var roachVersion = regexp.MustCompile(`^CockroachDB .*v(\d+)\.(\d+)`)

// askRoach tells whether a session's server is a CockroachDB; nil if not.
func askRoach(ctx context.Context, conn *pgx.Conn) (*roach, error) {
	var version string
	if err := conn.QueryRow(ctx, "select version()").Scan(&version); err != nil {
		return nil, err
	}
	r := readRoach(version)
	if r == nil {
		return nil, nil
	}
	err := conn.QueryRow(ctx, "select crdb_internal.cluster_id()::text, current_database()").Scan(&r.cluster, &r.database)
	return r, err
}

func readRoach(version string) *roach {
	m := roachVersion.FindStringSubmatch(version)
	if m == nil {
		return nil
	}
	r := &roach{}
	r.major, _ = strconv.Atoi(m[1]) // digits
	r.minor, _ = strconv.Atoi(m[2])
	return r
}

// copies tells whether it can COPY TO STDOUT.
func (r *roach) copies() bool { return r.major > 23 || r.major == 23 && r.minor >= 1 }

// begin reads the cluster's clock and begins a transaction at that moment; the
// statement lets other sessions begin the same.
func (r *roach) begin(ctx context.Context, conn *pgx.Conn) (moment string, err error) {
	var clock string
	if err := conn.QueryRow(ctx, "select cluster_logical_timestamp()::string").Scan(&clock); err != nil {
		return "", err
	}
	moment = roachMoment(clock)
	return moment, run(ctx, conn, moment)
}

func roachMoment(clock string) string {
	return "begin transaction as of system time " + Literal(clock)
}

// roachTables lists tables with their columns and primary keys; a hidden column
// (rowid, a hash shard) is no column of the user's, and a key with one no key.
const roachTables = `
	select t.schema_name, t.table_name, quote_ident(t.schema_name) || '.' || quote_ident(t.table_name), coalesce(t.estimated_row_count, 0),
		array(select c.column_name from information_schema.columns c
			where c.table_schema = t.schema_name and c.table_name = t.table_name and c.is_hidden = 'NO' order by c.ordinal_position),
		array(select k.column_name from information_schema.key_column_usage k
			join information_schema.table_constraints p on p.constraint_schema = k.constraint_schema and p.constraint_name = k.constraint_name
				and p.table_name = k.table_name
			where p.constraint_type = 'PRIMARY KEY' and k.table_schema = t.schema_name and k.table_name = t.table_name order by k.ordinal_position)
	from [show tables] t where t.type = 'table' and `

// roachTables lists the side's tables that are meant.
func (r *reading) roachTables(ctx context.Context, meant Filter) ([]*relation, error) {
	rows, err := r.conn.Query(ctx, roachTables+meant.SQL("t.schema_name", "t.table_name")+" order by 1, 2")
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", r.side, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*relation, error) {
		t := &relation{class: ClassRow, portable: true}
		var schema, name string
		err := row.Scan(&schema, &name, &t.name, &t.rows, &t.columns, &t.key)
		if slices.ContainsFunc(t.key, func(c string) bool { return !slices.Contains(t.columns, c) }) {
			t.key = nil
		}
		t.parts = []part{{from: Quote(schema, name)}}
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list tables of %s: %w", r.side, err)
	}
	return list, nil
}

// roachSequences makes one relation of all sequences; PostgreSQL's parameters
// are not asked for.
func (r *reading) roachSequences(ctx context.Context, meant Filter) (*relation, error) {
	rows, err := r.conn.Query(ctx, "select sequence_schema, sequence_name, quote_ident(sequence_schema) || '.' || quote_ident(sequence_name) from information_schema.sequences where "+
		meant.SQL("sequence_schema", "sequence_name")+" order by 1, 2")
	if err != nil {
		return nil, fmt.Errorf("list sequences of %s: %w", r.side, err)
	}
	sources := map[string]string{}
	var names []string
	var schema, sequence, name string
	_, err = pgx.ForEachRow(rows, []any{&schema, &sequence, &name}, func() error {
		names = append(names, name)
		sources[name] = Quote(schema, sequence)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list sequences of %s: %w", r.side, err)
	}
	return sequencesOf(names, func(name string) string {
		return fmt.Sprintf("select %s::text as name, last_value, is_called from %s", Literal(name), sources[name])
	}), nil
}

// selectOut is copyOut for a server that cannot copy: it writes the rows of a
// query in COPY's text form (PostgreSQL docs, COPY, text format).
func (r *roach) selectOut(ctx context.Context, conn *pgx.Conn, sql string, to taker) error {
	answer := conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil)
	var line []byte
	var err error
	for err == nil && answer.NextRow() {
		line = copyLine(line[:0], answer.Values())
		err = takeLine(to, line)
	}
	_, closed := answer.Close()
	return errors.Join(err, closed)
}

// copyLine writes values as a line of COPY's text form, without its end.
func copyLine(line []byte, values [][]byte) []byte {
	for i, value := range values {
		if i > 0 {
			line = append(line, '\t')
		}
		if value == nil {
			line = append(line, `\N`...)
			continue
		}
		for _, c := range value {
			if short := escapes[c]; short != 0 {
				line = append(line, '\\', short)
			} else {
				line = append(line, c)
			}
		}
	}
	return line
}

// escapes are the characters that COPY writes with a backslash.
var escapes = [256]byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v', '\\': '\\'}

// takeLine hands a line over as a taker wants it.
func takeLine(to taker, line []byte) error {
	for len(line) > copyWindow {
		if err := to.take(line[:copyWindow], true); err != nil {
			return err
		}
		line = line[copyWindow:]
	}
	return to.take(line, false)
}
