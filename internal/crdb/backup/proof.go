package backup

import (
	"bytes"
	"context"
	"crypto/sha512"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Proof is what became of holding the tables against the manifests.
type Proof struct {
	Files   int // tables that take part
	Hashed  int // of which the manifest has the SHA-512, and it is right
	Counted int // of which it says how many rows and bytes they have, and they have them
	Damage  []engine.Damage
}

// Verify reads every table whose SHA-512 or whose counts the manifest holds
// (releases up to 20.1) and compares; what differs or is missing is damage. jobs
// tables are read at once; 0 is one a core.
func (b *Backup) Verify(ctx context.Context, jobs int) (Proof, error) {
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	var parts []part
	seen := map[*File]bool{}
	for _, p := range b.parts {
		if !seen[p.file] {
			seen[p.file] = true
			parts = append(parts, p)
		}
	}
	found := make([]Proof, len(parts))
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	for i, p := range parts {
		g.Go(func() error {
			if reading.Err() != nil {
				return reading.Err()
			}
			found[i] = b.verify(p)
			return nil
		})
	}
	err := g.Wait()
	out := Proof{Files: len(parts)}
	for _, f := range found {
		out.Hashed += f.Hashed
		out.Counted += f.Counted
		out.Damage = append(out.Damage, f.Damage...)
	}
	return out, err
}

// verify holds one table against its manifest.
func (b *Backup) verify(p part) (out Proof) {
	hashed, why := b.differs(p)
	counted := false
	if why == "" && p.layer.Major == 0 && p.file.DataSize > 0 {
		counted, why = true, b.miscounts(p)
	}
	switch {
	case why != "":
		out.Damage = append(out.Damage, b.lost(p, keys.Span{}, why))
	default:
		if hashed {
			out.Hashed = 1
		}
		if counted {
			out.Counted = 1
		}
	}
	return out
}

// differs says why a table is not the one that was written.
func (b *Backup) differs(p part) (hashed bool, why string) {
	f, err := b.openData(p.layer, p.file.Path)
	if err != nil {
		return false, err.Error()
	}
	if len(p.file.SHA512) > 0 {
		h := sha512.New()
		switch _, err := io.Copy(h, io.NewSectionReader(f, 0, f.size)); {
		case err != nil:
			why = err.Error()
		case !bytes.Equal(h.Sum(nil), p.file.SHA512):
			why = "the file is not the one that was written: its SHA-512 differs from the manifest's"
		}
		hashed = true
	}
	if err := f.Close(); err != nil && why == "" {
		why = err.Error()
	}
	return hashed, why
}

// miscounts counts the bytes and the rows of a table as BACKUP did, index
// entries among them, and says how they differ from what the manifest has.
func (b *Backup) miscounts(p part) (why string) {
	src := b.source(p, keys.Span{})
	src.SeekGE(nil)
	var rows, size int64
	var last []byte
	for e := src.Next(); e != nil; e = src.Next() {
		user, _, err := keys.Split(e.Key)
		if err != nil {
			return err.Error()
		}
		size += int64(len(user) + len(e.Value))
		if row := rowOf(user); !bytes.Equal(row, last) {
			rows, last = rows+1, append(last[:0], row...)
		}
	}
	err := src.Err()
	if cerr := src.Close(); err == nil {
		err = cerr
	}
	want := p.file.Rows + p.file.IndexEntries + p.file.SystemRecords
	switch {
	case err != nil:
		return err.Error()
	case size != p.file.DataSize:
		return fmt.Sprintf("it has %d bytes of keys and values, the manifest says %d", size, p.file.DataSize)
	case rows != want:
		return fmt.Sprintf("it has %d rows and index entries, the manifest says %d", rows, want)
	}
	return ""
}

// rowOf is a key without its family: what ends the keys of a row, and the length
// of that.
func rowOf(user []byte) []byte {
	const familyZero = 0x88
	if len(user) == 0 || user[len(user)-1] < familyZero {
		return user
	}
	n := int(user[len(user)-1]) - familyZero
	return user[:max(len(user)-1-n, 0)]
}
