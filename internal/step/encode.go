package step

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/evac-io/evac/internal/secret"
)

// Encode gives a step's fields as they may be seen: secrets redacted, DSNs
// without password, durations and sizes as written. Zero values are left out.
func (s Schema) Encode(from Step) map[string]any {
	fields := map[string]any{}
	source := reflect.ValueOf(from).Elem()
	for _, f := range s.Fields {
		v := source.FieldByIndex(f.index)
		if v.IsZero() {
			continue
		}
		switch t := v.Interface().(type) {
		case time.Duration:
			fields[f.Name] = t.String()
		default:
			fields[f.Name] = t
		}
	}
	return fields
}

// FieldsHash names a step by its kind and fields; secrets take no part beyond
// what may be seen of them.
func (s Schema) FieldsHash(of Step) string {
	text, err := json.Marshal(s.Encode(of)) // maps are written in key order
	if err != nil {
		panic(fmt.Sprintf("evac: internal error: encode fields of %q: %v", s.Kind, err))
	}
	sum := sha256.Sum256(append([]byte(s.Kind+"\x00"), text...))
	return hex.EncodeToString(sum[:])
}

// Redact makes known what must not be seen of a step's fields.
func (s Schema) Redact(of Step, known *secret.Redactor) {
	source := reflect.ValueOf(of).Elem()
	for _, f := range s.Fields {
		switch t := source.FieldByIndex(f.index).Interface().(type) {
		case secret.String:
			known.Add(t.Reveal())
		case secret.DSN:
			known.AddDSN(t)
		case map[string]secret.String:
			for _, value := range t {
				if !value.IsOpen() {
					known.Add(value.Reveal())
				}
			}
		}
	}
}
