package pg

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// What the catalogs say of every object of a database: what all members have in
// common, and the members, one for each class.
var (
	//go:embed catalog/common.sql
	catalogCommon string
	//go:embed catalog/objects.sql
	catalogMembers string
)

// Versions from which on servers tell of something that both sides must, for it
// to be compared.
const (
	firstTruncate     = 11_00_00
	firstMaintain     = 17_00_00
	firstNamedNotNull = 18_00_00
)

// objects makes one relation of what the catalogs say, a row for each object:
// class, identity, definition. Servers of different majors word definitions
// differently; those are compared without what is known to differ.
func (v *verifier) objects(r *reading, _ context.Context, meant Filter) (*relation, error) {
	sql := catalogSQL(r.conn, r.version, min(v.source.version, v.target.version), majorOf(v.source.version) == majorOf(v.target.version), meant)
	return &relation{
		class: ClassObject, name: "objects", columns: []string{"class", "identity", "definition"}, key: []string{"class", "identity"},
		parts: []part{{from: "(" + sql + ") o"}},
	}, nil
}

// catalogSQL is the query of all that on one side, to be compared with another;
// older is the older of the two versions, same whether the majors are.
func catalogSQL(conn *pgx.Conn, version, older int, same bool, meant Filter) string {
	fill := strings.NewReplacer(
		":schema_meant", meant.SchemaSQL("nspname"),
		":relation_meant", meant.SQL("coalesce(os.nspname, own.nspname)", "coalesce(o.relname, c.relname)"),
		":outside", strconv.FormatBool(meant.Outside()),
		":everything", strconv.FormatBool(meant.All()),
		":same_major", strconv.FormatBool(same),
		":both_maintain", strconv.FormatBool(older >= firstMaintain),
		":both_truncate", strconv.FormatBool(older >= firstTruncate),
		":both_name_not_null", strconv.FormatBool(older >= firstNamedNotNull),
	)
	return fill.Replace(fit(conn, catalogCommon+", object(class, identity, definition, looseness) as ("+strings.Join(membersFor(version), "\nunion all\n")+")")) +
		"select class, identity, " + loosened(same) + " as definition from object"
}

// membersFor are the queries that a server of that version understands.
func membersFor(version int) (members []string) {
	_, rest, _ := strings.Cut(catalogMembers, "\n-- since ")
	for member := range strings.SplitSeq(rest, "\n-- since ") {
		head, sql, _ := strings.Cut(member, "\n")
		if version >= parseVersion(head) {
			members = append(members, sql)
		}
	}
	return members
}

// loosened takes from a definition what servers of different majors write
// differently: blanks and parentheses, quotes and types around numbers ((-1) was
// written so before '-1'::integer was), and where the member says so, qualifiers.
func loosened(same bool) string {
	if same {
		return "definition"
	}
	number := `regexp_replace(definition, '''(-?[0-9.]+)''(::(smallint|integer|bigint|numeric|double precision))?', '\1', 'g')`
	return `case looseness when 0 then definition
		when 1 then regexp_replace(` + number + `, '[\s()]', '', 'g')
		else regexp_replace(` + number + `, ' AS "\?column\?"|("([^"]|"")*"|\w+)\.|[\s()]', '', 'g') end`
}

// notes tell of what is no difference, and of what was not compared.
func (v *verifier) notes(ctx context.Context, pairs []*pair) (notes []string, err error) {
	if notes, err = v.crashNotes(ctx, pairs); err != nil {
		return nil, err
	}
	if v.source.roach != nil || v.target.roach != nil {
		return append(notes, "one side is CockroachDB: large objects, and what the catalogs say of objects, are not compared"), nil
	}
	if v.target.carried {
		notes = append(notes, leftOut)
	}
	kept, err := v.keptNote(ctx)
	if err != nil {
		return nil, err
	}
	if kept != "" {
		notes = append(notes, kept)
	}
	if v.Only == OnlyRows || !v.meant.Outside() {
		return notes, nil
	}
	var versions [2]map[string]string
	for i, r := range v.readings() {
		if versions[i], err = r.extensions(ctx); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(versions[0])) {
		source, target := versions[0][name], versions[1][name]
		if target != "" && target != source {
			notes = append(notes, fmt.Sprintf("extension %q is of version %s on the source, %s on the target", name, source, target))
		}
	}
	return notes, nil
}

// extensions are the versions of a side's extensions by name.
func (r *reading) extensions(ctx context.Context) (map[string]string, error) {
	rows, err := r.conn.Query(ctx, "select extname::text, extversion from pg_catalog.pg_extension")
	if err != nil {
		return nil, fmt.Errorf("list extensions of %s: %w", r.side, err)
	}
	versions := map[string]string{}
	var name, version string
	_, err = pgx.ForEachRow(rows, []any{&name, &version}, func() error {
		versions[name] = version
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list extensions of %s: %w", r.side, err)
	}
	return versions, nil
}
