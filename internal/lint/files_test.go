package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ban is something no file may contain, and what to do instead.
type ban struct {
	finds   func(*ast.File, ast.Node) bool
	except  []string // files
	tests   bool     // tests are bound too
	instead string
}

var bans = []ban{
	{finds: calls("os", "Exit"), except: []string{"cmd/evac/exit.go"}, instead: "return an error: only exit.go ends the process, after everything is closed"},
	{finds: calls("log", "Fatal"), instead: "return an error"},
	{finds: calls("time", "Sleep"), tests: true, instead: "wait for the event itself, or for a timer in a select with the context"},
	{finds: isInit, instead: "call it from main: what runs by itself cannot be ordered or tested"},
}

func TestBans(t *testing.T) {
	for _, name := range files(t, ".go") {
		isTest := strings.HasSuffix(name, "_test.go")
		fset := token.NewFileSet()
		text, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // deleted, not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, b := range bans {
			if isTest && !b.tests || contains(b.except, name) {
				continue
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if n != nil && b.finds(file, n) {
					t.Errorf("%s: %s", fset.Position(n.Pos()), b.instead)
				}
				return true
			})
		}
	}
}

// TestPackagesAreDocumented wants one package comment in every package.
func TestPackagesAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, name := range files(t, ".go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		dir := filepath.Dir(name)
		documented[dir] = documented[dir] || file.Doc != nil
	}
	for dir, yes := range documented {
		if !yes {
			t.Errorf("package %s has no comment that says what it is for", dir)
		}
	}
}

func calls(pkg, prefix string) func(*ast.File, ast.Node) bool {
	return func(_ *ast.File, n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		x, ok := sel.X.(*ast.Ident)
		return ok && x.Name == pkg && strings.HasPrefix(sel.Sel.Name, prefix)
	}
}

func isInit(_ *ast.File, n ast.Node) bool {
	f, ok := n.(*ast.FuncDecl)
	return ok && f.Recv == nil && f.Name.Name == "init"
}

func contains(list []string, text string) bool {
	for _, item := range list {
		if item == text {
			return true
		}
	}
	return false
}
