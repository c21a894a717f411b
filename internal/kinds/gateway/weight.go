// Package gateway holds the kinds that steer requests: gateway_weight.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/haproxy"
	"github.com/evac-io/evac/internal/step"
)

// Weight is a step that sets the weights of servers of one backend.
type Weight struct {
	Socket    string            `evac:"socket,required,target" doc:"HAProxy's stats socket with level admin: a path, or HOST:PORT"`
	Backend   string            `evac:"backend,required" doc:"the backend"`
	Weights   map[string]string `evac:"weights,required" doc:"server → weight, 0 to 256; 0 gives it no new requests. Servers that are not named keep theirs"`
	Config    string            `evac:"config,required,target" doc:"the configuration that HAProxy runs with, a file or a directory; it says where a reload finds the weights again"`
	StateFile string            `evac:"state_file,target" doc:"that file, where the configuration alone does not tell"`
	Wait      time.Duration     `evac:"wait" default:"10s" doc:"how long to wait for a server that stays to be up before another loses its last weight"`
}

// Output is what a gateway_weight step leaves in the journal.
type Output struct {
	Changed   int    `json:"changed" doc:"how many weights were not yet as asked for"`
	StateFile string `json:"state_file" doc:"the file that makes a reload keep the weights"`
}

// data is what a plan hands to Run.
type data struct {
	Weights   []aim  `json:"weights"`
	StateFile string `json:"state_file"`
	// Own tells that the file is the backend's own.
	Own bool `json:"own,omitempty"`
}

// aim is a server and the weight that it shall have.
type aim struct {
	Server string `json:"server"`
	Weight int    `json:"weight"`
}

// checkpoint is the journalled state from before the first change.
type checkpoint struct {
	Old []aim `json:"old"`
}

// Kinds lists the kind.
func Kinds() []step.Kind {
	return []step.Kind{{
		Name:    "gateway_weight",
		Effect:  step.Undoable,
		Summary: "sets the weights of servers behind HAProxy while it runs",
		Doc:     doc,
		New:     func() step.Step { return &Weight{} },
		Output:  Output{},
		Example: `step "gateway_weight" "page" {
  why     = "users see the page before writes stop"
  socket  = "/run/haproxy/admin.sock"
  config  = "/etc/haproxy/haproxy.cfg"
  backend = "shop"
  weights = { page = "100", old = "0" }
}`,
	}}
}

const doc = `The weights are set through HAProxy's runtime API, without a reload. Servers that shall take requests come first; before the others lose theirs, one that stays must be up.
After each change the servers' state is saved to the file that a reload or restart reads, so that the weights stay. Check refuses a configuration without
` + "`load-server-state-from-file`" + ` and says which line to add; HAProxy itself ignores a saved weight when the server's weight in the configuration was changed meanwhile.

Weight 0 takes no new requests; connections that are open stay until they end. The balance algorithm must follow weights: roundrobin, leastconn, random, or a consistent hash.
The old weights are journalled before the first change, and undo puts them back.`

// Check reads the weights and the configuration.
func (w *Weight) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	aims, wrong := w.aims()
	config, err := haproxy.ReadConfig(absolute(env, w.Config))
	if err != nil {
		return step.Plan{}, errors.Join(wrong, err)
	}
	d := data{Weights: aims}
	if d.StateFile, d.Own, err = w.stateFile(env, config); err != nil {
		wrong = errors.Join(wrong, err)
	}
	client := haproxy.New(absolute(env, w.Socket))
	servers, err := w.servers(ctx, client)
	if err != nil {
		return step.Plan{}, errors.Join(wrong, err)
	}
	wrong = errors.Join(wrong, w.knows(servers, aims), w.weighs(ctx, client, config))
	if wrong != nil {
		return step.Plan{}, wrong
	}
	return w.plan(config, servers, d)
}

// aims are the weights asked for, the largest first: whoever takes requests
// comes before whoever loses them, so that there is always one.
func (w *Weight) aims() ([]aim, error) {
	var aims []aim
	var wrong error
	for _, name := range slices.Sorted(maps.Keys(w.Weights)) {
		n, err := strconv.Atoi(w.Weights[name])
		if err != nil || n < 0 || n > haproxy.MaxWeight {
			wrong = errors.Join(wrong, fault.New(fault.Invalid,
				fmt.Sprintf("set the weight of server %q: %q is not a whole number from 0 to %d", name, w.Weights[name], haproxy.MaxWeight), ""))
		}
		aims = append(aims, aim{name, n})
	}
	if len(aims) == 0 {
		wrong = fault.New(fault.Invalid, "set weights: none is given", `weights = { new = "100", old = "0" }`)
	}
	return takersFirst(aims), wrong
}

func takersFirst(aims []aim) []aim {
	slices.SortStableFunc(aims, func(a, b aim) int { return b.Weight - a.Weight })
	return aims
}

