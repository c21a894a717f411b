package pg

import (
	"context"
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// encoding refuses a target that cannot hold the source's texts.
func (p *preflight) encoding(ctx context.Context) error {
	var from, to string
	for side, into := range map[*place]*string{p.source: &from, p.target: &to} {
		err := side.conn.QueryRow(ctx, "select pg_encoding_to_char(encoding) from pg_catalog.pg_database where datname = current_database()").Scan(into)
		if err != nil {
			return fmt.Errorf("read encoding of %s: %w", side.side, err)
		}
	}
	if from != to && (to != "UTF8" || from == "SQL_ASCII") {
		return fault.New(fault.Failed, fmt.Sprintf("the source is encoded in %s, the target in %s, which cannot hold it", from, to),
			fmt.Sprintf("createdb -T template0 -E %s DATABASE", from))
	}
	if from == "SQL_ASCII" {
		p.warn("the source's encoding is SQL_ASCII, so the target's must be: nobody checks what bytes its texts are, and clients may read them differently")
	}
	return nil
}

// Versions since which a database says more of its locale.
const (
	firstActualVersion   = 10_00_00 // of a collation's library
	firstLocaleProvider  = 15_00_00
	firstBuiltinProvider = 17_00_00 // and the names of the columns changed
)

// localeQuery gives provider, collation, character type and the version of
// the library that sorts.
func localeQuery(version int) string {
	switch {
	case version >= firstBuiltinProvider:
		return `select case datlocprovider when 'i' then 'ICU' when 'b' then 'builtin' else 'libc' end, coalesce(datlocale, datcollate), datctype,
			coalesce(pg_database_collation_actual_version(oid), '') from pg_catalog.pg_database where datname = current_database()`
	case version >= firstLocaleProvider:
		return `select case datlocprovider when 'i' then 'ICU' else 'libc' end, coalesce(daticulocale, datcollate), datctype,
			coalesce(pg_database_collation_actual_version(oid), '') from pg_catalog.pg_database where datname = current_database()`
	}
	return "select 'libc', datcollate, datctype, '' from pg_catalog.pg_database where datname = current_database()"
}

// locale is by what a database sorts its texts.
type locale struct{ provider, collate, ctype, version string }

func (l locale) String() string {
	text := l.provider + " " + l.collate
	if l.version != "" {
		text += " (version " + l.version + ")"
	}
	return text
}

// locales warns if texts sort otherwise on the target.
func (p *preflight) locales(ctx context.Context) error {
	var from, to locale
	for side, l := range map[*place]*locale{p.source: &from, p.target: &to} {
		if err := side.conn.QueryRow(ctx, localeQuery(side.version)).Scan(&l.provider, &l.collate, &l.ctype, &l.version); err != nil {
			return fmt.Errorf("read locale of %s: %w", side.side, err)
		}
	}
	first, second, err := p.sortedOtherwise(ctx)
	if err != nil {
		return err
	}
	p.fact("locale", "%s on the source, %s on the target", from, to)
	switch {
	case first != "":
		p.warn("texts sort otherwise on the target (%s there, %s on the source): %q comes before %q on the source, after it on the target; order by, ranges of text and unique indexes follow", to, from, first, second)
	case from.provider != to.provider || from.collate != to.collate || from.ctype != to.ctype:
		p.warn("texts sort by locale %s (ctype %s) on the source and %s (%s) on the target", from.collate, from.ctype, to.collate, to.ctype)
	case from.version != to.version && from.version != "" && to.version != "":
		p.warn("the library that sorts texts has version %s on the source and %s on the target: single characters may sort otherwise", from.version, to.version)
	default:
		return nil
	}
	return p.textIndexes(ctx)
}

// probes sort differently from one library, or version of it, to another: case,
// punctuation (glibc changed it with 2.28), digits, accents.
const probes = "a A b B ab a-b a_b a.b a1 a10 a2 11 1-1 1.1 '' -a _a ~a aa Aa aA AA z Z 0 9 co-op coop Co-op"

// sortedOtherwise gives two texts that the default collations of the two sides
// order differently, "" if none of the probes does.
func (p *preflight) sortedOtherwise(ctx context.Context) (first, second string, err error) {
	const query = `select w from unnest(string_to_array($1, ' ')) w order by w collate pg_catalog."default", w collate "C"`
	here, err := p.source.texts(ctx, "probes", query, probes)
	if err != nil {
		return "", "", err
	}
	there, err := p.target.texts(ctx, "probes", query, probes)
	if err != nil {
		return "", "", err
	}
	for i := range here {
		if here[i] != there[i] {
			return here[i], there[i], nil
		}
	}
	return "", "", nil
}

// textIndexes names what hangs on the order of texts: a copy builds indexes
// anew, but the bounds of partitions and the hands of people stay.
func (p *preflight) textIndexes(ctx context.Context) error {
	indexes, err := p.source.texts(ctx, "indexes", `
		select distinct format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace cross join lateral unnest(i.indcollation::oid[]) k
		where k <> 0 and k not in (select oid from pg_catalog.pg_collation where collname in ('C', 'POSIX', 'ucs_basic')) and n.nspname !~ '^pg_' order by 1`)
	if err == nil && len(indexes) > 0 {
		p.warn("on texts are the indexes %s: a copy builds them in the target's order; after an upgrade in place, or on a restored disk, they must be built anew (reindex)", some(indexes))
	}
	return err
}

// collations refuses a target that lacks collations by which columns sort.
func (p *preflight) collations(ctx context.Context) error {
	missing, err := p.missing(ctx, `
		select distinct c.collname::text from pg_catalog.pg_collation c where c.collnamespace = (select oid from pg_catalog.pg_namespace where nspname = 'pg_catalog') and c.oid in (
			select attcollation from pg_catalog.pg_attribute where attrelid >= 16384 and not attisdropped
			union all select typcollation from pg_catalog.pg_type where oid >= 16384
			union all select k from pg_catalog.pg_index i cross join lateral unnest(i.indcollation::oid[]) k where i.indexrelid >= 16384)`,
		"collations", "select collname from pg_catalog.pg_collation where collencoding in (-1, (select encoding from pg_catalog.pg_database where datname = current_database()))")
	if err != nil {
		return err
	}
	if err := refused(fault.Failed, missing, "the target lacks the collations %s", "install their locales on the target's host, then as a superuser: select pg_import_system_collations('pg_catalog')"); err != nil {
		return err
	}
	if p.source.version < firstActualVersion {
		return nil
	}
	stale, err := p.source.texts(ctx, "collations", `
		select distinct c.collname::text from pg_catalog.pg_collation c where c.collversion <> pg_collation_actual_version(c.oid)
			and c.oid in (select attcollation from pg_catalog.pg_attribute where attrelid >= 16384 and not attisdropped) order by 1`)
	if err == nil && len(stale) > 0 {
		p.warn("on the source, collations changed their order since they were made: %s; indexes on such columns may be wrong already (reindex, then alter collation %s refresh version)", some(stale), Quote(stale[0]))
	}
	return err
}

// features refuses a target whose server was built without what the source
// uses.
func (p *preflight) features(ctx context.Context) error {
	uses, err := p.source.texts(ctx, "features", usedFeatures(p.source.version))
	if err != nil {
		return err
	}
	has, err := p.target.texts(ctx, "features", hadFeatures(p.target.version))
	if err != nil {
		return err
	}
	if run(ctx, p.target.conn, "select '<a/>'::xml") == nil {
		has = append(has, "XML")
	}
	var missing []string
	for _, feature := range uses {
		if !strings.Contains(strings.Join(has, ","), feature) {
			missing = append(missing, feature)
		}
	}
	return refused(fault.Failed, missing, "the target's server was built without what the source uses: %s", "take another build of PostgreSQL for the target")
}

func usedFeatures(version int) string {
	query := "select 'XML' where exists (select from pg_catalog.pg_attribute where atttypid in ('xml'::regtype, 'xml[]'::regtype) and attrelid >= 16384 and not attisdropped)"
	if version >= firstActualVersion {
		query += ` union all select 'ICU collations' where exists (select from pg_catalog.pg_collation where collprovider = 'i' and oid >= 16384)
			or exists (select from pg_catalog.pg_attribute a join pg_catalog.pg_collation c on c.oid = a.attcollation where c.collprovider = 'i' and a.attrelid >= 16384)`
	}
	if version >= firstTidRange { // compression by column is as old
		query += " union all select 'LZ4 compression' where exists (select from pg_catalog.pg_attribute where attcompression = 'l' and attrelid >= 16384 and not attisdropped)"
	}
	return query + " order by 1"
}

func hadFeatures(version int) string {
	query := "select 'LZ4 compression' where exists (select from pg_catalog.pg_settings where name = 'default_toast_compression' and 'lz4' = any(enumvals))"
	if version >= firstActualVersion {
		query += " union all select 'ICU collations' where exists (select from pg_catalog.pg_collation where collprovider = 'i' and oid < 16384)"
	}
	return query
}
