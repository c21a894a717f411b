package cockroach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/crdb/salvage"
	"github.com/evac-io/evac/internal/crdb/store"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func salvageKind() step.Kind {
	return step.Kind{
		Name:    "cockroach_salvage",
		Effect:  step.Reads,
		Summary: "takes every row out of the raw stores of a dead CockroachDB cluster, and proves it",
		Doc:     salvageDoc,
		New:     func() step.Step { return &Salvage{} },
		Output:  SalvageOutput{},
		Example: `step "cockroach_salvage" "rows" {
  stores = ["/evidence/n1", "/evidence/n2", "/evidence/n3"]
  out    = "/salvaged"
}`,
	}
}

const salvageDoc = `
Turns the store directories of a CockroachDB cluster, whose servers need not run, into files of rows. The stores are only read.
A store may be an archive of one or more, ` + "`.tar`, `.tar.gz` or `.tar.zst`" + `: it is unpacked into ` + "`work`" + `, by default the folder ` + "`stores`" + ` in
` + "`out`" + `, and serves again when the step goes on. With ` + "`copy_to`" + ` all evidence is copied there first, and only the copy is read; the copy goes
on behind the last whole file. Beside each copy stand its hashes, ` + "`NAME.SHA256SUMS`" + `, for ` + "`sha256sum -c`" + ` from within the copy.

In place of stores, the folder of a BACKUP gives the same files: the full backup or the collection first, then folders of incremental ones and of
localities that lie elsewhere. Its state is that of its last layer, or of ` + "`as_of`" + ` if it has revision history. What the manifest says of each file is held
against it: its hash and its counts up to release 20.1, and that it is there; the keys of every table must be among those that the backup was asked for.

Of each range the replica that speaks for it is chosen and brought forward by what the Raft log has and no store had applied, so that no acknowledged
write is lost; what a transaction left behind counts by the transaction's own record. Where a replica is damaged, others take its place for just those keys.

In ` + "`out`" + ` stand then ` + "`data/<database>/<schema>.<table>/part-00000.csv`" + ` and so on (a header in each, parts and rows in primary-key order,
hidden columns too), ` + "`schema.sql`" + `, which PostgreSQL and CockroachDB take (tables before the rows, indexes, keys to other tables, values of sequences and views behind
them; with ` + "`table`" + ` of those tables only, with their types and sequences), ` + "`schema.cockroach.sql`" + ` of all tables with all that only CockroachDB knows, ` + "`report.json`" + ` and ` + "`report.html`" + `.
Parquet has integers, floats, truth values, dates, times, UUIDs, bytes and documents as such, everything else, decimals too, as its text.
Rows that are not proved are not among them: they stand in ` + "`doubtful-00000.csv`" + ` beside the parts.

Tables whose descriptors are lost in every store are described by ` + "`schema`" + `: SQL with the tables' ids, as the ` + "`schema.cockroach.sql`" + ` of an earlier salvage has them,
or a BACKUP. Without it their keys and values stand as they are, in hexadecimal, in ` + "`raw/table-ID/part-00000.csv`" + `, those among another table's rows too. Either way the verdict names them.

With ` + "`dropped`" + `, what is left of dropped and truncated tables stands in ` + "`data/<database>/<schema>.<table>@dropped-ID`" + `. Nobody can say whether that is all of
their rows: they have no part in the verdict.

With ` + "`to`" + ` the rows also go into an empty PostgreSQL database, file by file while others are still read, and each table is compared with its files, row
by row, as soon as it is full. It is what [cockroach_load](cockroach_load.md) does with the folder afterwards: rows that the server rejects are put
aside with the reason, and constraints that the rows break are left out by name. Only files of proved rows are loaded, never doubtful ones; where
the salvage is not complete, what is proved stands in the database all the same, and the step exits with 3. Undo empties the database; the files stay.

The step succeeds only if everything is proved: every checksum right, every index entry met by its row and back (inverted indexes too; of a partial one only that
each entry has its row, and the verdict names it; an index whose entries cannot be made anew, as of spatial columns, leaves the verdict open), all replicas the same, every
range with its newest state, no keys without a store. Else it fails with exit code 3, names what is missing or doubtful, and all that could be had is there.
The same command again goes on where it stopped.
`

