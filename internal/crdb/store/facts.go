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
	Engine         string            `json:"engine"`            // "pebble" or "rocksdb", by its OPTIONS; empty if there are none
	EngineVersion  string            `json:"engine_version"`    // as OPTIONS says
	FormatVersion  int               `json:"format_version"`    // format major version; 1 where there is no marker
	MinVersion     string            `json:"min_version"`       // cluster version that the store is bound to, as "21.1"; empty before that
	ClusterVersion string            `json:"cluster_version"`   // active cluster version as the store knew it last
	Options        map[string]string `json:"options,omitempty"` // "Section.key" → value
	Manifest       string            `json:"manifest"`          // the MANIFEST that was read; empty: there is none to read
	// Loose says that the MANIFEST does not tell all that is live: tables count
	// by their own contents. Rows that had been deleted may come back.
	Loose        bool           `json:"loose"`
	Notes        []string       `json:"notes,omitempty"` // why, and what else is unusual
	Tables       int            `json:"tables"`          // live ones
	Levels       [maxLevels]int `json:"levels"`
	TableBytes   int64          `json:"table_bytes"`
	Files        int            `json:"files"` // all files of the directory
	Bytes        int64          `json:"bytes"`
	WALs         []WAL          `json:"wals,omitempty"`          // those that were read
	ObsoleteWALs []string       `json:"obsolete_wals,omitempty"` // those of which tables hold all
	Unreferenced []string       `json:"unreferenced,omitempty"`  // tables that no MANIFEST names
	Missing      []string       `json:"missing,omitempty"`       // tables that are not there or not whole
	Blobs        int            `json:"blobs"`
	Encrypted    bool           `json:"encrypted"`
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
