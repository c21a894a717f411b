package salvage

import (
	"bytes"
	"cmp"
	_ "embed" // the page
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

//go:embed report.html
var pageText string

// How much the page shows of lists that may be long: report.json has them whole.
const (
	pageProblems = 60
	pageTables   = 200
	pageSubjects = 30
	pageRows     = 50 // of any other list
)

// page is a report as the page shows it: sums first, lists cut.
type page struct {
	*Report
	Problems     []pageProblem
	ProblemCount int
	MoreProblems int
	Failures     string

	TableCount, MoreTables     int
	Shown                      []pageTable
	Withheld                   int64
	Sum                        Checksums
	IndexesRight, IndexesWrong int
	Compared, Differs          int64

	Strip, Legend, Notable []pageStretch
	StripText              string
	MoreNotable            int

	Hurt       []Damage
	MoreDamage int
	Open       []Transaction
	MoreOpen   int
}

// pageStretch is a stretch of the map, with how it is called.
type pageStretch struct {
	Stretch
	Level        int
	Sign, En, Ko string
}

// pageTable is a table with its proofs and what it rests on in few words.
type pageTable struct {
	*Table
	Proofs  []proof
	RestsOn string
	Why     []string // it is in doubt
}

// pageProblem is what is wrong in the same way with one thing or several.
type pageProblem struct {
	Text     string
	Subjects []string // tables and the like; none if Text says all
	More     int
}

// ranged is a problem of a range: whose, and what it is.
var ranged = regexp.MustCompile(`^(?:table "([^"]*)"|sequence "([^"]*)"|(the schema)): (?:keys .*?, )?range \d+: (.*)$`)

// gathered puts problems together that many ranges have; what no store has comes
// first.
func gathered(list []string) []pageProblem {
	var out []pageProblem
	at := map[string]int{}
	seen := map[[2]string]bool{}
	for _, text := range list {
		m := ranged.FindStringSubmatch(text)
		if m == nil {
			out = append(out, pageProblem{Text: text})
			continue
		}
		i, known := at[m[4]]
		if !known {
			i = len(out)
			at[m[4]] = i
			out = append(out, pageProblem{Text: m[4]})
		}
		subject := cmp.Or(m[1], m[2], m[3])
		once := [2]string{m[4], subject}
		switch g := &out[i]; {
		case seen[once]:
		case len(g.Subjects) < pageSubjects:
			g.Subjects = append(g.Subjects, subject)
		default:
			g.More++
		}
		seen[once] = true
	}
	slices.SortStableFunc(out, func(a, b pageProblem) int { return b.first() - a.first() })
	return out
}

// String names the first of those it is about.
func (p pageProblem) String() string {
	switch n := len(p.Subjects) + p.More; n {
	case 0:
		return p.Text
	case 1:
		return p.Text + ": " + p.Subjects[0]
	default:
		return fmt.Sprintf("%s: %s and %d more", p.Text, p.Subjects[0], n-1)
	}
}

func (p pageProblem) first() int {
	if strings.HasPrefix(p.Text, "no store has") {
		return 1
	}
	return 0
}

// proof is one thing that was counted.
type proof struct {
	Right bool
	Text  string
}

// signs are how the page calls the standings.
var signs = [...]pageStretch{
	Complete: {Sign: "✓", En: "complete", Ko: "완전함"},
	OnLog:    {Sign: "◷", En: "newest writes from the Raft log", Ko: "최신 쓰기는 Raft 로그에서"},
	Damaged:  {Sign: "▲", En: "damaged, another replica stands in", Ko: "손상, 다른 복제본이 대신함"},
	InDoubt:  {Sign: "?", En: "in doubt", Ko: "의심스러움"},
	Missing:  {Sign: "✗", En: "missing: no store has it", Ko: "없음"},
}

// page is the report as one static page.
func (r *Report) page() ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"bytes": size, "count": humanize.Comma,
		"few": func(list []string) []string { return list[:min(len(list), pageRows)] },
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, r.paged())
	return out.Bytes(), err
}

