package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// Only is the part of the catalog that some tables need: they themselves, the
// types of their columns, and the sequences that they use or own. Foreign keys to
// other tables are not in it; left says which. The catalog stays as it is.
func (c *Catalog) Only(tables []*Table) (part *Catalog, left []string) {
	part = &Catalog{Databases: slices.Clone(c.Databases), Functions: slices.Clone(c.Functions)}
	taken, types, schemas := map[object]bool{}, map[object]bool{}, map[object]bool{}
	take := func(t *Table) {
		if !taken[t.object()] {
			taken[t.object()] = true
			part.Tables = append(part.Tables, t)
			schemas[object{t.Tenant, t.SchemaID}] = true
		}
	}
	for _, t := range tables {
		take(t)
	}
	for _, t := range tables {
		for i := range t.Columns {
			col := &t.Columns[i]
			for _, id := range slices.Concat(col.UsesSequences, col.OwnsSequences) {
				if s := c.Table(t.Tenant, id); s != nil && s.Sequence != nil {
					take(s)
				}
			}
			c.needs(types, t.Tenant, col.Mod.UserType)
		}
		for _, sql := range t.expressions() {
			for _, id := range typesIn(sql) {
				c.needs(types, t.Tenant, id)
			}
		}
	}
	for i, t := range part.Tables {
		part.Tables[i] = t.without(taken, &left, c)
	}
	for _, u := range c.Types {
		if types[object{u.Tenant, u.ID}] {
			part.Types = append(part.Types, u)
			schemas[object{u.Tenant, u.SchemaID}] = true
		}
	}
	for _, s := range c.Schemas {
		if schemas[object{s.Tenant, s.ID}] {
			part.Schemas = append(part.Schemas, s)
		}
	}
	part.order()
	return part, left
}

func (t *Table) object() object { return object{t.Tenant, t.ID} }

// without is the table without its foreign keys to tables that are not taken.
func (t *Table) without(taken map[object]bool, left *[]string, c *Catalog) *Table {
	out := *t
	out.Foreign = nil
	for _, fk := range t.Foreign {
		if taken[object{t.Tenant, fk.Table}] {
			out.Foreign = append(out.Foreign, fk)
			continue
		}
		to := fmt.Sprintf("table %d", fk.Table)
		if other := c.Table(t.Tenant, fk.Table); other != nil {
			to = fmt.Sprintf("table %q", other.Database+"."+other.Schema+"."+other.Name)
		}
		*left = append(*left, fmt.Sprintf("foreign key %q of table %q is left out: %s was not asked for", fk.Name, t.Database+"."+t.Schema+"."+t.Name, to))
	}
	return &out
}

// needs adds a type, or the elements' of an array, with those of its fields.
func (c *Catalog) needs(types map[object]bool, tenant uint64, id uint32) {
	for i := range c.Types {
		u := &c.Types[i]
		if id == 0 || u.Tenant != tenant || u.ID != id && u.ArrayID != id || types[object{tenant, u.ID}] {
			continue
		}
		types[object{tenant, u.ID}] = true
		for _, f := range u.Fields {
			c.needs(types, tenant, f.Mod.UserType)
		}
	}
}

// expressions are the SQL that makes values of the table or limits them.
func (t *Table) expressions() (out []string) {
	for i := range t.Columns {
		out = append(out, t.Columns[i].Default, t.Columns[i].Computed, t.Columns[i].OnUpdate)
	}
	for _, c := range t.Checks {
		out = append(out, c.Expr)
	}
	for _, u := range t.Unique {
		out = append(out, u.Predicate)
	}
	for _, ix := range t.Indexes {
		out = append(out, ix.Predicate)
	}
	return out
}

// typesIn are the descriptors of user-defined types that an expression names by
// their object ids.
func typesIn(sql string) (ids []uint32) {
	for _, m := range regexp.MustCompile(`@(\d+)`).FindAllStringSubmatch(sql, -1) {
		if oid, err := strconv.ParseUint(m[1], 10, 32); err == nil && oid > firstUserOID {
			ids = append(ids, uint32(oid-firstUserOID))
		}
	}
	return ids
}
