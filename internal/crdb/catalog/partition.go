package catalog

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// partitions is a PartitioningDescriptor.
type partitions struct {
	columns, implicit int
	list, ranges      []partition
}

// partition is one partition: tuples of values, or the bounds of a range.
type partition struct {
	name     string
	values   [][]byte
	from, to []byte
	below    *partitions
}

// maxPartitionDepth bounds partitions of partitions.
const maxPartitionDepth = 8

// partitions decodes a PartitioningDescriptor.
func (d *decoder) partitions(b []byte, depth int) (*partitions, error) {
	if depth > maxPartitionDepth {
		return nil, errTooDeep
	}
	out := &partitions{}
	err := d.message(b, func(x field) error {
		switch x.num {
		case 1:
			out.columns = int(x.u32())
		case 4:
			out.implicit = int(x.u32())
		case 2, 3:
			p, err := d.partition(x.b, x.num == 3, depth)
			if x.num == 2 {
				out.list = append(out.list, p)
			} else {
				out.ranges = append(out.ranges, p)
			}
			return err
		}
		return nil
	})
	return out, err
}

// partition decodes PartitioningDescriptor's List or Range.
func (d *decoder) partition(b []byte, isRange bool, depth int) (partition, error) {
	var out partition
	err := d.message(b, func(x field) (err error) {
		switch {
		case x.num == 1:
			out.name = x.string()
		case isRange && x.num == 2:
			out.to = x.b
		case isRange && x.num == 3:
			out.from = x.b
		case x.num == 2:
			out.values = append(out.values, x.b)
		case x.num == 3:
			out.below, err = d.partitions(x.b, depth+1)
		}
		return err
	})
	return out, err
}

// partitioning writes the partitions of an index; nothing if it has none, or none
// that SQL writes: those of REGIONAL BY ROW make themselves.
func (w *cockroach) partitioning(t *Table, ix *Index) string {
	if len(ix.Partitioning) == 0 {
		return ""
	}
	p, err := (&decoder{}).partitions(ix.Partitioning, 0)
	if err != nil || p.implicit > 0 {
		return ""
	}
	columns := ix.Columns
	if ix.Shards > 0 {
		columns = t.withoutShard(columns)
	}
	out, err := t.partitionBy(p, columns)
	if err != nil {
		w.note("the partitions of index %s of %s are left out: %v", ident(ix.Name), name(t), err)
		return ""
	}
	return out
}

var errPartition = errors.New("their values cannot be read")

// partitionBy writes PARTITION BY over the columns.
func (t *Table) partitionBy(p *partitions, columns []uint32) (string, error) {
	if p == nil || p.columns == 0 {
		return "", nil
	}
	if p.columns > len(columns) {
		return "", errPartition
	}
	over, rest := columns[:p.columns], columns[p.columns:]
	kind, parts := "LIST", p.list
	if len(p.ranges) > 0 {
		kind, parts = "RANGE", p.ranges
	}
	var lines []string
	for _, part := range parts {
		line, err := t.partitionLine(part, over, kind == "RANGE")
		if err != nil {
			return "", err
		}
		below, err := t.partitionBy(part.below, rest)
		if err != nil {
			return "", err
		}
		lines = append(lines, line+below)
	}
	return " PARTITION BY " + kind + " (" + t.list(over) + ") (\n\t\t" + strings.Join(lines, ",\n\t\t") + "\n\t)", nil
}

// partitionLine writes one partition.
func (t *Table) partitionLine(p partition, over []uint32, isRange bool) (string, error) {
	out := "PARTITION " + ident(p.name) + " VALUES "
	if isRange {
		from, err := t.tuple(p.from, over)
		if err != nil {
			return "", err
		}
		to, err := t.tuple(p.to, over)
		return out + "FROM " + from + " TO " + to, err
	}
	var tuples []string
	for _, v := range p.values {
		one, err := t.tuple(v, over)
		if err != nil {
			return "", err
		}
		tuples = append(tuples, one)
	}
	return out + "IN (" + strings.Join(tuples, ", ") + ")", nil
}

// special are the words that stand in a tuple for a value, by their codes.
var special = [...]string{"DEFAULT", "MAXVALUE", "MINVALUE"}

// tuple writes a tuple of values, each of which is encoded as in a row.
func (t *Table) tuple(b []byte, over []uint32) (string, error) {
	var out []string
	for _, id := range over {
		c := t.Column(id)
		_, typ, payload, rest, _, err := enc.TupleNext(b, 0)
		if err != nil || c == nil {
			return "", errPartition
		}
		if b = rest; typ == enc.NotNullValue {
			code, n := binary.Uvarint(b)
			if n <= 0 || code >= uint64(len(special)) {
				return "", errPartition
			}
			out, b = append(out, special[code]), b[n:]
			continue
		}
		one, err := constant(&c.Type, typ, payload)
		if err != nil {
			return "", errPartition
		}
		out = append(out, one)
	}
	return "(" + strings.Join(out, ", ") + ")", nil
}

// constant writes a value as a constant of SQL.
func constant(t *enc.Type, typ enc.ValueType, payload []byte) (string, error) {
	if typ == enc.NullValue {
		return "NULL", nil
	}
	text, err := enc.AppendValueText(nil, t, typ, payload)
	if err != nil {
		return "", err
	}
	switch t.Family {
	case enc.IntFamily, enc.DecimalFamily:
		return string(text), nil
	}
	return literal(string(text)), nil
}
