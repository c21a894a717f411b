package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetConfig(t *testing.T) {
	for config, want := range map[string]string{
		"work_mem=8MB":                           `a set "work_mem" to '8MB'`,
		`search_path="$user", app, "Odd, ""p"""`: `a set "search_path" to '$user', 'app', 'Odd, "p"'`,
		`search_path=""`:                         `a set "search_path" to ''`,
		"evac.own=it's = x, y":                   `a set "evac"."own" to 'it''s = x, y'`,
		"DateStyle=ISO, MDY":                     `a set "DateStyle" to 'ISO, MDY'`,
	} {
		if got := setConfig("a", config); got != want {
			t.Errorf("%s gives %s, want %s", config, got, want)
		}
	}
}

func TestGrants(t *testing.T) {
	public, reader := (*string)(nil), "re\"ader"
	rights := acl{
		{"own", public, "CONNECT", false}, {"own", &reader, "CREATE", true}, {"own", public, "TEMPORARY", false}, {"other", &reader, "CONNECT", false},
	}
	want := []string{
		`revoke all on database "d" from public`, `revoke all on database "d" from "own"`,
		`grant connect, temporary on database "d" to public`,
		`grant create on database "d" to "re""ader" with grant option`,
		`set session authorization "other"; grant connect on database "d" to "re""ader"; reset session authorization`,
	}
	if diff := cmp.Diff(want, rights.grants(`database "d"`, "own")); diff != "" {
		t.Error(diff)
	}
}
