package testenv

import "fmt"

// LateCommit takes what a real database answered of the crash fixture's table
// late_commit, header first, and does what a transaction did after that answer: it was acknowledged milliseconds before all nodes were killed.
func LateCommit(records [][]string) [][]string {
	out := [][]string{records[0], {"-3", "late-neg"}, {"-2", "<<NULL>>"}, {"-1", "late-neg"}}
	for _, r := range records[1:] {
		switch r[0] {
		case "5", "15", "25":
			continue
		case "2", "12", "22":
			r = []string{r[0], "late-upd"}
		}
		out = append(out, r)
	}
	for id := 31; id <= 35; id++ {
		out = append(out, []string{fmt.Sprint(id), fmt.Sprint("late", id)})
	}
	return out
}
