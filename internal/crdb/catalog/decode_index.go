package catalog

// index decodes an IndexDescriptor. A foreign key which it has, as before 19.2,
// goes to t.
func (d *decoder) index(b []byte, t *Table) (Index, error) {
	var out Index
	var fk *legacy
	err := d.message(b, func(x field) (err error) {
		if x.b != nil && x.num == 9 {
			fk, err = d.legacy(x.b)
			return err
		}
		if x.b == nil {
			if err, ok := out.number(x); ok {
				return err
			}
		}
		return d.indexMessage(&out, x)
	})
	if err == nil && fk != nil && fk.Table != 0 {
		fk.from = out.ID
		fk.Columns = out.Columns
		t.legacy = append(t.legacy, *fk)
	}
	return out, err
}

// number takes a field of an IndexDescriptor that is a number.
func (ix *Index) number(x field) (error, bool) {
	switch x.num {
	case 2:
		ix.ID = x.u32()
	case 3:
		ix.Unique = x.bool()
	case 8:
		ix.Desc = append(ix.Desc, x.n == 1)
	case 16:
		ix.Kind = IndexKind(x.n)
	case 18:
		ix.Version = x.u32()
	case 19:
		ix.PrimaryEncoding = x.n == 1
	case 21:
		ix.Disabled = x.bool()
	case 24:
		ix.DeletePreserving = x.bool()
	case 26:
		ix.ConstraintID = x.u32()
	case 28, 29:
		ix.NotVisible = ix.NotVisible || x.n != 0
	default:
		return nil, false
	}
	return nil, true
}

// indexMessage decodes those fields of an IndexDescriptor which are ids,
// messages or strings.
func (d *decoder) indexMessage(out *Index, x field) (err error) {
	switch x.num {
	case 1:
		out.Name = x.string()
	case 4:
		out.names = append(out.names, x.string())
	case 5:
		out.storeNames = append(out.storeNames, x.string())
	case 6:
		out.Columns, err = d.ids(out.Columns, x)
	case 7:
		out.Extra, err = d.ids(out.Extra, x)
	case 8: // packed
		var desc []uint32
		desc, err = d.ids(nil, x)
		for _, v := range desc {
			out.Desc = append(out.Desc, v == 1)
		}
	case 11:
		err = d.interleave(out, x.b)
	case 13:
		out.Composite, err = d.ids(out.Composite, x)
	case 14:
		out.Store, err = d.ids(out.Store, x)
	case 15:
		out.Partitioning, err = d.partitioning(x.b)
	case 20:
		err = d.sharded(out, x.b)
	case 23:
		out.Predicate = x.string()
	}
	return err
}

// interleave decodes an InterleaveDescriptor.
func (d *decoder) interleave(out *Index, b []byte) error {
	return d.message(b, func(x field) error {
		if x.num != 1 {
			return nil
		}
		var a Ancestor
		err := d.message(x.b, func(x field) error {
			switch x.num {
			case 1:
				a.Table = x.u32()
			case 2:
				a.Index = x.u32()
			case 3:
				a.Shared = x.u32()
			}
			return nil
		})
		out.Ancestors = append(out.Ancestors, a)
		return err
	})
}

// partitioning keeps a PartitioningDescriptor if it partitions.
func (d *decoder) partitioning(b []byte) ([]byte, error) {
	columns, err := d.firstNumber(b)
	if err != nil || columns == 0 {
		return nil, err
	}
	return append([]byte{}, b...), nil
}

// sharded decodes a ShardedDescriptor.
func (d *decoder) sharded(out *Index, b []byte) error {
	var is bool
	var shards int32
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			is = x.bool()
		case 2:
			out.ShardColumn = x.string()
		case 3:
			shards = x.i32()
		case 4:
			out.ShardedBy = append(out.ShardedBy, x.string())
		}
		return nil
	})
	if is {
		out.Shards = shards
	}
	return err
}

// legacy decodes a ForeignKeyReference, the foreign key of an index before 19.2.
func (d *decoder) legacy(b []byte) (*legacy, error) {
	out := &legacy{}
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.Table = x.u32()
		case 2:
			out.index = x.u32()
		case 3:
			out.Name = x.string()
		case 4:
			out.Validity = Validity(x.n)
		case 5:
			out.shared = x.i32()
		case 6:
			out.OnDelete = Action(x.n)
		case 7:
			out.OnUpdate = Action(x.n)
		case 8:
			out.Match = Match(x.n)
		}
		return nil
	})
	return out, err
}

// foreign decodes a ForeignKeyConstraint.
func (d *decoder) foreign(b []byte) (ForeignKey, error) {
	var out ForeignKey
	err := d.message(b, func(x field) (err error) {
		switch x.num {
		case 2:
			out.Columns, err = d.ids(out.Columns, x)
		case 3:
			out.References, err = d.ids(out.References, x)
		case 4:
			out.Table = x.u32()
		case 5:
			out.Name = x.string()
		case 6:
			out.Validity = Validity(x.n)
		case 7:
			out.OnDelete = Action(x.n)
		case 8:
			out.OnUpdate = Action(x.n)
		case 9:
			out.Match = Match(x.n)
		}
		return err
	})
	return out, err
}

// unique decodes a UniqueWithoutIndexConstraint.
func (d *decoder) unique(b []byte) (Unique, error) {
	var out Unique
	err := d.message(b, func(x field) (err error) {
		switch x.num {
		case 2:
			out.Columns, err = d.ids(out.Columns, x)
		case 3:
			out.Name = x.string()
		case 4:
			out.Validity = Validity(x.n)
		case 5:
			out.Predicate = x.string()
		}
		return err
	})
	return out, err
}

// check decodes a CheckConstraint.
func (d *decoder) check(b []byte) (Check, error) {
	var out Check
	err := d.message(b, func(x field) (err error) {
		switch x.num {
		case 1:
			out.Expr = x.string()
		case 2:
			out.Name = x.string()
		case 3:
			out.Validity = Validity(x.n)
		case 5:
			out.Columns, err = d.ids(out.Columns, x)
		case 6:
			out.NotNull = x.bool()
		case 7:
			out.Hidden = x.bool()
		}
		return err
	})
	return out, err
}

// mutation decodes a DescriptorMutation.
func (d *decoder) mutation(b []byte, t *Table) (Mutation, error) {
	var out Mutation
	err := d.message(b, func(x field) (err error) {
		switch x.num {
		case 1:
			var c Column
			c, err = d.column(x.b)
			out.Column, out.What = &c, "column"
		case 2:
			var ix Index
			ix, err = d.index(x.b, &Table{}) // its foreign key is not yet the table's
			out.Index, out.What = &ix, "index"
		case 3:
			out.State = MutationState(x.n)
		case 4:
			out.Direction = Direction(x.n)
		case 5:
			out.ID = x.u32()
		case 7:
			out.Rollback = x.bool()
		case 8:
			var names []string
			names, err = d.named(nil, x.b)
			out.What = "constraint"
			if len(names) > 0 {
				out.Constraint = names[0]
			}
		case 9:
			out.NewPrimary, err = d.firstNumber(x.b)
			out.What = "primary key swap"
		case 10:
			out.What = "computed column swap"
		case 11:
			out.What = "materialized view refresh"
		case 12:
			out.What = "row-level TTL"
		}
		return err
	})
	return out, err
}
