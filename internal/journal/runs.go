package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/evac-io/evac/internal/fault"
)

// ErrNoRun means that there is no run of that name, or none at all.
var ErrNoRun = errors.New("no run")

// RunInfo is a run as the list of runs shows it.
type RunInfo struct {
	ID      string    `json:"run"`
	Runbook string    `json:"runbook"`
	Mode    Mode      `json:"mode"`
	Created time.Time `json:"created"`
	Ended   time.Time `json:"ended,omitzero"`
	Result  string    `json:"result,omitempty"` // "" while unfinished
	Seq     int64     `json:"seq"`              // of the newest event
	Head    string    `json:"head"`             // its hash
	Epoch   int64     `json:"epoch"`
	// Holder is the living conductor of an unfinished run, nil if there is none.
	Holder *Holder `json:"holder,omitempty"`
}

// longestName bounds the runbook's part of an id, in bytes: an id is the name
// of a directory.
const longestName = 120

// NewRun makes an id for a run of a runbook, NAME-YYYYMMDD-HHMMSS or, if that
// is taken, with -2, -3 …, and its directory. The run begins with its first
// event, RunCreated, whose body must have the same name and mode.
func (j *Journal) NewRun(ctx context.Context, name string, mode Mode) (string, error) {
	op := fmt.Sprintf("begin a run of %q", name)
	if j.write == nil {
		return "", errReadOnly(op)
	}
	id, err := j.newDir(plainName(name) + j.now().Format("-20060102-150405"))
	if err != nil {
		return "", explain(op, j.home, err)
	}
	err = j.write.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO runs (run, name, mode, created) VALUES (?, ?, ?, ?)",
			id, name, string(mode), j.wall().Format(time.RFC3339Nano))
		return err
	})
	if err != nil {
		return "", explain(op, j.home, errors.Join(err, os.Remove(j.RunDir(id))))
	}
	return id, nil
}

// newDir makes a directory for a run; that it is new makes the id unique.
func (j *Journal) newDir(base string) (string, error) {
	if err := os.MkdirAll(j.RunDir(""), 0o700); err != nil {
		return "", err
	}
	id := base
	for n := 2; ; n++ {
		err := os.Mkdir(j.RunDir(id), 0o700)
		if !errors.Is(err, fs.ErrExist) {
			return id, err
		}
		id = fmt.Sprintf("%s-%d", base, n)
	}
}

// plainName keeps of a name what is harmless in a path and a shell.
func plainName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, strings.ToValidUTF8(name, "-"))
	for len(plain) > longestName {
		_, size := utf8.DecodeLastRuneInString(plain)
		plain = plain[:len(plain)-size]
	}
	if plain = strings.Trim(plain, "-."); plain == "" {
		return "run"
	}
	return plain
}

const selectRuns = "SELECT run, name, mode, created, ended, result, seq, head, epoch FROM runs "

// Runs lists the runs that have begun, newest first.
func (j *Journal) Runs(ctx context.Context) ([]RunInfo, error) {
	rows, err := j.read.QueryContext(ctx, selectRuns+"WHERE seq > 0 ORDER BY id DESC")
	if err != nil {
		return nil, explain("list the runs", j.home, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells all
	var runs []RunInfo
	for rows.Next() {
		run, err := j.scanInfo(rows.Scan)
		if err != nil {
			return nil, explain("list the runs", j.home, err)
		}
		runs = append(runs, run)
	}
	return runs, explain("list the runs", j.home, rows.Err())
}

// info finds one run, begun or not.
func (j *Journal) info(ctx context.Context, run string) (RunInfo, error) {
	info, err := j.scanInfo(j.read.QueryRowContext(ctx, selectRuns+"WHERE run = ?", run).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return info, noRun(run)
	}
	return info, explain(fmt.Sprintf("look run %q up", run), j.home, err)
}

func (j *Journal) scanInfo(scan func(...any) error) (r RunInfo, err error) {
	var created, ended string
	if err := scan(&r.ID, &r.Runbook, (*string)(&r.Mode), &created, &ended, &r.Result, &r.Seq, &r.Head, &r.Epoch); err != nil {
		return r, err
	}
	if r.Created, err = time.Parse(time.RFC3339Nano, created); err != nil {
		return r, err
	}
	if ended != "" {
		r.Ended, err = time.Parse(time.RFC3339Nano, ended)
		return r, err
	}
	r.Holder, err = livingHolder(j.lockPath(r.ID))
	return r, err
}

// Newest is the id of the newest run, or of the newest that has not ended. If
// there is none the error wraps ErrNoRun.
func (j *Journal) Newest(ctx context.Context, unfinishedOnly bool) (string, error) {
	return j.newest(ctx, "", unfinishedOnly)
}

// NewestOf is Newest among the runs of one runbook.
func (j *Journal) NewestOf(ctx context.Context, runbook string, unfinishedOnly bool) (string, error) {
	return j.newest(ctx, runbook, unfinishedOnly)
}

func (j *Journal) newest(ctx context.Context, runbook string, unfinishedOnly bool) (id string, err error) {
	err = j.read.QueryRowContext(ctx, `SELECT run FROM runs WHERE seq > 0 AND (? = '' OR name = ?) AND (NOT ? OR ended = '')
		ORDER BY id DESC LIMIT 1`, runbook, runbook, unfinishedOnly).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, explain("find the newest run", j.home, err)
	}
	op := "find the newest run"
	if unfinishedOnly {
		op = "find an unfinished run"
	}
	if runbook != "" {
		op += fmt.Sprintf(" of %q", runbook)
	}
	return "", fault.Wrap(fault.Invalid, op, fmt.Errorf("%w in the journal in %q", ErrNoRun, j.home), "start one with `evac run RUNBOOK`")
}
