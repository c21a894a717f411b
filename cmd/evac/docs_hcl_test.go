package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/kinds"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/step"
)

// TestHCL checks every piece of HCL in the documents. A block "hcl" is a whole
// runbook; "hcl fragment", and the examples of the kinds' pages, are parts of
// one.
func TestHCL(t *testing.T) {
	registry, err := kinds.Registry()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for file, text := range documents(t) {
		for _, m := range hclBlock.FindAllStringSubmatchIndex(text, -1) {
			found++
			info, code := text[m[2]:m[3]], text[m[4]:m[5]]
			name := fmt.Sprintf("%s:%d", file, strings.Count(text[:m[0]], "\n")+1)
			t.Run(name, func(t *testing.T) {
				if info == "fragment" || strings.Contains(file, "kinds") {
					code = whole(code)
				}
				checkHCL(t, registry, code)
			})
		}
	}
	if found == 0 {
		t.Error("there is no HCL in the documents")
	}
}

var hclBlock = regexp.MustCompile("(?s)```hcl ?([a-z]*)\n(.*?)```")

// documents are the texts that users read, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	texts := map[string]string{}
	read := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimPrefix(path, root+string(filepath.Separator))] = string(text)
	}
	read(filepath.Join(root, "README.md"))
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".md" {
			read(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// checkHCL binds a runbook without values, as check does before anybody has
// given some.
func checkHCL(t *testing.T, registry *step.Registry, code string) {
	t.Helper()
	book, diags := runbook.Parse("runbook.hcl", []byte(code), registry)
	if err := diags.Err(); err != nil {
		t.Fatalf("%v", err)
	}
	if _, diags := book.Bind(runbook.Input{Runner: "somebody", Plan: true}); diags.HasErrors() {
		t.Fatalf("%v", diags.Err())
	}
	for _, d := range book.Drills {
		if _, diags := book.Bind(runbook.Input{Drill: d.Name, Runner: "somebody", Plan: true}); diags.HasErrors() {
			t.Errorf("%v", diags.Err())
		}
	}
}

var usesVariable = regexp.MustCompile(`var\.([a-z_]+)`)

// whole puts around a fragment what a runbook needs besides.
func whole(code string) string {
	if !strings.Contains(code, "stage \"") {
		code = "stage \"example\" {\n" + code + "\n}\n"
	}
	code = "runbook \"example\" {}\n" + code
	for _, m := range usesVariable.FindAllStringSubmatch(code, -1) {
		if declaration := "variable \"" + m[1] + "\""; !strings.Contains(code, declaration) {
			code += declaration + " {\n  secret = true\n}\n"
		}
	}
	if !strings.Contains(code, "people {") {
		code += "people {\n  kim  = \"lead\"\n  park = \"database\"\n  lee  = \"gateway\"\n}\n"
	}
	return code
}
