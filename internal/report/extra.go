package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Extra is what is known of a run besides its journal: what its users saw, and
// what was counted afterwards. The zero value is right.
type Extra struct {
	// Orders is what became of what users were promised, nil if nobody counted.
	Orders *Orders `json:"orders,omitempty"`
	// Outages are the longest times without a success, one of each class.
	Outages []Outage `json:"outages,omitempty"`
	// Seconds is the traffic second by second, in time order.
	Seconds []Second `json:"seconds,omitempty"`
	// Tables are printed as they are, behind the proof.
	Tables []Table `json:"tables,omitempty"`
	// Zone is the time zone of all clocks; nil: the machine's.
	Zone *time.Location `json:"-"`
}

// Orders counts promises to users against what is there.
type Orders struct {
	Acknowledged int64  `json:"acknowledged"`
	Missing      int64  `json:"missing"`
	Twice        int64  `json:"twice"`
	On           string `json:"on,omitempty"` // where they were looked for: "target"
}

// Classes of requests.
const (
	Write = "write"
	Read  = "read"
)

// Outage is the longest time in which no request of a class succeeded, from
// the last success before to the first one after.
type Outage struct {
	Kind string    `json:"kind"` // Write or Read
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Second is the requests of one class in one second.
type Second struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"` // Write or Read
	Requests int64     `json:"requests"`
	Failed   int64     `json:"failed"`
}

// Table is a table with a title; a column whose name begins with ">" stands to
// the right.
type Table struct {
	Title  string     `json:"title"`
	Header []string   `json:"header"`
	Rows   [][]string `json:"rows"`
}

// ReadExtra reads an Extra from a JSON file; a file that is not there is an
// empty Extra.
func ReadExtra(path string) (Extra, error) {
	var extra Extra
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return extra, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &extra)
	}
	if err != nil {
		return extra, fmt.Errorf("read what the report adds to the journal: %w", err)
	}
	return extra, nil
}
