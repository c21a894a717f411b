package view

import (
	"io"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/evac-io/evac/internal/view/text"
)

// screen rewrites the last lines of a terminal, its frame. Lines above the
// frame scroll up and stay. The cursor waits on the line below the frame,
// hidden while there is one.
type screen struct {
	out    io.Writer
	frame  []string
	hidden bool
}

// draw puts permanent lines above the frame and a new frame in place of the
// old one, in one write. No line passes the columns: a longer one is broken.
func (s *screen) draw(permanent, frame []string, columns, rows int) {
	permanent, frame = broken(permanent, columns), broken(frame, columns)
	frame = frame[:min(len(frame), max(rows-1, 1))]
	if len(permanent) == 0 && slices.Equal(frame, s.frame) {
		return
	}
	var b strings.Builder
	b.WriteString(ansi.SetModeSynchronizedOutput)
	if !s.hidden {
		b.WriteString(ansi.ResetModeTextCursorEnable)
		s.hidden = true
	}
	s.up(&b, columns)
	for _, line := range slices.Concat(permanent, frame) {
		b.WriteString(ansi.EraseEntireLine + line + "\r\n")
	}
	b.WriteString(ansi.EraseScreenBelow + ansi.ResetModeSynchronizedOutput)
	s.frame = frame
	s.put(b.String())
}

// clear takes the frame away and gives the cursor back.
func (s *screen) clear(columns int) {
	var b strings.Builder
	s.up(&b, columns)
	if len(s.frame) > 0 {
		b.WriteString(ansi.EraseScreenBelow)
	}
	if s.hidden {
		b.WriteString(ansi.SetModeTextCursorEnable)
	}
	s.frame, s.hidden = nil, false
	s.put(b.String())
}

// up moves to the frame's first line. In a terminal that became narrower the
// frame's lines have been broken, and it is higher than it was drawn.
func (s *screen) up(b *strings.Builder, columns int) {
	height := 0
	for _, line := range s.frame {
		height += max((text.Width(line)+columns-1)/columns, 1)
	}
	if height > 0 {
		b.WriteString("\r" + ansi.CursorUp(height))
	}
}

// put writes. There is nobody to tell when the terminal is gone: the run goes
// on without it.
func (s *screen) put(sequence string) {
	if sequence != "" {
		_, _ = io.WriteString(s.out, sequence)
	}
}

// broken breaks the lines that are longer than the columns.
func broken(lines []string, columns int) []string {
	fit := make([]string, 0, len(lines))
	for _, line := range lines {
		if text.Width(line) > columns {
			fit = append(fit, strings.Split(ansi.Hardwrap(line, columns, true), "\n")...)
			continue
		}
		fit = append(fit, line)
	}
	return fit
}
