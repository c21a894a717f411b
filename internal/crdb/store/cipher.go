package store

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// cipherFS shows the files of an encrypted store in the clear. A file that the
// registry does not name was never encrypted.
type cipherFS struct {
	FS
	files map[string]setting
	keys  map[string][]byte // by id: the store key and the data keys
}

// setting says how one file is encrypted.
type setting struct {
	kind    uint64 // 0 not at all, 1–3 AES-128/192/256 in counter mode, 4–6 the same with a wide counter
	keyID   string
	nonce   []byte
	counter uint32
}

const (
	cipherNone = 0
	cipherMax  = 6
	cipherWide = 4 // from here on the counter carries into the nonce
	nonceSize  = 12
)

// Open implements FS.
func (c *cipherFS) Open(name string) (File, error) {
	set, ok := c.files[name]
	if !ok || set.kind == cipherNone {
		return c.FS.Open(name)
	}
	block, err := c.cipher(set)
	if err != nil {
		return nil, fmt.Errorf("decrypt %q: %w", name, err)
	}
	f, err := c.FS.Open(name)
	if err != nil {
		return nil, err
	}
	out := &cipherFile{File: f, block: block, wide: set.kind >= cipherWide}
	copy(out.start[:], set.nonce)
	binary.BigEndian.PutUint32(out.start[nonceSize:], set.counter)
	return out, nil
}

func (c *cipherFS) cipher(set setting) (cipher.Block, error) {
	if set.kind > cipherMax || len(set.nonce) != nonceSize {
		return nil, fmt.Errorf("unknown encryption of kind %d", set.kind)
	}
	key, ok := c.keys[set.keyID]
	if !ok {
		return nil, fmt.Errorf("key %q is not known", set.keyID)
	}
	return aes.NewCipher(key)
}

// cipherFile decrypts what it reads: AES in counter mode, counted in blocks of
// 16 bytes from the beginning of the file.
type cipherFile struct {
	File
	block cipher.Block
	start [aes.BlockSize]byte
	wide  bool
}

func (f *cipherFile) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.File.ReadAt(p, offset)
	data := p[:n]
	for len(data) > 0 {
		first := uint64(offset) / aes.BlockSize
		skip := int(offset % aes.BlockSize)
		part := data
		if limit := f.untilWrap(first) - int64(skip); int64(len(part)) > limit {
			part = part[:limit]
		}
		stream := cipher.NewCTR(f.block, f.counter(first))
		if skip > 0 {
			var lead [aes.BlockSize]byte
			stream.XORKeyStream(lead[:skip], lead[:skip])
		}
		stream.XORKeyStream(part, part)
		data, offset = data[len(part):], offset+int64(len(part))
	}
	return n, err
}

// untilWrap is how many bytes lie between a block and the end of the narrow
// counter, which begins anew at 0.
func (f *cipherFile) untilWrap(block uint64) int64 {
	if f.wide {
		return 1 << 62
	}
	at := uint64(binary.BigEndian.Uint32(f.start[nonceSize:])+uint32(block)) & 0xffffffff
	return int64(1<<32-at) * aes.BlockSize
}

// counter is the input of AES for a block.
func (f *cipherFile) counter(block uint64) []byte {
	out := f.start
	if !f.wide {
		binary.BigEndian.PutUint32(out[nonceSize:], binary.BigEndian.Uint32(out[nonceSize:])+uint32(block))
		return out[:]
	}
	low, carry := bits.Add64(binary.BigEndian.Uint64(out[8:]), block, 0)
	binary.BigEndian.PutUint64(out[8:], low)
	binary.BigEndian.PutUint64(out[:8], binary.BigEndian.Uint64(out[:8])+carry)
	return out[:]
}
