//go:build unix && !linux

package shell

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// birth names a process beyond its number, which the system gives out again:
// the moment of its start, as ps gives it.
func birth(pid int) (string, error) {
	text, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	return strings.TrimSpace(string(text)), err
}

// members tells what of a group still runs: its leader, which is the keeper, and
// any others. Zombies do not count. The mark is not used: ps shows no environment.
func (g group) members() (leader, others bool, err error) {
	text, err := exec.Command("ps", "-A", "-o", "pid=,pgid=,stat=,lstart=").Output()
	if err != nil {
		return false, false, err
	}
	id := strconv.Itoa(g.ID)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[1] != id || strings.HasPrefix(f[2], "Z") {
			continue
		}
		if f[0] != id {
			others = true
			continue
		}
		if strings.Join(f[3:], " ") != strings.Join(strings.Fields(g.Born), " ") {
			return false, false, nil // the number belongs to another process by now
		}
		leader = true
	}
	return leader, others, nil
}

// self is this very program.
func self() (string, error) { return os.Executable() }
