package salvage

import (
	"net/url"
	"path"

	"github.com/evac-io/evac/internal/crdb/catalog"
)

// Follower hears of a salvage while it goes on, so that its files can be used
// before it ends.
type Follower interface {
	// Begun is called once, when the schema stands in the folder: what else will.
	Begun(Outline) error
	// Standing is called for each file of the outline as it comes to stand, from
	// any goroutine. It must not wait.
	Standing(file string)
}

// Outline is the files that a salvage is going to write.
type Outline struct {
	Plan   string // the same for the same stores and options
	Bytes  int64  // that are read for it
	Tables []Rows
}

// Rows are the files of one table, in the order of their rows.
type Rows struct {
	Database, Schema, Name string
	Columns                []string
	Files                  []OutlineFile
}

// OutlineFile is one of them: its name below the folder, and how many stored bytes
// it comes from.
type OutlineFile struct {
	Name  string
	Bytes int64
}

// outline says what will stand in the folder.
func (j *Job) outline(plan string) (Outline, error) {
	o := Outline{Plan: plan, Bytes: j.Plan.Bytes}
	at := map[[2]uint64]int{}
	for _, t := range j.Plan.Tables {
		if t.State == catalog.Dropped { // it is not in the schema
			continue
		}
		database, err := url.PathUnescape(path.Base(path.Dir(Dir(t))))
		if err != nil {
			return o, err
		}
		r := Rows{Database: database, Schema: t.Schema, Name: t.Name}
		for _, c := range j.decoders[t].Columns() {
			r.Columns = append(r.Columns, c.Name)
		}
		at[[2]uint64{t.Tenant, uint64(t.ID)}] = len(o.Tables)
		o.Tables = append(o.Tables, r)
	}
	for _, task := range j.Tasks {
		if i, ok := at[[2]uint64{task.Tenant, uint64(task.Table)}]; ok && task.ofRows() {
			o.Tables[i].Files = append(o.Tables[i].Files, OutlineFile{Name: task.Part, Bytes: task.Bytes})
		}
	}
	return o, nil
}

// ofRows tells whether a task writes rows of a table that is in the schema, if
// its table is.
func (t Task) ofRows() bool { return t.Part != "" && !t.Raw && t.Gone == 0 }

// begin lets the follower begin, if there is one, and gives what it hears of
// tasks whose files stand.
func (j *Job) begin(plan string) (standing func(Task), err error) {
	if j.opt.Follow == nil {
		return func(Task) {}, nil
	}
	rep := &Report{} // the real one comes at the end
	if err := j.sequences(rep); err != nil {
		return nil, err
	}
	if err := j.writeSchema(rep, j.dir); err != nil {
		return nil, err
	}
	o, err := j.outline(plan)
	if err != nil {
		return nil, err
	}
	files := map[string]bool{}
	for _, t := range o.Tables {
		for _, f := range t.Files {
			files[f.Name] = true
		}
	}
	return func(t Task) {
		if files[t.Part] {
			j.opt.Follow.Standing(t.Part)
		}
	}, j.opt.Follow.Begun(o)
}
