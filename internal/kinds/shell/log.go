package shell

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
)

// logLimit is the size at which a log is put aside as PATH.1 and begun anew,
// in bytes: of a talkative command the newest 8 to 16 MiB are kept.
const logLimit = 8 << 20

// rollingLog is a command's output on disk. A full disk must not disturb the
// command: the first error is kept, the rest of the output dropped.
type rollingLog struct {
	path string
	file *os.File
	size int64
	err  error
}

func openLog(path string) *rollingLog {
	l := &rollingLog{path: path}
	l.open()
	return l
}

func (l *rollingLog) open() {
	l.size = 0
	l.file, l.err = os.OpenFile(l.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

// Write never fails: see err.
func (l *rollingLog) Write(p []byte) (int, error) {
	if l.err == nil && l.size >= logLimit {
		if l.err = errors.Join(l.file.Close(), os.Rename(l.path, l.path+".1")); l.err == nil {
			l.open()
		}
	}
	if l.err == nil {
		var n int
		n, l.err = l.file.Write(p)
		l.size += int64(n)
	}
	return len(p), nil
}

// readTail reads the last bytes of a log, at most so many.
func readTail(path string, most int64) (string, error) {
	text, err := readEnd(path, most)
	if err != nil || int64(len(text)) == most {
		return text, err
	}
	before, err := readEnd(path+".1", most-int64(len(text)))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return before + text, err
}

func readEnd(path string, most int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	from := max(0, size-most)
	text, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	return string(text), err
}

// tailBuffer keeps the last bytes that are written to it.
type tailBuffer struct {
	most int
	text []byte
}

// Write keeps p, and forgets what is too old.
func (b *tailBuffer) Write(p []byte) (int, error) {
	b.text = append(b.text, p...)
	if over := len(b.text) - b.most; over > 0 {
		b.text = append(b.text[:0], b.text[over:]...)
	}
	return len(p), nil
}

// escapes are a terminal's control sequences (ECMA-48, 5.4).
var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]`)

// readable makes a program's output fit to be shown: whole lines without
// colours and control characters. A carriage return begins a line, since it
// is how a progress bar draws itself again.
func readable(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	text = escapes.ReplaceAllString(strings.ToValidUTF8(text, "?"), "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(text)
}

// lastLine is the last line of a readable text.
func lastLine(text string) string {
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
