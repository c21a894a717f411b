package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// Ident is the name that a store has in its cluster.
type Ident struct {
	Cluster UUID
	Node    int32
	Store   int32
}

// UUID is the name of a cluster.
type UUID [16]byte

func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// errNoValue says that a key is not there, or cannot be read.
var errNoValue = errors.New("the key is not there")

var errProto = errors.New("not the message that belongs there")

// Store-local keys: 01 's' and four letters.
const (
	identKey   = "\x01siden"
	versionKey = "\x01scver"
)

// readIdent reads the store's own names out of its keys. A store without them is
// readable all the same.
func (s *Store) readIdent() {
	err := s.readIdentity()
	if err != nil {
		s.facts.Notes = append(s.facts.Notes, fmt.Sprintf("the store's ident cannot be read: %v", err))
	}
	if proto, err := s.inline(versionKey); err == nil {
		if v, err := clusterVersion(proto); err == nil {
			s.facts.ClusterVersion = v
		}
	}
}

// readIdentity reads StoreIdent {1 cluster, 2 node, 3 store}.
func (s *Store) readIdentity() error {
	proto, err := s.inline(identKey)
	if err != nil {
		return err
	}
	return wire.Each(proto, func(f wire.Field) error {
		switch f.Num {
		case 1:
			copy(s.ident.Cluster[:], f.Data)
		case 2:
			s.ident.Node = int32(f.Int)
		case 3:
			s.ident.Store = int32(f.Int)
		}
		return nil
	})
}

// inline reads the protobuf message under a store-local key: the raw_bytes of
// an MVCCMetadata, behind checksum and tag.
func (s *Store) inline(key string) ([]byte, error) {
	it := s.View().Iter(keys.Span{From: []byte(key), To: append([]byte(key), 0)})
	if !it.Next() {
		return nil, errors.Join(errNoValue, it.Err(), it.Close())
	}
	var raw []byte
	err := wire.Each(it.Value(), func(f wire.Field) error {
		if f.Num == 6 {
			raw = f.Data
		}
		return nil
	})
	raw = bytes.Clone(raw)
	if err := errors.Join(err, it.Close()); err != nil {
		return nil, err
	}
	if len(raw) < 5 { // checksum and tag
		return nil, errProto
	}
	return raw[5:], nil
}

// clusterVersion reads {1 version {1 major, 2 minor, 3 patch, 4 internal}}, and
// the older form in which the version is field 2.
func clusterVersion(proto []byte) (string, error) {
	var text string
	err := wire.Each(proto, func(f wire.Field) error {
		if (f.Num == 1 || f.Num == 2) && f.Data != nil {
			if v, err := parseVersion(f.Data); err == nil {
				text = v
			}
		}
		return nil
	})
	return text, err
}

// parseVersion reads roachpb.Version {1 major, 2 minor, 3 patch, 4 internal}.
func parseVersion(proto []byte) (string, error) {
	var v [5]uint64
	err := wire.Each(proto, func(f wire.Field) error {
		if f.Num < len(v) {
			v[f.Num] = f.Int
		}
		return nil
	})
	if err != nil || v[1] == 0 {
		return "", errProto
	}
	text := fmt.Sprintf("%d.%d", v[1], v[2])
	if v[3] != 0 {
		text += fmt.Sprintf(".%d", v[3])
	}
	if v[4] != 0 {
		text += fmt.Sprintf("-%d", v[4])
	}
	return text, nil
}
