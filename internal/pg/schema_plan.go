package pg

import "strings"

// splitSections divides a script's entries into what stands before the data and
// what follows it. pg_dump writes first the one section, then the other, then
// privileges, event triggers and the filling of materialized views.
func splitSections(entries []entry) (before, after []entry) {
	for i, e := range entries {
		if followers[e.Type] {
			return entries[:i], entries[i:]
		}
	}
	return entries, nil
}

// followers are the types of pg_dump's section post-data (pg_dump.c), and the
// privileges, which it writes after that.
var followers = map[string]bool{
	"INDEX": true, "INDEX ATTACH": true, "CONSTRAINT": true, "CHECK CONSTRAINT": true, "FK CONSTRAINT": true, "TRIGGER": true, "RULE": true,
	"STATISTICS": true, "ROW SECURITY": true, "POLICY": true, "PUBLICATION": true, "PUBLICATION TABLE": true, "PUBLICATION TABLES IN SCHEMA": true,
	"SUBSCRIPTION": true, "SUBSCRIPTION TABLE": true, "DEFAULT ACL": true, "EVENT TRIGGER": true, "MATERIALIZED VIEW DATA": true, "ACL": true,
}

// afterPlan says when entries are made that follow the data.
type afterPlan struct {
	// Keys are constraints with an index of their own, Indexes the other
	// indexes, Statistics the statistics objects: each as soon as its table is
	// complete. Attach joins indexes of partitions to their parents', Foreign
	// are the foreign keys.
	Keys, Indexes, Statistics, Attach, Foreign []entry
	// Rest follows when all tables are complete, in the script's order.
	Rest []entry
	// Views fill materialized views, after everything that they may read.
	Views []entry
	// Last waits for the very end: event triggers must not see the copy.
	Last []entry
}

// planAfter sorts the entries of the post-data section; those that hang on a
// table are known in f.
func planAfter(f facts, entries []entry) afterPlan {
	var p afterPlan
	for _, e := range entries {
		list := &p.Rest
		_, known := f.keys[address{e.Class, e.OID}]
		switch {
		case e.Type == "EVENT TRIGGER", strings.HasPrefix(e.Name, "EVENT TRIGGER "):
			list = &p.Last
		case e.Type == "MATERIALIZED VIEW DATA":
			list = &p.Views
		case e.Type == "INDEX ATTACH":
			list = &p.Attach
		case !known: // the rest
		case e.Type == "CONSTRAINT":
			list = &p.Keys
		case e.Type == "INDEX":
			list = &p.Indexes
		case e.Type == "STATISTICS":
			list = &p.Statistics
		case e.Type == "FK CONSTRAINT":
			list = &p.Foreign
		}
		*list = append(*list, e)
	}
	return p
}
