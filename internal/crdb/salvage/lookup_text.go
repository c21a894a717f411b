package salvage

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteText writes the answer for people; its last line is the answer in one sentence.
func (f *Found) WriteText(w io.Writer) error {
	var b strings.Builder
	for i := range f.Rows {
		f.writeRow(&b, &f.Rows[i])
	}
	for _, d := range f.Doubts {
		fmt.Fprintf(&b, "in doubt: %s\n", d)
	}
	fmt.Fprintln(&b, f.Summary())
	_, err := io.WriteString(w, b.String())
	return err
}

// Summary is the answer in one sentence.
func (f *Found) Summary() string {
	now, once := 0, 0
	for _, r := range f.Rows {
		if r.Now != nil && r.Matches {
			now++
		} else {
			once++
		}
	}
	text := fmt.Sprintf("%s: %d %s now", f.Table, now, plural(now, "row", "rows"))
	if once > 0 {
		text += fmt.Sprintf(", %d that once had the key", once)
	}
	if f.More {
		text += "; there are more, see --limit"
	}
	if len(f.Doubts) > 0 {
		text += "; this may not be all, or not the newest"
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// writeRow writes one row: what it is now, and what it was before.
func (f *Found) writeRow(b *strings.Builder, r *FoundRow) {
	fmt.Fprintf(b, "row %s\n", f.list(r.Key, true))
	var shown Values // what the lines above say
	for i, v := range r.Versions {
		switch {
		case v.State == StateUncommitted || v.State == StateAborted || v.State == StateUnknown:
			what := "would be deleted"
			if v.Values != nil {
				what = f.changes(r.Now, v.Values)
			}
			fmt.Fprintf(b, "  not committed  %s, %s: transaction %s, %s: %s\n", v.At, v.State, v.Transaction, v.Why, what)
			continue
		case v.Values == nil:
			fmt.Fprintf(b, "  %-9s %s  deleted\n", since(i, r), v.At)
		case shown == nil:
			fmt.Fprintf(b, "  %-9s %s\n", since(i, r), v.At)
			for _, c := range f.Columns {
				fmt.Fprintf(b, "    %-*s  %s\n", f.widest(), c.Name, textOf(v.Values[c.Name]))
			}
		default:
			fmt.Fprintf(b, "  %-9s %s  %s\n", since(i, r), v.At, f.changes(shown, v.Values))
		}
		if v.Doubt != "" {
			fmt.Fprintf(b, "    not proved: %s\n", v.Doubt)
		}
		shown = v.Values
	}
	if r.More {
		fmt.Fprintln(b, "  there are older versions, not shown")
	}
	if r.Since != "" {
		fmt.Fprintf(b, "  versions before %s may have been collected as garbage\n", r.Since)
	}
	for _, rest := range r.Rests {
		if rest.Range == 0 {
			fmt.Fprintf(b, "  rests on  %d files of the backup\n", rest.Files)
			continue
		}
		from := fmt.Sprintf("store %d", rest.Store)
		if rest.Store == 0 {
			from = "the Raft log"
		}
		fmt.Fprintf(b, "  rests on  range %d, %s, index %d of its log\n", rest.Range, from, rest.Index)
	}
	switch {
	case r.Differs > 0:
		fmt.Fprintf(b, "  replicas  %d of its pairs are NOT the same in all\n", r.Differs)
	case r.Compared > 0:
		fmt.Fprintln(b, "  replicas  all have the same of it")
	case len(r.Rests) > 0 && r.Rests[0].Range != 0:
		fmt.Fprintln(b, "  replicas  there is no other to compare it with")
	}
}

// widest is how long the longest name of a column is.
func (f *Found) widest() (n int) {
	for _, c := range f.Columns {
		n = max(n, len(c.Name))
	}
	return n
}

// since is the word before a version's moment.
func since(i int, r *FoundRow) string {
	for j := range i {
		if s := r.Versions[j].State; s == StateCommitted || s == StateDeleted {
			return "before"
		}
	}
	return "now since"
}

// changes lists the columns that are not as in another version.
func (f *Found) changes(than, values Values) string {
	if than == nil {
		return f.list(values, false)
	}
	var list []string
	for _, c := range f.Columns {
		if a, b := inline(than[c.Name]), inline(values[c.Name]); a != b {
			list = append(list, c.Name+"="+b)
		}
	}
	if len(list) == 0 {
		return "written anew, the same"
	}
	return strings.Join(list, ", ")
}

// list is values with their columns, of the key alone or all.
func (f *Found) list(values Values, key bool) string {
	var list []string
	for _, c := range f.Columns {
		if v, there := values[c.Name]; there && (c.Key || !key) {
			list = append(list, c.Name+"="+inline(v))
		}
	}
	return strings.Join(list, ", ")
}

// textOf is a value as people read it, by itself on a line: in quotes where it
// could be taken for something else, or would do something to a terminal.
func textOf(v *string) string {
	switch {
	case v == nil:
		return "NULL"
	case *v == "" || *v == "NULL" || *v != strings.TrimSpace(*v) || strings.ContainsFunc(*v, func(r rune) bool { return !strconv.IsPrint(r) }):
		return strconv.Quote(*v)
	}
	return *v
}

// inline is a value among others.
func inline(v *string) string {
	if text := textOf(v); v == nil || text != *v || !strings.ContainsAny(text, ` ,="`) {
		return text
	}
	return strconv.Quote(*v)
}
