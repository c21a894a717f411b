// Package enc knows CockroachDB's encodings of SQL values: the ordered encoding
// of index keys and the value encoding of rows, of every SQL type and in both
// directions, and the text that PostgreSQL's wire protocol shows for them.
//
// A value is held as its value encoding, which loses nothing (Datum); ordered
// keys and text are made from it and read back to it. What is decoded may be
// damaged: every length is checked, nothing allocates more than the input has,
// nothing recurses deeper than maxDepth.
package enc

import "bytes"

// Family is CockroachDB's number of a family of types, as it stands in a column
// descriptor (types.T, field 1).
type Family int32

// The families of types.
const (
	BoolFamily        Family = 0
	IntFamily         Family = 1
	FloatFamily       Family = 2
	DecimalFamily     Family = 3
	DateFamily        Family = 4
	TimestampFamily   Family = 5
	IntervalFamily    Family = 6
	StringFamily      Family = 7
	BytesFamily       Family = 8
	TimestampTZFamily Family = 9
	CollatedFamily    Family = 10
	NameFamily        Family = 11 // before 19.2; a String with the OID of name since
	OIDFamily         Family = 12 // regclass and its like too, by their OID
	UnknownFamily     Family = 13
	UUIDFamily        Family = 14
	ArrayFamily       Family = 15
	INetFamily        Family = 16
	TimeFamily        Family = 17
	JSONFamily        Family = 18
	TimeTZFamily      Family = 19
	TupleFamily       Family = 20
	BitFamily         Family = 21
	GeometryFamily    Family = 22
	GeographyFamily   Family = 23
	EnumFamily        Family = 24
	Box2DFamily       Family = 25
	VoidFamily        Family = 26
	TSQueryFamily     Family = 28
	TSVectorFamily    Family = 29
	PGLSNFamily       Family = 30
	RefCursorFamily   Family = 31
	PGVectorFamily    Family = 32
	TriggerFamily     Family = 33
	JSONPathFamily    Family = 34
	LTreeFamily       Family = 35
	AnyFamily         Family = 100
	Int2VectorFamily  Family = 200 // before 19.2; an Array with the OID of int2vector since
	OIDVectorFamily   Family = 201 // before 19.2; an Array with the OID of oidvector since
)

// The PostgreSQL OIDs which change how a value of a family is shown.
const (
	OIDChar       uint32 = 18 // "char"
	OIDName       uint32 = 19
	OIDInt8       uint32 = 20
	OIDInt2       uint32 = 21
	OIDInt2Vector uint32 = 22
	OIDInt4       uint32 = 23
	OIDText       uint32 = 25
	OIDOIDVector  uint32 = 30
	OIDFloat4     uint32 = 700
	OIDFloat8     uint32 = 701
	OIDBPChar     uint32 = 1042 // CHAR(n)
	OIDVarChar    uint32 = 1043
	OIDBit        uint32 = 1560
	OIDVarBit     uint32 = 1562
)

// VisibleType is what a column was declared as where its family says too little
// (types.T, field 6); descriptors before 19.2 have it in place of an OID.
type VisibleType int32

// The visible types.
const (
	VisibleNone     VisibleType = 0
	VisibleInteger  VisibleType = 1
	VisibleSmallInt VisibleType = 2
	VisibleBigInt   VisibleType = 3
	VisibleBit      VisibleType = 4 // BIT(n) was an integer before 2.1
	VisibleReal     VisibleType = 5
	VisibleDouble   VisibleType = 6
	VisibleVarChar  VisibleType = 7
	VisibleChar     VisibleType = 8
	VisibleQChar    VisibleType = 9 // "char"
	VisibleVarBit   VisibleType = 10
)

// Type is the type of a column, as far as its values need it. The zero value is
// BOOL.
type Type struct {
	Family    Family
	Width     int32 // bits of INT, FLOAT and BIT, characters of VARCHAR and CHAR, digits after the point of DECIMAL; 0 is none given
	Precision int32 // digits of DECIMAL, digits of the seconds of TIME and TIMESTAMP; 0 is none given
	OID       uint32
	Visible   VisibleType
	Locale    string    // of a collated string, as written in the descriptor
	Collator  *Collator // of that locale (NewCollator); without one each key makes its own, slowly
	Elem      *Type     // of an array, vectors of integers too
	Tuple     []Type    // the types of a tuple's elements
	Labels    []string  // the names of a tuple's elements, if they have some
	Enum      *Enum     // of an enum
	Name      string    // of a user-defined type, as SQL writes it
}

// Enum is the members of an enum type, in their order.
type Enum struct{ Members []Member }

// Member is one member of an enum: Physical is what rows and keys hold.
type Member struct {
	Physical []byte
	Label    string
}

// Label is the label of the member which rows hold as physical.
func (e *Enum) Label(physical []byte) (string, bool) {
	if e == nil {
		return "", false
	}
	for i := range e.Members {
		if bytes.Equal(e.Members[i].Physical, physical) {
			return e.Members[i].Label, true
		}
	}
	return "", false
}

// Physical is what rows hold for the member with that label.
func (e *Enum) Physical(label string) ([]byte, bool) {
	if e == nil {
		return nil, false
	}
	for i := range e.Members {
		if e.Members[i].Label == label {
			return e.Members[i].Physical, true
		}
	}
	return nil, false
}

// IsComposite says that the ordered key of some values of the type does not hold
// all of them, so that the row repeats such values beside the key: collated
// strings, -0 and trailing zeros of numbers, arrays and documents of those.
func IsComposite(t *Type) bool {
	switch t.Family {
	case CollatedFamily, FloatFamily, DecimalFamily, JSONFamily:
		return true
	case ArrayFamily:
		return t.Elem != nil && IsComposite(t.Elem)
	case TupleFamily:
		for i := range t.Tuple {
			if IsComposite(&t.Tuple[i]) {
				return true
			}
		}
	}
	return false
}

// elem is the type of an array's elements, nil if the descriptor does not say.
func (t *Type) elem() *Type {
	switch {
	case t.Elem != nil:
		return t.Elem
	case t.Family == Int2VectorFamily:
		return &Type{Family: IntFamily, Width: 16}
	case t.Family == OIDVectorFamily:
		return &Type{Family: OIDFamily}
	}
	return nil
}

// PlainText says that no text of the type has a comma, a quote, a backslash or
// an end of line in it, and that none is empty: it stands in a CSV file as it is.
func (t *Type) PlainText() bool {
	switch t.Family {
	case BoolFamily, IntFamily, FloatFamily, DecimalFamily, DateFamily, TimestampFamily, TimestampTZFamily, IntervalFamily,
		OIDFamily, UUIDFamily, INetFamily, TimeFamily, TimeTZFamily, PGLSNFamily:
		return true
	}
	return false
}

// blankPadded says that the text of a value is filled with blanks up to its
// width: CHAR(n).
func (t *Type) blankPadded() bool {
	return t.OID == OIDBPChar || t.OID == 0 && t.Visible == VisibleChar
}

// vector says that an array is shown as PostgreSQL shows int2vector and
// oidvector: its elements between blanks.
func (t *Type) vector() bool {
	return t.Family == Int2VectorFamily || t.Family == OIDVectorFamily || t.OID == OIDInt2Vector || t.OID == OIDOIDVector
}
