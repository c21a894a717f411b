package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/step"
)

// TCP is a step that looks whether a port takes connections.
type TCP struct {
	Address  string        `evac:"address,required,target" doc:"host:port"`
	Within   time.Duration `evac:"within" doc:"how long it may take until it is true; without it the first look decides"`
	Times    int           `evac:"times" default:"1" doc:"how many times in a row it must be true"`
	Every    time.Duration `evac:"every" default:"1s" doc:"time from one look to the next"`
	Patience time.Duration `evac:"answer_within" default:"10s" doc:"how long one look may take"`
}

// TCPOutput is what a port probe leaves in the journal.
type TCPOutput struct {
	Seconds float64 `json:"seconds" doc:"how long the last connection took"`
	Looks   int     `json:"looks" doc:"how many times evac looked"`
}

// Kinds lists the kinds of this family.
func Kinds() []step.Kind { return []step.Kind{httpKind(), tcpKind()} }

func tcpKind() step.Kind {
	return step.Kind{
		Name:    "probe_tcp",
		Effect:  step.Reads,
		Summary: "looks whether a port takes connections",
		Doc:     "Connects and closes at once; nothing is sent. `within`, `times` and `every` mean the same as for probe_http.",
		New:     func() step.Step { return &TCP{} },
		Output:  TCPOutput{},
		Example: `step "probe_tcp" "database" {
  address = "10.1.0.20:5432"
  within  = "1m"
}`,
	}
}

// Check implements step.Step.
func (p *TCP) Check(ctx context.Context, _ *step.Env) (step.Plan, error) {
	if err := errors.Join(wrongHostPort(p.Address), p.patience().wrong()); err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{Summary: "look at " + p.Address}
	plan.Action("look", "expect %s to take connections%s", p.Address, p.patience().text())
	plan.Fact("now", "%s", glance(ctx, p.look))
	return plan, nil
}

// Run implements step.Step.
func (p *TCP) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	return p.await(ctx, env, p.patience())
}

// Verify implements step.Step: it still is so.
func (p *TCP) Verify(ctx context.Context, env *step.Env, _ step.Done) error {
	_, err := p.await(ctx, env, p.patience().once())
	return err
}

func (p *TCP) await(ctx context.Context, env *step.Env, often patience) (TCPOutput, error) {
	var out TCPOutput
	var err error
	out.Looks, err = often.until(ctx, env, func(ctx context.Context) error {
		began := time.Now()
		defer func() { out.Seconds = time.Since(began).Seconds() }()
		return p.look(ctx)
	})
	if err != nil {
		return out, fault.Wrap(fault.KindOf(err), fmt.Sprintf("probe %q", p.Address), err, "")
	}
	return out, nil
}

func (p *TCP) patience() patience {
	return patience{within: p.Within, times: p.Times, every: p.Every}
}

func (p *TCP) look(ctx context.Context) error {
	dialer := net.Dialer{Timeout: p.Patience}
	conn, err := dialer.DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func wrongHostPort(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" {
		return fault.New(fault.Invalid, fmt.Sprintf("address: %q is not host:port", address), "")
	}
	return nil
}
