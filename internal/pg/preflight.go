package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// CopySurvey is what a check before a move saw.
type CopySurvey struct {
	SourceVersion, TargetVersion string
	PgDump                       PgDump
	// Tables and LargeObjects are counts; Rows is the estimate of the
	// statistics; Bytes the size of tables and large objects without indexes,
	// IndexBytes that of the indexes.
	Tables, LargeObjects, Rows, Bytes, IndexBytes int64
	// Begun tells that the target holds unfinished work of this very copy,
	// Finished that the copy is complete.
	Begun, Finished bool
	// Facts are what else a planning meeting wants to know, the ways that are
	// open among them.
	Facts    []Fact
	Warnings []string
}

// Fact is one thing that a check saw.
type Fact struct{ Name, Value string }

// CheckCopy looks whether Copy can work, and reads only. Everything that is
// wrong is in the error at once, each with a hint. Of o it needs From, To,
// Jobs, PgDump, Token, State.
func CheckCopy(ctx context.Context, o CopyOptions) (CopySurvey, error) {
	return look(ctx, preflight{CopyOptions: o})
}

// CheckFollow is CheckCopy for a copy that logical replication follows: it
// looks also at what that needs of both servers.
func CheckFollow(ctx context.Context, o CopyOptions) (CopySurvey, error) {
	return look(ctx, preflight{CopyOptions: o, follow: true})
}

// preflight is one look at both sides before a move. Each of its checks only
// reads; it gives what is wrong, or notes facts and warnings.
type preflight struct {
	CopyOptions
	follow         bool
	filter         Filter
	source, target *place
	survey         CopySurvey
	// together tells that both databases are on one server.
	together bool
}

func look(ctx context.Context, p preflight) (survey CopySurvey, err error) {
	p.survey.Finished = p.State.Finished != nil
	if p.filter, err = p.Select.Filter(); err != nil {
		return p.survey, err
	}
	var sourceErr, targetErr error
	p.source, sourceErr = openPlace(ctx, p.From, Source)
	p.target, targetErr = openPlace(ctx, p.To, Target)
	defer func() { err = errors.Join(err, p.source.close(ctx), p.target.close(ctx)) }()
	if err := errors.Join(sourceErr, targetErr); err != nil {
		return p.survey, err
	}
	if err := distinct(ctx, p.source.conn, p.target.conn); err != nil {
		return p.survey, err // whatever else is said of the target would be said of the source
	}
	var wrong []error
	for _, check := range p.checks() {
		wrong = append(wrong, check(ctx))
	}
	return p.survey, errors.Join(wrong...)
}

// checks are all that there are, in the order in which a reader wants to know.
func (p *preflight) checks() []func(context.Context) error {
	checks := []func(context.Context) error{
		p.servers, p.sides, p.size, p.readable, p.rows, p.occupied, p.writable, p.logged, p.sessions,
		p.roles, p.owners, p.perhaps(p.makers), p.perhaps(p.extensions), p.extensionVersions, p.perhaps(p.features), p.perhaps(p.libraries),
		p.encoding, p.locales, p.perhaps(p.collations), p.perhaps(p.oddities), p.sequences, p.perhaps(p.removedSettings), p.settings,
		p.surroundings, p.activity, p.tunable, p.space,
	}
	if p.follow {
		checks = append(checks, p.followSource, p.followTarget)
	}
	return append(checks, p.ways)
}

// perhaps makes warnings of what a check refuses if only a part of the database
// is copied: it may not be in that part.
func (p *preflight) perhaps(check func(context.Context) error) func(context.Context) error {
	if p.filter.All() {
		return check
	}
	return func(ctx context.Context) error {
		err := check(ctx)
		var known *fault.Error
		if !errors.As(err, &known) {
			return err
		}
		p.warn("unless it is left out: %s (%s)", strings.ReplaceAll(err.Error(), "\n", "; "), strings.Join(fault.Hints(known), "; "))
		return nil
	}
}

func (p *preflight) warn(format string, args ...any) {
	p.survey.Warnings = append(p.survey.Warnings, fmt.Sprintf(format, args...))
}

func (p *preflight) fact(name, format string, args ...any) {
	p.survey.Facts = append(p.survey.Facts, Fact{name, fmt.Sprintf(format, args...)})
}

// place is one side: a session there, and what is known of its server.
type place struct {
	side     Side
	conn     *pgx.Conn
	version  int
	user     string
	database string
	super    bool
	standby  bool
	provider provider
}

// openPlace gives a place also with an error; it can be closed.
func openPlace(ctx context.Context, dsn secret.DSN, side Side) (*place, error) {
	s := &place{side: side}
	var err error
	if s.conn, err = Connect(ctx, dsn, ConnOptions{Application: applicationName, Side: side}); err != nil {
		return s, err
	}
	err = s.conn.QueryRow(ctx, `
		select current_setting('server_version_num')::int, current_user, current_database(), r.rolsuper, pg_is_in_recovery()
		from pg_catalog.pg_roles r where r.rolname = current_user`).Scan(&s.version, &s.user, &s.database, &s.super, &s.standby)
	if err != nil {
		return s, fmt.Errorf("read version of %s: %w", side, err)
	}
	roles, err := s.texts(ctx, "roles", "select rolname::text from pg_catalog.pg_roles")
	s.provider = providerOf(roles)
	return s, err
}

func (s *place) close(ctx context.Context) error { return hangUp(ctx, s.conn) }

// texts lists what a query gives; what names it in errors.
func (s *place) texts(ctx context.Context, what, sql string, args ...any) ([]string, error) {
	list, err := texts(ctx, s.conn, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list %s of %s: %w", what, s.side, err)
	}
	return list, nil
}

// kept says by whom the place's server is kept, if that is known, and whether
// it is a standby.
func (s *place) kept() string {
	text := ""
	if s.provider.name != "" {
		text = fmt.Sprintf("; the %s is of %s", s.side, s.provider.name)
	}
	if s.standby {
		text += fmt.Sprintf("; the %s is a standby", s.side)
	}
	return text
}

// ours is SQL: the object is the users' own, not initdb's and of no extension.
func ours(class, oid string) string {
	return fmt.Sprintf("%[2]s >= 16384 and not exists (select from pg_catalog.pg_depend e where e.classid = 'pg_catalog.%[1]s'::regclass and e.objid = %[2]s and e.deptype = 'e')", class, oid)
}

// some lists names, and how many more there are.
func some(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// refused makes an error of names, nil without any.
func refused(kind fault.Kind, names []string, format, hint string) error {
	if len(names) == 0 {
		return nil
	}
	return fault.New(kind, fmt.Sprintf(format, some(names)), hint)
}
