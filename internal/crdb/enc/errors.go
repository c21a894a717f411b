package enc

import (
	"errors"
	"fmt"
)

// ErrDamaged is bytes that are no encoding of a value of the type asked for.
var ErrDamaged = errors.New("not an encoding of that type")

// ErrKeyOnly is a key which does not hold the value it was made of: that of a
// collated string. The row repeats such a value beside the key.
var ErrKeyOnly = errors.New("a collated string cannot be read from its key")

// maxDepth is how deep arrays, tuples, documents and queries may nest.
const maxDepth = 10000

func damaged(what string) error { return fmt.Errorf("decode %s: %w", what, ErrDamaged) }

func mismatch(t *Type, typ ValueType) error {
	return fmt.Errorf("decode a value of family %d from value type %d: %w", t.Family, typ, ErrDamaged)
}
