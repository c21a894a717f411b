package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// procStat is what is used of /proc/PID/stat (proc(5)).
type procStat struct {
	state   string
	group   int
	started string // field 22, in clock ticks since boot
}

func readStat(pid int) (procStat, bool, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if gone(err) {
		return procStat{}, false, nil
	}
	if err != nil {
		return procStat{}, false, err
	}
	// The command's name stands in brackets and may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return procStat{}, false, fmt.Errorf("read /proc/%d/stat: %d fields, want more", pid, len(fields))
	}
	group, err := strconv.Atoi(fields[2])
	return procStat{state: fields[0], group: group, started: fields[19]}, true, err
}

func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
}

// birth names a process beyond its number, which the system gives out again:
// this boot and the moment of its start.
func birth(pid int) (string, error) {
	boot, err := bootID()
	if err != nil {
		return "", err
	}
	st, found, err := readStat(pid)
	if err == nil && !found {
		err = fmt.Errorf("process %d is gone", pid)
	}
	return boot + "/" + st.started, err
}

// members tells what of a group still runs: its leader, which is the keeper, and
// any others. Zombies do not count: in a container nobody may ever collect
// them. If the leader is gone and cannot be told by its birth, the others are
// told by mark, which stands in their environment.
func (g group) members() (leader, others bool, err error) {
	boot, err := bootID()
	if err != nil || !strings.HasPrefix(g.Born, boot+"/") {
		return false, false, err
	}
	lead, known, err := readStat(g.ID)
	if err != nil || known && boot+"/"+lead.started != g.Born {
		return false, false, err // the number may belong to another process by now
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false, false, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == g.ID || others {
			continue
		}
		st, there, err := readStat(pid)
		if err != nil {
			return false, false, err
		}
		others = there && st.group == g.ID && st.runs() && (known || marked(pid, g.mark))
	}
	return known && lead.runs(), others, nil
}

func (s procStat) runs() bool { return s.state != "Z" && s.state != "X" }

func marked(pid int, mark string) bool {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && bytes.Contains(environ, []byte(mark+"\x00"))
}

// gone tells that a process ended while it was looked at.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such process")
}

// self is this very program, also after its file was replaced.
func self() (string, error) { return "/proc/self/exe", nil }
