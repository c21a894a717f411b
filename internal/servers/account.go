package servers

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/evac-io/evac/internal/fault"
)

// account is the unprivileged account that servers run as when evac is root;
// nil means that they run as whoever runs evac.
type account struct {
	name     string
	uid, gid uint32
}

// serverAccount is postgres, or nobody where there is no postgres.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseInt(u.Uid, 10, 64) // macOS: nobody is -2
		if err != nil {
			return nil, fmt.Errorf("read the id of account %q: %w", name, err)
		}
		gid, err := strconv.ParseInt(u.Gid, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the group of account %q: %w", name, err)
		}
		return &account{name, uint32(uid), uint32(gid)}, nil
	}
	return nil, fault.New(fault.Denied, "find an account to run servers as: neither postgres nor nobody exists", "run evac as an ordinary user")
}

// credential is what a child drops root to.
func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives a tree to the account.
func (a *account) own(dir string) error {
	if a == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(a.uid), int(a.gid))
	})
}

// reaches tells whether the account may enter dir and all above it.
func (a *account) reaches(dir string) error {
	if a == nil {
		return nil
	}
	for _, d := range ancestors(dir) {
		info, err := os.Stat(d)
		if err != nil {
			return err
		}
		if !a.enters(info) {
			return fault.New(fault.Denied, fmt.Sprintf("enter %q as account %q: %q is closed to it", dir, a.name, d),
				fmt.Sprintf("use a directory that others may enter, or: chmod o+x %s", d))
		}
	}
	return nil
}

func (a *account) enters(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !ok:
		return true
	case stat.Uid == a.uid:
		return mode&0o100 != 0
	case stat.Gid == a.gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// open lets the account pass through the private directories that a temporary
// directory is made of. Elsewhere nothing is changed.
func (a *account) open(dir string) error {
	if a == nil {
		return nil
	}
	tmp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return err
	}
	for _, d := range ancestors(dir) {
		info, err := os.Stat(d)
		if err != nil {
			return err
		}
		if strings.HasPrefix(d, tmp+string(filepath.Separator)) && !a.enters(info) {
			if err := os.Chmod(d, info.Mode().Perm()|0o011); err != nil {
				return err
			}
		}
	}
	return a.reaches(dir)
}

// ancestors are dir and all directories above it, the root first.
func ancestors(dir string) []string {
	if parent := filepath.Dir(dir); parent != dir {
		return append(ancestors(parent), dir)
	}
	return []string{dir}
}
