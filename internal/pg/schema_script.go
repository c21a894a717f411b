package pg

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// entry is one object of a schema script: what pg_dump calls a TOC entry.
type entry struct {
	// Key is stable over dumps of the same catalog: a digest of the SQL.
	Key string
	// Class and OID are the object's address in the source's catalogs, 0 for
	// what has none of its own (comments, privileges).
	Class, OID uint32
	// Type is pg_dump's word, "INDEX"; Name is for people: pg_dump flattens
	// odd characters in it.
	Type, Schema, Name string
	// SQL makes the object; it depends on no earlier SET.
	SQL string
}

// String is how an entry stands in errors: index "app.docs_email".
func (e entry) String() string {
	name := e.Name
	if e.Schema != "" && e.Schema != "-" {
		name = e.Schema + "." + e.Name
	}
	return fmt.Sprintf("%s %q", strings.ToLower(e.Type), name)
}

var (
	tocLine  = regexp.MustCompile(`^-- TOC entry \d+ \(class (\d+) OID (\d+)\)$`)
	nameLine = regexp.MustCompile(`^-- Name: (.*); Type: (.*?); Schema: (.*?); Owner: .*$`)
	// stickyLine changes what following entries mean, so each entry carries it.
	stickyLine = regexp.MustCompile(`^SET (default_tablespace|default_table_access_method) = .*;$`)
)

// splitScript cuts the plain script that `pg_dump --verbose` writes into its
// entries. A heading counts only outside of quotes, so that no function body
// or comment can be taken for one. What stands before the first heading (the
// settings of the dump's own session) is left out: Connect pins them.
func splitScript(script string) ([]entry, error) {
	s := splitter{sticky: map[string]string{}, seen: map[string]int{}}
	for line := range strings.Lines(script) {
		if err := s.line(line); err != nil {
			return nil, err
		}
	}
	if !s.quote.outside() {
		return nil, fmt.Errorf("read schema script: it ends inside %s", s.current)
	}
	s.finish()
	return s.entries, nil
}

type splitter struct {
	entries []entry
	current *entry
	body    strings.Builder
	quote   quoteState
	sticky  map[string]string
	seen    map[string]int
}

func (s *splitter) line(line string) error {
	bare := strings.TrimRight(line, "\n")
	if s.quote.outside() {
		if m := tocLine.FindStringSubmatch(bare); m != nil {
			return s.start(m[1], m[2])
		}
		if m := stickyLine.FindStringSubmatch(bare); m != nil {
			s.finish()
			s.sticky[m[1]] = bare
			return nil
		}
		if strings.HasPrefix(bare, "--") {
			s.heading(bare)
			return nil
		}
		if strings.HasPrefix(bare, `\`) { // \restrict and \unrestrict, for psql alone
			return nil
		}
	}
	if s.current == nil {
		return nil
	}
	s.body.WriteString(line)
	s.quote.scan(line)
	return nil
}

func (s *splitter) start(class, oid string) error {
	s.finish()
	c, err1 := strconv.ParseUint(class, 10, 32)
	o, err2 := strconv.ParseUint(oid, 10, 32)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("read schema script: entry of class %s, OID %s", class, oid)
	}
	s.current = &entry{Class: uint32(c), OID: uint32(o)}
	return nil
}

func (s *splitter) heading(line string) {
	if m := nameLine.FindStringSubmatch(line); m != nil && s.current != nil && s.current.Type == "" {
		s.current.Name, s.current.Type, s.current.Schema = m[1], m[2], m[3]
	}
}

func (s *splitter) finish() {
	if s.current == nil {
		return
	}
	e, sql := *s.current, withoutVersions(strings.TrimSpace(s.body.String()))
	s.current = nil
	s.body.Reset()
	if sql == "" {
		return
	}
	for _, name := range []string{"default_tablespace", "default_table_access_method"} {
		if set := s.sticky[name]; set != "" {
			sql = set + "\n" + sql
		}
	}
	sum := sha256.Sum256([]byte(sql))
	e.Key = hex.EncodeToString(sum[:16])
	if s.seen[e.Key]++; s.seen[e.Key] > 1 {
		e.Key += "-" + strconv.Itoa(s.seen[e.Key])
	}
	e.SQL = sql
	s.entries = append(s.entries, e)
}

// A server since the minor versions of November 2026 keeps, among the options
// of every column, its own pg_attver. It belongs to that server: a pg_dump
// that knows it leaves it out, an older one writes it down, and an older
// server refuses it.
var (
	versionAlone = regexp.MustCompile(`(?m)^ALTER (?:FOREIGN )?TABLE ONLY ` + anyName + `(?:\.` + anyName + `)? ALTER COLUMN ` + anyName + ` SET \(pg_attver=\d+\);(?:\n|$)`)
	versionAmong = regexp.MustCompile(`(?m)^(ALTER (?:FOREIGN )?TABLE ONLY ` + anyName + `(?:\.` + anyName + `)? ALTER COLUMN ` + anyName + ` SET \(.*?)(?:pg_attver=\d+, |, pg_attver=\d+)`)
)

// anyName matches a name as pg_dump writes it.
const anyName = `(?:\w+|"(?:[^"]|"")+")`

// withoutVersions takes the server's own numbers out of a table's script.
func withoutVersions(sql string) string {
	if !strings.Contains(sql, "pg_attver=") {
		return sql
	}
	return strings.TrimSpace(versionAmong.ReplaceAllString(versionAlone.ReplaceAllString(sql, ""), "$1"))
}

// quoteState follows the quotes of SQL text over lines: 'text', E'te\'xt',
// "name", $tag$text$tag$. Comments do not occur where pg_dump writes.
type quoteState struct {
	open   string // the closing mark that is waited for; "" outside
	escape bool   // inside E'…': a backslash hides the next character
}

func (q *quoteState) outside() bool { return q.open == "" }

var dollarQuote = regexp.MustCompile(`^\$([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$`)

func (q *quoteState) scan(line string) {
	for i := 0; i < len(line); {
		if q.open != "" {
			i += q.inside(line[i:])
			continue
		}
		switch c := line[i]; {
		case c == '\'' || c == '"':
			q.open = string(c)
			q.escape = c == '\'' && i > 0 && (line[i-1] == 'E' || line[i-1] == 'e') && (i < 2 || !wordByte(line[i-2]))
		case c == '$' && (i == 0 || !wordByte(line[i-1])):
			if tag := dollarQuote.FindString(line[i:]); tag != "" {
				q.open = tag
				i += len(tag)
				continue
			}
		}
		i++
	}
}

// inside gives how many bytes of text, which begins inside a quote, belong
// to the next step: a doubled quote needs none of its own, it ends and begins.
func (q *quoteState) inside(text string) int {
	switch {
	case q.escape && text[0] == '\\' && len(text) > 1:
		return 2
	case strings.HasPrefix(text, q.open):
		n := len(q.open)
		if q.escape && strings.HasPrefix(text, "''") {
			return 2 // stay inside: what follows is still E'…'
		}
		q.open, q.escape = "", false
		return n
	}
	return 1
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
