package synth

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// The protos of CockroachDB that a store holds, by their field numbers. Those
// of proto2 write zero fields too.

// valueOf is a roachpb.Value: checksum, type, data.
func valueOf(user []byte, tag enc.Tag, data []byte) []byte {
	out := append([]byte{0, 0, 0, 0, byte(tag)}, data...)
	enc.SetChecksum(user, out)
	return out
}

// protoValue is a message as a versioned value.
func protoValue(user []byte, m wire.Message) []byte { return valueOf(user, enc.TagBytes, m) }

// inline is an inline value: MVCCMetadata around a roachpb.Value.
func inline(user []byte, m wire.Message) []byte {
	return meta(nil, keys.Timestamp{}, false, 0, 0).Bytes(6, protoValue(user, m))
}

// meta is an MVCCMetadata; txn is a TxnMeta, or nil.
func meta(txn wire.Message, at keys.Timestamp, deleted bool, keyBytes, valBytes int) wire.Message {
	var m wire.Message
	if txn != nil {
		m = m.Bytes(1, txn)
	}
	m = m.Bytes(2, stamp(at))
	d := uint64(0)
	if deleted {
		d = 1
	}
	return m.Int(3, d).Int(4, uint64(keyBytes)).Int(5, uint64(valBytes))
}

func stamp(t keys.Timestamp) wire.Message {
	return wire.Message(nil).Int(1, uint64(t.Wall)).Int(2, uint64(t.Logical))
}

// txn is a transaction.
type txn struct {
	id       [16]byte
	anchor   []byte // a user key
	epoch    uint64
	at       keys.Timestamp
	sequence uint64
}

// meta is the TxnMeta.
func (t txn) meta() wire.Message {
	return wire.Message(nil).Bytes(1, t.id[:]).Bytes(3, t.anchor).Int(4, t.epoch).Bytes(5, stamp(t.at)).Int(6, 1).Int(7, t.sequence).Bytes(9, stamp(t.at))
}

// The states of a transaction record.
const (
	statusPending = iota
	statusCommitted
	statusAborted
	statusStaging
)

// record is the TransactionRecord.
func (t txn) record(status uint64, writes [][]byte, ignored uint64) wire.Message {
	m := wire.Message(nil).Bytes(1, t.meta()).Int(4, status).Bytes(5, stamp(t.at))
	for _, user := range writes {
		m = m.Bytes(17, wire.Message(nil).Bytes(1, user).Int(2, t.sequence))
	}
	if ignored > 0 {
		m = m.Bytes(18, wire.Message(nil).Int(1, ignored).Int(2, ignored))
	}
	return m
}

// member is a replica as a range descriptor names it.
type member struct{ node, replica uint64 }

// rangeDescriptor is a RangeDescriptor; of a node the store has the same number.
func rangeDescriptor(id uint64, start, end []byte, members []member, generation uint64) wire.Message {
	m := wire.Message(nil).Int(1, id).Bytes(2, start).Bytes(3, end)
	next := uint64(1)
	for _, r := range members {
		m = m.Bytes(4, wire.Message(nil).Int(1, r.node).Int(2, r.node).Int(3, r.replica))
		next = max(next, r.replica+1)
	}
	return m.Int(5, next).Int(6, generation)
}

// appliedState is a RangeAppliedState; its statistics are estimates.
func appliedState(applied, leaseIndex uint64) wire.Message {
	stats := wire.Message(nil).Int(14, 1)
	return wire.Message(nil).Int(1, applied).Int(2, leaseIndex).Bytes(3, stats)
}

// command is what a Raft log entry asks for: the end of a RaftCommand.
type command struct {
	sideloaded byte // 1 if its table lies in a file
	body       wire.Message
}

// batchCommand writes a batch.
func batchCommand(ops []item) *command {
	return &command{body: wire.Message(nil).Bytes(13, wire.Message(nil).Int(6, 0)).Bytes(14, wire.Message(nil).Bytes(1, batchOf(0, ops)))}
}

// tableCommand adds a table of entries, which lies in a file beside the log.
func tableCommand(data []byte, span keys.Span) *command {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	add := wire.Message(nil).Int(2, uint64(sum)).Bytes(3, wire.Message(nil).Bytes(3, span.From).Bytes(4, span.To))
	return &command{sideloaded: 1, body: wire.Message(nil).Bytes(13, wire.Message(nil).Bytes(17, add))}
}

// logEntry is a raftpb.Entry of the normal kind; one without a command is what
// only an election leaves.
func logEntry(term, index, leaseIndex uint64, c *command) wire.Message {
	m := wire.Message(nil).Int(1, 0).Int(2, term).Int(3, index)
	if c == nil {
		return m
	}
	data := binary.BigEndian.AppendUint64([]byte{c.sideloaded}, 0xabcd0000+index)
	data = append(data, wire.Message(nil).Int(4, leaseIndex).Int(6, leaseSequence)...)
	return m.Bytes(4, append(data, c.body...))
}

// leaseSequence is that of every range's lease.
const leaseSequence = 1

// batchOf is a write batch in its stored form.
func batchOf(seq uint64, ops []item) []byte {
	out := binary.LittleEndian.AppendUint64(nil, seq)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(ops)))
	for _, o := range ops {
		out = append(out, byte(o.kind))
		out = append(binary.AppendUvarint(out, uint64(len(o.key))), o.key...)
		if o.kind.hasValue() {
			out = append(binary.AppendUvarint(out, uint64(len(o.value))), o.value...)
		}
	}
	return out
}
