package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/fault"
)

// Facts are what a store says of itself, and what its directory holds.
type Facts struct {
	Engine         string            // "pebble" or "rocksdb", by its OPTIONS; empty if there are none
	EngineVersion  string            // as OPTIONS says
	FormatVersion  int               // format major version; 1 where there is no marker
	MinVersion     string            // cluster version that the store is bound to, as "21.1"; empty before that
	ClusterVersion string            // active cluster version as the store knew it last
	Options        map[string]string // "Section.key" → value
	Manifest       string            // the MANIFEST that was read; empty: there is none to read
	// Loose says that the MANIFEST does not tell all that is live: tables count
	// by their own contents. Rows that had been deleted may come back.
	Loose        bool
	Notes        []string // why, and what else is unusual
	Tables       int      // live ones
	Levels       [maxLevels]int
	TableBytes   int64
	Files        int // all files of the directory
	Bytes        int64
	WALs         []WAL    // those that were read
	ObsoleteWALs []string // those of which tables hold all
	Unreferenced []string // tables that no MANIFEST names
	Missing      []string // tables that are not there or not whole
	Blobs        int
	Encrypted    bool
}

const (
	comparerName = "cockroach_comparator"
	// maxFormat is the newest format major version that can be read: 25.3's.
	maxFormat = 24
	maxOption = 1 << 20 // bytes of an OPTIONS file
)

// readFacts reads markers, OPTIONS and versions, and refuses what cannot be
// read rightly.
func (s *Store) readFacts() error {
	f := &s.facts
	f.Files, f.Bytes, f.Blobs = s.dir.files, s.dir.bytes, len(s.dir.blobs)
	f.FormatVersion = 1
	if m, ok := s.dir.markers["format-version"]; ok {
		n, err := strconv.Atoi(m.value)
		if err != nil {
			f.Notes = append(f.Notes, fmt.Sprintf("the marker of the format version says %q", m.value))
		} else {
			f.FormatVersion = n
		}
	}
	if f.FormatVersion > maxFormat {
		return fault.New(fault.Invalid, fmt.Sprintf("format major version %d is newer than %d, which CockroachDB 25.3 writes", f.FormatVersion, maxFormat),
			"stores of CockroachDB 25.4 and later cannot be read yet: use `cockroach debug` of the same version")
	}
	s.readOptions()
	if proto, err := readFile(s.fs, "STORAGE_MIN_VERSION", 1024); err == nil {
		if f.MinVersion, err = parseVersion(proto); err != nil {
			f.Notes = append(f.Notes, "STORAGE_MIN_VERSION cannot be read")
		}
	}
	return nil
}

func wrongOrder(name string) error {
	return fault.New(fault.Invalid, fmt.Sprintf("keys are ordered by %q, not by %q", name, comparerName), "this is the database of another program: name the store of a CockroachDB node")
}

// readOptions reads the newest OPTIONS file. It is only a help: without it the
// store can be read as well.
func (s *Store) readOptions() {
	for _, n := range s.dir.options {
		text, err := readFile(s.fs, fmt.Sprintf("OPTIONS-%06d", n), maxOption)
		if err != nil {
			continue
		}
		o := parseOptions(string(text))
		s.facts.Options = o
		switch {
		case o["Version.pebble_version"] != "":
			s.facts.Engine, s.facts.EngineVersion = "pebble", o["Version.pebble_version"]
		case o["Version.rocksdb_version"] != "":
			s.facts.Engine, s.facts.EngineVersion = "rocksdb", o["Version.rocksdb_version"]
		}
		break
	}
	if dir := s.facts.Options["WAL Failover.secondary_dir"]; dir != "" && s.otherLogs == 0 {
		s.damage = append(s.damage, engine.Damage{Store: s.name, File: dir, Offset: -1, Size: -1, Why: "parts of the logs may lie in this directory, which was not given"})
	}
}

// parseOptions reads the INI text that Pebble and RocksDB write. The name of a
// section ends before its argument: `CFOptions "default"` is CFOptions.
func parseOptions(text string) map[string]string {
	out := map[string]string{}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "["):
			section, _, _ = strings.Cut(strings.Trim(line, "[]"), ` "`)
		case strings.HasPrefix(line, "#"):
		default:
			if key, value, ok := strings.Cut(line, "="); ok {
				out[section+"."+strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
	}
	return out
}
