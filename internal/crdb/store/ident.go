package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/evac-io/evac/internal/crdb/keys"
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
	return fields(proto, func(n protowire.Number, value uint64, data []byte) {
		switch n {
		case 1:
			copy(s.ident.Cluster[:], data)
		case 2:
			s.ident.Node = int32(value)
		case 3:
			s.ident.Store = int32(value)
		}
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
	err := fields(it.Value(), func(n protowire.Number, _ uint64, data []byte) {
		if n == 6 {
			raw = data
		}
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
	err := fields(proto, func(n protowire.Number, _ uint64, data []byte) {
		if (n == 1 || n == 2) && data != nil {
			if v, err := parseVersion(data); err == nil {
				text = v
			}
		}
	})
	return text, err
}

// parseVersion reads roachpb.Version {1 major, 2 minor, 3 patch, 4 internal}.
func parseVersion(proto []byte) (string, error) {
	var v [5]uint64
	err := fields(proto, func(n protowire.Number, value uint64, _ []byte) {
		if int(n) < len(v) {
			v[n] = value
		}
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

// fields calls f for each field of a message: value for numbers, data for bytes.
func fields(proto []byte, f func(n protowire.Number, value uint64, data []byte)) error {
	for len(proto) > 0 {
		num, typ, n := protowire.ConsumeTag(proto)
		if n < 0 {
			return errProto
		}
		proto = proto[n:]
		switch typ {
		case protowire.VarintType:
			v, m := protowire.ConsumeVarint(proto)
			if n = m; n >= 0 {
				f(num, v, nil)
			}
		case protowire.BytesType:
			v, m := protowire.ConsumeBytes(proto)
			if n = m; n >= 0 {
				f(num, 0, v)
			}
		default:
			n = protowire.ConsumeFieldValue(num, typ, proto)
		}
		if n < 0 {
			return errProto
		}
		proto = proto[n:]
	}
	return nil
}
