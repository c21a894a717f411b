// Package rows makes rows of the keys of a table: it knows from the table's
// descriptor how primary keys, column families and index entries are laid out,
// reads committed key-value pairs in key order, and hands each row to a Sink:
// CSV as COPY and IMPORT INTO read it, or Parquet.
//
// Nothing is taken on trust. The checksum of every pair is verified, a row that
// cannot be proved is kept apart and named as a Doubt, and every secondary index
// is counted against the rows: both sides are sums of 64-bit hashes, so that
// tasks may cut a table anywhere and their results are added (Result.Add). Where
// the sums differ, Compare names the entries.
package rows
