// Package ranges finds out, from all stores together, which replica speaks for
// which keys: it surveys the replicas and their Raft logs, settles which of them
// are current, brings the chosen ones forward by what is committed and not yet
// applied, and lays the result open as one view of the whole key space.
//
// Where a chosen replica is damaged, another one at the same applied index takes
// over for exactly the keys concerned; where none is left, the log's entries are
// laid over what remains, and the map says so.
package ranges
