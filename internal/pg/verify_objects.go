package pg

import (
	"context"
	_ "embed"
	"strconv"
	"strings"
)

//go:embed verify_catalog.sql
var catalogQuery string

// objects makes one relation of what the catalogs say, a row for each object.
func (v *verifier) objects(r *reading, _ context.Context) (*relation, error) {
	same := majorOf(v.source.version) == majorOf(v.target.version)
	sql := strings.ReplaceAll(fit(r.conn, catalogQuery), ":same_major", strconv.FormatBool(same))
	return &relation{
		class: ClassObject, name: "objects", columns: []string{"class", "identity", "definition"}, key: []string{"class", "identity"},
		from: "(" + sql + ") o ", parts: []string{""},
	}, nil
}
