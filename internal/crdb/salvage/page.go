package salvage

import (
	"bytes"
	_ "embed"
	"html/template"

	"github.com/dustin/go-humanize"
)

//go:embed report.html
var pageText string

// page is the report as one static page.
func (r *Report) page() ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"bytes": func(n int64) string { return humanize.IBytes(uint64(max(n, 0))) },
		"count": humanize.Comma,
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, r)
	return out.Bytes(), err
}
