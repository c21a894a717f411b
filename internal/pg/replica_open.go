package pg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// replica is one call of Replica.
type replica struct {
	ReplicaOptions
	primary *pgx.Conn
	version int
	system  string
	account *account
	// login is how the primary is reached; own the replica itself, by the same
	// user.
	login *pgconn.Config
	own   secret.DSN
}

func openReplica(ctx context.Context, o ReplicaOptions) (r *replica, err error) {
	r = &replica{ReplicaOptions: o}
	if r.Slot == "" {
		r.Slot = slotName(o.Token)
	}
	if r.State.Slot != "" {
		r.Slot = r.State.Slot
	}
	if r.account, err = o.Local.account(); err != nil {
		return nil, err
	}
	if r.primary, err = Connect(ctx, o.From, ConnOptions{Application: replicaApplication, Side: Source}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r, err = nil, errors.Join(err, r.close(ctx))
		}
	}()
	if r.version, err = Version(ctx, r.primary); err != nil {
		return r, err
	}
	if r.version < firstPromoted {
		return r, fault.New(fault.Invalid, fmt.Sprintf("server version %s is too old, want %s or later", versionName(r.version), majorName(firstPromoted)), "")
	}
	if r.system, _, err = identity(ctx, r.primary); err != nil {
		return r, err
	}
	if r.login, err = pgconn.ParseConfig(o.From.Reveal()); err != nil {
		return r, fault.New(fault.Invalid, "the connection string of the primary cannot be read", "")
	}
	r.own = r.ownDSN()
	return r, nil
}

// ownDSN is the replica's address on this machine, for the primary's user.
func (r *replica) ownDSN() secret.DSN {
	u := url.URL{Scheme: "postgres", User: url.User(r.login.User), Host: "127.0.0.1:" + strconv.Itoa(r.Port), Path: "/" + r.login.Database, RawQuery: "sslmode=prefer"}
	if r.login.Password != "" {
		u.User = url.UserPassword(r.login.User, r.login.Password)
	}
	return secret.NewDSN(u.String())
}

func (r *replica) close(ctx context.Context) error { return hangUp(ctx, r.primary) }

// markName is the file by which a directory is known as one that a replica of
// this token was made in. PostgreSQL takes no notice of it.
const markName = "evac-replica.json"

// mark is what stands in that file.
type mark struct {
	Token  string `json:"token"`
	Slot   string `json:"slot"`
	System string `json:"system"`
}

func (r *replica) mark() mark { return mark{r.Token, r.Slot, r.system} }

// ours tells whether the directory is marked as this replica's.
func (r *replica) ours(dir string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var m mark
	if err := json.Unmarshal(text, &m); err != nil {
		return false, nil //nolint:nilerr // whatever it is, it is not ours
	}
	return m == r.mark(), nil
}

// directories are the data directory and those of the tablespaces.
func (r *replica) directories() []string {
	dirs := []string{r.Local.Dir}
	for _, dir := range r.Tablespaces {
		dirs = append(dirs, dir)
	}
	return dirs
}

// free refuses a directory that holds anything that this replica has not put
// there.
func (r *replica) free(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	mine, err := r.ours(dir)
	if err == nil && (!mine || r.State.Slot == "") {
		err = fault.New(fault.Failed, fmt.Sprintf("directory %q is not empty: it holds %q", dir, entries[0].Name()), "name one that is empty or not there yet")
	}
	return err
}

// claim makes the directories, empties them of an earlier try, and marks them.
func (r *replica) claim() error {
	text, err := json.Marshal(r.mark())
	if err != nil {
		return err
	}
	for _, dir := range r.directories() {
		if err := r.free(dir); err != nil {
			return err
		}
		if err := r.empty(dir); err != nil {
			return err
		}
		err := os.MkdirAll(dir, 0o700)
		if err == nil {
			err = errors.Join(os.Chmod(dir, 0o700), r.account.own(dir))
		}
		path := filepath.Join(dir, markName)
		if err == nil {
			err = errors.Join(os.WriteFile(path, text, 0o600), r.account.own(path))
		}
		if err != nil {
			return fmt.Errorf("make directory %q: %w", dir, err)
		}
	}
	return nil
}

// empty removes what is in a directory, the mark last.
func (r *replica) empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == markName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, markName))
}

// sync brings everything to disk, the directories' own names too.
func (r *replica) sync(ctx context.Context) error {
	for _, dir := range r.directories() {
		if err := syncTree(ctx, dir); err != nil {
			return err
		}
		parent, err := os.Open(filepath.Dir(dir))
		if err != nil {
			return err
		}
		if err := errors.Join(parent.Sync(), parent.Close()); err != nil {
			return err
		}
	}
	return nil
}
