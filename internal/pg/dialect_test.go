package pg

import (
	"strings"
	"testing"
)

func TestFit(t *testing.T) {
	const sql = "select a,\n\tb, --[9.5+]\n\tnull, --[<9.5]\n\tc --[10+]"
	for version, want := range map[int]string{
		9_04_00:  "select a,\n\tnull, \n",
		9_05_03:  "select a,\n\tb, \n",
		18_00_04: "select a,\n\tb, \n\tc \n",
	} {
		if got := fitVersion(version, sql); got != want {
			t.Errorf("for %d: %q", version, got)
		}
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]struct {
		number      int
		name, major string
		order       int
	}{
		"9.4.4":                       {9_04_04, "9.4.4", "9.4", 904},
		"9.6.24":                      {9_06_24, "9.6.24", "9.6", 906},
		"10.23":                       {10_00_23, "10.23", "10", 1000},
		"15.20 (Debian 15.20-0+deb1)": {15_00_20, "15.20", "15", 1500},
		"18beta1":                     {18_00_00, "18.0", "18", 1800},
	} {
		n := parseVersion(text)
		if n != want.number || versionName(n) != want.name || majorName(n) != want.major || majorOf(n) != want.order {
			t.Errorf("%s: number %d, name %s, major %s, order %d", text, n, versionName(n), majorName(n), majorOf(n))
		}
	}
}

func TestDirection(t *testing.T) {
	for _, c := range []struct {
		source, target int
		says           string
	}{
		{9_04_04, 9_05_03, ""},
		{9_04_04, 18_00_04, ""},
		{9_06_24, 9_06_01, ""},
		{15_00_20, 15_00_03, ""},
		{9_03_25, 17_00_00, "the source is PostgreSQL 9.3.25; copies begin at 9.4"},
		{9_04_04, 9_04_26, "the target is PostgreSQL 9.4.26; copies go to 9.5 or newer"},
		{9_06_24, 9_05_03, "the target's PostgreSQL 9.5 is older than the source's 9.6"},
		{18_00_04, 15_00_20, "the target's PostgreSQL 15 is older than the source's 18"},
	} {
		err := direction(c.source, c.target)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%d to %d: %v", c.source, c.target, err)
		}
	}
}
