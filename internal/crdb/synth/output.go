package synth

import (
	"bufio"
	"crypto/cipher"
	"fmt"
	"os"
	"path/filepath"
)

// output is a file in the making, encrypted where the store is. It is an
// objstorage.Writable.
type output struct {
	file   *os.File
	buf    *bufio.Writer
	stream cipher.Stream // nil: not encrypted
	spare  []byte
	store  *store
}

// create opens a file of the store.
func (s *store) create(name string) (*output, error) {
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("write the store: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write the store: %w", err)
	}
	o := &output{file: f, buf: bufio.NewWriterSize(f, 256<<10), store: s}
	if s.secret != nil {
		o.stream = s.secret.stream(name)
	}
	return o, nil
}

// Write appends p.
func (o *output) Write(p []byte) error {
	o.store.bytes.Add(int64(len(p)))
	if o.stream != nil {
		o.spare = append(o.spare[:0], p...)
		o.stream.XORKeyStream(o.spare, p)
		p = o.spare
	}
	_, err := o.buf.Write(p)
	return err
}

// Finish closes the file.
func (o *output) Finish() error {
	err := o.buf.Flush()
	if cerr := o.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// Abort gives the file up.
func (o *output) Abort() { _ = o.file.Close() }

// whole writes a small file.
func (s *store) whole(name string, data []byte) error {
	o, err := s.create(name)
	if err != nil {
		return err
	}
	if err := o.Write(data); err != nil {
		o.Abort()
		return err
	}
	return o.Finish()
}

// plainFile writes a small file that is not encrypted in any store.
func (s *store) plainFile(name string, data []byte) error {
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o644); err != nil {
		return fmt.Errorf("write the store: %w", err)
	}
	return nil
}

// memory is a file in memory. It is an objstorage.Writable.
type memory struct{ data []byte }

// Write appends p.
func (m *memory) Write(p []byte) error {
	m.data = append(m.data, p...)
	return nil
}

// Finish ends the file.
func (m *memory) Finish() error { return nil }

// Abort gives the file up.
func (m *memory) Abort() {}
