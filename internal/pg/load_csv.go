package pg

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// csvRows reads a file of salvaged rows: RFC 4180 with a header line, lines
// ended by a line feed or by carriage return and line feed.
type csvRows struct {
	file   *os.File
	in     *bufio.Reader
	null   string
	header []string
	line   []byte // the record that next found, without its line end
	crlf   bool
	fields []csvField
	// unquoted holds fields that had quotes within.
	unquoted []byte
	record   int64 // from 1, which is the header
	skip     map[int64]bool
	own      ownText
}

// csvField is one value; nil is null.
type csvField []byte

// csvBuffer is how much of a file is read at once.
const csvBuffer = 256 << 10

// openCSV opens a file and reads its header line.
func openCSV(path, null string) (*csvRows, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c := &csvRows{file: file, in: bufio.NewReaderSize(file, csvBuffer), null: null}
	if err = c.next(); errors.Is(err, io.EOF) {
		err = errors.New("it has no header line")
	}
	if err == nil && len(c.fields) == 1 && c.fields[0] == nil {
		c.fields = nil // a table without columns
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %q: %w", path, err), file.Close())
	}
	for _, f := range c.fields {
		c.header = append(c.header, string(f))
	}
	return c, nil
}

func (c *csvRows) close() error { return c.file.Close() }

// next reads a record that is not to be skipped into fields; they are good until
// the next call. At the end it gives io.EOF.
func (c *csvRows) next() error {
	for skipped := true; skipped; skipped = c.skip[c.record] {
		if err := c.read(); err != nil {
			return err
		}
		c.record++
	}
	if err := c.split(); err != nil {
		return fmt.Errorf("record %d: %w", c.record, err)
	}
	return nil
}

// read finds the record's end: a line end with as many quotes before it as
// close each other.
func (c *csvRows) read() error {
	c.line = c.line[:0]
	for quotes := 0; ; {
		piece, err := c.in.ReadSlice('\n')
		quotes += bytes.Count(piece, []byte{'"'})
		c.line = append(c.line, piece...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(c.line) == 0:
			return io.EOF
		case errors.Is(err, io.EOF):
			return fmt.Errorf("record %d: the file ends within: %w", c.record+1, io.ErrUnexpectedEOF)
		case err != nil:
			return err
		case quotes%2 == 0:
			c.trim()
			return nil
		}
	}
}

func (c *csvRows) trim() {
	c.line = c.line[:len(c.line)-1]
	end := len(c.line) > 0 && c.line[len(c.line)-1] == '\r'
	if c.record == 0 {
		c.crlf = end
	}
	if c.crlf && end {
		c.line = c.line[:len(c.line)-1]
	}
}

// split cuts the record into its fields.
func (c *csvRows) split() error {
	c.fields, c.unquoted = c.fields[:0], c.unquoted[:0]
	rest := c.line
	for {
		var value csvField
		var err error
		if len(rest) > 0 && rest[0] == '"' {
			value, rest, err = c.quoted(rest[1:])
		} else {
			end := bytes.IndexByte(rest, ',')
			if end < 0 {
				end = len(rest)
			}
			value, rest = rest[:end:end], rest[end:]
			if string(value) == c.null {
				value = nil
			} else if bytes.IndexByte(value, '"') >= 0 {
				err = errors.New("a quote stands within a value that is not quoted")
			}
		}
		if err != nil {
			return err
		}
		c.fields = append(c.fields, value)
		if len(rest) == 0 {
			break
		}
		rest = rest[1:] // the comma
	}
	if c.header != nil && len(c.fields) != len(c.header) {
		return fmt.Errorf("it has %d values, the header %d", len(c.fields), len(c.header))
	}
	return nil
}

