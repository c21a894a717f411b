package rows

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// A checksum that is made over zeros in front is that of the bytes alone, whatever
// their number, and leaves them as they were.
func TestCRCBehind(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		buf := append(make([]byte, 7), zeros[:]...)
		for range n {
			buf = append(buf, byte(dice.Uint32()))
		}
		pair := string(buf[7+lead:])
		if got, want := crcBehind(buf, 7+lead), crc32.ChecksumIEEE([]byte(pair)); got != want {
			t.Errorf("%d bytes: got %08x, want %08x", n, got, want)
		}
		if string(buf[7+lead:]) != pair {
			t.Errorf("%d bytes: they were changed", n)
		}
	}
}
