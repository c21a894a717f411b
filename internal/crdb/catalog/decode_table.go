package catalog

// table decodes a TableDescriptor.
func (d *decoder) table(b []byte) (*Table, error) {
	out := &Table{}
	err := d.message(b, func(x field) error {
		if x.b != nil {
			return d.tableMessage(out, x)
		}
		switch x.num {
		case 3:
			out.ID = x.u32()
		case 4:
			out.DatabaseID = x.u32()
		case 5:
			out.Version = x.u32()
		case 12:
			out.NextIndex = x.u32()
		case 17:
			out.format = x.u32()
		case 19:
			out.State = State(x.n)
		case 29:
			out.DropTime = x.i64()
		case 39:
			out.Temporary = x.bool()
		case 40:
			out.SchemaID = x.u32()
		case 41:
			out.Materialized = x.bool()
		case 54:
			out.ImportStart = x.i64()
		case 59:
			out.ImportEpoch = x.u32()
		}
		return nil
	})
	return out, err
}

// tableMessage decodes those fields of a TableDescriptor which are messages or
// strings.
func (d *decoder) tableMessage(out *Table, x field) (err error) {
	switch x.num {
	case 1:
		out.Name = x.string()
	case 7:
		out.At, err = d.timestamp(x.b)
	case 8:
		var c Column
		c, err = d.column(x.b)
		if out.Columns = append(out.Columns, c); len(out.Columns) > maxColumns {
			err = errTooLarge
		}
	case 10:
		out.Primary, err = d.index(x.b, out)
	case 11:
		var ix Index
		ix, err = d.index(x.b, out)
		out.Indexes = append(out.Indexes, ix)
	case 14:
		var m Mutation
		m, err = d.mutation(x.b, out)
		out.Mutations = append(out.Mutations, m)
	case 20:
		var c Check
		c, err = d.check(x.b)
		out.Checks = append(out.Checks, c)
	case 22:
		var f Family
		f, err = d.family(x.b)
		out.Families = append(out.Families, f)
	case 24:
		out.View = x.string()
	case 28:
		out.Sequence, err = d.sequence(x.b)
	case 38:
		out.OfflineReason = x.string()
	default:
		err = d.tableRest(out, x)
	}
	return err
}

// tableRest decodes what tables rarely have.
func (d *decoder) tableRest(out *Table, x field) (err error) {
	switch x.num {
	case 30:
		out.ReplacementOf, err = d.firstNumber(x.b)
	case 33:
		var id uint32
		id, err = d.firstNumber(x.b)
		out.DroppedIndexes = append(out.DroppedIndexes, id)
	case 36:
		var f ForeignKey
		f, err = d.foreign(x.b)
		out.Foreign = append(out.Foreign, f)
	case 42:
		out.Locality, err = d.locality(x.b)
	case 43:
		var u Unique
		u, err = d.unique(x.b)
		out.Unique = append(out.Unique, u)
	case 47:
		out.RowTTL = true
	case 61:
		out.External = true
	case 64:
		out.Triggers, err = d.named(out.Triggers, x.b)
	case 66:
		out.Policies, err = d.named(out.Policies, x.b)
	}
	return err
}

// firstNumber is field 1 of a message, a number.
func (d *decoder) firstNumber(b []byte) (id uint32, err error) {
	err = d.message(b, func(x field) error {
		if x.num == 1 {
			id = x.u32()
		}
		return nil
	})
	return id, err
}

// named appends field 2 of a message, a name.
func (d *decoder) named(dst []string, b []byte) ([]string, error) {
	err := d.message(b, func(x field) error {
		if x.num == 2 {
			dst = append(dst, x.string())
		}
		return nil
	})
	return dst, err
}

// locality decodes a LocalityConfig into the words of SQL.
func (d *decoder) locality(b []byte) (out string, err error) {
	err = d.message(b, func(x field) error {
		var name string
		err := d.message(x.b, func(x field) error {
			name = x.string()
			return nil
		})
		switch {
		case x.num == 1:
			out = "GLOBAL"
		case x.num == 2 && name == "":
			out = "REGIONAL BY TABLE IN PRIMARY REGION"
		case x.num == 2:
			out = "REGIONAL BY TABLE IN " + ident(name)
		case x.num == 3 && name == "":
			out = "REGIONAL BY ROW"
		case x.num == 3:
			out = "REGIONAL BY ROW AS " + ident(name)
		}
		return err
	})
	return out, err
}

// column decodes a ColumnDescriptor.
func (d *decoder) column(b []byte) (Column, error) {
	var out Column
	err := d.message(b, func(x field) (err error) {
		switch x.num {
		case 1:
			out.Name = x.string()
		case 2:
			out.ID = x.u32()
		case 3:
			out.Type, out.Mod, err = d.typ(x.b, 0)
		case 4:
			out.Nullable = x.bool()
		case 5:
			out.Default = x.string()
		case 6:
			out.Hidden = x.bool()
		case 10:
			out.UsesSequences, err = d.ids(out.UsesSequences, x)
		case 11:
			out.Computed = x.string()
		case 12:
			out.OwnsSequences, err = d.ids(out.OwnsSequences, x)
		case 16:
			out.Virtual = x.bool()
		case 17:
			out.Inaccessible = x.bool()
		case 18:
			out.OnUpdate = x.string()
		case 19:
			out.Identity = Identity(x.n)
		case 20:
			out.IdentityOpts = x.string()
		}
		return err
	})
	return out, err
}

// family decodes a ColumnFamilyDescriptor.
func (d *decoder) family(b []byte) (Family, error) {
	var out Family
	err := d.message(b, func(x field) (err error) {
		switch x.num {
		case 1:
			out.Name = x.string()
		case 2:
			out.ID = x.u32()
		case 4:
			out.Columns, err = d.ids(out.Columns, x)
		case 5:
			out.Default = x.u32()
		}
		return err
	})
	return out, err
}

// sequence decodes SequenceOpts.
func (d *decoder) sequence(b []byte) (*Sequence, error) {
	out := &Sequence{}
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.Increment = x.i64()
		case 2:
			out.Min = x.i64()
		case 3:
			out.Max = x.i64()
		case 4:
			out.Start = x.i64()
		case 5:
			out.Virtual = x.bool()
		case 6:
			return d.message(x.b, func(x field) error {
				switch x.num {
				case 1:
					out.OwnerColumn = x.u32()
				case 2:
					out.OwnerTable = x.u32()
				}
				return nil
			})
		case 7, 9: // cached by a session, by a node
			out.Cache = max(out.Cache, x.i64())
		case 8:
			out.As = x.string()
		}
		return nil
	})
	return out, err
}
