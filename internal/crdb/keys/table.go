package keys

// tenantByte begins the keys of every tenant but the system's.
const tenantByte = 0xfe

// TenantPrefix is what the keys of a tenant's tables begin with: nothing for the
// system tenant, which is 1 and here 0 as well.
func TenantPrefix(tenant uint64) []byte {
	if tenant <= 1 {
		return nil
	}
	return AppendUvarint([]byte{tenantByte}, tenant)
}

// TablePrefix is what the keys of a table begin with.
func TablePrefix(tenant uint64, table uint32) []byte {
	return AppendUvarint(TenantPrefix(tenant), uint64(table))
}

// IndexPrefix is what the keys of an index begin with, unless it is interleaved
// into another table's.
func IndexPrefix(tenant uint64, table, index uint32) []byte {
	return AppendUvarint(TablePrefix(tenant, table), uint64(index))
}
