package conduct

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// VerifyAlone proves again what the one step of a program did in a run; it
// reads only and journals nothing.
func VerifyAlone(ctx context.Context, p *Program, st *journal.State) error {
	n := p.Nodes[0]
	var past *journal.NodeState
	if st != nil {
		past = st.Node(n.ID)
	}
	if past == nil || past.Phase != journal.Done {
		return fault.New(fault.Invalid, "nothing to verify: step "+quote(n.ID)+" with these fields has not been done from here", "give the command without --verify first")
	}
	s, err := p.build(n, st)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "evac-verify-")
	if err != nil {
		return fmt.Errorf("make scratch directory: %w", err)
	}
	defer os.RemoveAll(scratch)
	env := p.readOnlyEnv(n, scratch)
	env.Run, env.Checkpoint, env.Settings = st.Run, pastCheckpoint(past.Saved), pastSettings(past.Changed)
	_, err = guard(ctx, n, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.Verify(ctx, env, step.Done{Plan: *past.Plan, Output: past.Output})
	})
	return p.redacted(err)
}

// pastCheckpoint can be read and not written.
type pastCheckpoint json.RawMessage

func (pastCheckpoint) Save(context.Context, any) error { return errCheckWrites }
func (k pastCheckpoint) Load(v any) (bool, error) {
	if len(k) == 0 {
		return false, nil
	}
	return true, json.Unmarshal(k, v)
}

// pastSettings can be read and not written.
type pastSettings []step.Setting

func (pastSettings) Change(context.Context, step.Setting) error { return errCheckWrites }
func (pastSettings) Restore(context.Context, string) error      { return errCheckWrites }
func (k pastSettings) Changed() []step.Setting                  { return slices.Clone(k) }
