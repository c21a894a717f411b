package store

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/evac-io/evac/internal/crdb/wire"
	"github.com/evac-io/evac/internal/fault"
)

const (
	oldRegistry = "COCKROACHDB_REGISTRY"
	dataKeys    = "COCKROACHDB_DATA_KEYS"
	maxRegistry = 256 << 20
	keyIDSize   = 32 // bytes of a store key file before the key itself
)

// unlock reads the registry of encrypted files, and if there are some, puts a
// layer over the store's files that decrypts them. storeKeys are the contents of
// key files: 32 bytes of name, then the key.
func (s *Store) unlock(storeKeys [][]byte) error {
	files, err := s.readRegistry()
	if err != nil {
		return err
	}
	encrypted := 0
	for _, set := range files {
		if set.kind != cipherNone {
			encrypted++
		}
	}
	if encrypted == 0 {
		return nil
	}
	s.facts.Encrypted = true
	layer := &cipherFS{FS: s.fs, files: files, keys: map[string][]byte{}}
	needed := files[s.dataKeysFile()].keyID
	if len(storeKeys) == 0 {
		return fault.New(fault.Denied, fmt.Sprintf("%d files are encrypted with store key %q, which was not given", encrypted, needed),
			"give the node's key file: --store-key FILE")
	}
	var given []string
	for _, key := range storeKeys {
		id, err := addStoreKey(layer.keys, key)
		if err != nil {
			return err
		}
		given = append(given, strconv.Quote(id))
	}
	if _, ok := layer.keys[needed]; needed != "" && !ok {
		return fault.New(fault.Denied, fmt.Sprintf("the files are encrypted with store key %q, given is %s", needed, strings.Join(given, ", ")), "give the key file that the node was started with: --store-key FILE")
	}
	if err := s.readDataKeys(layer); err != nil {
		return err
	}
	for i := range s.dir.logs {
		if s.dir.logs[i].fs == s.fs {
			s.dir.logs[i].fs = layer
		}
	}
	s.fs = layer
	return nil
}

func addStoreKey(known map[string][]byte, file []byte) (id string, err error) {
	switch len(file) - keyIDSize {
	case 16, 24, 32:
		id = hex.EncodeToString(file[:keyIDSize])
		known[id] = file[keyIDSize:]
		return id, nil
	}
	return "", fault.New(fault.Invalid, fmt.Sprintf("a store key of %d bytes; 48, 56 or 64 are right", len(file)), "give the file that `cockroach gen encryption-key` made: --store-key FILE")
}

// dataKeysFile is the file that holds the data keys.
func (s *Store) dataKeysFile() string {
	if m, ok := s.dir.markers["datakeys"]; ok {
		return m.value
	}
	newest := dataKeys
	for name := range s.dir.other {
		if strings.HasPrefix(name, dataKeys) && name > newest {
			newest = name
		}
	}
	return newest
}

// readDataKeys reads DataKeysRegistry {2 data keys: id → {1 info, 2 key}}.
func (s *Store) readDataKeys(layer *cipherFS) error {
	name := s.dataKeysFile()
	data, err := readFile(layer, name, maxRegistry)
	if err != nil {
		return fault.Wrap(fault.Denied, "read the data keys", err, "without them nothing of the store can be decrypted")
	}
	n := len(layer.keys)
	err = wire.Each(data, func(f wire.Field) error {
		if f.Num != 2 {
			return nil
		}
		id, secret, err := mapEntry(f.Data)
		if err != nil {
			return err
		}
		return wire.Each(secret, func(f wire.Field) error {
			if f.Num == 2 && slices.Contains([]int{16, 24, 32}, len(f.Data)) {
				layer.keys[id] = f.Data
			}
			return nil
		})
	})
	if err != nil || len(layer.keys) == n {
		return fault.New(fault.Denied, fmt.Sprintf("%q does not decrypt to keys: the store key does not fit, or the file is damaged", name), "give the key file that the node was started with: --store-key FILE")
	}
	return nil
}

// readRegistry reads which files are encrypted: a log of changes since 21.2,
// one message before that.
func (s *Store) readRegistry() (map[string]setting, error) {
	files := map[string]setting{}
	if name := s.registryFile(); name != "" {
		return files, s.readRegistryLog(name, files)
	}
	if _, ok := s.dir.other[oldRegistry]; !ok {
		return files, nil
	}
	data, err := readFile(s.fs, oldRegistry, maxRegistry)
	if err != nil {
		return nil, fault.Wrap(fault.Denied, "read the registry of encrypted files", err, "")
	}
	err = wire.Each(data, func(f wire.Field) error {
		if name, file, err := mapEntry(f.Data); f.Num == 2 && err == nil {
			files[name] = parseSetting(file)
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, fmt.Sprintf("read %q", oldRegistry), err, "it says which files are encrypted; without it the store cannot be read")
	}
	return files, nil
}

func (s *Store) registryFile() string {
	if m, ok := s.dir.markers["registry"]; ok {
		return m.value
	}
	newest := ""
	for name := range s.dir.other {
		if strings.HasPrefix(name, oldRegistry+"_") && name > newest {
			newest = name
		}
	}
	return newest
}

// readRegistryLog folds {1 changes {1 file, 2 entry}}; a change without entry
// takes the file out. The first record is a header.
func (s *Store) readRegistryLog(name string, files map[string]setting) error {
	f, err := s.fs.Open(name)
	if err != nil {
		return fault.Wrap(fault.Denied, "read the registry of encrypted files", err, "")
	}
	defer f.Close()
	l := newLogReader(f, f.Size(), 0)
	header := true
	for {
		record, _, ok := l.next()
		if !ok {
			break
		}
		if header {
			header = false
			continue
		}
		if err := applyRegistry(record, files); err != nil {
			s.lose(name, gap{offset: -1, size: -1, why: err.Error()})
		}
	}
	for _, g := range l.gaps {
		s.lose(name, g)
	}
	return nil
}

func applyRegistry(record []byte, files map[string]setting) error {
	return wire.Each(record, func(f wire.Field) error {
		if name, entry, err := mapEntry(f.Data); f.Num == 1 && err == nil {
			if entry == nil {
				delete(files, name)
				return nil
			}
			files[name] = parseSetting(entry)
		}
		return nil
	})
}

// mapEntry reads {1 key, 2 value}; the value is nil if it is not there.
func mapEntry(entry []byte) (key string, value []byte, err error) {
	err = wire.Each(entry, func(f wire.Field) error {
		switch f.Num {
		case 1:
			key = string(f.Data)
		case 2:
			value = append([]byte{}, f.Data...)
		}
		return nil
	})
	return key, value, err
}

// parseSetting reads FileEntry {1 environment, 2 settings {1 kind, 2 key id, 3
// nonce, 4 counter}}. A setting that cannot be read is of no known kind.
func parseSetting(entry []byte) setting {
	var set setting
	plain := true
	err := wire.Each(entry, func(f wire.Field) error {
		switch f.Num {
		case 1:
			plain = f.Int == 0
		case 2:
			if set.parse(f.Data) != nil {
				set.kind = cipherMax + 1
			}
		}
		return nil
	})
	if err != nil {
		set.kind = cipherMax + 1
	} else if plain {
		set.kind = cipherNone
	}
	return set
}

func (set *setting) parse(data []byte) error {
	return wire.Each(data, func(f wire.Field) error {
		switch f.Num {
		case 1:
			set.kind = f.Int
		case 2:
			set.keyID = string(f.Data)
		case 3:
			set.nonce = append([]byte{}, f.Data...)
		case 4:
			set.counter = uint32(f.Int)
		}
		return nil
	})
}
