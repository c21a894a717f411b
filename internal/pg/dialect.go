package pg

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// fit leaves out of a query the lines that conn's server does not understand.
// A line that ends in --[9.5+] is for servers from 9.5 on, one that ends in
// --[<9.5] for those before.
func fit(conn *pgx.Conn, sql string) string { return fitVersion(versionOf(conn), sql) }

func fitVersion(version int, sql string) string {
	return bound.ReplaceAllStringFunc(sql, func(line string) string {
		m := bound.FindStringSubmatch(line)
		if older := version < parseVersion(m[2]); older == (m[1] == "<") {
			return strings.TrimSuffix(line, m[0][strings.LastIndex(m[0], "--["):]) + "\n"
		}
		return ""
	})
}

var bound = regexp.MustCompile(`(?m)^.*--\[(<?)([\d.]+)\+?\][ \t]*(?:\n|\z)`)

// versionOf is the server's version number as it said at login, 90404 for
// 9.4.4 and 150020 for 15.20.
func versionOf(conn *pgx.Conn) int {
	return parseVersion(conn.PgConn().ParameterStatus("server_version"))
}

var versionParts = regexp.MustCompile(`^(\d+)(?:\.(\d+))?(?:\.(\d+))?`)

// parseVersion reads "9.4.4", "15.20 (Debian 15.20-1)" and "18beta1".
func parseVersion(text string) int {
	var n [3]int
	if m := versionParts.FindStringSubmatch(text); m != nil {
		for i := range n {
			n[i], _ = strconv.Atoi(m[i+1]) // digits or nothing
		}
	}
	if n[0] < 10 {
		return n[0]*100_00 + n[1]*100 + n[2]
	}
	return n[0]*100_00 + n[1]
}

// versionName writes 150018 as 15.18 and 90404 as 9.4.4.
func versionName(version int) string {
	if version < 10_00_00 {
		return majorName(version) + "." + strconv.Itoa(version%100)
	}
	return majorName(version) + "." + strconv.Itoa(version%100_00)
}

// majorName writes the major version as PostgreSQL names it: 150018 is of 15,
// 90404 of 9.4.
func majorName(version int) string {
	name := strconv.Itoa(version / 100_00)
	if version < 10_00_00 {
		name += "." + strconv.Itoa(version/100%100)
	}
	return name
}

// majorOf orders major versions: 9.4 is 904, 10 is 1000.
func majorOf(version int) int {
	if version < 10_00_00 {
		return version / 100
	}
	return version / 100_00 * 100
}

// Oldest versions that evac knows.
const (
	oldestSource = 9_04_00
	oldestTarget = 9_05_00
)

// direction refuses servers that the copy does not go between.
func direction(source, target int) error {
	switch from, to := majorName(source), majorName(target); {
	case source < oldestSource:
		return fault.New(fault.Failed, fmt.Sprintf("the source is PostgreSQL %s; copies begin at %s", versionName(source), majorName(oldestSource)), "")
	case majorOf(target) < majorOf(source):
		return fault.New(fault.Failed, fmt.Sprintf("the target's PostgreSQL %s is older than the source's %s: a copy goes to the same major version or a newer one", to, from),
			fmt.Sprintf("take a target of PostgreSQL %s or newer", from))
	case target < oldestTarget:
		return fault.New(fault.Failed, fmt.Sprintf("the target is PostgreSQL %s; copies go to %s or newer", versionName(target), majorName(oldestTarget)), "")
	}
	return nil
}
