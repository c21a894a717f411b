package pg

import (
	"archive/tar"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// truthOf is a file of what the real database of a fixture held.
func truthOf(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("EVAC_FIXTURES")
	if root == "" {
		t.Fatal("EVAC_FIXTURES does not name the folder of the real stores")
	}
	return filepath.Join(root, "tiny-v20.2a", "truth", name)
}

func truthRows(t testing.TB, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile(truthOf(t, name))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func parsed(t testing.TB, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// salvaged makes the folder that a salvage of the tiny fixture would leave:
// the schema by its descriptors, the rows as the real database gave them, cut
// into parts of that many rows.
func salvaged(t testing.TB, rowsOfPart int) string {
	t.Helper()
	var descs []catalog.Raw
	for i, row := range truthRows(t, "descriptors.csv") {
		b, err := hex.DecodeString(row[1])
		if err != nil {
			t.Fatal(err)
		}
		descs = append(descs, catalog.Raw{ID: parsed(t, row[0]), At: keys.Timestamp{Wall: int64(1000 + i)}, Bytes: b})
	}
	var names []catalog.Name
	for _, row := range truthRows(t, "namespace.csv") {
		names = append(names, catalog.Name{ID: parsed(t, row[0]), Parent: parsed(t, row[1]), Name: row[2]})
	}
	all, _ := catalog.Load(descs, names)
	var schema bytes.Buffer
	if _, err := catalog.WritePostgres(&schema, all); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&schema, "SELECT pg_catalog.setval('public.mail_seq', 1897, true);")
	database := ""
	for _, table := range all.Tables {
		if table.Name == "users" && !table.System() {
			database = table.Database
		}
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "schema.sql"), schema.String())
	for name, text := range truthCSV(t) {
		writeParts(t, filepath.Join(dir, "data", url.PathEscape(database), "public."+url.PathEscape(name)), text, rowsOfPart)
	}
	return dir
}

func put(t testing.TB, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// truthCSV are the real database's tables by name.
func truthCSV(t testing.TB) map[string][]byte {
	t.Helper()
	f, err := os.Open(truthOf(t, "csv.tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for archive := tar.NewReader(z); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err == nil && strings.HasSuffix(head.Name, ".csv") {
			files[strings.TrimSuffix(filepath.Base(head.Name), ".csv")], err = io.ReadAll(archive)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// writeParts writes a table as a salvage does: null is an empty field without
// quotes, an empty text one with them.
func writeParts(t testing.TB, dir string, text []byte, rowsOfPart int) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for part := 0; part == 0 || part*rowsOfPart < len(rows)-1; part++ {
		var b strings.Builder
		writeLine(&b, rows[0])
		for _, row := range rows[1+part*rowsOfPart : min(1+(part+1)*rowsOfPart, len(rows))] {
			writeLine(&b, row)
		}
		put(t, filepath.Join(dir, fmt.Sprintf("part-%05d.csv", part)), b.String())
	}
}

func writeLine(b *strings.Builder, row []string) {
	for i, v := range row {
		if i > 0 {
			b.WriteByte(',')
		}
		v = plainLabels(v)
		switch {
		case v == "<<NULL>>":
		case v == "" || v == `\.` || strings.ContainsAny(v, ",\"\r\n"):
			b.WriteString(`"` + strings.ReplaceAll(v, `"`, `""`) + `"`)
		default:
			b.WriteString(v)
		}
	}
	b.WriteByte('\n')
}

// escapedLabel is how that database's release printed a label within an array.
var escapedLabel = regexp.MustCompile(`"e'((?:\\\\U[0-9A-F]{8})+)'"`)

// plainLabels writes such labels as every other database does.
func plainLabels(v string) string {
	return escapedLabel.ReplaceAllStringFunc(v, func(label string) string {
		var out strings.Builder
		for _, hex := range strings.Split(escapedLabel.FindStringSubmatch(label)[1], `\\U`)[1:] {
			if n, err := strconv.ParseUint(hex, 16, 32); err == nil {
				out.WriteRune(rune(n))
			}
		}
		return out.String()
	})
}