// quoted reads a quoted value whose first quote is gone.
func (c *csvRows) quoted(in []byte) (value csvField, rest []byte, err error) {
	from, doubled := 0, false
	for at := 0; ; {
		i := bytes.IndexByte(in[at:], '"')
		if i < 0 {
			return nil, nil, errors.New("a quote does not end")
		}
		at += i
		if at+1 < len(in) && in[at+1] == '"' {
			if !doubled {
				// The buffer may move as it grows; values before keep the old one.
				from, doubled = len(c.unquoted), true
			}
			c.unquoted = append(c.unquoted, in[:at+1]...)
			in, at = in[at+2:], 0
			continue
		}
		value = in[:at:at]
		if doubled {
			c.unquoted = append(c.unquoted, value...)
			value = c.unquoted[from:len(c.unquoted):len(c.unquoted)]
		}
		if at+1 < len(in) && in[at+1] != ',' {
			return nil, nil, errors.New("something stands behind a quoted value")
		}
		return value, in[at+1:], nil
	}
}

// appendText writes the fields of the record, in some order, as a row of COPY's
// text form, without a line end.
func (c *csvRows) appendText(dst []byte, order []int) []byte {
	for i, at := range order {
		if i > 0 {
			dst = append(dst, '\t')
		}
		dst = appendEscaped(dst, c.fields[at])
	}
	return dst
}

// appendOwn is appendText with PostgreSQL's own text of the values.
func (c *csvRows) appendOwn(dst []byte, order []int, forms []valueForm) []byte {
	for i, at := range order {
		if i > 0 {
			dst = append(dst, '\t')
		}
		v := c.fields[at]
		if forms[i] != asItIs && v != nil {
			v = c.own.of(forms[i], v)
		}
		dst = appendEscaped(dst, v)
	}
	return dst
}

// appendEscaped writes one value in COPY's text form.
func appendEscaped(dst []byte, value csvField) []byte {
	if value == nil {
		return append(dst, `\N`...)
	}
	from := 0
	for i, c := range value {
		if short := escapes[c]; short != 0 {
			dst = append(append(dst, value[from:i]...), '\\', short)
			from = i + 1
		}
	}
	return append(dst, value[from:]...)
}

// places are where the columns stand in the header.
func (c *csvRows) places(columns []string) ([]int, error) {
	order := make([]int, len(columns))
	for i, name := range columns {
		if order[i] = slices.Index(c.header, name); order[i] < 0 {
			return nil, fmt.Errorf("column %q is not in the file", name)
		}
	}
	return order, nil
}

// rowReader gives the rows of a file as a COPY takes them.
type rowReader struct {
	rows *csvRows
	// row appends the row that was read.
	row func(dst []byte) ([]byte, error)
	// begin stands before the rows, end behind them.
	begin, end []byte
	// odd are rows, in COPY's text form, that must follow in another COPY.
	odd []byte
	buf []byte
	at  int
	err error // that ended it, or io.EOF
}

// textReader gives some columns of a file as COPY's text form.
func textReader(rows *csvRows, order []int) *rowReader {
	return &rowReader{rows: rows, row: func(dst []byte) ([]byte, error) { return append(rows.appendText(dst, order), '\n'), nil }}
}

// lineReader gives the records as they stand in the file, without its header.
func lineReader(rows *csvRows) *rowReader {
	return &rowReader{rows: rows, row: func(dst []byte) ([]byte, error) { return append(append(dst, rows.line...), '\n'), nil }}
}

// summed lets each row be added up as well.
func (r *rowReader) summed(s *rowSummer) {
	row := r.row
	r.row = func(dst []byte) ([]byte, error) {
		if err := s.add(); err != nil {
			return dst, err
		}
		return row(dst)
	}
}

// Read implements io.Reader.
func (r *rowReader) Read(p []byte) (int, error) {
	if r.at == len(r.buf) {
		if r.err != nil {
			return 0, r.err
		}
		if r.fill(); r.err != nil && !errors.Is(r.err, io.EOF) {
			return 0, r.err
		}
	}
	n := copy(p, r.buf[r.at:])
	r.at += n
	if n == 0 {
		return 0, r.err
	}
	return n, nil
}

// fill gathers rows.
func (r *rowReader) fill() {
	r.buf, r.at = append(r.buf[:0], r.begin...), 0
	r.begin = nil
	for len(r.buf) < relayBytes && r.err == nil {
		if r.err = r.rows.next(); r.err == nil {
			r.buf, r.err = r.row(r.buf)
		} else if errors.Is(r.err, io.EOF) {
			r.buf = append(r.buf, r.end...)
		}
	}
}
