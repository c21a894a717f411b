package catalog

// Comment is one row of system.comments.
type Comment struct {
	Tenant uint64
	Kind   int64 // the column type
	Object uint32
	Sub    uint32 // a column or an index of the object
	Text   string
}

// What a comment is about, by CockroachDB's numbers.
const (
	onDatabase = 0
	onTable    = 1
	onColumn   = 2
	onIndex    = 3
	onSchema   = 4
	onType     = 7
)

// Comment puts comments where they belong; those on things that are not there
// are left out.
func (c *Catalog) Comment(comments []Comment) {
	for _, m := range comments {
		m.Tenant = tenantOf(m.Tenant)
		switch m.Kind {
		case onDatabase:
			for i := range c.Databases {
				if d := &c.Databases[i]; d.Tenant == m.Tenant && d.ID == m.Object {
					d.Comment = m.Text
				}
			}
		case onSchema:
			for i := range c.Schemas {
				if s := &c.Schemas[i]; s.Tenant == m.Tenant && s.ID == m.Object {
					s.Comment = m.Text
				}
			}
		case onType:
			for i := range c.Types {
				if u := &c.Types[i]; u.Tenant == m.Tenant && u.ID == m.Object {
					u.Comment = m.Text
				}
			}
		default:
			if t := c.Table(m.Tenant, m.Object); t != nil {
				t.comment(m)
			}
		}
	}
}

// comment puts a comment on the table, one of its columns or one of its indexes.
func (t *Table) comment(m Comment) {
	switch m.Kind {
	case onTable:
		t.Comment = m.Text
	case onColumn:
		if c := t.Column(m.Sub); c != nil {
			c.Comment = m.Text
		}
	case onIndex:
		if ix := t.Index(m.Sub); ix != nil {
			ix.Comment = m.Text
		}
	}
}
