// Package page is the kind "page_publish": the maintenance page is put where a
// web server, a bucket's mirror or "evac page serve" finds it.
package page

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/page"
	"github.com/evac-io/evac/internal/step"
)

// Publish is a step that publishes the maintenance page.
type Publish struct {
	To        string `evac:"to,required,target" doc:"the directory; it is made if only its last part is missing"`
	TitleKo   string `evac:"title_ko" doc:"the Korean title; has a default, as the other texts have"`
	TitleEn   string `evac:"title_en" doc:"the English title"`
	MessageKo string `evac:"message_ko" doc:"the Korean text"`
	MessageEn string `evac:"message_en" doc:"the English text"`
	Until     string `evac:"until" doc:"when the service will be back, RFC 3339; shown in each reader's own time"`
	StatusURL string `evac:"status_url" doc:"where readers can follow the progress"`
}

// Output is what a publication leaves in the journal.
type Output struct {
	File string `json:"file" doc:"the page's path"`
}

// Kinds lists the kind.
func Kinds() []step.Kind {
	return []step.Kind{{
		Name:    "page_publish",
		Effect:  step.Undoable,
		Summary: "publishes the maintenance page",
		Doc: `Writes ` + "`index.html`" + ` (Korean and English, under 20 kB, needs no other file) and ` + "`status.json`" + ` (the same for apps). What stood there stays beside as
` + "`.evac-before-…`" + ` and comes back by undo. ` + "`evac page serve DIR`" + ` answers every request with it, as 503 with Retry-After.`,
		New:    func() step.Step { return &Publish{} },
		Output: Output{},
		Example: `step "page_publish" "down" {
  to         = "/srv/down"
  until      = "2026-11-22T06:00:00+09:00"
  status_url = "https://status.example.com"
}`,
	}}
}

// data is what a plan of this kind approves.
type data struct {
	Dir    string      `json:"dir"`
	Notice page.Notice `json:"notice"`
}

// Check implements step.Step.
func (p *Publish) Check(_ context.Context, env *step.Env) (step.Plan, error) {
	d := data{Dir: p.To, Notice: page.Notice{
		Title: page.Text{Ko: p.TitleKo, En: p.TitleEn}, Message: page.Text{Ko: p.MessageKo, En: p.MessageEn}, StatusURL: p.StatusURL,
	}.WithDefaults()}
	if !filepath.IsAbs(d.Dir) {
		d.Dir = filepath.Join(env.Dir, d.Dir)
	}
	var all []error
	var plan step.Plan
	if p.Until != "" {
		until, err := time.Parse(time.RFC3339, p.Until)
		if err != nil {
			all = append(all, fault.New(fault.Invalid, fmt.Sprintf("until: %q is not a time", p.Until), "write 2026-11-21T06:00:00+09:00"))
		} else if until.Before(time.Now()) {
			plan.Warn("the page says that the service is back at %s, which has passed", p.Until)
		}
		d.Notice.Until = until
	}
	if _, err := d.Notice.HTML(); err != nil {
		all = append(all, fault.Wrap(fault.Invalid, "", err, ""))
	}
	all = append(all, wrongDir(d.Dir), plan.SetData(d))
	plan.Summary = "publish the maintenance page in " + d.Dir
	for _, file := range []string{page.HTMLFile, page.JSONFile} {
		path := filepath.Join(d.Dir, file)
		plan.Action(file, "write %s", path)
		if _, err := os.Lstat(path); err == nil {
			plan.Fact("kept", "the present %s stays beside it and comes back by undo", file)
		}
	}
	return plan, errors.Join(all...)
}

// wrongDir refuses a place where no page can stand.
func wrongDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fault.New(fault.Invalid, fmt.Sprintf("to: %q does not exist", dir), "mkdir -p "+dir)
	case err != nil:
		return fault.Wrap(fault.Failed, "to", err, "")
	case !info.IsDir():
		return fault.New(fault.Invalid, fmt.Sprintf("to: %q is not a directory", dir), "")
	}
	return nil
}

// id tells this publication's files from those of other runs.
func id(env *step.Env) string {
	sum := sha256.Sum256([]byte(env.Token))
	return hex.EncodeToString(sum[:4])
}

// Run implements step.Step. The checkpoint is what the directory held before.
func (p *Publish) Run(ctx context.Context, env *step.Env, plan step.Plan) (step.Output, error) {
	var d data
	if err := plan.DecodeData(&d); err != nil {
		return nil, err
	}
	var before page.Before
	found, err := env.Checkpoint.Load(&before)
	if err != nil {
		return nil, err
	}
	if !found {
		if before, err = page.Keep(d.Dir, id(env)); err != nil {
			return nil, err
		}
		if err := env.Checkpoint.Save(ctx, before); err != nil {
			return nil, err
		}
	}
	if err := page.Publish(d.Dir, id(env), d.Notice); err != nil {
		return nil, err
	}
	return Output{File: filepath.Join(d.Dir, page.HTMLFile)}, nil
}

// Verify implements step.Step: the files hold the page, byte for byte.
func (p *Publish) Verify(_ context.Context, _ *step.Env, done step.Done) error {
	var d data
	if err := done.Plan.DecodeData(&d); err != nil {
		return err
	}
	return page.Published(d.Dir, d.Notice)
}

// Undo implements step.Undoer.
func (p *Publish) Undo(_ context.Context, env *step.Env, done step.Done) error {
	var d data
	if err := done.Plan.DecodeData(&d); err != nil {
		return err
	}
	var before page.Before
	found, err := env.Checkpoint.Load(&before)
	switch {
	case err != nil:
		return err
	case !found: // nothing was published
		return page.Clear(d.Dir, id(env))
	}
	return page.Restore(d.Dir, id(env), before)
}
