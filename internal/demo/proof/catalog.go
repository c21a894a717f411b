package proof

import (
	"context"
	_ "embed" // the facts of a catalog
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed catalog.sql
var catalogSQL string

// Catalog is the comparison of everything that is not rows.
type Catalog struct {
	Facts int `json:"facts"`
	// Differ are facts that hold on one side alone, "source: …", "target: …".
	Differ []string `json:"differ,omitempty"`
}

// CompareCatalogs asks both sides for their facts, by evac's own list or, if
// script is not empty, by that SQL; lines that begin with a backslash, which
// are psql's, are left out. A target that follows has sequences of its own
// until it is switched to: those facts are left out too.
func CompareCatalogs(ctx context.Context, source, target *pgx.Conn, script string, follows bool) (Catalog, error) {
	if script == "" {
		script = catalogSQL
	}
	here, err := facts(ctx, source, script)
	if err != nil {
		return Catalog{}, fmt.Errorf("read the source's catalog: %w", err)
	}
	there, err := facts(ctx, target, script)
	if err != nil {
		return Catalog{}, fmt.Errorf("read the target's catalog: %w", err)
	}
	if follows {
		here, there = slices.DeleteFunc(here, ofSequence), slices.DeleteFunc(there, ofSequence)
	}
	return Catalog{Facts: len(here), Differ: append(without("source: ", here, there), without("target: ", there, here)...)}, nil
}

func facts(ctx context.Context, conn *pgx.Conn, script string) ([]string, error) {
	var lines []string
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, `\`) {
			lines = append(lines, line)
		}
	}
	results, err := conn.PgConn().Exec(ctx, strings.Join(lines, "")).ReadAll()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, r := range results {
		if r.Err != nil {
			return nil, r.Err
		}
		for _, row := range r.Rows {
			if fact := expected(string(row[0])); fact != "" {
				all = append(all, fact)
			}
		}
	}
	slices.Sort(all)
	// The session is as it was before, whatever the script has set.
	_, err = conn.Exec(ctx, "reset all")
	return all, err
}

// expected takes out what differs while a move goes well: servers from version
// 17 on know one right on tables more (MAINTAIN), the source is frozen or the
// target closed, and the target follows by a publication and a subscription of evac's. A fact of
// which nothing is left is "".
func expected(fact string) string {
	if strings.HasPrefix(fact, "publication evac_") || strings.HasPrefix(fact, "comment subscription evac_") {
		return ""
	}
	const closed = "default_transaction_read_only=on"
	return strings.NewReplacer("arwdDxtm", "arwdDxt", ","+closed, "", closed+",", "", closed, "").Replace(fact)
}

func ofSequence(fact string) bool { return strings.HasPrefix(fact, "sequence ") }

// without lists what is in a sorted list and not in the other.
func without(prefix string, list, other []string) []string {
	var alone []string
	for _, fact := range list {
		if _, found := slices.BinarySearch(other, fact); !found {
			alone = append(alone, prefix+fact)
		}
	}
	return alone
}
