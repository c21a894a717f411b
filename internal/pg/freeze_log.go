package pg

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// logEntry is one line of a server's log, as far as its form tells.
type logEntry struct {
	Time, PID, User, Database, Address, Application, Message string
}

// parse reads the lines of the log in the form that the server writes.
func (l serverLog) parse(text []byte) ([]logEntry, error) {
	if path.Ext(l.File) == ".csv" {
		return parseCSVLog(text)
	}
	return parsePlainLog(text, l.Prefix)
}

// Columns of a log in CSV form (PostgreSQL documentation, 19.8.4).
const (
	csvTime, csvUser, csvDatabase, csvPID, csvFrom = 0, 1, 2, 3, 4
	csvMessage, csvApplication                     = 13, 22
)

// parseCSVLog reads as far as whole lines go: the server may be writing the
// last one.
func parseCSVLog(text []byte) (entries []logEntry, err error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the server's log: %w", err)
		}
		if len(line) <= csvApplication {
			continue
		}
		entries = append(entries, logEntry{
			Time: line[csvTime], PID: line[csvPID], User: line[csvUser], Database: line[csvDatabase], Address: withoutPort(line[csvFrom]),
			Application: line[csvApplication], Message: line[csvMessage],
		})
	}
}

func withoutPort(from string) string {
	if i := strings.LastIndexByte(from, ':'); i >= 0 {
		return from[:i]
	}
	return from
}

// prefixEscapes are what log_line_prefix may say and what is learned from it.
var prefixEscapes = map[byte]string{
	'm': `(?P<time>\S+ \S+)(?: \S+)?`, 't': `(?P<time>\S+ \S+)(?: \S+)?`, 'p': `(?P<pid>\d+)`,
	'u': `(?P<user>.*?)`, 'd': `(?P<database>.*?)`, 'h': `(?P<address>\S*?)`, 'r': `(?P<from>\S*?)`, 'a': `(?P<application>.*?)`,
	'q': ``, '%': `%`,
}

// prefixEscape is one of them: -5p has a width, to which it is padded.
var prefixEscape = regexp.MustCompile(`%-?\d*(.)`)

// plainLine is the pattern of a line with this log_line_prefix.
func plainLine(prefix string) (*regexp.Regexp, error) {
	pattern, last := "^", 0
	for _, m := range prefixEscape.FindAllStringSubmatchIndex(prefix, -1) {
		learned, known := prefixEscapes[prefix[m[2]]]
		if !known {
			learned = `\S*?`
		}
		pattern += regexp.QuoteMeta(prefix[last:m[0]]) + ` *` + learned + ` *`
		last = m[1]
	}
	return regexp.Compile(pattern + regexp.QuoteMeta(prefix[last:]) + `(?:LOG|FATAL): +(?P<message>.*)$`)
}

func parsePlainLog(text []byte, prefix string) (entries []logEntry, err error) {
	pattern, err := plainLine(prefix)
	if err != nil {
		return nil, fmt.Errorf("read the server's log with log_line_prefix %q: %w", prefix, err)
	}
	for line := range strings.Lines(string(text)) {
		m := pattern.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		var e logEntry
		fields := map[string]*string{
			"time": &e.Time, "pid": &e.PID, "user": &e.User, "database": &e.Database,
			"address": &e.Address, "from": &e.Address, "application": &e.Application, "message": &e.Message,
		}
		for i, name := range pattern.SubexpNames() {
			if field := fields[name]; field != nil {
				*field = m[i]
			}
		}
		e.Address, _, _ = strings.Cut(e.Address, "(") // 10.0.0.3(5432)
		entries = append(entries, e)
	}
	return entries, nil
}

// What the server says of connections (postinit.c, auth.c, backend_startup.c).
var (
	logReceived   = regexp.MustCompile(`^connection received: host=(\S+)`)
	logAuthorized = regexp.MustCompile(`^connection authorized: user=(.*?)(?: database=(.*?))?(?: application_name=(.*?))?(?: SSL enabled.*| GSS.*)?$`)
	logRefused    = regexp.MustCompile(`^(?:too many connections for (database|role) "(.*)"|permission denied for database "(.*)")$`)
)

// refusedIn counts who was refused the database since a time, most often
// first.
func refusedIn(entries []logEntry, database, since string) []Try {
	told := map[string]logEntry{} // what a process has said of itself, by its number
	counts := map[Try]*Try{}
	for _, e := range entries {
		known := e.learn(told[e.PID])
		if e.PID != "" {
			told[e.PID] = known
		}
		m := logRefused.FindStringSubmatch(e.Message)
		if m == nil || e.Time < since {
			continue
		}
		if m[1] == "role" {
			known.User = m[2]
		} else {
			known.Database = m[2] + m[3]
		}
		if known.Database != database && known.Database != "" {
			continue
		}
		who := Try{User: known.User, Address: known.Address, Application: known.Application}
		if counts[who] == nil {
			counts[who] = &Try{User: who.User, Address: who.Address, Application: who.Application}
		}
		counts[who].Count++
		counts[who].Last = e.Time
	}
	var list []Try
	for _, t := range counts {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b Try) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.String(), b.String()))
	})
	return list
}

// learn adds what a line tells to what its process has said before.
func (e logEntry) learn(known logEntry) logEntry {
	if m := logReceived.FindStringSubmatch(e.Message); m != nil {
		known = logEntry{Address: clientHost(m[1])} // a new process, perhaps of an old number
	}
	if m := logAuthorized.FindStringSubmatch(e.Message); m != nil {
		known.User, known.Database, known.Application = m[1], m[2], m[3]
	}
	// A prefix writes [unknown] where it knows nothing.
	learn := func(field *string, text string) {
		if text != "" && text != "[unknown]" {
			*field = text
		}
	}
	learn(&known.User, e.User)
	learn(&known.Database, e.Database)
	learn(&known.Address, clientHost(e.Address))
	learn(&known.Application, e.Application)
	return known
}

// clientHost is a client's address, "local" for a socket.
func clientHost(address string) string {
	if address == "[local]" {
		return "local"
	}
	return address
}
