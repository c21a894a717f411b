package wreck

import (
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"
)

// Print writes a result for people, the most important last; what each stage came
// to was told while it went on.
func Print(w io.Writer, r Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "report          %s\n", r.Report)
	verdict := fmt.Sprintf("every one of %s rows is in PostgreSQL %s", humanize.Comma(r.Rows), r.TargetVersion)
	if r.Result != Done {
		verdict = fmt.Sprintf("of %s rows in PostgreSQL %s, %d are MISSING, %d DIFFERENT, %d TOO MANY", humanize.Comma(r.Rows), r.TargetVersion, r.Missing, r.Different, r.Extra)
	}
	fmt.Fprintf(&b, "%s, %.1f s after the disks were found\n", verdict, r.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}
