// Package syntax turns the text of a runbook, HCL or JSON, into one kind of
// syntax tree, refusing first what would overrun the parser, and lays text
// out in the canonical form. It knows which blocks there are, not what they
// mean.
package syntax

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// File is a parsed text.
type File struct {
	Source *diag.Source
	// JSON tells that references stand in quotes.
	JSON bool
	Body *hclsyntax.Body
	// Whole tells that the tree has everything that stands in the text, though
	// a name may be given twice.
	Whole bool
}

// Grammar names the blocks of a body, how many labels each has and what
// blocks stand in it. JSON cannot tell a block from an attribute without it.
type Grammar map[string]Shape

// Shape is the shape of one type of block.
type Shape struct {
	Labels []string // what each label means: "kind", "name"
	Blocks Grammar
}

// Parse reads a text. If anything is wrong the tree must not be used, unless
// it is whole, and then only to find more that is wrong.
func Parse(name string, text []byte, grammar Grammar) (*File, diag.List) {
	f, list := read(name, text)
	if list.HasErrors() {
		return f, list
	}
	if f.JSON {
		list.Add(f.parseJSON(grammar)...)
		return f, list
	}
	list.Add(f.parseHCL()...)
	return f, list
}

// read takes the byte order mark and carriage returns away and refuses what
// is no text at all.
func read(name string, text []byte) (*File, diag.List) {
	whole := hcl.Range{Filename: name}
	f := &File{Source: diag.NewSource(name, nil)}
	list := diag.NewList(f.Source)
	if len(text) > MaxBytes {
		list.Add(diag.At(whole, "file has %d MiB, more than the %d that a runbook may have", len(text)>>20, MaxBytes>>20).
			Hint("put data into files of its own and let steps name them"))
		return f, list
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.TrimRight(lineEnds.ReplaceAll(text, []byte("\n")), "\r")
	f.Source = diag.NewSource(name, text)
	list = diag.NewList(f.Source)
	if at := invalidUTF8(text); at >= 0 {
		list.Add(diag.At(f.byteRange(at), "byte 0x%02x is not UTF-8", text[at]).
			Hint("save the file as UTF-8; to convert from Korean Windows: iconv -f cp949 -t utf-8"))
		return f, list
	}
	if at := bytes.IndexByte(text, 0); at >= 0 {
		list.Add(diag.At(f.byteRange(at), "file holds a zero byte").Hint("a runbook is plain UTF-8 text"))
		return f, list
	}
	if dense(text) {
		list.Add(diag.At(whole, "file has more than %d words and signs", maxWords).Hint("split the operation into several runbooks"))
		return f, list
	}
	f.JSON = strings.EqualFold(filepath.Ext(name), ".json") || bytes.HasPrefix(bytes.TrimLeft(text, " \t\n"), []byte("{"))
	return f, list
}

// lineEnds are line ends as other systems write them.
var lineEnds = regexp.MustCompile(`\r+\n`)

func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for at := 0; ; {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
}

// byteRange is the range of one byte.
func (f *File) byteRange(at int) hcl.Range {
	before := f.Source.Text[:at]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	start := hcl.Pos{Line: line, Column: column, Byte: at}
	end := hcl.Pos{Line: line, Column: column + 1, Byte: at + 1}
	return hcl.Range{Filename: f.Source.Name, Start: start, End: end}
}

func (f *File) parseHCL() []*diag.Diagnostic {
	if found := checkTokens(f.tokens()); len(found) > 0 {
		return found
	}
	file, found := hclsyntax.ParseConfig(f.Source.Text, f.Source.Name, hcl.InitialPos)
	f.Body = file.Body.(*hclsyntax.Body)
	said := append(f.translate(found), tooLong(f.Body)...)
	f.Whole = !slices.ContainsFunc(found, func(d *hcl.Diagnostic) bool { return d.Summary != twice })
	return said
}

func (f *File) tokens() hclsyntax.Tokens {
	tokens, _ := hclsyntax.LexConfig(f.Source.Text, f.Source.Name, hcl.InitialPos) // the parser says the same again
	return tokens
}

// tooLong refuses expressions whose evaluation would take long.
func tooLong(body *hclsyntax.Body) []*diag.Diagnostic {
	var found []*diag.Diagnostic
	for _, attr := range body.Attributes {
		if rng := attr.Expr.Range(); rng.End.Byte-rng.Start.Byte > maxExpression {
			found = append(found, diag.At(attr.NameRange, "%q has %d KiB, more than the %d that a value may have",
				attr.Name, (rng.End.Byte-rng.Start.Byte)>>10, maxExpression>>10).Hint("put it into a file and let the step name the file"))
		}
	}
	for _, block := range body.Blocks {
		found = append(found, tooLong(block.Body)...)
	}
	return found
}

func (f *File) parseJSON(grammar Grammar) []*diag.Diagnostic {
	if found := f.checkJSONNesting(); found != nil {
		return []*diag.Diagnostic{found}
	}
	root, found := json.ParseExpressionWithStartPos(f.Source.Text, f.Source.Name, hcl.InitialPos)
	if found.HasErrors() {
		return diag.FromHCL(found)
	}
	r := jsonReader{file: f}
	f.Body = r.body(root, root.Range(), grammar)
	f.Whole = len(r.found) == 0
	return r.found
}
