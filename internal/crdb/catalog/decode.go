package catalog

import "github.com/evac-io/evac/internal/crdb/keys"

// descriptor is one decoded descriptor: one of its fields is set.
type descriptor struct {
	table    *Table
	database *Database
	schema   *Schema
	typ      *UserType
	function *Function
}

// decode decodes the proto Descriptor, of which every kind of descriptor is one
// field. An unknown kind gives a descriptor with no field set.
func decode(raw Raw) (descriptor, error) {
	var out descriptor
	if len(raw.Bytes) > maxDescriptor {
		return out, errTooLarge
	}
	d := &decoder{}
	err := d.message(raw.Bytes, func(x field) (err error) {
		if x.b == nil {
			return nil
		}
		switch x.num {
		case 1:
			out.table, err = d.table(x.b)
		case 2:
			out.database, err = d.database(x.b)
		case 3:
			out.typ, err = d.userType(x.b)
		case 4:
			out.schema, err = d.schema(x.b)
		case 5:
			out.function, err = d.function(x.b)
		}
		return err
	})
	return out, err
}

// idOf is the id which a descriptor says that it has, 0 if it cannot be decoded.
func idOf(b []byte) uint32 {
	d, err := decode(Raw{Bytes: b})
	switch {
	case err != nil:
		return 0
	case d.table != nil:
		return d.table.ID
	case d.database != nil:
		return d.database.ID
	case d.typ != nil:
		return d.typ.ID
	case d.schema != nil:
		return d.schema.ID
	case d.function != nil:
		return d.function.ID
	}
	return 0
}

// database decodes a DatabaseDescriptor.
func (d *decoder) database(b []byte) (*Database, error) {
	out := &Database{}
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.Name = x.string()
		case 2:
			out.ID = x.u32()
		case 7:
			return d.namedSchema(x.b, out)
		case 8:
			out.State = State(x.n)
		}
		return nil
	})
	return out, err
}

// namedSchema decodes one entry of a database's map of schemas.
func (d *decoder) namedSchema(b []byte, out *Database) error {
	var name string
	var id uint32
	var dropped bool
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			name = x.string()
		case 2:
			return d.message(x.b, func(x field) error {
				switch x.num {
				case 1:
					id = x.u32()
				case 2:
					dropped = x.bool()
				}
				return nil
			})
		}
		return nil
	})
	if err == nil && id != 0 && !dropped {
		if out.schemas == nil {
			out.schemas = map[uint32]string{}
		}
		out.schemas[id] = name
	}
	return err
}

// schema decodes a SchemaDescriptor.
func (d *decoder) schema(b []byte) (*Schema, error) {
	out := &Schema{}
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.DatabaseID = x.u32()
		case 2:
			out.Name = x.string()
		case 3:
			out.ID = x.u32()
		case 8:
			out.State = State(x.n)
		}
		return nil
	})
	return out, err
}

// userType decodes a TypeDescriptor.
func (d *decoder) userType(b []byte) (*UserType, error) {
	out := &UserType{}
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.DatabaseID = x.u32()
		case 2:
			out.SchemaID = x.u32()
		case 3:
			out.Name = x.string()
		case 4:
			out.ID = x.u32()
		case 5:
			out.Kind = TypeKind(x.n)
		case 6:
			m, err := d.member(x.b)
			out.Members.Members = append(out.Members.Members, m.Member)
			out.members = append(out.members, m)
			return err
		case 8:
			out.ArrayID = x.u32()
		case 13:
			out.State = State(x.n)
		case 18:
			return d.message(x.b, func(x field) error {
				if x.num != 1 {
					return nil
				}
				f, err := d.compositeField(x.b)
				out.Fields = append(out.Fields, f)
				return err
			})
		}
		return nil
	})
	return out, err
}

// member decodes one member of an enum.
func (d *decoder) member(b []byte) (member, error) {
	var out member
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.Physical = append([]byte{}, x.b...)
		case 2:
			out.Label = x.string()
		case 3:
			out.readOnly = x.n == 1
		case 4:
			out.removing = x.n == 2
		}
		return nil
	})
	return out, err
}

// compositeField decodes one field of a composite type.
func (d *decoder) compositeField(b []byte) (Field, error) {
	var out Field
	err := d.message(b, func(x field) (err error) {
		switch x.num {
		case 1:
			out.Type, out.Mod, err = d.typ(x.b, 0)
		case 2:
			out.Name = x.string()
		}
		return err
	})
	return out, err
}

// function decodes a FunctionDescriptor, as far as its name and body.
func (d *decoder) function(b []byte) (*Function, error) {
	out := &Function{}
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.Name = x.string()
		case 2:
			out.ID = x.u32()
		case 3:
			out.DatabaseID = x.u32()
		case 4:
			out.SchemaID = x.u32()
		case 8:
			out.Body = x.string()
		}
		return nil
	})
	return out, err
}

// timestamp decodes an hlc.Timestamp.
func (d *decoder) timestamp(b []byte) (keys.Timestamp, error) {
	var out keys.Timestamp
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.Wall = x.i64()
		case 2:
			out.Logical = x.i32()
		}
		return nil
	})
	return out, err
}
