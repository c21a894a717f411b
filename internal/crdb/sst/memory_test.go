package sst

import (
	"bytes"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// memory is a table file in memory, for the engine's reader.
type memory struct{ *bytes.Reader }

func (memory) Close() error                  { return nil }
func (m memory) Stat() (vfs.FileInfo, error) { return info{m.Size()}, nil }

type info struct{ size int64 }

func (i info) Name() string         { return "table" }
func (i info) Size() int64          { return i.size }
func (info) Mode() os.FileMode      { return 0o444 }
func (info) ModTime() time.Time     { return time.Time{} }
func (info) IsDir() bool            { return false }
func (info) Sys() any               { return nil }
func (info) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

// sink is a table file being written by the engine.
type sink struct{ bytes.Buffer }

func (s *sink) Write(p []byte) error {
	_, err := s.Buffer.Write(p)
	return err
}
func (*sink) StartMetadataPortion() error { return nil }
func (*sink) Finish() error               { return nil }
func (*sink) Abort()                      {}
