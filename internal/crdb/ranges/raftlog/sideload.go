package raftlog

import (
	"fmt"
	"hash/crc32"
)

// SideloadPaths are the places, relative to a store, where the table of an entry
// may lie: that of newer releases first.
func SideloadPaths(rangeID, replicaID, index, term uint64) []string {
	file := fmt.Sprintf("i%d.t%d", index, term)
	return []string{
		fmt.Sprintf("auxiliary/sideloading/r%dXXXX/r%d/%s", rangeID/10000, rangeID, file),
		fmt.Sprintf("auxiliary/sideloading/%d/%d.%d/%s", rangeID%1000, rangeID, replicaID, file),
		fmt.Sprintf("sideloading/%d/%d.%d/%s", rangeID%1000, rangeID, replicaID, file),
	}
}

// Whole says whether data is the table that the entry was written for.
func (t *Table) Whole(data []byte) bool {
	return t.CRC == 0 || crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) == t.CRC
}
