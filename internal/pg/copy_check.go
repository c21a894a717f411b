package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// CopySurvey is what a check before a copy saw.
type CopySurvey struct {
	SourceVersion, TargetVersion string
	PgDump                       PgDump
	// Tables and LargeObjects are counts; Rows is the estimate of the
	// statistics; Bytes the size of tables and large objects without indexes.
	Tables, LargeObjects, Rows, Bytes int64
	// Begun tells that the target holds unfinished work of this very copy,
	// Finished that the copy is complete.
	Begun, Finished bool
	Warnings        []string
}

// CheckCopy looks whether Copy can work, and reads only. Everything that is
// wrong is in the error at once. Of o it needs From, To, PgDump, Token, State.
func CheckCopy(ctx context.Context, o CopyOptions) (CopySurvey, error) {
	s := CopySurvey{Finished: o.State.Finished != nil}
	source, sourceErr := Connect(ctx, o.From, ConnOptions{Application: applicationName, Side: Source})
	target, targetErr := Connect(ctx, o.To, ConnOptions{Application: applicationName, Side: Target})
	defer func() { _ = errors.Join(hangUp(ctx, source), hangUp(ctx, target)) }() // nothing was written
	if err := errors.Join(sourceErr, targetErr); err != nil {
		return s, err
	}
	c := checker{source: source, target: target, o: o, survey: &s}
	for _, check := range []func(context.Context) error{
		c.servers, c.sides, c.size, c.readable, c.rows, c.occupied, c.writable, c.extensions, c.features, c.encoding, c.surroundings,
	} {
		if err := check(ctx); err != nil {
			c.wrong = append(c.wrong, err)
		}
	}
	return s, errors.Join(c.wrong...)
}

// checker is one CheckCopy: each of its checks gives what is wrong, or notes a
// warning.
type checker struct {
	source, target               *pgx.Conn
	sourceVersion, targetVersion int
	sourceSuper, targetSuper     bool
	o                            CopyOptions
	survey                       *CopySurvey
	wrong                        []error
}

func (c *checker) warn(format string, args ...any) {
	c.survey.Warnings = append(c.survey.Warnings, fmt.Sprintf(format, args...))
}

func (c *checker) servers(ctx context.Context) (err error) {
	const super = "select current_setting('server_version_num')::int, r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user"
	if err := c.source.QueryRow(ctx, super).Scan(&c.sourceVersion, &c.sourceSuper); err != nil {
		return fmt.Errorf("read version of source: %w", err)
	}
	if err := c.target.QueryRow(ctx, super).Scan(&c.targetVersion, &c.targetSuper); err != nil {
		return fmt.Errorf("read version of target: %w", err)
	}
	c.survey.SourceVersion, c.survey.TargetVersion = versionName(c.sourceVersion), versionName(c.targetVersion)
	if err := direction(c.sourceVersion, c.targetVersion); err != nil {
		return err
	}
	c.survey.PgDump, err = FindPgDump(ctx, c.o.PgDump, c.sourceVersion/10000, c.targetVersion/10000)
	return err
}

