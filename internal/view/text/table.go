package text

import "strings"

// Table is rows of cells under a header; a row may be shorter than it.
type Table struct {
	Header []string
	// Right names the columns (by index) whose cells stand to the right.
	Right map[int]bool
	Rows  [][]string
}

// NewTable makes an empty table. A header that begins with ">" is of a column
// of numbers, which stand to the right.
func NewTable(header ...string) *Table {
	t := &Table{Right: map[int]bool{}}
	for i, h := range header {
		name, right := strings.CutPrefix(h, ">")
		t.Header, t.Right[i] = append(t.Header, name), right
	}
	return t
}

// Row adds a row.
func (t *Table) Row(cells ...string) { t.Rows = append(t.Rows, cells) }

// Plain gives the table's lines for a terminal, header first, two spaces
// between columns.
func (t *Table) Plain() []string {
	widths := t.widths(func(s string) string { return s })
	lines := make([]string, 0, len(t.Rows)+1)
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		lines = append(lines, strings.TrimRight(strings.Join(t.cells(row, widths), "  "), " "))
	}
	return lines
}

// Markdown gives the table as Markdown whose source is aligned as well.
func (t *Table) Markdown() string {
	widths := t.widths(escape)
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.cells(t.Header, widths))
	rule := make([]string, len(widths))
	for i, w := range widths {
		rule[i] = strings.Repeat("-", w)
		if t.Right[i] {
			rule[i] = rule[i][1:] + ":"
		}
	}
	line(rule)
	for _, row := range t.Rows {
		escaped := make([]string, len(row))
		for i, cell := range row {
			escaped[i] = escape(cell)
		}
		line(t.cells(escaped, widths))
	}
	return b.String()
}

// escape keeps a text inside its cell.
func escape(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

// widths are the columns' widths, of three at least: Markdown's rule wants it.
func (t *Table) widths(form func(string) string) []int {
	widths := make([]int, len(t.Header))
	for i, h := range t.Header {
		widths[i] = max(3, Width(h))
		for _, row := range t.Rows {
			if i < len(row) {
				widths[i] = max(widths[i], Width(form(row[i])))
			}
		}
	}
	return widths
}

func (t *Table) cells(row []string, widths []int) []string {
	cells := make([]string, len(widths))
	for i, w := range widths {
		cell := ""
		if i < len(row) {
			cell = row[i]
		}
		if cells[i] = Pad(cell, w); t.Right[i] {
			cells[i] = PadLeft(cell, w)
		}
	}
	return cells
}
