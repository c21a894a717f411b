package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/evac-io/evac/internal/fault"
)

// servers refuses versions and servers between which nothing can be copied,
// and finds the pg_dump to use.
func (p *preflight) servers(ctx context.Context) (err error) {
	p.survey.SourceVersion, p.survey.TargetVersion = versionName(p.source.version), versionName(p.target.version)
	p.fact("move", "%s%s%s", direct(p.source.version, p.target.version), p.source.kept(), p.target.kept())
	if p.target.standby {
		err = fault.New(fault.Failed, "the target is a standby, which takes no writes", "connect to its primary")
	}
	if err = errors.Join(err, direction(p.source.version, p.target.version)); err != nil {
		return err
	}
	p.survey.PgDump, err = FindPgDump(ctx, p.PgDump, p.source.version/10000, p.target.version/10000)
	return err
}

// direct says in words which way a move between two versions goes.
func direct(source, target int) string {
	switch from, to := source/10000, target/10000; {
	case from > to, from == to && source/100 > target/100:
		return "downward"
	case from == to && source/100 == target/100:
		return "to the same major version"
	}
	return "upward"
}

// sides says if the two servers are one, or one a copy of the other's disk.
func (p *preflight) sides(ctx context.Context) error {
	if _, err := TakeMark(ctx, p.source.conn); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	var err error
	if p.together, err = p.oneServer(ctx); err != nil {
		return err
	}
	if p.together {
		p.warn("source and target are databases of one server: they share its disk, its memory and its roles")
		return nil
	}
	clone, err := p.clone(ctx)
	if err == nil && clone {
		p.warn("the target's server is a physical clone of the source's (both have one system identifier): make sure that the target is the one that you mean")
	}
	return err
}

// oneServer tells whether both sessions are on one server: a lock that the one
// takes is seen by the other, also from another database.
func (p *preflight) oneServer(ctx context.Context) (same bool, err error) {
	high, low := rand.Int32(), rand.Int32()
	if _, err := p.source.conn.Exec(ctx, "select pg_advisory_lock($1::int4, $2::int4)", high, low); err != nil {
		return false, fmt.Errorf("compare servers: %w", err)
	}
	err = p.target.conn.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_locks l where l.locktype = 'advisory' and l.classid = $1::int4::oid and l.objid = $2::int4::oid and l.objsubid = 2)`,
		high, low).Scan(&same)
	_, unlock := p.source.conn.Exec(ctx, "select pg_advisory_unlock($1::int4, $2::int4)", high, low)
	if err := errors.Join(err, unlock); err != nil {
		return false, fmt.Errorf("compare servers: %w", err)
	}
	return same, nil
}

// firstControl is the first version that tells its system identifier in SQL.
const firstControl = 9_06_00

// clone tells whether both servers were born as one.
func (p *preflight) clone(ctx context.Context) (bool, error) {
	var id [2]int64
	for i, s := range []*place{p.source, p.target} {
		if s.version < firstControl {
			return false, nil
		}
		var may bool
		if err := s.conn.QueryRow(ctx, "select has_function_privilege('pg_catalog.pg_control_system()', 'execute')").Scan(&may); err != nil {
			return false, fmt.Errorf("read system identifier of %s: %w", s.side, err)
		}
		if !may {
			return false, nil
		}
		if err := s.conn.QueryRow(ctx, "select system_identifier from pg_catalog.pg_control_system()").Scan(&id[i]); err != nil {
			return false, fmt.Errorf("read system identifier of %s: %w", s.side, err)
		}
	}
	return id[0] == id[1], nil
}
