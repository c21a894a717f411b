package step

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/secret"
)

// Type is the type of a field as a runbook's author sees it.
type Type string

// The field types. A duration is written "90s", "4h30m"; a size "64MB" (powers
// of 1,000) or "64MiB" (of 1,024); a DSN and a secret take var.NAME,
// "env:NAME" or "@FILE".
const (
	TypeString   Type = "string"
	TypeBool     Type = "bool"
	TypeInt      Type = "int"
	TypeFloat    Type = "number"
	TypeDuration Type = "duration"
	TypeSize     Type = "size"
	TypeSecret   Type = "secret"
	TypeDSN      Type = "dsn"
	TypeList     Type = "list of string"
	TypeMap      Type = "map of string"
	// TypeSecretMap is a map whose values may be secret (a child's environment).
	TypeSecretMap Type = "map of string or secret"
)

// Size is a number of bytes.
type Size int64

// Field is one attribute of a kind.
type Field struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
	Doc  string `json:"doc"`
	// Default is the text that stands if the attribute is missing.
	Default string `json:"default,omitempty"`
	// Enum are the only texts allowed, if any.
	Enum     []string `json:"enum,omitempty"`
	Required bool     `json:"required,omitempty"`
	// Secret fields never show their value; Target fields are what a drill
	// must map to a stand-in.
	Secret bool `json:"secret,omitempty"`
	Target bool `json:"target,omitempty"`
	// Args fields are the arguments of the kind's own command, and no flag.
	Args bool `json:"args,omitempty"`

	index []int
}

// Flag is the field's flag in the kind's own command, without the dashes. A
// field that is called like one of the command's own verbs (the commands of a
// shell step) says what it is.
func (f Field) Flag() string {
	switch f.Name {
	case "check", "verify", "undo":
		return f.Name + "-command"
	}
	return strings.ReplaceAll(f.Name, "_", "-")
}

// Word is how usage calls a field's arguments: DIR for "dir", STORE… for "stores".
func (f Field) Word() string {
	if f.Type == TypeList {
		return strings.ToUpper(strings.TrimSuffix(f.Name, "s")) + "…"
	}
	return strings.ToUpper(f.Name)
}

// Schema is what a kind's struct says of itself.
type Schema struct {
	Kind   string  `json:"kind"`
	Fields []Field `json:"fields"`
	// Output are the fields that later steps may refer to. Each has one of
	// the types string, bool, int, number, list of string, map of string.
	Output []Field `json:"output,omitempty"`
}

// Field finds a field by name.
func (s Schema) Field(name string) (Field, bool) { return find(s.Fields, name) }

// OutputField finds an output field by name.
func (s Schema) OutputField(name string) (Field, bool) { return find(s.Output, name) }

func find(fields []Field, name string) (Field, bool) {
	for _, f := range fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// SchemaOf reads a kind's struct. A field's tags are
//
//	evac:"NAME[,required][,target][,args]"   doc:"…"   default:"…"   enum:"a,b"
//
// and its type decides the rest. Output structs use json and doc tags.
func SchemaOf(k Kind) (Schema, error) {
	s := Schema{Kind: k.Name}
	t := reflect.TypeOf(k.New())
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return s, fmt.Errorf("kind constructor gives %s, want a pointer to a struct", t)
	}
	for f := range structFields(t.Elem()) {
		field, ok, err := inputField(f)
		if err != nil {
			return s, fmt.Errorf("field %s: %w", f.Name, err)
		}
		if ok {
			s.Fields = append(s.Fields, field)
		}
	}
	if k.Output == nil {
		return s, nil
	}
	for f := range structFields(reflect.TypeOf(k.Output)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		typ, ok := outputTypes[f.Type.Kind()]
		if name == "" || name == "-" || !ok {
			continue // not for reference from a runbook
		}
		s.Output = append(s.Output, Field{Name: name, Type: typ, Doc: f.Tag.Get("doc"), index: f.Index})
	}
	return s, nil
}

func structFields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && !yield(f) {
				return
			}
		}
	}
}

func inputField(f reflect.StructField) (Field, bool, error) {
	tag, ok := f.Tag.Lookup("evac")
	if !ok {
		return Field{}, false, nil
	}
	parts := strings.Split(tag, ",")
	field := Field{Name: parts[0], Doc: f.Tag.Get("doc"), Default: f.Tag.Get("default"), index: f.Index}
	for _, p := range parts[1:] {
		switch p {
		case "required":
			field.Required = true
		case "target":
			field.Target = true
		case "args":
			field.Args = true
		default:
			return field, true, fmt.Errorf("unknown tag option %q", p)
		}
	}
	if e := f.Tag.Get("enum"); e != "" {
		field.Enum = strings.Split(e, ",")
	}
	if field.Doc == "" {
		return field, true, fmt.Errorf("no doc tag")
	}
	field.Type, ok = inputTypes[f.Type]
	if !ok {
		return field, true, fmt.Errorf("type %s is not one a runbook can write", f.Type)
	}
	if field.Args && field.Type != TypeList && field.Type != TypeString {
		return field, true, errors.New("arguments are a string or a list of string")
	}
	field.Secret = field.Type == TypeSecret || field.Type == TypeDSN
	return field, true, nil
}

var inputTypes = map[reflect.Type]Type{
	reflect.TypeFor[string]():                   TypeString,
	reflect.TypeFor[bool]():                     TypeBool,
	reflect.TypeFor[int]():                      TypeInt,
	reflect.TypeFor[int64]():                    TypeInt,
	reflect.TypeFor[float64]():                  TypeFloat,
	reflect.TypeFor[time.Duration]():            TypeDuration,
	reflect.TypeFor[Size]():                     TypeSize,
	reflect.TypeFor[secret.String]():            TypeSecret,
	reflect.TypeFor[secret.DSN]():               TypeDSN,
	reflect.TypeFor[[]string]():                 TypeList,
	reflect.TypeFor[map[string]string]():        TypeMap,
	reflect.TypeFor[map[string]secret.String](): TypeSecretMap,
}

var outputTypes = map[reflect.Kind]Type{
	reflect.String: TypeString, reflect.Bool: TypeBool, reflect.Int: TypeInt, reflect.Int64: TypeInt, reflect.Float64: TypeFloat,
}