// paged sums the report up.
func (r *Report) paged() *page {
	p := &page{Report: r, TableCount: len(r.Tables), ProblemCount: len(r.Problems)}
	p.Problems, p.MoreProblems = cutList(gathered(r.Problems), pageProblems)
	p.Hurt, p.MoreDamage = cutList(r.Damage, pageRows)
	p.Open, p.MoreOpen = cutList(r.Transactions, pageRows)
	p.Failures = fmt.Sprintf("%d %s", len(r.Problems), plural(len(r.Problems), "thing is missing or doubtful", "things are missing or doubtful"))
	for _, t := range r.Tables {
		p.add(t)
	}
	list := r.Tables
	if len(list) > pageTables {
		list = slices.SortedStableFunc(slices.Values(list), func(a, b *Table) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}
	list, p.MoreTables = cutList(list, pageTables)
	for _, t := range list {
		p.Shown = append(p.Shown, paged(t))
	}
	p.paint()
	return p
}

func cutList[T any](list []T, most int) (shown []T, more int) {
	n := min(len(list), most)
	return list[:n], len(list) - n
}

// add adds a table to the sums.
func (p *page) add(t *Table) {
	p.Withheld += t.Withheld
	p.Sum.Verified += t.Checksums.Verified
	p.Sum.Bad += t.Checksums.Bad
	p.Compared += t.Compared
	p.Differs += t.Differs
	for _, ix := range t.Indexes {
		switch {
		case ix.Equal:
			p.IndexesRight++
		case ix.Check != "not":
			p.IndexesWrong++
		}
	}
}

// paint lays out the map of the key space.
func (p *page) paint() {
	legend := map[Standing]*pageStretch{}
	for _, s := range p.Map {
		one := signs[s.Standing]
		one.Stretch, one.Level = s, int(s.Standing)
		p.Strip = append(p.Strip, one)
		if s.Standing >= Damaged {
			p.Notable = append(p.Notable, one)
		}
		if l := legend[s.Standing]; l != nil {
			l.Ranges += s.Ranges
		} else {
			legend[s.Standing] = &one
		}
	}
	slices.SortStableFunc(p.Notable, func(a, b pageStretch) int { return b.Level - a.Level })
	p.Notable, p.MoreNotable = cutList(p.Notable, pageRows)
	var words []string
	for s := range Standing(len(signs)) {
		if l := legend[s]; l != nil {
			p.Legend = append(p.Legend, *l)
			words = append(words, fmt.Sprintf("%d ranges %s", l.Ranges, l.En))
		}
	}
	p.StripText = strings.Join(words, ", ")
}

// paged is one table.
func paged(t *Table) pageTable {
	out := pageTable{Table: t}
	sums := t.Checksums
	text := humanize.Comma(sums.Verified) + " checksums"
	if sums.Without > 0 {
		text += fmt.Sprintf(", %s pairs without", humanize.Comma(sums.Without))
	}
	if sums.Bad > 0 {
		text += fmt.Sprintf(", %s bad", humanize.Comma(sums.Bad))
	}
	out.Proofs = append(out.Proofs, proof{sums.Bad == 0, text})
	for _, ix := range t.Indexes {
		switch {
		case ix.Check == "not":
			out.Proofs = append(out.Proofs, proof{true, fmt.Sprintf("index %s: not counted, %s", ix.Name, ix.Why)})
		case ix.Equal:
			out.Proofs = append(out.Proofs, proof{true, fmt.Sprintf("index %s: %s entries", ix.Name, humanize.Comma(ix.Entries))})
		default:
			out.Proofs = append(out.Proofs, proof{false, fmt.Sprintf("index %s: %s entries of %s", ix.Name, humanize.Comma(ix.Entries), humanize.Comma(ix.Rows))})
		}
	}
	switch {
	case t.Differs > 0:
		out.Proofs = append(out.Proofs, proof{false, fmt.Sprintf("%s pairs differ between replicas", humanize.Comma(t.Differs))})
	case t.Compared > 0:
		out.Proofs = append(out.Proofs, proof{true, humanize.Comma(t.Compared) + " pairs the same in other replicas"})
	}
	out.RestsOn, out.Why = restsOn(t.Rests)
	return out
}

// maxWhy is how many doubts a table shows.
const maxWhy = 3

// restsOn sums up what a table rests on, however many ranges it has.
func restsOn(list []Rest) (text string, why []string) {
	byStore := map[uint64]map[uint64]bool{}
	files := 0
	for _, r := range list {
		if r.Range == 0 {
			files += r.Files
		} else if byStore[r.Store] == nil {
			byStore[r.Store] = map[uint64]bool{r.Range: true}
		} else {
			byStore[r.Store][r.Range] = true
		}
		if r.Doubt != "" && len(why) < maxWhy && !slices.Contains(why, r.Doubt) {
			why = append(why, r.Doubt)
		}
	}
	var parts []string
	for store := range byStore {
		from := fmt.Sprintf("store %d", store)
		if store == 0 {
			from = "the Raft log"
		}
		n := len(byStore[store])
		parts = append(parts, fmt.Sprintf("%s: %d %s", from, n, plural(n, "range", "ranges")))
	}
	slices.Sort(parts)
	if files > 0 {
		parts = append(parts, fmt.Sprintf("%d files of the backup", files))
	}
	return strings.Join(parts, ", "), why
}
