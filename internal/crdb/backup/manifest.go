package backup

import (
	"bytes"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// Manifest is what one layer of a backup says of itself: CockroachDB's proto
// BackupManifest.
type Manifest struct {
	Start, End     keys.Timestamp // Start is zero for a full backup
	Revisions      bool           // every version between Start and End is there
	RevisionsSince keys.Timestamp // with Revisions: not before this moment
	Spans          []keys.Span    // what was asked for
	Introduced     []keys.Span    // what earlier layers do not have, or have wrongly
	Files          []File
	Descriptors    [][]byte     // of the moment End
	Changes        []Descriptor // between Start and End, with Revisions
	Tenants        []uint64
	Cluster        [16]byte
	ID             [16]byte // zero before 19.2
	Format         uint64
	Node           uint64
	Build          string // the release that wrote it, as "v20.1.0"
	Major, Minor   uint64 // the cluster version; 0.0 before 20.2
	Partitions     []string
	External       bool // Files and descriptors are in tables beside the manifest
	Elided         Elision
	Compacted      bool // made of other layers
	Rows           int64
	IndexEntries   int64
}

// Elision is which part of their keys the tables leave out.
type Elision uint8

// The numbers are those of the format.
const (
	ElideNone           Elision = 0
	ElideTenant         Elision = 1
	ElideTenantAndTable Elision = 2
)

// File is one exported table, or a stretch of one.
type File struct {
	Span          keys.Span
	Path          string // relative to the layer's folder
	SHA512        []byte // of the whole file; written up to 20.1
	DataSize      int64  // of keys and values, before compression
	Stored        int64  // about how many bytes of the file it has; 0 if that is not said
	Rows          int64
	IndexEntries  int64
	SystemRecords int64  // of the database's own tables, which up to 20.1 are counted apart
	Locality      string // of the partition that has the file; empty: the layer's own folder
}

// Descriptor is a version of a descriptor.
type Descriptor struct {
	ID   uint32         // 0 if it is of a kind that no known release has
	At   keys.Timestamp // when it was written; zero if the backup does not say so
	Desc []byte         // CockroachDB's proto Descriptor; empty: it was deleted
}

// ParseManifest decodes a manifest, unpacked. Its slices are parts of data.
func ParseManifest(data []byte) (*Manifest, error) {
	m := &Manifest{}
	err := wire.Each(data, m.field)
	if err != nil {
		return nil, fmt.Errorf("parse the manifest: %w", err)
	}
	if m.End.IsZero() {
		return nil, fmt.Errorf("parse the manifest: it has no end time")
	}
	return m, nil
}

func (m *Manifest) field(f wire.Field) (err error) {
	switch f.Num {
	case 1:
		m.Start, err = mvcc.ParseTimestamp(f.Data)
	case 2:
		m.End, err = mvcc.ParseTimestamp(f.Data)
	case 3:
		m.Spans, err = appendSpan(m.Spans, f.Data)
	case 4:
		var file File
		file, err = parseFile(f.Data)
		m.Files = append(m.Files, file)
	case 5:
		m.Descriptors = append(m.Descriptors, f.Data)
	case 8:
		m.Format = f.Int
	case 9:
		copy(m.Cluster[:], f.Data)
	case 10:
		m.Node = f.Int
	case 11:
		m.Build, err = text(f.Data, 2)
	case 12:
		var n File
		err = n.counts(f.Data)
		m.Rows, m.IndexEntries = n.Rows, n.IndexEntries
	case 13:
		m.Revisions = f.Int == 1
	case 15:
		m.Introduced, err = appendSpan(m.Introduced, f.Data)
	default:
		return m.laterField(f)
	}
	return err
}

// laterField is for the fields that came with 2.1 and later.
func (m *Manifest) laterField(f wire.Field) (err error) {
	switch f.Num {
	case 16:
		var r Descriptor
		r, err = parseRevision(f.Data)
		m.Changes = append(m.Changes, r)
	case 17:
		m.RevisionsSince, err = mvcc.ParseTimestamp(f.Data)
	case 18:
		copy(m.ID[:], f.Data)
	case 19:
		m.Partitions = append(m.Partitions, string(f.Data))
	case 24, 26:
		var id uint64
		id, err = parseTenant(f.Data, f.Num == 26)
		m.Tenants = append(m.Tenants, id)
	case 25:
		m.Major, m.Minor, err = parseVersion(f.Data)
	case 27:
		m.External = f.Int == 1
	case 28:
		if m.Elided = Elision(f.Int); f.Int > uint64(ElideTenantAndTable) {
			err = fmt.Errorf("keys are elided in a way (%d) that is not known", f.Int)
		}
	case 29:
		m.Compacted = f.Int == 1
	}
	return err
}

// parseFile decodes a BackupManifest.File.
func parseFile(msg []byte) (file File, err error) {
	err = wire.Each(msg, func(f wire.Field) (err error) {
		switch f.Num {
		case 1:
			file.Span, err = parseSpan(f.Data)
		case 2:
			file.Path = string(f.Data)
		case 4:
			file.SHA512 = f.Data
		case 6:
			err = file.counts(f.Data)
		case 9:
			file.Locality = string(f.Data)
		case 11:
			file.Stored = int64(f.Int)
		}
		return err
	})
	return file, err
}

// counts decodes a RowCount.
func (file *File) counts(msg []byte) error {
	return wire.Each(msg, func(f wire.Field) error {
		switch f.Num {
		case 1:
			file.DataSize = int64(f.Int)
		case 2:
			file.Rows = int64(f.Int)
		case 3:
			file.IndexEntries = int64(f.Int)
		case 4:
			file.SystemRecords = int64(f.Int)
		}
		return nil
	})
}

func appendSpan(list []keys.Span, msg []byte) ([]keys.Span, error) {
	s, err := parseSpan(msg)
	return append(list, s), err
}

// parseSpan decodes a roachpb.Span; one without an end is a single key.
func parseSpan(msg []byte) (s keys.Span, err error) {
	err = wire.Each(msg, func(f wire.Field) error {
		switch f.Num {
		case 3:
			s.From = f.Data
		case 4:
			s.To = f.Data
		}
		return nil
	})
	if s.To == nil {
		s.To = append(bytes.Clone(s.From), 0)
	}
	return s, err
}

func parseRevision(msg []byte) (r Descriptor, err error) {
	err = wire.Each(msg, func(f wire.Field) (err error) {
		switch f.Num {
		case 1:
			r.At, err = mvcc.ParseTimestamp(f.Data)
		case 2:
			r.ID = uint32(f.Int)
		case 3:
			r.Desc = f.Data
		}
		return err
	})
	return r, err
}

// parseTenant is the id of a tenant: field 1 of ProtoInfo, which is field 1 of
// TenantInfoWithUsage; of newer ones the id is in the SQL info, field 3.
func parseTenant(msg []byte, nested bool) (id uint64, err error) {
	err = wire.Each(msg, func(f wire.Field) (err error) {
		switch {
		case !nested && f.Num == 1:
			id = f.Int
		case nested && (f.Num == 1 || f.Num == 3) && id == 0:
			id, err = parseTenant(f.Data, false)
		}
		return err
	})
	return id, err
}

func parseVersion(msg []byte) (major, minor uint64, err error) {
	err = wire.Each(msg, func(f wire.Field) error {
		switch f.Num {
		case 1:
			major = f.Int
		case 2:
			minor = f.Int
		}
		return nil
	})
	return major, minor, err
}

// text is a string field of a message.
func text(msg []byte, num int) (s string, err error) {
	err = wire.Each(msg, func(f wire.Field) error {
		if f.Num == num {
			s = string(f.Data)
		}
		return nil
	})
	return s, err
}

// descriptorID is the id of a proto Descriptor: a oneof of table, database,
// type, schema and function, each with its id in another field; 0 if it is none
// of them.
func descriptorID(desc []byte) (id uint32, err error) {
	within := map[int]int{1: 3, 2: 2, 3: 4, 4: 3, 5: 2}
	err = wire.Each(desc, func(union wire.Field) error {
		num := within[union.Num]
		if num == 0 {
			return nil
		}
		return wire.Each(union.Data, func(f wire.Field) error {
			if f.Num == num {
				id = uint32(f.Int)
			}
			return nil
		})
	})
	return id, err
}
