package store

import (
	"math"
	"sort"
	"strconv"
	"strings"
)

// listing is the files of a store's directory, sorted into what they are.
type listing struct {
	tables    map[uint64]FileInfo
	blobs     map[uint64]FileInfo
	logs      []logFile // by number, then by segment
	manifests []uint64
	options   []uint64
	markers   map[string]marker
	other     map[string]int64
	files     int
	bytes     int64
}

// logFile is one file of a write-ahead log. A log that had to change its
// directory goes on in a further segment.
type logFile struct {
	number  uint64
	segment int
	fs      FS
	FileInfo
}

// marker is the newest of the empty files `marker.NAME.ITERATION.VALUE`.
type marker struct {
	iteration uint64
	value     string
}

func readListing(from FS) (*listing, error) {
	files, err := from.List(".")
	if err != nil {
		return nil, err
	}
	l := &listing{tables: map[uint64]FileInfo{}, blobs: map[uint64]FileInfo{}, markers: map[string]marker{}, other: map[string]int64{}}
	for _, f := range files {
		l.files++
		l.bytes += f.Size
		l.add(from, f)
	}
	l.sort()
	return l, nil
}

func (l *listing) add(from FS, f FileInfo) {
	base, ext, _ := strings.Cut(f.Name, ".")
	n, isNumber := number(base, true)
	switch {
	case ext == "sst" && isNumber:
		l.tables[n] = f
	case ext == "blob" && isNumber:
		l.blobs[n] = f
	case ext == "log":
		l.addLog(from, f)
	case strings.HasPrefix(f.Name, "MANIFEST-"):
		if n, ok := manifestNumber(f.Name); ok {
			l.manifests = append(l.manifests, n)
		}
	case strings.HasPrefix(f.Name, "OPTIONS-"):
		if n, ok := number(strings.TrimPrefix(f.Name, "OPTIONS-"), true); ok {
			l.options = append(l.options, n)
		}
	case base == "marker":
		l.addMarker(ext)
	default:
		l.other[f.Name] = f.Size
	}
}

// addLog takes `NUMBER.log` and `NUMBER-SEGMENT.log`; the node's diagnostics
// end in .log as well, but have no number.
func (l *listing) addLog(from FS, f FileInfo) {
	base, segment, found := strings.Cut(strings.TrimSuffix(f.Name, ".log"), "-")
	n, ok := number(base, true)
	if !ok {
		return
	}
	s := uint64(0)
	if found {
		if s, ok = number(segment, true); !ok || s > math.MaxInt32 {
			return
		}
	}
	l.logs = append(l.logs, logFile{number: n, segment: int(s), fs: from, FileInfo: f})
}

func (l *listing) addMarker(rest string) {
	parts := strings.SplitN(rest, ".", 3)
	if len(parts) != 3 {
		return
	}
	n, ok := number(parts[1], true)
	if old, have := l.markers[parts[0]]; ok && (!have || n > old.iteration) {
		l.markers[parts[0]] = marker{n, parts[2]}
	}
}

func (l *listing) sort() {
	sort.Slice(l.logs, func(i, j int) bool {
		a, b := l.logs[i], l.logs[j]
		return a.number < b.number || a.number == b.number && a.segment < b.segment
	})
	descending := func(n []uint64) { sort.Slice(n, func(i, j int) bool { return n[i] > n[j] }) }
	descending(l.manifests)
	descending(l.options)
}

// number reads the decimal number of a file's name.
func number(text string, ok bool) (uint64, bool) {
	if !ok || text == "" || text[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}