// Salvage is the kind cockroach_salvage.
type Salvage struct {
	Stores []string  `evac:"stores,required,args" doc:"store directories of one cluster, each node's, or archives of them; or the folder of a BACKUP"`
	Out    string    `evac:"out,required,target" doc:"folder for the rows and the report: new, empty, or of the same salvage before"`
	Table  []string  `evac:"table" doc:"only these tables, \"database.schema.table\"; all but the database's own by default"`
	AsOf   string    `evac:"as_of" doc:"moment to read at, RFC 3339 or as AS OF SYSTEM TIME takes it; the newest by default"`
	Null   string    `evac:"null" doc:"text that stands for NULL; an empty field without quotes by default"`
	Jobs   int       `evac:"jobs" doc:"how many pieces are read at once; one a core by default"`
	Memory step.Size `evac:"memory" default:"2GiB" doc:"what logs that are replayed and what is sorted may take; more goes to files without a name in work"`

	Format   string `evac:"format" default:"csv" doc:"form of the files, \"csv\" or \"parquet\""`
	Loadable bool   `evac:"loadable" doc:"leave out the columns that a database makes by itself, computed ones and the hidden rowid, so that COPY and IMPORT INTO take the files as they are"`

	Dropped bool   `evac:"dropped" doc:"dropped and truncated tables too, as far as their rows are left"`
	Schema  string `evac:"schema" doc:"file of SQL with the ids of tables, or folder of a BACKUP: it describes the tables whose descriptors are lost in every store"`

	StoreKey []string `evac:"store_key" doc:"key files of encrypted stores, as the nodes were started with: one for all, or each node's"`
	CopyTo   string   `evac:"copy_to" doc:"folder into which the stores are copied first, with their hashes; they are read where they lie by default"`
	Work     string   `evac:"work" doc:"folder in which archives are unpacked, and files go for which memory has no room; \"stores\" in out by default"`

	To       secret.DSN `evac:"to,target" doc:"connection string of an empty PostgreSQL database, into which the rows go too while others are still read"`
	Database string     `evac:"database" doc:"which of the salvaged databases goes there, if there are more than one"`
}

// SalvageOutput is the verdict.
type SalvageOutput struct {
	Complete bool     `json:"complete" doc:"every row is there, and proved"`
	Tables   int      `json:"tables" doc:"tables"`
	Rows     int64    `json:"rows" doc:"rows, proved"`
	Bytes    int64    `json:"bytes" doc:"bytes of CSV"`
	Report   string   `json:"report" doc:"file with all that is known"`
	Problems []string `json:"problems" doc:"what is missing or doubtful"`

	Load *LoadOutput `json:"load,omitempty" doc:"what went into the database, if one was given"`
}

// paths are file names as the runbook means them.
func paths(env *step.Env, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = inDir(env, n)
	}
	return out
}

// inDir is one of them; an empty name stays so.
func inDir(env *step.Env, name string) string {
	if name == "" {
		return ""
	}
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(env.Dir, name)
}

func (s *Salvage) options(env *step.Env) (salvage.Options, error) {
	at, err := salvage.ParseMoment(s.AsOf)
	if err != nil {
		return salvage.Options{}, err
	}
	memory, err := enough(s.Memory)
	if err != nil {
		return salvage.Options{}, err
	}
	opt := salvage.Options{AsOf: at, Tables: s.Table, Null: s.Null, Jobs: s.Jobs, Memory: memory, Format: s.Format, Loadable: s.Loadable, Dropped: s.Dropped, Schema: inDir(env, s.Schema), Work: inDir(env, s.Work), CopyTo: inDir(env, s.CopyTo)}
	if env.Progress != nil { // a check has none
		opt.Note = env.Progress.Note
	}
	opt.StoreKeys, err = keyFiles(env, s.StoreKey)
	return opt, err
}