func (c *checker) sides(ctx context.Context) error {
	if _, err := TakeMark(ctx, c.source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return distinct(ctx, c.source, c.target)
}

func (c *checker) size(ctx context.Context) error {
	err := c.source.QueryRow(ctx, `
		select count(*), coalesce(sum(greatest(c.reltuples, 0)), 0)::int8,
			coalesce(sum(pg_table_size(c.oid)), 0)::int8 + pg_relation_size('pg_catalog.pg_largeobject'),
			(select count(*) from pg_catalog.pg_largeobject_metadata)
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'`).
		Scan(&c.survey.Tables, &c.survey.Rows, &c.survey.Bytes, &c.survey.LargeObjects)
	if err != nil {
		return fmt.Errorf("read sizes of source: %w", err)
	}
	return nil
}

// readable refuses a source of which the user may not read everything.
func (c *checker) readable(ctx context.Context) error {
	denied, err := texts(ctx, c.source, `
		select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p', 'S', 'm') and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
			and not (has_schema_privilege(n.oid, 'usage') and case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'select') else has_table_privilege(c.oid, 'select') end)
			and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
		order by 1`)
	if err != nil {
		return fmt.Errorf("read privileges on source: %w", err)
	}
	if len(denied) == 0 {
		return nil
	}
	return fault.New(fault.Denied, "source does not let the user read "+some(denied), "grant pg_read_all_data to the user (PostgreSQL 14 and newer), or connect as a superuser")
}

// rows refuses a source that hides rows from the user.
func (c *checker) rows(ctx context.Context) error {
	hidden, err := texts(ctx, c.source, `
		select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and row_security_active(c.oid) order by 1`)
	if err != nil {
		return fmt.Errorf("read row security of source: %w", err)
	}
	if len(hidden) == 0 {
		return nil
	}
	return fault.New(fault.Denied, "row security of source hides rows from the user in "+some(hidden), "alter role USER bypassrls, or connect as a superuser")
}

// occupied refuses a target that holds anything else than this copy.
func (c *checker) occupied(ctx context.Context) error {
	head, err := openLedger(ctx, c.target, c.o.Token)
	if err != nil || c.survey.Finished {
		return err
	}
	if head != nil {
		c.survey.Begun = true
		return nil
	}
	t := target{conn: c.target}
	kept, err := t.keptExtensions(ctx)
	if err != nil {
		return err
	}
	return t.refuseFull(ctx, kept)
}

// writable refuses a target in which the user may make nothing.
func (c *checker) writable(ctx context.Context) error {
	var standby, create bool
	err := c.target.QueryRow(ctx, "select pg_is_in_recovery(), has_database_privilege(current_database(), 'create')").Scan(&standby, &create)
	switch {
	case err != nil:
		return fmt.Errorf("read privileges on target: %w", err)
	case standby:
		return fault.New(fault.Failed, "the target is a standby, which takes no writes", "connect to its primary")
	case !create:
		return fault.New(fault.Denied, "target does not let the user make schemas", "grant create on database DATABASE to the user")
	}
	if !c.targetSuper {
		c.warn("the user of the target is no superuser: owners, event triggers and whatever else it may not set are left out, each with a warning")
	}
	if !c.sourceSuper {
		c.warn("the user of the source is no superuser: passwords of roles and of user mappings, and subscriptions, are left out where it may not read them")
	}
	return nil
}

// extensions refuses a target on whose host an extension is not installed.
func (c *checker) extensions(ctx context.Context) error {
	used, err := texts(ctx, c.source, "select extname::text from pg_catalog.pg_extension order by 1")
	if err != nil {
		return fmt.Errorf("list extensions of source: %w", err)
	}
	missing, err := texts(ctx, c.target, `
		select u from unnest($1::text[]) u where u not in (select name from pg_catalog.pg_available_extensions)
			and u not in (select extname from pg_catalog.pg_extension) order by 1`, used)
	if err != nil {
		return fmt.Errorf("list extensions of target: %w", err)
	}
	if len(missing) == 0 {
		return nil
	}
	return fault.New(fault.Failed, "the target's host lacks extensions of the source: "+some(missing), "install their packages for the target's version, or drop them on the source")
}

// features refuses a target whose server was built without what the source
// uses.
func (c *checker) features(ctx context.Context) error {
	var uses, has struct{ xml, icu, lz4 bool }
	lz4 := "false"
	if c.sourceVersion >= firstTidRange { // compression by column is as old
		lz4 = "exists (select from pg_catalog.pg_attribute where attcompression = 'l' and attrelid >= 16384 and not attisdropped)"
	}
	err := c.source.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_attribute where atttypid in ('xml'::regtype, 'xml[]'::regtype) and attrelid >= 16384 and not attisdropped),
			exists (select from pg_catalog.pg_collation where collprovider = 'i' and oid >= 16384)
				or exists (select from pg_catalog.pg_attribute a join pg_catalog.pg_collation c on c.oid = a.attcollation where c.collprovider = 'i' and a.attrelid >= 16384),
			`+lz4).Scan(&uses.xml, &uses.icu, &uses.lz4)
	if err != nil {
		return fmt.Errorf("read what source uses: %w", err)
	}
	err = c.target.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_collation where collprovider = 'i' and oid < 16384),
			exists (select from pg_catalog.pg_settings where name = 'default_toast_compression' and 'lz4' = any(enumvals))`).Scan(&has.icu, &has.lz4)
	if err != nil {
		return fmt.Errorf("read what target has: %w", err)
	}
	has.xml = run(ctx, c.target, "select '<a/>'::xml") == nil
	var missing []string
	for name, lacks := range map[string]bool{"XML": uses.xml && !has.xml, "ICU collations": uses.icu && !has.icu, "LZ4 compression": uses.lz4 && !has.lz4} {
		if lacks {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fault.New(fault.Failed, "the target's server was built without what the source uses: "+strings.Join(missing, ", "), "take another build of PostgreSQL for the target")
}

// encoding refuses a target that cannot hold the source's texts.
func (c *checker) encoding(ctx context.Context) error {
	const query = `select pg_encoding_to_char(encoding), datcollate, datctype from pg_catalog.pg_database where datname = current_database()`
	var from, to [3]string
	if err := c.source.QueryRow(ctx, query).Scan(&from[0], &from[1], &from[2]); err != nil {
		return fmt.Errorf("read encoding of source: %w", err)
	}
	if err := c.target.QueryRow(ctx, query).Scan(&to[0], &to[1], &to[2]); err != nil {
		return fmt.Errorf("read encoding of target: %w", err)
	}
	if from[0] != to[0] && (to[0] != "UTF8" || from[0] == "SQL_ASCII") {
		return fault.New(fault.Failed, fmt.Sprintf("the source is encoded in %s, the target in %s, which cannot hold it", from[0], to[0]),
			fmt.Sprintf("createdb -T template0 -E %s DATABASE", from[0]))
	}
	if from[1] != to[1] || from[2] != to[2] {
		c.warn("texts sort by locale %s (ctype %s) on the source and %s (%s) on the target", from[1], from[2], to[1], to[2])
	}
	return nil
}

// surroundings warns of what around the database will not be the same.
func (c *checker) surroundings(ctx context.Context) error {
	missing, err := missingTablespaces(ctx, c.source, c.target)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		c.warn("the target lacks tablespaces: everything of %s goes to the default one", some(missing))
	}
	if c.sourceVersion >= firstGenerated {
		return nil
	}
	hidden, err := texts(ctx, c.source, "select oid::regclass::text from pg_catalog.pg_class where relhasoids and relkind = 'r' and oid >= 16384 order by 1")
	if err != nil {
		return fmt.Errorf("list tables of source with OIDs: %w", err)
	}
	if len(hidden) > 0 {
		c.warn("the hidden column oid, which PostgreSQL 12 gave up, is left out: %s", some(hidden))
	}
	return nil
}

// some lists names, and how many more there are.
func some(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
