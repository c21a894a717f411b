package haproxy

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// StateFile is where a reload finds the servers' state of a backend, and
// whether that file is the backend's own. A configuration that makes a reload
// forget is refused, with the line to add.
func (c *Config) StateFile(backend string) (file string, own bool, err error) {
	section := c.Backend(backend)
	if section == nil {
		return "", false, fault.New(fault.Invalid, fmt.Sprintf("find backend %q in %q: there is none", backend, c.Path), "name the configuration that HAProxy was started with")
	}
	switch mode := first(section.Value("load-server-state-from-file")); mode {
	case "global":
		file = c.Global("server-state-file")
		if file == "" {
			return "", false, forgets(c.Path, "it names no server-state-file", "add to its global section: server-state-file /var/lib/haproxy/server-state")
		}
	case "local":
		own = true
		if file = first(section.Value("server-state-file-name")); file == "" || file == "use-backend-name" {
			file = backend
		}
	default:
		return "", false, forgets(c.Path, fmt.Sprintf("backend %q does not load its servers' state", backend),
			fmt.Sprintf("add to its defaults or to backend %s: load-server-state-from-file global", backend))
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(c.Global("server-state-base"), file)
	}
	if !filepath.IsAbs(file) || strings.Contains(file, "$") {
		return "", own, fault.Wrap(fault.Invalid, "", &UnknownPathError{c.Path, file, own}, "name it in state_file")
	}
	return file, own, nil
}

// UnknownPathError says that a reload keeps weights, but where it finds them
// only HAProxy knows: the path is relative or has a variable in it.
type UnknownPathError struct {
	Config, File string
	// Own tells that the file is the backend's own.
	Own bool
}

// Error says which path of which configuration.
func (e *UnknownPathError) Error() string {
	return fmt.Sprintf("find the state file of %q: %q is relative or has a variable in it", e.Config, e.File)
}

func forgets(path, why, hint string) error {
	return fault.New(fault.Invalid, fmt.Sprintf("keep weights over a reload with %q: %s", path, why), hint)
}

// Weighs tells whether an algorithm lets weights be changed while it runs
// (Configuration Manual, "balance" and "hash-type"), and if not why.
func (c *Config) Weighs(backend, algorithm string) error {
	switch algorithm {
	case "roundrobin", "leastconn", "random":
		return nil
	case "static-rr", "first":
	default: // a hash: consistent ones follow the weights
		if section := c.Backend(backend); section != nil && first(section.Value("hash-type")) == "consistent" {
			return nil
		}
	}
	return fault.New(fault.Invalid, fmt.Sprintf("change weights of backend %q: its balance algorithm %q does not follow them", backend, algorithm),
		fmt.Sprintf("put into backend %s: balance roundrobin", backend))
}
