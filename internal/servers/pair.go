package servers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/evac-io/evac/internal/fault"
)

// Pair gives two installs of different majors that servers can be started
// from, as far apart as can be had, and the install of the newest pg_dump,
// which is at least of the newer major. What is on the machine comes first;
// the rest is fetched.
func Pair(ctx context.Context, cache string, log *slog.Logger) (older, newer, pgDump Install, err error) {
	installs, err := FindPostgres(ctx, cache)
	if err != nil {
		return
	}
	usable, _ := startable(installs)
	if older, newer, pgDump, err = pair(usable); err == nil {
		return
	}
	if installs, err = FetchPostgres(ctx, cache, log); err != nil {
		return
	}
	usable, closed := startable(installs)
	older, newer, pgDump, err = pair(usable)
	if err != nil {
		err = errors.Join(append([]error{err}, closed...)...)
	}
	return
}

// oldestPaired is the oldest major that Pair takes.
const oldestPaired = 10

// startable leaves out what the account that servers run as cannot reach, and
// says why.
func startable(installs []Install) (usable []Install, closed []error) {
	account, err := serverAccount()
	if err != nil {
		return nil, []error{err}
	}
	for _, i := range installs {
		if err := account.reaches(i.Bin); err != nil {
			closed = append(closed, err)
		} else if i.Major >= oldestPaired {
			usable = append(usable, i)
		}
	}
	return usable, closed
}

// pair chooses from installs that are sorted by major.
func pair(installs []Install) (older, newer, pgDump Install, err error) {
	for _, i := range installs {
		if i.PgDump {
			pgDump = i
		}
	}
	for _, i := range installs {
		if i.Major > pgDump.Major {
			continue // no pg_dump reads it
		}
		if older.Bin == "" {
			older = i
		}
		newer = i
	}
	if older.Major == newer.Major {
		err = fault.New(fault.Failed, fmt.Sprintf("find PostgreSQL of two major versions and their pg_dump: found %v", installs),
			"install another PostgreSQL, or name its bin directory in EVAC_POSTGRES_BIN")
	}
	return
}

// Newest gives the newest install that a server can be started from. If there is
// none on the machine, it is fetched.
func Newest(ctx context.Context, cache string, log *slog.Logger) (Install, error) {
	installs, err := FindPostgres(ctx, cache)
	if err != nil {
		return Install{}, err
	}
	usable, closed := startable(installs)
	if len(usable) == 0 {
		if installs, err = FetchPostgres(ctx, cache, log); err != nil {
			return Install{}, err
		}
		usable, closed = startable(installs)
	}
	if len(usable) == 0 {
		none := fault.New(fault.Failed, "find PostgreSQL: there is none here", "install PostgreSQL, or name its bin directory in EVAC_POSTGRES_BIN")
		return Install{}, errors.Join(append([]error{none}, closed...)...)
	}
	return usable[len(usable)-1], nil
}
