package catalog

import "github.com/evac-io/evac/internal/crdb/enc"

// firstUserOID is the OID of the user-defined type whose descriptor has id 0.
const firstUserOID = 100000

// typ decodes the type of a column (types.T), and brings the forms before 19.2
// to today's.
func (d *decoder) typ(b []byte, depth int) (enc.Type, Modifiers, error) {
	var t enc.Type
	var mod Modifiers
	if depth > maxTypeDepth {
		return t, mod, errTooDeep
	}
	elem := noElem // the family of the elements of an array before 19.2
	err := d.message(b, func(x field) (err error) {
		switch x.num {
		case 1:
			t.Family = enc.Family(x.i32())
		case 2:
			t.Width = x.i32()
		case 3:
			t.Precision = x.i32()
		case 5:
			t.Locale = x.string()
		case 6:
			t.Visible = enc.VisibleType(x.i32())
		case 7:
			elem = enc.Family(x.i32())
		case 8:
			var of enc.Type
			of, _, err = d.typ(x.b, depth+1)
			t.Tuple = append(t.Tuple, of)
		case 9:
			t.Labels = append(t.Labels, x.string())
		case 10:
			t.OID = x.u32()
		case 11:
			t.Elem = &enc.Type{}
			var inner Modifiers
			*t.Elem, inner, err = d.typ(x.b, depth+1)
			inner.UserType, mod = mod.UserType, inner
		default:
			err = d.modifier(&mod, x)
		}
		return err
	})
	if mod.UserType == 0 && t.OID > firstUserOID {
		mod.UserType = t.OID - firstUserOID
	}
	mod.PrecisionSet = mod.PrecisionSet || t.Precision > 0
	modernize(&t, elem)
	return t, mod, err
}

// modifier decodes those fields of a type which its values do not need.
func (d *decoder) modifier(mod *Modifiers, x field) error {
	switch x.num {
	case 12:
		mod.PrecisionSet = x.bool()
	case 13:
		return d.intervalFields(mod, x.b)
	case 14:
		return d.message(x.b, func(x field) error {
			switch x.num {
			case 1:
				mod.SRID = x.i32()
			case 2:
				mod.Shape = shape(x.u32())
			}
			return nil
		})
	case 15:
		id, err := d.firstNumber(x.b)
		mod.UserType = id
		return err
	}
	return nil
}

// intervalFields decodes an IntervalDurationField.
func (d *decoder) intervalFields(mod *Modifiers, b []byte) error {
	names := [...]string{"", "YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}
	var to, from string
	err := d.message(b, func(x field) error {
		if x.n < uint64(len(names)) {
			switch x.num {
			case 1:
				to = names[x.n]
			case 2:
				from = names[x.n]
			}
		}
		return nil
	})
	mod.Interval = to
	if from != "" {
		mod.Interval = from + " TO " + to
	}
	return err
}

// shape is the name of a geopb.ShapeType.
func shape(n uint32) string {
	const z, m = 1 << 30, 1 << 29
	names := [...]string{"", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION", "GEOMETRY"}
	kind := n &^ (z | m)
	if kind == 0 || kind >= uint32(len(names)) {
		return ""
	}
	name := names[kind]
	if n&z != 0 {
		name += "Z"
	}
	if n&m != 0 {
		name += "M"
	}
	return name
}

// noElem says that no family of elements was given.
const noElem enc.Family = -1

// modernize gives a type the form that it has since 19.2: with an OID and a
// width, arrays with the type of their elements, without a visible type.
func modernize(t *enc.Type, elem enc.Family) {
	switch t.Family {
	case enc.ArrayFamily:
		modernizeArray(t, elem)
	case enc.Int2VectorFamily:
		*t = enc.Type{Family: enc.ArrayFamily, OID: enc.OIDInt2Vector, Elem: &enc.Type{Family: enc.IntFamily, Width: 16, OID: enc.OIDInt2}}
	case enc.OIDVectorFamily:
		*t = enc.Type{Family: enc.ArrayFamily, OID: enc.OIDOIDVector, Elem: &enc.Type{Family: enc.OIDFamily, OID: 26}}
	case enc.NameFamily:
		t.Family, t.OID = enc.StringFamily, enc.OIDName
	case enc.IntFamily:
		modernizeInt(t)
	case enc.FloatFamily:
		modernizeFloat(t)
	case enc.TimestampFamily, enc.TimestampTZFamily, enc.TimeFamily, enc.TimeTZFamily, enc.IntervalFamily:
		t.Precision = max(t.Precision, 0) // -1 in versions that were never released
	}
	if t.OID == 0 {
		t.OID = oidOf(t)
	}
	t.Visible = enc.VisibleNone
}

// modernizeArray makes the elements' type out of the array's own, where arrays
// before 19.2 had it.
func modernizeArray(t *enc.Type, elem enc.Family) {
	if t.Elem == nil && elem != noElem && elem != enc.ArrayFamily {
		of := *t
		of.Family, of.OID = elem, 0
		modernize(&of, noElem)
		t.Elem = &of
	}
	t.Width, t.Precision, t.Locale = 0, 0, ""
}

// modernizeInt finds the width of an integer; before 2.1 BIT(n) was one too.
func modernizeInt(t *enc.Type) {
	switch t.Visible {
	case enc.VisibleSmallInt:
		t.Width = 16
	case enc.VisibleInteger:
		t.Width = 32
	case enc.VisibleBigInt:
		t.Width = 64
	}
	if t.Width != 16 && t.Width != 32 {
		t.Width = 64
	}
}

// modernizeFloat finds the width of a float; before 2.1 only its precision told.
func modernizeFloat(t *enc.Type) {
	switch {
	case t.Visible == enc.VisibleReal, t.Visible == enc.VisibleNone && t.Width == 0 && t.Precision >= 1 && t.Precision <= 24:
		t.Width = 32
	case t.Visible == enc.VisibleDouble, t.Width != 32:
		t.Width = 64
	}
	t.Precision = 0
}

// oidOf is the OID of a type by its family, width and visible type.
func oidOf(t *enc.Type) uint32 {
	switch t.Family {
	case enc.IntFamily:
		return map[int32]uint32{16: enc.OIDInt2, 32: enc.OIDInt4, 64: enc.OIDInt8}[t.Width]
	case enc.FloatFamily:
		if t.Width == 32 {
			return enc.OIDFloat4
		}
		return enc.OIDFloat8
	case enc.StringFamily, enc.CollatedFamily:
		switch t.Visible {
		case enc.VisibleVarChar:
			return enc.OIDVarChar
		case enc.VisibleChar:
			return enc.OIDBPChar
		case enc.VisibleQChar:
			return enc.OIDChar
		}
		return enc.OIDText
	case enc.BitFamily:
		if t.Visible == enc.VisibleVarBit {
			return enc.OIDVarBit
		}
		return enc.OIDBit
	}
	return 0 // the family says it all
}
