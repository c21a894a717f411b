package catalog

import (
	"testing"

	"github.com/evac-io/evac/internal/crdb/enc"
)

func TestPartitions(t *testing.T) {
	_, table := sample()
	w := &cockroach{Script: &Script{Tenant: 1}, namer: (&Catalog{}).namer(1)}
	table.Primary.Columns, table.Primary.Desc = []uint32{4, 1}, []bool{false, false}
	bounds := func(low, high []byte) []byte {
		return message().Bytes(1, []byte("r")).Bytes(3, low).Bytes(2, high)
	}
	table.Primary.Partitioning = message().Int(1, 1).
		Bytes(2, message().Bytes(1, []byte("eu")).Bytes(2, []byte("\x06\x02de")).Bytes(2, []byte("\x06\x02fr")).
			Bytes(3, message().Int(1, 1).Bytes(3, bounds([]byte{2, 2}, []byte{3, 20})).Bytes(3, bounds([]byte{3, 20}, []byte{2, 1})))).
		Bytes(2, message().Bytes(1, []byte("rest")).Bytes(2, []byte{2, 0}).Bytes(2, []byte{1}))
	want := ` PARTITION BY LIST (s) (
		PARTITION eu VALUES IN (('de'), ('fr')) PARTITION BY RANGE (a) (
		PARTITION r VALUES FROM (MINVALUE) TO (10),
		PARTITION r VALUES FROM (10) TO (MAXVALUE)
	),
		PARTITION rest VALUES IN ((DEFAULT), (NULL))
	)`
	if got := w.partitioning(table, &table.Primary); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	table.Column(4).Type = enc.Type{Family: enc.IntFamily, Width: 64}
	if got := w.partitioning(table, &table.Primary); got != "" || len(w.Notes) != 1 {
		t.Errorf("partitions by values of another type: %s, %q", got, w.Notes)
	}
	var deep []byte
	for range maxPartitionDepth + 2 {
		deep = message().Int(1, 1).Bytes(2, message().Bytes(3, deep))
	}
	if _, err := (&decoder{}).partitions(deep, 0); err != errTooDeep {
		t.Errorf("partitions too deep: %v", err)
	}
}
