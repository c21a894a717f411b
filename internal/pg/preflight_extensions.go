package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// extensions refuses a target on whose host an extension is not installed, or
// on which the user may not create it.
func (p *preflight) extensions(ctx context.Context) error {
	used, err := p.source.texts(ctx, "extensions", "select extname::text from pg_catalog.pg_extension order by 1")
	if err != nil {
		return err
	}
	missing, err := p.target.texts(ctx, "extensions", `
		select u from unnest($1::text[]) u where u not in (select name from pg_catalog.pg_available_extensions)
			and u not in (select extname from pg_catalog.pg_extension) order by 1`, used)
	if err != nil {
		return err
	}
	barred, err := p.barredExtensions(ctx, used)
	hint := ""
	if len(barred) > 0 {
		hint = fmt.Sprintf("in database %s of the target, as a superuser: create extension %s", Quote(p.target.database), Quote(barred[0]))
	}
	return errors.Join(err,
		refused(fault.Failed, missing, "the target's host lacks extensions of the source: %s", p.installHint(missing)),
		refused(fault.Denied, barred, "only a superuser of the target can create the extensions %s, which are not there", hint))
}

// barredExtensions lists those that the target has on its disk, not in the
// database, and that its user may not create. Providers let members of their
// role create them; which of them they allow stands in a parameter.
func (p *preflight) barredExtensions(ctx context.Context, used []string) ([]string, error) {
	if p.target.super {
		return nil, nil
	}
	if p.target.provider.name != "" {
		return nil, p.unlistedExtensions(ctx, used)
	}
	trusted := "false"
	if p.target.version >= firstTrusted {
		trusted = "v.trusted"
	}
	return p.target.texts(ctx, "extensions", `
		select a.name::text from pg_catalog.pg_available_extensions a join pg_catalog.pg_available_extension_versions v on v.name = a.name and v.version = a.default_version
		where a.name = any($1::text[]) and a.installed_version is null and v.superuser and not `+trusted+` order by 1`, used)
}

// firstTrusted is the first version whose owner of a database may create some
// extensions.
const firstTrusted = 13_00_00

// unlistedExtensions refuses extensions that the provider's parameter does not
// list.
func (p *preflight) unlistedExtensions(ctx context.Context, used []string) error {
	var name, list string
	err := p.target.conn.QueryRow(ctx, "select name, setting from pg_catalog.pg_settings where name in ('azure.extensions', 'rds.allowed_extensions') limit 1").Scan(&name, &list)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && strings.TrimSpace(list) == "*" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read settings of target: %w", err)
	}
	allowed := strings.FieldsFunc(strings.ToLower(list), func(r rune) bool { return r == ',' || r == ' ' })
	unlisted := slices.DeleteFunc(slices.Clone(used), func(e string) bool { return e == "plpgsql" || slices.Contains(allowed, e) })
	return refused(fault.Failed, unlisted, "the target's "+name+" does not list the extensions %s", p.target.provider.set(name, strings.Join(append(allowed, unlisted...), ",")))
}

// installHint says how to install the first of the missing extensions.
func (p *preflight) installHint(missing []string) string {
	if len(missing) == 0 {
		return ""
	}
	if p.target.provider.name != "" {
		return fmt.Sprintf("%s does not offer them: drop them on the source (drop extension %s), or take another target", p.target.provider.name, Quote(missing[0]))
	}
	major := p.target.version / 10000
	packages := map[string]string{
		"vector": "-pgvector", "postgis": "-postgis-3", "postgis_topology": "-postgis-3", "postgis_raster": "-postgis-3", "pg_cron": "-cron", "pg_partman": "-partman",
		"pgaudit": "-pgaudit", "pglogical": "-pglogical", "pg_repack": "-repack", "pg_hint_plan": "-pg-hint-plan", "hypopg": "-hypopg", "orafce": "-orafce",
		"hll": "-hll", "h3": "-h3", "ip4r": "-ip4r", "rum": "-rum", "mysql_fdw": "-mysql-fdw", "tds_fdw": "-tds-fdw", "pg_squeeze": "-squeeze", "pgrouting": "-pgrouting",
	}
	var name string
	switch language, _, isLanguage := strings.Cut(missing[0], "3u"); {
	case packages[missing[0]] != "":
		name = fmt.Sprintf("postgresql-%d%s", major, packages[missing[0]])
	case isLanguage && language == "plpython":
		name = fmt.Sprintf("postgresql-plpython3-%d", major)
	case strings.HasPrefix(missing[0], "plperl"), strings.HasPrefix(missing[0], "pltcl"):
		name = fmt.Sprintf("postgresql-%s-%d", strings.TrimSuffix(missing[0], "u"), major)
	case strings.HasPrefix(missing[0], "plpython"):
		return "Python 2 is gone from PostgreSQL 15: write its functions in plpython3u, then: drop extension " + Quote(missing[0])
	default:
		return fmt.Sprintf("install %s for PostgreSQL %d on the target's host (package postgresql-contrib has what comes with PostgreSQL), or drop what is not used on the source", some(missing), major)
	}
	return fmt.Sprintf("on the target's host: apt install %s (and so for each), or drop it on the source", name)
}

// extensionVersions warns of extensions that the target has only in an older
// version than the source, and names those that it has newer.
func (p *preflight) extensionVersions(ctx context.Context) error {
	used, err := p.source.texts(ctx, "extensions", "select extname || ' ' || extversion from pg_catalog.pg_extension order by 1")
	if err != nil {
		return err
	}
	have, err := p.target.texts(ctx, "extensions", "select name || ' ' || coalesce(installed_version, default_version) from pg_catalog.pg_available_extensions")
	if err != nil {
		return err
	}
	there := map[string]string{}
	for _, extension := range have {
		name, version, _ := strings.Cut(extension, " ")
		there[name] = version
	}
	var older, newer []string
	for _, extension := range used {
		name, version, _ := strings.Cut(extension, " ")
		text := fmt.Sprintf("%s %s → %s", name, version, there[name])
		switch order := compareVersions(there[name], version); {
		case there[name] == "" || order == 0:
		case order < 0:
			older = append(older, text)
		default:
			newer = append(newer, text)
		}
	}
	if len(older) > 0 {
		p.warn("the target has extensions in an older version: %s; what came later may be missing: install the newer version on its host", some(older))
	}
	if len(newer) > 0 {
		p.fact("extensions", "the target makes newer versions: %s", some(newer))
	}
	return nil
}

// compareVersions orders 1.10 after 1.9, and texts by their bytes.
func compareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		if errX != nil || errY != nil {
			return strings.Compare(a, b)
		}
		return cmp.Compare(x, y)
	})
}
