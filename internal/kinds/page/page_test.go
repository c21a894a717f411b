package page_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/kinds/page"
	"github.com/evac-io/evac/internal/testenv"
)

func TestCheckRefusesAllAtOnce(t *testing.T) {
	p := &page.Publish{To: "no/such/place", Until: "tomorrow", StatusURL: "javascript:alert(1)"}
	_, err := p.Check(t.Context(), testenv.Env(t))
	for _, want := range []string{"until: ", "status_url: ", "to: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("kind %s, want invalid", fault.KindOf(err))
	}
}

func TestCheckSaysWhatStands(t *testing.T) {
	env := testenv.Env(t)
	first := &page.Publish{To: "down"}
	plan, err := first.Check(t.Context(), env)
	if err != nil || len(plan.Facts) != 0 || plan.Summary != "publish the maintenance page in "+filepath.Join(env.Dir, "down") {
		t.Fatalf("%+v, %v", plan, err)
	}
	if _, err := first.Run(t.Context(), env, plan); err != nil {
		t.Fatal(err)
	}
	second := &page.Publish{To: "down", Until: time.Now().Add(-time.Hour).Format(time.RFC3339)}
	plan, err = second.Check(t.Context(), env)
	if err != nil || len(plan.Facts) != 2 || len(plan.Warnings) != 1 {
		t.Errorf("want two files kept and a warning of the passed time: %+v, %v", plan, err)
	}
}

func TestCheckRefusesAFile(t *testing.T) {
	env := testenv.Env(t)
	p := &page.Publish{To: "down"}
	plan, err := p.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), env, plan); err != nil {
		t.Fatal(err)
	}
	if _, err := (&page.Publish{To: "down/index.html"}).Check(t.Context(), env); err == nil || !strings.Contains(err.Error(), "is not a directory") {
		t.Errorf("got %v", err)
	}
}
