package servers

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/evac-io/evac/internal/fault"
)

// PostgreSQL 9.4 and 9.5 are older than what the embedded-postgres library
// offers; other projects still carry their server programs.
const (
	package94, version94  = "pg-server-9.4-linux-x64", "9.4.4"                        // npm, for Linux on x86-64 alone
	artifact95, version95 = "com.opentable.components:otj-pg-embedded:0.7.1", "9.5.3" // Maven, with an archive for each system
	mavenCopy             = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
)

// Major gives an install of one major version as PostgreSQL names it, "9.4"
// or "17": one of this machine, else one that it fetches. The server programs
// are sure to be there, pg_dump and psql are not. What it fetches is of no
// account to FindPostgres and Pair.
func Major(ctx context.Context, cache, major string, log *slog.Logger) (Install, error) {
	if i, err := findMajor(ctx, cache, major); err != nil || i.Bin != "" {
		return i, err
	}
	if err := fetchMajor(ctx, majorsCache(cache), major, log); err != nil {
		return Install{}, fault.Wrap(fault.Failed, "get PostgreSQL "+major, err, "install it and name its bin directory in EVAC_POSTGRES_BIN")
	}
	i, err := findMajor(ctx, cache, major)
	if err == nil && i.Bin == "" {
		err = fmt.Errorf("get PostgreSQL %s: what was fetched does not run here", major)
	}
	return i, err
}

func majorsCache(cache string) string { return filepath.Join(cache, "majors") }

// findMajor gives the newest install of a major that servers can be started
// from, or none.
func findMajor(ctx context.Context, cache, major string) (found Install, err error) {
	installs, err := FindPostgres(ctx, cache)
	if err != nil {
		return found, err
	}
	fetched, err := filepath.Glob(filepath.Join(majorsCache(cache), "*", "bin"))
	if err != nil {
		return found, err
	}
	for _, dir := range fetched {
		if i, ok := inspect(ctx, dir); ok {
			installs = append(installs, i)
		}
	}
	account, err := serverAccount()
	if err != nil {
		return found, err
	}
	for _, i := range installs {
		if i.MajorName() == major && account.reaches(i.Bin) == nil {
			found = i
		}
	}
	return found, nil
}

// fetchMajor puts the server programs of one major below dir.
func fetchMajor(ctx context.Context, dir, major string, log *slog.Logger) error {
	switch major {
	case "9.4":
		return fetch94(ctx, dir, log)
	case "9.5":
		return fetch95(ctx, dir, log)
	case "9.6":
		return fetchEmbedded(ctx, dir, 9, log)
	}
	number, err := strconv.Atoi(major)
	if err != nil || number < 10 {
		return fmt.Errorf("no PostgreSQL %q is offered, only 9.4 to 9.6 and 10 to 18", major)
	}
	return fetchEmbedded(ctx, dir, number, log)
}

// fetch94 gets 9.4 with npm. Its programs look for OpenSSL and OpenLDAP of
// their time in the lib directory beside them, and 9.5 brings these.
func fetch94(ctx context.Context, dir string, log *slog.Logger) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("no PostgreSQL 9.4 is offered for %s on %s", runtime.GOOS, runtime.GOARCH)
	}
	if err := fetch95(ctx, dir, log); err != nil {
		return err
	}
	return place(ctx, filepath.Join(dir, package94+"-"+version94), func(part string) error {
		log.Info("getting PostgreSQL with npm", "version", version94)
		if err := client(ctx, part, "npm", "pack", "--silent", package94+"@"+version94); err != nil {
			return err
		}
		archive := filepath.Join(part, package94+"-"+version94+".tgz")
		if err := client(ctx, part, "tar", "-xzf", archive, "--strip-components=2", "package/server"); err != nil {
			return err
		}
		libraries, err := filepath.Glob(filepath.Join(home95(dir), "lib", "lib*.so.*"))
		for _, library := range libraries {
			err = errors.Join(err, os.Symlink(library, filepath.Join(part, "lib", filepath.Base(library))))
		}
		return errors.Join(err, os.Remove(archive), runnable(part))
	})
}

func home95(dir string) string { return filepath.Join(dir, "otj-pg-embedded-"+version95) }

// fetch95 gets 9.5 with Maven.
func fetch95(ctx context.Context, dir string, log *slog.Logger) error {
	archive := map[string]string{"linux": "postgresql-Linux-x86_64.txz", "darwin": "postgresql-Darwin-x86_64.txz"}[runtime.GOOS]
	return place(ctx, home95(dir), func(part string) error {
		log.Info("getting PostgreSQL with Maven", "version", version95)
		if err := client(ctx, part, "mvn", "--batch-mode", "--quiet", mavenCopy, "-Dartifact="+artifact95, "-DoutputDirectory="+part); err != nil {
			return err
		}
		jars, err := filepath.Glob(filepath.Join(part, "*.jar"))
		if err != nil || len(jars) != 1 {
			return errors.Join(err, fmt.Errorf("get PostgreSQL %s: Maven left %d archives", version95, len(jars)))
		}
		if err := unpackJar(ctx, jars[0], archive, part); err != nil {
			return fmt.Errorf("unpack %q: %w", filepath.Base(jars[0]), err)
		}
		return errors.Join(os.Remove(jars[0]), runnable(part))
	})
}

// unpackJar unpacks the compressed tar archive of that name within a jar.
func unpackJar(ctx context.Context, jar, archive, dir string) error {
	packed, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	content, err := fs.ReadFile(packed, archive)
	if err := errors.Join(err, packed.Close()); err != nil {
		return err
	}
	file := filepath.Join(dir, archive)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return err
	}
	return errors.Join(client(ctx, dir, "tar", "-xJf", file), os.Remove(file))
}

// client runs a program in dir; its error has the last line that it said.
func client(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, lastLine(string(out)))
	}
	return nil
}

// runnable opens a tree for the account that servers run as. An archive does
// not always carry execute permission.
func runnable(dir string) error {
	programs, err := filepath.Glob(filepath.Join(dir, "bin", "*"))
	for _, program := range programs {
		err = errors.Join(err, os.Chmod(program, 0o755))
	}
	return errors.Join(err, readable(dir))
}