// keyFiles reads the key files of encrypted stores.
func keyFiles(env *step.Env, names []string) ([][]byte, error) {
	var keys [][]byte
	for _, name := range names {
		key, err := os.ReadFile(inDir(env, name))
		if err != nil {
			return nil, fault.Wrap(fault.Denied, "read store key", err, "give the file that the node was started with: --store-key FILE")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Check implements step.Step.
func (s *Salvage) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	plan, err := s.check(ctx, env)
	if err == nil {
		err = s.checkTo(ctx, env, &plan)
	}
	return plan, err
}

func (s *Salvage) check(ctx context.Context, env *step.Env) (plan step.Plan, err error) {
	opt, err := s.options(env)
	if err != nil {
		return step.Plan{}, err
	}
	if err := salvage.Refuse(paths(env, s.Stores), inDir(env, s.Out), opt); err != nil {
		return step.Plan{}, err
	}
	if slices.ContainsFunc(s.Stores, store.IsArchive) {
		return s.packed(env)
	}
	opt.CopyTo = "" // nothing is written yet
	c, err := salvage.Open(ctx, paths(env, s.Stores), opt)
	if err != nil {
		return step.Plan{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	p, err := c.Plan(ctx, s.Table)
	if err != nil {
		return step.Plan{}, err
	}
	plan = step.Plan{
		Summary: fmt.Sprintf("take the rows of %d tables out of %d stores", len(p.Tables), len(s.Stores)),
		Work:    step.Work{Unit: "bytes", Total: p.Bytes},
	}
	plan.Action("salvage", "the rows of the stores %s are written to %q", strings.Join(s.Stores, ", "), s.Out)
	if c.Backup != nil {
		plan.Summary = fmt.Sprintf("take the rows of %d tables out of a backup", len(p.Tables))
		plan.Fact("backup", "%d layers, read as of %s", len(c.Backup.Layers()), c.Backup.AsOf().Time().Format(time.RFC3339Nano))
		return plan, nil
	}
	plan.Fact("ranges", "%d, %d stretches of keys that no store has", len(c.Map.Ranges), len(c.Map.Holes))
	return plan, nil
}

// packed is the plan while stores are still in archives: what is in them shows
// when they are unpacked.
func (s *Salvage) packed(env *step.Env) (step.Plan, error) {
	plan := step.Plan{Summary: fmt.Sprintf("unpack and take the rows out of %d stores", len(s.Stores)), Work: step.Work{Unit: "bytes"}}
	for _, name := range paths(env, s.Stores) {
		info, err := os.Stat(name)
		if err != nil {
			return plan, fault.Wrap(fault.Invalid, "read store", err, "name the folder of a store, or an archive of it")
		}
		plan.Work.Total += info.Size()
	}
	plan.Action("salvage", "the stores %s are unpacked, and their rows are written to %q", strings.Join(s.Stores, ", "), s.Out)
	return plan, nil
}

// Run implements step.Step.
func (s *Salvage) Run(ctx context.Context, env *step.Env, plan step.Plan) (step.Output, error) {
	opt, err := s.options(env)
	if err != nil {
		return nil, err
	}
	env.Progress.Total("bytes", plan.Work.Total)
	dir := inDir(env, s.Out)
	var rep *salvage.Report
	var loaded *LoadOutput
	if s.loads() {
		rep, loaded, err = s.runTo(ctx, env, opt)
	} else {
		rep, err = salvage.Run(ctx, paths(env, s.Stores), dir, opt, env.Progress.Add)
	}
	if err != nil {
		return nil, err
	}
	out := output(rep, dir)
	out.Load = loaded
	return out, verdict(rep, dir)
}

// output is what a salvage came to.
func output(rep *salvage.Report, dir string) SalvageOutput {
	return SalvageOutput{
		Complete: rep.Complete, Tables: len(rep.Tables), Rows: rep.Rows, Bytes: rep.Bytes,
		Report: filepath.Join(dir, "report.html"), Problems: rep.Problems,
	}
}

// Shards implements step.Sharder. Run is the same on the engine in its process,
// going on from what the folder has already; only there can the rows go into a
// database while others are read.
func (s *Salvage) Shards(ctx context.Context, env *step.Env, _ step.Plan) (step.Shards, error) {
	if s.loads() {
		return nil, fault.New(fault.Invalid, "rows that go into a database are read by one process", "leave --to away, and load the folder afterwards: evac cockroach load")
	}
	opt, err := s.options(env)
	if err != nil {
		return nil, err
	}
	dir := inDir(env, s.Out)
	job, err := salvage.Begin(ctx, paths(env, s.Stores), dir, opt)
	if err != nil {
		return nil, err
	}
	return shards{job, dir}, nil
}

// shards is a salvage as step.Shards.
type shards struct {
	*salvage.Job
	dir string
}

// Merge implements step.Shards.
func (s shards) Merge(ctx context.Context, results []json.RawMessage) (step.Output, error) {
	rep, err := s.Job.Merge(ctx, results)
	if err != nil {
		return nil, err
	}
	return output(rep, s.dir), verdict(rep, s.dir)
}

// verdict is the error of a salvage that is not proved to be whole.
func verdict(rep *salvage.Report, dir string) error {
	if rep.Complete {
		return nil
	}
	hint := "all is named in " + filepath.Join(dir, "report.html")
	return fault.New(fault.Different, rep.Summary(), strings.Join(append([]string{hint}, rep.Wanted...), "; "))
}

// Verify implements step.Step: the files are as they were written, the report says
// that nothing is missing, and the database has every row of the files.
func (s *Salvage) Verify(ctx context.Context, env *step.Env, done step.Done) error {
	dir := inDir(env, s.Out)
	rep, err := salvage.Verify(ctx, dir)
	if err != nil {
		return err
	}
	if s.loads() {
		var out SalvageOutput
		if err := done.Decode(&out); err != nil {
			return fmt.Errorf("read output of the salvage: %w", err)
		}
		if err := s.verifyTo(ctx, env, out.Load); err != nil {
			return err
		}
	}
	return verdict(rep, dir)
}
