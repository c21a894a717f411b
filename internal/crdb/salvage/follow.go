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
func (w *work) outline() (Outline, error) {
	o := Outline{Plan: w.plan, Bytes: w.Plan.Bytes}
	at := map[[2]uint64]int{}
	for _, t := range w.Plan.Tables {
		if t.State == catalog.Dropped { // it is not in the schema
			continue
		}
		database, err := url.PathUnescape(path.Base(path.Dir(Dir(t))))
		if err != nil {
			return o, err
		}
		r := Rows{Database: database, Schema: t.Schema, Name: t.Name}
		for _, c := range w.decoders[t].Columns() {
			r.Columns = append(r.Columns, c.Name)
		}
		at[[2]uint64{t.Tenant, uint64(t.ID)}] = len(o.Tables)
		o.Tables = append(o.Tables, r)
	}
	for _, task := range w.Tasks {
		i, ok := at[[2]uint64{task.Tenant, uint64(task.Table)}]
		if task.Part != "" && ok && !task.Raw && task.Gone == 0 {
			o.Tables[i].Files = append(o.Tables[i].Files, OutlineFile{Name: task.Part, Bytes: task.Bytes})
			w.followed[task.ID] = true
		}
	}
	return o, nil
}

// begin lets the follower begin, if there is one.
func (w *work) begin() error {
	if w.Follow == nil {
		return nil
	}
	rep := &Report{} // the real one comes at the end
	if err := w.sequences(rep); err != nil {
		return err
	}
	if err := w.writeSchema(rep, w.dir); err != nil {
		return err
	}
	w.followed = map[int]bool{}
	o, err := w.outline()
	if err != nil {
		return err
	}
	return w.Follow.Begun(o)
}
