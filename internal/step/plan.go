package step

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Plan says as plain data what Run will do. People approve it, so its hash
// covers what they approve: Actions and Data. What may differ from minute to
// minute (sizes, present weights, counts) belongs in Facts and Work, which
// the hash leaves out; Actions state the aim ("weight of old becomes 0").
type Plan struct {
	// Summary is one sentence, in the present tense, without a full stop.
	Summary string `json:"summary"`
	// Actions are the single effects in order.
	Actions []Action `json:"actions,omitempty"`
	// Facts are what the check saw and an operator wants to know.
	Facts []Fact `json:"facts,omitempty"`
	// Warnings do not refuse but must be read.
	Warnings []string `json:"warnings,omitempty"`
	// Work is how much there is to do, to compare durations by.
	Work Work `json:"work,omitzero"`
	// Data is the kind's own, handed back to Run, Verify and Undo.
	Data json.RawMessage `json:"data,omitempty"`
}

// Action is one effect of a plan.
type Action struct {
	// ID is stable between checks of the same thing.
	ID string `json:"id"`
	// Text says it in words.
	Text string `json:"text"`
}

// Fact is one thing that the check saw.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Work is an amount: "bytes", "rows", "objects", "requests", "seconds".
type Work struct {
	Unit  string `json:"unit,omitempty"`
	Total int64  `json:"total,omitempty"`
}

// Hash names what an approval of the plan covers: SHA-256 in hex.
func (p Plan) Hash() string {
	text, err := json.Marshal(struct {
		Actions []Action        `json:"actions"`
		Data    json.RawMessage `json:"data"`
	}{p.Actions, p.Data})
	if err != nil {
		// Data that is not JSON is a bug of the kind that made it.
		panic(fmt.Sprintf("evac: internal error: plan data is not JSON: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Fact adds a fact.
func (p *Plan) Fact(name, format string, args ...any) {
	p.Facts = append(p.Facts, Fact{Name: name, Value: fmt.Sprintf(format, args...)})
}

// Action adds an action.
func (p *Plan) Action(id, format string, args ...any) {
	p.Actions = append(p.Actions, Action{ID: id, Text: fmt.Sprintf(format, args...)})
}

// Warn adds a warning.
func (p *Plan) Warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// SetData keeps a value of the kind's own.
func (p *Plan) SetData(v any) error {
	data, err := json.Marshal(v)
	p.Data = data
	return err
}

// DecodeData reads what SetData kept.
func (p Plan) DecodeData(into any) error { return json.Unmarshal(p.Data, into) }
