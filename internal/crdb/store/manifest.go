package store

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/fault"
)

// readVersion reads the live MANIFEST and decides which tables count.
func (s *Store) readVersion(ctx context.Context) error {
	if len(s.dir.manifests) == 0 && len(s.dir.tables) == 0 && len(s.dir.logs) == 0 {
		return fault.New(fault.Invalid, "no CockroachDB store: neither MANIFEST nor tables nor logs", "name the directory that holds the files *.sst, or an archive of it")
	}
	s.version = newVersion()
	gaps := s.loadManifest()
	if name := s.version.comparer; name != "" && name != comparerName {
		return wrongOrder(name)
	}
	if len(s.version.blobs) > 0 {
		return fault.New(fault.Invalid, fmt.Sprintf("%d blob files hold values apart from their keys (format major version %d)", len(s.version.blobs), s.facts.FormatVersion),
			"values in blob files cannot be read yet: use `cockroach debug` of the same version")
	}
	if s.version.edits == 0 {
		s.note(true, "no MANIFEST can be read")
		s.lose("MANIFEST", gap{offset: -1, size: -1, why: "no MANIFEST can be read"})
	}
	s.note(len(gaps) > 0, "the MANIFEST is damaged")
	s.compare()
	if n := s.version.minLog; n > 0 && !s.dir.hasLog(n) {
		name := fmt.Sprintf("%06d.log", n)
		s.note(true, name+" is not there")
		s.loseLog(name, gap{offset: -1, size: -1, why: "the log is not there"}, false)
	}
	if err := s.addLoose(ctx); err != nil {
		return err
	}
	if err := s.believeOptions(); err != nil {
		return err
	}
	for _, t := range s.tables {
		s.facts.Tables++
		s.facts.TableBytes += t.Size
		if t.Level >= 0 {
			s.facts.Levels[t.Level]++
		}
	}
	return nil
}

// believeOptions refuses another program's store by the order of keys that its
// OPTIONS name. No checksum covers that file: what MANIFEST or tables say instead
// counts.
func (s *Store) believeOptions() error {
	name := s.facts.Options["Options.comparer"] + s.facts.Options["CFOptions.comparer"]
	if name == "" || name == comparerName {
		return nil
	}
	if s.version.comparer != comparerName && !slices.ContainsFunc(s.tables, s.ordered) {
		return wrongOrder(name)
	}
	s.facts.Notes = append(s.facts.Notes, fmt.Sprintf("OPTIONS say that keys are ordered by %q: they are damaged", name))
	return nil
}

// ordered says that a table itself names the order of a CockroachDB store.
func (s *Store) ordered(t TableMeta) bool {
	entry := s.cache.get(t)
	defer s.cache.put(entry)
	return entry.table != nil && entry.table.Properties().Comparer == comparerName
}

// note says why the MANIFEST does not tell everything.
func (s *Store) note(is bool, why string) {
	if is {
		s.facts.Loose = true
		s.facts.Notes = append(s.facts.Notes, why)
	}
}

// loadManifest reads the MANIFEST that CURRENT or the marker names, or else the
// newest that has something to say.
func (s *Store) loadManifest() []gap {
	for _, name := range s.manifestNames() {
		v, gaps, err := readManifest(s.fs, name)
		if err != nil {
			s.lose(name, gap{offset: -1, size: -1, why: err.Error()})
			continue
		}
		for _, g := range gaps {
			s.lose(name, g)
		}
		if v.edits == 0 {
			continue
		}
		s.version, s.facts.Manifest = v, name
		return gaps
	}
	return nil
}

// manifestNames are the MANIFESTs in the order in which they are believed.
func (s *Store) manifestNames() []string {
	var names []string
	if m, ok := s.dir.markers["manifest"]; ok {
		names = append(names, m.value)
	} else if text, err := readFile(s.fs, "CURRENT", 4096); err == nil {
		if _, ok := manifestNumber(strings.TrimSpace(string(text))); ok {
			names = append(names, strings.TrimSpace(string(text)))
		}
	}
	for _, n := range s.dir.manifests {
		if name := fmt.Sprintf("MANIFEST-%06d", n); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// lose notes damage of a file that is no table.
func (s *Store) lose(file string, g gap) {
	s.damage = append(s.damage, engine.Damage{Store: s.name, File: file, Offset: g.offset, Size: g.size, Torn: g.torn,
		Why: g.why + "; which files are live is known by the directory only"})
}

// compare holds the live tables against the directory.
func (s *Store) compare() {
	for _, t := range s.version.sorted() {
		name := tableName(t.Backing)
		f, ok := s.dir.tables[t.Backing]
		want := t.Size
		if t.Virtual {
			want = s.version.backings[t.Backing]
		}
		switch {
		case !ok:
			s.note(true, name+" is not there")
			s.facts.Missing = append(s.facts.Missing, name)
			s.damage = append(s.damage, engine.Damage{Store: s.name, File: name, Offset: -1, Size: want, Span: t.span, Why: "the table is not there"})
			continue
		case f.Size < want:
			s.facts.Notes = append(s.facts.Notes, fmt.Sprintf("%s has %d bytes of %d", name, f.Size, want))
			s.facts.Missing = append(s.facts.Missing, name)
			s.damage = append(s.damage, s.tableDamage(t)...)
		}
		s.tables = append(s.tables, t)
	}
}

// tableDamage is what opening a table shows to be broken.
func (s *Store) tableDamage(t TableMeta) []engine.Damage {
	entry := s.cache.get(t)
	defer s.cache.put(entry)
	if entry.table == nil {
		return []engine.Damage{*entry.bad}
	}
	return entry.table.Damage()
}

// addLoose takes the tables that the MANIFEST never named. They may be live if
// it is damaged; beside a whole one they are what a crash left half done.
func (s *Store) addLoose(ctx context.Context) error {
	for _, n := range slices.Sorted(maps.Keys(s.dir.tables)) {
		if s.version.mentioned[n] {
			continue
		}
		s.facts.Unreferenced = append(s.facts.Unreferenced, tableName(n))
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.facts.Loose {
			s.addTable(TableMeta{Number: n, Backing: n, Level: noLevel, Size: s.dir.tables[n].Size, LargestSeq: math.MaxInt64, RangeKeys: true})
		}
	}
	return nil
}

// addTable takes a table of which no MANIFEST says what it holds: it is asked
// itself.
func (s *Store) addTable(t TableMeta) {
	entry := s.cache.get(t)
	defer s.cache.put(entry)
	if entry.table == nil {
		s.damage = append(s.damage, *entry.bad)
		return
	}
	t.span = entry.table.Extent()
	s.tables = append(s.tables, t)
}

// hasLog says whether the log with a number is there.
func (l *listing) hasLog(n uint64) bool {
	return slices.ContainsFunc(l.logs, func(f logFile) bool { return f.number == n })
}
