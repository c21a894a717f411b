package store

import (
	"bytes"
	"context"
	"crypto/aes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/evac-io/evac/internal/fault"
)

// crypt encrypts as the node does it: block by block, with a counter that
// begins anew at 2^32 (kinds 1–3) or carries over all 16 bytes (4–6).
func crypt(t *testing.T, set setting, key, data []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	counter := append(bytes.Clone(set.nonce), byte(set.counter>>24), byte(set.counter>>16), byte(set.counter>>8), byte(set.counter))
	out := bytes.Clone(data)
	var stream [aes.BlockSize]byte
	for at := 0; at < len(out); at += aes.BlockSize {
		block.Encrypt(stream[:], counter)
		for i := at; i < min(at+aes.BlockSize, len(out)); i++ {
			out[i] ^= stream[i-at]
		}
		low := 0
		if set.kind < cipherWide {
			low = nonceSize
		}
		for i := aes.BlockSize - 1; i >= low; i-- {
			if counter[i]++; counter[i] != 0 {
				break
			}
		}
	}
	return out
}

func message(parts ...any) []byte {
	var out []byte
	for i := 0; i < len(parts); i += 2 {
		num := protowire.Number(parts[i].(int))
		switch v := parts[i+1].(type) {
		case int:
			out = protowire.AppendVarint(protowire.AppendTag(out, num, protowire.VarintType), uint64(v))
		case []byte:
			out = protowire.AppendBytes(protowire.AppendTag(out, num, protowire.BytesType), v)
		}
	}
	return out
}

func (set setting) entry(env int) []byte {
	return message(1, env, 2, message(1, int(set.kind), 2, []byte(set.keyID), 3, set.nonce, 4, int(set.counter)))
}

// encrypt encrypts every file of a store under data keys, writes the registry in
// the old or the new form, and gives the store key file.
func encrypt(t *testing.T, dir string, size, kind int, log bool) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(size), uint64(kind)))
	random := func(n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte(r.Uint32())
		}
		return out
	}
	storeKey, dataKey := append(random(keyIDSize), random(size)...), random(size)
	storeID, dataID := hex.EncodeToString(storeKey[:keyIDSize]), "data-1"
	var old, changes []byte
	protect := func(name string, set setting, key []byte, env int) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), crypt(t, set, key, data), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		pair := message(1, []byte(name), 2, set.entry(env))
		old, changes = append(old, message(2, pair)...), append(changes, message(1, pair)...)
	}
	for _, f := range must(Dir(dir).List("."))(t) {
		protect(f.Name, setting{kind: uint64(kind), keyID: dataID, nonce: random(nonceSize), counter: 0xffffff00}, dataKey, 2)
	}
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(dataKeys, message(2, message(1, []byte(dataID), 2, message(1, message(1, kind), 2, dataKey)), 4, []byte(dataID)))
	protect(dataKeys, setting{kind: uint64(kind), keyID: storeID, nonce: random(nonceSize), counter: 7}, storeKey[keyIDSize:], 1)
	if log {
		gone := message(1, message(1, []byte("gone"), 2, setting{kind: 1, keyID: "?"}.entry(2)), 1, message(1, []byte("gone")))
		write("COCKROACHDB_REGISTRY_000002", logOf(1, 0, message(1, 1), gone, changes))
		write("marker.registry.000001.COCKROACHDB_REGISTRY_000002", nil)
	} else {
		write(oldRegistry, append(message(1, 0), old...))
	}
	return storeKey
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestEncrypted reads a store through each cipher and each form of registry.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	truth, _ := scan(t, open(t, fixture(t, "tiny", 3), Options{}))
	for i, test := range []struct {
		size, kind int
		log        bool
	}{{16, 1, false}, {24, 2, true}, {32, 3, true}, {32, 6, true}} {
		t.Run(fmt.Sprintf("AES-%d kind %d", test.size*8, test.kind), func(t *testing.T) {
			dir := fixture(t, "tiny", 3)
			key := encrypt(t, dir, test.size, test.kind, test.log)
			s := open(t, dir, Options{StoreKeys: [][]byte{bytes.Repeat([]byte{9}, 48), key}})
			got, damage := scan(t, s)
			if diff := cmp.Diff(truth, got); diff != "" || len(damage) > 0 {
				t.Errorf("(-plain +encrypted): %.300s; %v", diff, damage)
			}
			if !s.Facts().Encrypted {
				t.Error("not said to be encrypted")
			}
			if i == 0 {
				refusals(t, dir, key)
			}
		})
	}
}

// refusals opens an encrypted store in all wrong ways.
func refusals(t *testing.T, dir string, key []byte) {
	t.Helper()
	other := bytes.Clone(key)
	other[0] ^= 1
	noise := bytes.Clone(key)
	noise[len(noise)-1] ^= 1
	for want, wrong := range map[string][][]byte{"was not given": nil, "given is": {other}, "does not decrypt": {noise}, "a store key of 5 bytes": {[]byte("12345")}} {
		_, err := Open(context.Background(), dir, Options{StoreKeys: wrong})
		var f *fault.Error
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &f) || len(fault.Hints(err)) == 0 {
			t.Errorf("%d keys: %v, hints %v; want %q", len(wrong), err, fault.Hints(err), want)
		}
	}
}

// TestCipherOffsets reads an encrypted file at offsets of all kinds, over the end
// of the counter.
func TestCipherOffsets(t *testing.T) {
	plain := make([]byte, 10_000)
	for i := range plain {
		plain[i] = byte(i * 7)
	}
	key := bytes.Repeat([]byte{3}, 16)
	for _, kind := range []uint64{1, 4} {
		set := setting{kind: kind, nonce: bytes.Repeat([]byte{0xff}, nonceSize), counter: 0xffffff80, keyID: "k"}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "f"), crypt(t, set, key, plain), 0o600); err != nil {
			t.Fatal(err)
		}
		layer := &cipherFS{FS: Dir(dir), files: map[string]setting{"f": set}, keys: map[string][]byte{"k": key}}
		f := must(layer.Open("f"))(t)
		for at := 0; at < len(plain); at += 37 {
			got := make([]byte, min(1000, len(plain)-at))
			if _, err := f.ReadAt(got, int64(at)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, plain[at:at+len(got)]) {
				t.Fatalf("kind %d, offset %d", kind, at)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
