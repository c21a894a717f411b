package salvage

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSchemaOfWhatIsAsked salvages some tables: schema.sql has them, the types and
// sequences that they need and nothing else; foreign keys to others are named.
func TestSchemaOfWhatIsAsked(t *testing.T) {
	stores := fixture(t, "tiny")
	for _, c := range []struct {
		tables, made []string
		note         string
	}{
		{[]string{"guild_members"}, []string{"TABLE public.guild_members"}, `foreign key "fk_g" of table "kingdom.public.guild_members" is left out: table "kingdom.public.guilds" was not asked for`},
		{[]string{"guild_members", "guilds"}, []string{"TABLE public.guild_members", "TABLE public.guilds"}, ""},
		{[]string{"mailbox"}, []string{"SEQUENCE public.mail_seq", "SEQUENCE public.unique_rowid START 4611686018427387904", "TABLE public.mailbox"}, ""},
		{[]string{"users"}, []string{"TABLE public.users"}, ""},
		{[]string{"gacha"}, []string{"TABLE public.gacha", "TYPE public.rarity"}, ""},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		var names []string
		for _, name := range c.tables {
			names = append(names, "kingdom.public."+name)
		}
		rep, err := Run(t.Context(), stores, dir, Options{Tables: names}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
		if err != nil {
			t.Fatal(err)
		}
		var made []string
		for _, m := range regexp.MustCompile(`(?m)^CREATE ((?:TABLE|SEQUENCE|TYPE|VIEW|SCHEMA)[^(\n;]*?)(?: MINVALUE.*| INCREMENT.*| AS ENUM.*| \(.*|;)?$`).FindAllStringSubmatch(string(text), -1) {
			made = append(made, strings.TrimSpace(m[1]))
		}
		slices.Sort(made)
		if diff := cmp.Diff(c.made, made); diff != "" {
			t.Errorf("%q: %s\n%s", c.tables, diff, text)
		}
		if n := strings.Count(string(text), "FOREIGN KEY"); n != len(c.tables)-1 {
			t.Errorf("%q: %d foreign keys\n%s", c.tables, n, text)
		}
		left := slices.DeleteFunc(slices.Clone(rep.Notes), func(s string) bool { return !strings.Contains(s, "was not asked for") })
		if got := strings.Join(left, "\n"); got != c.note || !rep.Complete {
			t.Errorf("%q: complete is %v, notes %q", c.tables, rep.Complete, got)
		}
		if whole, err := os.ReadFile(filepath.Join(dir, "schema.cockroach.sql")); err != nil || strings.Count(string(whole), "CREATE TABLE") < 20 {
			t.Errorf("%q: schema.cockroach.sql does not describe all tables: %v", c.tables, err)
		}
	}
}