// servers lists the backend's servers.
func (w *Weight) servers(ctx context.Context, client *haproxy.Client) ([]haproxy.Server, error) {
	servers, err := client.Servers(ctx, w.Backend)
	if errors.Is(err, haproxy.ErrNoBackend) {
		all, err := client.Servers(ctx, "")
		if err != nil {
			return nil, err
		}
		var names []string
		for _, s := range all {
			names = append(names, s.Backend)
		}
		return nil, unknown("backend", w.Backend, slices.Compact(names))
	}
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), fmt.Sprintf("read the servers of backend %q", w.Backend), err,
			"see that HAProxy runs and that this account may use its socket: ls -l "+w.Socket)
	}
	return servers, nil
}

// knows tells whether every server exists.
func (w *Weight) knows(servers []haproxy.Server, aims []aim) error {
	var wrong error
	for _, a := range aims {
		if _, ok := find(servers, a.Server); !ok {
			var names []string
			for _, s := range servers {
				names = append(names, s.Name)
			}
			wrong = errors.Join(wrong, unknown("server", a.Server, names))
		}
	}
	return wrong
}

func unknown(what, name string, known []string) error {
	return fault.New(fault.Invalid, fmt.Sprintf("find %s %q in HAProxy: there is none; there are %s", what, name, strings.Join(known, ", ")), nearest(name, known))
}

func find(servers []haproxy.Server, name string) (haproxy.Server, bool) {
	i := slices.IndexFunc(servers, func(s haproxy.Server) bool { return s.Name == name })
	if i < 0 {
		return haproxy.Server{}, false
	}
	return servers[i], true
}

// weighs tells whether the socket and the balance algorithm let weights be
// changed.
func (w *Weight) weighs(ctx context.Context, client *haproxy.Client, config *haproxy.Config) error {
	level, err := client.Level(ctx)
	if err != nil {
		return err
	}
	if level != "admin" {
		return fault.New(fault.Denied, fmt.Sprintf("use the socket %q: its level is %q", w.Socket, level), "add to its `stats socket` line: level admin")
	}
	stats, err := client.Stats(ctx)
	if err != nil {
		return err
	}
	for _, s := range stats {
		if s.Proxy == w.Backend && s.Service == haproxy.BackendService {
			return config.Weighs(w.Backend, s.Algorithm)
		}
	}
	return fmt.Errorf("read the balance algorithm of backend %q: HAProxy's statistics do not have it", w.Backend)
}

func (w *Weight) plan(config *haproxy.Config, servers []haproxy.Server, d data) (step.Plan, error) {
	plan := step.Plan{
		Summary: fmt.Sprintf("set the weights of %d servers of backend %s", len(d.Weights), w.Backend),
		Work:    step.Work{Unit: "servers", Total: int64(len(d.Weights))},
	}
	for _, a := range d.Weights {
		plan.Action("weight:"+a.Server, "weight of %s/%s becomes %d", w.Backend, a.Server, a.Weight)
		s, _ := find(servers, a.Server)
		plan.Fact("weight of "+a.Server+" now", "%d, %s", s.Weight, condition(s))
		if a.Weight > 0 && !takes(s) {
			plan.Warn("server %q is %s: it takes no requests whatever its weight", a.Server, condition(s))
		}
		if !config.Backend(w.Backend).HasServer(a.Server) {
			plan.Warn("server %q is not in %q: a reload forgets it", a.Server, config.Path)
		}
	}
	if len(stayers(servers, d.Weights)) == 0 {
		plan.Warn("no server of backend %q keeps a weight: its users get errors", w.Backend)
	}
	plan.Fact("state file", "%s", d.StateFile)
	return plan, plan.SetData(d)
}

// condition says in words whether a server takes requests.
func condition(s haproxy.Server) string {
	switch {
	case s.Admin == haproxy.Maint:
		return "in maintenance"
	case s.Admin == haproxy.Drain:
		return "draining"
	case s.Up:
		return "up"
	}
	return "down"
}

func takes(s haproxy.Server) bool { return s.Up && s.Admin == "" }

// stayers are the servers that have a weight once all aims are reached.
func stayers(servers []haproxy.Server, aims []aim) []haproxy.Server {
	var stay []haproxy.Server
	for _, s := range servers {
		weight := s.Weight
		for _, a := range aims {
			if a.Server == s.Name {
				weight = a.Weight
			}
		}
		if weight > 0 {
			stay = append(stay, s)
		}
	}
	return stay
}

// absolute puts a relative path below the runbook's directory; a TCP address
// stays as it is.
func absolute(env *step.Env, path string) string {
	if filepath.IsAbs(path) || strings.ContainsAny(path, ":@") || path == "" {
		return path
	}
	return filepath.Join(env.Dir, path)
}
