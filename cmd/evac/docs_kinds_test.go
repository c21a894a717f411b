package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/kinds"
	"github.com/evac-io/evac/internal/view"
)

// TestKindPages keeps docs/kinds as the code says it.
func TestKindPages(t *testing.T) {
	registry, err := kinds.Registry()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"README.md": view.Kinds(registry, "*").Markdown()}
	for _, name := range registry.Names() {
		kind, schema, _ := registry.Kind(name)
		want[name+".md"] = view.KindOf(kind, schema).Markdown()
	}
	if diff := cmp.Diff(want, pages(t, filepath.Join("..", "..", "docs", "kinds"))); diff != "" {
		t.Errorf("docs/kinds is not what the code says; run `make docs` (-code +docs):\n%s", diff)
	}
}

// pages reads a directory of documents.
func pages(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = string(text)
	}
	return texts
}
