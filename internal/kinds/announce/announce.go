// Package announce is the kind "announce": a message to a Slack-compatible
// webhook (Slack, Mattermost, Rocket.Chat and others).
package announce

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// Announce is a step that sends a message.
type Announce struct {
	URL     secret.String `evac:"url,required,target" doc:"the webhook's address; who knows it can post, so it is a secret"`
	Text    string        `evac:"text,required" doc:"the message, in Slack's markup"`
	Channel string        `evac:"channel" doc:"where to post, if the webhook lets the sender choose"`
}

// Output is what an announcement leaves in the journal.
type Output struct {
	SentAt string `json:"sent_at" doc:"when the webhook took the message, RFC 3339"`
	Status int    `json:"status" doc:"the HTTP status that it answered"`
}

// Kinds lists the kind.
func Kinds() []step.Kind {
	return []step.Kind{{
		Name:    "announce",
		Effect:  step.Passing,
		Summary: "sends a message to a Slack-compatible webhook",
		Doc: `The message is sent once: after a crash it is sent again only if it cannot be told whether it had been sent. When the webhook asks for patience (429), evac waits as long as it
says. A message cannot be taken back: undo passes it by and names it.`,
		New:    func() step.Step { return &Announce{} },
		Output: Output{},
		Example: `step "announce" "begin" {
  why  = "support must know before the first user calls"
  url  = var.slack_webhook
  text = "Maintenance has begun. The page is up; back at 06:00."
}`,
	}}
}

// data is what a plan of this kind approves.
type data struct {
	Host    string `json:"host"`
	Text    string `json:"text"`
	Channel string `json:"channel,omitempty"`
}

// Check implements step.Step. It does not post, so it cannot know whether the
// webhook takes messages.
func (a *Announce) Check(_ context.Context, _ *step.Env) (step.Plan, error) {
	var all []error
	host := ""
	if u, err := url.Parse(a.URL.Reveal()); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		all = append(all, fault.New(fault.Invalid, "url: is not an http or https address", "copy the webhook's whole address"))
	} else {
		host = u.Hostname()
	}
	if a.Text == "" {
		all = append(all, fault.New(fault.Invalid, "text: is empty", ""))
	}
	plan := step.Plan{Summary: "send a message by " + host}
	to := ""
	if a.Channel != "" {
		to = " to " + a.Channel
	}
	plan.Action("send", "send%s by %s: %s", to, host, a.Text)
	return plan, errors.Join(append(all, plan.SetData(data{Host: host, Text: a.Text, Channel: a.Channel}))...)
}

// saved is the checkpoint: the message was taken.
type saved struct {
	Sent Output `json:"sent"`
}

// Run implements step.Step.
func (a *Announce) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	var at saved
	found, err := env.Checkpoint.Load(&at)
	if err != nil {
		return nil, err
	}
	if found {
		return at.Sent, nil
	}
	env.Redact.Add(a.URL.Reveal())
	if u, err := url.Parse(a.URL.Reveal()); err == nil {
		env.Redact.Add(strings.Trim(u.Path, "/")) // the part that is the key
	}
	status, err := post(ctx, env, a.URL.Reveal(), message{Text: a.Text, Channel: a.Channel})
	if err != nil {
		return nil, err
	}
	at.Sent = Output{SentAt: time.Now().Format(time.RFC3339), Status: status}
	return at.Sent, env.Checkpoint.Save(ctx, at)
}

// Verify implements step.Step. A webhook cannot be read back: what it answered
// is the proof.
func (a *Announce) Verify(_ context.Context, _ *step.Env, done step.Done) error {
	var out Output
	if err := done.Decode(&out); err != nil {
		return err
	}
	if out.SentAt == "" {
		return errors.New("announce: the message was not sent")
	}
	return nil
}
