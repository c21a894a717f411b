package synth

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/evac-io/evac/internal/crdb/wire"
)

// Kinds of files by what they are encrypted with.
const (
	byStoreKey = 1
	byDataKey  = 2
)

// secret encrypts the files of a store as CockroachDB does it at rest: the list
// of data keys by the store key, everything else by a data key, each file under
// a nonce and counter of its own that the file registry holds in the clear.
type secret struct {
	storeKey, dataKey []byte
	mu                sync.Mutex
	files             map[string]settings
}

// settings is how a file is encrypted (EncryptionSettings).
type settings struct {
	env     uint64
	key     []byte
	keyID   string
	nonce   [12]byte
	counter uint32
}

// StoreKeyFile is the file that CockroachDB's --enterprise-encryption would be
// given for a key: an id of 32 bytes, then the key.
func StoreKeyFile(key []byte) []byte { return append(keyID(key), key...) }

// keyID is the id of a key, of 32 bytes.
func keyID(key []byte) []byte {
	id := make([]byte, 32)
	for i := range id {
		id[i] = key[i%len(key)] ^ byte(31*i+7)
	}
	return id
}

func newSecret(storeKey []byte, seed uint64) (*secret, error) {
	if n := len(storeKey); n != 16 && n != 24 && n != 32 {
		return nil, fmt.Errorf("a store key of %d bytes: it must be of 16, 24 or 32", n)
	}
	dataKey := make([]byte, len(storeKey))
	for i := range dataKey {
		dataKey[i] = byte(mix(seed + uint64(i)))
	}
	return &secret{storeKey: storeKey, dataKey: dataKey, files: map[string]settings{}}, nil
}

// stream is the key stream of a file, from its first byte on.
func (s *secret) stream(name string) cipher.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := settings{env: byDataKey, key: s.dataKey, keyID: hex.EncodeToString(keyID(s.dataKey))}
	if strings.HasPrefix(name, dataKeysName) {
		set = settings{env: byStoreKey, key: s.storeKey, keyID: hex.EncodeToString(keyID(s.storeKey))}
	}
	n := mix(uint64(len(s.files)) + 99)
	binary.BigEndian.PutUint64(set.nonce[:], n)
	set.counter = uint32(n) | 0xffff0000 // it runs over soon, and does not carry into the nonce
	s.files[name] = set
	return newCounterStream(set)
}

// counterStream is AES in counter mode with a counter of 32 bits.
type counterStream struct {
	block   cipher.Block
	set     settings
	at      uint32
	pad     [16]byte
	padLeft int
}

func newCounterStream(set settings) *counterStream {
	block, err := aes.NewCipher(set.key)
	if err != nil {
		panic(fmt.Sprintf("evac: internal error: a key of %d bytes", len(set.key)))
	}
	return &counterStream{block: block, set: set, at: set.counter}
}

func (c *counterStream) XORKeyStream(dst, src []byte) {
	for i, b := range src {
		if c.padLeft == 0 {
			var in [16]byte
			copy(in[:], c.set.nonce[:])
			binary.BigEndian.PutUint32(in[12:], c.at)
			c.block.Encrypt(c.pad[:], in[:])
			c.at++
			c.padLeft = 16
		}
		dst[i] = b ^ c.pad[16-c.padLeft]
		c.padLeft--
	}
}

const (
	dataKeysName = "COCKROACHDB_DATA_KEYS"
	registryName = "COCKROACHDB_REGISTRY"
)

// settings as a message; the types 1, 2 and 3 are AES-128, -192 and -256.
func (e settings) message() wire.Message {
	return wire.Message(nil).Int(1, uint64(len(e.key)/8-1)).Bytes(2, []byte(e.keyID)).Bytes(3, e.nonce[:]).Int(4, uint64(e.counter))
}

// dataKeys is the DataKeysRegistry.
func (s *secret) dataKeys() wire.Message {
	info := func(key []byte) wire.Message {
		return wire.Message(nil).Int(1, uint64(len(key)/8-1)).Bytes(2, []byte(hex.EncodeToString(keyID(key)))).Int(3, 1_600_000_000)
	}
	id := []byte(hex.EncodeToString(keyID(s.dataKey)))
	storeID := []byte(hex.EncodeToString(keyID(s.storeKey)))
	store := wire.Message(nil).Bytes(1, storeID).Bytes(2, info(s.storeKey))
	data := wire.Message(nil).Bytes(1, id).Bytes(2, wire.Message(nil).Bytes(1, info(s.dataKey)).Bytes(2, s.dataKey))
	return wire.Message(nil).Bytes(1, store).Bytes(2, data).Bytes(3, storeID).Bytes(4, id)
}

// entry is one file of the registry: a FileEntry.
func (e settings) entry() wire.Message {
	return wire.Message(nil).Int(1, e.env).Bytes(2, e.message())
}

// names are the encrypted files, in order.
func (s *secret) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for name := range s.files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// writeSecret writes the data keys and the registry: up to 21.1 one message, later
// a log of batches that a marker names.
func (s *store) writeSecret() error {
	if s.secret == nil {
		return nil
	}
	keysFile := dataKeysName
	if s.spec.Engine.version() > 1 {
		keysFile += "_000001_monolith"
		if err := s.plainFile("marker.datakeys.000001."+keysFile, nil); err != nil {
			return err
		}
	}
	if err := s.whole(keysFile, s.secret.dataKeys()); err != nil {
		return err
	}
	if s.spec.Engine.version() == 1 {
		m := wire.Message(nil).Int(1, 1)
		for _, name := range s.secret.names() {
			m = m.Bytes(2, wire.Message(nil).Bytes(1, []byte(name)).Bytes(2, s.secret.files[name].entry()))
		}
		return s.plainFile(registryName, m)
	}
	name := registryName + "_000001"
	plain := &store{dir: s.dir, spec: s.spec}
	out, err := plain.create(name)
	if err != nil {
		return err
	}
	l := &logFile{out: out}
	records := []wire.Message{wire.Message(nil).Int(1, 2)}
	for _, file := range s.secret.names() {
		update := wire.Message(nil).Bytes(1, []byte(file)).Bytes(2, s.secret.files[file].entry())
		records = append(records, wire.Message(nil).Bytes(1, update))
	}
	for _, r := range records {
		if err := l.append(r); err != nil {
			return err
		}
	}
	if err := out.Finish(); err != nil {
		return err
	}
	return s.plainFile("marker.registry.000001."+name, nil)
}
