package wreck

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"github.com/evac-io/evac/internal/crdb"
	"github.com/evac-io/evac/internal/pg"
)

// quirk is how that version of the database showed the labels of an enum within
// arrays: with everything that is not ASCII escaped.
var quirk = strings.NewReplacer(`\"e'\\U0000C804\\U0000C124'\"`, "전설", `""e'\\U0000C804\\U0000C124'""`, "전설")

// truth is what the database itself served from the undamaged stores: of each
// table the CSV text, by its name.
func truth() (map[string][]byte, error) {
	f, err := crdb.Tiny.Open(path.Join(tiny, "csv.tar.zst"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	z, err := zstd.NewReader(f)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	tables := map[string][]byte{}
	for in := tar.NewReader(z); ; {
		head, err := in.Next()
		if errors.Is(err, io.EOF) {
			return tables, nil
		}
		if err != nil {
			return nil, err
		}
		if name, isTable := strings.CutSuffix(path.Base(head.Name), ".csv"); isTable {
			text, err := io.ReadAll(in)
			if err != nil {
				return nil, err
			}
			tables[name] = []byte(quirk.Replace(string(text)))
		}
	}
}

// compare holds every row of the database against the truth, in plain SQL.
func (t *target) compare(ctx context.Context, r *Result) (string, error) {
	tables, err := truth()
	if err != nil {
		return "", err
	}
	r.Tables = len(tables)
	err = t.do(ctx, database, func(conn *pgx.Conn) error {
		for name, text := range tables {
			if err := compareTable(ctx, conn, name, text, r); err != nil {
				return fmt.Errorf("compare table %q: %w", name, err)
			}
		}
		return nil
	})
	return fmt.Sprintf("%s rows in the database, held against what the living one showed: %d missing, %d different, %d extra",
		humanize.Comma(r.Rows), r.Missing, r.Different, r.Extra), err
}

// compareTable loads the truth beside the table and joins both by the primary key.
func compareTable(ctx context.Context, conn *pgx.Conn, name string, text []byte, r *Result) error {
	header, err := csv.NewReader(bytes.NewReader(text)).Read()
	if err != nil {
		return err
	}
	columns := make([]string, len(header))
	for i, c := range header {
		columns[i] = pg.Quote(c)
	}
	list := strings.Join(columns, ", ")
	table := pg.Quote("public", name)
	if _, err := conn.Exec(ctx, "create temporary table truth as select "+list+" from "+table+" where false"); err != nil {
		return err
	}
	in := "copy truth from stdin with (format csv, header, null '<<NULL>>')"
	if _, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(text), in); err != nil {
		return err
	}
	key, err := primaryKey(ctx, conn, table)
	if err != nil {
		return err
	}
	var rows, missing, different, extra int64
	err = conn.QueryRow(ctx, fmt.Sprintf(`select count(*) filter (where h."~there"), count(*) filter (where h."~there" is null), count(*) filter (where w."~there" is null),
		count(*) filter (where h."~there" and w."~there" and h."~line" is distinct from w."~line")
		from (select true as "~there", %[1]s, row(%[2]s)::text as "~line" from %[3]s) h
		full join (select true as "~there", %[1]s, row(%[2]s)::text as "~line" from truth) w using (%[1]s)`,
		key, list, table)).Scan(&rows, &missing, &extra, &different)
	if err != nil {
		return err
	}
	r.Rows, r.Missing, r.Extra, r.Different = r.Rows+rows, r.Missing+missing, r.Extra+extra, r.Different+different
	_, err = conn.Exec(ctx, "drop table truth")
	return err
}

// primaryKey is the columns of a table's primary key as SQL lists them.
func primaryKey(ctx context.Context, conn *pgx.Conn, table string) (list string, err error) {
	err = conn.QueryRow(ctx, `select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_index i
		join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
		where i.indrelid = $1::regclass and i.indisprimary`, table).Scan(&list)
	return list, err
}
